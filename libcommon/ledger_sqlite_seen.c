/* Which device and which key had a certificate, and which key was counted: the index of
 * LEDGER_ISSUED and LEDGER_COUNTED. A B-tree keyed by random octets costs a page written for every
 * row, more the larger it is. So the marks of new entries wait in the table fresh, in the order of
 * the entries, and in memory; FRESH_MAX of them at a time move to the tree `seen`, sorted, so that
 * each of its pages is written once for many. Both tables follow from the entries: no hash covers
 * them. */
#include "ledger_sqlite_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define FRESH_MAX 32000
#define SLOTS ((uint32_t)1 << 17) /* of two marks each, half of them free */
#define SLICES 4                  /* the move sorts this part of the marks at a time: memory */

/* Slots hold the place in `id` (from 1) above 16 bits of the mark; what they point at is compared
 * in full. */
struct ledger_fresh {
    uint32_t *slot, *id; /* id: less first */
    uint32_t n;
    int64_t first, last; /* entries; 0: none */
    int current;         /* in this transaction nothing needs to be read */
};

static int64_t first_octets(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | (i < n ? p[i] : 0);
    return (int64_t)v;
}

static int64_t key_mark(struct span key)
{
    return first_octets(key.p, key.n);
}

/* Devices that are numbered on stand side by side in the tree: the last octets of the name go into
 * the mark as they are, behind a hash of those before. */
static int64_t device_mark(struct ledger *l, const char *device)
{
    size_t n = strlen(device), tail = n < 4 ? n : 4;
    struct span head = {(const unsigned char *)device, n - tail};
    unsigned char mark[8];
    if (!l->lite->prefix.d || !buf_same(head, buf_span(&l->lite->prefix))) {
        ledger_hash_text(l, head, l->lite->prefix_hash);
        buf_reset(&l->lite->prefix);
        buf_room(&l->lite->prefix, 1);
        buf_put(&l->lite->prefix, head.p, head.n);
    }
    memcpy(mark, l->lite->prefix_hash, 4);
    memcpy(mark + 4, device + n - tail, tail);
    return first_octets(mark, 4 + tail);
}

void ledger_seen_forget(struct ledger *l, int changed)
{
    if (!l->lite->fresh)
        return;
    l->lite->fresh->current = 0;
    if (changed)
        l->lite->fresh->last = -1; /* no entry: all is read again */
}

void ledger_seen_free(struct ledger *l)
{
    if (!l->lite->fresh)
        return;
    free(l->lite->fresh->slot);
    free(l->lite->fresh->id);
    free(l->lite->fresh);
}

static void clear(struct ledger *l)
{
    if (!l->lite->fresh) {
        l->lite->fresh = alloc_zero(1, sizeof *l->lite->fresh);
        l->lite->fresh->slot = alloc_zero(SLOTS, sizeof *l->lite->fresh->slot);
        l->lite->fresh->id = alloc_zero(FRESH_MAX, sizeof *l->lite->fresh->id);
    } else {
        memset(l->lite->fresh->slot, 0, SLOTS * sizeof *l->lite->fresh->slot);
    }
    l->lite->fresh->n = 0;
    l->lite->fresh->first = l->lite->fresh->last = 0;
}

/* Marks of devices differ in their lower bits only: a slot's place and tag come from all of them.
 */
static uint64_t spread(int64_t mark)
{
    return (uint64_t)mark * 0x9e3779b97f4a7c15;
}

static uint32_t place(int64_t mark)
{
    return (uint32_t)(spread(mark) >> 40) % SLOTS;
}

static uint32_t tag(int64_t mark)
{
    return spread(mark) >> 24 & 0xffff;
}

static void put_mark(struct ledger_fresh *f, int64_t mark)
{
    uint32_t at = place(mark);
    while (f->slot[at])
        at = (at + 1) % SLOTS;
    f->slot[at] = f->n << 16 | tag(mark);
}

static void put_entry(struct ledger_fresh *f, int64_t id, int64_t key, int64_t device)
{
    if (!f->n)
        f->first = id;
    f->id[f->n++] = (uint32_t)(id - f->first);
    f->last = id;
    put_mark(f, key);
    if (device != key)
        put_mark(f, device);
}

/* Reads the marks of the entries behind f->last. */
static enum status read_fresh(struct ledger *l)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_FRESH);
    int row;
    if (!st)
        return ST_TEMP;
    ledger_bind_int(st, 1, l->lite->fresh->last);
    while ((row = ledger_step(st)) > 0 && l->lite->fresh->n < FRESH_MAX)
        put_entry(l->lite->fresh, ledger_int(st, 0), ledger_int(st, 1), ledger_int(st, 2));
    enum status done = row < 0 ? ST_TEMP : ST_OK;
    ledger_reset(st);
    return done;
}

/* Brings the memory up to what other processes did. */
static enum status refresh(struct ledger *l)
{
    if (l->lite->fresh && l->lite->fresh->current)
        return ST_OK;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_FRESH_ENDS);
    if (!st)
        return ST_TEMP;
    enum status done = ledger_step(st) > 0 ? ST_OK : ST_TEMP;
    int64_t first = done == ST_OK ? ledger_int(st, 0) : 0;
    int64_t last = done == ST_OK ? ledger_int(st, 1) : 0;
    ledger_reset(st);
    if (done != ST_OK)
        return done;
    if (!l->lite->fresh || l->lite->fresh->last < 0 || l->lite->fresh->first != first ||
        l->lite->fresh->last > last)
        clear(l);
    if (l->lite->fresh->last < last)
        done = read_fresh(l);
    l->lite->fresh->current = done == ST_OK && l->open;
    return done;
}

struct mark {
    int64_t mark, entry;
};

static int by_mark(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    if (x->mark != y->mark)
        return x->mark < y->mark ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static enum status insert_marks(struct ledger *l, struct mark *v, size_t n)
{
    enum status done = ST_OK;
    qsort(v, n, sizeof *v, by_mark);
    for (size_t i = 0; i < n && done == ST_OK; i++) {
        struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_SEEN_ADD);
        if (!st)
            return ST_TEMP;
        ledger_bind_int(st, 1, v[i].mark);
        ledger_bind_int(st, 2, v[i].entry);
        done = ledger_run_sql(st);
    }
    return done;
}

/* Moves the marks of one slice, told by their two upper bits. */
static enum status move_slice(struct ledger *l, unsigned slice, struct buf *marks)
{
    int row;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_FRESH);
    if (!st)
        return ST_TEMP;
    buf_reset(marks);
    ledger_bind_int(st, 1, 0);
    while ((row = ledger_step(st)) > 0)
        for (int i = 1; i <= 2; i++) {
            struct mark m = {ledger_int(st, i), ledger_int(st, 0)};
            if ((uint64_t)m.mark >> 62 == slice)
                buf_put(marks, &m, sizeof m);
        }
    enum status done = row < 0 ? ST_TEMP : ST_OK;
    ledger_reset(st);
    if (done == ST_OK)
        done = insert_marks(l, (struct mark *)(void *)marks->d, marks->n / sizeof(struct mark));
    return done;
}

static enum status move_all(struct ledger *l)
{
    struct buf marks = {0};
    enum status done = ST_OK;
    buf_room(&marks, FRESH_MAX * 2 / SLICES * sizeof(struct mark) * 9 / 8);
    /* The sign bit counts as the top: slices 2 and 3 are the negative numbers, which sort first. */
    for (unsigned i = 0; i < SLICES && done == ST_OK; i++)
        done = move_slice(l, (i + SLICES / 2) % SLICES, &marks);
    buf_free(&marks);
    if (done == ST_OK)
        done = ledger_run_sql(ledger_sql(l, LEDGER_SQLITE_FRESH_CLEAR));
    if (done == ST_OK)
        clear(l);
    return done;
}

/* What counted is asked for with its key: one mark will do. */
void ledger_seen_marks(struct ledger *l, const struct ledger_entry *e, int64_t *key, int64_t *other)
{
    *key = key_mark(e->key);
    *other = e->kind == LEDGER_COUNTED ? *key : device_mark(l, e->device ? e->device : "");
}

enum status ledger_seen_add(struct ledger *l, const struct ledger_entry *e)
{
    enum status done = refresh(l);
    if (done == ST_OK && l->lite->fresh->n == FRESH_MAX)
        done = move_all(l);
    if (done != ST_OK)
        return done;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQLITE_FRESH_ADD);
    if (!st)
        return ST_TEMP;
    int64_t key, device;
    ledger_seen_marks(l, e, &key, &device);
    ledger_bind_int(st, 1, e->id);
    ledger_bind_int(st, 2, key);
    ledger_bind_int(st, 3, device);
    done = ledger_run_sql(st);
    if (done == ST_OK)
        put_entry(l->lite->fresh, e->id, key, device);
    return done;
}

enum status ledger_seen_fresh(struct ledger *l, int64_t mark,
                              enum status (*each)(struct ledger *l, int64_t entry, void *arg),
                              void *arg)
{
    enum status done = ST_OK;
    const struct ledger_fresh *f = l->lite->fresh;
    for (uint32_t at = place(mark); done == ST_OK && f->slot[at]; at = (at + 1) % SLOTS)
        if ((f->slot[at] & 0xffff) == tag(mark))
            done = each(l, f->first + f->id[(f->slot[at] >> 16) - 1], arg);
    return done;
}

enum status ledger_seen_key(struct ledger *l, const struct ledger_wanted *w, int64_t *mark)
{
    *mark = w->by_key ? key_mark(w->key) : device_mark(l, w->device);
    return refresh(l);
}
