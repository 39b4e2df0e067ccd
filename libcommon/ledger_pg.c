#include "ledger_pg_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

static enum status open_database(struct ledger *l)
{
    if (!ledger_libpq_load())
        return ST_USAGE;
    l->db = alloc_zero(1, sizeof *l->db);
    enum status st = ledger_pg_connect(l);
    return st == ST_OK ? ledger_pg_tables(l) : st;
}

static void close_database(struct ledger *l)
{
    if (!l->db)
        return;
    for (int i = 0; i < LEDGER_SQL_COUNT; i++)
        ledger_pg_free(&l->sql[i]);
    ledger_pg_forget(l);
    PQfinish(l->db->c);
    free(l->db);
}

/* READ COMMITTED: what is asked after a lock was got sees what its last holder committed. */
static const char begin_sql[] =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; " LEDGER_PG_NEWEST;

/* A server that was gone between two transactions is back, perhaps as another that knows less: a
 * new writer's chain fits wherever it starts. */
static enum status connect_again(struct ledger *l)
{
    l->committed = (struct ledger_chain){0};
    enum status st = ledger_pg_connect(l);
    return st == ST_OK ? ledger_pg_tables(l) : st;
}

static void rollback(struct ledger *l)
{
    ledger_pg_forget(l);
    if (PQstatus(l->db->c) == CONNECTION_OK && PQtransactionStatus(l->db->c) != PQTRANS_IDLE)
        PQclear(PQexec(l->db->c, "ROLLBACK"));
}

static enum status not_begun(struct ledger *l, enum status st)
{
    if (st != ST_OK)
        rollback(l);
    return st;
}

static enum status begin(struct ledger *l)
{
    if (PQstatus(l->db->c) == CONNECTION_OK && !l->db->lost) {
        PGresult *r = PQexec(l->db->c, begin_sql);
        if (PQresultStatus(r) == PGRES_TUPLES_OK)
            return not_begun(l, ledger_pg_newest(l, r));
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        if (PQstatus(l->db->c) == CONNECTION_OK && (!state || strncmp(state, "57P", 3) != 0))
            return not_begun(l, ledger_pg_failed(l, r));
        PQclear(r);
    }
    enum status st = connect_again(l);
    return st == ST_OK ? not_begun(l, ledger_pg_newest(l, PQexec(l->db->c, begin_sql))) : st;
}

static enum status commit(struct ledger *l)
{
    enum status st = ledger_pg_write(l);
    if (st != ST_OK)
        return st;
    PGresult *r = PQexec(l->db->c, "COMMIT");
    int done = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (done && strcmp(PQcmdStatus(r), "COMMIT")) {
        diag_warn("%s: the transaction was rolled back", l->path);
        st = ST_TEMP;
    } else if (!done) {
        st = ledger_pg_failed(l, r);
        r = NULL;
        if (l->db->lost)
            diag_hint("it broke during the commit: whether this was recorded is not known; sent "
                      "again, it "
                      "gets the same answer");
    }
    PQclear(r);
    if (st == ST_OK)
        ledger_pg_forget(l);
    return st;
}

static int offer(struct ledger *l, const struct ledger_filter *f, const char *note,
                 ledger_each *each, void *arg)
{
    const struct ledger_owns *o = &l->db->added;
    int more = 1;
    for (size_t i = 0; more && i < o->n; i++)
        if (ledger_fits(f, note, &o->v[i].e))
            more = each(&o->v[i].e, arg);
    return more;
}

static enum status freeze(struct ledger *l)
{
    return ledger_pg_run(l, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

static void thaw(struct ledger *l)
{
    if (PQstatus(l->db->c) == CONNECTION_OK)
        PQclear(PQexec(l->db->c, "ROLLBACK"));
}

/* PostgreSQL keeps its indexes itself; who holds a key is kept by a trigger. */
static void sum_marks(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e)
{
    (void)l, (void)s, (void)e;
}

static int marks_fit(struct ledger *l, const struct ledger_sums *s)
{
    struct ledger_stmt *st = ledger_sql(l, LEDGER_PG_HOLDERS);
    (void)s;
    int row = ledger_step(st);
    if (row > 0)
        diag_warn("%s: entry %lld: the holder of its key is another", l->path,
                  (long long)ledger_int(st, 0));
    ledger_reset(st);
    return row == 0;
}

const struct ledger_store ledger_pg = {.open = open_database,
                                       .close = close_database,
                                       .begin = begin,
                                       .commit = commit,
                                       .abort = rollback,
                                       .add = ledger_pg_add,
                                       .lock = ledger_pg_lock,
                                       .expect = ledger_pg_expect,
                                       .find = ledger_pg_find,
                                       .offer = offer,
                                       .freeze = freeze,
                                       .thaw = thaw,
                                       .sum_marks = sum_marks,
                                       .marks_fit = marks_fit,
                                       .prepare = ledger_pg_prepare,
                                       .bind_int = ledger_pg_bind_int,
                                       .bind_span = ledger_pg_bind_span,
                                       .bind_text = ledger_pg_bind_text,
                                       .step = ledger_pg_step,
                                       .get_int = ledger_pg_int,
                                       .get_span = ledger_pg_span,
                                       .get_text = ledger_pg_text,
                                       .reset = ledger_pg_reset};
