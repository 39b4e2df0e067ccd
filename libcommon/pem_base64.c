#include "pem_priv.h"

#include <string.h>

#include "pem.h"

#define COLUMNS 64
#define COLUMN_OCTETS 48
#define NONE 0x80

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of each character, NONE where it has none. */
static const unsigned char value[256] = {
#define N16                                                                                        \
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE
    N16,  N16,  NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 62,   NONE, NONE,
    NONE, 63,   52,   53,   54,   55,   56,   57,   58,   59,   60,   61,   NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, 0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,
    13,   14,   15,   16,   17,   18,   19,   20,   21,   22,   23,   24,   25,   NONE, NONE, NONE,
    NONE, NONE, NONE, 26,   27,   28,   29,   30,   31,   32,   33,   34,   35,   36,   37,   38,
    39,   40,   41,   42,   43,   44,   45,   46,   47,   48,   49,   50,   51,   NONE, NONE, NONE,
    NONE, NONE, N16,  N16,  N16,  N16,  N16,  N16,  N16,  N16
#undef N16
};

void pem_base64_start(struct pem_base64 *b, int strict)
{
    buf_reset(&b->out);
    b->strict = strict;
    b->bits = 0;
    b->have = b->pad = 0;
    b->last = 0;
}

/* Decodes whole groups until one is not four plain characters; returns how many it did. */
static size_t groups(const unsigned char *s, size_t n, unsigned char *to)
{
    size_t i;
    for (i = 0; i < n; i++, s += 4, to += 3) {
        unsigned a = value[s[0]], b = value[s[1]], c = value[s[2]], d = value[s[3]];
        if ((a | b | c | d) & NONE)
            break;
        to[0] = (unsigned char)(a << 2 | b >> 4);
        to[1] = (unsigned char)(b << 4 | c >> 2);
        to[2] = (unsigned char)(c << 6 | d);
    }
    return i;
}

/* The last group: one or two octets, and the bits that no octet takes. */
static const char *last_group(struct pem_base64 *b)
{
    unsigned spare = b->have == 2 ? 4 : 2;
    if (b->strict && (b->bits & ((1U << spare) - 1)))
        return "base64 pad bits that are not zero";
    uint32_t v = b->bits >> spare;
    if (b->have == 3)
        buf_char(&b->out, (int)(v >> 8 & 0xff));
    buf_char(&b->out, (int)(v & 0xff));
    return NULL;
}

static const char *one(struct pem_base64 *b, unsigned char c)
{
    if (!b->strict && c && strchr(" \t\r\v\f", c))
        return NULL;
    if (c == '=') {
        if (b->have < 2 || b->have + b->pad >= 4)
            return "misplaced base64 padding";
        b->pad++;
        return b->have + b->pad == 4 ? last_group(b) : NULL;
    }
    if (value[c] & NONE)
        return "a character that is not base64";
    if (b->pad)
        return "base64 that goes on behind its padding";
    b->bits = b->bits << 6 | value[c];
    if (++b->have == 4) {
        unsigned char o[3] = {(unsigned char)(b->bits >> 16), (unsigned char)(b->bits >> 8),
                              (unsigned char)b->bits};
        buf_put(&b->out, o, sizeof o);
        b->bits = 0;
        b->have = 0;
    }
    return NULL;
}

const char *pem_base64_line(struct pem_base64 *b, const unsigned char *s, size_t n)
{
    if (b->strict) {
        if (b->last || n > COLUMNS || !n)
            return "a line that is not 64 columns";
        b->last = n < COLUMNS;
    }
    for (size_t i = 0; i < n;) {
        if (!b->have && !b->pad) {
            size_t k = groups(s + i, (n - i) / 4, buf_room(&b->out, n));
            b->out.n += 3 * k;
            i += 4 * k;
        }
        const char *why = i < n ? one(b, s[i++]) : NULL;
        if (why)
            return why;
    }
    return NULL;
}

const char *pem_base64_end(const struct pem_base64 *b)
{
    if (b->have + b->pad != 0 && b->have + b->pad != 4)
        return "base64 ends within a group of four";
    return b->out.n ? NULL : "an empty block";
}

/* Writes the n (1 to 48) octets as one line. */
static unsigned char *encode_line(const unsigned char *in, size_t n, unsigned char *to)
{
    for (; n >= 3; n -= 3, in += 3) {
        *to++ = (unsigned char)digits[in[0] >> 2];
        *to++ = (unsigned char)digits[(in[0] << 4 | in[1] >> 4) & 63];
        *to++ = (unsigned char)digits[(in[1] << 2 | in[2] >> 6) & 63];
        *to++ = (unsigned char)digits[in[2] & 63];
    }
    if (n) {
        unsigned second = n == 2 ? in[1] : 0;
        *to++ = (unsigned char)digits[in[0] >> 2];
        *to++ = (unsigned char)digits[(in[0] << 4 | second >> 4) & 63];
        *to++ = n == 2 ? (unsigned char)digits[second << 2 & 63] : '=';
        *to++ = '=';
    }
    *to++ = '\n';
    return to;
}

void pem_put(struct buf *out, const char *label, const void *der, size_t n)
{
    const unsigned char *in = der;
    buf_printf(out, "-----BEGIN %s-----\n", label);
    unsigned char *to = buf_room(out, n / COLUMN_OCTETS * (COLUMNS + 1) + COLUMNS + 1);
    while (n) {
        size_t k = n < COLUMN_OCTETS ? n : COLUMN_OCTETS;
        to = encode_line(in, k, to);
        in += k;
        n -= k;
    }
    out->n = (size_t)(to - out->d);
    buf_printf(out, "-----END %s-----\n", label);
}
