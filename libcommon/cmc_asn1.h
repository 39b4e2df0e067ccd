/* ASN.1 templates of RFC 5272, appendix A (module EnrollmentMessageSyntax), of RFC 4211 and of
 * certline-message(5). What need not be opened is opaque. For cmc*.c only. */
#ifndef CMC_ASN1_H
#define CMC_ASN1_H

#include <openssl/asn1t.h>
#include <openssl/x509.h>

typedef struct {
    ASN1_INTEGER *bodyPartID;
    ASN1_OBJECT *attrType;
    STACK_OF(ASN1_TYPE) * attrValues;
} TaggedAttribute;
DEFINE_STACK_OF(TaggedAttribute)

typedef struct {
    ASN1_INTEGER *bodyPartID;
    ASN1_STRING *certificationRequest; /* opaque: the device's octets */
} TaggedCertificationRequest;

typedef struct {             /* RFC 4211, section 5 */
    ASN1_STRING *subject;    /* [5] EXPLICIT Name, opaque with its tag */
    ASN1_STRING *publicKey;  /* [6] IMPLICIT SubjectPublicKeyInfo, opaque with its tag */
    ASN1_STRING *extensions; /* [9] IMPLICIT Extensions, opaque with its tag */
} CertTemplate;

typedef struct {
    ASN1_INTEGER *certReqId;
    CertTemplate *certTemplate;
} CertRequest;

typedef struct { /* ProofOfPossession ::= CHOICE { raVerified [0] NULL, ... } */
    int type;
    union {
        ASN1_NULL *raVerified;
    } d;
} ProofOfPossession;

typedef struct {
    CertRequest *certReq;
    ProofOfPossession *popo;
} CertReqMsg;

typedef struct {
    int type; /* 0 tcr, 1 crm */
    union {
        TaggedCertificationRequest *tcr;
        CertReqMsg *crm;
    } d;
} TaggedRequest;
DEFINE_STACK_OF(TaggedRequest)

typedef struct {
    ASN1_INTEGER *bodyPartID;
    ASN1_STRING *contentInfo; /* opaque */
} TaggedContentInfo;
DEFINE_STACK_OF(TaggedContentInfo)

typedef struct {
    ASN1_INTEGER *bodyPartID;
    ASN1_OBJECT *otherMsgType;
    ASN1_STRING *otherMsgValue; /* SubjectPublicKeyInfo, opaque */
} OtherMsg;
DEFINE_STACK_OF(OtherMsg)

typedef struct {
    STACK_OF(TaggedAttribute) * controlSequence;
    STACK_OF(TaggedRequest) * reqSequence;
    STACK_OF(TaggedContentInfo) * cmsSequence;
    STACK_OF(OtherMsg) * otherMsgSequence;
} PKIData;

typedef struct {
    STACK_OF(TaggedAttribute) * controlSequence;
    STACK_OF(TaggedContentInfo) * cmsSequence;
    STACK_OF(OtherMsg) * otherMsgSequence;
} PKIResponse;

typedef struct {
    int type; /* 0 bodyPartID, 1 bodyPartPath */
    union {
        ASN1_INTEGER *bodyPartID;
        STACK_OF(ASN1_INTEGER) * bodyPartPath;
    } d;
} BodyPartReference;
DEFINE_STACK_OF(BodyPartReference)

typedef struct {
    ASN1_OCTET_STRING *pendToken;
    ASN1_GENERALIZEDTIME *pendTime;
} PendInfo;

typedef struct {
    int type; /* 0 failInfo, 1 pendInfo */
    union {
        ASN1_INTEGER *failInfo;
        PendInfo *pendInfo;
    } d;
} OtherStatusInfo;

typedef struct {
    ASN1_INTEGER *cMCStatus;
    STACK_OF(BodyPartReference) * bodyList;
    ASN1_UTF8STRING *statusString;
    OtherStatusInfo *otherInfo;
} CMCStatusInfoV2;

typedef struct {
    ASN1_INTEGER *pkiDataBodyid;
    STACK_OF(ASN1_INTEGER) * bodyIds;
} LraPopWitness;

typedef struct {
    STACK_OF(ASN1_INTEGER) * pkiDataReference;
    STACK_OF(ASN1_INTEGER) * certReferences;
    ASN1_BOOLEAN replace; /* DEFAULT TRUE */
    CertTemplate *certTemplate;
} ModCertTemplate;

typedef struct {
    ASN1_INTEGER *part;
    ASN1_UTF8STRING *device;
} DevicePart;
DEFINE_STACK_OF(DevicePart)

typedef struct {
    ASN1_INTEGER *version;
    ASN1_OCTET_STRING *run;
    ASN1_UTF8STRING *lot, *profile, *to;
    STACK_OF(DevicePart) * devices;
} RegInfo;

typedef struct {
    ASN1_INTEGER *part;
    ASN1_OCTET_STRING *certHash;
} IssuedPart;
DEFINE_STACK_OF(IssuedPart)

typedef struct {
    ASN1_INTEGER *version;
    ASN1_OCTET_STRING *request;
    STACK_OF(IssuedPart) * issued;
} ResponseInfo;

enum cmc_item_type {
    CMC_ASN1_PKI_DATA,
    CMC_ASN1_PKI_RESPONSE,
    CMC_ASN1_STATUS,
    CMC_ASN1_WITNESS,
    CMC_ASN1_MOD,
    CMC_ASN1_REG_INFO,
    CMC_ASN1_RESPONSE_INFO,
    CMC_ASN1_BODY_LIST, /* BodyPartList, BodyPartPath: SEQUENCE OF BodyPartID */
    CMC_ASN1_REQUEST,
    CMC_ASN1_CRM,
    CMC_ASN1_TCR,
    CMC_ASN1_CONTENT,
    CMC_ASN1_OTHER_MSG,
    CMC_ASN1_ATTRIBUTE,
    CMC_ASN1_REFERENCE,
    CMC_ASN1_OTHER_STATUS,
    CMC_ASN1_PEND_INFO,
    CMC_ASN1_DEVICE_PART,
    CMC_ASN1_ISSUED_PART
};
const ASN1_ITEM *cmc_asn1(enum cmc_item_type t);

#endif
