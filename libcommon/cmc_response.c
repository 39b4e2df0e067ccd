/* PKIResponse (RFC 5272, section 3.2.2): ca-sign's answer, and the wraps around it (RFC 6402,
 * section 2.6). */
#include "cmc_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static int get_nonce(const TaggedAttribute *a, struct span *out, char why[CMC_WHY])
{
    *out = cmc_value(a, V_ASN1_OCTET_STRING);
    return cmc_nonce_ok(*out) ||
           cmc_bad(why, "a nonce is not %d to %d octets", CMC_NONCE, CMC_NONCE_MAX);
}

static int get_status(struct cmc_leaf *f, const TaggedAttribute *a, char why[CMC_WHY])
{
    f->status = alloc_grow(f->status, f->n_status + 1, sizeof *f->status);
    struct cmc_verdict *v = &f->status[f->n_status++];
    memset(v, 0, sizeof *v);
    return cmc_get_status(cmc_value(a, V_ASN1_SEQUENCE), 0, v, why);
}

static int get_controls(struct cmc_leaf *f, const PKIResponse *d, char why[CMC_WHY])
{
    const unsigned want = CTL_BIT(CTL_TRANSACTION_ID) | CTL_BIT(CTL_SENDER_NONCE) |
                          CTL_BIT(CTL_RECIPIENT_NONCE) | CTL_BIT(CTL_RESPONSE_INFO) |
                          CTL_BIT(CTL_STATUS_INFO_V2);
    unsigned seen = 0;
    for (int i = 0; i < sk_TaggedAttribute_num(d->controlSequence); i++) {
        const TaggedAttribute *a = sk_TaggedAttribute_value(d->controlSequence, i);
        int ok = 1, c = cmc_control(a, want, CTL_BIT(CTL_STATUS_INFO_V2), &seen, why);
        if (c < 0)
            return 0;
        if (c == CTL_TRANSACTION_ID)
            ok = cmc_get_tid(a, f->tid) ||
                 cmc_bad(why, "transactionId is not a positive INTEGER below 2^128");
        else if (c == CTL_SENDER_NONCE)
            ok = get_nonce(a, &f->nonce, why);
        else if (c == CTL_RECIPIENT_NONCE)
            ok = get_nonce(a, &f->recipient_nonce, why);
        else if (c == CTL_RESPONSE_INFO)
            ok = cmc_get_response_info(a, f->request, &f->issued, &f->n_issued, why);
        else if (c == CTL_STATUS_INFO_V2)
            ok = get_status(f, a, why);
        if (!ok)
            return 0;
    }
    return seen == want ||
           cmc_bad(why, "transactionId, a nonce, responseInfo or a status is missing");
}

size_t cmc_leaf_count(const struct cmc_leaf *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_status; i++)
        n += f->status[i].n;
    return n;
}

/* Marks each request answered; successes must be what responseInfo lists, and nothing else. */
static int mark(const struct cmc_leaf *f, signed char *seen, size_t n, char why[CMC_WHY])
{
    for (size_t i = 0; i < f->n_status; i++)
        for (size_t k = 0; k < f->status[i].n; k++) {
            uint32_t id = f->status[i].refs[k].id;
            if (id < CMC_FIRST || id - CMC_FIRST >= n || seen[id - CMC_FIRST])
                return cmc_bad(why, "the answer has a gap, or two statuses for one request (%u)",
                               (unsigned)id);
            seen[id - CMC_FIRST] = f->status[i].status == CMC_SUCCESS ? 1 : 2;
        }
    for (size_t i = 0; i < f->n_issued; i++) {
        uint32_t id = f->issued[i].id;
        if (id < CMC_FIRST || id - CMC_FIRST >= n || seen[id - CMC_FIRST] != 1)
            return cmc_bad(why, "a certificate for request %u, which was not granted",
                           (unsigned)id);
        seen[id - CMC_FIRST] = 3;
    }
    for (size_t i = 0; i < n; i++)
        if (seen[i] == 1)
            return cmc_bad(why, "no certificate for request %zu, which was granted", CMC_FIRST + i);
    return 1;
}

/* A pending decision covers the whole message: nothing is issued, and what else there is was
 * refused. What is said of the whole transaction stands alone. */
static int pending_fits(const struct cmc_leaf *f, char why[CMC_WHY])
{
    size_t pending = 0, whole = 0, granted = f->n_issued;
    for (size_t i = 0; i < f->n_status; i++) {
        pending += f->status[i].status == CMC_PENDING;
        granted += f->status[i].status == CMC_SUCCESS;
        whole += f->status[i].n == 0;
    }
    if (pending > 1 || (pending && granted))
        return cmc_bad(why, "a pending status beside another, or beside what was granted");
    if (whole && (f->n_status > 1 || granted))
        return cmc_bad(why, "a status of the whole transaction that does not stand alone");
    return 1;
}

const struct cmc_verdict *cmc_leaf_pending(const struct cmc_leaf *f)
{
    for (size_t i = 0; i < f->n_status; i++)
        if (f->status[i].status == CMC_PENDING)
            return &f->status[i];
    return NULL;
}

static int complete(const struct cmc_leaf *f, char why[CMC_WHY])
{
    size_t n = cmc_leaf_count(f);
    if (!pending_fits(f, why))
        return 0;
    if (f->status[0].n == 0)
        return 1;
    if (n < 1 || n > CMC_ITEMS)
        return cmc_bad(why, "an answer to %zu requests, not 1 to %d", n, CMC_ITEMS);
    signed char *seen = alloc_zero(n, 1);
    int ok = mark(f, seen, n, why);
    free(seen);
    return ok;
}

struct cmc_leaf *cmc_leaf_open(const struct cms_layer *l, char why[CMC_WHY])
{
    struct cmc_leaf *f = alloc_zero(1, sizeof *f);
    PKIResponse *d = f->own = cmc_decode(l->content, CMC_ASN1_PKI_RESPONSE, NULL, 0, why);
    int ok =
        d && cmc_ids_unique(d->controlSequence, NULL, d->cmsSequence, d->otherMsgSequence, why);
    if (ok && (sk_TaggedContentInfo_num(d->cmsSequence) || sk_OtherMsg_num(d->otherMsgSequence)))
        ok = cmc_bad(why, "a message inside the signing unit's answer");
    if (ok && get_controls(f, d, why) && complete(f, why))
        return f;
    cmc_leaf_free(f);
    return NULL;
}

void cmc_leaf_free(struct cmc_leaf *f)
{
    if (!f)
        return;
    cmc_discard(f->own, CMC_ASN1_PKI_RESPONSE);
    cmc_free_status(f->status, f->n_status);
    free(f->issued);
    free(f);
}

void cmc_leaf_put(const struct cmc_leaf *f, struct buf *out)
{
    PKIResponse *d = cmc_new(CMC_ASN1_PKI_RESPONSE);
    struct buf der = {0};
    uint32_t id = 1;
    cmc_add_tid(d->controlSequence, id++, f->tid);
    cmc_add_string(d->controlSequence, id++, CTL_SENDER_NONCE, f->nonce);
    cmc_add_string(d->controlSequence, id++, CTL_RECIPIENT_NONCE, f->recipient_nonce);
    cmc_add_response_info(d->controlSequence, id++, f->request, f->issued, f->n_issued);
    for (size_t i = 0; i < f->n_status; i++) {
        buf_reset(&der);
        cmc_put_status(&f->status[i], 0, &der);
        cmc_add_der(d->controlSequence, id++, CTL_STATUS_INFO_V2, buf_span(&der));
    }
    cmc_encode(d, CMC_ASN1_PKI_RESPONSE, out);
    cmc_discard(d, CMC_ASN1_PKI_RESPONSE);
    buf_free(&der);
}

static int get_wrap(struct cmc_rwrap *w, const PKIResponse *d, char why[CMC_WHY])
{
    const unsigned want =
        CTL_BIT(CTL_TRANSACTION_ID) | CTL_BIT(CTL_RESPONSE_BODY) | CTL_BIT(CTL_RESPONSE_INFO);
    unsigned seen = 0;
    for (int i = 0; i < sk_TaggedAttribute_num(d->controlSequence); i++) {
        const TaggedAttribute *a = sk_TaggedAttribute_value(d->controlSequence, i);
        uint32_t id;
        size_t n;
        int c = cmc_control(a, want, 0, &seen, why);
        if (c < 0)
            return 0;
        if (c == CTL_TRANSACTION_ID && !cmc_get_tid(a, w->tid))
            return cmc_bad(why, "transactionId is not a positive INTEGER below 2^128");
        if (c == CTL_RESPONSE_BODY &&
            (!cmc_get_list(cmc_value(a, V_ASN1_SEQUENCE), &id, 1, &n) || id != 1))
            return cmc_bad(why, "responseBody is not {1}");
        if (c == CTL_RESPONSE_INFO && !cmc_get_response_info(a, w->request, NULL, NULL, why))
            return 0;
    }
    return seen == want || cmc_bad(why, "transactionId, responseBody or responseInfo is missing");
}

struct cmc_rwrap *cmc_rwrap_open(const struct cms_layer *l, char why[CMC_WHY])
{
    struct cmc_rwrap *w = alloc_zero(1, sizeof *w);
    PKIResponse *d = w->own = cmc_decode(l->content, CMC_ASN1_PKI_RESPONSE, NULL, 0, why);
    int ok =
        d && cmc_ids_unique(d->controlSequence, NULL, d->cmsSequence, d->otherMsgSequence, why);
    if (ok && sk_OtherMsg_num(d->otherMsgSequence))
        ok = cmc_bad(why, "an otherMsg in a response");
    if (ok && cmc_get_inner(d->cmsSequence, &w->inner, NULL, why) && get_wrap(w, d, why))
        return w;
    cmc_rwrap_free(w);
    return NULL;
}

void cmc_rwrap_free(struct cmc_rwrap *w)
{
    if (!w)
        return;
    cmc_discard(w->own, CMC_ASN1_PKI_RESPONSE);
    free(w);
}

void cmc_rwrap_put(const struct cmc_rwrap *w, struct buf *out)
{
    PKIResponse *d = cmc_new(CMC_ASN1_PKI_RESPONSE);
    cmc_add_tid(d->controlSequence, 10000, w->tid);
    cmc_add_list(d->controlSequence, 10001, CTL_RESPONSE_BODY, 1);
    cmc_add_response_info(d->controlSequence, 10002, w->request, NULL, 0);
    cmc_add_inner(d->cmsSequence, 1, w->inner);
    cmc_encode(d, CMC_ASN1_PKI_RESPONSE, out);
    cmc_discard(d, CMC_ASN1_PKI_RESPONSE);
}
