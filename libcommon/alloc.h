/* Memory that is there or ends the process with ST_TEMP (the system failed, not the input). */
#ifndef ALLOC_H
#define ALLOC_H

#include <stddef.h>

void *alloc_zero(size_t count, size_t size); /* zeroed; freed with free() */
void *alloc_grow(void *old, size_t count, size_t size);
void *alloc_copy(const void *p, size_t n); /* n octets and a NUL behind them */
char *alloc_str(const char *s);            /* NULL gives NULL */
char *alloc_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Overwrites, then frees; NULL-safe. */
void alloc_wipe(void *p, size_t n);

#endif
