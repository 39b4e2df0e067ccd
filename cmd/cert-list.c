/* cert-list: shows the device store, to people, to monitors, and as a page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"
#include "inventory.h"
#include "io.h"
#include "opt.h"
#include "plan.h"

#define PAGE 65536 /* octets that are written at once */

struct mode {
    const char *config, *html, *name;
    int json;
    struct inventory_view view;
};

static int acted_on(enum inventory_state s)
{
    return s == INVENTORY_DUE || s == INVENTORY_EXPIRED || s == INVENTORY_BAD;
}

static void flush(struct buf *out, size_t least)
{
    if (out->n < least || !out->n)
        return;
    io_stdout(out->d, out->n);
    buf_reset(out);
}

/* 1 when something that it shows wants somebody to act. */
static int show_all(const struct mode *m, const struct inventory *v)
{
    struct inventory_widths w = {0, 0, 0};
    struct buf out = {0};
    struct inventory_row r;
    int act = 0, head = 0;
    if (!m->json)
        inventory_measure(v, &m->view, &w);
    for (size_t i = 0; i < v->scan.n; i++) {
        if (!inventory_shown(v, &m->view, i))
            continue;
        if (!m->json && !head++)
            inventory_head(&w, &out);
        if (m->json)
            inventory_row(v, i, &r);
        else
            inventory_row_brief(v, i, &r);
        act |= acted_on(r.state);
        if (m->json)
            inventory_json(&r, &out);
        else
            inventory_line(&m->view, &w, &r, &out);
        inventory_row_free(&r);
        flush(&out, PAGE);
    }
    flush(&out, 1);
    buf_free(&out);
    return act;
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
        inventory_details(&r, &out);
    flush(&out, 1);
    enum status st = acted_on(r.state) ? ST_REFUSED : ST_OK;
    inventory_row_free(&r);
    buf_free(&out);
    return st;
}

static enum status write_page(const struct mode *m, const struct inventory *v)
{
    struct stat was;
    char *tmp;
    /* What is renamed over is gone: not a device, nor a link to one, such as /dev/stdout. */
    if (lstat(m->html, &was) == 0 && !S_ISREG(was.st_mode)) {
        diag_warn("%s: not a regular file, it is not replaced", m->html);
        return ST_USAGE;
    }
    int fd = io_write_begin(m->html, &tmp);
    if (!io_write_end(m->html, tmp, fd, fd >= 0 && inventory_html(v, fd), 0644, 0)) {
        diag_warn("%s: %s", m->html, strerror(errno));
        return ST_TEMP;
    }
    return v->n_due || v->n_expired || v->n_bad ? ST_REFUSED : ST_OK;
}

/* A purpose that nothing is renewed for, since there is nothing yet or any more. */
static int purposes_lack(const struct inventory *v)
{
    int n = 0;
    for (size_t i = 0; i < v->plan->n; i++) {
        const struct plan_purpose *p = &v->plan->purposes[i];
        const struct store_purpose *link = store_find_purpose(&v->scan, p->name);
        if (p->renew.kind == SCHEDULE_NEVER || (link && link->cert >= 0))
            continue;
        diag_warn("%s: has no certificate", p->name);
        n++;
    }
    return n;
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
        int lack = m->name ? 0 : purposes_lack(&v);
        if (st == ST_OK && (v.scan.bad || v.clock || lack))
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
    m->view.columns =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    m->view.colour = !(no && *no) && term && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
    struct mode m = {.config = NULL};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &m.config, "FILE", "the store and what belongs to it",
         "/etc/certline/store.yaml", 0, 0},
        {0, "due", OPT_FLAG, &m.view.due, NULL, "only what is due for renewal", NULL, 0, 0},
        {0, "expired", OPT_FLAG, &m.view.expired, NULL, "only what has expired", NULL, 0, 0},
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
    if (m.name && (m.view.due || m.view.expired))
        opt_wrong(&p, "NAME is one certificate: --due and --expired choose among all");
    if (m.html && (m.name || m.view.due || m.view.expired || m.json))
        opt_wrong(&p, "--html shows the whole store: it goes with no NAME and no other form");
    look_at_terminal(&m);
    return (int)run(&m);
}
