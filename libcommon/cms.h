/* CMS SignedData (RFC 5652) in the one exact profile of certline-message(5). Parsing yields a
 * struct cms that nobody trusts; only cms_verify turns it into the struct cms_layer that the rest
 * of the code takes. */
#ifndef CMS_H
#define CMS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "path.h"
#include "signer.h"

#define CMS_MAX (4 * 1024 * 1024) /* octets of a message */
#define CMS_BAG 2100              /* certificates in a bag */
#define CMS_DIGEST 32             /* SHA-256 */
#define CMS_WHY 300

enum cms_type {
    CMS_PKI_DATA,     /* id-cct-PKIData: RFC 5272, 3.2 */
    CMS_PKI_RESPONSE, /* id-cct-PKIResponse */
    CMS_GRANT,        /* certline.30: what a person decided; approve.h */
    CMS_HEAD,         /* certline.31: where a ledger stands; head.h */
    CMS_EVIDENCE      /* certline.32: what an export of a ledger holds; audit.h */
};

struct cms; /* parsed, well formed, not verified */

/* Opens one ContentInfo, borrowed: der must outlive it. NULL with `why` set when it deviates from
 * the profile. */
struct cms *cms_parse(struct span der, char why[CMS_WHY]);
void cms_free(struct cms *c);
enum cms_type cms_peek_type(const struct cms *c); /* unverified: for the direction only */
/* signingTime, unverified: at which time to verify what was signed long ago. */
int64_t cms_peek_time(const struct cms *c);
/* The bag, unverified: of what this unit signed itself. */
const struct span *cms_peek_certs(const struct cms *c, size_t *n);

/* A layer whose signature, signer and octets were verified. Borrowed from the struct cms. */
struct cms_layer {
    enum cms_type type;
    struct span content;              /* DER of what `type` says */
    struct span der;                  /* the ContentInfo */
    unsigned char digest[CMS_DIGEST]; /* SHA-256 of der */
    const struct path_unit *signer;
    int64_t signing_time;
    size_t n_certs;
    const struct span *certs; /* the bag */
    size_t n_other; /* those of the bag that are not the signer's path: ca-sign's answer only */
    const struct span *other;
};
/* Verifies the signature and the signer's path for this role at `now`; any other certificate in the
 * bag than the signer's path is an error unless the role is PATH_CA_SIGN. 1, or 0 with `why` set.
 */
int cms_verify(struct cms *c, struct path *p, enum path_role role, int64_t now,
               struct cms_layer *out, char why[CMS_WHY]);
/* The same for what any unit may have signed (a head): out->signer->role says which it was, never
 * PATH_APPROVER, who is no unit. */
int cms_verify_unit(struct cms *c, struct path *p, int64_t now, struct cms_layer *out,
                    char why[CMS_WHY]);

/* Signs: `chain` is the signer's path without the root (chain[0] the signer's own certificate),
 * `other` more certificates for the bag. Appends the ContentInfo. */
enum status cms_sign(struct signer *s, enum cms_type type, struct span content,
                     const struct span *chain, size_t n_chain, const struct span *other,
                     size_t n_other, int64_t now, struct buf *out);
void cms_digest(struct span der, unsigned char out[CMS_DIGEST]);

#endif
