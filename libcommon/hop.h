/* The driver of the units that stand between two attach: read, open, judge, wrap, sign, record,
 * write. One message at a time; nothing is written before it is committed to the ledger. */
#ifndef HOP_H
#define HOP_H

#include "cms.h"
#include "layers.h"
#include "ledger.h"
#include "unit.h"

enum hop_pin { HOP_EITHER, HOP_UP, HOP_DOWN };

/* What a judge makes of a message. */
struct hop_answer {
    enum cms_type type;
    struct buf content;       /* DER of the PKIData or PKIResponse to sign */
    const struct span *other; /* certificates for the bag, beside the unit's own path; NULL: none */
    size_t n_other;
    const char *owner; /* of the lot, for the ledger; NULL: not known */
};

struct hop_judge {
    /* Judges a request message that is verified, from a pinned neighbour, new to the ledger, inside
     * a ledger transaction that it may add to. ST_OK with `out` filled (zeroed before), or the
     * status to end with. What out->other points to must live until the next call. */
    enum status (*up)(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg);
    /* The same for a poll (m->poll set, m->request NULL): ra-approve's judge, who holds the message that is asked
     * after. NULL: the unit passes polls on (verify-unit), or answers pending what comes up pending (ca-sign, whose
     * `up` sees a poll that is granted beside the request). */
    enum status (*poll)(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg);
    void *arg;
};

/* Runs until the end of stdin. Returns the exit status. */
enum status hop_run(struct unit *u, enum hop_pin pin, const struct hop_judge *judge);
/* The whole program of a unit that passes messages both ways: options (-c, --up, --down, --check,
 * -p), opening, hop_run, closing. */
enum status hop_main(enum path_role role, const char *purpose, const struct hop_judge *judge,
                     int argc, char **argv);

#endif
