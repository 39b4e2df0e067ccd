/* The device list that says whose a public key is. */
#include "intake_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"
#include "lot.h"

#define FIRST_PLACES 1024
#define BAD_ROWS 20 /* warnings, then it gives up */

struct place {
    uint64_t tag; /* the first octets of the hash */
    int64_t offset;
};

struct intake_list {
    struct csv *csv;
    struct place *v;
    size_t n, cap;
};

static uint64_t tag_of(const unsigned char key[X509_HASH])
{
    uint64_t t;
    memcpy(&t, key, sizeof t);
    return t;
}

static int by_tag(const void *a, const void *b)
{
    uint64_t x = ((const struct place *)a)->tag, y = ((const struct place *)b)->tag;
    return x < y ? -1 : x > y;
}

const char *intake_list_device(const struct csv_row *row)
{
    const char *serial = csv_get(row, "serial");
    return serial ? serial : row->v[0];
}

struct csv *intake_list_csv(struct intake_list *l)
{
    return l->csv;
}

/* 0 after a warning. */
static int add(struct intake_list *l, const struct csv_row *row)
{
    unsigned char key[X509_HASH];
    int has = lot_listed_key(row, key);
    if (!has)
        return 1;
    if (has < 0)
        return diag_warn("%s:%lu: key: not a SHA-256 in hexadecimal digits", csv_path(l->csv),
                         row->line);
    if (l->n == l->cap) {
        l->cap += l->cap / 2 + FIRST_PLACES;
        l->v = alloc_grow(l->v, l->cap, sizeof *l->v);
    }
    l->v[l->n++] = (struct place){tag_of(key), row->offset};
    return 1;
}

static int read_all(struct intake_list *l)
{
    struct csv_row row;
    int r, bad = 0;
    while (bad < BAD_ROWS && (r = csv_next(l->csv, &row)) != 0)
        bad += r < 0 || !add(l, &row);
    if (bad == BAD_ROWS)
        diag_warn("%s: and so on", csv_path(l->csv));
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_tag);
    return !bad;
}

struct intake_list *intake_list_open(const char *path, int index)
{
    struct csv *csv = index ? csv_open_file(path) : csv_open(path);
    if (!csv)
        return NULL;
    struct intake_list *l = alloc_zero(1, sizeof *l);
    l->csv = csv;
    if (!index || read_all(l))
        return l;
    intake_list_free(l);
    return NULL;
}

void intake_list_free(struct intake_list *l)
{
    if (!l)
        return;
    csv_close(l->csv);
    free(l->v);
    free(l);
}

const char *intake_list_find(struct intake_list *l, const unsigned char key[X509_HASH])
{
    struct place want = {tag_of(key), 0};
    unsigned char listed[X509_HASH];
    struct csv_row row;
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->v[mid].tag < want.tag)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < l->n && l->v[low].tag == want.tag; low++)
        if (csv_at(l->csv, l->v[low].offset, &row) > 0 && lot_listed_key(&row, listed) > 0 &&
            !memcmp(listed, key, X509_HASH))
            return intake_list_device(&row);
    return NULL;
}
