#include "ledger_priv.h"

#include <stddef.h>
#include <string.h>

#include "alloc.h"

static const size_t spans[] = {
    offsetof(struct ledger_entry, tid),       offsetof(struct ledger_entry, run),
    offsetof(struct ledger_entry, key),       offsetof(struct ledger_entry, serial),
    offsetof(struct ledger_entry, digest_in), offsetof(struct ledger_entry, digest_out),
    offsetof(struct ledger_entry, data)};
static const size_t texts[] = {
    offsetof(struct ledger_entry, unit),   offsetof(struct ledger_entry, owner),
    offsetof(struct ledger_entry, lot),    offsetof(struct ledger_entry, profile),
    offsetof(struct ledger_entry, device), offsetof(struct ledger_entry, note)};
#define N(v) (sizeof(v) / sizeof *(v))

static struct span *span_at(struct ledger_entry *e, size_t i)
{
    return (struct span *)(void *)((char *)e + spans[i]);
}

static const char **text_at(struct ledger_entry *e, size_t i)
{
    return (const char **)(void *)((char *)e + texts[i]);
}

void *ledger_copy(const struct ledger_entry *from, struct ledger_entry *to)
{
    size_t n = 1;
    *to = *from;
    for (size_t i = 0; i < N(spans); i++)
        n += span_at(to, i)->n;
    for (size_t i = 0; i < N(texts); i++)
        n += *text_at(to, i) ? strlen(*text_at(to, i)) + 1 : 0;
    unsigned char *block = alloc_zero(1, n), *at = block;
    for (size_t i = 0; i < N(spans); i++) {
        struct span *s = span_at(to, i);
        if (s->n)
            s->p = memcpy(at, s->p, s->n);
        at += s->n;
    }
    for (size_t i = 0; i < N(texts); i++) {
        const char **s = text_at(to, i);
        size_t octets = *s ? strlen(*s) + 1 : 0;
        if (octets)
            *s = memcpy(at, *s, octets);
        at += octets;
    }
    return block;
}

int ledger_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

int ledger_matches(const struct ledger_wanted *w, const struct ledger_entry *e)
{
    if (e->kind != w->kind || (w->by_key && !buf_same(w->key, e->key)))
        return 0;
    if (w->by_key && w->kind == LEDGER_ISSUED)
        return 1;
    return (w->kind == LEDGER_ISSUED || ledger_same_text(w->lot, e->lot)) &&
           ledger_same_text(w->device, e->device) && ledger_same_text(w->owner, e->owner) &&
           ledger_same_text(w->profile, e->profile);
}

static int fits(const char *asked, const char *text)
{
    return !asked || (text && !strcmp(asked, text));
}

int ledger_fits(const struct ledger_filter *f, const char *note, const struct ledger_entry *e)
{
    return (!f->kinds || f->kinds >> e->kind & 1) && fits(f->unit, e->unit) &&
           fits(f->owner, e->owner) && fits(f->lot, e->lot) && fits(f->profile, e->profile) &&
           fits(f->device, e->device) && fits(note, e->note) &&
           (!f->tid.n || buf_same(f->tid, e->tid)) &&
           (!f->serial.n || buf_same(f->serial, e->serial));
}
