/* An answer held against the request that the ledger says was sent. */
#include "deliver_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

#define CLOCK_AHEAD 300 /* seconds that the CA's clock may be ahead */

struct sent {
    struct deliver *d;
    struct span answers, nonce;
    int found, other_nonce;
};

/* LEDGER_SENT, LEDGER_POLL */
static int each_sent(const struct ledger_entry *e, void *arg)
{
    struct sent *s = arg;
    if (!buf_same(e->digest_out, s->answers) || e->run.n != CMC_RUN)
        return 1;
    s->found = 1;
    s->other_nonce = !buf_same(e->key, s->nonce);
    memcpy(s->d->run, e->run.p, CMC_RUN);
    s->d->lot = alloc_str(e->lot ? e->lot : "");
    s->d->profile = alloc_str(e->profile ? e->profile : "");
    return 0;
}

static int each_asked(const struct ledger_entry *e, void *arg)
{
    struct deliver *d = arg;
    if (e->part != CMC_FIRST + d->n || d->n == CMC_ITEMS || e->key.n != X509_HASH)
        return 0;
    struct deliver_item *it = &d->items[d->n++];
    it->part = e->part;
    it->device = alloc_str(e->device ? e->device : "");
    memcpy(it->key, e->key.p, X509_HASH);
    return 1;
}

static enum status find_request(struct deliver *d)
{
    struct ledger *l = d->u->ledger;
    struct sent s = {.d = d,
                     .answers = {layers_answers(&d->m), CMS_DIGEST},
                     .nonce = d->m.leaf->recipient_nonce};
    size_t n = cmc_leaf_count(d->m.leaf);
    int poll = 0;
    enum status st = ledger_by_tid(l, LEDGER_SENT, deliver_tid(d), NULL, each_sent, &s);
    if (st == ST_OK && !s.found) {
        poll = 1;
        st = ledger_by_tid(l, LEDGER_POLL, deliver_tid(d), NULL, each_sent, &s);
    }
    if (st != ST_OK)
        return st;
    if (!s.found)
        return deliver_bad(d, "an answer to a message that this unit did not send");
    if (s.other_nonce)
        return deliver_bad(d, "ca-sign: recipientNonce is not the one that was sent");
    d->items = alloc_zero(CMC_ITEMS, sizeof *d->items);
    st = ledger_by_tid(l, LEDGER_ASKED, deliver_tid(d), NULL, each_asked, d);
    /* Only a poll can be answered for the whole transaction. */
    if (st == ST_OK && d->n != n && (n || !poll))
        return deliver_bad(d, "ca-sign: %zu answers to %zu requests", n, d->n);
    return st;
}

/* --- the certificates --- */

struct ca { /* the one that issued the last certificate: mostly it is also the next one's */
    struct x509_cert cert;
    EVP_PKEY *key;
};

/* The issuers lie in the bag of ca-sign's layer: beside the certificates, or in its own path. */
static int find_ca(struct deliver *d, const struct x509_cert *c, struct ca *ca, char why[PATH_WHY])
{
    const struct cms_layer *leaf = &d->m.layer[d->m.n - 1];
    strcpy(why, "its issuer is not in the answer");
    for (size_t i = 0; i < leaf->n_certs; i++) {
        struct x509_ext basic;
        if (!x509_cert_view(leaf->certs[i], &ca->cert) || !buf_same(ca->cert.subject, c->issuer) ||
            x509_ext_get(ca->cert.extensions, "2.5.29.19", &basic) != 1)
            continue;
        ca->key =
            path_ca_key(d->u->path, leaf->certs[i], leaf->certs, leaf->n_certs, clock_now(), why);
        if (ca->key)
            return 1;
    }
    return 0;
}

static enum status check(struct deliver *d, struct deliver_item *it, struct span der, struct ca *ca)
{
    struct x509_cert c;
    unsigned char key[X509_HASH];
    char why[PATH_WHY], when[CLOCK_TEXT];
    int64_t now = clock_now();
    if (!x509_cert_view(der, &c))
        return deliver_bad(d, "%s: its certificate is malformed", it->device);
    x509_key_hash(c.spki, key);
    if (memcmp(key, it->key, X509_HASH))
        return deliver_bad(d, "%s: its certificate is for another key than the one sent",
                           it->device);
    if ((!ca->key || !buf_same(ca->cert.subject, c.issuer)) && !find_ca(d, &c, ca, why))
        return deliver_bad(d, "%s: its certificate: %s", it->device, why);
    if (!x509_signed_by(&c, ca->key))
        return deliver_bad(d, "%s: its certificate bears a signature that its issuer did not make",
                           it->device);
    clock_format(c.not_before > now + CLOCK_AHEAD ? c.not_before : c.not_after, when);
    if (c.not_before > now + CLOCK_AHEAD)
        return deliver_bad(d, "%s: its certificate is not valid before %s", it->device, when);
    if (c.not_after < now)
        return deliver_bad(d, "%s: its certificate expired %s", it->device, when);
    it->cert = der;
    it->serial = c.serial;
    it->issuer = ca->cert.der;
    return ST_OK;
}

static void spread_verdicts(struct deliver *d)
{
    const struct cmc_leaf *f = d->m.leaf;
    d->pending = cmc_leaf_pending(f);
    for (size_t i = 0; i < d->n && !cmc_leaf_count(f); i++)
        d->items[i].verdict = &f->status[0]; /* of the transaction: it stands alone */
    for (size_t i = 0; i < f->n_status; i++)
        for (size_t k = 0; k < f->status[i].n; k++) /* cmc_leaf_open: all, and each once */
            d->items[f->status[i].refs[k].id - CMC_FIRST].verdict = &f->status[i];
}

enum status deliver_match(struct deliver *d)
{
    const struct cmc_leaf *f = d->m.leaf;
    struct ca ca = {0};
    enum status st = find_request(d);
    if (st != ST_OK)
        return st;
    spread_verdicts(d);
    for (size_t i = 0; st == ST_OK && i < f->n_issued; i++)
        st = check(d, &d->items[f->issued[i].id - CMC_FIRST], d->m.issued[i], &ca);
    return st;
}

/* --- what is known already --- */

static struct deliver_item *item_of(struct deliver *d, const struct ledger_entry *e)
{
    return e->part >= CMC_FIRST && e->part - CMC_FIRST < d->n ? &d->items[e->part - CMC_FIRST]
                                                              : NULL;
}

static int each_done(const struct ledger_entry *e, void *arg)
{
    struct deliver_item *it = item_of(arg, e);
    if (it && e->kind == LEDGER_RECEIVED)
        it->received |= buf_same(e->data, it->cert);
    else if (it && e->kind == LEDGER_DELIVERED)
        it->delivered = 1;
    else if (it)
        it->refused = 1;
    return 1;
}

struct answered {
    struct span answer, request;
    int same, other, earlier; /* earlier: to the message itself, or to another poll */
};

static int each_answer(const struct ledger_entry *e, void *arg)
{
    struct answered *a = arg;
    if (!buf_same(e->digest_out, a->request))
        a->earlier = 1;
    else if (buf_same(e->digest_in, a->answer))
        a->same = 1;
    else
        a->other = 1;
    return 1;
}

enum status deliver_recall(struct deliver *d)
{
    static const enum ledger_kind kinds[] = {LEDGER_RECEIVED, LEDGER_DELIVERED, LEDGER_REFUSED};
    struct answered a = {.answer = {d->m.layer[0].digest, CMS_DIGEST},
                         .request = {layers_answers(&d->m), CMS_DIGEST}};
    struct ledger *l = d->u->ledger;
    enum status st = ledger_by_tid(l, LEDGER_ANSWER, deliver_tid(d), NULL, each_answer, &a);
    if (st == ST_OK)
        st = ledger_by_tid(l, LEDGER_PENDING, deliver_tid(d), NULL, each_answer, &a);
    if (st == ST_OK && a.other)
        return deliver_bad(d, "another answer to a message that is answered already");
    d->repeated = a.same;
    for (size_t i = 0; st == ST_OK && (a.same || a.earlier) && i < sizeof kinds / sizeof *kinds;
         i++)
        st = ledger_by_tid(l, kinds[i], deliver_tid(d), NULL, each_done, d);
    return st;
}

void deliver_forget(struct deliver *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->items[i].device);
        free(d->items[i].path);
    }
    free(d->items);
    free(d->lot);
    free(d->profile);
    d->items = NULL;
    d->lot = d->profile = NULL;
    d->pending = NULL;
    d->n = 0;
    d->repeated = 0;
}
