/* Which certificates go (certline-store(5), DELETION): rules over scans of the store. */
#ifndef PRUNE_H
#define PRUNE_H

#include "config.h"
#include "store.h"

enum prune_rule { /* a set; those that are on add up */
                  PRUNE_SUPERSEDED =
                      1, /* a purpose of its own points to a newer one, and none to it */
                  PRUNE_NO_PURPOSE = 2,
                  PRUNE_SELF_SIGNED = 4,
                  PRUNE_FACTORY = 8,
                  PRUNE_EXPIRED = 16
};
enum prune_when { /* a set; empty: automatic deletion is off */
                  PRUNE_ALWAYS = 1,
                  PRUNE_LIMIT = 2, /* no more than make store and token smaller than their limits */
                  PRUNE_FREE_SPACE = 4 /* no more than bring the free space to its value */
};
enum prune_order { PRUNE_OLDEST, PRUNE_EXPIRED_FIRST, PRUNE_EARLIEST_END };

struct prune {
    unsigned when, rules;
    unsigned only; /* PRUNE_SELF_SIGNED, PRUNE_FACTORY: nothing else may go; 0: no filter */
    int64_t limit; /* certificates that the store may hold; 0: any number */
    const char *token, *base; /* pkcs11: URI, and the file that it stands in */
    int64_t token_limit;      /* certificates that it may hold; 0: any number, or no token */
    int64_t free_space;       /* octets that its file system should have */
    enum prune_order order;
    int before, after; /* in a renewal: ahead of the enrolment, behind the switch of the purpose */
    struct cfg_strings keep;
};
/* Reads `deletion:`. 0 after a warning with file, line and column. */
int prune_read(struct cfg *c, const struct cfg_node *n, struct prune *out);

struct prune_victim {
    size_t cert;    /* in the scan `is` */
    unsigned rules; /* that named it */
};
struct prune_list {
    size_t n;
    struct prune_victim *v; /* in the order in which they go; owned */
    int bad;                /* of some it could not be found out, said in a warning: they stay */
    int clock; /* the clock is before the newest notBefore: nothing was judged by date */
};
/* Judges as EP 3 413 224, paragraphs 120 to 123: by what `was`, the store ahead of the update, says
 * of purposes, so that what was superseded just now is not "without purpose" too; among those that
 * `is` still holds. Never what a purpose of `is` points to, what is kept by name, what cannot be
 * read, what is not store_deletable, or what belongs to an enrolment under way. `room`: places that
 * must be free afterwards. The two scans may be one. ST_TEMP after a warning. */
enum status prune_judge(const struct prune *p, struct store *s, const struct store_scan *was,
                        const struct store_scan *is, int64_t now, size_t room,
                        struct prune_list *out);
void prune_list_free(struct prune_list *l);
/* "superseded, expired", appended. */
void prune_rules_text(unsigned rules, struct buf *out);
/* "always", "limit 10", "free space at most 1048576 octets", "never", appended. */
void prune_when_text(const struct prune *p, struct buf *out);

#endif
