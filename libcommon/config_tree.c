#include "config_priv.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "alloc.h"
#include "buf.h"
#include "diag.h"

struct load {
    struct cfg *c;
    yaml_parser_t parser;
    struct span input;
    struct cfg_node *open[CONFIG_DEPTH]; /* from the root inward */
    size_t depth, nodes;
    int documents;
};

void cfg_tree_free(struct cfg_node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->items; i++)
        cfg_tree_free(n->item[i]);
    for (size_t i = 0; i < n->keys; i++)
        cfg_tree_free(n->key[i]);
    free(n->item);
    free(n->key);
    free(n->text);
    free(n);
}

static int bad_at(const struct load *l, yaml_mark_t at, const char *why)
{
    return diag_warn("%s:%zu:%zu: %s", l->c->path, at.line + 1, at.column + 1, why);
}

/* libyaml's reader knows only the octet where the encoding breaks. */
static int bad_octet(const struct load *l)
{
    yaml_mark_t at = {0};
    size_t n = l->parser.problem_offset < l->input.n ? l->parser.problem_offset : l->input.n;
    for (size_t i = 0; i < n; i++) {
        if (l->input.p[i] == '\n') {
            at.line++;
            at.column = 0;
        } else {
            at.column += (l->input.p[i] & 0xc0) != 0x80;
        }
    }
    return bad_at(l, at, l->parser.problem);
}

static int bad_yaml(const struct load *l)
{
    const yaml_parser_t *p = &l->parser;
    char why[256];
    if (p->error == YAML_MEMORY_ERROR)
        diag_exit(ST_TEMP, "%s: memory", l->c->path);
    if (p->error == YAML_READER_ERROR)
        return bad_octet(l);
    snprintf(why, sizeof why, "%s%s%s", p->problem ? p->problem : "not YAML", p->context ? " " : "",
             p->context ? p->context : "");
    return bad_at(l, p->problem_mark, why);
}

static void add(struct cfg_node ***to, size_t *n, struct cfg_node *what)
{
    if (!(*n & (*n - 1))) /* full at each power of two */
        *to = alloc_grow(*to, *n ? 2 * *n : 1, sizeof **to);
    (*to)[(*n)++] = what;
}

/* Puts a node where it belongs; from then on the tree owns it. */
static int attach(struct load *l, struct cfg_node *n, yaml_mark_t at)
{
    struct cfg_node *up = l->depth ? l->open[l->depth - 1] : NULL;
    if (!up)
        l->c->root = n;
    else if (up->kind == CFG_LIST || up->keys > up->items)
        add(&up->item, &up->items, n);
    else
        add(&up->key, &up->keys, n);
    if (up && up->keys > up->items && up->key[up->keys - 1] == n) {
        if (n->kind != CFG_SCALAR)
            return bad_at(l, at, "a key must be a string");
        if (!n->text[0])
            return bad_at(l, at, "an empty key");
    }
    return 1;
}

static int push(struct load *l, struct cfg_node *n, yaml_mark_t at)
{
    if (l->depth == CONFIG_DEPTH) {
        char why[64];
        snprintf(why, sizeof why, "nested deeper than %d levels", CONFIG_DEPTH);
        return bad_at(l, at, why);
    }
    l->open[l->depth++] = n;
    return 1;
}

static int node(struct load *l, const yaml_event_t *e, enum cfg_kind kind)
{
    yaml_mark_t at = e->start_mark;
    if (++l->nodes > CONFIG_NODES) {
        char why[64];
        snprintf(why, sizeof why, "more than %d values in one file", CONFIG_NODES);
        return bad_at(l, at, why);
    }
    struct cfg_node *n = alloc_zero(1, sizeof *n);
    n->kind = kind;
    n->line = at.line + 1;
    n->column = at.column + 1;
    if (kind == CFG_SCALAR) {
        n->text = alloc_copy(e->data.scalar.value, e->data.scalar.length);
        n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    }
    if (!attach(l, n, at))
        return 0;
    if (kind == CFG_SCALAR && strlen(n->text) != e->data.scalar.length)
        return bad_at(l, at, "a NUL character in a string");
    return kind == CFG_SCALAR || push(l, n, at);
}

static int by_text(const void *a, const void *b)
{
    const struct cfg_node *x = *(struct cfg_node *const *)a, *y = *(struct cfg_node *const *)b;
    int c = strcmp(x->text, y->text);
    if (!c)
        c = x->line != y->line ? (x->line > y->line) - (x->line < y->line)
                               : (x->column > y->column) - (x->column < y->column);
    return c;
}

/* At the end of a mapping, through a sorted copy of its keys: it may have very many. */
static int keys_differ(const struct load *l, const struct cfg_node *map)
{
    int ok = 1;
    if (map->keys < 2)
        return 1;
    struct cfg_node **sorted = alloc_zero(map->keys, sizeof *sorted);
    memcpy(sorted, map->key, map->keys * sizeof *sorted);
    qsort(sorted, map->keys, sizeof *sorted, by_text);
    for (size_t i = 1; ok && i < map->keys; i++)
        if (!strcmp(sorted[i - 1]->text, sorted[i]->text))
            ok = cfg_bad(l->c, sorted[i], "key \"%s\" is repeated, it stands in line %lu already",
                         sorted[i]->text, sorted[i - 1]->line);
    free(sorted);
    return ok;
}

/* Anchors and tags are refused: nothing here needs them, and aliases make bombs. */
static int plain_yaml(const struct load *l, const yaml_event_t *e, const yaml_char_t *anchor,
                      const yaml_char_t *tag)
{
    if (anchor)
        return bad_at(l, e->start_mark, "anchors are not allowed");
    if (tag)
        return bad_at(l, e->start_mark, "tags are not allowed");
    return 1;
}

static int take(struct load *l, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return !l->documents++ || bad_at(l, e->start_mark, "only one document is allowed");
    case YAML_ALIAS_EVENT:
        return bad_at(l, e->start_mark, "aliases are not allowed");
    case YAML_SCALAR_EVENT:
        return plain_yaml(l, e, e->data.scalar.anchor, e->data.scalar.tag) &&
               node(l, e, CFG_SCALAR);
    case YAML_SEQUENCE_START_EVENT:
        return plain_yaml(l, e, e->data.sequence_start.anchor, e->data.sequence_start.tag) &&
               node(l, e, CFG_LIST);
    case YAML_MAPPING_START_EVENT:
        return plain_yaml(l, e, e->data.mapping_start.anchor, e->data.mapping_start.tag) &&
               node(l, e, CFG_MAP);
    case YAML_MAPPING_END_EVENT:
        return keys_differ(l, l->open[--l->depth]);
    case YAML_SEQUENCE_END_EVENT:
        l->depth--;
        return 1;
    default:
        return 1;
    }
}

static int events(struct load *l)
{
    for (;;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&l->parser, &e))
            return bad_yaml(l);
        int end = e.type == YAML_STREAM_END_EVENT, ok = take(l, &e);
        yaml_event_delete(&e);
        if (!ok || end)
            return ok;
    }
}

int cfg_tree_parse(struct cfg *c, const void *text, size_t n)
{
    struct load l = {.c = c, .input = {text, n}};
    if (!yaml_parser_initialize(&l.parser))
        diag_exit(ST_TEMP, "%s: memory", c->path);
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, l.input.p, n);
    int ok = events(&l);
    if (ok && !c->root)
        ok = diag_warn("%s:1:1: the file is empty", c->path);
    yaml_parser_delete(&l.parser);
    return ok;
}
