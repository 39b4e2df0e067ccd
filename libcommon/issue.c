#include "issue_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A list that was corrected since, a profile that was changed: what is given again stays as it is,
 * and says so. */
static void tell_other_names(const struct issue_request *r, const struct x509_cert *by, int64_t now,
                             struct issue_result *out)
{
    struct profile_result would = {.fail = 0};
    struct x509_cert is;
    struct x509_ext was = {0}, now_is = {0};
    if (x509_cert_view(buf_span(&out->certificate), &is) &&
        profile_apply(r->profile, &r->asked, by, now, &would)) {
        x509_ext_get(is.extensions, "2.5.29.17", &was);
        x509_ext_get(buf_span(&would.extensions), "2.5.29.17", &now_is);
        char *a = x509_name_text(is.subject), *b = x509_name_text(buf_span(&would.subject));
        if (a && b && strcmp(a, b))
            buf_printf(&out->profile.differences,
                       "issued before as \"%s\", and now again; it would be \"%s\"", a, b);
        else if (!buf_same(was.value, now_is.value))
            buf_str(&out->profile.differences,
                    "issued before, and now again; its subjectAltName would be another");
        free(a);
        free(b);
    }
    profile_result_free(&would);
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
    if (st == ST_OK && out->again)
        tell_other_names(r, by, now, out);
    issue_search_free(&s);
    return st;
}

void issue_result_free(struct issue_result *r)
{
    buf_free(&r->certificate);
    profile_result_free(&r->profile);
}
