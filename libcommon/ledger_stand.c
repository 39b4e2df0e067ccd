#include "ledger_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

/* A column that holds a hash. */
static int read_hash(struct ledger_stmt *st, int at, unsigned char out[LEDGER_HASH])
{
    struct span hash = ledger_span(st, at);
    if (hash.n != LEDGER_HASH)
        return 0;
    memcpy(out, hash.p, LEDGER_HASH);
    return 1;
}

enum status ledger_stand(struct ledger *l, int64_t since, struct ledger_stand *out)
{
    *out = (struct ledger_stand){0};
    int64_t time;
    /* Append-only: what lies at or below an id does not change, and needs no transaction. */
    enum status done = ledger_read_newest(l, &out->entry, &time);
    struct ledger_stmt *st = done == ST_OK ? ledger_sql(l, LEDGER_SQL_STAND) : NULL;
    int row;
    if (!st)
        return ST_TEMP;
    ledger_bind_int(st, 1, since);
    ledger_bind_int(st, 2, out->entry);
    while ((row = ledger_step(st)) > 0) {
        if ((out->n & (out->n - 1)) == 0)
            out->links = alloc_grow(out->links, out->n ? out->n * 2 : 1, sizeof *out->links);
        struct ledger_link *link = &out->links[out->n++];
        link->writer = ledger_int(st, 0);
        link->n = ledger_int(st, 1);
        if (!read_hash(st, 2, link->hash)) {
            diag_warn("%s: writer %lld: its entry %lld has no hash", l->path,
                      (long long)link->writer, (long long)link->n);
            done = ST_TEMP;
        }
    }
    if (row < 0)
        done = ST_TEMP;
    ledger_reset(st);
    if (done != ST_OK)
        ledger_stand_free(out);
    return done;
}

void ledger_stand_free(struct ledger_stand *s)
{
    free(s->links);
    *s = (struct ledger_stand){0};
}

/* The id of the milestone at or before the n-th entry of a writer: 0 there is none, -1 failed. */
static int64_t milestone(struct ledger *l, int64_t writer, int64_t n)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_LINK_NEAR);
    if (!st)
        return -1;
    ledger_bind_int(st, 1, writer);
    ledger_bind_int(st, 2, n);
    int row = ledger_step(st);
    int64_t id = row > 0 ? ledger_int(st, 0) : row;
    ledger_reset(st);
    return id;
}

int ledger_link(struct ledger *l, int64_t writer, int64_t n, unsigned char hash[32])
{
    int64_t near = milestone(l, writer, n);
    struct ledger_stmt *st = near > 0 ? ledger_sql(l, LEDGER_SQL_LINK) : NULL;
    if (!st)
        return near ? -1 : 0;
    ledger_bind_int(st, 1, writer);
    ledger_bind_int(st, 2, n);
    ledger_bind_int(st, 3, near);
    int row = ledger_step(st);
    int there = row > 0 ? read_hash(st, 0, hash) : row;
    ledger_reset(st);
    return there;
}
