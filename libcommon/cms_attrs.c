/* The four signed attributes of the profile. One builder serves the signer and the verifier, who
 * builds them anew and compares octets: there is nothing else that they could say. */
#include "cms_priv.h"

#include <string.h>
#include <time.h>

#include "cms_asn1.h"
#include "der.h"
#include "diag.h"

/* Takes `value` over. Memory is all that can be missing here. */
static void add(STACK_OF(X509_ATTRIBUTE) * attrs, int nid, int type, void *value)
{
    X509_ATTRIBUTE *a = value ? X509_ATTRIBUTE_create(nid, type, value) : NULL;
    if (!a || !sk_X509_ATTRIBUTE_push(attrs, a))
        diag_exit(ST_TEMP, "signed attributes: %s", diag_openssl());
}

static ASN1_STRING *string(int type, const void *p, size_t n)
{
    ASN1_STRING *s = ASN1_STRING_type_new(type);
    if (!s || !ASN1_STRING_set(s, p, (int)n))
        diag_exit(ST_TEMP, "signed attributes: %s", diag_openssl());
    return s;
}

static IssuerSerial *issuer_serial(const struct x509_cert *c)
{
    IssuerSerial *is = (IssuerSerial *)ASN1_item_new(cms_asn1_issuer_serial());
    const unsigned char *p = c->issuer.p;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)c->issuer.n);
    GENERAL_NAME *gn = GENERAL_NAME_new();
    BIGNUM *bn = BN_bin2bn(c->serial.p, (int)c->serial.n, NULL);
    if (!is || !name || !gn || !bn || !BN_to_ASN1_INTEGER(bn, is->serialNumber))
        diag_exit(ST_TEMP, "signed attributes: %s", diag_openssl());
    GENERAL_NAME_set0_value(gn, GEN_DIRNAME, name);
    sk_GENERAL_NAME_push(is->issuer, gn);
    BN_free(bn);
    return is;
}

/* RFC 5035, section 4: which certificate it is that verifies this signature. */
static ASN1_STRING *signing_certificate(const struct cms_attrs *want, int ess)
{
    const EVP_MD *md = ess & CMS_ESS_MD ? want->md : EVP_sha256();
    unsigned char hash[EVP_MAX_MD_SIZE], *der = NULL;
    unsigned n;
    SigningCertificateV2 *sc =
        (SigningCertificateV2 *)ASN1_item_new(cms_asn1_signing_certificate());
    ESSCertIDv2 *id = (ESSCertIDv2 *)ASN1_item_new(cms_asn1_ess_cert_id());
    if (!sc || !id || !sk_ESSCertIDv2_push(sc->certs, id) ||
        !EVP_Digest(want->signer->der.p, want->signer->der.n, hash, &n, md, NULL) ||
        !ASN1_OCTET_STRING_set(id->certHash, hash, (int)n))
        diag_exit(ST_TEMP, "signed attributes: %s", diag_openssl());
    if (EVP_MD_get_type(md) != NID_sha256) {
        id->hashAlgorithm = X509_ALGOR_new();
        X509_ALGOR_set_md(id->hashAlgorithm, md);
    }
    if (ess & CMS_ESS_SERIAL)
        id->issuerSerial = issuer_serial(want->signer);
    int len = ASN1_item_i2d((ASN1_VALUE *)sc, &der, cms_asn1_signing_certificate());
    ASN1_STRING *s = string(V_ASN1_SEQUENCE, der, len > 0 ? (size_t)len : 0);
    OPENSSL_free(der);
    ASN1_item_free((ASN1_VALUE *)sc, cms_asn1_signing_certificate());
    return s;
}

void cms_attrs_put(const struct cms_attrs *want, int ess, struct buf *out)
{
    STACK_OF(X509_ATTRIBUTE) *attrs = sk_X509_ATTRIBUTE_new_null();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)want->time);
    unsigned char *der = NULL;
    add(attrs, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_dup(cms_object(want->type)));
    add(attrs, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING,
        string(V_ASN1_OCTET_STRING, want->digest, want->digest_n));
    add(attrs, NID_pkcs9_signingTime, time ? time->type : 0, time);
    add(attrs, NID_id_smime_aa_signingCertificateV2, V_ASN1_SEQUENCE,
        signing_certificate(want, ess));
    int n = ASN1_item_i2d((ASN1_VALUE *)attrs, &der, cms_asn1_signed_attributes());
    if (n <= 0)
        diag_exit(ST_TEMP, "signed attributes: %s", diag_openssl());
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    sk_X509_ATTRIBUTE_pop_free(attrs, X509_ATTRIBUTE_free);
}

/* The value of one attribute if it is signingTime. */
static int time_of(struct der_tlv attr, int64_t *t)
{
    static const unsigned char oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x05};
    struct der_tlv type, set, value;
    struct tm tm;
    const unsigned char *p = attr.content;
    size_t n = attr.len;
    if (!der_next(&p, &n, &type) || type.len != sizeof oid ||
        memcmp(type.content, oid, sizeof oid) || !der_next(&p, &n, &set))
        return 0;
    p = set.content;
    n = set.len;
    if (!der_next(&p, &n, &value))
        return 0;
    p = value.der;
    ASN1_TIME *at = d2i_ASN1_TIME(NULL, &p, (long)value.n);
    int ok = at && ASN1_TIME_to_tm(at, &tm);
    if (ok)
        *t = timegm(&tm);
    ASN1_TIME_free(at);
    return ok;
}

int cms_attrs_time(struct span attrs, int64_t *t)
{
    struct der_tlv set, attr;
    const unsigned char *p = attrs.p;
    size_t n = attrs.n;
    if (!der_next(&p, &n, &set))
        return 0;
    p = set.content;
    n = set.len;
    while (der_next(&p, &n, &attr))
        if (time_of(attr, t))
            return 1;
    return 0;
}
