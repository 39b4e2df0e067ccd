/* ra-approve: the registration approval unit. Holds lot, profile, verify-unit and the permission
 * for bare keys against its own files. */
#include <string.h>

#include "cmc.h"
#include "diag.h"
#include "hop.h"
#include "judge.h"

static int judge_one(const struct layers *m, size_t i, const struct judge_rules *r,
                     struct judge_fail *f)
{
    struct judge_item it;
    if (!judge_item(m, i, r, &it, f))
        return 0;
    if (it.item->kind == CMC_KEY && !judge_pop(&it, r, f))
        return 0;
    return profile_judge(r->profile, &it.asked, &f->code, f->why);
}

/* A request that verify-unit made is named by its own number, all others by attach's. */
static struct cmc_ref ref_of(const struct layers *m, size_t i)
{
    const struct cmc_crm *crm = m->items[i].crm;
    return crm ? (struct cmc_ref){crm->id, 1} : (struct cmc_ref){m->request->items[i].id, 0};
}

static enum status judge(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    struct judge_rules r;
    struct judge_fail f;
    struct judge_list refused = {0};
    int all = judge_rules(u, m, layers_signer(m, PATH_VERIFY_UNIT)->id, &r, &f);
    for (size_t i = 0; i < m->request->n; i++) {
        if (m->items[i].verdict || (all && judge_one(m, i, &r, &f)))
            continue;
        const struct cmc_item *it = &m->request->items[i];
        judge_add(&refused, ref_of(m, i), CMC_FAILED, (int)f.code, f.why);
        diag_note("%.*s: refused: %s", (int)it->device.n, (const char *)it->device.p, f.why);
    }
    struct cmc_wrap wrap = {
        .inner = m->layer[0].der, .n_verdicts = refused.n, .verdicts = refused.v};
    memcpy(wrap.tid, m->tid, CMC_TID);
    cmc_wrap_put(&wrap, PATH_RA_APPROVE, &out->content);
    out->owner = all ? r.lot->owner : NULL;
    judge_free(&refused);
    (void)arg;
    return ST_OK;
}

int main(int argc, char **argv)
{
    struct hop_judge j = {.up = judge};
    return (int)hop_main(
        PATH_RA_APPROVE,
        "Approves requests by lot, profile and verify-unit, wraps and signs them; passes answers "
        "back.",
        &j, argc, argv);
}
