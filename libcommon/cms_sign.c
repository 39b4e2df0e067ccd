#include "cms.h"

#include <string.h>

#include "cms_asn1.h"
#include "cms_priv.h"
#include "diag.h"
#include "x509.h"

static _Noreturn void failed(void)
{
    diag_exit(ST_TEMP, "SignedData: %s", diag_openssl());
}

static int listed(struct span der, const struct span *certs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (buf_same(certs[i], der))
            return 1;
    return 0;
}

/* Those of certs that are not in `but` already: the bag is a SET. */
static void put_certs(SignedData *sd, const struct span *certs, size_t n, const struct span *but,
                      size_t n_but)
{
    for (size_t i = 0; i < n; i++) {
        if (listed(certs[i], but, n_but))
            continue;
        ASN1_STRING *s = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
        if (!s || !ASN1_STRING_set(s, certs[i].p, (int)certs[i].n) ||
            !sk_ASN1_STRING_push(sd->certificates, s))
            failed();
    }
}

static void put_sid(SignerInfo *si, const struct x509_cert *cert)
{
    BIGNUM *bn = BN_bin2bn(cert->serial.p, (int)cert->serial.n, NULL);
    if (!bn || !BN_to_ASN1_INTEGER(bn, si->sid->serialNumber) ||
        !ASN1_STRING_set(si->sid->issuer, cert->issuer.p, (int)cert->issuer.n))
        failed();
    si->sid->issuer->type = V_ASN1_SEQUENCE;
    BN_free(bn);
}

static void put_algorithms(SignedData *sd, SignerInfo *si, struct signer *s, const EVP_MD *md)
{
    struct buf der = {0};
    X509_ALGOR *digest = X509_ALGOR_new();
    signer_algorithm(s, 1, &der);
    const unsigned char *p = der.d;
    X509_ALGOR_set_md(si->digestAlgorithm, md);
    X509_ALGOR_set_md(digest, md);
    sk_X509_ALGOR_push(sd->digestAlgorithms, digest);
    if (!d2i_X509_ALGOR(&si->signatureAlgorithm, &p, (long)der.n))
        failed();
    buf_free(&der);
}

static enum status put_signature(SignerInfo *si, struct signer *s, const struct cms_attrs *attrs)
{
    struct buf tbs = {0}, sig = {0};
    cms_attrs_put(attrs, 0, &tbs);
    enum status st = signer_sign(s, tbs.d, tbs.n, &sig);
    if (st == ST_OK) {
        tbs.d[0] = 0xa0; /* [0] IMPLICIT in the message */
        if (!ASN1_STRING_set(si->signedAttrs, tbs.d, (int)tbs.n) ||
            !ASN1_STRING_set(si->signature, sig.d, (int)sig.n))
            failed();
    }
    buf_free(&tbs);
    buf_free(&sig);
    return st;
}

enum status cms_sign(struct signer *s, enum cms_type type, struct span content,
                     const struct span *chain, size_t n_chain, const struct span *other,
                     size_t n_other, int64_t now, struct buf *out)
{
    struct x509_cert cert;
    struct cms_attrs attrs = {.type = type, .time = now, .signer = &cert};
    ContentInfo *ci = (ContentInfo *)ASN1_item_new(cms_asn1_content_info());
    SignerInfo *si = (SignerInfo *)ASN1_item_new(cms_asn1_signer_info());
    unsigned char *der = NULL;
    if (!ci || !si || !x509_cert_view(chain[0], &cert))
        failed();
    SignedData *sd = ci->content;
    attrs.md = EVP_get_digestbynid(signer_md(s));
    if (!attrs.md ||
        !EVP_Digest(content.p, content.n, attrs.digest, &attrs.digest_n, attrs.md, NULL))
        failed();
    ci->contentType = OBJ_nid2obj(NID_pkcs7_signed);
    sd->encapContentInfo->eContentType = OBJ_dup(cms_object(type));
    if (!sd->encapContentInfo->eContentType || !ASN1_INTEGER_set(sd->version, 3) ||
        !ASN1_INTEGER_set(si->version, 1) ||
        !ASN1_STRING_set(sd->encapContentInfo->eContent, content.p, (int)content.n))
        failed();
    put_certs(sd, chain, n_chain, NULL, 0);
    put_certs(sd, other, n_other, chain, n_chain);
    put_sid(si, &cert);
    put_algorithms(sd, si, s, attrs.md);
    sk_SignerInfo_push(sd->signerInfos, si);
    enum status st = put_signature(si, s, &attrs);
    int n = st == ST_OK ? ASN1_item_i2d((ASN1_VALUE *)ci, &der, cms_asn1_content_info()) : 0;
    if (st == ST_OK && n <= 0)
        failed();
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    ASN1_item_free((ASN1_VALUE *)ci, cms_asn1_content_info());
    return st;
}
