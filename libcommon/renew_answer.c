#include "renew_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "pem.h"

#define AHEAD 300 /* seconds that the clock of a CA may be ahead */

struct answer {
    struct buf der[RENEW_CHAIN];
    size_t n, leaf;
};

static int wrong(const struct renew_job *j, const char *why)
{
    return diag_warn("%s: the answer: %s", j->p->name, why);
}

static int read_blocks(const struct renew_job *j, struct span printed, struct answer *a)
{
    struct pem_block b;
    enum pem_result r;
    int ok = 1, fd = memfd_create("answer", MFD_CLOEXEC);
    if (fd < 0 || !io_write(fd, printed.p, printed.n) || lseek(fd, 0, SEEK_SET))
        diag_err("an answer of %zu octets", printed.n);
    struct pem *in = pem_open(fd, STORE_FILE, 0);
    while (ok && (r = pem_next(in, &b, 1)) != PEM_END) {
        if (r != PEM_BLOCK)
            ok = wrong(j, r == PEM_BAD ? b.why : "cannot be read");
        else if (strcmp(b.label, "CERTIFICATE"))
            ok = wrong(j, "holds something that is not a CERTIFICATE");
        else if (a->n == RENEW_CHAIN)
            ok = wrong(j, "holds more than 10 certificates");
        else
            buf_put(&a->der[a->n++], b.der, b.n);
    }
    pem_close(in);
    close(fd);
    return ok && (a->n || wrong(j, "holds no certificate"));
}

static int find_leaf(const struct renew_job *j, const struct csr *csr, struct answer *a,
                     struct x509_cert *leaf)
{
    struct x509_cert c;
    size_t found = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (!x509_cert_view(buf_span(&a->der[i]), &c))
            return wrong(j, "a certificate that is malformed");
        if (!buf_same(c.spki, csr->spki))
            continue;
        found++;
        a->leaf = i;
        *leaf = c;
    }
    if (found > 1)
        return wrong(j, "two certificates for the key");
    return found || wrong(j, "no certificate for the key that was sent");
}

/* Compared as text: a CA may choose other string types, and nothing else. */
static int same_names(const struct renew_job *j, const struct csr *csr, const struct x509_cert *c)
{
    struct x509_ext asked, got;
    char *want = x509_name_text(csr->subject), *is = x509_name_text(c->subject);
    int ok = want && is && !strcmp(want, is);
    if (!ok)
        diag_warn("%s: the answer: its subject is \"%s\", \"%s\" was asked for", j->p->name,
                  is ? is : "", want ? want : "");
    free(want);
    free(is);
    if (!ok || x509_ext_get(csr->extensions, "2.5.29.17", &asked) != 1)
        return ok;
    if (x509_ext_get(c->extensions, "2.5.29.17", &got) != 1)
        return wrong(j, "it lacks the subject alternative names that were asked for");
    struct span names, name, others, other;
    for (x509_take(&asked.value, 0x30, NULL, &names); names.n;) {
        char why[X509_WHY];
        struct x509_ext copy = got;
        int there = 0;
        if (!x509_san_take(&names, &name, why))
            return wrong(j, why);
        if (x509_take(&copy.value, 0x30, NULL, &others))
            while (!there && others.n && x509_san_take(&others, &other, why))
                there = buf_same(name, other);
        if (!there)
            return wrong(j, "it lacks a subject alternative name that was asked for");
    }
    return 1;
}

static int validity(const struct renew *r, const struct renew_job *j, const struct x509_cert *c)
{
    char t[CLOCK_TEXT];
    if (c->not_before > r->o->now + AHEAD) {
        clock_format(c->not_before, t);
        return diag_warn("%s: the answer: not valid before %s", j->p->name, t);
    }
    if (c->not_after <= r->o->now) {
        clock_format(c->not_after, t);
        return diag_warn("%s: the answer: expired %s", j->p->name, t);
    }
    if (!*j->present)
        return 1;
    if (buf_same(c->der, j->item.cert.der))
        return wrong(j, "the certificate that is in use already");
    /* An older one of the same key, or a CA that answers with what it had: nothing would be gained.
     */
    if (c->not_after < j->item.cert.not_after && c->not_before <= j->item.cert.not_before) {
        clock_format(c->not_after, t);
        return diag_warn("%s: the answer: an older certificate, which ends %s", j->p->name, t);
    }
    return 1;
}

static X509 *decode(const struct buf *der)
{
    const unsigned char *p = der->d;
    return d2i_X509(NULL, &p, (long)der->n);
}

int renew_trust(struct renew *r)
{
    const struct plan *p = r->plan;
    r->trust = X509_STORE_new();
    if (!r->trust)
        diag_exit(ST_TEMP, "the trust: %s", diag_openssl());
    if (!X509_STORE_load_file(r->trust, p->trust))
        return diag_warn("%s: no certificates can be read: %s", p->trust, diag_openssl());
    for (size_t i = 0; i < p->crls.n; i++)
        if (!X509_STORE_load_file(r->trust, p->crls.v[i]))
            return diag_warn("%s: no CRL can be read: %s", p->crls.v[i], diag_openssl());
    return 1;
}

/* Up to a root of the trust, RFC 5280 section 6, with whatever else came as intermediates. */
static int trusted(const struct renew *r, const struct renew_job *j, const struct answer *a)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *leaf = decode(&a->der[a->leaf]);
    int ok = ctx && others && leaf;
    for (size_t i = 0; ok && i < a->n; i++) {
        X509 *x = i == a->leaf ? NULL : decode(&a->der[i]);
        ok = i == a->leaf || (x && sk_X509_push(others, x));
    }
    ok = ok && X509_STORE_CTX_init(ctx, r->trust, leaf, others);
    if (ok) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)r->o->now);
        if (r->plan->crls.n)
            X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        ok = X509_verify_cert(ctx) == 1 ||
             wrong(j, X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    } else {
        wrong(j, diag_openssl());
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(others, X509_free);
    X509_free(leaf);
    ERR_clear_error();
    return ok;
}

static void keep(const struct answer *a, struct renew_answer *out)
{
    buf_put(&out->cert, a->der[a->leaf].d, a->der[a->leaf].n);
    for (size_t i = 0; i < a->n; i++) {
        struct x509_cert c;
        /* A root is not sent along: who trusts it has it. */
        if (i == a->leaf || !x509_cert_view(buf_span(&a->der[i]), &c) ||
            buf_same(c.issuer, c.subject))
            continue;
        pem_put(&out->chain, "CERTIFICATE", a->der[i].d, a->der[i].n);
    }
}

enum status renew_check(struct renew *r, const struct renew_job *j, const struct store_enrolment *e,
                        struct span printed, struct renew_answer *out)
{
    struct answer a = {.n = 0};
    struct csr csr;
    struct x509_cert leaf = {.not_after = 0};
    char why[X509_WHY];
    int ok = csr_view(buf_span(&e->request), &csr, why) || wrong(j, why);
    ok = ok && read_blocks(j, printed, &a) && find_leaf(j, &csr, &a, &leaf) &&
         same_names(j, &csr, &leaf) && validity(r, j, &leaf) && trusted(r, j, &a);
    if (ok)
        keep(&a, out);
    for (size_t i = 0; i < a.n; i++)
        buf_free(&a.der[i]);
    return ok ? ST_OK : ST_REFUSED;
}

void renew_answer_free(struct renew_answer *a)
{
    buf_free(&a->cert);
    buf_free(&a->chain);
}
