/* What waits, for people to read. */
#include "approve_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"

#define SHOWN 4000 /* octets of a value */

/* Whatever comes from a message goes to a terminal only like this. */
static void put_text(struct buf *out, const char *s)
{
    char *shown = alloc_zero(1, SHOWN);
    diag_escape(s ? s : "", shown, SHOWN);
    buf_str(out, shown);
    free(shown);
}

static void put_line(struct buf *out, const char *label, const char *value)
{
    buf_printf(out, "%s: ", label);
    put_text(out, value);
    buf_char(out, '\n');
}

static void put_hex(struct buf *out, const char *label, const unsigned char *p, size_t n)
{
    buf_printf(out, "%s: ", label);
    buf_hex(out, p, n);
    buf_char(out, '\n');
}

/* --- a message --- */

static void put_decision(struct buf *out, const struct approve_tally *t, int changed)
{
    static const char *const states[] = {"waits", "granted", "refused"};
    char when[CLOCK_TEXT];
    buf_printf(out, "state: %s, %d of %d\n", changed ? "changed since" : states[t->state],
               t->granted, t->needed);
    for (size_t i = 0; i < t->n; i++) {
        clock_format(t->v[i].time, when);
        buf_printf(out, "%s: ", t->v[i].refused ? "refused by" : "granted by");
        put_text(out, t->v[i].who);
        buf_printf(out, ", %s", when);
        if (t->v[i].why) {
            buf_str(out, ": ");
            put_text(out, t->v[i].why);
        }
        buf_char(out, '\n');
    }
}

static enum status put_quota(const struct approve *a, const struct lot *lot, struct buf *out)
{
    int64_t used;
    if (lot->quota < 0)
        return ST_OK;
    enum status st = ledger_counted(a->u->ledger, lot->owner, lot->name, &used);
    if (st == ST_OK)
        buf_printf(out, "quota: %" PRId64 " of %" PRId64 " used\n", used, lot->quota);
    return st;
}

static enum status put_message(const struct approve *a, const struct approve_held *h,
                               const struct lot *lot, int changed, struct buf *out)
{
    struct approve_tally t = {0};
    char when[CLOCK_TEXT];
    clock_format(h->since, when);
    put_hex(out, "id", h->message, sizeof h->message);
    put_hex(out, "transaction", h->tid, sizeof h->tid);
    put_line(out, "lot", h->lot);
    put_line(out, "owner", h->owner);
    put_line(out, "profile", h->profile);
    put_line(out, "attach", h->attach);
    put_line(out, "verify-unit", layers_signer(&h->m, PATH_VERIFY_UNIT)->id);
    put_line(out, "since", when);
    buf_printf(out, "requests: %u\n", (unsigned)h->requests);
    if (!lot) {
        buf_str(out, "state: the lot is not in the file any more\n");
        return ST_OK;
    }
    enum status st = put_quota(a, lot, out);
    if (st == ST_OK)
        st = approve_tally(a, h, lot, &t);
    if (st == ST_OK) {
        put_decision(out, &t, changed);
        approve_tally_free(&t);
    }
    return st;
}

/* --- its requests --- */

static void put_sans(struct buf *out, struct span extensions)
{
    struct x509_ext e;
    struct span list, name;
    struct buf text = {0};
    char why[X509_WHY];
    if (x509_ext_get(extensions, "2.5.29.17", &e) != 1 || !x509_take(&e.value, 0x30, NULL, &list))
        return;
    while (list.n && x509_san_take(&list, &name, why)) {
        if (text.n)
            buf_str(&text, ", ");
        x509_san_text(name, &text);
    }
    put_line(out, "  subjectAltName", text.n ? (char *)text.d : "");
    buf_free(&text);
}

static void put_key(struct buf *out, struct span spki)
{
    struct x509_key_info key;
    unsigned char hash[X509_HASH];
    if (!x509_key_info(spki, &key))
        return;
    x509_key_hash(spki, hash);
    buf_printf(out, "  key: %s, SHA-256 ", key.name);
    buf_hex(out, hash, sizeof hash);
    buf_char(out, '\n');
}

/* As ca-sign would certify it, by the profile here. What only the CA can have an opinion on
 * (FAIL_INTERNAL_CA: there is no issuer here) is left to it. */
static void put_certified(struct buf *out, const struct judge_rules *r, const struct judge_item *it)
{
    struct profile_result res = {0};
    if (!profile_apply(r->profile, &it->asked, NULL, clock_now(), &res) &&
        (res.fail != FAIL_INTERNAL_CA || !res.extensions.n)) {
        put_line(out, "  cannot be certified", res.why);
    } else {
        char *subject = x509_name_text(buf_span(&res.subject));
        put_line(out, "  subject", subject);
        free(subject);
        put_sans(out, buf_span(&res.extensions));
        put_key(out, it->asked.spki);
        if (res.differences.n)
            put_line(out, "  differences", (char *)res.differences.d);
    }
    profile_result_free(&res);
}

static void put_verdict(struct buf *out, const struct layers_item *it)
{
    struct buf text = {0};
    buf_printf(&text, "by %s: %.*s", path_role_name(it->by), (int)it->verdict->text.n,
               (const char *)it->verdict->text.p);
    put_line(out, "  refused", (char *)text.d);
    buf_free(&text);
}

/* Those that were refused when the message came in: "PART FAIL TEXT". */
static int put_refused(struct buf *out, const char *lines, uint32_t part)
{
    for (const char *s = lines; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        char *end;
        if (strtoul(s, &end, 10) != part)
            continue;
        strtoul(end, &end, 10);
        char *text = alloc_printf("%.*s", (int)strcspn(end, "\n"), end);
        put_line(out, "  refused", *text == ' ' ? text + 1 : text);
        free(text);
        return 1;
    }
    return 0;
}

static void put_requests(const struct approve *a, const struct approve_held *h, struct buf *out)
{
    const struct layers *m = &h->m;
    struct judge_rules r;
    struct judge_fail all, f;
    struct judge_item it;
    int ruled = judge_rules(a->u, m, layers_signer(m, PATH_VERIFY_UNIT)->id, clock_now(), &r, &all);
    for (size_t i = 0; i < m->request->n; i++) {
        const struct cmc_item *item = &m->request->items[i];
        char *device = alloc_copy(item->device.p, item->device.n);
        buf_printf(out, "%u: ", (unsigned)item->id);
        put_text(out, device);
        buf_char(out, '\n');
        free(device);
        if (m->items[i].verdict)
            put_verdict(out, &m->items[i]);
        else if (put_refused(out, h->refused, item->id))
            continue;
        else if (!ruled)
            put_line(out, "  refused", all.why);
        else if (!a->one(a->u, m, i, &r, &it, &f))
            put_line(out, "  refused", f.why);
        else
            put_certified(out, &r, &it);
    }
}

enum status approve_show_put(const struct approve *a, struct approve_held *h, int changed,
                             struct buf *out)
{
    char why[CMS_WHY];
    if (!h->m.n && !approve_held_open(a, h, why)) {
        diag_warn("the message is not good any more: %s", why);
        return ST_REFUSED;
    }
    enum status st = put_message(a, h, lots_find(a->u->lots, h->lot), changed, out);
    if (st == ST_OK)
        put_requests(a, h, out);
    return st;
}

enum status approve_show(const struct approve *a, const char *id)
{
    struct approve_held h = {0};
    struct buf out = {0};
    int changed = 0;
    enum status st = approve_held_named(a, id, &h, &changed);
    if (st == ST_OK)
        st = approve_show_put(a, &h, changed, &out);
    if (st == ST_OK)
        io_stdout(out.d, out.n);
    approve_held_free(&h);
    buf_free(&out);
    return st;
}
