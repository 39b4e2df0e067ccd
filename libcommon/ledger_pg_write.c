/* What a transaction adds waits in memory until its commit: ids without a gap can be given only
 * while nobody else gives any, and that should not last as long as an HSM's signatures. */
#include "ledger_pg_priv.h"

#include <openssl/asn1.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define ROWS 1000 /* in a statement */

struct ledger_entry *ledger_own(struct ledger_owns *o, const struct ledger_entry *e)
{
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 64;
        o->v = alloc_grow(o->v, o->cap, sizeof *o->v);
    }
    struct ledger_own *to = &o->v[o->n++];
    to->block = ledger_copy(e, &to->e);
    return &to->e;
}

void ledger_owns_clear(struct ledger_owns *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->v[i].block);
    free(o->v);
    *o = (struct ledger_owns){0};
}

/* Whether a database of encoding UTF8 takes it; a NUL cannot be in it. */
static int is_utf8(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    while (n) {
        unsigned long c;
        int used = UTF8_getc((const unsigned char *)s, (int)(n < 6 ? n : 6), &c);
        if (used <= 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        s += used;
        n -= (size_t)used;
    }
    return 1;
}

enum status ledger_pg_add(struct ledger *l, const struct ledger_entry *e)
{
    const char *const text[] = {e->unit, e->owner, e->lot, e->profile, e->device};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (!is_utf8(text[i]) || (text[i] && strlen(text[i]) > LEDGER_MOST_TEXT)) {
            diag_warn("%s: the name \"%.100s\" is not UTF-8 of at most %d octets", l->path, text[i],
                      LEDGER_MOST_TEXT);
            return ST_TEMP;
        }
    if (!is_utf8(e->note)) {
        diag_warn("%s: the note \"%.100s\" is not UTF-8", l->path, e->note);
        return ST_TEMP;
    }
    /* Until the commit the id is a guess: whoever commits before takes it. */
    struct ledger_entry *own = ledger_own(&l->db->added, e);
    own->id = l->next_id + (int64_t)l->db->added.n - 1;
    own->time = l->newest;
    return ST_OK;
}

static enum status enter_writer(struct ledger *l)
{
    unsigned char nonce[LEDGER_NONCE];
    struct ledger_writer w;
    struct ledger_stmt *st = ledger_sql(l, LEDGER_PG_WRITER);
    if (!ledger_new_writer(l, &w, nonce))
        return ST_TEMP;
    ledger_bind_span(st, 1, w.nonce);
    ledger_bind_text(st, 2, w.unit);
    ledger_bind_text(st, 3, w.program);
    ledger_bind_int(st, 4, w.opened);
    int row = ledger_step(st);
    if (row > 0)
        w.id = ledger_int(st, 0);
    ledger_reset(st);
    if (row <= 0)
        return ST_TEMP;
    ledger_enter_writer(l, &w);
    return ST_OK;
}

static void put_row(struct ledger_array a[LEDGER_PARAMETERS], const struct ledger_entry *e,
                    const struct ledger_chain *at, const unsigned char hash[LEDGER_HASH])
{
    ledger_array_int(&a[0], e->id);
    ledger_array_int(&a[1], e->time);
    ledger_array_int(&a[2], e->kind);
    ledger_array_span(&a[3], e->tid);
    ledger_array_span(&a[4], e->run);
    ledger_array_int(&a[5], e->part);
    ledger_array_text(&a[6], e->unit);
    ledger_array_text(&a[7], e->owner);
    ledger_array_text(&a[8], e->lot);
    ledger_array_text(&a[9], e->profile);
    ledger_array_text(&a[10], e->device);
    ledger_array_span(&a[11], e->key);
    ledger_array_span(&a[12], e->serial);
    ledger_array_span(&a[13], e->digest_in);
    ledger_array_span(&a[14], e->digest_out);
    ledger_array_int(&a[15], e->status);
    ledger_array_text(&a[16], e->note);
    ledger_array_span(&a[17], e->data);
    ledger_array_int(&a[18], at->writer);
    ledger_array_int(&a[19], at->n + 1);
    ledger_array_span(&a[20], (struct span){hash, LEDGER_HASH});
}

static enum status write_rows(struct ledger *l, size_t from, size_t to)
{
    struct ledger_array a[LEDGER_PARAMETERS] = {0};
    struct ledger_stmt *st = ledger_sql(l, LEDGER_PG_ADD);
    for (size_t i = from; i < to; i++) {
        struct ledger_entry *e = &l->db->added.v[i].e;
        unsigned char hash[LEDGER_HASH];
        ledger_place(l, e, hash);
        put_row(a, e, &l->pending, hash);
        ledger_follow(l, e, hash);
    }
    for (int i = 0; i < LEDGER_PARAMETERS; i++)
        ledger_pg_bind_array(st, i + 1, &a[i]);
    enum status done = ledger_run_sql(st);
    for (int i = 0; i < LEDGER_PARAMETERS; i++)
        buf_free(&a[i].b);
    return done;
}

enum status ledger_pg_newest(struct ledger *l, PGresult *r)
{
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        return ledger_pg_failed(l, r);
    int same = strtoll(PQgetvalue(r, 0, 0), NULL, 10) == l->db->backend;
    l->next_id = strtoll(PQgetvalue(r, 0, 1), NULL, 10) + 1;
    l->newest = strtoll(PQgetvalue(r, 0, 2), NULL, 10);
    PQclear(r);
    if (same)
        return ST_OK;
    diag_warn("%s: this is not the session that was opened: a pooler, not in session mode",
              l->path);
    return ST_USAGE;
}

/* From here to the end of the commit nobody else gives ids. */
static enum status lock_ids(struct ledger *l)
{
    char *sql = alloc_printf("SELECT pg_advisory_xact_lock(%lld); " LEDGER_PG_NEWEST,
                             (long long)ledger_pg_mark(l, 'i', (struct span){NULL, 0}));
    enum status st = ledger_pg_newest(l, PQexec(l->db->c, sql));
    free(sql);
    return st;
}

enum status ledger_pg_write(struct ledger *l)
{
    size_t n = l->db->added.n;
    if (!n)
        return ST_OK;
    enum status st = lock_ids(l);
    if (st == ST_OK)
        st = ledger_check_clock(l);
    if (st == ST_OK && !l->pending.writer)
        st = enter_writer(l);
    for (size_t i = 0; st == ST_OK && i < n; i += ROWS)
        st = write_rows(l, i, i + ROWS < n ? i + ROWS : n);
    return st;
}
