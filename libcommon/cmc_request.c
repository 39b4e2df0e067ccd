/* Attach's PKIData (RFC 5272, section 3.2.1). */
#include "cmc_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "der.h"

#define OTHER_MSG_KEY "2.25.111044168894393523651617990952196807275.20"

static ASN1_OBJECT *key_object(void)
{
    static ASN1_OBJECT *made;
    if (!made)
        made = OBJ_txt2obj(OTHER_MSG_KEY, 1);
    if (!made)
        cmc_failed();
    return made;
}

static char *text(const ASN1_STRING *s)
{
    struct span t = cmc_string(s);
    return alloc_copy(t.p, t.n);
}

/* The id says where an item stands: from CMC_FIRST on, without a gap. */
static struct cmc_item *place(struct cmc_request *r, const ASN1_INTEGER *id, char why[CMC_WHY])
{
    uint32_t v;
    if (!cmc_id(id, &v) || v < CMC_FIRST || v - CMC_FIRST >= r->n || r->items[v - CMC_FIRST].id) {
        cmc_bad(why, "requests are not numbered from %d without a gap", CMC_FIRST);
        return NULL;
    }
    r->items[v - CMC_FIRST].id = v;
    return &r->items[v - CMC_FIRST];
}

static int get_items(struct cmc_request *r, const PKIData *d, char why[CMC_WHY])
{
    int requests = sk_TaggedRequest_num(d->reqSequence),
        keys = sk_OtherMsg_num(d->otherMsgSequence);
    r->n = (size_t)requests + (size_t)keys;
    if (r->n < 1 || r->n > CMC_ITEMS)
        return cmc_bad(why, "%zu requests, not 1 to %d", r->n, CMC_ITEMS);
    r->items = alloc_zero(r->n, sizeof *r->items);
    for (int i = 0; i < requests; i++) {
        const TaggedRequest *t = sk_TaggedRequest_value(d->reqSequence, i);
        struct cmc_item *at = t->type == 0 ? place(r, t->d.tcr->bodyPartID, why) : NULL;
        if (!at)
            return t->type == 0 ? 0 : cmc_bad(why, "a CRMF request from an attaching unit");
        at->kind = CMC_TCR;
        at->der = cmc_string(t->d.tcr->certificationRequest);
    }
    for (int i = 0; i < keys; i++) {
        const OtherMsg *o = sk_OtherMsg_value(d->otherMsgSequence, i);
        if (OBJ_cmp(o->otherMsgType, key_object()))
            return cmc_bad(why, "an otherMsg that is no public key");
        struct cmc_item *at = place(r, o->bodyPartID, why);
        if (!at)
            return 0;
        at->kind = CMC_KEY;
        at->der = cmc_string(o->otherMsgValue);
    }
    return 1;
}

static int get_devices(struct cmc_request *r, const RegInfo *ri, struct span der, char why[CMC_WHY])
{
    if ((size_t)sk_DevicePart_num(ri->devices) != r->n)
        return cmc_bad(why, "regInfo does not name each device once");
    for (size_t i = 0; i < r->n; i++) {
        const DevicePart *p = sk_DevicePart_value(ri->devices, (int)i);
        uint32_t id;
        if (!cmc_id(p->part, &id) || id != CMC_FIRST + i)
            return cmc_bad(why, "regInfo does not name each device once, in order");
        if (!cmc_text_ok(p->device, CMC_DEVICE))
            return cmc_bad(why, "regInfo names a device by an empty, overlong or unprintable id");
        /* regInfo's template goes; the octets stay in the layer, in the same order. */
        struct span d = cmc_string(p->device);
        const unsigned char *at = memmem(der.p, der.n, d.p, d.n);
        r->items[i].device = (struct span){at, d.n};
        der.n -= (size_t)(at + d.n - der.p);
        der.p = at + d.n;
    }
    return 1;
}

int cmc_get_reg_info(struct cmc_request *r, const TaggedAttribute *a, char why[CMC_WHY])
{
    struct span v = cmc_value(a, V_ASN1_OCTET_STRING);
    RegInfo *ri = v.p ? cmc_decode(v, CMC_ASN1_REG_INFO, NULL, 0, why) : NULL;
    int ok = 0;
    if (!ri)
        return cmc_bad(why, "regInfo is not that of this profile");
    struct span run = cmc_string(ri->run);
    if (ASN1_INTEGER_get(ri->version) != 1 || run.n != CMC_RUN)
        cmc_bad(why, "regInfo of another version");
    else if (!cmc_text_ok(ri->lot, CMC_TEXT) || !cmc_text_ok(ri->profile, CMC_TEXT) ||
             !cmc_text_ok(ri->to, CMC_TEXT))
        cmc_bad(why, "regInfo with an empty, overlong or unprintable lot, profile or unit");
    else
        ok = get_devices(r, ri, v, why);
    if (ok) {
        memcpy(r->run, run.p, CMC_RUN);
        r->lot = text(ri->lot);
        r->profile = text(ri->profile);
        r->to = text(ri->to);
    }
    cmc_discard(ri, CMC_ASN1_REG_INFO);
    return ok;
}

static int get_controls(struct cmc_request *r, const PKIData *d, char why[CMC_WHY])
{
    const unsigned want =
        CTL_BIT(CTL_TRANSACTION_ID) | CTL_BIT(CTL_SENDER_NONCE) | CTL_BIT(CTL_REG_INFO);
    unsigned seen = 0;
    for (int i = 0; i < sk_TaggedAttribute_num(d->controlSequence); i++) {
        const TaggedAttribute *a = sk_TaggedAttribute_value(d->controlSequence, i);
        int c = cmc_control(a, want, 0, &seen, why);
        if (c < 0)
            return 0;
        if (c == CTL_TRANSACTION_ID && !cmc_get_tid(a, r->tid))
            return cmc_bad(why, "transactionId is not a positive INTEGER below 2^128");
        if (c == CTL_SENDER_NONCE) {
            r->nonce = cmc_value(a, V_ASN1_OCTET_STRING);
            if (!cmc_nonce_ok(r->nonce))
                return cmc_bad(why, "senderNonce is not %d to %d octets", CMC_NONCE, CMC_NONCE_MAX);
        }
        if (c == CTL_REG_INFO && !cmc_get_reg_info(r, a, why))
            return 0;
    }
    return seen == want || cmc_bad(why, "transactionId, senderNonce or regInfo is missing");
}

struct cmc_request *cmc_request_open(const struct cms_layer *l, char why[CMC_WHY])
{
    static const int lax[] = {1, DER_ANY, 1}; /* reqSequence, each, certificationRequest */
    struct cmc_request *r = alloc_zero(1, sizeof *r);
    PKIData *d = cmc_decode(l->content, CMC_ASN1_PKI_DATA, lax, 3, why);
    r->own = d;
    int ok = d && cmc_ids_unique(d->controlSequence, d->reqSequence, d->cmsSequence,
                                 d->otherMsgSequence, why);
    if (ok && sk_TaggedContentInfo_num(d->cmsSequence))
        ok = cmc_bad(why, "a message inside an attaching unit's message");
    if (ok && get_items(r, d, why) && get_controls(r, d, why))
        return r;
    cmc_request_free(r);
    return NULL;
}

void cmc_request_free(struct cmc_request *r)
{
    if (!r)
        return;
    cmc_discard(r->own, CMC_ASN1_PKI_DATA);
    free(r->lot);
    free(r->profile);
    free(r->to);
    free(r->items);
    free(r);
}

static void put_item(PKIData *d, const struct cmc_item *it)
{
    if (it->kind == CMC_TCR) {
        TaggedRequest *t = cmc_new(CMC_ASN1_REQUEST);
        t->type = 0;
        t->d.tcr = cmc_new(CMC_ASN1_TCR);
        cmc_set(t->d.tcr->certificationRequest, it->der.p, it->der.n);
        if (!ASN1_INTEGER_set_uint64(t->d.tcr->bodyPartID, it->id) ||
            !sk_TaggedRequest_push(d->reqSequence, t))
            cmc_failed();
        return;
    }
    OtherMsg *o = cmc_new(CMC_ASN1_OTHER_MSG);
    o->otherMsgType = OBJ_dup(key_object());
    cmc_set(o->otherMsgValue, it->der.p, it->der.n);
    if (!o->otherMsgType || !ASN1_INTEGER_set_uint64(o->bodyPartID, it->id) ||
        !sk_OtherMsg_push(d->otherMsgSequence, o))
        cmc_failed();
}

void cmc_add_reg_info(STACK_OF(TaggedAttribute) * to, uint32_t id, const struct cmc_request *r)
{
    RegInfo *ri = cmc_new(CMC_ASN1_REG_INFO);
    struct buf der = {0};
    if (!ASN1_INTEGER_set(ri->version, 1))
        cmc_failed();
    cmc_set(ri->run, r->run, CMC_RUN);
    cmc_set(ri->lot, r->lot, strlen(r->lot));
    cmc_set(ri->profile, r->profile, strlen(r->profile));
    cmc_set(ri->to, r->to, strlen(r->to));
    for (size_t i = 0; i < r->n; i++) {
        DevicePart *p = cmc_new(CMC_ASN1_DEVICE_PART);
        cmc_set(p->device, r->items[i].device.p, r->items[i].device.n);
        if (!ASN1_INTEGER_set_uint64(p->part, r->items[i].id) ||
            !sk_DevicePart_push(ri->devices, p))
            cmc_failed();
    }
    cmc_encode(ri, CMC_ASN1_REG_INFO, &der);
    cmc_add_string(to, id, CTL_REG_INFO, buf_span(&der));
    cmc_discard(ri, CMC_ASN1_REG_INFO);
    buf_free(&der);
}

void cmc_request_put(const struct cmc_request *r, struct buf *out)
{
    PKIData *d = cmc_new(CMC_ASN1_PKI_DATA);
    cmc_add_tid(d->controlSequence, CMC_TRANSACTION, r->tid);
    cmc_add_string(d->controlSequence, 2, CTL_SENDER_NONCE, r->nonce);
    cmc_add_reg_info(d->controlSequence, 3, r);
    for (size_t i = 0; i < r->n; i++)
        put_item(d, &r->items[i]);
    cmc_encode(d, CMC_ASN1_PKI_DATA, out);
    cmc_discard(d, CMC_ASN1_PKI_DATA);
}
