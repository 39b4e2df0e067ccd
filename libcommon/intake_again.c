/* What has no answer: shown, or sent again. */
#include "intake_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "progress.h"

static int show(const struct ledger_entry *e, void *arg)
{
    int64_t *n = arg;
    struct buf line = {0};
    char when[CLOCK_TEXT];
    clock_format(e->time, when);
    buf_hex(&line, e->run.p, e->run.n);
    buf_char(&line, '\t');
    buf_hex(&line, e->tid.p, e->tid.n);
    buf_printf(&line, "\t%s\t%s\n", e->device, when);
    io_stdout(line.d, line.n);
    buf_free(&line);
    ++*n;
    return 1;
}

enum status intake_unanswered(struct unit *u)
{
    int64_t n = 0;
    enum status st = ledger_unanswered(u->ledger, (struct span){NULL, 0}, show, &n);
    return st == ST_OK && n ? ST_REFUSED : st;
}

#define RUNS_MOST 4096 /* that one --resend closes */

struct again {
    int64_t oldest, too_old, sent;
    unsigned char (*runs)[CMC_RUN];
    size_t n_runs;
};

static void note_run(struct again *a, struct span run)
{
    if (run.n != CMC_RUN || a->n_runs == RUNS_MOST ||
        (a->n_runs && !memcmp(a->runs[a->n_runs - 1], run.p, CMC_RUN)))
        return;
    a->runs = alloc_grow(a->runs, a->n_runs + 1, sizeof *a->runs);
    memcpy(a->runs[a->n_runs++], run.p, CMC_RUN);
}

static int send_again(const struct ledger_entry *e, void *arg)
{
    struct again *a = arg;
    struct buf pem = {0};
    if (e->time < a->oldest) {
        a->too_old++;
        return 1;
    }
    note_run(a, e->run);
    pem_put(&pem, "CMS", e->data.p, e->data.n);
    io_stdout(pem.d, pem.n);
    buf_free(&pem);
    a->sent++;
    progress_step((long)e->part);
    return !io_stopping();
}

/* A run whose attach died stays open, and would end every line that answers it with 4. What it read
 * and did not send is gone with it, and its own line has said so. Nothing is closed while another
 * attach is reading. */
static enum status close_dead_runs(struct unit *u, const struct again *a)
{
    char *path = intake_lock_path(u);
    int lock = io_lock(path, 0);
    enum status st = ST_OK;
    for (size_t i = 0; lock >= 0 && st == ST_OK && i < a->n_runs; i++) {
        struct ledger_run r;
        struct ledger_entry close = {
            .kind = LEDGER_RUN_CLOSE, .run = {a->runs[i], CMC_RUN}, .note = "closed by --resend"};
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
    return st;
}

enum status intake_resend(struct unit *u)
{
    struct again a = {.oldest = clock_now() - u->max_age};
    enum status st = ledger_unanswered_messages(u->ledger, send_again, &a);
    diag_note("%" PRId64 " messages sent again", a.sent);
    if (st == ST_OK)
        st = close_dead_runs(u, &a);
    free(a.runs);
    if (st != ST_OK || !a.too_old)
        return st;
    diag_warn("%" PRId64 " messages are older than max-age: no unit would take them", a.too_old);
    diag_hint("run the line again with the requests of these devices: attach --unanswered");
    return ST_REFUSED;
}
