/* A device list, row by row. */
#include "enroll_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "csv.h"
#include "diag.h"
#include "io.h"
#include "progress.h"

#define CHUNK                                                                                      \
    2048 /* rows between two syncs of their key files: syncfs waits for all that is dirty */
#define ID_MAX 128

struct run {
    const struct enroll_options *o;
    struct csv_row row;
    int id_column, key_works; /* some device had its key */
    char *subject;            /* template */
    struct buf name, extensions;
    struct buf out; /* what the next flush writes, */
    int rows;       /* for so many rows, */
    int is_new;     /* and it must sync first */
};

static struct enroll_form form_of(const struct run *r)
{
    return (struct enroll_form){buf_span(&r->name), buf_span(&r->extensions), r->o->public_key};
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

/* Only in a dn: is the value a part of something that has a grammar of its own. */
static char *expand_san(const struct csv_row *row, const char *name)
{
    return csv_expand(row, name, strncmp(name, "dn:", 3) ? NULL : x509_name_quote);
}

/* Subject and names of the row. A column that is missing is missing in every row: ST_USAGE. */
static enum status fill_row(struct run *r)
{
    const struct enroll_options *o = r->o;
    char why[X509_WHY] = "";
    char **names = alloc_zero(o->n_names, sizeof *names);
    char *name = csv_expand(&r->row, r->subject, x509_name_quote);
    enum status st = name ? ST_OK : ST_USAGE;
    buf_reset(&r->name);
    buf_reset(&r->extensions);
    for (size_t i = 0; st == ST_OK && i < o->n_names; i++) {
        names[i] = expand_san(&r->row, o->names[i]);
        st = names[i] ? ST_OK : ST_USAGE;
    }
    if (st == ST_OK &&
        (!x509_name_parse(name, &r->name, why) ||
         !enroll_extensions((const char *const *)names, o->n_names, &r->extensions, why))) {
        diag_warn("%s:%lu: %s", o->list, r->row.line, why);
        st = ST_INPUT;
    }
    for (size_t i = 0; i < o->n_names; i++)
        free(names[i]);
    free(names);
    free(name);
    return st;
}

/* One device without its key is that device's trouble; the first of all means that token, PIN or
 * URI are wrong. */
static enum status no_key(const struct run *r)
{
    diag_warn("%s:%lu: no request without its key", r->o->list, r->row.line);
    return r->key_works ? ST_REFUSED : ST_USAGE;
}

/* The key is in a token or in a file that was there before. */
static enum status put_signed(struct run *r, const char *where)
{
    struct signer *s = NULL;
    struct enroll_form f = form_of(r);
    enum status st = signer_open(where, NULL, 0, &s);
    if (st == ST_USAGE) {
        st = no_key(r);
    } else if (st == ST_OK) {
        st = enroll_put(&f, s, &r->out);
        if (st == ST_REFUSED)
            diag_warn("%s:%lu: no request for a weak key", r->o->list, r->row.line);
    }
    signer_close(s);
    return st;
}

static enum status token_row(struct run *r)
{
    char *uri = csv_expand(&r->row, r->o->key, quote_uri);
    enum status st = uri ? put_signed(r, uri) : ST_USAGE;
    free(uri);
    return st;
}

/* Nothing is synced yet: flush does it for many. */
static enum status new_key(struct run *r, const char *path)
{
    struct csr_key k;
    struct enroll_form f = form_of(r);
    enum status st;
    csr_key_make(r->o->type, &k);
    if (enroll_write_key(path, &k, 0)) {
        r->is_new = 1;
        st = enroll_put_made(&f, &k, &r->out);
    } else if (errno == EEXIST) { /* another process was faster */
        st = put_signed(r, path);
    } else {
        diag_err("%s", path);
    }
    csr_key_free(&k);
    return st;
}

static enum status file_row(struct run *r, const char *file)
{
    char *path = alloc_printf("%s/%s.pem", r->o->keys, file);
    enum status st = access(path, F_OK) == 0 ? put_signed(r, path) : new_key(r, path);
    free(path);
    return st;
}

static enum status do_row(struct run *r)
{
    const char *id = r->row.v[r->id_column];
    char *file = io_file_name(id);
    if (!r->subject)
        r->subject = r->o->subject ? alloc_str(r->o->subject)
                                   : alloc_printf("serialNumber={%s}", r->row.names[r->id_column]);
    enum status st = fill_row(r);
    if (st == ST_OK && (!file || strlen(id) > ID_MAX)) {
        diag_warn("%s:%lu: \"%s\" is empty or longer than %d octets", r->o->list, r->row.line,
                  r->row.names[r->id_column], ID_MAX);
        st = ST_INPUT;
    }
    if (st == ST_OK) {
        st = r->o->keys ? file_row(r, file) : token_row(r);
        r->key_works |= st == ST_OK;
    }
    free(file);
    return st;
}

/* Keys are on the disk before a request that needs them leaves. */
static void flush(struct run *r)
{
    if (r->is_new && !io_sync(r->o->keys))
        diag_err("%s", r->o->keys);
    io_stdout(r->out.d, r->out.n);
    progress_step(r->rows);
    buf_reset(&r->out);
    r->is_new = r->rows = 0;
}

enum status enroll_list(const struct enroll_options *o)
{
    struct run r = {.o = o};
    enum status st = ST_OK, worst = ST_OK;
    assert(!o->keys || csr_key_known(o->type));
    struct csv *c = csv_open(o->list);
    if (!c)
        return ST_INPUT;
    r.id_column = csv_column(c, "serial") >= 0 ? csv_column(c, "serial") : 0;
    if (o->keys && mkdir(o->keys, 0700) && errno != EEXIST)
        diag_err("%s", o->keys);
    for (int got; !io_stopping() && (got = csv_next(c, &r.row));) {
        st = got > 0 ? do_row(&r) : ST_INPUT;
        worst = status_worse(worst, st);
        if (++r.rows >= CHUNK)
            flush(&r);
        if (st == ST_TEMP || st == ST_USAGE)
            break;
    }
    flush(&r);
    if (io_stopping())
        worst = status_worse(worst, ST_TEMP);
    csv_close(c);
    free(r.subject);
    buf_free(&r.name);
    buf_free(&r.extensions);
    buf_free(&r.out);
    return worst;
}
