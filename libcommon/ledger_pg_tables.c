#include "ledger_pg_priv.h"

#include <stdlib.h>
#include <string.h>

#include "diag.h"

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

/* Who makes the tables, when several processes find none. */
static const char alone[] = "SELECT pg_advisory_xact_lock(hashtext('certline'))";

static const char tables[] =
    "CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);"
    "CREATE TABLE writer (id bigint PRIMARY KEY, nonce bytea NOT NULL UNIQUE, unit text NOT NULL,"
    " program text NOT NULL, opened bigint NOT NULL);"
    "CREATE TABLE entry (id bigint PRIMARY KEY, time bigint NOT NULL, kind integer NOT NULL,"
    " tid bytea, run bytea, part bigint NOT NULL, unit text, owner text, lot text, profile text,"
    " device text, key bytea, serial bytea, digest_in bytea, digest_out bytea,"
    " status bigint NOT NULL, note text, writer bigint NOT NULL, n bigint NOT NULL,"
    " hash bytea NOT NULL CHECK (octet_length(hash) = 32), data bytea, UNIQUE (writer, n));"
    "ALTER TABLE entry ALTER data SET STORAGE EXTERNAL;" /* DER does not shrink */
    "CREATE TABLE quota (owner text, lot text, used bigint NOT NULL, PRIMARY KEY (owner, lot));"
    "CREATE TABLE holder (key bytea PRIMARY KEY, owner text, device text);";

/* The conditions are those of the SQLite ledger, ledger_sqlite_open.c: the statements are the same.
 * IS NOT NULL leaves a statement that is planned while the table is empty, when all indexes seem to
 * cost the same, the one that serves. */
static const char indexes[] =
    "CREATE INDEX entry_tid ON entry (tid, kind, part) WHERE kind NOT IN (12, 14);"
    "CREATE INDEX entry_run ON entry (kind, run) WHERE kind <= 3;"
    "CREATE INDEX entry_rare ON entry (kind, id) WHERE kind >= 15;"
    "CREATE INDEX entry_held ON entry (kind, digest_in, id, tid, unit) WHERE kind = 15;"
    "CREATE INDEX entry_asked ON entry (tid, unit, id, kind, status) WHERE kind = 9 AND status > 0;"
    "CREATE INDEX entry_revoked ON entry (serial) WHERE kind = 19;"
    "CREATE INDEX entry_allowed ON entry (device) WHERE kind >= 22;"
    "CREATE INDEX entry_key ON entry (key) WHERE kind = 12 AND key IS NOT NULL;"
    "CREATE INDEX entry_device ON entry (device) WHERE kind = 12 AND device IS NOT NULL;"
    "CREATE UNIQUE INDEX entry_serial ON entry (serial, note)"
    " WHERE kind = 12 AND serial IS NOT NULL;"
    "CREATE UNIQUE INDEX entry_counted ON entry (key, device, owner, lot, profile) WHERE kind = 14;"
    "CREATE UNIQUE INDEX entry_up ON entry (tid, unit, digest_in, kind) WHERE kind IN (9, 11);"
    "CREATE UNIQUE INDEX entry_down ON entry (tid, key) WHERE kind = 10;";

/* entry_added keeps what follows from the entries with them, whoever adds them. It runs as the
 * owner of the tables: a role that may add entries can set no quota back. */
static const char triggers[] =
    "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION 'the ledger is append-only'; END $$;"
    "CREATE TRIGGER entry_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON entry"
    " FOR EACH STATEMENT EXECUTE FUNCTION append_only();"
    "CREATE TRIGGER writer_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON writer"
    " FOR EACH STATEMENT EXECUTE FUNCTION append_only();"
    "CREATE FUNCTION entry_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
    " SET search_path = certline, pg_temp AS $$ BEGIN"
    " INSERT INTO quota AS q SELECT coalesce(owner, ''), coalesce(lot, ''), count(*) FROM added"
    "  WHERE kind = 14 GROUP BY 1, 2 ORDER BY 1, 2"
    "  ON CONFLICT (owner, lot) DO UPDATE SET used = q.used + excluded.used;"
    " INSERT INTO holder SELECT DISTINCT ON (key) key, owner, device FROM added"
    "  WHERE kind = 12 AND key IS NOT NULL ORDER BY key ON CONFLICT (key) DO NOTHING;"
    " IF EXISTS (SELECT 1 FROM added a CROSS JOIN LATERAL"
    "  (SELECT owner, device FROM holder WHERE key = a.key OFFSET 0) h WHERE a.kind = 12"
    "  AND (h.owner IS DISTINCT FROM a.owner OR h.device IS DISTINCT FROM a.device)) THEN"
    "  RAISE unique_violation USING MESSAGE = 'one key, one device'; END IF;"
    " RETURN NULL; END $$;"
    "CREATE TRIGGER entry_added AFTER INSERT ON entry REFERENCING NEW TABLE AS added"
    " FOR EACH STATEMENT EXECUTE FUNCTION entry_added();"
    "INSERT INTO meta VALUES ('format', '" NUMBER(LEDGER_FORMAT) "');";

/* 1, 0, -1 after a warning. */
static int yes(struct ledger *l, const char *sql)
{
    PGresult *r = PQexec(l->db->c, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        ledger_pg_failed(l, r);
        return -1;
    }
    int is = *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    return is;
}

static int are_there(struct ledger *l)
{
    return yes(l, "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n"
                  " ON n.oid = c.relnamespace WHERE n.nspname = 'certline')");
}

static enum status fill(struct ledger *l)
{
    const char *unit[] = {l->unit};
    static const char *const steps[] = {tables, indexes, triggers};
    int missing = yes(l, "SELECT to_regnamespace('certline') IS NULL");
    enum status st = missing < 0 ? ST_TEMP : ST_OK;
    if (missing > 0)
        st = ledger_pg_run(l, "CREATE SCHEMA certline");
    for (size_t i = 0; st == ST_OK && i < sizeof steps / sizeof *steps; i++)
        st = ledger_pg_run(l, steps[i]);
    if (st != ST_OK)
        return st;
    PGresult *r = PQexecParams(l->db->c, "INSERT INTO meta VALUES ('unit', $1)", 1, NULL, unit,
                               NULL, NULL, 0);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        return ledger_pg_failed(l, r);
    PQclear(r);
    return ledger_pg_run(l, "COMMIT");
}

static enum status make(struct ledger *l)
{
    int there = yes(l, "SELECT CASE WHEN to_regnamespace('certline') IS NULL"
                       " THEN has_database_privilege(current_database(), 'CREATE')"
                       " ELSE has_schema_privilege('certline', 'CREATE')"
                       " AND has_schema_privilege('certline', 'USAGE') END");
    if (there == 0) {
        diag_warn("%s: there is no ledger yet, and role \"%s\" may not make one", l->path,
                  PQuser(l->db->c));
        diag_hint("certline-unit(5) says what the role must be granted");
        return ST_USAGE;
    }
    enum status st = there < 0 ? ST_TEMP : ledger_pg_run(l, "BEGIN READ WRITE");
    if (st == ST_OK)
        st = ledger_pg_run(l, alone);
    there = st == ST_OK ? are_there(l) : -1;
    if (there == 0)
        st = fill(l);
    else if (there < 0)
        st = ST_TEMP;
    if (PQtransactionStatus(l->db->c) != PQTRANS_IDLE && PQstatus(l->db->c) == CONNECTION_OK)
        PQclear(PQexec(l->db->c, "ROLLBACK"));
    return st;
}

static enum status not_allowed(struct ledger *l)
{
    diag_warn("%s: role \"%s\" may not %s there", l->path, PQuser(l->db->c),
              l->reader ? "read" : "read and add entries");
    diag_hint("certline-unit(5) says what the role must be granted");
    return ST_USAGE;
}

static enum status check_rights(struct ledger *l)
{
    int may = yes(l, l->reader ? "SELECT has_schema_privilege('certline', 'USAGE')"
                                 " AND has_table_privilege('certline.entry', 'SELECT')"
                               : "SELECT has_schema_privilege('certline', 'USAGE')"
                                 " AND has_table_privilege('certline.entry', 'SELECT')"
                                 " AND has_table_privilege('certline.entry', 'INSERT')"
                                 " AND has_table_privilege('certline.writer', 'SELECT')"
                                 " AND has_table_privilege('certline.writer', 'INSERT')"
                                 " AND has_table_privilege('certline.quota', 'SELECT')");
    if (may < 0)
        return ST_TEMP;
    return may ? ST_OK : not_allowed(l);
}

/* Another program's tables may have the same names, but do not say format and unit. */
static enum status check_meta(struct ledger *l)
{
    PGresult *r =
        PQexec(l->db->c, "SELECT f.value, u.value FROM certline.meta f, certline.meta u"
                         " WHERE f.name = 'format' AND u.name = 'unit' AND f.value ~ '^[0-9]+$'");
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    enum status st = ST_USAGE;
    if (PQresultStatus(r) != PGRES_TUPLES_OK && (!state || strncmp(state, "42", 2) != 0))
        return ledger_pg_failed(l, r);
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1) {
        diag_warn("%s: not a ledger: its schema \"certline\" is another program's", l->path);
    } else if ((l->format = strtoll(PQgetvalue(r, 0, 0), NULL, 10)) != LEDGER_FORMAT) {
        diag_warn("%s: a ledger of format %lld, this program knows format %d", l->path,
                  (long long)l->format, LEDGER_FORMAT);
    } else {
        st = ledger_check_unit(l, PQgetvalue(r, 0, 1));
    }
    PQclear(r);
    return st;
}

static enum status check_reading(struct ledger *l)
{
    int may =
        yes(l, "SELECT has_schema_privilege('certline', 'USAGE')"
               " AND coalesce(has_table_privilege(to_regclass('certline.meta'), 'SELECT'), true)");
    if (may < 0)
        return ST_TEMP;
    return may ? ST_OK : not_allowed(l);
}

enum status ledger_pg_tables(struct ledger *l)
{
    int there = are_there(l);
    enum status st = there < 0 ? ST_TEMP : ST_OK;
    if (there == 0 && l->reader) {
        diag_warn("%s: not a ledger", l->path);
        st = ST_USAGE;
    } else if (there == 0) {
        st = make(l);
    }
    if (st == ST_OK)
        st = check_reading(l);
    if (st == ST_OK)
        st = check_meta(l);
    return st == ST_OK ? check_rights(l) : st;
}
