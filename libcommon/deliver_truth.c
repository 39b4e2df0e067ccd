/* What became of the runs: what the last program of a line tells the whole line's caller. */
#include "deliver_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "intake.h"

#define NAMED 20 /* devices without an answer */

void deliver_run_seen(struct deliver *d)
{
    for (size_t i = d->n_runs; i-- > 0;) /* the newest first: mostly it is that one */
        if (!memcmp(d->runs[i], d->run, CMC_RUN))
            return;
    d->runs = alloc_grow(d->runs, d->n_runs + 1, sizeof *d->runs);
    memcpy(d->runs[d->n_runs++], d->run, CMC_RUN);
}

/* The devices of a run that have no answer, and the messages that they were in. */
struct missing {
    struct {
        char *device;
        size_t message;
    } named[NAMED];
    size_t n_named, n;
    struct {
        unsigned char tid[CMC_TID];
        struct intake_pending pending;
    } * messages;
};

static int each_missing(const struct ledger_entry *e, void *arg)
{
    struct missing *m = arg;
    if (e->tid.n != CMC_TID)
        return 1;
    if (!m->n || memcmp(m->messages[m->n - 1].tid, e->tid.p, CMC_TID)) {
        m->messages = alloc_grow(m->messages, m->n + 1, sizeof *m->messages);
        memcpy(m->messages[m->n++].tid, e->tid.p, CMC_TID);
    }
    if (m->n_named < NAMED) {
        m->named[m->n_named].device = alloc_str(e->device ? e->device : "");
        m->named[m->n_named++].message = m->n - 1;
    }
    return 1;
}

static void name_missing(const struct missing *m, int64_t count)
{
    char when[CLOCK_TEXT];
    for (size_t i = 0; i < m->n_named; i++) {
        const struct intake_pending *p = &m->messages[m->named[i].message].pending;
        clock_format(p->again, when);
        if (p->waits && !p->decided)
            diag_warn("%s: waits for approval, ask again with attach --poll after %s",
                      m->named[i].device, when);
        else
            diag_warn("%s: has no answer yet", m->named[i].device);
    }
    if (count > NAMED)
        diag_warn("and %" PRId64 " more", count - NAMED);
}

static void say_missing(const struct missing *m, int64_t count)
{
    int resend = 0, poll = 0;
    name_missing(m, count);
    for (size_t i = 0; i < m->n; i++) {
        const struct intake_pending *p = &m->messages[i].pending;
        resend |= !p->waits;
        poll |= p->waits && p->decided;
    }
    if (resend)
        diag_hint("attach --resend sends them again, attach --unanswered lists them");
    if (poll)
        diag_hint("attach --poll brings again what was granted, attach --unanswered lists it");
}

static enum status unanswered(struct deliver *d, struct span run, int64_t count)
{
    struct missing m = {.n = 0};
    enum status st = ledger_unanswered(d->u->ledger, run, each_missing, &m);
    for (size_t i = 0; st == ST_OK && i < m.n; i++)
        st = intake_pending(d->u->ledger, (struct span){m.messages[i].tid, CMC_TID},
                            &m.messages[i].pending);
    if (st == ST_OK)
        say_missing(&m, count);
    for (size_t i = 0; i < m.n_named; i++)
        free(m.named[i].device);
    free(m.messages);
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
