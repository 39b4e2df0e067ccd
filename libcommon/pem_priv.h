/* Base64 (RFC 4648 section 4) as PEM has it: fed line by line. */
#ifndef PEM_PRIV_H
#define PEM_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct pem_base64 {
    struct buf out;
    int strict;
    uint32_t bits;      /* of the group under way */
    unsigned have, pad; /* its characters and its "=" */
    int last;           /* strict: a line of less than 64 columns was the last one */
};

void pem_base64_start(struct pem_base64 *b, int strict);
/* Each gives NULL, or what is wrong. */
const char *pem_base64_line(struct pem_base64 *b, const unsigned char *s, size_t n);
const char *pem_base64_end(const struct pem_base64 *b);

#endif
