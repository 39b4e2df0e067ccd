#include "hop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "head.h"
#include "io.h"
#include "pem.h"
#include "progress.h"

struct hop {
    struct unit *u;
    const struct hop_judge *judge;
    enum hop_pin pin; /* set by the first message */
    unsigned long line;
    struct layers m;
    struct buf out; /* the ContentInfo to write */
};

static enum status bad_input(const struct hop *h, const char *fmt, ...) DIAG_PRINTF(2, 3);

static enum status bad_input(const struct hop *h, const char *fmt, ...)
{
    char why[CMS_WHY + 200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    diag_warn("stdin:%lu: %s", h->line, why);
    return ST_INPUT;
}

static struct span digest(const unsigned char d[CMS_DIGEST])
{
    return (struct span){d, CMS_DIGEST};
}

static struct span tid(const struct hop *h)
{
    return (struct span){h->m.tid, CMC_TID};
}

/* --- what the ledger knows of this transaction --- */

struct known {
    struct span attach, in, answers; /* to compare with */
    const struct cmc_poll *poll;     /* it is one that stands alone */
    int other_attach;                /* the transactionId belongs to another message */
    int asked;                       /* up: this unit knows the message that the poll asks after */
    int of_poll;                     /* down: what is answered was a poll that stood alone */
    int found;
    struct buf *data; /* of the entry found */
    unsigned char digest_in[CMS_DIGEST];
    uint32_t part;
    char unit[CMC_TEXT + 1];
};

static int same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b);
}

/* LEDGER_UP, LEDGER_LEAF on the way up: (attach id, transactionId) belongs to one message for ever.
 * Entries of polls that stood alone have no key. */
static int each_up(const struct ledger_entry *e, void *arg)
{
    struct known *k = arg;
    if (e->key.n && k->poll) {
        k->asked = same_text(e->lot, k->poll->lot) && same_text(e->profile, k->poll->profile);
        k->part = e->part;
    } else if (e->key.n && !buf_same(e->key, k->attach)) {
        k->other_attach = 1;
        return 0;
    }
    if (buf_same(e->digest_in, k->in)) {
        k->found = 1;
        buf_reset(k->data);
        buf_put(k->data, e->data.p, e->data.n);
        return 0;
    }
    return 1;
}

/* LEDGER_UP on the way down: which of our messages is answered. */
static int each_asked(const struct ledger_entry *e, void *arg)
{
    struct known *k = arg;
    if (!buf_same(e->digest_out, k->answers) || e->digest_in.n != CMS_DIGEST)
        return 1;
    k->found = 1;
    memcpy(k->digest_in, e->digest_in.p, CMS_DIGEST);
    k->part = e->part;
    k->of_poll = e->key.n == 0;
    snprintf(k->unit, sizeof k->unit, "%s", e->unit ? e->unit : "");
    return 0;
}

/* LEDGER_DOWN: whether it was answered before, and how. */
static int each_answer(const struct ledger_entry *e, void *arg)
{
    struct known *k = arg;
    if (!buf_same(e->key, k->answers))
        return 1;
    k->found = 1;
    memcpy(k->digest_in, e->digest_in.p, e->digest_in.n == CMS_DIGEST ? CMS_DIGEST : 0);
    buf_reset(k->data);
    buf_put(k->data, e->data.p, e->data.n);
    return 0;
}

static enum status begin(struct hop *h)
{
    enum status st = ledger_begin(h->u->ledger);
    return st == ST_OK ? ledger_lock(h->u->ledger, tid(h)) : st;
}

/* --- the way up --- */

static enum status check_neighbours(const struct hop *h)
{
    const struct unit *u = h->u;
    const struct layers *m = &h->m;
    const char *attach = layers_signer(m, PATH_ATTACH)->id, *below = m->layer[0].signer->id;
    const struct path_unit *verify = layers_signer(m, PATH_VERIFY_UNIT),
                           *ra = layers_signer(m, PATH_RA_APPROVE);
    const char *to = verify ? verify->id : u->id;
    const char *lot = m->request ? m->request->lot : m->poll->lot;
    const char *meant = m->request ? m->request->to : m->poll->to;
    if (u->role != PATH_CA_SIGN && !unit_takes(u, 0, below))
        return bad_input(h, "signed by %s, from which this unit takes no messages", below);
    if (u->role == PATH_CA_SIGN && !unit_stands(u, attach, verify->id, ra->id, lot))
        return bad_input(h, "%s, %s and %s may not stand together for lot \"%s\"", attach,
                         verify->id, ra->id, lot);
    if (strcmp(meant, to))
        return bad_input(h, "a message for %s, not for %s", meant, to);
    return ST_OK;
}

static enum status record(struct hop *h, struct ledger_entry *e)
{
    unsigned char out[CMS_DIGEST];
    cms_digest(buf_span(&h->out), out);
    e->tid = tid(h);
    e->digest_in = digest(h->m.layer[0].digest);
    e->digest_out = digest(out);
    e->data = buf_span(&h->out);
    return ledger_add(h->u->ledger, e);
}

/* A poll as it is, in a layer of this unit's. */
static enum status pass_poll(const struct layers *m, enum path_role role, struct hop_answer *out)
{
    struct cmc_wrap wrap = {.inner = m->layer[0].der};
    memcpy(wrap.tid, m->tid, CMC_TID);
    cmc_wrap_put(&wrap, role, &out->content);
    return ST_OK;
}

static enum status judge(struct hop *h, struct hop_answer *out)
{
    const struct hop_judge *j = h->judge;
    if (h->m.request)
        return j->up(h->u, &h->m, out, j->arg);
    return j->poll ? j->poll(h->u, &h->m, out, j->arg) : pass_poll(&h->m, h->u->role, out);
}

static enum status judge_up(struct hop *h, const struct known *k)
{
    struct unit *u = h->u;
    const struct cmc_request *r = h->m.request;
    struct hop_answer a = {.type = CMS_PKI_DATA};
    enum status st = judge(h, &a);
    if (st == ST_OK)
        st = cms_sign(u->signer, a.type, buf_span(&a.content), u->chain, u->n_chain, a.other,
                      a.n_other, clock_now(), &h->out);
    if (st == ST_OK && h->out.n > CMS_MAX) {
        diag_warn("the message would have %zu octets, more than %d", h->out.n, CMS_MAX);
        diag_hint("make the batches of %s smaller", layers_signer(&h->m, PATH_ATTACH)->id);
        st = ST_INPUT;
    }
    struct ledger_entry e = {.kind = u->role == PATH_CA_SIGN ? LEDGER_LEAF : LEDGER_UP,
                             .unit = layers_signer(&h->m, PATH_ATTACH)->id,
                             .part = r ? (uint32_t)r->n : k->part,
                             .lot = r ? r->lot : h->m.poll->lot,
                             .profile = r ? r->profile : h->m.poll->profile,
                             .owner = a.owner,
                             .status = a.asked,
                             .key = r ? k->attach : (struct span){NULL, 0}};
    if (st == ST_OK)
        st = record(h, &e);
    buf_free(&a.content);
    return st;
}

static enum status go_up(struct hop *h)
{
    struct unit *u = h->u;
    const struct cms_layer *inner = &h->m.layer[h->m.n - 1];
    struct known k = {.attach = digest(inner->digest),
                      .in = digest(h->m.layer[0].digest),
                      .poll = h->m.request ? NULL : h->m.poll,
                      .data = &h->out};
    enum status st = check_neighbours(h);
    if (st == ST_OK)
        st = begin(h);
    if (st == ST_OK)
        st = ledger_by_tid(u->ledger, u->role == PATH_CA_SIGN ? LEDGER_LEAF : LEDGER_UP, tid(h),
                           inner->signer->id, each_up, &k);
    if (st == ST_OK && k.other_attach)
        st = bad_input(h, "the transactionId belongs to another message of the attaching unit");
    if (st == ST_OK && k.poll && !k.asked && u->role != PATH_CA_SIGN)
        st = bad_input(h, "a poll after a message that this unit did not let through");
    if (st == ST_OK && !k.found)
        st = judge_up(h, &k);
    else if (st == ST_OK && h->judge->again)
        st = h->judge->again(u, buf_span(&h->out), h->judge->arg);
    if (st == ST_OK)
        return ledger_commit(u->ledger);
    ledger_abort(u->ledger);
    return st;
}

/* --- the way down --- */

static enum status wrap_down(struct hop *h, const struct known *asked)
{
    struct unit *u = h->u;
    struct cmc_rwrap w = {.inner = h->m.layer[0].der};
    struct buf content = {0};
    memcpy(w.tid, h->m.tid, CMC_TID);
    memcpy(w.request, asked->digest_in, CMS_DIGEST);
    cmc_rwrap_put(&w, &content);
    enum status st = cms_sign(u->signer, CMS_PKI_RESPONSE, buf_span(&content), u->chain, u->n_chain,
                              NULL, 0, clock_now(), &h->out);
    struct ledger_entry e = {
        .kind = LEDGER_DOWN, .unit = asked->unit, .part = asked->part, .key = asked->answers};
    if (st == ST_OK)
        st = record(h, &e);
    buf_free(&content);
    return st;
}

static enum status answer(struct hop *h, struct known *asked)
{
    struct known before = {.answers = asked->answers, .data = &h->out};
    size_t n = cmc_leaf_count(h->m.leaf);
    enum status st = ledger_by_tid(h->u->ledger, LEDGER_UP, tid(h), NULL, each_asked, asked);
    if (st != ST_OK)
        return st;
    if (!asked->found)
        return bad_input(h, "an answer to a message that this unit did not send");
    /* A poll is answered for all that it asks after, or by one word. */
    if (n != asked->part && !(asked->of_poll && n == 0))
        return bad_input(h, "an answer to %zu requests, not to the %u that were sent", n,
                         (unsigned)asked->part);
    st = ledger_by_tid(h->u->ledger, LEDGER_DOWN, tid(h), NULL, each_answer, &before);
    if (st != ST_OK)
        return st;
    if (!before.found)
        return wrap_down(h, asked);
    if (memcmp(before.digest_in, h->m.layer[0].digest, CMS_DIGEST))
        return bad_input(h, "another answer to a message that is answered already");
    return ST_OK;
}

static enum status go_down(struct hop *h)
{
    struct known asked = {.answers = digest(layers_answers(&h->m))};
    if (!unit_takes(h->u, 1, h->m.layer[0].signer->id))
        return bad_input(h, "signed by %s, from which this unit takes no answers",
                         h->m.layer[0].signer->id);
    enum status st = begin(h);
    if (st == ST_OK)
        st = answer(h, &asked);
    if (st == ST_OK)
        return ledger_commit(h->u->ledger);
    ledger_abort(h->u->ledger);
    return st;
}

/* --- both --- */

static enum status direction_fits(struct hop *h)
{
    enum hop_pin is = h->m.direction == LAYERS_UP ? HOP_UP : HOP_DOWN;
    if (h->pin != HOP_EITHER && h->pin != is)
        return bad_input(h, is == HOP_UP ? "a request where responses are read"
                                         : "a response where requests are read");
    h->pin = is;
    return ST_OK;
}

static void emit(const struct hop *h)
{
    struct buf pem = {0};
    pem_put(&pem, "CMS", h->out.d, h->out.n);
    io_stdout(pem.d, pem.n);
    buf_free(&pem);
}

static enum status one(struct hop *h, struct span der)
{
    char why[CMS_WHY];
    struct layers_rule rule = {h->u->role, clock_now(), h->u->max_age};
    if (path_refresh(h->u->path) < 0)
        return ST_TEMP;
    enum status st = layers_open(der, h->u->path, &rule, &h->m, why);
    if (st != ST_OK)
        bad_input(h, "%s", why);
    else
        st = direction_fits(h);
    buf_reset(&h->out);
    if (st == ST_OK)
        st = h->m.direction == LAYERS_UP ? go_up(h) : go_down(h);
    if (st == ST_OK) {
        emit(h);
        progress_step(h->m.leaf      ? (long)cmc_leaf_count(h->m.leaf)
                      : h->m.request ? (long)h->m.request->n
                                     : 0);
    }
    layers_close(&h->m);
    return st;
}

static enum status next(struct hop *h, struct pem *in, int *more)
{
    struct pem_block b;
    enum pem_result got;
    enum status st = head_next(h->u, 0, in, &b, &got);
    switch (got) {
    case PEM_BLOCK:
        h->line = b.line;
        if (!strcmp(b.label, "CMS"))
            return one(h, (struct span){b.der, b.n});
        return bad_input(h, "a block \"%s\" where CMS is read", b.label);
    case PEM_BAD:
        h->line = b.line;
        return bad_input(h, "%s", b.why);
    case PEM_FAIL:
        diag_warn("stdin: %s", strerror(errno));
        return ST_TEMP;
    case PEM_WAIT:
    case PEM_END:
        break;
    }
    *more = 0;
    return st;
}

enum status hop_run(struct unit *u, enum hop_pin pin, const struct hop_judge *judge)
{
    struct hop h = {.u = u, .judge = judge, .pin = pin};
    struct pem *in = pem_open(0, CMS_MAX, PEM_STRICT);
    enum status st = ST_OK;
    for (int more = 1; more && st == ST_OK;) {
        st = next(&h, in, &more);
        if (st == ST_OK)
            st = head_due(u);
    }
    if (st == ST_OK)
        st = pem_ended(in);
    st = head_end(u, st);
    pem_close(in);
    buf_free(&h.out);
    return st;
}
