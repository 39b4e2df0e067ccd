/* From a profile's words to octets: what is the same in every certificate is encoded once. */
#include "profile_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)
#define URI_MAX 1024

static const char *const usages[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                     "dataEncipherment", "keyAgreement",   "keyCertSign",
                                     "cRLSign",          "encipherOnly",   "decipherOnly"};
#define USAGES (sizeof usages / sizeof *usages)

#define KP "1.3.6.1.5.5.7.3."

static const struct {
    const char *name, *oid;
} purposes[] = {
    {"serverAuth", KP "1"},
    {"clientAuth", KP "2"},
    {"codeSigning", KP "3"},
    {"emailProtection", KP "4"},
    {"timeStamping", KP "8"},
    {"OCSPSigning", KP "9"},
    {"eapOverPPP", KP "13"},
    {"eapOverLAN", KP "14"},
    {"ipsecIKE", KP "17"},
    {"cmcCA", KP "27"},
    {"cmcRA", KP "28"},
    {"cmcArchive", KP "29"},
    {"certline-attach", PROFILE_ARC ".1"},
    {"certline-verify-unit", PROFILE_ARC ".2"},
    {"certline-ra-approve", PROFILE_ARC ".3"},
    {"certline-ca-sign", PROFILE_ARC ".4"},
    {"certline-approver", PROFILE_ARC ".5"},
    {"anyExtendedKeyUsage", "2.5.29.37.0"},
};

static const struct {
    const char *name;
    unsigned bit;
} criticals[] = {
    {"basic-constraints", CRIT_BASIC},       {"key-usage", CRIT_USAGE},
    {"extended-key-usage", CRIT_EKU},        {"subject-alt-name", CRIT_SAN},
    {"certificate-policies", CRIT_POLICIES}, {"crl-distribution-points", CRIT_CRLS},
};

static int validity(struct profile *p, char why[X509_WHY])
{
    if (!p->t.validity)
        return WHY("\"validity\" is missing");
    p->until = clock_parse(p->t.validity, &p->validity);
    if (!p->until && !clock_duration(p->t.validity, &p->validity))
        return WHY("\"validity\" is neither a duration such as 20y or 825d nor a time such as "
                   "99991231235959Z");
    if (p->validity < 60 || p->validity > X509_TIME_MAX)
        return WHY("\"validity\" is out of range");
    return 1;
}

/* Whether the profile allows a key of this kind, which `keys` names by its first letter. */
static int has_kind(const struct profile *p, enum x509_key_kind kind)
{
    for (size_t i = 0; i < p->t.keys.n; i++)
        if (p->t.keys.v[i][0] == "PRE"[kind])
            return 1;
    return 0;
}

static int keys(const struct profile *p, char why[X509_WHY])
{
    static const char *const known[] = {"P-256",    "P-384",    "P-521",   "RSA-2048",
                                        "RSA-3072", "RSA-4096", "Ed25519", NULL};
    if (!p->t.keys.n)
        return WHY("\"keys\" is empty");
    for (size_t i = 0; i < p->t.keys.n; i++) {
        const char *const *k = known;
        while (*k && strcmp(*k, p->t.keys.v[i]))
            k++;
        if (!*k)
            return WHY("\"%.40s\" is none of P-256, P-384, P-521, RSA-2048, RSA-3072, RSA-4096, "
                       "Ed25519",
                       p->t.keys.v[i]);
    }
    return 1;
}

/* RFC 3279, 5480 and 8410: what a key of this kind cannot be used for is left out. */
static unsigned usage_of_kind(unsigned usage, enum x509_key_kind kind)
{
    unsigned encipher = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT;
    unsigned agree = KU_KEY_AGREEMENT | KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY;
    if (kind == X509_KEY_RSA)
        return usage & ~agree;
    return usage & ~(kind == X509_KEY_EC ? encipher : encipher | agree);
}

static int usage(struct profile *p, char why[X509_WHY])
{
    static const char *const kinds[PROFILE_KINDS] = {"EC", "RSA", "Ed25519"};
    for (size_t i = 0; i < p->t.key_usage.n; i++) {
        size_t b = 0;
        while (b < USAGES && strcmp(usages[b], p->t.key_usage.v[i]))
            b++;
        if (b == USAGES)
            return WHY("unknown key usage \"%.40s\"", p->t.key_usage.v[i]);
        p->usage |= 1U << b;
    }
    for (int k = 0; k < PROFILE_KINDS; k++)
        if (has_kind(p, (enum x509_key_kind)k) && !usage_of_kind(p->usage, (enum x509_key_kind)k))
            return WHY("\"key-usage\" has nothing that %s keys can do", kinds[k]);
    if (!(p->usage & KU_KEY_CERT_SIGN) != (p->t.basic != BASIC_CA))
        return WHY("keyCertSign and \"basic-constraints: ca\" go together");
    return 1;
}

static int critical(struct profile *p, char why[X509_WHY])
{
    for (size_t i = 0; i < p->t.critical.n; i++) {
        size_t c = 0, n = sizeof criticals / sizeof *criticals;
        while (c < n && strcmp(criticals[c].name, p->t.critical.v[i]))
            c++;
        if (c == n)
            return WHY("\"%.40s\" cannot be made critical", p->t.critical.v[i]);
        p->critical |= criticals[c].bit;
    }
    /* RFC 5280, 4.2.1.9 */
    if (p->t.basic == BASIC_CA)
        p->critical |= CRIT_BASIC;
    return 1;
}

static int put_eku(struct profile *p, struct buf *out, char why[X509_WHY])
{
    struct profile_ext e;
    if (!p->t.eku.n)
        return 1;
    e = profile_ext_begin(out, 37, p->critical & CRIT_EKU);
    for (size_t i = 0; i < p->t.eku.n; i++) {
        const char *oid = p->t.eku.v[i];
        for (size_t j = 0; j < sizeof purposes / sizeof *purposes; j++)
            if (!strcmp(purposes[j].name, oid))
                oid = purposes[j].oid;
        size_t at = out->n;
        if (!x509_put_oid(out, oid))
            return WHY("unknown extended key usage \"%.60s\"", oid);
        if (!profile_usage_fits(p->usage, (struct span){out->d + at + 2, out->n - at - 2}))
            return WHY("extended key usage %.60s does not go with this \"key-usage\"",
                       p->t.eku.v[i]);
    }
    x509_wrap(out, e.value, 0x30);
    profile_ext_end(out, e);
    return 1;
}

static void put_basic(const struct profile *p, struct buf *out)
{
    static const unsigned char true_bit[] = {1, 1, 0xff};
    struct profile_ext e;
    if (p->t.basic == BASIC_ABSENT)
        return;
    e = profile_ext_begin(out, 19, p->critical & CRIT_BASIC);
    if (p->t.basic == BASIC_CA) {
        unsigned char len = (unsigned char)p->t.path_length;
        buf_put(out, true_bit, sizeof true_bit);
        if (p->t.path_length >= 0)
            x509_put(out, 0x02, &len, 1);
    }
    x509_wrap(out, e.value, 0x30);
    profile_ext_end(out, e);
}

static void put_usage(const struct profile *p, unsigned bits, struct buf *out)
{
    unsigned char b[3] = {0};
    size_t n = bits & KU_DECIPHER_ONLY ? 2 : 1;
    if (!bits)
        return;
    for (unsigned i = 0; i < USAGES; i++)
        if (bits & 1U << i)
            b[1 + i / 8] |= (unsigned char)(0x80 >> i % 8);
    while (!(b[n] >> b[0] & 1)) /* a named bit list has no trailing zeros, X.690, 11.2.2 */
        b[0]++;
    struct profile_ext e = profile_ext_begin(out, 15, p->critical & CRIT_USAGE);
    x509_put(out, 0x03, b, n + 1);
    profile_ext_end(out, e);
}

/* [6] URI of a GeneralName */
static int put_uri(struct buf *out, const char *uri, char why[X509_WHY])
{
    char *text = alloc_printf("uri:%s", uri);
    int ok = strlen(uri) <= URI_MAX && x509_san_parse(text, out, why);
    free(text);
    return ok ? 1 : WHY("\"%.80s\" is not a URI", uri);
}

static int put_crls(const struct profile *p, struct buf *out, char why[X509_WHY])
{
    struct profile_ext e;
    if (!p->t.crls.n)
        return 1;
    e = profile_ext_begin(out, 31, p->critical & CRIT_CRLS);
    for (size_t i = 0; i < p->t.crls.n; i++) {
        size_t at = out->n;
        if (!put_uri(out, p->t.crls.v[i], why))
            return 0;
        x509_wrap(out, at, 0xa0); /* fullName */
        x509_wrap(out, at, 0xa0); /* distributionPoint */
        x509_wrap(out, at, 0x30);
    }
    x509_wrap(out, e.value, 0x30);
    profile_ext_end(out, e);
    return 1;
}

static int put_access(struct buf *out, const char *method, const struct cfg_strings *uris,
                      char why[X509_WHY])
{
    for (size_t i = 0; i < uris->n; i++) {
        size_t at = out->n;
        x509_put_oid(out, method);
        if (!put_uri(out, uris->v[i], why))
            return 0;
        x509_wrap(out, at, 0x30);
    }
    return 1;
}

static int put_aia(const struct profile *p, struct buf *out, const char **field, char why[X509_WHY])
{
    struct profile_ext e;
    if (!p->t.ocsp.n && !p->t.ca_issuers.n)
        return 1;
    e = profile_ext_begin(out, PROFILE_EXT_AIA, 0);
    *field = "ocsp";
    if (!put_access(out, "1.3.6.1.5.5.7.48.1", &p->t.ocsp, why))
        return 0;
    *field = "ca-issuers";
    if (!put_access(out, "1.3.6.1.5.5.7.48.2", &p->t.ca_issuers, why))
        return 0;
    x509_wrap(out, e.value, 0x30);
    profile_ext_end(out, e);
    return 1;
}

static int put_policies(const struct profile *p, struct buf *out, char why[X509_WHY])
{
    struct profile_ext e;
    if (!p->t.policies.n)
        return 1;
    e = profile_ext_begin(out, 32, p->critical & CRIT_POLICIES);
    for (size_t i = 0; i < p->t.policies.n; i++) {
        size_t at = out->n;
        if (!x509_put_oid(out, p->t.policies.v[i]))
            return WHY("\"%.60s\" is not a dotted OID", p->t.policies.v[i]);
        x509_wrap(out, at, 0x30);
    }
    x509_wrap(out, e.value, 0x30);
    profile_ext_end(out, e);
    return 1;
}

/* Whether a certificate with these extensions can sign certificates or act as a unit or responder.
 */
static int gives_power(struct span list)
{
    struct span oid, seq, eku;
    struct x509_ext e;
    while (x509_ext_next(&list, &oid, &e) == 1) {
        int arc = oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d ? oid.p[2] : 0;
        if (arc == 19 && e.value.n > 2) /* more than an empty SEQUENCE */
            return 1;
        if (arc == 15 && profile_usage_bits(e.value) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))
            return 1;
        if (arc != 37 || !x509_take(&e.value, 0x30, NULL, &seq))
            continue;
        while (x509_take(&seq, 0x06, NULL, &eku))
            if (profile_eku_is_power(eku))
                return 1;
    }
    return 0;
}

static int encode(struct profile *p, const char **field, char why[X509_WHY])
{
    p->on_line = 1;
    for (int k = 0; k < PROFILE_KINDS; k++) {
        put_basic(p, &p->head[k]);
        put_usage(p, usage_of_kind(p->usage, (enum x509_key_kind)k), &p->head[k]);
        *field = "extended-key-usage";
        if (!put_eku(p, &p->head[k], why))
            return 0;
        if (gives_power(buf_span(&p->head[k])))
            p->on_line = 0;
    }
    *field = "certificate-policies";
    if (!put_policies(p, &p->tail, why))
        return 0;
    *field = "crl-distribution-points";
    return put_crls(p, &p->tail, why) && put_aia(p, &p->tail, field, why);
}

int profile_compile(struct profile *p, const char **field, char why[X509_WHY])
{
    *field = "validity";
    if (!validity(p, why))
        return 0;
    *field = "keys";
    if (!keys(p, why))
        return 0;
    *field = "path-length";
    if (p->t.path_length >= 0 && p->t.basic != BASIC_CA)
        return WHY("\"path-length\" is for a CA");
    *field = "subject-key-identifier";
    if (p->t.basic == BASIC_CA && !p->t.ski)
        return WHY("a CA needs a subject key identifier (RFC 5280, 4.2.1.2)");
    *field = "key-usage";
    if (!usage(p, why))
        return 0;
    *field = "critical";
    return critical(p, why) && profile_matter_compile(p, field, why) &&
           profile_compile_names(p, field, why) && encode(p, field, why);
}
