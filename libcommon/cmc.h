/* CMC (RFC 5272, RFC 6402): the contents of the layers, as MESSAGE certline-message(5) profiles
 * them. Everything decoded here comes out of a verified struct cms_layer. What deviates is an error
 * with `why` set. Views borrow from the layer and from the object they stand in; each object is
 * freed by its own _free. */
#ifndef CMC_H
#define CMC_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cms.h"

#define CMC_ITEMS 1000 /* requests in a message */
#define CMC_FIRST 101  /* attach numbers its requests from here, without a gap */
#define CMC_TID 16     /* transactionId, big-endian, left-padded */
#define CMC_RUN 16
#define CMC_NONCE 16 /* of our own; up to 64 are taken */
#define CMC_NONCE_MAX 64
#define CMC_TEXT 200   /* octets of a lot, profile or unit name */
#define CMC_DEVICE 128 /* octets of a device's id */
#define CMC_STRING 600 /* octets of a statusString */
#define CMC_WHY 300

/* CMCStatus, section 6.1.3 */
enum cmc_status { CMC_SUCCESS = 0, CMC_FAILED = 2, CMC_PENDING = 3 };

enum cmc_kind { CMC_TCR, CMC_KEY };
struct cmc_item {
    uint32_t id;
    enum cmc_kind kind;
    struct span der;    /* PKCS#10, or SubjectPublicKeyInfo */
    struct span device; /* what regInfo calls it */
};

/* Attach's PKIData. */
struct cmc_request {
    unsigned char tid[CMC_TID], run[CMC_RUN];
    struct span nonce;
    char *lot, *profile, *to;
    size_t n;
    struct cmc_item *items; /* in the order of their ids: items[i].id == CMC_FIRST + i */
    void *own;              /* what the views stand in */
};
struct cmc_request *cmc_request_open(const struct cms_layer *l, char why[CMC_WHY]);
void cmc_request_free(struct cmc_request *r);
/* Whether a PKIData of attach's is a poll: it has queryPending. */
int cmc_is_poll(const struct cms_layer *l);
/* Appends the DER of a PKIData from tid, run, nonce, lot, profile, to and items. */
void cmc_request_put(const struct cmc_request *r, struct buf *out);

/* Attach's poll: asks again after a message that is pending; has no requests (section 6.13). */
#define CMC_TOKEN 16 /* octets of a pendToken */
struct cmc_poll {
    unsigned char tid[CMC_TID], run[CMC_RUN]; /* those of the message that is pending */
    struct span nonce;                        /* new */
    struct span recipient_nonce;              /* the senderNonce of the leaf that said pending */
    unsigned char token[CMC_TOKEN];
    char *lot, *profile, *to;
    void *own;
};
struct cmc_poll *cmc_poll_open(const struct cms_layer *l, char why[CMC_WHY]);
void cmc_poll_free(struct cmc_poll *p);
void cmc_poll_put(const struct cmc_poll *p, struct buf *out);

/* Which request is meant: attach's number, or the number of verify-unit's crm. */
struct cmc_ref {
    uint32_t id;
    int crm;
};
/* What a unit says of requests: a verdict upward (certline.10), a status downward
 * (statusInfoV2, 6.1.1). */
struct cmc_verdict {
    enum cmc_status status;
    int fail; /* CMCFailInfo; -1: none */
    size_t n;
    struct cmc_ref *refs; /* n 0: the whole transaction, in answer to a poll that is not granted:
                             pending, or failed (badRequest) if nothing waits for it */
    struct span text;     /* statusString; empty: none */
    unsigned char token[CMC_TOKEN]; /* pendInfo: only with CMC_PENDING */
    int64_t pend_time;              /* when to ask again */
};
struct cmc_mod { /* modCertTemplate, section 6.5.1, for one request */
    struct cmc_ref ref;
    int replace;         /* FALSE: only what the request does not say itself */
    struct span subject; /* Name, or empty */
    struct span san;     /* GeneralNames, or empty */
};
struct cmc_crm { /* CertReqMsg (RFC 4211) with raVerified */
    uint32_t id; /* certReqId: the number of the OtherMsg whose key it carries */
    struct span subject, spki;
};

/* The wrapping PKIData of verify-unit and ra-approve. */
struct cmc_wrap {
    unsigned char tid[CMC_TID];
    struct span inner; /* ContentInfo */
    struct span poll;  /* ra-approve only: batchRequests {1,2}, the wrapped poll beside the stored
                          message; else empty */
    size_t n_verdicts, n_mods, n_crms;
    struct cmc_verdict *verdicts;
    struct cmc_mod *mods;
    struct cmc_crm *crms;
    void *own;
};
/* role: of the layer's signer; decides which controls may stand here and how paths are written. */
struct cmc_wrap *cmc_wrap_open(const struct cms_layer *l, enum path_role role, char why[CMC_WHY]);
void cmc_wrap_free(struct cmc_wrap *w);
void cmc_wrap_put(const struct cmc_wrap *w, enum path_role role, struct buf *out);

struct cmc_issued {
    uint32_t id;
    unsigned char hash[CMS_DIGEST]; /* of the certificate */
};

/* ca-sign's PKIResponse. */
struct cmc_leaf {
    unsigned char tid[CMC_TID], request[CMS_DIGEST];
    struct span nonce, recipient_nonce;
    size_t n_status, n_issued;
    struct cmc_verdict *status;
    struct cmc_issued *issued;
    void *own;
};
/* Checks that every id from CMC_FIRST on has exactly one status, and that exactly the successful
 * are issued; where one is pending, that none is; or, where a poll is not granted, that one status,
 * pending or failed, stands for the transaction. */
struct cmc_leaf *cmc_leaf_open(const struct cms_layer *l, char why[CMC_WHY]);
void cmc_leaf_free(struct cmc_leaf *f);
void cmc_leaf_put(const struct cmc_leaf *f, struct buf *out);
/* How many requests it answers; 0: a poll that is not granted. */
size_t cmc_leaf_count(const struct cmc_leaf *f);
/* The pending status in it, NULL if all is decided. */
const struct cmc_verdict *cmc_leaf_pending(const struct cmc_leaf *f);

/* The wrapping PKIResponse of ra-approve and verify-unit. */
struct cmc_rwrap {
    unsigned char tid[CMC_TID], request[CMS_DIGEST];
    struct span inner;
    void *own;
};
struct cmc_rwrap *cmc_rwrap_open(const struct cms_layer *l, char why[CMC_WHY]);
void cmc_rwrap_free(struct cmc_rwrap *w);
void cmc_rwrap_put(const struct cmc_rwrap *w, struct buf *out);

#endif
