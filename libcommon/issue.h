/* Issuing: the rules of the CA's ledger (certline(7), LEDGER), the profile, the signature, the
 * record.
 *
 * A request's identity is (issuer, owner, profile, device, key). The same identity again gives the
 * recorded certificate again, except inside the profile's renew-before window. One key belongs to
 * one device. */
#ifndef ISSUE_H
#define ISSUE_H

#include "ledger.h"
#include "profile.h"
#include "signer.h"

struct issue_ca {
    struct signer *signer;
    struct span certificate; /* DER of the CA's certificate; empty: self-signed */
    struct ledger *ledger;
};

struct issue_request {
    const struct profile *profile;
    struct profile_asked asked; /* asked.device set */
    const char *owner, *lot;
    const char *unit; /* attach's id; NULL for --direct */
    struct span tid;  /* empty for --direct */
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
