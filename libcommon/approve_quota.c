/* Quotas. An identity (owner, lot, profile, device, key) counts once, when it is first let through
 * upward; the hop's ledger transaction holds the sum still between the question and the answer. */
#include "approve_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

/* The identities of the requests that pass, in their order. */
struct identities {
    struct ledger_identity *v;
    size_t *item;
    char (*device)[CMC_DEVICE + 1];
    unsigned char (*key)[X509_HASH];
    size_t n;
};

static void add(const struct approve_work *w, size_t i, struct identities *ids)
{
    const struct cmc_item *it = &w->m->request->items[i];
    struct csr csr;
    char why[X509_WHY];
    size_t k = ids->n++;
    struct span spki = it->der;
    if (it->kind == CMC_TCR && csr_view(it->der, &csr, why)) /* it was read before: it passes */
        spki = csr.spki;
    ids->item[k] = i;
    memcpy(ids->device[k], it->device.p, it->device.n);
    x509_key_hash(spki, ids->key[k]);
    ids->v[k] = (struct ledger_identity){
        .owner = w->rules.lot->owner,
        .profile = w->rules.lot->profile,
        .device = ids->device[k],
        .key = {ids->key[k], X509_HASH},
    };
}

static void identities(const struct approve_work *w, struct identities *ids)
{
    *ids = (struct identities){.v = alloc_zero(w->n_passes, sizeof *ids->v),
                               .item = alloc_zero(w->n_passes, sizeof *ids->item),
                               .device = alloc_zero(w->n_passes, sizeof *ids->device),
                               .key = alloc_zero(w->n_passes, sizeof *ids->key)};
    for (size_t i = 0; i < w->m->request->n; i++)
        if (w->passes[i])
            add(w, i, ids);
}

static enum status record(const struct approve_work *w, const struct ledger_identity *who,
                          uint32_t part)
{
    struct ledger_entry e = {
        .kind = LEDGER_COUNTED,
        .tid = {w->m->tid, CMC_TID},
        .part = part,
        .unit = layers_signer(w->m, PATH_ATTACH)->id,
        .owner = who->owner,
        .lot = w->rules.lot->name,
        .profile = who->profile,
        .device = who->device,
        .key = who->key,
    };
    return ledger_add(w->a->u->ledger, &e);
}

static enum status one(struct approve_work *w, const struct identities *ids, size_t k, int count,
                       int64_t *used)
{
    const struct lot *lot = w->rules.lot;
    struct judge_fail f;
    size_t i = ids->item[k];
    int yes;
    enum status st = ledger_is_counted(w->a->u->ledger, lot->name, &ids->v[k], &yes);
    if (st != ST_OK || yes)
        return st;
    if (*used >= lot->quota) {
        judge_no(&f, FAIL_BAD_REQUEST, "the quota of lot \"%s\" (%" PRId64 ") is used up",
                 lot->name, lot->quota);
        approve_refuse(w, i, &f);
        return ST_OK;
    }
    if (!count)
        return ST_OK;
    ++*used;
    return record(w, &ids->v[k], w->m->request->items[i].id);
}

enum status approve_quota(struct approve_work *w, int count)
{
    struct ledger *l = w->a->u->ledger;
    struct identities ids;
    int64_t used = 0;
    if (!w->n_passes || w->rules.lot->quota < 0)
        return ST_OK;
    identities(w, &ids);
    enum status st = ledger_expect(l, LEDGER_COUNTED, ids.v, ids.n);
    if (st == ST_OK)
        st = ledger_counted(l, w->rules.lot->owner, w->rules.lot->name, &used);
    for (size_t k = 0; st == ST_OK && k < ids.n; k++)
        st = one(w, &ids, k, count, &used);
    free(ids.v);
    free(ids.item);
    free(ids.device);
    free(ids.key);
    return st;
}
