/* head.h's LedgerHead: its ASN.1 templates, and its content ahead of the signature. For head*.c
 * only. */
#ifndef HEAD_ASN1_H
#define HEAD_ASN1_H

#include <openssl/asn1t.h>

#include "head.h"

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

void head_put(const struct head *h, struct buf *out);
/* 0: not the octets that head_put makes of it; what was taken is to be freed in every case. */
int head_take(struct span der, struct head *h);

#endif
