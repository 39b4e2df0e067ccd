/* The wrapping PKIData of verify-unit and ra-approve, read (RFC 5272, section 3.2.1 and 6.5.1; RFC
 * 4211).
 */
#include "cmc_priv.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "der.h"

struct own {
    PKIData *data;
    ModCertTemplate **mods; /* decoded apart: the views of w->mods stand in them */
    size_t n_mods;
    struct buf *spki; /* publicKey with its universal tag, one a crm */
    size_t n_spki;
};

/* The content of [tag], constructed. */
static struct span inside(const ASN1_STRING *s, unsigned tag)
{
    struct der_tlv t;
    struct span v = cmc_string(s);
    if (!der_one(v.p, v.n, DER_CONTEXT, tag, &t) || !t.constructed)
        return (struct span){NULL, 0};
    return (struct span){t.content, t.len};
}

/* [5] Name is EXPLICIT, since Name is a CHOICE. */
static int get_subject(const ASN1_STRING *s, struct span *out)
{
    struct der_tlv t;
    *out = inside(s, 5);
    return out->p && der_one(out->p, out->n, DER_UNIVERSAL, V_ASN1_SEQUENCE, &t) &&
           x509_name_ok(*out);
}

/* [9] Extensions with subjectAltName and nothing else, not critical: its GeneralNames. */
static int get_san(const ASN1_STRING *s, struct span *out)
{
    static const unsigned char oid[] = {0x55, 0x1d, 0x11};
    struct span v = inside(s, 9);
    struct der_tlv ext, id, value, names;
    if (!v.p || !der_one(v.p, v.n, DER_UNIVERSAL, V_ASN1_SEQUENCE, &ext))
        return 0;
    const unsigned char *p = ext.content;
    size_t n = ext.len;
    if (!der_next(&p, &n, &id) || id.len != sizeof oid || memcmp(id.content, oid, sizeof oid) ||
        !der_next(&p, &n, &value) || value.tag != V_ASN1_OCTET_STRING || n ||
        !der_one(value.content, value.len, DER_UNIVERSAL, V_ASN1_SEQUENCE, &names) || !names.len)
        return 0;
    *out = (struct span){names.der, names.n};
    char walk[DER_WHY];
    return der_check(names.der, names.n, NULL, 0, walk);
}

static int get_template(const ModCertTemplate *m, struct cmc_mod *out, char why[CMC_WHY])
{
    const CertTemplate *t = m->certTemplate;
    if (t->publicKey)
        return cmc_bad(why, "a modCertTemplate that names a key");
    if (!t->subject && !t->extensions)
        return cmc_bad(why, "a modCertTemplate that says nothing");
    if (t->subject && !get_subject(t->subject, &out->subject))
        return cmc_bad(why, "a modCertTemplate with a malformed subject");
    if (t->extensions && !get_san(t->extensions, &out->san))
        return cmc_bad(why, "a modCertTemplate with another extension than subjectAltName");
    out->replace = m->replace != 0;
    return 1;
}

static int stack_list(const STACK_OF(ASN1_INTEGER) * s, uint32_t *ids, size_t most, size_t *n)
{
    int have = sk_ASN1_INTEGER_num(s);
    if (have < 1 || (size_t)have > most)
        return 0;
    for (int i = 0; i < have; i++)
        if (!cmc_id(sk_ASN1_INTEGER_value(s, i), &ids[i]))
            return 0;
    *n = (size_t)have;
    return 1;
}

static struct cmc_mod *add_mod(struct cmc_wrap *w)
{
    w->mods = alloc_grow(w->mods, w->n_mods + 1, sizeof *w->mods);
    memset(&w->mods[w->n_mods], 0, sizeof *w->mods);
    return &w->mods[w->n_mods++];
}

/* pkiDataReference {1}: a request of attach's message; {0}: a crm of this layer. */
static int get_mod(struct cmc_wrap *w, const TaggedAttribute *a, char why[CMC_WHY])
{
    struct own *o = w->own;
    struct cmc_mod one = {0};
    uint32_t ref[CMC_PATH], ids[CMC_ITEMS];
    size_t n_ref, n;
    struct span v = cmc_value(a, V_ASN1_SEQUENCE);
    ModCertTemplate *m = v.p ? cmc_decode(v, CMC_ASN1_MOD, NULL, 0, why) : NULL;
    if (!m)
        return cmc_bad(why,
                       "a modCertTemplate with more than subject and subjectAltName, or malformed");
    o->mods = alloc_grow(o->mods, o->n_mods + 1, sizeof *o->mods);
    o->mods[o->n_mods++] = m;
    if (!get_template(m, &one, why))
        return 0;
    if (!stack_list(m->pkiDataReference, ref, CMC_PATH, &n_ref) || n_ref != 1 || ref[0] > 1 ||
        !stack_list(m->certReferences, ids, CMC_ITEMS, &n))
        return cmc_bad(why, "a modCertTemplate that does not name requests of this message");
    for (size_t i = 0; i < n; i++) {
        struct cmc_mod *to = add_mod(w);
        *to = one;
        to->ref = (struct cmc_ref){ids[i], ref[0] == 0};
    }
    return 1;
}

static int by_ref(const void *a, const void *b)
{
    const struct cmc_mod *x = a, *y = b;
    if (x->ref.crm != y->ref.crm)
        return x->ref.crm - y->ref.crm;
    if (x->ref.id != y->ref.id)
        return x->ref.id < y->ref.id ? -1 : 1;
    return x->replace - y->replace;
}

/* At most one with replace TRUE and one with FALSE a request, on different fields. */
static int mods_disjoint(struct cmc_wrap *w, char why[CMC_WHY])
{
    if (w->n_mods)
        qsort(w->mods, w->n_mods, sizeof *w->mods, by_ref);
    for (size_t i = 1; i < w->n_mods; i++) {
        const struct cmc_mod *a = &w->mods[i - 1], *b = &w->mods[i];
        if (a->ref.crm != b->ref.crm || a->ref.id != b->ref.id)
            continue;
        if (a->replace == b->replace || (a->subject.n && b->subject.n) || (a->san.n && b->san.n))
            return cmc_bad(why, "two modCertTemplates for the same field of request %u",
                           (unsigned)a->ref.id);
    }
    return 1;
}

static int get_crm(struct cmc_wrap *w, const CertReqMsg *m, char why[CMC_WHY])
{
    struct own *o = w->own;
    struct cmc_crm *c = &w->crms[w->n_crms];
    const CertTemplate *t = m->certReq->certTemplate;
    if (!cmc_id(m->certReq->certReqId, &c->id) || !t->subject || !t->publicKey || t->extensions)
        return cmc_bad(why, "a CRMF request with more or less than subject and public key");
    if (!get_subject(t->subject, &c->subject))
        return cmc_bad(why, "a CRMF request with a malformed subject");
    struct span key = cmc_string(t->publicKey);
    struct buf *b = &o->spki[o->n_spki++];
    buf_put(b, key.p, key.n);
    b->d[0] = 0x30; /* [6] IMPLICIT back to SEQUENCE */
    c->spki = buf_span(b);
    w->n_crms++;
    return 1;
}

static int get_crms(struct cmc_wrap *w, const PKIData *d, enum path_role role, char why[CMC_WHY])
{
    struct own *o = w->own;
    int n = sk_TaggedRequest_num(d->reqSequence);
    if (n && role != PATH_VERIFY_UNIT)
        return cmc_bad(why, "a request from %s", path_role_name(role));
    w->crms = alloc_zero((size_t)n, sizeof *w->crms);
    o->spki = alloc_zero((size_t)n, sizeof *o->spki);
    for (int i = 0; i < n; i++) {
        const TaggedRequest *t = sk_TaggedRequest_value(d->reqSequence, i);
        if (t->type != 1)
            return cmc_bad(why, "a PKCS #10 request from %s", path_role_name(role));
        if (!get_crm(w, t->d.crm, why))
            return 0;
    }
    return 1;
}

static int same_id(const void *a, const void *b)
{
    return *(const uint32_t *)a != *(const uint32_t *)b;
}

/* One lraPOPWitness {0, {all crm numbers}} (RFC 5272, section 6.8). */
static int get_witness(const struct cmc_wrap *w, const TaggedAttribute *a, char why[CMC_WHY])
{
    uint32_t ids[CMC_ITEMS], body;
    size_t n = 0;
    struct span v = cmc_value(a, V_ASN1_SEQUENCE);
    LraPopWitness *l = v.p ? cmc_decode(v, CMC_ASN1_WITNESS, NULL, 0, why) : NULL;
    int ok = l && cmc_id(l->pkiDataBodyid, &body) && body == 0 &&
             stack_list(l->bodyIds, ids, CMC_ITEMS, &n) && n == w->n_crms;
    for (size_t i = 0; ok && i < n; i++) {
        size_t k = n;
        ok = lfind(&w->crms[i].id, ids, &k, sizeof *ids, same_id) != NULL;
    }
    cmc_discard(l, CMC_ASN1_WITNESS);
    return ok || cmc_bad(why, "lraPOPWitness does not name the CRMF requests of its layer");
}

static int get_verdict(struct cmc_wrap *w, const TaggedAttribute *a, enum path_role role,
                       char why[CMC_WHY])
{
    w->verdicts = alloc_grow(w->verdicts, w->n_verdicts + 1, sizeof *w->verdicts);
    struct cmc_verdict *v = &w->verdicts[w->n_verdicts++];
    memset(v, 0, sizeof *v);
    return cmc_get_status(cmc_value(a, V_ASN1_SEQUENCE), cmc_depth(role), v, why);
}

/* Names what is inside: {1}, or {1,2} with a poll beside it. */
static int get_batch(const struct cmc_wrap *w, const TaggedAttribute *a, char why[CMC_WHY])
{
    uint32_t ids[2];
    size_t n, want = w->poll.n ? 2 : 1;
    if (cmc_get_list(cmc_value(a, V_ASN1_SEQUENCE), ids, 2, &n) && n == want && ids[0] == 1 &&
        (n == 1 || ids[1] == 2))
        return 1;
    return cmc_bad(why, "batchRequests is not %s", want == 2 ? "{1,2}" : "{1}");
}

static int get_controls(struct cmc_wrap *w, const PKIData *d, enum path_role role,
                        char why[CMC_WHY])
{
    const unsigned want = CTL_BIT(CTL_TRANSACTION_ID) | CTL_BIT(CTL_BATCH_REQUESTS);
    const unsigned many = CTL_BIT(CTL_VERDICT) | CTL_BIT(CTL_MOD_CERT_TEMPLATE);
    unsigned allowed = want | CTL_BIT(CTL_VERDICT), seen = 0;
    if (role == PATH_VERIFY_UNIT)
        allowed |= CTL_BIT(CTL_MOD_CERT_TEMPLATE) | CTL_BIT(CTL_LRA_POP_WITNESS);
    for (int i = 0; i < sk_TaggedAttribute_num(d->controlSequence); i++) {
        const TaggedAttribute *a = sk_TaggedAttribute_value(d->controlSequence, i);
        int c = cmc_control(a, allowed, many, &seen, why);
        if (c < 0)
            return 0;
        if (c == CTL_TRANSACTION_ID && !cmc_get_tid(a, w->tid))
            return cmc_bad(why, "transactionId is not a positive INTEGER below 2^128");
        if (c == CTL_BATCH_REQUESTS && !get_batch(w, a, why))
            return 0;
        if (c == CTL_VERDICT && !get_verdict(w, a, role, why))
            return 0;
        if (c == CTL_MOD_CERT_TEMPLATE && !get_mod(w, a, why))
            return 0;
        if (c == CTL_LRA_POP_WITNESS && !get_witness(w, a, why))
            return 0;
    }
    if ((seen & want) != want)
        return cmc_bad(why, "transactionId or batchRequests is missing");
    if (w->n_crms && !(seen & CTL_BIT(CTL_LRA_POP_WITNESS)))
        return cmc_bad(why, "CRMF requests without lraPOPWitness");
    return mods_disjoint(w, why);
}

struct cmc_wrap *cmc_wrap_open(const struct cms_layer *l, enum path_role role, char why[CMC_WHY])
{
    struct cmc_wrap *w = alloc_zero(1, sizeof *w);
    struct own *o = w->own = alloc_zero(1, sizeof *o);
    PKIData *d = o->data = cmc_decode(l->content, CMC_ASN1_PKI_DATA, NULL, 0, why);
    int ok = d && cmc_ids_unique(d->controlSequence, d->reqSequence, d->cmsSequence,
                                 d->otherMsgSequence, why);
    if (ok && sk_OtherMsg_num(d->otherMsgSequence))
        ok = cmc_bad(why, "a public key from %s", path_role_name(role));
    ok = ok &&
         cmc_get_inner(d->cmsSequence, &w->inner, role == PATH_RA_APPROVE ? &w->poll : NULL, why) &&
         get_crms(w, d, role, why) && get_controls(w, d, role, why);
    if (ok)
        return w;
    cmc_wrap_free(w);
    return NULL;
}

void cmc_wrap_free(struct cmc_wrap *w)
{
    if (!w)
        return;
    struct own *o = w->own;
    for (size_t i = 0; i < o->n_mods; i++)
        cmc_discard(o->mods[i], CMC_ASN1_MOD);
    for (size_t i = 0; i < o->n_spki; i++)
        buf_free(&o->spki[i]);
    cmc_discard(o->data, CMC_ASN1_PKI_DATA);
    cmc_free_status(w->verdicts, w->n_verdicts);
    free(o->mods);
    free(o->spki);
    free(o);
    free(w->mods);
    free(w->crms);
    free(w);
}
