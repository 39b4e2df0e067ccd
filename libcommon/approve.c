/* What ra-approve says of a message: let through, refused, or held back until people have decided.
 */
#include "approve_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

/* A request that verify-unit made is named by its own number, all others by attach's. */
static struct cmc_ref ref_of(const struct layers *m, size_t i)
{
    const struct cmc_crm *crm = m->items[i].crm;
    return crm ? (struct cmc_ref){crm->id, 1} : (struct cmc_ref){m->request->items[i].id, 0};
}

void approve_refuse(struct approve_work *w, size_t i, const struct judge_fail *f)
{
    const struct cmc_item *it = &w->m->request->items[i];
    judge_add(&w->verdicts, ref_of(w->m, i), CMC_FAILED, (int)f->code, f->why);
    diag_note("%.*s: refused: %s", (int)it->device.n, (const char *)it->device.p, f->why);
    if (w->passes[i]) {
        w->passes[i] = 0;
        w->n_passes--;
    }
}

static void work_free(struct approve_work *w)
{
    judge_free(&w->verdicts);
    free(w->passes);
}

/* The line of this part among those that were refused when the message came in. */
static int was_refused(const char **lines, uint32_t part, struct judge_fail *f)
{
    char *end;
    if (strtoul(*lines, &end, 10) != part || *end != ' ')
        return 0;
    f->code = (enum profile_fail)strtoul(end, &end, 10);
    size_t n = strcspn(end, "\n");
    snprintf(f->why, sizeof f->why, "%.*s", (int)(n ? n - 1 : 0), end + (n ? 1 : 0));
    *lines = end + n + (end[n] == '\n');
    return 1;
}

/* Every request that verify-unit let through, but those that were refused before. */
static void judge_all(struct approve_work *w, const char *refused)
{
    const struct layers *m = w->m;
    struct judge_fail all, f;
    struct judge_item it;
    w->passes = alloc_zero(m->request->n, 1);
    w->ruled = judge_rules(w->a->u, m, layers_signer(m, PATH_VERIFY_UNIT)->id, clock_now(),
                           &w->rules, &all);
    for (size_t i = 0; i < m->request->n; i++) {
        if (m->items[i].verdict)
            continue;
        if (was_refused(&refused, m->request->items[i].id, &f))
            approve_refuse(w, i, &f);
        else if (!w->ruled)
            approve_refuse(w, i, &all);
        else if (!w->a->one(w->a->u, m, i, &w->rules, &it, &f))
            approve_refuse(w, i, &f);
        else
            w->n_passes += w->passes[i] = 1;
    }
}

/* `poll` beside the message that it released, or {NULL, 0}. */
static void put(const struct layers *m, struct span poll, const struct judge_list *verdicts,
                struct buf *content)
{
    struct cmc_wrap wrap = {
        .inner = m->layer[0].der, .poll = poll, .n_verdicts = verdicts->n, .verdicts = verdicts->v};
    memcpy(wrap.tid, m->tid, CMC_TID);
    cmc_wrap_put(&wrap, PATH_RA_APPROVE, content);
}

/* --- held back --- */

/* What was refused already stays refused when the rest is granted. */
static void put_refused(const struct approve_work *w, struct buf *out)
{
    for (size_t i = 0; i < w->m->request->n; i++) {
        struct cmc_ref ref = ref_of(w->m, i);
        for (size_t k = 0; k < w->verdicts.n; k++) {
            const struct cmc_verdict *v = &w->verdicts.v[k];
            for (size_t r = 0; r < v->n; r++)
                if (v->refs[r].id == ref.id && v->refs[r].crm == ref.crm)
                    buf_printf(out, "%u %d %.*s\n", (unsigned)w->m->request->items[i].id, v->fail,
                               (int)v->text.n, (const char *)v->text.p);
        }
    }
}

static enum status hold(struct approve_work *w, const unsigned char token[CMC_TOKEN])
{
    const struct layers *m = w->m;
    const struct lot *lot = w->rules.lot;
    struct buf refused = {0};
    put_refused(w, &refused);
    struct ledger_entry e = {
        .kind = LEDGER_HELD,
        .tid = {m->tid, CMC_TID},
        .unit = layers_signer(m, PATH_ATTACH)->id,
        .owner = lot->owner,
        .lot = lot->name,
        .profile = lot->profile,
        .part = (uint32_t)m->request->n,
        .key = {m->layer[m->n - 1].digest, CMS_DIGEST},
        .digest_in = {m->layer[0].digest, CMS_DIGEST},
        .serial = {token, CMC_TOKEN},
        .data = m->layer[0].der,
        .note = refused.n ? (const char *)refused.d : NULL,
    };
    enum status st = ledger_add(w->a->u->ledger, &e);
    buf_free(&refused);
    return st;
}

static void pending(const struct approve *a, struct cmc_verdict *v,
                    const unsigned char token[CMC_TOKEN])
{
    memcpy(v->token, token, CMC_TOKEN);
    v->pend_time = clock_now() + a->u->ask_again;
}

/* One verdict for all that pass. */
static enum status hold_back(struct approve_work *w)
{
    unsigned char token[CMC_TOKEN];
    char text[CMC_STRING];
    if (RAND_bytes(token, sizeof token) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    snprintf(text, sizeof text, "waits for approval (0 of %d)", w->rules.lot->approve);
    enum status st = hold(w, token);
    for (size_t i = 0; i < w->m->request->n; i++)
        if (w->passes[i])
            judge_add(&w->verdicts, ref_of(w->m, i), CMC_PENDING, -1, text);
    pending(w->a, &w->verdicts.v[w->verdicts.n - 1], token);
    return st;
}

enum status approve_up(const struct approve *a, const struct layers *m, struct buf *content,
                       const char **owner)
{
    struct approve_work w = {.a = a, .m = m};
    judge_all(&w, "");
    int waits = w.ruled && w.rules.lot->approve > 0;
    *owner = w.ruled ? w.rules.lot->owner : NULL;
    enum status st = w.ruled ? approve_quota(&w, !waits) : ST_OK;
    if (st == ST_OK && waits && w.n_passes)
        st = hold_back(&w);
    if (st == ST_OK)
        put(m, (struct span){NULL, 0}, &w.verdicts, content);
    work_free(&w);
    return st;
}

/* --- polls --- */

/* A word on the whole transaction; no message goes along. */
static void put_word(const struct layers *m, struct cmc_verdict *v, const char *text,
                     struct buf *content)
{
    struct judge_list one = {.v = v, .n = 1};
    v->text = (struct span){(const unsigned char *)text, strlen(text)};
    put(m, (struct span){NULL, 0}, &one, content);
}

static void put_failed(const struct layers *m, const char *text, struct buf *content)
{
    struct cmc_verdict v = {.status = CMC_FAILED, .fail = FAIL_BAD_REQUEST};
    diag_note("%s: poll refused: %s", layers_signer(m, PATH_ATTACH)->id, text);
    put_word(m, &v, text, content);
}

/* All was refused by a person. */
static void refuse_all(struct approve_work *w, const struct approve_vote *by)
{
    struct judge_fail f;
    w->passes = alloc_zero(w->m->request->n, 1);
    judge_no(&f, FAIL_BAD_REQUEST, "refused by %s: %s", by->who, by->why);
    for (size_t i = 0; i < w->m->request->n; i++)
        if (!w->m->items[i].verdict)
            approve_refuse(w, i, &f);
}

/* The message that waited, with the poll beside it: quota, window and names are what they are now.
 */
static enum status release(const struct approve *a, const struct layers *m,
                           const struct approve_held *h, const struct approve_tally *t,
                           struct buf *content)
{
    struct approve_work w = {.a = a, .m = &h->m};
    enum status st = ST_OK;
    if (t->state == APPROVE_REFUSED)
        refuse_all(&w, &t->v[t->n - 1]);
    else {
        judge_all(&w, h->refused);
        if (w.ruled)
            st = approve_quota(&w, 1);
    }
    if (st == ST_OK)
        put(&h->m, m->layer[0].der, &w.verdicts, content);
    work_free(&w);
    return st;
}

/* --- what was decided stands --- */

/* The newest message that took a decision up. */
static int each_decided(const struct ledger_entry *e, void *arg)
{
    struct buf *der = arg;
    if (e->status == LEDGER_DECIDED) {
        buf_reset(der);
        buf_put(der, e->data.p, e->data.n);
    }
    return 1;
}

/* The same verdicts beside a newer poll. */
static void put_again(const struct layers *m, const struct approve_held *h,
                      const struct layers *before, struct buf *content)
{
    struct approve_work w = {.m = &h->m};
    char text[CMC_STRING + 1];
    for (size_t i = 0; i < before->request->n; i++) {
        const struct cmc_verdict *v = before->items[i].verdict;
        if (!v || before->items[i].by != PATH_RA_APPROVE)
            continue;
        snprintf(text, sizeof text, "%.*s", (int)v->text.n, (const char *)v->text.p);
        judge_add(&w.verdicts, ref_of(w.m, i), v->status, v->fail, text);
    }
    put(&h->m, m->layer[0].der, &w.verdicts, content);
    judge_free(&w.verdicts);
}

/* Once a decision went up, the CA may have issued by it: who asks again because the answer was lost
 * gets the same decision, whatever became of window and list since. *done: it was put. */
static enum status decided(const struct approve *a, const struct layers *m,
                           const struct approve_held *h, struct buf *content, int *done)
{
    struct layers before = {.n = 0};
    struct buf der = {0};
    char why[CMS_WHY];
    int64_t now = clock_now();
    struct layers_rule rule = {PATH_CA_SIGN, now, now};
    enum status st = ledger_by_tid(a->u->ledger, LEDGER_UP, (struct span){m->tid, CMC_TID},
                                   layers_signer(m, PATH_ATTACH)->id, each_decided, &der);
    *done = st == ST_OK && der.n &&
            layers_open(buf_span(&der), a->u->path, &rule, &before, why) == ST_OK &&
            before.request && before.poll && before.n > 1 &&
            !memcmp(before.layer[1].digest, h->message, CMS_DIGEST);
    if (*done)
        put_again(m, h, &before, content);
    layers_close(&before);
    buf_free(&der);
    return st;
}

static enum status decide(const struct approve *a, const struct layers *m,
                          const struct approve_held *h, struct buf *content, const char **owner,
                          enum ledger_asked *asked)
{
    const struct lot none = {.approve = 0}, *lot = lots_find(a->u->lots, h->lot);
    struct approve_tally t = {0};
    int done = 0;
    enum status st = approve_tally(a, h, lot ? lot : &none, &t);
    *owner = lot ? lot->owner : NULL;
    if (st == ST_OK && t.state == APPROVE_WAITS) {
        struct cmc_verdict v = {.status = CMC_PENDING, .fail = -1};
        char text[CMC_STRING];
        snprintf(text, sizeof text, "waits for approval (%d of %d)", t.granted, t.needed);
        pending(a, &v, h->token);
        put_word(m, &v, text, content);
    } else if (st == ST_OK) {
        st = decided(a, m, h, content, &done);
        if (st == ST_OK && !done)
            st = release(a, m, h, &t, content);
        *asked = LEDGER_DECIDED;
    }
    approve_tally_free(&t);
    return st;
}

/* Whether the poll is about this message, in all that ca-sign will hold them together by. */
static int asks_after(const struct layers *m, const struct approve_held *h)
{
    const struct cmc_poll *p = m->poll;
    const struct cmc_request *r = h->m.request;
    return !memcmp(h->token, p->token, CMC_TOKEN) && !memcmp(r->run, p->run, CMC_RUN) &&
           !strcmp(r->lot, p->lot) && !strcmp(r->profile, p->profile) && !strcmp(r->to, p->to) &&
           !strcmp(layers_signer(&h->m, PATH_VERIFY_UNIT)->id,
                   layers_signer(m, PATH_VERIFY_UNIT)->id);
}

enum status approve_poll(const struct approve *a, const struct layers *m, struct buf *content,
                         const char **owner, enum ledger_asked *asked)
{
    struct approve_held h = {0};
    char why[CMS_WHY], text[CMC_STRING];
    int found, opened = 0;
    *asked = LEDGER_UNDECIDED;
    enum status st = approve_held_newest(a, (struct span){m->tid, CMC_TID},
                                         layers_signer(m, PATH_ATTACH)->id, &h, &found);
    if (found)
        opened = approve_held_open(a, &h, why);
    if (st == ST_OK && found && !opened) {
        snprintf(text, sizeof text, "the message that waited is not good any more: %s", why);
        put_failed(m, text, content);
    } else if (st == ST_OK && (!found || !asks_after(m, &h))) {
        put_failed(m, "no message waits here that this poll could ask after", content);
    } else if (st == ST_OK) {
        st = decide(a, m, &h, content, owner, asked);
    }
    approve_held_free(&h);
    return st;
}
