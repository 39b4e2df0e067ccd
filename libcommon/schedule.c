#include "schedule_priv.h"

#include <openssl/sha.h>
#include <string.h>

#include "buf.h"

#define DAY (24 * 60 * 60)
#define STEP (15 * 60)        /* changes of clocks lie on quarters of an hour */
#define WIDEST (26 * 60 * 60) /* a zone that crosses the date line leaves out a day */

static int leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap(year) ? 29 : days[month - 1];
}

static int same_wall(time_t t, const struct tm *want)
{
    struct tm got;
    return localtime_r(&t, &got) && got.tm_min == want->tm_min && got.tm_hour == want->tm_hour &&
           got.tm_mday == want->tm_mday && got.tm_mon == want->tm_mon;
}

static long offset(time_t t)
{
    struct tm got;
    return localtime_r(&t, &got) ? got.tm_gmtoff : 0;
}

/* mktime(3) leaves open which instant it gives for a local time that is left out or comes twice. */
int64_t schedule_local(const struct tm *want)
{
    struct tm copy = *want;
    copy.tm_isdst = -1;
    time_t t = mktime(&copy);
    if (same_wall(t, want)) {
        for (time_t back = WIDEST; back > 0; back -= STEP)
            if (same_wall(t - back, want))
                return t - back;
        return t;
    }
    /* In the gap: the clocks changed near t; what follows the change is its first instant. */
    time_t lo = t - WIDEST, hi = t + WIDEST;
    while (lo < hi) {
        time_t mid = lo + (hi - lo) / 2;
        if (offset(mid) == offset(t - WIDEST))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The day is the last of its month where that is shorter. */
static int64_t instant(const struct schedule *s, int64_t year, int month)
{
    int last = days_of(year, month);
    struct tm tm = {.tm_year = (int)(year - 1900),
                    .tm_mon = month - 1,
                    .tm_mday = s->day < last ? s->day : last,
                    .tm_hour = s->hour,
                    .tm_min = s->minute};
    return s->local ? schedule_local(&tm) : (int64_t)timegm(&tm);
}

/* The first occurrence behind `since`. */
static int64_t next_turn(const struct schedule *s, int64_t since)
{
    time_t t = (time_t)since;
    struct tm at;
    if (!(s->local ? localtime_r(&t, &at) : gmtime_r(&t, &at)))
        return INT64_MAX;
    int64_t year = at.tm_year + 1900LL;
    int month = s->kind == SCHEDULE_MONTHLY ? at.tm_mon + 1 : s->month;
    for (;;) {
        int64_t due = instant(s, year, month);
        if (due > since)
            return due;
        if (s->kind == SCHEDULE_MONTHLY && month < 12) {
            month++;
            continue;
        }
        month = s->kind == SCHEDULE_MONTHLY ? 1 : month;
        year++;
    }
}

/* The same for a device and purpose every time, evenly spread over all devices. */
static int64_t spread(int64_t jitter, const char *device, const char *purpose)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct buf b = {0};
    uint64_t v = 0;
    buf_put(&b, device, strlen(device) + 1);
    buf_str(&b, purpose);
    SHA256(b.d, b.n, hash);
    buf_free(&b);
    for (int i = 0; i < 8; i++)
        v = v << 8 | hash[i];
    return (int64_t)(v % (uint64_t)jitter);
}

int64_t schedule_due(const struct schedule *s, const struct schedule_life *l, const char *device,
                     const char *purpose)
{
    int64_t life = l->not_after > l->not_before ? l->not_after - l->not_before : 0;
    int64_t tenth = life / 10, due = INT64_MAX;
    int64_t latest = l->not_after - (tenth < DAY ? tenth : DAY);
    switch (s->kind) {
    case SCHEDULE_NEVER:
        return INT64_MAX;
    case SCHEDULE_BEFORE:
        /* Where the whole lifetime is shorter than that, it would be due from its first second. */
        due = latest = s->seconds < life ? l->not_after - s->seconds : l->not_before + life / 3 * 2;
        break;
    case SCHEDULE_FRACTION:
        due = latest =
            l->not_before + life / s->parts * s->part + life % s->parts * s->part / s->parts;
        break;
    case SCHEDULE_AT:
        due = l->since < s->at ? s->at : INT64_MAX;
        break;
    case SCHEDULE_EVERY:
        due = l->since + s->seconds;
        break;
    case SCHEDULE_MONTHLY:
    case SCHEDULE_YEARLY:
        due = next_turn(s, l->since);
        break;
    }
    if (due > latest)
        due = latest;
    /* Spread over what there is of it, so that those that have less do not all come at its end. */
    int64_t room = (l->not_after - due) / 2;
    if (s->jitter && room > 0)
        due += spread(s->jitter < room ? s->jitter : room, device, purpose);
    return due;
}
