/* What the parts of a renewal share. */
#ifndef RENEW_PRIV_H
#define RENEW_PRIV_H

#include <openssl/x509_vfy.h>

#include "csr.h"
#include "launch.h"
#include "renew.h"

#define RENEW_ANSWER (1024 * 1024) /* octets that a command may print */
#define RENEW_RESTART 300          /* seconds for the command that restarts */
#define RENEW_CHAIN 10             /* certificates in an answer */

struct renew_job;
struct renew {
    const struct plan *plan;
    struct store *store;
    const struct renew_options *o;
    struct store_scan was; /* ahead of this run */
    X509_STORE *trust;
    struct renew_job *jobs; /* one a purpose of the plan */
    enum status worst;
};

/* One purpose of the plan at work. */
struct renew_job {
    const struct plan_purpose *p;
    struct store_state state;
    char present[STORE_NAME + 1]; /* the certificate in use; empty: none yet */
    struct store_item item;       /* it, where there is one */
    struct launch *launch;        /* its commands; forked before any token is opened */
    int owed_now;                 /* a restart that this run made necessary */
    int due, resumed;             /* resumed: its request was there before this run */
};

/* Adds to what the run ends with: the worse of the two. */
void renew_worst(struct renew *r, enum status st);
/* Prints a line of the report. */
void renew_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes a key and its request and leaves both in the store. Under the lock. */
enum status renew_request(struct renew *r, const struct renew_job *j);
/* Runs the command for a request that waits; *out: what it printed. ST_OK; ST_TEMP: not yet, or it
 * could not be run, or ran too long; ST_REFUSED: it said no. After a warning. */
enum status renew_ask(struct renew *r, const struct renew_job *j, const struct store_enrolment *e,
                      struct buf *out);

/* Reads the roots and CRLs of the plan. 0 after a warning. */
int renew_trust(struct renew *r);
struct renew_answer {
    struct buf cert;  /* DER */
    struct buf chain; /* PEM */
};
/* Checks what came: certificates and nothing else, one for this key, the subject and names that
 * were asked, valid now and no shorter than the present one, not the present one, up to a root of
 * the trust. ST_REFUSED after a warning. */
enum status renew_check(struct renew *r, const struct renew_job *j, const struct store_enrolment *e,
                        struct span printed, struct renew_answer *out);
void renew_answer_free(struct renew_answer *a);

/* Stores what was checked, switches the purpose, remembers what is owed, and forgets the enrolment:
 * each step can be taken again by the next run. */
enum status renew_install(struct renew *r, struct renew_job *j, const struct store_enrolment *e,
                          const struct renew_answer *a, char name[STORE_NAME + 1]);
/* A certificate for this enrolment's key that an earlier run stored and could not put to use: its
 * name in `name`. */
int renew_stored(struct renew *r, const struct store_enrolment *e, char name[STORE_NAME + 1]);
/* Puts it to use, as the end of renew_install. */
enum status renew_use(struct renew *r, struct renew_job *j, const char *name);

/* Hooks and restarts that are owed. */
void renew_hooks(struct renew *r);
void renew_restart(struct renew *r);

#endif
