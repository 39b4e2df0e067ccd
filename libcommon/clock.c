#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "diag.h"

static int64_t set_clock(const char *s)
{
    static int64_t value;
    static int known;
    if (!known) {
        char *end;
        errno = 0;
        value = strtoll(s, &end, 10);
        if (errno || end == s || *end)
            diag_exit(ST_USAGE, "CERTLINE_CLOCK: not a number of seconds: \"%s\"", s);
        diag_warn("the clock is set by CERTLINE_CLOCK");
        known = 1;
    }
    return value;
}

struct timespec clock_precise(void)
{
    const char *s = getenv("CERTLINE_CLOCK");
    struct timespec ts;
    /* not time(2), which lags behind this one by some milliseconds */
    clock_gettime(CLOCK_REALTIME, &ts);
    if (s)
        ts.tv_sec = (time_t)set_clock(s);
    return ts;
}

int64_t clock_now(void)
{
    return clock_precise().tv_sec;
}

void clock_format(int64_t t, char out[CLOCK_TEXT])
{
    time_t tt = (time_t)t;
    struct tm tm;
    if (!gmtime_r(&tt, &tm) || !strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(out, CLOCK_TEXT, "@%lld", (long long)t);
}

static int whole(const char *s, const char *fmt, struct tm *tm)
{
    memset(tm, 0, sizeof *tm);
    const char *end = strptime(s, fmt, tm);
    return end && !*end;
}

int clock_parse(const char *s, int64_t *t)
{
    struct tm tm, back;
    /* strptime takes fewer digits than it could: lengths are held to first. */
    size_t n = strlen(s);
    int ok = (n == 10 && whole(s, "%Y-%m-%d", &tm)) ||
             (n == 20 && whole(s, "%Y-%m-%dT%H:%M:%SZ", &tm)) ||
             (n == 15 && whole(s, "%Y%m%d%H%M%SZ", &tm));
    if (!ok)
        return 0;
    back = tm;
    time_t v = timegm(&back);
    if (back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon || back.tm_sec != tm.tm_sec)
        return 0; /* 30 February */
    *t = v;
    return 1;
}

int clock_duration(const char *s, int64_t *seconds)
{
    static const struct {
        char c;
        int64_t unit;
    } units[] = {{'s', 1},     {'m', 60},        {'h', 3600},
                 {'d', 86400}, {'w', 7 * 86400}, {'y', (int64_t)365 * 86400}};
    const int64_t most = (int64_t)10000 * 366 * 86400;
    char *end;
    if (*s < '0' || *s > '9')
        return 0;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno)
        return 0;
    int64_t unit = *end ? 0 : 1;
    for (size_t i = 0; *end && !end[1] && i < sizeof units / sizeof *units; i++)
        if (units[i].c == *end)
            unit = units[i].unit;
    if (!unit || v > most / unit)
        return 0;
    *seconds = v * unit;
    return 1;
}
