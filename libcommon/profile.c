#include "profile_priv.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define PROFILES_MAX 1000
#define BACKDATE_MAX (7 * 86400)
#define NAME_MAX_OCTETS 64

struct profiles {
    struct cfg *cfg; /* NULL: the presets alone */
    struct profile_blocked *blocked;
    struct profile *v;
    size_t n;
};

static const char *const reissues[] = {"never", "renewal", "always", NULL};
static const char *const basics[] = {"absent", "end-entity", "ca", NULL};
static const char *const matters[] = {"no", "paa", "pai", "dac", NULL};
static const char *const presets[] = {
    "plain",      "root",       "sub-ca",     "attach",  "verify-unit", "ra-approve", "ca-sign",
    "approver",   "idevid",     "idevid-tpm", "ldevid",  "opc-ua",      "matter-paa", "matter-pai",
    "matter-dac", "tls-client", "tls-server", "eap-tls", "ipsec",       NULL};
#define PRESETS (sizeof presets / sizeof *presets - 1)

#define AT(field) offsetof(struct profile_text, field)

static const struct cfg_field fields[] = {
    {.name = "name", .type = CFG_STRING, .offset = AT(name)},
    {.name = "preset", .type = CFG_ENUM, .offset = AT(preset), .choices = presets},
    {.name = "validity", .type = CFG_STRING, .offset = AT(validity)},
    {.name = "backdate", .type = CFG_DURATION, .offset = AT(backdate), .max = BACKDATE_MAX},
    {.name = "keys", .type = CFG_STRINGS, .offset = AT(keys)},
    {.name = "subject", .type = CFG_STRING, .offset = AT(subject)},
    {.name = "required-attributes", .type = CFG_STRINGS, .offset = AT(required)},
    {.name = "device", .type = CFG_STRING, .offset = AT(device)},
    {.name = "hardware-type", .type = CFG_STRING, .offset = AT(hardware_type)},
    {.name = "reissue", .type = CFG_ENUM, .offset = AT(reissue), .choices = reissues},
    {.name = "renew-before", .type = CFG_DURATION, .offset = AT(renew_before)},
    {.name = "basic-constraints", .type = CFG_ENUM, .offset = AT(basic), .choices = basics},
    {.name = "path-length", .type = CFG_INT, .offset = AT(path_length), .min = -1, .max = 16},
    {.name = "key-usage", .type = CFG_STRINGS, .offset = AT(key_usage)},
    {.name = "extended-key-usage", .type = CFG_STRINGS, .offset = AT(eku)},
    {.name = "subject-alt-name", .type = CFG_NODE, .offset = AT(san)},
    {.name = "subject-key-identifier", .type = CFG_BOOL, .offset = AT(ski)},
    {.name = "authority-key-identifier", .type = CFG_BOOL, .offset = AT(aki)},
    {.name = "matter", .type = CFG_ENUM, .offset = AT(matter), .choices = matters},
    {.name = "certificate-policies", .type = CFG_STRINGS, .offset = AT(policies)},
    {.name = "crl-distribution-points", .type = CFG_STRINGS, .offset = AT(crls)},
    {.name = "authority-info-access", .type = CFG_NODE, .offset = AT(aia)},
    {.name = "critical", .type = CFG_STRINGS, .offset = AT(critical)},
    {.name = "extensions", .type = CFG_NODE, .offset = AT(extensions)},
    {.name = NULL},
};

static const struct cfg_field san_fields[] = {
    {.name = "allow", .type = CFG_STRINGS, .offset = AT(san_allow)},
    {.name = "required", .type = CFG_BOOL, .offset = AT(san_required)},
    {.name = "exactly-one", .type = CFG_STRINGS, .offset = AT(san_one)},
    {.name = "template", .type = CFG_STRINGS, .offset = AT(san_template)},
    {.name = "wildcards", .type = CFG_BOOL, .offset = AT(wildcards)},
    {.name = NULL},
};

static const struct cfg_field aia_fields[] = {
    {.name = "ocsp", .type = CFG_STRINGS, .offset = AT(ocsp)},
    {.name = "ca-issuers", .type = CFG_STRINGS, .offset = AT(ca_issuers)},
    {.name = NULL},
};

struct root {
    const struct cfg_node *profiles;
    struct cfg_strings blocked;
};

static const struct cfg_field root_fields[] = {
    {.name = "profiles",
     .type = CFG_NODE,
     .offset = offsetof(struct root, profiles),
     .required = 1},
    {.name = "blocked-keys", .type = CFG_PATHS, .offset = offsetof(struct root, blocked)},
    {.name = NULL},
};

/* The node of a field, also of those one level down, for the place of an error. */
static const struct cfg_node *place(const struct cfg_node *map, const char *field)
{
    static const char *const below[] = {"subject-alt-name", "authority-info-access"};
    const struct cfg_node *n = cfg_get(map, field);
    for (size_t i = 0; !n && i < sizeof below / sizeof *below; i++) {
        const struct cfg_node *m = cfg_get(map, below[i]);
        n = m && cfg_kind(m) == CFG_MAP ? cfg_get(m, field) : NULL;
    }
    return n ? n : map;
}

static void start_from_preset(const struct cfg_node *map, struct profile_text *t)
{
    const struct cfg_node *n = cfg_kind(map) == CFG_MAP ? cfg_get(map, "preset") : NULL;
    const char *name = n ? cfg_text(n) : NULL;
    const struct profile_preset *found = profile_presets;
    for (const struct profile_preset *q = profile_presets; name && q->name; q++)
        if (!strcmp(q->name, name))
            found = q;
    *t = found->text;
}

static int read_one(struct profiles *ps, const struct cfg_node *map)
{
    struct profile *p = &ps->v[ps->n];
    const char *field = "";
    char why[X509_WHY];
    start_from_preset(map, &p->t);
    if (!cfg_read(ps->cfg, map, fields, &p->t) ||
        (p->t.san && !cfg_read(ps->cfg, p->t.san, san_fields, &p->t)) ||
        (p->t.aia && !cfg_read(ps->cfg, p->t.aia, aia_fields, &p->t)))
        return 0;
    if (!p->t.name)
        return cfg_bad(ps->cfg, map, "a profile without a preset needs \"name\"");
    if (strlen(p->t.name) > NAME_MAX_OCTETS || !x509_text_ok(p->t.name, strlen(p->t.name)))
        return cfg_bad(ps->cfg, place(map, "name"),
                       "a profile's name has at most %d octets of UTF-8", NAME_MAX_OCTETS);
    if (profiles_find(ps, p->t.name))
        return cfg_bad(ps->cfg, place(map, "name"), "profile \"%s\" is there twice", p->t.name);
    ps->n++; /* from here on profiles_free knows it */
    if (!profile_raw(ps->cfg, p->t.extensions, &p->raw))
        return 0;
    if (profile_compile(p, &field, why))
        return 1;
    return cfg_bad(ps->cfg, place(map, field), "profile \"%s\": %s", p->t.name, why);
}

static int read_all(struct profiles *ps)
{
    struct root root = {0};
    if (!cfg_read(ps->cfg, cfg_root(ps->cfg), root_fields, &root))
        return 0;
    const struct cfg_node *list = root.profiles;
    if (cfg_kind(list) != CFG_LIST || cfg_size(list) > PROFILES_MAX)
        return cfg_bad(ps->cfg, list, "\"profiles\" must be a list of at most %d profiles",
                       PROFILES_MAX);
    ps->v = alloc_zero(cfg_size(list) + PRESETS, sizeof *ps->v);
    for (size_t i = 0; i < cfg_size(list); i++)
        if (!read_one(ps, cfg_item(list, i)))
            return 0;
    return !root.blocked.n || (ps->blocked = profile_blocked_load(&root.blocked));
}

/* A preset can be used by its name, unless the file has a profile of that name. */
static void use_presets(struct profiles *ps)
{
    for (const struct profile_preset *q = profile_presets + 1; q->name; q++) {
        const char *field;
        char why[X509_WHY];
        if (profiles_find(ps, q->name))
            continue;
        ps->v[ps->n].t = q->text;
        int ok = profile_compile(&ps->v[ps->n++], &field, why);
        assert(ok);
        (void)ok;
    }
}

struct profiles *profiles_load(const char *path)
{
    struct profiles *ps = alloc_zero(1, sizeof *ps);
    if (!path)
        ps->v = alloc_zero(PRESETS, sizeof *ps->v);
    else if (!(ps->cfg = cfg_load(path)) || !read_all(ps)) {
        profiles_free(ps);
        return NULL;
    }
    use_presets(ps);
    for (size_t i = 0; i < ps->n; i++)
        ps->v[i].blocked = ps->blocked;
    return ps;
}

void profiles_free(struct profiles *ps)
{
    if (!ps)
        return;
    for (size_t i = 0; i < ps->n; i++) {
        for (size_t j = 0; j < ps->v[i].san_templates; j++)
            free(ps->v[i].san_template[j]);
        for (size_t j = 0; j < PROFILE_KINDS; j++)
            buf_free(&ps->v[i].head[j]);
        buf_free(&ps->v[i].tail);
        buf_free(&ps->v[i].raw);
    }
    free(ps->v);
    profile_blocked_free(ps->blocked);
    cfg_free(ps->cfg);
    free(ps);
}

const struct profile *profiles_find(const struct profiles *ps, const char *name)
{
    for (size_t i = 0; i < ps->n; i++)
        if (!strcmp(ps->v[i].t.name, name))
            return &ps->v[i];
    return NULL;
}

const char *profile_name(const struct profile *p)
{
    return p->t.name;
}

int profile_on_line(const struct profile *p)
{
    return p->on_line;
}

int profile_is_ca(const struct profile *p)
{
    return p->t.basic == BASIC_CA;
}

enum profile_reissue profile_reissue(const struct profile *p)
{
    return (enum profile_reissue)p->t.reissue;
}

int64_t profile_renew_before(const struct profile *p)
{
    return p->t.renew_before;
}
