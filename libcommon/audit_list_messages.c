/* The messages of verify-unit and ra-approve: a line for each transaction, where it stands. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"

struct state {
    int64_t first; /* its first LEDGER_UP */
    int64_t answer, answer_time;
    struct buf der; /* of its last LEDGER_DOWN */
    int64_t grants, refusals;
    char *who; /* of the person who decided last */
};

static int note_up(const struct ledger_entry *e, void *arg)
{
    ((struct state *)arg)->first = e->id;
    return 0;
}

static int note_down(const struct ledger_entry *e, void *arg)
{
    struct state *s = arg;
    s->answer = e->id;
    s->answer_time = e->time;
    buf_reset(&s->der);
    buf_put(&s->der, e->data.p, e->data.n);
    return 1;
}

static int note_grant(const struct ledger_entry *e, void *arg)
{
    struct state *s = arg;
    s->grants += e->status == CMC_SUCCESS;
    s->refusals += e->status != CMC_SUCCESS;
    free(s->who);
    s->who = alloc_str(e->device);
    return 1;
}

/* pendTime is the only GeneralizedTime of an answer but for those of certificates that never end:
 * few are opened. */
static int may_be_pending(struct span der)
{
    return memmem(der.p, der.n, "\x18\x0f", 2) != NULL;
}

static int opened(struct audit_lister *l, const struct ledger_entry *e, struct layers *m)
{
    char why[CMS_WHY];
    if (audit_open(l->u, e, m, why))
        return 1;
    l->problems++;
    return diag_warn("%s: entry %lld: %s", l->u->ledger_path, (long long)e->id, why);
}

static struct ledger_entry answer_of(const struct state *s)
{
    return (struct ledger_entry){
        .id = s->answer, .kind = LEDGER_DOWN, .time = s->answer_time, .data = buf_span(&s->der)};
}

static int is_pending(struct audit_lister *l, const struct state *s)
{
    struct ledger_entry e = answer_of(s);
    struct layers m;
    if (!may_be_pending(e.data))
        return 0;
    int pending = opened(l, &e, &m) && cmc_leaf_pending(m.leaf) != NULL;
    layers_close(&m);
    return pending;
}

static void put(struct audit_lister *l, const struct ledger_entry *e, const struct state *s)
{
    char *note = NULL;
    if (s->refusals)
        note = alloc_printf("refused by %s", s->who ? s->who : "?");
    else if (s->grants)
        note = alloc_printf("granted by %lld, last by %s", (long long)s->grants,
                            s->who ? s->who : "?");
    struct audit_row r = {.time = e->time,
                          .requests = e->part,
                          .status = !s->answer         ? "asked"
                                    : is_pending(l, s) ? "pending"
                                                       : "answered",
                          .owner = e->owner,
                          .lot = e->lot,
                          .profile = e->profile,
                          .unit = e->unit,
                          .tid = e->tid,
                          .note = note};
    audit_line(l, &r);
    free(note);
}

/* Whether it may concern this device, unit or certificate: what they are called stands in the
 * message as it is. */
static int may_concern(const struct audit_filter *f, const struct ledger_entry *e,
                       const struct state *s, int plainly)
{
    if (f->device && !memmem(e->data.p, e->data.n, f->device, strlen(f->device)))
        return 0;
    if (!plainly && !memmem(e->data.p, e->data.n, f->unit, strlen(f->unit)))
        return 0;
    return !f->serial.n || (s->der.n && memmem(s->der.d, s->der.n, f->serial.p, f->serial.n));
}

static int has_device(const struct layers *m, const char *device)
{
    struct span want = {(const unsigned char *)device, strlen(device)};
    for (size_t i = 0; m->request && i < m->request->n; i++)
        if (buf_same(m->request->items[i].device, want))
            return 1;
    return 0;
}

static int has_serial(const struct layers *m, struct span serial)
{
    for (size_t i = 0; i < m->leaf->n_issued; i++) {
        struct x509_cert cert;
        if (x509_cert_view(m->issued[i], &cert) && buf_same(cert.serial, serial))
            return 1;
    }
    return 0;
}

static int has_signer(const struct layers *m, const char *id)
{
    for (size_t i = 0; i < m->n; i++)
        if (!strcmp(m->layer[i].signer->id, id))
            return 1;
    return 0;
}

/* By an attach, or this unit itself: then the message need not be opened. */
static int plainly_through(const struct audit_lister *l, const struct ledger_entry *e)
{
    const char *id = l->f->unit;
    return !id || !strcmp(id, l->u->id) || (e->unit && !strcmp(id, e->unit));
}

static int concerns(struct audit_lister *l, const struct ledger_entry *e, const struct state *s)
{
    const struct audit_filter *f = l->f;
    struct ledger_entry down = answer_of(s);
    struct layers m;
    int plainly = plainly_through(l, e), ok = may_concern(f, e, s, plainly);
    if (ok && (f->device || !plainly)) {
        ok = opened(l, e, &m) && (!f->device || has_device(&m, f->device)) &&
             (plainly || has_signer(&m, f->unit));
        layers_close(&m);
    }
    if (ok && f->serial.n) {
        ok = opened(l, &down, &m) && has_serial(&m, f->serial);
        layers_close(&m);
    }
    return ok;
}

static enum status one(struct audit_lister *l, const struct ledger_entry *e)
{
    struct state s = {.first = 0};
    struct ledger *db = l->u->ledger;
    enum status st = ledger_by_tid(db, LEDGER_UP, e->tid, e->unit, note_up, &s);
    if (st == ST_OK && s.first == e->id)
        st = ledger_by_tid(db, LEDGER_DOWN, e->tid, e->unit, note_down, &s);
    if (st == ST_OK && s.first == e->id && l->u->role == PATH_RA_APPROVE)
        st = ledger_by_tid(db, LEDGER_GRANT, e->tid, e->unit, note_grant, &s);
    if (st == ST_OK && s.first == e->id && concerns(l, e, &s))
        put(l, e, &s);
    buf_free(&s.der);
    free(s.who);
    return st;
}

enum status audit_list_messages(struct audit_lister *l)
{
    struct ledger_filter lf = {.kinds = AUDIT_BIT(LEDGER_UP),
                               .lot = l->f->lot,
                               .owner = l->f->owner,
                               .since = l->f->since,
                               .until = l->f->until,
                               .no_data = !l->f->device && !l->f->unit};
    struct audit_batch b = {0};
    enum status st;
    while ((st = audit_pull(l->u->ledger, &lf, &b)) == ST_OK && b.n)
        for (size_t i = 0; i < b.n && st == ST_OK; i++) {
            path_trim(l->u->path);
            st = one(l, &b.e[i]);
        }
    audit_drop(&b);
    return st;
}
