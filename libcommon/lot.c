#include "lot_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

struct lots *lots_load(const char *path)
{
    struct lots *ls = alloc_zero(1, sizeof *ls);
    ls->cfg = cfg_load(path);
    if (ls->cfg && lot_read(ls))
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
        if (ls->v[i].pattern)
            regfree(ls->v[i].pattern);
        free(ls->v[i].pattern);
    }
    for (size_t i = 0; i < ls->n_owners; i++)
        lot_owner_free(&ls->owners[i]);
    free(ls->owners);
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

const struct lot *lots_at(const struct lots *ls, size_t i)
{
    return i < ls->n ? &ls->v[i].lot : NULL;
}

struct lot_entry *lot_entry(const struct lots *ls, const struct lot *l)
{
    size_t i = 0;
    while (i < ls->n && &ls->v[i].lot != l)
        i++;
    assert(i < ls->n);
    return &ls->v[i];
}

int lots_check(struct lots *ls)
{
    for (size_t i = 0; i < ls->n; i++) {
        const struct lot_entry *e = &ls->v[i];
        struct csv *csv = e->path ? csv_open_file(e->path) : NULL;
        int ok = !csv || lot_templates_fit(&e->lot, csv);
        csv_close(csv);
        if (!ok)
            return 0;
    }
    return 1;
}

/* NULL after a warning. */
static struct lot_list *open_list(const struct lot_entry *e)
{
    struct lot_list *list = lot_list_open(e->path);
    if (list && lot_templates_fit(&e->lot, lot_list_csv(list)))
        return list;
    lot_list_free(list);
    diag_warn("lot %s: its device list cannot be used", e->lot.name);
    return NULL;
}

int lots_open_list(struct lots *ls, const struct lot *l)
{
    struct lot_entry *e = lot_entry(ls, l);
    if (!e->path || e->list)
        return 1;
    if (e->unusable)
        return 0;
    e->list = open_list(e);
    e->unusable = !e->list;
    return !e->unusable;
}

int lots_try_list(const struct lots *ls, const struct lot *l, size_t *n)
{
    struct lot_list *list = open_list(lot_entry(ls, l));
    int ok = list && lot_templates_work(l, l->devices);
    *n = list ? lot_list_count(list) : 0;
    lot_list_free(list);
    return ok;
}

/* POSIX gives the longest of the leftmost matches: if there is one of the whole, it is that.
 * Anchors around the pattern would be another expression where it has an alternative or a stray
 * parenthesis. */
static int whole_match(const regex_t *re, const char *id)
{
    regmatch_t m;
    return regexec(re, id, 1, &m, 0) == 0 && m.rm_so == 0 && id[m.rm_eo] == 0;
}

int lots_device(struct lots *ls, const struct lot *l, const char *device, struct csv_row *row)
{
    const struct lot_entry *e = lot_entry(ls, l);
    *row = (struct csv_row){0};
    if (e->pattern)
        return whole_match(e->pattern, device);
    if (!l->devices)
        return 1;
    if (!lots_open_list(ls, l))
        return -1;
    return lot_list_find(e->list, device, row);
}

unsigned long lots_line(struct lots *ls, const struct lot *l, const struct csv_row *row)
{
    struct lot_list *list = lot_entry(ls, l)->list;
    return list && row->n ? lot_list_line(list, row->offset) : 0;
}

static int in(const struct cfg_strings *ids, const char *unit)
{
    for (size_t i = 0; i < ids->n; i++)
        if (!strcmp(ids->v[i], unit))
            return 1;
    return 0;
}

int lot_allows_unit(const struct lot *l, const char *unit)
{
    return in(&l->verify_units, unit);
}

int lot_allows_attach(const struct lot *l, const char *unit)
{
    return !l->attach.n || in(&l->attach, unit);
}

int lot_open_at(const struct lot *l, int64_t now, char why[LOT_WHY])
{
    char when[CLOCK_TEXT];
    int early = now < l->from;
    if (!early && now < l->until)
        return 1;
    clock_format(early ? l->from : l->until, when);
    snprintf(why, LOT_WHY, "lot \"%.200s\" %s %s", l->name, early ? "begins" : "ended", when);
    return 0;
}
