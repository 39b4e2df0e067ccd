#include "crl.h"

#include <stdlib.h>
#include <string.h>

#include "diag.h"

#define CRL_SIGN 6 /* bit of keyUsage, section 4.2.1.3 */

static const char *const reasons[] = {
    "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
    "superseded",    "cessationOfOperation", "certificateHold", NULL,
    "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
#define REASONS (sizeof reasons / sizeof *reasons)

int crl_reason(const char *name)
{
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i] && !strcmp(reasons[i], name))
            return (int)i;
    return -1;
}

const char *crl_reason_name(int64_t reason)
{
    return reason >= 0 && reason < (int64_t)REASONS ? reasons[reason] : NULL;
}

/* Positive numbers in their shortest form: the longer one is the larger. */
static int by_serial(const void *a, const void *b)
{
    const struct crl_entry *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? -1 : 1) : memcmp(x->serial, y->serial, x->n);
}

/* Makes one of two revocations of a certificate. */
static void merge(struct crl_entry *to, const struct crl_entry *e)
{
    int compromised = to->reason == CRL_KEY_COMPROMISE || e->reason == CRL_KEY_COMPROMISE;
    if (e->time < to->time)
        *to = *e;
    if (compromised)
        to->reason = CRL_KEY_COMPROMISE;
}

size_t crl_sort(struct crl_entry *v, size_t n)
{
    size_t kept = 0;
    if (n)
        qsort(v, n, sizeof *v, by_serial);
    for (size_t i = 0; i < n; i++)
        if (kept && !by_serial(&v[kept - 1], &v[i]))
            merge(&v[kept - 1], &v[i]);
        else
            v[kept++] = v[i];
    return kept;
}

struct crl_entry *crl_find(struct crl_entry *v, size_t n, struct span serial)
{
    struct crl_entry key = {.n = (unsigned char)serial.n};
    if (!n || !serial.n || serial.n > X509_SERIAL_MAX)
        return NULL;
    memcpy(key.serial, serial.p, serial.n);
    return bsearch(&key, v, n, sizeof *v, by_serial);
}

int crl_may_sign(const struct x509_cert *ca)
{
    struct x509_ext usage;
    struct span bits;
    return x509_ext_get(ca->extensions, "2.5.29.15", &usage) == 1 &&
           x509_take(&usage.value, 0x03, NULL, &bits) && bits.n >= 2 &&
           bits.p[1] & 0x80 >> CRL_SIGN;
}

static int put_entry(struct buf *out, const struct crl_entry *e)
{
    size_t from = out->n;
    x509_put(out, 0x02, e->serial, e->n);
    if (!x509_put_time(out, e->time))
        return 0;
    if (e->reason != CRL_UNSPECIFIED) { /* section 5.3.1: unspecified is said by saying nothing */
        const unsigned char extensions[] = {0x30, 12,   0x30, 10, 0x06, 3, 0x55,
                                            0x1d, 0x15, 0x04, 3,  0x0a, 1, e->reason};
        buf_put(out, extensions, sizeof extensions);
    }
    x509_wrap(out, from, 0x30);
    return 1;
}

/* Makes an extension of what stands from `from` on. */
static void end_extension(struct buf *out, size_t from, const char *oid)
{
    struct buf value = {0};
    x509_wrap(out, from, 0x04);
    buf_put(&value, out->d + from, out->n - from);
    out->n = from;
    x509_put_oid(out, oid);
    buf_put(out, value.d, value.n);
    x509_wrap(out, from, 0x30);
    buf_free(&value);
}

/* Section 5.2.1: the identifier that the CA's certificate has for its key. */
static void put_key_id(struct buf *out, const struct x509_cert *ca)
{
    struct x509_ext ski;
    struct span id;
    unsigned char hash[20];
    size_t from = out->n;
    if (x509_ext_get(ca->extensions, "2.5.29.14", &ski) != 1 ||
        !x509_take(&ski.value, 0x04, NULL, &id)) {
        x509_key_id(ca->spki, hash);
        id = (struct span){hash, sizeof hash};
    }
    x509_put(out, 0x80, id.p, id.n);
    x509_wrap(out, from, 0x30);
    end_extension(out, from, "2.5.29.35");
}

static void put_number(struct buf *out, int64_t number)
{
    unsigned char octets[9] = {0};
    size_t from = out->n, skip = 0;
    for (int i = 8; i > 0; i--, number >>= 8)
        octets[i] = (unsigned char)number;
    while (skip < 8 && !octets[skip] && !(octets[skip + 1] & 0x80))
        skip++;
    x509_put(out, 0x02, octets + skip, sizeof octets - skip);
    end_extension(out, from, "2.5.29.20");
}

static int put_tbs(const struct crl *c, const struct x509_cert *ca, struct span alg,
                   struct buf *out)
{
    static const unsigned char v2[] = {0x02, 1, 1};
    size_t start = out->n, from;
    buf_put(out, v2, sizeof v2);
    buf_put(out, alg.p, alg.n);
    buf_put(out, ca->subject.p, ca->subject.n);
    if (!x509_put_time(out, c->this_update) || !x509_put_time(out, c->next_update))
        return diag_warn("the CRL would end after the year 9999");
    from = out->n;
    for (size_t i = 0; i < c->n; i++)
        if (!put_entry(out, &c->entries[i]))
            return diag_warn("a revocation is recorded with a time that X.509 cannot say");
    if (c->n) /* section 5.1.2.6: absent, not empty */
        x509_wrap(out, from, 0x30);
    from = out->n;
    put_key_id(out, ca);
    put_number(out, c->number);
    x509_wrap(out, from, 0x30);
    x509_wrap(out, from, 0xa0);
    x509_wrap(out, start, 0x30);
    return 1;
}

enum status crl_make(const struct crl *c, const struct x509_cert *ca, struct signer *s,
                     struct buf *der)
{
    struct buf alg = {0}, sig = {0};
    size_t start = der->n;
    enum status st = ST_USAGE;
    signer_algorithm(s, 0, &alg);
    if (!put_tbs(c, ca, buf_span(&alg), der))
        goto out;
    st = signer_sign(s, der->d + start, der->n - start, &sig);
    if (st == ST_OK)
        x509_seal(der, start, buf_span(&alg), buf_span(&sig));
out:
    if (st != ST_OK)
        der->n = start;
    buf_free(&alg);
    buf_free(&sig);
    return st;
}
