#include "issue_priv.h"

#include <stdio.h>

#include "clock.h"
#include "diag.h"
#include "x509.h"

static enum status record(const struct issue_ca *ca, const struct issue_search *s,
                          struct span serial)
{
    struct ledger_entry e = {.kind = LEDGER_ISSUED,
                             .tid = s->r->tid,
                             .part = s->r->part,
                             .unit = s->r->unit,
                             .owner = s->r->owner,
                             .lot = s->r->lot,
                             .profile = profile_name(s->r->profile),
                             .device = s->r->asked.device,
                             .key = s->key,
                             .serial = serial,
                             .data = buf_span(&s->out->certificate),
                             .status = s->out->profile.not_after,
                             .note = s->issuer};
    enum status st = ledger_add(ca->ledger, &e);
    if (st != ST_OK || !s->leave.n)
        return st;
    e.kind = LEDGER_REISSUED;
    e.unit = e.note = NULL;
    e.status = 0;
    e.data = buf_span(&s->leave);
    return ledger_add(ca->ledger, &e);
}

static enum status sign_and_record(const struct issue_ca *ca, const struct issue_search *s,
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
    return st == ST_OK ? record(ca, s, tbs.serial) : st;
}

void issue_ca_id(struct signer *ca, char hex[ISSUE_CA_ID])
{
    unsigned char id[20];
    struct span spki;
    spki.p = signer_spki(ca, &spki.n);
    if (!x509_key_id(spki, id))
        diag_exit(ST_TEMP, "the CA's key has no key identifier");
    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

struct span issue_ca_lock(const char hex[ISSUE_CA_ID])
{
    return (struct span){(const unsigned char *)hex, 16};
}

/* The owner's fixed fields, over the names that the certificate will have. */
static int owner_allows(const struct issue_request *r, struct issue_result *out)
{
    struct x509_ext san = {0};
    char why[LOT_WHY];
    x509_ext_get(buf_span(&out->profile.extensions), "2.5.29.17", &san);
    if (!r->lots ||
        lots_owner_allows(r->lots, r->owner, buf_span(&out->profile.subject), san.value, why))
        return 1;
    snprintf(out->profile.why, sizeof out->profile.why, "%.*s", X509_WHY - 1, why);
    out->profile.fail = FAIL_BAD_IDENTITY;
    return 0;
}

enum status issue_certificate(const struct issue_ca *ca, const struct issue_request *r,
                              struct issue_result *out)
{
    unsigned char key[X509_HASH];
    char issuer[ISSUE_CA_ID];
    struct x509_cert view = {0}, *by = ca->certificate.n ? &view : NULL;
    struct issue_search s = {.r = r, .key = {key, sizeof key}, .issuer = issuer, .out = out};
    int64_t now = clock_now();
    x509_key_hash(r->asked.spki, key);
    issue_ca_id(ca->signer, issuer);
    if (by && !x509_cert_view(ca->certificate, by))
        diag_exit(ST_USAGE, "the CA's certificate cannot be read");
    buf_reset(&out->certificate);
    buf_reset(&out->profile.differences);
    enum status st = issue_judge(ca->ledger, &s, now);
    if (st == ST_OK && !out->again) {
        if (profile_apply(r->profile, &r->asked, by, now, &out->profile) && owner_allows(r, out))
            st = sign_and_record(ca, &s, by);
        else
            st = ST_REFUSED;
    }
    issue_search_free(&s);
    return st;
}

void issue_result_free(struct issue_result *r)
{
    buf_free(&r->certificate);
    profile_result_free(&r->profile);
}
