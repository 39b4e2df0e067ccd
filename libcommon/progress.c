#include "progress.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "diag.h"

#define BETWEEN_MS 100

static const char *counted; /* NULL: nothing is shown */
static long done;
static int64_t began, shown;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void show(int64_t now, const char *end)
{
    char line[160];
    long long ms = now - began;
    int n = snprintf(line, sizeof line, "%s: %ld %s, %lld s, %lld a second\x1b[K%s", diag_name(),
                     done, counted, ms / 1000, ms ? (long long)done * 1000 / ms : 0, end);
    ssize_t w = write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    (void)w;
    shown = now;
}

void progress_start(const char *what)
{
    if (!isatty(STDERR_FILENO))
        return;
    counted = what;
    done = 0;
    began = now_ms();
    show(began, "\r");
}

void progress_step(long n)
{
    if (!counted)
        return;
    done += n;
    int64_t now = now_ms();
    if (now - shown >= BETWEEN_MS)
        show(now, "\r");
}

void progress_end(void)
{
    if (!counted)
        return;
    show(now_ms(), "\n");
    counted = NULL;
}
