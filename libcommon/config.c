#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "buf.h"
#include "clock.h"
#include "config_priv.h"
#include "diag.h"
#include "io.h"

struct cfg *cfg_parse(const char *path, const void *text, size_t n)
{
    struct cfg *c = alloc_zero(1, sizeof *c);
    c->path = alloc_str(path);
    if (cfg_tree_parse(c, text, n))
        return c;
    cfg_free(c);
    return NULL;
}

struct cfg *cfg_load(const char *path)
{
    struct buf text = {0};
    struct cfg *c =
        io_read_file(path, CONFIG_OCTETS, &text) ? cfg_parse(path, text.d, text.n) : NULL;
    buf_free(&text);
    return c;
}

void cfg_free(struct cfg *c)
{
    if (!c)
        return;
    cfg_tree_free(c->root);
    for (size_t i = 0; i < c->owned; i++)
        free(c->own[i]);
    free(c->own);
    free(c->path);
    free(c);
}

const char *cfg_path(const struct cfg *c)
{
    return c->path;
}

const struct cfg_node *cfg_root(const struct cfg *c)
{
    return c->root;
}

enum cfg_kind cfg_kind(const struct cfg_node *n)
{
    return n->kind;
}

size_t cfg_size(const struct cfg_node *n)
{
    return n->items;
}

const struct cfg_node *cfg_item(const struct cfg_node *n, size_t i)
{
    assert(i < n->items);
    return n->item[i];
}

const struct cfg_node *cfg_key_node(const struct cfg_node *n, size_t i)
{
    assert(i < n->keys);
    return n->key[i];
}

const char *cfg_key(const struct cfg_node *n, size_t i)
{
    return cfg_key_node(n, i)->text;
}

const struct cfg_node *cfg_get(const struct cfg_node *n, const char *key)
{
    for (size_t i = 0; i < n->keys; i++)
        if (!strcmp(n->key[i]->text, key))
            return n->item[i];
    return NULL;
}

const char *cfg_text(const struct cfg_node *n)
{
    return n->text;
}

int cfg_bad(const struct cfg *c, const struct cfg_node *at, const char *fmt, ...)
{
    char why[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return diag_warn("%s:%lu:%lu: %s", c->path, at->line, at->column, why);
}

static void *own(struct cfg *c, void *p)
{
    if (!(c->owned & (c->owned - 1))) /* full at each power of two */
        c->own = alloc_grow(c->own, c->owned ? 2 * c->owned : 1, sizeof *c->own);
    return c->own[c->owned++] = p;
}

/* Says what `name` must be, and what it is. */
static int wrong(const struct cfg *c, const struct cfg_node *n, const char *name, const char *must)
{
    if (n->kind == CFG_SCALAR && n->text[0])
        return cfg_bad(c, n, "\"%s\" must be %s, not \"%s\"", name, must, n->text);
    return cfg_bad(c, n, "\"%s\" must be %s, not %s", name, must,
                   n->kind == CFG_MAP    ? "a mapping"
                   : n->kind == CFG_LIST ? "a list"
                                         : "empty");
}

static int is_string(const struct cfg_node *n)
{
    return n->kind == CFG_SCALAR && n->text[0];
}

static int is_quoted(const struct cfg_node *n)
{
    return n->kind == CFG_SCALAR && !n->plain;
}

static const char *string(struct cfg *c, const struct cfg_node *n, int is_path)
{
    return is_path ? own(c, io_beside(c->path, n->text)) : n->text;
}

static int strings(struct cfg *c, const struct cfg_node *n, const char *name, int is_path,
                   struct cfg_strings *out)
{
    size_t count = n->kind == CFG_LIST ? n->items : 1;
    const char **v = own(c, alloc_zero(count, sizeof *v));
    for (size_t i = 0; i < count; i++) {
        const struct cfg_node *one = n->kind == CFG_LIST ? n->item[i] : n;
        if (!is_string(one))
            return wrong(c, one, name, n == one ? "a list of strings" : "a list of strings only");
        v[i] = string(c, one, is_path);
    }
    out->v = v;
    out->n = count;
    return 1;
}

int cfg_strings(struct cfg *c, const struct cfg_node *n, struct cfg_strings *out)
{
    return strings(c, n, "value", 0, out);
}

static int boolean(const struct cfg *c, const struct cfg_node *n, const char *name, int *out)
{
    static const char *const word[] = {"false", "true", "no", "yes"};
    for (int i = 0; i < 4 && n->kind == CFG_SCALAR && n->plain; i++)
        if (!strcmp(n->text, word[i])) {
            *out = i & 1;
            return 1;
        }
    return wrong(c, n, name, is_quoted(n) ? "true or false without quotes" : "true or false");
}

static int choice(const struct cfg *c, const struct cfg_node *n, const struct cfg_field *f,
                  int *out)
{
    char must[400] = "one of";
    for (int i = 0; f->choices[i]; i++) {
        size_t at = strlen(must);
        if (n->kind == CFG_SCALAR && !strcmp(n->text, f->choices[i])) {
            *out = i;
            return 1;
        }
        snprintf(must + at, sizeof must - at, "%s %s", i ? "," : "", f->choices[i]);
    }
    return wrong(c, n, f->name, must);
}

/* A decimal number: no sign but "-", no leading zeros (octal in YAML 1.1), no other base. */
static int decimal(const char *s, int64_t *out)
{
    const char *d = s + (*s == '-');
    size_t n = strspn(d, "0123456789");
    if (!n || d[n] || (n > 1 && *d == '0'))
        return 0;
    errno = 0;
    *out = strtoll(s, NULL, 10);
    return !errno;
}

static int number(const struct cfg *c, const struct cfg_node *n, const struct cfg_field *f,
                  int64_t *out)
{
    char must[80];
    int64_t v;
    if (n->kind == CFG_SCALAR && n->plain && decimal(n->text, &v) && v >= f->min && v <= f->max) {
        *out = v;
        return 1;
    }
    snprintf(must, sizeof must, "a whole number from %lld to %lld%s", (long long)f->min,
             (long long)f->max, is_quoted(n) ? " without quotes" : "");
    return wrong(c, n, f->name, must);
}

static int duration(const struct cfg *c, const struct cfg_node *n, const struct cfg_field *f,
                    int64_t *out)
{
    char must[80];
    int64_t v;
    if (n->kind != CFG_SCALAR || !clock_duration(n->text, &v))
        return wrong(c, n, f->name, "a duration such as 90s, 15m, 24h, 30d, 2w or 20y");
    if (v >= f->min && (!f->max || v <= f->max)) {
        *out = v;
        return 1;
    }
    if (f->max)
        snprintf(must, sizeof must, "from %lld to %lld seconds", (long long)f->min,
                 (long long)f->max);
    else
        snprintf(must, sizeof must, "at least %lld seconds", (long long)f->min);
    return wrong(c, n, f->name, must);
}

static int value(struct cfg *c, const struct cfg_node *n, const struct cfg_field *f, void *to)
{
    switch (f->type) {
    case CFG_STRING:
    case CFG_PATH:
        if (!is_string(n))
            return wrong(c, n, f->name, f->type == CFG_PATH ? "a path" : "a string");
        *(const char **)to = string(c, n, f->type == CFG_PATH);
        return 1;
    case CFG_BOOL:
        return boolean(c, n, f->name, to);
    case CFG_INT:
        return number(c, n, f, to);
    case CFG_DURATION:
        return duration(c, n, f, to);
    case CFG_ENUM:
        return choice(c, n, f, to);
    case CFG_STRINGS:
    case CFG_PATHS:
        return strings(c, n, f->name, f->type == CFG_PATHS, to);
    case CFG_NODE:
        *(const struct cfg_node **)to = n;
        return 1;
    }
    assert(!"cfg_type");
    return 0;
}

static int unknown(const struct cfg *c, const struct cfg_node *key, const struct cfg_field *fields)
{
    struct buf known = {0};
    for (const struct cfg_field *f = fields; f->name; f++)
        buf_printf(&known, "%s%s", known.n ? ", " : "", f->name);
    cfg_bad(c, key, "unknown key \"%s\"", key->text);
    diag_hint("the keys here are %s", known.n ? (char *)known.d : "none");
    buf_free(&known);
    return 0;
}

int cfg_read(struct cfg *c, const struct cfg_node *map, const struct cfg_field *fields, void *out)
{
    if (map->kind != CFG_MAP)
        return cfg_bad(c, map, "a mapping must stand here, not %s",
                       map->kind == CFG_LIST ? "a list" : "a string");
    for (size_t i = 0; i < map->keys; i++) {
        const struct cfg_field *f = fields;
        while (f->name && strcmp(f->name, map->key[i]->text) != 0)
            f++;
        if (!f->name)
            return unknown(c, map->key[i], fields);
        if (!value(c, map->item[i], f, (char *)out + f->offset))
            return 0;
    }
    for (const struct cfg_field *f = fields; f->name; f++)
        if (f->required && !cfg_get(map, f->name))
            return cfg_bad(c, map, "key \"%s\" is missing", f->name);
    return 1;
}
