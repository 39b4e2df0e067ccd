/* cert-import: puts a certificate that is there already into the device store, with its key. */
#include <string.h>

#include "diag.h"
#include "import.h"
#include "io.h"
#include "opt.h"
#include "plan.h"
#include "signer.h"

struct mode {
    const char *config, *origin;
    struct opt_strings purposes;
    struct import_options o;
};

static void check(const struct opt_program *p, struct mode *m)
{
    m->o.origin = STORE_UNKNOWN;
    for (int k = 0; m->origin && k < STORE_UNKNOWN; k++)
        if (!strcmp(m->origin, store_origin_name((enum store_origin)k)))
            m->o.origin = (enum store_origin)k;
    if (m->origin && m->o.origin == STORE_UNKNOWN)
        opt_wrong(p, "--origin %s: one of factory, issued, self-signed, imported", m->origin);
    if (m->o.name && !store_name_ok(m->o.name))
        opt_wrong(p, "--name %s: not 1 to %d letters, digits, dots, underscores, hyphens",
                  m->o.name, STORE_NAME);
    for (size_t i = 0; i < m->purposes.n; i++)
        if (!store_name_ok(m->purposes.v[i]))
            opt_wrong(p, "--purpose %s: not 1 to %d letters, digits, dots, underscores, hyphens",
                      m->purposes.v[i], STORE_NAME);
    if (m->purposes.n && !m->o.key)
        opt_wrong(p, "--purpose needs --key: nothing can use a certificate without its key");
    m->o.purposes = m->purposes.v;
    m->o.n_purposes = m->purposes.n;
    if (!m->o.cert)
        opt_want_stdin(p);
}

int main(int argc, char **argv)
{
    struct mode m = {.config = NULL};
    struct plan *plan = NULL;
    struct store *s = NULL;
    struct opt table[] = {
        {'c', "config", OPT_STRING, &m.config, "FILE", "the store and what belongs to it",
         "/etc/certline/store.yaml", 0, 0},
        {0, "cert", OPT_STRING, &m.o.cert, "FILE", "the certificate, then its issuers; else stdin",
         NULL, 0, 0},
        {0, "chain", OPT_STRING, &m.o.chain, "FILE", "its issuers", NULL, 0, 0},
        {0, "key", OPT_STRING, &m.o.key, "KEY", "its key: a PEM file, or a pkcs11: URI", NULL, 0,
         0},
        {0, "name", OPT_STRING, &m.o.name, "NAME", "what it is called in the store", NULL, 0, 0},
        {0, "purpose", OPT_STRINGS, &m.purposes, "NAME", "point this purpose to it", NULL, 0, 0},
        {0, "origin", OPT_STRING, &m.origin, "WORD", "factory, issued, self-signed or imported",
         NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {.name = "cert-import",
                            .synopsis = "[-v] [-c FILE] [--cert FILE] [--chain FILE] [--key KEY] "
                                        "[--name NAME] [--purpose NAME]... [--origin WORD]",
                            .purpose = "Puts a certificate and its key into the device store.",
                            .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    check(&p, &m);
    enum status st = plan_load(m.config, &plan);
    if (st == ST_OK)
        st = store_open(plan->store, STORE_MAKE, &s);
    if (st == ST_OK)
        st = import_run(plan, s, &m.o);
    store_close(s);
    plan_free(plan);
    signer_finish();
    return (int)st;
}
