/* What the parts of the revoke module share. */
#ifndef REVOKE_PRIV_H
#define REVOKE_PRIV_H

#include "issue.h"
#include "revoke.h"
#include "unit.h"

/* Something that was named. */
struct revoke_wanted {
    char *text;         /* serial number as x509_serial_text has it, device, lot or unit */
    unsigned long line; /* of the list or of the PEM block; 0: an option */
    int keyed;          /* a certificate: */
    unsigned char key[X509_HASH];
    char *owner; /* of the first that was found */
};

/* A certificate that was found. */
struct revoke_pick {
    unsigned char serial[20], key[X509_HASH];
    size_t n_serial, n_key;
    int64_t ends;
    const char *unit, *owner, *lot, *profile, *device; /* in `texts` */
    char *texts;
    int before; /* it is revoked already, and nothing is to be added to that */
};

struct revoke_job {
    const struct revoke *r;
    struct unit *u;
    char issuer[ISSUE_CA_ID];
    unsigned char own_key[X509_HASH]; /* of the CA */
    enum revoke_by { REVOKE_SERIAL, REVOKE_DEVICE, REVOKE_LOT, REVOKE_UNIT } by;
    const char *source;         /* what a line is of */
    struct revoke_wanted *want; /* by text */
    size_t n_want, cap_want;
    struct revoke_pick *picks;
    size_t n_picks, cap_picks, fresh; /* fresh: those that are recorded, or would be */
    size_t changed; /* of these: revoked already, and the key turns out to be compromised */
};

/* Reads what was named. */
enum status revoke_want(struct revoke_job *j);
void revoke_want_free(struct revoke_job *j);
/* "line: " and what has no certificate. */
void revoke_want_warn(const struct revoke_job *j, const struct revoke_wanted *w);

/* Finds the certificates; what an earlier call found is forgotten. */
enum status revoke_select(struct revoke_job *j);
void revoke_select_free(struct revoke_job *j);

#endif
