/* Which device and which key had a certificate, and which key was counted: the index of
 * LEDGER_ISSUED and LEDGER_COUNTED. A B-tree keyed by random octets costs a page written for every
 * row, more the larger it is. So the marks of new entries wait in the table fresh, in the order of
 * the entries, and in memory; FRESH_MAX of them at a time move to the tree `seen`, sorted, so that
 * each of its pages is written once for many. Both tables follow from the entries: no hash covers
 * them. */
#include "ledger_priv.h"

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
    if (!l->prefix.d || !buf_same(head, buf_span(&l->prefix))) {
        ledger_hash_text(l, head, l->prefix_hash);
        buf_reset(&l->prefix);
        buf_room(&l->prefix, 1);
        buf_put(&l->prefix, head.p, head.n);
    }
    memcpy(mark, l->prefix_hash, 4);
    memcpy(mark + 4, device + n - tail, tail);
    return first_octets(mark, 4 + tail);
}

void ledger_seen_forget(struct ledger *l, int changed)
{
    if (!l->fresh)
        return;
    l->fresh->current = 0;
    if (changed)
        l->fresh->last = -1; /* no entry: all is read again */
}

void ledger_seen_free(struct ledger *l)
{
    if (!l->fresh)
        return;
    free(l->fresh->slot);
    free(l->fresh->id);
    free(l->fresh);
}

static void clear(struct ledger *l)
{
    if (!l->fresh) {
        l->fresh = alloc_zero(1, sizeof *l->fresh);
        l->fresh->slot = alloc_zero(SLOTS, sizeof *l->fresh->slot);
        l->fresh->id = alloc_zero(FRESH_MAX, sizeof *l->fresh->id);
    } else {
        memset(l->fresh->slot, 0, SLOTS * sizeof *l->fresh->slot);
    }
    l->fresh->n = 0;
    l->fresh->first = l->fresh->last = 0;
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
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_FRESH);
    int rc;
    if (!st)
        return ST_TEMP;
    sqlite3_bind_int64(st, 1, l->fresh->last);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && l->fresh->n < FRESH_MAX)
        put_entry(l->fresh, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                  sqlite3_column_int64(st, 2));
    enum status done = rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}

/* Brings the memory up to what other processes did. */
static enum status refresh(struct ledger *l)
{
    if (l->fresh && l->fresh->current)
        return ST_OK;
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_FRESH_ENDS);
    if (!st)
        return ST_TEMP;
    int rc = sqlite3_step(st);
    enum status done = rc == SQLITE_ROW ? ST_OK : ledger_failed(l, l->db);
    int64_t first = sqlite3_column_int64(st, 0), last = sqlite3_column_int64(st, 1);
    sqlite3_reset(st);
    if (done != ST_OK)
        return done;
    if (!l->fresh || l->fresh->last < 0 || l->fresh->first != first || l->fresh->last > last)
        clear(l);
    if (l->fresh->last < last)
        done = read_fresh(l);
    l->fresh->current = done == ST_OK && l->open;
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
        sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_SEEN_ADD);
        if (!st)
            return ST_TEMP;
        sqlite3_bind_int64(st, 1, v[i].mark);
        sqlite3_bind_int64(st, 2, v[i].entry);
        done = ledger_run_sql(l, st);
    }
    return done;
}

/* Moves the marks of one slice, told by their two upper bits. */
static enum status move_slice(struct ledger *l, unsigned slice, struct buf *marks)
{
    int rc;
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_FRESH);
    if (!st)
        return ST_TEMP;
    buf_reset(marks);
    sqlite3_bind_int64(st, 1, 0);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        for (int i = 1; i <= 2; i++) {
            struct mark m = {sqlite3_column_int64(st, i), sqlite3_column_int64(st, 0)};
            if ((uint64_t)m.mark >> 62 == slice)
                buf_put(marks, &m, sizeof m);
        }
    enum status done = rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
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
        done = ledger_run_sql(l, ledger_sql(l, LEDGER_SQL_FRESH_CLEAR));
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
    if (done == ST_OK && l->fresh->n == FRESH_MAX)
        done = move_all(l);
    if (done != ST_OK)
        return done;
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_FRESH_ADD);
    if (!st)
        return ST_TEMP;
    int64_t key, device;
    ledger_seen_marks(l, e, &key, &device);
    sqlite3_bind_int64(st, 1, e->id);
    sqlite3_bind_int64(st, 2, key);
    sqlite3_bind_int64(st, 3, device);
    done = ledger_run_sql(l, st);
    if (done == ST_OK)
        put_entry(l->fresh, e->id, key, device);
    return done;
}

static int same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* What a look-up is for, and how it goes. */
struct wanted {
    enum ledger_kind kind;
    int by_key;
    struct span key;
    const char *owner, *lot, *profile, *device;
    ledger_each *each;
    void *arg;
    int64_t last; /* entry that was looked at */
    int more;
};

static int matches(const struct wanted *w, const struct ledger_entry *e)
{
    if (e->kind != w->kind || (w->by_key && !buf_same(w->key, e->key)))
        return 0;
    if (w->by_key && w->kind == LEDGER_ISSUED)
        return 1;
    return (w->kind == LEDGER_ISSUED || same_text(w->lot, e->lot)) &&
           same_text(w->device, e->device) && same_text(w->owner, e->owner) &&
           same_text(w->profile, e->profile);
}

static enum status offer(struct ledger *l, int64_t id, struct wanted *w)
{
    /* Another process may have moved it since the memory was brought up to date. */
    if (id <= w->last)
        return ST_OK;
    w->last = id;
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_BY_ID);
    if (!st)
        return ST_TEMP;
    sqlite3_bind_int64(st, 1, id);
    enum status done = ST_OK;
    struct ledger_entry e;
    if (sqlite3_step(st) == SQLITE_ROW) {
        ledger_read_row(st, &e);
        w->more = !matches(w, &e) || w->each(&e, w->arg);
    } else {
        done = ledger_failed(l, l->db);
    }
    sqlite3_reset(st);
    return done;
}

static enum status find_seen(struct ledger *l, int64_t mark, struct wanted *w)
{
    int rc = SQLITE_DONE;
    enum status done = ST_OK;
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_SEEN);
    if (!st)
        return ST_TEMP;
    sqlite3_bind_int64(st, 1, mark);
    while (w->more && done == ST_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
        done = offer(l, sqlite3_column_int64(st, 0), w);
    if (w->more && done == ST_OK && rc != SQLITE_DONE)
        done = ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}

static enum status find(struct ledger *l, int64_t mark, struct wanted *w)
{
    enum status done = refresh(l);
    w->more = 1;
    if (done == ST_OK)
        done = find_seen(l, mark, w);
    struct ledger_fresh *f = l->fresh;
    for (uint32_t at = place(mark); done == ST_OK && w->more && f->slot[at]; at = (at + 1) % SLOTS)
        if ((f->slot[at] & 0xffff) == tag(mark))
            done = offer(l, f->first + f->id[(f->slot[at] >> 16) - 1], w);
    return done;
}

enum status ledger_by_device(struct ledger *l, const char *owner, const char *profile,
                             const char *device, ledger_each *each, void *arg)
{
    struct wanted w = {.kind = LEDGER_ISSUED,
                       .owner = owner,
                       .profile = profile,
                       .device = device,
                       .each = each,
                       .arg = arg};
    return find(l, device_mark(l, device), &w);
}

enum status ledger_by_key(struct ledger *l, struct span key, ledger_each *each, void *arg)
{
    struct wanted w = {.kind = LEDGER_ISSUED, .by_key = 1, .key = key, .each = each, .arg = arg};
    return find(l, key_mark(key), &w);
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
    struct wanted w = {.kind = LEDGER_COUNTED,
                       .by_key = 1,
                       .key = who->key,
                       .owner = who->owner,
                       .lot = lot,
                       .profile = who->profile,
                       .device = who->device,
                       .each = found,
                       .arg = yes};
    *yes = 0;
    return find(l, key_mark(who->key), &w);
}

static int has_mark(struct ledger *l, int64_t mark, int64_t entry)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_HAS_MARK);
    if (!st)
        return -1;
    sqlite3_bind_int64(st, 1, mark);
    sqlite3_bind_int64(st, 2, entry);
    int has = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int(st, 0) : -1;
    if (has < 0)
        ledger_failed(l, l->db);
    sqlite3_reset(st);
    return has;
}

int ledger_seen_has(struct ledger *l, const struct ledger_entry *e)
{
    int64_t key, other;
    ledger_seen_marks(l, e, &key, &other);
    int has = has_mark(l, key, e->id);
    return has > 0 ? has_mark(l, other, e->id) : has;
}
