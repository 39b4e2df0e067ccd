#include "lot_priv.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define OFFSET_OCTETS 5 /* a list of up to 1 TiB */
#define OFFSET_LIMIT ((int64_t)1 << 40)
#define ESTIMATE_MAX ((size_t)1 << 22) /* rows: what an estimate may ask memory for */

/* Open addressing; a slot is a tag, 0 when free, and where the row is in the file: 9 octets, so
 * that a device costs some 12. The place follows from the tag alone, so that a table can grow
 * without reading the file again. */
struct lot_list {
    struct csv *csv;
    size_t column, n, size;
    uint32_t *tag;
    unsigned char *offset;
    uint64_t key[3];
};

/* A list could be written such that its devices collide, were the multipliers known. The string is
 * compared in full: nothing but speed hangs on this hash. */
static uint32_t hash(const struct lot_list *t, const char *s)
{
    size_t n = strlen(s);
    uint64_t h = t->key[0] ^ n, w;
    for (; n; s += sizeof w, n -= sizeof w) {
        w = 0;
        memcpy(&w, s, n < sizeof w ? n : sizeof w);
        h = (h ^ w) * t->key[1];
        h ^= h >> 32;
        if (n < sizeof w)
            break;
    }
    h = (h ^ h >> 29) * t->key[2];
    uint32_t tag = (uint32_t)(h >> 32);
    return tag ? tag : 1;
}

static size_t place(const struct lot_list *t, uint32_t tag)
{
    return (size_t)((uint64_t)tag * t->size >> 32);
}

static size_t after(const struct lot_list *t, size_t at)
{
    return at + 1 < t->size ? at + 1 : 0;
}

static int64_t slot_offset(const struct lot_list *t, size_t at)
{
    const unsigned char *p = t->offset + at * OFFSET_OCTETS;
    int64_t v = 0;
    for (int i = OFFSET_OCTETS; i--;)
        v = v << 8 | p[i];
    return v;
}

static void put(struct lot_list *t, uint32_t tag, int64_t offset)
{
    size_t at = place(t, tag);
    while (t->tag[at])
        at = after(t, at);
    t->tag[at] = tag;
    for (int i = 0; i < OFFSET_OCTETS; i++)
        t->offset[at * OFFSET_OCTETS + i] = (unsigned char)(offset >> 8 * i);
    t->n++;
}

static void resize(struct lot_list *t, size_t size)
{
    struct lot_list old = *t;
    t->size = size;
    t->n = 0;
    t->tag = alloc_zero(size, sizeof *t->tag);
    t->offset = alloc_zero(size, OFFSET_OCTETS);
    for (size_t i = 0; i < old.size; i++)
        if (old.tag[i])
            put(t, old.tag[i], slot_offset(&old, i));
    free(old.tag);
    free(old.offset);
}

/* 1 and *row when a row with this key is in the table. */
static int look(struct lot_list *t, uint32_t tag, const char *device, struct csv_row *row)
{
    for (size_t at = place(t, tag); t->tag[at]; at = after(t, at)) {
        if (t->tag[at] != tag)
            continue;
        if (csv_at(t->csv, slot_offset(t, at), row) < 0)
            return -1;
        if (!strcmp(row->v[t->column], device))
            return 1;
    }
    return 0;
}

static int digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int lot_listed_key(const struct csv_row *row, unsigned char key[X509_HASH])
{
    const char *s = csv_get(row, "key");
    size_t n = 0;
    if (!s || !*s)
        return 0;
    for (; *s; s++) {
        if (*s == ':')
            continue;
        int d = digit((unsigned char)*s);
        if (d < 0 || n == 2 * (size_t)X509_HASH)
            return -1;
        key[n / 2] = (unsigned char)(n % 2 ? key[n / 2] << 4 | d : d);
        n++;
    }
    return n == 2 * (size_t)X509_HASH ? 1 : -1;
}

/* 1, or 0 after a warning. */
static int add(struct lot_list *t, const struct csv_row *row)
{
    struct csv_row first;
    unsigned char key[X509_HASH];
    const char *path = csv_path(t->csv), *device = row->v[t->column];
    if (!*device)
        return diag_warn("%s:%lu: the column \"%s\" is empty", path, row->line,
                         row->names[t->column]);
    /* As a spreadsheet leaves it; no device would ever be found. */
    if (strchr(" \t", *device) || strchr(" \t", device[strlen(device) - 1]))
        return diag_warn("%s:%lu: a blank before or behind the device \"%s\"", path, row->line,
                         device);
    if (lot_listed_key(row, key) < 0)
        return diag_warn("%s:%lu: key: not a SHA-256 in hexadecimal digits", path, row->line);
    if (row->offset >= OFFSET_LIMIT)
        return diag_warn("%s:%lu: the file is larger than 1 TiB", path, row->line);
    uint32_t tag = hash(t, device);
    int seen = look(t, tag, device, &first);
    if (seen > 0)
        return diag_warn("%s:%lu: device \"%s\" stands in line %lu already", path, row->line,
                         device, csv_line(t->csv, first.offset));
    if (seen < 0)
        return 0;
    if (t->n >= t->size - t->size / 8)
        resize(t, t->size + t->size / 4);
    put(t, tag, row->offset);
    return 1;
}

static int read_all(struct lot_list *t)
{
    struct csv_row row;
    int r, bad = 0;
    while (bad < LOT_BAD_ROWS && (r = csv_next(t->csv, &row)) != 0)
        bad += r < 0 || !add(t, &row);
    if (bad == LOT_BAD_ROWS)
        diag_warn("%s: and so on", csv_path(t->csv));
    if (!bad && csv_changed(t->csv))
        return diag_warn("%s: the list changed while it was read", csv_path(t->csv));
    return !bad;
}

struct lot_list *lot_list_open(const char *path)
{
    struct csv *csv = csv_open_file(path);
    if (!csv)
        return NULL;
    struct lot_list *t = alloc_zero(1, sizeof *t);
    t->csv = csv;
    if (RAND_bytes((unsigned char *)t->key, sizeof t->key) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    t->key[1] |= 1;
    t->key[2] |= 1;
    int column = csv_column(csv, "serial");
    t->column = column < 0 ? 0 : (size_t)column;
    /* Room for what the file seems to hold: growing would need both tables at once. */
    size_t rows = csv_estimate(csv);
    if (rows > ESTIMATE_MAX)
        rows = ESTIMATE_MAX;
    resize(t, rows + rows / 4 + 16);
    if (read_all(t))
        return t;
    lot_list_free(t);
    return NULL;
}

void lot_list_free(struct lot_list *t)
{
    if (!t)
        return;
    csv_close(t->csv);
    free(t->tag);
    free(t->offset);
    free(t);
}

int lot_list_find(struct lot_list *t, const char *device, struct csv_row *row)
{
    if (csv_changed(t->csv)) {
        diag_warn("%s: the list changed while it was in use", csv_path(t->csv));
        diag_hint("replace a list by renaming a new file over it, then start again");
        return -1;
    }
    return look(t, hash(t, device), device, row);
}

unsigned long lot_list_line(struct lot_list *t, int64_t offset)
{
    return csv_line(t->csv, offset);
}

const struct csv *lot_list_csv(const struct lot_list *t)
{
    return t->csv;
}

size_t lot_list_count(const struct lot_list *t)
{
    return t->n;
}
