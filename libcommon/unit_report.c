#include "unit_priv.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "diag.h"
#include "io.h"

/* The key's name without its pin-source: where a PIN lies is nobody's business (RFC 7512,
 * section 2.4). */
static void put_key(struct buf *out, const char *label, const char *uri)
{
    size_t path = strcspn(uri, "?");
    char sep = '?';
    buf_printf(out, "%s: %.*s", label, (int)path, uri);
    for (const char *q = uri + path; *q;) {
        size_t n = strcspn(++q, "&");
        if (strncmp(q, "pin-", 4) != 0)
            buf_printf(out, "%c%.*s", sep, (int)n, q);
        if (strncmp(q, "pin-", 4) != 0)
            sep = '&';
        q += n;
    }
    buf_char(out, '\n');
}

static void put_cert(struct buf *out, const char *label, const char *path, struct span der)
{
    struct x509_cert cert;
    char when[CLOCK_TEXT];
    if (!der.p || !x509_cert_view(der, &cert)) {
        buf_printf(out, "%s: none yet\n", label);
        return;
    }
    char *name = x509_name_text(cert.subject);
    clock_format(cert.not_after, when);
    buf_printf(out, "%s: %s, %s, until %s\n", label, path, name ? name : "?", when);
    free(name);
}

static void put_list(struct buf *out, const char *label, const struct cfg_strings *l)
{
    if (!l->n)
        return;
    buf_printf(out, "%s:", label);
    for (size_t i = 0; i < l->n; i++)
        buf_printf(out, "%s %s", i ? "," : "", l->v[i]);
    buf_char(out, '\n');
}

static void put_trust(struct buf *out, const struct unit *u)
{
    const struct unit_conf *conf = &unit_own(u)->conf;
    char when[CLOCK_TEXT];
    buf_printf(out, "trust: %s\nunit-ca: %s\n", conf->trust,
               conf->unit_ca ? conf->unit_ca : conf->trust);
    put_list(out, "crl", &conf->crls);
    if (anchor_has_crls(u->anchor)) {
        clock_format(anchor_crls_until(u->anchor), when);
        buf_printf(out, "crl until: %s\n", when);
    }
}

static void put_chain(struct buf *out, const struct unit *u)
{
    if (u->to)
        buf_printf(out, "to: %s\n", u->to);
    put_list(out, "below", &u->from_below);
    put_list(out, "above", &u->from_above);
    for (size_t i = 0; i < u->n_stands; i++) {
        const struct unit_stand *s = &u->stands[i];
        buf_printf(out, "chain: %s, %s, %s", s->attach, s->verify_unit, s->ra_approve);
        put_list(out, "; lots", &s->lots);
    }
}

static void put_window(struct buf *out, const struct lot *l)
{
    char when[CLOCK_TEXT];
    if (l->from > INT64_MIN) {
        clock_format(l->from, when);
        buf_printf(out, ", from %s", when);
    }
    if (l->until < INT64_MAX) {
        clock_format(l->until, when);
        buf_printf(out, ", until %s", when);
    }
}

/* What ra-approve holds. */
static void put_bounds(struct buf *out, const struct lot *l)
{
    if (l->quota >= 0)
        buf_printf(out, ", quota %lld", (long long)l->quota);
    if (l->approve)
        buf_printf(out, ", %d of %s must approve", l->approve,
                   l->approvers.n ? "these" : "all approvers");
    for (size_t i = 0; i < l->approvers.n; i++)
        buf_printf(out, "%s %s", i ? "," : ":", l->approvers.v[i]);
}

/* 0 after a warning. */
static int put_lot(struct buf *out, const struct unit *u, const struct lot *l)
{
    int looks_up = u->role == PATH_VERIFY_UNIT || u->role == PATH_RA_APPROVE, ok = 1;
    size_t n;
    buf_printf(out, "lot: %s, owner %s, profile %s", l->name, l->owner, l->profile);
    if (!profiles_find(u->profiles, l->profile))
        ok = diag_warn("lot %s: there is no profile \"%s\"", l->name, l->profile);
    if (l->pattern)
        buf_printf(out, ", pattern %s", l->pattern);
    else if (looks_up && l->devices && lots_try_list(u->lots, l, &n))
        buf_printf(out, ", %zu devices of %s", n, l->devices);
    else if (looks_up && l->devices)
        ok = 0;
    put_window(out, l);
    if (u->role == PATH_RA_APPROVE)
        put_bounds(out, l);
    buf_char(out, '\n');
    return ok;
}

static int put_lots(struct buf *out, const struct unit *u)
{
    const struct lot *l;
    int ok = 1;
    for (size_t i = 0; u->lots && (l = lots_at(u->lots, i)); i++)
        ok &= put_lot(out, u, l);
    return ok;
}

enum status unit_report(const struct unit *u)
{
    const struct unit_own *own = unit_own(u);
    const struct unit_conf *conf = &own->conf;
    struct buf out = {0};
    buf_printf(&out, "id: %s\nrole: %s\n", u->id, path_role_name(u->role));
    if (!own->direct) {
        put_key(&out, "key", conf->key);
        put_cert(&out, "certificate", conf->certificate, u->chain[0]);
        put_trust(&out, u);
        put_chain(&out, u);
    }
    if (u->issuer) {
        put_key(&out, "issuer key", conf->issuer_key);
        put_cert(&out, "issuer certificate", conf->issuer_certificate, u->issuer_chain[0]);
    }
    buf_printf(&out, "ledger: %s\n", u->ledger_path);
    if (u->head_path)
        buf_printf(&out, "head: %s\n", u->head_path);
    if (u->lots_path)
        buf_printf(&out, "lots: %s\n", u->lots_path);
    buf_printf(&out, "profiles: %s\n", u->profiles_path ? u->profiles_path : "the presets");
    if (u->role != PATH_ATTACH && !own->direct)
        buf_printf(&out, "bare keys: %s\n", u->bare_keys ? "yes" : "no");
    int ok = put_lots(&out, u);
    io_stdout(out.d, out.n);
    buf_free(&out);
    return ok ? ST_OK : ST_USAGE;
}
