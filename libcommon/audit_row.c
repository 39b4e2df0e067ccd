/* Lines about devices and messages, in the three forms. What they quote may be hostile. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit_priv.h"
#include "clock.h"
#include "io.h"

#define FLUSH 65536

static const char *const statuses[] = {"asked",  "pending", "received", "delivered", "refused",
                                       "issued", "revoked", "answered", "open"};

int audit_status_known(const char *name)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (!strcmp(statuses[i], name))
            return 1;
    return 0;
}

static int same(const char *want, const char *is)
{
    return !want || (is && !strcmp(want, is));
}

int audit_wanted(const struct audit_filter *f, const struct audit_row *r)
{
    return same(f->lot, r->lot) && same(f->owner, r->owner) && same(f->unit, r->unit) &&
           same(f->status, r->status) && same(f->device, r->device) &&
           (!f->serial.n || buf_same(f->serial, r->serial)) && r->time >= f->since &&
           (!f->until || r->time < f->until);
}

/* --- table --- */

static void cell(struct buf *b, const char *s, int width)
{
    char shown[600];
    diag_escape(s ? s : "", shown, sizeof shown);
    buf_printf(b, "%-*s  ", width, shown);
}

static void table(const struct audit_out *o, struct buf *b, const struct audit_row *r)
{
    struct buf hex = {0};
    char when[CLOCK_TEXT], n[24];
    clock_format(r->time, when);
    snprintf(n, sizeof n, "%" PRId64, r->requests);
    cell(b, when, 20);
    cell(b, r->status, 9);
    if (o->messages) {
        buf_hex(&hex, r->tid.p, r->tid.n);
        cell(b, (char *)hex.d, 32);
        cell(b, n, 8);
    } else {
        x509_serial_text(r->serial, &hex);
        cell(b, r->device, 20);
        cell(b, hex.n ? (char *)hex.d : "-", 36);
    }
    cell(b, r->lot, 12);
    cell(b, r->unit, 12);
    cell(b, r->note, 0);
    while (b->n && b->d[b->n - 1] == ' ')
        b->n--;
    buf_char(b, '\n');
    buf_free(&hex);
}

/* What is no text, in the way that the table shows it; NULL is empty. */
static const char *shown(struct buf *room, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    if (!n || x509_text_ok(s, n))
        return n ? s : "";
    buf_reset(room);
    char *to = (char *)buf_room(room, 4 * n + 1);
    diag_escape(s, to, 4 * n + 1);
    return to;
}

/* --- CSV, RFC 4180 --- */

/* An apostrophe keeps a spreadsheet from taking what a device is called for a formula. */
static void field(struct buf *b, const char *text, int end)
{
    struct buf room = {0};
    const char *s = shown(&room, text);
    int quoted = strpbrk(s, ",\"") != NULL;
    if (quoted)
        buf_char(b, '"');
    if (*s && strchr("=+-@", *s))
        buf_char(b, '\'');
    for (; *s; s++)
        buf_str(b, *s == '"' ? "\"\"" : (char[]){*s, 0});
    if (quoted)
        buf_char(b, '"');
    buf_char(b, end);
    buf_free(&room);
}

static void csv(struct buf *b, const struct audit_row *r)
{
    char when[CLOCK_TEXT];
    clock_format(r->time, when);
    field(b, when, ',');
    field(b, r->status, ',');
    field(b, r->device, ',');
    x509_serial_text(r->serial, b);
    buf_char(b, ',');
    field(b, r->owner, ',');
    field(b, r->lot, ',');
    field(b, r->profile, ',');
    field(b, r->unit, ',');
    buf_hex(b, r->tid.p, r->tid.n);
    buf_char(b, ',');
    if (r->requests)
        buf_printf(b, "%" PRId64, r->requests);
    buf_char(b, ',');
    field(b, r->note, '\n');
}

/* --- JSON, RFC 8259 --- */

static void json_text(struct buf *b, const char *name, const char *s)
{
    struct buf room = {0};
    if (!s)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, shown(&room, s));
    buf_free(&room);
}

static void json(struct buf *b, const struct audit_row *r)
{
    char when[CLOCK_TEXT];
    struct buf serial = {0}, tid = {0};
    x509_serial_text(r->serial, &serial);
    buf_hex(&tid, r->tid.p, r->tid.n);
    clock_format(r->time, when);
    buf_printf(b, "{\"time\":\"%s\"", when);
    json_text(b, "status", r->status);
    json_text(b, "device", r->device);
    json_text(b, "serial", serial.n ? (char *)serial.d : NULL);
    json_text(b, "owner", r->owner);
    json_text(b, "lot", r->lot);
    json_text(b, "profile", r->profile);
    json_text(b, "unit", r->unit);
    json_text(b, "transaction", tid.n ? (char *)tid.d : NULL);
    if (r->requests)
        buf_printf(b, ",\"requests\":%" PRId64, r->requests);
    json_text(b, "note", r->note);
    buf_str(b, "}\n");
    buf_free(&serial);
    buf_free(&tid);
}

/* --- all --- */

void audit_start(struct audit_out *o)
{
    if (o->form == AUDIT_CSV)
        buf_str(&o->text,
                "time,status,device,serial,owner,lot,profile,unit,transaction,requests,note\n");
    if (o->form == AUDIT_TABLE && o->messages)
        buf_printf(&o->text, "%-20s  %-9s  %-32s  %-8s  %-12s  %-12s  %s\n", "TIME", "STATUS",
                   "TRANSACTION", "REQUESTS", "LOT", "UNIT", "NOTE");
    if (o->form == AUDIT_TABLE && !o->messages)
        buf_printf(&o->text, "%-20s  %-9s  %-20s  %-36s  %-12s  %-12s  %s\n", "TIME", "STATUS",
                   "DEVICE", "SERIAL", "LOT", "UNIT", "NOTE");
}

void audit_put(struct audit_out *o, const struct audit_row *r)
{
    if (o->form == AUDIT_TABLE)
        table(o, &o->text, r);
    else if (o->form == AUDIT_CSV)
        csv(&o->text, r);
    else
        json(&o->text, r);
    o->n++;
    if (o->text.n >= FLUSH) {
        io_stdout(o->text.d, o->text.n);
        buf_reset(&o->text);
    }
}

void audit_flush(struct audit_out *o)
{
    if (o->text.n)
        io_stdout(o->text.d, o->text.n);
    buf_free(&o->text);
}
