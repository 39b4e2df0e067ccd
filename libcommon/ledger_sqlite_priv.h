/* The SQLite store. */
#ifndef LEDGER_SQLITE_PRIV_H
#define LEDGER_SQLITE_PRIV_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "ledger_priv.h"

#define LEDGER_APPLICATION 0x63746c67 /* "ctlg": PRAGMA application_id */

struct ledger_lite {
    sqlite3 *db;
    struct ledger_fresh *fresh; /* of ledger_sqlite_seen.c; NULL until the first look-up */
    struct buf prefix;          /* what prefix_hash is of: names in a row begin alike */
    unsigned char prefix_hash[LEDGER_HASH];
    int fixed;         /* opened as a file that nobody changes, */
    struct stat about; /* which is to stay like this */
};

enum status ledger_sqlite_open(struct ledger *l);
/* For a reader, after SQLite could not read it for want of the right to write: opens the file anew
 * if nobody can be changing it, else ST_USAGE after a warning. */
enum status ledger_sqlite_copy(struct ledger *l);
int ledger_sqlite_unchanged(const struct ledger *l);
/* Makes the tables, indexes and triggers of a format. */
int ledger_sqlite_tables(sqlite3 *db, int64_t format);
/* How much is wrong with them, a warning for each. */
int64_t ledger_sqlite_wrong(struct ledger *l);
/* Warns what SQLite failed at; the status that goes with it. */
enum status ledger_sqlite_failed(const struct ledger *l, sqlite3 *db);

/* Adds a LEDGER_ISSUED or LEDGER_COUNTED to the index. */
enum status ledger_seen_add(struct ledger *l, const struct ledger_entry *e);
enum status ledger_seen_find(struct ledger *l, const struct ledger_wanted *w);
/* The mark to look for; brings the memory up to what other processes did. */
enum status ledger_seen_key(struct ledger *l, const struct ledger_wanted *w, int64_t *mark);
/* Where what is not in the tree yet has this mark. */
enum status ledger_seen_fresh(struct ledger *l, int64_t mark,
                              enum status (*each)(struct ledger *l, int64_t entry, void *arg),
                              void *arg);
/* The marks under which the index has it; they may be alike. */
void ledger_seen_marks(struct ledger *l, const struct ledger_entry *e, int64_t *key,
                       int64_t *other);
/* At the start and end of a transaction. changed: what it added did not stay. */
void ledger_seen_forget(struct ledger *l, int changed);
void ledger_seen_free(struct ledger *l);
void ledger_seen_sum(struct ledger *l, struct ledger_sums *s, const struct ledger_entry *e);
int ledger_seen_fits(struct ledger *l, const struct ledger_sums *s);

#endif
