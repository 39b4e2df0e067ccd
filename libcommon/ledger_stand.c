#include "ledger_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

/* Append-only entries: what lies at or below an id does not change, and needs no transaction. */
static enum status last_entry(struct ledger *l, int64_t *id)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_NEWEST);
    *id = 0;
    if (!st)
        return ST_TEMP;
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *id = sqlite3_column_int64(st, 0);
    enum status done = rc == SQLITE_ROW || rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}

/* A column that holds a hash. */
static int read_hash(sqlite3_stmt *st, int at, unsigned char out[LEDGER_HASH])
{
    const void *hash = sqlite3_column_blob(st, at);
    if (!hash || sqlite3_column_bytes(st, at) != LEDGER_HASH)
        return 0;
    memcpy(out, hash, LEDGER_HASH);
    return 1;
}

enum status ledger_stand(struct ledger *l, int64_t since, struct ledger_stand *out)
{
    *out = (struct ledger_stand){0};
    enum status done = last_entry(l, &out->entry);
    sqlite3_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQL_STAND) : NULL;
    int rc = SQLITE_DONE;
    if (!st)
        return ST_TEMP;
    sqlite3_bind_int64(st, 1, since);
    sqlite3_bind_int64(st, 2, out->entry);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if ((out->n & (out->n - 1)) == 0)
            out->links = alloc_grow(out->links, out->n ? out->n * 2 : 1, sizeof *out->links);
        struct ledger_link *link = &out->links[out->n++];
        link->writer = sqlite3_column_int64(st, 0);
        link->n = sqlite3_column_int64(st, 1);
        if (!read_hash(st, 2, link->hash)) {
            diag_warn("%s: writer %lld: its entry %lld has no hash", l->path,
                      (long long)link->writer, (long long)link->n);
            done = ST_TEMP;
        }
    }
    if (rc != SQLITE_DONE)
        done = ledger_failed(l, l->db);
    sqlite3_reset(st);
    if (done != ST_OK)
        ledger_stand_free(out);
    return done;
}

void ledger_stand_free(struct ledger_stand *s)
{
    free(s->links);
    *s = (struct ledger_stand){0};
}

/* The id of the milestone at or before the n-th entry of a writer: 0 there is none, -1 failed. */
static int64_t milestone(struct ledger *l, int64_t writer, int64_t n)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_LINK_NEAR);
    if (!st)
        return -1;
    sqlite3_bind_int64(st, 1, writer);
    sqlite3_bind_int64(st, 2, n);
    int rc = sqlite3_step(st);
    int64_t id = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : rc == SQLITE_DONE ? 0 : -1;
    if (id < 0)
        ledger_failed(l, l->db);
    sqlite3_reset(st);
    return id;
}

int ledger_link(struct ledger *l, int64_t writer, int64_t n, unsigned char hash[32])
{
    int64_t near = milestone(l, writer, n);
    sqlite3_stmt *st = near > 0 ? ledger_sql(l, LEDGER_SQL_LINK) : NULL;
    if (!st)
        return near ? -1 : 0;
    sqlite3_bind_int64(st, 1, writer);
    sqlite3_bind_int64(st, 2, n);
    sqlite3_bind_int64(st, 3, near);
    int rc = sqlite3_step(st);
    int there = rc == SQLITE_ROW ? read_hash(st, 0, hash) : rc == SQLITE_DONE ? 0 : -1;
    if (there < 0)
        ledger_failed(l, l->db);
    sqlite3_reset(st);
    return there;
}
