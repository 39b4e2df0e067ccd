#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "alloc.h"
#include "clock.h"
#include "cmc.h"
#include "diag.h"
#include "issue.h"
#include "judge.h"

/* A request that nobody refused, opened. */
struct asked {
    struct judge_item item;
    unsigned char key[X509_HASH];
    int good; /* else f says why not */
    struct judge_fail f;
};

/* What one answer is made of; kept until the next message. */
struct work {
    struct issue_result issued;
    struct asked *asked; /* one a request */
    struct ledger_identity *who;
    struct buf *certs; /* DER of the certificates, then spans of them and of the CA's chain */
    struct span *bag;
    size_t n_certs, n_bag, cap;
};

struct answer_ca {
    struct issue_ca issue;
    struct work w;
    int withdrawn;
};

static void add_to_bag(struct work *w, struct span der)
{
    for (size_t i = 0; i < w->n_bag; i++)
        if (buf_same(w->bag[i], der))
            return;
    w->bag[w->n_bag++] = der;
}

static void work_reset(struct work *w, size_t items, size_t chain)
{
    for (size_t i = 0; i < w->n_certs; i++)
        buf_free(&w->certs[i]);
    w->n_certs = w->n_bag = 0;
    if (items + chain <= w->cap)
        return;
    w->cap = items + chain;
    w->certs = alloc_grow(w->certs, w->cap, sizeof *w->certs);
    w->bag = alloc_grow(w->bag, w->cap, sizeof *w->bag);
    w->asked = alloc_grow(w->asked, w->cap, sizeof *w->asked);
    w->who = alloc_grow(w->who, w->cap, sizeof *w->who);
}

/* Says who decided, and why, so that the person at the line sees it. */
static void add_status(struct judge_list *l, uint32_t id, const struct cmc_verdict *v,
                       enum path_role by)
{
    char *text = v->text.n ? alloc_printf("%s: %.*s", path_role_name(by), (int)v->text.n,
                                          (const char *)v->text.p)
                           : NULL;
    judge_add(l, (struct cmc_ref){id, 0}, v->status, v->fail, text ? text : "");
    free(text);
}

static void add_failure(struct judge_list *l, uint32_t id, const struct judge_fail *f)
{
    struct cmc_verdict v = {.status = CMC_FAILED,
                            .fail = (int)f->code,
                            .text = {(const unsigned char *)f->why, strlen(f->why)}};
    add_status(l, id, &v, PATH_CA_SIGN);
}

/* Opens what nobody refused, and tells the ledger whom it will be asked about. */
static enum status open_all(struct answer_ca *ca, const struct layers *m,
                            const struct judge_rules *r)
{
    struct work *w = &ca->w;
    size_t n = 0;
    for (size_t i = 0; i < m->request->n; i++) {
        struct asked *a = &w->asked[i];
        a->good = !m->items[i].verdict && judge_item(m, i, r, &a->item, &a->f);
        if (!a->good)
            continue;
        x509_key_hash(a->item.asked.spki, a->key);
        w->who[n++] = (struct ledger_identity){.owner = r->lot->owner,
                                               .profile = profile_name(r->profile),
                                               .device = a->item.device,
                                               .key = {a->key, sizeof a->key}};
    }
    return n ? ledger_expect(ca->issue.ledger, LEDGER_ISSUED, w->who, n) : ST_OK;
}

/* One request that nobody refused. ST_OK, ST_REFUSED with a->f set, or ST_TEMP. */
static enum status issue_one(struct answer_ca *ca, const struct unit *u, const struct layers *m,
                             struct asked *a, const struct judge_rules *r)
{
    const struct judge_item *it = &a->item;
    if (!a->good || !profile_judge(r->profile, &it->asked, &a->f.code, a->f.why) ||
        !judge_pop(it, r, &a->f))
        return ST_REFUSED;
    struct issue_request q = {.profile = r->profile,
                              .asked = it->asked,
                              .lots = u->lots,
                              .owner = r->lot->owner,
                              .lot = r->lot->name,
                              .unit = layers_signer(m, PATH_ATTACH)->id,
                              .tid = {m->tid, CMC_TID},
                              .part = it->item->id};
    enum status st = issue_certificate(&ca->issue, &q, &ca->w.issued);
    if (st == ST_REFUSED)
        judge_no(&a->f, ca->w.issued.profile.fail, "%s", ca->w.issued.profile.why);
    return st;
}

static void grant(struct answer_ca *ca, const struct asked *a, uint32_t id,
                  struct judge_list *status, struct cmc_leaf *leaf)
{
    struct work *w = &ca->w;
    const struct buf *d = &w->issued.profile.differences;
    if (w->issued.again && d->n)
        diag_warn("%s: %s", a->item.asked.device, (char *)d->d);
    struct buf *cert = &w->certs[w->n_certs++];
    *cert = (struct buf){0};
    buf_put(cert, w->issued.certificate.d, w->issued.certificate.n);
    add_to_bag(w, buf_span(cert));
    struct cmc_issued *to = &leaf->issued[leaf->n_issued++];
    to->id = id;
    cms_digest(buf_span(cert), to->hash);
    judge_add(status, (struct cmc_ref){id, 0}, CMC_SUCCESS, -1, d->n ? (char *)d->d : "");
}

/* The first answer to a decision. */
static int each_leaf(const struct ledger_entry *e, void *arg)
{
    int64_t *when = arg;
    if (e->status != LEDGER_DECIDED)
        return 1;
    *when = e->time;
    return 0;
}

/* When the lot's window counts: now, or when this decision was answered for the first time. */
static enum status judged_at(const struct unit *u, const struct layers *m, int64_t *when)
{
    *when = clock_now();
    if (!m->poll)
        return ST_OK;
    return ledger_by_tid(u->ledger, LEDGER_LEAF, (struct span){m->tid, CMC_TID},
                         layers_signer(m, PATH_ATTACH)->id, each_leaf, when);
}

static enum status decide_all(struct answer_ca *ca, struct unit *u, const struct layers *m,
                              struct judge_list *status, struct cmc_leaf *leaf, const char **owner)
{
    struct judge_rules r;
    struct judge_fail f;
    int64_t when;
    enum status st = judged_at(u, m, &when);
    int all =
        st == ST_OK && judge_rules(u, m, layers_signer(m, PATH_VERIFY_UNIT)->id, when, &r, &f);
    if (all)
        st = open_all(ca, m, &r);
    *owner = all ? r.lot->owner : NULL;
    for (size_t i = 0; i < m->request->n && st == ST_OK; i++) {
        uint32_t id = m->request->items[i].id;
        if (m->items[i].verdict) {
            add_status(status, id, m->items[i].verdict, m->items[i].by);
            continue;
        }
        st = all ? issue_one(ca, u, m, &ca->w.asked[i], &r) : ST_REFUSED;
        if (st == ST_OK)
            grant(ca, &ca->w.asked[i], id, status, leaf);
        else if (st == ST_REFUSED) {
            add_failure(status, id, all ? &ca->w.asked[i].f : &f);
            st = ST_OK;
        }
    }
    return st;
}

/* What waits for people, waits with the token that ra-approve gave. */
static void pass_pend_info(struct judge_list *l, const struct cmc_verdict *from)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].status == CMC_PENDING) {
            memcpy(l->v[i].token, from->token, CMC_TOKEN);
            l->v[i].pend_time = from->pend_time;
        }
}

/* The message that is answered, for those who ask later how a certificate came about. */
static enum status record(const struct unit *u, const struct layers *m, const char *owner)
{
    char *units = alloc_printf("%s\t%s", layers_signer(m, PATH_VERIFY_UNIT)->id,
                               layers_signer(m, PATH_RA_APPROVE)->id);
    struct ledger_entry e = {.kind = LEDGER_REQUEST,
                             .tid = {m->tid, CMC_TID},
                             .unit = layers_signer(m, PATH_ATTACH)->id,
                             .owner = owner,
                             .lot = m->request ? m->request->lot : m->poll->lot,
                             .profile = m->request ? m->request->profile : m->poll->profile,
                             .digest_in = {m->layer[0].digest, CMS_DIGEST},
                             .data = m->layer[0].der,
                             .note = units};
    enum status st = ledger_add(u->ledger, &e);
    free(units);
    return st;
}

/* The leaf, from what was decided. */
static void put_leaf(const struct layers *m, const struct judge_list *status, struct cmc_leaf *leaf,
                     struct hop_answer *out)
{
    unsigned char nonce[CMC_NONCE];
    if (RAND_bytes(nonce, sizeof nonce) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    leaf->nonce = (struct span){nonce, sizeof nonce};
    leaf->recipient_nonce = m->poll ? m->poll->nonce : m->request->nonce;
    memcpy(leaf->tid, m->tid, CMC_TID);
    memcpy(leaf->request, m->layer[0].digest, CMS_DIGEST);
    leaf->status = status->v;
    leaf->n_status = status->n;
    out->type = CMS_PKI_RESPONSE;
    cmc_leaf_put(leaf, &out->content);
}

enum status answer_up(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    struct answer_ca *ca = arg;
    struct judge_list status = {0};
    struct cmc_leaf leaf = {.issued = alloc_zero(m->request->n, sizeof *leaf.issued)};
    work_reset(&ca->w, m->request->n, u->n_issuer_chain);
    enum status st = decide_all(ca, u, m, &status, &leaf, &out->owner);
    for (size_t i = 0; i < m->request->n; i++)
        if (m->items[i].verdict && m->items[i].verdict->status == CMC_PENDING)
            pass_pend_info(&status, m->items[i].verdict);
    for (size_t i = 0; leaf.n_issued && i < u->n_issuer_chain; i++)
        add_to_bag(&ca->w, u->issuer_chain[i]);
    out->asked = m->poll ? LEDGER_DECIDED : LEDGER_JUDGED;
    out->other = ca->w.bag;
    out->n_other = ca->w.n_bag;
    if (st == ST_OK)
        st = record(u, m, out->owner);
    if (st == ST_OK)
        put_leaf(m, &status, &leaf, out);
    judge_free(&status);
    free(leaf.issued);
    return st;
}

/* A poll that is not granted: the word of ra-approve, whatever it is. */
enum status answer_poll(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    const struct cmc_verdict *v = m->poll_pending;
    const struct lot *lot = lots_find(u->lots, m->poll->lot);
    struct judge_list status = {0};
    struct cmc_leaf leaf = {.n_issued = 0};
    (void)arg;
    add_status(&status, 0, v, PATH_RA_APPROVE);
    status.v[0].n = 0; /* the whole transaction */
    pass_pend_info(&status, v);
    out->owner = lot ? lot->owner : NULL;
    enum status st = record(u, m, out->owner);
    if (st == ST_OK)
        put_leaf(m, &status, &leaf, out);
    judge_free(&status);
    return st;
}

/* Says that a certificate of a recorded answer was revoked since; the answer stays what it is. */
static enum status tell_revoked(struct answer_ca *ca, struct unit *u, struct span der)
{
    struct x509_cert cert;
    struct ledger_entry e;
    char id[ISSUE_CA_ID], day[CLOCK_TEXT];
    issue_ca_id(u->issuer, id);
    if (!x509_cert_view(der, &cert))
        return ST_OK; /* of the path of an issuer that others made */
    enum status st = ledger_revoked(u->ledger, cert.serial, id, &e);
    if (st != ST_OK || !e.id)
        return st;
    clock_format(e.time, day);
    diag_warn("%s: answered before with a certificate that was revoked on %s, and now again",
              e.device, day);
    diag_hint("keep the device back: it needs a new key");
    ca->withdrawn = 1;
    return ST_OK;
}

enum status answer_again(struct unit *u, struct span answer, void *arg)
{
    char why[CMS_WHY];
    struct cms *c = cms_parse(answer, why);
    enum status st = ST_OK;
    size_t n;
    if (!c) {
        diag_warn("%s: a recorded answer: %s", u->ledger_path, why);
        return ST_TEMP;
    }
    const struct span *certs = cms_peek_certs(c, &n);
    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = tell_revoked(arg, u, certs[i]);
    cms_free(c);
    return st;
}

struct answer_ca *answer_new(struct unit *u)
{
    struct answer_ca *ca = alloc_zero(1, sizeof *ca);
    ca->issue = (struct issue_ca){u->issuer, u->issuer_chain[0], u->ledger};
    return ca;
}

int answer_withdrawn(const struct answer_ca *ca)
{
    return ca->withdrawn;
}

void answer_free(struct answer_ca *ca)
{
    if (!ca)
        return;
    work_reset(&ca->w, 0, 0);
    free(ca->w.certs);
    free(ca->w.bag);
    free(ca->w.asked);
    free(ca->w.who);
    issue_result_free(&ca->w.issued);
    free(ca);
}
