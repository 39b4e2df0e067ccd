/* Which names a profile makes or takes: subject and subjectAltName templates, and the device's id.
 */
#include "profile_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)
#define WORD_MAX 64

static const unsigned char empty_name[] = {0x30, 0};

/* The word in braces at *p, which is moved behind it. */
static int take_word(const char **p, char word[WORD_MAX], char why[X509_WHY])
{
    const char *end = strchr(*p, '}');
    size_t n = end ? (size_t)(end - *p) - 1 : 0;
    if (!n || n >= WORD_MAX)
        return WHY("a template with a brace that nothing closes, or that is empty");
    memcpy(word, *p + 1, n);
    word[n] = 0;
    *p = end + 1;
    return 1;
}

static int word_value(const struct profile_words *w, const char *word, struct buf *value,
                      char why[X509_WHY])
{
    if (!strcmp(word, "device")) {
        buf_str(value, w->device);
        return 1;
    }
    int r = x509_name_get(w->subject, word, value);
    if (r == 1)
        return 1;
    return WHY("the profile makes a name from the request's %s, which %s", word,
               r ? "is malformed or there more than once" : "it does not have");
}

int profile_expand(const char *text, const struct profile_words *w,
                   void (*quote)(struct buf *out, const char *value), struct buf *out,
                   char why[X509_WHY])
{
    char word[WORD_MAX];
    struct buf value = {0};
    int ok = 1;
    while (ok && *text) {
        size_t plain = strcspn(text, "{");
        buf_put(out, text, plain);
        text += plain;
        if (*text == '{' && text[1] == '{') {
            buf_char(out, '{');
            text += 2;
        } else if (*text) {
            buf_reset(&value);
            buf_room(&value, WORD_MAX);
            ok = take_word(&text, word, why) && word_value(w, word, &value, why);
            if (ok && quote)
                quote(out, (char *)value.d);
            else if (ok)
                buf_put(out, value.d, value.n);
        }
    }
    buf_free(&value);
    return ok;
}

/* A template's braces hold "device" or an attribute that x509_name_get knows. */
static int check_words(const char *text, char why[X509_WHY])
{
    char word[WORD_MAX];
    struct buf none = {0};
    while (*(text += strcspn(text, "{"))) {
        if (text[1] == '{') {
            text += 2;
            continue;
        }
        if (!take_word(&text, word, why))
            return 0;
        if (strcmp(word, "device") &&
            x509_name_get((struct span){empty_name, sizeof empty_name}, word, &none))
            return WHY("{%s} is neither {device} nor an attribute of a name", word);
    }
    return 1;
}

/* Expands with every word replaced by "XX", which suits a country too. */
static char *rehearse(const char *text)
{
    struct buf out = {0};
    buf_str(&out, "");
    while (*text) {
        size_t plain = strcspn(text, "{");
        buf_put(&out, text, plain);
        text += plain;
        if (*text && text[1] == '{') {
            buf_char(&out, '{');
            text += 2;
        } else if (*text) {
            buf_str(&out, "XX");
            text = strchr(text, '}') + 1;
        }
    }
    return (char *)out.d;
}

static int check_subject(const struct profile *p, char why[X509_WHY])
{
    struct buf name = {0}, value = {0};
    int ok = 1;
    if (!p->t.subject)
        return 1;
    if (!check_words(p->t.subject, why))
        return 0;
    char *text = rehearse(p->t.subject);
    ok = x509_name_parse(text, &name, why);
    free(text);
    for (size_t i = 0; ok && i < p->t.required.n; i++)
        if (x509_name_get(buf_span(&name), p->t.required.v[i], &value) != 1)
            ok = WHY("the subject has no %.40s, which the profile requires", p->t.required.v[i]);
    buf_free(&name);
    buf_free(&value);
    return ok;
}

static int check_required(const struct profile *p, char why[X509_WHY])
{
    struct buf none = {0};
    for (size_t i = 0; i < p->t.required.n; i++)
        if (x509_name_get((struct span){empty_name, sizeof empty_name}, p->t.required.v[i], &none))
            return WHY("unknown attribute \"%.40s\"", p->t.required.v[i]);
    return 1;
}

static int add_template(struct profile *p, const char *text, char why[X509_WHY])
{
    struct buf der = {0};
    if (p->san_templates == PROFILE_TEMPLATES)
        return WHY("more than %d names", PROFILE_TEMPLATES);
    if (!check_words(text, why))
        return 0;
    char *trial = rehearse(text);
    /* an address or a URI made from a request cannot be tried with a stand-in */
    int ok =
        !strncmp(text, "ip:{", 4) || !strncmp(text, "uri:{", 5) || x509_san_parse(trial, &der, why);
    free(trial);
    buf_free(&der);
    if (ok)
        p->san_template[p->san_templates++] = alloc_str(text);
    return ok;
}

static int hardware(struct profile *p, char why[X509_WHY])
{
    if (!p->t.hardware_type)
        return 1;
    if (!strcmp(p->t.hardware_type, "asked")) {
        p->san_allow |= X509_SAN_HW;
        return 1;
    }
    p->san_allow &= ~X509_SAN_HW;
    char *text = alloc_printf("hardware-module-name:%s:{device}", p->t.hardware_type);
    int ok = add_template(p, text, why);
    free(text);
    return ok ? 1 : WHY("\"hardware-type\" is neither a dotted OID nor \"asked\"");
}

static int device_rule(struct profile *p, char why[X509_WHY])
{
    const char *rule = p->t.device;
    struct buf none = {0};
    if (!rule)
        return 1;
    p->device_san = x509_san_kind(!strncmp(rule, "san-", 4) ? rule + 4 : rule);
    if (!p->device_san && x509_name_get((struct span){empty_name, sizeof empty_name}, rule, &none))
        return WHY(
            "\"device\" is neither an attribute of a subject nor san-dns, san-ip, san-email, "
            "san-uri, hardware-module-name");
    return 1;
}

/* The set of kinds that a list names; `prefixed`: also as the beginning of a name, "uri:urn:". */
static int kinds(const struct cfg_strings *list, int prefixed, int *set, char why[X509_WHY])
{
    for (size_t i = 0; i < list->n; i++) {
        char *name = alloc_str(list->v[i]);
        name[prefixed ? strcspn(name, ":") : strlen(name)] = 0;
        int kind = x509_san_kind(name);
        free(name);
        if (!kind)
            return WHY("\"%.40s\" is none of dns, ip, email, uri, dn, hardware-module-name, "
                       "permanent-identifier",
                       list->v[i]);
        *set |= kind;
    }
    return 1;
}

int profile_compile_names(struct profile *p, const char **field, char why[X509_WHY])
{
    *field = "required-attributes";
    if (!check_required(p, why))
        return 0;
    *field = "subject";
    if (!check_subject(p, why))
        return 0;
    *field = "device";
    if (!device_rule(p, why))
        return 0;
    *field = "allow";
    if (!kinds(&p->t.san_allow, 1, &p->san_allow, why))
        return 0;
    *field = "exactly-one";
    if (!kinds(&p->t.san_one, 0, &p->san_one, why))
        return 0;
    *field = "template";
    for (size_t i = 0; i < p->t.san_template.n; i++)
        if (!add_template(p, p->t.san_template.v[i], why))
            return 0;
    *field = "hardware-type";
    return hardware(p, why);
}

/* The only subjectAltName of the kind that names the device. */
static int device_from_san(const struct profile *p, struct span extensions, struct buf *id,
                           char why[X509_WHY])
{
    struct x509_ext e;
    struct span list, name, found = {0};
    int r = x509_ext_get(extensions, "2.5.29.17", &e), kind;
    if (r < 0 || (r && (!x509_take(&e.value, 0x30, NULL, &list) || e.value.n)))
        return WHY("the requested subjectAltName is malformed");
    while (r && list.n) {
        if (!(kind = x509_san_take(&list, &name, why)))
            return 0;
        if (kind == p->device_san && found.n)
            return WHY("the request has several subjectAltNames of kind %s: which is the device's?",
                       x509_san_name(kind));
        if (kind == p->device_san)
            found = name;
    }
    if (!found.n)
        return WHY("the request has no subjectAltName of kind %s, which names the device",
                   x509_san_name(p->device_san));
    x509_san_value(found, id);
    return 1;
}

static int device_from_subject(const struct profile *p, struct span subject, struct buf *id,
                               char why[X509_WHY])
{
    const char *rule[] = {p->t.device ? p->t.device : "serialNumber", p->t.device ? NULL : "CN"};
    for (size_t i = 0; i < 2 && rule[i]; i++) {
        int r = x509_name_get(subject, rule[i], id);
        if (r < 0)
            return WHY("the subject's %s is malformed, or there more than once", rule[i]);
        if (r)
            return 1;
    }
    return WHY("the subject has no %s, which names the device",
               p->t.device ? p->t.device : "serialNumber and no CN");
}

int profile_device(const struct profile *p, struct span subject, struct span extensions,
                   struct buf *id, char why[X509_WHY])
{
    size_t start = id->n;
    int ok = p->device_san ? device_from_san(p, extensions, id, why)
                           : device_from_subject(p, subject, id, why);
    size_t n = id->n - start;
    if (ok && (!n || n > PROFILE_DEVICE_MAX || !x509_text_ok(id->d + start, n)))
        ok = WHY("the device's id is not 1 to %d octets of UTF-8 without control characters",
                 PROFILE_DEVICE_MAX);
    if (!ok)
        id->n = start;
    return ok;
}
