#include "ledger_sqlite_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

enum status ledger_sqlite_failed(const struct ledger *l, sqlite3 *db)
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

/* --- statements --- */

static int prepare(struct ledger_stmt *st, const char *sql)
{
    sqlite3 *db = st->l->lite->db;
    sqlite3_stmt *own = st->own;
    if (!own &&
        sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &own, NULL) != SQLITE_OK) {
        ledger_sqlite_failed(st->l, db);
        return 0;
    }
    sqlite3_reset(own);
    st->own = own;
    return 1;
}

static void bind_int(struct ledger_stmt *st, int at, int64_t v)
{
    sqlite3_bind_int64(st->own, at, v);
}

static void bind_span(struct ledger_stmt *st, int at, struct span s)
{
    if (s.n)
        sqlite3_bind_blob64(st->own, at, s.p, s.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st->own, at);
}

static void bind_text(struct ledger_stmt *st, int at, const char *s)
{
    sqlite3_bind_text(st->own, at, s, -1, SQLITE_STATIC); /* NULL binds NULL */
}

static int step(struct ledger_stmt *st)
{
    int rc = sqlite3_step(st->own);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        ledger_sqlite_failed(st->l, st->l->lite->db);
        return -1;
    }
    return rc == SQLITE_ROW;
}

static int64_t get_int(const struct ledger_stmt *st, int at)
{
    return sqlite3_column_int64(st->own, at);
}

static struct span get_span(const struct ledger_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st->own, at);
    if (!p && sqlite3_column_type(st->own, at) != SQLITE_NULL)
        return (struct span){(const unsigned char *)"", 0};
    return (struct span){p, p ? (size_t)sqlite3_column_bytes(st->own, at) : 0};
}

static const char *get_text(const struct ledger_stmt *st, int at)
{
    return (const char *)sqlite3_column_text(st->own, at);
}

static void reset(struct ledger_stmt *st)
{
    sqlite3_reset(st->own);
}

/* --- transactions --- */

static void close_all(struct ledger *l)
{
    if (!l->lite)
        return;
    for (int i = 0; i < LEDGER_SQL_COUNT; i++)
        sqlite3_finalize(l->sql[i].own);
    sqlite3_close(l->lite->db);
    ledger_seen_free(l);
    buf_free(&l->lite->prefix);
    free(l->lite);
}

static enum status begin(struct ledger *l)
{
    ledger_seen_forget(l, 0);
    enum status st = ledger_run_sql(ledger_sql(l, LEDGER_SQLITE_BEGIN));
    if (st != ST_OK)
        return st;
    st = ledger_read_newest(l, &l->next_id, &l->newest);
    l->next_id++;
    if (st != ST_OK)
        ledger_run_sql(ledger_sql(l, LEDGER_SQLITE_ROLLBACK));
    return st;
}

static enum status commit(struct ledger *l)
{
    enum status st = ledger_run_sql(ledger_sql(l, LEDGER_SQLITE_COMMIT));
    if (st == ST_OK)
        ledger_seen_forget(l, 0);
    return st;
}

static void rollback(struct ledger *l)
{
    /* After some failures SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(l->lite->db))
        ledger_run_sql(ledger_sql(l, LEDGER_SQLITE_ROLLBACK));
    ledger_seen_forget(l, l->pending.n != l->committed.n);
}

static enum status enter_writer(struct ledger *l)
{
    unsigned char nonce[LEDGER_NONCE];
    struct ledger_writer w;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_WRITER);
    if (!st || !ledger_new_writer(l, &w, nonce))
        return ST_TEMP;
    ledger_bind_span(st, 1, w.nonce);
    ledger_bind_text(st, 2, w.unit);
    ledger_bind_text(st, 3, w.program);
    ledger_bind_int(st, 4, w.opened);
    enum status done = ledger_run_sql(st);
    if (done != ST_OK)
        return done;
    w.id = sqlite3_last_insert_rowid(l->lite->db);
    ledger_enter_writer(l, &w);
    return ST_OK;
}

static void bind_entry(struct ledger_stmt *st, const struct ledger_entry *e)
{
    bind_int(st, 1, e->id);
    bind_int(st, 2, e->time);
    bind_int(st, 3, e->kind);
    bind_span(st, 4, e->tid);
    bind_span(st, 5, e->run);
    bind_int(st, 6, e->part);
    bind_text(st, 7, e->unit);
    bind_text(st, 8, e->owner);
    bind_text(st, 9, e->lot);
    bind_text(st, 10, e->profile);
    bind_text(st, 11, e->device);
    bind_span(st, 12, e->key);
    bind_span(st, 13, e->serial);
    bind_span(st, 14, e->digest_in);
    bind_span(st, 15, e->digest_out);
    bind_int(st, 16, e->status);
    bind_text(st, 17, e->note);
    bind_span(st, 18, e->data);
}

static enum status add(struct ledger *l, const struct ledger_entry *given)
{
    enum status done = l->pending.writer ? ST_OK : enter_writer(l);
    struct ledger_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQLITE_ADD) : NULL;
    struct ledger_entry e = *given;
    unsigned char hash[LEDGER_HASH];
    if (!st)
        return ST_TEMP;
    ledger_place(l, &e, hash);
    bind_entry(st, &e);
    bind_int(st, LEDGER_COLUMN_COUNT + 1, l->pending.writer);
    bind_int(st, LEDGER_COLUMN_COUNT + 2, l->pending.n + 1);
    bind_span(st, LEDGER_COLUMN_COUNT + 3, (struct span){hash, sizeof hash});
    done = ledger_run_sql(st);
    if (done == ST_OK && (e.kind == LEDGER_ISSUED || e.kind == LEDGER_COUNTED))
        done = ledger_seen_add(l, &e);
    if (done == ST_OK)
        ledger_follow(l, &e, hash);
    return done;
}

/* BEGIN IMMEDIATE locks everything. */
static enum status lock(struct ledger *l, char what, struct span name)
{
    (void)l, (void)what, (void)name;
    return ST_OK;
}

static enum status expect(struct ledger *l, enum ledger_kind kind, const struct ledger_identity *v,
                          size_t n)
{
    (void)l, (void)kind, (void)v, (void)n;
    return ST_OK;
}

/* What was added is in the table at once. */
static int offer(struct ledger *l, const struct ledger_filter *f, const char *note,
                 ledger_each *each, void *arg)
{
    (void)l, (void)f, (void)note, (void)each, (void)arg;
    return 1;
}

static enum status freeze(struct ledger *l)
{
    sqlite3 *db = l->lite->db;
    return sqlite3_exec(db, "SAVEPOINT verify", NULL, NULL, NULL) == SQLITE_OK
               ? ST_OK
               : ledger_sqlite_failed(l, db);
}

static void thaw(struct ledger *l)
{
    sqlite3_exec(l->lite->db, "RELEASE verify", NULL, NULL, NULL);
}

const struct ledger_store ledger_sqlite = {.open = ledger_sqlite_open,
                                           .close = close_all,
                                           .begin = begin,
                                           .commit = commit,
                                           .abort = rollback,
                                           .add = add,
                                           .lock = lock,
                                           .expect = expect,
                                           .find = ledger_seen_find,
                                           .offer = offer,
                                           .freeze = freeze,
                                           .thaw = thaw,
                                           .tables_wrong = ledger_sqlite_wrong,
                                           .unchanged = ledger_sqlite_unchanged,
                                           .sum_marks = ledger_seen_sum,
                                           .marks_fit = ledger_seen_fits,
                                           .prepare = prepare,
                                           .bind_int = bind_int,
                                           .bind_span = bind_span,
                                           .bind_text = bind_text,
                                           .step = step,
                                           .get_int = get_int,
                                           .get_span = get_span,
                                           .get_text = get_text,
                                           .reset = reset};
