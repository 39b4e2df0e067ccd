/* hsm-keygen: a key that is born in an HSM and cannot leave it; its public key goes to stdout. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "diag.h"
#include "io.h"
#include "opt.h"
#include "p11key.h"
#include "pem.h"
#include "signer.h"

static const char *type = "P-256";
static int list;

static const struct opt options[] = {
    {'t', "type", OPT_STRING, &type, "TYPE",
     "P-256, P-384, RSA-2048, RSA-3072, RSA-4096 or Ed25519", "P-256", 0, 0},
    {'l', "list", OPT_FLAG, &list, NULL, "make nothing, list the keys that are there", NULL, 0, 0},
    {0}};

static const struct opt_program program = {
    .name = "hsm-keygen",
    .synopsis = "[-t TYPE] pkcs11:URI | --list pkcs11:URI",
    .purpose = "Make a key in an HSM that cannot leave it, print its PUBLIC KEY.",
    .options = options,
    .operands = 1};

static const struct {
    const char *name;
    enum p11key_type type;
} types[] = {{"P-256", P11KEY_P256},       {"P-384", P11KEY_P384},
             {"RSA-2048", P11KEY_RSA2048}, {"RSA-3072", P11KEY_RSA3072},
             {"RSA-4096", P11KEY_RSA4096}, {"Ed25519", P11KEY_ED25519}};

static enum p11key_type wanted(void)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcasecmp(types[i].name, type))
            return types[i].type;
    opt_wrong(&program, "--type: not a type of key: \"%s\"", type);
}

static enum status generate(const char *uri)
{
    struct buf spki = {0}, pem = {0};
    enum status st = p11key_generate(uri, NULL, wanted(), &spki);
    if (st == ST_OK) {
        pem_put(&pem, "PUBLIC KEY", spki.d, spki.n);
        io_stdout(pem.d, pem.n);
    }
    buf_free(&spki);
    buf_free(&pem);
    return st;
}

static enum status show(const char *uri)
{
    struct buf lines = {0};
    enum status st = p11key_list(uri, NULL, &lines);
    if (st == ST_OK)
        io_stdout(lines.d, lines.n);
    buf_free(&lines);
    return st;
}

int main(int argc, char **argv)
{
    io_init();
    int at = opt_parse(&program, argc, argv);
    if (at == argc)
        opt_wrong(&program, "no pkcs11: URI");
    enum status st = list ? show(argv[at]) : generate(argv[at]);
    signer_finish();
    return (int)st;
}
