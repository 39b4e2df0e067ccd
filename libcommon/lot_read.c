/* lots.yaml. */
#include "lot_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "io.h"

/* What is not taken as it stands. */
struct text {
    const char *from, *until, *approve;
    int64_t quota;
};

struct form {
    struct lot lot;
    struct text text;
};

struct top {
    const struct cfg_node *lots, *owners;
};

static const char *const pop_names[] = {"required", "witness", NULL};

#define LOT(member) offsetof(struct form, lot.member)
#define TEXT(member) offsetof(struct form, text.member)

static const struct cfg_field lot_fields[] = {
    {.name = "name", .type = CFG_STRING, .offset = LOT(name), .required = 1},
    {.name = "profile", .type = CFG_STRING, .offset = LOT(profile), .required = 1},
    {.name = "owner", .type = CFG_STRING, .offset = LOT(owner), .required = 1},
    {.name = "devices", .type = CFG_STRING, .offset = LOT(devices)},
    {.name = "pattern", .type = CFG_STRING, .offset = LOT(pattern)},
    {.name = "subject", .type = CFG_STRING, .offset = LOT(subject)},
    {.name = "san", .type = CFG_STRINGS, .offset = LOT(san)},
    {.name = "verify-units", .type = CFG_STRINGS, .offset = LOT(verify_units), .required = 1},
    {.name = "attach", .type = CFG_STRINGS, .offset = LOT(attach)},
    {.name = "approvers", .type = CFG_STRINGS, .offset = LOT(approvers)},
    {.name = "approve", .type = CFG_STRING, .offset = TEXT(approve)},
    {.name = "quota", .type = CFG_INT, .offset = LOT(quota), .max = INT64_MAX},
    {.name = "from", .type = CFG_STRING, .offset = TEXT(from)},
    {.name = "until", .type = CFG_STRING, .offset = TEXT(until)},
    {.name = "pop", .type = CFG_ENUM, .offset = LOT(pop), .choices = pop_names},
    {.name = NULL},
};

/* A list that is there and empty lets nobody in: more likely a slip than a wish. */
static int no_empty_list(struct cfg *c, const struct cfg_node *node)
{
    static const char *const keys[] = {"verify-units", "attach", "approvers", "san"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct cfg_node *at = cfg_get(node, keys[i]);
        if (at && cfg_kind(at) == CFG_LIST && !cfg_size(at))
            return cfg_bad(c, at, "\"%s\" is empty", keys[i]);
    }
    return 1;
}

static int read_date(struct cfg *c, const struct cfg_node *node, const char *key, const char *text,
                     int64_t *out)
{
    return !text || clock_parse(text, out) ||
           cfg_bad(c, cfg_get(node, key),
                   "\"%s\" must be a date, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, not \"%s\"", key,
                   text);
}

static int read_bounds(struct cfg *c, const struct cfg_node *node, const struct text *t,
                       struct lot *l)
{
    const char *a = t->approve;
    if (!l->quota)
        return cfg_bad(c, cfg_get(node, "quota"),
                       "a quota of 0 lets nothing be made: leave the lot out, or end it with "
                       "\"until\"");
    if (!read_date(c, node, "from", t->from, &l->from) ||
        !read_date(c, node, "until", t->until, &l->until))
        return 0;
    if (l->from >= l->until)
        return cfg_bad(c, cfg_get(node, t->until ? "until" : "from"),
                       "the lot ends before it begins");
    if (!a || !strcmp(a, "auto"))
        return 1;
    l->approve = !strcmp(a, "manual") ? 1 : a[0] >= '1' && a[0] <= '9' && !a[1] ? a[0] - '0' : 0;
    return l->approve ||
           cfg_bad(c, cfg_get(node, "approve"),
                   "\"approve\" must be auto, manual or 1 to 9 (persons), not \"%s\"", a);
}

/* A lot that nobody would be asked for, or that could never be granted, is not what was meant. */
static int approvers_fit(struct cfg *c, const struct cfg_node *node, const struct lot *l)
{
    const struct cfg_node *at = cfg_get(node, "approvers");
    const struct cfg_strings *a = &l->approvers;
    if (!a->n)
        return 1;
    if (!l->approve)
        return cfg_bad(c, at, "\"approvers\" without \"approve\": nobody would be asked");
    for (size_t i = 1; i < a->n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(a->v[i], a->v[k]))
                return cfg_bad(c, at, "\"%s\" stands twice in \"approvers\"", a->v[i]);
    return (size_t)l->approve <= a->n ||
           cfg_bad(c, at, "\"approve\" wants %d persons, \"approvers\" names %zu", l->approve,
                   a->n);
}

static int read_pattern(struct cfg *c, const struct cfg_node *node, struct lot_entry *e)
{
    const char *p = e->lot.pattern;
    const struct cfg_node *at = cfg_get(node, "pattern");
    char why[LOT_WHY];
    if (strlen(p) > LOT_PATTERN)
        return cfg_bad(c, at, "a pattern of more than %d octets", LOT_PATTERN);
    for (const char *s = p; (s = strchr(s, '\\')); s += s[1] ? 2 : 1)
        if (s[1] >= '0' && s[1] <= '9') /* not of POSIX; it can take for ever */
            return cfg_bad(c, at, "a pattern with a back-reference");
    regex_t *re = alloc_zero(1, sizeof *re);
    int r = regcomp(re, p, REG_EXTENDED);
    if (!r) {
        e->pattern = re;
        return 1;
    }
    regerror(r, re, why, sizeof why);
    free(re);
    return cfg_bad(c, at, "pattern: %s", why);
}

static int read_devices(struct cfg *c, const struct cfg_node *node, struct lot_entry *e)
{
    struct lot *l = &e->lot;
    if (!l->devices && !l->pattern)
        return cfg_bad(c, node, "key \"devices\" or \"pattern\" is missing");
    if (l->devices && l->pattern)
        return cfg_bad(c, cfg_get(node, "pattern"),
                       "a lot has \"devices\" or a \"pattern\", not both");
    if (l->pattern)
        return read_pattern(c, node, e);
    if (!strcmp(l->devices, "any"))
        l->devices = NULL;
    else
        l->devices = e->path = io_beside(cfg_path(c), l->devices);
    return 1;
}

static int read_owner(const struct lots *ls, const struct cfg_node *node, const struct lot *l)
{
    const struct lot_owner *o = lot_owner_find(ls, l->owner);
    size_t i = 0;
    if (!ls->owners)
        return 1;
    if (!o)
        return cfg_bad(ls->cfg, cfg_get(node, "owner"), "\"%s\" is not one of the file's owners",
                       l->owner);
    while (i < o->profiles.n && strcmp(o->profiles.v[i], l->profile))
        i++;
    return !o->profiles.n || i < o->profiles.n ||
           cfg_bad(ls->cfg, cfg_get(node, "profile"), "owner \"%s\" may not use profile \"%s\"",
                   l->owner, l->profile);
}

static int read_one(struct lots *ls, const struct cfg_node *node, struct lot_entry *e)
{
    struct form f = {.lot = {.quota = -1, .from = INT64_MIN, .until = INT64_MAX}};
    struct lot *l = &e->lot;
    if (!cfg_read(ls->cfg, node, lot_fields, &f))
        return 0;
    *l = f.lot;
    if (!no_empty_list(ls->cfg, node) || !read_bounds(ls->cfg, node, &f.text, l) ||
        !approvers_fit(ls->cfg, node, l))
        return 0;
    if (lots_find(ls, l->name))
        return cfg_bad(ls->cfg, cfg_get(node, "name"), "two lots are named \"%s\"", l->name);
    return read_owner(ls, node, l) && read_devices(ls->cfg, node, e) &&
           lot_templates_read(ls, node, l);
}

int lot_read(struct lots *ls)
{
    struct top top = {NULL, NULL};
    const struct cfg_field fields[] = {
        {.name = "lots", .type = CFG_NODE, .offset = offsetof(struct top, lots), .required = 1},
        {.name = "owners", .type = CFG_NODE, .offset = offsetof(struct top, owners)},
        {.name = NULL}};
    if (!cfg_read(ls->cfg, cfg_root(ls->cfg), fields, &top))
        return 0;
    if (top.owners && !lot_owners_read(ls, top.owners))
        return 0;
    if (cfg_kind(top.lots) != CFG_LIST)
        return cfg_bad(ls->cfg, top.lots, "\"lots\" must be a list");
    size_t n = cfg_size(top.lots);
    if (!n)
        return cfg_bad(ls->cfg, top.lots, "\"lots\" is empty");
    ls->v = alloc_zero(n, sizeof *ls->v);
    for (size_t i = 0; i < n; i++) {
        int ok = read_one(ls, cfg_item(top.lots, i), &ls->v[i]);
        ls->n++; /* a bad one too: it is freed with the others */
        if (!ok)
            return 0;
    }
    return 1;
}
