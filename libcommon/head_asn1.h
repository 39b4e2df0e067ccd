/* ASN.1 templates of head.h's LedgerHead. For head*.c only. */
#ifndef HEAD_ASN1_H
#define HEAD_ASN1_H

#include <openssl/asn1t.h>

typedef struct {
    ASN1_INTEGER *writer, *n;
    ASN1_OCTET_STRING *hash;
} LedgerLink;
DEFINE_STACK_OF(LedgerLink)

typedef struct {
    ASN1_INTEGER *version;
    ASN1_UTF8STRING *unit;
    ASN1_OCTET_STRING *before;
    ASN1_INTEGER *since, *entry;
    ASN1_GENERALIZEDTIME *time;
    STACK_OF(LedgerLink) * links;
} LedgerHead;

const ASN1_ITEM *head_asn1(void);
const ASN1_ITEM *head_asn1_link(void);

#endif
