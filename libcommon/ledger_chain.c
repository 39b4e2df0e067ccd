#include "ledger_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define ABSENT UINT32_MAX

static void put_number(struct buf *b, int64_t v, int octets)
{
    unsigned char *to = buf_room(b, (size_t)octets);
    for (int i = octets; i-- > 0; v >>= 8)
        to[i] = (unsigned char)v;
    b->n += (size_t)octets;
}

static void put_span(struct buf *b, struct span s)
{
    put_number(b, s.n ? (int64_t)s.n : ABSENT, 4);
    buf_put(b, s.p, s.n);
}

static void put_text(struct buf *b, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    put_number(b, s ? (int64_t)n : ABSENT, 4);
    buf_put(b, s, n);
}

/* Hashes the scratch buffer, then `tail`. */
static void finish(struct ledger *l, struct span tail, unsigned char out[LEDGER_HASH])
{
    if (!EVP_DigestInit_ex2(l->md, l->sha256, NULL) ||
        !EVP_DigestUpdate(l->md, l->scratch.d, l->scratch.n) ||
        (tail.n && !EVP_DigestUpdate(l->md, tail.p, tail.n)) ||
        !EVP_DigestFinal_ex(l->md, out, NULL))
        diag_exit(ST_TEMP, "SHA-256: %s", diag_openssl());
}

void ledger_hash_text(struct ledger *l, struct span s, unsigned char out[LEDGER_HASH])
{
    buf_reset(&l->scratch);
    finish(l, s, out);
}

void ledger_hash_writer(struct ledger *l, const struct ledger_writer *w,
                        unsigned char out[LEDGER_HASH])
{
    struct buf *b = &l->scratch;
    buf_reset(b);
    buf_str(b, "certline ledger 1");
    put_number(b, w->id, 8);
    put_span(b, w->nonce);
    put_text(b, w->unit);
    put_text(b, w->program);
    put_number(b, w->opened, 8);
    finish(l, (struct span){NULL, 0}, out);
}

void ledger_hash_entry(struct ledger *l, const unsigned char before[LEDGER_HASH], int64_t n,
                       const struct ledger_entry *e, unsigned char out[LEDGER_HASH])
{
    struct buf *b = &l->scratch;
    buf_reset(b);
    buf_put(b, before, LEDGER_HASH);
    put_number(b, n, 8);
    put_number(b, e->id, 8);
    put_number(b, e->time, 8);
    put_number(b, e->kind, 4);
    put_span(b, e->tid);
    put_span(b, e->run);
    put_number(b, e->part, 4);
    put_text(b, e->unit);
    put_text(b, e->owner);
    put_text(b, e->lot);
    put_text(b, e->profile);
    put_text(b, e->device);
    put_span(b, e->key);
    put_span(b, e->serial);
    put_span(b, e->digest_in);
    put_span(b, e->digest_out);
    put_number(b, e->status, 8);
    put_text(b, e->note);
    put_number(b, e->data.n ? (int64_t)e->data.n : ABSENT, 4);
    finish(l, e->data, out);
}

/* The chains as far as they were recomputed, by writer: ids count from 1 without a gap. */
struct chains {
    struct ledger_chain *v;
    int64_t n;
};

static int bad_entry(struct ledger *l, int64_t id, const char *why)
{
    return diag_warn("%s: entry %lld: %s", l->path, (long long)id, why);
}

static int start_chains(struct ledger *l, struct chains *c)
{
    sqlite3_stmt *st = ledger_sql(l, LEDGER_SQL_WRITERS);
    int rc = SQLITE_DONE, ok = st != NULL;
    while (ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct ledger_writer w = {
            .id = sqlite3_column_int64(st, 0),
            .nonce = {sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1)},
            .unit = (const char *)sqlite3_column_text(st, 2),
            .program = (const char *)sqlite3_column_text(st, 3),
            .opened = sqlite3_column_int64(st, 4),
        };
        if (w.id != c->n + 1)
            ok = diag_warn("%s: writer %lld is missing", l->path, (long long)(c->n + 1));
        if (ok && (c->n & (c->n - 1)) == 0)
            c->v = alloc_grow(c->v, c->n ? (size_t)c->n * 2 : 1, sizeof *c->v);
        if (!ok)
            break;
        c->v[c->n] = (struct ledger_chain){.writer = w.id};
        ledger_hash_writer(l, &w, c->v[c->n++].head);
    }
    if (ok && rc != SQLITE_DONE) {
        ledger_failed(l, l->db);
        ok = 0;
    }
    sqlite3_reset(st);
    return ok;
}

static int check_link(struct ledger *l, sqlite3_stmt *st, struct chains *c, int64_t id,
                      ledger_each *each, void *arg)
{
    struct ledger_entry e;
    ledger_read_row(st, &e);
    int64_t writer = sqlite3_column_int64(st, LEDGER_COLUMN_COUNT);
    int64_t n = sqlite3_column_int64(st, LEDGER_COLUMN_COUNT + 1);
    if (e.id != id)
        return bad_entry(l, id, "missing");
    if (writer < 1 || writer > c->n)
        return bad_entry(l, id, "its writer is missing");
    struct ledger_chain *chain = &c->v[writer - 1];
    if (n != ++chain->n)
        return bad_entry(l, id, "its number in the chain is wrong");
    ledger_hash_entry(l, chain->head, n, &e, chain->head);
    const void *hash = sqlite3_column_blob(st, LEDGER_COLUMN_COUNT + 2);
    if (!hash || sqlite3_column_bytes(st, LEDGER_COLUMN_COUNT + 2) != LEDGER_HASH ||
        memcmp(hash, chain->head, LEDGER_HASH))
        return bad_entry(l, id, "its hash does not fit the chain");
    int has = e.kind == LEDGER_ISSUED ? ledger_seen_has(l, &e) : 1;
    if (has <= 0)
        return has ? 0 : bad_entry(l, id, "it is missing in the index");
    return !each || each(&e, arg);
}

int ledger_verify(struct ledger *l, ledger_each *each, void *arg, int64_t *entries)
{
    struct chains c = {0};
    int64_t n = 0;
    /* One snapshot for both tables, while others go on writing. */
    int ok = sqlite3_exec(l->db, "SAVEPOINT verify", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok)
        ledger_failed(l, l->db);
    ok = ok && start_chains(l, &c);
    sqlite3_stmt *st = ok ? ledger_sql(l, LEDGER_SQL_ALL) : NULL;
    int rc = SQLITE_DONE;
    ok = st != NULL;
    while (ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        ok = check_link(l, st, &c, n + 1, each, arg);
        n += ok;
    }
    if (ok && rc != SQLITE_DONE) {
        ledger_failed(l, l->db);
        ok = 0;
    }
    sqlite3_reset(st);
    sqlite3_exec(l->db, "RELEASE verify", NULL, NULL, NULL);
    free(c.v);
    if (entries)
        *entries = n;
    return ok;
}
