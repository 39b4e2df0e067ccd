#include "csv_priv.h"

#include <string.h>

struct parser {
    const char *p, *end;
    char *to;
    struct csv_fields *out;
};

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 if there is none. */
static size_t utf8(const unsigned char *p, const unsigned char *end)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (!n || (size_t)(end - p) < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, above U+10FFFF */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static const char *check_text(const char *p, const char *end)
{
    while (p < end) {
        size_t k = *p ? utf8((const unsigned char *)p, (const unsigned char *)end) : 0;
        if (!k)
            return *p ? "not UTF-8" : "a NUL octet";
        p += k;
    }
    return NULL;
}

/* A quoted field, RFC 4180 section 2, rules 5 to 7. Leaves p behind the closing quote. */
static const char *quoted(struct parser *s)
{
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '"' && (s->p + 1 == s->end || s->p[1] != '"')) {
            s->p++;
            return NULL;
        }
        s->p += *s->p == '"'; /* the first of two */
        *s->to++ = *s->p;
    }
    return "a quote is not closed";
}

static const char *plain(struct parser *s)
{
    while (s->p < s->end && *s->p != ',' && *s->p != '"') {
        if (*s->p == '\r')
            return "a carriage return inside a field without quotes";
        *s->to++ = *s->p++;
    }
    return s->p < s->end && *s->p == '"' ? "a quote inside a field without quotes" : NULL;
}

/* The fields of a row whose line end was taken off. */
static const char *fields(struct parser *s)
{
    for (;;) {
        if (s->out->n == CSV_COLUMNS)
            return "more columns than the limit of 32";
        s->out->v[s->out->n++] = s->to;
        const char *why = s->p < s->end && *s->p == '"' ? quoted(s) : plain(s);
        if (why)
            return why;
        *s->to++ = 0;
        if (s->p == s->end)
            return NULL;
        if (*s->p++ != ',')
            return "text behind a closing quote";
    }
}

/* Where the row's line feed is, `end` if there is none: one between quotes does not count, and a
 * quote opens only at the start of a field. *open: the end came between quotes. */
static const char *row_end(const char *p, const char *end, int *open)
{
    int inside = 0, fresh = 1;
    for (; p < end; p++) {
        if (inside) {
            inside = *p != '"' || (p + 1 < end && p[1] == '"');
            p += *p == '"' && inside;
            continue;
        }
        if (*p == '\n')
            break;
        inside = fresh && *p == '"';
        fresh = *p == ',';
    }
    *open = inside;
    return p;
}

/* A reader goes on behind the first line of a bad row: its quote may be a slip of the pen. */
static size_t first_line(const char *p, size_t n, int at_end)
{
    const char *feed = memchr(p, '\n', n);
    return feed ? (size_t)(feed + 1 - p) : at_end ? n : 0;
}

const char *csv_parse(const char *p, size_t n, int at_end, struct csv_fields *out, size_t *used)
{
    if (n > CSV_LOOK) {
        n = CSV_LOOK;
        at_end = 0;
    }
    int open;
    const char *end = p + n, *stop = row_end(p, end, &open), *why;
    out->n = 0;
    *used = first_line(p, n, at_end);
    if (open)
        return "a quote is not closed";
    if ((stop == end && !at_end) || stop - p > CSV_ROW + 1)
        return "a row of more than 8192 octets";
    size_t whole = (size_t)(stop - p) + (stop < end);
    if (stop > p && stop < end && stop[-1] == '\r')
        stop--;
    if (stop - p > CSV_ROW)
        return "a row of more than 8192 octets";
    struct parser s = {p, stop, out->text, out};
    why = check_text(p, stop);
    if (!why)
        why = fields(&s);
    if (!why)
        *used = whole;
    else if (whole > *used) /* it took in lines that hardly belong to it */
        why = "a quote is not closed";
    return why;
}
