/* GeneralName (RFC 5280, 4.2.1.6), hardwareModuleName (RFC 4108, section 5), permanentIdentifier
 * (RFC 4043, section 2). */
#include "x509_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "der.h"

#define DNS_MAX 253
#define LABEL_MAX 63
#define TEXT_MAX 1024 /* octets of a name in text form */
#define SERIAL_MAX 128

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)

/* id-on-hardwareModuleName, id-on-permanentIdentifier */
static const unsigned char hw_oid[] = {0x2b, 6, 1, 5, 5, 7, 8, 4};
static const unsigned char perm_oid[] = {0x2b, 6, 1, 5, 5, 7, 8, 3};

static const struct {
    const char *name;
    int kind;
    unsigned char id;
} kinds[] = {
    {"dns", X509_SAN_DNS, 0x82},
    {"ip", X509_SAN_IP, 0x87},
    {"email", X509_SAN_EMAIL, 0x81},
    {"uri", X509_SAN_URI, 0x86},
    {"hardware-module-name", X509_SAN_HW, 0xa0},
    {"permanent-identifier", X509_SAN_PERM, 0xa0},
    {"dn", X509_SAN_DN, 0xa4},
};
#define KINDS (sizeof kinds / sizeof *kinds)

int x509_san_kind(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!strcmp(kinds[i].name, name))
            return kinds[i].kind;
    return 0;
}

const char *x509_san_name(int kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "other";
}

/* The preferred name syntax (RFC 1034, 3.5 and RFC 1123, 2.1), or with one "*." ahead (RFC 6125).
 */
static int dns_ok(struct span s)
{
    size_t label = 0, i = s.n > 2 && s.p[0] == '*' && s.p[1] == '.' ? 2 : 0;
    if (!s.n || s.n > DNS_MAX)
        return 0;
    for (; i < s.n; i++) {
        int edge = !label || i + 1 == s.n || s.p[i + 1] == '.';
        if (s.p[i] == '.') {
            if (!label || i + 1 == s.n)
                return 0;
            label = 0;
        } else if (++label > LABEL_MAX || (!isalnum(s.p[i]) && (s.p[i] != '-' || edge)) ||
                   s.p[i] & 0x80) {
            return 0;
        }
    }
    return 1;
}

/* local@domain in ASCII (RFC 5321, 4.1.2, without quoted local parts). */
static int email_ok(struct span s)
{
    const unsigned char *at = memchr(s.p, '@', s.n);
    size_t local = at ? (size_t)(at - s.p) : 0;
    if (!local || local > 64)
        return 0;
    for (size_t i = 0; i < local; i++)
        if (!s.p[i] || (!isalnum(s.p[i]) && !strchr("!#$%&'*+/=?^_`{|}~-.", s.p[i])))
            return 0;
    struct span domain = {at + 1, s.n - local - 1};
    return domain.n && domain.p[0] != '*' && dns_ok(domain);
}

/* An absolute URI, RFC 3986: scheme, colon, something, of its characters only. */
static int uri_ok(struct span s)
{
    size_t i = 0;
    if (!s.n || !isalpha(s.p[0]))
        return 0;
    while (i < s.n && (isalnum(s.p[i]) || strchr("+-.", s.p[i])) && s.p[i])
        i++;
    if (i + 1 >= s.n || s.p[i] != ':')
        return 0;
    for (; i < s.n; i++)
        if (!s.p[i] || (!isalnum(s.p[i]) && !strchr("-._~:/?#[]@!$&'()*+,;=%", s.p[i])))
            return 0;
    return 1;
}

/* An otherName that binds a number to who gave it. */
struct numbered {
    struct span giver, number; /* hwType and hwSerialNum; assigner and identifierValue */
};

/* HardwareModuleName ::= SEQUENCE { hwType OID, hwSerialNum OCTET STRING },
 * PermanentIdentifier ::= SEQUENCE { identifierValue UTF8String OPTIONAL, assigner OID OPTIONAL },
 * behind the otherName's type. The kind; 0: malformed. */
static int open_other(struct span other, struct numbered *out)
{
    struct span oid, box, seq;
    memset(out, 0, sizeof *out);
    if (!x509_take(&other, 0x06, NULL, &oid) || !x509_take(&other, 0xa0, NULL, &box) || other.n)
        return 0;
    int perm = buf_same(oid, (struct span){perm_oid, sizeof perm_oid});
    if (!perm && !buf_same(oid, (struct span){hw_oid, sizeof hw_oid}))
        return X509_SAN_OTHER;
    if (!x509_take(&box, 0x30, NULL, &seq) || box.n)
        return 0;
    if (perm) {
        x509_take(&seq, 0x0c, NULL, &out->number);
        x509_take(&seq, 0x06, NULL, &out->giver);
        return !seq.n && x509_text_ok(out->number.p, out->number.n) ? X509_SAN_PERM : 0;
    }
    return x509_take(&seq, 0x06, NULL, &out->giver) && out->giver.n &&
                   x509_take(&seq, 0x04, NULL, &out->number) && !seq.n && out->number.n
               ? X509_SAN_HW
               : 0;
}

static int kind_of(unsigned char id)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].id == id)
            return kinds[i].kind;
    return strchr("\xa3\xa5\x88", id) && id ? X509_SAN_OTHER : 0;
}

int x509_san_take(struct span *in, struct span *tlv, char why[X509_WHY])
{
    struct span c;
    struct numbered other;
    char bad[DER_WHY];
    int kind = in->n ? kind_of(in->p[0]) : 0, ok = 1;
    if (!kind || !x509_take(in, in->p[0], tlv, &c))
        return WHY("a subjectAltName that is malformed");
    if (!der_check(tlv->p, tlv->n, NULL, 0, bad))
        return WHY("a subjectAltName with a malformed name: %s", bad);
    if (kind == X509_SAN_HW) {
        ok = open_other(c, &other);
        kind = ok ? ok : kind;
    } else if (kind == X509_SAN_DNS) {
        ok = dns_ok(c);
    } else if (kind == X509_SAN_EMAIL) {
        ok = email_ok(c);
    } else if (kind == X509_SAN_URI) {
        ok = uri_ok(c);
    } else if (kind == X509_SAN_IP) {
        ok = c.n == 4 || c.n == 16;
    } else if (kind == X509_SAN_DN) {
        ok = c.n > 2 && x509_name_lint(c, why);
    }
    return ok ? kind : WHY("a subjectAltName whose %s is malformed", x509_san_name(kind));
}

static int put_ip(const char *text, struct buf *der)
{
    unsigned char a[16];
    if (inet_pton(AF_INET, text, a) == 1)
        x509_put(der, 0x87, a, 4);
    else if (inet_pton(AF_INET6, text, a) == 1)
        x509_put(der, 0x87, a, 16);
    else
        return 0;
    return 1;
}

/* "GIVER:NUMBER" as an otherName of this kind. */
static int put_other(const char *text, int kind, struct buf *der)
{
    const char *colon = strchr(text, ':');
    size_t start = der->n, n = colon ? strlen(colon + 1) : 0;
    int perm = kind == X509_SAN_PERM;
    if (!n || n > SERIAL_MAX || !x509_text_ok(colon + 1, n))
        return 0;
    x509_put(der, 0x06, perm ? perm_oid : hw_oid, sizeof hw_oid);
    size_t value = der->n;
    char *giver = alloc_copy(text, (size_t)(colon - text));
    if (perm)
        x509_put(der, 0x0c, colon + 1, n);
    int ok = x509_put_oid(der, giver);
    if (!perm)
        x509_put(der, 0x04, colon + 1, n);
    free(giver);
    x509_wrap(der, value, 0x30);
    x509_wrap(der, value, 0xa0);
    x509_wrap(der, start, 0xa0);
    return ok;
}

int x509_san_parse(const char *text, struct buf *der, char why[X509_WHY])
{
    const char *colon = strchr(text, ':');
    size_t start = der->n, k = 0;
    int ok;
    while (colon && k < KINDS &&
           (strncmp(kinds[k].name, text, (size_t)(colon - text)) || kinds[k].name[colon - text]))
        k++;
    if (!colon || k == KINDS)
        return WHY("\"%.60s\" does not begin with dns:, ip:, email:, uri:, dn:, "
                   "hardware-module-name: or permanent-identifier:",
                   text);
    struct span s = {(const unsigned char *)colon + 1, strlen(colon + 1)};
    if (s.n > TEXT_MAX)
        return WHY("a subjectAltName longer than %d octets", TEXT_MAX);
    if (kinds[k].id == 0xa0) {
        ok = put_other(colon + 1, kinds[k].kind, der);
    } else if (kinds[k].kind == X509_SAN_IP) {
        ok = put_ip(colon + 1, der);
    } else if (kinds[k].kind == X509_SAN_DN) {
        if (!x509_name_parse(colon + 1, der, why))
            return 0;
        ok = der->n - start > 2;
        x509_wrap(der, start, 0xa4);
    } else {
        ok = s.n && (kinds[k].kind == X509_SAN_DNS     ? dns_ok(s)
                     : kinds[k].kind == X509_SAN_EMAIL ? email_ok(s)
                                                       : uri_ok(s));
        x509_put(der, kinds[k].id, s.p, s.n);
    }
    if (!ok)
        der->n = start;
    return ok ? 1 : WHY("\"%.80s\" is malformed", text);
}

/* Text that may be binary: as hexadecimal then. */
static void put_text(struct buf *out, struct span s)
{
    if (x509_text_ok(s.p, s.n))
        buf_put(out, s.p, s.n);
    else
        buf_hex(out, s.p, s.n);
}

void x509_san_value(struct span tlv, struct buf *out)
{
    char ip[INET6_ADDRSTRLEN];
    struct span c;
    struct numbered other;
    unsigned char id = tlv.n ? tlv.p[0] : 0;
    if (!tlv.n || !x509_take(&tlv, id, NULL, &c))
        return;
    if (id == 0xa0 && open_other(c, &other) && other.number.n) {
        put_text(out, other.number);
    } else if (id == 0x87 && (c.n == 4 || c.n == 16)) {
        buf_str(out, inet_ntop(c.n == 4 ? AF_INET : AF_INET6, c.p, ip, sizeof ip) ? ip : "");
    } else if (id == 0xa4) {
        char *name = x509_name_text(c);
        buf_str(out, name ? name : "");
        free(name);
    } else {
        put_text(out, c);
    }
}

void x509_san_text(struct span tlv, struct buf *out)
{
    struct span in = tlv, c;
    struct numbered other;
    int kind = tlv.n ? kind_of(tlv.p[0]) : 0;
    if (kind == X509_SAN_HW)
        kind = x509_take(&in, 0xa0, NULL, &c) ? open_other(c, &other) : 0;
    buf_str(out, x509_san_name(kind));
    if (!kind || kind == X509_SAN_OTHER)
        return;
    buf_char(out, ':');
    if (kind == X509_SAN_HW || kind == X509_SAN_PERM) {
        x509_oid_text(other.giver, out);
        buf_char(out, ':');
    }
    x509_san_value(tlv, out);
}
