/* Runs a command and appends what it cost to a file: name, user+system microseconds, peak RSS in
 * KiB, exit status, microseconds from start to end. For scripts/bench. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    struct rusage ru;
    int status;
    if (argc < 4) {
        fprintf(stderr, "usage: bench-run FILE NAME COMMAND...\n");
        return 2;
    }
    long start = now();
    pid_t pid = fork();
    if (pid < 0)
        return 4;
    if (!pid) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    close(0);
    close(1); /* a reader behind the command must see its end */
    if (wait4(pid, &status, 0, &ru) != pid)
        return 4;
    long took = now() - start;
    FILE *f = fopen(argv[1], "a");
    if (!f)
        return 4;
    long us = (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000L + ru.ru_utime.tv_usec +
              ru.ru_stime.tv_usec;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(f, "%s %ld %ld %d %ld\n", argv[2], us, ru.ru_maxrss, code, took);
    fclose(f);
    return code;
}
