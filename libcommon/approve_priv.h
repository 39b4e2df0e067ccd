/* What the approve*.c files share. */
#ifndef APPROVE_PRIV_H
#define APPROVE_PRIV_H

#include "approve.h"

#define APPROVE_NAME 64 /* octets of a unit's or a person's id: path_check */
#define APPROVE_WHY 400
/* The longest reason of a person: "ra-approve: refused by NAME: WHY" is one statusString. */
#define APPROVE_REASON (CMC_STRING - APPROVE_NAME - 32)

/* A message that was held back, with its requests opened. */
struct approve_held {
    int64_t since;
    unsigned char tid[CMC_TID], message[CMS_DIGEST], token[CMC_TOKEN];
    char *attach, *owner, *lot, *profile;
    char *refused; /* requests that were refused when it came in: a line "PART FAIL TEXT" each */
    uint32_t requests;
    struct buf der;  /* verify-unit's ContentInfo */
    struct layers m; /* of der; m.n 0: not opened */
};
/* The newest that waits for this transaction of this attach. Opens nothing. *found says if there is
 * any. */
enum status approve_held_newest(const struct approve *a, struct span tid, const char *attach,
                                struct approve_held *h, int *found);
/* Verifies der again, whatever its age, and that it is what the entry says. 0 with `why` set. */
int approve_held_open(const struct approve *a, struct approve_held *h, char why[CMS_WHY]);
void approve_held_free(struct approve_held *h);

/* Messages that were held, oldest first. */
struct approve_place {
    int64_t id; /* of the entry */
    unsigned char tid[CMC_TID], message[CMS_DIGEST];
    char attach[APPROVE_NAME + 1];
};
struct approve_places {
    struct approve_place *v;
    size_t n, cap;
    size_t digits; /* of an ID that tells these apart from all that were ever held */
};
/* id NULL: all but those whose decision is on its way; else those whose ID begins with it. */
enum status approve_places(const struct approve *a, const char *id, struct approve_places *p);
void approve_places_free(struct approve_places *p);
/* Reads the one at this place; *changed: verify-unit has sent another message for the transaction
 * since. */
enum status approve_held_at(const struct approve *a, const struct approve_place *at,
                            struct approve_held *h, int *changed);
/* By its ID. ST_USAGE after a warning when there is none, or more than one. */
enum status approve_held_named(const struct approve *a, const char *id, struct approve_held *h,
                               int *changed);

/* What people decided. */
struct approve_vote {
    char *who;
    unsigned char key[X509_HASH];
    int64_t time;
    int refused;
    char *why;
};
enum approve_state { APPROVE_WAITS, APPROVE_GRANTED, APPROVE_REFUSED };
struct approve_tally {
    enum approve_state state;
    int needed, granted;
    struct approve_vote *v; /* those that count; the last refused if the state says so */
    size_t n;
};
/* Counts the votes that verify, for a message that is opened. */
enum status approve_tally(const struct approve *a, const struct approve_held *h,
                          const struct lot *lot, struct approve_tally *t);
void approve_tally_free(struct approve_tally *t);
/* Whether this person may (still) vote. 0 with `why` set. */
int approve_may(const struct approve *a, const struct approve_held *h, const struct lot *lot,
                const struct approve_tally *t, const struct path_unit *who, char why[APPROVE_WHY]);
/* Whether a person's reason can go down the line. */
int approve_reason_ok(const char *why);
/* Appends the DER of a Grant; why NULL: none. */
void approve_grant_put(const struct approve *a, const struct approve_held *h, int decision,
                       const char *why, struct buf *out);
/* Verifies a grant over exactly this: the layer of the person, borrowed from *c, which the caller
 * frees. NULL with `why` set. past: a path for certificates that ended since, or NULL. */
int approve_grant_open(const struct approve *a, const struct approve_held *h, struct span der,
                       int decision, const char *text, struct path *past, struct cms **c,
                       struct cms_layer *out, char why[CMS_WHY]);

/* What is known of the requests of one message while it is judged. */
struct approve_work {
    const struct approve *a;
    const struct layers *m;
    struct judge_rules rules;
    int ruled; /* rules hold */
    struct judge_list verdicts;
    unsigned char *passes; /* one a request */
    size_t n_passes;
};
void approve_refuse(struct approve_work *w, size_t i, const struct judge_fail *f);
/* Refuses what is beyond the lot's quota; count: the rest counts from now on. */
enum status approve_quota(struct approve_work *w, int count);

/* The text of --show. */
enum status approve_show_put(const struct approve *a, struct approve_held *h, int changed,
                             struct buf *out);
/* The person's certificate and key, the key opened when it is first needed. */
struct approve_hand {
    const struct approve_person *p;
    const struct path_unit *who;
    struct signer *signer;
};
enum status approve_hand_open(const struct approve *a, const struct approve_person *p,
                              struct approve_hand *hand);
enum status approve_vote(const struct approve *a, struct approve_hand *hand, struct approve_held *h,
                         int changed, const char *why);

#endif
