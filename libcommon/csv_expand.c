#include "csv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "buf.h"
#include "diag.h"

int csv_template_next(const char **text, const char **column, size_t *n)
{
    const char *p = *text;
    while (*(p += strcspn(p, "{")) && p[1] == '{')
        p += 2;
    const char *end = *p ? strchr(p, '}') : p;
    if (!end)
        return -1;
    *text = end;
    if (!*p)
        return 0;
    *column = p + 1;
    *n = (size_t)(end - p - 1);
    ++*text;
    return 1;
}

/* What stands between columns: {{ is a brace. */
static void put_plain(struct buf *out, const char *p, const char *end)
{
    for (; p < end; p++) {
        buf_char(out, *p);
        p += *p == '{';
    }
}

char *csv_expand(const struct csv_row *r, const char *text,
                 void (*quote)(struct buf *out, const char *field))
{
    struct buf out = {0};
    const char *p = text, *from = text, *column;
    size_t n;
    int more;
    buf_str(&out, "");
    while ((more = csv_template_next(&p, &column, &n)) > 0) {
        char *name = alloc_copy(column, n);
        const char *field = csv_get(r, name);
        put_plain(&out, from, column - 1);
        if (!field)
            diag_warn("template \"%s\": there is no column \"%s\"", text, name);
        else if (quote)
            quote(&out, field);
        else
            buf_str(&out, field);
        free(name);
        if (!field)
            goto bad;
        from = p;
    }
    put_plain(&out, from, p);
    if (!more)
        return (char *)out.d;
    diag_warn("template \"%s\": a brace is not closed", text);
bad:
    buf_free(&out);
    return NULL;
}
