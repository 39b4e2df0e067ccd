/* ASN.1 template of audit.h's Evidence. For audit*.c only. */
#ifndef AUDIT_ASN1_H
#define AUDIT_ASN1_H

#include <openssl/asn1t.h>

DEFINE_STACK_OF(ASN1_OCTET_STRING)

typedef struct {
    ASN1_INTEGER *version;
    ASN1_UTF8STRING *unit, *owner, *lot;
    ASN1_GENERALIZEDTIME *time;
    ASN1_INTEGER *part;
    ASN1_BOOLEAN last;
    ASN1_OCTET_STRING *before;
    STACK_OF(ASN1_OCTET_STRING) * blocks;
} Evidence;

const ASN1_ITEM *audit_asn1(void);

#endif
