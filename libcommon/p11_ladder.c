#include "p11_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "diag.h"
#include "io.h"

#define RESTARTS 3

#define RV(name, step)                                                                             \
    {                                                                                              \
        name, #name, step                                                                          \
    }

/* The one table of the fault ladder. What is not in it (vendors' codes, above all) is worth a
 * restart. */
static const struct {
    CK_RV rv;
    const char *name;
    enum p11_step step;
} ladder[] = {
    RV(CKR_OK, P11_STEP_NONE),
    /* The session or what hung on it is gone; the token may not have noticed. */
    RV(CKR_SESSION_HANDLE_INVALID, P11_STEP_SESSION),
    RV(CKR_SESSION_CLOSED, P11_STEP_SESSION),
    RV(CKR_OBJECT_HANDLE_INVALID, P11_STEP_SESSION),
    RV(CKR_KEY_HANDLE_INVALID, P11_STEP_SESSION),
    RV(CKR_OPERATION_ACTIVE, P11_STEP_SESSION),
    RV(CKR_OPERATION_NOT_INITIALIZED, P11_STEP_SESSION),
    RV(CKR_FUNCTION_CANCELED, P11_STEP_SESSION),
    /* The module or the login is gone. Slot lists are cached until C_Finalize. */
    RV(CKR_CRYPTOKI_NOT_INITIALIZED, P11_STEP_RESTART),
    RV(CKR_USER_NOT_LOGGED_IN, P11_STEP_RESTART),
    RV(CKR_DEVICE_ERROR, P11_STEP_RESTART),
    RV(CKR_DEVICE_REMOVED, P11_STEP_RESTART),
    RV(CKR_TOKEN_NOT_PRESENT, P11_STEP_RESTART),
    RV(CKR_TOKEN_NOT_RECOGNIZED, P11_STEP_RESTART),
    RV(CKR_SLOT_ID_INVALID, P11_STEP_RESTART),
    RV(CKR_GENERAL_ERROR, P11_STEP_RESTART),
    RV(CKR_FUNCTION_FAILED, P11_STEP_RESTART),
    RV(CKR_MUTEX_BAD, P11_STEP_RESTART),
    RV(CKR_MUTEX_NOT_LOCKED, P11_STEP_RESTART),
    RV(CKR_SESSION_COUNT, P11_STEP_RESTART),
    RV(CKR_SESSION_EXISTS, P11_STEP_RESTART),
    RV(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, P11_STEP_RESTART),
    RV(CKR_USER_TOO_MANY_TYPES, P11_STEP_RESTART),
    RV(CKR_CANCEL, P11_STEP_TEMP),
    RV(CKR_HOST_MEMORY, P11_STEP_TEMP),
    RV(CKR_DEVICE_MEMORY, P11_STEP_TEMP),
    RV(CKR_FIPS_SELF_TEST_FAILED, P11_STEP_TEMP),
    RV(CKR_FUNCTION_REJECTED, P11_STEP_TEMP),
    RV(CKR_DATA_INVALID, P11_STEP_DATA),
    RV(CKR_DATA_LEN_RANGE, P11_STEP_DATA),
    RV(CKR_ENCRYPTED_DATA_INVALID, P11_STEP_DATA),
    RV(CKR_ENCRYPTED_DATA_LEN_RANGE, P11_STEP_DATA),
    RV(CKR_BUFFER_TOO_SMALL, P11_STEP_DATA),
    RV(CKR_PUBLIC_KEY_INVALID, P11_STEP_DATA),
    /* Never cured by repetition; a PIN above all. */
    RV(CKR_PIN_INCORRECT, P11_STEP_CONFIG),
    RV(CKR_PIN_INVALID, P11_STEP_CONFIG),
    RV(CKR_PIN_LEN_RANGE, P11_STEP_CONFIG),
    RV(CKR_PIN_EXPIRED, P11_STEP_CONFIG),
    RV(CKR_PIN_LOCKED, P11_STEP_CONFIG),
    RV(CKR_PIN_TOO_WEAK, P11_STEP_CONFIG),
    RV(CKR_USER_PIN_NOT_INITIALIZED, P11_STEP_CONFIG),
    RV(CKR_USER_TYPE_INVALID, P11_STEP_CONFIG),
    RV(CKR_ARGUMENTS_BAD, P11_STEP_CONFIG),
    RV(CKR_FUNCTION_NOT_SUPPORTED, P11_STEP_CONFIG),
    RV(CKR_NEED_TO_CREATE_THREADS, P11_STEP_CONFIG),
    RV(CKR_CANT_LOCK, P11_STEP_CONFIG),
    RV(CKR_ATTRIBUTE_READ_ONLY, P11_STEP_CONFIG),
    RV(CKR_ATTRIBUTE_SENSITIVE, P11_STEP_CONFIG),
    RV(CKR_ATTRIBUTE_TYPE_INVALID, P11_STEP_CONFIG),
    RV(CKR_ATTRIBUTE_VALUE_INVALID, P11_STEP_CONFIG),
    RV(CKR_ACTION_PROHIBITED, P11_STEP_CONFIG),
    RV(CKR_KEY_SIZE_RANGE, P11_STEP_CONFIG),
    RV(CKR_KEY_TYPE_INCONSISTENT, P11_STEP_CONFIG),
    RV(CKR_KEY_FUNCTION_NOT_PERMITTED, P11_STEP_CONFIG),
    RV(CKR_KEY_UNEXTRACTABLE, P11_STEP_CONFIG),
    RV(CKR_MECHANISM_INVALID, P11_STEP_CONFIG),
    RV(CKR_MECHANISM_PARAM_INVALID, P11_STEP_CONFIG),
    RV(CKR_SESSION_READ_ONLY, P11_STEP_CONFIG),
    RV(CKR_SESSION_READ_WRITE_SO_EXISTS, P11_STEP_CONFIG),
    RV(CKR_TEMPLATE_INCOMPLETE, P11_STEP_CONFIG),
    RV(CKR_TEMPLATE_INCONSISTENT, P11_STEP_CONFIG),
    RV(CKR_TOKEN_WRITE_PROTECTED, P11_STEP_CONFIG),
    RV(CKR_DOMAIN_PARAMS_INVALID, P11_STEP_CONFIG),
    RV(CKR_CURVE_NOT_SUPPORTED, P11_STEP_CONFIG),
    RV(CKR_LIBRARY_LOAD_FAILED, P11_STEP_CONFIG),
};

enum p11_step p11_step(CK_RV rv)
{
    for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++)
        if (ladder[i].rv == rv)
            return ladder[i].step;
    return P11_STEP_RESTART;
}

const char *p11_rv_name(CK_RV rv)
{
    static char other[32];
    for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++)
        if (ladder[i].rv == rv)
            return ladder[i].name;
    snprintf(other, sizeof other, "CKR 0x%lx", rv);
    return other;
}

enum status p11_complain(const struct p11_token *t, const char *what, CK_RV rv)
{
    if (rv == P11_TOLD)
        return ST_TEMP;
    enum p11_step step = p11_step(rv);
    if (step == P11_STEP_NONE)
        return ST_OK;
    diag_warn("token \"%s\": %s: %s", t->label, what, p11_rv_name(rv));
    return step == P11_STEP_CONFIG ? ST_USAGE : step == P11_STEP_DATA ? ST_INPUT : ST_TEMP;
}

/* Makes sure there is a session: another token of the same module may have restarted it. */
static CK_RV ready(struct p11_token *t)
{
    struct p11_fault ft;
    if (t->open && t->m->up && t->gen == t->m->gen)
        return CKR_OK;
    if (p11_login(t, &ft) == ST_OK)
        return CKR_OK;
    p11_fault_print(&ft, NULL);
    return P11_TOLD;
}

/* Some devices need a while to come back: three tries, about two seconds. */
static CK_RV restart(struct p11_token *t, int tries)
{
    static const useconds_t pause[RESTARTS] = {0, 300000, 1500000};
    struct p11_fault ft;
    do {
        p11_module_down(t->m);
        usleep(pause[RESTARTS - tries]);
        if (p11_login(t, &ft) == ST_OK)
            return CKR_OK;
    } while (ft.again && --tries > 0 && !io_stopping());
    p11_fault_print(&ft, NULL);
    return P11_TOLD;
}

CK_RV p11_run(struct p11_token *t, p11_op op, void *arg)
{
    int sessions = 1, restarts = RESTARTS;
    CK_RV rv = ready(t);
    while (rv == CKR_OK) {
        rv = op(t->m->f, t->session, arg);
        if (rv == CKR_OK || rv == P11_TOLD)
            return rv;
        enum p11_step step = p11_step(rv);
        if (step == P11_STEP_SESSION && sessions-- > 0) {
            diag_note("token \"%s\": %s: opening a new session", t->label, p11_rv_name(rv));
            if (p11_session(t) == CKR_OK) {
                rv = CKR_OK;
                continue;
            }
        }
        if ((step != P11_STEP_SESSION && step != P11_STEP_RESTART) || restarts <= 0)
            return rv;
        diag_warn("token \"%s\": %s: logging in again", t->label, p11_rv_name(rv));
        rv = restart(t, restarts--);
    }
    return rv;
}

CK_RV p11_run_once(struct p11_token *t, p11_op op, void *arg)
{
    CK_RV rv = ready(t);
    return rv == CKR_OK ? op(t->m->f, t->session, arg) : rv;
}

enum status p11_fault(struct p11_fault *ft, enum status st, int again, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ft->why, sizeof ft->why, fmt, ap);
    va_end(ap);
    ft->hint[0] = 0;
    ft->st = st;
    ft->again = again;
    return st;
}

void p11_fault_hint(struct p11_fault *ft, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ft->hint, sizeof ft->hint, fmt, ap);
    va_end(ap);
}

enum status p11_fault_rv(struct p11_fault *ft, const char *who, const char *call, CK_RV rv)
{
    int again = p11_step(rv) == P11_STEP_RESTART || p11_step(rv) == P11_STEP_SESSION;
    enum status st = p11_step(rv) == P11_STEP_CONFIG ? ST_USAGE : ST_TEMP;
    p11_fault(ft, st, again, "%s: %s: %s", who, call, p11_rv_name(rv));
    if (rv == CKR_SESSION_COUNT)
        p11_fault_hint(ft, "all sessions of the token are taken: end programs that use it");
    return st;
}

enum status p11_fault_print(const struct p11_fault *ft, const char *what)
{
    diag_warn("%s%s%s", what ? what : "", what ? ": " : "", ft->why);
    if (ft->hint[0])
        diag_hint("%s", ft->hint);
    return ft->st;
}
