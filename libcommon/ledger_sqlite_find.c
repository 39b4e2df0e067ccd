/* Looking up in the index of ledger_sqlite_seen.c, and whether it holds what the entries say. */
#include "ledger_sqlite_priv.h"

#include "diag.h"

struct search {
    const struct ledger_wanted *w;
    int64_t last; /* entry that was looked at */
    int more;
};

static enum status offer(struct ledger *l, int64_t id, void *arg)
{
    struct search *s = arg;
    /* Another process may have moved it since the memory was brought up to date. */
    if (!s->more || id <= s->last)
        return ST_OK;
    s->last = id;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_BY_ID);
    if (!st)
        return ST_TEMP;
    ledger_bind_int(st, 1, id);
    struct ledger_entry e;
    int row = ledger_step(st);
    if (row > 0) {
        ledger_read_row(st, &e);
        s->more = !ledger_matches(s->w, &e) || s->w->each(&e, s->w->arg);
    } else if (!row) {
        diag_warn("%s: the ledger is damaged: its index holds what no entry has", l->path);
    }
    ledger_reset(st);
    return row > 0 ? ST_OK : ST_TEMP;
}

static enum status find_seen(struct ledger *l, int64_t mark, struct search *s)
{
    int row = 0;
    enum status done = ST_OK;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_SEEN);
    if (!st)
        return ST_TEMP;
    ledger_bind_int(st, 1, mark);
    while (s->more && done == ST_OK && (row = ledger_step(st)) > 0)
        done = offer(l, ledger_int(st, 0), s);
    ledger_reset(st);
    return row < 0 ? ST_TEMP : done;
}

enum status ledger_seen_find(struct ledger *l, const struct ledger_wanted *w)
{
    int64_t mark;
    struct search s = {.w = w, .more = 1};
    enum status done = ledger_seen_key(l, w, &mark);
    if (done == ST_OK)
        done = find_seen(l, mark, &s);
    return done == ST_OK ? ledger_seen_fresh(l, mark, offer, &s) : done;
}

void ledger_seen_sum(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e)
{
    int64_t key, other;
    if (e->kind != LEDGER_ISSUED && e->kind != LEDGER_COUNTED)
        return;
    ledger_seen_marks(l, e, &key, &other);
    ledger_sum_mark(s, key, e->id);
    if (key != other)
        ledger_sum_mark(s, other, e->id);
}

static int has_mark(struct ledger *l, int64_t mark, int64_t entry)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_HAS_MARK);
    if (!st)
        return -1;
    ledger_bind_int(st, 1, mark);
    ledger_bind_int(st, 2, entry);
    int has = ledger_step(st) > 0 ? (int)ledger_int(st, 0) : -1;
    ledger_reset(st);
    return has;
}

static int is_indexed(struct ledger *l, const struct ledger_entry *e)
{
    int64_t key, other;
    ledger_seen_marks(l, e, &key, &other);
    int has = has_mark(l, key, e->id);
    if (has > 0)
        has = has_mark(l, other, e->id);
    if (!has)
        diag_warn("%s: entry %lld: it is missing in the index", l->path, (long long)e->id);
    return has > 0;
}

/* The sums differ: which entry is it? */
static int bad_index(struct ledger *l)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_INDEXED);
    int row = -1;
    while (st && (row = ledger_step(st)) > 0) {
        struct ledger_entry e;
        ledger_read_row(st, &e);
        if (!is_indexed(l, &e))
            break;
    }
    ledger_reset(st);
    return row ? 0 : diag_warn("%s: the index holds what no entry has", l->path);
}

int ledger_seen_fits(struct ledger *l, const struct ledger_sums *s)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_MARKS);
    struct ledger_sums held = *s;
    int row = -1;
    held.marks = 0;
    while (st && (row = ledger_step(st)) > 0)
        ledger_sum_mark(&held, ledger_int(st, 0), ledger_int(st, 1));
    ledger_reset(st);
    if (row < 0)
        return 0;
    return held.marks == s->marks || bad_index(l);
}
