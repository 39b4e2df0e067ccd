/* What people are told of names that became others than were asked. */
#include "profile_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define EXPLAIN_MAX 2000
#define VALUE_MAX 120
#define ATTRIBUTES 16 /* of a name that x509_name_each walks to its end */

struct attributes {
    struct {
        char *type, *value;
        int same; /* the other name has it too */
    } v[ATTRIBUTES];
    size_t n;
};

static int add(const char *type, const char *value, void *arg)
{
    struct attributes *a = arg;
    if (a->n == ATTRIBUTES)
        return 0;
    a->v[a->n].type = alloc_str(type);
    a->v[a->n].value = alloc_str(value);
    a->v[a->n++].same = 0;
    return 1;
}

static void attributes_free(struct attributes *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->v[i].type);
        free(a->v[i].value);
    }
}

/* Appends a value in quotes, cut between two characters. */
static void put_quoted(struct buf *out, const char *value)
{
    size_t n = strlen(value), most = n;
    if (n > VALUE_MAX)
        for (most = VALUE_MAX; most && ((unsigned char)value[most] & 0xc0) == 0x80;)
            most--;
    buf_char(out, '"');
    buf_put(out, value, most);
    buf_str(out, most < n ? "...\"" : "\"");
}

static int begin(struct buf *out, const char *field, const char *type)
{
    if (out->n > EXPLAIN_MAX)
        return 0;
    buf_printf(out, "%s%s%s%s", out->n ? "; " : "", field, *type ? " " : "", type);
    return 1;
}

/* The attribute of that type in `b` that is not matched yet: it stands in the other's place. */
static size_t rival(const struct attributes *b, const char *type)
{
    size_t k = 0;
    while (k < b->n && (b->v[k].same || strcmp(b->v[k].type, type)))
        k++;
    return k;
}

static void match(struct attributes *a, struct attributes *b)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n && !a->v[i].same; k++)
            if (!b->v[k].same && !strcmp(a->v[i].type, b->v[k].type) &&
                !strcmp(a->v[i].value, b->v[k].value))
                a->v[i].same = b->v[k].same = 1;
}

static void compare(const struct attributes *was, struct attributes *is, const char *who,
                    struct buf *out)
{
    for (size_t i = 0; i < was->n; i++) {
        if (was->v[i].same || !begin(out, "subject", was->v[i].type))
            continue;
        size_t k = rival(is, was->v[i].type);
        buf_str(out, " was ");
        put_quoted(out, was->v[i].value);
        buf_printf(out, k < is->n ? ", %s says " : ", %s says none", who);
        if (k < is->n) {
            put_quoted(out, is->v[k].value);
            is->v[k].same = 1;
        }
    }
}

void profile_explain_subject(struct span asked, struct span said, const char *who, struct buf *out)
{
    struct attributes was = {.n = 0}, is = {.n = 0};
    size_t start = out->n;
    if (asked.n <= 2 || buf_same(asked, said))
        return;
    if (x509_name_each(asked, add, &was) == 1 && x509_name_each(said, add, &is) == 1) {
        match(&was, &is);
        compare(&was, &is, who, out);
        /* the same attributes: in another order, or only in another encoding */
        char *a = x509_name_text(asked), *b = x509_name_text(said);
        if (out->n == start && was.n == is.n && a && b && strcmp(a, b) && begin(out, "subject", ""))
            buf_printf(out, " was in another order than %s says", who);
        free(a);
        free(b);
    }
    attributes_free(&was);
    attributes_free(&is);
}

/* "dns:a, dns:b": those of `names` that are not in `others`. */
static size_t put_others(struct span names, struct span others, struct buf *text)
{
    char why[X509_WHY];
    struct span list = {0}, name, rest, other;
    size_t n = 0;
    x509_take(&names, 0x30, NULL, &list);
    while (list.n && x509_san_take(&list, &name, why)) {
        struct span in = others;
        int found = 0;
        rest = (struct span){0};
        x509_take(&in, 0x30, NULL, &rest);
        while (!found && rest.n && x509_san_take(&rest, &other, why))
            found = buf_same(name, other);
        if (found)
            continue;
        if (n++)
            buf_str(text, ", ");
        x509_san_text(name, text);
    }
    return n;
}

void profile_explain_san(struct span asked, struct span said, const char *who, struct buf *out)
{
    struct buf was = {0}, is = {0};
    size_t gone = put_others(asked, said, &was), come = put_others(said, asked, &is);
    if (said.n && gone && begin(out, "subjectAltName", "")) {
        buf_str(out, " was ");
        put_quoted(out, (char *)was.d);
        buf_printf(out, come ? ", %s says " : ", %s says none", who);
        if (come)
            put_quoted(out, (char *)is.d);
    }
    buf_free(&was);
    buf_free(&is);
}
