/* The ledger of a unit: what it let through, committed before it is written to stdout. SQLite, WAL,
 * synchronous=FULL, user_version 1. Append-only: state is derived from entries, never updated in place.
 * Entries are chained by hash, one chain a writer (a process that wrote): hash = SHA-256(hash before ||
 * the entry's fields, each with its length).
 *
 * Every call that can fail prints one warning and gives ST_TEMP (locked, full, unreadable, a clock behind the newest
 * entry) or, on opening, ST_USAGE (another unit's ledger, a newer version, not a ledger, no folder for it). */
#ifndef LEDGER_H
#define LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"

enum ledger_kind {
    LEDGER_RUN_OPEN = 1,  /* attach: run */
    LEDGER_RUN_CLOSE = 2, /* attach: run; status = blocks that could not be read, part = blocks read */
    LEDGER_SENT = 3,      /* attach: a message: tid, run, lot, profile, key = senderNonce, digest_out, data = DER */
    LEDGER_ASKED = 4,     /* attach: a device of it: tid, part, device, key = hash of its key */
    LEDGER_ANSWER = 5,    /* attach: the answer to tid: digest_in */
    LEDGER_RECEIVED = 6,  /* attach: a certificate: tid, part, device, serial, data = DER */
    LEDGER_DELIVERED = 7, /* attach: it is on the device, read back: tid, part, device */
    LEDGER_REFUSED = 8,   /* attach: tid, part, device, status = failInfo, note = why */
    LEDGER_UP = 9,        /* verify-unit, ra-approve: a message let through: tid, unit = attach's id, key = digest of
                             attach's message, digest_in, digest_out, lot, profile, owner, data = DER */
    LEDGER_DOWN = 10,     /* verify-unit, ra-approve: a response: tid, unit, digest_in, digest_out, data */
    LEDGER_LEAF = 11,     /* ca-sign: its answer: tid, unit, key = digest of attach's message, digest_in, digest_out, data */
    LEDGER_ISSUED = 12    /* ca-sign: a certificate: tid, part, unit, owner, lot, profile, device, key, serial, data = DER,
                             status = notAfter, note = subject key identifier of the issuer, hex */
};

/* Spans and strings are borrowed; when read, until the next call on the ledger. Absent: {NULL, 0}, NULL, 0. */
struct ledger_entry {
    int64_t id, time; /* set by the ledger; neither goes back */
    enum ledger_kind kind;
    struct span tid, run;              /* 16 octets each */
    uint32_t part;                     /* body part id */
    const char *unit, *owner, *lot, *profile, *device;
    struct span key, serial, digest_in, digest_out, data;
    int64_t status;
    const char *note;
};

struct ledger;

/* Opens or makes it. unit: the id of the unit whose ledger it is, written in at first, compared later. */
enum status ledger_open(const char *path, const char *unit, struct ledger **out);
void ledger_close(struct ledger *l);

/* BEGIN IMMEDIATE, so that what is looked up stays true until the commit; checks the clock. Waits up to 30
 * seconds for another writer. */
enum status ledger_begin(struct ledger *l);
enum status ledger_commit(struct ledger *l);
void ledger_abort(struct ledger *l); /* NULL-safe; no effect outside a transaction */
/* Appends; only between begin and commit. */
enum status ledger_add(struct ledger *l, const struct ledger_entry *e);

/* Looking up: calls `each` for every entry that matches, oldest first, until it returns 0. `each` does not call
 * the ledger. */
typedef int ledger_each(const struct ledger_entry *e, void *arg);
/* by transaction: all entries of this kind (of this unit if not NULL). Not for LEDGER_ISSUED, which has no such
 * index: LEDGER_LEAF holds the answer to a transaction. */
enum status ledger_by_tid(struct ledger *l, enum ledger_kind kind, struct span tid, const char *unit,
                          ledger_each *each, void *arg);
/* LEDGER_ISSUED by owner, profile and device */
enum status ledger_by_device(struct ledger *l, const char *owner, const char *profile, const char *device,
                             ledger_each *each, void *arg);
/* LEDGER_ISSUED by key hash (indexed by its first 8 octets, compared in full) */
enum status ledger_by_key(struct ledger *l, struct span key, ledger_each *each, void *arg);

/* Attach's runs. */
struct ledger_run {
    int opened, closed;
    int64_t blocks, unreadable, asked, delivered, refused, unanswered;
};
enum status ledger_run_state(struct ledger *l, struct span run, struct ledger_run *out);
/* The devices that have neither LEDGER_DELIVERED nor LEDGER_REFUSED, as their LEDGER_ASKED entries; run empty:
 * of all runs, without those that got their answer for the same key in another transaction. */
enum status ledger_unanswered(struct ledger *l, struct span run, ledger_each *each, void *arg);
/* The LEDGER_SENT entries that have at least one such device. */
enum status ledger_unanswered_messages(struct ledger *l, ledger_each *each, void *arg);
/* Recomputes every chain. 1: whole; 0 after a warning that names the entry. */
int ledger_verify(struct ledger *l, int64_t *entries);

#endif
