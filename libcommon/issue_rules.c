/* The rules of the CA's ledger: who gets a certificate again, anew, or not at all. */
#include "issue_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "crl.h"
#include "diag.h"

struct issue_past {
    int64_t ends;
    unsigned char serial[X509_SERIAL_MAX];
    size_t n;
    char issuer[ISSUE_CA_ID];
    int same; /* this CA's, by the request's profile */
    int lot;  /* and of its lot: of the request's identity */
};

static enum status refuse(struct issue_result *out, enum profile_fail fail, const char *fmt, ...)
    DIAG_PRINTF(3, 4);

static enum status refuse(struct issue_result *out, enum profile_fail fail, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->profile.why, sizeof out->profile.why, fmt, ap);
    va_end(ap);
    out->profile.fail = fail;
    return ST_REFUSED;
}

static int same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static void keep(struct buf *to, const struct ledger_entry *e, int same, int lot)
{
    struct issue_past p = {.ends = e->status, .n = e->serial.n, .same = same, .lot = lot};
    assert(e->serial.n <= sizeof p.serial);
    memcpy(p.serial, e->serial.p, e->serial.n);
    snprintf(p.issuer, sizeof p.issuer, "%s", e->note ? e->note : "");
    buf_put(to, &p, sizeof p);
}

static const struct issue_past *kept(const struct buf *b, size_t *n)
{
    *n = b->n / sizeof(struct issue_past);
    return (const struct issue_past *)(const void *)b->d;
}

static int each_key(const struct ledger_entry *e, void *arg)
{
    struct issue_search *s = arg;
    if (!same_text(e->owner, s->r->owner)) {
        s->key_state = KEY_FOREIGN;
        return 0;
    }
    if (!same_text(e->device, s->r->asked.device)) {
        s->key_state = KEY_TAKEN;
        snprintf(s->holder, sizeof s->holder, "%s", e->device ? e->device : "");
        return 0;
    }
    int same = same_text(e->note, s->issuer) && same_text(e->profile, profile_name(s->r->profile));
    int lot = same && same_text(e->lot, s->r->lot);
    keep(&s->keyed, e, same, lot);
    if (lot) { /* the newest stays */
        buf_reset(&s->out->certificate);
        buf_put(&s->out->certificate, e->data.p, e->data.n);
    }
    return 1;
}

static int each_device(const struct ledger_entry *e, void *arg)
{
    struct issue_search *s = arg;
    if (same_text(e->note, s->issuer) && !buf_same(e->key, s->key))
        keep(&s->others, e, 0, 0);
    return 1;
}

/* When it was revoked, 0 if it was not; its reason. */
static enum status revoked(struct ledger *l, const struct issue_past *p, int64_t *when,
                           int64_t *reason)
{
    struct ledger_entry e;
    enum status st = ledger_revoked(l, (struct span){p->serial, p->n}, p->issuer, &e);
    *when = st == ST_OK && e.id ? e.time : 0;
    *reason = *when ? e.status : 0;
    return st;
}

/* One key, one device: a broken random number generator on the line is found that day. */
static enum status key_is_free(const struct issue_search *s)
{
    if (s->key_state == KEY_TAKEN)
        return refuse(s->out, FAIL_NO_KEY_REUSE,
                      "this key already belongs to device \"%.60s\": one key, one device; "
                      "look at the random number generator",
                      s->holder);
    if (s->key_state == KEY_FOREIGN) /* another owner's: nothing is told */
        return refuse(s->out, FAIL_NO_KEY_REUSE, "this key cannot be certified");
    return ST_OK;
}

/* The device's certificates for this key: the newest of the lot, or of all where the lot has none,
 * decides. The lot's is repeated while it is good, and never beside a revocation that says that
 * others have the key. */
static enum status key_again(struct ledger *l, struct issue_search *s, int64_t now)
{
    const struct issue_past *newest = NULL;
    int64_t when = 0, reason, compromised = 0;
    size_t n;
    const struct issue_past *v = kept(&s->keyed, &n);
    char day[CLOCK_TEXT];
    for (size_t i = 0; i < n; i++) {
        int64_t at;
        enum status st = revoked(l, &v[i], &at, &reason);
        if (st != ST_OK)
            return st;
        if (v[i].same && (v[i].lot || !newest || !newest->lot)) {
            newest = &v[i];
            when = at;
        }
        if (at && reason == CRL_KEY_COMPROMISE)
            compromised = at;
    }
    clock_format(when ? when : compromised, day);
    if (when)
        return refuse(s->out, FAIL_BAD_REQUEST,
                      "the certificate for this key was revoked on %s: the device needs a new key",
                      day);
    if (compromised)
        return refuse(s->out, FAIL_BAD_REQUEST,
                      "this key was reported as compromised on %s: the device needs a new key",
                      day);
    s->known = newest != NULL;
    s->out->again =
        newest && newest->lot && now < newest->ends - profile_renew_before(s->r->profile);
    if (newest && now > newest->ends)
        return refuse(s->out, FAIL_BAD_REQUEST,
                      "the certificate for this key has expired: the device needs a new key");
    return ST_OK;
}

/* What became of the device's certificates for other keys. */
struct fate {
    int64_t valid;   /* the latest end of those that neither expired nor were revoked */
    int64_t revoked; /* of the newest: when */
    int64_t ends;    /* of the newest */
};

static enum status tell_fate(struct ledger *l, const struct issue_search *s, int64_t now,
                             struct fate *f)
{
    enum status st = ST_OK;
    int64_t reason;
    size_t n;
    const struct issue_past *v = kept(&s->others, &n);
    *f = (struct fate){.ends = v[n - 1].ends};
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        if (v[i].ends <= now && i + 1 < n)
            continue;
        st = revoked(l, &v[i], &f->revoked, &reason);
        if (!f->revoked && v[i].ends > now && v[i].ends > f->valid)
            f->valid = v[i].ends;
    }
    return st;
}

/* An allowance is for one new key: the next that the device got has used it up. */
static int each_allowed(const struct ledger_entry *e, void *arg)
{
    struct issue_search *s = arg;
    char day[CLOCK_TEXT];
    buf_reset(&s->leave);
    if (e->kind != LEDGER_ALLOWED)
        return 1;
    clock_format(e->time, day);
    buf_printf(&s->leave, "allowed on %s by %.*s", day, (int)e->data.n, (const char *)e->data.p);
    return 1;
}

static enum status no_new_key(const struct issue_search *s, const struct fate *f)
{
    const char *never =
        profile_reissue(s->r->profile) == REISSUE_NEVER ? "; it is never issued again" : "";
    char day[CLOCK_TEXT];
    clock_format(f->valid ? f->valid : f->revoked ? f->revoked : f->ends, day);
    if (f->valid)
        return refuse(s->out, FAIL_BAD_IDENTITY,
                      "device \"%.40s\" already has a certificate for another key, valid to %s%s",
                      s->r->asked.device, day, never);
    return refuse(s->out, FAIL_BAD_IDENTITY,
                  "device \"%.40s\" had a certificate for another key, %s on %s%s",
                  s->r->asked.device, f->revoked ? "revoked" : "expired", day, never);
}

/* A device that comes with a new key: the profile's reissue rule, then what a person allowed. */
static enum status may_reissue(struct ledger *l, struct issue_search *s, int64_t now)
{
    const struct profile *p = s->r->profile;
    struct fate f = {0};
    if (!s->others.n)
        return ST_OK;
    if (profile_reissue(p) == REISSUE_ALWAYS) {
        buf_printf(&s->leave, "rule reissue: always of profile %s", profile_name(p));
        return ST_OK;
    }
    enum status st = tell_fate(l, s, now, &f);
    if (st == ST_OK && profile_reissue(p) == REISSUE_RENEWAL &&
        now >= f.valid - profile_renew_before(p)) {
        buf_printf(&s->leave, "rule reissue: renewal of profile %s", profile_name(p));
        return ST_OK;
    }
    if (st == ST_OK)
        st = ledger_allowed(l, s->r->owner, profile_name(p), s->r->asked.device, each_allowed, s);
    return st == ST_OK && !s->leave.n ? no_new_key(s, &f) : st;
}

enum status issue_judge(struct ledger *l, struct issue_search *s, int64_t now)
{
    enum status st = ledger_by_key(l, s->key, each_key, s);
    s->out->again = 0;
    if (st == ST_OK)
        st = key_is_free(s);
    if (st == ST_OK)
        st = key_again(l, s, now);
    if (st != ST_OK || s->known) /* the key is no new one */
        return st;
    st = ledger_by_device(l, s->r->owner, profile_name(s->r->profile), s->r->asked.device,
                          each_device, s);
    return st == ST_OK ? may_reissue(l, s, now) : st;
}

void issue_search_free(struct issue_search *s)
{
    buf_free(&s->keyed);
    buf_free(&s->others);
    buf_free(&s->leave);
}
