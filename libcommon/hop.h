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
    enum ledger_asked asked;
};

struct hop_judge {
    /* Judges a request message that is verified, from a pinned neighbour, new to the ledger, inside
     * a ledger transaction that it may add to. ST_OK with `out` filled (zeroed before), or the
     * status to end with. What out->other points to must live until the next call. */
    enum status (*up)(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg);
    /* The same for a poll that stands alone (m->poll set, m->request NULL), after a transaction of
     * this attach and lot that the unit's ledger knows (ca-sign's need not). NULL: the unit passes
     * polls on. A poll that is granted stands beside the request, and `up` sees it. */
    enum status (*poll)(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg);
    /* Sees what was recorded for a message that comes again before it is written once more, in the
     * same transaction. NULL: has nothing to say of it. */
    enum status (*again)(struct unit *u, struct span answer, void *arg);
    void *arg;
};

/* Runs until the end of stdin. Returns the exit status. */
enum status hop_run(struct unit *u, enum hop_pin pin, const struct hop_judge *judge);
/* The whole program of a unit that passes messages both ways: options (-c, --up, --down, --check,
 * -p), opening, hop_run, closing. */
enum status hop_main(enum path_role role, const char *purpose, const struct hop_judge *judge,
                     int argc, char **argv);

#endif
