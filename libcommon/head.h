/* Signed heads: where the chains of a ledger stand, signed by the unit with its key in the HSM, at
 * intervals and at the end of a run (certline(7), AUDIT). Each names the one before, so that heads
 * are a chain of their own: who cuts the ledger behind one must cut every head since. Whoever keeps
 * a head elsewhere (head: FILE) finds that too.
 *
 *     LedgerHead ::= SEQUENCE {       -- CMS content certline.31
 *         version   INTEGER (1),
 *         unit      UTF8String,
 *         before    OCTET STRING (SIZE(32)),   -- digest of the head before; zeros: the first
 *         since     INTEGER,                   -- the entry that it covered to
 *         entry     INTEGER,                   -- the last entry that this one covers
 *         time      GeneralizedTime,           -- signingTime
 *         links     SEQUENCE OF SEQUENCE { writer INTEGER, n INTEGER, hash OCTET STRING (SIZE(32))
 * } }
 *
 * Its LEDGER_HEAD entry also has status = entry, so that the next head is made without opening it.
 */
#ifndef HEAD_H
#define HEAD_H

#include "cms.h"
#include "ledger.h"
#include "pem.h"
#include "unit.h"

/* Between two transactions: signs and records a head when the last one of this process is older
 * than the unit's `head-every` and anything was recorded since. ST_TEMP after a warning. */
enum status head_due(struct unit *u);
/* Waits until fd can be read, and makes the heads that become due meanwhile. */
enum status head_wait(struct unit *u, int fd);
/* pem_next that waits, and makes the heads that become due meanwhile. */
enum status head_next(struct unit *u, int fd, struct pem *in, struct pem_block *out,
                      enum pem_result *got);
/* At the end of a run, whose status is `st`: a head if anything was recorded since the last one,
 * unless the unit ends because something is not available. The worse of both. */
enum status head_end(struct unit *u, enum status st);

struct head {
    char *unit;
    enum path_role role; /* of the unit */
    unsigned char digest[CMS_DIGEST], before[CMS_DIGEST];
    int64_t since, entry, time;
    size_t n;
    struct ledger_link *links;
};
/* Opens a head of whatever unit: signature, signer's path at the time of signing. NULL with `why`
 * set. */
struct head *head_open(struct span der, struct path *p, char why[CMS_WHY]);
void head_free(struct head *h);

#endif
