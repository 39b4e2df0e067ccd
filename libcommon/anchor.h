/* Trust anchors and CRLs, as the configuration names them (RFC 5280, sections 5 and 6.1.1). */
#ifndef ANCHOR_H
#define ANCHOR_H

#include <stdint.h>
#include <openssl/x509.h>

#include "buf.h"
#include "status.h"

struct anchor;

struct anchor_files {
    const char *trust;   /* PEM, the self-signed roots */
    const char *unit_ca; /* PEM, the one CA that issues the units, then its intermediates if it has
                            any; NULL: the (only) root itself */
    const char *const *crls; /* PEM, each signed by a root or by the unit CA */
    size_t n_crls;
};

/* Reads all files. Roots must be self-signed CAs; the unit CA must lead to one of them; each CRL
 * must be signed by its issuer and say when the next one comes. ST_USAGE after a warning that names
 * the file. */
enum status anchor_load(const struct anchor_files *files, struct anchor **out);
void anchor_free(struct anchor *a);
/* Reads CRLs again whose file has changed since. Returns 1 if any was, 0 if none was, -1 after a
 * warning if one can not be read now (the caller ends with ST_TEMP: fail closed). */
int anchor_refresh(struct anchor *a);

/* get0, for path. The store is another one after anchor_refresh gave 1. */
X509_STORE *anchor_store(struct anchor *a);
X509 *anchor_unit_ca(struct anchor *a);
/* get0: the unit CA and its intermediates. */
STACK_OF(X509) * anchor_unit_chain(struct anchor *a);
/* Whether CRLs are configured, so that path must check them. */
int anchor_has_crls(const struct anchor *a);
/* The earliest nextUpdate of all CRLs; INT64_MAX without any. */
int64_t anchor_crls_until(const struct anchor *a);
/* Names each CRL whose nextUpdate is before `newest`, the time of the newest signature that it was
 * to speak of; gives how many. */
int anchor_crls_end_before(const struct anchor *a, int64_t newest);

#endif
