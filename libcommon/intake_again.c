/* What has no answer: shown, or sent again. */
#include "intake_priv.h"

#include <inttypes.h>
#include <stdlib.h>

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

struct again {
    int64_t oldest, too_old, sent;
};

static int send_again(const struct ledger_entry *e, void *arg)
{
    struct again *a = arg;
    struct buf pem = {0};
    if (e->time < a->oldest) {
        a->too_old++;
        return 1;
    }
    pem_put(&pem, "CMS", e->data.p, e->data.n);
    io_stdout(pem.d, pem.n);
    buf_free(&pem);
    a->sent++;
    progress_step((long)e->part);
    return !io_stopping();
}

enum status intake_resend(struct unit *u)
{
    struct again a = {.oldest = clock_now() - u->max_age};
    enum status st = ledger_unanswered_messages(u->ledger, send_again, &a);
    diag_note("%" PRId64 " messages sent again", a.sent);
    if (st != ST_OK || !a.too_old)
        return st;
    diag_warn("%" PRId64 " messages are older than max-age: no unit would take them", a.too_old);
    diag_hint("run the line again with the requests of these devices: attach --unanswered");
    return ST_REFUSED;
}
