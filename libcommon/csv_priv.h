/* What the parts of csv share. */
#ifndef CSV_PRIV_H
#define CSV_PRIV_H

#include "csv.h"

#define CSV_LOOK (CSV_ROW + 2) /* the longest row and its line end */

/* One row, taken apart: fields unquoted, each with a NUL behind it. */
struct csv_fields {
    char text[CSV_ROW + CSV_COLUMNS + 1];
    const char *v[CSV_COLUMNS];
    size_t n;
};

/* Takes the row at p apart. at_end: nothing follows the n octets in the file. Returns what is wrong
 * with the row, NULL if nothing is. *used: octets of the row with its line end; of a bad row, those
 * of its first line; 0 if that does not end within n octets. */
const char *csv_parse(const char *p, size_t n, int at_end, struct csv_fields *out, size_t *used);

#endif
