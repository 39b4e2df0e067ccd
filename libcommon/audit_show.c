/* The whole path of one device, as the ledger has it; every signature is verified on the way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"
#include "clock.h"
#include "io.h"

#define TRANSACTIONS 10000 /* of one device */

struct show {
    struct unit *u;
    const struct audit_filter *f;
    struct buf out;
    unsigned char (*tids)[CMC_TID];
    size_t n;
    uint32_t part; /* the device's number in the transaction at hand; 0: not known yet */
    int64_t problems;
};

/* One line, indented; what is quoted may be hostile. */
static void say(struct show *s, int indent, const char *fmt, ...) DIAG_PRINTF(3, 4);

static void say(struct show *s, int indent, const char *fmt, ...)
{
    char text[1200], shown[2400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_escape(text, shown, sizeof shown);
    buf_printf(&s->out, "%*s%s\n", indent, "", shown);
}

static void problem(struct show *s, int64_t entry, const char *why)
{
    diag_warn("%s: entry %lld: %s", s->u->ledger_path, (long long)entry, why);
    s->problems++;
}

static void say_certificate(struct show *s, struct span der)
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
    say(s, 4, "certificate  %s", (char *)hex.d);
    say(s, 4, "  subject    %s", subject ? subject : "?");
    say(s, 4, "  issuer     %s", issuer ? issuer : "?");
    say(s, 4, "  valid      %s to %s", from, to);
    free(subject);
    free(issuer);
    buf_free(&hex);
}

/* --- messages --- */

static void say_layers(struct show *s, const struct layers *m)
{
    for (size_t i = m->n; i-- > 0;) {
        const struct cms_layer *l = &m->layer[i];
        struct buf hex = {0};
        char when[CLOCK_TEXT];
        clock_format(l->signing_time, when);
        x509_serial_text(l->signer->cert.serial, &hex);
        say(s, 4, "signed       %s by the %s %s, certificate %s: good", when,
            path_role_name(l->signer->role), l->signer->id, (char *)hex.d);
        buf_free(&hex);
    }
}

static void say_up(struct show *s, const struct layers *m)
{
    struct span want = {(const unsigned char *)s->f->device, strlen(s->f->device)};
    size_t i = 0;
    if (!m->request) {
        say(s, 4, "request      asks again");
        return;
    }
    while (i < m->request->n && !buf_same(m->request->items[i].device, want))
        i++;
    if (i == m->request->n)
        return;
    s->part = m->request->items[i].id;
    const struct cmc_verdict *v = m->n > 1 ? m->items[i].verdict : NULL;
    say(s, 4, "request      %u of %zu, a %s", (unsigned)(s->part - CMC_FIRST + 1), m->request->n,
        m->request->items[i].kind == CMC_TCR ? "PKCS #10" : "public key");
    if (v)
        say(s, 4, "%-12s by %s: %.*s", v->status == CMC_PENDING ? "held back" : "refused",
            path_role_name(m->items[i].by), (int)v->text.n, (const char *)v->text.p);
}

static void say_down(struct show *s, const struct layers *m)
{
    const struct cmc_verdict *v = s->part ? audit_verdict(m->leaf, s->part) : NULL;
    v = v ? v : cmc_leaf_pending(m->leaf);
    if (!v)
        return;
    say(s, 4, "answer       %s%s%.*s",
        v->status == CMC_SUCCESS   ? "issued"
        : v->status == CMC_PENDING ? "pending"
                                   : "refused",
        v->text.n ? ": " : "", (int)v->text.n, (const char *)v->text.p);
    if (v->status == CMC_SUCCESS)
        say_certificate(s, audit_certificate(m, s->part));
}

static void show_message(struct show *s, const struct ledger_entry *e)
{
    struct layers m;
    char why[CMS_WHY];
    int ok = audit_open(s->u, e, &m, why);
    if (ok && m.direction == LAYERS_DOWN)
        ok = audit_issued_ok(&m, s->u->path, e->time, why);
    if (ok) {
        say_layers(s, &m);
        if (m.direction == LAYERS_UP)
            say_up(s, &m);
        else
            say_down(s, &m);
    } else {
        say(s, 4, "NOT GOOD     %s", why);
        problem(s, e->id, why);
    }
    layers_close(&m);
}

static void show_grant(struct show *s, const struct ledger_entry *e)
{
    struct audit_grant g;
    struct buf hex = {0};
    char why[CMS_WHY], when[CLOCK_TEXT];
    if (!audit_grant_open(s->u->path, e->data, e->time, &g, why)) {
        say(s, 4, "NOT GOOD     %s", why);
        problem(s, e->id, why);
    } else {
        clock_format(g.layer.signing_time, when);
        x509_serial_text(g.layer.signer->cert.serial, &hex);
        say(s, 4, "%-12s %s by %s, certificate %s: good%s%s",
            g.decision == CMC_SUCCESS ? "granted" : "refused", when, g.layer.signer->id,
            (char *)hex.d, g.why ? ": " : "", g.why ? g.why : "");
    }
    buf_free(&hex);
    audit_grant_free(&g);
}

/* --- entries --- */

static void show_entry(struct show *s, const struct ledger_entry *e)
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
    say(s, 2, "%s  %s%s%s", when, names[e->kind], e->note && e->kind == LEDGER_REFUSED ? ": " : "",
        e->note && e->kind == LEDGER_REFUSED ? e->note : "");
    if (AUDIT_MESSAGES & AUDIT_BIT(e->kind))
        show_message(s, e);
    else if (e->kind == LEDGER_GRANT)
        show_grant(s, e);
    else if (e->kind == LEDGER_RECEIVED)
        say_certificate(s, e->data);
}

struct entries {
    size_t n;
    struct ledger_entry *e;
    void **block;
};

static int gather(const struct ledger_entry *e, void *arg)
{
    struct entries *v = arg;
    v->e = alloc_grow(v->e, v->n + 1, sizeof *v->e);
    v->block = alloc_grow(v->block, v->n + 1, sizeof *v->block);
    v->block[v->n] = ledger_copy(e, &v->e[v->n]);
    v->n++;
    return 1;
}

static int by_id(const void *a, const void *b)
{
    const struct ledger_entry *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* What stands under a device's number only counts for this device. */
static int is_device_kind(enum ledger_kind k)
{
    return k == LEDGER_RECEIVED || k == LEDGER_DELIVERED || k == LEDGER_REFUSED;
}

static enum status show_transaction(struct show *s, const unsigned char tid[CMC_TID])
{
    static const enum ledger_kind kinds[] = {
        LEDGER_SENT, LEDGER_POLL, LEDGER_PENDING, LEDGER_RECEIVED, LEDGER_DELIVERED, LEDGER_REFUSED,
        LEDGER_UP,   LEDGER_DOWN, LEDGER_HELD,    LEDGER_GRANT,    LEDGER_REQUEST,   LEDGER_LEAF};
    struct entries v = {0};
    struct buf hex = {0};
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && st == ST_OK; i++)
        st = ledger_by_tid(s->u->ledger, kinds[i], (struct span){tid, CMC_TID}, NULL, gather, &v);
    if (v.n)
        qsort(v.e, v.n, sizeof *v.e, by_id);
    buf_hex(&hex, tid, CMC_TID);
    s->part = 0;
    for (size_t i = 0; st == ST_OK && i < v.n; i++) {
        const struct ledger_entry *e = &v.e[i];
        if (!i)
            say(s, 0, "transaction %s, lot %s, profile %s%s%s", (char *)hex.d,
                e->lot ? e->lot : "?", e->profile ? e->profile : "?", e->owner ? ", owner " : "",
                e->owner ? e->owner : "");
        if (!is_device_kind(e->kind) || e->part == s->part)
            show_entry(s, e);
    }
    for (size_t i = 0; i < v.n; i++)
        free(v.block[i]);
    free(v.block);
    free(v.e);
    buf_free(&hex);
    return st;
}

/* --- which transactions --- */

static int is_known(const struct show *s, struct span tid)
{
    for (size_t i = s->n; i-- > 0;)
        if (buf_same(tid, (struct span){s->tids[i], CMC_TID}))
            return 1;
    return 0;
}

static int holds(struct show *s, const struct ledger_entry *e)
{
    struct layers m;
    char why[CMS_WHY];
    struct span want = {(const unsigned char *)s->f->device, strlen(s->f->device)};
    /* What a device is called stands in a message as it is. */
    if (!memmem(e->data.p, e->data.n, want.p, want.n))
        return 0;
    int ok = audit_open(s->u, e, &m, why), found = !ok;
    if (!ok)
        problem(s, e->id, why);
    for (size_t i = 0; ok && m.request && i < m.request->n; i++)
        found |= buf_same(m.request->items[i].device, want);
    layers_close(&m);
    return found;
}

static int collect(const struct ledger_entry *e, void *arg)
{
    struct show *s = arg;
    path_trim(s->u->path);
    if (e->tid.n != CMC_TID || is_known(s, e->tid) || (e->kind != LEDGER_ASKED && !holds(s, e)))
        return 1;
    s->tids = alloc_grow(s->tids, s->n + 1, sizeof *s->tids);
    memcpy(s->tids[s->n++], e->tid.p, CMC_TID);
    if (s->n == TRANSACTIONS)
        problem(s, e->id,
                "more transactions of this device than can be shown: the rest is left out");
    return s->n < TRANSACTIONS;
}

static enum status find(struct show *s)
{
    struct ledger_filter f = {.lot = s->f->lot, .owner = s->f->owner};
    if (!s->u->path)
        return ST_OK;
    switch (s->u->role) {
    case PATH_ATTACH:
        f = (struct ledger_filter){
            .kinds = AUDIT_BIT(LEDGER_ASKED), .device = s->f->device, .no_data = 1};
        break;
    case PATH_CA_SIGN:
        f.kinds = AUDIT_BIT(LEDGER_REQUEST);
        break;
    default:
        f.kinds = AUDIT_BIT(LEDGER_UP);
    }
    return ledger_scan(s->u->ledger, &f, collect, s);
}

/* --- ca-sign: what was issued, and what became of it --- */

static enum status show_issued(struct show *s, const struct ledger_entry *e)
{
    struct ledger_entry r;
    char when[CLOCK_TEXT];
    enum status st = ledger_revoked(s->u->ledger, e->serial, e->note, &r);
    if (st != ST_OK || (e->tid.n && !r.id))
        return st;
    clock_format(e->time, when);
    say(s, 0, "issued %s%s", when, e->tid.n ? "" : " by a person at the CA's token");
    say_certificate(s, e->data);
    if (r.id) {
        clock_format(r.time, when);
        say(s, 4, "revoked      %s, reason %lld: %.*s", when, (long long)r.status, (int)r.data.n,
            (const char *)r.data.p);
    }
    return st;
}

static int say_allowed(const struct ledger_entry *e, void *arg)
{
    char when[CLOCK_TEXT];
    clock_format(e->time, when);
    say(arg, 0, "%s %s: %.*s",
        e->kind == LEDGER_ALLOWED ? "allowed a new key" : "issued for a new key", when,
        (int)e->data.n, (const char *)e->data.p);
    return 1;
}

static enum status show_certificates(struct show *s, int64_t *n)
{
    struct ledger_filter f = {.kinds = AUDIT_BIT(LEDGER_ISSUED),
                              .device = s->f->device,
                              .lot = s->f->lot,
                              .owner = s->f->owner};
    struct audit_batch b = {0};
    char *profile = NULL;
    enum status st;
    while ((st = audit_pull(s->u->ledger, &f, &b)) == ST_OK && b.n)
        for (size_t i = 0; i < b.n && st == ST_OK; i++, ++*n) {
            st = show_issued(s, &b.e[i]);
            if (st != ST_OK || (profile && b.e[i].profile && !strcmp(profile, b.e[i].profile)))
                continue;
            free(profile);
            profile = alloc_str(b.e[i].profile);
            st = ledger_allowed(s->u->ledger, b.e[i].owner, b.e[i].profile, s->f->device,
                                say_allowed, s);
        }
    audit_drop(&b);
    free(profile);
    return st;
}

enum status audit_show(struct unit *u, const struct audit_filter *f)
{
    struct show s = {.u = u, .f = f};
    int64_t certificates = 0;
    enum status st = find(&s);
    for (size_t i = 0; i < s.n && st == ST_OK; i++) {
        path_trim(u->path);
        st = show_transaction(&s, s.tids[i]);
        io_stdout(s.out.d, s.out.n);
        buf_reset(&s.out);
    }
    if (st == ST_OK && u->role == PATH_CA_SIGN)
        st = show_certificates(&s, &certificates);
    if (s.out.n)
        io_stdout(s.out.d, s.out.n);
    if (st == ST_OK && !s.n && !certificates) {
        diag_warn("%s: nothing of device \"%s\" is in it", u->ledger_path, f->device);
        st = ST_REFUSED;
    }
    free(s.tids);
    buf_free(&s.out);
    return st == ST_OK && s.problems ? ST_REFUSED : st;
}
