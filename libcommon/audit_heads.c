/* Signed heads: a chain of their own, each link of which the ledger must still hold. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "audit_priv.h"
#include "clock.h"
#include "pem.h"

/* The head before the one at hand. */
struct before {
    unsigned char digest[CMS_DIGEST]; /* zeros ahead of the first */
    int64_t entry, time, id;          /* id: of its LEDGER_HEAD */
};

static int is_ours(const struct unit *u, const struct head *h, char why[CMS_WHY])
{
    if (h->role == u->role && !strcmp(h->unit, u->id))
        return 1;
    return audit_bad(why, "a head of the %s %.100s, not of this unit", path_role_name(h->role),
                     h->unit);
}

/* What a head signed is still what the ledger says. */
static int links_ok(struct unit *u, const struct head *h, char why[CMS_WHY])
{
    char when[CLOCK_TEXT];
    clock_format(h->time, when);
    for (size_t i = 0; i < h->n; i++) {
        unsigned char hash[CMS_DIGEST];
        const struct ledger_link *l = &h->links[i];
        int has = ledger_link(u->ledger, l->writer, l->n, hash);
        if (has < 0)
            return audit_bad(why, "the chains could not be read");
        if (!has)
            return audit_bad(why,
                             "the head signed %s covers entry %lld of writer %lld, which is "
                             "missing: of the entries %lld to %lld some were removed",
                             when, (long long)l->n, (long long)l->writer, (long long)h->since + 1,
                             (long long)h->entry);
        if (memcmp(hash, l->hash, sizeof hash))
            return audit_bad(why,
                             "the head signed %s does not fit the chain of writer %lld: of the "
                             "entries %lld to %lld some were altered since",
                             when, (long long)l->writer, (long long)h->since + 1,
                             (long long)h->entry);
    }
    return 1;
}

static int follows(const struct ledger_entry *e, const struct head *h, const struct before *b,
                   char why[CMS_WHY])
{
    struct span digest = {h->digest, CMS_DIGEST}, before = {b->digest, CMS_DIGEST};
    if (!buf_same(e->digest_out, digest) || e->status != h->entry ||
        !buf_same(e->key, (struct span){h->before, CMS_DIGEST}))
        return audit_bad(why, "not the head that is recorded");
    if (!buf_same(before, (struct span){h->before, CMS_DIGEST}) || h->since != b->entry)
        return b->id ? audit_bad(why,
                                 "a head that does not follow the one in entry %lld: heads between "
                                 "them were removed or put in",
                                 (long long)b->id)
                     : audit_bad(why, "a head that names one before it, which is missing");
    if (h->time < b->time || h->time > e->time)
        return audit_bad(why, "a head that is out of its order in time");
    if (e->id <= h->entry)
        return audit_bad(why, "a head that stands ahead of what it covers");
    return 1;
}

static void one(struct unit *u, const struct ledger_entry *e, struct before *b,
                struct audit_tally *t)
{
    char why[CMS_WHY] = "";
    struct head *h = head_open(e->data, u->path, why);
    int ours = h && is_ours(u, h, why);
    if (!ours || !links_ok(u, h, why))
        audit_problem(t, u->ledger_path, e->id, why);
    if (ours && !follows(e, h, b, why))
        audit_problem(t, u->ledger_path, e->id, why);
    t->heads++;
    if (h) {
        memcpy(b->digest, h->digest, sizeof b->digest);
        b->entry = h->entry;
        b->time = h->time;
        b->id = e->id;
    }
    head_free(h);
}

enum status audit_heads(struct unit *u, int64_t last, struct audit_tally *t, int64_t *covered,
                        int64_t *time)
{
    struct ledger_filter f = {.kinds = AUDIT_BIT(LEDGER_HEAD), .last = last};
    struct audit_batch batch = {0};
    struct before b = {.id = 0};
    enum status st;
    while ((st = audit_pull(u->ledger, &f, &batch)) == ST_OK && batch.n)
        for (size_t i = 0; i < batch.n; i++) {
            path_trim(u->path);
            one(u, &batch.e[i], &b, t);
        }
    audit_drop(&batch);
    *covered = b.entry;
    *time = b.time;
    return st;
}

/* --- heads that were kept elsewhere --- */

struct search {
    const struct head *h;
    int found;
};

static int is_it(const struct ledger_entry *e, void *arg)
{
    struct search *s = arg;
    s->found = buf_same(e->digest_out, (struct span){s->h->digest, CMS_DIGEST});
    return 0;
}

static int is_in_ledger(struct unit *u, const struct head *h, int64_t last, char why[CMS_WHY])
{
    struct search s = {.h = h};
    struct ledger_filter f = {.kinds = AUDIT_BIT(LEDGER_HEAD), .after = h->entry};
    char when[CLOCK_TEXT];
    clock_format(h->time, when);
    if (!is_ours(u, h, why))
        return 0;
    if (h->entry > last)
        return audit_bad(why,
                         "the head signed %s covers entries to %lld, but the ledger ends at entry "
                         "%lld: its end was cut off",
                         when, (long long)h->entry, (long long)last);
    if (ledger_scan(u->ledger, &f, is_it, &s) != ST_OK)
        return audit_bad(why, "the ledger could not be read");
    if (!s.found)
        return audit_bad(why,
                         "the head signed %s, which covers entries to %lld, is not in the ledger: "
                         "it was cut off behind one of them, or altered",
                         when, (long long)h->entry);
    return links_ok(u, h, why);
}

static void kept(struct unit *u, const char *file, const struct pem_block *p, int64_t last,
                 struct audit_tally *t)
{
    char why[CMS_WHY];
    struct head *h = head_open((struct span){p->der, p->n}, u->path, why);
    if (!h || !is_in_ledger(u, h, last, why)) {
        t->problems++;
        diag_warn("%s:%lu: %s", file, p->line, why);
    }
    head_free(h);
}

enum status audit_heads_file(struct unit *u, const char *file, int64_t last, struct audit_tally *t)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct pem *in = fd >= 0 ? pem_open(fd, CMS_MAX, 0) : NULL;
    struct pem_block p;
    enum pem_result got = PEM_FAIL;
    int64_t n = 0;
    while (in && ((got = pem_next(in, &p, 1)) == PEM_BLOCK || got == PEM_BAD)) {
        path_trim(u->path);
        n++;
        if (got == PEM_BLOCK) {
            kept(u, file, &p, last, t);
            continue;
        }
        t->problems++;
        diag_warn("%s:%lu: %s", file, p.line, p.why);
    }
    if (got == PEM_FAIL)
        diag_warn("%s: %s", file, strerror(errno));
    pem_close(in);
    if (fd >= 0)
        close(fd);
    if (got == PEM_END && !n) {
        t->problems++;
        diag_warn("%s: no signed head in it", file);
    }
    return got == PEM_END ? ST_OK : ST_TEMP;
}
