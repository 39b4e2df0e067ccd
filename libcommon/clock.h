/* The one source of time. The environment variable CERTLINE_CLOCK (seconds since the epoch, UTC)
 * sets it for rehearsals and tests; a program that runs with a set clock says so on stderr. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Seconds since 1970-01-01T00:00:00Z. */
int64_t clock_now(void);
/* The same with nanoseconds; those of a set clock are the real ones. */
struct timespec clock_precise(void);
/* 2026-11-21T08:00:00Z; 21 octets with the NUL suffice up to the year 9999. */
#define CLOCK_TEXT 24
void clock_format(int64_t t, char out[CLOCK_TEXT]);
/* YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ or GeneralizedTime YYYYMMDDHHMMSSZ. Returns 0 if it is neither. */
int clock_parse(const char *s, int64_t *t);
/* "90", "90s", "15m", "24h", "30d", "2w", "20y" (365 days). Returns 0 if it is not that or overflows
 * 10,000 years. */
int clock_duration(const char *s, int64_t *seconds);

#endif
