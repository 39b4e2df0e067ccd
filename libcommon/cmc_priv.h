/* What the cmc*.c files share. */
#ifndef CMC_PRIV_H
#define CMC_PRIV_H

#include "cmc.h"
#include "cmc_asn1.h"
#include "diag.h"

enum cmc_control {
    CTL_TRANSACTION_ID,
    CTL_SENDER_NONCE,
    CTL_RECIPIENT_NONCE,
    CTL_QUERY_PENDING,
    CTL_REG_INFO,
    CTL_RESPONSE_INFO,
    CTL_LRA_POP_WITNESS,
    CTL_STATUS_INFO_V2,
    CTL_BATCH_REQUESTS,
    CTL_MOD_CERT_TEMPLATE,
    CTL_RESPONSE_BODY,
    CTL_VERDICT, /* certline.10 */
    CTL_COUNT
};
#define CTL_BIT(c) (1U << (c))
#define CMC_CONTROLS 4096 /* in a layer */
#define CMC_PATH 4        /* depth of a bodyPartPath */
#define CMC_TRANSACTION 1 /* body part of a transactionId: what is said of it, is of the whole */

int cmc_bad(char why[CMC_WHY], const char *fmt, ...) DIAG_PRINTF(2, 3); /* returns 0 */
_Noreturn void cmc_failed(void);                                        /* memory */

/* Decodes the content of a layer: strict DER (a device's PKCS#10 may have its SETs in any order),
 * template, octet for octet the same when written again. `lax` is der_check's path. */
void *cmc_decode(struct span der, enum cmc_item_type t, const int *lax, size_t lax_n,
                 char why[CMC_WHY]);
void cmc_discard(void *asn1, enum cmc_item_type t);
void cmc_encode(void *asn1, enum cmc_item_type t, struct buf *out);
void *cmc_new(enum cmc_item_type t);

/* Which control it is and that it may stand here (`allowed`, `many`: CTL_BITs) and has one value of
 * that ASN.1 type. seen: bits of those before. -1 with why set. */
int cmc_control(const TaggedAttribute *a, unsigned allowed, unsigned many, unsigned *seen,
                char why[CMC_WHY]);
/* The control's value as octets: the content of a string, the TLV of a SEQUENCE. NULL pointer if of
 * another type. */
struct span cmc_value(const TaggedAttribute *a, int type);
/* Reads INTEGER 0..2^32-1. */
int cmc_id(const ASN1_INTEGER *i, uint32_t *out);
/* All body part ids of a layer are different and not 0. */
int cmc_ids_unique(const STACK_OF(TaggedAttribute) * controls,
                   const STACK_OF(TaggedRequest) * requests,
                   const STACK_OF(TaggedContentInfo) * contents, const STACK_OF(OtherMsg) * others,
                   char why[CMC_WHY]);
/* transactionId: positive INTEGER below 2^128. */
int cmc_get_tid(const TaggedAttribute *a, unsigned char tid[CMC_TID]);
int cmc_get_list(struct span der, uint32_t *ids, size_t most,
                 size_t *n); /* BodyPartList, BodyPartPath */
int cmc_nonce_ok(struct span v);
/* regInfo: run, lot, profile and to of `r` (owned), and r->n devices. */
int cmc_get_reg_info(struct cmc_request *r, const TaggedAttribute *a, char why[CMC_WHY]);
void cmc_add_reg_info(STACK_OF(TaggedAttribute) * to, uint32_t id, const struct cmc_request *r);
/* The only element, numbered 1, of a cmsSequence; or that and the one numbered 2, where `second` is
 * not NULL, else empty. */
int cmc_get_inner(const STACK_OF(TaggedContentInfo) * s, struct span *inner, struct span *second,
                  char why[CMC_WHY]);
struct span cmc_string(const ASN1_STRING *s);
/* UTF8String of 1 to `most` octets, without control characters. */
int cmc_text_ok(const ASN1_STRING *s, size_t most);

/* Building: controls are numbered by the caller. */
ASN1_INTEGER *cmc_integer(uint32_t v);
void cmc_set(ASN1_STRING *s, const void *p, size_t n);
void cmc_add_string(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c,
                    struct span value);
void cmc_add_der(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c, struct span der);
void cmc_add_tid(STACK_OF(TaggedAttribute) * to, uint32_t id, const unsigned char tid[CMC_TID]);
/* {1} or {1,2}: the messages inside. */
void cmc_add_list(STACK_OF(TaggedAttribute) * to, uint32_t id, enum cmc_control c, uint32_t last);
void cmc_add_inner(STACK_OF(TaggedContentInfo) * to, uint32_t id, struct span inner);

/* A verdict or status, both CMCStatusInfoV2. depth 0: downward, plain ids; else the length of the
 * paths that name attach's requests, crm numbers one shorter. */
size_t cmc_depth(enum path_role role);
int cmc_get_status(struct span der, size_t depth, struct cmc_verdict *out, char why[CMC_WHY]);
void cmc_put_status(const struct cmc_verdict *v, size_t depth, struct buf *out);
void cmc_free_status(struct cmc_verdict *v, size_t n);

/* ResponseInfo. issued NULL: must be empty. */
struct cmc_issued;
int cmc_get_response_info(const TaggedAttribute *a, unsigned char request[CMS_DIGEST],
                          struct cmc_issued **issued, size_t *n, char why[CMC_WHY]);
void cmc_add_response_info(STACK_OF(TaggedAttribute) * to, uint32_t id,
                           const unsigned char request[CMS_DIGEST], const struct cmc_issued *issued,
                           size_t n);

#endif
