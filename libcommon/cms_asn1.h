/* ASN.1 templates of RFC 5652, section 12.1, as far as one signer in one profile needs them.
 * Certificates and signed attributes are opaque: they are compared as octets, never rebuilt. For
 * cms*.c only. */
#ifndef CMS_ASN1_H
#define CMS_ASN1_H

#include <openssl/asn1t.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

typedef struct {
    ASN1_OBJECT *eContentType;
    ASN1_OCTET_STRING *eContent;
} EncapsulatedContentInfo;

typedef struct {
    ASN1_STRING *issuer; /* Name, opaque */
    ASN1_INTEGER *serialNumber;
} IssuerAndSerialNumber;

typedef struct {
    ASN1_INTEGER *version;
    IssuerAndSerialNumber *sid;
    X509_ALGOR *digestAlgorithm;
    ASN1_STRING *signedAttrs; /* [0] IMPLICIT SET, opaque */
    X509_ALGOR *signatureAlgorithm;
    ASN1_OCTET_STRING *signature;
} SignerInfo;
DEFINE_STACK_OF(SignerInfo)

typedef struct {
    ASN1_INTEGER *version;
    STACK_OF(X509_ALGOR) * digestAlgorithms;
    EncapsulatedContentInfo *encapContentInfo;
    STACK_OF(ASN1_STRING) * certificates; /* Certificate, opaque */
    STACK_OF(SignerInfo) * signerInfos;
} SignedData;

typedef struct {
    ASN1_OBJECT *contentType;
    SignedData *content;
} ContentInfo;

/* RFC 5035, section 4 */
typedef struct {
    STACK_OF(GENERAL_NAME) * issuer;
    ASN1_INTEGER *serialNumber;
} IssuerSerial;

typedef struct {
    X509_ALGOR *hashAlgorithm; /* absent: SHA-256 */
    ASN1_OCTET_STRING *certHash;
    IssuerSerial *issuerSerial;
} ESSCertIDv2;
DEFINE_STACK_OF(ESSCertIDv2)

typedef struct {
    STACK_OF(ESSCertIDv2) * certs;
} SigningCertificateV2;

const ASN1_ITEM *cms_asn1_content_info(void);
const ASN1_ITEM *cms_asn1_signer_info(void);
const ASN1_ITEM *cms_asn1_issuer_serial(void);
const ASN1_ITEM *cms_asn1_ess_cert_id(void);
const ASN1_ITEM *cms_asn1_signing_certificate(void);
/* SET OF Attribute with its universal tag, which is what is signed (RFC 5652, 5.4). */
const ASN1_ITEM *cms_asn1_signed_attributes(void);

#endif
