/* What is named: by an option, by the rows of a CSV, by certificates. */
#include "revoke_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "csv.h"
#include "diag.h"
#include "io.h"
#include "pem.h"

#define CERT_OCTETS 65536
#define WANT_MOST 2000000

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct revoke_wanted *)a)->text, ((const struct revoke_wanted *)b)->text);
}

static struct revoke_wanted *add(struct revoke_job *j, const char *text, unsigned long line)
{
    if (j->n_want == j->cap_want) {
        j->cap_want = j->cap_want ? j->cap_want * 2 : 16;
        j->want = alloc_grow(j->want, j->cap_want, sizeof *j->want);
    }
    struct revoke_wanted *w = &j->want[j->n_want++];
    *w = (struct revoke_wanted){.text = alloc_str(text), .line = line};
    return w;
}

static int want_serial(struct revoke_job *j, const char *text, unsigned long line)
{
    struct buf hex = {0};
    unsigned char octets[X509_SERIAL_MAX];
    size_t n = x509_serial_read(text, octets);
    x509_serial_text((struct span){octets, n}, &hex);
    if (n)
        add(j, (char *)hex.d, line);
    else if (line)
        diag_warn("%s:%lu: not a serial number in hexadecimal: \"%s\"", j->source, line, text);
    else
        diag_warn("--serial: not a serial number in hexadecimal: \"%s\"", text);
    buf_free(&hex);
    return n > 0;
}

static int want_row(struct revoke_job *j, const struct csv_row *row, int column)
{
    const char *field = row->v[column];
    if (!*field)
        return diag_warn("%s:%lu: the %s is empty", j->source, row->line, row->names[column]);
    if (j->n_want == WANT_MOST)
        return diag_warn("%s:%lu: more than %d rows", j->source, row->line, WANT_MOST);
    if (j->by == REVOKE_SERIAL)
        return want_serial(j, field, row->line);
    add(j, field, row->line);
    return 1;
}

static enum status want_csv(struct revoke_job *j)
{
    struct csv *c = csv_open(j->r->csv);
    struct csv_row row;
    int more = 0, ok = 0;
    if (!c)
        return ST_USAGE;
    int column = csv_column(c, "serial");
    j->by = column >= 0 ? REVOKE_SERIAL : REVOKE_DEVICE;
    if (column < 0)
        column = csv_column(c, "device");
    if (column < 0)
        diag_warn("%s: has neither a column \"serial\" nor a column \"device\"", j->source);
    else
        for (ok = 1; (more = csv_next(c, &row)) != 0;)
            ok = more == 1 && want_row(j, &row, column) && ok;
    if (ok && !j->n_want)
        ok = diag_warn("%s: has no rows", j->source);
    csv_close(c);
    return ok ? ST_OK : ST_USAGE;
}

static enum status want_block(struct revoke_job *j, const struct pem_block *b)
{
    struct x509_cert cert, ca;
    struct buf hex = {0};
    if (strcmp(b->label, "CERTIFICATE")) {
        diag_warn("%s:%lu: a block \"%s\" where CERTIFICATE is read", j->source, b->line, b->label);
        return ST_INPUT;
    }
    if (!x509_cert_view((struct span){b->der, b->n}, &cert)) {
        diag_warn("%s:%lu: the certificate is malformed", j->source, b->line);
        return ST_INPUT;
    }
    if (!x509_cert_view(j->u->issuer_chain[0], &ca) || !buf_same(ca.subject, cert.issuer)) {
        diag_warn("%s:%lu: not a certificate of this CA", j->source, b->line);
        return ST_REFUSED;
    }
    x509_serial_text(cert.serial, &hex);
    struct revoke_wanted *w = add(j, (char *)hex.d, b->line);
    w->keyed = 1;
    x509_key_hash(cert.spki, w->key);
    buf_free(&hex);
    return ST_OK;
}

static enum status want_blocks(struct revoke_job *j, struct pem *in)
{
    struct pem_block b;
    enum pem_result got;
    enum status st = ST_OK;
    while (st == ST_OK && (got = pem_next(in, &b, 1)) != PEM_END) {
        if (got == PEM_BLOCK) {
            st = want_block(j, &b);
        } else if (got == PEM_BAD) {
            diag_warn("%s:%lu: %s", j->source, b.line, b.why);
            st = ST_INPUT;
        } else {
            diag_warn("%s: %s", j->source, strerror(errno));
            st = ST_TEMP;
        }
    }
    if (st == ST_OK && !j->r->file)
        st = pem_ended(in);
    if (st == ST_OK && !j->n_want) {
        diag_warn("%s: no certificate in it", j->source);
        st = ST_INPUT;
    }
    return st;
}

static enum status want_certificates(struct revoke_job *j)
{
    int fd = j->r->file ? open(j->r->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0) {
        diag_warn("%s: %s", j->source, strerror(errno));
        return ST_USAGE;
    }
    struct pem *in = pem_open(fd, CERT_OCTETS, 0);
    enum status st = want_blocks(j, in);
    pem_close(in);
    if (j->r->file)
        close(fd);
    return st;
}

/* A name that stands there twice is wanted once. */
static void sort(struct revoke_job *j)
{
    size_t n = 0;
    qsort(j->want, j->n_want, sizeof *j->want, by_text);
    for (size_t i = 0; i < j->n_want; i++) {
        struct revoke_wanted *w = &j->want[i], *before = &j->want[n - (n > 0)];
        if (n && !strcmp(w->text, before->text) && !memcmp(w->key, before->key, sizeof w->key))
            free(w->text);
        else
            j->want[n++] = *w;
    }
    j->n_want = n;
}

enum status revoke_want(struct revoke_job *j)
{
    const struct revoke *r = j->r;
    const char *name = r->device ? r->device : r->lot ? r->lot : r->unit;
    enum status st = ST_OK;
    j->source = r->csv ? r->csv : r->file ? r->file : "stdin";
    j->by = r->device ? REVOKE_DEVICE : r->lot ? REVOKE_LOT : r->unit ? REVOKE_UNIT : REVOKE_SERIAL;
    if (r->csv)
        st = want_csv(j);
    else if (r->serial)
        st = want_serial(j, r->serial, 0) ? ST_OK : ST_USAGE;
    else if (name)
        add(j, name, 0);
    else
        st = want_certificates(j);
    if (st == ST_OK)
        sort(j);
    return st;
}

void revoke_want_free(struct revoke_job *j)
{
    for (size_t i = 0; i < j->n_want; i++) {
        free(j->want[i].text);
        free(j->want[i].owner);
    }
    free(j->want);
}
