#include "ledger_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define PROBLEMS 100 /* shown */

/* The chains as far as they were recomputed, by writer: ids count from 1 without a gap. */
struct chains {
    struct ledger *l;
    struct ledger_chain *v;
    int64_t n;
    uint64_t missing; /* entries of which it is not known whose they were */
    struct ledger_sums sums;
    struct ledger_links *links;
    void (*step)(long n);
    struct ledger_verified *out;
};

static int is_shown(struct chains *c)
{
    if (++c->out->problems == PROBLEMS + 1)
        diag_warn("%s: what else is wrong with the chains is not shown", c->l->path);
    return c->out->problems <= PROBLEMS;
}

static void problem(struct chains *c, int64_t id, const char *why)
{
    if (is_shown(c))
        diag_warn("%s: entry %lld: %s", c->l->path, (long long)id, why);
}

/* The hash of a text ends at a NUL, that of a number is of 32 bits, and nothing is hashed as
 * nothing: SQL would see the rest, and find the entry no more. */
static int same_length(const struct ledger_stmt *st, int at, const char *text)
{
    return ledger_span(st, at).n == (text ? strlen(text) : 0);
}

static int is_none(struct span s)
{
    return s.n || !s.p;
}

static int is_exact(const struct ledger_stmt *st, const struct ledger_entry *e)
{
    return ledger_int(st, 2) == (int64_t)e->kind && ledger_int(st, 5) == (int64_t)e->part &&
           same_length(st, 6, e->unit) && same_length(st, 7, e->owner) &&
           same_length(st, 8, e->lot) && same_length(st, 9, e->profile) &&
           same_length(st, 10, e->device) && same_length(st, 16, e->note) && is_none(e->tid) &&
           is_none(e->run) && is_none(e->key) && is_none(e->serial) && is_none(e->digest_in) &&
           is_none(e->digest_out) && is_none(e->data);
}

static int start_chains(struct chains *c)
{
    struct ledger_stmt *st = ledger_sql(c->l, LEDGER_SQL_WRITERS);
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
            ok = diag_warn("%s: writer %lld is missing", c->l->path, (long long)(c->n + 1));
        else if (!same_length(st, 2, w.unit) || !same_length(st, 3, w.program))
            ok = diag_warn("%s: writer %lld: a name with a NUL in it", c->l->path, (long long)w.id);
        if (!ok)
            break;
        if ((c->n & (c->n - 1)) == 0)
            c->v = alloc_grow(c->v, c->n ? (size_t)c->n * 2 : 1, sizeof *c->v);
        c->v[c->n] = (struct ledger_chain){.writer = w.id};
        ledger_hash_writer(c->l, &w, c->v[c->n++].head);
    }
    ledger_reset(st);
    return ok && row == 0;
}

/* What is wrong with an entry; the next one of its chain is judged by the hash that is recorded for
 * this one, so that each is named for itself. */
static const char *link_wrong(struct chains *c, const struct ledger_stmt *st,
                              const struct ledger_entry *e, struct ledger_link_check *k)
{
    int64_t writer = ledger_int(st, LEDGER_COLUMN_COUNT);
    int64_t n = ledger_int(st, LEDGER_COLUMN_COUNT + 1);
    struct span hash = ledger_span(st, LEDGER_COLUMN_COUNT + 2);
    if (writer < 1 || writer > c->n)
        return "its writer is missing";
    if (hash.n != LEDGER_HASH)
        return "it has no hash";
    struct ledger_chain *chain = &c->v[writer - 1];
    uint64_t gap = (uint64_t)n - (uint64_t)chain->n - 1;
    memcpy(k->hash, hash.p, LEDGER_HASH);
    if (!gap)
        ledger_links_hash(c->links, k, chain->head, n, e);
    chain->n = n;
    memcpy(chain->head, hash.p, LEDGER_HASH);
    if (gap > c->missing)
        return "its number in the chain is wrong";
    c->missing -= gap; /* what stood ahead of it is not known: it is taken as it is */
    return NULL;
}

static void check_place(struct chains *c, struct ledger_link_check *k)
{
    int64_t next = c->out->last + 1;
    k->late = k->id < next;
    if (k->late)
        return;
    k->missing = k->id > next ? next : 0;
    c->missing += (uint64_t)k->id - (uint64_t)next;
    c->out->last = k->id;
}

static void tell(const struct ledger_link_check *k, void *arg)
{
    struct chains *c = arg;
    const char *why = k->why;
    if (k->late)
        problem(c, k->id, "out of its order");
    if (k->missing && k->id - k->missing == 1)
        problem(c, k->missing, "missing");
    else if (k->missing && is_shown(c))
        diag_warn("%s: entries %lld to %lld: missing", c->l->path, (long long)k->missing,
                  (long long)k->id - 1);
    if (!why && k->hashed && !k->fits)
        why = "its hash does not fit the chain";
    if (!why && !k->exact)
        why = "a field of it holds more than its hash covers";
    if (why) {
        problem(c, k->id, why);
        return;
    }
    c->out->links++;
    if (c->step)
        c->step(1);
}

static int check_all(struct chains *c)
{
    struct ledger_stmt *st = ledger_sql(c->l, LEDGER_SQL_ALL);
    int row = st ? 0 : -1;
    c->links = ledger_links_new(c->l, tell, c);
    while (st && (row = ledger_step(st)) > 0) {
        struct ledger_entry e;
        ledger_read_row(st, &e);
        struct ledger_link_check k = {.id = e.id, .exact = is_exact(st, &e)};
        check_place(c, &k);
        k.why = link_wrong(c, st, &e, &k);
        ledger_sum_entry(c->l, &c->sums, &e); /* asked for only if every link is good */
        ledger_links_add(c->links, &k);
    }
    ledger_reset(st);
    ledger_links_end(c->links);
    return row == 0;
}

/* A writer enters itself together with its first entry. */
static void check_writers(struct chains *c)
{
    for (int64_t i = 0; i < c->n; i++)
        if (!c->v[i].n && is_shown(c))
            diag_warn("%s: writer %lld: it wrote no entry", c->l->path, (long long)c->v[i].writer);
}

static int verify(struct chains *c)
{
    if (!ledger_sums_start(&c->sums) || !start_chains(c) || !check_all(c)) {
        c->out->last = INT64_MAX;
        return 0;
    }
    check_writers(c);
    return !c->out->problems && ledger_sums_fit(c->l, &c->sums);
}

int ledger_verify(struct ledger *l, void (*step)(long n), struct ledger_verified *out)
{
    struct chains c = {.l = l, .step = step, .out = out};
    *out = (struct ledger_verified){0};
    l->unread = 0;
    /* Others go on writing. */
    if (l->store->freeze(l) != ST_OK) {
        *out = (struct ledger_verified){.last = INT64_MAX, .problems = 1};
        return l->unread ? -1 : 0;
    }
    int ok = verify(&c);
    l->store->thaw(l);
    free(c.v);
    out->problems += !ok && !out->problems;
    return l->unread ? -1 : ok;
}

int64_t ledger_tables_wrong(struct ledger *l)
{
    return l->store->tables_wrong ? l->store->tables_wrong(l) : 0;
}
