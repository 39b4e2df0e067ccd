#include "ledger_pg_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

#define LOCKS_HINT "raise max_locks_per_transaction of the server, or make the batches smaller"

/* libpq's texts have several lines, and a NUL for none. */
static int first_line(const char *text)
{
    return (int)strcspn(text ? text : "", "\n");
}

enum status ledger_pg_failed(struct ledger *l, PGresult *r)
{
    l->unread = 1;
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    if (!text)
        text = PQerrorMessage(l->db->c);
    if (!state)
        state = "";
    l->db->lost = PQstatus(l->db->c) != CONNECTION_OK || !strncmp(state, "57P", 3);
    if (l->db->lost)
        diag_warn("%s: the connection to the database is lost: %.*s", l->path, first_line(text),
                  text);
    else if (!strcmp(state, "55P03"))
        diag_warn("%s: another process has held the ledger for too long", l->path);
    else if (!strcmp(state, "53100"))
        diag_warn("%s: the disk of the database is full", l->path);
    else
        diag_warn("%s: %.*s", l->path, first_line(text), text);
    if (!strcmp(state, "53200"))
        diag_hint(LOCKS_HINT);
    if (!strcmp(state, "42501"))
        diag_hint("certline-unit(5) says what the role must be granted");
    PQclear(r);
    return ST_TEMP;
}

enum status ledger_pg_run(struct ledger *l, const char *sql)
{
    PGresult *r = PQexec(l->db->c, sql);
    ExecStatusType how = PQresultStatus(r);
    if (how != PGRES_COMMAND_OK && how != PGRES_TUPLES_OK)
        return ledger_pg_failed(l, r);
    PQclear(r);
    return ST_OK;
}

/* A password in an URI would stand in the file, in messages and in the list of processes'
 * arguments. */
static enum status check_uri(const struct ledger *l)
{
    char *why = NULL;
    PQconninfoOption *all = PQconninfoParse(l->path, &why);
    enum status st = ST_OK;
    if (!all) { /* libpq's reason quotes the URI, with a password that may be in it */
        diag_warn("the ledger's URI is not one that libpq can read");
        st = ST_USAGE;
    }
    for (const PQconninfoOption *o = all; st == ST_OK && o && o->keyword; o++)
        if ((!strcmp(o->keyword, "password") || !strcmp(o->keyword, "sslpassword")) && o->val) {
            diag_warn("the ledger's URI holds a password");
            diag_hint("put it into ~/.pgpass, or a file that PGPASSFILE names, with mode 0600");
            st = ST_USAGE;
        }
    PQconninfoFree(all);
    PQfreemem(why);
    return st;
}

/* The SQLSTATE in "SEVERITY:  STATE: message", which libpq gives no other way for what fails before
 * the session starts. *text is moved behind it. */
static int find_state(const char **text, char state[6])
{
    for (const char *p = *text; (p = strstr(p, ":  ")); p++) {
        size_t n = 0;
        while (n < 5 && (isupper((unsigned char)p[3 + n]) || isdigit((unsigned char)p[3 + n])))
            n++;
        if (n == 5 && p[8] == ':' && p[9] == ' ') {
            memcpy(state, p + 3, 5);
            state[5] = 0;
            *text = p + 10;
            return 1;
        }
    }
    return 0;
}

/* What only a person can cure: 28 no such role or password, 3D no such database, 42 not allowed;
 * `bad` says what is wrong with the URI, where libpq does not even try. */
static enum status cannot_connect(struct ledger *l, const char *bad)
{
    char state[6] = "";
    const char *text = PQerrorMessage(l->db->c);
    int tried = *text != 0;
    if (!tried)
        text = bad;
    find_state(&text, state);
    diag_warn("%s: %.*s", l->path, first_line(text), text);
    if (!strncmp(state, "3D", 2))
        diag_hint("make it with createdb --encoding=UTF8 --template=template0");
    return !tried || !strncmp(state, "28", 2) || !strncmp(state, "3D", 2) ||
                   !strncmp(state, "42", 2)
               ? ST_USAGE
               : ST_TEMP;
}

/* Statements are prepared once, for tables that start empty: their plans must not depend on that.
 * An index is read in its order, never gathered and sorted: a part of a long ledger costs no more
 * than that part. The time that an HSM takes is no reason to end a transaction. What is set stays
 * so when the server reads its configuration again. */
static const char session[] =
    "SET search_path = certline, pg_temp; SET lock_timeout = '30s';"
    "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off;"
    "SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    "SET enable_material = off; SET client_min_messages = error;"
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN"
    " ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout');"
    "SELECT set_config(name, CASE WHEN setting IN ('off', 'local') THEN 'on' ELSE setting END, "
    "false)"
    " FROM pg_settings WHERE name = 'synchronous_commit'";

/* A clock that is ahead would be written into the ledger, and keep everybody else from writing
 * until they are as late. */
static enum status check_ahead(const struct ledger *l, int64_t now, int64_t server)
{
    if (now <= server + LEDGER_CLOCK_SLACK)
        return ST_OK;
    diag_warn("%s: the clock is %lld seconds ahead of the database server's", l->path,
              (long long)(now - server));
    return ST_TEMP;
}

enum field { ENCODING, FSYNC, STANDBY, BACKEND, TIME };

static enum status check_server(struct ledger *l)
{
    int64_t now = clock_now();
    PGresult *r =
        PQexec(l->db->c, "SELECT current_setting('server_encoding'),"
                         " current_setting('fsync'), pg_is_in_recovery(),"
                         " pg_backend_pid(), floor(extract(epoch FROM clock_timestamp()))");
    enum status st = ST_OK;
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        return ledger_pg_failed(l, r);
    l->db->backend = strtoll(PQgetvalue(r, 0, BACKEND), NULL, 10);
    if (strcmp(PQgetvalue(r, 0, ENCODING), "UTF8")) {
        diag_warn("%s: the database's encoding is %s, not UTF8", l->path,
                  PQgetvalue(r, 0, ENCODING));
        diag_hint("make it with createdb --encoding=UTF8 --template=template0");
        st = ST_USAGE;
    } else if (!l->reader && strcmp(PQgetvalue(r, 0, FSYNC), "on")) {
        diag_warn("%s: the server runs with fsync off: what it confirms can be lost", l->path);
        st = ST_USAGE;
    } else if (!l->reader && *PQgetvalue(r, 0, STANDBY) == 't') {
        diag_warn("%s: the server is a standby, which takes no entries", l->path);
        st = ST_TEMP;
    } else if (!l->reader) {
        st = check_ahead(l, now, strtoll(PQgetvalue(r, 0, TIME), NULL, 10));
    }
    PQclear(r);
    return st;
}

/* What a server says of itself is for -v, and never goes to the terminal as it came. */
static void be_told(void *arg, const char *text)
{
    diag_note("%s: %.*s", (const char *)arg, first_line(text), text);
}

/* PQconnectdb would print what a server says before anybody can listen, and would not tell the
 * SQLSTATE of a refusal: a connection is begun, prepared for that, and begun anew. */
static enum status dial(struct ledger *l)
{
    /* The URI has the last word on what stands before it. */
    const char *const key[] = {"connect_timeout", "tcp_user_timeout", "fallback_application_name",
                               "dbname",          "client_encoding",  NULL};
    const char *const value[] = {"10", "30000", diag_name(), l->path, "UTF8", NULL};
    struct ledger_db *db = l->db;
    enum status st = ST_OK;
    PQfinish(db->c);
    db->c = PQconnectStartParams(key, value, 1);
    if (!db->c)
        diag_exit(ST_TEMP, "out of memory");
    char *bad = alloc_str(PQerrorMessage(db->c));
    PQsetNoticeProcessor(db->c, be_told, l->path);
    PQsetErrorVerbosity(db->c, PQERRORS_VERBOSE);
    PQreset(db->c);
    PQsetErrorVerbosity(db->c, PQERRORS_DEFAULT);
    if (PQstatus(db->c) != CONNECTION_OK)
        st = cannot_connect(l, bad);
    free(bad);
    return st;
}

enum status ledger_pg_connect(struct ledger *l)
{
    enum status st = check_uri(l);
    if (st == ST_OK)
        st = dial(l);
    if (st != ST_OK)
        return st;
    l->db->session++;
    l->db->lost = 0;
    st = ledger_pg_run(l, session);
    return st == ST_OK ? check_server(l) : st;
}
