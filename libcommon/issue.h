/* Issuing: the rules of the CA's ledger (certline(7), LEDGER), the profile, the signature, the
 * record.
 *
 * A request's identity is (issuer, owner, profile, device, key). The same identity again gives the
 * recorded certificate again, except inside the profile's renew-before window; a revoked one is
 * refused. One key belongs to one device. A device with a new key is served by the profile's
 * reissue rule, or once because a person allowed it (LEDGER_ALLOWED); LEDGER_REISSUED says which.
 */
#ifndef ISSUE_H
#define ISSUE_H

#include "ledger.h"
#include "lot.h"
#include "profile.h"
#include "signer.h"

struct issue_ca {
    struct signer *signer;
    struct span certificate; /* DER of the CA's certificate; empty: self-signed */
    struct ledger *ledger;
};

/* The note of what this CA issued, revoked and listed: its key's identifier (RFC 5280, 4.2.1.2
 * (1)), hex. */
#define ISSUE_CA_ID 41
void issue_ca_id(struct signer *ca, char hex[ISSUE_CA_ID]);
/* For ledger_lock: keeps what revokes and what lists of one CA apart. Borrowed from `hex`. */
struct span issue_ca_lock(const char hex[ISSUE_CA_ID]);

struct issue_request {
    const struct profile *profile;
    struct profile_asked asked; /* asked.device set */
    const char *owner, *lot;
    const struct lots *lots; /* whose owners bound the names; NULL: nothing does */
    const char *unit;        /* attach's id; NULL for --direct */
    struct span tid;         /* empty for --direct */
    uint32_t part;
};

struct issue_result {
    struct buf certificate;        /* DER */
    int again;                     /* the recorded one */
    struct profile_result profile; /* fail, why, differences */
};

/* Inside a ledger transaction of the caller's. ST_OK: out->certificate is recorded. ST_REFUSED:
 * out->profile.fail and .why say why, nothing was recorded. ST_TEMP: after a warning. `out` may be
 * used again. */
enum status issue_certificate(const struct issue_ca *ca, const struct issue_request *r,
                              struct issue_result *out);
void issue_result_free(struct issue_result *r);

#endif
