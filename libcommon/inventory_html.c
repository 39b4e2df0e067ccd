#include "inventory.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "io.h"

#define PAGE 65536 /* octets that are written at once */

/* The page is XML, too, so that any reader can be strict about it. It fetches nothing. */
static const char head[] =
    "<!DOCTYPE html>\n"
    "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\"/>\n"
    "<title>Certificates</title>\n<style>\n"
    ":root{color-scheme:light dark;--line:#8886;--soft:#8883;--use:#2a7d3f;--due:#a85f00;"
    "--end:#b3261e;--no:#666}\n"
    "*{box-sizing:border-box}\n"
    "body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1rem}\n"
    "h1{font-size:1.35rem;margin:.2rem 0;overflow-wrap:anywhere}"
    "h2{font-size:1.1rem;margin:1.4rem 0 .4rem}\n"
    ".sum{display:flex;flex-wrap:wrap;gap:.4rem;padding:0;margin:.6rem 0;list-style:none}\n"
    ".sum li,.s{border-radius:1rem;padding:.05rem .7rem;font-size:.85rem;color:#fff;"
    "white-space:nowrap}\n"
    ".sum .n{color:inherit;background:var(--soft)}\n"
    ".use{background:var(--use)}.due{background:var(--due)}.end{background:var(--end)}"
    ".no{background:var(--no)}\n"
    ".all{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));"
    "gap:.7rem;align-items:start}\n"
    "article{border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem;min-width:0}\n"
    "header{display:flex;justify-content:space-between;gap:.6rem;align-items:start}\n"
    "h3{font-size:1.05rem;margin:0;overflow-wrap:anywhere;min-width:0}\n"
    ".bar{position:relative;height:.7rem;border-radius:.35rem;background:var(--soft);"
    "margin:.6rem 0 .2rem;overflow:hidden}\n"
    ".bar i{position:absolute;top:0;bottom:0;left:0}"
    ".bar b{position:absolute;top:0;bottom:0;width:3px;margin-left:-1px;background:CanvasText}\n"
    ".ends{display:flex;justify-content:space-between;gap:.5rem;font-size:.85rem}"
    ".ends :first-child,.ends :last-child{white-space:nowrap}\n"
    "dl{display:grid;grid-template-columns:6.2rem 1fr;gap:.1rem .6rem;margin:.5rem 0;"
    "font-size:.9rem}\n"
    "dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere;min-width:0}dd "
    "br{display:block}\n"
    "summary{cursor:pointer;font-size:.9rem;padding:.3rem 0}code{font-size:.85em}\n"
    "</style></head><body>\n";

/* Text that came from a certificate or a file. Lines stay lines. */
static void text(struct buf *out, const char *s)
{
    static const char special[] = "<>&\"'\n";
    static const char *const as[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;", "<br/>"};
    for (; *s; s++) {
        const char *at = strchr(special, *s);
        if (at)
            buf_str(out, as[at - special]);
        else
            buf_char(out, *s);
    }
}

static void field(struct buf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    buf_printf(out, "<dt>%s</dt><dd>", name);
    text(out, value);
    buf_str(out, "</dd>\n");
}

static void field_time(struct buf *out, const char *name, int64_t t)
{
    char when[CLOCK_TEXT];
    clock_format(t, when);
    field(out, name, t == INT64_MAX ? "never" : when);
}

/* Which part of its validity lies behind that instant, in percent. */
static int part_of(const struct store_cert *c, int64_t t)
{
    int64_t life = c->not_after - c->not_before, gone = t - c->not_before;
    return gone <= 0 ? 0 : gone >= life ? 100 : (int)(100.0 * (double)gone / (double)life);
}

static void bar(const struct inventory *v, const struct inventory_row *r, const char *kind,
                struct buf *out)
{
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    int gone = part_of(r->cert, v->now);
    clock_format(r->cert->not_before, from);
    clock_format(r->cert->not_after, to);
    buf_printf(out,
               "<div class=\"bar\" role=\"img\" aria-label=\"%d percent of its validity have "
               "passed\"><i class=\"%s\" style=\"width:%d%%\"></i>",
               gone, kind, gone);
    if (r->due != INT64_MAX)
        buf_printf(out, "<b style=\"left:%d%%\" title=\"due\"></b>", part_of(r->cert, r->due));
    buf_printf(out, "</div>\n<div class=\"ends\"><span>%.10s</span><span>", from);
    if (r->days < 0)
        buf_printf(out, "ended %lld day%s ago", (long long)-r->days, r->days == -1 ? "" : "s");
    else
        buf_printf(out, "%lld day%s left", (long long)r->days, r->days == 1 ? "" : "s");
    buf_printf(out, "</span><span>%.10s</span></div>\n", to);
}

static void details(const struct inventory_row *r, struct buf *out)
{
    char key[100], bits[24] = "";
    buf_str(out, "<details><summary>Details</summary><dl>\n");
    field(out, "serial", r->serial);
    field_time(out, "from", r->cert->not_before);
    field_time(out, "to", r->cert->not_after);
    if (r->key_bits)
        snprintf(bits, sizeof bits, ", %d bits", r->key_bits);
    snprintf(key, sizeof key, "%s%s, %s", r->key, bits,
             strcmp(r->key_in, "none") ? r->key_in : "not in the store");
    field(out, "key", key);
    field(out, "names", r->names);
    field(out, "usages", r->usages);
    field(out, "extended", r->extended_usages);
    field(out, "origin", r->origin);
    if (r->added)
        field_time(out, "added", r->added);
    field(out, "SHA-256", r->sha256);
    field(out, "SHA-1", r->sha1);
    buf_str(out, "</dl></details>\n");
}

static void article(const struct inventory *v, size_t i, struct buf *out)
{
    static const char *const kinds[] = {"use", "due", "end", "no", "end"};
    struct inventory_row r;
    inventory_row(v, i, &r);
    const char *kind = kinds[r.state];
    buf_printf(out, "<article><header><h3>%s</h3><span class=\"s %s\">%s</span></header>\n",
               r.cert->name, kind, inventory_state_name(r.state));
    if (r.state != INVENTORY_BAD)
        bar(v, &r, kind, out);
    buf_str(out, "<dl>\n");
    field(out, "purpose", r.purposes);
    if (r.state != INVENTORY_BAD) {
        if (r.due != INT64_MAX)
            field_time(out, "due", r.due);
        field(out, "subject", r.subject);
        field(out, "issuer", r.issuer);
    }
    buf_str(out, "</dl>\n");
    if (r.state != INVENTORY_BAD)
        details(&r, out);
    buf_str(out, "</article>\n");
    inventory_row_free(&r);
}

static void renewal(const struct inventory *v, const struct plan_purpose *p, struct buf *out)
{
    static const char *const restarts[] = {"not needed", "needed", "ask"};
    const struct store_purpose *link = store_find_purpose(&v->scan, p->name);
    const struct store_cert *c = link && link->cert >= 0 ? &v->scan.certs[link->cert] : NULL;
    char when[SCHEDULE_TEXT];
    schedule_text(&p->renew, when);
    buf_printf(out, "<article><h3>%s</h3><dl>\n", p->name);
    field(out, "renewed", when);
    if (c)
        field_time(out, "next", v->due[link->cert]);
    field(out, "certificate", c ? c->name : "none yet");
    field(out, "new key", p->key == PLAN_KEY_NEW ? "yes" : "no");
    field(out, "restart", restarts[p->restart]);
    buf_str(out, "</dl></article>\n");
}

static void deletion(const struct inventory *v, struct buf *out)
{
    const struct prune *p = &v->plan->prune;
    struct buf b = {0};
    buf_str(out, "<h2>Deletion</h2>\n<dl>\n");
    prune_when_text(p, &b);
    field(out, "when", (const char *)b.d);
    buf_reset(&b);
    prune_rules_text(p->rules, &b);
    field(out, "rules", b.n ? (const char *)b.d : "none");
    buf_reset(&b);
    prune_rules_text(p->only, &b);
    field(out, "only", b.n ? (const char *)b.d : "");
    buf_reset(&b);
    for (size_t i = 0; i < p->keep.n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", p->keep.v[i]);
    field(out, "kept", b.n ? (const char *)b.d : "");
    buf_str(out, "</dl>\n");
    buf_free(&b);
}

static void summary(const struct inventory *v, struct buf *out)
{
    char now[CLOCK_TEXT];
    clock_format(v->now, now);
    buf_str(out, "<h1>Certificates of ");
    text(out, v->plan->device);
    buf_printf(out, "</h1>\n<ul class=\"sum\"><li class=\"n\">%zu", v->scan.n);
    if (v->plan->prune.limit)
        buf_printf(out, " of %lld", (long long)v->plan->prune.limit);
    buf_str(out, " in the store</li>");
    if (v->n_due)
        buf_printf(out, "<li class=\"due\">%zu due</li>", v->n_due);
    if (v->n_expired)
        buf_printf(out, "<li class=\"end\">%zu expired</li>", v->n_expired);
    if (v->n_bad)
        buf_printf(out, "<li class=\"end\">%zu unreadable</li>", v->n_bad);
    if (v->clock)
        buf_str(out, "<li class=\"end\">the clock is wrong</li>");
    buf_printf(out, "<li class=\"n\">%s</li></ul>\n", now);
}

/* What there is so far; it does not pile up in memory. */
static int flush(int fd, struct buf *out)
{
    int ok = io_write(fd, out->d, out->n);
    buf_reset(out);
    return ok;
}

int inventory_html(const struct inventory *v, int fd)
{
    /* What a person should see first stands first. */
    static const enum inventory_state order[] = {INVENTORY_BAD, INVENTORY_EXPIRED, INVENTORY_DUE,
                                                 INVENTORY_IN_USE, INVENTORY_NO_PURPOSE};
    struct buf out = {0};
    int ok = 1;
    buf_str(&out, head);
    summary(v, &out);
    buf_str(&out, "<div class=\"all\">\n");
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; i < v->scan.n && ok; i++) {
            if (v->states[i] == order[k])
                article(v, i, &out);
            ok = out.n < PAGE || flush(fd, &out);
        }
    buf_str(&out, "</div>\n");
    if (v->plan->n)
        buf_str(&out, "<h2>Renewal</h2>\n<div class=\"all\">\n");
    for (size_t i = 0; i < v->plan->n; i++)
        renewal(v, &v->plan->purposes[i], &out);
    if (v->plan->n)
        buf_str(&out, "</div>\n");
    deletion(v, &out);
    buf_str(&out, "</body></html>\n");
    ok = ok && flush(fd, &out);
    buf_free(&out);
    return ok;
}
