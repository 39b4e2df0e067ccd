/* When a certificate is due (certline-store(5), SCHEDULE): arithmetic without a clock of its own.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdint.h>

#include "config.h"

enum schedule_kind {
    SCHEDULE_NEVER,
    SCHEDULE_AT,       /* once, at a date and time */
    SCHEDULE_BEFORE,   /* so many seconds before the end of validity */
    SCHEDULE_FRACTION, /* when this part of the lifetime has passed */
    SCHEDULE_EVERY,    /* so many seconds after it was put to use */
    SCHEDULE_MONTHLY,  /* on this day of each month; in a shorter month on its last day */
    SCHEDULE_YEARLY    /* on this date each year; 29 February likewise */
};

struct schedule {
    enum schedule_kind kind;
    int64_t at, seconds; /* AT; BEFORE, EVERY */
    int part, parts;     /* FRACTION: 2/3 */
    int month, day;      /* 1..12, 1..31 */
    int hour, minute;    /* of MONTHLY and YEARLY */
    /* Of the zone that TZ names; else UTC. A local time that a change of the clocks leaves out is
     * the first instant behind the gap; of one that comes twice, the first. */
    int local;
    int64_t jitter; /* seconds; 0: none */
};

/* Reads `renew:` of a purpose: a mapping with exactly one of at, before, fraction, every, monthly,
 * yearly, or the word never. 0 after a warning with file, line and column. */
int schedule_read(struct cfg *c, const struct cfg_node *n, struct schedule *out);

struct schedule_life {
    int64_t not_before, not_after;
    int64_t since; /* when it was put to use: the switch of its purpose */
};
/* The instant from which on it is due; INT64_MAX: never. What is not reckoned from the end of
 * validity is due a tenth of the lifetime, at most a day, before it at the latest. Jitter adds a
 * part of itself that is always the same for a device and purpose, and never takes more than half
 * of what is left to the end of validity then. */
int64_t schedule_due(const struct schedule *s, const struct schedule_life *l, const char *device,
                     const char *purpose);
/* "30d before the end", for people. */
#define SCHEDULE_TEXT 100
void schedule_text(const struct schedule *s, char out[SCHEDULE_TEXT]);

#endif
