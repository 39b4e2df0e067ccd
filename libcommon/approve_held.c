/* Messages that wait: found again in the ledger. */
#include "approve_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

#define ID_DIGITS 8 /* at the least */

static int octets(struct span from, unsigned char *to, size_t n)
{
    if (from.n != n)
        return 0;
    memcpy(to, from.p, n);
    return 1;
}

struct search {
    struct span message; /* this one; empty: the newest */
    struct approve_held *h;
    int found, changed;
};

/* The newest entry comes last. */
static int take(const struct ledger_entry *e, void *arg)
{
    struct search *s = arg;
    struct approve_held *h = s->h;
    if (s->message.n && !buf_same(e->digest_in, s->message)) {
        s->changed = s->found;
        return 1;
    }
    approve_held_free(h);
    s->found = octets(e->tid, h->tid, CMC_TID) && octets(e->digest_in, h->message, CMS_DIGEST) &&
               octets(e->serial, h->token, CMC_TOKEN);
    s->changed = 0;
    h->since = e->time;
    h->attach = alloc_str(e->unit ? e->unit : "");
    h->owner = alloc_str(e->owner ? e->owner : "");
    h->lot = alloc_str(e->lot ? e->lot : "");
    h->profile = alloc_str(e->profile ? e->profile : "");
    h->refused = alloc_str(e->note ? e->note : "");
    h->requests = e->part;
    buf_put(&h->der, e->data.p, e->data.n);
    return 1;
}

enum status approve_held_newest(const struct approve *a, struct span tid, const char *attach,
                                struct approve_held *h, int *found)
{
    struct search s = {.h = h};
    enum status st = ledger_by_tid(a->u->ledger, LEDGER_HELD, tid, attach, take, &s);
    *found = st == ST_OK && s.found;
    return st;
}

enum status approve_held_at(const struct approve *a, const struct approve_place *at,
                            struct approve_held *h, int *changed)
{
    struct search s = {.message = {at->message, CMS_DIGEST}, .h = h};
    enum status st = ledger_by_tid(a->u->ledger, LEDGER_HELD, (struct span){at->tid, CMC_TID},
                                   at->attach, take, &s);
    *changed = s.changed;
    return st;
}

/* Grants are for what the entry says: its ID, its transaction, its lot. Who can write to the ledger
 * could have put another message there. */
static int as_recorded(const struct approve_held *h)
{
    const struct cmc_request *r = h->m.request;
    return !memcmp(h->message, h->m.layer[0].digest, CMS_DIGEST) &&
           !memcmp(h->tid, h->m.tid, CMC_TID) &&
           !strcmp(h->attach, layers_signer(&h->m, PATH_ATTACH)->id) && !strcmp(h->lot, r->lot) &&
           !strcmp(h->profile, r->profile) && h->requests == r->n;
}

/* "Stored layers are exempt from max_age, not from validity or revocation." */
int approve_held_open(const struct approve *a, struct approve_held *h, char why[CMS_WHY])
{
    int64_t now = clock_now();
    struct layers_rule rule = {PATH_RA_APPROVE, now, now};
    if (layers_open(buf_span(&h->der), a->u->path, &rule, &h->m, why) == ST_OK) {
        if (h->m.request && as_recorded(h))
            return 1;
        snprintf(why, CMS_WHY, "it is not what its entry in the ledger says");
    }
    layers_close(&h->m);
    return 0;
}

void approve_held_free(struct approve_held *h)
{
    layers_close(&h->m);
    buf_free(&h->der);
    free(h->attach);
    free(h->owner);
    free(h->lot);
    free(h->profile);
    free(h->refused);
    *h = (struct approve_held){0};
}

/* --- all of them --- */

struct walk {
    struct approve_places *p;
    const char *id;
    struct approve_place last;
    int last_wanted;
};

static int starts_with(const unsigned char message[CMS_DIGEST], const char *id)
{
    char hex[3];
    for (size_t i = 0; id[i]; i++) {
        if (i / 2 == CMS_DIGEST)
            return 0;
        snprintf(hex, sizeof hex, "%02x", message[i / 2]);
        if ((id[i] | (id[i] >= 'A' ? 0x20 : 0)) != hex[i % 2])
            return 0;
    }
    return *id != 0;
}

static size_t common_digits(const unsigned char *a, const unsigned char *b)
{
    size_t i = 0;
    while (i < CMS_DIGEST && a[i] == b[i])
        i++;
    if (i == CMS_DIGEST)
        return 0; /* the same message twice has the same ID */
    return 2 * i + (a[i] >> 4 == b[i] >> 4);
}

/* They come in the order of their digests: no other has more digits in common than a neighbour. */
static int each_place(const struct ledger_entry *e, void *arg)
{
    struct walk *w = arg;
    struct approve_places *p = w->p;
    struct approve_place at = {.id = e->id, .attach = ""};
    if (!e->unit || strlen(e->unit) > APPROVE_NAME || !octets(e->tid, at.tid, CMC_TID) ||
        !octets(e->digest_in, at.message, CMS_DIGEST))
        return 1;
    memcpy(at.attach, e->unit, strlen(e->unit));
    int wanted = w->id ? starts_with(at.message, w->id) : e->status != LEDGER_DECIDED;
    size_t same = w->last.id ? common_digits(w->last.message, at.message) : 0;
    if ((wanted || w->last_wanted) && same >= p->digits)
        p->digits = same + 1;
    w->last = at;
    w->last_wanted = wanted;
    if (!wanted)
        return 1;
    if (p->n == p->cap)
        p->v = alloc_grow(p->v, p->cap = 2 * p->cap + 16, sizeof *p->v);
    p->v[p->n++] = at;
    return 1;
}

static int by_id(const void *a, const void *b)
{
    const struct approve_place *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

enum status approve_places(const struct approve *a, const char *id, struct approve_places *p)
{
    struct walk w = {.p = p, .id = id};
    *p = (struct approve_places){.digits = ID_DIGITS};
    enum status st = ledger_held(a->u->ledger, each_place, &w);
    if (p->n)
        qsort(p->v, p->n, sizeof *p->v, by_id);
    return st;
}

void approve_places_free(struct approve_places *p)
{
    free(p->v);
    *p = (struct approve_places){0};
}

enum status approve_held_named(const struct approve *a, const char *id, struct approve_held *h,
                               int *changed)
{
    struct approve_places p;
    const struct approve_place *found = NULL;
    enum status st = approve_places(a, id, &p);
    for (size_t i = 0; st == ST_OK && i < p.n; i++) {
        if (found && memcmp(found->message, p.v[i].message, CMS_DIGEST)) {
            diag_warn("%s: the ID of more than one message", id);
            diag_hint("--list shows as many digits as are needed");
            st = ST_USAGE;
        }
        found = &p.v[i];
    }
    if (st == ST_OK && !found) {
        diag_warn("%s: no message of this ID was held back", id);
        st = ST_USAGE;
    }
    if (st == ST_OK)
        st = approve_held_at(a, found, h, changed);
    approve_places_free(&p);
    return st;
}
