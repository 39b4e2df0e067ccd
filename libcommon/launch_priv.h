/* Between the caller's end and the launcher process: frames over a socket pair, both ends
 * non-blocking. */
#ifndef LAUNCH_PRIV_H
#define LAUNCH_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* A job: this, then the command and each variable of the environment with its NUL, then stdin. */
struct launch_order {
    uint64_t tag, command, env, in; /* octets, but for the tag */
};

/* A result: this, then stdout. */
struct launch_report {
    uint64_t tag, out;
    int32_t status, timed_out, too_long, unused;
};

struct launch_limits {
    int jobs, seconds;
    size_t max_out;
};

/* What both ends do with the socket. 1; 0 when the other end is gone. */
int launch_receive(int fd, struct buf *in);
int launch_send(int fd, struct buf *out);

/* The launcher process, until the other end of fd is closed. */
_Noreturn void launch_serve(int fd, const struct launch_limits *limits);

#endif
