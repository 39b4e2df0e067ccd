/* The extensions of one certificate (RFC 5280, 4.2). */
#include "profile_priv.h"

#include <stdio.h>
#include <string.h>

#define SAN_MAX 64
#define SAN_OCTETS 8192

static int refuse(struct profile_result *out, enum profile_fail fail, const char *why)
{
    out->fail = fail;
    if (why != out->why)
        snprintf(out->why, sizeof out->why, "%s", why);
    return 0;
}

struct profile_ext profile_ext_begin(struct buf *out, int arc, int critical)
{
    static const unsigned char aia[] = {0x2b, 6, 1, 5, 5, 7, 1, 1}, yes[] = {1, 1, 0xff};
    unsigned char ce[] = {0x55, 0x1d, (unsigned char)arc};
    struct profile_ext e = {.start = out->n};
    if (arc == PROFILE_EXT_AIA)
        x509_put(out, 0x06, aia, sizeof aia);
    else
        x509_put(out, 0x06, ce, sizeof ce);
    if (critical)
        buf_put(out, yes, sizeof yes);
    e.value = out->n;
    return e;
}

void profile_ext_end(struct buf *out, struct profile_ext e)
{
    x509_wrap(out, e.value, 0x04);
    x509_wrap(out, e.start, 0x30);
}

static int has(struct span list, struct span name)
{
    struct span one;
    while (list.n && x509_take(&list, list.p[0], &one, NULL))
        if (buf_same(one, name))
            return 1;
    return 0;
}

/* Whether `allow` has the kind, or the name's beginning. */
static int listed(const struct cfg_strings *allow, int kind, struct span name)
{
    struct buf text = {0};
    int found = 0;
    for (size_t i = 0; !found && i < allow->n; i++)
        found = !strcmp(allow->v[i], x509_san_name(kind));
    if (!found)
        x509_san_text(name, &text);
    for (size_t i = 0; !found && i < allow->n; i++)
        found =
            strchr(allow->v[i], ':') && !strncmp(allow->v[i], (char *)text.d, strlen(allow->v[i]));
    buf_free(&text);
    return found;
}

/* Whether the profile lets a name of this kind through. */
static int granted(const struct profile *p, int kind, struct span name)
{
    struct span content;
    if (!(kind & p->san_allow))
        return 0;
    if (kind == X509_SAN_HW && p->t.hardware_type)
        return 1; /* asked */
    if (!listed(&p->t.san_allow, kind, name))
        return 0;
    if (kind != X509_SAN_DNS || p->t.wildcards)
        return 1;
    return !x509_take(&name, 0x82, NULL, &content) || content.p[0] != '*';
}

/* Of each kind that `exactly-one` names there is one among these names. */
static int check_one(const struct profile *p, struct span names, struct profile_result *out)
{
    for (int kind = 1; kind <= X509_SAN_PERM; kind <<= 1) {
        struct span list = names, name;
        int n = 0;
        if (!(kind & p->san_one))
            continue;
        while (list.n && (n < 2))
            n += x509_san_take(&list, &name, out->why) == kind;
        if (n == 1)
            continue;
        snprintf(out->why, sizeof out->why, "profile %s needs one subjectAltName of kind %s: %s",
                 p->t.name, x509_san_name(kind), n ? "there are several" : "there is none");
        return refuse(out, FAIL_BAD_IDENTITY, out->why);
    }
    return 1;
}

/* GeneralNames into the names that begin at `from` of out->extensions, where the profile
 * lets them; the others are reported. `listed`: the lot says them, not the request. */
static int take_names(const struct profile *p, struct span names, size_t from, int listed,
                      struct profile_result *out)
{
    struct buf *b = &out->extensions;
    struct span list, name;
    int kind, n = 0;
    if (!x509_take(&names, 0x30, NULL, &list) || names.n || !list.n)
        return refuse(out, FAIL_BAD_REQUEST, "a subjectAltName that is malformed");
    while (list.n) {
        if (n++ == SAN_MAX)
            return refuse(out, FAIL_BAD_REQUEST, "more than 64 subjectAltNames");
        if (!(kind = x509_san_take(&list, &name, out->why)))
            return refuse(out, FAIL_BAD_REQUEST, out->why);
        if (has((struct span){b->d + from, b->n - from}, name))
            continue;
        if (granted(p, kind, name)) {
            buf_put(b, name.p, name.n);
        } else {
            struct buf text = {0};
            x509_san_text(name, &text);
            profile_differ(out, "subjectAltName %.120s was %s and left out", (char *)text.d,
                           listed ? "in the list" : "asked");
            buf_free(&text);
        }
    }
    return b->n - from <= SAN_OCTETS
               ? 1
               : refuse(out, FAIL_BAD_REQUEST, "subjectAltNames of more than 8192 octets");
}

static int make_names(const struct profile *p, const struct profile_words *w,
                      struct profile_result *out)
{
    struct buf text = {0};
    int ok = 1;
    for (size_t i = 0; ok && i < p->san_templates; i++) {
        const char *t = p->san_template[i];
        buf_reset(&text);
        ok = profile_expand(t, w, strncmp(t, "dn:", 3) ? NULL : x509_name_quote, &text, out->why) &&
             x509_san_parse((char *)text.d, &out->extensions, out->why);
    }
    buf_free(&text);
    return ok ? 1 : refuse(out, FAIL_BAD_IDENTITY, out->why);
}

static int put_san(const struct profile *p, const struct profile_asked *a,
                   const struct profile_words *w, struct profile_result *out)
{
    struct buf *b = &out->extensions;
    struct x509_ext asked = {0};
    int is_asked = x509_ext_get(a->extensions, "2.5.29.17", &asked);
    /* a certificate without a subject is known by these names alone, 4.2.1.6 */
    struct profile_ext e = profile_ext_begin(b, 17, p->critical & CRIT_SAN || out->subject.n <= 2);
    if (is_asked < 0)
        return refuse(out, FAIL_BAD_REQUEST, "the requested subjectAltName is malformed");
    if (!make_names(p, w, out))
        return 0;
    if (a->set_san.n)
        profile_explain_san(asked.value, a->set_san, "the list", &out->differences);
    struct span names = a->set_san.n ? a->set_san : asked.value;
    if (names.n && !take_names(p, names, e.value, a->set_san.n != 0, out))
        return 0;
    if (!check_one(p, (struct span){b->d + e.value, b->n - e.value}, out))
        return 0;
    if (b->n == e.value) {
        b->n = e.start;
        if (!p->t.san_required)
            return 1;
        snprintf(out->why, sizeof out->why, "profile %s needs a subjectAltName that it allows",
                 p->t.name);
        return refuse(out, FAIL_BAD_IDENTITY, out->why);
    }
    x509_wrap(b, e.value, 0x30);
    profile_ext_end(b, e);
    return 1;
}

static void put_ski(struct span spki, struct buf *out)
{
    unsigned char id[20];
    x509_key_id(spki, id);
    struct profile_ext e = profile_ext_begin(out, 14, 0);
    x509_put(out, 0x04, id, sizeof id);
    profile_ext_end(out, e);
}

static void put_key_of(struct span id, struct buf *out)
{
    struct profile_ext e = profile_ext_begin(out, 35, 0);
    x509_put(out, 0x80, id.p, id.n);
    x509_wrap(out, e.value, 0x30);
    profile_ext_end(out, e);
}

/* The issuer's own key identifier where it has one, 4.2.1.1. */
static int put_aki(const struct x509_cert *issuer, struct buf *out)
{
    unsigned char id[20];
    struct x509_ext ski;
    struct span key;
    if (x509_ext_get(issuer->extensions, "2.5.29.14", &ski) != 1 ||
        !x509_take(&ski.value, 0x04, NULL, &key) || !key.n) {
        if (!x509_key_id(issuer->spki, id))
            return 0;
        key = (struct span){id, sizeof id};
    }
    put_key_of(key, out);
    return 1;
}

static void put_own_aki(struct span spki, struct buf *out)
{
    unsigned char id[20];
    x509_key_id(spki, id);
    put_key_of((struct span){id, sizeof id}, out);
}

int profile_put_extensions(const struct profile *p, const struct profile_asked *asked,
                           const struct x509_cert *issuer, const struct profile_words *words,
                           struct profile_result *out)
{
    struct x509_key_info key;
    struct buf *b = &out->extensions;
    x509_key_info(asked->spki, &key);
    buf_put(b, p->head[key.kind].d, p->head[key.kind].n);
    if (!put_san(p, asked, words, out))
        return 0;
    if (p->t.ski)
        put_ski(asked->spki, b);
    if (!issuer && p->t.aki)
        put_own_aki(asked->spki, b);
    if (issuer && !put_aki(issuer, b))
        return refuse(out, FAIL_INTERNAL_CA, "the issuer's key is malformed");
    buf_put(b, p->tail.d, p->tail.n);
    buf_put(b, p->raw.d, p->raw.n);
    x509_wrap(b, 0, 0x30);
    return 1;
}
