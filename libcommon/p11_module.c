#include "p11_priv.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "alloc.h"

static struct p11_module *modules;
static pid_t owner;
static int finished;

struct p11_module *p11_modules(void)
{
    return modules;
}

int p11_finished(void)
{
    return finished;
}

/* Registered behind dlopen, so that it runs before the module's own destructors, and behind
 * OpenSSL's start, so that modules over libcrypto still have it. */
static void finish_once(void)
{
    static int registered;
    if (registered)
        return;
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL);
    owner = getpid();
    registered = atexit(p11_finish) == 0;
}

static CK_FUNCTION_LIST *load(const char *path, struct p11_fault *ft)
{
    CK_FUNCTION_LIST *f = NULL;
    CK_C_GetFunctionList get;
    void *dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!dl) {
        p11_fault(ft, ST_USAGE, 0, "PKCS#11 module: %s", dlerror());
        p11_fault_hint(ft, "name the module with module-path= in the URI, or CERTLINE_P11_MODULE");
        return NULL;
    }
    /* ISO C has no cast from object to function pointers; POSIX's dlsym needs one. */
    *(void **)(&get) = dlsym(dl, "C_GetFunctionList");
    if (!get || get(&f) != CKR_OK || !f) {
        p11_fault(ft, ST_USAGE, 0, "%s: not a PKCS#11 module", path);
        return NULL;
    }
    finish_once();
    return f;
}

struct p11_module *p11_module_get(const char *path, struct p11_fault *ft)
{
    char *real = realpath(path, NULL);
    const char *key = real ? real : path;
    struct p11_module *m = modules;
    while (m && strcmp(m->path, key))
        m = m->next;
    if (!m) {
        CK_FUNCTION_LIST *f = load(key, ft);
        if (f) {
            m = alloc_zero(1, sizeof *m);
            m->path = alloc_str(key);
            m->f = f;
            m->next = modules;
            modules = m;
        }
    }
    free(real);
    return m;
}

enum status p11_module_up(struct p11_module *m, struct p11_fault *ft)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    if (m->up)
        return ST_OK;
    if (finished)
        return p11_fault(ft, ST_TEMP, 0, "the token was already closed");
    CK_RV rv = m->f->C_Initialize(&args);
    if (rv == CKR_CANT_LOCK) /* we are one thread: no locks are needed */
        rv = m->f->C_Initialize(NULL);
    ERR_clear_error(); /* SoftHSM leaves errors in the queue, which are not ours to report */
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return p11_fault_rv(ft, m->path, "C_Initialize", rv);
    m->up = 1;
    m->gen++;
    return ST_OK;
}

void p11_module_down(struct p11_module *m)
{
    m->f->C_Finalize(NULL);
    ERR_clear_error();
    m->up = 0;
    for (struct p11_token *t = m->tokens; t; t = t->next)
        t->open = 0;
}

void p11_finish(void)
{
    if (finished || getpid() != owner) /* a child has no part in its parent's sessions */
        return;
    finished = 1;
    for (struct p11_module *m = modules; m; m = m->next) {
        if (!m->up)
            continue;
        for (struct p11_token *t = m->tokens; t; t = t->next)
            if (t->open) {
                m->f->C_Logout(t->session);
                m->f->C_CloseSession(t->session);
            }
        p11_module_down(m);
    }
}
