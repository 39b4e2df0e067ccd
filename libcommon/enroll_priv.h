/* What the files of the module enroll share. */
#ifndef ENROLL_PRIV_H
#define ENROLL_PRIV_H

#include "enroll.h"

/* enroll_put for a key that was just made. */
enum status enroll_put_made(const struct enroll_form *f, const struct csr_key *k, struct buf *out);
/* The file of a key that was just made; flags: IO_FSYNC or 0. 1, or 0 with errno. */
int enroll_write_key(const char *path, const struct csr_key *k, int flags);

#endif
