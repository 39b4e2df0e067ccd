/* The audit of a ledger (certline(7), AUDIT): what is in it, whether it is whole and was signed
 * for, and the evidence of a lot that a third party checks with public certificates alone.
 *
 *     Evidence ::= SEQUENCE {      -- CMS content certline.32
 *         version   INTEGER (1),
 *         unit      UTF8String,
 *         owner     UTF8String,    -- of the lot
 *         lot       UTF8String,
 *         time      GeneralizedTime,  -- signingTime
 *         part      INTEGER,       -- from 1: a long export has a manifest behind each AUDIT_BLOCKS
 * blocks last      BOOLEAN, before    OCTET STRING (SIZE(32)),   -- digest of the manifest before;
 * zeros: part 1 blocks    SEQUENCE OF OCTET STRING (SIZE(32)) }  -- of the blocks since, in their
 * order
 *
 * Every call gives ST_OK; ST_REFUSED after a warning for each thing that was found wrong; ST_TEMP
 * where the ledger cannot be read; audit_check ST_INPUT, and ST_REFUSED for a CRL that is too old
 * alone. */
#ifndef AUDIT_H
#define AUDIT_H

#include "unit.h"

#define AUDIT_BLOCKS 50000

enum audit_form { AUDIT_TABLE, AUDIT_CSV, AUDIT_JSON };

/* NULL, empty and 0: any. */
struct audit_filter {
    const char *lot, *device, *unit, *owner, *status;
    struct span serial;   /* content octets */
    int64_t since, until; /* since <= time < until */
};
/* Whether a ledger has lines of this status at all. */
int audit_status_known(const char *name);

/* One line a device (attach, ca-sign) or message (verify-unit, ra-approve) on stdout. `u` is a
 * reader's. */
enum status audit_list(struct unit *u, const struct audit_filter *f, enum audit_form form);
/* All that the ledger knows of f->device, every signature verified. ST_REFUSED, too, if it knows
 * nothing. */
enum status audit_show(struct unit *u, const struct audit_filter *f);
/* Chains, signed heads, recorded messages and certificates; `heads`: a file of heads that was kept
 * elsewhere, or NULL. A summary goes to stdout. bar: shows progress. */
enum status audit_verify(struct unit *u, const char *heads, int bar);
/* Prints the newest signed head. ST_REFUSED if there is none. */
enum status audit_head(struct unit *u);

/* Prints the evidence of a lot; `u` is opened with its key. blocks: how many a manifest names at
 * the most, up to AUDIT_BLOCKS. ST_REFUSED if the ledger has nothing of this lot; ST_USAGE: a
 * ledger of attach or verify-unit, a lot of several owners and no f->owner. */
enum status audit_export(struct unit *u, const struct audit_filter *f, size_t blocks);

struct audit_trust {
    const char *trust, *unit_ca; /* as anchor_files has them */
    const char *const *crls;
    size_t n_crls;
};
/* The third party's side: checks the whole file, then prints one line a device; in a table, a
 * summary behind them. */
enum status audit_check(const char *file, const struct audit_trust *t, enum audit_form form);

#endif
