#include "audit_asn1.h"

/* clang-format off: it takes the templates for expressions */

ASN1_SEQUENCE(Evidence) = {
    ASN1_SIMPLE(Evidence, version, ASN1_INTEGER),
    ASN1_SIMPLE(Evidence, unit, ASN1_UTF8STRING),
    ASN1_SIMPLE(Evidence, owner, ASN1_UTF8STRING),
    ASN1_SIMPLE(Evidence, lot, ASN1_UTF8STRING),
    ASN1_SIMPLE(Evidence, time, ASN1_GENERALIZEDTIME),
    ASN1_SIMPLE(Evidence, part, ASN1_INTEGER),
    ASN1_SIMPLE(Evidence, last, ASN1_BOOLEAN),
    ASN1_SIMPLE(Evidence, before, ASN1_OCTET_STRING),
    ASN1_SEQUENCE_OF(Evidence, blocks, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(Evidence)

const ASN1_ITEM *audit_asn1(void)
{
    return ASN1_ITEM_rptr(Evidence);
}
