/* Opens a saved message as a unit would, and attacks it: layers-test RECEIVER TRUST.pem MESSAGE.pem
 * WHAT
 *
 *   open          opens it; prints the ids of the signers from the outside inward
 *   flip [STEP]   flips one bit after the other (every STEP-th octet): all must be found
 *   cut           cuts it short at every length: all must be found
 *   append        puts an octet behind it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "anchor.h"
#include "clock.h"
#include "diag.h"
#include "layers.h"
#include "pem.h"

struct bench {
    struct path *path;
    struct layers_rule rule;
};

static enum status try(struct bench *b, struct span der, char why[CMS_WHY], int show)
{
    struct layers m;
    enum status st = layers_open(der, b->path, &b->rule, &m, why);
    for (size_t i = 0; show && st == ST_OK && i < m.n; i++)
        printf("%s%s", m.layer[i].signer->id, i + 1 < m.n ? " " : "\n");
    layers_close(&m);
    return st;
}

static int report(size_t tried, size_t passed, size_t at)
{
    printf("%zu tried, %zu passed\n", tried, passed);
    if (passed)
        printf("the first at octet %zu\n", at);
    return passed ? 1 : 0;
}

static int flip(struct bench *b, struct span der, size_t step)
{
    unsigned char *copy = alloc_copy(der.p, der.n);
    char why[CMS_WHY];
    size_t tried = 0, passed = 0, first = 0;
    for (size_t i = 0; i < der.n; i += step)
        for (int bit = 0; bit < 8; bit++, tried++) {
            copy[i] ^= (unsigned char)(1 << bit);
            if (try(b, (struct span){copy, der.n}, why, 0) == ST_OK && !passed++)
                first = i;
            copy[i] ^= (unsigned char)(1 << bit);
        }
    free(copy);
    return report(tried, passed, first);
}

static int cut(struct bench *b, struct span der)
{
    char why[CMS_WHY];
    size_t passed = 0, first = 0;
    for (size_t n = 0; n < der.n; n++) {
        unsigned char *copy =
            alloc_copy(der.p, n); /* exactly as long: a read past the end is seen */
        if (try(b, (struct span){copy, n}, why, 0) == ST_OK && !passed++)
            first = n;
        free(copy);
    }
    return report(der.n, passed, first);
}

static int append(struct bench *b, struct span der)
{
    unsigned char *copy = alloc_copy(der.p, der.n + 1);
    char why[CMS_WHY];
    copy[der.n] = 0;
    enum status st = try(b, (struct span){copy, der.n + 1}, why, 0);
    printf("%s\n", st == ST_OK ? "passed" : why);
    free(copy);
    return (int)st;
}

static enum path_role role(const char *name)
{
    for (int r = PATH_ATTACH; r <= PATH_CA_SIGN; r++)
        if (!strcmp(name, path_role_name((enum path_role)r)))
            return (enum path_role)r;
    diag_exit(ST_USAGE, "no such unit: %s", name);
}

int main(int argc, char **argv)
{
    struct bench b;
    struct anchor *a;
    struct buf der = {0};
    char why[CMS_WHY];
    int code = 2;
    diag_program("layers-test");
    if (argc < 5)
        return 2;
    if (anchor_load(&(struct anchor_files){.trust = argv[2]}, &a) != ST_OK ||
        pem_file(argv[3], "CMS", CMS_MAX, &der, 1) != 1)
        return 2;
    b.path = path_new(a);
    b.rule = (struct layers_rule){role(argv[1]), clock_now(), 86400};
    if (!strcmp(argv[4], "open")) {
        code = (int)try(&b, buf_span(&der), why, 1);
        if (code)
            printf("%s\n", why);
    } else if (!strcmp(argv[4], "flip"))
        code = flip(&b, buf_span(&der), argc > 5 ? (size_t)atoi(argv[5]) : 1);
    else if (!strcmp(argv[4], "cut"))
        code = cut(&b, buf_span(&der));
    else if (!strcmp(argv[4], "append"))
        code = append(&b, buf_span(&der));
    path_free(b.path);
    anchor_free(a);
    buf_free(&der);
    return code;
}
