#include "head_asn1.h"

/* clang-format off: it takes the templates for expressions */

ASN1_SEQUENCE(LedgerLink) = {
    ASN1_SIMPLE(LedgerLink, writer, ASN1_INTEGER),
    ASN1_SIMPLE(LedgerLink, n, ASN1_INTEGER),
    ASN1_SIMPLE(LedgerLink, hash, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(LedgerLink)

const ASN1_ITEM *head_asn1_link(void)
{
    return ASN1_ITEM_rptr(LedgerLink);
}

ASN1_SEQUENCE(LedgerHead) = {
    ASN1_SIMPLE(LedgerHead, version, ASN1_INTEGER),
    ASN1_SIMPLE(LedgerHead, unit, ASN1_UTF8STRING),
    ASN1_SIMPLE(LedgerHead, before, ASN1_OCTET_STRING),
    ASN1_SIMPLE(LedgerHead, since, ASN1_INTEGER),
    ASN1_SIMPLE(LedgerHead, entry, ASN1_INTEGER),
    ASN1_SIMPLE(LedgerHead, time, ASN1_GENERALIZEDTIME),
    ASN1_SEQUENCE_OF(LedgerHead, links, LedgerLink),
} static_ASN1_SEQUENCE_END(LedgerHead)

const ASN1_ITEM *head_asn1(void)
{
    return ASN1_ITEM_rptr(LedgerHead);
}
