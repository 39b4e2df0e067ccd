/* Asking again after messages that wait for approval (RFC 5272, section 6.13). */
#include "intake_priv.h"

#include <string.h>

#include "clock.h"
#include "diag.h"
#include "io.h"
#include "progress.h"

static enum status commit(struct unit *u, const struct cmc_poll *p, struct span message)
{
    unsigned char digest[CMS_DIGEST];
    cms_digest(message, digest);
    struct ledger_entry e = {.kind = LEDGER_POLL,
                             .tid = {p->tid, CMC_TID},
                             .run = {p->run, CMC_RUN},
                             .lot = p->lot,
                             .profile = p->profile,
                             .key = p->nonce,
                             .digest_out = {digest, CMS_DIGEST},
                             .data = message};
    enum status st = ledger_begin(u->ledger);
    if (st == ST_OK)
        st = ledger_add(u->ledger, &e);
    if (st == ST_OK)
        return ledger_commit(u->ledger);
    ledger_abort(u->ledger);
    return st;
}

/* Each poll is new: one whose answer was lost is never asked for again. */
static enum status ask(struct unit *u, const struct intake_wait *w)
{
    unsigned char nonce[CMC_NONCE];
    struct buf content = {0}, message = {0}, pem = {0};
    struct cmc_poll p = {.nonce = {nonce, sizeof nonce},
                         .recipient_nonce = {w->pending.nonce, w->pending.nonce_n},
                         .lot = w->lot,
                         .profile = w->profile,
                         .to = (char *)u->to}; /* not written to */
    memcpy(p.tid, w->tid, CMC_TID);
    memcpy(p.run, w->run, CMC_RUN);
    memcpy(p.token, w->pending.token, CMC_TOKEN);
    intake_random(nonce, sizeof nonce);
    cmc_poll_put(&p, &content);
    enum status st = cms_sign(u->signer, CMS_PKI_DATA, buf_span(&content), u->chain, u->n_chain,
                              NULL, 0, clock_now(), &message);
    if (st == ST_OK)
        st = commit(u, &p, buf_span(&message));
    if (st == ST_OK) {
        pem_put(&pem, "CMS", message.d, message.n);
        io_stdout(pem.d, pem.n);
        progress_step(1);
    }
    buf_free(&content);
    buf_free(&message);
    buf_free(&pem);
    return st;
}

enum status intake_poll(struct unit *u)
{
    struct intake_waits w;
    struct intake_runs runs = {0};
    enum status st = intake_waits(u, &w);
    size_t n = 0;
    for (; st == ST_OK && n < w.n && !io_stopping(); n++) {
        intake_run_note(&runs, (struct span){w.v[n].run, CMC_RUN});
        st = ask(u, &w.v[n]);
    }
    if (st == ST_OK && n < w.n) {
        diag_warn("stopped by a signal");
        st = ST_TEMP;
    }
    diag_note("asked again after %zu messages", n);
    if (st == ST_OK)
        st = intake_runs_close(u, &runs, "closed by --poll");
    intake_runs_free(&runs);
    intake_waits_free(&w);
    return st;
}
