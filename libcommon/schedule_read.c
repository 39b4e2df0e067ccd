#include "schedule_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define LONGEST ((int64_t)100 * 365 * 86400) /* seconds */
#define PARTS_MOST 1000

struct way {
    const char *at, *fraction, *yearly, *time;
    int64_t before, every, monthly, jitter;
    int zone;
};
#define AT(field) offsetof(struct way, field)

static const char *const zones[] = {"utc", "local", NULL};
static const struct cfg_field fields[] = {
    {.name = "at", .type = CFG_STRING, .offset = AT(at)},
    {.name = "before", .type = CFG_DURATION, .offset = AT(before), .min = 1, .max = LONGEST},
    {.name = "fraction", .type = CFG_STRING, .offset = AT(fraction)},
    {.name = "every", .type = CFG_DURATION, .offset = AT(every), .min = 60, .max = LONGEST},
    {.name = "monthly", .type = CFG_INT, .offset = AT(monthly), .min = 1, .max = 31},
    {.name = "yearly", .type = CFG_STRING, .offset = AT(yearly)},
    {.name = "time", .type = CFG_STRING, .offset = AT(time)},
    {.name = "zone", .type = CFG_ENUM, .offset = AT(zone), .choices = zones},
    {.name = "jitter", .type = CFG_DURATION, .offset = AT(jitter), .min = 1, .max = LONGEST},
    {.name = NULL},
};

static const struct {
    const char *name;
    enum schedule_kind kind;
} ways[] = {
    {"at", SCHEDULE_AT},       {"before", SCHEDULE_BEFORE},   {"fraction", SCHEDULE_FRACTION},
    {"every", SCHEDULE_EVERY}, {"monthly", SCHEDULE_MONTHLY}, {"yearly", SCHEDULE_YEARLY}};
#define N_WAYS (sizeof ways / sizeof *ways)

/* Two numbers with one character between them, nothing else. */
static int two_numbers(const char *s, char between, int digits, int *a, int *b)
{
    char *end;
    if (strspn(s, "0123456789") == 0)
        return 0;
    long x = strtol(s, &end, 10);
    if ((digits && end - s != digits) || *end != between || strspn(end + 1, "0123456789") == 0)
        return 0;
    const char *second = end + 1;
    long y = strtol(second, &end, 10);
    if (*end || (digits && end - second != digits) || x > 10000 || y > 10000)
        return 0;
    *a = (int)x;
    *b = (int)y;
    return 1;
}

static int read_time(struct cfg *c, const struct cfg_node *n, const struct way *w,
                     struct schedule *out)
{
    int dates = out->kind == SCHEDULE_MONTHLY || out->kind == SCHEDULE_YEARLY;
    out->local = w->zone == 1;
    if (cfg_get(n, "zone") && !dates && out->kind != SCHEDULE_AT)
        return cfg_bad(c, cfg_get(n, "zone"), "\"zone\" goes with at, monthly or yearly");
    if (!w->time)
        return 1;
    if (!dates)
        return cfg_bad(c, cfg_get(n, "time"), "\"time\" goes with monthly or yearly");
    return (two_numbers(w->time, ':', 2, &out->hour, &out->minute) && out->hour < 24 &&
            out->minute < 60) ||
           cfg_bad(c, cfg_get(n, "time"), "not a time of day such as \"02:30\"");
}

static int read_yearly(struct cfg *c, const struct cfg_node *n, const char *text,
                       struct schedule *out)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const struct cfg_node *at = cfg_get(n, "yearly");
    if (!two_numbers(text, '-', 2, &out->month, &out->day) || out->month < 1 || out->month > 12 ||
        out->day < 1)
        return cfg_bad(c, at, "not a date such as \"12-31\" (month, day)");
    return out->day <= days[out->month - 1] ||
           cfg_bad(c, at, "month %d never has %d days", out->month, out->day);
}

/* Without a zone of its own a date and time is of the zone that `zone` says. */
static int read_at(struct cfg *c, const struct cfg_node *n, const struct way *w,
                   struct schedule *out)
{
    struct tm tm = {.tm_isdst = -1};
    size_t length = strlen(w->at);
    if (length && w->at[length - 1] == 'Z' && clock_parse(w->at, &out->at))
        return 1;
    const char *end = strptime(w->at, length == 10 ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || *end)
        return cfg_bad(c, cfg_get(n, "at"), "not a time such as \"2027-01-31T02:30:00\"");
    struct tm back = tm;
    out->at = (int64_t)timegm(&back);
    if (back.tm_mday != tm.tm_mday)
        return cfg_bad(c, cfg_get(n, "at"), "there is no such day");
    if (w->zone == 1)
        out->at = schedule_local(&tm);
    return 1;
}

static int read_fraction(struct cfg *c, const struct cfg_node *n, const char *text,
                         struct schedule *out)
{
    return (two_numbers(text, '/', 0, &out->part, &out->parts) && out->part > 0 &&
            out->part < out->parts && out->parts <= PARTS_MOST) ||
           cfg_bad(c, cfg_get(n, "fraction"), "not a part of the lifetime such as \"2/3\"");
}

/* Elsewhere a bare number is seconds; who writes one here means days. */
static int has_unit(struct cfg *c, const struct cfg_node *n, const char *name)
{
    const struct cfg_node *at = cfg_get(n, name);
    const char *text = at ? cfg_text(at) : NULL;
    return !text || text[strspn(text, "0123456789")] ||
           cfg_bad(c, at, "\"%s\" needs a unit: %sd, %sh", name, text, text);
}

/* Exactly one way. */
static int read_kind(struct cfg *c, const struct cfg_node *n, struct schedule *out)
{
    const char *first = NULL;
    for (size_t i = 0; i < N_WAYS; i++) {
        const struct cfg_node *at = cfg_get(n, ways[i].name);
        if (!at)
            continue;
        if (first)
            return cfg_bad(c, at, "two ways at once: \"%s\" and \"%s\"", first, ways[i].name);
        first = ways[i].name;
        out->kind = ways[i].kind;
    }
    return first || cfg_bad(c, n,
                            "when is missing: one of at, before, fraction, every, monthly, yearly; "
                            "or the word never");
}

int schedule_read(struct cfg *c, const struct cfg_node *n, struct schedule *out)
{
    struct way w = {.at = NULL};
    *out = (struct schedule){.kind = SCHEDULE_NEVER};
    if (cfg_text(n))
        return !strcmp(cfg_text(n), "never") || cfg_bad(c, n, "a mapping, or the word never");
    if (!cfg_read(c, n, fields, &w) || !has_unit(c, n, "before") || !has_unit(c, n, "every") ||
        !has_unit(c, n, "jitter") || !read_kind(c, n, out) || !read_time(c, n, &w, out))
        return 0;
    out->jitter = w.jitter;
    out->day = (int)w.monthly;
    out->seconds = out->kind == SCHEDULE_BEFORE ? w.before : w.every;
    if (out->kind == SCHEDULE_YEARLY)
        return read_yearly(c, n, w.yearly, out);
    if (out->kind == SCHEDULE_AT)
        return read_at(c, n, &w, out);
    return out->kind != SCHEDULE_FRACTION || read_fraction(c, n, w.fraction, out);
}

static void span_text(int64_t s, char *out, size_t n)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    size_t i = 0;
    while (s % units[i].seconds)
        i++;
    snprintf(out, n, "%lld%s", (long long)(s / units[i].seconds), units[i].unit);
}

void schedule_text(const struct schedule *s, char out[SCHEDULE_TEXT])
{
    char span[32], when[CLOCK_TEXT];
    const char *zone = s->local ? "local time" : "UTC";
    span_text(s->seconds, span, sizeof span);
    clock_format(s->at, when);
    switch (s->kind) {
    case SCHEDULE_NEVER:
        snprintf(out, SCHEDULE_TEXT, "never");
        break;
    case SCHEDULE_AT:
        snprintf(out, SCHEDULE_TEXT, "at %s", when);
        break;
    case SCHEDULE_BEFORE:
        snprintf(out, SCHEDULE_TEXT, "%s before the end", span);
        break;
    case SCHEDULE_FRACTION:
        snprintf(out, SCHEDULE_TEXT, "after %d/%d of the lifetime", s->part, s->parts);
        break;
    case SCHEDULE_EVERY:
        snprintf(out, SCHEDULE_TEXT, "every %s", span);
        break;
    case SCHEDULE_MONTHLY:
        snprintf(out, SCHEDULE_TEXT, "on day %d of each month, %02d:%02d %s", s->day, s->hour,
                 s->minute, zone);
        break;
    case SCHEDULE_YEARLY:
        snprintf(out, SCHEDULE_TEXT, "each year on %02d-%02d, %02d:%02d %s", s->month, s->day,
                 s->hour, s->minute, zone);
        break;
    }
}
