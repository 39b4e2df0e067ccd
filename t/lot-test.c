/* lot-test VERB FILE [ARGUMENT...]: drives csv and lot from t/lot.bats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "buf.h"
#include "diag.h"
#include "io.h"
#include "lot.h"

static double now(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long memory(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_maxrss;
}

static void print(const struct csv_row *r, unsigned long line)
{
    printf("%lu:", line);
    for (size_t i = 0; i < r->n; i++)
        printf(" %s=<%s>", r->names[i], r->v[i]);
    putchar('\n');
}

/* csv FILE: all rows, each read a second time by its offset. */
static int csv(char **a)
{
    int r, bad = 0;
    struct csv_row row, again;
    struct csv *c = csv_open(a[0]);
    if (!c)
        return ST_USAGE;
    while ((r = csv_next(c, &row)) != 0) {
        bad |= r < 0;
        if (r < 0)
            continue;
        print(&row, row.line);
        if (csv_at(c, row.offset, &again) != 1 || again.n != row.n ||
            csv_line(c, row.offset) != row.line)
            return ST_TEMP;
        for (size_t i = 0; i < row.n; i++)
            if (strcmp(row.v[i], again.v[i]))
                return ST_TEMP;
    }
    csv_close(c);
    return bad ? ST_INPUT : ST_OK;
}

static void brackets(struct buf *out, const char *field)
{
    buf_printf(out, "[%s]", field);
}

/* expand FILE TEMPLATE [quote]: for each row. */
static int expand(char **a)
{
    struct csv_row row;
    struct csv *c = csv_open(a[0]);
    if (!c)
        return ST_USAGE;
    enum status st = ST_OK;
    while (st == ST_OK && csv_next(c, &row) > 0) {
        char *s = csv_expand(&row, a[1], a[2] ? brackets : NULL);
        st = s ? ST_OK : ST_USAGE;
        if (s)
            puts(s);
        free(s);
    }
    csv_close(c);
    return (int)st;
}

/* look FILE LOT DEVICE...: the row of each. */
static int look(char **a)
{
    enum status st = ST_OK;
    struct csv_row row;
    struct lots *ls = lots_load(a[0]);
    const struct lot *l = ls ? lots_find(ls, a[1]) : NULL;
    if (!l)
        return ST_USAGE;
    for (char **d = a + 2; *d; d++) {
        int r = lots_device(ls, l, *d, &row);
        st = status_worse(st, r < 0 ? ST_USAGE : r ? ST_OK : ST_REFUSED);
        if (r > 0)
            print(&row, lots_line(ls, l, &row));
    }
    lots_free(ls);
    return (int)st;
}

/* show FILE LOT UNIT */
static int show(char **a)
{
    struct lots *ls = lots_load(a[0]);
    const struct lot *l = ls ? lots_find(ls, a[1]) : NULL;
    if (!ls)
        return ST_USAGE;
    if (l)
        printf("%s %s %s %s pop=%d %s\n", l->name, l->profile, l->owner,
               l->devices ? l->devices : "any", l->pop,
               lot_allows_unit(l, a[2]) ? "allowed" : "not allowed");
    lots_free(ls);
    return l ? ST_OK : ST_REFUSED;
}

/* speed FILE LOT DEVICE: opens the list, then looks the device up 100,000 times. */
static int speed(char **a)
{
    struct csv_row row;
    struct lots *ls = lots_load(a[0]);
    const struct lot *l = ls ? lots_find(ls, a[1]) : NULL;
    long before = memory();
    double start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    if (!l || !lots_open_list(ls, l))
        return ST_USAGE;
    double opened = now(CLOCK_MONOTONIC);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    for (int i = 0; i < 100000; i++)
        if (lots_device(ls, l, a[2], &row) != 1)
            return ST_REFUSED;
    printf("open_ms=%.0f cpu_ms=%.0f kib=%ld look_ns=%.0f\n", (opened - start) * 1e3, cpu * 1e3,
           memory() - before, (now(CLOCK_MONOTONIC) - opened) * 1e4);
    lots_free(ls);
    return ST_OK;
}

/* edit FILE LOT DEVICE LIST: looks up, lets the list be written to, looks up again. */
static int edit(char **a)
{
    struct csv_row row;
    struct lots *ls = lots_load(a[0]);
    const struct lot *l = ls ? lots_find(ls, a[1]) : NULL;
    if (!l || lots_device(ls, l, a[2], &row) != 1)
        return ST_USAGE;
    FILE *f = fopen(a[3], "a");
    if (!f || fputs("another,x\n", f) < 0 || fclose(f))
        return ST_TEMP;
    int r = lots_device(ls, l, a[2], &row);
    lots_free(ls);
    return r < 0 ? ST_INPUT : ST_OK;
}

static void show_names(struct span subject, struct span san)
{
    struct span list = {0}, name;
    struct buf text = {0};
    char why[X509_WHY], *s = subject.n ? x509_name_text(subject) : NULL;
    printf("%s", s ? s : "-");
    free(s);
    x509_take(&san, 0x30, NULL, &list);
    while (list.n && x509_san_take(&list, &name, why)) {
        buf_reset(&text);
        x509_san_text(name, &text);
        printf(" %s", (char *)text.d);
    }
    putchar('\n');
    buf_free(&text);
}

/* names FILE LOT DEVICE...: what the lot says of each. */
static int names(char **a)
{
    enum status st = ST_OK;
    struct csv_row row;
    char why[LOT_WHY];
    struct lots *ls = lots_load(a[0]);
    if (!ls || !lots_check(ls)) {
        lots_free(ls);
        return ST_USAGE;
    }
    const struct lot *l = lots_find(ls, a[1]);
    for (char **d = a + 2; *d; d++) {
        struct buf subject = {0}, san = {0};
        int r = lots_device(ls, l, *d, &row);
        if (r < 1) {
            st = ST_REFUSED;
            printf("%s: not of the lot\n", *d);
        } else if (lots_names(ls, l, *d, &row, &subject, &san, why)) {
            show_names(buf_span(&subject), buf_span(&san));
        } else {
            st = ST_REFUSED;
            printf("%s\n", why);
        }
        buf_free(&subject);
        buf_free(&san);
    }
    lots_free(ls);
    return (int)st;
}

/* owner FILE OWNER SUBJECT [SAN...]: whether its certificates may have these names. */
static int owner(char **a)
{
    struct buf subject = {0}, san = {0};
    char why[LOT_WHY];
    struct lots *ls = lots_load(a[0]);
    int ok = ls && x509_name_parse(a[2], &subject, why);
    for (char **s = a + 3; ok && *s; s++)
        ok = x509_san_parse(*s, &san, why);
    if (!ok)
        return ST_USAGE;
    if (san.n)
        x509_wrap(&san, 0, 0x30);
    ok = lots_owner_allows(ls, a[1], buf_span(&subject), buf_span(&san), why);
    puts(ok ? "allowed" : why);
    buf_free(&subject);
    buf_free(&san);
    lots_free(ls);
    return ok ? ST_OK : ST_REFUSED;
}

/* open FILE LOT SECONDS ATTACH */
static int open_at(char **a)
{
    char why[LOT_WHY];
    struct lots *ls = lots_load(a[0]);
    const struct lot *l = ls ? lots_find(ls, a[1]) : NULL;
    if (!l)
        return ST_USAGE;
    int ok = lot_open_at(l, atoll(a[2]), why);
    printf("%s, approve=%d quota=%lld, %s\n", ok ? "open" : why, l->approve, (long long)l->quota,
           lot_allows_attach(l, a[3]) ? "allowed" : "not allowed");
    lots_free(ls);
    return ok ? ST_OK : ST_REFUSED;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *verb;
        int words;
        int (*run)(char **a);
    } verbs[] = {{"csv", 1, csv},     {"expand", 2, expand}, {"look", 2, look},
                 {"show", 3, show},   {"speed", 3, speed},   {"edit", 4, edit},
                 {"names", 3, names}, {"owner", 3, owner},   {"open", 4, open_at}};
    diag_program("lot-test");
    io_init();
    for (size_t i = 0; argc > 2 && i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(argv[1], verbs[i].verb) && argc >= verbs[i].words + 2)
            return verbs[i].run(argv + 2);
    return ST_USAGE;
}
