/* attach's devices: a transaction at a time, since what became of its devices stands under it. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"
#include "clock.h"

struct device {
    enum ledger_kind kind; /* LEDGER_RECEIVED, _DELIVERED, _REFUSED; 0: no answer yet */
    struct buf serial;
    char *note;
};
struct transaction {
    unsigned char tid[CMC_TID];
    int known;
    char *lot, *profile;
    int64_t again; /* pending: when to ask again; 0: not pending */
    struct device v[CMC_ITEMS];
};

static struct device *device_of(struct transaction *t, uint32_t part)
{
    return part >= CMC_FIRST && part < CMC_FIRST + CMC_ITEMS ? &t->v[part - CMC_FIRST] : NULL;
}

static void forget(struct transaction *t)
{
    free(t->lot);
    free(t->profile);
    for (size_t i = 0; i < CMC_ITEMS; i++) {
        buf_free(&t->v[i].serial);
        free(t->v[i].note);
    }
    memset(t, 0, sizeof *t);
}

static int note_message(const struct ledger_entry *e, void *arg)
{
    struct transaction *t = arg;
    if (e->kind == LEDGER_PENDING) {
        t->again = e->status;
    } else if (!t->lot) {
        t->lot = alloc_str(e->lot);
        t->profile = alloc_str(e->profile);
    }
    return 1;
}

static int note_device(const struct ledger_entry *e, void *arg)
{
    struct device *d = device_of(arg, e->part);
    if (!d || d->kind == LEDGER_DELIVERED)
        return 1;
    d->kind = e->kind;
    if (e->serial.n) {
        buf_reset(&d->serial);
        buf_put(&d->serial, e->serial.p, e->serial.n);
    }
    if (e->kind == LEDGER_REFUSED && !d->note)
        d->note = alloc_str(e->note);
    return 1;
}

static enum status look_up(struct ledger *l, struct span tid, struct transaction *t)
{
    static const struct {
        enum ledger_kind kind;
        ledger_each *each;
    } parts[] = {{LEDGER_SENT, note_message},
                 {LEDGER_PENDING, note_message},
                 {LEDGER_REFUSED, note_device},
                 {LEDGER_RECEIVED, note_device},
                 {LEDGER_DELIVERED, note_device}};
    enum status st = ST_OK;
    if (t->known && buf_same(tid, (struct span){t->tid, CMC_TID}))
        return st;
    forget(t);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && st == ST_OK; i++)
        st = ledger_by_tid(l, parts[i].kind, tid, NULL, parts[i].each, t);
    memcpy(t->tid, tid.p, tid.n == CMC_TID ? CMC_TID : 0);
    t->known = tid.n == CMC_TID;
    return st;
}

static void put(struct audit_lister *l, const struct ledger_entry *e, struct transaction *t)
{
    struct device none = {.kind = 0}, *d = device_of(t, e->part);
    char when[CLOCK_TEXT];
    d = d ? d : &none;
    clock_format(t->again, when);
    char *again = t->again ? alloc_printf("ask again at %s", when) : NULL;
    struct audit_row r = {.time = e->time,
                          .status = d->kind == LEDGER_DELIVERED  ? "delivered"
                                    : d->kind == LEDGER_REFUSED  ? "refused"
                                    : d->kind == LEDGER_RECEIVED ? "received"
                                    : t->again                   ? "pending"
                                                                 : "asked",
                          .device = e->device,
                          .serial = buf_span(&d->serial),
                          .lot = t->lot,
                          .profile = t->profile,
                          .unit = l->u->id,
                          .tid = e->tid,
                          .note = d->note};
    if (!d->kind)
        r.note = again;
    audit_line(l, &r);
    free(again);
}

enum status audit_list_attach(struct audit_lister *l)
{
    struct ledger_filter lf = {.kinds = AUDIT_BIT(LEDGER_ASKED),
                               .device = l->f->device,
                               .since = l->f->since,
                               .until = l->f->until,
                               .no_data = 1};
    struct audit_batch b = {0};
    struct transaction *t = alloc_zero(1, sizeof *t);
    enum status st;
    while ((st = audit_pull(l->u->ledger, &lf, &b)) == ST_OK && b.n)
        for (size_t i = 0; i < b.n && st == ST_OK; i++) {
            st = look_up(l->u->ledger, b.e[i].tid, t);
            if (st == ST_OK)
                put(l, &b.e[i], t);
        }
    audit_drop(&b);
    forget(t);
    free(t);
    return st;
}
