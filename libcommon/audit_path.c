/* What one entry holds, in words; every signature is verified on the way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_priv.h"
#include "clock.h"

void audit_path_say(struct audit_path *p, int indent, const char *fmt, ...)
{
    char text[1200], shown[2400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_escape(text, shown, sizeof shown);
    buf_printf(&p->out, "%*s%s\n", indent, "", shown);
}

void audit_path_problem(struct audit_path *p, int64_t entry, const char *why)
{
    diag_warn("%s: entry %lld: %s", p->u->ledger_path, (long long)entry, why);
    p->problems++;
}

void audit_path_certificate(struct audit_path *p, struct span der)
{
    struct x509_cert c;
    struct buf hex = {0};
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    if (!x509_cert_view(der, &c))
        return;
    char *subject = x509_name_text(c.subject), *issuer = x509_name_text(c.issuer);
    clock_format(c.not_before, from);
    clock_format(c.not_after, to);
    x509_serial_text(c.serial, &hex);
    audit_path_say(p, 4, "certificate  %s", (char *)hex.d);
    audit_path_say(p, 4, "  subject    %s", subject ? subject : "?");
    audit_path_say(p, 4, "  issuer     %s", issuer ? issuer : "?");
    audit_path_say(p, 4, "  valid      %s to %s", from, to);
    free(subject);
    free(issuer);
    buf_free(&hex);
}

/* --- messages --- */

static void say_layers(struct audit_path *p, const struct layers *m)
{
    for (size_t i = m->n; i-- > 0;) {
        const struct cms_layer *l = &m->layer[i];
        struct buf hex = {0};
        char when[CLOCK_TEXT];
        clock_format(l->signing_time, when);
        x509_serial_text(l->signer->cert.serial, &hex);
        audit_path_say(p, 4, "signed       %s by the %s %s, certificate %s: good", when,
                       path_role_name(l->signer->role), l->signer->id, (char *)hex.d);
        buf_free(&hex);
    }
}

static void say_up(struct audit_path *p, const struct layers *m)
{
    struct span want = {(const unsigned char *)p->device, strlen(p->device)};
    size_t i = 0;
    if (!m->request) {
        audit_path_say(p, 4, "request      asks again");
        return;
    }
    while (i < m->request->n && !buf_same(m->request->items[i].device, want))
        i++;
    if (i == m->request->n)
        return;
    p->part = m->request->items[i].id;
    const struct cmc_verdict *v = m->n > 1 ? m->items[i].verdict : NULL;
    audit_path_say(p, 4, "request      %u of %zu, a %s", (unsigned)(p->part - CMC_FIRST + 1),
                   m->request->n, m->request->items[i].kind == CMC_TCR ? "PKCS #10" : "public key");
    if (v)
        audit_path_say(p, 4, "%-12s by %s: %.*s",
                       v->status == CMC_PENDING ? "held back" : "refused",
                       path_role_name(m->items[i].by), (int)v->text.n, (const char *)v->text.p);
}

static void say_down(struct audit_path *p, const struct layers *m)
{
    const struct cmc_verdict *v = p->part ? audit_verdict(m->leaf, p->part) : NULL;
    v = v ? v : cmc_leaf_pending(m->leaf);
    if (!v)
        return;
    audit_path_say(p, 4, "answer       %s%s%.*s",
                   v->status == CMC_SUCCESS   ? "issued"
                   : v->status == CMC_PENDING ? "pending"
                                              : "refused",
                   v->text.n ? ": " : "", (int)v->text.n, (const char *)v->text.p);
    if (v->status == CMC_SUCCESS)
        audit_path_certificate(p, audit_certificate(m, p->part));
}

static void show_message(struct audit_path *p, const struct ledger_entry *e)
{
    struct layers m;
    char why[CMS_WHY];
    int ok = audit_open(p->u, e, &m, why);
    if (ok && m.direction == LAYERS_DOWN)
        ok = audit_issued_ok(&m, p->u->path, e->time, why);
    if (ok) {
        say_layers(p, &m);
        if (m.direction == LAYERS_UP)
            say_up(p, &m);
        else
            say_down(p, &m);
    } else {
        audit_path_say(p, 4, "NOT GOOD     %s", why);
        audit_path_problem(p, e->id, why);
    }
    layers_close(&m);
}

static void show_grant(struct audit_path *p, const struct ledger_entry *e)
{
    struct audit_grant g;
    struct buf hex = {0};
    char why[CMS_WHY], when[CLOCK_TEXT];
    if (!audit_grant_open(p->u->path, e->data, e->time, &g, why)) {
        audit_path_say(p, 4, "NOT GOOD     %s", why);
        audit_path_problem(p, e->id, why);
    } else {
        clock_format(g.layer.signing_time, when);
        x509_serial_text(g.layer.signer->cert.serial, &hex);
        audit_path_say(p, 4, "%-12s %s by %s, certificate %s: good%s%s",
                       g.decision == CMC_SUCCESS ? "granted" : "refused", when, g.layer.signer->id,
                       (char *)hex.d, g.why ? ": " : "", g.why ? g.why : "");
    }
    buf_free(&hex);
    audit_grant_free(&g);
}

/* --- entries --- */

void audit_path_entry(struct audit_path *p, const struct ledger_entry *e)
{
    static const char *const names[LEDGER_KINDS] = {
        [LEDGER_SENT] = "sent",           [LEDGER_POLL] = "asked again",
        [LEDGER_PENDING] = "pending",     [LEDGER_RECEIVED] = "received",
        [LEDGER_DELIVERED] = "delivered", [LEDGER_REFUSED] = "refused",
        [LEDGER_UP] = "let through",      [LEDGER_DOWN] = "answered",
        [LEDGER_HELD] = "held",           [LEDGER_GRANT] = "decided",
        [LEDGER_REQUEST] = "received",    [LEDGER_LEAF] = "answered"};
    char when[CLOCK_TEXT];
    clock_format(e->time, when);
    audit_path_say(p, 2, "%s  %s%s%s", when, names[e->kind],
                   e->note && e->kind == LEDGER_REFUSED ? ": " : "",
                   e->note && e->kind == LEDGER_REFUSED ? e->note : "");
    if (AUDIT_MESSAGES & AUDIT_BIT(e->kind))
        show_message(p, e);
    else if (e->kind == LEDGER_GRANT)
        show_grant(p, e);
    else if (e->kind == LEDGER_RECEIVED)
        audit_path_certificate(p, e->data);
}
