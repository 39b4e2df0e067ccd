#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "audit_priv.h"
#include "clock.h"
#include "io.h"
#include "pem.h"
#include "progress.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void rate(struct buf *out, const char *what, int64_t n, double took)
{
    buf_printf(out, "%s: %" PRId64 " in %.2f s", what, n, took);
    if (n && took > 0)
        buf_printf(out, ", %.0f a second", (double)n / took);
    buf_char(out, '\n');
}

struct result {
    struct audit_tally t;
    int64_t covered, time;
    double links, messages; /* seconds */
};

static void report(const struct unit *u, const struct result *r)
{
    const struct audit_tally *t = &r->t;
    struct buf out = {0};
    char when[CLOCK_TEXT];
    clock_format(r->time, when);
    buf_printf(&out, "ledger: %s of %s\n", path_role_name(u->role), u->id);
    rate(&out, "hash links", t->entries, r->links);
    rate(&out, "messages and certificates", t->messages + t->certificates + t->grants, r->messages);
    buf_printf(&out,
               "messages: %" PRId64 "\ncertificates: %" PRId64 "\ngrants: %" PRId64
               "\nheads: %" PRId64 "\n",
               t->messages, t->certificates, t->grants, t->heads);
    if (t->heads) {
        /* Behind the last head stands its own entry. */
        int64_t behind = t->entries - r->covered - 1;
        buf_printf(&out, "covered: to entry %" PRId64 ", %s\nnot covered: %" PRId64 "\n",
                   r->covered, when, behind > 0 ? behind : 0);
    }
    if (t->others)
        buf_printf(&out, "of other issuers, not checked: %" PRId64 "\n", t->others);
    buf_printf(&out, "problems: %" PRId64 "\n", t->problems);
    io_stdout(out.d, out.n);
    buf_free(&out);
}

static enum status heads(struct unit *u, const char *file, int64_t last, struct result *r)
{
    enum status st = audit_heads(u, last, &r->t, &r->covered, &r->time);
    if (st == ST_OK && !r->t.heads && last) {
        r->t.problems++;
        diag_warn("%s: no signed head covers it", u->ledger_path);
    }
    if (st == ST_OK && file)
        st = audit_heads_file(u, file, last, &r->t);
    return st;
}

enum status audit_verify(struct unit *u, const char *file, int bar)
{
    struct result r = {.covered = 0};
    struct ledger_verified v;
    double from = seconds();
    if (bar)
        progress_start("hash links");
    int whole = ledger_verify(u->ledger, progress_step, &v);
    progress_end();
    if (whole < 0)
        return ST_TEMP;
    r.links = seconds() - from;
    r.t.entries = v.links;
    r.t.problems = v.problems + ledger_tables_wrong(u->ledger);
    enum status st = u->path ? heads(u, file, v.last, &r) : ST_OK;
    from = seconds();
    if (bar)
        progress_start("messages and certificates");
    if (st == ST_OK)
        st = audit_entries(u, v.last, &r.t);
    progress_end();
    r.messages = seconds() - from;
    if (st != ST_OK)
        return st;
    r.t.problems += u->path ? path_crls_end_before(u->path) : 0;
    report(u, &r);
    return r.t.problems ? ST_REFUSED : ST_OK;
}

enum status audit_head(struct unit *u)
{
    struct ledger_entry e;
    struct buf pem = {0};
    char why[CMS_WHY] = "a CA that takes no messages signs none";
    enum status st = ledger_newest(u->ledger, LEDGER_HEAD, NULL, &e);
    if (st != ST_OK)
        return st;
    if (!e.id) {
        diag_warn("%s: no signed head is in it yet", u->ledger_path);
        return ST_REFUSED;
    }
    struct head *h = u->path ? head_open(e.data, u->path, why) : NULL;
    if (h) {
        pem_put(&pem, "CMS", e.data.p, e.data.n);
        io_stdout(pem.d, pem.n);
    } else {
        diag_warn("%s: entry %lld: %s", u->ledger_path, (long long)e.id, why);
        st = ST_REFUSED;
    }
    head_free(h);
    buf_free(&pem);
    return st;
}
