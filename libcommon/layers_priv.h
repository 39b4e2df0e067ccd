/* What the layers*.c files share. */
#ifndef LAYERS_PRIV_H
#define LAYERS_PRIV_H

#include "diag.h"
#include "layers.h"

int layers_bad(char why[CMS_WHY], const char *fmt, ...) DIAG_PRINTF(2, 3); /* returns 0 */
/* No other content than a message's, and all layers of one direction. */
int layers_type_fits(const struct cms *c, enum layers_direction dir, char why[CMS_WHY]);
/* A poll: opens the one that stands beside a request, and holds each against what is around it. 1
 * where there is none. */
int layers_poll(struct layers *m, struct path *p, int64_t now, char why[CMS_WHY]);
/* Holds the layers against each other and fills items, or issued. */
int layers_join_up(struct layers *m, char why[CMS_WHY]);
int layers_join_down(struct layers *m, struct path *p, int64_t now, char why[CMS_WHY]);

#endif
