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

void ledger_sum_entry(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e)
{
    int64_t key, other;
    if (e->kind != LEDGER_ISSUED && e->kind != LEDGER_COUNTED)
        return;
    ledger_seen_marks(l, e, &key, &other);
    s->marks += mark_value(s, key, e->id);
    if (key != other)
        s->marks += mark_value(s, other, e->id);
    if (e->kind == LEDGER_COUNTED)
        s->quotas += lot_value(s, e->owner, e->lot);
}

static enum status sum_index(struct ledger *l, const struct ledger_sums *s, uint64_t *sum)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_MARKS);
    int rc = SQLITE_DONE;
    if (!st)
        return ST_TEMP;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        *sum += mark_value(s, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1));
    enum status done = rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}

static int name_missing(const struct ledger_entry *e, void *arg)
{
    struct ledger *l = arg;
    int has = ledger_seen_has(l, e);
    if (!has)
        diag_warn("%s: entry %lld: it is missing in the index", l->path, (long long)e->id);
    return has > 0;
}

static int bad_index(struct ledger *l)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_INDEXED);
    int rc = SQLITE_DONE;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct ledger_entry e;
        ledger_read_row(st, &e);
        if (!name_missing(&e, l))
            break;
    }
    if (st && rc == SQLITE_DONE)
        diag_warn("%s: the index holds what no entry has", l->path);
    else if (st && rc != SQLITE_ROW)
        ledger_failed(l, l->db);
    sqlite3_reset(st);
    return 0;
}

static enum status sum_quotas(struct ledger *l, const struct ledger_sums *s, uint64_t *sum)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_QUOTAS);
    int rc = SQLITE_DONE;
    if (!st)
        return ST_TEMP;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        *sum += (uint64_t)sqlite3_column_int64(st, 2) *
                lot_value(s, (const char *)sqlite3_column_text(st, 0),
                          (const char *)sqlite3_column_text(st, 1));
    enum status done = rc == SQLITE_DONE ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}

static int bad_quota(struct ledger *l)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_QUOTA_WRONG);
    int rc = st ? sqlite3_step(st) : SQLITE_DONE;
    if (rc == SQLITE_ROW)
        diag_warn("%s: the quota of lot \"%s\" of owner \"%s\" says %lld, its entries %lld",
                  l->path, (const char *)sqlite3_column_text(st, 1),
                  (const char *)sqlite3_column_text(st, 0), (long long)sqlite3_column_int64(st, 2),
                  (long long)sqlite3_column_int64(st, 3));
    else if (st)
        ledger_failed(l, l->db);
    sqlite3_reset(st);
    return 0;
}

int ledger_sums_fit(struct ledger *l, const struct ledger_sums *s)
{
    uint64_t marks = 0, quotas = 0;
    if (sum_index(l, s, &marks) != ST_OK ||
        (l->format == LEDGER_FORMAT && sum_quotas(l, s, &quotas) != ST_OK))
        return 0;
    if (marks != s->marks)
        return bad_index(l);
    return quotas == s->quotas || bad_quota(l);
}
