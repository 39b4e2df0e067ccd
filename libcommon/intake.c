#include "intake_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "alloc.h"
#include "clock.h"
#include "csr.h"
#include "diag.h"
#include "head.h"
#include "io.h"
#include "progress.h"

/* Two units wrap the message, with verdicts and templates of their own: they need room below
 * CMS_MAX.
 */
#define BATCH_OCTETS (CMS_MAX / 2)
#define LOCK_SECONDS 30

void intake_random(unsigned char *p, int n)
{
    if (RAND_bytes(p, n) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
}

/* --- one message --- */

static enum status record(struct intake *w, const struct cmc_request *r, struct span message)
{
    struct ledger *l = w->u->ledger;
    unsigned char digest[CMS_DIGEST];
    struct span tid = {r->tid, CMC_TID}, run = {w->run, CMC_RUN};
    cms_digest(message, digest);
    struct ledger_entry open = {.kind = LEDGER_RUN_OPEN, .run = run};
    struct ledger_entry sent = {.kind = LEDGER_SENT,
                                .tid = tid,
                                .run = run,
                                .part = (uint32_t)r->n,
                                .lot = r->lot,
                                .profile = r->profile,
                                .key = r->nonce,
                                .digest_out = {digest, CMS_DIGEST},
                                .data = message};
    enum status st = w->opened ? ST_OK : ledger_add(l, &open);
    if (st == ST_OK)
        st = ledger_add(l, &sent);
    for (size_t i = 0; st == ST_OK && i < r->n; i++) {
        char device[CMC_DEVICE + 1];
        struct ledger_entry asked = {.kind = LEDGER_ASKED,
                                     .tid = tid,
                                     .run = run,
                                     .part = r->items[i].id,
                                     .device = device,
                                     .key = {w->items[i].key, X509_HASH}};
        snprintf(device, sizeof device, "%.*s", (int)r->items[i].device.n,
                 (const char *)r->items[i].device.p);
        st = ledger_add(l, &asked);
    }
    return st;
}

static enum status commit(struct intake *w, const struct cmc_request *r, struct span message)
{
    enum status st = ledger_begin(w->u->ledger);
    if (st == ST_OK)
        st = record(w, r, message);
    if (st == ST_OK)
        st = ledger_commit(w->u->ledger);
    else
        ledger_abort(w->u->ledger);
    w->opened |= st == ST_OK;
    return st;
}

static struct cmc_item *number_items(const struct intake *w)
{
    struct cmc_item *items = alloc_zero(w->n, sizeof *items);
    for (size_t i = 0; i < w->n; i++) {
        const struct intake_item *it = &w->items[i];
        items[i] = (struct cmc_item){.id = (uint32_t)(CMC_FIRST + i),
                                     .kind = it->kind,
                                     .der = {w->data.d + it->der, it->der_n},
                                     .device = {w->data.d + it->device, it->device_n}};
    }
    return items;
}

enum status intake_send(struct intake *w)
{
    unsigned char nonce[CMC_NONCE];
    struct cmc_request r = {.nonce = {nonce, sizeof nonce}, .n = w->n};
    struct buf content = {0}, message = {0}, pem = {0};
    if (!w->n)
        return ST_OK;
    intake_random(r.tid, sizeof r.tid);
    intake_random(nonce, sizeof nonce);
    memcpy(r.run, w->run, sizeof r.run);
    /* Not written to: the fields are not const because an opened request owns them. */
    r.lot = (char *)w->o->lot;
    r.profile = (char *)profile_name(w->profile);
    r.to = (char *)w->u->to;
    r.items = number_items(w);
    cmc_request_put(&r, &content);
    enum status st = cms_sign(w->u->signer, CMS_PKI_DATA, buf_span(&content), w->u->chain,
                              w->u->n_chain, NULL, 0, clock_now(), &message);
    if (st == ST_OK)
        st = commit(w, &r, buf_span(&message));
    if (st == ST_OK) {
        pem_put(&pem, "CMS", message.d, message.n);
        io_stdout(pem.d, pem.n);
        progress_step((long)w->n);
        st = head_due(w->u);
    }
    free(r.items);
    buf_free(&content);
    buf_free(&message);
    buf_free(&pem);
    buf_reset(&w->data);
    w->n = 0;
    return st;
}

void intake_bad(struct intake *w, const char *where, const char *why)
{
    diag_warn("%s: %s", where, why);
    w->unreadable++;
}

enum status intake_take(struct intake *w, const struct intake_block *b)
{
    char device[CMC_DEVICE + 1], why[X509_WHY];
    struct intake_item it = {0};
    w->blocks++;
    if (!intake_read(w, b, &it, device, why)) {
        intake_bad(w, b->where, why);
        return ST_OK;
    }
    if (w->data.n + b->der.n > BATCH_OCTETS) {
        enum status st = intake_send(w);
        if (st != ST_OK)
            return st;
    }
    it.der = w->data.n;
    it.der_n = b->der.n;
    buf_put(&w->data, b->der.p, b->der.n);
    it.device = w->data.n;
    it.device_n = strlen(device);
    buf_put(&w->data, device, it.device_n);
    w->items[w->n++] = it;
    return w->n == (size_t)w->u->batch ? intake_send(w) : ST_OK;
}

/* --- one run --- */

static int lot_ok(const struct unit *u, const char *lot)
{
    if (!*lot || strlen(lot) > CMC_TEXT || !x509_text_ok(lot, strlen(lot)))
        return diag_warn("--lot: not a name of 1 to %d octets of UTF-8", CMC_TEXT);
    return !u->lots || lots_find(u->lots, lot) ||
           diag_warn("there is no lot \"%s\" in %s", lot, u->lots_path);
}

/* NULL after a warning. */
static const struct profile *find_profile(const struct unit *u, const struct intake_options *o)
{
    if (!lot_ok(u, o->lot))
        return NULL;
    const char *name = o->profile ? o->profile
                       : u->lots  ? lots_find(u->lots, o->lot)->profile
                                  : NULL;
    if (!name) {
        diag_warn("which profile the requests are for is not said");
        diag_hint("give --profile, or name a file of lots in %s", cfg_path(u->cfg));
        return NULL;
    }
    const struct profile *p = profiles_find(u->profiles, name);
    if (!p)
        diag_warn("there is no profile \"%s\" in %s", name,
                  u->profiles_path ? u->profiles_path : "the presets");
    return p;
}

/* Before stdout is closed: then the attach at the other end finds it. */
static enum status close_run(struct intake *w)
{
    struct ledger *l = w->u->ledger;
    struct span run = {w->run, CMC_RUN};
    struct ledger_entry open = {.kind = LEDGER_RUN_OPEN, .run = run};
    struct ledger_entry close = {
        .kind = LEDGER_RUN_CLOSE, .run = run, .part = (uint32_t)w->blocks, .status = w->unreadable};
    enum status st = ledger_begin(l);
    if (st == ST_OK && !w->opened)
        st = ledger_add(l, &open);
    if (st == ST_OK)
        st = ledger_add(l, &close);
    if (st == ST_OK)
        return ledger_commit(l);
    ledger_abort(l);
    return st;
}

char *intake_lock_path(const struct unit *u)
{
    return alloc_printf("%s.reading", u->ledger_path);
}

enum status intake_work(struct unit *u, const struct intake_options *o,
                        enum status (*feed)(struct intake *w, void *arg), void *arg)
{
    struct intake w = {.u = u, .o = o, .profile = find_profile(u, o)};
    enum status st = ST_USAGE;
    if (!w.profile)
        return st;
    if (o->list && !(w.list = intake_list_open(o->list, !o->get)))
        return st;
    char *path = intake_lock_path(u);
    int lock = io_lock_shared(
        path, LOCK_SECONDS); /* against --resend, which closes the runs of the dead */
    free(path);
    if (lock < 0)
        diag_err("%s.reading", u->ledger_path);
    w.items = alloc_zero((size_t)u->batch, sizeof *w.items);
    intake_random(w.run, sizeof w.run);
    st = feed(&w, arg);
    enum status sent = st == ST_OK || st == ST_INPUT ? intake_send(&w) : ST_OK;
    if (sent == ST_OK && io_stopping()) {
        diag_warn("stopped by a signal");
        sent = ST_TEMP;
    }
    /* A run that is not closed says that there was more to read. */
    if (sent == ST_OK && (st == ST_OK || st == ST_INPUT) && w.blocks)
        sent = close_run(&w);
    diag_note("%lld blocks, %lld of them unreadable", (long long)w.blocks, (long long)w.unreadable);
    st = head_end(u, status_worse(st, sent));
    if (st == ST_OK && w.unreadable)
        st = ST_INPUT;
    io_unlock(lock);
    intake_list_free(w.list);
    buf_free(&w.data);
    free(w.items);
    return st;
}
