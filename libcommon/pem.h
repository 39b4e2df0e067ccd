/* PEM (RFC 7468) as a stream: one block at a time, flat memory however long the input is.
 *
 * Limits: a line of PEM_LINE octets, a block of the size the caller names, PEM_TEXT octets of
 * explanatory text ahead of a block. What breaks a limit is skipped without being held in memory.
 */
#ifndef PEM_H
#define PEM_H

#include <stddef.h>

#include "buf.h"
#include "status.h"

#define PEM_LINE 1024
#define PEM_TEXT 4096

enum pem_result {
    PEM_BLOCK, /* *out is filled */
    PEM_BAD,  /* this block could not be read: why and line are set; the next call goes on behind it
               */
    PEM_WAIT, /* asked not to wait, and a read would block before a block is whole */
    PEM_END,  /* end of input (or io_stopping) */
    PEM_FAIL  /* read(2) failed, errno is set */
};

enum pem_flags {
    PEM_STRICT = 1, /* RFC 7468 section 3, "strict": 64 columns, canonical base64 (zero pad bits), no
                       text but blank lines outside blocks; what units say to each other */
    PEM_FILE = 2    /* a file, no stream: read to its end, though the program is to stop */
};

struct pem_block {
    char label[64];
    const unsigned char *der; /* borrowed until the next call */
    size_t n;
    const char *text; /* lines ahead of the block, NUL-terminated, borrowed likewise; "" if none */
    unsigned long line; /* of BEGIN, from 1 */
    char why[160];      /* PEM_BAD: one reason without the line; "" otherwise */
};

struct pem;

/* Reads from fd, which stays the caller's. max_der: octets of a decoded block at the most. */
struct pem *pem_open(int fd, size_t max_der, int flags);
/* Starts over with another descriptor; cheaper than pem_close and pem_open for many small files. What was read
 * before stays in memory until pem_close. */
void pem_reopen(struct pem *p, int fd);
/* wait 0: returns PEM_WAIT instead of blocking, keeping what it has. Octets at the end of input
 * outside any block, other than white space, are PEM_BAD once ("no PEM block") if no block was ever
 * seen, as is a block that input ends within ("truncated"). */
enum pem_result pem_next(struct pem *p, struct pem_block *out, int wait);
/* How many octets were read so far: 0 at PEM_END means that stdin was empty. */
unsigned long long pem_octets(const struct pem *p);
/* What the end of a program's stdin says: ST_OK; ST_TEMP after a warning when a signal ended it; ST_EMPTY after a
 * warning when nothing was ever read. */
enum status pem_ended(const struct pem *p);
void pem_close(struct pem *p);

/* Appends one block in strict form. */
void pem_put(struct buf *out, const char *label, const void *der, size_t n);
/* Reads all blocks of a small file into one buffer a block; only blocks of `label`, any other is an
 * error. Returns how many (at most `most`), or -1 after a warning that names the file. The caller
 * frees each with buf_free. */
int pem_file(const char *path, const char *label, size_t max_der, struct buf *out, int most);

#endif
