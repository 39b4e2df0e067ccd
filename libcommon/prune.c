#include "prune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "alloc.h"
#include "diag.h"
#include "p11key.h"

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
    if ((out->when & PRUNE_LIMIT) && !out->limit && !out->token_limit)
        return cfg_bad(c, n, "when: limit needs the store's \"limit\" or \"token-limit\"");
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

/* What has to be had by deleting. */
struct need {
    size_t places, slots;  /* in the store, in the token */
    int64_t space, wanted; /* octets that are free, and that must be exceeded */
};

/* A store or a token at its limit makes one place, for the certificate that comes next. */
static size_t over(size_t there, size_t room, int64_t limit)
{
    size_t wanted = there + (room ? room : 1);
    return limit && wanted > (size_t)limit ? wanted - (size_t)limit : 0;
}

static enum status needs(const struct judge *j, size_t n, size_t room, struct need *out)
{
    const struct prune *p = j->p;
    struct statvfs fs;
    size_t held = 0;
    enum status st = ST_OK;
    *out = (struct need){.places = p->when & PRUNE_ALWAYS ? n : 0, .wanted = -1};
    if ((p->when & PRUNE_LIMIT) && over(j->is->n, room, p->limit) > out->places)
        out->places = over(j->is->n, room, p->limit);
    if ((p->when & PRUNE_LIMIT) && p->token_limit) {
        st = p11key_count_certificates(p->token, p->base, &held);
        out->slots = over(held, room, p->token_limit);
    }
    if (p->when & PRUNE_FREE_SPACE) {
        if (statvfs(store_path(j->s), &fs)) {
            diag_warn("%s: %s", store_path(j->s), strerror(errno));
            return ST_TEMP;
        }
        out->space = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
        out->wanted = p->free_space;
    }
    return st;
}

static enum status in_token(const struct judge *j, const char *name, int *held)
{
    struct store_item i;
    enum status st = store_read(j->s, name, &i);
    *held = 0;
    if (st == ST_OK && i.key_in_token)
        st = p11key_holds_certificate(j->p->token, j->p->base, i.der.d, i.der.n, held);
    store_item_free(&i);
    return st;
}

/* As many of the ordered candidates as are needed and can be deleted. */
static enum status choose(struct judge *j, const struct ordered *o, size_t n, struct need need,
                          struct prune_list *out)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st != ST_TEMP; i++) {
        const char *name = o[i].c->name;
        int held = 0;
        st = need.slots ? in_token(j, name, &held) : ST_OK;
        if (st == ST_OK && !need.places && need.space > need.wanted && !held)
            continue;
        if (st == ST_OK)
            st = store_deletable(j->s, name);
        j->bad |= st == ST_REFUSED;
        if (st != ST_OK)
            continue;
        out->v[out->n++] = o[i].v;
        need.places -= need.places > 0;
        need.slots -= held && need.slots;
        need.space += need.space <= need.wanted ? store_octets(j->s, name) : 0;
    }
    return st == ST_TEMP ? st : ST_OK;
}

enum status prune_judge(const struct prune *p, struct store *s, const struct store_scan *was,
                        const struct store_scan *is, int64_t now, size_t room,
                        struct prune_list *out)
{
    static int (*const orders[])(const void *, const void *) = {by_age, by_expiry, by_end};
    struct judge j = {.p = p, .s = s, .was = was, .is = is, .now = now};
    struct ordered *o = alloc_zero(is->n, sizeof *o);
    struct need need;
    size_t n = 0;
    *out = (struct prune_list){.clock = store_clock_wrong(was, now)};
    j.clock = out->clock;
    for (size_t i = 0; p->when && i < is->n; i++) {
        unsigned rules = named(&j, &is->certs[i]);
        if (rules)
            o[n++] = (struct ordered){
                {i, rules}, &is->certs[i], !j.clock && is->certs[i].not_after < now};
    }
    if (n)
        qsort(o, n, sizeof *o, orders[p->order]);
    out->v = alloc_zero(n, sizeof *out->v);
    enum status st = n ? needs(&j, n, room, &need) : ST_OK;
    if (n && st == ST_OK)
        st = choose(&j, o, n, need, out);
    out->bad = j.bad;
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
    if ((p->when & PRUNE_LIMIT) && p->limit)
        buf_printf(out, "%slimit %lld", out->n > begin ? ", " : "", (long long)p->limit);
    if ((p->when & PRUNE_LIMIT) && p->token_limit)
        buf_printf(out, "%slimit %lld in the token", out->n > begin ? ", " : "",
                   (long long)p->token_limit);
    if (p->when & PRUNE_FREE_SPACE)
        buf_printf(out, "%sfree space at most %lld octets", out->n > begin ? ", " : "",
                   (long long)p->free_space);
    if (!p->when)
        buf_str(out, "never");
}
