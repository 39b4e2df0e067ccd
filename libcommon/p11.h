/* PKCS#11 tokens (version 2.40 and 3.0): modules, logins, one session a token, and the fault
 * ladder.
 *
 * A module is loaded once by path and initialised once; a token is logged in to once and then kept,
 * however many keys of it are open. Start-up (C_Initialize to C_Login) runs under a lock file. One
 * thread only, and nothing may fork between p11_open and p11_finish. */
#ifndef P11_H
#define P11_H

#include <stddef.h>

#include <p11-kit/pkcs11.h>

#include "buf.h"
#include "status.h"

struct p11_uri;    /* a name, checked (RFC 7512) */
struct p11_token;  /* a token, logged in */
struct p11_object; /* a private key in it */

#define P11_PIN_MAX 255 /* octets of a PIN */

/* Reads the name of a token or an object. `base` (may be NULL) is the file that relative pin-source
 * and module-path names start from. Refused: unknown attributes, pin-value, a command as
 * pin-source. ST_USAGE after a warning. */
enum status p11_uri_parse(const char *text, const char *base, struct p11_uri **out);
void p11_uri_free(struct p11_uri *u);
/* Whether its pin-source and module-path mean the same file in any folder: they are absolute, or no
 * files. What is kept for later programs has to. */
int p11_uri_whole(const char *text);
/* get0: the name without its query part, for diagnostics. */
const char *p11_uri_name(const struct p11_uri *u);
/* get0: what the name says of CKA_LABEL, CKA_ID or CKA_CLASS; NULL if it does not. */
const CK_ATTRIBUTE *p11_uri_attribute(const struct p11_uri *u, CK_ATTRIBUTE_TYPE type);

enum p11_flags { P11_WRITE = 1 /* objects will be made or deleted */ };
/* Opens the token and logs in, or gives the one that is open. p11_close for each success. ST_USAGE
 * (name, PIN, module), ST_TEMP (the token failed, or no token is there at all), after a warning. */
enum status p11_open(const struct p11_uri *u, int flags, struct p11_token **out);
/* Gives back; the session stays for the next p11_open, as the PIN is gone. A few idle tokens are
 * kept. NULL-safe. */
void p11_close(struct p11_token *t);
/* get0: the label, without its padding. */
const char *p11_label(const struct p11_token *t);
int p11_has_mechanism(struct p11_token *t, CK_MECHANISM_TYPE type);
/* C_CloseSession, C_Logout and C_Finalize for all; also run at exit. Tokens and objects that are
 * still held answer ST_TEMP from then on. */
void p11_finish(void);

/* The fault ladder: CK_RV to what helps, one table (p11_ladder.c). */
enum p11_step {
    P11_STEP_NONE,    /* CKR_OK */
    P11_STEP_SESSION, /* a new session */
    P11_STEP_RESTART, /* C_Finalize, C_Initialize, login, find the keys again */
    P11_STEP_TEMP,    /* gives up: run it again later */
    P11_STEP_DATA,    /* gives up: what the operation was given is at fault */
    P11_STEP_CONFIG   /* gives up: the key, token or module is not made for this */
};
enum p11_step p11_step(CK_RV rv);
/* "CKR_DEVICE_ERROR"; a static buffer for codes without a name. */
const char *p11_rv_name(CK_RV rv);

/* What the ladder gives up with when it has printed why. */
#define P11_TOLD (CKR_VENDOR_DEFINED | 0x43455254UL)

/* One operation; it may be called again after a fault, with another session. */
typedef CK_RV (*p11_op)(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, void *arg);
/* Runs it, climbing the ladder: CKR_OK, the error that no step cured, or P11_TOLD. */
CK_RV p11_run(struct p11_token *t, p11_op op, void *arg);
/* Runs it once, for what must not be done twice. */
CK_RV p11_run_once(struct p11_token *t, p11_op op, void *arg);
/* Warns "token: what: CKR_..." (unless P11_TOLD) and gives the status that goes with the code;
 * ST_OK for CKR_OK. */
enum status p11_complain(const struct p11_token *t, const char *what, CK_RV rv);

/* For use inside a p11_op: handles of at most `max` objects. Templates are borrowed. */
CK_RV p11_find(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_ATTRIBUTE *tmpl, CK_ULONG n,
               CK_OBJECT_HANDLE *out, CK_ULONG max, CK_ULONG *found);
/* For use inside a p11_op: appends one attribute's value (at most 64 KiB) to `out`. */
CK_RV p11_value(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o,
                CK_ATTRIBUTE_TYPE type, struct buf *out);

/* The one private key that the name says. ST_USAGE: none, or several, after a warning with a hint
 * of what there is. It holds on to the token. */
enum status p11_object_open(struct p11_token *t, const struct p11_uri *u, struct p11_object **out);
void p11_object_free(struct p11_object *o); /* NULL-safe */
struct p11_token *p11_object_token(const struct p11_object *o);
CK_KEY_TYPE p11_object_type(const struct p11_object *o);
/* get0: its CKA_LABEL as text, its CKA_ID. */
const char *p11_object_label(const struct p11_object *o);
const struct buf *p11_object_id(const struct p11_object *o);
/* Appends an attribute of it; 0 if the token does not give it (nothing is printed). */
int p11_object_value(struct p11_object *o, CK_ATTRIBUTE_TYPE type, struct buf *out);

/* Operations with the private key, through the ladder. *n: room in `out`, then octets there.
 * Nothing is printed for CK_RVs that p11_complain can tell. */
CK_RV p11_object_sign(struct p11_object *o, CK_MECHANISM *m, const void *in, size_t in_n,
                      unsigned char *out, size_t *n);
CK_RV p11_object_decrypt(struct p11_object *o, CK_MECHANISM *m, const void *in, size_t in_n,
                         unsigned char *out, size_t *n);
/* Plain ECDH with the peer's point (uncompressed); exactly n octets of shared secret, for the
 * caller to wipe. */
CK_RV p11_object_ecdh(struct p11_object *o, const unsigned char *point, size_t point_n,
                      unsigned char *out, size_t n);
/* How many of these operations were done in this process. */
unsigned long p11_operations(void);

/* Asks on /dev/tty with the echo off. Octets read into out[max], always terminated, for the caller
 * to wipe; 0 with a reason in *why: no terminal, empty, or interrupted. */
size_t p11_prompt(const char *question, char *out, size_t max, const char **why);

#endif
