#include "pem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"
#include "pem_priv.h"

#define READ_OCTETS 65536
/* Blocks up to this size are decoded without growing, which would leave copies of a secret behind.
 */
#define FIRST_OCTETS 32768
#define STOP_POLL_MS 1000

struct pem {
    int fd, flags;
    size_t max_der;
    /* Input: in[pos..end) was read and not yet taken. */
    unsigned char *in;
    size_t pos, end;
    int eof, skipping; /* skipping: inside a line that is too long */
    unsigned long long octets;
    unsigned long line;
    /* The block under way, with the text ahead of it. */
    int inside, given; /* given: the caller had it, forget it at the next call */
    unsigned long begin;
    char label[64];
    char why[160];
    struct buf text;
    struct pem_base64 data;
    /* The text since the last block. */
    unsigned long rubbish; /* its first line that is not blank; 0 if there is none */
    int long_said, answered;
};

enum { GO = -1 }; /* beside enum pem_result: nothing to hand out yet */

struct pem *pem_open(int fd, size_t max_der, int flags)
{
    struct pem *p = alloc_zero(1, sizeof *p);
    p->fd = fd;
    p->flags = flags;
    p->max_der = max_der;
    p->in = alloc_zero(READ_OCTETS, 1);
    buf_room(&p->data.out, max_der < FIRST_OCTETS ? max_der + PEM_LINE : FIRST_OCTETS);
    return p;
}

void pem_reopen(struct pem *p, int fd)
{
    struct pem was = *p;
    *p = (struct pem){.fd = fd, .flags = was.flags, .max_der = was.max_der, .in = was.in};
    p->text = was.text;
    p->data.out = was.data.out;
    buf_reset(&p->text);
    buf_reset(&p->data.out);
}

enum status pem_ended(const struct pem *p)
{
    if (io_stopping()) {
        diag_warn("stopped by a signal");
        return ST_TEMP;
    }
    if (pem_octets(p))
        return ST_OK;
    diag_warn("stdin was empty");
    diag_hint("a stage before this one ended early: see what it said");
    return ST_EMPTY;
}

void pem_close(struct pem *p)
{
    if (!p)
        return;
    buf_wipe(&p->data.out);
    buf_free(&p->text);
    alloc_wipe(p->in, READ_OCTETS);
    free(p);
}

unsigned long long pem_octets(const struct pem *p)
{
    return p->octets;
}

/* The first reason is the one that is told. */
__attribute__((format(printf, 2, 3))) static void fail(struct pem *p, const char *fmt, ...)
{
    va_list ap;
    if (p->why[0])
        return;
    va_start(ap, fmt);
    vsnprintf(p->why, sizeof p->why, fmt, ap);
    va_end(ap);
}

/* Reads more. 1; 0 at the end of input; else what pem_next returns, negated. */
static int fill(struct pem *p, int wait)
{
    memmove(p->in, p->in + p->pos, p->end - p->pos);
    p->end -= p->pos;
    p->pos = 0;
    for (;;) {
        struct pollfd pf = {p->fd, POLLIN, 0};
        if (io_stopping() && !(p->flags & PEM_FILE))
            return -PEM_END;
        /* Never a read that cannot be left: a signal may come just ahead of it. */
        int ready = poll(&pf, 1, wait ? STOP_POLL_MS : 0);
        if (!ready && !wait)
            return -PEM_WAIT;
        if (ready < 0 && errno != EINTR)
            return -PEM_FAIL;
        if (ready <= 0)
            continue;
        ssize_t r = read(p->fd, p->in + p->end, READ_OCTETS - p->end);
        if (r < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (r < 0)
            return -PEM_FAIL;
        p->end += (size_t)r;
        p->octets += (unsigned long long)r;
        p->eof = r == 0;
        return r > 0;
    }
}

enum line { LINE_NONE, LINE_WHOLE, LINE_LONG };

/* The next line without its end. LINE_LONG once for a line over the limit, whose rest is then
 * dropped. */
static enum line next_line(struct pem *p, const unsigned char **s, size_t *n)
{
    for (;;) {
        const unsigned char *at = p->in + p->pos;
        size_t have = p->end - p->pos;
        const unsigned char *eol = memchr(at, '\n', have);
        size_t len = eol ? (size_t)(eol - at) : have;
        size_t used = eol ? len + 1 : len;
        size_t limit = PEM_LINE + (len && at[len - 1] == '\r');
        if (p->skipping) {
            p->skipping = !eol;
            p->pos += used;
            if (!eol)
                return LINE_NONE;
            continue;
        }
        if (len > limit) {
            p->skipping = !eol;
            p->pos += used;
            p->line++;
            return LINE_LONG;
        }
        if (!eol && (!p->eof || !have))
            return LINE_NONE;
        p->pos += used;
        p->line++;
        *s = at;
        *n = len;
        return LINE_WHOLE;
    }
}

static int is_blank(const unsigned char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\v\f", s[i]) || !s[i])
            return 0;
    return 1;
}

/* Whether the line is "-----WORD label-----"; RFC 7468 section 3 says which characters a label has.
 */
static int boundary(const struct pem *p, const unsigned char *s, size_t n, const char *word,
                    char label[64])
{
    size_t w = strlen(word);
    if (n < w + 10 || s[0] != '-' || memcmp(s, "-----", 5) != 0 || memcmp(s + 5, word, w) != 0)
        return 0;
    while (!(p->flags & PEM_STRICT) && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        n--;
    if (n < w + 12 || s[5 + w] != ' ' || memcmp(s + n - 5, "-----", 5) != 0)
        return 0;
    s += w + 6;
    n -= w + 11;
    if (n >= sizeof p->label)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return 0;
    memcpy(label, s, n);
    label[n] = 0;
    return 1;
}

static void start(struct pem *p, const char *label)
{
    memcpy(p->label, label, sizeof p->label);
    p->inside = 1;
    p->begin = p->line;
    p->long_said = 0;
    pem_base64_start(&p->data, p->flags & PEM_STRICT);
    if (p->rubbish && (p->flags & PEM_STRICT))
        fail(p, "text ahead of the block, in line %lu", p->rubbish);
    p->rubbish = 0;
}

/* What was said about the last block, and its text. */
static void forget(struct pem *p)
{
    p->why[0] = p->label[0] = 0;
    p->begin = 0;
    p->given = 0;
    buf_reset(&p->text);
}

static enum pem_result bad(struct pem *p, struct pem_block *out, unsigned long line)
{
    memcpy(out->label, p->label, sizeof out->label);
    memcpy(out->why, p->why, sizeof out->why);
    out->line = line;
    p->inside = 0;
    p->answered = 1;
    forget(p);
    return PEM_BAD;
}

static enum pem_result finish(struct pem *p, struct pem_block *out)
{
    const char *why = pem_base64_end(&p->data);
    if (why)
        fail(p, "%s", why);
    if (p->why[0])
        return bad(p, out, p->begin);
    memcpy(out->label, p->label, sizeof out->label);
    out->der = p->data.out.d;
    out->n = p->data.out.n;
    out->text = p->text.n ? (const char *)p->text.d : "";
    out->line = p->begin;
    p->inside = 0;
    p->given = p->answered = 1;
    return PEM_BLOCK;
}

static int inside_line(struct pem *p, const unsigned char *s, size_t n, struct pem_block *out)
{
    char label[64];
    if (boundary(p, s, n, "END", label)) {
        if (strcmp(label, p->label) != 0)
            fail(p, "BEGIN %s is closed by END %s", p->label, label);
        return (int)finish(p, out);
    }
    if (boundary(p, s, n, "BEGIN", label)) {
        fail(p, "truncated: no END line before the BEGIN in line %lu", p->line);
        bad(p, out, p->begin);
        start(p, label);
        return PEM_BAD;
    }
    if (p->why[0])
        return GO;
    const char *why = pem_base64_line(&p->data, s, n);
    if (why)
        fail(p, "%s in line %lu", why, p->line);
    else if (p->data.out.n > p->max_der)
        fail(p, "larger than %zu octets", p->max_der);
    return GO;
}

static void keep_text(struct pem *p, const unsigned char *s, size_t n)
{
    if (!p->rubbish)
        p->rubbish = p->line;
    if (p->why[0])
        return;
    if (memchr(s, 0, n)) /* the caller gets a string */
        fail(p, "a NUL octet in the text ahead of the block, in line %lu", p->line);
    else if (p->text.n + n + 1 > PEM_TEXT)
        fail(p, "text ahead of the block is longer than %d octets", PEM_TEXT);
    else {
        buf_put(&p->text, s, n);
        buf_char(&p->text, '\n');
    }
}

static int outside_line(struct pem *p, const unsigned char *s, size_t n, struct pem_block *out)
{
    char label[64];
    if (boundary(p, s, n, "BEGIN", label)) {
        start(p, label);
    } else if (boundary(p, s, n, "END", label)) {
        forget(p);
        p->rubbish = 0;
        fail(p, "END %s without a BEGIN line", label);
        return (int)bad(p, out, p->line);
    } else if (!is_blank(s, n)) {
        keep_text(p, s, n);
    }
    return GO;
}

static int whole_line(struct pem *p, const unsigned char *s, size_t n, struct pem_block *out)
{
    int cr = n && s[n - 1] == '\r', was_inside = p->inside;
    n -= (size_t)cr;
    cr = cr && (p->flags & PEM_STRICT);
    if (cr && was_inside)
        fail(p, "CR LF at the end of line %lu", p->line);
    int r = was_inside ? inside_line(p, s, n, out) : outside_line(p, s, n, out);
    if (cr && !was_inside && p->inside)
        fail(p, "CR LF at the end of line %lu", p->line);
    return r;
}

/* In a block it spoils the block. Outside, binary rubbish has many: told once until a block begins.
 */
static int long_line(struct pem *p, struct pem_block *out)
{
    if (!p->inside) {
        forget(p);
        if (p->long_said)
            return GO;
        p->long_said = 1;
    }
    fail(p, "line longer than %d octets", PEM_LINE);
    return p->inside ? GO : (int)bad(p, out, p->line);
}

static enum pem_result at_end(struct pem *p, struct pem_block *out)
{
    int strict = p->flags & PEM_STRICT;
    unsigned long line = p->rubbish;
    if (p->inside) {
        fail(p, "truncated: no END line");
        return bad(p, out, p->begin);
    }
    p->rubbish = 0;
    if (!line || p->long_said || (p->answered && !strict))
        return PEM_END;
    forget(p);
    fail(p, "%s", p->answered ? "text behind the last block" : "no PEM block");
    return bad(p, out, line);
}

enum pem_result pem_next(struct pem *p, struct pem_block *out, int wait)
{
    const unsigned char *s = NULL;
    size_t n = 0;
    *out = (struct pem_block){.text = ""};
    if (p->given)
        forget(p);
    if (io_stopping() && !(p->flags & PEM_FILE))
        return PEM_END;
    for (;;) {
        enum line l = next_line(p, &s, &n);
        int r = GO;
        if (l == LINE_NONE) {
            int more = p->eof ? 0 : fill(p, wait);
            if (more < 0)
                return (enum pem_result) - more;
            if (!more && p->pos == p->end)
                return at_end(p, out);
        } else {
            r = l == LINE_LONG ? long_line(p, out) : whole_line(p, s, n, out);
        }
        if (r != GO)
            return (enum pem_result)r;
    }
}
