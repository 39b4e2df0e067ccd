/* Names from DER. */
#include "x509_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int x509_ava_start(struct ava_walk *w, struct span name)
{
    memset(w, 0, sizeof *w);
    return name.n <= NAME_OCTETS && x509_take(&name, 0x30, NULL, &w->rdns) && !name.n;
}

int x509_ava_next(struct ava_walk *w, struct ava *out)
{
    struct span seq;
    const unsigned char *value;
    out->joined = w->set.n != 0;
    if (!w->set.n && !w->rdns.n)
        return 0;
    if (!w->set.n && (!x509_take(&w->rdns, 0x31, NULL, &w->set) || !w->set.n))
        return -1;
    if (w->n++ == NAME_ATTRIBUTES || !x509_take(&w->set, 0x30, NULL, &seq) ||
        !x509_take(&seq, 0x06, NULL, &out->oid) || !out->oid.n || !seq.n)
        return -1;
    value = seq.p;
    if (!x509_take(&seq, *value, NULL, &out->value) || seq.n || !out->value.n)
        return -1;
    out->tag = *value;
    return 1;
}

/* RFC 4514, 2.4: what a value's text must escape. */
static void put_escaped(struct buf *out, struct span v)
{
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = v.p[i];
        int edge = (c == ' ' && (!i || i + 1 == v.n)) || (c == '#' && !i);
        int c1 = c == 0xc2 && i + 1 < v.n && v.p[i + 1] < 0xa0; /* a control of two octets */
        if (c1)
            buf_printf(out, "\\C2\\%02X", v.p[++i]);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\%02X", c);
        else if (edge || strchr("\"+,;<>\\", c))
            buf_printf(out, "\\%c", c);
        else
            buf_char(out, c);
    }
}

void x509_name_quote(struct buf *out, const char *value)
{
    put_escaped(out, (struct span){(const unsigned char *)value, strlen(value)});
}

static int put_type(struct buf *out, const struct ava *a)
{
    const struct attr *attr = x509_attr_oid(a->oid);
    if (!attr)
        return x509_oid_text(a->oid, out);
    buf_str(out, attr->name);
    return 1;
}

/* A value in a type that has no name is shown as its DER (RFC 4514, 2.4). */
static void put_value(struct buf *out, const struct ava *a)
{
    struct buf v = {0};
    if (x509_attr_oid(a->oid) && x509_string_utf8(a->tag, a->value, &v)) {
        put_escaped(out, buf_span(&v));
    } else {
        x509_put(&v, a->tag, a->value.p, a->value.n);
        buf_char(out, '#');
        buf_hex(out, v.d, v.n);
    }
    buf_free(&v);
}

static int put_ava_text(struct buf *out, const struct ava *a)
{
    int ok = put_type(out, a);
    buf_char(out, '=');
    put_value(out, a);
    return ok;
}

int x509_name_each(struct span name, int (*each)(const char *type, const char *value, void *arg),
                   void *arg)
{
    struct ava_walk w;
    struct ava a;
    struct buf type = {0}, value = {0};
    int more = 1, r = x509_ava_start(&w, name) ? 1 : -1;
    while (more && r == 1 && (r = x509_ava_next(&w, &a)) == 1) {
        buf_reset(&type);
        buf_reset(&value);
        if (!put_type(&type, &a)) {
            r = -1;
            break;
        }
        put_value(&value, &a);
        more = each((char *)type.d, (char *)value.d, arg);
    }
    buf_free(&type);
    buf_free(&value);
    return r < 0 ? -1 : more;
}

char *x509_name_text(struct span name)
{
    struct ava_walk w;
    struct ava a[NAME_ATTRIBUTES];
    struct buf out = {0};
    size_t n = 0;
    int r = x509_ava_start(&w, name) ? 1 : -1;
    while (r == 1 && (r = x509_ava_next(&w, &a[n < NAME_ATTRIBUTES ? n : 0])) == 1)
        n++;
    buf_str(&out, "");
    for (size_t i = n; r == 0 && i;) {
        size_t from = i - 1, end = i;
        while (a[from].joined)
            from--;
        for (i = from; r == 0 && from < end; from++) {
            if (out.n)
                buf_char(&out, a[from].joined ? '+' : ',');
            r = put_ava_text(&out, &a[from]) ? 0 : -1;
        }
    }
    if (r == 0)
        return (char *)out.d;
    buf_free(&out);
    return NULL;
}

/* The OID's content for an attribute's name, in `oid`. */
static int type_of(const char *name, struct buf *oid)
{
    const struct attr *attr = x509_attr_name(name, strlen(name));
    if (attr)
        x509_put(oid, 0x06, attr->oid, attr->oid_n);
    return attr != NULL || x509_put_oid(oid, name);
}

int x509_name_get(struct span name, const char *attribute, struct buf *out)
{
    struct ava_walk w;
    struct ava a, found = {0};
    struct buf oid = {0};
    size_t start = out->n;
    int n = 0, r = x509_ava_start(&w, name) && type_of(attribute, &oid) ? 1 : -1;
    while (r == 1 && (r = x509_ava_next(&w, &a)) == 1) {
        if (a.oid.n != oid.n - 2 || memcmp(a.oid.p, oid.d + 2, a.oid.n))
            continue;
        found = a;
        n++;
    }
    buf_free(&oid);
    if (r < 0 || n > 1)
        return -1;
    if (!n)
        return 0;
    if (x509_string_utf8(found.tag, found.value, out) &&
        x509_text_ok(out->d + start, out->n - start))
        return 1;
    out->n = start;
    return -1;
}

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)

/* How much of RFC 5280, Appendix A: that it can be read; its upper bounds too; its string types
 * too. */
enum rigour { READABLE, BOUNDED, STRICT };

static int check(const struct ava *a, enum rigour rigour, struct buf *text, char why[X509_WHY])
{
    const struct attr *attr = x509_attr_oid(a->oid);
    const char *shown = attr ? attr->name : "an attribute";
    int kind = attr ? attr->kind : ATTR_UTF8;
    buf_reset(text);
    if (!x509_string_utf8(a->tag, a->value, text))
        return WHY("%s of the name is not a string", shown);
    if (rigour == READABLE)
        return 1;
    if (x509_utf8_count(text->d, text->n) > (attr ? attr->most : ATTR_MOST))
        return WHY("%s of the name is too long", shown);
    if (rigour == BOUNDED)
        return 1;
    if (!x509_text_ok(text->d, text->n))
        return WHY("%s of the name has a control character", shown);
    if (a->tag == 0x13 && !x509_printable(text->d, text->n))
        return WHY("%s of the name is not a PrintableString", shown);
    if (kind == ATTR_PRINTABLE ? a->tag != 0x13
        : kind == ATTR_IA5     ? a->tag != 0x16
                               : a->tag != 0x13 && a->tag != 0x0c)
        return WHY("%s of the name has a string type that RFC 5280 does not allow", shown);
    if (kind == ATTR_HEX4 && (a->tag != 0x0c || !x509_hex4(text->d, text->n)))
        return WHY("%s of the name is not a UTF8String of four hexadecimal digits in upper case",
                   shown);
    if (attr && !strcmp(shown, "C") &&
        (text->n != 2 || !isalpha(text->d[0]) || !isalpha(text->d[1])))
        return WHY("C of the name is not a country code of two letters");
    return 1;
}

static int check_all(struct span name, enum rigour rigour, char why[X509_WHY])
{
    struct ava_walk w;
    struct ava a;
    struct buf text = {0};
    int ok = 1, r = x509_ava_start(&w, name) ? 1 : -1;
    buf_room(&text, 64);
    while (ok && r == 1 && (r = x509_ava_next(&w, &a)) == 1)
        ok = check(&a, rigour, &text, why);
    buf_free(&text);
    return ok && r < 0 ? WHY("a name that is malformed or too long") : ok;
}

int x509_name_readable(struct span name)
{
    char why[X509_WHY];
    return check_all(name, READABLE, why);
}

int x509_name_ok(struct span name)
{
    char why[X509_WHY];
    return check_all(name, BOUNDED, why);
}

int x509_name_lint(struct span name, char why[X509_WHY])
{
    return check_all(name, STRICT, why);
}
