/* Statements with parameters and rows in binary. The rows come one at a time, so that memory stays
 * flat. */
#include "ledger_pg_priv.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

/* pg_type.h, which belongs to the server: these never change. */
#define TYPE_INT 20
#define TYPE_INTS 1016
#define TYPE_OCTETS 17
#define TYPE_OCTETSES 1001
#define TYPE_TEXT 25
#define TYPE_TEXTS 1009

struct query {
    char *sql, name[16];
    unsigned session; /* that it was prepared on; 0: none */
    int n, running;
    const char *value[LEDGER_PARAMETERS];
    int octets[LEDGER_PARAMETERS], binary[LEDGER_PARAMETERS];
    Oid type[LEDGER_PARAMETERS];
    unsigned char number[LEDGER_PARAMETERS][8];
    PGresult *row;
};

/* PostgreSQL says $1 where SQLite says ?1. */
int ledger_pg_prepare(struct ledger_stmt *st, const char *sql)
{
    struct query *q = st->own;
    if (!q) {
        st->own = q = alloc_zero(1, sizeof *q);
        q->sql = alloc_str(sql);
        for (char *p = q->sql; *p; p++)
            if (*p == '?') {
                int at = atoi(p + 1);
                *p = '$';
                q->n = at > q->n ? at : q->n;
            }
        assert(q->n <= LEDGER_PARAMETERS);
        snprintf(q->name, sizeof q->name, "s%d", (int)st->which);
    }
    ledger_pg_reset(st);
    return 1;
}

static void bind(struct ledger_stmt *st, int at, Oid type, const void *p, size_t n)
{
    struct query *q = st->own;
    assert(at <= q->n && n <= INT_MAX);
    q->type[at - 1] = type;
    q->value[at - 1] = p;
    q->octets[at - 1] = (int)n;
    q->binary[at - 1] = 1;
}

static void put_number(unsigned char *to, int64_t v, int octets)
{
    for (int i = octets; i-- > 0; v >>= 8)
        to[i] = (unsigned char)v;
}

void ledger_pg_bind_int(struct ledger_stmt *st, int at, int64_t v)
{
    unsigned char *to = ((struct query *)st->own)->number[at - 1];
    put_number(to, v, 8);
    bind(st, at, TYPE_INT, to, 8);
}

void ledger_pg_bind_span(struct ledger_stmt *st, int at, struct span s)
{
    bind(st, at, TYPE_OCTETS, s.n ? s.p : NULL, s.n);
}

void ledger_pg_bind_text(struct ledger_stmt *st, int at, const char *s)
{
    bind(st, at, TYPE_TEXT, s, s ? strlen(s) : 0);
}

/* array_send's format: dimensions, whether there are NULLs, type; length and lower bound of the
 * dimension. */
#define HEADER 20

static unsigned char *element(struct ledger_array *a, Oid type, size_t n, int32_t length)
{
    if (!a->b.n) {
        memset(buf_room(&a->b, HEADER), 0, HEADER);
        a->b.n = HEADER;
        a->type = type;
    }
    a->n++;
    unsigned char *to = buf_room(&a->b, n + 4);
    put_number(to, length, 4);
    a->b.n += n + 4;
    return to + 4;
}

void ledger_array_int(struct ledger_array *a, int64_t v)
{
    put_number(element(a, TYPE_INT, 8, 8), v, 8);
}

void ledger_array_span(struct ledger_array *a, struct span s)
{
    unsigned char *to = element(a, TYPE_OCTETS, s.n, s.n ? (int32_t)s.n : -1);
    if (s.n)
        memcpy(to, s.p, s.n);
}

void ledger_array_text(struct ledger_array *a, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    unsigned char *to = element(a, TYPE_TEXT, n, s ? (int32_t)n : -1);
    if (n)
        memcpy(to, s, n);
}

void ledger_pg_bind_array(struct ledger_stmt *st, int at, struct ledger_array *a)
{
    unsigned char *to = a->b.d;
    assert(a->n);
    put_number(to, 1, 4);
    put_number(to + 4, 1, 4);
    put_number(to + 8, a->type, 4);
    put_number(to + 12, a->n, 4);
    put_number(to + 16, 1, 4);
    bind(st, at,
         a->type == TYPE_INT      ? TYPE_INTS
         : a->type == TYPE_OCTETS ? TYPE_OCTETSES
                                  : TYPE_TEXTS,
         a->b.d, a->b.n);
}

static int start(struct ledger_stmt *st)
{
    struct ledger_db *db = st->l->db;
    struct query *q = st->own;
    if (q->session != db->session) {
        PGresult *r = PQprepare(db->c, q->name, q->sql, q->n, q->type);
        if (PQresultStatus(r) != PGRES_COMMAND_OK) {
            ledger_pg_failed(st->l, r);
            return 0;
        }
        PQclear(r);
        q->session = db->session;
    }
    if (!PQsendQueryPrepared(db->c, q->name, q->n, q->value, q->octets, q->binary, 1)) {
        ledger_pg_failed(st->l, NULL);
        return 0;
    }
    PQsetSingleRowMode(db->c);
    q->running = 1;
    return 1;
}

int ledger_pg_step(struct ledger_stmt *st)
{
    struct query *q = st->own;
    if (!q->running && !start(st))
        return -1;
    PQclear(q->row);
    q->row = NULL;
    PGresult *r;
    while ((r = PQgetResult(st->l->db->c))) {
        switch (PQresultStatus(r)) {
        case PGRES_SINGLE_TUPLE:
            q->row = r;
            return 1;
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
            PQclear(r);
            break;
        default:
            ledger_pg_failed(st->l, r);
            ledger_pg_reset(st);
            return -1;
        }
    }
    q->running = 0;
    return 0;
}

/* Integers of 2, 4 and 8 octets, and booleans. */
int64_t ledger_pg_int(const struct ledger_stmt *st, int at)
{
    struct span s = ledger_pg_span(st, at);
    uint64_t v = s.n && s.p[0] >> 7 ? UINT64_MAX : 0;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    return (int64_t)v;
}

struct span ledger_pg_span(const struct ledger_stmt *st, int at)
{
    const PGresult *row = ((struct query *)st->own)->row;
    if (PQgetisnull(row, 0, at) || !PQgetlength(row, 0, at))
        return (struct span){NULL, 0};
    return (struct span){(const unsigned char *)PQgetvalue(row, 0, at),
                         (size_t)PQgetlength(row, 0, at)};
}

const char *ledger_pg_text(const struct ledger_stmt *st, int at)
{
    const PGresult *row = ((struct query *)st->own)->row;
    return PQgetisnull(row, 0, at) ? NULL : PQgetvalue(row, 0, at);
}

void ledger_pg_reset(struct ledger_stmt *st)
{
    struct query *q = st->own;
    PQclear(q->row);
    q->row = NULL;
    if (!q->running)
        return;
    PGresult *r;
    while ((r = PQgetResult(st->l->db->c)))
        PQclear(r);
    q->running = 0;
}

void ledger_pg_free(struct ledger_stmt *st)
{
    struct query *q = st->own;
    if (!q)
        return;
    PQclear(q->row);
    free(q->sql);
    free(q);
    st->own = NULL;
}
