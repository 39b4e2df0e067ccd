/* What all layers have in common: decoding, controls, numbers. */
#include "cmc_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "alloc.h"
#include "der.h"

static const char *const control_oid[CTL_COUNT] = {
    [CTL_TRANSACTION_ID] = "1.3.6.1.5.5.7.7.5",
    [CTL_SENDER_NONCE] = "1.3.6.1.5.5.7.7.6",
    [CTL_RECIPIENT_NONCE] = "1.3.6.1.5.5.7.7.7",
    [CTL_QUERY_PENDING] = "1.3.6.1.5.5.7.7.21",
    [CTL_LRA_POP_WITNESS] = "1.3.6.1.5.5.7.7.11",
    [CTL_REG_INFO] = "1.3.6.1.5.5.7.7.18",
    [CTL_RESPONSE_INFO] = "1.3.6.1.5.5.7.7.19",
    [CTL_STATUS_INFO_V2] = "1.3.6.1.5.5.7.7.25",
    [CTL_BATCH_REQUESTS] = "1.3.6.1.5.5.7.7.28",
    [CTL_MOD_CERT_TEMPLATE] = "1.3.6.1.5.5.7.7.31",
    [CTL_RESPONSE_BODY] = "1.3.6.1.5.5.7.7.37",
    [CTL_VERDICT] = "2.25.111044168894393523651617990952196807275.10",
};

int cmc_bad(char why[CMC_WHY], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, CMC_WHY, fmt, ap);
    va_end(ap);
    ERR_clear_error();
    return 0;
}

void cmc_failed(void)
{
    diag_exit(ST_TEMP, "CMC: %s", diag_openssl());
}

/* Made once: the arc of our own needs big-number arithmetic to parse. */
static ASN1_OBJECT *control_object(enum cmc_control c)
{
    static ASN1_OBJECT *made[CTL_COUNT];
    if (!made[c])
        made[c] = OBJ_txt2obj(control_oid[c], 1);
    if (!made[c])
        cmc_failed();
    return made[c];
}

void *cmc_new(enum cmc_item_type t)
{
    void *v = ASN1_item_new(cmc_asn1(t));
    if (!v)
        cmc_failed();
    return v;
}

void cmc_discard(void *asn1, enum cmc_item_type t)
{
    ASN1_item_free(asn1, cmc_asn1(t));
}

void cmc_encode(void *asn1, enum cmc_item_type t, struct buf *out)
{
    unsigned char *der = NULL;
    int n = ASN1_item_i2d(asn1, &der, cmc_asn1(t));
    if (n <= 0)
        cmc_failed();
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
}

void *cmc_decode(struct span der, enum cmc_item_type t, const int *lax, size_t lax_n,
                 char why[CMC_WHY])
{
    char walk[DER_WHY];
    const unsigned char *p = der.p;
    unsigned char *again = NULL;
    if (!der_check(der.p, der.n, lax, lax_n, walk)) {
        cmc_bad(why, "not DER: %s", walk);
        return NULL;
    }
    void *v = ASN1_item_d2i(NULL, &p, (long)der.n, cmc_asn1(t));
    int n = v && p == der.p + der.n ? ASN1_item_i2d(v, &again, cmc_asn1(t)) : -1;
    int same = n >= 0 && (size_t)n == der.n && !memcmp(again, der.p, der.n);
    OPENSSL_free(again);
    if (same)
        return v;
    cmc_bad(why, "%s",
            v ? "not in the one form of this profile" : "not the CMC structure that belongs here");
    cmc_discard(v, t);
    return NULL;
}

int cmc_control(const TaggedAttribute *a, unsigned allowed, unsigned many, unsigned *seen,
                char why[CMC_WHY])
{
    char oid[80];
    for (int c = 0; c < CTL_COUNT; c++) {
        if (OBJ_cmp(a->attrType, control_object((enum cmc_control)c)))
            continue;
        if (!(allowed & CTL_BIT(c)))
            break;
        if ((*seen & CTL_BIT(c)) && !(many & CTL_BIT(c))) {
            cmc_bad(why, "control %s stands twice", control_oid[c]);
            return -1;
        }
        if (sk_ASN1_TYPE_num(a->attrValues) != 1) {
            cmc_bad(why, "control %s has not exactly one value", control_oid[c]);
            return -1;
        }
        *seen |= CTL_BIT(c);
        return c;
    }
    OBJ_obj2txt(oid, sizeof oid, a->attrType, 1);
    cmc_bad(why, "control %s has no place here", oid);
    return -1;
}

struct span cmc_string(const ASN1_STRING *s)
{
    return (struct span){ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

struct span cmc_value(const TaggedAttribute *a, int type)
{
    const ASN1_TYPE *v = sk_ASN1_TYPE_value(a->attrValues, 0);
    if (v->type != type)
        return (struct span){NULL, 0};
    return cmc_string(v->value.asn1_string);
}

int cmc_id(const ASN1_INTEGER *i, uint32_t *out)
{
    uint64_t v;
    if (ASN1_INTEGER_get_uint64(&v, i) != 1 || v > UINT32_MAX)
        return 0;
    *out = (uint32_t)v;
    return 1;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int cmc_ids_unique(const STACK_OF(TaggedAttribute) * controls,
                   const STACK_OF(TaggedRequest) * requests,
                   const STACK_OF(TaggedContentInfo) * contents, const STACK_OF(OtherMsg) * others,
                   char why[CMC_WHY])
{
    int nc = sk_TaggedAttribute_num(controls), nr = requests ? sk_TaggedRequest_num(requests) : 0;
    int nm = sk_TaggedContentInfo_num(contents), no = sk_OtherMsg_num(others), ok = 1;
    if (nc > CMC_CONTROLS || nr > CMC_ITEMS || nm > 2 || no > CMC_ITEMS)
        return cmc_bad(why, "more than %d controls, %d requests or 2 messages", CMC_CONTROLS,
                       CMC_ITEMS);
    uint32_t *ids = alloc_zero((size_t)(nc + nr + nm + no), sizeof *ids);
    size_t n = 0;
    for (int i = 0; i < nc; i++)
        ok &= cmc_id(sk_TaggedAttribute_value(controls, i)->bodyPartID, &ids[n++]);
    for (int i = 0; i < nr; i++) {
        const TaggedRequest *r = sk_TaggedRequest_value(requests, i);
        ok &= cmc_id(r->type == 0 ? r->d.tcr->bodyPartID : r->d.crm->certReq->certReqId, &ids[n++]);
    }
    for (int i = 0; i < nm; i++)
        ok &= cmc_id(sk_TaggedContentInfo_value(contents, i)->bodyPartID, &ids[n++]);
    for (int i = 0; i < no; i++)
        ok &= cmc_id(sk_OtherMsg_value(others, i)->bodyPartID, &ids[n++]);
    qsort(ids, n, sizeof *ids, by_value);
    ok = ok && (!n || ids[0] != 0);
    for (size_t i = 1; ok && i < n; i++)
        ok = ids[i - 1] != ids[i];
    free(ids);
    return ok ? 1 : cmc_bad(why, "body part ids are not all different and from 1 to 4294967295");
}

int cmc_get_tid(const TaggedAttribute *a, unsigned char tid[CMC_TID])
{
    struct span v = cmc_value(a, V_ASN1_INTEGER);
    if (!v.p || v.n < 1 || v.n > CMC_TID ||
        (sk_ASN1_TYPE_value(a->attrValues, 0)->value.integer->type & V_ASN1_NEG))
        return 0;
    memset(tid, 0, CMC_TID);
    memcpy(tid + CMC_TID - v.n, v.p, v.n);
    static const unsigned char zero[CMC_TID];
    return memcmp(tid, zero, CMC_TID) != 0;
}

int cmc_get_list(struct span der, uint32_t *ids, size_t most, size_t *n)
{
    struct der_tlv seq, one;
    *n = 0;
    if (!der.p || !der_one(der.p, der.n, DER_UNIVERSAL, V_ASN1_SEQUENCE, &seq))
        return 0;
    const unsigned char *p = seq.content;
    size_t left = seq.len;
    while (left) {
        if (*n == most || !der_next(&p, &left, &one))
            return 0;
        const unsigned char *q = one.der;
        ASN1_INTEGER *i = d2i_ASN1_INTEGER(NULL, &q, (long)one.n);
        int ok = i && cmc_id(i, &ids[(*n)++]);
        ASN1_INTEGER_free(i);
        if (!ok)
            return 0;
    }
    return *n > 0;
}

int cmc_nonce_ok(struct span v)
{
    return v.n >= CMC_NONCE && v.n <= CMC_NONCE_MAX;
}

/* The i-th of a cmsSequence, which is numbered i + 1. */
static int content_at(const STACK_OF(TaggedContentInfo) * s, int i, struct span *out)
{
    const TaggedContentInfo *c = sk_TaggedContentInfo_value(s, i);
    uint32_t id;
    if (!c || !cmc_id(c->bodyPartID, &id) || id != (uint32_t)i + 1)
        return 0;
    *out = cmc_string(c->contentInfo);
    return 1;
}

int cmc_get_inner(const STACK_OF(TaggedContentInfo) * s, struct span *inner, struct span *second,
                  char why[CMC_WHY])
{
    int n = sk_TaggedContentInfo_num(s), two = n == 2 && second;
    if (second)
        *second = (struct span){NULL, 0};
    if ((n == 1 || two) && content_at(s, 0, inner) && (!two || content_at(s, 1, second)))
        return 1;
    return cmc_bad(why, second ? "not one message inside, or two, numbered 1 and 2"
                               : "not exactly one message inside, numbered 1");
}

int cmc_text_ok(const ASN1_STRING *s, size_t most)
{
    struct span t = cmc_string(s);
    if (t.n < 1 || t.n > most)
        return 0;
    for (size_t i = 0; i < t.n;) {
        unsigned long c;
        int k = UTF8_getc(t.p + i, (int)(t.n - i), &c);
        if (k <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return 0;
        i += (size_t)k;
    }
    return 1;
}

ASN1_INTEGER *cmc_integer(uint32_t v)
{
    ASN1_INTEGER *i = ASN1_INTEGER_new();
    if (!i || !ASN1_INTEGER_set_uint64(i, v))
        cmc_failed();
    return i;
}

void cmc_set(ASN1_STRING *s, const void *p, size_t n)
{
    if (!ASN1_STRING_set(s, p, (int)n))
        cmc_failed();
}

static void add(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c, int type,
                ASN1_STRING *value)
{
    TaggedAttribute *a = cmc_new(CMC_ASN1_ATTRIBUTE);
    ASN1_TYPE *t = ASN1_TYPE_new();
    if (!t || !ASN1_INTEGER_set_uint64(a->bodyPartID, id))
        cmc_failed();
    a->attrType = OBJ_dup(control_object(c));
    ASN1_TYPE_set(t, type, value);
    if (!sk_ASN1_TYPE_push(a->attrValues, t) || !sk_TaggedAttribute_push(to, a))
        cmc_failed();
}

static ASN1_STRING *string(int type, struct span v)
{
    ASN1_STRING *s = ASN1_STRING_type_new(type);
    if (!s)
        cmc_failed();
    cmc_set(s, v.p, v.n);
    return s;
}

void cmc_add_string(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c,
                    struct span value)
{
    add(to, id, c, V_ASN1_OCTET_STRING, string(V_ASN1_OCTET_STRING, value));
}

void cmc_add_der(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c, struct span der)
{
    add(to, id, c, V_ASN1_SEQUENCE, string(V_ASN1_SEQUENCE, der));
}

void cmc_add_tid(STACK_OF(TaggedAttribute) * to, uint32_t id, const unsigned char tid[CMC_TID])
{
    size_t skip = 0;
    while (skip < CMC_TID - 1 && !tid[skip])
        skip++;
    add(to, id, CTL_TRANSACTION_ID, V_ASN1_INTEGER,
        string(V_ASN1_INTEGER, (struct span){tid + skip, CMC_TID - skip}));
}

void cmc_add_list(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c, uint32_t last)
{
    STACK_OF(ASN1_INTEGER) *list = sk_ASN1_INTEGER_new_null();
    struct buf der = {0};
    for (uint32_t i = 1; i <= last; i++)
        if (!list || !sk_ASN1_INTEGER_push(list, cmc_integer(i)))
            cmc_failed();
    cmc_encode(list, CMC_ASN1_BODY_LIST, &der);
    cmc_add_der(to, id, c, buf_span(&der));
    sk_ASN1_INTEGER_pop_free(list, ASN1_INTEGER_free);
    buf_free(&der);
}

void cmc_add_inner(STACK_OF(TaggedContentInfo) * to, uint32_t id, struct span inner)
{
    TaggedContentInfo *m = cmc_new(CMC_ASN1_CONTENT);
    cmc_set(m->contentInfo, inner.p, inner.n);
    if (!ASN1_INTEGER_set_uint64(m->bodyPartID, id) || !sk_TaggedContentInfo_push(to, m))
        cmc_failed();
}
