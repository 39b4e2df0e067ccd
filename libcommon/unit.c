#include "unit_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

struct unit_own *unit_own(const struct unit *u)
{
    return u->own;
}

/* ca-sign names lots in its chain: a name that no lot has would refuse everything, quietly. */
static int stands_lots_ok(const struct unit *u)
{
    for (size_t i = 0; i < u->n_stands; i++) {
        const struct cfg_strings *names = &u->stands[i].lots;
        const struct cfg_node *at = cfg_get(cfg_item(unit_own(u)->conf.chain, i), "lots");
        for (size_t k = 0; k < names->n; k++) {
            const struct lot *lot = lots_find(u->lots, names->v[k]);
            if (!lot)
                return cfg_bad(u->cfg, cfg_kind(at) == CFG_LIST ? cfg_item(at, k) : at,
                               "there is no lot \"%s\" in %s", names->v[k], u->lots_path);
            if (lot->pop == LOT_POP_WITNESS && !u->bare_keys)
                diag_warn("lot %s takes bare public keys, and %s says bare-keys: no", lot->name,
                          cfg_path(u->cfg));
        }
    }
    return 1;
}

static enum status lists_open(struct unit *u)
{
    if (unit_own(u)->reader)
        return ST_OK;
    if (u->lots_path && !unit_own(u)->direct) {
        u->lots = lots_load(u->lots_path);
        if (!u->lots || !stands_lots_ok(u))
            return ST_USAGE;
        if ((u->role == PATH_VERIFY_UNIT || u->role == PATH_RA_APPROVE) && !lots_check(u->lots))
            return ST_USAGE;
    }
    u->profiles = profiles_load(u->profiles_path);
    return u->profiles ? ST_OK : ST_USAGE;
}

static enum status cert_open(struct unit *u)
{
    return unit_own(u)->direct ? ST_OK : unit_cert_open(u);
}

/* Without a message certificate the ledger is the CA's: it has one name for both. */
static enum status id_find(struct unit *u)
{
    struct unit_own *own = unit_own(u);
    struct buf cn = {0};
    struct x509_cert ca;
    if (u->id)
        return ST_OK;
    if (own->conf.id)
        own->id = alloc_str(own->conf.id);
    else if (u->n_issuer_chain && x509_cert_view(u->issuer_chain[0], &ca) &&
             x509_name_get(ca.subject, "CN", &cn) == 1)
        own->id = alloc_str((const char *)cn.d);
    buf_free(&cn);
    u->id = own->id;
    if (u->id)
        return ST_OK;
    cfg_bad(u->cfg, cfg_root(u->cfg), "key \"id\" is missing");
    diag_hint(
        "it names the unit in its ledger as long as no certificate does: the CA's commonName");
    return ST_USAGE;
}

static enum status ledger_take(struct unit *u)
{
    enum status st = id_find(u);
    if (!st && !unit_own(u)->reader)
        return ledger_open(u->ledger_path, u->id, &u->ledger);
    if (!st)
        st = ledger_open_reader(u->ledger_path, &u->ledger);
    if (!st && strcmp(ledger_unit(u->ledger), u->id)) {
        diag_warn("%s: the ledger of unit \"%s\", not of \"%s\"", u->ledger_path,
                  ledger_unit(u->ledger), u->id);
        st = ST_USAGE;
    }
    return st;
}

static enum status key_open(const struct unit *u, const char *where, const char *certificate,
                            struct span chain0, int flags, struct signer **out)
{
    struct x509_cert cert;
    struct span spki;
    enum status st = signer_open(where, cfg_path(u->cfg), flags, out);
    if (st || !chain0.p)
        return st;
    spki.p = signer_spki(*out, &spki.n);
    if (x509_cert_view(chain0, &cert) && buf_same(cert.spki, spki))
        return ST_OK;
    diag_warn("%s: is for another key than %.*s", certificate, (int)strcspn(where, "?"), where);
    return ST_USAGE;
}

static enum status keys_open(struct unit *u)
{
    const struct unit_own *own = unit_own(u);
    const struct unit_conf *conf = &own->conf;
    enum status st = ST_OK;
    if (!own->direct && !own->keyless)
        st = key_open(u, conf->key, conf->certificate, u->chain[0], SIGNER_UNIT, &u->signer);
    if (!st && u->role == PATH_CA_SIGN && !own->keyless)
        st = key_open(u, conf->issuer_key, conf->issuer_certificate, u->issuer_chain[0],
                      SIGNER_TOKEN, &u->issuer);
    return st;
}

enum parts { WHOLE = 0, DIRECT = 1, KEYLESS = 2, READER = 4 }; /* a set */

static enum status open_all(enum path_role role, const char *path, int parts, struct unit **out)
{
    static enum status (*const steps[])(struct unit *) = {lists_open, cert_open, unit_issuer_open,
                                                          ledger_take, keys_open};
    struct unit *u = alloc_zero(1, sizeof *u);
    struct unit_own *own = alloc_zero(1, sizeof *own);
    u->role = role;
    u->own = own;
    own->direct = (parts & DIRECT) != 0;
    own->keyless = (parts & KEYLESS) != 0;
    own->reader = (parts & READER) != 0;
    u->head_last = clock_now();
    enum status st = unit_config_read(u, path);
    for (size_t i = 0; !st && i < sizeof steps / sizeof *steps; i++)
        st = steps[i](u);
    if (st)
        unit_close(u);
    else
        *out = u;
    return st;
}

enum status unit_open(enum path_role role, const char *path, struct unit **out)
{
    return open_all(role, path, WHOLE, out);
}

enum status unit_open_keyless(enum path_role role, const char *path, struct unit **out)
{
    return open_all(role, path, KEYLESS, out);
}

enum status unit_open_issuer(const char *path, struct unit **out)
{
    return open_all(PATH_CA_SIGN, path, DIRECT, out);
}

enum status unit_open_reader(const char *path, struct unit **out)
{
    enum path_role role;
    int direct;
    enum status st = unit_role_read(path, &role, &direct);
    return st ? st : open_all(role, path, READER | KEYLESS | (direct ? DIRECT : 0), out);
}

void unit_close(struct unit *u)
{
    if (!u)
        return;
    signer_close(u->issuer);
    signer_close(u->signer);
    ledger_close(u->ledger);
    profiles_free(u->profiles);
    lots_free(u->lots);
    path_free(u->path);
    anchor_free(u->anchor);
    for (size_t i = 0; i < u->n_chain; i++)
        free((void *)u->chain[i].p);
    for (size_t i = 0; i < u->n_issuer_chain; i++)
        free((void *)u->issuer_chain[i].p);
    free(unit_own(u)->id);
    free(u->own);
    free(u->stands);
    cfg_free(u->cfg);
    free(u);
}

static int has(const struct cfg_strings *ids, const char *id)
{
    for (size_t i = 0; i < ids->n; i++)
        if (!strcmp(ids->v[i], id))
            return 1;
    return 0;
}

int unit_takes(const struct unit *u, int above, const char *id)
{
    if (u->role != PATH_CA_SIGN)
        return has(above ? &u->from_above : &u->from_below, id);
    for (size_t i = 0; !above && i < u->n_stands; i++)
        if (!strcmp(u->stands[i].ra_approve, id))
            return 1;
    return 0;
}

int unit_stands(const struct unit *u, const char *attach, const char *verify_unit,
                const char *ra_approve, const char *lot)
{
    for (size_t i = 0; i < u->n_stands; i++) {
        const struct unit_stand *s = &u->stands[i];
        if (!strcmp(s->attach, attach) && !strcmp(s->verify_unit, verify_unit) &&
            !strcmp(s->ra_approve, ra_approve) && has(&s->lots, lot))
            return 1;
    }
    return 0;
}
