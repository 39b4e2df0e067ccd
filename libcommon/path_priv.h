/* What path.c and its parts share. */
#ifndef PATH_PRIV_H
#define PATH_PRIV_H

#include <openssl/x509.h>

#include "path.h"

/* Writes into `why` and gives 0. The words of `fmt` start with "certificate of WHO ". */
int path_bad(char why[PATH_WHY], const char *who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* RFC 5280, section 6.1, and CRLs, at `now`. On success *chain (leaf first, root last) is the
 * caller's to free. 0 with why set; `who` names the leaf. revoked NULL: the CRLs must be of `now`;
 * else *revoked becomes the time from which on a certificate of the path is revoked, if that is
 * before its value. */
int path_verify(struct anchor *a, X509 *leaf, const struct span *extra, size_t n_extra, int64_t now,
                const char *who, int64_t *revoked, STACK_OF(X509) * *chain, char why[PATH_WHY]);

/* What a unit's own certificate must say; sets the role. 0 with why set. */
int path_role_rules(X509 *x, const char *who, enum path_role *role, char why[PATH_WHY]);

#endif
