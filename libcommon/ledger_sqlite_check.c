/* Whether the file's tables are those that were made, and agree with their indexes: the chains say
 * nothing of an index that lacks a revocation, or of a view in place of a table. */
#include "ledger_sqlite_priv.h"

#include <string.h>

#include "diag.h"

#define OBJECTS                                                                                    \
    "SELECT name, type, tbl_name, sql FROM sqlite_schema WHERE (name <> 'entry_tid' OR ?1 > 1)"    \
    " AND NOT (type = 'table' AND name GLOB 'sqlite_stat[14]') ORDER BY name"

static const char *column(sqlite3_stmt *st, int at)
{
    const char *s = (const char *)sqlite3_column_text(st, at);
    return s ? s : "";
}

static int same_object(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 1; i < 4; i++)
        if (strcmp(column(a, i), column(b, i)))
            return 0;
    return 1;
}

static int said(const struct ledger *l, sqlite3_stmt *of, const char *what)
{
    diag_warn("%s: its %s \"%s\" %s", l->path, column(of, 1), column(of, 0), what);
    return 1;
}

/* Both are in the order of their names. */
static int compare(const struct ledger *l, sqlite3_stmt *is, sqlite3_stmt *made)
{
    int problems = 0, a = sqlite3_step(is), b = sqlite3_step(made);
    while (a == SQLITE_ROW || b == SQLITE_ROW) {
        int order = a != SQLITE_ROW   ? 1
                    : b != SQLITE_ROW ? -1
                                      : strcmp(column(is, 0), column(made, 0));
        if (order < 0)
            problems += said(l, is, "is none that a unit makes");
        else if (order > 0)
            problems += said(l, made, "is missing");
        else if (!same_object(is, made))
            problems += said(l, is, "is not as a unit makes it");
        if (order <= 0)
            a = sqlite3_step(is);
        if (order >= 0)
            b = sqlite3_step(made);
    }
    return problems;
}

/* What a new ledger of this format has is asked of one that is made in memory. */
static int schema(const struct ledger *l)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *is = NULL, *made = NULL;
    int problems = 1;
    if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        !ledger_sqlite_tables(db, l->format) ||
        sqlite3_prepare_v2(db, OBJECTS, -1, &made, NULL) != SQLITE_OK)
        ledger_sqlite_failed(l, db);
    else if (sqlite3_prepare_v2(l->lite->db, OBJECTS, -1, &is, NULL) != SQLITE_OK)
        ledger_sqlite_failed(l, l->lite->db);
    else {
        sqlite3_bind_int64(is, 1, l->format);
        sqlite3_bind_int64(made, 1, l->format);
        problems = compare(l, is, made);
    }
    sqlite3_finalize(is);
    sqlite3_finalize(made);
    sqlite3_close(db);
    return problems;
}

/* The rows of a statement that gives none if all is well; each says in `told` what is wrong. */
static int rows(const struct ledger *l, const char *sql, const char *told)
{
    sqlite3_stmt *st = NULL;
    int problems = 0, rc = sqlite3_prepare_v2(l->lite->db, sql, -1, &st, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        if (!strcmp(column(st, 0), "ok"))
            continue;
        diag_warn("%s: %s: %s", l->path, told, column(st, 0));
        problems++;
    }
    if (rc != SQLITE_DONE) {
        ledger_sqlite_failed(l, l->lite->db);
        problems++;
    }
    sqlite3_finalize(st);
    return problems;
}

#define META_WRONG                                                                                 \
    "SELECT name FROM meta WHERE name NOT IN ('unit', 'format') OR instr(value, char(0)) OR"       \
    " (name = 'format' AND value <> (SELECT user_version || '' FROM pragma_user_version))"

int64_t ledger_sqlite_wrong(struct ledger *l)
{
    return schema(l) + rows(l, META_WRONG, "its table meta was altered") +
           rows(l, "PRAGMA integrity_check", "its tables and indexes disagree");
}
