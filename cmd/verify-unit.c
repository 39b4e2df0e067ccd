/* verify-unit: the certificate verification unit. Checks each request against itself and the lot's
 * device list; makes the request where the device gave only its public key. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "cmc.h"
#include "diag.h"
#include "hop.h"
#include "judge.h"

/* What is made for one message and must live until its layer is written. */
struct work {
    struct judge_list refused;
    struct cmc_mod *mods;
    struct cmc_crm *crms;
    struct buf *subjects; /* DER, one a request at the most */
    size_t n_mods, n_crms, n_subjects;
};

static void work_free(struct work *w)
{
    for (size_t i = 0; i < w->n_subjects; i++)
        buf_free(&w->subjects[i]);
    free(w->subjects);
    free(w->mods);
    free(w->crms);
    judge_free(&w->refused);
}

/* The list's `key` column, where there is one: SHA-256 of the key in hex, colons allowed. */
static int key_as_listed(const struct csv_row *row, const struct judge_item *it,
                         struct judge_fail *f)
{
    const char *want = csv_get(row, "key");
    unsigned char hash[X509_HASH];
    struct buf hex = {0}, plain = {0};
    if (!want || !*want)
        return 1;
    x509_key_hash(it->asked.spki, hash);
    buf_hex(&hex, hash, sizeof hash);
    for (; *want; want++)
        if (*want != ':')
            buf_char(&plain, *want);
    int same = plain.n == hex.n && !strcasecmp((char *)plain.d, (char *)hex.d);
    buf_free(&hex);
    buf_free(&plain);
    return same || judge_no(f, FAIL_BAD_IDENTITY, "the key is not the one that the list has for %s",
                            it->device);
}

/* Whether the profile's rule finds this device in the subject. */
static int names_device(const struct judge_rules *r, const struct buf *subject, const char *device)
{
    char why[X509_WHY];
    struct buf id = {0};
    int same = profile_device(r->profile, buf_span(subject), (struct span){NULL, 0}, &id, why) &&
               !strcmp((char *)id.d, device);
    buf_free(&id);
    return same;
}

/* The subject that the list prescribes, as DER; empty if it says none. */
static int listed_subject(struct lots *lots, const struct judge_rules *r, const struct csv_row *row,
                          const char *device, struct buf *out, struct judge_fail *f)
{
    char why[X509_WHY];
    const char *text = csv_get(row, "subject");
    if (!text || !*text)
        return 1;
    if (!x509_name_parse(text, out, why))
        return judge_no(f, FAIL_INTERNAL_CA, "line %lu of the device list: subject: %s",
                        lots_line(lots, r->lot, row), why);
    return names_device(r, out, device) ||
           judge_no(f, FAIL_INTERNAL_CA,
                    "line %lu of the device list: the subject is not of device \"%s\"",
                    lots_line(lots, r->lot, row), device);
}

/* A request made for a bare key names it by the key alone: it must be the only one of its message.
 */
static int alone(const struct layers *m, size_t i, struct judge_fail *f)
{
    const struct cmc_item *it = &m->request->items[i];
    for (size_t k = 0; it->kind == CMC_KEY && k < m->request->n; k++)
        if (k != i && m->request->items[k].kind == CMC_KEY &&
            buf_same(m->request->items[k].der, it->der))
            return judge_no(f, FAIL_NO_KEY_REUSE,
                            "another device of the same message gave the same key");
    return 1;
}

/* For a bare key without a listed subject: serialNumber or CN, whichever the profile's rule finds.
 */
static int make_subject(const struct judge_rules *r, const struct judge_item *it,
                        struct buf *subject, struct judge_fail *f)
{
    static const char *const kinds[] = {"serialNumber=", "CN="};
    char why[X509_WHY];
    struct buf text = {0};
    for (size_t i = 0; !subject->n && i < 2; i++) {
        buf_reset(&text);
        buf_str(&text, kinds[i]);
        x509_name_quote(&text, it->device);
        if (!x509_name_parse((char *)text.d, subject, why) || !names_device(r, subject, it->device))
            buf_reset(subject);
    }
    buf_free(&text);
    return subject->n ||
           judge_no(f, FAIL_BAD_IDENTITY, "no subject can be made for \"%s\": the list must say it",
                    it->device);
}

static int judge_one(struct unit *u, const struct layers *m, size_t i, const struct judge_rules *r,
                     struct work *w, struct judge_fail *f)
{
    struct judge_item it;
    struct csv_row row;
    struct buf *subject = &w->subjects[w->n_subjects++];
    if (!judge_item(m, i, r, &it, f) || !alone(m, i, f))
        return 0;
    int listed = lots_device(u->lots, r->lot, it.device, &row);
    if (listed < 0)
        return judge_no(f, FAIL_INTERNAL_CA, "the device list of lot \"%s\" cannot be read",
                        r->lot->name);
    if (!listed)
        return judge_no(f, FAIL_BAD_IDENTITY, "device \"%s\" is not in the list of lot \"%s\"",
                        it.device, r->lot->name);
    if (!key_as_listed(&row, &it, f) || !listed_subject(u->lots, r, &row, it.device, subject, f))
        return 0;
    if (it.item->kind == CMC_KEY && !make_subject(r, &it, subject, f))
        return 0;
    struct span set = buf_span(subject);
    if (it.item->kind == CMC_KEY)
        it.asked.subject = set;
    else if (set.n && !buf_same(set, it.asked.subject))
        it.asked.set_subject = set;
    /* The signature is the dearest check: it comes last. */
    if (!profile_judge(r->profile, &it.asked, &f->code, f->why) || !judge_pop(&it, r, f))
        return 0;
    if (it.item->kind == CMC_KEY)
        w->crms[w->n_crms++] = (struct cmc_crm){it.item->id, set, it.item->der};
    else if (it.asked.set_subject.n)
        w->mods[w->n_mods++] =
            (struct cmc_mod){.ref = {it.item->id, 0}, .replace = 1, .subject = set};
    return 1;
}

static enum status judge(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    struct judge_rules r;
    struct judge_fail f;
    size_t n = m->request->n;
    struct work w = {.mods = alloc_zero(n, sizeof *w.mods),
                     .crms = alloc_zero(n, sizeof *w.crms),
                     .subjects = alloc_zero(n, sizeof *w.subjects)};
    (void)arg;
    int all = judge_rules(u, m, u->id, &r, &f);
    for (size_t i = 0; i < n; i++)
        if (!all || !judge_one(u, m, i, &r, &w, &f)) {
            const struct cmc_item *it = &m->request->items[i];
            judge_add(&w.refused, (struct cmc_ref){it->id, 0}, CMC_FAILED, (int)f.code, f.why);
            diag_note("%.*s: refused: %s", (int)it->device.n, (const char *)it->device.p, f.why);
        }
    struct cmc_wrap wrap = {.inner = m->layer[0].der,
                            .n_verdicts = w.refused.n,
                            .verdicts = w.refused.v,
                            .n_mods = w.n_mods,
                            .mods = w.mods,
                            .n_crms = w.n_crms,
                            .crms = w.crms};
    memcpy(wrap.tid, m->tid, CMC_TID);
    cmc_wrap_put(&wrap, PATH_VERIFY_UNIT, &out->content);
    out->owner = all ? r.lot->owner : NULL;
    work_free(&w);
    return ST_OK;
}

int main(int argc, char **argv)
{
    struct hop_judge j = {.up = judge};
    return (int)hop_main(
        PATH_VERIFY_UNIT,
        "Checks requests against the lot's device list, wraps and signs them; passes answers back.",
        &j, argc, argv);
}
