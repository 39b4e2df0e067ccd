/* The names that a lot's templates make. */
#include "lot_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define WHY(...) (snprintf(why, LOT_WHY, __VA_ARGS__), 0)
#define COLUMN_MAX 60 /* octets of a column's name that a sentence shows */

/* --- when they are read --- */

/* The first column of the template that `has` does not know, in `column`: 1; 0: none; -1: a brace
 * is not closed. */
static int lacks(const char *text, int (*has)(const void *arg, const char *name), const void *arg,
                 char **column)
{
    const char *name;
    size_t n;
    int r;
    while ((r = csv_template_next(&text, &name, &n)) > 0) {
        *column = alloc_copy(name, n);
        if (!has(arg, *column))
            return 1;
        free(*column);
    }
    return r;
}

static int is_serial(const void *arg, const char *name)
{
    (void)arg;
    return !strcmp(name, "serial");
}

static int in_list(const void *csv, const char *name)
{
    return csv_column(csv, name) >= 0;
}

static int any_name(const void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return 1;
}

static int template_read(const struct lots *ls, const struct cfg_node *at, const struct lot *l,
                         const char *text)
{
    char *column;
    int r = lacks(text, l->devices ? any_name : is_serial, NULL, &column);
    if (!r)
        return 1;
    if (r < 0)
        return cfg_bad(ls->cfg, at, "template \"%s\": a brace is not closed", text);
    cfg_bad(ls->cfg, at,
            "template \"%s\": there is no column \"%s\", a lot without a list has {serial} only",
            text, column);
    free(column);
    return 0;
}

int lot_templates_read(struct lots *ls, const struct cfg_node *node, const struct lot *l)
{
    const struct cfg_node *san = cfg_get(node, "san");
    if (l->subject && !template_read(ls, cfg_get(node, "subject"), l, l->subject))
        return 0;
    if (l->san.n > LOT_SAN)
        return cfg_bad(ls->cfg, san, "more than %d names in \"san\"", LOT_SAN);
    for (size_t i = 0; i < l->san.n; i++) {
        const struct cfg_node *at = cfg_kind(san) == CFG_LIST ? cfg_item(san, i) : san;
        const char *t = l->san.v[i], *colon = strchr(t, ':');
        char *kind = alloc_copy(t, colon ? (size_t)(colon - t) : 0);
        int known = x509_san_kind(kind);
        free(kind);
        if (!known)
            return cfg_bad(ls->cfg, at,
                           "template \"%s\" does not begin with dns:, ip:, email:, uri:, dn:, "
                           "hardware-module-name: or permanent-identifier:",
                           t);
        if (!template_read(ls, at, l, t))
            return 0;
    }
    return 1;
}

int lot_templates_fit(const struct lot *l, const struct csv *csv)
{
    for (size_t i = 0; i <= l->san.n; i++) {
        const char *text = i ? l->san.v[i - 1] : l->subject;
        char *column;
        if (!text || lacks(text, in_list, csv, &column) <= 0)
            continue;
        diag_warn("lot %s: template \"%s\": there is no column \"%s\" in %s", l->name, text, column,
                  csv_path(csv));
        free(column);
        return 0;
    }
    return 1;
}

/* --- when they are used --- */

/* A name with a hole in it is not what the lot means. */
static int fields_there(const struct csv_row *row, const char *text, char why[LOT_WHY])
{
    const char *name;
    size_t n;
    int ok = 1;
    while (ok && csv_template_next(&text, &name, &n) > 0) {
        char *column = alloc_copy(name, n);
        const char *field = csv_get(row, column);
        if (!field || !*field)
            ok = WHY("the column \"%.*s\" is empty", COLUMN_MAX, column);
        free(column);
    }
    return ok;
}

static int put_subject(const char *text, struct buf *out, char why[LOT_WHY])
{
    char bad[X509_WHY];
    return x509_name_parse(text, out, bad) || WHY("subject: %s", bad);
}

static int template_subject(const struct csv_row *row, const char *text, struct buf *out,
                            char why[LOT_WHY])
{
    if (!fields_there(row, text, why))
        return 0;
    char *name = csv_expand(row, text, x509_name_quote);
    int ok = name ? put_subject(name, out, why) : WHY("the template does not fit the list");
    free(name);
    return ok;
}

static int template_san(const struct csv_row *row, const char *text, struct buf *out,
                        char why[LOT_WHY])
{
    char bad[X509_WHY];
    if (!fields_there(row, text, why))
        return 0;
    char *name = csv_expand(row, text, strncmp(text, "dn:", 3) ? NULL : x509_name_quote);
    int ok = name ? x509_san_parse(name, out, bad) || WHY("san: %s", bad)
                  : WHY("the template does not fit the list");
    free(name);
    return ok;
}

static int make_names(const struct lot *l, const struct csv_row *row, struct buf *subject,
                      struct buf *san, char why[LOT_WHY])
{
    const char *own = csv_get(row, "subject");
    size_t start = san->n;
    if (l->subject ? !template_subject(row, l->subject, subject, why)
                   : own && *own && !put_subject(own, subject, why))
        return 0;
    for (size_t i = 0; i < l->san.n; i++)
        if (!template_san(row, l->san.v[i], san, why))
            return 0;
    if (l->san.n)
        x509_wrap(san, start, 0x30);
    return 1;
}

int lot_templates_work(const struct lot *l, const char *path)
{
    struct csv *csv = csv_open_file(path);
    struct csv_row row;
    struct buf subject = {0}, san = {0};
    char why[LOT_WHY];
    int r, bad = !csv;
    while (csv && bad < LOT_BAD_ROWS && (r = csv_next(csv, &row)) != 0) {
        buf_reset(&subject);
        buf_reset(&san);
        if (r > 0 && make_names(l, &row, &subject, &san, why))
            continue;
        if (r > 0)
            diag_warn("%s:%lu: %s", path, row.line, why);
        bad++;
    }
    if (bad == LOT_BAD_ROWS)
        diag_warn("%s: and so on", path);
    buf_free(&subject);
    buf_free(&san);
    csv_close(csv);
    return !bad;
}

int lots_names(struct lots *ls, const struct lot *l, const char *device, const struct csv_row *row,
               struct buf *subject, struct buf *san, char why[LOT_WHY])
{
    static const char *const names[] = {"serial"};
    struct csv_row alone = {.n = 1, .names = names, .v = &device};
    char bad[LOT_WHY];
    if (make_names(l, row->n ? row : &alone, subject, san, bad))
        return 1;
    if (row->n)
        return WHY("line %lu of the device list: %.240s", lots_line(ls, l, row), bad);
    return WHY("the names of \"%.40s\": %.200s", device, bad);
}
