/* The few TLVs that are written and walked by hand (X.690). */
#include "x509.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "der.h"

#define DAY 86400
#define OID_MAX 64 /* octets of content */

__extension__ typedef unsigned __int128 arc_t; /* 2.25.UUID is 128 bits long (X.667) */
#define ARC_MAX (~(arc_t)0)

/* Writes tag and length to `to` (6 octets suffice); returns how many. */
static size_t header(unsigned char *to, unsigned char id, size_t n)
{
    size_t len = 0;
    to[0] = id;
    if (n < 0x80) {
        to[1] = (unsigned char)n;
        return 2;
    }
    for (size_t m = n; m; m >>= 8)
        len++;
    assert(len <= 4);
    to[1] = (unsigned char)(0x80 | len);
    for (size_t i = 0; i < len; i++)
        to[2 + i] = (unsigned char)(n >> (8 * (len - 1 - i)));
    return 2 + len;
}

void x509_put(struct buf *out, unsigned char id, const void *p, size_t n)
{
    unsigned char *to = buf_room(out, n + 6);
    size_t h = header(to, id, n);
    if (n)
        memcpy(to + h, p, n);
    to[h + n] = 0;
    out->n += h + n;
}

void x509_wrap(struct buf *b, size_t from, unsigned char id)
{
    unsigned char head[6];
    size_t n = b->n - from, h = header(head, id, n);
    unsigned char *at = buf_room(b, h) - n;
    memmove(at + h, at, n);
    memcpy(at, head, h);
    b->n += h;
    b->d[b->n] = 0;
}

int x509_take(struct span *in, unsigned char id, struct span *tlv, struct span *content)
{
    const unsigned char *p = in->p;
    size_t n = in->n;
    struct der_tlv t;
    if (!n || p[0] != id || !der_next(&p, &n, &t))
        return 0;
    in->p = p;
    in->n = n;
    if (tlv)
        *tlv = (struct span){t.der, t.n};
    if (content)
        *content = (struct span){t.content, t.len};
    return 1;
}

/* One arc at *s, without leading zeros, up to a dot or the end. */
static int arc_parse(const char **s, arc_t *out)
{
    const char *p = *s;
    arc_t v = 0;
    if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
        return 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        arc_t digit = (arc_t)(*p - '0');
        if (v > ARC_MAX / 10 || v * 10 > ARC_MAX - digit)
            return 0;
        v = v * 10 + digit;
    }
    if (*p == '.')
        p++;
    else if (*p)
        return 0;
    *s = p;
    *out = v;
    return 1;
}

static size_t arc_encode(unsigned char *to, arc_t v)
{
    size_t n = 1;
    for (arc_t m = v >> 7; m; m >>= 7)
        n++;
    for (size_t i = 0; i < n; i++)
        to[i] =
            (unsigned char)(((unsigned)(v >> (7 * (n - 1 - i))) & 0x7f) | (i + 1 < n ? 0x80 : 0));
    return n;
}

int x509_put_oid(struct buf *out, const char *dotted)
{
    unsigned char content[OID_MAX + 20];
    arc_t a, b;
    size_t n;
    size_t len = strlen(dotted);
    if (!len || dotted[len - 1] == '.' || !arc_parse(&dotted, &a) || !arc_parse(&dotted, &b))
        return 0;
    if (a > 2 || (a < 2 && b > 39) || b > ARC_MAX - 80)
        return 0;
    n = arc_encode(content, a * 40 + b);
    while (*dotted) {
        if (n > OID_MAX || !arc_parse(&dotted, &a))
            return 0;
        n += arc_encode(content + n, a);
    }
    if (n > OID_MAX)
        return 0;
    x509_put(out, 0x06, content, n);
    return 1;
}

static void arc_text(struct buf *out, arc_t v)
{
    char digits[48];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + (int)(v % 10));
    while (v /= 10);
    buf_put(out, digits + at, sizeof digits - at);
}

int x509_oid_text(struct span content, struct buf *out)
{
    size_t start = out->n;
    arc_t v = 0;
    if (!content.n || content.n > OID_MAX || content.p[content.n - 1] & 0x80)
        return 0;
    for (size_t i = 0; i < content.n; i++) {
        if ((!v && content.p[i] == 0x80) || v > ARC_MAX >> 7)
            return 0;
        v = v << 7 | (content.p[i] & 0x7f);
        if (content.p[i] & 0x80)
            continue;
        if (out->n == start) { /* the first two arcs share one number */
            arc_t first = v < 80 ? v / 40 : 2;
            arc_text(out, first);
            v -= first * 40;
        }
        buf_char(out, '.');
        arc_text(out, v);
        v = 0;
    }
    return 1;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; the year begins in March here, so that
 * the leap day is the last one. */
static int64_t days(int y, int m, int d)
{
    y -= m <= 2;
    int era = y / 400, yoe = y - era * 400;
    int doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil(int64_t day, int *y, int *m, int *d)
{
    day += 719468;
    int64_t era = day / 146097, doe = day - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = (int)(doe - (365 * yoe + yoe / 4 - yoe / 100));
    int mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int)(yoe + era * 400) + (*m <= 2);
}

int x509_put_time(struct buf *out, int64_t t)
{
    char text[32];
    int y, m, d, s = (int)(t % DAY);
    if (t < 0 || t > X509_TIME_MAX)
        return 0;
    civil(t / DAY, &y, &m, &d);
    /* RFC 5280, 4.1.2.5: UTCTime through 2049 */
    snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02dZ", y, m, d, s / 3600, s / 60 % 60,
             s % 60);
    if (y < 2050)
        x509_put(out, 0x17, text + 2, 13);
    else
        x509_put(out, 0x18, text, 15);
    return 1;
}

static int two(const unsigned char *p, int low, int high, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return 0;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return *out >= low && *out <= high;
}

int x509_take_time(struct span *in, int64_t *t)
{
    struct span c;
    int century, y, m, d, h, mi, s;
    if (x509_take(in, 0x17, NULL, &c)) {
        if (c.n != 13 || !two(c.p, 0, 99, &y))
            return 0;
        century = y < 50 ? 20 : 19;
    } else {
        if (!x509_take(in, 0x18, NULL, &c) || c.n != 15 || !two(c.p, 0, 99, &century))
            return 0;
        c.p += 2;
        if (!two(c.p, 0, 99, &y))
            return 0;
    }
    if (!two(c.p + 2, 1, 12, &m) || !two(c.p + 4, 1, 31, &d) || !two(c.p + 6, 0, 23, &h) ||
        !two(c.p + 8, 0, 59, &mi) || !two(c.p + 10, 0, 59, &s) || c.p[12] != 'Z')
        return 0;
    y += century * 100;
    int64_t day = days(y, m, d);
    int by, bm, bd;
    civil(day, &by, &bm, &bd);
    if (y < 1950 || by != y || bm != m || bd != d) /* 30 February */
        return 0;
    *t = day * DAY + h * 3600 + mi * 60 + s;
    return 1;
}
