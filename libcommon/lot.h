/* Lots: what may be made, for whom (certline-lots(5)). The small form: name, profile, owner, devices,
 * verify-units, pop. */
#ifndef LOT_H
#define LOT_H

#include "config.h"
#include "csv.h"

enum lot_pop { LOT_POP_REQUIRED, LOT_POP_WITNESS };

struct lots;
struct lot {
    const char *name, *profile, *owner;
    const char *devices;             /* path of the CSV; NULL: any device */
    struct cfg_strings verify_units; /* ids that may use the lot */
    int pop;                         /* enum lot_pop */
};

/* Reads lots.yaml. Lists are opened when they are first asked for. NULL after a warning. */
struct lots *lots_load(const char *path);
void lots_free(struct lots *ls);
/* NULL if there is none of that name. */
const struct lot *lots_find(const struct lots *ls, const char *name);
/* Opens the lot's list now (a bad row is named by its line). 1, or 0 after a warning, which is not repeated
 * when it is asked for again. */
int lots_open_list(struct lots *ls, const struct lot *l);

/* Looks the device up: 1 and *row (fields borrowed until the next call) if it is listed; 0 if not; -1 after a
 * warning if the list cannot be read. A lot without a list answers 1 with row->n = 0. The list's key column is
 * `serial`, or the first. Constant time, 12 octets of memory a device. row->line is 0 (lots_line tells). */
int lots_device(struct lots *ls, const struct lot *l, const char *device, struct csv_row *row);
/* The line of a row that lots_device gave, for messages: it is counted, which takes time. 0: not of a list. */
unsigned long lots_line(struct lots *ls, const struct lot *l, const struct csv_row *row);
/* Whether this verify-unit may use the lot. */
int lot_allows_unit(const struct lot *l, const char *unit);

#endif
