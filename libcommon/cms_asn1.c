#include "cms_asn1.h"

/* clang-format off: it takes the templates for expressions */

ASN1_SEQUENCE(EncapsulatedContentInfo) = {
    ASN1_SIMPLE(EncapsulatedContentInfo, eContentType, ASN1_OBJECT),
    ASN1_EXP(EncapsulatedContentInfo, eContent, ASN1_OCTET_STRING, 0),
} static_ASN1_SEQUENCE_END(EncapsulatedContentInfo)

ASN1_SEQUENCE(IssuerAndSerialNumber) = {
    ASN1_SIMPLE(IssuerAndSerialNumber, issuer, ASN1_SEQUENCE),
    ASN1_SIMPLE(IssuerAndSerialNumber, serialNumber, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(IssuerAndSerialNumber)

ASN1_SEQUENCE(SignerInfo) = {
    ASN1_SIMPLE(SignerInfo, version, ASN1_INTEGER),
    ASN1_SIMPLE(SignerInfo, sid, IssuerAndSerialNumber),
    ASN1_SIMPLE(SignerInfo, digestAlgorithm, X509_ALGOR),
    ASN1_IMP(SignerInfo, signedAttrs, ASN1_SEQUENCE, 0),
    ASN1_SIMPLE(SignerInfo, signatureAlgorithm, X509_ALGOR),
    ASN1_SIMPLE(SignerInfo, signature, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(SignerInfo)

const ASN1_ITEM *cms_asn1_signer_info(void)
{
    return ASN1_ITEM_rptr(SignerInfo);
}

ASN1_SEQUENCE(SignedData) = {
    ASN1_SIMPLE(SignedData, version, ASN1_INTEGER),
    ASN1_SET_OF(SignedData, digestAlgorithms, X509_ALGOR),
    ASN1_SIMPLE(SignedData, encapContentInfo, EncapsulatedContentInfo),
    ASN1_IMP_SET_OF(SignedData, certificates, ASN1_SEQUENCE, 0),
    ASN1_SET_OF(SignedData, signerInfos, SignerInfo),
} static_ASN1_SEQUENCE_END(SignedData)

ASN1_SEQUENCE(ContentInfo) = {
    ASN1_SIMPLE(ContentInfo, contentType, ASN1_OBJECT),
    ASN1_EXP(ContentInfo, content, SignedData, 0),
} static_ASN1_SEQUENCE_END(ContentInfo)

const ASN1_ITEM *cms_asn1_content_info(void)
{
    return ASN1_ITEM_rptr(ContentInfo);
}

ASN1_SEQUENCE(IssuerSerial) = {
    ASN1_SEQUENCE_OF(IssuerSerial, issuer, GENERAL_NAME),
    ASN1_SIMPLE(IssuerSerial, serialNumber, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(IssuerSerial)

const ASN1_ITEM *cms_asn1_issuer_serial(void)
{
    return ASN1_ITEM_rptr(IssuerSerial);
}

ASN1_SEQUENCE(ESSCertIDv2) = {
    ASN1_OPT(ESSCertIDv2, hashAlgorithm, X509_ALGOR),
    ASN1_SIMPLE(ESSCertIDv2, certHash, ASN1_OCTET_STRING),
    ASN1_OPT(ESSCertIDv2, issuerSerial, IssuerSerial),
} static_ASN1_SEQUENCE_END(ESSCertIDv2)

const ASN1_ITEM *cms_asn1_ess_cert_id(void)
{
    return ASN1_ITEM_rptr(ESSCertIDv2);
}

ASN1_SEQUENCE(SigningCertificateV2) = {
    ASN1_SEQUENCE_OF(SigningCertificateV2, certs, ESSCertIDv2),
} static_ASN1_SEQUENCE_END(SigningCertificateV2)

const ASN1_ITEM *cms_asn1_signing_certificate(void)
{
    return ASN1_ITEM_rptr(SigningCertificateV2);
}

ASN1_ITEM_TEMPLATE(SignedAttributes) = ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF, 0, SignedAttributes,
                                                             X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(SignedAttributes)

const ASN1_ITEM *cms_asn1_signed_attributes(void)
{
    return ASN1_ITEM_rptr(SignedAttributes);
}
