#include "diag.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 1000

static const char *program = "certline";
static int verbose;

void diag_program(const char *name)
{
    program = name;
}

const char *diag_name(void)
{
    return program;
}

void diag_verbose(int on)
{
    verbose = on;
}

/* Length of the well-formed UTF-8 sequence at p that is safe to show, 0 if there is none. */
static size_t printable(const unsigned char *p)
{
    if (p[0] >= 0x20 && p[0] < 0x7f)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : p[0] >= 0xe0 && p[0] <= 0xef ? 3 : 0;
    if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) /* C1 controls */
        return 0;
    /* Bidirectional and zero-width marks can make a line read otherwise than it is. */
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] <= 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
        return 0;
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa0)
        return 0;
    return n;
}

void diag_escape(const char *in, char *out, unsigned long n)
{
    const unsigned char *p = (const unsigned char *)in;
    size_t at = 0;
    while (*p) {
        size_t k = printable(p);
        if (at + (k ? k : 4) + 1 > n)
            break;
        if (k) {
            memcpy(out + at, p, k);
            at += k;
            p += k;
        } else {
            at += (size_t)snprintf(out + at, n - at, "\\x%02x", *p++);
        }
    }
    out[at] = 0;
}

static void say(const char *kind, const char *text)
{
    char shown[LINE_MAX_OCTETS], line[LINE_MAX_OCTETS + 80];
    diag_escape(text, shown, sizeof shown);
    int n = snprintf(line, sizeof line, "%s: %s%s\n", program, kind, shown);
    /* One write a line: several programs of a pipeline share this stderr. */
    ssize_t w = write(STDERR_FILENO, line, (size_t)n);
    (void)w;
}

int diag_vwarn(const char *fmt, va_list ap)
{
    char text[LINE_MAX_OCTETS];
    vsnprintf(text, sizeof text, fmt, ap);
    say("", text);
    return 0;
}

int diag_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    diag_vwarn(fmt, ap);
    va_end(ap);
    return 0;
}

void diag_hint(const char *fmt, ...)
{
    char text[LINE_MAX_OCTETS];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say("hint: ", text);
}

void diag_note(const char *fmt, ...)
{
    va_list ap;
    if (!verbose)
        return;
    va_start(ap, fmt);
    diag_vwarn(fmt, ap);
    va_end(ap);
}

void diag_exit(enum status st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    diag_vwarn(fmt, ap);
    va_end(ap);
    exit((int)st);
}

void diag_err(const char *fmt, ...)
{
    int saved = errno;
    char text[LINE_MAX_OCTETS];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_warn("%s: %s", text, strerror(saved));
    exit(ST_TEMP);
}

const char *diag_openssl(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return reason ? reason : "unknown error";
}
