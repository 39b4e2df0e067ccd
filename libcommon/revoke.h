/* Revoking by the person who holds the CA's token: one certificate, a device, a lot, what came
 * through a unit; all that was asked for or nothing. What the ledger says is published by crl-make.
 * A revocation is final: its first date and reason stay. */
#ifndef REVOKE_H
#define REVOKE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define REVOKE_WHY 500 /* octets of UTF-8 */

struct revoke {
    const char *config; /* certline-unit(5) of ca-sign */
    /* What, exactly one of them; none: CERTIFICATE blocks from `file`, NULL for stdin. */
    const char *serial, *device, *lot, *unit, *csv;
    const char *file;
    /* Narrower, where not NULL or 0. */
    const char *owner, *profile;
    int64_t since;
    int reason;        /* CRLReason */
    const char *why;   /* for the ledger; only a dry run may do without */
    int allow_new_key; /* with device: allows one new key, too, whatever the profile's reissue rule
                          says */
    int dry_run;
    long count; /* how many that must be; -1: asks on the terminal */
};

/* Prints what was revoked (dry_run: would be), a line each. ST_REFUSED: nothing to revoke,
 * something that was named has no certificate, or the person said no; nothing was recorded.
 * ST_USAGE: not confirmed, or one name of several owners. */
enum status revoke_run(const struct revoke *r);

#endif
