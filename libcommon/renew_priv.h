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
    struct store_scan was;  /* ahead of this run */
    X509_STORE *trust;      /* NULL: not read yet */
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
    int due;
    int waiting; /* an enrolment is under way whose certificate is not in the store */
};

/* Adds to what the run ends with: the worse of the two. */
void renew_worst(struct renew *r, enum status st);
/* Prints a line of the report. */
void renew_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whether this purpose is renewed because a person said so. */
int renew_forced(const struct renew *r, const struct renew_job *j);
/* Renews one purpose: from its request, or the one that waits, to the certificate in use; says so,
 * or backs off. */
void renew_enrol(struct renew *r, struct renew_job *j);
/* Seconds from an attempt that ended with ST_TEMP or ST_REFUSED to the next at most. Where little
 * time is left, it is tried more often; where none is, too. */
int64_t renew_longest_wait(const struct renew_job *j, enum status st, int64_t now);

/* Makes a key and its request and leaves both in the store. Under the lock. */
enum status renew_request(struct renew *r, struct renew_job *j);
/* Whether the key of a request that waits is still there. ST_OK; ST_REFUSED after a warning: it is
 * gone; ST_TEMP: its token is. */
enum status renew_key_there(const struct store_enrolment *e, const char *purpose);
/* Runs the command for a request that waits; *out: what it printed. ST_OK; ST_TEMP: not yet, or it
 * could not be run, or ran too long; ST_REFUSED: it said no, or too much. After a warning. */
enum status renew_ask(struct renew *r, struct renew_job *j, const struct store_enrolment *e,
                      struct buf *out);

/* Whether there is a place for the certificate of this job, in the store and in the token, beside
 * what other enrolments under way will bring. ST_REFUSED, ST_TEMP after a warning. */
enum status renew_room(struct renew *r, const struct renew_job *j);
/* Deletes what the rules name, ahead of an enrolment, or after a purpose was switched: then what
 * was superseded stays until the hook of its purpose has run. What went is part of the report. */
void renew_prune_before(struct renew *r, const struct renew_job *j);
void renew_prune_after(struct renew *r, struct renew_job *j);

/* Reads the roots and CRLs of the plan. 0 after a warning. */
int renew_trust(struct renew *r);
struct renew_answer {
    struct buf cert;  /* DER */
    struct buf chain; /* PEM */
};
/* Checks what came: certificates and nothing else, one for this key, with the subject, the names
 * and the usages that were asked for, valid now, not one that is there already or an older one, up
 * to a root of the trust. Its path becomes the chain. ST_REFUSED after a warning. */
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

/* The hook of a purpose that owes one. */
void renew_hook(struct renew *r, struct renew_job *j);
/* The restart that is owed by any purpose. */
void renew_restart(struct renew *r);

#endif
