#include "inventory.h"

#include <string.h>

#include "clock.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<title>Certificates</title>\n<style>\n"
    ":root{color-scheme:light dark;--line:#8884;--soft:#8882}\n"
    "body{font:16px/1.4 system-ui,sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem}\n"
    "h1{font-size:1.3rem}article{border:1px solid var(--line);border-radius:.5rem;padding:.7rem "
    "1rem;margin:.7rem 0}\n"
    "h2{font-size:1.05rem;margin:0;overflow-wrap:anywhere}\n"
    ".s{float:right;border-radius:1rem;padding:0 .7rem;font-size:.85rem;color:#fff}\n"
    ".use{background:#2a7d3f}.due{background:#b36b00}.end{background:#b3261e}.no{background:#666}\n"
    ".bar{position:relative;height:.6rem;border-radius:.3rem;background:var(--soft);margin:.6rem 0 "
    ".2rem;overflow:hidden}\n"
    ".bar i{position:absolute;inset:0 auto 0 0}\n"
    ".ends{display:flex;justify-content:space-between;font-size:.85rem}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.5rem "
    "0;font-size:.9rem}\n"
    "dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}summary{cursor:pointer;font-size:.9rem}\n"
    "</style></head><body>\n";

static void text(struct buf *out, const char *s)
{
    for (s = s ? s : ""; *s; s++)
        switch (*s) {
        case '<':
            buf_str(out, "&lt;");
            break;
        case '>':
            buf_str(out, "&gt;");
            break;
        case '&':
            buf_str(out, "&amp;");
            break;
        case '"':
            buf_str(out, "&quot;");
            break;
        default:
            buf_char(out, *s);
        }
}

static void field(struct buf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_printf(out, "<dt>%s</dt><dd>", name);
    text(out, value);
    buf_str(out, "</dd>\n");
}

/* How much of the lifetime has passed. */
static void bar(const struct inventory *v, const struct inventory_row *r, const char *kind,
                struct buf *out)
{
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    int64_t life = r->cert->not_after - r->cert->not_before, gone = v->now - r->cert->not_before;
    int64_t percent = gone <= 0      ? 0
                      : gone >= life ? 100
                                     : (int64_t)(100.0 * (double)gone / (double)life);
    clock_format(r->cert->not_before, from);
    clock_format(r->cert->not_after, to);
    buf_printf(out,
               "<div class=\"bar\" role=\"img\" aria-label=\"%lld percent of its time have "
               "passed\"><i class=\"%s\" style=\"width:%lld%%\"></i></div>\n",
               (long long)percent, kind, (long long)percent);
    buf_printf(out, "<div class=\"ends\"><span>%.10s</span><span>", from);
    if (r->days < 0)
        buf_printf(out, "ended %lld days ago", (long long)-r->days);
    else
        buf_printf(out, "%lld days left", (long long)r->days);
    buf_printf(out, "</span><span>%.10s</span></div>\n", to);
}

static void article(const struct inventory *v, const struct inventory_row *r, struct buf *out)
{
    static const char *const kinds[] = {"use", "due", "end", "no", "end"};
    const char *kind = kinds[r->state];
    buf_printf(out, "<article><span class=\"s %s\">%s</span><h2>", kind,
               inventory_state_name(r->state));
    text(out, r->cert->name);
    buf_str(out, "</h2>\n");
    if (r->state != INVENTORY_BAD) {
        bar(v, r, kind, out);
        buf_str(out, "<dl>\n");
        field(out, "purpose", r->purposes);
        field(out, "subject", r->subject);
        field(out, "issuer", r->issuer);
        buf_str(out, "</dl><details><summary>details</summary><dl>\n");
        field(out, "names", r->names);
        field(out, "serial", r->serial);
        field(out, "key", r->key);
        field(out, "usages", r->usages);
        field(out, "origin", r->origin);
        field(out, "SHA-256", r->sha256);
        field(out, "SHA-1", r->sha1);
        buf_str(out, "</dl></details>\n");
    }
    buf_str(out, "</article>\n");
}

void inventory_html(const struct inventory *v, struct buf *out)
{
    char now[CLOCK_TEXT];
    clock_format(v->now, now);
    buf_str(out, head);
    buf_str(out, "<h1>Certificates of ");
    text(out, v->plan->device);
    buf_printf(out,
               "</h1>\n<p>%zu in the store, %zu due, %zu expired; as of %s; "
               "the store has room for ",
               v->scan.n, v->n_due, v->n_expired, now);
    if (v->plan->prune.limit)
        buf_printf(out, "%lld", (long long)v->plan->prune.limit);
    else
        buf_str(out, "any number");
    buf_str(out, ".</p>\n");
    for (size_t i = 0; i < v->scan.n; i++) {
        struct inventory_row r;
        inventory_row(v, i, &r);
        article(v, &r, out);
        inventory_row_free(&r);
    }
    buf_str(out, "</body></html>\n");
}
