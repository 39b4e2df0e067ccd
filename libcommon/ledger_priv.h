/* What the parts of the ledger share. */
#ifndef LEDGER_PRIV_H
#define LEDGER_PRIV_H

#include <openssl/evp.h>
#include <sqlite3.h>

#include "ledger.h"

#define LEDGER_APPLICATION 0x63746c67 /* "ctlg": PRAGMA application_id */
#define LEDGER_FORMAT 2               /* PRAGMA user_version */
#define LEDGER_HASH 32
#define LEDGER_NONCE 16

/* The columns of struct ledger_entry, in the order that ledger_read_row takes them. */
#define LEDGER_COLUMNS                                                                             \
    "id, time, kind, tid, run, part, unit, owner, lot, profile, device, key, serial, "             \
    "digest_in, digest_out, status, note, data"
#define LEDGER_COLUMNS_BARE                                                                        \
    "id, time, kind, tid, run, part, unit, owner, lot, profile, device, key, serial, "             \
    "digest_in, digest_out, status, note, NULL"
#define LEDGER_COLUMN_COUNT 18

enum ledger_sql {
    LEDGER_SQL_BEGIN,
    LEDGER_SQL_COMMIT,
    LEDGER_SQL_ROLLBACK,
    LEDGER_SQL_NEWEST,
    LEDGER_SQL_WRITER,
    LEDGER_SQL_ADD,
    LEDGER_SQL_BY_ID,
    LEDGER_SQL_BY_TID,
    LEDGER_SQL_FRESH,
    LEDGER_SQL_FRESH_ENDS,
    LEDGER_SQL_FRESH_ADD,
    LEDGER_SQL_FRESH_CLEAR,
    LEDGER_SQL_SEEN,
    LEDGER_SQL_SEEN_ADD,
    LEDGER_SQL_HAS_MARK,
    LEDGER_SQL_RUN,
    LEDGER_SQL_RUN_DEVICES,
    LEDGER_SQL_RUN_UNANSWERED,
    LEDGER_SQL_UNANSWERED,
    LEDGER_SQL_UNANSWERED_MESSAGES,
    LEDGER_SQL_WRITERS,
    LEDGER_SQL_ALL,
    LEDGER_SQL_NEWEST_OF,
    LEDGER_SQL_HELD,
    LEDGER_SQL_REVOKED,
    LEDGER_SQL_ALLOWED,
    LEDGER_SQL_USED,
    LEDGER_SQL_MARKS,
    LEDGER_SQL_INDEXED,
    LEDGER_SQL_QUOTAS,
    LEDGER_SQL_QUOTA_WRONG,
    LEDGER_SQL_SCAN,
    LEDGER_SQL_SCAN_BARE,
    LEDGER_SQL_SCAN_RARE,
    LEDGER_SQL_STAND,
    LEDGER_SQL_LINK_NEAR,
    LEDGER_SQL_LINK,
    LEDGER_SQL_COUNT
};

/* Where a chain stands: the entries of one writer, and the hash of the last. */
struct ledger_chain {
    int64_t writer, n; /* writer 0: not in the ledger yet */
    unsigned char head[LEDGER_HASH];
};

struct ledger {
    char *path, *unit;
    int reader; /* never writes */
    int64_t format;
    sqlite3 *db;
    sqlite3_stmt *sql[LEDGER_SQL_COUNT];
    int open;                /* between begin and commit */
    int64_t next_id, newest; /* in the transaction: the next entry's id, the last one's time */
    struct ledger_chain committed, pending; /* pending: in the transaction */
    EVP_MD *sha256;
    EVP_MD_CTX *md;
    struct buf scratch;
    struct buf prefix; /* what prefix_hash is of: names in a row begin alike */
    unsigned char prefix_hash[LEDGER_HASH];
    struct ledger_fresh *fresh; /* of ledger_seen.c; NULL until the first look-up */
    void *kept;                 /* the octets of the last entry that was handed out */
};

/* What the entries say of index and quotas, added up. */
struct ledger_sums {
    uint64_t secret[3], marks, quotas;
};
int ledger_sums_start(struct ledger_sums *s);
void ledger_sum_entry(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e);
/* 1: index and quotas are what the entries make them; 0 after a warning. */
int ledger_sums_fit(struct ledger *l, const struct ledger_sums *s);

/* A row of the table writer. */
struct ledger_writer {
    int64_t id, opened;
    struct span nonce;
    const char *unit, *program;
};

/* Sets the connection up and checks whose ledger it is. */
enum status ledger_connect(struct ledger *l);
/* Makes a new, empty ledger at l->path unless there is a file; whole, or not at all. */
enum status ledger_make(struct ledger *l);

/* Warns what SQLite failed at; the status that goes with it. */
enum status ledger_failed(const struct ledger *l, sqlite3 *db);
/* The prepared statement, reset. NULL after a warning. */
sqlite3_stmt *ledger_sql(struct ledger *l, enum ledger_sql which);
/* Runs a statement that gives no rows. */
enum status ledger_run_sql(struct ledger *l, sqlite3_stmt *st);
void ledger_bind_span(sqlite3_stmt *st, int at, struct span s);

/* The row's columns from `LEDGER_COLUMNS` on; borrowed until the next step. */
void ledger_read_row(sqlite3_stmt *st, struct ledger_entry *e);
/* Steps a bound statement that selects LEDGER_COLUMNS, and resets it. */
enum status ledger_walk(struct ledger *l, sqlite3_stmt *st, ledger_each *each, void *arg);
/* *to is *from with octets and strings of its own, in one block that the caller frees. */
void *ledger_copy(const struct ledger_entry *from, struct ledger_entry *to);

/* Adds a LEDGER_ISSUED to the index. */
enum status ledger_seen_add(struct ledger *l, const struct ledger_entry *e);
/* Whether the index has it; -1 after a warning. */
int ledger_seen_has(struct ledger *l, const struct ledger_entry *e);
/* The marks under which the index has it; they may be alike. */
void ledger_seen_marks(struct ledger *l, const struct ledger_entry *e, int64_t *key,
                       int64_t *other);
/* At the start and end of a transaction. changed: what it added did not stay. */
void ledger_seen_forget(struct ledger *l, int changed);
void ledger_seen_free(struct ledger *l);

void ledger_hash_text(struct ledger *l, struct span s, unsigned char out[LEDGER_HASH]);
/* The first link of a writer's chain. */
void ledger_hash_writer(struct ledger *l, const struct ledger_writer *w,
                        unsigned char out[LEDGER_HASH]);
/* The link that entry e, the n-th of its writer, makes behind `before`; out may be before. */
void ledger_hash_entry(struct ledger *l, const unsigned char before[LEDGER_HASH], int64_t n,
                       const struct ledger_entry *e, unsigned char out[LEDGER_HASH]);

#endif
