/* The certificate to be, held against RFC 5280 before a signature is spent on it. It reads what was
 * encoded, and trusts nothing of how it came to be. */
#include "profile_priv.h"

#include <stdio.h>
#include <string.h>

#include "der.h"

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)

struct found {
    int ca, path_length, san, ski, aki, is_basic_critical, is_san_critical;
    unsigned usage;
    int has_usage;
    struct span eku; /* the SEQUENCE's content */
};

#define KP 0x2b, 6, 1, 5, 5, 7, 3
static const struct {
    unsigned char oid[8];
    unsigned any; /* at least one of these, 4.2.1.12 */
} fits[] = {
    {{KP, 1}, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT},
    {{KP, 2}, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT},
    {{KP, 3}, KU_DIGITAL_SIGNATURE},
    {{KP, 4}, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT},
    {{KP, 8}, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION},
    {{KP, 9}, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION},
    {{KP, 14}, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT},
    {{KP, 17}, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION},
    {{KP, 27}, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION},
    {{KP, 28}, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION},
};

int profile_usage_fits(unsigned usage, struct span eku)
{
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++)
        if (eku.n == sizeof fits[i].oid && !memcmp(eku.p, fits[i].oid, eku.n))
            return (usage & fits[i].any) != 0;
    return 1;
}

int profile_eku_is_power(struct span eku)
{
    static const unsigned char any[] = {0x55, 0x1d, 37, 0}, kp[] = {KP};
    struct buf arc = {0};
    if (eku.n == sizeof any && !memcmp(eku.p, any, sizeof any))
        return 1;
    if (eku.n == sizeof kp + 1 && !memcmp(eku.p, kp, sizeof kp))
        switch (eku.p[sizeof kp]) {
        case 9:  /* OCSPSigning: would speak for the CA */
        case 27: /* cmcCA */
        case 28: /* cmcRA */
        case 29: /* cmcArchive */
            return 1;
        }
    x509_put_oid(&arc, PROFILE_ARC);
    int ours = eku.n >= arc.n - 2 && !memcmp(eku.p, arc.d + 2, arc.n - 2);
    buf_free(&arc);
    return ours;
}

static int lint_serial(struct span s, char why[X509_WHY])
{
    if (!s.n)
        return 1; /* not chosen yet */
    if (s.n > X509_SERIAL_MAX || s.p[0] & 0x80 || (s.n == 1 && !s.p[0]) ||
        (s.n > 1 && !s.p[0] && !(s.p[1] & 0x80)))
        return WHY("a serial number that is not a positive INTEGER of at most 20 octets");
    return 1;
}

static int lint_names(const struct x509_tbs *t, char why[X509_WHY])
{
    char bad[DER_WHY];
    if (t->issuer.n <= 2)
        return WHY("an issuer without a name");
    if (!der_check(t->issuer.p, t->issuer.n, NULL, 0, bad) ||
        !der_check(t->subject.p, t->subject.n, NULL, 0, bad))
        return WHY("a name that is not DER: %s", bad);
    return x509_name_lint(t->subject, why);
}

static int lint_validity(const struct x509_tbs *t, char why[X509_WHY])
{
    if (t->not_before < 0 || t->not_after > X509_TIME_MAX || t->not_before > t->not_after)
        return WHY("a validity that ends before it begins, or that X.509 cannot express");
    return 1;
}

static int read_basic(struct span v, int critical, struct found *f, char why[X509_WHY])
{
    struct span seq, n;
    if (!x509_take(&v, 0x30, NULL, &seq))
        return WHY("basicConstraints is malformed");
    f->is_basic_critical = critical;
    f->ca = x509_take(&seq, 0x01, NULL, NULL);
    f->path_length = x509_take(&seq, 0x02, NULL, &n) ? n.p[0] : -1;
    return !seq.n ? 1 : WHY("basicConstraints is malformed");
}

static int read_san(struct span v, int critical, struct found *f, char why[X509_WHY])
{
    struct span list, name;
    if (!x509_take(&v, 0x30, NULL, &list) || !list.n)
        return WHY("subjectAltName is malformed or empty");
    while (list.n)
        if (!x509_san_take(&list, &name, why))
            return 0;
    f->san = 1;
    f->is_san_critical = critical;
    return 1;
}

static int read_ids(int arc, struct span v, int critical, struct found *f, char why[X509_WHY])
{
    struct span seq, id;
    if (critical)
        return WHY("a key identifier or authorityInfoAccess that is critical");
    if (arc == 14) {
        f->ski = x509_take(&v, 0x04, NULL, &id) && id.n;
        return f->ski ? 1 : WHY("subjectKeyIdentifier is malformed");
    }
    f->aki = x509_take(&v, 0x30, NULL, &seq) && x509_take(&seq, 0x80, NULL, &id) && id.n;
    return f->aki ? 1 : WHY("authorityKeyIdentifier has no key identifier");
}

static int read_extension(struct span oid, struct x509_ext e, struct found *f, char why[X509_WHY])
{
    char bad[DER_WHY];
    if (!der_check(e.value.p, e.value.n, NULL, 0, bad))
        return WHY("an extension that is not DER: %s", bad);
    if (oid.n != 3 || oid.p[0] != 0x55 || oid.p[1] != 0x1d)
        return 1; /* of any kind, critical or not: section 4.2 */
    switch (oid.p[2]) {
    case 14:
    case 35:
        return read_ids(oid.p[2], e.value, e.critical, f, why);
    case 15:
        f->has_usage = 1;
        f->usage = profile_usage_bits(e.value);
        return f->usage ? 1 : WHY("keyUsage is malformed or empty");
    case 17:
        return read_san(e.value, e.critical, f, why);
    case 19:
        return read_basic(e.value, e.critical, f, why);
    case 37:
        return x509_take(&e.value, 0x30, NULL, &f->eku) && f->eku.n
                   ? 1
                   : WHY("extKeyUsage is malformed or empty");
    default:
        return 1;
    }
}

static int read_extensions(struct span extensions, struct found *f, char why[X509_WHY])
{
    struct span list, oid;
    struct x509_ext e;
    if (!x509_ext_unique(extensions))
        return WHY("extensions that are malformed, or one of them twice");
    x509_take(&extensions, 0x30, NULL, &list);
    while (x509_ext_next(&list, &oid, &e) == 1)
        if (!read_extension(oid, e, f, why))
            return 0;
    return 1;
}

/* What must go together, sections 4.1.2.6, 4.2.1.1 to 4.2.1.3, 4.2.1.9 */
static int lint_ca(const struct x509_tbs *t, const struct found *f, char why[X509_WHY])
{
    int self = buf_same(t->issuer, t->subject);
    if (!f->aki && !(self && f->ca))
        return WHY("no authorityKeyIdentifier");
    if (!f->ca != !(f->usage & KU_KEY_CERT_SIGN))
        return WHY("keyCertSign without CA:TRUE, or CA:TRUE without keyCertSign");
    if (f->path_length >= 0 && !f->ca)
        return WHY("a pathLenConstraint without CA:TRUE");
    if (!f->ca)
        return 1;
    if (t->subject.n <= 2)
        return WHY("a CA without a name");
    if (!f->ski)
        return WHY("a CA without a subjectKeyIdentifier");
    return f->is_basic_critical ? 1 : WHY("basicConstraints of a CA that is not critical");
}

static int lint_usage(const struct x509_tbs *t, const struct found *f, char why[X509_WHY])
{
    struct x509_key_info key;
    struct span list = f->eku, oid;
    unsigned encipher = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT;
    if (!x509_key_info(t->spki, &key) || key.weak)
        return WHY("a key that is malformed or weak");
    if (key.kind != X509_KEY_RSA && f->usage & encipher)
        return WHY("a key usage of encipherment for a key that only signs");
    while (list.n) {
        if (!x509_take(&list, 0x06, NULL, &oid))
            return WHY("extKeyUsage is malformed");
        if (f->has_usage && !profile_usage_fits(f->usage, oid))
            return WHY("keyUsage and extKeyUsage contradict each other");
    }
    return 1;
}

int profile_lint(const struct x509_tbs *tbs, char why[X509_WHY])
{
    struct found f = {.path_length = -1};
    if (!lint_serial(tbs->serial, why) || !lint_names(tbs, why) || !lint_validity(tbs, why) ||
        !read_extensions(tbs->extensions, &f, why))
        return 0;
    if (tbs->subject.n <= 2 && !(f.san && f.is_san_critical))
        return WHY("neither a subject nor a critical subjectAltName");
    return lint_ca(tbs, &f, why) && lint_usage(tbs, &f, why);
}
