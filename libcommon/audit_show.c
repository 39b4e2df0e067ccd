/* The whole path of one device, as the ledger has it. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"
#include "clock.h"
#include "io.h"

#define TRANSACTIONS 10000 /* of one device */

struct show {
    struct audit_path path;
    const struct audit_filter *f;
    unsigned char (*tids)[CMC_TID];
    size_t n;
};

struct entries {
    size_t n;
    struct ledger_entry *e;
    void **block;
};

static int gather(const struct ledger_entry *e, void *arg)
{
    struct entries *v = arg;
    v->e = alloc_grow(v->e, v->n + 1, sizeof *v->e);
    v->block = alloc_grow(v->block, v->n + 1, sizeof *v->block);
    v->block[v->n] = ledger_copy(e, &v->e[v->n]);
    v->n++;
    return 1;
}

static int by_id(const void *a, const void *b)
{
    const struct ledger_entry *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* What stands under a device's number only counts for this device. */
static int is_device_kind(enum ledger_kind k)
{
    return k == LEDGER_RECEIVED || k == LEDGER_DELIVERED || k == LEDGER_REFUSED;
}

static enum status show_transaction(struct show *s, const unsigned char tid[CMC_TID])
{
    static const enum ledger_kind kinds[] = {
        LEDGER_SENT, LEDGER_POLL, LEDGER_PENDING, LEDGER_RECEIVED, LEDGER_DELIVERED, LEDGER_REFUSED,
        LEDGER_UP,   LEDGER_DOWN, LEDGER_HELD,    LEDGER_GRANT,    LEDGER_REQUEST,   LEDGER_LEAF};
    struct entries v = {0};
    struct buf hex = {0};
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && st == ST_OK; i++)
        st = ledger_by_tid(s->path.u->ledger, kinds[i], (struct span){tid, CMC_TID}, NULL, gather,
                           &v);
    if (v.n)
        qsort(v.e, v.n, sizeof *v.e, by_id);
    buf_hex(&hex, tid, CMC_TID);
    s->path.part = 0;
    for (size_t i = 0; st == ST_OK && i < v.n; i++) {
        const struct ledger_entry *e = &v.e[i];
        if (!i)
            audit_path_say(&s->path, 0, "transaction %s, lot %s, profile %s%s%s", (char *)hex.d,
                           e->lot ? e->lot : "?", e->profile ? e->profile : "?",
                           e->owner ? ", owner " : "", e->owner ? e->owner : "");
        if (!is_device_kind(e->kind) || e->part == s->path.part)
            audit_path_entry(&s->path, e);
    }
    for (size_t i = 0; i < v.n; i++)
        free(v.block[i]);
    free(v.block);
    free(v.e);
    buf_free(&hex);
    return st;
}

/* --- which transactions --- */

static int is_known(const struct show *s, struct span tid)
{
    for (size_t i = s->n; i-- > 0;)
        if (buf_same(tid, (struct span){s->tids[i], CMC_TID}))
            return 1;
    return 0;
}

static int holds(struct show *s, const struct ledger_entry *e)
{
    struct layers m;
    char why[CMS_WHY];
    struct span want = {(const unsigned char *)s->path.device, strlen(s->path.device)};
    /* What a device is called stands in a message as it is. */
    if (!memmem(e->data.p, e->data.n, want.p, want.n))
        return 0;
    int ok = audit_open(s->path.u, e, &m, why), found = !ok;
    if (!ok)
        audit_path_problem(&s->path, e->id, why);
    for (size_t i = 0; ok && m.request && i < m.request->n; i++)
        found |= buf_same(m.request->items[i].device, want);
    layers_close(&m);
    return found;
}

static int collect(const struct ledger_entry *e, void *arg)
{
    struct show *s = arg;
    path_trim(s->path.u->path);
    if (e->tid.n != CMC_TID || is_known(s, e->tid) || (e->kind != LEDGER_ASKED && !holds(s, e)))
        return 1;
    s->tids = alloc_grow(s->tids, s->n + 1, sizeof *s->tids);
    memcpy(s->tids[s->n++], e->tid.p, CMC_TID);
    if (s->n == TRANSACTIONS)
        audit_path_problem(
            &s->path, e->id,
            "more transactions of this device than can be shown: the rest is left out");
    return s->n < TRANSACTIONS;
}

static enum status find(struct show *s)
{
    struct ledger_filter f = {.lot = s->f->lot, .owner = s->f->owner};
    if (!s->path.u->path)
        return ST_OK;
    switch (s->path.u->role) {
    case PATH_ATTACH:
        f = (struct ledger_filter){
            .kinds = AUDIT_BIT(LEDGER_ASKED), .device = s->path.device, .no_data = 1};
        break;
    case PATH_CA_SIGN:
        f.kinds = AUDIT_BIT(LEDGER_REQUEST);
        break;
    default:
        f.kinds = AUDIT_BIT(LEDGER_UP);
    }
    return ledger_scan(s->path.u->ledger, &f, collect, s);
}

/* --- ca-sign: what was issued, and what became of it --- */

static enum status show_issued(struct show *s, const struct ledger_entry *e)
{
    struct ledger_entry r;
    char when[CLOCK_TEXT];
    enum status st = ledger_revoked(s->path.u->ledger, e->serial, e->note, &r);
    if (st != ST_OK || (e->tid.n && !r.id))
        return st;
    clock_format(e->time, when);
    audit_path_say(&s->path, 0, "issued %s%s", when,
                   e->tid.n ? "" : " by a person at the CA's token");
    audit_path_certificate(&s->path, e->data);
    if (r.id) {
        clock_format(r.time, when);
        audit_path_say(&s->path, 4, "revoked      %s, reason %lld: %.*s", when, (long long)r.status,
                       (int)r.data.n, (const char *)r.data.p);
    }
    return st;
}

static int say_allowed(const struct ledger_entry *e, void *arg)
{
    char when[CLOCK_TEXT];
    clock_format(e->time, when);
    audit_path_say(arg, 0, "%s %s: %.*s",
                   e->kind == LEDGER_ALLOWED ? "allowed a new key" : "issued for a new key", when,
                   (int)e->data.n, (const char *)e->data.p);
    return 1;
}

static enum status show_certificates(struct show *s, int64_t *n)
{
    struct ledger_filter f = {.kinds = AUDIT_BIT(LEDGER_ISSUED),
                              .device = s->path.device,
                              .lot = s->f->lot,
                              .owner = s->f->owner};
    struct audit_batch b = {0};
    char *profile = NULL;
    enum status st;
    while ((st = audit_pull(s->path.u->ledger, &f, &b)) == ST_OK && b.n)
        for (size_t i = 0; i < b.n && st == ST_OK; i++, ++*n) {
            st = show_issued(s, &b.e[i]);
            if (st != ST_OK || (profile && b.e[i].profile && !strcmp(profile, b.e[i].profile)))
                continue;
            free(profile);
            profile = alloc_str(b.e[i].profile);
            st = ledger_allowed(s->path.u->ledger, b.e[i].owner, b.e[i].profile, s->path.device,
                                say_allowed, &s->path);
        }
    audit_drop(&b);
    free(profile);
    return st;
}

enum status audit_show(struct unit *u, const struct audit_filter *f)
{
    struct show s = {.path = {.u = u, .device = f->device}, .f = f};
    int64_t certificates = 0;
    enum status st = find(&s);
    for (size_t i = 0; i < s.n && st == ST_OK; i++) {
        path_trim(u->path);
        st = show_transaction(&s, s.tids[i]);
        io_stdout(s.path.out.d, s.path.out.n);
        buf_reset(&s.path.out);
    }
    if (st == ST_OK && u->role == PATH_CA_SIGN)
        st = show_certificates(&s, &certificates);
    if (s.path.out.n)
        io_stdout(s.path.out.d, s.path.out.n);
    if (st == ST_OK && !s.n && !certificates) {
        diag_warn("%s: nothing of device \"%s\" is in it", u->ledger_path, f->device);
        st = ST_REFUSED;
    }
    free(s.tids);
    buf_free(&s.path.out);
    return st == ST_OK && s.path.problems ? ST_REFUSED : st;
}
