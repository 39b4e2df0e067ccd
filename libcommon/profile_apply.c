/* What the certificate will be. */
#include "profile_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "der.h"

#define DIFFERENCES_MAX 2000

#define REFUSE(f, ...) (out->fail = (f), snprintf(out->why, sizeof out->why, __VA_ARGS__), 0)

void profile_differ(struct profile_result *out, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (out->differences.n > DIFFERENCES_MAX)
        return;
    if (out->differences.n)
        buf_str(&out->differences, "; ");
    buf_str(&out->differences, text);
}

/* What was asked, beside what the lot made of it, and the profile of that. */
static void compare_subject(const struct profile_asked *a, struct profile_result *out)
{
    struct span asked = a->subject;
    if (a->set_subject.n) {
        profile_explain_subject(asked, a->set_subject, "the list", &out->differences);
        asked = a->set_subject;
    }
    profile_explain_subject(asked, buf_span(&out->subject), "the profile", &out->differences);
}

static int make_subject(const struct profile *p, const struct profile_asked *a,
                        const struct profile_words *w, struct profile_result *out)
{
    struct buf text = {0};
    char bad[DER_WHY];
    int ok = 1;
    if (p->t.subject) {
        ok = profile_expand(p->t.subject, w, x509_name_quote, &text, out->why) &&
             x509_name_parse((char *)text.d, &out->subject, out->why);
        buf_free(&text);
        if (!ok) {
            out->fail = FAIL_BAD_IDENTITY;
            return 0;
        }
    } else {
        buf_put(&out->subject, w->subject.p, w->subject.n);
    }
    /* a request may carry its sets in any order and old string types; a certificate may not */
    if (!der_check(out->subject.d, out->subject.n, NULL, 0, bad))
        return REFUSE(FAIL_BAD_REQUEST, "the subject is not DER: %s", bad);
    if (!x509_name_lint(buf_span(&out->subject), out->why)) {
        out->fail = FAIL_BAD_REQUEST;
        return 0;
    }
    compare_subject(a, out);
    return 1;
}

int profile_path_length(const struct x509_cert *ca)
{
    struct x509_ext e;
    struct span seq, len;
    if (x509_ext_get(ca->extensions, "2.5.29.19", &e) != 1 ||
        !x509_take(&e.value, 0x30, NULL, &seq) || !x509_take(&seq, 0x01, NULL, NULL))
        return PROFILE_NO_CA;
    if (!x509_take(&seq, 0x02, NULL, &len))
        return PROFILE_NO_LIMIT;
    return len.n == 1 ? len.p[0] : 127;
}

/* The issuer's certificate must be a CA's that is valid now, and allow a CA below it where one is
 * made. */
static int check_issuer(const struct profile *p, const struct x509_cert *issuer, int64_t now,
                        struct profile_result *out)
{
    struct x509_ext e;
    int most = profile_path_length(issuer);
    if (now < issuer->not_before || now > issuer->not_after)
        return REFUSE(FAIL_INTERNAL_CA, "the issuer's certificate is %s",
                      now < issuer->not_before ? "not valid yet" : "expired");
    if (x509_ext_get(issuer->extensions, "2.5.29.15", &e) == 1 &&
        !(profile_usage_bits(e.value) & KU_KEY_CERT_SIGN))
        return REFUSE(FAIL_INTERNAL_CA,
                      "the issuer's key usage does not allow it to sign certificates");
    if (most == PROFILE_NO_CA)
        return REFUSE(FAIL_INTERNAL_CA, "the issuer's certificate is not a CA's");
    if (p->t.basic != BASIC_CA || most == PROFILE_NO_LIMIT)
        return 1;
    if (!most || (p->t.path_length < 0 || p->t.path_length >= most))
        return REFUSE(FAIL_INTERNAL_CA,
                      "the issuer's pathLenConstraint %d does not allow this CA below it", most);
    return 1;
}

static int make_validity(const struct profile *p, const struct x509_cert *issuer, int64_t now,
                         struct profile_result *out)
{
    char wanted[CLOCK_TEXT], given[CLOCK_TEXT];
    out->not_before = now > p->t.backdate ? now - p->t.backdate : 0;
    if (issuer && out->not_before < issuer->not_before)
        out->not_before = issuer->not_before;
    /* both ends belong to it, 4.1.2.5 */
    out->not_after = p->until ? p->validity : now + p->validity - 1;
    if (out->not_after > X509_TIME_MAX)
        out->not_after = X509_TIME_MAX;
    if (out->not_after <= now)
        return REFUSE(FAIL_INTERNAL_CA, "the validity of profile %s has ended", p->t.name);
    /* A date that the profile names stands: an IDevID outlives its CA (IEEE 802.1AR-2018, 8). */
    if (!issuer || p->until || out->not_after <= issuer->not_after)
        return 1;
    clock_format(out->not_after, wanted);
    out->not_after = issuer->not_after;
    clock_format(out->not_after, given);
    profile_differ(out, "notAfter would be %s, ends with the issuer %s", wanted, given);
    return 1;
}

static void compare_extensions(struct span asked, struct profile_result *out)
{
    struct span mine, list, oid, id;
    struct x509_ext a, e;
    struct buf name = {0};
    if (!asked.n)
        return;
    x509_take(&asked, 0x30, NULL, &asked);
    while (x509_ext_next(&asked, &oid, &a) == 1) {
        int found = 0;
        if (oid.n == 3 && !memcmp(oid.p, "\x55\x1d\x11", 3))
            continue; /* subjectAltName was compared name by name */
        mine = buf_span(&out->extensions);
        x509_take(&mine, 0x30, NULL, &list);
        while (!found && x509_ext_next(&list, &id, &e) == 1)
            found = buf_same(id, oid) ? 1 + buf_same(a.value, e.value) : 0;
        if (found == 2)
            continue;
        buf_reset(&name);
        profile_ext_name(oid, &name);
        profile_differ(
            out, found ? "%s is the profile's, not the one asked" : "%s was asked and left out",
            (char *)name.d);
    }
    buf_free(&name);
}

static int apply(const struct profile *p, const struct profile_asked *a,
                 const struct profile_words *w, const struct x509_cert *issuer, int64_t now,
                 struct profile_result *out)
{
    if (!make_subject(p, a, w, out) || !profile_matter_check(p, issuer, out) ||
        !make_validity(p, issuer, now, out) || !profile_put_extensions(p, a, issuer, w, out))
        return 0;
    compare_extensions(a->extensions, out);
    struct x509_tbs tbs = {.issuer = issuer ? issuer->subject : buf_span(&out->subject),
                           .subject = buf_span(&out->subject),
                           .spki = a->spki,
                           .extensions = buf_span(&out->extensions),
                           .not_before = out->not_before,
                           .not_after = out->not_after};
    if (profile_lint(&tbs, out->why))
        return profile_matter_fits(p, &tbs, out);
    out->fail = FAIL_INTERNAL_CA;
    return 0;
}

int profile_apply(const struct profile *p, const struct profile_asked *asked,
                  const struct x509_cert *issuer, int64_t now, struct profile_result *out)
{
    struct buf device = {0};
    struct profile_words w = {.subject = profile_subject(asked), .device = asked->device};
    int ok = 0;
    buf_reset(&out->subject);
    buf_reset(&out->extensions);
    buf_reset(&out->differences);
    out->why[0] = 0;
    if (!profile_judge(p, asked, &out->fail, out->why) ||
        (issuer && !check_issuer(p, issuer, now, out)))
        return 0;
    if (!w.device && (p->t.subject || p->san_templates)) {
        if (!profile_device(p, w.subject, asked->extensions, &device, out->why)) {
            out->fail = FAIL_BAD_IDENTITY;
            goto out;
        }
        w.device = (char *)device.d;
    }
    ok = apply(p, asked, &w, issuer, now, out);
out:
    buf_free(&device);
    return ok;
}

void profile_result_free(struct profile_result *r)
{
    if (!r)
        return;
    buf_free(&r->subject);
    buf_free(&r->extensions);
    buf_free(&r->differences);
}
