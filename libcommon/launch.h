/* Commands of the user's (--get, --put), run by a launcher process that was forked before any
 * PKCS#11 module was loaded: nothing forks between C_Initialize and C_Finalize. Each command runs
 * as `sh -c CMD` in a process group of its own, with descriptors 0 to 2 only. When its time is over
 * the group gets SIGTERM, a second later SIGKILL; what a command leaves behind in its group when it
 * ends, and everything when the program dies, is killed. The launcher itself ignores SIGINT and
 * SIGTERM. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stddef.h>

#include "buf.h"

struct launch; /* the caller's end */

struct launch_job {
    const char *command;
    const char *const *env; /* "NAME=value", NULL-terminated, added to the program's environment */
    const void *in;         /* stdin of the command; copied */
    size_t in_len;
    void *tag; /* comes back with the result */
};

struct launch_result {
    void *tag;
    int status; /* exit status; 128 + signal; -1: could not be run */
    int timed_out;
    int too_long;   /* stdout passed max_out and the command was killed */
    struct buf out; /* stdout; the caller frees it */
};

/* Forks the launcher. At most `jobs` commands run at a time (1..256), each at most `seconds`, each
 * with at most max_out octets of stdout; stderr is the program's. Never fails: a failing system
 * ends the process. */
struct launch *launch_start(int jobs, int seconds, size_t max_out);
/* Hands a job over; blocks only while `jobs` are under way. 0 if the launcher is gone. */
int launch_submit(struct launch *l, const struct launch_job *job);
/* The next result, in the order in which commands end; wait 0: only if there is one. 1; 0: none (or
 * none under way); -1: the launcher is gone. */
int launch_result(struct launch *l, struct launch_result *out, int wait);
/* How many were submitted and not taken with launch_result. */
int launch_pending(const struct launch *l);
/* Ends the launcher and what still runs. NULL-safe. */
void launch_end(struct launch *l);

#endif
