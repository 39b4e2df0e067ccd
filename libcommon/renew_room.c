/* Places in the store: one for each certificate that is to come. */
#include "renew_priv.h"

#include <string.h>

#include "diag.h"
#include "p11key.h"

/* What other enrolments under way will bring. */
static size_t others(const struct renew *r, const struct renew_job *j)
{
    size_t n = 0;
    for (size_t i = 0; i < r->plan->n; i++)
        n += &r->jobs[i] != j && r->jobs[i].waiting;
    return n;
}

static enum status in_token(struct renew *r)
{
    const struct plan *p = r->plan;
    size_t n = 0;
    enum status st = p11key_count_certificates(p->token, cfg_path(p->cfg), &n);
    if (st != ST_OK || n < (size_t)p->token_limit)
        return st;
    diag_warn("%s: the token is full (%zu certificates): nothing is requested", p->store, n);
    return ST_REFUSED;
}

enum status renew_room(struct renew *r, const struct renew_job *j)
{
    const struct plan *p = r->plan;
    struct store_scan is;
    enum status st = store_scan(r->store, &is);
    if (st != ST_OK)
        return st;
    /* One that was let in before has its place already. */
    size_t n = is.n, taken = n + (j->waiting ? 0 : others(r, j));
    store_scan_free(&is);
    /* A certificate for a key that is in the token already takes the place of the older one. */
    int slot = p->token_limit && j->p->key_uri && (j->p->key == PLAN_KEY_NEW || !*j->present);
    if (!p->prune.limit || taken < (size_t)p->prune.limit)
        return slot ? in_token(r) : ST_OK;
    if (taken > n)
        diag_warn("%s: the store is full (%zu certificates, and %zu are on their way): nothing is "
                  "requested for %s",
                  p->store, n, taken - n, j->p->name);
    else
        diag_warn("%s: the store is full (%zu certificates): nothing is requested for %s", p->store,
                  n, j->p->name);
    diag_hint("delete with cert-prune, or allow deletion \"before\": certline-store(5)");
    return ST_REFUSED;
}

/* A server that was not told yet may still use what was superseded. */
static int spared(const struct renew *r, const char *name)
{
    for (size_t i = 0; i < r->plan->n; i++) {
        const struct renew_job *j = &r->jobs[i];
        if (j->state.hook && j->p->after && !j->due && !strcmp(j->state.replaced, name))
            return 1;
    }
    return 0;
}

static enum status delete_one(struct renew *r, const char *name, unsigned rules)
{
    struct buf why = {0};
    prune_rules_text(rules, &why);
    enum status went = store_delete(r->store, name, (char *)why.d);
    renew_worst(r, went);
    if (went == ST_OK)
        renew_say("%s: deleted: %s", name, (char *)why.d);
    buf_free(&why);
    return went;
}

/* Under the lock. ST_TEMP: to be tried again; what only a person can cure was said. */
static enum status prune(struct renew *r, size_t room)
{
    struct store_scan is = {.n = 0};
    struct prune_list list = {.n = 0};
    int again = 0;
    enum status st = store_scan(r->store, &is);
    if (st == ST_OK)
        st = prune_judge(&r->plan->prune, r->store, &r->was, &is, r->o->now, room, &list);
    for (size_t i = 0; st == ST_OK && i < list.n; i++) {
        const char *name = is.certs[list.v[i].cert].name;
        if (!spared(r, name))
            again |= delete_one(r, name, list.v[i].rules) == ST_TEMP;
    }
    prune_list_free(&list);
    store_scan_free(&is);
    return again ? ST_TEMP : st;
}

void renew_prune_before(struct renew *r, const struct renew_job *j)
{
    if (!r->plan->prune.before)
        return;
    enum status st = store_lock(r->store, (int)r->plan->wait);
    if (st == ST_OK)
        st = prune(r, 1 + (j->waiting ? 0 : others(r, j)));
    store_unlock(r->store);
    renew_worst(r, st);
}

void renew_prune_after(struct renew *r, struct renew_job *j)
{
    enum status st = store_lock(r->store, (int)r->plan->wait);
    if (st == ST_OK && r->plan->prune.after)
        st = prune(r, 0);
    if (st == ST_OK) {
        j->state.prune = 0;
        st = store_state_write(r->store, j->p->name, &j->state);
    }
    store_unlock(r->store);
    renew_worst(r, st);
}
