/* Look-ups of what there is little of, and reading through all of it. */
#include "ledger_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int tally(const struct ledger_entry *e, void *arg)
{
    (void)e;
    ++*(int64_t *)arg;
    return 1;
}

struct keep {
    struct ledger *l;
    struct ledger_entry *e;
};

static void forget(struct ledger *l)
{
    free(l->kept);
    l->kept = NULL;
}

static int keep(const struct ledger_entry *e, void *arg)
{
    struct keep *k = arg;
    forget(k->l);
    k->l->kept = ledger_copy(e, k->e);
    return 1;
}

/* The newest: what this transaction added, else the one row of a bound statement. An entry that
 * stayed in its statement would keep a SQLite file from being written. */
static enum status newest(struct ledger *l, struct ledger_stmt *st, const struct ledger_filter *f,
                          const char *note, struct ledger_entry *e)
{
    struct keep k = {l, e};
    *e = (struct ledger_entry){0};
    forget(l);
    enum status done = ledger_walk(st, keep, &k, NULL);
    if (done == ST_OK)
        l->store->offer(l, f, note, keep, &k);
    return done;
}

enum status ledger_revoked(struct ledger *l, struct span serial, const char *issuer,
                           struct ledger_entry *e)
{
    struct ledger_filter f = {.kinds = 1u << LEDGER_REVOKED, .serial = serial};
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_REVOKED);
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, serial);
    ledger_bind_text(st, 2, issuer);
    return newest(l, st, &f, issuer, e);
}

enum status ledger_newest(struct ledger *l, enum ledger_kind kind, const char *note,
                          struct ledger_entry *e)
{
    assert(kind >= LEDGER_HELD);
    struct ledger_filter f = {.kinds = 1u << kind};
    unsigned char name = (unsigned char)kind;
    /* What follows from the newest, the number of a CRL or the head before, follows from it once.
     */
    if (l->open && l->store->lock(l, 'k', (struct span){&name, 1}) != ST_OK)
        return ST_TEMP;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_NEWEST_OF);
    if (!st)
        return ST_TEMP;
    ledger_bind_int(st, 1, kind);
    ledger_bind_text(st, 2, note);
    return newest(l, st, &f, note, e);
}

enum status ledger_held(struct ledger *l, ledger_each *each, void *arg)
{
    assert(!l->open);
    return ledger_walk(ledger_sql(l, LEDGER_SQL_HELD), each, arg, NULL);
}

enum status ledger_allowed(struct ledger *l, const char *owner, const char *profile,
                           const char *device, ledger_each *each, void *arg)
{
    struct ledger_filter f = {.kinds = 1u << LEDGER_ALLOWED | 1u << LEDGER_REISSUED,
                              .owner = owner,
                              .profile = profile,
                              .device = device};
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_ALLOWED);
    if (!st)
        return ST_TEMP;
    ledger_bind_text(st, 1, device);
    ledger_bind_text(st, 2, owner);
    ledger_bind_text(st, 3, profile);
    return ledger_walk_on(st, &f, each, arg);
}

/* The one kind that is asked for, if it is of the rare ones: by their index it is read on from any
 * id, without the others. 0: it is not. */
static int rare_kind(const struct ledger *l, const struct ledger_filter *f)
{
    for (int kind = LEDGER_HELD; kind < LEDGER_KINDS && l->format == LEDGER_FORMAT; kind++)
        if (f->kinds == 1u << kind)
            return kind;
    return 0;
}

enum status ledger_scan(struct ledger *l, const struct ledger_filter *f, ledger_each *each,
                        void *arg)
{
    int rare = rare_kind(l, f);
    struct ledger_stmt *st = ledger_sql(l, rare         ? LEDGER_SQL_SCAN_RARE
                                           : f->no_data ? LEDGER_SQL_SCAN_BARE
                                                        : LEDGER_SQL_SCAN);
    if (!st)
        return ST_TEMP;
    if (rare)
        ledger_bind_int(st, 14, rare);
    ledger_bind_int(st, 1, f->after);
    ledger_bind_int(st, 2, f->last ? f->last : INT64_MAX);
    ledger_bind_int(st, 3, f->kinds ? f->kinds : UINT32_MAX);
    ledger_bind_int(st, 4, f->since);
    ledger_bind_int(st, 5, f->until ? f->until : INT64_MAX);
    ledger_bind_text(st, 6, f->unit);
    ledger_bind_text(st, 7, f->owner);
    ledger_bind_text(st, 8, f->lot);
    ledger_bind_text(st, 9, f->profile);
    ledger_bind_text(st, 10, f->device);
    ledger_bind_span(st, 11, f->tid);
    ledger_bind_span(st, 12, f->serial);
    ledger_bind_int(st, 13, f->most ? f->most : INT64_MAX);
    return ledger_walk(st, each, arg, NULL);
}

enum status ledger_counted(struct ledger *l, const char *owner, const char *lot, int64_t *n)
{
    struct ledger_filter f = {.kinds = 1u << LEDGER_COUNTED, .owner = owner, .lot = lot};
    struct buf name = {0};
    enum status done = ST_OK;
    *n = 0;
    buf_printf(&name, "%zu %s %s", strlen(owner), owner, lot);
    if (l->open)
        done = l->store->lock(l, 'q', buf_span(&name));
    buf_free(&name);
    struct ledger_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQL_USED) : NULL;
    if (!st)
        return ST_TEMP;
    ledger_bind_text(st, 1, owner);
    ledger_bind_text(st, 2, lot);
    int row = ledger_step(st);
    if (row > 0)
        *n = ledger_int(st, 0);
    ledger_reset(st);
    l->store->offer(l, &f, NULL, tally, n);
    return row < 0 ? ST_TEMP : ST_OK;
}

static int found(const struct ledger_entry *e, void *arg)
{
    (void)e;
    *(int *)arg = 1;
    return 0;
}

enum status ledger_is_counted(struct ledger *l, const char *lot, const struct ledger_identity *who,
                              int *yes)
{
    struct ledger_wanted w = {.kind = LEDGER_COUNTED,
                              .by_key = 1,
                              .key = who->key,
                              .owner = who->owner,
                              .lot = lot,
                              .profile = who->profile,
                              .device = who->device,
                              .each = found,
                              .arg = yes};
    *yes = 0;
    return l->store->find(l, &w);
}

enum status ledger_by_device(struct ledger *l, const char *owner, const char *profile,
                             const char *device, ledger_each *each, void *arg)
{
    struct ledger_wanted w = {.kind = LEDGER_ISSUED,
                              .owner = owner,
                              .profile = profile,
                              .device = device,
                              .each = each,
                              .arg = arg};
    return l->store->find(l, &w);
}

enum status ledger_by_key(struct ledger *l, struct span key, ledger_each *each, void *arg)
{
    struct ledger_wanted w = {
        .kind = LEDGER_ISSUED, .by_key = 1, .key = key, .each = each, .arg = arg};
    return l->store->find(l, &w);
}
