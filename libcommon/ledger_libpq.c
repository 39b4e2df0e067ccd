#define LEDGER_LIBPQ_NAMES_ALONE
#include "ledger_libpq_priv.h"

#include <dlfcn.h>
#include <string.h>

#include "diag.h"

struct ledger_libpq ledger_libpq;

/* POSIX lets an object pointer be a function; ISO C has no conversion for it. */
#define FIND(name) {#name, &ledger_libpq.name##_},
static const struct {
    const char *name;
    void *to;
} functions[] = {LEDGER_LIBPQ(FIND)};

int ledger_libpq_load(void)
{
    void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; lib && i < sizeof functions / sizeof *functions; i++) {
        void *f = dlsym(lib, functions[i].name);
        if (!f)
            lib = NULL;
        memcpy(functions[i].to, &f, sizeof f);
    }
    if (lib)
        return 1;
    diag_warn("the ledger is in a database, and libpq cannot be loaded: %s", dlerror());
    diag_hint("install the package libpq5");
    return 0;
}
