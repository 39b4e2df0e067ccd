/* Putting into the device store what is there already: certificate, chain, key (cert-import(1)). */
#ifndef IMPORT_H
#define IMPORT_H

#include "plan.h"

#define IMPORT_CHAIN 10 /* certificates in a file */

struct import_options {
    const char *cert;  /* PEM file: the certificate, then its issuers; NULL: stdin */
    const char *chain; /* PEM file with the issuers; NULL: those behind the certificate */
    const char *key;   /* PEM file, or pkcs11: URI; NULL: none, so that no purpose can have it */
    const char *name;  /* NULL: made of the purpose, or "imported", and the date */
    const char *const *purposes; /* that are switched to it */
    size_t n_purposes;
    enum store_origin origin; /* STORE_UNKNOWN: self-signed where it is, else imported */
};

/* Stores it, in the plan's token too where its key is there, and prints its name. One that the
 * store holds already is not stored again, its purposes are pointed to it. ST_INPUT: not
 * certificates; ST_REFUSED: the key is another one, the name is taken, the store or the token is
 * full; ST_TEMP. After a warning. */
enum status import_run(const struct plan *p, struct store *s, const struct import_options *o);

#endif
