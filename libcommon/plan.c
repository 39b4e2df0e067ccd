#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "csr.h"
#include "diag.h"
#include "io.h"
#include "p11.h"

#define TIMEOUT 300
#define TIMEOUT_MOST (24 * 60 * 60)
#define WAIT 30
#define STORE "/var/lib/certline/store" /* where only a token is named */
#define PURPOSE(field) offsetof(struct plan_purpose, field)

struct conf {
    const char *device, *trust, *restart;
    struct cfg_strings store, crls;
    int64_t limit, token_limit, wait;
    const struct cfg_node *purposes, *deletion;
};
#define TOP(field) offsetof(struct conf, field)

static const struct cfg_field top_fields[] = {
    {.name = "store", .type = CFG_STRINGS, .offset = TOP(store), .required = 1},
    {.name = "token-limit", .type = CFG_INT, .offset = TOP(token_limit), .min = 1, .max = 10000},
    {.name = "limit", .type = CFG_INT, .offset = TOP(limit), .min = 1, .max = STORE_CERTS},
    {.name = "device", .type = CFG_STRING, .offset = TOP(device)},
    {.name = "trust", .type = CFG_PATH, .offset = TOP(trust), .required = 1},
    {.name = "crl", .type = CFG_PATHS, .offset = TOP(crls)},
    {.name = "restart", .type = CFG_STRING, .offset = TOP(restart)},
    {.name = "wait", .type = CFG_DURATION, .offset = TOP(wait), .min = 1, .max = TIMEOUT_MOST},
    {.name = "purposes", .type = CFG_NODE, .offset = TOP(purposes)},
    {.name = "deletion", .type = CFG_NODE, .offset = TOP(deletion)},
    {.name = NULL},
};

static const char *const keys[] = {"new", "same", NULL};
static const char *const restarts[] = {"not needed", "needed", "ask", NULL};

struct purpose_conf {
    struct plan_purpose p;
    const struct cfg_node *renew;
};

static const struct cfg_field purpose_fields[] = {
    {.name = "name", .type = CFG_STRING, .offset = PURPOSE(name), .required = 1},
    {.name = "renew",
     .type = CFG_NODE,
     .offset = offsetof(struct purpose_conf, renew),
     .required = 1},
    {.name = "key", .type = CFG_ENUM, .offset = PURPOSE(key), .choices = keys},
    {.name = "key-type", .type = CFG_STRING, .offset = PURPOSE(key_type)},
    {.name = "key-uri", .type = CFG_STRING, .offset = PURPOSE(key_uri)},
    {.name = "subject", .type = CFG_STRING, .offset = PURPOSE(subject)},
    {.name = "san", .type = CFG_STRINGS, .offset = PURPOSE(san)},
    {.name = "usages", .type = CFG_STRINGS, .offset = PURPOSE(usages)},
    {.name = "challenge", .type = CFG_PATH, .offset = PURPOSE(challenge)},
    {.name = "enroll", .type = CFG_STRING, .offset = PURPOSE(enroll)},
    {.name = "poll", .type = CFG_STRING, .offset = PURPOSE(poll)},
    {.name = "timeout",
     .type = CFG_DURATION,
     .offset = PURPOSE(timeout),
     .min = 1,
     .max = TIMEOUT_MOST},
    {.name = "after", .type = CFG_STRING, .offset = PURPOSE(after)},
    {.name = "restart", .type = CFG_ENUM, .offset = PURPOSE(restart), .choices = restarts},
    {.name = NULL},
};

static int read_purpose(struct plan *p, const struct cfg_node *n)
{
    struct purpose_conf conf = {.p = {.timeout = TIMEOUT}};
    struct plan_purpose *to = &p->purposes[p->n];
    char why[X509_WHY];
    struct buf der = {0};
    if (!cfg_read(p->cfg, n, purpose_fields, &conf) ||
        !schedule_read(p->cfg, conf.renew, &conf.p.renew))
        return 0;
    *to = conf.p;
    if (!store_name_ok(to->name))
        return cfg_bad(p->cfg, cfg_get(n, "name"), "\"%s\" cannot name a purpose", to->name);
    if (plan_purpose(p, to->name))
        return cfg_bad(p->cfg, cfg_get(n, "name"), "two purposes are named \"%s\"", to->name);
    if (to->key_type && !csr_key_known(to->key_type))
        return cfg_bad(p->cfg, cfg_get(n, "key-type"), "\"%s\" is no type of key known here",
                       to->key_type);
    if (to->key_uri && strncmp(to->key_uri, "pkcs11:", 7))
        return cfg_bad(p->cfg, cfg_get(n, "key-uri"), "not a pkcs11: URI");
    if (to->key_uri && !p11_uri_whole(to->key_uri))
        return cfg_bad(p->cfg, cfg_get(n, "key-uri"),
                       "pin-source and module-path must begin with \"/\": the store keeps the URI");
    if (to->key_uri && to->key == PLAN_KEY_NEW && !strstr(to->key_uri, "{name}"))
        return cfg_bad(p->cfg, cfg_get(n, "key-uri"),
                       "{name} is missing: a new key needs a name of its own");
    if (to->renew.kind != SCHEDULE_NEVER && !to->enroll)
        return cfg_bad(p->cfg, n, "\"enroll\" is missing: how a certificate is had");
    int ok = !to->subject || x509_name_parse(to->subject, &der, why) ||
             cfg_bad(p->cfg, cfg_get(n, "subject"), "%s", why);
    buf_free(&der);
    return ok;
}

static int read_purposes(struct plan *p, const struct cfg_node *list)
{
    if (!list)
        return 1;
    if (cfg_kind(list) != CFG_LIST)
        return cfg_bad(p->cfg, list, "\"purposes\" must be a list");
    if (cfg_size(list) > PLAN_PURPOSES)
        return cfg_bad(p->cfg, list, "more than %d purposes", PLAN_PURPOSES);
    p->purposes = alloc_zero(cfg_size(list), sizeof *p->purposes);
    for (size_t i = 0; i < cfg_size(list); i++, p->n++)
        if (!read_purpose(p, cfg_item(list, i)))
            return 0;
    return 1;
}

/* What is the same at every start and different on every device. */
static char *own_name(void)
{
    char host[256] = "";
    struct buf id = {0};
    if (access("/etc/machine-id", R_OK) == 0 && io_read_file("/etc/machine-id", 256, &id)) {
        id.d[strcspn((char *)id.d, "\r\n")] = '\0';
        if (*id.d)
            return (char *)id.d;
    }
    buf_free(&id);
    return alloc_str(gethostname(host, sizeof host - 1) == 0 && *host ? host : "device");
}

/* `store:` a folder, a token, or both. */
static int read_store(struct plan *p, const struct cfg_strings *store)
{
    const struct cfg_node *at = cfg_get(cfg_root(p->cfg), "store");
    if (!store->n)
        return cfg_bad(p->cfg, at, "a folder or a pkcs11: URI is missing");
    for (size_t i = 0; i < store->n; i++) {
        int token = !strncmp(store->v[i], "pkcs11:", 7);
        if (token ? p->token != NULL : p->own_store != NULL)
            return cfg_bad(p->cfg, at, "two %s: one folder and one token may stand here",
                           token ? "tokens" : "folders");
        if (token)
            p->token = store->v[i];
        else
            p->own_store = io_beside(cfg_path(p->cfg), store->v[i]);
    }
    p->store = p->own_store ? p->own_store : STORE;
    return 1;
}

static int read_all(struct plan *p)
{
    struct conf conf = {.wait = WAIT};
    if (!cfg_read(p->cfg, cfg_root(p->cfg), top_fields, &conf))
        return 0;
    if (!read_store(p, &conf.store))
        return 0;
    p->token_limit = conf.token_limit;
    p->device = conf.device ? conf.device : (p->own_device = own_name());
    p->trust = conf.trust;
    p->crls = conf.crls;
    p->restart = conf.restart;
    p->wait = conf.wait;
    p->prune.limit = conf.limit;
    p->prune.token = p->token;
    p->prune.token_limit = conf.token_limit;
    p->prune.base = cfg_path(p->cfg);
    if (conf.token_limit && !p->token)
        return cfg_bad(p->cfg, cfg_get(cfg_root(p->cfg), "token-limit"),
                       "goes with a token in \"store\"");
    return (!conf.deletion || prune_read(p->cfg, conf.deletion, &p->prune)) &&
           read_purposes(p, conf.purposes);
}

enum status plan_load(const char *path, struct plan **out)
{
    struct plan *p = alloc_zero(1, sizeof *p);
    p->cfg = cfg_load(path ? path : "/etc/certline/store.yaml");
    if (p->cfg && read_all(p)) {
        *out = p;
        return ST_OK;
    }
    plan_free(p);
    *out = NULL;
    return ST_USAGE;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    free(p->purposes);
    free(p->own_device);
    free(p->own_store);
    cfg_free(p->cfg);
    free(p);
}

const struct plan_purpose *plan_purpose(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->purposes[i].name, name))
            return &p->purposes[i];
    return NULL;
}

int64_t plan_due(const struct plan *p, const struct plan_purpose *purpose,
                 const struct store_state *state, const struct store_item *item, int64_t jitter)
{
    struct schedule s = purpose->renew;
    struct schedule_life life = {.not_before = item->cert.not_before,
                                 .not_after = item->cert.not_after};
    life.since = state->set ? state->set : item->added ? item->added : item->cert.not_before;
    if (!s.jitter)
        s.jitter = jitter;
    return schedule_due(&s, &life, p->device, purpose->name);
}
