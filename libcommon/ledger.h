/* The ledger of a unit: what it let through, committed before it is written to stdout. A SQLite file
 * (WAL, synchronous=FULL) or, for a path that starts with postgresql://, a database that several
 * processes on several machines share. Append-only: state is derived from entries, never updated in place.
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
    LEDGER_ANSWER = 5,    /* attach: the answer that decides tid: run, digest_in, digest_out = of the LEDGER_SENT or
                             LEDGER_POLL that it answers */
    LEDGER_RECEIVED = 6,  /* attach: a certificate: tid, part, device, serial, data = DER */
    LEDGER_DELIVERED = 7, /* attach: it is on the device, read back: tid, part, device */
    LEDGER_REFUSED = 8,   /* attach: tid, part, device, status = failInfo, note = why */
    LEDGER_UP = 9,        /* verify-unit, ra-approve: a message let through: tid, unit = attach's id, key = digest of
                             attach's message (empty: a poll that stood alone), part = requests, digest_in, digest_out,
                             lot, profile, owner, status = enum ledger_asked, data = DER */
    LEDGER_DOWN = 10,     /* verify-unit, ra-approve: a response: tid, unit, digest_in, digest_out, data */
    LEDGER_LEAF = 11,     /* ca-sign: its answer: tid, unit, key and part as of LEDGER_UP, digest_in, digest_out, data */
    LEDGER_ISSUED = 12,   /* ca-sign: a certificate: tid, part, unit, owner, lot, profile, device, key, serial, data = DER,
                             status = notAfter, note = subject key identifier of the issuer, hex */
    LEDGER_REQUEST = 13,  /* ca-sign: the message that a leaf answers: tid, unit, owner, lot, profile, digest_in, data = DER,
                             note = ids of verify-unit and ra-approve, a tab between them */
    LEDGER_COUNTED = 14,  /* ra-approve: a device that counts for its lot's quota: tid, part, unit, owner, lot, profile,
                             device, key */
    LEDGER_HELD = 15,     /* ra-approve: a message that waits for people: tid, unit, owner, lot, profile, part = requests,
                             key = digest of attach's message, digest_in, serial = pendToken, data = verify-unit's DER */
    LEDGER_GRANT = 16,    /* ra-approve: what a person decided: tid, unit, lot, digest_in as of LEDGER_HELD, device = the
                             person's id, key = hash of the person's key, status = 0 granted, 2 refused, note = why,
                             data = CMS */
    LEDGER_PENDING = 17,  /* attach: the answer says pending: tid, run, digest_in and digest_out as of LEDGER_ANSWER,
                             serial = pendToken, key = the leaf's senderNonce, status = when to ask again */
    LEDGER_POLL = 18,     /* attach: a poll: tid, run, lot, profile, key = senderNonce, digest_out, data = DER */
    LEDGER_REVOKED = 19,  /* ca-sign: a certificate: unit, owner, lot, profile, device, key, serial, status = reasonCode,
                             note = as of its LEDGER_ISSUED, data = who and why, UTF-8 */
    LEDGER_CRL = 20,      /* ca-sign: status = crlNumber, digest_out, note = issuer as above, data = DER */
    LEDGER_HEAD = 21,     /* every unit: key = digest of the head before, digest_out, part = seconds since it, status = the
                             last entry that it covers, data = CMS */
    LEDGER_ALLOWED = 22,  /* ca-sign: a person allowed a new key: owner, profile, device, data = who and why, UTF-8 */
    LEDGER_REISSUED = 23  /* ca-sign: beside LEDGER_ISSUED, for a device with a new key: tid, part, owner, lot, profile,
                             device, key, serial, data = which rule or person allowed it, UTF-8 */
};
#define LEDGER_KINDS 24

/* What ra-approve said of a message, or of a poll that stood alone. */
enum ledger_asked { LEDGER_JUDGED = 0, LEDGER_UNDECIDED = 1, LEDGER_DECIDED = 2 };

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

/* Whether a path means a database: it starts with postgresql:// or postgres://. */
int ledger_is_database(const char *path);
/* Opens or makes it. unit: the id of the unit whose ledger it is, written in at first, compared later. */
enum status ledger_open(const char *path, const char *unit, struct ledger **out);
/* For reading alone, whosever it is: never made, never written to. A file that may not be written is read as it lies
 * there if no -wal is beside it and no process has it open, else ST_USAGE. */
enum status ledger_open_reader(const char *path, struct ledger **out);
/* At the end of reading: 0 after a warning if such a file was changed meanwhile, so that nothing holds that was read. */
int ledger_unchanged(const struct ledger *l);
/* The unit that is written in. Borrowed. */
const char *ledger_unit(const struct ledger *l);
void ledger_close(struct ledger *l);

/* BEGIN IMMEDIATE, so that what is looked up stays true until the commit; checks the clock. Waits up to 30
 * seconds for another writer. */
enum status ledger_begin(struct ledger *l);
enum status ledger_commit(struct ledger *l);
void ledger_abort(struct ledger *l); /* NULL-safe; no effect outside a transaction */
/* Appends; only between begin and commit. */
enum status ledger_add(struct ledger *l, const struct ledger_entry *e);

/* A database lets several transactions run at once: what one of them looks up must not change under it.
 * Only between begin and commit; nothing to do for SQLite, which has one writer at a time.
 * ledger_lock: until the end of this transaction nobody else gets past ledger_lock for this transactionId. */
enum status ledger_lock(struct ledger *l, struct span tid);
/* The same for the identities that the transaction will ask for with ledger_by_device, ledger_by_key and
 * ledger_is_counted, in one question to the database; once a transaction, before the first of them. */
struct ledger_identity {
    const char *owner, *profile, *device;
    struct span key;
};
enum status ledger_expect(struct ledger *l, enum ledger_kind kind, const struct ledger_identity *v, size_t n);

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
/* LEDGER_REVOKED of this certificate; `issuer` as in its LEDGER_ISSUED: *e borrowed as in an `each`, e->id 0 if
 * there is none. */
enum status ledger_revoked(struct ledger *l, struct span serial, const char *issuer, struct ledger_entry *e);
/* The newest entry of a kind (of this note if not NULL); e->id 0 if there is none. For LEDGER_CRL, LEDGER_HEAD. */
enum status ledger_newest(struct ledger *l, enum ledger_kind kind, const char *note, struct ledger_entry *e);
/* LEDGER_HELD by digest_in: id, tid, unit and digest_in alone, and status: LEDGER_DECIDED if the last poll of its
 * transaction was answered with the decision. For no transaction. */
enum status ledger_held(struct ledger *l, ledger_each *each, void *arg);
/* LEDGER_ALLOWED and LEDGER_REISSUED of one device. */
enum status ledger_allowed(struct ledger *l, const char *owner, const char *profile, const char *device,
                           ledger_each *each, void *arg);

/* Quotas. How many LEDGER_COUNTED the owner's lot has; inside a transaction nobody else adds to it until it ends. */
enum status ledger_counted(struct ledger *l, const char *owner, const char *lot, int64_t *n);
/* Whether this identity (MESSAGE: owner, lot, device, key, profile) counts already. */
enum status ledger_is_counted(struct ledger *l, const char *lot, const struct ledger_identity *who, int *yes);

/* Reading through all of it, in the order of the entries. NULL and empty: any. Not bound by an index: a million
 * entries take seconds. */
struct ledger_filter {
    uint32_t kinds; /* a bit for each: 1u << LEDGER_ISSUED */
    const char *unit, *owner, *lot, *profile, *device;
    struct span tid, serial;
    int64_t since, until; /* time of the entry: since <= time < until; until 0: no end */
    int64_t after, last;  /* ids: after < id <= last; last 0: no end */
    int64_t most;         /* entries; 0: all, which a database sends even if `each` has seen enough */
    int no_data;          /* data stays empty: faster where it is not needed */
};
enum status ledger_scan(struct ledger *l, const struct ledger_filter *f, ledger_each *each, void *arg);

/* ca-sign: what came through a unit. attach is named by the entries themselves, verify-unit and ra-approve by the
 * LEDGER_REQUEST of the transaction. `unit` is borrowed; ledger_through_free in every case. */
struct ledger_through;
enum status ledger_through(struct ledger *l, const char *unit, struct ledger_through **out);
/* Whether it did, for an entry of LEDGER_ISSUED or LEDGER_LEAF. */
int ledger_came_through(const struct ledger_through *t, const struct ledger_entry *e);
void ledger_through_free(struct ledger_through *t);

/* An entry that outlives the call that gave it: to's spans and strings stand in the block returned, which the caller
 * frees. */
void *ledger_copy(const struct ledger_entry *from, struct ledger_entry *to);

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
/* Whether the tables are those that a unit makes, and agree with their indexes, as far as the store can tell: how much
 * is wrong, a warning for each. */
int64_t ledger_tables_wrong(struct ledger *l);
/* Recomputes every chain and, where they are whole, what was derived from the entries (indexes, quotas). `step`, if
 * not NULL, is called with 1 for every link that is good. 1: whole; 0 after a warning for each thing that is wrong
 * and the entry it is found at, the first hundred of them; -1 after a warning: a database did not answer to the end. */
struct ledger_verified {
    int64_t last;            /* the newest entry; INT64_MAX: it was not reached */
    int64_t links, problems; /* links: those that are good */
};
int ledger_verify(struct ledger *l, void (*step)(long n), struct ledger_verified *out);

/* Where the chains stand, for a signed head. Inside a transaction of its own: all that is committed. */
struct ledger_link {
    int64_t writer, n; /* its n-th entry is its last */
    unsigned char hash[32];
};
struct ledger_stand {
    int64_t entry; /* id of the last entry; 0: none */
    size_t n;
    struct ledger_link *links; /* of the writers that wrote an entry with an id above `since`, by writer; owned */
};
enum status ledger_stand(struct ledger *l, int64_t since, struct ledger_stand *out);
void ledger_stand_free(struct ledger_stand *s);
/* The hash of the n-th entry of a writer as it is recorded: 1; 0: no such entry; -1 after a warning. */
int ledger_link(struct ledger *l, int64_t writer, int64_t n, unsigned char hash[32]);

#endif
