#include "csv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "buf.h"
#include "diag.h"

char *csv_expand(const struct csv_row *r, const char *text,
                 void (*quote)(struct buf *out, const char *field))
{
    struct buf out = {0};
    buf_str(&out, "");
    for (const char *p = text; *p; p++) {
        if (*p != '{' || p[1] == '{') {
            buf_char(&out, *p);
            p += *p == '{'; /* the first of two */
            continue;
        }
        const char *end = strchr(p, '}');
        if (!end) {
            diag_warn("template \"%s\": a brace is not closed", text);
            goto bad;
        }
        char *name = alloc_copy(p + 1, (size_t)(end - p - 1));
        const char *field = csv_get(r, name);
        if (!field)
            diag_warn("template \"%s\": there is no column \"%s\"", text, name);
        free(name);
        if (!field)
            goto bad;
        if (quote)
            quote(&out, field);
        else
            buf_str(&out, field);
        p = end;
    }
    return (char *)out.d;
bad:
    buf_free(&out);
    return NULL;
}
