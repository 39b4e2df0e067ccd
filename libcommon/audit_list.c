/* The lists; here that of ca-sign's devices: what was issued, and from its answers what was not. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"
#include "clock.h"

void audit_line(struct audit_lister *l, const struct audit_row *r)
{
    struct audit_filter f = *l->f;
    if (l->out.messages) { /* those were looked for in the messages */
        f.device = NULL;
        f.serial.n = 0;
    }
    if (l->out.messages || l->through) /* not only the attach that the line names */
        f.unit = NULL;
    if (audit_wanted(&f, r))
        audit_put(&l->out, r);
}

/* --- what ca-sign issued --- */

static const char *reason_name(int64_t code) /* RFC 5280, section 5.3.1 */
{
    static const char *const names[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", "",
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    return code >= 0 && code < (int64_t)(sizeof names / sizeof *names) ? names[code] : "";
}

static enum status put_issued(struct audit_lister *l, const struct ledger_entry *e, int revoked)
{
    struct ledger_entry r = {.id = 0};
    char when[CLOCK_TEXT];
    enum status st = revoked ? ledger_revoked(l->u->ledger, e->serial, e->note, &r) : ST_OK;
    clock_format(r.time, when);
    char *note = r.id ? alloc_printf("revoked %s: %s", when, reason_name(r.status)) : NULL;
    struct audit_row row = {.time = e->time,
                            .status = r.id ? "revoked" : "issued",
                            .device = e->device,
                            .serial = e->serial,
                            .owner = e->owner,
                            .lot = e->lot,
                            .profile = e->profile,
                            .unit = e->unit,
                            .tid = e->tid,
                            .note = note};
    if (st == ST_OK)
        audit_line(l, &row);
    free(note);
    return st;
}

/* --- what it did not issue --- */

struct answer {
    struct ledger_entry leaf, request;
    void *leaf_block, *request_block;
};

static int last_leaf(const struct ledger_entry *e, void *arg)
{
    struct answer *a = arg;
    free(a->leaf_block);
    a->leaf_block = ledger_copy(e, &a->leaf);
    return 1;
}

static int its_request(const struct ledger_entry *e, void *arg)
{
    struct answer *a = arg;
    if (!buf_same(e->digest_in, a->leaf.digest_in))
        return 1;
    a->request_block = ledger_copy(e, &a->request);
    return 0;
}

static void put_status(struct audit_lister *l, const struct answer *a, const struct cmc_item *it,
                       const struct cmc_verdict *v)
{
    char *device = alloc_copy(it->device.p, it->device.n);
    char *note = v->text.n ? alloc_copy(v->text.p, v->text.n) : NULL;
    struct audit_row r = {.time = a->leaf.time,
                          .status = v->status == CMC_PENDING ? "pending" : "refused",
                          .device = device,
                          .owner = a->request.owner,
                          .lot = a->leaf.lot,
                          .profile = a->leaf.profile,
                          .unit = a->leaf.unit,
                          .tid = a->leaf.tid,
                          .note = note};
    audit_line(l, &r);
    free(device);
    free(note);
}

static void put_refused(struct audit_lister *l, const struct answer *a)
{
    struct layers down = {0}, up = {0};
    char why[CMS_WHY];
    int64_t entry = a->leaf.id;
    int ok = audit_open(l->u, &a->leaf, &down, why);
    if (ok && down.leaf->n_issued < cmc_leaf_count(down.leaf) && a->request_block) {
        entry = a->request.id;
        ok = audit_open(l->u, &a->request, &up, why);
    }
    for (size_t i = 0; ok && up.request && i < up.request->n; i++) {
        const struct cmc_verdict *v = audit_verdict(down.leaf, up.request->items[i].id);
        if (v && v->status != CMC_SUCCESS)
            put_status(l, a, &up.request->items[i], v);
    }
    if (!ok) {
        diag_warn("%s: entry %lld: %s", l->u->ledger_path, (long long)entry, why);
        l->problems++;
    }
    layers_close(&up);
    layers_close(&down);
}

/* Of the answers to a transaction the last one counts. */
static enum status put_leaf(struct audit_lister *l, const struct ledger_entry *e)
{
    struct answer a = {0};
    enum status st = ledger_by_tid(l->u->ledger, LEDGER_LEAF, e->tid, e->unit, last_leaf, &a);
    if (st == ST_OK && a.leaf.id == e->id)
        st = ledger_by_tid(l->u->ledger, LEDGER_REQUEST, e->tid, e->unit, its_request, &a);
    if (st == ST_OK && a.leaf.id == e->id)
        put_refused(l, &a);
    free(a.leaf_block);
    free(a.request_block);
    return st;
}

/* A leaf stands behind what was issued with it: where that is all of it, it need not be opened. */
struct count {
    unsigned char tid[CMC_TID];
    uint32_t n;
};

static int same_tid(const struct count *c, const struct ledger_entry *e)
{
    return c->n && buf_same(e->tid, (struct span){c->tid, CMC_TID});
}

static void count(struct count *c, const struct ledger_entry *e)
{
    if (!same_tid(c, e))
        c->n = 0;
    if (e->tid.n != CMC_TID) /* --direct */
        return;
    memcpy(c->tid, e->tid.p, CMC_TID);
    c->n++;
}

static int all_issued(const struct count *c, const struct ledger_entry *leaf)
{
    return same_tid(c, leaf) && c->n == leaf->part;
}

static enum status list_ca(struct audit_lister *l)
{
    struct ledger_filter lf = {.kinds = AUDIT_BIT(LEDGER_ISSUED) | AUDIT_BIT(LEDGER_LEAF),
                               .since = l->f->since,
                               .until = l->f->until,
                               .no_data = 1};
    struct ledger_entry revoked;
    struct audit_batch b = {0};
    struct count c = {.n = 0};
    enum status st = ledger_newest(l->u->ledger, LEDGER_REVOKED, NULL, &revoked);
    int any = revoked.id != 0;
    if (st == ST_OK && l->f->unit)
        st = ledger_through(l->u->ledger, l->f->unit, &l->through);
    while (st == ST_OK && (st = audit_pull(l->u->ledger, &lf, &b)) == ST_OK && b.n)
        for (size_t i = 0; i < b.n && st == ST_OK; i++) {
            if (l->u->path)
                path_trim(l->u->path);
            if (l->through && !ledger_came_through(l->through, &b.e[i]))
                continue;
            if (b.e[i].kind == LEDGER_ISSUED) {
                count(&c, &b.e[i]);
                st = put_issued(l, &b.e[i], any);
            } else if (!all_issued(&c, &b.e[i])) {
                st = put_leaf(l, &b.e[i]);
            }
        }
    audit_drop(&b);
    ledger_through_free(l->through);
    return st;
}

enum status audit_list(struct unit *u, const struct audit_filter *f, enum audit_form form)
{
    struct audit_lister l = {.u = u, .f = f, .out = {.form = form}};
    enum status st;
    l.out.messages = u->role == PATH_VERIFY_UNIT || u->role == PATH_RA_APPROVE;
    audit_start(&l.out);
    if (l.out.messages)
        st = audit_list_messages(&l);
    else if (u->role == PATH_ATTACH)
        st = audit_list_attach(&l);
    else
        st = list_ca(&l);
    audit_flush(&l.out);
    return st == ST_OK && l.problems ? ST_REFUSED : st;
}
