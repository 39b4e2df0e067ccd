/* Shows what pem_next makes of stdin, one result a line.
 * pem-test [-s] [-w] [-m MAX] | pem-test -e LABEL | pem-test -f FILE LABEL | pem-test -b OCTETS
 * -s strict; -w never waits, and says when it would; -e encodes stdin; -f pem_file; -b speed */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <poll.h>
#include <sys/resource.h>

#include "buf.h"
#include "diag.h"
#include "io.h"
#include "pem.h"

static void show(const struct pem_block *b)
{
    unsigned sum = 0;
    for (size_t i = 0; i < b->n; i++)
        sum = sum * 31 + b->der[i];
    printf("%lu BLOCK %s %zu %08x [%s]\n", b->line, b->label, b->n, sum, b->text);
}

static int read_all(int flags, size_t max, int wait)
{
    struct pem *p = pem_open(STDIN_FILENO, max, flags);
    struct pem_block b;
    enum pem_result r;
    while ((r = pem_next(p, &b, wait)) != PEM_END) {
        if (r == PEM_BLOCK)
            show(&b);
        else if (r == PEM_BAD)
            printf("%lu BAD %s\n", b.line, b.why);
        else if (r == PEM_WAIT) {
            struct pollfd pf = {STDIN_FILENO, POLLIN, 0};
            puts("WAIT");
            fflush(stdout);
            poll(&pf, 1, -1);
        } else
            diag_err("stdin");
        fflush(stdout);
    }
    printf("END %llu\n", pem_octets(p));
    pem_close(p);
    return 0;
}

static int encode(const char *label)
{
    struct buf in = {0}, out = {0};
    if (!io_read_fd(STDIN_FILENO, 1 << 30, &in, "stdin"))
        return ST_INPUT;
    pem_put(&out, label, in.d, in.n);
    io_stdout(out.d, out.n);
    buf_free(&in);
    buf_free(&out);
    return 0;
}

static int file(const char *path, const char *label)
{
    struct buf b[2];
    int n = pem_file(path, label, 4096, b, 2);
    for (int i = 0; i < n; i++) {
        printf("%zu\n", b[i].n);
        buf_free(&b[i]);
    }
    return n < 0 ? ST_INPUT : 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Octets of DER a second, encoded; decoding is timed from outside, with -m. */
static int speed(size_t n)
{
    struct buf in = {0}, out = {0};
    memset(buf_room(&in, n), 0x5a, n);
    double from = now();
    pem_put(&out, "X", in.d, n);
    fprintf(stderr, "%.0f MB/s\n", (double)n / 1e6 / (now() - from));
    io_stdout(out.d, out.n);
    buf_free(&in);
    buf_free(&out);
    return 0;
}

int main(int argc, char **argv)
{
    int c, flags = 0, wait = 1;
    size_t max = 65536;
    io_init();
    diag_program("pem-test");
    while ((c = getopt(argc, argv, "swm:e:f:b:")) != -1) {
        if (c == 's')
            flags |= PEM_STRICT;
        else if (c == 'w')
            wait = 0;
        else if (c == 'm')
            max = strtoul(optarg, NULL, 10);
        else if (c == 'e')
            return encode(optarg);
        else if (c == 'f' && optind < argc)
            return file(optarg, argv[optind]);
        else if (c == 'b')
            return speed(strtoul(optarg, NULL, 10));
        else
            return ST_USAGE;
    }
    return read_all(flags, max, wait);
}
