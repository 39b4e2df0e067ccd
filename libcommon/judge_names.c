/* The lot is the authority on names: what it says of a device, and whether that is what a request
 * gets. */
#include "judge_priv.h"

#include <stdlib.h>
#include <string.h>

/* What the list says of the key, where it says anything. */
static int key_as_listed(const struct csv_row *row, const struct judge_item *it,
                         struct judge_fail *f)
{
    unsigned char want[X509_HASH], hash[X509_HASH];
    int says = lot_listed_key(row, want);
    x509_key_hash(it->asked.spki, hash);
    return !says || (says > 0 && !memcmp(want, hash, sizeof hash)) ||
           judge_no(f, FAIL_BAD_IDENTITY, "the key is not the one that the list has for %s",
                    it->device);
}

/* Whether the profile's rule finds this device in a certificate of these names; the request's own
 * stand where the lot says none. */
static int names_device(const struct judge_rules *r, const struct judge_item *it,
                        const struct judge_names *n)
{
    char why[X509_WHY];
    struct buf id = {0};
    struct profile_asked a = {.subject = it->asked.subject, .extensions = it->asked.extensions};
    a.set_subject = buf_span(&n->subject);
    a.set_san = buf_span(&n->san);
    int same = judge_device(r->profile, &a, &id, why) && !strcmp((char *)id.d, it->device);
    buf_free(&id);
    return same;
}

/* For a bare key whose subject the lot does not say: serialNumber or CN, whichever the profile's
 * rule finds. */
static int default_subject(const struct judge_rules *r, const struct judge_item *it,
                           struct judge_names *n, struct judge_fail *f)
{
    static const char *const kinds[] = {"serialNumber=", "CN="};
    char why[X509_WHY];
    struct buf text = {0};
    for (size_t i = 0; !n->subject.n && i < 2; i++) {
        buf_reset(&text);
        buf_str(&text, kinds[i]);
        x509_name_quote(&text, it->device);
        if (!x509_name_parse((char *)text.d, &n->subject, why) || !names_device(r, it, n))
            buf_reset(&n->subject);
    }
    buf_free(&text);
    return n->subject.n ||
           judge_no(f, FAIL_BAD_IDENTITY, "no subject can be made for \"%s\": the lot must say it",
                    it->device);
}

static int find(struct unit *u, const struct judge_rules *r, const struct judge_item *it,
                struct csv_row *row, struct judge_fail *f)
{
    int listed = lots_device(u->lots, r->lot, it->device, row);
    if (listed < 0)
        return judge_no(f, FAIL_INTERNAL_CA, "the device list of lot \"%s\" cannot be read",
                        r->lot->name);
    if (!listed && r->lot->pattern)
        return judge_no(f, FAIL_BAD_IDENTITY, "device \"%s\" is not of the pattern of lot \"%s\"",
                        it->device, r->lot->name);
    return listed ||
           judge_no(f, FAIL_BAD_IDENTITY, "device \"%s\" is not in the list of lot \"%s\"",
                    it->device, r->lot->name);
}

int judge_names(struct unit *u, const struct judge_rules *r, const struct judge_item *it,
                struct judge_names *out, struct judge_fail *f)
{
    struct csv_row row;
    char why[LOT_WHY];
    if (!find(u, r, it, &row, f) || !key_as_listed(&row, it, f))
        return 0;
    if (!lots_names(u->lots, r->lot, it->device, &row, &out->subject, &out->san, why))
        return judge_no(f, FAIL_INTERNAL_CA, "%s", why);
    if (!out->subject.n && it->item->kind == CMC_KEY)
        return default_subject(r, it, out, f);
    if ((!out->subject.n && !out->san.n) || names_device(r, it, out))
        return 1;
    unsigned long line = lots_line(u->lots, r->lot, &row);
    if (line)
        return judge_no(f, FAIL_INTERNAL_CA,
                        "line %lu of the device list: the subject is not of device \"%s\"", line,
                        it->device);
    return judge_no(f, FAIL_INTERNAL_CA, "the names that lot \"%s\" makes are not of device \"%s\"",
                    r->lot->name, it->device);
}

void judge_names_free(struct judge_names *n)
{
    buf_free(&n->subject);
    buf_free(&n->san);
}

/* One field of names: `said` by the lot here, `set` by verify-unit, `asked` by the device. A set
 * field is compared with what the lot says even where it repeats what was asked. */
static int kept(const char *field, struct span said, struct span set, struct span asked,
                const struct judge_item *it, struct judge_fail *f)
{
    if (!said.n)
        return !set.n || judge_no(f, FAIL_BAD_IDENTITY,
                                  "verify-unit set a %s for \"%s\", and the lot here says none",
                                  field, it->device);
    if (buf_same(said, set.n ? set : asked))
        return 1;
    return judge_no(f, FAIL_BAD_IDENTITY, "the %s of \"%s\" is not what the lot here says%s", field,
                    it->device,
                    set.n || it->item->kind == CMC_KEY ? "" : ", and verify-unit left it");
}

int judge_names_kept(struct unit *u, const struct judge_rules *r, const struct judge_item *it,
                     struct judge_fail *f)
{
    const struct profile_asked *a = &it->asked;
    struct judge_names n = {.subject = {0}};
    int ok = judge_names(u, r, it, &n, f) &&
             kept("subject", buf_span(&n.subject), a->set_subject, a->subject, it, f) &&
             kept("subjectAltName", buf_span(&n.san), a->set_san, it->san, it, f);
    judge_names_free(&n);
    return ok;
}
