/* The manifest of an export: what blocks are in it, in which order. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "audit_asn1.h"
#include "audit_priv.h"
#include "der.h"

static _Noreturn void failed(void)
{
    diag_exit(ST_TEMP, "Evidence: %s", diag_openssl());
}

void audit_manifest_put(const struct audit_manifest *m, struct buf *out)
{
    Evidence *to = (Evidence *)ASN1_item_new(audit_asn1());
    unsigned char *der = NULL;
    if (!to || !ASN1_INTEGER_set_int64(to->version, 1) || !ASN1_STRING_set(to->unit, m->unit, -1) ||
        !ASN1_STRING_set(to->owner, m->owner, -1) || !ASN1_STRING_set(to->lot, m->lot, -1) ||
        !ASN1_GENERALIZEDTIME_set(to->time, (time_t)m->time) ||
        !ASN1_INTEGER_set_int64(to->part, m->part) ||
        !ASN1_OCTET_STRING_set(to->before, m->before, CMS_DIGEST))
        failed();
    to->last = m->last ? 0xff : 0;
    for (size_t i = 0; i < m->n; i++) {
        ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
        if (!s || !ASN1_OCTET_STRING_set(s, m->blocks[i], CMS_DIGEST) ||
            !sk_ASN1_OCTET_STRING_push(to->blocks, s))
            failed();
    }
    int n = ASN1_item_i2d((ASN1_VALUE *)to, &der, audit_asn1());
    if (n <= 0)
        failed();
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    ASN1_item_free((ASN1_VALUE *)to, audit_asn1());
}

static char *take_text(const ASN1_UTF8STRING *s)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);
    size_t n = (size_t)ASN1_STRING_length(s);
    return x509_text_ok(p, n) ? alloc_copy(p, n) : NULL;
}

static int take_digest(const ASN1_OCTET_STRING *s, unsigned char out[CMS_DIGEST])
{
    if (ASN1_STRING_length(s) != CMS_DIGEST)
        return 0;
    memcpy(out, ASN1_STRING_get0_data(s), CMS_DIGEST);
    return 1;
}

static int take_blocks(const Evidence *from, struct audit_manifest *m)
{
    int n = sk_ASN1_OCTET_STRING_num(from->blocks);
    if (n > AUDIT_BLOCKS)
        return 0;
    m->blocks = alloc_zero((size_t)n, sizeof *m->blocks);
    for (; m->n < (size_t)n; m->n++)
        if (!take_digest(sk_ASN1_OCTET_STRING_value(from->blocks, (int)m->n), m->blocks[m->n]))
            return 0;
    return 1;
}

static int take_fields(const Evidence *from, struct audit_manifest *m)
{
    struct tm tm;
    int64_t version;
    int ok = ASN1_INTEGER_get_int64(&version, from->version) && version == 1 &&
             (m->unit = take_text(from->unit)) && (m->owner = take_text(from->owner)) &&
             (m->lot = take_text(from->lot)) && ASN1_TIME_to_tm(from->time, &tm) &&
             ASN1_INTEGER_get_int64(&m->part, from->part) && m->part > 0 &&
             take_digest(from->before, m->before) && take_blocks(from, m);
    m->time = ok ? (int64_t)timegm(&tm) : 0;
    m->last = from->last != 0;
    return ok;
}

int audit_manifest_take(struct span content, struct audit_manifest *m)
{
    char why[DER_WHY];
    const unsigned char *p = content.p;
    Evidence *from = NULL;
    struct buf again = {0};
    memset(m, 0, sizeof *m);
    if (der_check(content.p, content.n, NULL, 0, why))
        from = (Evidence *)ASN1_item_d2i(NULL, &p, (long)content.n, audit_asn1());
    int ok = from && take_fields(from, m);
    if (ok) {
        audit_manifest_put(m, &again);
        ok = buf_same(content, buf_span(&again));
    }
    buf_free(&again);
    ASN1_item_free((ASN1_VALUE *)from, audit_asn1());
    return ok;
}

void audit_manifest_free(struct audit_manifest *m)
{
    free(m->unit);
    free(m->owner);
    free(m->lot);
    free(m->blocks);
    memset(m, 0, sizeof *m);
}
