/* csr-make: certification requests (PKCS #10) for a key, or for every row of a device list. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "csr.h"
#include "csv.h"
#include "diag.h"
#include "io.h"
#include "opt.h"
#include "pem.h"
#include "progress.h"
#include "signer.h"
#include "x509.h"

#define CHUNK 2048 /* rows between two syncs of their key files: syncfs waits for all that is dirty */
#define PEM_KEY_MAX 8192
#define ID_MAX 128

static const char *key_name, *new_key, *subject, *list, *keys, *type;
static struct opt_strings sans;
static int public_key, progress;

static const struct opt options[] = {
    {'k', "key", OPT_STRING, &key_name, "KEY",
     "the key: a PEM file or a pkcs11: URI; with --list a URI with {column}", NULL, 0, 0},
    {'n', "new-key", OPT_STRING, &new_key, "TYPE",
     "make the file of --key first; it must not be there", NULL, 0, 0},
    {'s', "subject", OPT_STRING, &subject, "NAME",
     "as in serialNumber=4711,O=ABC,C=JP; with --list {column}", NULL, 0, 0},
    {'a', "san", OPT_STRINGS, &sans, "TYPE:NAME",
     "subjectAltName: dns:, ip:, email:, uri:, dn:, hardware-module-name:OID:", NULL, 0, 0},
    {'l', "list", OPT_STRING, &list, "CSV", "a request for every row of this device list", NULL, 0,
     0},
    {'d', "keys", OPT_STRING, &keys, "DIR", "with --list: keys, one a device; made where missing",
     NULL, 0, 0},
    {'t', "type", OPT_STRING, &type, "TYPE",
     "of keys that are made: P-256, P-384, RSA-2048, RSA-3072, RSA-4096, Ed25519", "P-256", 0, 0},
    {'P', "public-key", OPT_FLAG, &public_key, NULL, "print PUBLIC KEY and whose it is instead",
     NULL, 0, 0},
    {'p', "progress", OPT_FLAG, &progress, NULL, "show how far it is on a terminal", NULL, 0, 0},
    {0}};

static const struct opt_program program = {
    .name = "csr-make",
    .synopsis = "--key KEY [--new-key TYPE] [--subject NAME] [--san TYPE:NAME]... | --list CSV "
                "(--keys DIR | --key URI) [--subject NAME] [--san TYPE:NAME]...",
    .purpose = "Make certification requests, and keys where asked to.",
    .options = options};

/* What the next flush writes, and whether it must sync first. */
struct run {
    struct buf out;
    int rows, is_new, key_works;
    int id_column;
    struct buf der, subject, extensions;
    char *name_template;
};

/* subjectAltName alone, the only extension that a device can know better than a profile. */
static int make_extensions(const char *const *names, size_t n, struct buf *out, char why[X509_WHY])
{
    static const unsigned char oid[] = {6, 3, 0x55, 0x1d, 17};
    if (!n)
        return 1;
    for (size_t i = 0; i < n; i++)
        if (!x509_san_parse(names[i], out, why))
            return 0;
    struct buf value = {0};
    x509_wrap(out, 0, 0x30);
    x509_put(&value, 0x04, out->d, out->n);
    buf_reset(out);
    buf_put(out, oid, sizeof oid);
    buf_put(out, value.d, value.n);
    buf_free(&value);
    x509_wrap(out, 0, 0x30);
    x509_wrap(out, 0, 0x30);
    return 1;
}

/* "subject=NAME" and the key, for devices that make no request themselves. */
static void put_public_key(struct run *r, struct span spki)
{
    char *text = x509_name_text(buf_span(&r->subject));
    if (text && *text)
        buf_printf(&r->out, "subject=%s\n", text);
    pem_put(&r->out, "PUBLIC KEY", spki.p, spki.n);
    free(text);
}

static enum status put_signed(struct run *r, struct signer *s)
{
    struct span spki;
    spki.p = signer_spki(s, &spki.n);
    if (public_key) {
        put_public_key(r, spki);
        return ST_OK;
    }
    buf_reset(&r->der);
    enum status st = csr_make(s, buf_span(&r->subject), buf_span(&r->extensions), &r->der);
    if (st == ST_OK)
        pem_put(&r->out, "CERTIFICATE REQUEST", r->der.d, r->der.n);
    return st;
}

static enum status put_made(struct run *r, const struct csr_key *k)
{
    if (public_key) {
        put_public_key(r, buf_span(&k->spki));
        return ST_OK;
    }
    buf_reset(&r->der);
    if (!csr_make_with(k->key, buf_span(&k->spki), buf_span(&r->subject), buf_span(&r->extensions),
                       &r->der)) {
        diag_warn("a new key would not sign");
        return ST_TEMP;
    }
    pem_put(&r->out, "CERTIFICATE REQUEST", r->der.d, r->der.n);
    return ST_OK;
}

/* Writes a new key, whole or not at all, never over another. 0 with errno. */
static int write_key(const char *path, const struct csr_key *k, int flags)
{
    struct buf pem = {0};
    buf_room(&pem, PEM_KEY_MAX);
    pem_put(&pem, "PRIVATE KEY", k->pkcs8.d, k->pkcs8.n);
    int ok = io_write_file(path, pem.d, pem.n, 0600, IO_EXCL | flags);
    int saved = errno;
    buf_wipe(&pem);
    errno = saved;
    return ok;
}

static enum status make_key_file(const char *path)
{
    struct csr_key k;
    if (!csr_key_make(new_key, &k))
        opt_wrong(&program, "--new-key: not a type of key: \"%s\"", new_key);
    int ok = write_key(path, &k, IO_FSYNC);
    int saved = errno;
    csr_key_free(&k);
    if (ok)
        return ST_OK;
    diag_warn("%s: %s", path, strerror(saved));
    if (saved == EEXIST)
        diag_hint("leave --new-key out to use the key that is there");
    return saved == EEXIST ? ST_USAGE : ST_TEMP;
}

static enum status one(struct run *r)
{
    char why[X509_WHY];
    struct signer *s = NULL;
    enum status st = ST_OK;
    if (!x509_name_parse(subject ? subject : "", &r->subject, why))
        opt_wrong(&program, "--subject: %s", why);
    if (!make_extensions(sans.v, sans.n, &r->extensions, why))
        opt_wrong(&program, "--san: %s", why);
    if (new_key)
        st = make_key_file(key_name);
    if (st == ST_OK)
        st = signer_open(key_name, NULL, 0, &s);
    if (st == ST_OK)
        st = put_signed(r, s);
    if (st == ST_OK)
        io_stdout(r->out.d, r->out.n);
    signer_close(s);
    return st;
}

/* RFC 7512, 2.3: what is not unreserved is percent-encoded. */
static void quote_uri(struct buf *out, const char *field)
{
    static const char plain[] = "-._~";
    for (const unsigned char *p = (const unsigned char *)field; *p; p++)
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr(plain, *p))
            buf_char(out, *p);
        else
            buf_printf(out, "%%%02X", *p);
}

/* Subject and names of the row. A column that is missing is missing in every row: ST_USAGE. */
static enum status fill_row(struct run *r, const struct csv_row *row)
{
    char why[X509_WHY] = "";
    char *names[OPT_STRINGS_MAX] = {0};
    char *name = csv_expand(row, r->name_template, x509_name_quote);
    enum status st = name ? ST_OK : ST_USAGE;
    buf_reset(&r->subject);
    buf_reset(&r->extensions);
    for (size_t i = 0; st == ST_OK && i < sans.n; i++) {
        names[i] =
            csv_expand(row, sans.v[i], strncmp(sans.v[i], "dn:", 3) ? NULL : x509_name_quote);
        st = names[i] ? ST_OK : ST_USAGE;
    }
    if (st == ST_OK &&
        (!x509_name_parse(name, &r->subject, why) ||
         !make_extensions((const char *const *)names, sans.n, &r->extensions, why))) {
        diag_warn("%s:%lu: %s", list, row->line, why);
        st = ST_INPUT;
    }
    for (size_t i = 0; i < sans.n; i++)
        free(names[i]);
    free(name);
    return st;
}

/* One device without its key is that device's trouble; the first of all means that token, PIN or
 * URI are wrong. */
static enum status no_key(const struct run *r, const struct csv_row *row)
{
    diag_warn("%s:%lu: no request without its key", list, row->line);
    return r->key_works ? ST_REFUSED : ST_USAGE;
}

static enum status token_row(struct run *r, const struct csv_row *row)
{
    struct signer *s = NULL;
    char *uri = csv_expand(row, key_name, quote_uri);
    enum status st = uri ? signer_open(uri, NULL, 0, &s) : ST_USAGE;
    if (st == ST_OK)
        st = put_signed(r, s);
    else if (uri && st == ST_USAGE)
        st = no_key(r, row);
    r->key_works |= st == ST_OK;
    signer_close(s);
    free(uri);
    return st;
}

/* The key that is in place, else a new one. */
static enum status file_row(struct run *r, const struct csv_row *row, const char *path)
{
    struct csr_key k = {0};
    struct signer *s = NULL;
    enum status st;
    int is_there = access(path, F_OK) == 0;
    if (!is_there) {
        csr_key_make(type, &k);
        is_there = !write_key(path, &k, 0);
        if (is_there && errno != EEXIST)
            diag_err("%s", path);
    }
    if (is_there) {
        st = signer_open(path, NULL, 0, &s);
        if (st == ST_OK)
            st = put_signed(r, s);
        else if (st == ST_USAGE)
            st = no_key(r, row);
    } else {
        r->is_new = 1;
        st = put_made(r, &k);
    }
    r->key_works |= st == ST_OK;
    signer_close(s);
    csr_key_free(&k);
    return st;
}

static enum status do_row(struct run *r, const struct csv_row *row)
{
    const char *id = row->v[r->id_column];
    char *file = io_file_name(id);
    enum status st = fill_row(r, row);
    if (st == ST_OK && (!file || strlen(id) > ID_MAX)) {
        diag_warn("%s:%lu: \"%s\" is empty or longer than %d octets", list, row->line,
                  row->names[r->id_column], ID_MAX);
        st = ST_INPUT;
    }
    if (st == ST_OK && keys) {
        char *path = alloc_printf("%s/%s.pem", keys, file);
        st = file_row(r, row, path);
        free(path);
    } else if (st == ST_OK) {
        st = token_row(r, row);
    }
    free(file);
    return st;
}

/* Keys are on the disk before a request that needs them leaves. */
static void flush(struct run *r)
{
    if (r->is_new && !io_sync(keys))
        diag_err("%s", keys);
    io_stdout(r->out.d, r->out.n);
    progress_step(r->rows);
    buf_reset(&r->out);
    r->is_new = r->rows = 0;
}

static enum status all(struct run *r)
{
    enum status st = ST_OK, worst = ST_OK;
    struct csv_row row;
    struct csv *c = csv_open(list);
    if (!c)
        return ST_INPUT;
    r->id_column = csv_column(c, "serial") >= 0 ? csv_column(c, "serial") : 0;
    if (keys && mkdir(keys, 0700) && errno != EEXIST)
        diag_err("%s", keys);
    for (int got; !io_stopping() && (got = csv_next(c, &row));) {
        if (!r->name_template)
            r->name_template = subject ? alloc_str(subject)
                                       : alloc_printf("serialNumber={%s}", row.names[r->id_column]);
        st = got > 0 ? do_row(r, &row) : ST_INPUT;
        worst = status_worse(worst, st);
        if (++r->rows >= CHUNK)
            flush(r);
        if (st == ST_TEMP || st == ST_USAGE)
            break;
    }
    flush(r);
    if (io_stopping())
        worst = status_worse(worst, ST_TEMP);
    csv_close(c);
    return worst;
}

static void check_options(void)
{
    if (list && !keys == !key_name)
        opt_wrong(&program, "--list needs --keys DIR or --key URI");
    if (list && key_name && (strncmp(key_name, "pkcs11:", 7) || !strchr(key_name, '{')))
        opt_wrong(&program, "--key: with --list a pkcs11: URI with a {column} in it");
    if (list && new_key)
        opt_wrong(&program, "--new-key is for one key; --list makes keys as --type says");
    if (!list && (keys || !key_name))
        opt_wrong(&program, keys ? "--keys is for --list" : "neither --key nor --list");
    if (new_key && !strncmp(key_name, "pkcs11:", 7))
        opt_wrong(&program, "--new-key makes files; hsm-keygen makes keys in a token");
    if (!csr_key_known(type))
        opt_wrong(&program, "--type: not a type of key: \"%s\"", type);
    if (new_key && !csr_key_known(new_key))
        opt_wrong(&program, "--new-key: not a type of key: \"%s\"", new_key);
    if (!list && !public_key && !subject && !sans.n)
        opt_wrong(&program, "a request needs --subject or --san");
}

int main(int argc, char **argv)
{
    struct run r = {0};
    io_init();
    opt_parse(&program, argc, argv);
    check_options();
    if (progress)
        progress_start("requests");
    enum status st = list ? all(&r) : one(&r);
    progress_end();
    buf_free(&r.out);
    buf_free(&r.der);
    buf_free(&r.subject);
    buf_free(&r.extensions);
    free(r.name_template);
    signer_finish();
    return (int)st;
}
