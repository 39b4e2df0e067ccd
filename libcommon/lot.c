#include "lot_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

struct entry {
    struct lot lot; /* first: what callers hold points here */
    char *path;
    struct lot_list *list;
    int unusable; /* it was said once; a list is not read again for each device */
};

struct lots {
    struct cfg *cfg;
    struct entry *v;
    size_t n;
};

static const char *const pop_names[] = {"required", "witness", NULL};

static const struct cfg_field lot_fields[] = {
    {.name = "name", .type = CFG_STRING, .offset = offsetof(struct lot, name), .required = 1},
    {.name = "profile", .type = CFG_STRING, .offset = offsetof(struct lot, profile), .required = 1},
    {.name = "owner", .type = CFG_STRING, .offset = offsetof(struct lot, owner), .required = 1},
    {.name = "devices", .type = CFG_STRING, .offset = offsetof(struct lot, devices), .required = 1},
    {.name = "verify-units",
     .type = CFG_STRINGS,
     .offset = offsetof(struct lot, verify_units),
     .required = 1},
    {.name = "pop", .type = CFG_ENUM, .offset = offsetof(struct lot, pop), .choices = pop_names},
    {.name = NULL},
};

static int read_lot(struct lots *ls, const struct cfg_node *node, struct entry *e)
{
    struct lot *l = &e->lot;
    if (!cfg_read(ls->cfg, node, lot_fields, l))
        return 0;
    if (!l->verify_units.n)
        return cfg_bad(ls->cfg, cfg_get(node, "verify-units"), "\"verify-units\" is empty");
    if (lots_find(ls, l->name))
        return cfg_bad(ls->cfg, cfg_get(node, "name"), "two lots are named \"%s\"", l->name);
    if (!strcmp(l->devices, "any"))
        l->devices = NULL;
    else
        l->devices = e->path = io_beside(cfg_path(ls->cfg), l->devices);
    return 1;
}

static int read_lots(struct lots *ls)
{
    struct {
        const struct cfg_node *lots;
    } top = {NULL};
    const struct cfg_field fields[] = {
        {.name = "lots", .type = CFG_NODE, .offset = 0, .required = 1}, {.name = NULL}};
    if (!cfg_read(ls->cfg, cfg_root(ls->cfg), fields, &top))
        return 0;
    if (cfg_kind(top.lots) != CFG_LIST)
        return cfg_bad(ls->cfg, top.lots, "\"lots\" must be a list");
    size_t n = cfg_size(top.lots);
    if (!n)
        return cfg_bad(ls->cfg, top.lots, "\"lots\" is empty");
    ls->v = alloc_zero(n, sizeof *ls->v);
    for (size_t i = 0; i < n; i++) {
        /* Counted when it is read, so that lots_find sees those before it. */
        int ok = read_lot(ls, cfg_item(top.lots, i), &ls->v[i]);
        ls->n++;
        if (!ok)
            return 0;
    }
    return 1;
}

struct lots *lots_load(const char *path)
{
    struct lots *ls = alloc_zero(1, sizeof *ls);
    ls->cfg = cfg_load(path);
    if (ls->cfg && read_lots(ls))
        return ls;
    lots_free(ls);
    return NULL;
}

void lots_free(struct lots *ls)
{
    if (!ls)
        return;
    for (size_t i = 0; i < ls->n; i++) {
        lot_list_free(ls->v[i].list);
        free(ls->v[i].path);
    }
    free(ls->v);
    cfg_free(ls->cfg);
    free(ls);
}

const struct lot *lots_find(const struct lots *ls, const char *name)
{
    for (size_t i = 0; i < ls->n; i++)
        if (!strcmp(ls->v[i].lot.name, name))
            return &ls->v[i].lot;
    return NULL;
}

static struct entry *find_entry(struct lots *ls, const struct lot *l)
{
    size_t i = 0;
    while (i < ls->n && &ls->v[i].lot != l)
        i++;
    assert(i < ls->n);
    return &ls->v[i];
}

int lots_open_list(struct lots *ls, const struct lot *l)
{
    struct entry *e = find_entry(ls, l);
    if (!e->path || e->list)
        return 1;
    if (e->unusable)
        return 0;
    e->list = lot_list_open(e->path);
    e->unusable = !e->list;
    return e->list ? 1 : diag_warn("lot %s: its device list cannot be used", l->name);
}

int lots_device(struct lots *ls, const struct lot *l, const char *device, struct csv_row *row)
{
    *row = (struct csv_row){0};
    if (!l->devices)
        return 1;
    if (!lots_open_list(ls, l))
        return -1;
    return lot_list_find(find_entry(ls, l)->list, device, row);
}

unsigned long lots_line(struct lots *ls, const struct lot *l, const struct csv_row *row)
{
    struct lot_list *list = find_entry(ls, l)->list;
    return list && row->n ? lot_list_line(list, row->offset) : 0;
}

int lot_allows_unit(const struct lot *l, const char *unit)
{
    for (size_t i = 0; i < l->verify_units.n; i++)
        if (!strcmp(l->verify_units.v[i], unit))
            return 1;
    return 0;
}
