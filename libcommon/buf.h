/* A growing run of octets. Zero-initialise (`struct buf b = {0}`), free with buf_free. There is
 * always a NUL behind the n octets once something was put. */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>

struct buf {
    unsigned char *d;
    size_t n, cap;
};

/* Octets that somebody else owns. */
struct span {
    const unsigned char *p;
    size_t n;
};

/* Same length, same octets. */
int buf_same(struct span a, struct span b);
struct span buf_span(const struct buf *b);

void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, int c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_hex(struct buf *b, const void *p, size_t n); /* lower-case */
/* A string of RFC 8259, quotes included; s is UTF-8. */
void buf_json(struct buf *b, const char *s);
/* Makes room for n more octets and returns where they go; the caller adds to b->n what it used. */
unsigned char *buf_room(struct buf *b, size_t n);
/* Forgets the content, keeps the memory. */
void buf_reset(struct buf *b);
/* Drops the first n octets. */
void buf_drop(struct buf *b, size_t n);
void buf_free(struct buf *b);
/* buf_free for secrets: everything that was ever allocated to b is overwritten by it. Growing a
 * secret leaves copies behind: reserve with buf_room first. */
void buf_wipe(struct buf *b);

#endif
