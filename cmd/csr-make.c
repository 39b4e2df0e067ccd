/* csr-make: certification requests (PKCS #10) for a key, or for every row of a device list. */
#include <errno.h>
#include <string.h>

#include "diag.h"
#include "enroll.h"
#include "io.h"
#include "opt.h"
#include "progress.h"

struct mode {
    struct enroll_options e;
    const char *new_key;
    struct opt_strings sans;
    int progress;
};

static enum status make_key(const struct mode *o)
{
    if (enroll_key_file(o->e.key, o->new_key))
        return ST_OK;
    int there = errno == EEXIST;
    diag_warn("%s: %s", o->e.key, strerror(errno));
    if (there)
        diag_hint("leave --new-key out to use the key that is there");
    return there ? ST_USAGE : ST_TEMP;
}

static enum status one(const struct opt_program *p, const struct mode *o)
{
    char why[X509_WHY];
    struct signer *s = NULL;
    struct buf subject = {0}, extensions = {0}, out = {0};
    if (!x509_name_parse(o->e.subject ? o->e.subject : "", &subject, why))
        opt_wrong(p, "--subject: %s", why);
    if (!enroll_extensions(o->sans.v, o->sans.n, &extensions, why))
        opt_wrong(p, "--san: %s", why);
    struct enroll_form f = {buf_span(&subject), buf_span(&extensions), o->e.public_key};
    enum status st = o->new_key ? make_key(o) : ST_OK;
    if (st == ST_OK)
        st = signer_open(o->e.key, NULL, 0, &s);
    if (st == ST_OK)
        st = enroll_put(&f, s, &out);
    if (st == ST_OK)
        io_stdout(out.d, out.n);
    signer_close(s);
    buf_free(&subject);
    buf_free(&extensions);
    buf_free(&out);
    return st;
}

static void check_options(const struct opt_program *p, const struct mode *o)
{
    if (o->e.list && !o->e.keys == !o->e.key)
        opt_wrong(p, "--list needs --keys DIR or --key URI");
    if (o->e.list && o->e.key && (strncmp(o->e.key, "pkcs11:", 7) || !strchr(o->e.key, '{')))
        opt_wrong(p, "--key: with --list a pkcs11: URI with a {column} in it");
    if (o->e.list && o->new_key)
        opt_wrong(p, "--new-key is for one key; --list makes keys as --type says");
    if (!o->e.list && (o->e.keys || !o->e.key))
        opt_wrong(p, o->e.keys ? "--keys is for --list" : "neither --key nor --list");
    if (o->new_key && !strncmp(o->e.key, "pkcs11:", 7))
        opt_wrong(p, "--new-key makes files; hsm-keygen makes keys in a token");
    if (!csr_key_known(o->e.type))
        opt_wrong(p, "--type: not a type of key: \"%s\"", o->e.type);
    if (o->new_key && !csr_key_known(o->new_key))
        opt_wrong(p, "--new-key: not a type of key: \"%s\"", o->new_key);
    if (!o->e.list && !o->e.public_key && !o->e.subject && !o->sans.n)
        opt_wrong(p, "a request needs --subject or --san");
}

int main(int argc, char **argv)
{
    struct mode o = {0};
    struct opt table[] = {
        {'k', "key", OPT_STRING, &o.e.key, "KEY",
         "the key: a PEM file or a pkcs11: URI; with --list a URI with {column}", NULL, 0, 0},
        {'n', "new-key", OPT_STRING, &o.new_key, "TYPE",
         "make the file of --key first; it must not be there", NULL, 0, 0},
        {'s', "subject", OPT_STRING, &o.e.subject, "NAME",
         "as in serialNumber=4711,O=ABC,C=JP; with --list {column}", NULL, 0, 0},
        {'a', "san", OPT_STRINGS, &o.sans, "TYPE:NAME",
         "subjectAltName: dns:, ip:, email:, uri:, dn:, hardware-module-name:OID:", NULL, 0, 0},
        {'l', "list", OPT_STRING, &o.e.list, "CSV", "a request for every row of this device list",
         NULL, 0, 0},
        {'d', "keys", OPT_STRING, &o.e.keys, "DIR",
         "with --list: keys, one a device; made where missing", NULL, 0, 0},
        {'t', "type", OPT_STRING, &o.e.type, "TYPE",
         "of keys that are made: P-256, P-384, RSA-2048, RSA-3072, RSA-4096, Ed25519", "P-256", 0,
         0},
        {'P', "public-key", OPT_FLAG, &o.e.public_key, NULL,
         "print PUBLIC KEY and whose it is instead", NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.progress, NULL, "show how far it is on a terminal", NULL, 0,
         0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {
        .name = "csr-make",
        .synopsis = "--key KEY [--new-key TYPE] [--subject NAME] [--san TYPE:NAME]... | --list CSV "
                    "(--keys DIR | --key URI) [--subject NAME] [--san TYPE:NAME]...",
        .purpose = "Make certification requests, and keys where asked to.",
        .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    check_options(&p, &o);
    if (o.progress)
        progress_start("requests");
    o.e.names = o.sans.v;
    o.e.n_names = o.sans.n;
    enum status st = o.e.list ? enroll_list(&o.e) : one(&p, &o);
    progress_end();
    signer_finish();
    return (int)st;
}
