/* One option table a program: it drives the parsing, the defaults, the usage text, the shell
 * completions and the check of the manual page (scripts/lint-options).
 *
 * -h/--help, -V/--version and -v/--verbose are added to every table. The undocumented --list-options
 * prints the table, one option a line: letter, name, argument, help, separated by tabs. */
#ifndef OPT_H
#define OPT_H

#include <stddef.h>

enum opt_kind {
    OPT_FLAG,   /* dest: int *, set to 1 */
    OPT_STRING, /* dest: const char **, borrowed from argv or from `def` */
    OPT_NUMBER, /* dest: long *, in min..max */
    OPT_STRINGS /* dest: struct opt_strings *, may be given again */
};

#define OPT_STRINGS_MAX 64
struct opt_strings {
    const char *v[OPT_STRINGS_MAX];
    size_t n;
};

struct opt {
    int letter; /* 0: the long name only */
    const char *name;
    enum opt_kind kind;
    void *dest;
    const char *arg;  /* what the usage calls the argument; NULL for a flag */
    const char *help; /* one line, no capital, no full stop */
    const char *def;  /* default, as the user would write it; NULL: none */
    long min, max;    /* OPT_NUMBER */
};

struct opt_program {
    const char *name;
    const char *synopsis; /* behind the name: "[-c FILE] [--lot NAME] < requests" */
    const char *purpose;  /* one sentence */
    const struct opt *options; /* ends with name == NULL */
    int reads_stdin;           /* a terminal on stdin is a usage error */
    int operands;              /* how many operands at the most */
};

/* Names the program to diag, sets the defaults, reads argv. Ends the process for -h and -V (0) and for
 * a wrong call (ST_USAGE). Returns the index of the first operand. The reads_stdin check is
 * opt_want_stdin's, for programs where only some modes read. */
int opt_parse(const struct opt_program *p, int argc, char **argv);
/* Prints the usage to stderr and ends with ST_USAGE when stdin is a terminal. */
void opt_want_stdin(const struct opt_program *p);
/* "program: why", "hint: see program -h", ends with ST_USAGE. */
_Noreturn void opt_wrong(const struct opt_program *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
