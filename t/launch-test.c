/* Runs each operand as a command, all handed over before any result is taken, and shows the
 * results. launch-test [-j JOBS] [-s SECONDS] [-m MAX] [-i OCTETS] [-r TIMES] [-d] CMD... -i octets
 * of stdin for each; -r hands all over that often; -d dies by SIGKILL while they run */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"
#include "launch.h"

static int take(struct launch *l, int wait)
{
    struct launch_result r;
    int got = launch_result(l, &r, wait);
    if (got <= 0)
        return got;
    printf("%d: status %d%s%s, %zu octets: %.60s\n", (int)(size_t)r.tag, r.status,
           r.timed_out ? ", timed out" : "", r.too_long ? ", too long" : "", r.out.n,
           r.out.n ? (char *)r.out.d : "");
    buf_free(&r.out);
    return 1;
}

static void submit(struct launch *l, const char *command, int number, size_t in)
{
    char *var = alloc_printf("JOB=job %d", number), *stdin_of_it = alloc_zero(in + 1, 1);
    const char *env[] = {var, "EMPTY=", NULL};
    memset(stdin_of_it, 'x', in);
    struct launch_job job = {command, env, stdin_of_it, in, (void *)(size_t)number};
    if (!launch_submit(l, &job))
        diag_exit(ST_TEMP, "the launcher is gone");
    free(var);
    free(stdin_of_it);
}

int main(int argc, char **argv)
{
    int c, jobs = 4, seconds = 120, times = 1, die = 0, number = 0;
    size_t max = 1 << 20, in = 0;
    io_init();
    diag_program("launch-test");
    if (fcntl(STDERR_FILENO, F_DUPFD, 9) < 0) /* one descriptor more, that nobody may inherit */
        return ST_TEMP;
    while ((c = getopt(argc, argv, "j:s:m:i:r:d")) != -1) {
        switch (c) {
        case 'j':
            jobs = atoi(optarg);
            break;
        case 's':
            seconds = atoi(optarg);
            break;
        case 'm':
            max = strtoul(optarg, NULL, 10);
            break;
        case 'i':
            in = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            times = atoi(optarg);
            break;
        case 'd':
            die = 1;
            break;
        default:
            return ST_USAGE;
        }
    }
    struct launch *l = launch_start(jobs, seconds, max);
    while (times--)
        for (int i = optind; i < argc; i++)
            submit(l, argv[i], ++number, in);
    if (die) {
        sleep(1);
        raise(SIGKILL);
    }
    printf("pending %d\n", launch_pending(l));
    int got;
    while ((got = take(l, 1)) > 0)
        ;
    printf("pending %d, last %d\n", launch_pending(l), got);
    launch_end(l);
    return ST_OK;
}
