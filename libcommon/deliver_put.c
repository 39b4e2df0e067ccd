/* Certificates into files and tokens. */
#include "deliver_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "alloc.h"
#include "csv.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"

#define CHAIN_MOST 4
#define FILE_MOST (1 << 20)

/* The certificates above `cert`, which lie in the answer, up to but not including a self-signed
 * one: what a TLS server sends (RFC 8446, 4.4.2). */
static void put_issuers(const struct deliver *d, struct span cert, struct buf *out)
{
    const struct cms_layer *leaf = &d->m.layer[d->m.n - 1];
    struct x509_cert c, above;
    for (int depth = 0; depth < CHAIN_MOST && cert.n; depth++) {
        if (!x509_cert_view(cert, &c) || buf_same(c.subject, c.issuer))
            return;
        pem_put(out, "CERTIFICATE", cert.p, cert.n);
        cert = (struct span){NULL, 0};
        for (size_t i = 0; !cert.n && i < leaf->n_certs; i++)
            if (x509_cert_view(leaf->certs[i], &above) && buf_same(above.subject, c.issuer))
                cert = leaf->certs[i];
    }
}

void deliver_pem(const struct deliver *d, const struct deliver_item *it, struct buf *out)
{
    pem_put(out, "CERTIFICATE", it->cert.p, it->cert.n);
    if (d->o->chain)
        put_issuers(d, it->issuer, out);
}

/* --- templates --- */

static const char *const names[] = {"device", "lot", "profile", "serial"};
#define NAMES (sizeof names / sizeof *names)

/* NULL after a warning. */
static char *expand(const struct deliver *d, const struct deliver_item *it, const char *text,
                    void (*quote)(struct buf *out, const char *value))
{
    struct buf serial = {0};
    x509_serial_text(it->serial, &serial);
    const char *values[NAMES] = {it->device, d->lot, d->profile, (char *)serial.d};
    struct csv_row row = {.n = NAMES, .names = names, .v = values};
    char *s = csv_expand(&row, text, quote);
    buf_free(&serial);
    return s;
}

static void quote_file(struct buf *out, const char *value)
{
    char *name = io_file_name(value);
    unsigned char hash[CMS_DIGEST];
    if (name)
        buf_str(out, name);
    else { /* empty, or longer than a file's name can be */
        cms_digest((struct span){(const unsigned char *)value, strlen(value)}, hash);
        buf_hex(out, hash, sizeof hash);
    }
    free(name);
}

/* pk11-pchar of RFC 7512, section 2.3; all else in percent form. */
static void quote_uri(struct buf *out, const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *value; value++)
        if (strchr(plain, *value))
            buf_char(out, *value);
        else
            buf_printf(out, "%%%02X", (unsigned char)*value);
}

static int template_ok(const char *option, const char *text)
{
    static const char *const samples[NAMES] = {"", "", "", ""};
    struct csv_row row = {.n = NAMES, .names = names, .v = (const char *const *)samples};
    char *s = csv_expand(&row, text, NULL);
    int ok = s != NULL;
    free(s);
    if (!ok)
        diag_hint("%s knows {device}, {lot}, {profile} and {serial}", option);
    return ok;
}

int deliver_options_ok(const struct deliver_options *o)
{
    if (o->token && !template_ok("--token", o->token))
        return 0;
    if (!o->out)
        return 1;
    if (!strchr(o->out, '{')) {
        struct stat st;
        return stat(o->out, &st) || S_ISDIR(st.st_mode) ||
               diag_warn("--out: %s is there and is no folder", o->out);
    }
    if (!strstr(o->out, "{device}") && !strstr(o->out, "{serial}"))
        return diag_warn("--out: without {device} or {serial} all certificates go to one file");
    return template_ok("--out", o->out);
}

/* --- files --- */

static void failed(struct deliver_item *it, const char *what, const char *why)
{
    diag_warn("%s: %s: %s", it->device, what, why);
    it->failed = 1;
}

/* The folders above `path`; certificates are no secret. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (!mkdir(path, 0755))
            chmod(path, 0755);
        *slash = '/';
    }
}

static void write_one(const struct deliver *d, struct deliver_item *it)
{
    struct buf pem = {0};
    deliver_pem(d, it, &pem);
    int ok = io_write_file(it->path, pem.d, pem.n, 0644, 0);
    if (!ok && errno == ENOENT) {
        make_folders(it->path);
        ok = io_write_file(it->path, pem.d, pem.n, 0644, 0);
    }
    if (!ok)
        failed(it, it->path, strerror(errno));
    buf_free(&pem);
}

static void read_one(const struct deliver *d, struct deliver_item *it)
{
    struct buf pem = {0}, back = {0};
    deliver_pem(d, it, &pem);
    if (!io_read_file(it->path, FILE_MOST, &back))
        it->failed = 1;
    else if (!buf_same(buf_span(&pem), buf_span(&back)))
        failed(it, it->path, "reads back otherwise than it was written");
    buf_free(&pem);
    buf_free(&back);
}

enum status deliver_files(struct deliver *d)
{
    const char *out = d->o->out, *some = NULL;
    char *text = strchr(out, '{') ? alloc_str(out) : alloc_printf("%s/{device}.pem", out);
    for (size_t i = 0; i < d->n; i++)
        if (deliver_due(&d->items[i])) {
            d->items[i].path = expand(d, &d->items[i], text, quote_file);
            write_one(d, &d->items[i]);
            some = d->items[i].failed ? some : d->items[i].path;
        }
    free(text);
    /* Once for all, not for each: the file system is the same. */
    if (some && !io_sync(some)) {
        diag_warn("%s: %s", some, strerror(errno));
        return ST_TEMP;
    }
    for (size_t i = 0; i < d->n; i++)
        if (deliver_due(&d->items[i]))
            read_one(d, &d->items[i]);
    return ST_OK;
}

/* --- tokens --- */

enum status deliver_tokens(struct deliver *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct deliver_item *it = &d->items[i];
        if (!deliver_due(it))
            continue;
        char *uri = expand(d, it, d->o->token, quote_uri);
        enum status st = p11key_put_certificate(uri, NULL, it->cert.p, it->cert.n);
        free(uri);
        if (st == ST_USAGE)
            return st;
        if (st != ST_OK)
            failed(it, "--token", "its certificate is not in the token");
    }
    return ST_OK;
}
