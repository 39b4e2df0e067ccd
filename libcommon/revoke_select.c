/* Which certificates the names stand for: one way through what was issued. */
#include "revoke_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "crl.h"
#include "diag.h"

#define SAY_MOST 20

struct walk {
    struct revoke_job *j;
    struct ledger_through *through; /* REVOKE_UNIT */
    struct buf revoked;             /* struct crl_entry */
    struct buf serial;
    int own;                               /* the CA's own certificate is among them */
    const struct revoke_wanted *ambiguous; /* of several owners */
    int bad;                               /* an entry is malformed */
};

static int by_text(const void *text, const void *wanted)
{
    return strcmp(text, ((const struct revoke_wanted *)wanted)->text);
}

static struct revoke_wanted *find(struct walk *w, const struct ledger_entry *e)
{
    struct revoke_job *j = w->j;
    const char *text = j->by == REVOKE_DEVICE ? e->device : e->lot;
    if (j->by == REVOKE_UNIT)
        return ledger_came_through(w->through, e) ? j->want : NULL;
    if (j->by == REVOKE_SERIAL) {
        buf_reset(&w->serial);
        x509_serial_text(e->serial, &w->serial);
        text = (const char *)w->serial.d;
    }
    if (!text)
        return NULL;
    struct revoke_wanted *f = bsearch(text, j->want, j->n_want, sizeof *j->want, by_text);
    if (f && f->keyed && !buf_same(e->key, (struct span){f->key, sizeof f->key}))
        return NULL;
    return f;
}

static const char *text_or_empty(const char *s)
{
    return s ? s : "";
}

static void pick(struct revoke_job *j, const struct ledger_entry *e)
{
    const char *from[] = {e->unit, e->owner, e->lot, e->profile, e->device};
    struct buf texts = {0};
    size_t at[5];
    if (j->n_picks == j->cap_picks) {
        j->cap_picks = j->cap_picks ? j->cap_picks * 2 : 64;
        j->picks = alloc_grow(j->picks, j->cap_picks, sizeof *j->picks);
    }
    struct revoke_pick *p = &j->picks[j->n_picks++];
    *p = (struct revoke_pick){.n_serial = e->serial.n, .n_key = e->key.n, .ends = e->status};
    memcpy(p->serial, e->serial.p, e->serial.n);
    memcpy(p->key, e->key.p, e->key.n);
    for (size_t i = 0; i < 5; i++) {
        at[i] = texts.n;
        buf_put(&texts, text_or_empty(from[i]), strlen(text_or_empty(from[i])) + 1);
    }
    p->texts = (char *)texts.d;
    p->unit = e->unit ? p->texts + at[0] : NULL;
    p->owner = p->texts + at[1];
    p->lot = p->texts + at[2];
    p->profile = p->texts + at[3];
    p->device = p->texts + at[4];
}

static int each_issued(const struct ledger_entry *e, void *arg)
{
    struct walk *w = arg;
    struct revoke_job *j = w->j;
    const char *owner = text_or_empty(e->owner);
    if (!e->note || strcmp(e->note, j->issuer) || (j->r->owner && strcmp(j->r->owner, owner)))
        return 1;
    struct revoke_wanted *f = find(w, e);
    if (!f)
        return 1;
    if (!f->owner)
        f->owner = alloc_str(owner);
    else if (strcmp(f->owner, owner) && (j->by == REVOKE_DEVICE || j->by == REVOKE_LOT))
        w->ambiguous = f;
    w->bad = e->serial.n > sizeof j->picks->serial || e->key.n > sizeof j->picks->key;
    if (w->bad)
        return diag_warn("%s: entry %lld: malformed", j->u->ledger_path, (long long)e->id);
    w->own |= buf_same(e->key, (struct span){j->own_key, sizeof j->own_key});
    pick(j, e);
    return 1;
}

static int each_revoked(const struct ledger_entry *e, void *arg)
{
    struct walk *w = arg;
    struct crl_entry one = {
        .n = (unsigned char)e->serial.n, .reason = (unsigned char)e->status, .time = e->time};
    if (!e->note || strcmp(e->note, w->j->issuer) || e->serial.n > sizeof one.serial)
        return 1;
    memcpy(one.serial, e->serial.p, e->serial.n);
    buf_put(&w->revoked, &one, sizeof one);
    return 1;
}

static void mark_revoked(struct walk *w)
{
    struct revoke_job *j = w->j;
    struct crl_entry *v = (struct crl_entry *)(void *)w->revoked.d;
    size_t n = crl_sort(v, w->revoked.n / sizeof *v);
    for (size_t i = 0; i < j->n_picks; i++) {
        struct revoke_pick *p = &j->picks[i];
        const struct crl_entry *old = crl_find(v, n, (struct span){p->serial, p->n_serial});
        /* the one reason that says more than that nobody should believe the certificate */
        int changed = old && j->r->reason == CRL_KEY_COMPROMISE && old->reason != j->r->reason;
        p->before = old && !changed;
        j->fresh += !p->before;
        j->changed += (size_t)changed;
    }
}

static enum status read_ledger(struct walk *w)
{
    const struct revoke_job *j = w->j;
    const struct revoke *r = j->r;
    struct ledger *l = j->u->ledger;
    struct ledger_filter issued = {.kinds = 1u << LEDGER_ISSUED, .no_data = 1};
    struct ledger_filter revoked = {.kinds = 1u << LEDGER_REVOKED, .no_data = 1};
    enum status st = ST_OK;
    issued.device = r->device;
    issued.lot = r->lot;
    issued.profile = r->profile;
    issued.since = r->since;
    if (j->by == REVOKE_UNIT)
        st = ledger_through(l, j->want[0].text, &w->through);
    if (st == ST_OK)
        st = ledger_scan(l, &issued, each_issued, w);
    if (w->bad)
        return ST_TEMP;
    return st == ST_OK ? ledger_scan(l, &revoked, each_revoked, w) : st;
}

static int by_line(const void *a, const void *b)
{
    const struct revoke_wanted *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

/* All that was named must be there. */
static enum status judge(const struct walk *w)
{
    struct revoke_job *j = w->j;
    size_t missing = 0;
    for (size_t i = 0; i < j->n_want; i++)
        missing += !j->want[i].owner;
    if (missing) /* nothing is looked up any more */
        qsort(j->want, j->n_want, sizeof *j->want, by_line);
    missing = 0;
    for (size_t i = 0; i < j->n_want; i++)
        if (!j->want[i].owner && missing++ < SAY_MOST)
            revoke_want_warn(j, &j->want[i]);
    if (missing > SAY_MOST)
        diag_warn("and %zu more", missing - SAY_MOST);
    if (missing)
        return ST_REFUSED;
    if (w->own) {
        diag_warn("the CA's own certificate is among them: a CRL of its own cannot revoke it");
        return ST_REFUSED;
    }
    if (!w->ambiguous)
        return ST_OK;
    diag_warn("%s \"%s\" is the name of several owners' %ss",
              j->by == REVOKE_LOT ? "lot" : "device", w->ambiguous->text,
              j->by == REVOKE_LOT ? "lot" : "device");
    diag_hint("say whose it is with --owner");
    return ST_USAGE;
}

enum status revoke_select(struct revoke_job *j)
{
    struct walk w = {.j = j};
    revoke_select_free(j);
    enum status st = read_ledger(&w);
    if (st == ST_OK)
        st = judge(&w);
    if (st == ST_OK)
        mark_revoked(&w);
    ledger_through_free(w.through);
    buf_free(&w.revoked);
    buf_free(&w.serial);
    return st;
}

void revoke_select_free(struct revoke_job *j)
{
    for (size_t i = 0; i < j->n_picks; i++)
        free(j->picks[i].texts);
    free(j->picks);
    j->picks = NULL;
    j->n_picks = j->cap_picks = j->fresh = j->changed = 0;
    for (size_t i = 0; i < j->n_want; i++) {
        free(j->want[i].owner);
        j->want[i].owner = NULL;
    }
}
