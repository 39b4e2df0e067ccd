/* schedule-test FILE [NOT_BEFORE NOT_AFTER SINCE [DEVICE PURPOSE]]: when a certificate with this
 * life is due by the `renew:` of FILE; times as seconds or as dates. Without a life: the schedule
 * in words. schedule-test FILE spread N NOT_BEFORE NOT_AFTER SINCE: how many of N devices fall into
 * each tenth of the jitter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "diag.h"
#include "schedule.h"
#include "x509.h"

static int64_t time_of(const char *s)
{
    int64_t t;
    if (!strcmp(s, "max"))
        return X509_TIME_MAX;
    if (!clock_parse(s, &t)) {
        fprintf(stderr, "schedule-test: %s: not a time\n", s);
        exit(9);
    }
    return t;
}

static void print(int64_t t)
{
    char text[CLOCK_TEXT];
    clock_format(t, text);
    puts(t == INT64_MAX ? "never" : text);
}

static int spread(struct schedule *s, char **word)
{
    int64_t jitter = s->jitter, base, tenths[10] = {0}, n = atoll(word[0]);
    struct schedule_life l = {time_of(word[1]), time_of(word[2]), time_of(word[3])};
    s->jitter = 0;
    base = schedule_due(s, &l, "", "");
    s->jitter = jitter;
    if ((l.not_after - base) / 2 < jitter)
        jitter = (l.not_after - base) / 2;
    for (int64_t i = 0; i < n; i++) {
        char device[32];
        snprintf(device, sizeof device, "device-%lld", (long long)i);
        int64_t late = schedule_due(s, &l, device, "tls") - base;
        if (late < 0 || late >= jitter)
            return 1;
        tenths[late * 10 / jitter]++;
    }
    for (int i = 0; i < 10; i++)
        printf("%lld\n", (long long)tenths[i]);
    return 0;
}

int main(int argc, char **argv)
{
    struct schedule s;
    char text[SCHEDULE_TEXT];
    diag_program("schedule-test");
    struct cfg *c = argc > 1 ? cfg_load(argv[1]) : NULL;
    int rc = 2;
    if (c && schedule_read(c, cfg_get(cfg_root(c), "renew"), &s)) {
        rc = 0;
        if (argc == 7 && !strcmp(argv[2], "spread")) {
            rc = spread(&s, argv + 3);
        } else if (argc >= 5) {
            struct schedule_life l = {time_of(argv[2]), time_of(argv[3]), time_of(argv[4])};
            print(schedule_due(&s, &l, argc > 5 ? argv[5] : "dev", argc > 6 ? argv[6] : "tls"));
        } else {
            schedule_text(&s, text);
            puts(text);
        }
    }
    cfg_free(c);
    return rc;
}
