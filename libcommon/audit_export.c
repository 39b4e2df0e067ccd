/* The evidence of a lot, as one file. From ca-sign's ledger: each message as it came, and its
 * answer. From ra-approve's: each message as it went up, the answer that came back, and what people
 * decided. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"
#include "clock.h"
#include "io.h"
#include "pem.h"

struct sheet {
    struct unit *u;
    struct audit_manifest m;
    struct buf text;
    size_t most; /* blocks in a manifest */
    int64_t messages, blocks;
};

static void emit(struct sheet *x, struct span der)
{
    pem_put(&x->text, "CMS", der.p, der.n);
    io_stdout(x->text.d, x->text.n);
    buf_reset(&x->text);
}

/* The manifest of what was printed since the last one. */
static enum status sign(struct sheet *x, int last)
{
    struct buf content = {0}, der = {0};
    x->m.time = clock_now();
    x->m.part++;
    x->m.last = last;
    audit_manifest_put(&x->m, &content);
    enum status st = cms_sign(x->u->signer, CMS_EVIDENCE, buf_span(&content), x->u->chain,
                              x->u->n_chain, NULL, 0, x->m.time, &der);
    if (st == ST_OK) {
        emit(x, buf_span(&der));
        cms_digest(buf_span(&der), x->m.before);
        x->m.n = 0;
    }
    buf_free(&content);
    buf_free(&der);
    return st;
}

static enum status block(struct sheet *x, struct span der)
{
    enum status st = x->m.n == x->most ? sign(x, 0) : ST_OK;
    if (st != ST_OK)
        return st;
    cms_digest(der, x->m.blocks[x->m.n++]);
    x->blocks++;
    emit(x, der);
    return ST_OK;
}

/* What belongs to one message, collected first: `each` may not sign. */
struct found {
    struct span want; /* digest that tells it */
    int by_key;       /* compared with the entry's key; else with its digest_in */
    int last;         /* only the last of them */
    size_t n;
    struct buf *v;
};

static int find(const struct ledger_entry *e, void *arg)
{
    struct found *f = arg;
    if (!buf_same(f->want, f->by_key ? e->key : e->digest_in))
        return 1;
    if (!f->last || !f->n)
        f->v = alloc_grow(f->v, f->n + 1, sizeof *f->v);
    if (!f->last || !f->n)
        f->v[f->n++] = (struct buf){0};
    buf_reset(&f->v[f->n - 1]);
    buf_put(&f->v[f->n - 1], e->data.p, e->data.n);
    return 1;
}

static enum status blocks(struct sheet *x, enum ledger_kind kind, struct span tid, struct found *f)
{
    enum status st = ledger_by_tid(x->u->ledger, kind, tid, NULL, find, f);
    for (size_t i = 0; i < f->n; i++) {
        if (st == ST_OK)
            st = block(x, buf_span(&f->v[i]));
        buf_free(&f->v[i]);
    }
    free(f->v);
    return st;
}

/* Which digest of verify-unit's message people decided about: that which was held. */
static enum status grants(struct sheet *x, const struct ledger_entry *e, struct span message)
{
    struct found f = {.want = message};
    return blocks(x, LEDGER_GRANT, e->tid, &f);
}

static enum status message(struct sheet *x, const struct ledger_entry *e)
{
    int ca = x->u->role == PATH_CA_SIGN;
    struct found answer = {.want = ca ? e->digest_in : e->digest_out, .by_key = !ca, .last = 1};
    struct layers m = {0};
    char why[CMS_WHY];
    if (!audit_open(x->u, e, &m, why)) {
        diag_warn("%s: entry %lld: %s", x->u->ledger_path, (long long)e->id, why);
        layers_close(&m);
        return ST_REFUSED;
    }
    x->messages++;
    enum status st = block(x, e->data);
    if (st == ST_OK)
        st = blocks(x, ca ? LEDGER_LEAF : LEDGER_DOWN, e->tid, &answer);
    /* With the message that they let through at last. */
    if (st == ST_OK && !ca && m.request && m.poll)
        st = grants(x, e, (struct span){m.layer[1].digest, CMS_DIGEST});
    layers_close(&m);
    return st;
}

static int one_owner(struct sheet *x, const struct audit_filter *f, const char *owner)
{
    if (!owner)
        return 1;
    if (!x->m.owner)
        x->m.owner = alloc_str(owner);
    if (!strcmp(x->m.owner, owner))
        return 1;
    diag_warn("lot \"%s\" is of several owners: \"%s\" and \"%s\"", f->lot, x->m.owner, owner);
    diag_hint("say whose with --owner");
    return 0;
}

static enum status all(struct sheet *x, const struct audit_filter *f, int64_t last)
{
    struct ledger_filter lf = {.kinds = x->u->role == PATH_CA_SIGN ? AUDIT_BIT(LEDGER_REQUEST)
                                                                   : AUDIT_BIT(LEDGER_UP),
                               .lot = f->lot,
                               .owner = f->owner,
                               .last = last};
    struct audit_batch b = {0};
    enum status st;
    while ((st = audit_pull(x->u->ledger, &lf, &b)) == ST_OK && b.n)
        for (size_t i = 0; i < b.n && st == ST_OK; i++) {
            path_trim(x->u->path);
            st = one_owner(x, f, b.e[i].owner) ? message(x, &b.e[i]) : ST_USAGE;
        }
    audit_drop(&b);
    return st;
}

/* The head covers all that is exported: what comes later is left out. */
static enum status write_all(struct sheet *x, const struct audit_filter *f)
{
    struct ledger_entry head;
    struct buf der = {0};
    enum status st = head_end(x->u, ST_OK);
    if (st == ST_OK)
        st = ledger_newest(x->u->ledger, LEDGER_HEAD, NULL, &head);
    if (st != ST_OK)
        return st;
    buf_put(&der, head.data.p, head.data.n);
    st = head.id ? all(x, f, head.status) : ST_OK;
    if (st == ST_OK && !x->messages) {
        diag_warn("%s: nothing of lot \"%s\" is in it", x->u->ledger_path, f->lot);
        st = ST_REFUSED;
    }
    if (!x->m.owner)
        x->m.owner = alloc_str(f->owner ? f->owner : "");
    if (st == ST_OK)
        st = block(x, buf_span(&der));
    if (st == ST_OK)
        st = sign(x, 1);
    buf_free(&der);
    return st;
}

enum status audit_export(struct unit *u, const struct audit_filter *f, size_t blocks)
{
    struct sheet x = {.u = u, .most = blocks};
    struct path *now = u->path;
    if (u->role != PATH_CA_SIGN && u->role != PATH_RA_APPROVE) {
        diag_warn("the ledger of %s has no evidence of its own", path_role_name(u->role));
        diag_hint("export from the ledger of ca-sign or ra-approve");
        return ST_USAGE;
    }
    x.m.unit = alloc_str(u->id);
    x.m.lot = alloc_str(f->lot);
    x.m.owner = alloc_str(f->owner);
    x.m.blocks = alloc_zero(blocks, sizeof *x.m.blocks);
    u->path = path_new_past(u->anchor);
    enum status st = write_all(&x, f);
    path_free(u->path);
    u->path = now;
    diag_note("%lld messages in %lld blocks", (long long)x.messages, (long long)x.blocks);
    audit_manifest_free(&x.m);
    buf_free(&x.text);
    return st;
}
