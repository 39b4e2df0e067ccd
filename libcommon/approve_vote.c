/* A person decides. */
#include "approve_priv.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "diag.h"
#include "io.h"
#include "pem.h"

#define CERTIFICATES 4
#define CERTIFICATE_OCTETS 65536

enum status approve_hand_open(const struct approve *a, const struct approve_person *p,
                              struct approve_hand *hand)
{
    struct buf der[CERTIFICATES] = {{0}};
    struct span spans[CERTIFICATES];
    char why[PATH_WHY];
    enum status st = ST_OK;
    *hand = (struct approve_hand){.p = p};
    int n = pem_file(p->certificate, "CERTIFICATE", CERTIFICATE_OCTETS, der, CERTIFICATES);
    for (int i = 0; i < n; i++)
        spans[i] = buf_span(&der[i]);
    if (n == 0)
        diag_warn("%s: no certificate in it", p->certificate);
    if (n <= 0)
        return ST_USAGE;
    hand->who = path_check(a->u->path, spans[0], spans + 1, (size_t)n - 1, clock_now(), why);
    if (!hand->who)
        diag_warn("%s: %s", p->certificate, why);
    else if (hand->who->role != PATH_APPROVER)
        diag_warn("%s: certificate of %s is for %s, not for %s", p->certificate, hand->who->id,
                  path_role_name(hand->who->role), path_role_name(PATH_APPROVER));
    if (!hand->who || hand->who->role != PATH_APPROVER)
        st = ST_REFUSED;
    for (int i = 0; i < n; i++)
        buf_free(&der[i]);
    return st;
}

/* The PIN is asked for when all else is clear. */
static enum status key_open(struct approve_hand *hand)
{
    struct span spki;
    if (hand->signer)
        return ST_OK;
    enum status st = signer_open(hand->p->key, NULL, SIGNER_UNIT, &hand->signer);
    if (st != ST_OK)
        return st;
    spki.p = signer_spki(hand->signer, &spki.n);
    if (buf_same(spki, hand->who->cert.spki))
        return ST_OK;
    diag_warn("%s: is for another key than %.*s", hand->p->certificate,
              (int)strcspn(hand->p->key, "?"), hand->p->key);
    return ST_USAGE;
}

static void put_names(const struct approve_tally *t, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++)
        buf_printf(out, "%s%s", i ? ", " : "", t->v[i].who);
}

/* 0 after the sentence that says why not. */
static int still_waits(const struct approve_held *h, int changed, const struct approve_tally *t)
{
    struct buf names = {0};
    if (changed) {
        diag_warn("the requests have changed since: this message is not the last of its "
                  "transaction");
        diag_hint("--list shows under which ID they wait now");
        return 0;
    }
    if (t->state == APPROVE_REFUSED)
        return diag_warn("%s has refused it already: %s", t->v[t->n - 1].who,
                         t->v[t->n - 1].why ? t->v[t->n - 1].why : "");
    if (t->state == APPROVE_WAITS)
        return 1;
    put_names(t, &names);
    if (names.n)
        diag_warn("it is granted already, by %s", (char *)names.d);
    else
        diag_warn("lot \"%s\" needs no approval any more", h->lot);
    buf_free(&names);
    return 0;
}

/* All rules, by what the ledger says now. */
static enum status may(const struct approve *a, const struct approve_hand *hand,
                       const struct approve_held *h, int changed)
{
    const struct lot *lot = lots_find(a->u->lots, h->lot);
    struct approve_tally t = {0};
    char why[APPROVE_WHY];
    if (!lot) {
        diag_warn("lot \"%s\" is not in the file any more", h->lot);
        return ST_REFUSED;
    }
    enum status st = approve_tally(a, h, lot, &t);
    if (st == ST_OK && !still_waits(h, changed, &t))
        st = ST_REFUSED;
    else if (st == ST_OK && !approve_may(a, h, lot, &t, hand->who, why)) {
        diag_warn("%s", why);
        st = ST_REFUSED;
    }
    approve_tally_free(&t);
    return st;
}

/* What was signed is read as it will be when it is counted, before it is recorded. */
static enum status sign(const struct approve *a, const struct approve_hand *hand,
                        const struct approve_held *h, const char *why, struct buf *out)
{
    struct buf content = {0};
    struct cms *c = NULL;
    struct cms_layer l;
    char not_good[CMS_WHY];
    int decision = why ? CMC_FAILED : CMC_SUCCESS;
    approve_grant_put(a, h, decision, why, &content);
    enum status st = cms_sign(hand->signer, CMS_GRANT, buf_span(&content), hand->who->chain,
                              hand->who->n_chain, NULL, 0, clock_now(), out);
    if (st == ST_OK &&
        !approve_grant_open(a, h, buf_span(out), decision, why, NULL, &c, &l, not_good)) {
        diag_warn("the signature that was just made is not good: %s", not_good);
        st = ST_TEMP;
    }
    cms_free(c);
    buf_free(&content);
    return st;
}

static enum status record(const struct approve *a, const struct approve_hand *hand,
                          const struct approve_held *h, const char *why, struct span cms)
{
    unsigned char key[X509_HASH];
    x509_key_hash(hand->who->cert.spki, key);
    struct ledger_entry e = {
        .kind = LEDGER_GRANT,
        .tid = {h->tid, CMC_TID},
        .unit = h->attach,
        .lot = h->lot,
        .digest_in = {h->message, CMS_DIGEST},
        .device = hand->who->id,
        .key = {key, X509_HASH},
        .status = why ? CMC_FAILED : CMC_SUCCESS,
        .note = why,
        .data = cms,
    };
    return ledger_add(a->u->ledger, &e);
}

enum status approve_vote(const struct approve *a, struct approve_hand *hand, struct approve_held *h,
                         int changed, const char *why)
{
    struct ledger *l = a->u->ledger;
    struct approve_held again = {0};
    struct approve_place at = {.attach = ""};
    struct buf cms = {0};
    char bad[CMS_WHY];
    if (!h->m.n && !approve_held_open(a, h, bad)) {
        diag_warn("the message is not good any more: %s", bad);
        return ST_REFUSED;
    }
    enum status st = may(a, hand, h, changed);
    if (st == ST_OK)
        st = key_open(hand);
    if (st == ST_OK)
        st = sign(a, hand, h, why, &cms);
    if (st == ST_OK)
        st = ledger_begin(l);
    if (st == ST_OK)
        st = ledger_lock(l, (struct span){h->tid, CMC_TID});
    /* Somebody may have been faster than the PIN was typed. */
    memcpy(at.tid, h->tid, sizeof at.tid);
    memcpy(at.message, h->message, sizeof at.message);
    snprintf(at.attach, sizeof at.attach, "%s", h->attach);
    if (st == ST_OK)
        st = approve_held_at(a, &at, &again, &changed);
    if (st == ST_OK)
        st = may(a, hand, h, changed);
    if (st == ST_OK)
        st = record(a, hand, h, why, buf_span(&cms));
    if (st == ST_OK)
        st = ledger_commit(l);
    if (st == ST_OK)
        diag_note("%s by %s", why ? "refused" : "granted", hand->who->id);
    ledger_abort(l);
    approve_held_free(&again);
    buf_free(&cms);
    return st;
}

enum status approve_decide(const struct approve *a, const struct approve_person *p, const char *id,
                           const char *why)
{
    struct approve_hand hand = {0};
    struct approve_held h = {0};
    int changed = 0;
    enum status st = ST_OK;
    if (why && !approve_reason_ok(why)) {
        diag_warn("the reason is not 1 to %d octets of plain text", APPROVE_REASON);
        return ST_USAGE;
    }
    st = approve_held_named(a, id, &h, &changed);
    if (st == ST_OK)
        st = approve_hand_open(a, p, &hand);
    if (st == ST_OK)
        st = approve_vote(a, &hand, &h, changed, why);
    approve_held_free(&h);
    signer_close(hand.signer);
    return st;
}
