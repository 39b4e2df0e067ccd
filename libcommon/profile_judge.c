/* What can be said of a request without its issuer. */
#include "profile_priv.h"

#include <stdio.h>
#include <string.h>

#include "der.h"

#define REFUSE(f, ...) (*fail = (f), snprintf(why, X509_WHY, __VA_ARGS__), 0)

static const struct {
    unsigned char oid[9];
    unsigned char n;
    const char *name;
    int made; /* by a profile's keys */
} names[] = {
    {{0x55, 0x1d, 19}, 3, "basicConstraints", 1},
    {{0x55, 0x1d, 15}, 3, "keyUsage", 1},
    {{0x55, 0x1d, 37}, 3, "extKeyUsage", 1},
    {{0x55, 0x1d, 17}, 3, "subjectAltName", 1},
    {{0x55, 0x1d, 18}, 3, "issuerAltName", 0},
    {{0x55, 0x1d, 14}, 3, "subjectKeyIdentifier", 1},
    {{0x55, 0x1d, 35}, 3, "authorityKeyIdentifier", 1},
    {{0x55, 0x1d, 32}, 3, "certificatePolicies", 1},
    {{0x55, 0x1d, 31}, 3, "cRLDistributionPoints", 1},
    {{0x55, 0x1d, 30}, 3, "nameConstraints", 0},
    {{0x2b, 6, 1, 5, 5, 7, 1, 1}, 8, "authorityInfoAccess", 1},
};

void profile_ext_name(struct span oid, struct buf *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].n == oid.n && !memcmp(names[i].oid, oid.p, oid.n)) {
            buf_str(out, names[i].name);
            return;
        }
    if (!x509_oid_text(oid, out))
        buf_str(out, "an extension");
}

int profile_ext_made(struct span oid)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (buf_same(oid, (struct span){names[i].oid, names[i].n}))
            return names[i].made;
    return 0;
}

struct span profile_subject(const struct profile_asked *a)
{
    return a->set_subject.n ? a->set_subject : a->subject;
}

unsigned profile_usage_bits(struct span value)
{
    struct span b;
    unsigned bits = 0;
    if (!x509_take(&value, 0x03, NULL, &b) || value.n || b.n < 2 || b.n > 3 || b.p[0] > 7)
        return 0;
    for (unsigned i = 0; i < 8 * (b.n - 1) - b.p[0]; i++)
        if (b.p[1 + i / 8] & 0x80 >> i % 8)
            bits |= 1U << i;
    return bits;
}

static int judge_key(const struct profile *p, struct span spki, enum profile_fail *fail,
                     char why[X509_WHY])
{
    struct x509_key_info key;
    char weak[X509_WHY];
    if (!x509_key_info(spki, &key))
        return REFUSE(FAIL_BAD_REQUEST, "the public key is malformed");
    if (key.weak)
        return REFUSE(FAIL_BAD_ALG, "the request has %s", key.weak);
    size_t i = 0;
    while (i < p->t.keys.n && strcmp(p->t.keys.v[i], key.name))
        i++;
    if (i == p->t.keys.n)
        return REFUSE(FAIL_BAD_ALG, "profile %s does not allow %s keys", p->t.name, key.name);
    if (x509_key_weak(spki, weak))
        return REFUSE(FAIL_BAD_ALG, "the request has %.120s", weak);
    const char *list = profile_blocked_by(p->blocked, spki);
    return !list ? 1
                 : REFUSE(FAIL_BAD_REQUEST, "the public key is on the list of blocked keys %.80s",
                          list);
}

static int basic_ok(struct span value)
{
    struct span seq, ca = {0}, len = {0};
    if (!x509_take(&value, 0x30, NULL, &seq))
        return 0;
    if (x509_take(&seq, 0x01, NULL, &ca) && ca.p[0] != 0xff)
        return 0; /* FALSE is the default, which DER leaves out */
    return !(x509_take(&seq, 0x02, NULL, &len) && (len.n > 4 || len.p[0] & 0x80)) && !seq.n;
}

static int list_ok(struct span value, unsigned char id)
{
    struct span seq;
    if (!x509_take(&value, 0x30, NULL, &seq) || !seq.n)
        return 0;
    while (seq.n)
        if (!x509_take(&seq, id, NULL, NULL))
            return 0;
    return 1;
}

static int names_ok(struct span value, char why[X509_WHY])
{
    struct span list, name;
    if (!x509_take(&value, 0x30, NULL, &list) || !list.n)
        return 0;
    while (list.n)
        if (!x509_san_take(&list, &name, why))
            return 0;
    return 1;
}

/* One requested extension: DER, and of the form that its OID names. */
static int judge_extension(struct span oid, struct span value, char why[X509_WHY])
{
    char bad[DER_WHY];
    struct span in = value;
    if (!der_check(value.p, value.n, NULL, 0, bad))
        return 0;
    if (oid.n != 3 || oid.p[0] != 0x55 || oid.p[1] != 0x1d)
        return 1;
    switch (oid.p[2]) {
    case 14:
        return x509_take(&in, 0x04, NULL, NULL);
    case 15:
        return profile_usage_bits(value) != 0;
    case 17:
        return names_ok(value, why);
    case 19:
        return basic_ok(value);
    case 37:
        return list_ok(value, 0x06);
    default:
        return 1;
    }
}

static int judge_extensions(const struct profile *p, struct span extensions,
                            enum profile_fail *fail, char why[X509_WHY])
{
    struct span list, oid;
    struct x509_ext e;
    if (!extensions.n)
        return 1;
    if (!x509_ext_unique(extensions))
        return REFUSE(FAIL_BAD_REQUEST,
                      "the requested extensions are malformed, or one is there twice");
    x509_take(&extensions, 0x30, NULL, &list);
    while (x509_ext_next(&list, &oid, &e) == 1) {
        struct buf name = {0};
        why[0] = 0;
        profile_ext_name(oid, &name);
        int ok = judge_extension(oid, e.value, why);
        if (!ok && !why[0])
            snprintf(why, X509_WHY, "the requested extension %.60s is malformed", (char *)name.d);
        *fail = FAIL_BAD_REQUEST;
        /* who asks for it so has no use for a certificate without it */
        if (ok && e.critical && !profile_gives(p, oid))
            ok = REFUSE(FAIL_UNSUPPORTED_EXT,
                        "extension %.60s is asked as critical, and profile %s does not give it",
                        (char *)name.d, p->t.name);
        buf_free(&name);
        if (!ok)
            return 0;
    }
    return 1;
}

/* Whether the certificate can have a subject: one that is asked, or one that is made. */
static int judge_subject(const struct profile *p, const struct profile_asked *a,
                         enum profile_fail *fail, char why[X509_WHY])
{
    struct span subject = profile_subject(a);
    struct buf value = {0};
    int ok = 1;
    if (!subject.n || !x509_name_ok(subject))
        return REFUSE(FAIL_BAD_REQUEST, "the subject of the request is malformed or too long");
    if (p->t.subject)
        return 1;
    if (subject.n == 2)
        return REFUSE(FAIL_BAD_IDENTITY,
                      "the subject of the request is empty, and profile %s does not make one",
                      p->t.name);
    for (size_t i = 0; ok && i < p->t.required.n; i++)
        if (x509_name_get(subject, p->t.required.v[i], &value) != 1)
            ok = REFUSE(FAIL_BAD_IDENTITY, "the subject has no %s, which profile %s requires",
                        p->t.required.v[i], p->t.name);
    buf_free(&value);
    return ok;
}

int profile_judge(const struct profile *p, const struct profile_asked *asked,
                  enum profile_fail *fail, char why[X509_WHY])
{
    return judge_key(p, asked->spki, fail, why) &&
           judge_extensions(p, asked->extensions, fail, why) && judge_subject(p, asked, fail, why);
}
