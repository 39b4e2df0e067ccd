/* Owners: what stands in every certificate of theirs. */
#include "lot_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define WHY(...) (snprintf(why, LOT_WHY, __VA_ARGS__), 0)

static const struct cfg_field owner_fields[] = {
    {.name = "name", .type = CFG_STRING, .offset = offsetof(struct lot_owner, name), .required = 1},
    {.name = "subject", .type = CFG_STRING, .offset = offsetof(struct lot_owner, subject)},
    {.name = "san", .type = CFG_STRINGS, .offset = offsetof(struct lot_owner, san)},
    {.name = "profiles", .type = CFG_STRINGS, .offset = offsetof(struct lot_owner, profiles)},
    {.name = NULL},
};

void lot_owner_free(struct lot_owner *o)
{
    for (size_t i = 0; i < o->n_fixed; i++) {
        free(o->fixed[i].type);
        free(o->fixed[i].value);
    }
    for (size_t i = 0; i < LOT_SAN; i++)
        free(o->form[i]);
}

const struct lot_owner *lot_owner_find(const struct lots *ls, const char *name)
{
    for (size_t i = 0; i < ls->n_owners; i++)
        if (!strcmp(ls->owners[i].name, name))
            return &ls->owners[i];
    return NULL;
}

/* --- reading --- */

/* 0 where the type was there before. */
static int add_fixed(const char *type, const char *value, void *arg)
{
    struct lot_owner *o = arg;
    for (size_t i = 0; i < o->n_fixed; i++)
        if (!strcmp(o->fixed[i].type, type))
            return 0;
    if (o->n_fixed == LOT_FIXED)
        return 0;
    o->fixed[o->n_fixed++] = (struct lot_fixed){alloc_str(type), alloc_str(value)};
    return 1;
}

static int read_subject(struct cfg *c, const struct cfg_node *at, struct lot_owner *o)
{
    struct buf name = {0};
    char why[X509_WHY];
    int r = x509_name_parse(o->subject, &name, why);
    if (!r)
        cfg_bad(c, at, "subject: %s", why);
    else if ((r = x509_name_each(buf_span(&name), add_fixed, o) == 1) == 0)
        cfg_bad(c, at, "an attribute stands twice in the owner's \"subject\"");
    buf_free(&name);
    return r;
}

/* "kind:value"; one asterisk at either end of the value stands for any text. *out as a name is
 * written that is compared with it. */
static int read_form(struct cfg *c, const struct cfg_node *at, const char *form, char **out)
{
    char why[X509_WHY];
    const char *colon = strchr(form, ':'), *star = colon ? strchr(colon, '*') : NULL;
    char *kind = alloc_copy(form, colon ? (size_t)(colon - form) : 0);
    int known = x509_san_kind(kind);
    struct buf der = {0};
    free(kind);
    if (!known || !colon[1])
        return cfg_bad(c, at,
                       "\"%s\" is not dns:, ip:, email:, uri:, dn:, hardware-module-name: or "
                       "permanent-identifier: and a value",
                       form);
    if (star && (strchr(star + 1, '*') || (star != colon + 1 && star[1])))
        return cfg_bad(c, at, "\"%s\": one * is allowed, at the start or the end of the value",
                       form);
    struct buf text = {0};
    if (star)
        buf_str(&text, form);
    else if (x509_san_parse(form, &der, why))
        x509_san_text(buf_span(&der), &text);
    else
        cfg_bad(c, at, "%s", why);
    *out = (char *)text.d;
    buf_free(&der);
    return *out != NULL;
}

static int read_owner(struct lots *ls, const struct cfg_node *node, struct lot_owner *o)
{
    const struct cfg_node *san = cfg_get(node, "san");
    if (!cfg_read(ls->cfg, node, owner_fields, o))
        return 0;
    if (lot_owner_find(ls, o->name))
        return cfg_bad(ls->cfg, cfg_get(node, "name"), "two owners are named \"%s\"", o->name);
    if (o->subject && !read_subject(ls->cfg, cfg_get(node, "subject"), o))
        return 0;
    if (cfg_get(node, "profiles") && !o->profiles.n)
        return cfg_bad(ls->cfg, cfg_get(node, "profiles"),
                       "\"profiles\" is empty: leave it out to allow all");
    o->has_san = san != NULL;
    if (o->san.n > LOT_SAN)
        return cfg_bad(ls->cfg, san, "more than %d forms in \"san\"", LOT_SAN);
    for (size_t i = 0; i < o->san.n; i++)
        if (!read_form(ls->cfg, cfg_kind(san) == CFG_LIST ? cfg_item(san, i) : san, o->san.v[i],
                       &o->form[i]))
            return 0;
    return 1;
}

int lot_owners_read(struct lots *ls, const struct cfg_node *list)
{
    size_t n = cfg_kind(list) == CFG_LIST ? cfg_size(list) : 0;
    if (!n)
        return cfg_bad(ls->cfg, list, "\"owners\" must be a list that is not empty");
    ls->owners = alloc_zero(n, sizeof *ls->owners);
    for (size_t i = 0; i < n; i++) {
        int ok = read_owner(ls, cfg_item(list, i), &ls->owners[i]);
        ls->n_owners++; /* a bad one too: it is freed with the others */
        if (!ok)
            return 0;
    }
    return 1;
}

/* --- judging --- */

struct count {
    const struct lot_fixed *want;
    int n;
    char other[64]; /* what stands in its place */
};

static int count(const char *type, const char *value, void *arg)
{
    struct count *c = arg;
    if (strcmp(type, c->want->type))
        return 1;
    c->n++;
    if (strcmp(value, c->want->value))
        snprintf(c->other, sizeof c->other, "%.60s", value);
    return 1;
}

static int subject_allowed(const struct lot_owner *o, struct span subject, char why[LOT_WHY])
{
    for (size_t i = 0; i < o->n_fixed; i++) {
        const struct lot_fixed *f = &o->fixed[i];
        struct count c = {.want = f};
        if (x509_name_each(subject, count, &c) != 1)
            return WHY("owner \"%.30s\": the subject is malformed", o->name);
        if (!c.n)
            return WHY("owner \"%.30s\": subject has no %.20s, it must be \"%.40s\"", o->name,
                       f->type, f->value);
        if (*c.other)
            return WHY("owner \"%.30s\": subject %.20s is \"%.40s\", it must be \"%.40s\"", o->name,
                       f->type, c.other, f->value);
        if (c.n > 1)
            return WHY("owner \"%.30s\": subject has %.20s %d times, it must be there once",
                       o->name, f->type, c.n);
    }
    return 1;
}

static int has_form(const char *name, const char *form)
{
    const char *star = strchr(strchr(form, ':'), '*');
    size_t n = strlen(name), head = star ? (size_t)(star - form) : strlen(form);
    size_t tail = star ? strlen(star + 1) : 0;
    if (!star)
        return !strcmp(name, form);
    return n > head + tail && !memcmp(name, form, head) && !memcmp(name + n - tail, star + 1, tail);
}

static int san_allowed(const struct lot_owner *o, struct span san, char why[LOT_WHY])
{
    struct span list, name;
    char bad[X509_WHY];
    struct buf text = {0};
    int ok = 1;
    if (!o->has_san || !san.n)
        return 1;
    if (!x509_take(&san, 0x30, NULL, &list) || san.n)
        return WHY("owner \"%.30s\": a subjectAltName that is malformed", o->name);
    while (ok && list.n) {
        size_t i = 0;
        buf_reset(&text);
        if (!x509_san_take(&list, &name, bad)) {
            ok = WHY("owner \"%.30s\": %s", o->name, bad);
            break;
        }
        x509_san_text(name, &text);
        while (i < o->san.n && !has_form((char *)text.d, o->form[i]))
            i++;
        if (i == o->san.n)
            ok = WHY("owner \"%.30s\": subjectAltName %.60s is not one that it may have", o->name,
                     (char *)text.d);
    }
    buf_free(&text);
    return ok;
}

int lots_owner_allows(const struct lots *ls, const char *owner, struct span subject,
                      struct span san, char why[LOT_WHY])
{
    const struct lot_owner *o;
    if (!ls->owners)
        return 1;
    o = lot_owner_find(ls, owner);
    return o ? subject_allowed(o, subject, why) && san_allowed(o, san, why)
             : WHY("owner \"%.30s\" is not known here", owner);
}
