/* Lots: what may be made, for whom, how many, when and under which names; owners: what stands in
 * every certificate of theirs (certline-lots(5)). */
#ifndef LOT_H
#define LOT_H

#include "config.h"
#include "csv.h"
#include "x509.h"

enum lot_pop { LOT_POP_REQUIRED, LOT_POP_WITNESS };

struct lots;
struct lot {
    const char *name, *profile, *owner;
    const char *devices;    /* path of the CSV; NULL: no list */
    const char *pattern;    /* POSIX extended regular expression for the whole id; NULL: none */
    const char *subject;    /* template with {column}, RFC 4514; NULL: the lot does not say */
    struct cfg_strings san; /* templates as of x509_san_parse; none: the lot does not say */
    struct cfg_strings verify_units; /* ids that may use the lot */
    struct cfg_strings attach;       /* likewise; none: every one that chain: lets in */
    struct cfg_strings approvers; /* persons who may grant it; none: every approver of the trust */
    int64_t quota;                /* identities; -1: no bound */
    int64_t from, until;          /* from <= now < until; INT64_MIN, INT64_MAX */
    int approve;                  /* different persons who must grant each message; 0: auto */
    int pop;                      /* enum lot_pop */
};

/* Reads lots.yaml. Lists are opened when they are first asked for. NULL after a warning. */
struct lots *lots_load(const char *path);
void lots_free(struct lots *ls);
/* NULL if there is none of that name. */
const struct lot *lots_find(const struct lots *ls, const char *name);
/* In the order of the file; NULL behind the last. */
const struct lot *lots_at(const struct lots *ls, size_t i);
/* For units that look devices up: whether the templates of each lot name columns that its list has.
 * A list that cannot be opened is only warned about: it refuses its own lot. 0 after a warning. */
int lots_check(struct lots *ls);
/* Opens the lot's list now (a bad row is named by its line). 1, or 0 after a warning, which is not
 * repeated when it is asked for again. */
int lots_open_list(struct lots *ls, const struct lot *l);
/* Reads the lot's list (it has one) to its end, makes the names of each device, and forgets it all:
 * the number of devices, and 1, or 0 after a warning. */
int lots_try_list(const struct lots *ls, const struct lot *l, size_t *n);

/* Looks the device up: 1 and *row (fields borrowed until the next call) if it is listed; 0 if not;
 * -1 after a warning if the list cannot be read. A lot without a list answers 1 with row->n = 0, or
 * 0 if its pattern does not match the whole id. The list's key column is `serial`, or the first.
 * Constant time, 12 octets of memory a device. row->line is 0 (lots_line tells). */
int lots_device(struct lots *ls, const struct lot *l, const char *device, struct csv_row *row);
/* The row's column `key`: 1 and the SHA-256 of the device's SubjectPublicKeyInfo; 0 where the row
 * has none; -1: it is not one in hexadecimal digits, colons allowed. */
int lot_listed_key(const struct csv_row *row, unsigned char key[X509_HASH]);
/* The line of a row that lots_device gave, for messages: it is counted, which takes time. 0: not of
 * a list. */
unsigned long lots_line(struct lots *ls, const struct lot *l, const struct csv_row *row);
/* Whether this verify-unit, this attach may use the lot. */
int lot_allows_unit(const struct lot *l, const char *unit);
int lot_allows_attach(const struct lot *l, const char *unit);
/* Whether the lot is open at `now`: 0 with `why` set (lot "L7" ended 2026-11-08T00:00:00Z). */
#define LOT_WHY 300
int lot_open_at(const struct lot *l, int64_t now, char why[LOT_WHY]);

/* What the lot says of a device that lots_device found (a device of a lot with a pattern has the
 * one column `serial`): Name and GeneralNames as DER, appended; nothing where the lot says nothing.
 * The list's own column `subject` stands for a template that is not there. 0 with `why` set, which
 * names the line. */
int lots_names(struct lots *ls, const struct lot *l, const char *device, const struct csv_row *row,
               struct buf *subject, struct buf *san, char why[LOT_WHY]);
/* Whether a certificate of this owner may bear these names: the fixed fields of the file's
 * `owners`, which each owner of a lot then needs to be among; 1 where the file has none. 0 with
 * `why` set. */
int lots_owner_allows(const struct lots *ls, const char *owner, struct span subject,
                      struct span san, char why[LOT_WHY]);

#endif
