/* verify-unit: the certificate verification unit. Checks each request against itself and its lot,
 * and puts in the names that the lot says; makes the request where the device gave only its public
 * key. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "cmc.h"
#include "diag.h"
#include "hop.h"
#include "judge.h"

/* What is made for one message and must live until its layer is written. */
struct work {
    struct judge_list refused;
    struct cmc_mod *mods;
    struct cmc_crm *crms;
    struct judge_names *names; /* one a request at the most */
    size_t n_mods, n_crms, n_names;
};

static void work_free(struct work *w)
{
    for (size_t i = 0; i < w->n_names; i++)
        judge_names_free(&w->names[i]);
    free(w->names);
    free(w->mods);
    free(w->crms);
    judge_free(&w->refused);
}

/* A request made for a bare key names it by the key alone: it must be the only one of its message.
 */
static int alone(const struct layers *m, size_t i, struct judge_fail *f)
{
    const struct cmc_item *it = &m->request->items[i];
    for (size_t k = 0; it->kind == CMC_KEY && k < m->request->n; k++)
        if (k != i && m->request->items[k].kind == CMC_KEY &&
            buf_same(m->request->items[k].der, it->der))
            return judge_no(f, FAIL_NO_KEY_REUSE,
                            "another device of the same message gave the same key");
    return 1;
}

/* What the lot says, where it is not what the device asks. */
static int differs(struct span said, struct span asked)
{
    return said.n && !buf_same(said, asked);
}

static void explain(const struct judge_item *it)
{
    struct buf text = {0};
    profile_explain_subject(it->asked.subject, it->asked.set_subject, "the list", &text);
    profile_explain_san(it->san, it->asked.set_san, "the list", &text);
    if (text.n)
        diag_warn("%s: %s", it->device, (char *)text.d);
    buf_free(&text);
}

/* The request for a bare key, and what the lot changes of it or of the device's own. */
static void write_down(struct work *w, const struct judge_item *it)
{
    struct cmc_mod mod = {.ref = {it->item->id, it->item->kind == CMC_KEY},
                          .replace = 1,
                          .subject = it->asked.set_subject,
                          .san = it->asked.set_san};
    if (it->item->kind == CMC_KEY)
        w->crms[w->n_crms++] = (struct cmc_crm){it->item->id, it->asked.subject, it->item->der};
    if (mod.subject.n || mod.san.n)
        w->mods[w->n_mods++] = mod;
}

static int judge_one(struct unit *u, const struct layers *m, size_t i, const struct judge_rules *r,
                     struct work *w, struct judge_fail *f)
{
    struct judge_item it;
    struct judge_names *names = &w->names[w->n_names++];
    if (!judge_item(m, i, r, &it, f) || !alone(m, i, f) || !judge_names(u, r, &it, names, f))
        return 0;
    if (it.item->kind == CMC_KEY)
        it.asked.subject = buf_span(&names->subject);
    else if (differs(buf_span(&names->subject), it.asked.subject))
        it.asked.set_subject = buf_span(&names->subject);
    if (differs(buf_span(&names->san), it.san))
        it.asked.set_san = buf_span(&names->san);
    /* The signature is the dearest check: it comes last. */
    if (!profile_judge(r->profile, &it.asked, &f->code, f->why) || !judge_pop(&it, r, f))
        return 0;
    write_down(w, &it);
    explain(&it);
    return 1;
}

static enum status judge(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    struct judge_rules r;
    struct judge_fail f;
    size_t n = m->request->n;
    struct work w = {.mods = alloc_zero(n, sizeof *w.mods),
                     .crms = alloc_zero(n, sizeof *w.crms),
                     .names = alloc_zero(n, sizeof *w.names)};
    (void)arg;
    int all = judge_rules(u, m, u->id, clock_now(), &r, &f);
    for (size_t i = 0; i < n; i++)
        if (!all || !judge_one(u, m, i, &r, &w, &f)) {
            const struct cmc_item *it = &m->request->items[i];
            judge_add(&w.refused, (struct cmc_ref){it->id, 0}, CMC_FAILED, (int)f.code, f.why);
            diag_note("%.*s: refused: %s", (int)it->device.n, (const char *)it->device.p, f.why);
        }
    struct cmc_wrap wrap = {.inner = m->layer[0].der,
                            .n_verdicts = w.refused.n,
                            .verdicts = w.refused.v,
                            .n_mods = w.n_mods,
                            .mods = w.mods,
                            .n_crms = w.n_crms,
                            .crms = w.crms};
    memcpy(wrap.tid, m->tid, CMC_TID);
    cmc_wrap_put(&wrap, PATH_VERIFY_UNIT, &out->content);
    out->owner = all ? r.lot->owner : NULL;
    work_free(&w);
    return ST_OK;
}

int main(int argc, char **argv)
{
    struct hop_judge j = {.up = judge};
    return (int)hop_main(
        PATH_VERIFY_UNIT,
        "Checks requests against the lot's device list, wraps and signs them; passes answers back.",
        &j, argc, argv);
}
