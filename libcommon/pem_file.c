#include "pem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

/* Takes the next block into out. 1; 0 at the end; -1 after a warning. */
static int take(struct pem *p, const char *path, const char *label, struct buf *out)
{
    struct pem_block b;
    switch (pem_next(p, &b, 1)) {
    case PEM_BLOCK:
        break;
    case PEM_BAD:
        diag_warn("%s:%lu: %s", path, b.line, b.why);
        return -1;
    case PEM_FAIL:
        diag_warn("%s: %s", path, strerror(errno));
        return -1;
    default:
        return 0;
    }
    if (strcmp(b.label, label) != 0) {
        diag_warn("%s:%lu: a %s block where only %s may stand", path, b.line, b.label, label);
        return -1;
    }
    if (!out) {
        diag_warn("%s:%lu: one %s block too many", path, b.line, label);
        return -1;
    }
    buf_put(out, b.der, b.n);
    return 1;
}

int pem_file(const char *path, const char *label, size_t max_der, struct buf *out, int most)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        diag_warn("%s: %s", path, strerror(errno));
        return -1;
    }
    struct pem *p = pem_open(fd, max_der, 0);
    int n = 0, r;
    for (int i = 0; i < most; i++)
        out[i] = (struct buf){0};
    while ((r = take(p, path, label, n < most ? &out[n] : NULL)) > 0)
        n++;
    if (!r && !n) {
        diag_warn("%s: no %s block", path, label);
        r = -1;
    }
    if (r < 0) {
        while (n)
            buf_wipe(&out[--n]);
        n = -1;
    }
    pem_close(p);
    close(fd);
    return n;
}
