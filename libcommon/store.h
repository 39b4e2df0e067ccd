/* The device store (certline-store(5)): a folder for each certificate, a symbolic link for each
 * purpose, usable by any server as it is and never half-way.
 *
 *     STORE/cert/NAME/{cert.pem,chain.pem,fullchain.pem,key.pem|key.uri,meta.yaml}
 *     STORE/purpose/PURPOSE -> ../cert/NAME
 *     STORE/pending/PURPOSE/{request.pem,key.pem|key.uri,meta.yaml}
 *     STORE/state/PURPOSE.yaml, STORE/history
 *
 * A folder under cert/ and pending/ is whole from the moment it has its name (it is made beside and
 * renamed) and gone from the moment it loses it (renamed away, then emptied): what a kill left over
 * is taken away by the next process that holds the lock. A purpose is switched by rename(2). Names
 * and purposes are 1 to 64 of [A-Za-z0-9._-], the first no dot and no hyphen. No symbolic link is
 * ever followed but to see where that of a purpose leads.
 *
 * Every call that can fail prints one warning that names the file. */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "x509.h"

#define STORE_NAME 64
#define STORE_CERTS 100000 /* certificates in a store */
#define STORE_FILE 262144  /* octets of one of its files */
#define STORE_PURPOSES 256
#define STORE_BOOT 40 /* a boot_id of Linux, and more */
#define STORE_ID 8    /* octets of a certificate's SHA-256 */
#define STORE_MAKING 8
#define STORE_AHEAD 300 /* seconds that the clock of a CA may be ahead of the device's */

enum store_origin { STORE_FACTORY, STORE_ISSUED, STORE_SELF_SIGNED, STORE_IMPORTED, STORE_UNKNOWN };
/* "factory", "issued", "self-signed", "imported", "unknown" */
const char *store_origin_name(enum store_origin o);

/* Whether it can name a certificate or a purpose. */
int store_name_ok(const char *name);

struct store;

enum store_access {
    STORE_USE,
    STORE_MAKE, /* its folders are made where they are missing */
    STORE_SHOW /* only to be scanned and read, also by who may not see enrolments under way: then no
                * certificate is `pending` */
};
/* ST_USAGE: there is no store, or it may not be looked at; ST_TEMP. */
enum status store_open(const char *path, enum store_access access, struct store **out);
void store_close(struct store *s);
const char *store_path(const struct store *s);
/* Exclusive against other processes until store_unlock or store_close; waits up to `seconds`, then
 * ST_TEMP with the process that holds it. ST_USAGE: somebody else could change it meanwhile. Takes
 * away what a killed process left. What changes the store asserts that it is held. */
enum status store_lock(struct store *s, int seconds);
void store_unlock(struct store *s);

/* One certificate as a scan sees it. */
struct store_cert {
    char name[STORE_NAME + 1];
    int64_t not_before, not_after;
    unsigned char id[STORE_ID];
    unsigned char bad;     /* cannot be read, said in a warning: no rule may touch it */
    unsigned char self;    /* issuer and subject are the same */
    unsigned char linked;  /* a purpose points to it */
    unsigned char pending; /* its key is that of an enrolment that is not finished */
};
struct store_purpose {
    char name[STORE_NAME + 1];
    int64_t cert; /* index in certs; -1: dangling or outside, said in a warning */
};
struct store_scan {
    size_t n, n_purposes;
    struct store_cert *certs; /* by name */
    struct store_purpose *purposes;
    int64_t newest_not_before; /* INT64_MIN: no certificate */
    int bad;                   /* something could not be read */
};
/* Reads all certificates and links; needs no lock: what goes away meanwhile is left out. A foreign
 * file, a dangling link, one that points outside, a certificate that is none: a warning each,
 * out->bad, and the rest is read. ST_TEMP: the folders cannot be read. */
enum status store_scan(struct store *s, struct store_scan *out);
/* Whether a clock that says `now` is plainly wrong: before the newest notBefore by more than a CA's
 * clock may be ahead. */
int store_clock_wrong(const struct store_scan *sc, int64_t now);
void store_scan_free(struct store_scan *sc);
/* get0; NULL: none of that name. */
const struct store_cert *store_find(const struct store_scan *sc, const char *name);
const struct store_purpose *store_find_purpose(const struct store_scan *sc, const char *purpose);

/* All of one certificate. */
struct store_item {
    struct buf der, chain; /* chain: PEM, may be empty */
    struct x509_cert cert; /* borrowed from der */
    char *key;             /* path of key.pem, or the URI in key.uri; NULL: no key */
    int key_in_token;
    enum store_origin origin;
    int64_t added;   /* when it came into the store; 0: not known */
    char **purposes; /* those it was put into the store for, or set to */
    size_t n_purposes;
};
/* ST_REFUSED after a warning: there is none, or it cannot be read. */
enum status store_read(struct store *s, const char *name, struct store_item *out);
void store_item_free(struct store_item *i);
/* cert.pem alone; the view borrows from der. 0 after a warning. */
int store_read_cert(struct store *s, const char *name, struct buf *der, struct x509_cert *cert);

/* What is to be put in. Of key_pem (secret) and key_uri at most one is set. */
struct store_new {
    const char *name; /* NULL: made of `base` and the date: tls-2026-11-22, tls-2026-11-22-2 ... */
    const char *base;
    struct span cert, chain; /* DER of one certificate; PEM of its issuers */
    struct span key_pem;
    const char *key_uri;
    enum store_origin origin;
    const char *const *purposes;
    size_t n_purposes;
};
/* Stores it whole, on the disk when it returns, and names it. ST_REFUSED: the name is taken, or the
 * key is not the certificate's; ST_TEMP: no space, a failing disk: the store is as it was. */
enum status store_add(struct store *s, const struct store_new *n, char name[STORE_NAME + 1]);
/* Switches a purpose over, or makes it; on the disk when it returns, with the purpose among those
 * of the certificate. ST_REFUSED: there is no such certificate, it cannot be read, or it has no
 * key. */
enum status store_set(struct store *s, const char *purpose, const char *name);
/* Takes a purpose away. */
enum status store_unset(struct store *s, const char *purpose);
/* What it takes on the disk, in octets. */
int64_t store_octets(struct store *s, const char *name);
/* Whether it may be deleted at this moment: no purpose points to it, and no file in its folder is
 * foreign. ST_OK; ST_REFUSED, ST_TEMP after a warning. */
enum status store_deletable(struct store *s, const char *name);
/* Deletes certificate, chain, key (overwritten first) or token object. ST_REFUSED: it is not
 * store_deletable. `why` goes into STORE/history, one line
 * of JSON, before anything is gone. */
enum status store_delete(struct store *s, const char *name, const char *why);

/* An enrolment under way: the key and the request wait here until the certificate comes. */
struct store_enrolment {
    struct buf request; /* DER */
    char *key;          /* as in store_item */
    int key_in_token;
    int64_t began;
    char replaces[STORE_NAME + 1]; /* the certificate in use when it began; may be empty */
    unsigned char transaction[16];
};
struct store_enrolment_new {
    struct span request, key_pem; /* PEM, both; key_pem secret */
    const char *key_uri, *replaces;
    int64_t began;
    unsigned char transaction[16];
};
enum status store_enrol(struct store *s, const char *purpose, const struct store_enrolment_new *n);
/* 1; 0: there is none; -1 after a warning. */
int store_enrolment(struct store *s, const char *purpose, struct store_enrolment *out);
void store_enrolment_free(struct store_enrolment *e);
/* SHA-256 over the SubjectPublicKeyInfo of its request. 0: malformed. */
int store_enrolment_key(const struct store_enrolment *e, unsigned char hash[X509_HASH]);
/* Forgets it, its key too (overwritten), unless a certificate of the store has the same token key.
 */
enum status store_enrolment_end(struct store *s, const char *purpose);

/* What is remembered of a purpose between runs (certline-store(5), STATE). */
struct store_state {
    int64_t set;                   /* when it was switched last; 0: never */
    int64_t failures, again;       /* of renewals in a row; not before this time */
    int hook, restart, prune;      /* still to be done */
    int asked;                     /* the enrolment under way was answered "not yet" */
    char boot[STORE_BOOT];         /* in which life of the system the restart became needed */
    char replaced[STORE_NAME + 1]; /* by the last switch; empty: none */
    char making[STORE_MAKING + 1]; /* ends the name of the token key that is being made, or empty */
};
/* Zeroed where nothing is remembered. 1, or 0 after a warning. */
int store_state_read(struct store *s, const char *purpose, struct store_state *out);
enum status store_state_write(struct store *s, const char *purpose, const struct store_state *st);

#endif
