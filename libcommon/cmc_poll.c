/* Attach's poll (RFC 5272, section 6.13): a PKIData without requests. It says so little that there
 * is one way to write it, and what is read is held against that. */
#include "cmc_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "der.h"

int cmc_is_poll(const struct cms_layer *l)
{
    /* id-cmc-queryPending, 1.3.6.1.5.5.7.7.21 */
    static const unsigned char oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x07, 0x15};
    struct der_tlv data, controls, one, id, type;
    const unsigned char *p;
    size_t n;
    if (!der_one(l->content.p, l->content.n, DER_UNIVERSAL, V_ASN1_SEQUENCE, &data))
        return 0;
    p = data.content;
    n = data.len;
    if (!der_next(&p, &n, &controls))
        return 0;
    p = controls.content;
    n = controls.len;
    while (der_next(&p, &n, &one)) {
        const unsigned char *q = one.content;
        size_t left = one.len;
        if (der_next(&q, &left, &id) && der_next(&q, &left, &type) && type.len == sizeof oid &&
            !memcmp(type.content, oid, sizeof oid))
            return 1;
    }
    return 0;
}

static int get_control(struct cmc_poll *p, enum cmc_control c, const TaggedAttribute *a,
                       char why[CMC_WHY])
{
    struct span v = cmc_value(a, V_ASN1_OCTET_STRING);
    struct cmc_request named = {0};
    switch (c) {
    case CTL_TRANSACTION_ID:
        return cmc_get_tid(a, p->tid) ||
               cmc_bad(why, "transactionId is not a positive INTEGER below 2^128");
    case CTL_SENDER_NONCE:
        p->nonce = v;
        return cmc_nonce_ok(v) ||
               cmc_bad(why, "senderNonce is not %d to %d octets", CMC_NONCE, CMC_NONCE_MAX);
    case CTL_RECIPIENT_NONCE:
        p->recipient_nonce = v;
        return cmc_nonce_ok(v) ||
               cmc_bad(why, "recipientNonce is not %d to %d octets", CMC_NONCE, CMC_NONCE_MAX);
    case CTL_QUERY_PENDING:
        if (v.n != CMC_TOKEN)
            return cmc_bad(why, "queryPending is not %d octets", CMC_TOKEN);
        memcpy(p->token, v.p, CMC_TOKEN);
        return 1;
    default: /* regInfo, as the list of what is allowed says */
        if (!cmc_get_reg_info(&named, a, why))
            return 0;
        memcpy(p->run, named.run, CMC_RUN);
        p->lot = named.lot;
        p->profile = named.profile;
        p->to = named.to;
        return 1;
    }
}

static int get_controls(struct cmc_poll *p, const PKIData *d, char why[CMC_WHY])
{
    const unsigned want = CTL_BIT(CTL_TRANSACTION_ID) | CTL_BIT(CTL_SENDER_NONCE) |
                          CTL_BIT(CTL_RECIPIENT_NONCE) | CTL_BIT(CTL_QUERY_PENDING) |
                          CTL_BIT(CTL_REG_INFO);
    unsigned seen = 0;
    for (int i = 0; i < sk_TaggedAttribute_num(d->controlSequence); i++) {
        const TaggedAttribute *a = sk_TaggedAttribute_value(d->controlSequence, i);
        int c = cmc_control(a, want, 0, &seen, why);
        if (c < 0 || !get_control(p, (enum cmc_control)c, a, why))
            return 0;
    }
    return seen == want ||
           cmc_bad(why, "transactionId, a nonce or regInfo is missing beside queryPending");
}

static int as_written(const struct cmc_poll *p, struct span content, char why[CMC_WHY])
{
    struct buf again = {0};
    cmc_poll_put(p, &again);
    int same = buf_same(buf_span(&again), content);
    buf_free(&again);
    return same || cmc_bad(why, "a poll that is not in the one form of this profile");
}

struct cmc_poll *cmc_poll_open(const struct cms_layer *l, char why[CMC_WHY])
{
    struct cmc_poll *p = alloc_zero(1, sizeof *p);
    PKIData *d = p->own = cmc_decode(l->content, CMC_ASN1_PKI_DATA, NULL, 0, why);
    int ok = d != NULL;
    if (ok && (sk_TaggedRequest_num(d->reqSequence) || sk_TaggedContentInfo_num(d->cmsSequence) ||
               sk_OtherMsg_num(d->otherMsgSequence)))
        ok = cmc_bad(why, "a request or a message inside a poll");
    if (ok && get_controls(p, d, why) && as_written(p, l->content, why))
        return p;
    cmc_poll_free(p);
    return NULL;
}

void cmc_poll_free(struct cmc_poll *p)
{
    if (!p)
        return;
    cmc_discard(p->own, CMC_ASN1_PKI_DATA);
    free(p->lot);
    free(p->profile);
    free(p->to);
    free(p);
}

void cmc_poll_put(const struct cmc_poll *p, struct buf *out)
{
    PKIData *d = cmc_new(CMC_ASN1_PKI_DATA);
    struct cmc_request named = {.lot = p->lot, .profile = p->profile, .to = p->to};
    memcpy(named.run, p->run, CMC_RUN);
    cmc_add_tid(d->controlSequence, CMC_TRANSACTION, p->tid);
    cmc_add_string(d->controlSequence, 2, CTL_SENDER_NONCE, p->nonce);
    cmc_add_string(d->controlSequence, 3, CTL_RECIPIENT_NONCE, p->recipient_nonce);
    cmc_add_string(d->controlSequence, 4, CTL_QUERY_PENDING,
                   (struct span){p->token, sizeof p->token});
    cmc_add_reg_info(d->controlSequence, 5, &named);
    cmc_encode(d, CMC_ASN1_PKI_DATA, out);
    cmc_discard(d, CMC_ASN1_PKI_DATA);
}
