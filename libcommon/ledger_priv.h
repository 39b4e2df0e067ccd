/* What the parts of the ledger share: rules, hashes and statements above, and below them the store
 * that keeps the rows, a SQLite file or a PostgreSQL database. */
#ifndef LEDGER_PRIV_H
#define LEDGER_PRIV_H

#include <openssl/evp.h>

#include "ledger.h"

#define LEDGER_FORMAT 2
#define LEDGER_HASH 32
#define LEDGER_NONCE 16
#define LEDGER_CLOCK_SLACK 5  /* seconds: hosts that share a ledger are stepped by NTP */
#define LEDGER_MOST_TEXT 2000 /* octets: what PostgreSQL's indexes take */

/* The columns of struct ledger_entry, in the order that ledger_read_row takes them. */
#define LEDGER_COLUMNS_BARE                                                                        \
    "id, time, kind, tid, run, part, unit, owner, lot, profile, device, key, serial, "             \
    "digest_in, digest_out, status, note"
#define LEDGER_COLUMNS LEDGER_COLUMNS_BARE ", data"
#define LEDGER_COLUMN_COUNT 18

enum ledger_sql {
    LEDGER_SQL_NEWEST,
    LEDGER_SQL_BY_TID,
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
    LEDGER_SQL_QUOTAS,
    LEDGER_SQL_QUOTA_WRONG,
    LEDGER_SQL_SCAN,
    LEDGER_SQL_SCAN_BARE,
    LEDGER_SQL_SCAN_RARE,
    LEDGER_SQL_STAND,
    LEDGER_SQL_LINK_NEAR,
    LEDGER_SQL_LINK,
    LEDGER_SQL_COMMON, /* above: every store; below: one of them */
    LEDGER_SQLITE_BEGIN = LEDGER_SQL_COMMON,
    LEDGER_SQLITE_COMMIT,
    LEDGER_SQLITE_ROLLBACK,
    LEDGER_SQLITE_WRITER,
    LEDGER_SQLITE_ADD,
    LEDGER_SQLITE_BY_ID,
    LEDGER_SQLITE_FRESH,
    LEDGER_SQLITE_FRESH_ENDS,
    LEDGER_SQLITE_FRESH_ADD,
    LEDGER_SQLITE_FRESH_CLEAR,
    LEDGER_SQLITE_SEEN,
    LEDGER_SQLITE_SEEN_ADD,
    LEDGER_SQLITE_HAS_MARK,
    LEDGER_SQLITE_MARKS,
    LEDGER_SQLITE_INDEXED,
    LEDGER_PG_LOCK,
    LEDGER_PG_WRITER,
    LEDGER_PG_ADD,
    LEDGER_PG_EXPECT_ISSUED,
    LEDGER_PG_EXPECT_COUNTED,
    LEDGER_PG_HOLDERS,
    LEDGER_SQL_COUNT
};

/* Where a chain stands: the entries of one writer, and the hash of the last. */
struct ledger_chain {
    int64_t writer, n; /* writer 0: not in the ledger yet */
    unsigned char head[LEDGER_HASH];
};

/* A row of the table writer. */
struct ledger_writer {
    int64_t id, opened;
    struct span nonce;
    const char *unit, *program;
};

/* What LEDGER_ISSUED or LEDGER_COUNTED is looked for by: its key, or owner, profile and device, or
 * all of them and the lot. */
struct ledger_wanted {
    enum ledger_kind kind;
    int by_key;
    struct span key;
    const char *owner, *lot, *profile, *device;
    ledger_each *each;
    void *arg;
};

/* What the entries say of index and quotas, added up. */
struct ledger_sums {
    uint64_t secret[3], marks, quotas;
};

struct ledger_stmt;

/* A store, and what differs between the two. A call that fails has warned. */
struct ledger_store {
    enum status (*open)(struct ledger *l); /* makes it if l is not a reader; checks whose it is */
    void (*close)(struct ledger *l);
    enum status (*begin)(struct ledger *l); /* with next_id and newest */
    enum status (*commit)(struct ledger *l);
    void (*abort)(struct ledger *l);
    enum status (*add)(struct ledger *l, const struct ledger_entry *e);
    enum status (*lock)(struct ledger *l, char what, struct span name);
    enum status (*expect)(struct ledger *l, enum ledger_kind kind, const struct ledger_identity *v,
                          size_t n);
    enum status (*find)(struct ledger *l, const struct ledger_wanted *w);
    /* Offers what was added and is not in the tables yet; 0 if `each` has seen enough. */
    int (*offer)(struct ledger *l, const struct ledger_filter *f, const char *note,
                 ledger_each *each, void *arg);
    /* One snapshot for several statements. */
    enum status (*freeze)(struct ledger *l);
    void (*thaw)(struct ledger *l);
    /* How much is wrong with the tables themselves, a warning for each. */
    int64_t (*tables_wrong)(struct ledger *l);
    int (*unchanged)(const struct ledger *l); /* NULL: it sees to that itself */
    /* Adds the marks under which the index must have e; whether it has just those, 0 after a
     * warning. */
    void (*sum_marks)(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e);
    int (*marks_fit)(struct ledger *l, const struct ledger_sums *s);
    /* The statement, ready to bind. NULL after a warning. */
    int (*prepare)(struct ledger_stmt *st, const char *sql);
    void (*bind_int)(struct ledger_stmt *st, int at, int64_t v);
    void (*bind_span)(struct ledger_stmt *st, int at, struct span s);
    void (*bind_text)(struct ledger_stmt *st, int at, const char *s);
    int (*step)(struct ledger_stmt *st);
    int64_t (*get_int)(const struct ledger_stmt *st, int at);
    struct span (*get_span)(const struct ledger_stmt *st, int at);
    const char *(*get_text)(const struct ledger_stmt *st, int at);
    void (*reset)(struct ledger_stmt *st);
};
extern const struct ledger_store ledger_sqlite, ledger_pg;

struct ledger_stmt {
    struct ledger *l;
    enum ledger_sql which;
    void *own; /* the store's */
};

struct ledger {
    char *path, *unit;
    const struct ledger_store *store;
    int reader; /* never writes */
    int64_t format;
    struct ledger_stmt sql[LEDGER_SQL_COUNT];
    int unread;              /* a database did not answer: that says nothing of the ledger */
    int open;                /* between begin and commit */
    int64_t next_id, newest; /* in the transaction: the next entry's id, the last one's time */
    struct ledger_chain committed, pending; /* pending: in the transaction */
    EVP_MD *sha256;
    EVP_MD_CTX *md;
    struct buf scratch;
    void *kept; /* the octets of the last entry that was handed out */
    struct ledger_lite *lite;
    struct ledger_db *db;
};

/* Statements. Columns and parameters count as SQL counts them: from 0, from 1. What is bound or
 * read is borrowed until the reset. */
struct ledger_stmt *ledger_sql(struct ledger *l, enum ledger_sql which);
void ledger_bind_int(struct ledger_stmt *st, int at, int64_t v);
void ledger_bind_span(struct ledger_stmt *st, int at, struct span s); /* empty: NULL */
void ledger_bind_text(struct ledger_stmt *st, int at, const char *s); /* NULL: NULL */
int ledger_step(struct ledger_stmt *st); /* 1: a row; 0: no more; -1 after a warning */
int64_t ledger_int(const struct ledger_stmt *st, int at);
struct span ledger_span(const struct ledger_stmt *st, int at);
const char *ledger_text(const struct ledger_stmt *st, int at);
void ledger_reset(struct ledger_stmt *st); /* NULL-safe */
/* Runs a statement that gives no rows, and resets it; ST_TEMP for NULL. */
enum status ledger_run_sql(struct ledger_stmt *st);

/* The row's columns from LEDGER_COLUMNS on; borrowed until the next step. */
void ledger_read_row(const struct ledger_stmt *st, struct ledger_entry *e);
/* Steps a bound statement that selects LEDGER_COLUMNS, and resets it. *more: 0 if `each` has seen
 * enough. */
enum status ledger_walk(struct ledger_stmt *st, ledger_each *each, void *arg, int *more);
/* The same, and on through what this transaction added. */
enum status ledger_walk_on(struct ledger_stmt *st, const struct ledger_filter *added,
                           ledger_each *each, void *arg);
/* *to is *from with octets and strings of its own, in one block that the caller frees. */
void *ledger_copy(const struct ledger_entry *from, struct ledger_entry *to);
int ledger_same_text(const char *a, const char *b); /* NULL is like NULL only */
int ledger_matches(const struct ledger_wanted *w, const struct ledger_entry *e);
/* kinds, tid, serial, unit, owner, profile, device of the filter; note if not NULL. */
int ledger_fits(const struct ledger_filter *f, const char *note, const struct ledger_entry *e);

/* Whose ledger it is: for a reader it is noted, else compared. */
enum status ledger_check_unit(struct ledger *l, const char *unit);
/* Id and time of the newest entry; 0 and 0 if there is none. */
enum status ledger_read_newest(struct ledger *l, int64_t *id, int64_t *time);
/* ST_TEMP if the clock is behind the newest entry. */
enum status ledger_check_clock(const struct ledger *l);
/* Gives e its place behind the last entry of this transaction, and its hash; ledger_follow once it
 * is kept. */
void ledger_place(struct ledger *l, struct ledger_entry *e, unsigned char hash[LEDGER_HASH]);
void ledger_follow(struct ledger *l, const struct ledger_entry *e,
                   const unsigned char hash[LEDGER_HASH]);
/* A new writer, not in the table yet: nonce is 16 octets of the caller's. 0 after a warning. */
int ledger_new_writer(const struct ledger *l, struct ledger_writer *w,
                      unsigned char nonce[LEDGER_NONCE]);
void ledger_enter_writer(struct ledger *l, const struct ledger_writer *w);

int ledger_sums_start(struct ledger_sums *s);
void ledger_sum_mark(struct ledger_sums *s, int64_t mark, int64_t entry);
void ledger_sum_entry(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e);
/* 1: index and quotas are what the entries make them; 0 after a warning. */
int ledger_sums_fit(struct ledger *l, const struct ledger_sums *s);

void ledger_hash_text(struct ledger *l, struct span s, unsigned char out[LEDGER_HASH]);
/* The first link of a writer's chain. */
void ledger_hash_writer(struct ledger *l, const struct ledger_writer *w,
                        unsigned char out[LEDGER_HASH]);
/* The link that entry e, the n-th of its writer, makes behind `before`; out may be before. */
void ledger_hash_entry(struct ledger *l, const unsigned char before[LEDGER_HASH], int64_t n,
                       const struct ledger_entry *e, unsigned char out[LEDGER_HASH]);
/* The octets that the hash of an entry is over, appended. */
void ledger_hashed(struct buf *out, const unsigned char before[LEDGER_HASH], int64_t n,
                   const struct ledger_entry *e);

/* ledger_links.c: links are hashed by a thread of their own, and told of in their order. */
struct ledger_link_check {
    int64_t id, missing; /* missing: the first id that is not there ahead of it; 0: none is */
    int late;            /* its id is not above the one before it */
    const char *why;     /* what is wrong with it; NULL: its hash is to say */
    int exact;           /* its fields are no more than what is hashed */
    int hashed, fits;    /* fits: what was hashed is what it should be */
    unsigned char hash[LEDGER_HASH];
    size_t at, n; /* where its octets are */
};
struct ledger_links;
struct ledger_links *ledger_links_new(const struct ledger *l,
                                      void (*told)(const struct ledger_link_check *k, void *arg),
                                      void *arg);
/* The hash of this entry, which k->hash has, is to be checked; ahead of ledger_links_add. */
void ledger_links_hash(struct ledger_links *s, struct ledger_link_check *k,
                       const unsigned char before[LEDGER_HASH], int64_t n,
                       const struct ledger_entry *e);
void ledger_links_add(struct ledger_links *s, const struct ledger_link_check *k);
/* Tells of all that is left. */
void ledger_links_end(struct ledger_links *s);

#endif
