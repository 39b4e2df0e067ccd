/* What the device store holds, for people and for monitors (cert-list(1)). */
#ifndef INVENTORY_H
#define INVENTORY_H

#include "plan.h"

enum inventory_state {
    INVENTORY_IN_USE,
    INVENTORY_DUE,
    INVENTORY_EXPIRED,
    INVENTORY_NO_PURPOSE,
    INVENTORY_BAD /* cannot be read */
};
/* "in use", "due", "expired", "no purpose", "unreadable" */
const char *inventory_state_name(enum inventory_state s);

struct inventory {
    const struct plan *plan;
    struct store *store;
    struct store_scan scan;
    int64_t now;
    unsigned char *states; /* enum inventory_state, as scan.certs */
    int64_t *due;          /* when it is due; INT64_MAX: never, or not in use */
    size_t n_due, n_expired;
};
/* Scans the store and judges every certificate; what the schedule has to be asked for are those in
 * use alone. */
enum status inventory_open(const struct plan *p, struct store *s, int64_t now,
                           struct inventory *out);
void inventory_close(struct inventory *v);

/* One certificate as text; all of it owned. */
struct inventory_row {
    const struct store_cert *cert;
    enum inventory_state state;
    int64_t due;
    int64_t days; /* left, rounded down; negative: since its end */
    char *purposes, *subject, *issuer, *serial, *key, *sha256, *sha1, *usages, *names;
    const char *origin;
    int64_t added;
};
/* i: index in scan.certs. Of one that cannot be read only cert and state are set. */
void inventory_row(const struct inventory *v, size_t i, struct inventory_row *out);
void inventory_row_free(struct inventory_row *r);

/* One object on one line (RFC 8259), appended. */
void inventory_json(const struct inventory_row *r, struct buf *out);
/* The whole store as one page that needs nothing else, appended. */
void inventory_html(const struct inventory *v, struct buf *out);

#endif
