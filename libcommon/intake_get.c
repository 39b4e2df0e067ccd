/* Requests and public keys that a command reads from each device of a list. */
#include "intake_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"
#include "csr.h"
#include "diag.h"
#include "io.h"

struct device { /* under way */
    char id[CMC_DEVICE + 1];
    unsigned long line; /* of the list */
};

/* "CERTLINE_" and the column's name in capitals; what is no letter or digit becomes "_". */
static char *variable(const char *name, const char *value)
{
    char *v = alloc_printf("CERTLINE_%s=%s", name, value);
    for (char *p = v; *p != '='; p++)
        *p = (char)(isalnum((unsigned char)*p) ? toupper((unsigned char)*p) : '_');
    return v;
}

static int submit(const struct intake *w, const struct csv_row *row, struct device *d)
{
    char *env[CSV_COLUMNS + 2] = {NULL};
    size_t n = 0;
    for (; n < row->n; n++)
        env[n] = variable(row->names[n], row->v[n]);
    env[n++] = variable("DEVICE", d->id); /* the last of a name holds */
    struct launch_job job = {.command = w->o->get, .env = (const char *const *)env, .tag = d};
    int ok = launch_submit(w->o->launch, &job);
    while (n)
        free(env[--n]);
    return ok;
}

/* The one block that the command printed. */
static enum status take_output(struct intake *w, const struct device *d, const struct buf *out)
{
    enum status st = ST_OK;
    struct pem_block p, more;
    int fd = memfd_create("certline", MFD_CLOEXEC);
    if (fd < 0 || !io_write(fd, out->d, out->n) || lseek(fd, 0, SEEK_SET) < 0)
        diag_err("output of a command");
    struct pem *in = pem_open(fd, CSR_MAX, 0);
    enum pem_result got = pem_next(in, &p, 1);
    if (got != PEM_BLOCK) {
        w->blocks++;
        intake_bad(w, d->id, got == PEM_BAD ? p.why : "the command of --get printed nothing");
    } else {
        struct intake_block b = {.where = d->id,
                                 .line = d->line,
                                 .label = p.label,
                                 .text = p.text,
                                 .der = {p.der, p.n},
                                 .device = d->id};
        st = intake_take(w, &b);
        if (st == ST_OK && pem_next(in, &more, 1) != PEM_END)
            diag_warn("%s: the command of --get printed more than one block, the first is taken",
                      d->id);
    }
    pem_close(in);
    close(fd);
    return st;
}

static enum status take(struct intake *w, struct launch_result *r)
{
    struct device *d = r->tag;
    enum status st = ST_OK;
    char why[80] = "";
    if (r->timed_out)
        snprintf(why, sizeof why, "the command of --get took too long");
    else if (r->too_long)
        snprintf(why, sizeof why, "the command of --get printed too much");
    else if (r->status)
        snprintf(why, sizeof why, "the command of --get failed with status %d", r->status);
    if (why[0]) {
        w->blocks++;
        intake_bad(w, d->id, why);
    } else {
        st = take_output(w, d, &r->out);
    }
    buf_free(&r->out);
    free(d);
    return st;
}

/* Takes what has ended; with `all` waits for everything. */
static enum status drain(struct intake *w, int all)
{
    struct launch_result r;
    enum status st = ST_OK;
    while (st == ST_OK) {
        int got = launch_result(w->o->launch, &r, 0);
        if (!got && all && launch_pending(w->o->launch)) {
            /* Waiting for a slow device must not keep the others. */
            st = intake_send(w);
            got = st == ST_OK ? launch_result(w->o->launch, &r, 1) : 0;
        }
        if (got < 0) {
            diag_warn("the launcher of commands is gone");
            return ST_TEMP;
        }
        if (!got)
            break;
        enum status one = take(w, &r);
        st = st == ST_OK ? one : st;
    }
    return st;
}

static enum status start(struct intake *w, const struct csv_row *row)
{
    char where[40];
    const char *id = intake_list_device(row);
    if (!intake_device_ok(id)) {
        snprintf(where, sizeof where, "line %lu of the list", row->line);
        w->blocks++;
        intake_bad(w, where, "the device's id is not 1 to 128 octets of printable UTF-8");
        return ST_OK;
    }
    struct device *d = alloc_zero(1, sizeof *d);
    snprintf(d->id, sizeof d->id, "%s", id);
    d->line = row->line;
    if (submit(w, row, d))
        return ST_OK;
    free(d);
    diag_warn("the launcher of commands is gone");
    return ST_TEMP;
}

static enum status feed(struct intake *w, void *arg)
{
    struct csv *csv = intake_list_csv(w->list);
    struct csv_row row;
    enum status st = ST_OK;
    int r;
    (void)arg;
    while (st == ST_OK && !io_stopping() && (r = csv_next(csv, &row)) != 0) {
        if (r < 0) { /* it was named */
            w->blocks++;
            w->unreadable++;
            continue;
        }
        st = start(w, &row);
        if (st == ST_OK)
            st = drain(w, 0);
    }
    return st == ST_OK ? drain(w, 1) : st;
}

enum status intake_get(struct unit *u, const struct intake_options *o)
{
    return intake_work(u, o, feed, NULL);
}
