/* What store.yaml says (certline-store(5)): where the store is, what each purpose needs, when it is
 * renewed and how, what is deleted. */
#ifndef PLAN_H
#define PLAN_H

#include "config.h"
#include "prune.h"
#include "schedule.h"
#include "store.h"

#define PLAN_PURPOSES 64

enum plan_key { PLAN_KEY_NEW, PLAN_KEY_SAME };
enum plan_restart { PLAN_NOT_NEEDED, PLAN_NEEDED, PLAN_ASK };

struct plan_purpose {
    const char *name;
    struct schedule renew;
    int key; /* enum plan_key */
    const char
        *key_type; /* known to csr_key_known; NULL: that of the present key, P-256 for the first */
    const char *key_uri;    /* template with {name}: pkcs11:token=dev;object={name}; NULL: a file */
    const char *subject;    /* RFC 4514; NULL: that of the present certificate */
    struct cfg_strings san; /* as x509_san_parse; none: those of the present certificate */
    struct cfg_strings usages; /* extended key usages to ask for: serverAuth, dotted OIDs; none:
                                  those of the present */
    const char *challenge;     /* file with the challengePassword (RFC 2985, 5.4.1); NULL: none */
    const char *enroll, *poll; /* commands: a request on stdin, certificates on stdout */
    int64_t timeout;           /* seconds they may take */
    const char *after;         /* hook; NULL: none */
    int restart;               /* enum plan_restart */
};

struct plan {
    struct cfg *cfg;
    const char *store;   /* its folder */
    const char *token;   /* pkcs11: URI of a token that holds the certificates, too; NULL: none */
    int64_t token_limit; /* certificates that the token may hold; 0: no limit */
    const char *device; /* id, for the jitter; NULL in the file: /etc/machine-id, the host's name */
    const char *trust;  /* PEM: roots of the certificates that may come */
    struct cfg_strings crls;
    const char *restart; /* command; NULL: a restart is only reported */
    int64_t wait;        /* seconds for another process in the store */
    struct prune prune;  /* with limit, token and token_limit */
    size_t n;
    struct plan_purpose *purposes;
    char *own_device, *own_store;
};

/* Reads it; path NULL: /etc/certline/store.yaml. ST_USAGE after a warning. */
enum status plan_load(const char *path, struct plan **out);
void plan_free(struct plan *p);
const struct plan_purpose *plan_purpose(const struct plan *p, const char *name);
/* When the certificate that the purpose points to is due (schedule_due), with what the store
 * remembers of the purpose. jitter: seconds, where the purpose has none of its own. */
int64_t plan_due(const struct plan *p, const struct plan_purpose *purpose,
                 const struct store_state *state, const struct store_item *item, int64_t jitter);

#endif
