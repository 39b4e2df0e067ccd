/* What came through a unit, as ca-sign's ledger has it. */
#include "ledger_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define TID 16

struct transaction {
    unsigned char tid[TID];
    char unit[72]; /* attach's id: transactionIds are its own */
};

struct ledger_through {
    const char *unit;
    struct buf found; /* struct transaction, sorted */
};

static int by_transaction(const void *a, const void *b)
{
    const struct transaction *x = a, *y = b;
    int c = memcmp(x->tid, y->tid, TID);
    return c ? c : strcmp(x->unit, y->unit);
}

static size_t count(const struct ledger_through *t)
{
    return t->found.n / sizeof(struct transaction);
}

static int transaction_of(const struct ledger_entry *e, struct transaction *t)
{
    *t = (struct transaction){.tid = {0}};
    if (e->tid.n != TID || !e->unit || strlen(e->unit) >= sizeof t->unit)
        return 0;
    memcpy(t->tid, e->tid.p, TID);
    strcpy(t->unit, e->unit);
    return 1;
}

static int each_request(const struct ledger_entry *e, void *arg)
{
    struct ledger_through *t = arg;
    const char *tab = e->note ? strchr(e->note, '\t') : NULL;
    struct transaction one;
    if (tab && transaction_of(e, &one) &&
        (!strcmp(tab + 1, t->unit) || (strlen(t->unit) == (size_t)(tab - e->note) &&
                                       !strncmp(e->note, t->unit, strlen(t->unit)))))
        buf_put(&t->found, &one, sizeof one);
    return 1;
}

enum status ledger_through(struct ledger *l, const char *unit, struct ledger_through **out)
{
    struct ledger_filter f = {.kinds = 1u << LEDGER_REQUEST, .no_data = 1};
    struct ledger_through *t = *out = alloc_zero(1, sizeof *t);
    t->unit = unit;
    enum status st = ledger_scan(l, &f, each_request, t);
    if (count(t))
        qsort(t->found.d, count(t), sizeof(struct transaction), by_transaction);
    return st;
}

int ledger_came_through(const struct ledger_through *t, const struct ledger_entry *e)
{
    struct transaction one;
    if (!e->unit)
        return 0;
    if (!strcmp(e->unit, t->unit))
        return 1;
    return count(t) && transaction_of(e, &one) &&
           bsearch(&one, t->found.d, count(t), sizeof one, by_transaction);
}

void ledger_through_free(struct ledger_through *t)
{
    if (!t)
        return;
    buf_free(&t->found);
    free(t);
}
