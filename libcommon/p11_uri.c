#include "p11_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define URI_MAX 4096
#define DEFAULT_MODULE "p11-kit-proxy.so"

/* RFC 7512 section 2.3, without what is refused below. */
static const char *const known[] = {"token",
                                    "manufacturer",
                                    "serial",
                                    "model",
                                    "object",
                                    "type",
                                    "id",
                                    "library-manufacturer",
                                    "library-version",
                                    "library-description",
                                    "slot-id",
                                    "slot-description",
                                    "slot-manufacturer",
                                    "pin-source",
                                    "module-path"};

/* Looks at the names alone: nothing that may hold a secret is ever quoted. */
static int name_ok(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == n && memcmp(known[i], p, n) == 0)
            return 1;
    if ((n == 9 && memcmp(p, "pin-value", n) == 0) || (n == 7 && memcmp(p, "pinfile", n) == 0)) {
        diag_warn("key URI: %.*s is refused", (int)n, p);
        diag_hint("put the PIN into a file and name it: ?pin-source=file:/path");
    } else if (n == 11 && memcmp(p, "module-name", n) == 0) {
        diag_warn("key URI: module-name is not supported");
        diag_hint("name the module by its file: ?module-path=/path/to/module.so");
    } else {
        diag_warn("key URI: unknown attribute \"%.*s\"", (int)n, p);
        diag_hint("RFC 7512 has token=, serial=, object=, id= and ?pin-source=, &module-path=");
    }
    return 0;
}

static int names_ok(const char *text)
{
    const char *p = text + strlen("pkcs11:");
    int query = 0;
    while (*p) {
        size_t n = strcspn(p, "=;?&");
        if (n && !name_ok(p, n))
            return 0;
        p += n + strcspn(p + n, query ? "&" : ";?");
        if (*p == '?')
            query = 1;
        if (*p)
            p++;
    }
    return 1;
}

/* A module that stands beside the file that names it, else a name for dlopen(3). */
static char *module_path(const char *named, const char *base)
{
    const char *env = getenv("CERTLINE_P11_MODULE");
    if (!named || !*named) /* "module-path=": p11-kit gives an empty name */
        return alloc_str(env && *env ? env : DEFAULT_MODULE);
    char *path = base ? io_beside(base, named) : alloc_str(named);
    if (strchr(named, '/') || access(path, F_OK) == 0)
        return path;
    free(path);
    return alloc_str(named);
}

/* "fd:3" and "credential:hsm" are no files, nor is a module that dlopen(3) looks for. */
static int whole_pin(const char *s)
{
    if (!s || !strncmp(s, "fd:", 3) || !strncmp(s, "credential:", 11))
        return 1;
    return s[strncmp(s, "file:", 5) ? 0 : 5] == '/';
}

int p11_uri_whole(const char *text)
{
    P11KitUri *kit = p11_kit_uri_new();
    if (!kit)
        diag_err("memory");
    int ok = 1; /* of what is malformed p11_uri_parse says why */
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, kit) == P11_KIT_URI_OK) {
        const char *module = p11_kit_uri_get_module_path(kit);
        ok = whole_pin(p11_kit_uri_get_pin_source(kit)) &&
             (!module || *module == '/' || !strchr(module, '/'));
    }
    p11_kit_uri_free(kit);
    return ok;
}

enum status p11_uri_parse(const char *text, const char *base, struct p11_uri **out)
{
    struct p11_uri *u = alloc_zero(1, sizeof *u);
    enum status st = ST_USAGE;
    int r;
    *out = NULL;
    if (strlen(text) > URI_MAX) {
        diag_warn("key URI: longer than %d octets", URI_MAX);
        goto out;
    }
    if (strncmp(text, "pkcs11:", 7)) {
        diag_warn("key URI: does not begin with \"pkcs11:\"");
        goto out;
    }
    if (!names_ok(text))
        goto out;
    u->kit = p11_kit_uri_new();
    if (!u->kit)
        diag_err("memory");
    r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, u->kit);
    u->name = alloc_str(text);
    u->name[strcspn(u->name, "?")] = 0;
    if (r != P11_KIT_URI_OK) {
        diag_warn("%s: %s", u->name, p11_kit_uri_message(r));
        goto out;
    }
    if (p11_kit_uri_any_unrecognized(u->kit) || p11_kit_uri_get_pin_value(u->kit)) {
        diag_warn("%s: an attribute is not known", u->name);
        goto out;
    }
    if (!p11_pin_parse(p11_kit_uri_get_pin_source(u->kit), base, &u->pin))
        goto out;
    u->module = module_path(p11_kit_uri_get_module_path(u->kit), base);
    st = ST_OK;
out:
    if (st == ST_OK)
        *out = u;
    else
        p11_uri_free(u);
    return st;
}

void p11_uri_free(struct p11_uri *u)
{
    if (!u)
        return;
    p11_kit_uri_free(u->kit);
    free(u->name);
    free(u->module);
    free(u->pin.path);
    free(u);
}

const char *p11_uri_name(const struct p11_uri *u)
{
    return u->name;
}

const CK_ATTRIBUTE *p11_uri_attribute(const struct p11_uri *u, CK_ATTRIBUTE_TYPE type)
{
    return p11_kit_uri_get_attribute(u->kit, type);
}
