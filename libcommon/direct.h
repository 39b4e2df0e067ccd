/* Signing by the person who holds the CA's token: a bare request, or the CA's own certificate.
 * Recorded like any other; any profile may be named, a CA's and a unit's too. */
#ifndef DIRECT_H
#define DIRECT_H

#include "status.h"

struct direct {
    const char *config; /* certline-unit(5) of ca-sign */
    const char *profile;
    const char *subject; /* self-signed: RFC 4514 text; direct: replaces the request's, or NULL */
};

/* Reads one CERTIFICATE REQUEST from stdin, checks its proof of possession, prints the CERTIFICATE.
 * ST_REFUSED after a warning that says why. */
enum status direct_sign(const struct direct *d);
/* Prints a certificate for the CA's own key, signed by it. */
enum status direct_self_signed(const struct direct *d);

#endif
