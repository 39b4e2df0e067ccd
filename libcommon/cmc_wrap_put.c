/* The wrapping PKIData of verify-unit and ra-approve, written. */
#include "cmc_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "der.h"

#define CONTROL_FIRST 10000 /* numbers of our controls: behind those of any request */

static ASN1_STRING *tagged(unsigned tag, struct span content)
{
    ASN1_STRING *s = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    int n = ASN1_object_size(1, (int)content.n, (int)tag);
    unsigned char *der = alloc_zero((size_t)n, 1), *p = der;
    if (!s)
        cmc_failed();
    ASN1_put_object(&p, 1, (int)content.n, (int)tag, V_ASN1_CONTEXT_SPECIFIC);
    memcpy(p, content.p, content.n);
    cmc_set(s, der, (size_t)n);
    free(der);
    return s;
}

/* Extensions { subjectAltName } */
static ASN1_STRING *tagged_san(struct span san)
{
    ASN1_OBJECT *oid = OBJ_nid2obj(NID_subject_alt_name);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    unsigned char *der = NULL;
    if (!value)
        cmc_failed();
    cmc_set(value, san.p, san.n);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    int n = e ? i2d_X509_EXTENSION(e, &der) : 0;
    if (n <= 0)
        cmc_failed();
    ASN1_STRING *s = tagged(9, (struct span){der, (size_t)n});
    OPENSSL_free(der);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    return s;
}

static void put_mod(PKIData *d, uint32_t id, const struct cmc_mod *m)
{
    ModCertTemplate *t = cmc_new(CMC_ASN1_MOD);
    struct buf der = {0};
    t->replace = m->replace ? 0xff : 0;
    if (!sk_ASN1_INTEGER_push(t->pkiDataReference, cmc_integer(m->ref.crm ? 0 : 1)) ||
        !sk_ASN1_INTEGER_push(t->certReferences, cmc_integer(m->ref.id)))
        cmc_failed();
    if (m->subject.n)
        t->certTemplate->subject = tagged(5, m->subject);
    if (m->san.n)
        t->certTemplate->extensions = tagged_san(m->san);
    cmc_encode(t, CMC_ASN1_MOD, &der);
    cmc_add_der(d->controlSequence, id, CTL_MOD_CERT_TEMPLATE, buf_span(&der));
    cmc_discard(t, CMC_ASN1_MOD);
    buf_free(&der);
}

static void put_crm(PKIData *d, const struct cmc_crm *c)
{
    TaggedRequest *t = cmc_new(CMC_ASN1_REQUEST);
    struct der_tlv key;
    t->type = 1;
    t->d.crm = cmc_new(CMC_ASN1_CRM);
    CertRequest *r = t->d.crm->certReq;
    if (!ASN1_INTEGER_set_uint64(r->certReqId, c->id) ||
        !der_one(c->spki.p, c->spki.n, DER_UNIVERSAL, V_ASN1_SEQUENCE, &key))
        cmc_failed();
    r->certTemplate->subject = tagged(5, c->subject);
    r->certTemplate->publicKey = tagged(6, (struct span){key.content, key.len});
    t->d.crm->popo->type = 0;
    t->d.crm->popo->d.raVerified = ASN1_NULL_new();
    if (!sk_TaggedRequest_push(d->reqSequence, t))
        cmc_failed();
}

static void put_witness(PKIData *d, uint32_t id, const struct cmc_wrap *w)
{
    LraPopWitness *l = cmc_new(CMC_ASN1_WITNESS);
    struct buf der = {0};
    if (!ASN1_INTEGER_set_uint64(l->pkiDataBodyid, 0))
        cmc_failed();
    for (size_t i = 0; i < w->n_crms; i++)
        if (!sk_ASN1_INTEGER_push(l->bodyIds, cmc_integer(w->crms[i].id)))
            cmc_failed();
    cmc_encode(l, CMC_ASN1_WITNESS, &der);
    cmc_add_der(d->controlSequence, id, CTL_LRA_POP_WITNESS, buf_span(&der));
    cmc_discard(l, CMC_ASN1_WITNESS);
    buf_free(&der);
}

void cmc_wrap_put(const struct cmc_wrap *w, enum path_role role, struct buf *out)
{
    PKIData *d = cmc_new(CMC_ASN1_PKI_DATA);
    uint32_t id = CONTROL_FIRST;
    struct buf der = {0};
    cmc_add_tid(d->controlSequence, id++, w->tid);
    cmc_add_list(d->controlSequence, id++, CTL_BATCH_REQUESTS, w->poll.n ? 2 : 1);
    for (size_t i = 0; i < w->n_verdicts; i++) {
        buf_reset(&der);
        cmc_put_status(&w->verdicts[i], cmc_depth(role), &der);
        cmc_add_der(d->controlSequence, id++, CTL_VERDICT, buf_span(&der));
    }
    for (size_t i = 0; i < w->n_mods; i++)
        put_mod(d, id++, &w->mods[i]);
    for (size_t i = 0; i < w->n_crms; i++)
        put_crm(d, &w->crms[i]);
    if (w->n_crms)
        put_witness(d, id, w);
    cmc_add_inner(d->cmsSequence, 1, w->inner);
    if (w->poll.n)
        cmc_add_inner(d->cmsSequence, 2, w->poll);
    cmc_encode(d, CMC_ASN1_PKI_DATA, out);
    cmc_discard(d, CMC_ASN1_PKI_DATA);
    buf_free(&der);
}
