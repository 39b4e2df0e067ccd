#include "alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "diag.h"

void *alloc_zero(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        diag_err("memory");
    return p;
}

void *alloc_grow(void *old, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        diag_exit(ST_TEMP, "memory: size overflow");
    size_t n = count * size;
    void *p = realloc(old, n ? n : 1);
    if (!p)
        diag_err("memory");
    return p;
}

void *alloc_copy(const void *src, size_t n)
{
    char *p = alloc_zero(n + 1, 1);
    if (n)
        memcpy(p, src, n);
    return p;
}

char *alloc_str(const char *s)
{
    return s ? alloc_copy(s, strlen(s)) : NULL;
}

char *alloc_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        diag_err("memory");
    return s;
}

void alloc_wipe(void *p, size_t n)
{
    if (!p)
        return;
    OPENSSL_cleanse(p, n);
    free(p);
}
