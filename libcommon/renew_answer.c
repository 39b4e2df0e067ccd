#include "renew_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "pem.h"

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
    struct pem *in = pem_open(fd, STORE_FILE, PEM_FILE);
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
    struct span names = {NULL, 0}, name, others, other;
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

/* Asked for in the plan: what serves TLS with a certificate for clients serves nobody. A
 * certificate without the extension is good for every purpose. */
static int same_usages(const struct renew_job *j, const struct csr *csr, const struct x509_cert *c)
{
    struct x509_ext asked, got;
    struct span want = {NULL, 0}, has, one, other;
    if (!j->p->usages.n || x509_ext_get(csr->extensions, "2.5.29.37", &asked) != 1 ||
        x509_ext_get(c->extensions, "2.5.29.37", &got) != 1)
        return 1;
    for (x509_take(&asked.value, 0x30, NULL, &want); want.n;) {
        struct x509_ext copy = got;
        int there = 0;
        if (!x509_take(&want, 0x06, &one, NULL) || !x509_take(&copy.value, 0x30, NULL, &has))
            break;
        while (!there && has.n && x509_take(&has, 0x06, &other, NULL))
            there = buf_same(one, other);
        if (!there)
            return wrong(j, "it lacks an extended key usage that was asked for");
    }
    return 1;
}

/* The same CA, asked for the same key, may give what it gave before. */
static int is_new(const struct renew *r, const struct renew_job *j, const struct x509_cert *c)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    if (!*j->present)
        return 1;
    if (buf_same(c->der, j->item.cert.der))
        return wrong(j, "the certificate that is in use already");
    SHA256(c->der.p, c->der.n, hash);
    for (size_t i = 0; i < r->was.n; i++)
        if (!memcmp(r->was.certs[i].id, hash, STORE_ID))
            return diag_warn("%s: the answer: %s, which is in the store already", j->p->name,
                             r->was.certs[i].name);
    if (c->not_after < j->item.cert.not_after && c->not_before <= j->item.cert.not_before) {
        char t[CLOCK_TEXT];
        clock_format(c->not_after, t);
        return diag_warn("%s: the answer: an older certificate, which ends %s", j->p->name, t);
    }
    return 1;
}

static int valid_now(const struct renew_job *j, const struct x509_cert *c, int64_t now)
{
    char t[CLOCK_TEXT];
    if (c->not_before > now + STORE_AHEAD) {
        clock_format(c->not_before, t);
        return diag_warn("%s: the answer: not valid before %s", j->p->name, t);
    }
    if (c->not_after <= now) {
        clock_format(c->not_after, t);
        return diag_warn("%s: the answer: expired %s", j->p->name, t);
    }
    return 1;
}

/* Sooner than the one in use: no cure where its end is why a new one is asked for. */
static int lasts(const struct renew *r, const struct renew_job *j, const struct x509_cert *c)
{
    char t[CLOCK_TEXT];
    int by_end = j->p->renew.kind == SCHEDULE_BEFORE || j->p->renew.kind == SCHEDULE_FRACTION;
    if (!*j->present || !by_end || renew_forced(r, j) || c->not_after >= j->item.cert.not_after)
        return 1;
    clock_format(c->not_after, t);
    diag_warn("%s: the answer: it ends %s, sooner than %s, which is in use", j->p->name, t,
              j->present);
    diag_hint("--force %s takes it all the same", j->p->name);
    return 0;
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

/* The path that was found, in its order, without the root, which who trusts it has: nothing else
 * that came along is kept. */
static void keep_path(X509_STORE_CTX *ctx, struct buf *chain)
{
    STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
    for (int i = 1; i + 1 < sk_X509_num(path); i++) {
        unsigned char *der = NULL;
        int n = i2d_X509(sk_X509_value(path, i), &der);
        if (n < 0)
            diag_exit(ST_TEMP, "a certificate: %s", diag_openssl());
        pem_put(chain, "CERTIFICATE", der, (size_t)n);
        OPENSSL_free(der);
    }
}

/* Up to a root of the trust, RFC 5280 section 6, with whatever else came as intermediates. */
static int trusted(const struct renew *r, const struct renew_job *j, const struct answer *a,
                   int64_t when, struct buf *chain)
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
        X509_VERIFY_PARAM_set_time(param, (time_t)when);
        if (r->plan->crls.n)
            X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        ok = X509_verify_cert(ctx) == 1 ||
             wrong(j, X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        if (ok)
            keep_path(ctx, chain);
    } else {
        wrong(j, diag_openssl());
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(others, X509_free);
    X509_free(leaf);
    ERR_clear_error();
    return ok;
}

enum status renew_check(struct renew *r, const struct renew_job *j, const struct store_enrolment *e,
                        struct span printed, struct renew_answer *out)
{
    struct answer a = {.n = 0};
    struct csr csr;
    struct x509_cert leaf = {.not_after = 0};
    char why[X509_WHY];
    int64_t now = clock_now(); /* the command took its time */
    int ok = csr_view(buf_span(&e->request), &csr, why) || wrong(j, why);
    ok = ok && read_blocks(j, printed, &a) && find_leaf(j, &csr, &a, &leaf) &&
         is_new(r, j, &leaf) && same_names(j, &csr, &leaf) && same_usages(j, &csr, &leaf) &&
         valid_now(j, &leaf, now) && lasts(r, j, &leaf) &&
         trusted(r, j, &a, now > leaf.not_before ? now : leaf.not_before, &out->chain);
    if (ok)
        buf_put(&out->cert, leaf.der.p, leaf.der.n);
    for (size_t i = 0; i < a.n; i++)
        buf_wipe(&a.der[i]);
    return ok ? ST_OK : ST_REFUSED;
}

void renew_answer_free(struct renew_answer *a)
{
    buf_free(&a->cert);
    buf_free(&a->chain);
}
