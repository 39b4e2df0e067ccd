#include "path_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "clock.h"
#include "diag.h"

#define INTERMEDIATES 3 /* with the leaf: the 4 of struct path_unit's chain */
#define EXTRA_MOST 8
#define LEVEL                                                                                      \
    2 /* 112 bits: no SHA-1, no RSA below 2048 (OpenSSL, SSL_CTX_set_security_level(3))            \
       */

int path_bad(char why[PATH_WHY], const char *who, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(why, PATH_WHY, "certificate of %s ", who);
    if (n < 0 || n >= PATH_WHY)
        return 0;
    va_start(ap, fmt);
    vsnprintf(why + n, (size_t)(PATH_WHY - n), fmt, ap);
    va_end(ap);
    return 0;
}

/* Only CA certificates can be needed: in ca-sign's answers the bag is full of others. */
static STACK_OF(X509) * untrusted(struct anchor *a, const struct span *extra, size_t n_extra)
{
    STACK_OF(X509) *all = X509_chain_up_ref(anchor_unit_chain(a));
    int taken = 0;
    for (size_t i = 0; all && i < n_extra && taken < EXTRA_MOST; i++) {
        struct x509_cert view;
        struct x509_ext bc;
        const unsigned char *p = extra[i].p;
        if (!x509_cert_view(extra[i], &view) ||
            x509_ext_get(view.extensions, "2.5.29.19", &bc) != 1 || bc.value.n <= 2)
            continue;
        X509 *x = d2i_X509(NULL, &p, (long)extra[i].n);
        if (x && sk_X509_push(all, x))
            taken++;
        else
            X509_free(x);
    }
    return all;
}

static void time_text(const ASN1_TIME *t, char out[CLOCK_TEXT])
{
    struct tm tm;
    if (t && ASN1_TIME_to_tm(t, &tm))
        clock_format((int64_t)timegm(&tm), out);
    else
        snprintf(out, CLOCK_TEXT, "at an unknown time");
}

static void name_text(const X509_NAME *name, char *out, size_t n)
{
    const unsigned char *der;
    size_t len;
    char *text = NULL;
    if (X509_NAME_get0_der(name, &der, &len))
        text = x509_name_text((struct span){der, len});
    snprintf(out, n, "%.100s", text ? text : "?");
    free(text);
}

/* A CA above the unit is spoken of as such. */
static void whose(X509_STORE_CTX *ctx, char *out, size_t n)
{
    X509 *x = X509_STORE_CTX_get_current_cert(ctx);
    out[0] = 0;
    if (X509_STORE_CTX_get_error_depth(ctx) > 0 && x) {
        char name[128];
        name_text(X509_get_subject_name(x), name, sizeof name);
        snprintf(out, n, "is below the CA %s, whose certificate ", name);
    }
}

static int why_crl(X509_STORE_CTX *ctx, int err, const char *who, char why[PATH_WHY])
{
    X509_CRL *crl = X509_STORE_CTX_get0_current_crl(ctx);
    X509 *x = X509_STORE_CTX_get_current_cert(ctx);
    char issuer[128] = "?", when[CLOCK_TEXT];
    if (x)
        name_text(X509_get_issuer_name(x), issuer, sizeof issuer);
    switch (err) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return path_bad(why, who, "cannot be checked: no CRL of %s is configured", issuer);
    case X509_V_ERR_CRL_HAS_EXPIRED:
        time_text(crl ? X509_CRL_get0_nextUpdate(crl) : NULL, when);
        return path_bad(why, who, "cannot be checked: the CRL of %s is past its nextUpdate %s",
                        issuer, when);
    case X509_V_ERR_CRL_NOT_YET_VALID:
        time_text(crl ? X509_CRL_get0_lastUpdate(crl) : NULL, when);
        return path_bad(why, who, "cannot be checked: the CRL of %s is not valid before %s", issuer,
                        when);
    default:
        return path_bad(why, who, "cannot be checked with the CRL of %s: %s", issuer,
                        X509_verify_cert_error_string(err));
    }
}

static int why_revoked(X509_STORE_CTX *ctx, const char *who, const char *ca, char why[PATH_WHY])
{
    X509_CRL *crl = X509_STORE_CTX_get0_current_crl(ctx);
    X509_REVOKED *r = NULL;
    char when[CLOCK_TEXT];
    if (crl)
        X509_CRL_get0_by_cert(crl, &r, X509_STORE_CTX_get_current_cert(ctx));
    time_text(r ? X509_REVOKED_get0_revocationDate(r) : NULL, when);
    return path_bad(why, who, "%swas revoked %s", ca, when);
}

static int why_not(X509_STORE_CTX *ctx, const char *who, char why[PATH_WHY])
{
    int err = X509_STORE_CTX_get_error(ctx);
    X509 *x = X509_STORE_CTX_get_current_cert(ctx);
    char ca[200], when[CLOCK_TEXT];
    whose(ctx, ca, sizeof ca);
    switch (err) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        time_text(X509_get0_notAfter(x), when);
        return path_bad(why, who, "%sexpired %s", ca, when);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        time_text(X509_get0_notBefore(x), when);
        return path_bad(why, who, "%sis not valid before %s", ca, when);
    case X509_V_ERR_CERT_REVOKED:
        return why_revoked(ctx, who, ca, why);
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
        return why_crl(ctx, err, who, why);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return path_bad(why, who, "does not lead to a root of the trust");
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return path_bad(why, who, "%sbears a signature that its issuer did not make", ca);
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return path_bad(why, who, "%sis signed with a digest weaker than SHA-256", ca);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        return path_bad(why, who, "%sholds a key that is too short", ca);
    default:
        return path_bad(why, who, "%sis not valid: %s", ca, X509_verify_cert_error_string(err));
    }
}

struct told {
    const char *who;
    char *why;
    int64_t now, *revoked;
};

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : INT64_MIN;
}

/* When the certificate at hand was revoked; INT64_MIN where that cannot be told. */
static int64_t revoked_at(X509_STORE_CTX *ctx)
{
    X509_CRL *crl = X509_STORE_CTX_get0_current_crl(ctx);
    X509_REVOKED *r = NULL;
    if (!crl || !X509_CRL_get0_by_cert(crl, &r, X509_STORE_CTX_get_current_cert(ctx)) || !r)
        return INT64_MIN;
    int64_t at = time_of(X509_REVOKED_get0_revocationDate(r));
    ASN1_GENERALIZEDTIME *since = X509_REVOKED_get_ext_d2i(r, NID_invalidity_date, NULL, NULL);
    if (since && time_of(since) < at)
        at = time_of(since);
    ASN1_GENERALIZEDTIME_free(since);
    return at;
}

/* What a CRL of another time says about then. */
static int good_then(const struct told *told, X509_STORE_CTX *ctx)
{
    int64_t at;
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return 1;
    case X509_V_ERR_CERT_REVOKED:
        at = revoked_at(ctx);
        if (at < *told->revoked)
            *told->revoked = at;
        return told->now < at;
    default:
        return 0;
    }
}

/* Asked at the first error, where the CRL in question is still at hand. */
static int on_error(int ok, X509_STORE_CTX *ctx)
{
    const struct told *told = X509_STORE_CTX_get_app_data(ctx);
    if (!ok && told->revoked && good_then(told, ctx))
        return 1;
    if (!ok)
        why_not(ctx, told->who, told->why);
    return ok;
}

static void rules_set(X509_STORE_CTX *ctx, struct anchor *a, int64_t now)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    unsigned long flags = X509_V_FLAG_X509_STRICT;
    if (anchor_has_crls(a))
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_VERIFY_PARAM_set_flags(param, flags);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    X509_VERIFY_PARAM_set_depth(param, INTERMEDIATES);
    X509_VERIFY_PARAM_set_auth_level(param, LEVEL);
    /* The extended key usages of units are ours to judge: path_role_rules. */
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
}

int path_verify(struct anchor *a, X509 *leaf, const struct span *extra, size_t n_extra, int64_t now,
                const char *who, int64_t *revoked, STACK_OF(X509) * *chain, char why[PATH_WHY])
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = untrusted(a, extra, n_extra);
    struct told told = {who, why, now, revoked};
    int ok = 0;
    if (!ctx || !others || !X509_STORE_CTX_init(ctx, anchor_store(a), leaf, others)) {
        path_bad(why, who, "cannot be checked: %s", diag_openssl());
        goto out;
    }
    rules_set(ctx, a, now);
    X509_STORE_CTX_set_app_data(ctx, &told);
    X509_STORE_CTX_set_verify_cb(ctx, on_error);
    path_bad(why, who, "cannot be checked");
    ok = X509_verify_cert(ctx) == 1;
    if (ok)
        *chain = X509_STORE_CTX_get1_chain(ctx);
out:
    ERR_clear_error();
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(others, X509_free);
    return ok && *chain;
}
