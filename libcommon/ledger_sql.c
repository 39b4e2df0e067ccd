#include "ledger_priv.h"

_Static_assert(LEDGER_RUN_OPEN == 1 && LEDGER_RUN_CLOSE == 2 && LEDGER_SENT == 3 &&
                   LEDGER_ASKED == 4 && LEDGER_DELIVERED == 7 && LEDGER_REFUSED == 8 &&
                   LEDGER_ISSUED == 12,
               "the statements below say kinds as numbers");

/* The names e.. of the table carry the kind and, word for word, the condition of the partial index
 * that finds it: SQLite takes such an index only if it sees that. */
#define BY_TID(e, which, other)                                                                    \
#e ".tid = " #other ".tid AND " #e ".kind = " #which " AND " #e ".kind NOT IN (12, 14)"
#define IN_RUNS(e) #e ".kind = 3 AND " #e ".kind <= 3"
#define ANSWERED(which)                                                                            \
    "EXISTS (SELECT 1 FROM entry d WHERE " BY_TID(d, which, a) " AND d.part = a.part)"
#define OPEN_DEVICE " NOT " ANSWERED(7) " AND NOT " ANSWERED(8)
/* The same device and key may have got their answer in another transaction: the line was run again.
 */
#define SERVED                                                                                     \
    " AND (a.device, a.key) NOT IN (SELECT o.device, o.key FROM entry d CROSS JOIN entry o"        \
    " WHERE d.kind IN (7, 8) AND d.kind NOT IN (12, 14) AND " BY_TID(o, 4,                         \
                                                                     d) " AND o.part = d.part)"
/* The devices of messages; a message that was recorded twice counts once. */
#define DEVICES                                                                                    \
    " FROM entry s CROSS JOIN entry a WHERE " IN_RUNS(s) " AND " BY_TID(                           \
        a, 4, s) " AND s.id = (SELECT min(f.id) FROM entry f WHERE " BY_TID(f, 3, s) ")"
#define ALL "SELECT " LEDGER_COLUMNS
#define ANY_OR(n, column) " AND (" #n " IS NULL OR " #column " = " #n ")"
/* The unary plus keeps SQLite from an index on the id where another one serves. */
#define FILTER(id)                                                                                 \
    " WHERE " id " > ?1 AND " id " <= ?2 AND (?3 >> kind) & 1 <> 0 AND time >= ?4 AND time < ?5"   \
    ANY_OR(?6, unit) ANY_OR(?7, owner) ANY_OR(?8, lot) ANY_OR(?9, profile) ANY_OR(?10, device)     \
    ANY_OR(?11, tid) ANY_OR(?12, serial)

static const char *const sql[LEDGER_SQL_COUNT] = {
    [LEDGER_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [LEDGER_SQL_COMMIT] = "COMMIT",
    [LEDGER_SQL_ROLLBACK] = "ROLLBACK",
    [LEDGER_SQL_NEWEST] = "SELECT id, time FROM entry ORDER BY id DESC LIMIT 1",
    [LEDGER_SQL_WRITER] =
        "INSERT INTO writer (nonce, unit, program, opened) VALUES (?1, ?2, ?3, ?4)",
    [LEDGER_SQL_ADD] =
        "INSERT INTO entry (" LEDGER_COLUMNS ", writer, n, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
        " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    [LEDGER_SQL_BY_ID] = ALL " FROM entry WHERE id = ?1",
    [LEDGER_SQL_BY_TID] = ALL " FROM entry WHERE tid = ?1 AND kind = ?2 AND kind NOT IN (12, 14)"
                              " AND (?3 IS NULL OR unit = ?3) ORDER BY id",
    [LEDGER_SQL_FRESH] = "SELECT entry, key, device FROM fresh WHERE entry > ?1 ORDER BY entry",
    [LEDGER_SQL_FRESH_ENDS] =
        "SELECT (SELECT min(entry) FROM fresh), (SELECT max(entry) FROM fresh)",
    [LEDGER_SQL_FRESH_ADD] = "INSERT INTO fresh (entry, key, device) VALUES (?1, ?2, ?3)",
    [LEDGER_SQL_FRESH_CLEAR] = "DELETE FROM fresh",
    [LEDGER_SQL_SEEN] = "SELECT entry FROM seen WHERE mark = ?1 ORDER BY entry",
    [LEDGER_SQL_SEEN_ADD] = "INSERT INTO seen (mark, entry) VALUES (?1, ?2)"
                            " ON CONFLICT DO NOTHING", /* one entry, key and device alike */
    [LEDGER_SQL_HAS_MARK] =
        "SELECT EXISTS (SELECT 1 FROM seen WHERE mark = ?1 AND entry = ?2)"
        " OR EXISTS (SELECT 1 FROM fresh WHERE entry = ?2 AND ?1 IN (key, device))",
    [LEDGER_SQL_RUN] = "SELECT kind, sum(status), sum(part) FROM entry WHERE kind IN (1, 2)"
                       " AND kind <= 3 AND run = ?1 GROUP BY kind",
    [LEDGER_SQL_RUN_DEVICES] =
        "SELECT count(*), sum(delivered), sum(refused AND NOT delivered) FROM"
        " (SELECT " ANSWERED(7) " AS delivered, " ANSWERED(8) " AS refused" DEVICES
                                                              " AND s.run = ?1)",
    [LEDGER_SQL_RUN_UNANSWERED] =
        "SELECT a.id" DEVICES " AND s.run = ?1 AND" OPEN_DEVICE " ORDER BY a.id",
    [LEDGER_SQL_UNANSWERED] = "SELECT a.id" DEVICES " AND" OPEN_DEVICE SERVED " ORDER BY a.id",
    [LEDGER_SQL_UNANSWERED_MESSAGES] = "SELECT s.id FROM entry s WHERE " IN_RUNS(
        s) " AND EXISTS (SELECT 1 FROM entry a WHERE " BY_TID(a, 4, s) " AND" OPEN_DEVICE SERVED
                                                                       ") ORDER BY s.id",
    [LEDGER_SQL_WRITERS] = "SELECT id, nonce, unit, program, opened FROM writer ORDER BY id",
    [LEDGER_SQL_ALL] = ALL ", writer, n, hash FROM entry ORDER BY id",
    [LEDGER_SQL_NEWEST_OF] = ALL " FROM entry WHERE kind = ?1 AND kind >= 15" ANY_OR(?2, note) //
    " ORDER BY id DESC LIMIT 1",
    [LEDGER_SQL_HELD] = ALL " FROM entry WHERE kind = 15 AND kind >= 15 ORDER BY id",
    [LEDGER_SQL_REVOKED] = ALL " FROM entry WHERE kind = 19 AND serial = ?1 AND note = ?2"
                               " ORDER BY id LIMIT 1",
    [LEDGER_SQL_ALLOWED] = ALL " FROM entry WHERE device = ?1 AND kind >= 22 AND kind IN (22, 23)"
                               " AND owner = ?2 AND profile = ?3 ORDER BY id",
    [LEDGER_SQL_USED] = "SELECT used FROM quota WHERE owner = ?1 AND lot = ?2",
    [LEDGER_SQL_MARKS] = "SELECT mark, entry FROM seen UNION ALL SELECT key, entry FROM fresh"
                         " UNION ALL SELECT device, entry FROM fresh WHERE device <> key",
    [LEDGER_SQL_INDEXED] = ALL " FROM entry WHERE kind IN (12, 14) ORDER BY id",
    [LEDGER_SQL_QUOTAS] = "SELECT owner, lot, used FROM quota",
    [LEDGER_SQL_QUOTA_WRONG] =
        "SELECT owner, lot, sum(said), sum(held) FROM (SELECT owner, lot, used AS said, 0 AS held"
        " FROM quota UNION ALL SELECT coalesce(owner, ''), coalesce(lot, ''), 0, 1 FROM entry"
        " WHERE kind = 14) AS q GROUP BY owner, lot HAVING sum(said) <> sum(held) LIMIT 1",
    [LEDGER_SQL_SCAN] = ALL " FROM entry" FILTER("id") " ORDER BY id",
    [LEDGER_SQL_SCAN_BARE] = "SELECT " LEDGER_COLUMNS_BARE " FROM entry" FILTER("id") " ORDER BY id",
    [LEDGER_SQL_SCAN_RARE] = ALL " FROM entry WHERE id IN (SELECT id FROM entry" FILTER("+id") //
    " AND kind >= 15) ORDER BY id",
    [LEDGER_SQL_STAND] = "SELECT writer, max(n), hash FROM entry WHERE id > ?1 AND id <= ?2"
                         " GROUP BY writer ORDER BY writer",
    [LEDGER_SQL_LINK_NEAR] = "SELECT id FROM entry WHERE writer = ?1 AND n <= ?2 AND n % 64 = 1"
                             " ORDER BY n DESC LIMIT 1",
    [LEDGER_SQL_LINK] = "SELECT hash FROM entry WHERE id >= ?3 AND writer = ?1 AND n = ?2 LIMIT 1",
};

sqlite3_stmt *ledger_sql(struct ledger *l, enum ledger_sql which)
{
    sqlite3_stmt **st = &l->sql[which];
    if (*st)
        sqlite3_reset(*st);
    else if (sqlite3_prepare_v3(l->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL) !=
             SQLITE_OK)
        ledger_failed(l, l->db);
    return *st;
}

enum status ledger_run_sql(struct ledger *l, sqlite3_stmt *st)
{
    if (!st)
        return ST_TEMP;
    int rc = sqlite3_step(st);
    enum status done = rc == SQLITE_DONE || rc == SQLITE_ROW ? ST_OK : ledger_failed(l, l->db);
    sqlite3_reset(st);
    return done;
}
