#include "ledger_priv.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

#define CLOCK_SLACK 5 /* seconds: hosts that share a ledger's history are stepped by NTP */

enum status ledger_failed(const struct ledger *l, sqlite3 *db)
{
    int rc = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    int os = db ? sqlite3_system_errno(db) : 0;
    switch (rc) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        diag_warn("%s: another process has held the ledger for too long", l->path);
        break;
    case SQLITE_FULL:
        diag_warn("%s: the disk is full", l->path);
        break;
    case SQLITE_READONLY:
        diag_warn("%s: not writable", l->path);
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        diag_warn("%s: the ledger is damaged: %s", l->path, sqlite3_errmsg(db));
        diag_hint("put its backup in place, certline-unit(5)");
        break;
    default:
        diag_warn("%s: %s%s%s", l->path, db ? sqlite3_errmsg(db) : "out of memory", os ? ": " : "",
                  os ? strerror(os) : "");
    }
    return ST_TEMP;
}

static struct ledger *start(const char *path)
{
    struct ledger *l = alloc_zero(1, sizeof *l);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS,
                   0); /* it counts under a lock; refused once SQLite runs */
    /* SQLite gives names such as ":memory:" and "file:..." a meaning of their own. */
    l->path = alloc_printf("%s%s", path[0] != '/' && strchr(path, ':') ? "./" : "", path);
    l->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    l->md = EVP_MD_CTX_new();
    if (!l->sha256 || !l->md)
        diag_exit(ST_TEMP, "SHA-256: %s", diag_openssl());
    return l;
}

static enum status give(struct ledger *l, enum status st, struct ledger **out)
{
    if (st != ST_OK) {
        ledger_close(l);
        l = NULL;
    }
    *out = l;
    return st;
}

enum status ledger_open(const char *path, const char *unit, struct ledger **out)
{
    struct ledger *l = start(path);
    l->unit = alloc_str(unit);
    enum status st = ledger_make(l);
    return give(l, st == ST_OK ? ledger_connect(l) : st, out);
}

enum status ledger_open_reader(const char *path, struct ledger **out)
{
    struct ledger *l = start(path);
    l->reader = 1;
    return give(l, ledger_connect(l), out);
}

const char *ledger_unit(const struct ledger *l)
{
    return l->unit;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    ledger_abort(l);
    for (int i = 0; i < LEDGER_SQL_COUNT; i++)
        sqlite3_finalize(l->sql[i]);
    sqlite3_close(l->db);
    EVP_MD_CTX_free(l->md);
    EVP_MD_free(l->sha256);
    ledger_seen_free(l);
    buf_free(&l->scratch);
    buf_free(&l->prefix);
    free(l->kept);
    free(l->path);
    free(l->unit);
    free(l);
}

static enum status read_newest(struct ledger *l)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_NEWEST);
    if (!st)
        return ST_TEMP;
    int rc = sqlite3_step(st);
    enum status done = rc == SQLITE_ROW || rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    l->next_id = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) + 1 : 1;
    l->newest = rc == SQLITE_ROW ? sqlite3_column_int64(st, 1) : 0;
    sqlite3_reset(st);
    if (done == ST_OK && clock_now() < l->newest - CLOCK_SLACK) {
        char t[CLOCK_TEXT];
        clock_format(l->newest, t);
        diag_warn("%s: the clock is behind the ledger's newest entry (%s)", l->path, t);
        done = ST_TEMP;
    }
    return done;
}

enum status ledger_begin(struct ledger *l)
{
    assert(!l->open && !l->reader);
    enum status st = ledger_run_sql(l, ledger_sql(l, LEDGER_SQL_BEGIN));
    if (st != ST_OK)
        return st;
    l->open = 1;
    ledger_seen_forget(l, 0);
    l->pending = l->committed;
    st = read_newest(l);
    if (st != ST_OK)
        ledger_abort(l);
    return st;
}

enum status ledger_commit(struct ledger *l)
{
    assert(l->open);
    enum status st = ledger_run_sql(l, ledger_sql(l, LEDGER_SQL_COMMIT));
    if (st != ST_OK) {
        ledger_abort(l);
        return st;
    }
    l->open = 0;
    ledger_seen_forget(l, 0);
    l->committed = l->pending;
    return ST_OK;
}

void ledger_abort(struct ledger *l)
{
    if (!l || !l->open)
        return;
    /* After some failures SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(l->db))
        ledger_run_sql(l, ledger_sql(l, LEDGER_SQL_ROLLBACK));
    ledger_seen_forget(l, l->pending.n != l->committed.n);
    l->open = 0;
}

/* BEGIN IMMEDIATE locks everything. */
enum status ledger_lock(struct ledger *l, struct span tid)
{
    (void)tid;
    assert(l->open);
    return ST_OK;
}

enum status ledger_expect(struct ledger *l, enum ledger_kind kind, const struct ledger_identity *v,
                          size_t n)
{
    (void)kind, (void)v, (void)n;
    assert(l->open);
    return ST_OK;
}

void ledger_bind_span(sqlite3_stmt *st, int at, struct span s)
{
    if (s.n)
        sqlite3_bind_blob64(st, at, s.p, s.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, at);
}

static void bind_text(sqlite3_stmt *st, int at, const char *s)
{
    sqlite3_bind_text(st, at, s, -1, SQLITE_STATIC); /* NULL binds NULL */
}

/* A process enters itself with its first entry: one that only reads leaves no trace. */
static enum status enter_writer(struct ledger *l)
{
    unsigned char nonce[LEDGER_NONCE];
    if (RAND_bytes(nonce, sizeof nonce) != 1) {
        diag_warn("random numbers: %s", diag_openssl());
        return ST_TEMP;
    }
    struct ledger_writer w = {.opened = clock_now(),
                              .nonce = {nonce, sizeof nonce},
                              .unit = l->unit,
                              .program = diag_name()};
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_WRITER);
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, w.nonce);
    bind_text(st, 2, w.unit);
    bind_text(st, 3, w.program);
    sqlite3_bind_int64(st, 4, w.opened);
    enum status done = ledger_run_sql(l, st);
    sqlite3_clear_bindings(st);
    if (done != ST_OK)
        return done;
    w.id = sqlite3_last_insert_rowid(l->db);
    l->pending.writer = w.id;
    l->pending.n = 0;
    ledger_hash_writer(l, &w, l->pending.head);
    return ST_OK;
}

static void bind_entry(sqlite3_stmt *st, const struct ledger_entry *e)
{
    sqlite3_bind_int64(st, 1, e->id);
    sqlite3_bind_int64(st, 2, e->time);
    sqlite3_bind_int(st, 3, (int)e->kind);
    ledger_bind_span(st, 4, e->tid);
    ledger_bind_span(st, 5, e->run);
    sqlite3_bind_int64(st, 6, e->part);
    bind_text(st, 7, e->unit);
    bind_text(st, 8, e->owner);
    bind_text(st, 9, e->lot);
    bind_text(st, 10, e->profile);
    bind_text(st, 11, e->device);
    ledger_bind_span(st, 12, e->key);
    ledger_bind_span(st, 13, e->serial);
    ledger_bind_span(st, 14, e->digest_in);
    ledger_bind_span(st, 15, e->digest_out);
    sqlite3_bind_int64(st, 16, e->status);
    bind_text(st, 17, e->note);
    ledger_bind_span(st, 18, e->data);
}

enum status ledger_add(struct ledger *l, const struct ledger_entry *given)
{
    assert(l->open);
    enum status done = l->pending.writer ? ST_OK : enter_writer(l);
    sqlite3_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQL_ADD) : NULL;
    if (!st)
        return ST_TEMP;
    struct ledger_entry e = *given;
    int64_t now = clock_now();
    e.id = l->next_id;
    e.time = now > l->newest ? now : l->newest; /* entries never go back in time */
    unsigned char head[LEDGER_HASH];
    ledger_hash_entry(l, l->pending.head, l->pending.n + 1, &e, head);
    bind_entry(st, &e);
    sqlite3_bind_int64(st, LEDGER_COLUMN_COUNT + 1, l->pending.writer);
    sqlite3_bind_int64(st, LEDGER_COLUMN_COUNT + 2, l->pending.n + 1);
    sqlite3_bind_blob(st, LEDGER_COLUMN_COUNT + 3, head, sizeof head, SQLITE_STATIC);
    done = ledger_run_sql(l, st);
    sqlite3_clear_bindings(st);
    if (done == ST_OK && (e.kind == LEDGER_ISSUED || e.kind == LEDGER_COUNTED))
        done = ledger_seen_add(l, &e);
    if (done != ST_OK)
        return done;
    memcpy(l->pending.head, head, sizeof head);
    l->pending.n++;
    l->next_id++;
    l->newest = e.time;
    return ST_OK;
}
