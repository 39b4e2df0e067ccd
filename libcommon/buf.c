#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

int buf_same(struct span a, struct span b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

struct span buf_span(const struct buf *b)
{
    return (struct span){b->d, b->n};
}

unsigned char *buf_room(struct buf *b, size_t n)
{
    size_t need = b->n + n + 1;
    if (need < n)
        diag_exit(ST_TEMP, "memory: size overflow");
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap += cap / 2 + 64;
        b->d = alloc_grow(b->d, cap, 1);
        b->cap = cap;
    }
    return b->d + b->n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    unsigned char *to = buf_room(b, n);
    if (n)
        memcpy(to, p, n);
    to[n] = 0;
    b->n += n;
}

void buf_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_char(struct buf *b, int c)
{
    unsigned char o = (unsigned char)c;
    buf_put(b, &o, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        diag_err("memory");
    buf_put(b, s, (size_t)n);
    free(s);
}

void buf_hex(struct buf *b, const void *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    const unsigned char *in = p;
    unsigned char *to = buf_room(b, 2 * n);
    for (size_t i = 0; i < n; i++) {
        *to++ = (unsigned char)digit[in[i] >> 4];
        *to++ = (unsigned char)digit[in[i] & 15];
    }
    *to = 0;
    b->n += 2 * n;
}

void buf_json(struct buf *b, const char *s)
{
    buf_char(b, '"');
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            buf_printf(b, "\\%c", *s);
        else if ((unsigned char)*s < 0x20 || *s == 0x7f)
            buf_printf(b, "\\u%04x", (unsigned)*s);
        else
            buf_char(b, *s);
    buf_char(b, '"');
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    if (b->d)
        b->d[0] = 0;
}

void buf_drop(struct buf *b, size_t n)
{
    if (!n)
        return;
    memmove(b->d, b->d + n, b->n - n + 1);
    b->n -= n;
}

void buf_free(struct buf *b)
{
    free(b->d);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
    alloc_wipe(b->d, b->cap);
    *b = (struct buf){0};
}
