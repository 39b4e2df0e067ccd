/* What the files of the module p11 share. */
#ifndef P11_PRIV_H
#define P11_PRIV_H

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "p11.h"

/* Why a start failed; printed by whoever gives up, as most starts are tried more than once. */
struct p11_fault {
    enum status st;
    int again; /* starting again may help */
    char why[400], hint[400];
};
enum status p11_fault(struct p11_fault *ft, enum status st, int again, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void p11_fault_hint(struct p11_fault *ft, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A failed PKCS#11 call of a token or module; `again` follows from the ladder. */
enum status p11_fault_rv(struct p11_fault *ft, const char *who, const char *call, CK_RV rv);
enum status p11_fault_print(const struct p11_fault *ft, const char *what);

/* Where a PIN comes from. */
enum p11_pin_kind { P11_PIN_ASK, P11_PIN_FILE, P11_PIN_FD };
struct p11_pin {
    enum p11_pin_kind kind;
    char *path; /* P11_PIN_FILE */
    int fd;     /* P11_PIN_FD */
};
int p11_pin_parse(const char *source, const char *base, struct p11_pin *out);
void p11_pin_copy(struct p11_pin *to, const struct p11_pin *from);
/* The PIN, for the caller to wipe. */
enum status p11_pin_read(const struct p11_pin *pin, const char *token, char out[P11_PIN_MAX + 1],
                         size_t *n, struct p11_fault *ft);

struct p11_uri {
    P11KitUri *kit;
    char *name;   /* without the query */
    char *module; /* path */
    struct p11_pin pin;
};

struct p11_module {
    struct p11_module *next;
    char *path; /* the registry's key */
    CK_FUNCTION_LIST *f;
    int up;
    unsigned gen; /* of C_Initialize: sessions of an older one are gone */
    struct p11_token *tokens;
};

struct p11_token {
    struct p11_token *next;
    struct p11_module *m;
    P11KitUri *kit;              /* exactly this token, by all four names */
    const struct p11_uri *asked; /* borrowed, until the first login */
    char label[33];
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    int open, write;
    int private;    /* wants a login */
    unsigned gen;   /* the module's, when the session was opened */
    unsigned epoch; /* counts sessions: object handles of an older one are stale */
    struct p11_pin pin;
    int known;  /* was logged in once: its PIN was right */
    int no_pin; /* a PIN was refused: never try again */
    int refs;
};

/* p11_module.c */
struct p11_module *p11_module_get(const char *path, struct p11_fault *ft);
enum status p11_module_up(struct p11_module *m, struct p11_fault *ft);
void p11_module_down(struct p11_module *m);
struct p11_module *p11_modules(void);
int p11_finished(void);

/* p11_lock.c: held from C_Initialize to C_Login; -1 with a fault */
int p11_lock(const struct p11_module *m, struct p11_fault *ft);
/* p11_softhsm.c: the token folder of SoftHSM's configuration, freed by the caller; NULL if there is none */
char *p11_softhsm_folder(void);
/* only under p11_lock: no effect on other modules */
void p11_softhsm_mend(const struct p11_module *m);

/* p11_slot.c: the slot of the one token that matches */
enum status p11_slot(struct p11_module *m, P11KitUri *kit, CK_SLOT_ID *slot, CK_TOKEN_INFO *info,
                     struct p11_fault *ft);
void p11_slot_text(const unsigned char *padded, size_t n, char *out);

/* p11_find.c: a CK_BBOOL attribute; 0 also where the token does not know it */
int p11_flag(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type);

/* p11_login.c: from wherever the token is to a session that is logged in */
enum status p11_login(struct p11_token *t, struct p11_fault *ft);
/* Another session in place of the present one. */
CK_RV p11_session(struct p11_token *t);
/* The PIN once more, for this one signature (CKA_ALWAYS_AUTHENTICATE). */
CK_RV p11_login_again(struct p11_token *t);

#endif
