/* What the judges of verify-unit, ra-approve and ca-sign have in common. Each unit looks up in its
 * own files what a lot allows: the message only names it. */
#ifndef JUDGE_H
#define JUDGE_H

#include "cmc.h"
#include "csr.h"
#include "layers.h"
#include "lot.h"
#include "profile.h"
#include "unit.h"

struct judge_fail {
    enum profile_fail code; /* CMCFailInfo */
    char why[CMC_STRING + 1];
};

/* What a message may do, by this unit's own files. */
struct judge_rules {
    const struct lot *lot;
    const struct profile *profile;
    int bare_keys; /* the lot and this unit let bare public keys through */
};
/* The lot is known and open at `when`, its profile is the one the message names and one that the line may
 * reach, and the attach that signed the message and the verify-unit `unit_id` may use it. 0 with
 * `f` set: then every request of the message is refused. */
int judge_rules(const struct unit *u, const struct layers *m, const char *unit_id, int64_t when,
                struct judge_rules *out, struct judge_fail *f);

/* One request, opened. Borrowed from the message, but for `subject` of a bare key at verify-unit.
 */
struct judge_item {
    const struct cmc_item *item;
    struct csr csr; /* only where item->kind is CMC_TCR */
    struct profile_asked asked;
    struct span san; /* GeneralNames that the request asks for; empty: none */
    char device[CMC_DEVICE + 1];
};
/* Opens item i and checks that the device is the one that attach named, by the profile's rule: of a
 * request, over its own subject or what modCertTemplate puts there; a bare key has none until
 * verify-unit made its request. 1, or 0 with f set. */
int judge_item(const struct layers *m, size_t i, const struct judge_rules *r,
               struct judge_item *out, struct judge_fail *f);
/* Proof of possession: the request's own, or the permission for bare keys. */
int judge_pop(const struct judge_item *it, const struct judge_rules *r, struct judge_fail *f);

/* What the lot says of a device, by this unit's own list, pattern and templates. */
struct judge_names {
    struct buf subject, san; /* Name and GeneralNames, DER; empty: the lot does not say */
};
/* Looks the device up, holds its key against the list's `key`, and makes its names: they name the
 * device by the profile's rule. A bare key has a subject in any case: with the device's id alone
 * where the lot does not say one. Appended to `out`. 1, or 0 with f set. */
int judge_names(struct unit *u, const struct judge_rules *r, const struct judge_item *it,
                struct judge_names *out, struct judge_fail *f);
void judge_names_free(struct judge_names *n);
/* For units behind verify-unit: the names that its layer gives the request are those, and it gives
 * none where the lot here does not say any. 1, or 0 with f set. */
int judge_names_kept(struct unit *u, const struct judge_rules *r, const struct judge_item *it,
                     struct judge_fail *f);

/* Sets f; returns 0. */
int judge_no(struct judge_fail *f, enum profile_fail code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a refusal of item i to the list; those with the same reason share a verdict. */
struct judge_list {
    struct cmc_verdict *v;
    size_t n, cap;
};
void judge_add(struct judge_list *l, struct cmc_ref ref, enum cmc_status status, int fail,
               const char *text);
void judge_free(struct judge_list *l);

#endif
