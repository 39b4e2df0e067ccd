/* Opens a unit, reports what it is, and asks it questions.
 * unit-test ROLE|issuer FILE [QUESTION...]      below=ID  above=ID
 * stands=ATTACH,VERIFY-UNIT,RA-APPROVE,LOT unit-test keygen URI [ed25519]                makes a
 * key in a token and prints its PUBLIC KEY */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"
#include "pem.h"
#include "unit.h"

static int keygen(const char *uri, int ed25519)
{
    struct buf spki = {0}, pem = {0};
    enum status st = p11key_generate(uri, NULL, ed25519 ? P11KEY_ED25519 : P11KEY_P256, &spki);
    if (!st) {
        pem_put(&pem, "PUBLIC KEY", spki.d, spki.n);
        io_stdout(pem.d, pem.n);
    }
    buf_free(&spki);
    buf_free(&pem);
    return (int)st;
}

static int stands(const struct unit *u, const char *text)
{
    char *copy = alloc_str(text), *part[4], *save = NULL;
    for (int i = 0; i < 4; i++)
        part[i] = strtok_r(i ? NULL : copy, ",", &save);
    int yes = part[3] && unit_stands(u, part[0], part[1], part[2], part[3]);
    free(copy);
    return yes;
}

static void question(const struct unit *u, const char *q)
{
    int yes = 0;
    if (!strncmp(q, "below=", 6))
        yes = unit_takes(u, 0, q + 6);
    else if (!strncmp(q, "above=", 6))
        yes = unit_takes(u, 1, q + 6);
    else if (!strncmp(q, "stands=", 7))
        yes = stands(u, q + 7);
    else
        diag_exit(ST_USAGE, "%s: no such question", q);
    printf("%s %s\n", q, yes ? "yes" : "no");
}

int main(int argc, char **argv)
{
    struct unit *u = NULL;
    diag_program("unit-test");
    if (argc < 3)
        return ST_USAGE;
    io_init();
    if (!strcmp(argv[1], "keygen"))
        return keygen(argv[2], argc > 3);
    int direct = !strcmp(argv[1], "issuer");
    enum path_role role = PATH_ATTACH;
    while (!direct && strcmp(path_role_name(role), argv[1]) && role < PATH_CA_SIGN)
        role++;
    enum status st = direct ? unit_open_issuer(argv[2], &u) : unit_open(role, argv[2], &u);
    if (st)
        return (int)st;
    enum status report = unit_report(u);
    printf("chain %zu issuer chain %zu\n", u->n_chain, u->n_issuer_chain);
    for (int i = 3; i < argc; i++)
        question(u, argv[i]);
    unit_close(u);
    signer_finish();
    return (int)report;
}
