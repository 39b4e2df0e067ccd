/* What was derived from the entries, checked against them in one ordered pass over each table: a
 * look-up for every entry would cost more than its hash. Both sides are added up under a key of the
 * moment; only where the sums differ is the culprit looked for. */
#include "ledger_priv.h"

#include <openssl/rand.h>
#include <string.h>

#include "diag.h"

int ledger_sums_start(struct ledger_sums *s)
{
    *s = (struct ledger_sums){0};
    if (RAND_bytes((unsigned char *)s->secret, sizeof s->secret) != 1)
        return diag_warn("random numbers: %s", diag_openssl());
    return 1;
}

/* The finalizer of MurmurHash3: every bit of x reaches every bit of the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
    return x ^ x >> 33;
}

static uint64_t mark_value(const struct ledger_sums *s, int64_t mark, int64_t entry)
{
    return mix(mix((uint64_t)mark ^ s->secret[0]) + ((uint64_t)entry ^ s->secret[1]));
}

static uint64_t text_value(uint64_t x, const char *text)
{
    for (const char *p = text ? text : ""; *p; p++)
        x = mix(x + (unsigned char)*p + 1);
    return mix(x);
}

static uint64_t lot_value(const struct ledger_sums *s, const char *owner, const char *lot)
{
    return text_value(text_value(s->secret[2], owner), lot);
}

void ledger_sum_mark(struct ledger_sums *s, int64_t mark, int64_t entry)
{
    s->marks += mark_value(s, mark, entry);
}

void ledger_sum_entry(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e)
{
    l->store->sum_marks(l, s, e);
    if (e->kind == LEDGER_COUNTED)
        s->quotas += lot_value(s, e->owner, e->lot);
}

static enum status sum_quotas(struct ledger *l, const struct ledger_sums *s, uint64_t *sum)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_QUOTAS);
    int row;
    if (!st)
        return ST_TEMP;
    while ((row = ledger_step(st)) > 0)
        *sum += (uint64_t)ledger_int(st, 2) * lot_value(s, ledger_text(st, 0), ledger_text(st, 1));
    ledger_reset(st);
    return row < 0 ? ST_TEMP : ST_OK;
}

static int bad_quota(struct ledger *l)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_QUOTA_WRONG);
    if (st && ledger_step(st) > 0)
        diag_warn("%s: the quota of lot \"%s\" of owner \"%s\" says %lld, its entries %lld",
                  l->path, ledger_text(st, 1), ledger_text(st, 0), (long long)ledger_int(st, 2),
                  (long long)ledger_int(st, 3));
    ledger_reset(st);
    return 0;
}

int ledger_sums_fit(struct ledger *l, const struct ledger_sums *s)
{
    uint64_t quotas = 0;
    if (!l->store->marks_fit(l, s) ||
        (l->format == LEDGER_FORMAT && sum_quotas(l, s, &quotas) != ST_OK))
        return 0;
    return quotas == s->quotas || bad_quota(l);
}
