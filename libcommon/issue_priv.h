/* What the parts of the issue module share. */
#ifndef ISSUE_PRIV_H
#define ISSUE_PRIV_H

#include "issue.h"

/* What the ledger holds that bears on a request. */
struct issue_search {
    const struct issue_request *r;
    struct span key;
    const char *issuer; /* as of issue_ca_id */
    struct issue_result *out;
    enum { KEY_FREE, KEY_TAKEN, KEY_FOREIGN } key_state;
    char holder[160];  /* device that has the key */
    int known;         /* the device has a certificate of this profile for it already */
    struct buf keyed;  /* struct issue_past: certificates for the key */
    struct buf others; /* the same: certificates of this device with another key */
    struct buf
        leave; /* why a device with a new key is served, for LEDGER_REISSUED; empty: it has none */
};

/* Looks the key and the device up and judges. ST_OK: out->again is set, and out->certificate with
 * it, or a certificate may be made. ST_REFUSED: out->profile.fail and .why are set. ST_TEMP after a
 * warning. */
enum status issue_judge(struct ledger *l, struct issue_search *s, int64_t now);
void issue_search_free(struct issue_search *s);

#endif
