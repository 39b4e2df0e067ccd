/* What waits for people's approval. */
#include "intake_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static int each_pending(const struct ledger_entry *e, void *arg)
{
    struct intake_pending *p = arg;
    if (e->serial.n != CMC_TOKEN || !e->key.n || e->key.n > CMC_NONCE_MAX)
        return 1;
    p->waits = 1;
    memcpy(p->token, e->serial.p, CMC_TOKEN);
    memcpy(p->nonce, e->key.p, e->key.n);
    p->nonce_n = e->key.n;
    p->again = e->status;
    return 1;
}

static int each_answer(const struct ledger_entry *e, void *arg)
{
    struct intake_pending *p = arg;
    (void)e;
    p->decided = 1;
    return 0;
}

enum status intake_pending(struct ledger *l, struct span tid, struct intake_pending *out)
{
    *out = (struct intake_pending){0};
    enum status st = ledger_by_tid(l, LEDGER_PENDING, tid, NULL, each_pending, out);
    if (st == ST_OK && out->waits)
        st = ledger_by_tid(l, LEDGER_ANSWER, tid, NULL, each_answer, out);
    return st;
}

static int each_message(const struct ledger_entry *e, void *arg)
{
    struct intake_waits *w = arg;
    if (e->tid.n != CMC_TID || e->run.n != CMC_RUN)
        return 1;
    w->v = alloc_grow(w->v, w->n + 1, sizeof *w->v);
    struct intake_wait *new = &w->v[w->n++];
    *new = (struct intake_wait){.lot = alloc_str(e->lot ? e->lot : ""),
                                .profile = alloc_str(e->profile ? e->profile : "")};
    memcpy(new->tid, e->tid.p, CMC_TID);
    memcpy(new->run, e->run.p, CMC_RUN);
    return 1;
}

static void forget(struct intake_wait *w)
{
    free(w->lot);
    free(w->profile);
}

enum status intake_waits(struct unit *u, struct intake_waits *out)
{
    size_t kept = 0;
    *out = (struct intake_waits){0};
    enum status st = ledger_unanswered_messages(u->ledger, each_message, out);
    for (size_t i = 0; i < out->n; i++) {
        struct intake_wait *w = &out->v[i];
        if (st == ST_OK)
            st = intake_pending(u->ledger, (struct span){w->tid, CMC_TID}, &w->pending);
        if (w->pending.waits)
            out->v[kept++] = *w;
        else
            forget(w);
    }
    out->n = kept;
    return st;
}

void intake_waits_free(struct intake_waits *w)
{
    for (size_t i = 0; i < w->n; i++)
        forget(&w->v[i]);
    free(w->v);
}

static int by_tid(const void *a, const void *b)
{
    return memcmp(((const struct intake_wait *)a)->tid, ((const struct intake_wait *)b)->tid,
                  CMC_TID);
}

void intake_waits_sort(struct intake_waits *w)
{
    if (w->n)
        qsort(w->v, w->n, sizeof *w->v, by_tid);
}

const struct intake_wait *intake_waits_find(const struct intake_waits *w, struct span tid)
{
    struct intake_wait key;
    if (!w->n || tid.n != CMC_TID)
        return NULL;
    memcpy(key.tid, tid.p, CMC_TID);
    return bsearch(&key, w->v, w->n, sizeof *w->v, by_tid);
}
