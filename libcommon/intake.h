/* The way up through attach: requests and public keys of devices become messages to verify-unit
 * (RFC 5272, section 3.2.1). Judging them is for the units above: whatever can be read goes up and
 * comes back as an answer. What can not be read is named, counted and left out.
 *
 * All that is read in one call is one run of the ledger. It is closed there before the caller
 * closes stdout, so that the attach at the other end of the line knows whether all have an answer.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include "cmc.h"
#include "launch.h"
#include "pem.h"
#include "unit.h"

struct intake_options {
    const char *lot, *profile; /* profile NULL: the lot's, where this unit has a file of lots */
    const char *list;          /* a device list (CSV), NULL: none */
    const char *get; /* intake_get: the command, run by `launch` for each row of the list */
    struct launch *launch;
};

/* Whether a PEM block of this label starts the way up. */
int intake_label(const char *label);
/* Reads `in` to its end; what pem_next gave first is handed over. ST_INPUT if a block could not be
 * read, ST_EMPTY, ST_USAGE (lot, profile, list), ST_TEMP. */
enum status intake_run(struct unit *u, const struct intake_options *o, struct pem *in,
                       enum pem_result got, struct pem_block *first);
/* The same with a command for each device of the list, which prints its request or public key. */
enum status intake_get(struct unit *u, const struct intake_options *o);

/* Where a message stands that waits for people's approval. */
struct intake_pending {
    int waits;   /* an answer said pending: of the newest such one are the other fields */
    int decided; /* and another one decided */
    unsigned char token[CMC_TOKEN];
    unsigned char nonce[CMC_NONCE_MAX]; /* the leaf's senderNonce */
    size_t nonce_n;
    int64_t again; /* when to ask again */
};
enum status intake_pending(struct ledger *l, struct span tid, struct intake_pending *out);

/* Prints the devices that have no answer, of all runs, one a line: run, transaction, device, time
 * and state, separated by tabs. ST_REFUSED if there are any. */
enum status intake_unanswered(struct unit *u);
/* Prints the recorded messages of these devices again, but for those that wait for approval.
 * ST_REFUSED after a warning if some are too old to be taken. */
enum status intake_resend(struct unit *u);
/* Asks after the messages that wait for approval (RFC 5272, section 6.13): prints a new poll for
 * each. */
enum status intake_poll(struct unit *u);

#endif
