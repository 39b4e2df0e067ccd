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
    size_t n_due, n_expired, n_bad;
    int clock; /* before the newest notBefore of the store: plainly wrong */
};
/* Scans the store and judges every certificate; what the schedule has to be asked for are those in
 * use alone. */
enum status inventory_open(const struct plan *p, struct store *s, int64_t now,
                           struct inventory *out);
void inventory_close(struct inventory *v);

/* One certificate as text without control characters, owned. What there are several of stands one a
 * line. */
struct inventory_row {
    const struct store_cert *cert;
    enum inventory_state state;
    int64_t due;
    int64_t days; /* left, rounded down; negative: since its end */
    char *purposes, *issuer;
    char *subject, *serial, *names, *usages, *extended_usages, *sha256, *sha1;
    const char *key;    /* "EC P-256", "RSA"; with key_bits */
    const char *key_in; /* "file", "token", "none" */
    int key_bits;       /* 0: not known */
    const char *origin;
    int64_t added; /* 0: not known */
};
/* i: index in scan.certs. Of one that cannot be read only cert, state and purposes are set; the
 * brief form opens nothing but cert.pem, and ends with `issuer`. */
void inventory_row(const struct inventory *v, size_t i, struct inventory_row *out);
void inventory_row_brief(const struct inventory *v, size_t i, struct inventory_row *out);
void inventory_row_free(struct inventory_row *r);

/* One object on one line (RFC 8259), appended. */
void inventory_json(const struct inventory_row *r, struct buf *out);
/* The whole store as one page that needs nothing else, written as it is made. 0 with errno. */
int inventory_html(const struct inventory *v, int fd);

/* How a table is shown. */
struct inventory_view {
    int due, expired;    /* only those; both 0: all */
    int colour, columns; /* columns 0: no terminal, nothing is cut */
};
struct inventory_widths {
    int name, purposes, issuer;
};
int inventory_shown(const struct inventory *v, const struct inventory_view *view, size_t i);
void inventory_measure(const struct inventory *v, const struct inventory_view *view,
                       struct inventory_widths *out);
/* Its first line and one of the others, appended; the row's purposes are then in one line. */
void inventory_head(const struct inventory_widths *w, struct buf *out);
void inventory_line(const struct inventory_view *view, const struct inventory_widths *w,
                    struct inventory_row *r, struct buf *out);
/* All of one that can be read, a line each, appended. */
void inventory_details(const struct inventory_row *r, struct buf *out);

#endif
