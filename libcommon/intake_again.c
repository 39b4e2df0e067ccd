/* What has no answer: shown, or sent again. */
#include "intake_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "head.h"
#include "io.h"
#include "progress.h"

struct shown {
    struct intake_waits waits;
    int64_t n;
};

/* sent; pending, and when to ask again; granted: decided, but not on the device. */
static void put_state(const struct intake_wait *w, struct buf *line)
{
    char when[CLOCK_TEXT];
    if (!w)
        buf_str(line, "sent\n");
    else if (w->pending.decided)
        buf_str(line, "granted\n");
    else {
        clock_format(w->pending.again, when);
        buf_printf(line, "pending\t%s\n", when);
    }
}

static int show(const struct ledger_entry *e, void *arg)
{
    struct shown *s = arg;
    struct buf line = {0};
    char when[CLOCK_TEXT];
    clock_format(e->time, when);
    buf_hex(&line, e->run.p, e->run.n);
    buf_char(&line, '\t');
    buf_hex(&line, e->tid.p, e->tid.n);
    buf_printf(&line, "\t%s\t%s\t", e->device, when);
    put_state(intake_waits_find(&s->waits, e->tid), &line);
    io_stdout(line.d, line.n);
    buf_free(&line);
    s->n++;
    return 1;
}

enum status intake_unanswered(struct unit *u)
{
    struct shown s = {.n = 0};
    enum status st = intake_waits(u, &s.waits);
    intake_waits_sort(&s.waits);
    if (st == ST_OK)
        st = ledger_unanswered(u->ledger, (struct span){NULL, 0}, show, &s);
    intake_waits_free(&s.waits);
    return st == ST_OK && s.n ? ST_REFUSED : st;
}

/* --- runs --- */

void intake_run_note(struct intake_runs *r, struct span run)
{
    if (run.n != CMC_RUN || (r->n && !memcmp(r->v[r->n - 1], run.p, CMC_RUN)))
        return;
    r->v = alloc_grow(r->v, r->n + 1, sizeof *r->v);
    memcpy(r->v[r->n++], run.p, CMC_RUN);
}

void intake_runs_free(struct intake_runs *r)
{
    free(r->v);
}

/* A run whose attach died stays open, and would end every line that answers it with 4. What it read
 * and did not send is gone with it, and its own line has said so. */
enum status intake_runs_close(struct unit *u, const struct intake_runs *runs, const char *note)
{
    char *path = intake_lock_path(u);
    int lock = io_lock(path, 0);
    enum status st = ST_OK;
    for (size_t i = 0; lock >= 0 && st == ST_OK && i < runs->n; i++) {
        struct ledger_run r;
        struct ledger_entry close = {
            .kind = LEDGER_RUN_CLOSE, .run = {runs->v[i], CMC_RUN}, .note = note};
        st = ledger_run_state(u->ledger, close.run, &r);
        if (st != ST_OK || r.closed)
            continue;
        close.part = (uint32_t)r.asked;
        st = ledger_begin(u->ledger);
        if (st == ST_OK)
            st = ledger_add(u->ledger, &close);
        if (st == ST_OK)
            st = ledger_commit(u->ledger);
        else
            ledger_abort(u->ledger);
    }
    io_unlock(lock);
    free(path);
    return head_end(u, st);
}

/* --- sending again --- */

struct again {
    struct intake_waits waits;
    int64_t oldest, too_old, sent, waiting;
    struct intake_runs runs;
};

static int send_again(const struct ledger_entry *e, void *arg)
{
    struct again *a = arg;
    struct buf pem = {0};
    /* Its answer would be the recorded one: pending. */
    if (intake_waits_find(&a->waits, e->tid)) {
        a->waiting++;
        return 1;
    }
    if (e->time < a->oldest) {
        a->too_old++;
        return 1;
    }
    intake_run_note(&a->runs, e->run);
    pem_put(&pem, "CMS", e->data.p, e->data.n);
    io_stdout(pem.d, pem.n);
    buf_free(&pem);
    a->sent++;
    progress_step((long)e->part);
    return !io_stopping();
}

static enum status say_left_out(const struct again *a)
{
    if (a->waiting) {
        diag_warn("%" PRId64 " messages wait for approval, and are not sent again", a->waiting);
        diag_hint("attach --poll asks after them");
    }
    if (!a->too_old)
        return ST_OK;
    diag_warn("%" PRId64 " messages are older than max-age: no unit would take them", a->too_old);
    diag_hint("run the line again with the requests of these devices: attach --unanswered");
    return ST_REFUSED;
}

enum status intake_resend(struct unit *u)
{
    struct again a = {.oldest = clock_now() - u->max_age};
    enum status st = intake_waits(u, &a.waits);
    intake_waits_sort(&a.waits);
    if (st == ST_OK)
        st = ledger_unanswered_messages(u->ledger, send_again, &a);
    diag_note("%" PRId64 " messages sent again", a.sent);
    if (st == ST_OK)
        st = intake_runs_close(u, &a.runs, "closed by --resend");
    if (st == ST_OK)
        st = say_left_out(&a);
    intake_runs_free(&a.runs);
    intake_waits_free(&a.waits);
    return st;
}
