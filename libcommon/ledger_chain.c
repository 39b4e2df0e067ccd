#include "ledger_priv.h"

#include <string.h>

#include "diag.h"

#define ABSENT UINT32_MAX

static void put_number(struct buf *b, int64_t v, int octets)
{
    unsigned char *to = buf_room(b, (size_t)octets);
    for (int i = octets; i-- > 0; v >>= 8)
        to[i] = (unsigned char)v;
    b->n += (size_t)octets;
}

static void put_span(struct buf *b, struct span s)
{
    put_number(b, s.n ? (int64_t)s.n : ABSENT, 4);
    buf_put(b, s.p, s.n);
}

static void put_text(struct buf *b, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    put_number(b, s ? (int64_t)n : ABSENT, 4);
    buf_put(b, s, n);
}

/* Hashes the scratch buffer, then `tail`. */
static void finish(struct ledger *l, struct span tail, unsigned char out[LEDGER_HASH])
{
    if (!EVP_DigestInit_ex2(l->md, l->sha256, NULL) ||
        !EVP_DigestUpdate(l->md, l->scratch.d, l->scratch.n) ||
        (tail.n && !EVP_DigestUpdate(l->md, tail.p, tail.n)) ||
        !EVP_DigestFinal_ex(l->md, out, NULL))
        diag_exit(ST_TEMP, "SHA-256: %s", diag_openssl());
}

void ledger_hash_text(struct ledger *l, struct span s, unsigned char out[LEDGER_HASH])
{
    buf_reset(&l->scratch);
    finish(l, s, out);
}

void ledger_hash_writer(struct ledger *l, const struct ledger_writer *w,
                        unsigned char out[LEDGER_HASH])
{
    struct buf *b = &l->scratch;
    buf_reset(b);
    buf_str(b, "certline ledger 1");
    put_number(b, w->id, 8);
    put_span(b, w->nonce);
    put_text(b, w->unit);
    put_text(b, w->program);
    put_number(b, w->opened, 8);
    finish(l, (struct span){NULL, 0}, out);
}

/* All but the data itself. */
static void put_entry(struct buf *b, const unsigned char before[LEDGER_HASH], int64_t n,
                      const struct ledger_entry *e)
{
    buf_put(b, before, LEDGER_HASH);
    put_number(b, n, 8);
    put_number(b, e->id, 8);
    put_number(b, e->time, 8);
    put_number(b, e->kind, 4);
    put_span(b, e->tid);
    put_span(b, e->run);
    put_number(b, e->part, 4);
    put_text(b, e->unit);
    put_text(b, e->owner);
    put_text(b, e->lot);
    put_text(b, e->profile);
    put_text(b, e->device);
    put_span(b, e->key);
    put_span(b, e->serial);
    put_span(b, e->digest_in);
    put_span(b, e->digest_out);
    put_number(b, e->status, 8);
    put_text(b, e->note);
    put_number(b, e->data.n ? (int64_t)e->data.n : ABSENT, 4);
}

void ledger_hash_entry(struct ledger *l, const unsigned char before[LEDGER_HASH], int64_t n,
                       const struct ledger_entry *e, unsigned char out[LEDGER_HASH])
{
    buf_reset(&l->scratch);
    put_entry(&l->scratch, before, n, e);
    finish(l, e->data, out);
}

void ledger_hashed(struct buf *out, const unsigned char before[LEDGER_HASH], int64_t n,
                   const struct ledger_entry *e)
{
    put_entry(out, before, n, e);
    buf_put(out, e->data.p, e->data.n);
}
