/* Diagnostics on stderr: "program: what: why", one line each, no capital, no full stop.
 * Whatever a message quotes may be hostile: control characters and broken UTF-8 are shown as \xNN,
 * and a line is cut at 1,000 octets, so that input can neither forge a line nor reach the terminal. */
#ifndef DIAG_H
#define DIAG_H

#include <stdarg.h>

#include "status.h"

#define DIAG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Names the program; `name` is borrowed for the life of the process. */
void diag_program(const char *name);
const char *diag_name(void);
/* Turns notes (diag_note) on. */
void diag_verbose(int on);

/* One warning. Returns 0, so that a parser can say `return diag_warn(...)`. */
int diag_warn(const char *fmt, ...) DIAG_PRINTF(1, 2);
int diag_vwarn(const char *fmt, va_list ap) DIAG_PRINTF(1, 0);
/* The likely cure, on a line of its own behind the warning: "program: hint: ...". */
void diag_hint(const char *fmt, ...) DIAG_PRINTF(1, 2);
/* Shown only with -v. */
void diag_note(const char *fmt, ...) DIAG_PRINTF(1, 2);

/* Warns and ends the process with this status. */
_Noreturn void diag_exit(enum status st, const char *fmt, ...) DIAG_PRINTF(2, 3);
/* The system failed us: warns with strerror(errno) and ends with ST_TEMP. */
_Noreturn void diag_err(const char *fmt, ...) DIAG_PRINTF(1, 2);

/* Writes `in` to `out` (size `n`, always terminated) as diagnostics would show it. */
void diag_escape(const char *in, char *out, unsigned long n);
/* Takes what OpenSSL's error queue says last (a static text, "unknown error" when empty) and clears it. */
const char *diag_openssl(void);

#endif
