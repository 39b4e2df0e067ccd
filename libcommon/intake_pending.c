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
    if (e->tid.n == CMC_TID)
        buf_put(arg, e->tid.p, CMC_TID);
    return 1;
}

static int each_sent(const struct ledger_entry *e, void *arg)
{
    struct intake_wait *w = arg;
    if (e->run.n != CMC_RUN)
        return 1;
    memcpy(w->run, e->run.p, CMC_RUN);
    w->lot = alloc_str(e->lot ? e->lot : "");
    w->profile = alloc_str(e->profile ? e->profile : "");
    return 0;
}

static enum status add_wait(struct unit *u, struct span tid, struct intake_waits *out)
{
    struct intake_wait w = {.lot = NULL};
    enum status st = intake_pending(u->ledger, tid, &w.pending);
    if (st == ST_OK && w.pending.waits)
        st = ledger_by_tid(u->ledger, LEDGER_SENT, tid, NULL, each_sent, &w);
    if (!w.lot)
        return st;
    memcpy(w.tid, tid.p, CMC_TID);
    out->v = alloc_grow(out->v, out->n + 1, sizeof *out->v);
    out->v[out->n++] = w;
    return st;
}

enum status intake_waits(struct unit *u, struct intake_waits *out)
{
    struct buf tids = {0};
    *out = (struct intake_waits){0};
    enum status st = ledger_unanswered_messages(u->ledger, each_message, &tids);
    for (size_t at = 0; st == ST_OK && at < tids.n; at += CMC_TID)
        st = add_wait(u, (struct span){tids.d + at, CMC_TID}, out);
    buf_free(&tids);
    return st;
}

void intake_waits_free(struct intake_waits *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->v[i].lot);
        free(w->v[i].profile);
    }
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
    struct intake_wait key = {.lot = NULL};
    if (!w->n || tid.n != CMC_TID)
        return NULL;
    memcpy(key.tid, tid.p, CMC_TID);
    return bsearch(&key, w->v, w->n, sizeof *w->v, by_tid);
}
