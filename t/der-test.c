/* Says what der_check makes of stdin: "ok", or why not.
 * der-test [-x] [-l PATH] | der-test -t [-l PATH] | der-test -b TIMES
 * -x stdin is in hexadecimal; -l lax path, as "1,0,*"; -b speed; -t: every truncation of stdin, and
 * every length made one octet longer than it must be, which must all be refused */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "der.h"
#include "diag.h"
#include "io.h"

static int path[16];
static size_t path_n;

static void read_path(char *s)
{
    for (char *t = strtok(s, ","); t && path_n < 16; t = strtok(NULL, ","))
        path[path_n++] = *t == '*' ? DER_ANY : atoi(t);
}

static void from_hex(struct buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < b->n; i += 2) {
        unsigned v;
        while (i + 2 < b->n && b->d[i] <= ' ')
            i++;
        if (sscanf((char *)b->d + i, "%2x", &v) != 1)
            break;
        b->d[n++] = (unsigned char)v;
    }
    b->n = n;
}

/* Appends the element at p as it is, but with one more octet of length in the element `at`. */
static void rewrite(struct buf *out, const unsigned char *p, size_t n, size_t base, size_t at)
{
    struct der_tlv t;
    while (der_next(&p, &n, &t)) {
        struct buf in = {0};
        if (t.constructed)
            rewrite(&in, t.content, t.len, base, at);
        else
            buf_put(&in, t.content, t.len);
        buf_put(out, t.der, 1);
        int longer = (size_t)t.der - base == at;
        int k = in.n < 128 ? 0 : in.n < 256 ? 1 : in.n < 65536 ? 2 : 3;
        if (k + longer)
            buf_char(out, 0x80 | (k + longer));
        if (longer && k)
            buf_char(out, 0);
        if (!k)
            buf_char(out, (int)in.n);
        while (k-- > 0)
            buf_char(out, (int)(in.n >> 8 * k & 0xff));
        buf_put(out, in.d, in.n);
        buf_free(&in);
    }
}

static int refuse_longer(const struct buf *b, size_t at)
{
    struct buf out = {0};
    char why[DER_WHY];
    rewrite(&out, b->d, b->n, (size_t)b->d, at);
    int same = out.n == b->n; /* no element begins there */
    int ok = der_check(out.d, out.n, path, path_n, why);
    int wrong = !same && (ok || !strstr(why, "length that is not minimal"));
    if (wrong)
        printf("length at %zu: %s\n", at, why);
    buf_free(&out);
    return wrong ? -1 : !same;
}

static int refuse_all(const struct buf *b)
{
    char why[DER_WHY];
    int elements = 0;
    for (size_t n = 0; n < b->n; n++) {
        unsigned char *cut = malloc(n ? n : 1); /* so that the sanitizer sees a read behind it */
        memcpy(cut, b->d, n);
        if (der_check(cut, n, path, path_n, why))
            return printf("truncated to %zu: taken\n", n), 1;
        free(cut);
    }
    for (size_t at = 0; at < b->n; at++) {
        int r = refuse_longer(b, at);
        if (r < 0)
            return 1;
        elements += r;
    }
    printf("refused %zu truncations: yes, long lengths: %s\n", b->n, elements > 3 ? "yes" : "no");
    return 0;
}

static int speed(const struct buf *b, long times)
{
    char why[DER_WHY];
    clock_t from = clock();
    for (long i = 0; i < times; i++)
        der_check(b->d, b->n, NULL, 0, why);
    double s = (double)(clock() - from) / CLOCKS_PER_SEC;
    printf("%.2f us each, %.0f MB/s\n", s * 1e6 / (double)times,
           (double)b->n * (double)times / 1e6 / s);
    return 0;
}

int main(int argc, char **argv)
{
    int c, hex = 0, all = 0;
    long times = 0;
    char why[DER_WHY];
    struct buf b = {0};
    while ((c = getopt(argc, argv, "xtl:b:")) != -1) {
        hex |= c == 'x';
        all |= c == 't';
        if (c == 'l')
            read_path(optarg);
        if (c == 'b')
            times = atol(optarg);
    }
    if (!io_read_fd(STDIN_FILENO, 1 << 24, &b, "stdin"))
        return ST_INPUT;
    if (hex)
        from_hex(&b);
    int st = 0;
    if (times)
        st = speed(&b, times);
    else if (all)
        st = refuse_all(&b);
    else
        puts(der_check(b.d, b.n, path_n ? path : NULL, path_n, why) ? "ok" : why);
    buf_free(&b);
    return st;
}
