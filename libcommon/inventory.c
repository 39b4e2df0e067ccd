#include "inventory.h"

#include <stdlib.h>

#include "alloc.h"

const char *inventory_state_name(enum inventory_state s)
{
    static const char *const names[] = {"in use", "due", "expired", "no purpose", "unreadable"};
    return names[s];
}

/* The earliest of the purposes that point to it. */
static void judge_due(struct inventory *v)
{
    for (size_t i = 0; i < v->scan.n_purposes; i++) {
        const struct store_purpose *link = &v->scan.purposes[i];
        const struct plan_purpose *p = plan_purpose(v->plan, link->name);
        struct store_state state;
        struct store_item item;
        if (!p || link->cert < 0 || v->scan.certs[link->cert].bad)
            continue;
        if (!store_state_read(v->store, link->name, &state) ||
            store_read(v->store, v->scan.certs[link->cert].name, &item) != ST_OK) {
            v->scan.bad = 1;
            continue;
        }
        int64_t due = plan_due(v->plan, p, &state, &item, 0);
        if (due < v->due[link->cert])
            v->due[link->cert] = due;
        store_item_free(&item);
    }
}

enum status inventory_open(const struct plan *p, struct store *s, int64_t now,
                           struct inventory *out)
{
    *out = (struct inventory){.plan = p, .store = s, .now = now};
    enum status st = store_scan(s, &out->scan);
    if (st != ST_OK)
        return st;
    out->states = alloc_zero(out->scan.n, sizeof *out->states);
    out->due = alloc_zero(out->scan.n, sizeof *out->due);
    for (size_t i = 0; i < out->scan.n; i++)
        out->due[i] = INT64_MAX;
    judge_due(out);
    for (size_t i = 0; i < out->scan.n; i++) {
        const struct store_cert *c = &out->scan.certs[i];
        enum inventory_state state = c->bad               ? INVENTORY_BAD
                                     : c->not_after < now ? INVENTORY_EXPIRED
                                     : !c->linked         ? INVENTORY_NO_PURPOSE
                                     : out->due[i] <= now ? INVENTORY_DUE
                                                          : INVENTORY_IN_USE;
        out->states[i] = (unsigned char)state;
        out->n_due += state == INVENTORY_DUE;
        out->n_expired += state == INVENTORY_EXPIRED;
        out->n_bad += state == INVENTORY_BAD;
    }
    out->clock = store_clock_wrong(&out->scan, now);
    return ST_OK;
}

void inventory_close(struct inventory *v)
{
    store_scan_free(&v->scan);
    free(v->states);
    free(v->due);
}
