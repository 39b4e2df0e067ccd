/* Attribute types and the character strings they are made of. */
#include "x509_priv.h"

#include <string.h>
#include <strings.h>

/* The first name of an OID is the one that is shown. RFC 4514 section 3, RFC 4519, X.520. */
static const struct attr attrs[] = {
    {"CN", {0x55, 4, 3}, 3, ATTR_UTF8, 64},
    {"serialNumber", {0x55, 4, 5}, 3, ATTR_PRINTABLE, 64},
    {"O", {0x55, 4, 10}, 3, ATTR_UTF8, 64},
    {"OU", {0x55, 4, 11}, 3, ATTR_UTF8, 64},
    {"C", {0x55, 4, 6}, 3, ATTR_PRINTABLE, 2},
    {"L", {0x55, 4, 7}, 3, ATTR_UTF8, 128},
    {"ST", {0x55, 4, 8}, 3, ATTR_UTF8, 128},
    {"STREET", {0x55, 4, 9}, 3, ATTR_UTF8, 128},
    {"SN", {0x55, 4, 4}, 3, ATTR_UTF8, 64},
    {"title", {0x55, 4, 12}, 3, ATTR_UTF8, 64},
    {"description", {0x55, 4, 13}, 3, ATTR_UTF8, 1024},
    {"postalCode", {0x55, 4, 17}, 3, ATTR_UTF8, 40},
    {"name", {0x55, 4, 41}, 3, ATTR_UTF8, 64},
    {"GN", {0x55, 4, 42}, 3, ATTR_UTF8, 64},
    {"initials", {0x55, 4, 43}, 3, ATTR_UTF8, 64},
    {"generationQualifier", {0x55, 4, 44}, 3, ATTR_UTF8, 64},
    {"dnQualifier", {0x55, 4, 46}, 3, ATTR_PRINTABLE, 64},
    {"pseudonym", {0x55, 4, 65}, 3, ATTR_UTF8, 128},
    {"organizationIdentifier", {0x55, 4, 97}, 3, ATTR_UTF8, 64},
    {"DC", {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}, 10, ATTR_IA5, 63},
    {"UID", {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}, 10, ATTR_UTF8, 256},
    {"emailAddress", {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}, 9, ATTR_IA5, 255},
    {"VID", {0x2b, 6, 1, 4, 1, 0x82, 0xa2, 0x7c, 2, 1}, 10, ATTR_HEX4, 4}, /* Matter, 6.1.1 */
    {"PID", {0x2b, 6, 1, 4, 1, 0x82, 0xa2, 0x7c, 2, 2}, 10, ATTR_HEX4, 4},
    {"commonName", {0x55, 4, 3}, 3, ATTR_UTF8, 64},
    {"organizationName", {0x55, 4, 10}, 3, ATTR_UTF8, 64},
    {"organizationalUnitName", {0x55, 4, 11}, 3, ATTR_UTF8, 64},
    {"countryName", {0x55, 4, 6}, 3, ATTR_PRINTABLE, 2},
    {"localityName", {0x55, 4, 7}, 3, ATTR_UTF8, 128},
    {"stateOrProvinceName", {0x55, 4, 8}, 3, ATTR_UTF8, 128},
    {"surname", {0x55, 4, 4}, 3, ATTR_UTF8, 64},
    {"givenName", {0x55, 4, 42}, 3, ATTR_UTF8, 64},
    {"domainComponent", {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}, 10, ATTR_IA5, 63},
    {"userId", {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}, 10, ATTR_UTF8, 256},
};
#define ATTRS (sizeof attrs / sizeof *attrs)

const struct attr *x509_attr_name(const char *name, size_t n)
{
    for (size_t i = 0; i < ATTRS; i++)
        if (!strncasecmp(attrs[i].name, name, n) && !attrs[i].name[n])
            return &attrs[i];
    return NULL;
}

const struct attr *x509_attr_oid(struct span oid)
{
    for (size_t i = 0; i < ATTRS; i++)
        if (attrs[i].oid_n == oid.n && !memcmp(attrs[i].oid, oid.p, oid.n))
            return &attrs[i];
    return NULL;
}

/* The length of the UTF-8 character at p (RFC 3629: shortest form, no surrogates), 0 if it is none.
 */
static size_t utf8_one(const unsigned char *p, size_t n)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t k = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (k < 2 || k > n)
        return k == 1;
    unsigned v = p[0] & (0xffU >> (k + 1));
    for (size_t i = 1; i < k; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    return v < least[k] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) ? 0 : k;
}

long x509_utf8_count(const void *text, size_t n)
{
    const unsigned char *p = text;
    long count = 0;
    for (size_t k; n; p += k, n -= k, count++)
        if (!(k = utf8_one(p, n)))
            return -1;
    return count;
}

int x509_text_ok(const void *text, size_t n)
{
    const unsigned char *p = text;
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && i + 1 < n && p[i + 1] < 0xa0))
            return 0;
    return x509_utf8_count(text, n) >= 0;
}

int x509_printable(const void *text, size_t n)
{
    const unsigned char *p = text;
    for (size_t i = 0; i < n; i++) {
        int plain = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') ||
                    (p[i] >= '0' && p[i] <= '9');
        if (!plain && (!p[i] || !strchr(" '()+,-./:=?", p[i])))
            return 0;
    }
    return 1;
}

int x509_hex4(const void *text, size_t n)
{
    const unsigned char *p = text;
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'A' && p[i] <= 'F'))
            return 0;
    return n == 4;
}

int x509_ascii(const void *text, size_t n)
{
    const unsigned char *p = text;
    for (size_t i = 0; i < n; i++)
        if (p[i] & 0x80)
            return 0;
    return 1;
}

static void put_utf8(struct buf *out, unsigned v)
{
    static const unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
    int more = v < 0x80 ? 0 : v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;
    buf_char(out, (int)(lead[more] | v >> (6 * more)));
    while (more-- > 0)
        buf_char(out, (int)(0x80 | (v >> (6 * more) & 0x3f)));
}

/* width: octets a character, 1 for TeletexString, which is read as Latin-1 as everybody does. */
static int wide(struct span s, size_t width, struct buf *out)
{
    if (s.n % width)
        return 0;
    for (size_t i = 0; i < s.n; i += width) {
        unsigned v = 0;
        for (size_t j = 0; j < width; j++)
            v = v << 8 | s.p[i + j];
        if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
            return 0;
        put_utf8(out, v);
    }
    return 1;
}

int x509_string_utf8(unsigned char tag, struct span s, struct buf *out)
{
    switch (tag) {
    case 0x0c: /* UTF8String */
        if (x509_utf8_count(s.p, s.n) < 0)
            return 0;
        break;
    case 0x13: /* PrintableString */
        /* many a device writes '_', '&' or '*' here: they are read, x509_name_lint refuses them */
    case 0x16: /* IA5String */
    case 0x12: /* NumericString */
        if (!x509_ascii(s.p, s.n))
            return 0;
        break;
    case 0x14: /* TeletexString */
        return wide(s, 1, out);
    case 0x1e: /* BMPString */
        return wide(s, 2, out);
    case 0x1c: /* UniversalString */
        return wide(s, 4, out);
    default:
        return 0;
    }
    buf_put(out, s.p, s.n);
    return 1;
}
