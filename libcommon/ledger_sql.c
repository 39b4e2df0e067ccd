#include "ledger_priv.h"

_Static_assert(LEDGER_RUN_OPEN == 1 && LEDGER_RUN_CLOSE == 2 && LEDGER_SENT == 3 &&
                   LEDGER_ASKED == 4 && LEDGER_DELIVERED == 7 && LEDGER_REFUSED == 8 &&
                   LEDGER_UP == 9 && LEDGER_ISSUED == 12 && LEDGER_HELD == 15,
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
/* What is sorted are ids, not messages. */
#define BY_IDS(ids) ALL " FROM entry WHERE id IN (" ids ") ORDER BY id"
#define ANY_OR(n, column) " AND (" #n " IS NULL OR " #column " = " #n ")"
#define FILTER                                                                                            \
    " WHERE id > ?1 AND id <= ?2 AND (?3 >> CAST(kind AS integer)) & 1 <> 0 AND time >= ?4 AND time < ?5"   \
    ANY_OR(?6, unit) ANY_OR(?7, owner) ANY_OR(?8, lot) ANY_OR(?9, profile) ANY_OR(?10, device)     \
    ANY_OR(?11, tid) ANY_OR(?12, serial)
#define IN_ORDER " ORDER BY id LIMIT ?13"

static const char *const sql[LEDGER_SQL_COUNT] = {
    [LEDGER_SQL_NEWEST] = "SELECT id, time FROM entry ORDER BY id DESC LIMIT 1",
    [LEDGER_SQL_BY_TID] = ALL " FROM entry WHERE tid = ?1 AND kind = ?2 AND kind NOT IN (12, 14)"
                              " AND (?3 IS NULL OR unit = ?3) ORDER BY +id",
    [LEDGER_SQL_RUN] = "SELECT kind, CAST(sum(status) AS bigint), CAST(sum(part) AS bigint) FROM entry WHERE kind IN (1, 2)"
                       " AND kind <= 3 AND run = ?1 GROUP BY kind",
    [LEDGER_SQL_RUN_DEVICES] =
        "SELECT count(*), count(*) FILTER (WHERE delivered),"
        " count(*) FILTER (WHERE refused AND NOT delivered) FROM"
        " (SELECT " ANSWERED(7) " AS delivered, " ANSWERED(8) " AS refused" DEVICES
                                                              " AND s.run = ?1) AS asked",
    [LEDGER_SQL_RUN_UNANSWERED] =
        BY_IDS("SELECT a.id" DEVICES " AND s.run = ?1 AND" OPEN_DEVICE),
    [LEDGER_SQL_UNANSWERED] = BY_IDS("SELECT a.id" DEVICES " AND" OPEN_DEVICE SERVED),
    [LEDGER_SQL_UNANSWERED_MESSAGES] =
        BY_IDS("SELECT s.id FROM entry s WHERE " IN_RUNS(s) " AND EXISTS (SELECT 1 FROM entry a WHERE "
               BY_TID(a, 4, s) " AND" OPEN_DEVICE SERVED ")"),
    [LEDGER_SQL_WRITERS] = "SELECT id, nonce, unit, program, opened FROM writer ORDER BY id",
    [LEDGER_SQL_ALL] = ALL ", writer, n, hash FROM entry ORDER BY id",
    [LEDGER_SQL_NEWEST_OF] = ALL " FROM entry WHERE kind = ?1 AND kind >= 15" ANY_OR(?2, note) //
    " ORDER BY id DESC LIMIT 1",
    /* Read from two indexes alone, as it passes by all that ever waited. */
    [LEDGER_SQL_HELD] =
        "SELECT id, 0, kind, tid, NULL, 0, unit, NULL, NULL, NULL, NULL, NULL, NULL, digest_in, NULL,"
        " (SELECT a.status FROM entry a WHERE a.tid = h.tid AND a.unit = h.unit AND a.kind = 9"
        " AND a.status > 0 AND a.kind NOT IN (12, 14) ORDER BY a.id DESC LIMIT 1), NULL, NULL"
        " FROM entry h WHERE kind = 15 AND kind >= 15 ORDER BY digest_in",
    [LEDGER_SQL_REVOKED] = ALL " FROM entry WHERE kind = 19 AND serial = ?1 AND note = ?2"
                               " ORDER BY +id DESC LIMIT 1",
    [LEDGER_SQL_ALLOWED] = ALL " FROM entry WHERE device = ?1 AND kind >= 22 AND kind IN (22, 23)"
                               " AND owner = ?2 AND profile = ?3 ORDER BY +id",
    [LEDGER_SQL_USED] = "SELECT used FROM quota WHERE owner = ?1 AND lot = ?2",
    [LEDGER_SQL_QUOTAS] = "SELECT owner, lot, used FROM quota",
    [LEDGER_SQL_QUOTA_WRONG] =
        "SELECT owner, lot, CAST(sum(said) AS bigint), CAST(sum(held) AS bigint) FROM (SELECT owner, lot, used AS said, 0 AS held"
        " FROM quota UNION ALL SELECT coalesce(owner, ''), coalesce(lot, ''), 0, 1 FROM entry"
        " WHERE kind = 14) AS q GROUP BY owner, lot HAVING sum(said) <> sum(held) LIMIT 1",
    [LEDGER_SQL_SCAN] = ALL " FROM entry" FILTER IN_ORDER,
    [LEDGER_SQL_SCAN_BARE] = "SELECT " LEDGER_COLUMNS_BARE ", NULL FROM entry" FILTER IN_ORDER,
    [LEDGER_SQL_SCAN_RARE] = ALL " FROM entry" FILTER " AND kind = ?14 AND kind >= 15" IN_ORDER,
    [LEDGER_SQL_STAND] = "SELECT writer, n, hash FROM entry WHERE id IN (SELECT max(id) FROM entry"
                         " WHERE id > ?1 AND id <= ?2 GROUP BY writer) ORDER BY writer",
    [LEDGER_SQL_LINK_NEAR] = "SELECT id FROM entry WHERE writer = ?1 AND n <= ?2 AND n % 64 = 1"
                             " ORDER BY n DESC LIMIT 1",
    [LEDGER_SQL_LINK] = "SELECT hash FROM entry WHERE id >= ?3 AND writer = ?1 AND n = ?2 LIMIT 1",

    /* SQLite's */
    [LEDGER_SQLITE_BEGIN] = "BEGIN IMMEDIATE",
    [LEDGER_SQLITE_COMMIT] = "COMMIT",
    [LEDGER_SQLITE_ROLLBACK] = "ROLLBACK",
    [LEDGER_SQLITE_WRITER] =
        "INSERT INTO writer (nonce, unit, program, opened) VALUES (?1, ?2, ?3, ?4)",
    [LEDGER_SQLITE_ADD] =
        "INSERT INTO entry (" LEDGER_COLUMNS ", writer, n, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
        " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    [LEDGER_SQLITE_BY_ID] = ALL " FROM entry WHERE id = ?1",
    [LEDGER_SQLITE_FRESH] = "SELECT entry, key, device FROM fresh WHERE entry > ?1 ORDER BY entry",
    [LEDGER_SQLITE_FRESH_ENDS] =
        "SELECT (SELECT min(entry) FROM fresh), (SELECT max(entry) FROM fresh)",
    [LEDGER_SQLITE_FRESH_ADD] = "INSERT INTO fresh (entry, key, device) VALUES (?1, ?2, ?3)",
    [LEDGER_SQLITE_FRESH_CLEAR] = "DELETE FROM fresh",
    [LEDGER_SQLITE_SEEN] = "SELECT entry FROM seen WHERE mark = ?1 ORDER BY entry",
    [LEDGER_SQLITE_SEEN_ADD] = "INSERT INTO seen (mark, entry) VALUES (?1, ?2)"
                            " ON CONFLICT DO NOTHING", /* one entry, key and device alike */
    [LEDGER_SQLITE_HAS_MARK] =
        "SELECT EXISTS (SELECT 1 FROM seen WHERE mark = ?1 AND entry = ?2)"
        " OR EXISTS (SELECT 1 FROM fresh WHERE entry = ?2 AND ?1 IN (key, device))",
    [LEDGER_SQLITE_MARKS] = "SELECT mark, entry FROM seen UNION ALL SELECT key, entry FROM fresh"
                         " UNION ALL SELECT device, entry FROM fresh WHERE device <> key",
    [LEDGER_SQLITE_INDEXED] = ALL " FROM entry WHERE kind IN (12, 14) ORDER BY id",

    /* PostgreSQL's */
    [LEDGER_PG_LOCK] = "SELECT count(CASE WHEN m = ?2 THEN pg_advisory_xact_lock_shared(m)"
                       " ELSE pg_advisory_xact_lock(m) END) FROM unnest(?1) AS m",
    [LEDGER_PG_WRITER] =
        "INSERT INTO writer (id, nonce, unit, program, opened) SELECT coalesce(max(id), 0) + 1,"
        " ?1, ?2, ?3, ?4 FROM writer RETURNING id",
    [LEDGER_PG_ADD] =
        "INSERT INTO entry (" LEDGER_COLUMNS ", writer, n, hash) SELECT * FROM unnest(?1, ?2, ?3,"
        " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    /* A plan that was made for empty tables may read all of an index for one key; OFFSET 0 says that each
     * is looked up. */
    [LEDGER_PG_EXPECT_ISSUED] =
        "SELECT e.* FROM unnest(?1) AS k (v), LATERAL (" ALL " FROM entry WHERE key = k.v AND"
        " kind = 12 OFFSET 0) AS e UNION ALL SELECT e.* FROM unnest(?2, ?3, ?4) AS d (o, p, v),"
        " LATERAL (" ALL " FROM entry WHERE device = d.v AND kind = 12 AND owner IS NOT DISTINCT FROM"
        " d.o AND profile IS NOT DISTINCT FROM d.p OFFSET 0) AS e",
    [LEDGER_PG_EXPECT_COUNTED] =
        "SELECT e.* FROM unnest(?1) AS k (v), LATERAL (" ALL " FROM entry WHERE key = k.v AND"
        " kind = 14 OFFSET 0) AS e",
    [LEDGER_PG_HOLDERS] =
        "SELECT e.id FROM entry e LEFT JOIN holder h ON h.key = e.key WHERE e.kind = 12"
        " AND e.key IS NOT NULL AND (h.owner IS DISTINCT FROM e.owner"
        " OR h.device IS DISTINCT FROM e.device) ORDER BY e.id LIMIT 1",
};

struct ledger_stmt *ledger_sql(struct ledger *l, enum ledger_sql which)
{
    return l->store->prepare(&l->sql[which], sql[which]) ? &l->sql[which] : NULL;
}

void ledger_bind_int(struct ledger_stmt *st, int at, int64_t v)
{
    st->l->store->bind_int(st, at, v);
}

void ledger_bind_span(struct ledger_stmt *st, int at, struct span s)
{
    st->l->store->bind_span(st, at, s);
}

void ledger_bind_text(struct ledger_stmt *st, int at, const char *s)
{
    st->l->store->bind_text(st, at, s);
}

int ledger_step(struct ledger_stmt *st)
{
    return st->l->store->step(st);
}

int64_t ledger_int(const struct ledger_stmt *st, int at)
{
    return st->l->store->get_int(st, at);
}

struct span ledger_span(const struct ledger_stmt *st, int at)
{
    return st->l->store->get_span(st, at);
}

const char *ledger_text(const struct ledger_stmt *st, int at)
{
    return st->l->store->get_text(st, at);
}

void ledger_reset(struct ledger_stmt *st)
{
    if (st)
        st->l->store->reset(st);
}

enum status ledger_run_sql(struct ledger_stmt *st)
{
    int row = st ? ledger_step(st) : -1;
    ledger_reset(st);
    return row < 0 ? ST_TEMP : ST_OK;
}
