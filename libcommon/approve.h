/* Quotas, and approval by people: messages that wait at ra-approve, and what persons decided about
 * them with keys of their own: CMS of the content type certline.30, whose Grant certline-message(5)
 * describes.
 *
 * A message that waits goes by an ID: the first hexadecimal digits of the SHA-256 of verify-unit's
 * message, so that who grants an ID grants what was shown under it. */
#ifndef APPROVE_H
#define APPROVE_H

#include "judge.h"
#include "layers.h"
#include "unit.h"

/* The unit's judgement of one request; `it` is filled, also where it gives 0 with `f` set. */
typedef int approve_one(struct unit *u, const struct layers *m, size_t i,
                        const struct judge_rules *r, struct judge_item *it, struct judge_fail *f);
struct approve {
    struct unit *u;
    approve_one *one;
};

/* Judges a message of verify-unit, inside a ledger transaction: what passes counts for the quota of
 * its lot, or waits where people must approve. Appends the DER of the PKIData that goes up; *owner
 * is the lot's, NULL where it is not known. ST_OK, or ST_TEMP after a warning. */
enum status approve_up(const struct approve *a, const struct layers *m, struct buf *content,
                       const char **owner);
/* The same for a poll: pending again; what was decided, with the message that waited; or badRequest
 * where nothing waits that it could ask after. *asked: which of them. */
enum status approve_poll(const struct approve *a, const struct layers *m, struct buf *content,
                         const char **owner, enum ledger_asked *asked);

/* What waits, one line a message on stdout, tabs between: ID, lot, owner, attach's id, requests,
 * since when, "1 of 2". ST_REFUSED if something waits: a person must act. */
enum status approve_list(const struct approve *a);
/* One message and its requests on stdout, as they would be certified. ST_USAGE: no such ID. */
enum status approve_show(const struct approve *a, const char *id);

/* A person: the key's URI, and the PEM file of the certificate, issued by the unit CA with the role
 * of an approver. */
struct approve_person {
    const char *key, *certificate;
};
/* Decides with the person's signature, which is verified before it is recorded. why NULL: grants;
 * else refuses, and says so to whoever asked. ST_REFUSED after a warning when this person may not
 * decide this; ST_USAGE: no such ID, or the files; ST_TEMP. */
enum status approve_decide(const struct approve *a, const struct approve_person *p, const char *id,
                           const char *why);
/* Shows all that waits, one after the other, on the terminal (ST_USAGE where there is none), and
 * takes the person's answers there. */
enum status approve_ask(const struct approve *a, const struct approve_person *p);

#endif
