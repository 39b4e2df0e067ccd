#include "ledger_priv.h"

#include <assert.h>

static struct span blob(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);
    return (struct span){p, p ? (size_t)sqlite3_column_bytes(st, at) : 0};
}

static const char *text(sqlite3_stmt *st, int at)
{
    return (const char *)sqlite3_column_text(st, at);
}

void ledger_read_row(sqlite3_stmt *st, struct ledger_entry *e)
{
    *e = (struct ledger_entry){
        .id = sqlite3_column_int64(st, 0),
        .time = sqlite3_column_int64(st, 1),
        .kind = (enum ledger_kind)sqlite3_column_int(st, 2),
        .tid = blob(st, 3),
        .run = blob(st, 4),
        .part = (uint32_t)sqlite3_column_int64(st, 5),
        .unit = text(st, 6),
        .owner = text(st, 7),
        .lot = text(st, 8),
        .profile = text(st, 9),
        .device = text(st, 10),
        .key = blob(st, 11),
        .serial = blob(st, 12),
        .digest_in = blob(st, 13),
        .digest_out = blob(st, 14),
        .status = sqlite3_column_int64(st, 15),
        .note = text(st, 16),
        .data = blob(st, 17),
    };
}

enum status ledger_walk(struct ledger *l, sqlite3_stmt *st, ledger_each *each, void *arg)
{
    int rc, more = 1;
    while (more && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct ledger_entry e;
        ledger_read_row(st, &e);
        more = each(&e, arg);
    }
    enum status done = !more || rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return done;
}

/* Steps a bound statement that selects ids, and looks each up: what is sorted are ids, not
 * messages. */
static enum status walk_ids(struct ledger *l, sqlite3_stmt *st, ledger_each *each, void *arg)
{
    int rc, more = 1;
    enum status done = ST_OK;
    while (more && done == ST_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        sqlite3_stmt *one = ledger_sql(l, LEDGER_SQL_BY_ID);
        done = one ? ST_OK : ST_TEMP;
        if (one)
            sqlite3_bind_int64(one, 1, sqlite3_column_int64(st, 0));
        if (one && sqlite3_step(one) == SQLITE_ROW) {
            struct ledger_entry e;
            ledger_read_row(one, &e);
            more = each(&e, arg);
        } else if (one) {
            done = ledger_failed(l, l->db);
        }
        sqlite3_reset(one);
    }
    if (more && done == ST_OK && rc != SQLITE_DONE)
        done = ledger_failed(l, l->db);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return done;
}

enum status ledger_by_tid(struct ledger *l, enum ledger_kind kind, struct span tid,
                          const char *unit, ledger_each *each, void *arg)
{
    assert(kind != LEDGER_ISSUED);
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_BY_TID);
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, tid);
    sqlite3_bind_int(st, 2, (int)kind);
    sqlite3_bind_text(st, 3, unit, -1, SQLITE_STATIC);
    return ledger_walk(l, st, each, arg);
}

static enum status run_marks(struct ledger *l, struct span run, struct ledger_run *out)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_RUN);
    int rc = SQLITE_ERROR;
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, run);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (sqlite3_column_int(st, 0) == LEDGER_RUN_OPEN) {
            out->opened = 1;
            continue;
        }
        out->closed = 1;
        out->unreadable = sqlite3_column_int64(st, 1);
        out->blocks = sqlite3_column_int64(st, 2);
    }
    enum status done = rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return done;
}

enum status ledger_run_state(struct ledger *l, struct span run, struct ledger_run *out)
{
    *out = (struct ledger_run){0};
    enum status done = run_marks(l, run, out);
    sqlite3_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQL_RUN_DEVICES) : NULL;
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, run);
    if (sqlite3_step(st) == SQLITE_ROW) {
        out->asked = sqlite3_column_int64(st, 0);
        out->delivered = sqlite3_column_int64(st, 1);
        out->refused = sqlite3_column_int64(st, 2);
        out->unanswered = out->asked - out->delivered - out->refused;
    } else {
        done = ledger_failed(l, l->db);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return done;
}

enum status ledger_unanswered(struct ledger *l, struct span run, ledger_each *each, void *arg)
{
    sqlite3_stmt *st = ledger_sql(l, run.n ? LEDGER_SQL_RUN_UNANSWERED : LEDGER_SQL_UNANSWERED);
    if (!st)
        return ST_TEMP;
    if (run.n)
        ledger_bind_span(st, 1, run);
    return walk_ids(l, st, each, arg);
}

enum status ledger_unanswered_messages(struct ledger *l, ledger_each *each, void *arg)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_UNANSWERED_MESSAGES);
    if (!st)
        return ST_TEMP;
    return walk_ids(l, st, each, arg);
}
