/* cert-list: shows the device store, to people, to monitors, and as a page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"
#include "inventory.h"
#include "io.h"
#include "opt.h"
#include "plan.h"

#define PAGE 65536 /* octets that are written at once */
#define END 17     /* "2026-12-31 23:59Z" */
#define ISSUER_LEAST 12

struct mode {
    const char *config, *html, *name;
    int json, due, expired;
    int colour, columns; /* columns 0: no terminal */
};

struct widths {
    int name, purposes, issuer;
};

static int wanted(const struct mode *m, const struct inventory *v, size_t i)
{
    if (!m->due && !m->expired)
        return 1;
    return (m->due && v->states[i] == INVENTORY_DUE) ||
           (m->expired && v->states[i] == INVENTORY_EXPIRED);
}

static int acted_on(enum inventory_state s)
{
    return s == INVENTORY_DUE || s == INVENTORY_EXPIRED || s == INVENTORY_BAD;
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

static void flush(struct buf *out, size_t least)
{
    if (out->n < least || !out->n)
        return;
    io_stdout(out->d, out->n);
    buf_reset(out);
}

/* Each certificate is read twice rather than 10,000 lines kept. */
static struct widths measure(const struct mode *m, const struct inventory *v)
{
    struct widths w = {4, 7, 6};
    struct inventory_row r;
    for (size_t i = 0; i < v->scan.n; i++)
        if (wanted(m, v, i) && width(v->scan.certs[i].name) > w.name)
            w.name = width(v->scan.certs[i].name);
    for (size_t i = 0; i < v->scan.n; i++) {
        if (!wanted(m, v, i))
            continue;
        inventory_row_brief(v, i, &r);
        if (r.purposes && width(r.purposes) > w.purposes)
            w.purposes = width(r.purposes);
        if (r.issuer && width(r.issuer) > w.issuer)
            w.issuer = width(r.issuer);
        inventory_row_free(&r);
    }
    if (m->columns) {
        int rest = m->columns - w.name - w.purposes - END - 7 - 10 - 5 * 2;
        rest = rest < ISSUER_LEAST ? ISSUER_LEAST : rest;
        w.issuer = w.issuer < rest ? w.issuer : rest;
    }
    return w;
}

static void put_row(const struct mode *m, const struct widths *w, struct inventory_row *r,
                    struct buf *out)
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
    if (m->colour)
        buf_printf(out, "\033[%sm%s\033[0m\n", colours[r->state], inventory_state_name(r->state));
    else
        buf_printf(out, "%s\n", inventory_state_name(r->state));
}

/* 1 when something that it shows wants somebody to act. */
static int show_all(const struct mode *m, const struct inventory *v)
{
    struct widths w = {0, 0, 0};
    struct buf out = {0};
    struct inventory_row r;
    int act = 0, head = 0;
    if (!m->json)
        w = measure(m, v);
    for (size_t i = 0; i < v->scan.n; i++) {
        if (!wanted(m, v, i))
            continue;
        if (!m->json && !head++)
            buf_printf(&out, "%-*s  %-*s  %-*s  %-*s  %7s  state\n", w.name, "name", w.purposes,
                       "purpose", w.issuer, "issuer", END, "end", "days");
        if (m->json)
            inventory_row(v, i, &r);
        else
            inventory_row_brief(v, i, &r);
        act |= acted_on(r.state);
        if (m->json)
            inventory_json(&r, &out);
        else
            put_row(m, &w, &r, &out);
        inventory_row_free(&r);
        flush(&out, PAGE);
    }
    flush(&out, 1);
    buf_free(&out);
    return act;
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

static void put_details(const struct inventory_row *r, struct buf *out)
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
    buf_printf(out, "%-14s %s, %d bits\n", "key", r->key, r->key_bits);
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

/* NAME is a certificate, or the purpose that points to one. */
static enum status show_one(const struct mode *m, const struct inventory *v)
{
    const struct store_cert *c = store_find(&v->scan, m->name);
    const struct store_purpose *p = c ? NULL : store_find_purpose(&v->scan, m->name);
    struct inventory_row r;
    struct buf out = {0};
    if (p && p->cert >= 0)
        c = &v->scan.certs[p->cert];
    if (!c) {
        diag_warn("%s: no certificate or purpose of this name in %s", m->name, v->plan->store);
        return ST_USAGE;
    }
    inventory_row(v, (size_t)(c - v->scan.certs), &r);
    if (m->json)
        inventory_json(&r, &out);
    else if (r.state != INVENTORY_BAD)
        put_details(&r, &out);
    flush(&out, 1);
    enum status st = acted_on(r.state) ? ST_REFUSED : ST_OK;
    inventory_row_free(&r);
    buf_free(&out);
    return st;
}

static enum status write_page(const struct mode *m, const struct inventory *v)
{
    struct buf page = {0};
    inventory_html(v, &page);
    int ok = io_write_file(m->html, page.d, page.n, 0644, 0);
    if (!ok)
        diag_warn("%s: %s", m->html, strerror(errno));
    buf_free(&page);
    return !ok ? ST_TEMP : v->n_due || v->n_expired || v->n_bad ? ST_REFUSED : ST_OK;
}

static enum status run(const struct mode *m)
{
    struct plan *plan = NULL;
    struct store *s = NULL;
    struct inventory v = {0};
    enum status st = plan_load(m->config, &plan);
    if (st == ST_OK)
        st = store_open(plan->store, STORE_SHOW, &s);
    if (st == ST_OK)
        st = inventory_open(plan, s, clock_now(), &v);
    if (st == ST_OK) {
        if (v.clock)
            diag_warn("the clock is before the newest certificate's notBefore: dates mean nothing");
        st = m->html   ? write_page(m, &v)
             : m->name ? show_one(m, &v)
                       : (show_all(m, &v) ? ST_REFUSED : ST_OK);
        /* What could not be read was said; somebody must look. */
        if (st == ST_OK && (v.scan.bad || v.clock))
            st = ST_REFUSED;
    }
    inventory_close(&v);
    store_close(s);
    plan_free(plan);
    return st;
}

static void look_at_terminal(struct mode *m)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size = {0};
    if (!isatty(STDOUT_FILENO))
        return;
    m->columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    m->colour = !(no && *no) && term && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
    struct mode m = {.config = NULL};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &m.config, "FILE", "the store and what belongs to it",
         "/etc/certline/store.yaml", 0, 0},
        {0, "due", OPT_FLAG, &m.due, NULL, "only what is due for renewal", NULL, 0, 0},
        {0, "expired", OPT_FLAG, &m.expired, NULL, "only what has expired", NULL, 0, 0},
        {0, "html", OPT_STRING, &m.html, "FILE", "write the whole store as one page", NULL, 0, 0},
        {0, "json", OPT_FLAG, &m.json, NULL, "one JSON object a certificate, one a line", NULL, 0,
         0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {.name = "cert-list",
                            .synopsis =
                                "[-v] [-c FILE] [--json] [--due] [--expired] [--html FILE] [NAME]",
                            .purpose = "Shows the certificates of the device store.",
                            .options = table,
                            .operands = 1};
    io_init();
    int at = opt_parse(&p, argc, argv);
    m.name = argv[at];
    if (m.name && (m.due || m.expired))
        opt_wrong(&p, "NAME is one certificate: --due and --expired choose among all");
    if (m.html && (m.name || m.due || m.expired || m.json))
        opt_wrong(&p, "--html shows the whole store: it goes with no NAME and no other form");
    look_at_terminal(&m);
    return (int)run(&m);
}
