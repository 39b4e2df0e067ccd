#include "unit_priv.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define A (1u << PATH_ATTACH)
#define V (1u << PATH_VERIFY_UNIT)
#define R (1u << PATH_RA_APPROVE)
#define C (1u << PATH_CA_SIGN)
#define ALL (A | V | R | C)

#define BATCH_MOST 1000 /* requests in a message, certline-message(5) */
#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define AT(field) offsetof(struct unit_conf, field)

static const struct key {
    const char *name;
    enum cfg_type type;
    size_t offset;
    unsigned roles;    /* where it may stand */
    unsigned required; /* where it must */
    int direct;        /* also needed when no message is signed */
    int64_t min, max;
} keys[] = {
    {"id", CFG_STRING, AT(id), ALL, 0, 0, 0, 0},
    {"key", CFG_STRING, AT(key), ALL, ALL, 0, 0, 0},
    {"certificate", CFG_PATH, AT(certificate), ALL, ALL, 0, 0, 0},
    {"trust", CFG_PATH, AT(trust), ALL, ALL, 0, 0, 0},
    {"unit-ca", CFG_PATH, AT(unit_ca), ALL, 0, 0, 0, 0},
    {"crl", CFG_PATHS, AT(crls), ALL, 0, 0, 0, 0},
    {"ledger", CFG_PATH, AT(ledger), ALL, ALL, 1, 0, 0},
    {"head", CFG_PATH, AT(head), ALL, 0, 0, 0, 0},
    {"head-every", CFG_DURATION, AT(head_every), ALL, 0, 0, 1, 30 * DAY},
    {"to", CFG_STRING, AT(to), A, A, 0, 0, 0},
    {"chain", CFG_NODE, AT(chain), ALL, ALL, 0, 0, 0},
    {"bare-keys", CFG_BOOL, AT(bare_keys), V | R | C, 0, 0, 0, 0},
    {"max-age", CFG_DURATION, AT(max_age), ALL, 0, 0, 1, 3650 * DAY},
    {"batch", CFG_INT, AT(batch), A, 0, 0, 1, BATCH_MOST},
    {"ask-again", CFG_DURATION, AT(ask_again), R, 0, 0, 1, 30 * DAY},
    {"lots", CFG_PATH, AT(lots), ALL, V | R | C, 0, 0, 0},
    {"profiles", CFG_PATH, AT(profiles), ALL, 0, 0, 0, 0},
    {"issuer", CFG_NODE, AT(issuer), C, C, 1, 0, 0},
};
#define N_KEYS (sizeof keys / sizeof *keys)

const struct cfg_node *unit_at(const struct unit *u, const char *key)
{
    const struct cfg_node *root = cfg_root(u->cfg), *at = cfg_get(root, key);
    return at ? at : root;
}

/* A key that another unit knows deserves a better answer than "unknown key". */
static int roles_ok(const struct unit *u)
{
    const struct cfg_node *root = cfg_root(u->cfg);
    for (size_t i = 0; cfg_kind(root) == CFG_MAP && i < cfg_size(root); i++)
        for (size_t k = 0; k < N_KEYS; k++)
            if (!strcmp(cfg_key(root, i), keys[k].name) && !(keys[k].roles & 1u << u->role))
                return cfg_bad(u->cfg, cfg_key_node(root, i), "key \"%s\" is not for %s",
                               keys[k].name, path_role_name(u->role));
    return 1;
}

static int top_read(struct unit *u)
{
    struct unit_own *own = unit_own(u);
    struct cfg_field fields[N_KEYS + 1];
    size_t n = 0;
    memset(fields, 0, sizeof fields);
    for (size_t k = 0; k < N_KEYS; k++) {
        if (!(keys[k].roles & 1u << u->role))
            continue;
        struct cfg_field *f = &fields[n++];
        f->name = keys[k].name;
        f->type = keys[k].type;
        f->offset = keys[k].offset;
        f->required = (keys[k].required & 1u << u->role) && (!own->direct || keys[k].direct);
        f->min = keys[k].min;
        f->max = keys[k].max;
    }
    return roles_ok(u) && cfg_read(u->cfg, cfg_root(u->cfg), fields, &own->conf);
}

static int issuer_read(struct unit *u)
{
    struct unit_own *own = unit_own(u);
    const struct cfg_field fields[] = {
        {"key", CFG_STRING, AT(issuer_key), 1, 0, 0, NULL},
        {"certificate", CFG_PATH, AT(issuer_certificate), !own->direct, 0, 0, NULL},
        {NULL, CFG_NODE, 0, 0, 0, 0, NULL}};
    return !own->conf.issuer || cfg_read(u->cfg, own->conf.issuer, fields, &own->conf);
}

static int somebody(const struct unit *u, const struct cfg_node *at, const struct cfg_strings *ids)
{
    return ids->n || cfg_bad(u->cfg, at, "names nobody");
}

static int neighbours_read(struct unit *u, const struct cfg_node *chain)
{
    const struct cfg_field both[] = {
        {"above", CFG_STRINGS, offsetof(struct unit, from_above), 1, 0, 0, NULL},
        {"below", CFG_STRINGS, offsetof(struct unit, from_below), 1, 0, 0, NULL},
        {NULL, CFG_NODE, 0, 0, 0, 0, NULL}};
    struct cfg_field fields[3];
    memcpy(fields, both, sizeof fields);
    if (u->role == PATH_ATTACH)
        fields[1] = both[2];
    if (!cfg_read(u->cfg, chain, fields, u) ||
        !somebody(u, cfg_get(chain, "above"), &u->from_above))
        return 0;
    if (u->role != PATH_ATTACH)
        return somebody(u, cfg_get(chain, "below"), &u->from_below);
    /* The unit that is asked is the one that answers. */
    return unit_takes(u, 1, u->to) ||
           cfg_bad(u->cfg, unit_at(u, "to"), "\"to\" names \"%s\", which chain: above: does not",
                   u->to);
}

static int stands_read(struct unit *u, const struct cfg_node *chain)
{
    static const struct cfg_field fields[] = {
        {"attach", CFG_STRING, offsetof(struct unit_stand, attach), 1, 0, 0, NULL},
        {"verify-unit", CFG_STRING, offsetof(struct unit_stand, verify_unit), 1, 0, 0, NULL},
        {"ra-approve", CFG_STRING, offsetof(struct unit_stand, ra_approve), 1, 0, 0, NULL},
        {"lots", CFG_STRINGS, offsetof(struct unit_stand, lots), 1, 0, 0, NULL},
        {NULL, CFG_NODE, 0, 0, 0, 0, NULL}};
    if (cfg_kind(chain) != CFG_LIST || !cfg_size(chain))
        return cfg_bad(u->cfg, chain,
                       "\"chain\" must be a list of {attach, verify-unit, ra-approve, lots}");
    u->stands = alloc_zero(cfg_size(chain), sizeof *u->stands);
    for (; u->n_stands < cfg_size(chain); u->n_stands++) {
        const struct cfg_node *one = cfg_item(chain, u->n_stands);
        struct unit_stand *s = &u->stands[u->n_stands];
        if (!cfg_read(u->cfg, one, fields, s) || !somebody(u, cfg_get(one, "lots"), &s->lots))
            return 0;
    }
    return 1;
}

static int chain_read(struct unit *u)
{
    const struct unit_own *own = unit_own(u);
    if (own->direct || !own->conf.chain)
        return 1;
    return u->role == PATH_CA_SIGN ? stands_read(u, own->conf.chain)
                                   : neighbours_read(u, own->conf.chain);
}

/* A database's URI is no path beside the file. attach has runs that a file lock guards, and a line
 * of its own. */
static int ledger_read(struct unit *u)
{
    const struct cfg_node *at = unit_at(u, "ledger");
    u->ledger_path = unit_own(u)->conf.ledger;
    if (!u->ledger_path || !ledger_is_database(cfg_text(at)))
        return 1;
    u->ledger_path = cfg_text(at);
    return u->role != PATH_ATTACH || cfg_bad(u->cfg, at, "attach keeps its ledger in a file");
}

enum status unit_config_read(struct unit *u, const char *path)
{
    struct unit_conf *conf = &unit_own(u)->conf;
    char *standard = alloc_printf("/etc/certline/%s.yaml", path_role_name(u->role));
    conf->max_age = DAY;
    conf->batch = 64;
    conf->ask_again = HOUR;
    conf->head_every = MINUTE;
    u->cfg = cfg_load(path ? path : standard);
    free(standard);
    if (!u->cfg || !top_read(u))
        return ST_USAGE;
    u->to = conf->to;
    u->bare_keys = conf->bare_keys;
    u->max_age = conf->max_age;
    u->batch = conf->batch;
    u->ask_again = conf->ask_again;
    u->head_every = conf->head_every;
    u->head_path = conf->head;
    u->lots_path = conf->lots;
    u->profiles_path = conf->profiles;
    return ledger_read(u) && issuer_read(u) && chain_read(u) ? ST_OK : ST_USAGE;
}

enum status unit_role_read(const char *path, enum path_role *role, int *direct)
{
    struct buf der[UNIT_CHAIN + 1] = {{0}};
    struct cfg *cfg = cfg_load(path);
    const struct cfg_node *root = cfg ? cfg_root(cfg) : NULL;
    const struct cfg_node *at = cfg ? cfg_get(root, "certificate") : NULL;
    int ok = cfg != NULL, n = 0;
    *role = PATH_CA_SIGN;
    *direct = ok && !at && cfg_get(root, "issuer");
    if (ok && !*direct && !at)
        ok = cfg_bad(cfg, root, "key \"certificate\" is missing");
    if (ok && at) {
        char *file = cfg_text(at) ? io_beside(path, cfg_text(at)) : NULL;
        if (file)
            n = unit_certs_read(file, der, UNIT_CHAIN + 1);
        ok = n && (path_role_of(buf_span(&der[0]), role) ||
                   diag_warn("%s: not the certificate of a unit", file));
        free(file);
    }
    for (int i = 0; i < n; i++)
        buf_free(&der[i]);
    cfg_free(cfg);
    return ok ? ST_OK : ST_USAGE;
}
