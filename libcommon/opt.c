#include "opt.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "diag.h"
#include "io.h"

#define WIDTH 80
#define HELP_COLUMN 26
#define LONG_BASE 256 /* getopt's value of option i is LONG_BASE + i */

static const struct opt common[] = {
    {'h', "help", OPT_FLAG, NULL, NULL, "print this and end", NULL, 0, 0},
    {'V', "version", OPT_FLAG, NULL, NULL, "print the version and end", NULL, 0, 0},
    {'v', "verbose", OPT_FLAG, NULL, NULL, "say more on stderr", NULL, 0, 0},
    {0, "list-options", OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0},
};
#define COMMON (sizeof common / sizeof *common)

static size_t count(const struct opt *o)
{
    size_t n = 0;
    while (o[n].name)
        n++;
    return n;
}

/* Puts text behind column `from`, breaking between words at WIDTH. */
static void fold(struct buf *b, const char *text, int from)
{
    int col = from;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (col > from && col + 1 + word > WIDTH) {
            buf_printf(b, "\n%*s", from, "");
            col = from;
        } else if (col > from) {
            buf_char(b, ' ');
            col++;
        }
        buf_put(b, text, (size_t)word);
        col += word;
        text += word;
        text += strspn(text, " ");
    }
    buf_char(b, '\n');
}

static void usage_line(struct buf *b, const struct opt *o)
{
    char left[64], right[256];
    if (!o->help)
        return;
    snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
             o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    snprintf(right, sizeof right, "%s%s%s%s", o->help, o->def ? " (default " : "",
             o->def ? o->def : "", o->def ? ")" : "");
    if (strlen(left) >= HELP_COLUMN)
        buf_printf(b, "%s\n%*s", left, HELP_COLUMN, "");
    else
        buf_printf(b, "%-*s", HELP_COLUMN, left);
    fold(b, right, HELP_COLUMN);
}

static void usage(const struct opt_program *p, int fd)
{
    struct buf b = {0};
    int lead = (int)strlen(p->name) + 8;
    buf_printf(&b, "usage: %s ", p->name);
    fold(&b, p->synopsis, lead);
    fold(&b, p->purpose, 0);
    buf_char(&b, '\n');
    for (const struct opt *o = p->options; o->name; o++)
        usage_line(&b, o);
    for (size_t i = 0; i < COMMON; i++)
        usage_line(&b, &common[i]);
    buf_printf(&b, "\nSee %s(1) and certline(7).\n", p->name);
    io_write(fd, b.d, b.n);
    buf_free(&b);
}

void opt_wrong(const struct opt_program *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    diag_vwarn(fmt, ap);
    va_end(ap);
    diag_hint("see %s -h", p->name);
    exit(ST_USAGE);
}

static void list(const struct opt *o)
{
    for (; o->name; o++)
        printf("%c\t%s\t%s\t%s\n", o->letter ? o->letter : ' ', o->name, o->arg ? o->arg : "", o->help);
}

static void take(const struct opt_program *p, const struct opt *o, const char *arg)
{
    switch (o->kind) {
    case OPT_FLAG:
        *(int *)o->dest = 1;
        break;
    case OPT_STRING:
        *(const char **)o->dest = arg;
        break;
    case OPT_NUMBER: {
        char *end;
        errno = 0;
        long v = strtol(arg, &end, 10);
        if (errno || end == arg || *end || v < o->min || v > o->max)
            opt_wrong(p, "--%s: not a number from %ld to %ld: \"%s\"", o->name, o->min, o->max, arg);
        *(long *)o->dest = v;
        break;
    }
    case OPT_STRINGS: {
        struct opt_strings *s = o->dest;
        if (s->n == OPT_STRINGS_MAX)
            opt_wrong(p, "--%s: given more than %d times", o->name, OPT_STRINGS_MAX);
        s->v[s->n++] = arg;
        break;
    }
    }
}

static void take_common(const struct opt_program *p, size_t which)
{
    switch (which) {
    case 0:
        usage(p, STDOUT_FILENO);
        exit(ST_OK);
    case 1:
        printf("%s %s\n", p->name, CERTLINE_VERSION);
        exit(ST_OK);
    case 2:
        diag_verbose(1);
        break;
    default:
        list(p->options);
        exit(ST_OK);
    }
}

static void fill(struct option *lo, struct buf *letters, const struct opt *o, int value)
{
    *lo = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, value};
    if (!o->letter)
        return;
    buf_char(letters, o->letter);
    if (o->arg)
        buf_char(letters, ':');
}

int opt_parse(const struct opt_program *p, int argc, char **argv)
{
    size_t n = count(p->options);
    struct option *lo = alloc_zero(n + COMMON + 1, sizeof *lo);
    struct buf letters = {0};
    diag_program(p->name);
    for (size_t i = 0; i < n + COMMON; i++)
        fill(&lo[i], &letters, i < n ? &p->options[i] : &common[i - n], LONG_BASE + (int)i);
    for (size_t i = 0; i < n; i++)
        if (p->options[i].def)
            take(p, &p->options[i], p->options[i].def);
    for (int c; (c = getopt_long(argc, argv, (char *)letters.d, lo, NULL)) != -1;) {
        if (c == '?') {
            diag_hint("see %s -h", p->name); /* getopt has said what is wrong */
            exit(ST_USAGE);
        }
        for (size_t i = 0; i < n; i++)
            if (c == p->options[i].letter || c == LONG_BASE + (int)i)
                take(p, &p->options[i], optarg);
        for (size_t i = 0; i < COMMON; i++)
            if (c == common[i].letter || c == LONG_BASE + (int)(n + i))
                take_common(p, i);
    }
    if (argc - optind > p->operands)
        opt_wrong(p, "one operand too many: \"%s\"", argv[optind + p->operands]);
    if (p->reads_stdin)
        opt_want_stdin(p);
    free(lo);
    buf_free(&letters);
    return optind;
}

void opt_want_stdin(const struct opt_program *p)
{
    if (!isatty(STDIN_FILENO))
        return;
    usage(p, STDERR_FILENO);
    exit(ST_USAGE);
}
