/* Reading a ledger in pieces: memory stays flat, and other entries can be looked up for each. */
#include <stdlib.h>

#include "audit_priv.h"

static int take(const struct ledger_entry *e, void *arg)
{
    struct audit_batch *b = arg;
    b->block[b->n] = ledger_copy(e, &b->e[b->n]);
    b->n++;
    return 1;
}

void audit_drop(struct audit_batch *b)
{
    while (b->n)
        free(b->block[--b->n]);
}

enum status audit_pull(struct ledger *l, struct ledger_filter *f, struct audit_batch *b)
{
    audit_drop(b);
    f->most = AUDIT_PULL;
    enum status st = ledger_scan(l, f, take, b);
    if (b->n)
        f->after = b->e[b->n - 1].id;
    return st;
}
