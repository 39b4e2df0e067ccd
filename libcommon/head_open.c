#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "der.h"
#include "head.h"
#include "head_asn1.h"

static int take_digest(const ASN1_OCTET_STRING *s, unsigned char out[CMS_DIGEST])
{
    if (ASN1_STRING_length(s) != CMS_DIGEST)
        return 0;
    memcpy(out, ASN1_STRING_get0_data(s), CMS_DIGEST);
    return 1;
}

static int take_number(const ASN1_INTEGER *n, int64_t least, int64_t *out)
{
    return ASN1_INTEGER_get_int64(out, n) && *out >= least;
}

static int take_time(const ASN1_GENERALIZEDTIME *t, int64_t *out)
{
    struct tm tm;
    int ok = ASN1_TIME_to_tm(t, &tm);
    *out = ok ? (int64_t)timegm(&tm) : 0;
    return ok;
}

static int take_links(const LedgerHead *from, struct head *h)
{
    int n = sk_LedgerLink_num(from->links);
    h->links = alloc_zero((size_t)n, sizeof *h->links);
    for (; h->n < (size_t)n; h->n++) {
        const LedgerLink *l = sk_LedgerLink_value(from->links, (int)h->n);
        struct ledger_link *to = &h->links[h->n];
        if (!take_number(l->writer, 1, &to->writer) || !take_number(l->n, 1, &to->n) ||
            !take_digest(l->hash, to->hash) || (h->n && to[-1].writer >= to->writer))
            return 0;
    }
    return n > 0;
}

static int take_fields(const LedgerHead *from, struct head *h)
{
    int64_t version;
    h->unit = alloc_copy(ASN1_STRING_get0_data(from->unit), (size_t)ASN1_STRING_length(from->unit));
    return take_number(from->version, 1, &version) && version == 1 &&
           take_digest(from->before, h->before) && take_number(from->since, 0, &h->since) &&
           take_number(from->entry, h->since + 1, &h->entry) && take_time(from->time, &h->time) &&
           take_links(from, h);
}

int head_take(struct span der, struct head *h)
{
    char why[DER_WHY];
    const unsigned char *p = der.p;
    LedgerHead *from = NULL;
    struct buf again = {0};
    if (der_check(der.p, der.n, NULL, 0, why))
        from = (LedgerHead *)ASN1_item_d2i(NULL, &p, (long)der.n, head_asn1());
    int ok = from && take_fields(from, h);
    if (ok) {
        head_put(h, &again);
        ok = buf_same(der, buf_span(&again));
    }
    buf_free(&again);
    ASN1_item_free((ASN1_VALUE *)from, head_asn1());
    return ok;
}

static int is_of(const struct head *h, const struct cms_layer *l, char why[CMS_WHY])
{
    if (strcmp(h->unit, l->signer->id)) {
        snprintf(why, CMS_WHY, "a head of %.100s, signed by %.100s", h->unit, l->signer->id);
        return 0;
    }
    if (h->time != l->signing_time) {
        snprintf(why, CMS_WHY, "not signed at the time that it names");
        return 0;
    }
    return 1;
}

struct head *head_open(struct span der, struct path *p, char why[CMS_WHY])
{
    struct cms *c = cms_parse(der, why);
    struct cms_layer l;
    struct head *h = alloc_zero(1, sizeof *h);
    int ok = 0;
    if (!c)
        goto out;
    if (cms_peek_type(c) != CMS_HEAD) {
        snprintf(why, CMS_WHY, "not a signed head of a ledger");
        goto out;
    }
    if (!cms_verify_unit(c, p, cms_peek_time(c), &l, why))
        goto out;
    if (!head_take(l.content, h)) {
        snprintf(why, CMS_WHY, "a malformed LedgerHead");
        goto out;
    }
    ok = is_of(h, &l, why);
    h->role = l.signer->role;
    memcpy(h->digest, l.digest, sizeof h->digest);
out:
    cms_free(c);
    if (ok)
        return h;
    head_free(h);
    return NULL;
}
