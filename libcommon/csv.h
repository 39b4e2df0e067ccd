/* CSV (RFC 4180) as a stream, with a header line: device lists. UTF-8; a BOM and CRLF are accepted.
 * Limits: CSV_ROW octets a row, CSV_COLUMNS columns. */
#ifndef CSV_H
#define CSV_H

#include <stddef.h>
#include <stdint.h>

#define CSV_ROW 8192
#define CSV_COLUMNS 32

struct csv_row {
    unsigned long line; /* where it starts, from 1; 0 from csv_at, which does not know */
    int64_t offset;     /* of its first octet */
    size_t n;
    const char *const *names; /* of the header */
    const char *const *v;     /* n fields, borrowed until the next call */
};

struct csv;

/* Opens a file and reads its header: names are unique and not empty. NULL after a warning. */
struct csv *csv_open(const char *path);
/* The same for one whose rows are asked for again: nothing that must be read in one go, such as a
 * FIFO, for whose writer csv_open waits. */
struct csv *csv_open_file(const char *path);
const char *csv_path(const struct csv *c);
/* The next row; blank lines are skipped. 1; 0 at the end; -1 after a warning that names file and line (a wrong
 * number of fields, a quote that never closes, a NUL, not UTF-8, a row too long): the next call goes on behind
 * the bad row, behind its first line if its end cannot be told. When the file cannot be read: -1, then 0. */
int csv_next(struct csv *c, struct csv_row *out);
/* Reads the row at this offset, as csv_next gave it; does not disturb csv_next. 1, or -1 after a warning. */
int csv_at(struct csv *c, int64_t offset, struct csv_row *out);
/* The number of the line at this offset, counted from the start of the file; 0 if it cannot be read. */
unsigned long csv_line(struct csv *c, int64_t offset);
/* Whether size or time of the open file differ from what they were when it was opened. */
int csv_changed(const struct csv *c);
/* A rough number of rows from the file's size and its first rows, for making room. */
size_t csv_estimate(const struct csv *c);
/* The field of that name, NULL if there is no such column. */
const char *csv_get(const struct csv_row *r, const char *name);
/* Column number, -1 if absent. */
int csv_column(const struct csv *c, const char *name);
void csv_close(struct csv *c);
struct buf;
/* The columns that a template takes, one by one: 1 with the name at *column (n octets of the template) and *text
 * moved behind it; 0 at the end; -1: a brace is not closed. */
int csv_template_next(const char **text, const char **column, size_t *n);
/* Replaces {column} by the row's field, each passed through `quote` if that is not NULL (appends it quoted to
 * the buf). {{ is a brace. Freed by the caller; NULL after a warning that names the missing column. */
char *csv_expand(const struct csv_row *r, const char *template_text,
                 void (*quote)(struct buf *out, const char *field));

#endif
