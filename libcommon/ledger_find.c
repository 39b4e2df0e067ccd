#include "ledger_priv.h"

#include <assert.h>

void ledger_read_row(const struct ledger_stmt *st, struct ledger_entry *e)
{
    *e = (struct ledger_entry){
        .id = ledger_int(st, 0),
        .time = ledger_int(st, 1),
        .kind = (enum ledger_kind)ledger_int(st, 2),
        .tid = ledger_span(st, 3),
        .run = ledger_span(st, 4),
        .part = (uint32_t)ledger_int(st, 5),
        .unit = ledger_text(st, 6),
        .owner = ledger_text(st, 7),
        .lot = ledger_text(st, 8),
        .profile = ledger_text(st, 9),
        .device = ledger_text(st, 10),
        .key = ledger_span(st, 11),
        .serial = ledger_span(st, 12),
        .digest_in = ledger_span(st, 13),
        .digest_out = ledger_span(st, 14),
        .status = ledger_int(st, 15),
        .note = ledger_text(st, 16),
        .data = ledger_span(st, 17),
    };
}

/* Nothing else is asked of the store while a statement gives its rows: a database sends them over
 * one connection. */
enum status ledger_walk(struct ledger_stmt *st, ledger_each *each, void *arg, int *more)
{
    int row = 0, go_on = 1;
    if (!st)
        return ST_TEMP;
    while (go_on && (row = ledger_step(st)) > 0) {
        struct ledger_entry e;
        ledger_read_row(st, &e);
        go_on = each(&e, arg);
    }
    ledger_reset(st);
    if (more)
        *more = go_on;
    return row < 0 ? ST_TEMP : ST_OK;
}

enum status ledger_walk_on(struct ledger_stmt *st, const struct ledger_filter *added,
                           ledger_each *each, void *arg)
{
    int more = 1;
    enum status done = ledger_walk(st, each, arg, &more);
    if (done == ST_OK && more)
        st->l->store->offer(st->l, added, NULL, each, arg);
    return done;
}

enum status ledger_by_tid(struct ledger *l, enum ledger_kind kind, struct span tid,
                          const char *unit, ledger_each *each, void *arg)
{
    assert(kind != LEDGER_ISSUED && kind != LEDGER_COUNTED);
    struct ledger_filter f = {.kinds = 1u << kind, .tid = tid, .unit = unit};
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_BY_TID);
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, tid);
    ledger_bind_int(st, 2, kind);
    ledger_bind_text(st, 3, unit);
    return ledger_walk_on(st, &f, each, arg);
}

static enum status run_marks(struct ledger *l, struct span run, struct ledger_run *out)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_RUN);
    int row;
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, run);
    while ((row = ledger_step(st)) > 0) {
        if (ledger_int(st, 0) == LEDGER_RUN_OPEN) {
            out->opened = 1;
            continue;
        }
        out->closed = 1;
        out->unreadable = ledger_int(st, 1);
        out->blocks = ledger_int(st, 2);
    }
    ledger_reset(st);
    return row < 0 ? ST_TEMP : ST_OK;
}

enum status ledger_run_state(struct ledger *l, struct span run, struct ledger_run *out)
{
    *out = (struct ledger_run){0};
    enum status done = run_marks(l, run, out);
    struct ledger_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQL_RUN_DEVICES) : NULL;
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, run);
    if (ledger_step(st) > 0) {
        out->asked = ledger_int(st, 0);
        out->delivered = ledger_int(st, 1);
        out->refused = ledger_int(st, 2);
        out->unanswered = out->asked - out->delivered - out->refused;
    } else {
        done = ST_TEMP;
    }
    ledger_reset(st);
    return done;
}

enum status ledger_unanswered(struct ledger *l, struct span run, ledger_each *each, void *arg)
{
    struct ledger_stmt *st =
        ledger_sql(l, run.n ? LEDGER_SQL_RUN_UNANSWERED : LEDGER_SQL_UNANSWERED);
    if (st && run.n)
        ledger_bind_span(st, 1, run);
    return ledger_walk(st, each, arg, NULL);
}

enum status ledger_unanswered_messages(struct ledger *l, ledger_each *each, void *arg)
{
    return ledger_walk(ledger_sql(l, LEDGER_SQL_UNANSWERED_MESSAGES), each, arg, NULL);
}
