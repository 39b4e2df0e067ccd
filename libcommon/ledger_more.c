/* Look-ups of what there is little of, and reading through all of it. */
#include "ledger_priv.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static const size_t spans[] = {
    offsetof(struct ledger_entry, tid),       offsetof(struct ledger_entry, run),
    offsetof(struct ledger_entry, key),       offsetof(struct ledger_entry, serial),
    offsetof(struct ledger_entry, digest_in), offsetof(struct ledger_entry, digest_out),
    offsetof(struct ledger_entry, data)};
static const size_t texts[] = {
    offsetof(struct ledger_entry, unit),   offsetof(struct ledger_entry, owner),
    offsetof(struct ledger_entry, lot),    offsetof(struct ledger_entry, profile),
    offsetof(struct ledger_entry, device), offsetof(struct ledger_entry, note)};
#define N(v) (sizeof(v) / sizeof *(v))

static struct span *span_at(struct ledger_entry *e, size_t i)
{
    return (struct span *)(void *)((char *)e + spans[i]);
}

static const char **text_at(struct ledger_entry *e, size_t i)
{
    return (const char **)(void *)((char *)e + texts[i]);
}

void *ledger_copy(const struct ledger_entry *from, struct ledger_entry *to)
{
    size_t n = 1;
    *to = *from;
    for (size_t i = 0; i < N(spans); i++)
        n += span_at(to, i)->n;
    for (size_t i = 0; i < N(texts); i++)
        n += *text_at(to, i) ? strlen(*text_at(to, i)) + 1 : 0;
    unsigned char *block = alloc_zero(1, n), *at = block;
    for (size_t i = 0; i < N(spans); i++) {
        struct span *s = span_at(to, i);
        if (s->n)
            s->p = memcpy(at, s->p, s->n);
        at += s->n;
    }
    for (size_t i = 0; i < N(texts); i++) {
        const char **s = text_at(to, i);
        size_t octets = *s ? strlen(*s) + 1 : 0;
        if (octets)
            *s = memcpy(at, *s, octets);
        at += octets;
    }
    return block;
}

struct keep {
    struct ledger *l;
    struct ledger_entry *e;
};

static int keep(const struct ledger_entry *e, void *arg)
{
    struct keep *k = arg;
    k->l->kept = ledger_copy(e, k->e);
    return 0;
}

/* The first row of a bound statement. An entry that stayed in its statement would keep the file
 * from being written. */
static enum status first(struct ledger *l, sqlite3_stmt *st, struct ledger_entry *e)
{
    struct keep k = {l, e};
    *e = (struct ledger_entry){0};
    free(l->kept);
    l->kept = NULL;
    return ledger_walk(l, st, keep, &k);
}

static void bind_text(sqlite3_stmt *st, int at, const char *s)
{
    sqlite3_bind_text(st, at, s, -1, SQLITE_STATIC);
}

enum status ledger_revoked(struct ledger *l, struct span serial, const char *issuer,
                           struct ledger_entry *e)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_REVOKED);
    if (!st)
        return ST_TEMP;
    ledger_bind_span(st, 1, serial);
    bind_text(st, 2, issuer);
    return first(l, st, e);
}

enum status ledger_newest(struct ledger *l, enum ledger_kind kind, const char *note,
                          struct ledger_entry *e)
{
    assert(kind >= LEDGER_HELD);
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_NEWEST_OF);
    if (!st)
        return ST_TEMP;
    sqlite3_bind_int(st, 1, (int)kind);
    bind_text(st, 2, note);
    return first(l, st, e);
}

enum status ledger_held(struct ledger *l, ledger_each *each, void *arg)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_HELD);
    return st ? ledger_walk(l, st, each, arg) : ST_TEMP;
}

enum status ledger_allowed(struct ledger *l, const char *owner, const char *profile,
                           const char *device, ledger_each *each, void *arg)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_ALLOWED);
    if (!st)
        return ST_TEMP;
    bind_text(st, 1, device);
    bind_text(st, 2, owner);
    bind_text(st, 3, profile);
    return ledger_walk(l, st, each, arg);
}

/* Of the rare kinds there is an index; who asks for them alone does not read a million others. */
static enum ledger_sql scan_sql(const struct ledger *l, const struct ledger_filter *f)
{
    if (f->kinds && !(f->kinds & ((1u << LEDGER_HELD) - 1)) && l->format == LEDGER_FORMAT)
        return LEDGER_SQL_SCAN_RARE;
    return f->no_data ? LEDGER_SQL_SCAN_BARE : LEDGER_SQL_SCAN;
}

enum status ledger_scan(struct ledger *l, const struct ledger_filter *f, ledger_each *each,
                        void *arg)
{
    sqlite3_stmt *st = ledger_sql(l, scan_sql(l, f));
    if (!st)
        return ST_TEMP;
    sqlite3_bind_int64(st, 1, f->after);
    sqlite3_bind_int64(st, 2, f->last ? f->last : INT64_MAX);
    sqlite3_bind_int64(st, 3, f->kinds ? f->kinds : UINT32_MAX);
    sqlite3_bind_int64(st, 4, f->since);
    sqlite3_bind_int64(st, 5, f->until ? f->until : INT64_MAX);
    bind_text(st, 6, f->unit);
    bind_text(st, 7, f->owner);
    bind_text(st, 8, f->lot);
    bind_text(st, 9, f->profile);
    bind_text(st, 10, f->device);
    ledger_bind_span(st, 11, f->tid);
    ledger_bind_span(st, 12, f->serial);
    return ledger_walk(l, st, each, arg);
}

enum status ledger_counted(struct ledger *l, const char *owner, const char *lot, int64_t *n)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_USED);
    *n = 0;
    if (!st)
        return ST_TEMP;
    bind_text(st, 1, owner ? owner : "");
    bind_text(st, 2, lot ? lot : "");
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *n = sqlite3_column_int64(st, 0);
    enum status done = rc == SQLITE_ROW || rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}
