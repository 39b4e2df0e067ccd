/* Names from text, RFC 4514. */
#include "x509_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/objects.h>

#include "alloc.h"

#define TEXT_MAX 4096

/* The attributes in the order of the text, each a SEQUENCE in `der`. */
struct build {
    struct buf der;
    struct {
        size_t at, n;
        int joined; /* by + to the one before */
    } ava[NAME_ATTRIBUTES];
    size_t n;
    char *why;
};

#define WHY(b, ...) (snprintf((b)->why, X509_WHY, __VA_ARGS__), 0)

static void skip_spaces(const char **p)
{
    while (**p == ' ')
        ++*p;
}

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

static int hex_pair(const char *p)
{
    int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);
    return low < 0 ? -1 : high << 4 | low;
}

/* A backslash and what it escapes, at *p. */
static int escaped(struct build *b, const char **p, struct buf *value)
{
    int octet = hex_pair(*p + 1);
    if (octet >= 0) {
        buf_char(value, octet);
        *p += 3;
        return 1;
    }
    if (!(*p)[1] || !strchr(" \"#+,;<=>\\", (*p)[1]))
        return WHY(b, "a backslash that escapes nothing");
    buf_char(value, (*p)[1]);
    *p += 2;
    return 1;
}

static int quoted(struct build *b, const char **p, struct buf *value)
{
    for (++*p; **p && **p != '"';)
        if (**p == '\\') {
            if (!escaped(b, p, value))
                return 0;
        } else {
            buf_char(value, *(*p)++);
        }
    if (!**p)
        return WHY(b, "a quote that never closes");
    ++*p;
    skip_spaces(p);
    if (**p && **p != ',' && **p != '+')
        return WHY(b, "text behind a closing quote");
    return 1;
}

static int plain(struct build *b, const char **p, struct buf *value)
{
    size_t keep = 0; /* what trailing spaces do not belong to */
    while (**p && **p != ',' && **p != '+') {
        if (**p == '\\') {
            if (!escaped(b, p, value))
                return 0;
            keep = value->n;
            continue;
        }
        if (strchr("\";<>", **p))
            return WHY(b, "'%c' must be escaped", **p);
        buf_char(value, **p);
        if (*(*p)++ != ' ')
            keep = value->n;
    }
    value->n = keep;
    return 1;
}

/* "#" and the hexadecimal DER of a string, for types without a name (RFC 4514, 2.4). */
static int hexed(struct build *b, const char **p, struct buf *value)
{
    struct buf der = {0};
    struct span in, content;
    int octet, ok = 1;
    for (++*p; (octet = hex_pair(*p)) >= 0; *p += 2)
        buf_char(&der, octet);
    in = buf_span(&der);
    skip_spaces(p);
    if ((**p && **p != ',' && **p != '+') || !in.n || !x509_take(&in, in.p[0], NULL, &content) ||
        in.n || !x509_string_utf8(der.d[0], content, value))
        ok = WHY(b, "a value behind # that is not the DER of a string");
    buf_free(&der);
    return ok;
}

static int put_unknown_type(struct build *b, const char *name)
{
    ASN1_OBJECT *o = name[0] >= '0' && name[0] <= '9' ? NULL : OBJ_txt2obj(name, 0);
    int ok;
    if (o && OBJ_length(o)) {
        x509_put(&b->der, 0x06, OBJ_get0_data(o), OBJ_length(o));
        ok = 1;
    } else {
        ok = x509_put_oid(&b->der, name);
    }
    ASN1_OBJECT_free(o);
    return ok ? 1 : WHY(b, "unknown attribute type \"%.40s\"", name);
}

/* The type at *p, put as an OID; *attr stays NULL when the table does not have it. */
static int take_type(struct build *b, const char **p, const struct attr **attr, char shown[48])
{
    size_t n = 0;
    skip_spaces(p);
    while (isalnum((unsigned char)(*p)[n]) || (*p)[n] == '.' || (*p)[n] == '-')
        n++;
    if (!n || n >= 128)
        return WHY(b, "an attribute type is missing");
    char *name = alloc_copy(*p, n);
    int ok = 1;
    *p += n;
    skip_spaces(p);
    snprintf(shown, 48, "%.47s", name);
    if (**p != '=')
        ok = WHY(b, "'=' is missing behind \"%.40s\"", name);
    else if ((*attr = x509_attr_name(name, n)))
        x509_put(&b->der, 0x06, (*attr)->oid, (*attr)->oid_n);
    else
        ok = put_unknown_type(b, name);
    if (ok) { /* under whatever name, also a dotted OID: the one whose rules hold */
        const unsigned char *oid = b->der.d + b->ava[b->n].at;
        *attr = x509_attr_oid((struct span){oid + 2, b->der.n - b->ava[b->n].at - 2});
    }
    free(name);
    if (ok) {
        ++*p; /* = */
        skip_spaces(p);
    }
    return ok;
}

static int put_value(struct build *b, const struct attr *attr, const char *shown, struct span v)
{
    long count = x509_utf8_count(v.p, v.n), most = attr ? attr->most : ATTR_MOST;
    int kind = attr ? attr->kind : ATTR_UTF8;
    if (!v.n)
        return WHY(b, "%s is empty", shown);
    if (count < 0 || !x509_text_ok(v.p, v.n))
        return WHY(b, "%s is not UTF-8, or has a control character", shown);
    if (attr && !strcmp(attr->name, "C") && (v.n != 2 || !isalpha(v.p[0]) || !isalpha(v.p[1])))
        return WHY(b, "C is not a country code of two letters");
    if (count > most)
        return WHY(b, "%s is longer than %ld characters", shown, most);
    if (kind == ATTR_PRINTABLE && !x509_printable(v.p, v.n))
        return WHY(b, "%s takes letters, digits, space and '()+,-./:=? only", shown);
    if (kind == ATTR_HEX4 && !x509_hex4(v.p, v.n))
        return WHY(b, "%s takes four hexadecimal digits in upper case", shown);
    if (kind == ATTR_IA5 && !x509_ascii(v.p, v.n))
        return WHY(b, "%s takes ASCII only", shown);
    x509_put(&b->der, kind == ATTR_PRINTABLE ? 0x13 : kind == ATTR_IA5 ? 0x16 : 0x0c, v.p, v.n);
    return 1;
}

static int take_ava(struct build *b, const char **p, int joined)
{
    struct buf value = {0};
    const struct attr *attr = NULL;
    char shown[48];
    int ok;
    if (b->n == NAME_ATTRIBUTES)
        return WHY(b, "more than %d attributes", NAME_ATTRIBUTES);
    b->ava[b->n].at = b->der.n;
    b->ava[b->n].joined = joined;
    if (!take_type(b, p, &attr, shown))
        return 0;
    buf_room(&value, 64);
    ok = **p == '"' ? quoted(b, p, &value) : **p == '#' ? hexed(b, p, &value) : plain(b, p, &value);
    ok = ok && put_value(b, attr, shown, buf_span(&value));
    buf_free(&value);
    if (ok) {
        x509_wrap(&b->der, b->ava[b->n].at, 0x30);
        b->ava[b->n].n = b->der.n - b->ava[b->n].at;
        b->n++;
    }
    return ok;
}

/* One RDN: the attributes from..to, a SET OF in the order of DER. */
static void put_rdn(const struct build *b, size_t from, size_t to, struct buf *out)
{
    size_t start = out->n, done[NAME_ATTRIBUTES] = {0};
    for (size_t left = to - from; left; left--) {
        struct span best = {NULL, 0};
        size_t which = from;
        for (size_t i = from; i < to; i++) {
            struct span s = {b->der.d + b->ava[i].at, b->ava[i].n};
            size_t n = s.n < best.n ? s.n : best.n;
            int c = best.p ? memcmp(s.p, best.p, n) : -1;
            if (done[i] || c > 0 || (!c && s.n >= best.n))
                continue;
            best = s;
            which = i;
        }
        done[which] = 1;
        buf_put(out, best.p, best.n);
    }
    x509_wrap(out, start, 0x31);
}

int x509_name_parse(const char *text, struct buf *der, char why[X509_WHY])
{
    struct build b = {.why = why};
    size_t start = der->n, end;
    int ok = 1;
    if (strlen(text) > TEXT_MAX)
        return WHY(&b, "a name longer than %d octets of text", TEXT_MAX);
    skip_spaces(&text);
    while (ok && (*text || b.n)) {
        char sep = b.n ? *text++ : ',';
        if (!sep)
            break;
        ok = take_ava(&b, &text, sep == '+');
    }
    /* the text begins with the last RDN (RFC 4514, 2.1) */
    for (end = b.n; ok && end;) {
        size_t from = end - 1;
        while (b.ava[from].joined)
            from--;
        put_rdn(&b, from, end, der);
        end = from;
    }
    x509_wrap(der, start, 0x30);
    if (ok && der->n - start > NAME_OCTETS)
        ok = WHY(&b, "a name longer than %d octets", NAME_OCTETS);
    if (!ok)
        der->n = start;
    buf_free(&b.der);
    return ok;
}
