#include "ledger_priv.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

int ledger_is_database(const char *path)
{
    return !strncmp(path, "postgresql://", 13) || !strncmp(path, "postgres://", 11);
}

static enum status start(struct ledger *l, const char *path, struct ledger **out)
{
    l->store = ledger_is_database(path) ? &ledger_pg : &ledger_sqlite;
    l->path = alloc_str(path);
    l->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    l->md = EVP_MD_CTX_new();
    if (!l->sha256 || !l->md)
        diag_exit(ST_TEMP, "SHA-256: %s", diag_openssl());
    for (int i = 0; i < LEDGER_SQL_COUNT; i++)
        l->sql[i] = (struct ledger_stmt){.l = l, .which = (enum ledger_sql)i};
    enum status st = l->store->open(l);
    if (st != ST_OK) {
        ledger_close(l);
        l = NULL;
    }
    *out = l;
    return st;
}

enum status ledger_open(const char *path, const char *unit, struct ledger **out)
{
    struct ledger *l = alloc_zero(1, sizeof *l);
    l->unit = alloc_str(unit);
    return start(l, path, out);
}

enum status ledger_open_reader(const char *path, struct ledger **out)
{
    struct ledger *l = alloc_zero(1, sizeof *l);
    l->reader = 1;
    return start(l, path, out);
}

int ledger_unchanged(const struct ledger *l)
{
    return !l->store->unchanged || l->store->unchanged(l);
}

const char *ledger_unit(const struct ledger *l)
{
    return l->unit;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    ledger_abort(l);
    l->store->close(l);
    EVP_MD_CTX_free(l->md);
    EVP_MD_free(l->sha256);
    buf_free(&l->scratch);
    free(l->kept);
    free(l->path);
    free(l->unit);
    free(l);
}

enum status ledger_begin(struct ledger *l)
{
    assert(!l->open && !l->reader);
    enum status st = l->store->begin(l);
    if (st != ST_OK)
        return st;
    l->open = 1;
    l->pending = l->committed;
    st = ledger_check_clock(l);
    if (st != ST_OK)
        ledger_abort(l);
    return st;
}

enum status ledger_commit(struct ledger *l)
{
    assert(l->open);
    enum status st = l->store->commit(l);
    if (st != ST_OK) {
        ledger_abort(l);
        return st;
    }
    l->open = 0;
    l->committed = l->pending;
    return ST_OK;
}

void ledger_abort(struct ledger *l)
{
    if (!l || !l->open)
        return;
    l->store->abort(l);
    l->open = 0;
}

enum status ledger_add(struct ledger *l, const struct ledger_entry *e)
{
    assert(l->open);
    return l->store->add(l, e);
}

enum status ledger_lock(struct ledger *l, struct span tid)
{
    assert(l->open);
    return l->store->lock(l, 't', tid);
}

enum status ledger_expect(struct ledger *l, enum ledger_kind kind, const struct ledger_identity *v,
                          size_t n)
{
    assert(l->open && (kind == LEDGER_ISSUED || kind == LEDGER_COUNTED));
    return l->store->expect(l, kind, v, n);
}

enum status ledger_read_newest(struct ledger *l, int64_t *id, int64_t *time)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_SQL_NEWEST);
    int row = st ? ledger_step(st) : -1;
    *id = row > 0 ? ledger_int(st, 0) : 0;
    *time = row > 0 ? ledger_int(st, 1) : 0;
    ledger_reset(st);
    return row < 0 ? ST_TEMP : ST_OK;
}

enum status ledger_check_clock(const struct ledger *l)
{
    char t[CLOCK_TEXT];
    if (clock_now() >= l->newest - LEDGER_CLOCK_SLACK)
        return ST_OK;
    clock_format(l->newest, t);
    diag_warn("%s: the clock is behind the ledger's newest entry (%s)", l->path, t);
    return ST_TEMP;
}

enum status ledger_check_unit(struct ledger *l, const char *unit)
{
    if (l->reader) {
        l->unit = alloc_str(unit);
        return ST_OK;
    }
    if (!strcmp(unit, l->unit))
        return ST_OK;
    diag_warn("%s: the ledger of unit \"%s\", not of \"%s\"", l->path, unit, l->unit);
    return ST_USAGE;
}

void ledger_place(struct ledger *l, struct ledger_entry *e, unsigned char hash[LEDGER_HASH])
{
    int64_t now = clock_now();
    e->id = l->next_id;
    e->time = now > l->newest ? now : l->newest; /* entries never go back in time */
    ledger_hash_entry(l, l->pending.head, l->pending.n + 1, e, hash);
}

void ledger_follow(struct ledger *l, const struct ledger_entry *e,
                   const unsigned char hash[LEDGER_HASH])
{
    memcpy(l->pending.head, hash, LEDGER_HASH);
    l->pending.n++;
    l->next_id++;
    l->newest = e->time;
}

/* A process enters itself with its first entry: one that only reads leaves no trace. */
int ledger_new_writer(const struct ledger *l, struct ledger_writer *w,
                      unsigned char nonce[LEDGER_NONCE])
{
    if (RAND_bytes(nonce, LEDGER_NONCE) != 1)
        return diag_warn("random numbers: %s", diag_openssl());
    *w = (struct ledger_writer){.opened = clock_now(),
                                .nonce = {nonce, LEDGER_NONCE},
                                .unit = l->unit,
                                .program = diag_name()};
    return 1;
}

void ledger_enter_writer(struct ledger *l, const struct ledger_writer *w)
{
    l->pending.writer = w->id;
    l->pending.n = 0;
    ledger_hash_writer(l, w, l->pending.head);
}
