/* libFuzzer: the first octet chooses flags and limit, the rest is the stream. Whatever it is, the
 * reader comes to its end, keeps its limits, and a strict block is, encoded again, what was read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pem.h"

static void check(const struct pem_block *b, size_t max, int flags, const uint8_t *data, size_t n)
{
    struct buf again = {0};
    if (b->n > max || !b->n || !b->line || strlen(b->text) > PEM_TEXT || b->why[0])
        abort();
    pem_put(&again, b->label, b->der, b->n);
    again.n--; /* the last line may lack its end */
    if (flags & PEM_STRICT && !memmem(data, n, again.d, again.n))
        abort();
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pem_block b;
    enum pem_result r;
    int fd = memfd_create("pem", MFD_CLOEXEC);
    if (!n || fd < 0 || write(fd, data + 1, n - 1) != (ssize_t)n - 1 || lseek(fd, 0, SEEK_SET))
        goto out;
    int flags = data[0] & 1 ? PEM_STRICT : 0;
    size_t max = data[0] & 2 ? 100 : 65536, turns = 0;
    struct pem *p = pem_open(fd, max, flags);
    while ((r = pem_next(p, &b, data[0] & 4)) != PEM_END) {
        if (r == PEM_BLOCK)
            check(&b, max, flags, data + 1, n - 1);
        else if (r != PEM_BAD || !b.why[0] || !b.line || turns++ > n)
            abort();
    }
    if (pem_octets(p) != n - 1)
        abort();
    pem_close(p);
out:
    close(fd);
    return 0;
}
