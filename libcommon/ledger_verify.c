#include "ledger_priv.h"

#include <stdlib.h>

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
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_WRITERS);
    int row = 0, ok = st != NULL;
    while (ok && (row = ledger_step(st)) > 0) {
        struct ledger_writer w = {
            .id = ledger_int(st, 0),
            .nonce = ledger_span(st, 1),
            .unit = ledger_text(st, 2),
            .program = ledger_text(st, 3),
            .opened = ledger_int(st, 4),
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
    ledger_reset(st);
    return ok && row == 0;
}

static int check_link(struct ledger *l, struct ledger_stmt *st, struct chains *c, int64_t id,
                      ledger_each *each, void *arg)
{
    struct ledger_entry e;
    ledger_read_row(st, &e);
    int64_t writer = ledger_int(st, LEDGER_COLUMN_COUNT);
    int64_t n = ledger_int(st, LEDGER_COLUMN_COUNT + 1);
    if (e.id != id)
        return bad_entry(l, id, "missing");
    if (writer < 1 || writer > c->n)
        return bad_entry(l, id, "its writer is missing");
    struct ledger_chain *chain = &c->v[writer - 1];
    if (n != ++chain->n)
        return bad_entry(l, id, "its number in the chain is wrong");
    ledger_hash_entry(l, chain->head, n, &e, chain->head);
    if (!buf_same(ledger_span(st, LEDGER_COLUMN_COUNT + 2),
                  (struct span){chain->head, LEDGER_HASH}))
        return bad_entry(l, id, "its hash does not fit the chain");
    ledger_sum_entry(l, &c->sums, &e);
    return !each || each(&e, arg);
}

static int check_all(struct ledger *l, struct chains *c, ledger_each *each, void *arg, int64_t *n)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_ALL);
    int row = 0, ok = st != NULL;
    while (ok && (row = ledger_step(st)) > 0) {
        ok = check_link(l, st, c, *n + 1, each, arg);
        *n += ok;
    }
    ledger_reset(st);
    return ok && row == 0;
}

int ledger_verify(struct ledger *l, ledger_each *each, void *arg, int64_t *entries)
{
    struct chains c = {0};
    int64_t n = 0;
    /* Others go on writing. */
    if (l->store->freeze(l) != ST_OK)
        return 0;
    int ok = ledger_sums_start(&c.sums) && start_chains(l, &c) && check_all(l, &c, each, arg, &n) &&
             ledger_sums_fit(l, &c.sums);
    l->store->thaw(l);
    free(c.v);
    if (entries)
        *entries = n;
    return ok;
}
