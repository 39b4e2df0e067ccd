#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "judge_priv.h"

int judge_no(struct judge_fail *f, enum profile_fail code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->why, sizeof f->why, fmt, ap);
    va_end(ap);
    f->code = code;
    return 0;
}

/* Owners share a line: whoever may not use a lot does not learn from the answer that there is one.
 */
static int may_use(const struct lot *lot, const char *attach, const char *verify_unit)
{
    if (lot && !lot_allows_unit(lot, verify_unit))
        diag_note("verify-unit \"%s\" may not use lot \"%s\"", verify_unit, lot->name);
    else if (lot && !lot_allows_attach(lot, attach))
        diag_note("attach \"%s\" may not use lot \"%s\"", attach, lot->name);
    else
        return lot != NULL;
    return 0;
}

int judge_rules(const struct unit *u, const struct layers *m, const char *unit_id, int64_t when,
                struct judge_rules *out, struct judge_fail *f)
{
    const struct cmc_request *r = m->request;
    const char *attach = layers_signer(m, PATH_ATTACH)->id;
    out->lot = lots_find(u->lots, r->lot);
    if (!may_use(out->lot, attach, unit_id))
        return judge_no(f, FAIL_BAD_REQUEST,
                        "lot \"%s\" is not known here, or not for attach \"%s\" and verify-unit "
                        "\"%s\"",
                        r->lot, attach, unit_id);
    if (strcmp(out->lot->profile, r->profile))
        return judge_no(f, FAIL_BAD_REQUEST, "lot \"%s\" is not made with profile \"%s\"", r->lot,
                        r->profile);
    out->profile = profiles_find(u->profiles, r->profile);
    if (!out->profile)
        return judge_no(f, FAIL_BAD_REQUEST, "profile \"%s\" is not known here", r->profile);
    if (!profile_on_line(out->profile))
        return judge_no(f, FAIL_BAD_REQUEST,
                        "profile \"%s\" is for a CA or a unit and cannot be had from a line",
                        r->profile);
    char why[LOT_WHY];
    if (!lot_open_at(out->lot, when, why))
        return judge_no(f, FAIL_BAD_REQUEST, "%s", why);
    out->bare_keys = u->bare_keys && out->lot->pop == LOT_POP_WITNESS;
    return 1;
}

/* Extensions with subjectAltName alone. */
static void put_san(struct span san, struct buf *out)
{
    static const unsigned char oid[] = {0x55, 0x1d, 17};
    size_t from = out->n;
    x509_put(out, 0x06, oid, sizeof oid);
    x509_put(out, 0x04, san.p, san.n);
    x509_wrap(out, from, 0x30);
    x509_wrap(out, from, 0x30);
}

int judge_device(const struct profile *p, const struct profile_asked *a, struct buf *id,
                 char why[X509_WHY])
{
    struct buf san = {0};
    if (a->set_san.n)
        put_san(a->set_san, &san);
    int ok = profile_device(p, a->set_subject.n ? a->set_subject : a->subject,
                            a->set_san.n ? buf_span(&san) : a->extensions, id, why);
    buf_free(&san);
    return ok;
}

/* Whether the device that the profile's rule finds is the one that attach named. */
static int same_device(const struct judge_rules *r, const struct judge_item *it,
                       struct judge_fail *f)
{
    struct buf id = {0};
    char why[X509_WHY];
    int found = judge_device(r->profile, &it->asked, &id, why), ok;
    if (!found)
        ok = judge_no(f, FAIL_BAD_IDENTITY, "%s", why);
    else if (strcmp((char *)id.d, it->device))
        ok = judge_no(f, FAIL_BAD_IDENTITY, "the request is of device \"%s\", not of \"%s\"",
                      (char *)id.d, it->device);
    else
        ok = 1;
    buf_free(&id);
    return ok;
}

int judge_item(const struct layers *m, size_t i, const struct judge_rules *r,
               struct judge_item *out, struct judge_fail *f)
{
    char why[X509_WHY];
    const struct cmc_item *it = &m->request->items[i];
    const struct cmc_crm *crm = m->items[i].crm;
    memset(out, 0, sizeof *out);
    out->item = it;
    memcpy(out->device, it->device.p, it->device.n); /* at most CMC_DEVICE: cmc_request_open */
    out->asked.device = out->device;
    if (it->kind == CMC_TCR) {
        if (!csr_view(it->der, &out->csr, why))
            return judge_no(f, FAIL_BAD_REQUEST, "%s", why);
        out->asked.subject = out->csr.subject;
        out->asked.spki = out->csr.spki;
        out->asked.extensions = out->csr.extensions;
    } else {
        out->asked.spki = it->der;
        out->asked.subject = crm ? crm->subject : (struct span){NULL, 0};
    }
    struct x509_ext san;
    if (x509_ext_get(out->asked.extensions, "2.5.29.17", &san) == 1)
        out->san = san.value;
    layers_template(m, i, out->asked.subject.n > 2, out->san.n != 0, &out->asked.set_subject,
                    &out->asked.set_san);
    if (it->kind == CMC_KEY && !crm)
        return 1;
    return same_device(r, out, f);
}

int judge_pop(const struct judge_item *it, const struct judge_rules *r, struct judge_fail *f)
{
    char why[X509_WHY];
    if (it->item->kind == CMC_TCR)
        return csr_pop(&it->csr, why) || judge_no(f, FAIL_POP_FAILED, "%s", why);
    return r->bare_keys ||
           judge_no(f, FAIL_POP_REQUIRED,
                    "a public key without proof of possession is not taken for lot \"%s\"",
                    r->lot->name);
}

void judge_add(struct judge_list *l, struct cmc_ref ref, enum cmc_status status, int fail,
               const char *text)
{
    struct cmc_verdict *v = NULL;
    char plain[CMC_STRING + 1];
    /* what is quoted may be hostile, and cut in the middle of a character */
    diag_escape(text, plain, sizeof plain);
    size_t len = strlen(plain);
    struct span t = {(const unsigned char *)plain, len};
    for (size_t i = 0; i < l->n && !v; i++)
        if (l->v[i].status == status && l->v[i].fail == fail && buf_same(l->v[i].text, t))
            v = &l->v[i];
    if (!v) {
        if (l->n == l->cap)
            l->v = alloc_grow(l->v, l->cap = 2 * l->cap + 8, sizeof *l->v);
        v = &l->v[l->n++];
        *v = (struct cmc_verdict){.status = status, .fail = fail};
        v->text = (struct span){len ? alloc_copy(plain, len) : NULL, len};
    }
    v->refs = alloc_grow(v->refs, v->n + 1, sizeof *v->refs);
    v->refs[v->n++] = ref;
}

void judge_free(struct judge_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free((void *)(uintptr_t)l->v[i].text.p);
        free(l->v[i].refs);
    }
    free(l->v);
    *l = (struct judge_list){0};
}
