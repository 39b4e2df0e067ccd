/* ca-sign's answers: issues for those that nobody refused, and says to each request what became of
 * it. The unit issues with its own issuer, and records in its own ledger, in the transaction of the
 * hop. */
#ifndef ANSWER_H
#define ANSWER_H

#include "hop.h"

/* The CA that answers, with what one answer is made of: used again for the next. */
struct answer_ca;
struct answer_ca *answer_new(struct unit *u);
void answer_free(struct answer_ca *ca);
/* Whether a recorded answer was given again that has a certificate that was revoked since. */
int answer_withdrawn(const struct answer_ca *ca);

/* The judge of a hop; arg: a struct answer_ca. Of a poll that is not granted, the answer is what
 * ra-approve says of it. */
enum status answer_up(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg);
enum status answer_poll(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg);
enum status answer_again(struct unit *u, struct span answer, void *arg);

#endif
