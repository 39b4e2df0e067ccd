/* Several transactions run at once. What one looks up under a name, a transactionId, a key, a
 * device or a lot, stays as it is until its end, because it holds an advisory lock on the name: the
 * first 8 octets of a hash of it, so that two names may share a lock, at worst for a wait. */
#include "ledger_pg_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

/* Locks of one transaction; the server has room for max_locks_per_transaction (64) times
 * max_connections (100). Who needs more keeps everybody else out. */
#define MOST_LOCKS 512

int64_t ledger_pg_mark(struct ledger *l, char what, struct span name)
{
    unsigned char hash[LEDGER_HASH];
    struct buf b = {0};
    uint64_t v = 0;
    buf_char(&b, what);
    buf_put(&b, name.p, name.n);
    ledger_hash_text(l, buf_span(&b), hash);
    buf_free(&b);
    for (int i = 0; i < 8; i++)
        v = v << 8 | hash[i];
    return (int64_t)v;
}

static int64_t device_mark(struct ledger *l, const char *owner, const char *profile,
                           const char *device)
{
    struct buf b = {0};
    const char *const part[] = {owner, profile, device};
    for (int i = 0; i < 3; i++)
        buf_put(&b, part[i] ? part[i] : "", part[i] ? strlen(part[i]) + 1 : 1);
    int64_t m = ledger_pg_mark(l, 'd', buf_span(&b));
    buf_free(&b);
    return m;
}

/* shared: that one of them is locked together with others. */
static enum status lock_marks(struct ledger *l, const int64_t *v, size_t n, int64_t shared)
{
    struct ledger_array marks = {0};
    for (size_t i = 0; i < n; i++)
        ledger_array_int(&marks, v[i]);
    struct ledger_stmt *st = ledger_sql(l, LEDGER_PG_LOCK);
    ledger_pg_bind_array(st, 1, &marks);
    ledger_bind_int(st, 2, shared);
    enum status done = ledger_run_sql(st);
    buf_free(&marks.b);
    return done;
}

enum status ledger_pg_lock(struct ledger *l, char what, struct span name)
{
    int64_t m = ledger_pg_mark(l, what, name);
    return lock_marks(l, &m, 1, ~m);
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int by_id(const void *a, const void *b)
{
    const struct ledger_own *x = a, *y = b;
    return by_value(&x->e.id, &y->e.id);
}

static int is_expected(const struct ledger_db *db, int64_t m)
{
    return db->n_expected && bsearch(&m, db->expected, db->n_expected, sizeof m, by_value) != NULL;
}

/* In the order of the marks, so that no two wait for each other; behind one that all share, which
 * who has too many takes alone. v has room for one more than n. */
static enum status lock_identities(struct ledger *l, int64_t *v, size_t n)
{
    struct ledger_db *db = l->db;
    size_t kept = 1;
    v[0] = ledger_pg_mark(l, 'a', (struct span){NULL, 0});
    qsort(v + 1, n, sizeof *v, by_value);
    for (size_t i = 1; i <= n; i++)
        if (kept == 1 || v[kept - 1] != v[i])
            v[kept++] = v[i];
    enum status st = kept > MOST_LOCKS ? lock_marks(l, v, 1, ~v[0]) : lock_marks(l, v, kept, v[0]);
    if (st != ST_OK)
        return st;
    kept--;
    db->expected = alloc_grow(db->expected, db->n_expected + kept, sizeof *v);
    memcpy(db->expected + db->n_expected, v + 1, kept * sizeof *v);
    db->n_expected += kept;
    qsort(db->expected, db->n_expected, sizeof *v, by_value);
    return ST_OK;
}

static int hold(const struct ledger_entry *e, void *arg)
{
    struct ledger_owns *held = arg;
    for (size_t i = 0; i < held->n; i++)
        if (held->v[i].e.id == e->id)
            return 1;
    ledger_own(held, e);
    return 1;
}

static enum status fetch(struct ledger *l, enum ledger_kind kind, const struct ledger_identity *v,
                         size_t n)
{
    struct ledger_array key = {0}, owner = {0}, profile = {0}, device = {0};
    int counted = kind == LEDGER_COUNTED;
    struct ledger_stmt *st =
        ledger_sql(l, counted ? LEDGER_PG_EXPECT_COUNTED : LEDGER_PG_EXPECT_ISSUED);
    for (size_t i = 0; i < n; i++) {
        ledger_array_span(&key, v[i].key);
        ledger_array_text(&owner, v[i].owner);
        ledger_array_text(&profile, v[i].profile);
        ledger_array_text(&device, v[i].device);
    }
    ledger_pg_bind_array(st, 1, &key);
    if (!counted) {
        ledger_pg_bind_array(st, 2, &owner);
        ledger_pg_bind_array(st, 3, &profile);
        ledger_pg_bind_array(st, 4, &device);
    }
    enum status done = ledger_walk(st, hold, &l->db->held, NULL);
    buf_free(&key.b);
    buf_free(&owner.b);
    buf_free(&profile.b);
    buf_free(&device.b);
    if (l->db->held.n)
        qsort(l->db->held.v, l->db->held.n, sizeof *l->db->held.v, by_id);
    return done;
}

enum status ledger_pg_expect(struct ledger *l, enum ledger_kind kind,
                             const struct ledger_identity *v, size_t n)
{
    int64_t *marks = alloc_zero(2 * n + 1, sizeof *marks);
    size_t n_marks = 1;
    for (size_t i = 0; i < n; i++) {
        if (v[i].key.n)
            marks[n_marks++] = ledger_pg_mark(l, 'x', v[i].key);
        if (v[i].device && kind == LEDGER_ISSUED)
            marks[n_marks++] = device_mark(l, v[i].owner, v[i].profile, v[i].device);
    }
    enum status st = l->open && n_marks > 1 ? lock_identities(l, marks, n_marks - 1) : ST_OK;
    free(marks);
    return st == ST_OK && n ? fetch(l, kind, v, n) : st;
}

static int offer(struct ledger_owns *o, const struct ledger_wanted *w)
{
    int more = 1;
    for (size_t i = 0; more && i < o->n; i++)
        if (ledger_matches(w, &o->v[i].e))
            more = w->each(&o->v[i].e, w->arg);
    return more;
}

enum status ledger_pg_find(struct ledger *l, const struct ledger_wanted *w)
{
    struct ledger_identity who = {0};
    struct ledger_db *db = l->db;
    int64_t m;
    enum status st = ST_OK;
    if (w->by_key) {
        who.key = w->key;
        m = ledger_pg_mark(l, 'x', w->key);
    } else {
        who =
            (struct ledger_identity){.owner = w->owner, .profile = w->profile, .device = w->device};
        m = device_mark(l, w->owner, w->profile, w->device);
    }
    if (!l->open)
        ledger_owns_clear(&db->held);
    if (!l->open || !is_expected(db, m))
        st = ledger_pg_expect(l, w->kind, &who, 1);
    if (st == ST_OK && offer(&db->held, w))
        offer(&db->added, w);
    return st;
}

void ledger_pg_forget(struct ledger *l)
{
    ledger_owns_clear(&l->db->added);
    ledger_owns_clear(&l->db->held);
    free(l->db->expected);
    l->db->expected = NULL;
    l->db->n_expected = 0;
}
