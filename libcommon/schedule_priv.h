/* What the parts of the schedule share. */
#ifndef SCHEDULE_PRIV_H
#define SCHEDULE_PRIV_H

#include <time.h>

#include "schedule.h"

/* The instant of a local time; struct schedule says which where there is none or two. */
int64_t schedule_local(const struct tm *want);

#endif
