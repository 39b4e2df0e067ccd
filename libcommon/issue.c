#include "issue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "diag.h"
#include "x509.h"

struct search {
    const struct issue_request *r;
    struct span key;
    const char *issuer; /* key identifier, hex */
    struct issue_result *out;
    enum { FREE, TAKEN, FOREIGN } key_state;
    char holder[160]; /* device that has the key */
    int devices;      /* certificates of this device with another key */
    int64_t device_ends;
    int same; /* certificates of this identity; the newest is in out->certificate */
    int64_t same_ends;
};

static int refuse(struct issue_result *out, enum profile_fail fail, const char *fmt, ...)
    DIAG_PRINTF(3, 4);

static int refuse(struct issue_result *out, enum profile_fail fail, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->profile.why, sizeof out->profile.why, fmt, ap);
    va_end(ap);
    out->profile.fail = fail;
    return 0;
}

static int same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static int each_key(const struct ledger_entry *e, void *arg)
{
    struct search *s = arg;
    if (!same_text(e->owner, s->r->owner)) {
        s->key_state = FOREIGN;
        return 0;
    }
    if (!same_text(e->device, s->r->asked.device)) {
        s->key_state = TAKEN;
        snprintf(s->holder, sizeof s->holder, "%s", e->device ? e->device : "");
        return 0;
    }
    return 1;
}

static int each_device(const struct ledger_entry *e, void *arg)
{
    struct search *s = arg;
    if (!same_text(e->note, s->issuer))
        return 1;
    if (buf_same(e->key, s->key)) {
        s->same++;
        s->same_ends = e->status;
        buf_reset(&s->out->certificate);
        buf_put(&s->out->certificate, e->data.p, e->data.n);
    } else {
        s->devices++;
        if (e->status > s->device_ends)
            s->device_ends = e->status;
    }
    return 1;
}

/* One key, one device: a broken random number generator on the line is found that day. */
static int key_is_free(const struct search *s, struct issue_result *out)
{
    if (s->key_state == TAKEN)
        return refuse(out, FAIL_NO_KEY_REUSE,
                      "this key already belongs to device \"%.60s\": one key, one device; "
                      "look at the random number generator",
                      s->holder);
    if (s->key_state == FOREIGN) /* another owner's: nothing is told */
        return refuse(out, FAIL_NO_KEY_REUSE, "this key cannot be certified");
    return 1;
}

/* A device that comes with a new key: the profile's reissue rule. */
static int may_reissue(const struct search *s, int64_t now, struct issue_result *out)
{
    const struct profile *p = s->r->profile;
    char ends[CLOCK_TEXT];
    clock_format(s->device_ends, ends);
    if (!s->devices || profile_reissue(p) == REISSUE_ALWAYS)
        return 1;
    if (profile_reissue(p) == REISSUE_RENEWAL && now >= s->device_ends - profile_renew_before(p))
        return 1;
    return refuse(out, FAIL_BAD_IDENTITY,
                  "device \"%.40s\" already has a certificate for another key, valid to %s%s",
                  s->r->asked.device, ends,
                  profile_reissue(p) == REISSUE_NEVER ? "; it is never issued again" : "");
}

static enum status look_up(const struct issue_ca *ca, struct search *s)
{
    enum status st = ledger_by_key(ca->ledger, s->key, each_key, s);
    if (st == ST_OK)
        st = ledger_by_device(ca->ledger, s->r->owner, profile_name(s->r->profile),
                              s->r->asked.device, each_device, s);
    return st;
}

static enum status sign_and_record(const struct issue_ca *ca, const struct search *s,
                                   const struct x509_cert *issuer)
{
    struct issue_result *out = s->out;
    unsigned char serial[X509_SERIAL];
    x509_serial(serial);
    struct x509_tbs tbs = {.serial = {serial, sizeof serial},
                           .issuer = issuer ? issuer->subject : buf_span(&out->profile.subject),
                           .subject = buf_span(&out->profile.subject),
                           .spki = s->r->asked.spki,
                           .extensions = buf_span(&out->profile.extensions),
                           .not_before = out->profile.not_before,
                           .not_after = out->profile.not_after};
    buf_reset(&out->certificate);
    enum status st = x509_issue(&tbs, ca->signer, &out->certificate);
    struct ledger_entry e = {.kind = LEDGER_ISSUED,
                             .tid = s->r->tid,
                             .part = s->r->part,
                             .unit = s->r->unit,
                             .owner = s->r->owner,
                             .lot = s->r->lot,
                             .profile = profile_name(s->r->profile),
                             .device = s->r->asked.device,
                             .key = s->key,
                             .serial = {serial, sizeof serial},
                             .data = buf_span(&out->certificate),
                             .status = tbs.not_after,
                             .note = s->issuer};
    return st == ST_OK ? ledger_add(ca->ledger, &e) : st;
}

static void issuer_id(const struct issue_ca *ca, char hex[41])
{
    unsigned char id[20];
    struct span spki;
    spki.p = signer_spki(ca->signer, &spki.n);
    if (!x509_key_id(spki, id))
        diag_exit(ST_TEMP, "the CA's key has no key identifier");
    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

enum status issue_certificate(const struct issue_ca *ca, const struct issue_request *r,
                              struct issue_result *out)
{
    unsigned char key[X509_HASH];
    char issuer[41];
    struct x509_cert view = {0}, *by = ca->certificate.n ? &view : NULL;
    struct search s = {.r = r, .key = {key, sizeof key}, .issuer = issuer, .out = out};
    int64_t now = clock_now();
    x509_key_hash(r->asked.spki, key);
    issuer_id(ca, issuer);
    if (by && !x509_cert_view(ca->certificate, by))
        diag_exit(ST_USAGE, "the CA's certificate cannot be read");
    enum status st = look_up(ca, &s);
    if (st != ST_OK)
        return st;
    if (!key_is_free(&s, out))
        return ST_REFUSED;
    out->again = s.same && now < s.same_ends - profile_renew_before(r->profile);
    buf_reset(&out->profile.differences);
    if (out->again)
        return ST_OK;
    if (s.same && now > s.same_ends) {
        refuse(out, FAIL_BAD_REQUEST,
               "the certificate for this key has expired: the device needs a new key");
        return ST_REFUSED;
    }
    if ((!s.same && !may_reissue(&s, now, out)) ||
        !profile_apply(r->profile, &r->asked, by, now, &out->profile))
        return ST_REFUSED;
    return sign_and_record(ca, &s, by);
}

void issue_result_free(struct issue_result *r)
{
    buf_free(&r->certificate);
    profile_result_free(&r->profile);
}
