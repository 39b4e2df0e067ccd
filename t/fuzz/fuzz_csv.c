/* libFuzzer: any octets as a CSV file. What csv_next gives, csv_at gives again; names and fields
 * are within their limits; the reader comes to its end. Run it with -close_fd_mask=2: nearly every
 * input gives a warning. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "csv.h"

static void check_row(struct csv *c, const struct csv_row *row)
{
    struct csv_row again;
    if (csv_at(c, row->offset, &again) != 1 || again.n != row->n || row->n > CSV_COLUMNS)
        abort();
    for (size_t i = 0; i < row->n; i++) {
        if (strcmp(row->v[i], again.v[i]) || strlen(row->v[i]) > CSV_ROW)
            abort();
        if (csv_column(c, row->names[i]) != (int)i || csv_get(row, row->names[i]) != row->v[i])
            abort();
    }
    if (csv_line(c, row->offset) != row->line)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("csv", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    struct csv *c = csv_open(path);
    struct csv_row row;
    size_t turns = 0;
    for (int r = 1; c && (r = csv_next(c, &row)) != 0;) {
        if (r > 0)
            check_row(c, &row);
        if (++turns > n + 2)
            abort();
    }
    csv_close(c);
    close(fd);
    return 0;
}
