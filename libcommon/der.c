#include "der.h"

#include <stdio.h>
#include <string.h>

#define CONSTRUCTED 0x20
#define TAG_OCTETS 4
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

enum { BOOLEAN = 1, INTEGER, BIT_STRING, NUL = 5, OID, ENUMERATED = 10, RELATIVE_OID = 13 };
enum { SET = 17, UTC_TIME = 23, GENERALIZED_TIME };

/* Reads tag and length at p. NULL, or what is wrong. */
static const char *header(const unsigned char *p, size_t n, struct der_tlv *t)
{
    size_t at = 1;
    if (!n)
        return "missing element";
    t->cls = p[0] >> 6;
    t->constructed = (p[0] & CONSTRUCTED) != 0;
    t->tag = p[0] & 0x1f;
    if (t->tag == 0x1f) { /* X.690, 8.1.2.4 */
        t->tag = 0;
        do {
            if (at >= n)
                return "truncated tag";
            if (at > TAG_OCTETS)
                return "tag number too large";
            t->tag = t->tag << 7 | (p[at] & 0x7f);
        } while (p[at++] & 0x80);
        if (t->tag < 0x1f || p[1] == 0x80)
            return "tag that is not minimal";
    }
    if (at >= n)
        return "truncated length";
    size_t len = p[at++];
    if (len == 0x80)
        return "indefinite length";
    if (len > 0x80) {
        size_t k = len & 0x7f;
        if (k > n - at)
            return "truncated length";
        if (!p[at])
            return "length that is not minimal";
        if (k > 4)
            return "length beyond the end";
        for (len = 0; k; k--)
            len = len << 8 | p[at++];
        if (len < 0x80)
            return "length that is not minimal";
    }
    if (len > n - at)
        return "length beyond the end";
    t->der = p;
    t->n = at + len;
    t->content = p + at;
    t->len = len;
    return NULL;
}

int der_next(const unsigned char **p, size_t *n, struct der_tlv *out)
{
    if (header(*p, *n, out))
        return 0;
    *p += out->n;
    *n -= out->n;
    return 1;
}

int der_one(const unsigned char *p, size_t n, unsigned cls, unsigned tag, struct der_tlv *out)
{
    return der_next(&p, &n, out) && !n && out->cls == cls && out->tag == tag;
}

static const char *integer(const unsigned char *p, size_t n)
{
    if (!n)
        return "empty INTEGER";
    if (n > 1 && ((!p[0] && p[1] < 0x80) || (p[0] == 0xff && p[1] >= 0x80)))
        return "INTEGER that is not minimal";
    return NULL;
}

static const char *bit_string(const unsigned char *p, size_t n)
{
    if (!n || p[0] > 7 || (n == 1 && p[0]))
        return "BIT STRING with a bad count of pad bits";
    return p[n - 1] & ((1U << p[0]) - 1) && n > 1 ? "BIT STRING with pad bits that are not zero"
                                                  : NULL;
}

static const char *oid(const unsigned char *p, size_t n)
{
    int first = 1;
    if (!n || p[n - 1] & 0x80)
        return "truncated OBJECT IDENTIFIER";
    for (size_t i = 0; i < n; i++) {
        if (first && p[i] == 0x80)
            return "OBJECT IDENTIFIER that is not minimal";
        first = !(p[i] & 0x80);
    }
    return NULL;
}

static int two(const unsigned char *p, int least, int most)
{
    int v = (p[0] - '0') * 10 + p[1] - '0';
    return v >= least && v <= most;
}

/* X.690, 11.7 and 11.8: to the second, in Z, a fraction without trailing zeros. `year`: its digits.
 */
static const char *when(const unsigned char *p, size_t n, size_t year)
{
    static const char wrong[] = "time that is not in the form of DER";
    size_t digits = year + 10;
    if (n < digits + 1 || p[n - 1] != 'Z')
        return wrong;
    for (size_t i = 0; i < n - 1; i++)
        if ((p[i] < '0' || p[i] > '9') && !(i == digits && p[i] == '.' && year == 4))
            return wrong;
    if (n > digits + 1 && (p[digits] != '.' || n < digits + 3 || p[n - 2] == '0'))
        return wrong;
    p += year;
    return two(p, 1, 12) && two(p + 2, 1, 31) && two(p + 4, 0, 23) && two(p + 6, 0, 59) &&
                   two(p + 8, 0, 59)
               ? NULL
               : wrong;
}

static const char *primitive(const struct der_tlv *t)
{
    switch (t->tag) {
    case BOOLEAN:
        return t->len == 1 && (!t->content[0] || t->content[0] == 0xff) ? NULL
                                                                        : "BOOLEAN not 00 or FF";
    case INTEGER:
    case ENUMERATED:
        return integer(t->content, t->len);
    case BIT_STRING:
        return bit_string(t->content, t->len);
    case NUL:
        return t->len ? "NULL with content" : NULL;
    case OID:
    case RELATIVE_OID:
        return oid(t->content, t->len);
    case UTC_TIME:
        return when(t->content, t->len, 2);
    case GENERALIZED_TIME:
        return when(t->content, t->len, 4);
    default:
        return NULL;
    }
}

/* By universal tag: P must be primitive, C constructed; '.' has no place in DER that we take. */
static const char *universal(const struct der_tlv *t)
{
    static const char form[] = ".PPPPPPPC.PCPP..CCPPPPPPPPPPPCP";
    char want = t->tag < sizeof form - 1 ? form[t->tag] : '.';
    if (want == '.')
        return t->tag ? "unknown universal tag" : "end-of-contents octets";
    if (want == 'P' && t->constructed)
        return "constructed string or primitive type";
    if (want == 'C' && !t->constructed)
        return "SEQUENCE or SET that is primitive";
    return t->constructed ? NULL : primitive(t);
}

/* A constructed element whose content is being walked. */
struct level {
    const unsigned char *at, *end;
    struct der_tlv last; /* child of a SET that must be in order; n 0: none yet */
    int ordered;
    int lax, child, matched; /* matched: path elements that led here, or -1 */
};

struct walk {
    const int *lax;
    size_t lax_n;
    size_t depth;
    struct level level[DER_DEPTH];
};

/* X.690, 11.6. A TLV is never the beginning of another one, so the padding with zeros does not
 * matter. */
static int in_order(struct level *l, const struct der_tlv *t)
{
    size_t n = l->last.n < t->n ? l->last.n : t->n;
    int ok = !n || memcmp(l->last.der, t->der, n) <= 0;
    l->last = *t;
    return ok;
}

/* Where the child that comes next stands on the lax path. */
static void follow(const struct walk *w, struct level *up, int *lax, int *matched)
{
    *lax = up->lax;
    *matched = -1;
    if (!w->lax || up->lax || up->matched < 0)
        return;
    int want = w->lax[up->matched];
    if (want == DER_ANY || want == up->child)
        *matched = up->matched + 1;
    *lax = *matched == (int)w->lax_n;
    up->child++;
}

static const char *enter(struct walk *w, const struct der_tlv *t, int lax, int matched)
{
    if (w->depth == DER_DEPTH)
        return "nested deeper than " TEXT(DER_DEPTH) " levels";
    struct level *l = &w->level[w->depth++];
    l->at = t->content;
    l->end = t->content + t->len;
    l->last.n = 0;
    l->lax = lax;
    l->matched = matched;
    l->child = 0;
    l->ordered = t->cls == DER_UNIVERSAL && t->tag == SET && !lax;
    return NULL;
}

static const char *element(struct walk *w, const struct der_tlv *t, int lax, int matched)
{
    const char *why = t->cls == DER_UNIVERSAL ? universal(t) : NULL;
    if (why || !t->constructed)
        return why;
    return enter(w, t, lax, matched);
}

/* Walks what was entered; *at says where it stopped. */
static const char *walk(struct walk *w, const unsigned char **at)
{
    while (w->depth) {
        struct level *l = &w->level[w->depth - 1];
        struct der_tlv t;
        int lax, matched;
        *at = l->at;
        if (l->at == l->end) {
            w->depth--;
            continue;
        }
        const char *why = header(l->at, (size_t)(l->end - l->at), &t);
        if (why)
            return why;
        if (l->ordered && !in_order(l, &t))
            return "SET OF out of order";
        l->at += t.n;
        follow(w, l, &lax, &matched);
        why = element(w, &t, lax, matched);
        if (why)
            return why;
    }
    return NULL;
}

int der_check(const unsigned char *p, size_t n, const int *lax, size_t lax_n, char why[DER_WHY])
{
    struct walk w;
    struct der_tlv t;
    const unsigned char *at = p;
    w.lax = lax;
    w.lax_n = lax_n;
    w.depth = 0;
    why[0] = 0;
    const char *wrong = header(p, n, &t);
    if (!wrong)
        wrong = element(&w, &t, lax && !lax_n, 0);
    if (!wrong)
        wrong = walk(&w, &at);
    if (!wrong && t.n != n) {
        wrong = "trailing octets";
        at = p + t.n;
    }
    if (wrong)
        snprintf(why, DER_WHY, "%s at octet %zu", wrong, (size_t)(at - p));
    return !wrong;
}
