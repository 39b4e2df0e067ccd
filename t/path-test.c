/* Runs steps against one struct path, and shows what each gives, one a line.
 * path-test TRUST UNIT-CA|- STEP...
 * crl=FILE     (before other steps) a CRL to check with
 * now=SECONDS  the time from here on
 * extra=FILE   other certificates that come with those below
 * unit=FILE    path_check        ca=FILE    path_ca_key
 * run=COMMAND  sh -c             refresh    path_refresh
 * same=FILE    whether a second path_check gives the same unit, and what OpenSSL allocates for the
 *              first and for the second */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "clock.h"
#include "diag.h"
#include "path.h"
#include "pem.h"

#define CERTS 16

static unsigned long allocated;

static void *count_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    allocated++;
    return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    allocated++;
    return realloc(p, n);
}

static void count_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

struct state {
    struct path *path;
    int64_t now;
    struct buf extra_der[CERTS];
    struct span extra[CERTS];
    size_t n_extra;
};

static void load(const char *file, struct buf *der)
{
    if (pem_file(file, "CERTIFICATE", 65536, der, 1) != 1)
        diag_exit(ST_USAGE, "%s: not one certificate", file);
}

static void unit(struct state *s, const char *file)
{
    struct buf der = {0};
    char why[PATH_WHY], from[CLOCK_TEXT], to[CLOCK_TEXT];
    load(file, &der);
    const struct path_unit *u =
        path_check(s->path, buf_span(&der), s->extra, s->n_extra, s->now, why);
    buf_free(&der);
    if (!u) {
        puts(why);
        return;
    }
    clock_format(u->not_before, from);
    clock_format(u->not_after, to);
    printf("%s %s chain %zu key %d %s %s\n", path_role_name(u->role), u->id, u->n_chain,
           EVP_PKEY_get_bits(u->key), from, to);
}

static void ca(struct state *s, const char *file)
{
    struct buf der = {0};
    char why[PATH_WHY];
    load(file, &der);
    EVP_PKEY *key = path_ca_key(s->path, buf_span(&der), s->extra, s->n_extra, s->now, why);
    if (key)
        printf("CA key %d\n", EVP_PKEY_get_bits(key));
    else
        puts(why);
    buf_free(&der);
}

static void same(struct state *s, const char *file)
{
    struct buf der = {0};
    char why[PATH_WHY];
    load(file, &der);
    unsigned long before = allocated;
    const struct path_unit *first = path_check(s->path, buf_span(&der), NULL, 0, s->now, why);
    unsigned long between = allocated;
    int same = path_check(s->path, buf_span(&der), NULL, 0, s->now, why) == first;
    printf("%s %lu %lu\n", first && same ? "same" : "another", between - before,
           allocated - between);
    buf_free(&der);
}

static void extra(struct state *s, const char *file)
{
    int n = pem_file(file, "CERTIFICATE", 65536, s->extra_der, CERTS);
    s->n_extra = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < s->n_extra; i++)
        s->extra[i] = buf_span(&s->extra_der[i]);
}

static void step(struct state *s, const char *word)
{
    const char *eq = strchr(word, '=');
    const char *arg = eq ? eq + 1 : "";
    if (!strncmp(word, "now=", 4))
        s->now = strtoll(arg, NULL, 10);
    else if (!strncmp(word, "extra=", 6))
        extra(s, arg);
    else if (!strncmp(word, "unit=", 5))
        unit(s, arg);
    else if (!strncmp(word, "ca=", 3))
        ca(s, arg);
    else if (!strncmp(word, "same=", 5))
        same(s, arg);
    else if (!strncmp(word, "run=", 4))
        printf("ran %d\n", system(arg));
    else if (!strcmp(word, "refresh"))
        printf("refresh %d\n", path_refresh(s->path));
    else
        diag_exit(ST_USAGE, "%s: no such step", word);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *crls[8];
    struct anchor_files files = {0};
    struct anchor *anchor = NULL;
    struct state s = {.now = clock_now()};
    int i = 3;
    diag_program("path-test");
    if (argc < 3 || !CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
        return ST_USAGE;
    files.trust = argv[1];
    files.unit_ca = strcmp(argv[2], "-") ? argv[2] : NULL;
    files.crls = crls;
    for (; i < argc && !strncmp(argv[i], "crl=", 4) && files.n_crls < 8; i++)
        crls[files.n_crls++] = argv[i] + 4;
    enum status st = anchor_load(&files, &anchor);
    if (st)
        return (int)st;
    s.path = path_new(anchor);
    for (; i < argc; i++)
        step(&s, argv[i]);
    for (size_t k = 0; k < s.n_extra; k++)
        buf_free(&s.extra_der[k]);
    path_free(s.path);
    anchor_free(anchor);
    return 0;
}
