/* The renewal of a device's certificates (cert-renew(1)): what is due is requested anew, the answer
 * is checked, stored whole, its purpose switched over, the hook run, what is superseded pruned.
 *
 * Each step leaves on the disk what the next run needs to go on after a kill: the request and its
 * key wait in the store until the certificate is in use; a hook or restart that is owed is
 * remembered ahead of the switch. */
#ifndef RENEW_H
#define RENEW_H

#include "plan.h"

struct renew_options {
    const char *force; /* a purpose that is renewed whatever its schedule says; NULL: none */
    int dry_run;       /* says what would be done now, does nothing */
    int64_t now;
    int64_t jitter; /* seconds, for purposes without one of their own */
};

/* One run over all purposes; what was done goes to stdout, one line each, nothing where nothing was
 * to do. The worst of: ST_OK; ST_REFUSED: an enrolment was refused, an answer was wrong, the store
 * is full, something in it cannot be read, the clock is wrong; ST_TEMP: an enrolment is pending or
 * could not be made now, a hook failed; the next run goes on. */
enum status renew_run(const struct plan *p, struct store *s, const struct renew_options *o);

#endif
