/* CMCStatusInfoV2 (RFC 5272, section 6.1.1), as verdict upward and as status downward, and
 * ResponseInfo. */
#include "cmc_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

size_t cmc_depth(enum path_role role)
{
    return role == PATH_VERIFY_UNIT ? 2 : 3;
}

/* Downward a plain number. Upward a path from this layer inward: 1 a step, the number last. */
static int get_ref(const BodyPartReference *r, size_t depth, struct cmc_ref *out)
{
    uint32_t path[CMC_PATH], step;
    if (!depth) {
        out->crm = 0;
        return r->type == 0 && cmc_id(r->d.bodyPartID, &out->id);
    }
    if (r->type != 1)
        return 0;
    size_t n = (size_t)sk_ASN1_INTEGER_num(r->d.bodyPartPath);
    if (n < 2 || n > CMC_PATH || (n != depth && n + 1 != depth))
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (!cmc_id(sk_ASN1_INTEGER_value(r->d.bodyPartPath, (int)i), &step))
            return 0;
        path[i] = step;
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (path[i] != 1)
            return 0;
    out->id = path[n - 1];
    out->crm = n + 1 == depth;
    return 1;
}

/* transactionId's own body part, alone: the whole transaction, of a poll. */
static int get_whole(const CMCStatusInfoV2 *s, size_t depth)
{
    struct cmc_ref ref;
    return sk_BodyPartReference_num(s->bodyList) == 1 &&
           get_ref(sk_BodyPartReference_value(s->bodyList, 0), depth, &ref) && !ref.crm &&
           ref.id == CMC_TRANSACTION;
}

static int get_refs(const CMCStatusInfoV2 *s, size_t depth, struct cmc_verdict *out)
{
    int n = sk_BodyPartReference_num(s->bodyList);
    if (n < 1 || n > CMC_ITEMS)
        return 0;
    if (get_whole(s, depth))
        return 1;
    out->n = (size_t)n;
    out->refs = alloc_zero(out->n, sizeof *out->refs);
    for (int i = 0; i < n; i++)
        if (!get_ref(sk_BodyPartReference_value(s->bodyList, i), depth, &out->refs[i]))
            return 0;
    return 1;
}

/* pendInfo; the time in the one way in which it can be written. */
static int get_pend_info(const PendInfo *p, struct cmc_verdict *out)
{
    struct span token = cmc_string(p->pendToken), time = cmc_string(p->pendTime);
    char text[sizeof "YYYYMMDDHHMMSSZ"];
    if (token.n != CMC_TOKEN || time.n != sizeof text - 1)
        return 0;
    memcpy(text, time.p, time.n);
    text[time.n] = '\0';
    memcpy(out->token, token.p, CMC_TOKEN);
    return clock_parse(text, &out->pend_time);
}

/* success: nothing; failed: failInfo and a sentence; pending: pendInfo. */
static int get_other(const CMCStatusInfoV2 *s, struct cmc_verdict *out, char why[CMC_WHY])
{
    const OtherStatusInfo *o = s->otherInfo;
    uint32_t fail;
    if (out->status == CMC_SUCCESS)
        return !o || cmc_bad(why, "a success with failInfo or pendInfo");
    if (out->status == CMC_PENDING)
        return (o && o->type == 1 && get_pend_info(o->d.pendInfo, out)) ||
               cmc_bad(why, "a pending status without a pendInfo of %d octets and a time",
                       CMC_TOKEN);
    if (!o || o->type != 0 || !cmc_id(o->d.failInfo, &fail) || fail > 13 || !s->statusString)
        return cmc_bad(why, "a failed status without failInfo and statusString");
    out->fail = (int)fail;
    return 1;
}

/* In an answer all three; upward nobody grants, and ra-approve alone lets wait. */
static int status_fits(uint32_t status, size_t depth)
{
    return status == CMC_FAILED || (status == CMC_SUCCESS && depth == 0) ||
           (status == CMC_PENDING && (depth == 0 || depth == cmc_depth(PATH_RA_APPROVE)));
}

static int get_status(const CMCStatusInfoV2 *s, size_t depth, struct cmc_verdict *out,
                      struct span *text, char why[CMC_WHY])
{
    uint32_t status;
    if (!cmc_id(s->cMCStatus, &status) || !status_fits(status, depth))
        return cmc_bad(why, "a status that is not known, or has no place here");
    if (!get_refs(s, depth, out))
        return cmc_bad(why, "a status that does not name requests of this message");
    if (s->statusString && !cmc_text_ok(s->statusString, CMC_STRING))
        return cmc_bad(why, "a statusString that is empty, longer than %d octets or not plain text",
                       CMC_STRING);
    if (s->statusString)
        *text = cmc_string(s->statusString);
    out->status = (enum cmc_status)status;
    out->fail = -1;
    return get_other(s, out, why);
}

int cmc_get_status(struct span der, size_t depth, struct cmc_verdict *out, char why[CMC_WHY])
{
    struct span text = {NULL, 0};
    if (!der.p)
        return cmc_bad(why, "a status that is no SEQUENCE");
    CMCStatusInfoV2 *s = cmc_decode(der, CMC_ASN1_STATUS, NULL, 0, why);
    int ok = s && get_status(s, depth, out, &text, why);
    /* The template goes; the text stays in the layer: find it there by its octets. */
    if (ok && text.n)
        out->text = (struct span){memmem(der.p, der.n, text.p, text.n), text.n};
    cmc_discard(s, CMC_ASN1_STATUS);
    return ok;
}

static BodyPartReference *put_ref(const struct cmc_ref *ref, size_t depth)
{
    BodyPartReference *r = cmc_new(CMC_ASN1_REFERENCE);
    if (!depth) {
        r->type = 0;
        r->d.bodyPartID = cmc_integer(ref->id);
        return r;
    }
    r->type = 1;
    r->d.bodyPartPath = sk_ASN1_INTEGER_new_null();
    for (size_t i = 0; i + 1 < (ref->crm ? depth - 1 : depth); i++)
        sk_ASN1_INTEGER_push(r->d.bodyPartPath, cmc_integer(1));
    if (!sk_ASN1_INTEGER_push(r->d.bodyPartPath, cmc_integer(ref->id)))
        cmc_failed();
    return r;
}

static OtherStatusInfo *put_other(const struct cmc_verdict *v)
{
    OtherStatusInfo *o = cmc_new(CMC_ASN1_OTHER_STATUS);
    if (v->status != CMC_PENDING) {
        o->type = 0;
        o->d.failInfo = cmc_integer((uint32_t)v->fail);
        return o;
    }
    o->type = 1;
    o->d.pendInfo = cmc_new(CMC_ASN1_PEND_INFO);
    cmc_set(o->d.pendInfo->pendToken, v->token, CMC_TOKEN);
    if (!ASN1_GENERALIZEDTIME_set(o->d.pendInfo->pendTime, (time_t)v->pend_time))
        cmc_failed();
    return o;
}

void cmc_put_status(const struct cmc_verdict *v, size_t depth, struct buf *out)
{
    const struct cmc_ref whole = {CMC_TRANSACTION, 0};
    CMCStatusInfoV2 *s = cmc_new(CMC_ASN1_STATUS);
    if (!ASN1_INTEGER_set_uint64(s->cMCStatus, v->status))
        cmc_failed();
    for (size_t i = 0; i < (v->n ? v->n : 1); i++)
        if (!sk_BodyPartReference_push(s->bodyList, put_ref(v->n ? &v->refs[i] : &whole, depth)))
            cmc_failed();
    if (v->text.n) {
        s->statusString = ASN1_UTF8STRING_new();
        cmc_set(s->statusString, v->text.p, v->text.n);
    }
    if (v->fail >= 0 || v->status == CMC_PENDING)
        s->otherInfo = put_other(v);
    cmc_encode(s, CMC_ASN1_STATUS, out);
    cmc_discard(s, CMC_ASN1_STATUS);
}

void cmc_free_status(struct cmc_verdict *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        free(v[i].refs);
    free(v);
}

static int get_issued(const ResponseInfo *r, struct cmc_issued **issued, size_t *n,
                      char why[CMC_WHY])
{
    int have = sk_IssuedPart_num(r->issued);
    if (!issued)
        return have == 0 || cmc_bad(why, "responseInfo lists certificates where none are issued");
    if (have > CMC_ITEMS)
        return cmc_bad(why, "more than %d certificates", CMC_ITEMS);
    *issued = alloc_zero((size_t)have, sizeof **issued);
    *n = (size_t)have;
    for (int i = 0; i < have; i++) {
        const IssuedPart *p = sk_IssuedPart_value(r->issued, i);
        struct span hash = cmc_string(p->certHash);
        if (!cmc_id(p->part, &(*issued)[i].id) || hash.n != CMS_DIGEST)
            return cmc_bad(why, "responseInfo with a bad number or hash");
        memcpy((*issued)[i].hash, hash.p, CMS_DIGEST);
    }
    return 1;
}

int cmc_get_response_info(const TaggedAttribute *a, unsigned char request[CMS_DIGEST],
                          struct cmc_issued **issued, size_t *n, char why[CMC_WHY])
{
    struct span v = cmc_value(a, V_ASN1_OCTET_STRING);
    ResponseInfo *r = v.p ? cmc_decode(v, CMC_ASN1_RESPONSE_INFO, NULL, 0, why) : NULL;
    int ok = 0;
    if (!r)
        return cmc_bad(why, "responseInfo is not that of this profile");
    struct span digest = cmc_string(r->request);
    if (ASN1_INTEGER_get(r->version) != 1 || digest.n != CMS_DIGEST)
        cmc_bad(why, "responseInfo of another version");
    else
        ok = get_issued(r, issued, n, why);
    if (ok)
        memcpy(request, digest.p, CMS_DIGEST);
    cmc_discard(r, CMC_ASN1_RESPONSE_INFO);
    return ok;
}

void cmc_add_response_info(STACK_OF(TaggedAttribute) * to, uint32_t id,
                           const unsigned char request[CMS_DIGEST], const struct cmc_issued *issued,
                           size_t n)
{
    ResponseInfo *r = cmc_new(CMC_ASN1_RESPONSE_INFO);
    struct buf der = {0};
    if (!ASN1_INTEGER_set(r->version, 1))
        cmc_failed();
    cmc_set(r->request, request, CMS_DIGEST);
    for (size_t i = 0; i < n; i++) {
        IssuedPart *p = cmc_new(CMC_ASN1_ISSUED_PART);
        cmc_set(p->certHash, issued[i].hash, CMS_DIGEST);
        if (!ASN1_INTEGER_set_uint64(p->part, issued[i].id) || !sk_IssuedPart_push(r->issued, p))
            cmc_failed();
    }
    cmc_encode(r, CMC_ASN1_RESPONSE_INFO, &der);
    cmc_add_string(to, id, CTL_RESPONSE_INFO, buf_span(&der));
    cmc_discard(r, CMC_ASN1_RESPONSE_INFO);
    buf_free(&der);
}
