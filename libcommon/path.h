/* Who signed: from a certificate to a unit that is trusted for one role (RFC 5280, section 6). */
#ifndef PATH_H
#define PATH_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#include "anchor.h"
#include "buf.h"
#include "x509.h"

/* The order of the chain upward. The role OID is certline.N, N as below plus 1. */
enum path_role {
    PATH_ATTACH,
    PATH_VERIFY_UNIT,
    PATH_RA_APPROVE,
    PATH_CA_SIGN,
    PATH_APPROVER /* a person; stands in no chain, has neither cmcRA nor cmcCA */
};
/* "attach", "verify-unit", "ra-approve", "ca-sign", "approver" */
const char *path_role_name(enum path_role r);
/* The role that a certificate's extended key usage names, not verified. 0: none, or several. */
int path_role_of(struct span cert, enum path_role *role);

/* A unit whose certificate was found good. Owned by the struct path, valid until it is freed or
 * path_refresh gave 1. */
struct path_unit {
    const char *id; /* the subject's only commonName */
    enum path_role role;
    EVP_PKEY *key;
    struct x509_cert cert; /* views of der kept with it */
    size_t n_chain;        /* the certificates from the unit's up to, not including, the root */
    struct span chain[4];
    int64_t not_before, not_after; /* of the whole path */
};

struct path;

struct path *path_new(struct anchor *a); /* a is borrowed */
/* For what was signed long ago: `now` of the calls below is then the time of signing. CRLs may be
 * newer or older than that; a certificate is good until its revocationDate, or its invalidityDate
 * (RFC 5280, 5.3.2) if that is earlier. */
struct path *path_new_past(struct anchor *a);
void path_free(struct path *p);
/* Forgets what was found good if there is little room left for more: what was given out is then no
 * longer valid. */
void path_trim(struct path *p);
/* anchor_refresh; forgets what was found good when a CRL changed. As anchor_refresh; -1, too, when
 * a CRL is past its nextUpdate: a unit must not go on, and it is not the sender's fault. */
int path_refresh(struct path *p);

/* For path_new_past, at the end: anchor_crls_end_before, as of the newest time at which path_check
 * found a unit good. */
int path_crls_end_before(const struct path *p);

/* Checks the unit certificate `cert` at time `now`: issued directly by the unit CA, path to a root,
 * validity, revocation, basicConstraints not a CA, keyUsage digitalSignature, exactly one role OID,
 * no anyExtendedKeyUsage, cmcRA and cmcCA exactly as the role has them, one commonName of 1 to 64
 * octets. A certificate that was found good is remembered by its octets (at most 256); time and
 * CRLs are checked at every call. `extra`: other certificates that may be needed for the path;
 * those that are not a CA's are passed over. NULL with `why` set ("certificate of attach-1 expired
 * 2026-01-01T00:00:00Z"). */
#define PATH_WHY 256
const struct path_unit *path_check(struct path *p, struct span cert, const struct span *extra,
                                   size_t n_extra, int64_t now, char why[PATH_WHY]);
/* Whether a device's certificate chains to a root: issuer certificate `ca` (and `extra`), at `now`;
 * gives the CA's key (owned by p), remembered like path_check. NULL with why set. */
EVP_PKEY *path_ca_key(struct path *p, struct span ca, const struct span *extra, size_t n_extra,
                      int64_t now, char why[PATH_WHY]);

#endif
