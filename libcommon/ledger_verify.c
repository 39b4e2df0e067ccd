#include "ledger_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

/* The chains as far as they were recomputed, by writer: ids count from 1 without a gap. */
struct chains {
    struct ledger_chain *v;
    int64_t n;
    struct ledger_sums sums;
};

static int bad_entry(struct ledger *l, int64_t id, const char *why)
{
    return diag_warn("%s: entry %lld: %s", l->path, (long long)id, why);
}

static int start_chains(struct ledger *l, struct chains *c)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_WRITERS);
    int rc = SQLITE_DONE, ok = st != NULL;
    while (ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct ledger_writer w = {
            .id = sqlite3_column_int64(st, 0),
            .nonce = {sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1)},
            .unit = (const char *)sqlite3_column_text(st, 2),
            .program = (const char *)sqlite3_column_text(st, 3),
            .opened = sqlite3_column_int64(st, 4),
        };
        if (w.id != c->n + 1)
            ok = diag_warn("%s: writer %lld is missing", l->path, (long long)(c->n + 1));
        if (ok && (c->n & (c->n - 1)) == 0)
            c->v = alloc_grow(c->v, c->n ? (size_t)c->n * 2 : 1, sizeof *c->v);
        if (!ok)
            break;
        c->v[c->n] = (struct ledger_chain){.writer = w.id};
        ledger_hash_writer(l, &w, c->v[c->n++].head);
    }
    if (ok && rc != SQLITE_DONE) {
        ledger_failed(l, l->db);
        ok = 0;
    }
    sqlite3_reset(st);
    return ok;
}

static int check_link(struct ledger *l, sqlite3_stmt *st, struct chains *c, int64_t id,
                      ledger_each *each, void *arg)
{
    struct ledger_entry e;
    ledger_read_row(st, &e);
    int64_t writer = sqlite3_column_int64(st, LEDGER_COLUMN_COUNT);
    int64_t n = sqlite3_column_int64(st, LEDGER_COLUMN_COUNT + 1);
    if (e.id != id)
        return bad_entry(l, id, "missing");
    if (writer < 1 || writer > c->n)
        return bad_entry(l, id, "its writer is missing");
    struct ledger_chain *chain = &c->v[writer - 1];
    if (n != ++chain->n)
        return bad_entry(l, id, "its number in the chain is wrong");
    ledger_hash_entry(l, chain->head, n, &e, chain->head);
    const void *hash = sqlite3_column_blob(st, LEDGER_COLUMN_COUNT + 2);
    if (!hash || sqlite3_column_bytes(st, LEDGER_COLUMN_COUNT + 2) != LEDGER_HASH ||
        memcmp(hash, chain->head, LEDGER_HASH))
        return bad_entry(l, id, "its hash does not fit the chain");
    ledger_sum_entry(l, &c->sums, &e);
    return !each || each(&e, arg);
}

int ledger_verify(struct ledger *l, ledger_each *each, void *arg, int64_t *entries)
{
    struct chains c = {0};
    int64_t n = 0;
    /* One snapshot for both tables, while others go on writing. */
    int ok = sqlite3_exec(l->db, "SAVEPOINT verify", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok)
        ledger_failed(l, l->db);
    ok = ok && ledger_sums_start(&c.sums) && start_chains(l, &c);
    sqlite3_stmt *st = ok ? ledger_sql(l, LEDGER_SQL_ALL) : NULL;
    int rc = SQLITE_DONE;
    ok = st != NULL;
    while (ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        ok = check_link(l, st, &c, n + 1, each, arg);
        n += ok;
    }
    if (ok && rc != SQLITE_DONE) {
        ledger_failed(l, l->db);
        ok = 0;
    }
    sqlite3_reset(st);
    ok = ok && ledger_sums_fit(l, &c.sums);
    sqlite3_exec(l->db, "RELEASE verify", NULL, NULL, NULL);
    free(c.v);
    if (entries)
        *entries = n;
    return ok;
}
