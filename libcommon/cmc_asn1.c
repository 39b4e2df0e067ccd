#include "cmc_asn1.h"

/* clang-format off: it takes the templates for expressions */

ASN1_SEQUENCE(TaggedAttribute) = {
    ASN1_SIMPLE(TaggedAttribute, bodyPartID, ASN1_INTEGER),
    ASN1_SIMPLE(TaggedAttribute, attrType, ASN1_OBJECT),
    ASN1_SET_OF(TaggedAttribute, attrValues, ASN1_ANY),
} static_ASN1_SEQUENCE_END(TaggedAttribute)

ASN1_SEQUENCE(TaggedCertificationRequest) = {
    ASN1_SIMPLE(TaggedCertificationRequest, bodyPartID, ASN1_INTEGER),
    ASN1_SIMPLE(TaggedCertificationRequest, certificationRequest, ASN1_SEQUENCE),
} static_ASN1_SEQUENCE_END(TaggedCertificationRequest)

/* Opaque with the tag: a SEQUENCE item read with an implicit tag keeps header and content. */
ASN1_SEQUENCE(CertTemplate) = {
    ASN1_IMP_OPT(CertTemplate, subject, ASN1_SEQUENCE, 5),
    ASN1_IMP_OPT(CertTemplate, publicKey, ASN1_SEQUENCE, 6),
    ASN1_IMP_OPT(CertTemplate, extensions, ASN1_SEQUENCE, 9),
} static_ASN1_SEQUENCE_END(CertTemplate)

ASN1_SEQUENCE(CertRequest) = {
    ASN1_SIMPLE(CertRequest, certReqId, ASN1_INTEGER),
    ASN1_SIMPLE(CertRequest, certTemplate, CertTemplate),
} static_ASN1_SEQUENCE_END(CertRequest)

ASN1_CHOICE(ProofOfPossession) = {
    ASN1_IMP(ProofOfPossession, d.raVerified, ASN1_NULL, 0),
} static_ASN1_CHOICE_END(ProofOfPossession)

ASN1_SEQUENCE(CertReqMsg) = {
    ASN1_SIMPLE(CertReqMsg, certReq, CertRequest),
    ASN1_SIMPLE(CertReqMsg, popo, ProofOfPossession),
} static_ASN1_SEQUENCE_END(CertReqMsg)

ASN1_CHOICE(TaggedRequest) = {
    ASN1_IMP(TaggedRequest, d.tcr, TaggedCertificationRequest, 0),
    ASN1_IMP(TaggedRequest, d.crm, CertReqMsg, 1),
} static_ASN1_CHOICE_END(TaggedRequest)

ASN1_SEQUENCE(TaggedContentInfo) = {
    ASN1_SIMPLE(TaggedContentInfo, bodyPartID, ASN1_INTEGER),
    ASN1_SIMPLE(TaggedContentInfo, contentInfo, ASN1_SEQUENCE),
} static_ASN1_SEQUENCE_END(TaggedContentInfo)

ASN1_SEQUENCE(OtherMsg) = {
    ASN1_SIMPLE(OtherMsg, bodyPartID, ASN1_INTEGER),
    ASN1_SIMPLE(OtherMsg, otherMsgType, ASN1_OBJECT),
    ASN1_SIMPLE(OtherMsg, otherMsgValue, ASN1_SEQUENCE),
} static_ASN1_SEQUENCE_END(OtherMsg)

ASN1_SEQUENCE(PKIData) = {
    ASN1_SEQUENCE_OF(PKIData, controlSequence, TaggedAttribute),
    ASN1_SEQUENCE_OF(PKIData, reqSequence, TaggedRequest),
    ASN1_SEQUENCE_OF(PKIData, cmsSequence, TaggedContentInfo),
    ASN1_SEQUENCE_OF(PKIData, otherMsgSequence, OtherMsg),
} static_ASN1_SEQUENCE_END(PKIData)

ASN1_SEQUENCE(PKIResponse) = {
    ASN1_SEQUENCE_OF(PKIResponse, controlSequence, TaggedAttribute),
    ASN1_SEQUENCE_OF(PKIResponse, cmsSequence, TaggedContentInfo),
    ASN1_SEQUENCE_OF(PKIResponse, otherMsgSequence, OtherMsg),
} static_ASN1_SEQUENCE_END(PKIResponse)

ASN1_CHOICE(BodyPartReference) = {
    ASN1_SIMPLE(BodyPartReference, d.bodyPartID, ASN1_INTEGER),
    ASN1_SEQUENCE_OF(BodyPartReference, d.bodyPartPath, ASN1_INTEGER),
} static_ASN1_CHOICE_END(BodyPartReference)

ASN1_SEQUENCE(PendInfo) = {
    ASN1_SIMPLE(PendInfo, pendToken, ASN1_OCTET_STRING),
    ASN1_SIMPLE(PendInfo, pendTime, ASN1_GENERALIZEDTIME),
} static_ASN1_SEQUENCE_END(PendInfo)

ASN1_CHOICE(OtherStatusInfo) = {
    ASN1_SIMPLE(OtherStatusInfo, d.failInfo, ASN1_INTEGER),
    ASN1_SIMPLE(OtherStatusInfo, d.pendInfo, PendInfo),
} static_ASN1_CHOICE_END(OtherStatusInfo)

ASN1_SEQUENCE(CMCStatusInfoV2) = {
    ASN1_SIMPLE(CMCStatusInfoV2, cMCStatus, ASN1_INTEGER),
    ASN1_SEQUENCE_OF(CMCStatusInfoV2, bodyList, BodyPartReference),
    ASN1_OPT(CMCStatusInfoV2, statusString, ASN1_UTF8STRING),
    ASN1_OPT(CMCStatusInfoV2, otherInfo, OtherStatusInfo),
} static_ASN1_SEQUENCE_END(CMCStatusInfoV2)

ASN1_SEQUENCE(LraPopWitness) = {
    ASN1_SIMPLE(LraPopWitness, pkiDataBodyid, ASN1_INTEGER),
    ASN1_SEQUENCE_OF(LraPopWitness, bodyIds, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(LraPopWitness)

ASN1_SEQUENCE(ModCertTemplate) = {
    ASN1_SEQUENCE_OF(ModCertTemplate, pkiDataReference, ASN1_INTEGER),
    ASN1_SEQUENCE_OF(ModCertTemplate, certReferences, ASN1_INTEGER),
    ASN1_OPT(ModCertTemplate, replace, ASN1_TBOOLEAN),
    ASN1_SIMPLE(ModCertTemplate, certTemplate, CertTemplate),
} static_ASN1_SEQUENCE_END(ModCertTemplate)

ASN1_SEQUENCE(DevicePart) = {
    ASN1_SIMPLE(DevicePart, part, ASN1_INTEGER),
    ASN1_SIMPLE(DevicePart, device, ASN1_UTF8STRING),
} static_ASN1_SEQUENCE_END(DevicePart)

ASN1_SEQUENCE(RegInfo) = {
    ASN1_SIMPLE(RegInfo, version, ASN1_INTEGER),
    ASN1_SIMPLE(RegInfo, run, ASN1_OCTET_STRING),
    ASN1_SIMPLE(RegInfo, lot, ASN1_UTF8STRING),
    ASN1_SIMPLE(RegInfo, profile, ASN1_UTF8STRING),
    ASN1_SIMPLE(RegInfo, to, ASN1_UTF8STRING),
    ASN1_SEQUENCE_OF(RegInfo, devices, DevicePart),
} static_ASN1_SEQUENCE_END(RegInfo)

ASN1_SEQUENCE(IssuedPart) = {
    ASN1_SIMPLE(IssuedPart, part, ASN1_INTEGER),
    ASN1_SIMPLE(IssuedPart, certHash, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(IssuedPart)

ASN1_SEQUENCE(ResponseInfo) = {
    ASN1_SIMPLE(ResponseInfo, version, ASN1_INTEGER),
    ASN1_SIMPLE(ResponseInfo, request, ASN1_OCTET_STRING),
    ASN1_SEQUENCE_OF(ResponseInfo, issued, IssuedPart),
} static_ASN1_SEQUENCE_END(ResponseInfo)

ASN1_ITEM_TEMPLATE(BodyPartList) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, BodyPartList, ASN1_INTEGER)
static_ASN1_ITEM_TEMPLATE_END(BodyPartList)

const ASN1_ITEM *cmc_asn1(enum cmc_item_type t)
{
    switch (t) {
    case CMC_ASN1_PKI_DATA:
        return ASN1_ITEM_rptr(PKIData);
    case CMC_ASN1_PKI_RESPONSE:
        return ASN1_ITEM_rptr(PKIResponse);
    case CMC_ASN1_STATUS:
        return ASN1_ITEM_rptr(CMCStatusInfoV2);
    case CMC_ASN1_WITNESS:
        return ASN1_ITEM_rptr(LraPopWitness);
    case CMC_ASN1_MOD:
        return ASN1_ITEM_rptr(ModCertTemplate);
    case CMC_ASN1_REG_INFO:
        return ASN1_ITEM_rptr(RegInfo);
    case CMC_ASN1_RESPONSE_INFO:
        return ASN1_ITEM_rptr(ResponseInfo);
    case CMC_ASN1_BODY_LIST:
        return ASN1_ITEM_rptr(BodyPartList);
    case CMC_ASN1_REQUEST:
        return ASN1_ITEM_rptr(TaggedRequest);
    case CMC_ASN1_CRM:
        return ASN1_ITEM_rptr(CertReqMsg);
    case CMC_ASN1_TCR:
        return ASN1_ITEM_rptr(TaggedCertificationRequest);
    case CMC_ASN1_CONTENT:
        return ASN1_ITEM_rptr(TaggedContentInfo);
    case CMC_ASN1_OTHER_MSG:
        return ASN1_ITEM_rptr(OtherMsg);
    case CMC_ASN1_ATTRIBUTE:
        return ASN1_ITEM_rptr(TaggedAttribute);
    case CMC_ASN1_REFERENCE:
        return ASN1_ITEM_rptr(BodyPartReference);
    case CMC_ASN1_OTHER_STATUS:
        return ASN1_ITEM_rptr(OtherStatusInfo);
    case CMC_ASN1_PEND_INFO:
        return ASN1_ITEM_rptr(PendInfo);
    case CMC_ASN1_DEVICE_PART:
        return ASN1_ITEM_rptr(DevicePart);
    case CMC_ASN1_ISSUED_PART:
        return ASN1_ITEM_rptr(IssuedPart);
    }
    return NULL;
}
