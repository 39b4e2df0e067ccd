/* What became of the runs: what the last program of a line tells the whole line's caller. */
#include "deliver_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define NAMED 20 /* devices without an answer */

void deliver_run_seen(struct deliver *d)
{
    for (size_t i = d->n_runs; i-- > 0;) /* the newest first: mostly it is that one */
        if (!memcmp(d->runs[i], d->run, CMC_RUN))
            return;
    d->runs = alloc_grow(d->runs, d->n_runs + 1, sizeof *d->runs);
    memcpy(d->runs[d->n_runs++], d->run, CMC_RUN);
}

static int name_device(const struct ledger_entry *e, void *arg)
{
    int *n = arg;
    if (++*n > NAMED)
        return 0;
    diag_warn("%s: has no answer yet", e->device);
    return 1;
}

static enum status unanswered(struct deliver *d, struct span run, int64_t count)
{
    int named = 0;
    if (ledger_unanswered(d->u->ledger, run, name_device, &named) != ST_OK)
        return ST_TEMP;
    if (count > NAMED)
        diag_warn("and %" PRId64 " more", count - NAMED);
    diag_hint("attach --resend sends them again, attach --unanswered lists them");
    return ST_TEMP;
}

static enum status one(struct deliver *d, struct span run)
{
    struct ledger_run r;
    struct buf name = {0};
    enum status st = ledger_run_state(d->u->ledger, run, &r);
    if (st != ST_OK)
        return st;
    buf_hex(&name, run.p, run.n);
    diag_note("run %s: %" PRId64 " devices: %" PRId64 " delivered, %" PRId64 " refused, %" PRId64
              " without an answer",
              (char *)name.d, r.asked, r.delivered, r.refused, r.unanswered);
    if (r.refused)
        st = ST_REFUSED;
    if (r.closed && r.unreadable) {
        diag_warn("%" PRId64 " of %" PRId64 " blocks of the run could not be read", r.unreadable,
                  r.blocks);
        st = ST_INPUT;
    }
    if (!r.closed) {
        diag_warn("run %s is not closed: the attach that sent it did not come to its end",
                  (char *)name.d);
        diag_hint("run the line again with the same requests: what is issued is issued once");
        st = ST_TEMP;
    }
    buf_free(&name);
    return r.unanswered ? unanswered(d, run, r.unanswered) : st;
}

enum status deliver_truth(struct deliver *d)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < d->n_runs; i++)
        st = status_worse(st, one(d, (struct span){d->runs[i], CMC_RUN}));
    return st;
}
