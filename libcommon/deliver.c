#include "deliver_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "head.h"
#include "io.h"
#include "progress.h"

struct span deliver_tid(const struct deliver *d)
{
    return (struct span){d->m.tid, CMC_TID};
}

enum status deliver_bad(const struct deliver *d, const char *fmt, ...)
{
    char why[CMS_WHY];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    diag_warn("stdin:%lu: %s", d->line, why);
    return ST_INPUT;
}

int deliver_due(const struct deliver_item *it)
{
    return it->cert.n && !it->delivered && !it->failed;
}

/* --- what is recorded --- */

static struct ledger_entry entry(const struct deliver *d, const struct deliver_item *it,
                                 enum ledger_kind kind)
{
    return (struct ledger_entry){
        .kind = kind, .tid = deliver_tid(d), .part = it->part, .device = it->device};
}

static enum status add_refused(const struct deliver *d, const struct deliver_item *it)
{
    char note[CMC_STRING + 1];
    struct ledger_entry e = entry(d, it, LEDGER_REFUSED);
    snprintf(note, sizeof note, "%.*s", (int)it->verdict->text.n,
             (const char *)it->verdict->text.p);
    e.status = it->verdict->fail;
    e.note = note;
    return ledger_add(d->u->ledger, &e);
}

/* The answer as a whole; of one that says pending, what a poll has to say. */
static enum status add_answer(const struct deliver *d)
{
    struct ledger_entry e = {.kind = d->pending ? LEDGER_PENDING : LEDGER_ANSWER,
                             .tid = deliver_tid(d),
                             .run = {d->run, CMC_RUN},
                             .digest_in = {d->m.layer[0].digest, CMS_DIGEST},
                             .digest_out = {layers_answers(&d->m), CMS_DIGEST}};
    if (d->pending) {
        e.serial = (struct span){d->pending->token, CMC_TOKEN};
        e.key = d->m.leaf->nonce;
        e.status = d->pending->pend_time;
    }
    return ledger_add(d->u->ledger, &e);
}

/* What came in: certificates, refusals, and the answer as a whole. */
static enum status add_received(struct deliver *d)
{
    struct ledger *l = d->u->ledger;
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < d->n; i++) {
        struct deliver_item *it = &d->items[i];
        struct ledger_entry e = entry(d, it, LEDGER_RECEIVED);
        e.serial = it->serial;
        e.data = it->cert;
        if (it->cert.n && !it->received)
            st = ledger_add(l, &e);
        else if (it->verdict->status == CMC_FAILED && !it->refused && !it->delivered)
            st = add_refused(d, it);
    }
    return st == ST_OK && !d->repeated ? add_answer(d) : st;
}

static enum status add_delivered(struct deliver *d)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < d->n; i++)
        if (deliver_due(&d->items[i])) {
            struct ledger_entry e = entry(d, &d->items[i], LEDGER_DELIVERED);
            st = ledger_add(d->u->ledger, &e);
        }
    return st;
}

static enum status end_transaction(struct deliver *d, enum status st)
{
    if (st == ST_OK)
        return ledger_commit(d->u->ledger);
    ledger_abort(d->u->ledger);
    return st;
}

/* --- what was printed: delivered with the next commit --- */

static void late_forget(struct deliver *d)
{
    for (size_t i = 0; i < d->n_late; i++)
        free(d->late[i].device);
    free(d->late);
    d->late = NULL;
    d->n_late = 0;
}

static void late_keep(struct deliver *d)
{
    memcpy(d->late_tid, d->m.tid, CMC_TID);
    d->late = alloc_zero(d->n, sizeof *d->late);
    for (size_t i = 0; i < d->n; i++)
        if (deliver_due(&d->items[i]))
            d->late[d->n_late++] = (struct deliver_item){.part = d->items[i].part,
                                                         .device = alloc_str(d->items[i].device)};
}

static enum status late_add(struct deliver *d)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < d->n_late; i++) {
        struct ledger_entry e = {.kind = LEDGER_DELIVERED,
                                 .tid = {d->late_tid, CMC_TID},
                                 .part = d->late[i].part,
                                 .device = d->late[i].device};
        st = ledger_add(d->u->ledger, &e);
    }
    return st;
}

static enum status late_flush(struct deliver *d)
{
    enum status st = d->n_late ? ledger_begin(d->u->ledger) : ST_OK;
    if (d->n_late && st == ST_OK)
        st = end_transaction(d, late_add(d));
    late_forget(d);
    return st;
}

static enum status record_received(struct deliver *d)
{
    enum status st = ledger_begin(d->u->ledger);
    if (st != ST_OK)
        return st;
    st = late_add(d);
    if (st == ST_OK)
        st = deliver_recall(d);
    if (st == ST_OK)
        st = add_received(d);
    st = end_transaction(d, st);
    if (st == ST_OK)
        late_forget(d);
    return st;
}

static enum status record_delivered(struct deliver *d)
{
    enum status st = ledger_begin(d->u->ledger);
    return st == ST_OK ? end_transaction(d, add_delivered(d)) : st;
}

/* --- one message --- */

static void say_decisions(const struct deliver *d)
{
    static const char *const names[] = {
        "badAlg",         "badMessageCheck", "badRequest",  "badTime",     "badCertId",
        "unsupportedExt", "mustArchiveKeys", "badIdentity", "popRequired", "popFailed",
        "noKeyReuse",     "internalCAError", "tryLater",    "authDataFail"};
    for (size_t i = 0; i < d->n; i++) {
        const struct deliver_item *it = &d->items[i];
        const struct cmc_verdict *v = it->verdict;
        if (v->status == CMC_SUCCESS && v->text.n)
            diag_note("%s: issued: %.*s", it->device, (int)v->text.n, (const char *)v->text.p);
        if (v->status != CMC_FAILED) /* which has a text and a fail of 0 to 13 */
            continue;
        diag_warn("%s: refused: %.*s (failInfo %s)", it->device, (int)v->text.n,
                  (const char *)v->text.p, names[v->fail]);
    }
}

static void print(const struct deliver *d)
{
    struct buf pem = {0};
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].cert.n && !d->items[i].failed)
            deliver_pem(d, &d->items[i], &pem);
    if (pem.n)
        io_stdout(pem.d, pem.n);
    buf_free(&pem);
}

static enum status put(struct deliver *d)
{
    const struct deliver_options *o = d->o;
    enum status st = o->out ? deliver_files(d) : ST_OK;
    if (st == ST_OK && o->put)
        st = deliver_commands(d);
    if (st == ST_OK && o->token)
        st = deliver_tokens(d);
    return st;
}

static enum status deliver_message(struct deliver *d)
{
    const struct deliver_options *o = d->o;
    int to_device = o->out || o->put || o->token;
    enum status st = record_received(d);
    if (st != ST_OK)
        return st;
    say_decisions(d);
    if (!to_device) { /* stdout is the device: a process that is killed here prints it again */
        print(d);
        late_keep(d);
        return ST_OK;
    }
    st = put(d);
    if (st == ST_OK)
        st = record_delivered(d);
    if (st == ST_OK && o->print)
        print(d);
    return st;
}

static enum status one(struct deliver *d, struct span der)
{
    char why[CMS_WHY];
    struct layers_rule rule = {PATH_ATTACH, clock_now(), d->u->max_age};
    if (path_refresh(d->u->path) < 0)
        return ST_TEMP;
    enum status st = layers_open(der, d->u->path, &rule, &d->m, why);
    if (st != ST_OK)
        deliver_bad(d, "%s", why);
    else if (!unit_takes(d->u, 1, d->m.layer[0].signer->id))
        st = deliver_bad(d, "signed by %s, from which this unit takes no answers",
                         d->m.layer[0].signer->id);
    if (st == ST_OK)
        st = deliver_match(d);
    if (st == ST_OK) {
        deliver_run_seen(d);
        st = deliver_message(d);
    }
    if (st == ST_OK)
        progress_step((long)d->n);
    deliver_forget(d);
    layers_close(&d->m);
    return st;
}

/* --- the stream --- */

static enum status block(struct deliver *d, const struct pem_block *b)
{
    d->line = b->line;
    if (!strcmp(b->label, "CMS"))
        return one(d, (struct span){b->der, b->n});
    return deliver_bad(d, "a block \"%s\" where answers are read", b->label);
}

/* Input that ends within a block was cut short: then the runs say what is missing. */
static enum status bad_block(struct deliver *d, struct pem *in, const struct pem_block *b, int *cut)
{
    struct pem_block next;
    d->line = b->line;
    deliver_bad(d, "%s", b->why);
    *cut = pem_next(in, &next, 1) == PEM_END;
    return ST_INPUT;
}

static enum status end(struct deliver *d, struct pem *in, enum status st)
{
    if (st == ST_OK)
        st = pem_ended(in);
    return status_worse(st, deliver_truth(d));
}

enum status deliver_run(struct unit *u, const struct deliver_options *o, struct pem *in,
                        enum pem_result got, struct pem_block *b)
{
    struct deliver d = {.u = u, .o = o};
    enum status st = ST_OK;
    int cut = 0, more = 1;
    while (more && st == ST_OK) {
        if (got == PEM_BLOCK) {
            st = block(&d, b);
        } else if (got == PEM_BAD) {
            st = bad_block(&d, in, b, &cut);
        } else {
            if (got == PEM_FAIL)
                diag_warn("stdin: %s", strerror(errno));
            st = got == PEM_FAIL ? ST_TEMP : ST_OK;
            more = 0;
        }
        if (more && st == ST_OK)
            st = head_due(u);
        if (more && st == ST_OK)
            st = head_next(u, 0, in, b, &got);
    }
    st = head_end(u, status_worse(st, late_flush(&d)));
    /* A message that cannot be trusted decides the exit by itself. */
    if (st != ST_INPUT || cut)
        st = end(&d, in, st);
    else
        deliver_truth(&d);
    free(d.runs);
    return st;
}
