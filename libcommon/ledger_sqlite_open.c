#include "ledger_sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define WAIT_SECONDS 30
#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

/* STRICT tables, no default values: what is in a row of entry or writer is what its hash covers.
 * fresh and seen are ledger_seen.c's index. */
static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE writer (id INTEGER PRIMARY KEY, nonce BLOB NOT NULL, unit TEXT NOT NULL,"
    " program TEXT NOT NULL, opened INTEGER NOT NULL) STRICT;"
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " tid BLOB, run BLOB, part INTEGER NOT NULL, unit TEXT, owner TEXT, lot TEXT, profile TEXT,"
    " device TEXT, key BLOB, serial BLOB, digest_in BLOB, digest_out BLOB, status INTEGER NOT NULL,"
    " note TEXT, writer INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL, data BLOB) "
    "STRICT;"
    "CREATE INDEX entry_run ON entry (kind, run) WHERE kind <= 3;"
    "CREATE TABLE fresh (entry INTEGER PRIMARY KEY, key INTEGER NOT NULL, device INTEGER NOT NULL)"
    " STRICT;"
    "CREATE TABLE seen (mark INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (mark, entry))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER entry_update BEFORE UPDATE ON entry BEGIN"
    " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    "CREATE TRIGGER entry_delete BEFORE DELETE ON entry BEGIN"
    " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    "CREATE TRIGGER writer_update BEFORE UPDATE ON writer BEGIN"
    " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    "CREATE TRIGGER writer_delete BEFORE DELETE ON writer BEGIN"
    " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    "PRAGMA application_id = " NUMBER(LEDGER_APPLICATION) ";";

/* What format 2 has more than format 1. The kinds of which there are many pay for no index that
 * they do not need; entry_link is a milestone in each chain. */
static const char format2[] =
    "CREATE INDEX entry_tid ON entry (tid, kind, part) WHERE kind NOT IN (12, 14);"
    "CREATE INDEX entry_rare ON entry (kind) WHERE kind >= 15;"
    "CREATE INDEX entry_held ON entry (kind, digest_in, id, tid, unit) WHERE kind = 15;"
    "CREATE INDEX entry_asked ON entry (tid, unit, id, kind, status) WHERE kind = 9 AND status > 0;"
    "CREATE INDEX entry_revoked ON entry (serial) WHERE kind = 19;"
    "CREATE INDEX entry_allowed ON entry (device) WHERE kind >= 22;"
    "CREATE INDEX entry_link ON entry (writer, n) WHERE n % 64 = 1;"
    "CREATE TABLE quota (owner TEXT NOT NULL, lot TEXT NOT NULL, used INTEGER NOT NULL,"
    " PRIMARY KEY (owner, lot)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER entry_counted AFTER INSERT ON entry WHEN NEW.kind = 14 BEGIN"
    " INSERT INTO quota VALUES (ifnull(NEW.owner, ''), ifnull(NEW.lot, ''), 1)"
    " ON CONFLICT DO UPDATE SET used = used + 1; END;"
    "PRAGMA user_version = 2;";

static const char from1[] = "DROP INDEX entry_tid;"
                            "UPDATE meta SET value = '2' WHERE name = 'format';";

static const char setup[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA cache_size = -1024;" /* KiB: memory stays flat, the kernel caches the rest */
    "PRAGMA cell_size_check = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA recursive_triggers = ON;" /* REPLACE counts as a DELETE */
    "PRAGMA wal_autocheckpoint = 4000;"
    "PRAGMA journal_size_limit = 33554432;";

/* SQLite's own handler sleeps up to 100 ms at a time; two units that share a ledger take turns of
 * one. */
static int wait_turn(void *arg, int tries)
{
    static struct timespec first;
    struct timespec now;
    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!tries)
        first = now;
    if (now.tv_sec - first.tv_sec >= WAIT_SECONDS)
        return 0;
    usleep(tries < 100 ? 200 : 2000);
    return 1;
}

static enum status not_a_ledger(const struct ledger *l)
{
    diag_warn("%s: not a ledger", l->path);
    return ST_USAGE;
}

static int64_t pragma(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static enum status check_unit(struct ledger *l)
{
    sqlite3_stmt *st = NULL;
    enum status ok = ST_OK;
    int rc = sqlite3_prepare_v2(l->lite->db, "SELECT value FROM meta WHERE name = 'unit'", -1, &st,
                                NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        const char *unit = (const char *)sqlite3_column_text(st, 0);
        ok = ledger_check_unit(l, unit ? unit : "");
    } else {
        ok = rc == SQLITE_DONE ? not_a_ledger(l) : ledger_sqlite_failed(l, l->lite->db);
    }
    sqlite3_finalize(st);
    return ok;
}

static enum status check_format(struct ledger *l)
{
    int64_t application = pragma(l->lite->db, "PRAGMA application_id");
    if (application < 0)
        return sqlite3_errcode(l->lite->db) == SQLITE_NOTADB ? not_a_ledger(l)
                                                             : ledger_sqlite_failed(l, l->lite->db);
    if (application != LEDGER_APPLICATION)
        return not_a_ledger(l);
    int64_t format = pragma(l->lite->db, "PRAGMA user_version");
    if (format < 1 || format > LEDGER_FORMAT) {
        diag_warn("%s: a ledger of format %lld, this program knows format %d", l->path,
                  (long long)format, LEDGER_FORMAT);
        return ST_USAGE;
    }
    l->format = format;
    return check_unit(l);
}

static enum status upgrade(struct ledger *l)
{
    int ok = sqlite3_exec(l->lite->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    /* Another process may have been faster. */
    if (ok && pragma(l->lite->db, "PRAGMA user_version") == 1)
        ok = sqlite3_exec(l->lite->db, from1, NULL, NULL, NULL) == SQLITE_OK &&
             sqlite3_exec(l->lite->db, format2, NULL, NULL, NULL) == SQLITE_OK;
    if (!ok || sqlite3_exec(l->lite->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return ledger_sqlite_failed(l, l->lite->db);
    l->format = LEDGER_FORMAT;
    return ST_OK;
}

int ledger_sqlite_tables(sqlite3 *db, int64_t format)
{
    return sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK &&
           (format < 2 || sqlite3_exec(db, format2, NULL, NULL, NULL) == SQLITE_OK);
}

static int fill(struct ledger *l, sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    const char *meta =
        "INSERT INTO meta VALUES ('unit', ?1), ('format', " NUMBER(LEDGER_FORMAT) ")";
    int ok = sqlite3_exec(db, "PRAGMA page_size = 8192; PRAGMA synchronous = FULL; BEGIN;", NULL,
                          NULL, NULL) == SQLITE_OK &&
             ledger_sqlite_tables(db, LEDGER_FORMAT) &&
             sqlite3_prepare_v2(db, meta, -1, &st, NULL) == SQLITE_OK &&
             sqlite3_bind_text(st, 1, l->unit, -1, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_step(st) == SQLITE_DONE && sqlite3_reset(st) == SQLITE_OK &&
             sqlite3_exec(db, "COMMIT; PRAGMA journal_mode = WAL;", NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_finalize(st);
    return ok;
}

static enum status fill_file(struct ledger *l, const char *path)
{
    sqlite3 *db = NULL;
    enum status st = ST_OK;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK || !fill(l, db))
        st = ledger_sqlite_failed(l, db);
    sqlite3_close(db); /* takes the -wal and -shm of the unfinished name away */
    return st;
}

/* Of two processes that make the same ledger at once, link(2) lets one win; the other opens what
 * won. */
static enum status make(struct ledger *l)
{
    if (access(l->path, F_OK) == 0)
        return ST_OK;
    enum status st = ST_OK;
    char *tmp = alloc_printf("%s.new.XXXXXX", l->path);
    int fd = mkostemp(tmp, O_CLOEXEC); /* mode 0600; SQLite gives -wal and -shm the same */
    if (fd < 0) {
        diag_warn("%s: %s", l->path, strerror(errno));
        st = errno == ENOENT || errno == ENOTDIR ? ST_USAGE : ST_TEMP;
        goto out;
    }
    close(fd);
    st = fill_file(l, tmp);
    if (st == ST_OK && ((link(tmp, l->path) && errno != EEXIST) || !io_sync_folder(l->path))) {
        diag_warn("%s: %s", l->path, strerror(errno));
        st = ST_TEMP;
    }
    unlink(tmp);
out:
    free(tmp);
    return st;
}

/* Whether SQLite wants to write beside the file, or into it, and may not. */
static int wants_to_write(sqlite3 *db)
{
    if (pragma(db, "PRAGMA application_id") >= 0)
        return 0;
    return sqlite3_errcode(db) == SQLITE_READONLY || sqlite3_errcode(db) == SQLITE_CANTOPEN;
}

static enum status connect_file(struct ledger *l)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |= l->reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    struct stat about;
    if (stat(l->path, &about)) {
        diag_warn("%s: %s", l->path, strerror(errno));
        return ST_USAGE;
    }
    if (!S_ISREG(about.st_mode)) /* SQLite would wait for a FIFO's writer */
        return not_a_ledger(l);
    if (sqlite3_open_v2(l->path, &l->lite->db, flags, NULL) != SQLITE_OK)
        return ledger_sqlite_failed(l, l->lite->db);
    if (!l->reader && sqlite3_db_readonly(l->lite->db, "main") == 1) {
        diag_warn("%s: not writable", l->path);
        return ST_TEMP;
    }
    sqlite3_busy_handler(l->lite->db, wait_turn, NULL);
    enum status st = l->reader && wants_to_write(l->lite->db) ? ledger_sqlite_copy(l) : ST_OK;
    if (st != ST_OK)
        return st;
    sqlite3_db_config(l->lite->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    st = check_format(l);
    if (st == ST_OK && sqlite3_exec(l->lite->db, setup, NULL, NULL, NULL) != SQLITE_OK)
        st = ledger_sqlite_failed(l, l->lite->db);
    if (st == ST_OK && !l->reader && l->format < LEDGER_FORMAT)
        st = upgrade(l);
    return st;
}

enum status ledger_sqlite_open(struct ledger *l)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS,
                   0); /* it counts under a lock; refused once SQLite runs */
    l->lite = alloc_zero(1, sizeof *l->lite);
    /* SQLite gives names such as ":memory:" and "file:..." a meaning of their own. */
    if (l->path[0] != '/' && strchr(l->path, ':')) {
        char *here = alloc_printf("./%s", l->path);
        free(l->path);
        l->path = here;
    }
    enum status st = l->reader ? ST_OK : make(l);
    return st == ST_OK ? connect_file(l) : st;
}
