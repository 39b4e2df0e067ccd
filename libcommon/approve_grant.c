/* Grants: what a person signs, and what of it counts. */
#include "approve_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

enum { INTEGER = 0x02, OCTET_STRING = 0x04, UTF8_STRING = 0x0c, SEQUENCE = 0x30 };

static void put_integer(struct buf *out, const unsigned char *p, size_t n)
{
    size_t from = out->n;
    while (n > 1 && !*p) {
        p++;
        n--;
    }
    if (*p & 0x80)
        buf_char(out, 0);
    buf_put(out, p, n);
    x509_wrap(out, from, INTEGER);
}

static void put_number(struct buf *out, uint32_t v)
{
    const unsigned char be[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
                                (unsigned char)(v >> 8), (unsigned char)v};
    put_integer(out, be, sizeof be);
}

static void put_text(struct buf *out, const char *s)
{
    x509_put(out, UTF8_STRING, s, strlen(s));
}

int approve_reason_ok(const char *why)
{
    size_t n = strlen(why);
    return n && n <= APPROVE_REASON && x509_text_ok(why, n);
}

void approve_grant_put(const struct approve *a, const struct approve_held *h, int decision,
                       const char *why, struct buf *out)
{
    size_t from = out->n;
    put_number(out, 1);
    put_text(out, a->u->id);
    put_text(out, h->attach);
    put_integer(out, h->tid, sizeof h->tid);
    x509_put(out, OCTET_STRING, h->message, sizeof h->message);
    put_text(out, h->lot);
    put_number(out, h->requests);
    put_number(out, (uint32_t)decision);
    if (why)
        put_text(out, why);
    x509_wrap(out, from, SEQUENCE);
}

/* By the certificate as it is now. One that ended since the person signed is looked at in its last
 * second, when it had not been revoked; and it was good when the person signed. */
static int verify(const struct approve *a, struct cms *c, struct path *past, struct cms_layer *out,
                  char why[CMS_WHY])
{
    char then[CMS_WHY];
    int64_t now = clock_now();
    if (cms_verify(c, a->u->path, PATH_APPROVER, now, out, why))
        return 1;
    if (!past || !cms_verify(c, past, PATH_APPROVER, cms_peek_time(c), out, then))
        return 0;
    int64_t last = out->signer->cert.not_after;
    return last < now && cms_verify(c, past, PATH_APPROVER, last - 1, out, why);
}

int approve_grant_open(const struct approve *a, const struct approve_held *h, struct span der,
                       int decision, const char *text, struct path *past, struct cms **c,
                       struct cms_layer *out, char why[CMS_WHY])
{
    struct buf content = {0};
    *c = cms_parse(der, why);
    if (!*c)
        return 0;
    if (cms_peek_type(*c) != CMS_GRANT) {
        snprintf(why, CMS_WHY, "not a grant");
        return 0;
    }
    if (!verify(a, *c, past, out, why))
        return 0;
    approve_grant_put(a, h, decision, text, &content);
    int same = buf_same(buf_span(&content), out->content);
    buf_free(&content);
    const struct path_unit *who = out->signer;
    if (!same)
        snprintf(why, CMS_WHY, "the grant of %s is for another message, or says something else",
                 who->id);
    else if (out->signing_time < h->m.layer[0].signing_time - LAYERS_CLOCK_AHEAD)
        snprintf(why, CMS_WHY, "the grant of %s is older than the message", who->id);
    else if (out->signing_time < who->cert.not_before || out->signing_time > who->cert.not_after)
        snprintf(why, CMS_WHY, "the certificate of %s was not valid when the grant was signed",
                 who->id);
    else
        return 1;
    return 0;
}

/* --- who may --- */

static int names(const struct cfg_strings *ids, const char *id)
{
    for (size_t i = 0; i < ids->n; i++)
        if (!strcmp(ids->v[i], id))
            return 1;
    return 0;
}

/* Four eyes: not by a unit that asked, nor by this one, under whatever name its key stands. */
static int is_unit(const char *unit, struct span unit_key, const char *did,
                   const struct path_unit *who, char why[APPROVE_WHY])
{
    if (!strcmp(unit, who->id))
        snprintf(why, APPROVE_WHY, "%s %s these certificates, and cannot decide about them", unit,
                 did);
    else if (buf_same(unit_key, who->cert.spki))
        snprintf(why, APPROVE_WHY,
                 "%s has the key of %s, which %s these certificates, and cannot decide about them",
                 who->id, unit, did);
    else
        return 0;
    return 1;
}

static int twice(const struct approve_tally *t, const struct path_unit *who, char why[APPROVE_WHY])
{
    unsigned char key[X509_HASH];
    x509_key_hash(who->cert.spki, key);
    for (size_t i = 0; i < t->n; i++) {
        if (!strcmp(t->v[i].who, who->id))
            snprintf(why, APPROVE_WHY, "%s has granted it already", who->id);
        else if (!memcmp(t->v[i].key, key, sizeof key))
            snprintf(why, APPROVE_WHY, "the key of %s has granted it already, for %s", who->id,
                     t->v[i].who);
        else
            continue;
        return 1;
    }
    return 0;
}

int approve_may(const struct approve *a, const struct approve_held *h, const struct lot *lot,
                const struct approve_tally *t, const struct path_unit *who, char why[APPROVE_WHY])
{
    struct x509_cert own;
    for (size_t i = 0; i < h->m.n; i++)
        if (is_unit(h->m.layer[i].signer->id, h->m.layer[i].signer->cert.spki, "asked for", who,
                    why))
            return 0;
    if (x509_cert_view(a->u->chain[0], &own) && is_unit(a->u->id, own.spki, "holds back", who, why))
        return 0;
    if (lot->approvers.n && !names(&lot->approvers, who->id)) {
        snprintf(why, APPROVE_WHY, "%s is not among the approvers of lot \"%s\"", who->id,
                 lot->name);
        return 0;
    }
    return !twice(t, who, why);
}

/* --- counting --- */

struct count {
    const struct approve *a;
    const struct approve_held *h;
    const struct lot *lot;
    struct path *past;
    struct approve_tally *t;
};

static void add_vote(struct approve_tally *t, const struct cms_layer *l, int refused,
                     const char *why)
{
    t->v = alloc_grow(t->v, t->n + 1, sizeof *t->v);
    struct approve_vote *v = &t->v[t->n++];
    *v = (struct approve_vote){.who = alloc_str(l->signer->id),
                               .time = l->signing_time,
                               .refused = refused,
                               .why = alloc_str(why)};
    x509_key_hash(l->signer->cert.spki, v->key);
    if (refused)
        t->state = APPROVE_REFUSED;
    else if (++t->granted >= t->needed)
        t->state = APPROVE_GRANTED;
}

/* What does not verify does not count, whoever wrote it there. */
static int each_grant(const struct ledger_entry *e, void *arg)
{
    struct count *n = arg;
    struct cms *c = NULL;
    struct cms_layer l;
    char why[CMS_WHY], not_may[APPROVE_WHY];
    if (buf_same(e->digest_in, (struct span){n->h->message, CMS_DIGEST}) &&
        (e->status == CMC_SUCCESS || e->status == CMC_FAILED) &&
        (!e->note || approve_reason_ok(e->note)) &&
        approve_grant_open(n->a, n->h, e->data, (int)e->status, e->note, n->past, &c, &l, why) &&
        approve_may(n->a, n->h, n->lot, n->t, l.signer, not_may))
        add_vote(n->t, &l, e->status == CMC_FAILED, e->note);
    cms_free(c);
    return n->t->state == APPROVE_WAITS;
}

enum status approve_tally(const struct approve *a, const struct approve_held *h,
                          const struct lot *lot, struct approve_tally *t)
{
    struct count n = {a, h, lot, path_new_past(a->u->anchor), t};
    *t = (struct approve_tally){.needed = lot->approve};
    enum status st = ledger_by_tid(a->u->ledger, LEDGER_GRANT, (struct span){h->tid, CMC_TID},
                                   h->attach, each_grant, &n);
    if (t->state == APPROVE_WAITS && t->granted >= t->needed)
        t->state = APPROVE_GRANTED;
    path_free(n.past);
    return st;
}

void approve_tally_free(struct approve_tally *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->v[i].who);
        free(t->v[i].why);
    }
    free(t->v);
    *t = (struct approve_tally){0};
}
