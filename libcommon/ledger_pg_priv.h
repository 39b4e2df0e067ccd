/* The PostgreSQL store. */
#ifndef LEDGER_PG_PRIV_H
#define LEDGER_PG_PRIV_H

#include "ledger_libpq_priv.h"
#include "ledger_priv.h"

#define LEDGER_PARAMETERS 21

/* An entry with octets of its own. */
struct ledger_own {
    struct ledger_entry e;
    void *block;
};

struct ledger_owns {
    struct ledger_own *v;
    size_t n, cap;
};

struct ledger_db {
    PGconn *c;
    int lost;          /* the server went away, or said that it would */
    long long backend; /* the server's process that this session is */
    unsigned session;  /* counts the connections: what was prepared on one is not on the next */
    struct ledger_owns added; /* in this transaction; written by its commit */
    struct ledger_owns held;  /* what the expected identities have, by id */
    int64_t *expected;        /* marks that are locked and fetched, sorted */
    size_t n_expected;
};

/* A parameter of many values: an array in PostgreSQL's binary format. */
struct ledger_array {
    struct buf b;
    Oid type; /* of an element */
    int32_t n;
};

/* Connects, sets the session up and checks what answers. */
enum status ledger_pg_connect(struct ledger *l);
/* Makes the tables unless they are there; checks whose ledger it is and what the role may do. */
enum status ledger_pg_tables(struct ledger *l);
/* Warns what failed. r is cleared; NULL: the connection. */
enum status ledger_pg_failed(struct ledger *l, PGresult *r);
/* Runs commands without parameters. */
enum status ledger_pg_run(struct ledger *l, const char *sql);

int ledger_pg_prepare(struct ledger_stmt *st, const char *sql);
void ledger_pg_bind_int(struct ledger_stmt *st, int at, int64_t v);
void ledger_pg_bind_span(struct ledger_stmt *st, int at, struct span s);
void ledger_pg_bind_text(struct ledger_stmt *st, int at, const char *s);
/* The array is complete; borrowed until the reset. */
void ledger_pg_bind_array(struct ledger_stmt *st, int at, struct ledger_array *a);
int ledger_pg_step(struct ledger_stmt *st);
int64_t ledger_pg_int(const struct ledger_stmt *st, int at);
struct span ledger_pg_span(const struct ledger_stmt *st, int at);
const char *ledger_pg_text(const struct ledger_stmt *st, int at);
void ledger_pg_reset(struct ledger_stmt *st);
void ledger_pg_free(struct ledger_stmt *st);

void ledger_array_int(struct ledger_array *a, int64_t v);
void ledger_array_span(struct ledger_array *a, struct span s);
void ledger_array_text(struct ledger_array *a, const char *s);

/* The copy in it is returned; it moves with the next. */
struct ledger_entry *ledger_own(struct ledger_owns *o, const struct ledger_entry *e);
void ledger_owns_clear(struct ledger_owns *o);

enum status ledger_pg_add(struct ledger *l, const struct ledger_entry *e);
enum status ledger_pg_write(struct ledger *l);
/* What follows the newest entry, from a query that ends with LEDGER_PG_NEWEST, and whether the
 * session is still the one that was set up; r is cleared. */
#define LEDGER_PG_NEWEST                                                                           \
    "SELECT pg_backend_pid(), max(id), max(time)"                                                  \
    " FROM (SELECT id, time FROM certline.entry ORDER BY id DESC LIMIT 1) AS newest"
enum status ledger_pg_newest(struct ledger *l, PGresult *r);
int64_t ledger_pg_mark(struct ledger *l, char what, struct span name);
enum status ledger_pg_lock(struct ledger *l, char what, struct span name);
enum status ledger_pg_expect(struct ledger *l, enum ledger_kind kind,
                             const struct ledger_identity *v, size_t n);
enum status ledger_pg_find(struct ledger *l, const struct ledger_wanted *w);
/* At the end of a transaction. */
void ledger_pg_forget(struct ledger *l);

#endif
