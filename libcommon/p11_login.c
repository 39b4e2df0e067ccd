#include "p11_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define TRIES 6
#define IDLE_MAX 8

/* A program that does not share our lock may have been rewriting the token: wait for a moment, and
 * begin with C_Initialize unless that would cost other tokens of the module their sessions. */
static void start_over(struct p11_module *m)
{
    unsigned char r = 0;
    int others = 0;
    for (struct p11_token *t = m->tokens; t; t = t->next)
        others += t->open;
    if (m->up && !others)
        p11_module_down(m);
    RAND_bytes(&r, 1);
    usleep(2000 + 60u * r);
}

static enum status locate(struct p11_module *m, P11KitUri *kit, CK_SLOT_ID *slot,
                          CK_TOKEN_INFO *info, struct p11_fault *ft)
{
    enum status st = ST_TEMP;
    int fd = p11_lock(m, ft);
    if (fd < 0)
        return ft->st;
    for (int i = 0; i < TRIES; i++) {
        st = p11_module_up(m, ft);
        if (st == ST_OK)
            st = p11_slot(m, kit, slot, info, ft);
        if (st == ST_OK || !ft->again)
            break;
        start_over(m);
    }
    io_unlock(fd);
    return st;
}

/* PKCS#11 3.0, 5.6.6: the token says when the next wrong PIN would lock it. We do not take that
 * chance. */
static enum status may_login(const struct p11_token *t, CK_FLAGS flags, struct p11_fault *ft)
{
    if (t->no_pin)
        return p11_fault(ft, ST_TEMP, 0, "token \"%s\": the PIN was refused, it is not tried again",
                         t->label);
    if (flags & CKF_USER_PIN_LOCKED) {
        p11_fault(ft, ST_USAGE, 0, "token \"%s\": the user PIN is locked", t->label);
        p11_fault_hint(ft, "the security officer can set a new one");
        return ft->st;
    }
    if (flags & CKF_USER_PIN_FINAL_TRY) {
        p11_fault(ft, ST_USAGE, 0,
                  "token \"%s\": one more wrong PIN would lock the token, no login is tried",
                  t->label);
        p11_fault_hint(ft,
                       "log in by hand with the right PIN first, for instance pkcs11-tool -l -O");
        return ft->st;
    }
    return ST_OK;
}

static enum status pin_refused(struct p11_token *t, CK_RV rv, struct p11_fault *ft)
{
    t->no_pin = 1;
    if (t->known) /* it was right before: a device that came back may answer so for a while */
        return p11_fault(ft, ST_TEMP, 0,
                         "token \"%s\": the PIN is refused since the token came back", t->label);
    p11_fault(ft, ST_USAGE, 0, "token \"%s\": C_Login: %s", t->label, p11_rv_name(rv));
    p11_fault_hint(ft, "the PIN was tried once and is not repeated: look at pin-source first");
    return ft->st;
}

static enum status log_in(struct p11_token *t, CK_FLAGS flags, char *pin, size_t n,
                          struct p11_fault *ft)
{
    t->private = (flags & CKF_LOGIN_REQUIRED) != 0;
    if (!t->private)
        return ST_OK;
    if (may_login(t, flags, ft) != ST_OK)
        return ft->st;
    /* Without a PIN: the token has a pad of its own to enter it. */
    CK_RV rv = t->m->f->C_Login(t->session, CKU_USER, n ? (CK_UTF8CHAR *)pin : NULL, n);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        return ST_OK;
    if (rv == CKR_USER_PIN_NOT_INITIALIZED) {
        /* No PIN was compared; SoftHSM says so in a collision, too. */
        p11_fault(ft, ST_USAGE, 1, "token \"%s\": has no user PIN yet", t->label);
        p11_fault_hint(ft, "the security officer sets the first one");
        return ft->st;
    }
    if (p11_step(rv) == P11_STEP_CONFIG)
        return pin_refused(t, rv, ft);
    return p11_fault_rv(ft, t->label, "C_Login", rv);
}

/* Until its first login a token goes by the name it was asked for: in a collision SoftHSM shows
 * tokens whose serial number is not there yet. */
static P11KitUri *name_of(const struct p11_token *t)
{
    return t->known ? t->kit : t->asked->kit;
}

static void identify(struct p11_token *t, const CK_TOKEN_INFO *info)
{
    if (!t->kit && !(t->kit = p11_kit_uri_new()))
        diag_err("memory");
    CK_TOKEN_INFO *exact = p11_kit_uri_get_token_info(t->kit);
    memcpy(exact->label, info->label, sizeof exact->label);
    memcpy(exact->manufacturerID, info->manufacturerID, sizeof exact->manufacturerID);
    memcpy(exact->model, info->model, sizeof exact->model);
    memcpy(exact->serialNumber, info->serialNumber, sizeof exact->serialNumber);
    p11_slot_text(info->label, sizeof info->label, t->label);
}

static enum status enter_once(struct p11_token *t, char *pin, size_t n, struct p11_fault *ft)
{
    CK_TOKEN_INFO info;
    CK_FLAGS flags = CKF_SERIAL_SESSION | (t->write ? CKF_RW_SESSION : 0);
    if (p11_module_up(t->m, ft) != ST_OK ||
        p11_slot(t->m, name_of(t), &t->slot, &info, ft) != ST_OK)
        return ft->st;
    CK_RV rv = t->m->f->C_OpenSession(t->slot, flags, NULL, NULL, &t->session);
    if (rv != CKR_OK)
        return p11_fault_rv(ft, t->label, "C_OpenSession", rv);
    if (log_in(t, info.flags, pin, n, ft) != ST_OK) {
        t->m->f->C_CloseSession(t->session);
        return ft->st;
    }
    if (!t->known)
        identify(t, &info);
    t->open = t->known = 1;
    t->gen = t->m->gen;
    t->epoch++;
    return ST_OK;
}

static enum status enter(struct p11_token *t, char *pin, size_t n, struct p11_fault *ft)
{
    int fd = p11_lock(t->m, ft);
    if (fd < 0)
        return ft->st;
    for (int i = 0; i < TRIES; i++) {
        if (enter_once(t, pin, n, ft) == ST_OK || !ft->again)
            break;
        start_over(t->m);
    }
    io_unlock(fd);
    return t->open ? ST_OK : ft->st;
}

/* The lock is not held while a PIN is asked for: a person may take minutes. */
enum status p11_login(struct p11_token *t, struct p11_fault *ft)
{
    char pin[P11_PIN_MAX + 1] = "";
    size_t n = 0;
    CK_TOKEN_INFO info;
    t->open = 0;
    enum status st = locate(t->m, name_of(t), &t->slot, &info, ft);
    if (st == ST_OK && (info.flags & CKF_LOGIN_REQUIRED)) {
        int pad = t->pin.kind == P11_PIN_ASK && (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH);
        st = may_login(t, info.flags, ft);
        if (st == ST_OK && t->known && t->pin.kind != P11_PIN_FILE && !pad)
            st = p11_fault(ft, ST_TEMP, 0,
                           "token \"%s\": has to log in again, and the PIN is not kept", t->label);
        else if (st == ST_OK && !pad)
            st = p11_pin_read(&t->pin, t->label, pin, &n, ft);
    }
    if (st == ST_OK)
        st = enter(t, pin, n, ft);
    OPENSSL_cleanse(pin, sizeof pin);
    if (st != ST_OK && t->known)
        ft->st = st = ST_TEMP;
    return st;
}

CK_RV p11_login_again(struct p11_token *t)
{
    char pin[P11_PIN_MAX + 1] = "";
    size_t n = 0;
    CK_TOKEN_INFO info;
    struct p11_fault ft;
    CK_RV rv = t->m->f->C_GetTokenInfo(t->slot, &info);
    if (rv != CKR_OK)
        return rv;
    int pad = t->pin.kind == P11_PIN_ASK && (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH);
    enum status st = may_login(t, info.flags, &ft);
    if (st == ST_OK && !pad)
        st = p11_pin_read(&t->pin, t->label, pin, &n, &ft);
    if (st == ST_OK) {
        rv = t->m->f->C_Login(t->session, CKU_CONTEXT_SPECIFIC, n ? (CK_UTF8CHAR *)pin : NULL, n);
        if (rv != CKR_OK && p11_step(rv) == P11_STEP_CONFIG)
            st = pin_refused(t, rv, &ft);
    }
    OPENSSL_cleanse(pin, sizeof pin);
    if (st == ST_OK)
        return rv;
    p11_fault_print(&ft, NULL);
    return P11_TOLD;
}

CK_RV p11_session(struct p11_token *t)
{
    CK_SESSION_HANDLE fresh;
    CK_SESSION_INFO info;
    CK_FUNCTION_LIST *f = t->m->f;
    CK_FLAGS flags = CKF_SERIAL_SESSION | (t->write ? CKF_RW_SESSION : 0);
    CK_RV rv = f->C_OpenSession(t->slot, flags, NULL, NULL, &fresh);
    if (rv != CKR_OK)
        return rv;
    f->C_CloseSession(t->session);
    t->session = fresh;
    t->epoch++;
    /* The login goes with the last session: without it private keys would just not be found. */
    rv = f->C_GetSessionInfo(fresh, &info);
    if (rv == CKR_OK && t->private &&
        (info.state == CKS_RO_PUBLIC_SESSION || info.state == CKS_RW_PUBLIC_SESSION))
        rv = CKR_USER_NOT_LOGGED_IN;
    return rv;
}

static struct p11_token *token_for(struct p11_module *m, const struct p11_uri *u,
                                   const CK_TOKEN_INFO *info)
{
    struct p11_token *t = m->tokens;
    while (t && !p11_kit_uri_match_token_info(t->kit, info))
        t = t->next;
    if (t)
        return t;
    t = alloc_zero(1, sizeof *t);
    t->m = m;
    identify(t, info);
    p11_pin_copy(&t->pin, &u->pin);
    t->next = m->tokens;
    m->tokens = t;
    return t;
}

static void drop(struct p11_token *t)
{
    struct p11_token **at = &t->m->tokens;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (t->open && t->m->up)
        t->m->f->C_CloseSession(t->session);
    p11_kit_uri_free(t->kit);
    free(t->pin.path);
    free(t);
}

/* A token that nobody holds stays logged in, as the next device's key may be in it, too. */
static void drop_idle(int keep)
{
    for (struct p11_module *m = p11_modules(); m; m = m->next)
        for (struct p11_token *t = m->tokens, *next; t; t = next) {
            next = t->next;
            if (!t->refs && --keep < 0)
                drop(t);
        }
}

enum status p11_open(const struct p11_uri *u, int flags, struct p11_token **out)
{
    struct p11_fault ft;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    struct p11_token *t;
    *out = NULL;
    struct p11_module *m = p11_module_get(u->module, &ft);
    if (!m || locate(m, u->kit, &slot, &info, &ft) != ST_OK)
        return p11_fault_print(&ft, u->name);
    t = token_for(m, u, &info);
    t->asked = u;
    int more = (flags & P11_WRITE) && !t->write;
    t->write |= more;
    if ((!t->open || t->gen != m->gen || (more && p11_session(t) != CKR_OK)) &&
        p11_login(t, &ft) != ST_OK) {
        if (!t->refs && !t->no_pin) /* which is remembered, so that it is not tried again */
            drop(t);
        return p11_fault_print(&ft, NULL);
    }
    t->refs++;
    *out = t;
    return ST_OK;
}

void p11_close(struct p11_token *t)
{
    if (!t)
        return;
    t->refs--;
    drop_idle(p11_finished() ? 0 : IDLE_MAX);
}

const char *p11_label(const struct p11_token *t)
{
    return t->label;
}

int p11_has_mechanism(struct p11_token *t, CK_MECHANISM_TYPE type)
{
    CK_MECHANISM_INFO info;
    return t->m->f->C_GetMechanismInfo(t->slot, type, &info) == CKR_OK;
}
