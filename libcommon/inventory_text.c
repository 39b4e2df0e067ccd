/* What cert-list prints for people: a table, the details of one. */
#include "inventory.h"

#include <stdio.h>

#include "clock.h"

#define END 17 /* "2026-12-31 23:59Z" */
#define ISSUER_LEAST 12

int inventory_shown(const struct inventory *v, const struct inventory_view *w, size_t i)
{
    if (!w->due && !w->expired)
        return 1;
    return (w->due && v->states[i] == INVENTORY_DUE) ||
           (w->expired && v->states[i] == INVENTORY_EXPIRED);
}

/* Characters, not octets, of UTF-8. */
static int width(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

static void put_cell(struct buf *out, const char *s, int room)
{
    int w = width(s), cut = w > room, keep = cut ? room - 3 : w;
    for (; *s && (keep > 0 || (*s & 0xc0) == 0x80); s++) {
        buf_char(out, *s);
        keep -= (s[1] & 0xc0) != 0x80;
    }
    buf_printf(out, "%s%*s", cut ? "..." : "", cut ? 0 : room - w, "");
}

static void commas(char *lines)
{
    for (; lines && *lines; lines++)
        if (*lines == '\n')
            *lines = ',';
}

/* Each certificate is read twice rather than 10,000 lines kept. */
void inventory_measure(const struct inventory *v, const struct inventory_view *view,
                       struct inventory_widths *out)
{
    struct inventory_widths w = {4, 7, 6};
    struct inventory_row r;
    for (size_t i = 0; i < v->scan.n; i++)
        if (inventory_shown(v, view, i) && width(v->scan.certs[i].name) > w.name)
            w.name = width(v->scan.certs[i].name);
    for (size_t i = 0; i < v->scan.n; i++) {
        if (!inventory_shown(v, view, i))
            continue;
        inventory_row_brief(v, i, &r);
        if (r.purposes && width(r.purposes) > w.purposes)
            w.purposes = width(r.purposes);
        if (r.issuer && width(r.issuer) > w.issuer)
            w.issuer = width(r.issuer);
        inventory_row_free(&r);
    }
    if (view->columns) {
        int rest = view->columns - w.name - w.purposes - END - 7 - 10 - 5 * 2;
        rest = rest < ISSUER_LEAST ? ISSUER_LEAST : rest;
        w.issuer = w.issuer < rest ? w.issuer : rest;
    }
    *out = w;
}

void inventory_head(const struct inventory_widths *w, struct buf *out)
{
    buf_printf(out, "%-*s  %-*s  %-*s  %-*s  %7s  state\n", w->name, "name", w->purposes, "purpose",
               w->issuer, "issuer", END, "end", "days");
}

void inventory_line(const struct inventory_view *view, const struct inventory_widths *w,
                    struct inventory_row *r, struct buf *out)
{
    static const char *const colours[] = {"32", "33", "31", "2", "31"};
    char when[CLOCK_TEXT], end[CLOCK_TEXT] = "-", days[24] = "-";
    if (r->state != INVENTORY_BAD) {
        clock_format(r->cert->not_after, when);
        snprintf(end, sizeof end, "%.10s %.5sZ", when, when + 11);
        snprintf(days, sizeof days, "%lld", (long long)r->days);
    }
    commas(r->purposes);
    put_cell(out, r->cert->name, w->name);
    buf_str(out, "  ");
    put_cell(out, r->purposes && *r->purposes ? r->purposes : "-", w->purposes);
    buf_str(out, "  ");
    put_cell(out, r->issuer ? r->issuer : "-", w->issuer);
    buf_printf(out, "  %-*s  %7s  ", END, end, days);
    if (view->colour)
        buf_printf(out, "\033[%sm%s\033[0m\n", colours[r->state], inventory_state_name(r->state));
    else
        buf_printf(out, "%s\n", inventory_state_name(r->state));
}

static void field(struct buf *out, const char *name, const char *value)
{
    const char *at = name;
    while (*value) {
        size_t n = strcspn(value, "\n");
        buf_printf(out, "%-14s %.*s\n", at, (int)n, value);
        value += n + (value[n] == '\n');
        at = "";
    }
}

static void field_time(struct buf *out, const char *name, int64_t t)
{
    char when[CLOCK_TEXT];
    clock_format(t, when);
    field(out, name, t == INT64_MAX ? "never" : when);
}

void inventory_details(const struct inventory_row *r, struct buf *out)
{
    field(out, "name", r->cert->name);
    field(out, "state", inventory_state_name(r->state));
    field(out, "purpose", *r->purposes ? r->purposes : "none");
    field(out, "subject", r->subject);
    field(out, "issuer", r->issuer);
    field(out, "serial", r->serial);
    field_time(out, "not before", r->cert->not_before);
    field_time(out, "not after", r->cert->not_after);
    buf_printf(out, "%-14s %lld\n", "days left", (long long)r->days);
    if (r->cert->linked)
        field_time(out, "due", r->due);
    if (r->key_bits)
        buf_printf(out, "%-14s %s, %d bits\n", "key", r->key, r->key_bits);
    else
        field(out, "key", r->key);
    field(out, "key in", r->key_in);
    field(out, "key usage", r->usages);
    field(out, "extended usage", r->extended_usages);
    field(out, "names", r->names);
    field(out, "origin", r->origin);
    if (r->added)
        field_time(out, "added", r->added);
    field(out, "SHA-256", r->sha256);
    field(out, "SHA-1", r->sha1);
}
