#include "prune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "alloc.h"
#include "diag.h"

#define LIMIT_MOST STORE_CERTS
#define SPACE_MOST ((int64_t)1 << 50)

static const char *const rule_names[] = {"superseded", "no-purpose", "self-signed",
                                         "factory",    "expired",    NULL};
static const char *const when_names[] = {"always", "limit", "free-space", NULL};
static const char *const time_names[] = {"before", "after", NULL};
static const char *const order_names[] = {"oldest", "expired-first", "earliest-end", NULL};
static const char *const only_names[] = {"self-signed", "factory", NULL};

struct conf {
    struct cfg_strings when, rules, time, keep;
    int order, only;
    int64_t free_space;
};
#define AT(field) offsetof(struct conf, field)

static const struct cfg_field fields[] = {
    {.name = "when", .type = CFG_STRINGS, .offset = AT(when)},
    {.name = "free-space", .type = CFG_INT, .offset = AT(free_space), .min = 1, .max = SPACE_MOST},
    {.name = "rules", .type = CFG_STRINGS, .offset = AT(rules), .required = 1},
    {.name = "only", .type = CFG_ENUM, .offset = AT(only), .choices = only_names},
    {.name = "order", .type = CFG_ENUM, .offset = AT(order), .choices = order_names},
    {.name = "time", .type = CFG_STRINGS, .offset = AT(time)},
    {.name = "keep", .type = CFG_STRINGS, .offset = AT(keep)},
    {.name = NULL},
};

/* A set of names: bit i for names[i]. */
static int read_set(struct cfg *c, const struct cfg_node *n, const struct cfg_strings *from,
                    const char *const *names, unsigned *out)
{
    for (size_t i = 0; i < from->n; i++) {
        size_t k = 0;
        while (names[k] && strcmp(names[k], from->v[i]))
            k++;
        if (!names[k])
            return cfg_bad(c, n, "\"%s\" is not one of its words", from->v[i]);
        *out |= 1u << k;
    }
    return 1;
}

int prune_read(struct cfg *c, const struct cfg_node *n, struct prune *out)
{
    struct conf conf = {.only = -1};
    unsigned time = 0;
    if (!cfg_read(c, n, fields, &conf) ||
        !read_set(c, cfg_get(n, "when"), &conf.when, when_names, &out->when) ||
        !read_set(c, cfg_get(n, "rules"), &conf.rules, rule_names, &out->rules) ||
        !read_set(c, cfg_get(n, "time"), &conf.time, time_names, &time))
        return 0;
    for (size_t i = 0; i < conf.keep.n; i++)
        if (!store_name_ok(conf.keep.v[i]))
            return cfg_bad(c, cfg_get(n, "keep"), "\"%s\" cannot name a certificate",
                           conf.keep.v[i]);
    out->free_space = conf.free_space;
    out->order = (enum prune_order)conf.order;
    out->only = conf.only < 0 ? 0 : conf.only ? PRUNE_FACTORY : PRUNE_SELF_SIGNED;
    out->before = (time & 1) != 0;
    out->after = (time & 2) != 0 || !time;
    out->keep = conf.keep;
    if ((out->when & PRUNE_FREE_SPACE) && !out->free_space)
        return cfg_bad(c, n, "\"free-space\" is missing: how many octets");
    if ((out->when & PRUNE_LIMIT) && !out->limit)
        return cfg_bad(c, n, "when: limit needs the store's \"limit\"");
    return 1;
}

struct judge {
    const struct prune *p;
    struct store *s;
    const struct store_scan *was, *is;
    int64_t now;
    int clock, bad; /* see struct prune_list */
};

static int kept(const struct prune *p, const char *name)
{
    for (size_t i = 0; i < p->keep.n; i++)
        if (!strcmp(p->keep.v[i], name))
            return 1;
    return 0;
}

static int superseded(const struct judge *j, const struct store_cert *c, const struct store_item *i)
{
    for (size_t k = 0; k < i->n_purposes; k++) {
        const struct store_purpose *p = store_find_purpose(j->is, i->purposes[k]);
        const struct store_cert *now = p && p->cert >= 0 ? &j->is->certs[p->cert] : NULL;
        if (now && now != c && !now->bad && now->not_before >= c->not_before)
            return 1;
    }
    return 0;
}

/* Rules that meta.yaml answers; it is read only where one of them is asked. */
static int by_meta(struct judge *j, const struct store_cert *c, unsigned asked, unsigned *rules)
{
    struct store_item i;
    if (!asked)
        return 1;
    if (store_read(j->s, c->name, &i) != ST_OK) {
        j->bad = 1;
        return 0;
    }
    if ((asked & PRUNE_SUPERSEDED) && superseded(j, c, &i))
        *rules |= PRUNE_SUPERSEDED;
    if ((asked & PRUNE_FACTORY) && i.origin == STORE_FACTORY)
        *rules |= PRUNE_FACTORY;
    store_item_free(&i);
    return 1;
}

/* Which rules name it; 0: none, or it must stay. */
static unsigned named(struct judge *j, const struct store_cert *c)
{
    const struct prune *p = j->p;
    const struct store_cert *before = store_find(j->was, c->name);
    unsigned rules = 0, asked = (p->rules | p->only) & (PRUNE_SUPERSEDED | PRUNE_FACTORY);
    if (!before || before->bad || c->bad || c->linked || c->pending || kept(p, c->name))
        return 0;
    if (!before->linked)
        rules |= PRUNE_NO_PURPOSE;
    if (c->self)
        rules |= PRUNE_SELF_SIGNED;
    if (!j->clock && c->not_after < j->now)
        rules |= PRUNE_EXPIRED;
    /* Nothing that meta.yaml could say would change the answer. */
    if (p->only == PRUNE_SELF_SIGNED && !c->self)
        return 0;
    if (!by_meta(j, c, asked, &rules) || (p->only && !(rules & p->only)))
        return 0;
    return rules & p->rules;
}

struct ordered {
    struct prune_victim v;
    const struct store_cert *c;
    int expired;
};

static int by_age(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->c->not_before != y->c->not_before)
        return x->c->not_before < y->c->not_before ? -1 : 1;
    return strcmp(x->c->name, y->c->name);
}

static int by_end(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->c->not_after != y->c->not_after)
        return x->c->not_after < y->c->not_after ? -1 : 1;
    return strcmp(x->c->name, y->c->name);
}

static int by_expiry(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    return x->expired != y->expired ? y->expired - x->expired : by_age(a, b);
}

/* What its files take on the disk, so that a rehearsal names the same as a run. */
static int64_t octets(struct store *s, const char *name)
{
    static const char *const files[] = {"",         "/cert.pem", "/chain.pem", "/fullchain.pem",
                                        "/key.pem", "/key.uri",  "/meta.yaml"};
    int64_t n = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct stat st;
        char *path = alloc_printf("%s/cert/%s%s", store_path(s), name, files[i]);
        if (lstat(path, &st) == 0)
            n += (int64_t)st.st_blocks * 512;
        free(path);
    }
    return n;
}

/* How many of the ordered candidates have to go. */
static enum status how_many(const struct judge *j, const struct ordered *o, size_t n, size_t room,
                            size_t *out)
{
    const struct prune *p = j->p;
    struct statvfs fs;
    size_t space = 0;
    *out = p->when & PRUNE_ALWAYS ? n : 0;
    /* A store at its limit makes one place, for the certificate that comes next. */
    size_t wanted = j->is->n + (room ? room : 1), limit = (size_t)p->limit;
    if (limit && (p->when & PRUNE_LIMIT) && wanted > limit && wanted - limit > *out)
        *out = wanted - limit;
    if (p->when & PRUNE_FREE_SPACE) {
        if (statvfs(store_path(j->s), &fs)) {
            diag_warn("%s: %s", store_path(j->s), strerror(errno));
            return ST_TEMP;
        }
        int64_t there = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
        while (space < n && there <= p->free_space)
            there += octets(j->s, o[space++].c->name);
        *out = *out > space ? *out : space;
    }
    *out = *out < n ? *out : n;
    return ST_OK;
}

enum status prune_judge(const struct prune *p, struct store *s, const struct store_scan *was,
                        const struct store_scan *is, int64_t now, size_t room,
                        struct prune_list *out)
{
    static int (*const orders[])(const void *, const void *) = {by_age, by_expiry, by_end};
    struct judge j = {.p = p, .s = s, .was = was, .is = is, .now = now};
    struct ordered *o = alloc_zero(is->n, sizeof *o);
    size_t n = 0;
    *out = (struct prune_list){.clock = store_clock_wrong(was, now)};
    j.clock = out->clock;
    for (size_t i = 0; p->when && i < is->n; i++) {
        unsigned rules = named(&j, &is->certs[i]);
        if (rules)
            o[n++] = (struct ordered){
                {i, rules}, &is->certs[i], !j.clock && is->certs[i].not_after < now};
    }
    out->bad = j.bad;
    if (n)
        qsort(o, n, sizeof *o, orders[p->order]);
    enum status st = how_many(&j, o, n, room, &out->n);
    out->v = alloc_zero(out->n, sizeof *out->v);
    for (size_t i = 0; i < out->n; i++)
        out->v[i] = o[i].v;
    free(o);
    return st;
}

void prune_list_free(struct prune_list *l)
{
    free(l->v);
    *l = (struct prune_list){0};
}

void prune_rules_text(unsigned rules, struct buf *out)
{
    for (size_t i = 0; rule_names[i]; i++)
        if (rules & 1u << i)
            buf_printf(out, "%s%s", rules & ((1u << i) - 1) ? ", " : "", rule_names[i]);
}

void prune_when_text(const struct prune *p, struct buf *out)
{
    size_t begin = out->n;
    if (p->when & PRUNE_ALWAYS)
        buf_str(out, "always");
    if (p->when & PRUNE_LIMIT)
        buf_printf(out, "%slimit %lld", out->n > begin ? ", " : "", (long long)p->limit);
    if (p->when & PRUNE_FREE_SPACE)
        buf_printf(out, "%sfree space at most %lld octets", out->n > begin ? ", " : "",
                   (long long)p->free_space);
    if (!p->when)
        buf_str(out, "never");
}
