#include "csv_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "diag.h"

#define WINDOW 65536

_Static_assert(CSV_ROW == 8192 && CSV_COLUMNS == 32, "said as numbers in warnings");

struct csv {
    char *path;
    int fd;
    int64_t size; /* as it was opened */
    struct timespec changed;
    char *window; /* octets start to end are read and not taken */
    size_t start, end;
    int64_t offset; /* of window[start] in the file */
    unsigned long line;
    int at_end;
    char *names_text;
    const char **names;
    size_t n_names;
    size_t estimate;
    struct csv_fields row, other; /* of csv_next, of csv_at */
};

static ssize_t read_some(int fd, void *p, size_t n, int64_t offset)
{
    ssize_t r;
    do
        r = offset < 0 ? read(fd, p, n) : pread(fd, p, n, offset);
    while (r < 0 && errno == EINTR);
    return r;
}

/* Fills the window until a whole row must be in it. 0 after a warning. */
static int fill(struct csv *c)
{
    while (!c->at_end && c->end - c->start < CSV_LOOK) {
        memmove(c->window, c->window + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
        ssize_t r = read_some(c->fd, c->window + c->end, WINDOW - c->end, -1);
        if (r < 0) {
            c->at_end = 1;
            c->end = c->start;
            return diag_warn("%s: %s", c->path, strerror(errno));
        }
        c->at_end = r == 0;
        c->end += (size_t)r;
    }
    return 1;
}

static void take(struct csv *c, size_t n)
{
    const char *p = c->window + c->start, *end = p + n;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        c->line++;
        p++;
    }
    c->start += n;
    c->offset += (int64_t)n;
}

/* Drops what is left of a line that does not fit the window. 0 after a warning. */
static int skip_line(struct csv *c)
{
    while (fill(c) && c->start < c->end) {
        const char *from = c->window + c->start;
        const char *nl = memchr(from, '\n', c->end - c->start);
        take(c, nl ? (size_t)(nl + 1 - from) : c->end - c->start);
        if (nl)
            return 1;
    }
    return 1;
}

static int blank(const struct csv *c)
{
    const char *p = c->window + c->start, *end = c->window + c->end;
    return p < end && (*p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n')));
}

static int bad_row(const struct csv *c, unsigned long line, const char *why)
{
    diag_warn("%s:%lu: %s", c->path, line, why);
    return -1;
}

/* The next row, whatever its number of fields. */
static int next_row(struct csv *c, struct csv_row *out)
{
    size_t used = 0;
    if (!fill(c))
        return -1;
    while (blank(c)) {
        take(c, c->window[c->start] == '\r' && c->end - c->start > 1 ? 2 : 1);
        if (!fill(c))
            return -1;
    }
    if (c->start == c->end)
        return 0;
    *out = (struct csv_row){.line = c->line, .offset = c->offset, .names = c->names, .v = c->row.v};
    const char *why = csv_parse(c->window + c->start, c->end - c->start, c->at_end, &c->row, &used);
    if (used)
        take(c, used);
    else if (!skip_line(c))
        return -1;
    out->n = c->row.n;
    return why ? bad_row(c, out->line, why) : 1;
}

static int check_names(struct csv *c, unsigned long line)
{
    for (size_t i = 0; i < c->n_names; i++) {
        if (!*c->names[i])
            return bad_row(c, line, "a column without a name");
        /* Else every row is one field, the id of a device that nobody has. */
        if (strchr(c->names[i], ';'))
            return bad_row(c, line,
                           "\";\" in the name of a column: fields are separated by commas");
        if (strchr(c->names[i], '\t'))
            return bad_row(c, line,
                           "a tab in the name of a column: fields are separated by commas");
        for (size_t k = 0; k < i; k++)
            if (!strcmp(c->names[i], c->names[k])) {
                diag_warn("%s:%lu: two columns are named \"%s\"", c->path, line, c->names[i]);
                return -1;
            }
    }
    return 1;
}

static int read_header(struct csv *c)
{
    struct csv_row row;
    if (!fill(c))
        return -1;
    if (c->end >= 3 && !memcmp(c->window, "\xef\xbb\xbf", 3))
        take(c, 3);
    int r = next_row(c, &row);
    if (r == 0) {
        diag_warn("%s: empty, its first line must name the columns", c->path);
        return -1;
    }
    if (r < 0)
        return -1;
    /* The fields follow each other in one text, which the names take with them. */
    c->names_text = alloc_copy(c->row.text, sizeof c->row.text);
    c->names = alloc_zero(row.n, sizeof *c->names);
    c->n_names = row.n;
    for (size_t i = 0; i < row.n; i++)
        c->names[i] = c->names_text + (row.v[i] - c->row.text);
    return check_names(c, row.line);
}

/* Size of the file over the average length of the lines that are in the window. */
static size_t estimate(const struct csv *c)
{
    size_t lines = 0;
    const char *p = c->window + c->start, *end = c->window + c->end;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        lines++;
        p++;
    }
    if (c->at_end || !lines)
        return lines + 1;
    return (size_t)c->size / ((c->end - c->start) / lines + 1) + lines;
}

struct csv *csv_open(const char *path)
{
    struct stat st;
    struct csv *c = alloc_zero(1, sizeof *c);
    c->path = alloc_str(path);
    c->line = 1;
    c->window = alloc_zero(WINDOW, 1);
    c->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (c->fd < 0 || fstat(c->fd, &st)) {
        diag_warn("%s: %s", path, strerror(errno));
        goto bad;
    }
    if (S_ISDIR(st.st_mode)) {
        diag_warn("%s: not a file", path);
        goto bad;
    }
    c->size = st.st_size;
    c->changed = st.st_mtim;
    if (read_header(c) < 0)
        goto bad;
    if (!fill(c))
        goto bad;
    c->estimate = estimate(c);
    return c;
bad:
    csv_close(c);
    return NULL;
}

struct csv *csv_open_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        diag_warn("%s: not a file", path);
        return NULL;
    }
    return csv_open(path);
}

const char *csv_path(const struct csv *c)
{
    return c->path;
}

void csv_close(struct csv *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        close(c->fd);
    free(c->names);
    free(c->names_text);
    free(c->window);
    free(c->path);
    free(c);
}

static int wrong_number(const struct csv *c, unsigned long line, size_t n)
{
    diag_warn("%s:%lu: %zu field%s where the header names %zu", c->path, line, n, n == 1 ? "" : "s",
              c->n_names);
    return -1;
}

int csv_next(struct csv *c, struct csv_row *out)
{
    int r = next_row(c, out);
    return r > 0 && out->n != c->n_names ? wrong_number(c, out->line, out->n) : r;
}

int csv_at(struct csv *c, int64_t offset, struct csv_row *out)
{
    char raw[CSV_LOOK];
    size_t used;
    assert(offset >= 0);
    ssize_t n = read_some(c->fd, raw, sizeof raw, offset);
    if (n < 0) {
        diag_warn("%s: %s", c->path, strerror(errno));
        return -1;
    }
    const char *why = csv_parse(raw, (size_t)n, n < CSV_LOOK, &c->other, &used);
    if (why)
        return bad_row(c, csv_line(c, offset), why);
    if (c->other.n != c->n_names)
        return wrong_number(c, csv_line(c, offset), c->other.n);
    *out = (struct csv_row){.offset = offset, .n = c->other.n, .names = c->names, .v = c->other.v};
    return 1;
}

unsigned long csv_line(struct csv *c, int64_t offset)
{
    char raw[4096];
    unsigned long line = 1;
    for (int64_t at = 0; at < offset;) {
        size_t want = offset - at < (int64_t)sizeof raw ? (size_t)(offset - at) : sizeof raw;
        ssize_t n = read_some(c->fd, raw, want, at);
        if (n <= 0)
            return 0;
        for (ssize_t i = 0; i < n; i++)
            line += raw[i] == '\n';
        at += n;
    }
    return line;
}

int csv_changed(const struct csv *c)
{
    struct stat st;
    return fstat(c->fd, &st) || st.st_size != c->size || st.st_mtim.tv_sec != c->changed.tv_sec ||
           st.st_mtim.tv_nsec != c->changed.tv_nsec;
}

size_t csv_estimate(const struct csv *c)
{
    return c->estimate;
}

int csv_column(const struct csv *c, const char *name)
{
    for (size_t i = 0; i < c->n_names; i++)
        if (!strcmp(c->names[i], name))
            return (int)i;
    return -1;
}

const char *csv_get(const struct csv_row *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->names[i], name))
            return r->v[i];
    return NULL;
}
