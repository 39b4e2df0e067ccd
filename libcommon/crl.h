/* Certificate revocation lists, RFC 5280, section 5: full ones, version 2, of one CA's
 * certificates. */
#ifndef CRL_H
#define CRL_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "signer.h"
#include "status.h"
#include "x509.h"

/* CRLReason, section 5.3.1. */
enum crl_reason { CRL_UNSPECIFIED = 0, CRL_KEY_COMPROMISE = 1 };
/* "keyCompromise" and so on to its number; -1: no such name. */
int crl_reason(const char *name);
/* NULL: no such number. */
const char *crl_reason_name(int64_t reason);

struct crl_entry {
    unsigned char serial[X509_SERIAL_MAX]; /* the INTEGER's content octets */
    unsigned char n, reason;
    int64_t time; /* revocationDate */
};
/* By serial number, as crl_find and crl_make need them; of several with one serial number the first
 * time stays, and with it its reason, unless one of them says keyCompromise. How many are left. */
size_t crl_sort(struct crl_entry *v, size_t n);
/* NULL: not among them. */
struct crl_entry *crl_find(struct crl_entry *v, size_t n, struct span serial);

struct crl {
    int64_t number, this_update, next_update;
    const struct crl_entry *entries;
    size_t n;
};

/* Whether the CA's certificate has keyUsage with cRLSign (section 4.2.1.3). */
int crl_may_sign(const struct x509_cert *ca);
/* Signs it with the key of that certificate: authorityKeyIdentifier, cRLNumber, reason codes other
 * than unspecified; DER, appended. ST_USAGE: a time that X.509 cannot say, or the key may not sign;
 * ST_TEMP: the token; each after a warning. */
enum status crl_make(const struct crl *c, const struct x509_cert *ca, struct signer *s,
                     struct buf *der);

#endif
