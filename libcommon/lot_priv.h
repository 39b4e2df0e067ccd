/* What the parts of lot share: the index over a device list. */
#ifndef LOT_PRIV_H
#define LOT_PRIV_H

#include "lot.h"

struct lot_list;

/* Reads the list once. NULL after a warning: every bad row is named. */
struct lot_list *lot_list_open(const char *path);
void lot_list_free(struct lot_list *t);
/* As lots_device. */
int lot_list_find(struct lot_list *t, const char *device, struct csv_row *row);
unsigned long lot_list_line(struct lot_list *t, int64_t offset);

#endif
