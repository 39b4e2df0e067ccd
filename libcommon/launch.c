#include "launch.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "launch_priv.h"

#define CHUNK 65536

struct launch {
    int fd, jobs, gone;
    pid_t pid;
    int under_way, ready; /* not reported yet; reported and not taken */
    struct buf in;
    struct result {
        struct launch_result r;
        struct result *next;
    } * first, **last;
};

int launch_receive(int fd, struct buf *in)
{
    for (;;) {
        ssize_t r = recv(fd, buf_room(in, CHUNK), CHUNK, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 && errno == EAGAIN;
        in->n += (size_t)r;
        if (r < CHUNK)
            return 1;
    }
}

int launch_send(int fd, struct buf *out)
{
    size_t at = 0;
    while (at < out->n) {
        ssize_t w = send(fd, out->d + at, out->n - at, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno != EAGAIN)
            return 0;
        if (w < 0)
            break;
        at += (size_t)w;
    }
    buf_drop(out, at);
    return 1;
}

struct launch *launch_start(int jobs, int seconds, size_t max_out)
{
    struct launch_limits limits = {jobs, seconds, max_out};
    int s[2];
    pid_t parent = getpid();
    assert(jobs >= 1 && jobs <= 256 && seconds > 0);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s))
        diag_err("launcher");
    pid_t pid = fork();
    if (pid < 0)
        diag_err("launcher");
    if (!pid) {
        /* The end of the socket says the same; this also holds if someone else has a copy of it. */
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        if (getppid() != parent)
            _exit(ST_TEMP);
        launch_serve(s[1], &limits);
    }
    close(s[1]);
    struct launch *l = alloc_zero(1, sizeof *l);
    l->fd = s[0];
    l->pid = pid;
    l->jobs = jobs;
    l->last = &l->first;
    return l;
}

/* Takes whole reports out of what was received. */
static void sort_reports(struct launch *l)
{
    struct launch_report h;
    size_t at = 0;
    while (l->in.n - at >= sizeof h) {
        memcpy(&h, l->in.d + at, sizeof h);
        if (l->in.n - at - sizeof h < h.out)
            break;
        struct result *r = alloc_zero(1, sizeof *r);
        r->r.tag = (void *)(uintptr_t)h.tag;
        r->r.status = h.status;
        r->r.timed_out = h.timed_out;
        r->r.too_long = h.too_long;
        buf_put(&r->r.out, l->in.d + at + sizeof h, h.out);
        *l->last = r;
        l->last = &r->next;
        l->under_way--;
        l->ready++;
        at += sizeof h + h.out;
    }
    buf_drop(&l->in, at);
}

/* Moves octets both ways, at least some if `wait`; `out` may be NULL. */
static void turn(struct launch *l, struct buf *out, int wait)
{
    struct pollfd pf = {l->fd, (short)(POLLIN | (out && out->n ? POLLOUT : 0)), 0};
    if (poll(&pf, 1, wait ? -1 : 0) <= 0)
        return;
    if (pf.revents & (POLLIN | POLLHUP | POLLERR)) {
        if (!launch_receive(l->fd, &l->in))
            l->gone = 1;
        sort_reports(l);
    }
    if (out && pf.revents & POLLOUT && !launch_send(l->fd, out))
        l->gone = 1;
}

int launch_submit(struct launch *l, const struct launch_job *job)
{
    struct launch_order h = {.tag = (uint64_t)(uintptr_t)job->tag,
                             .command = strlen(job->command) + 1,
                             .in = job->in_len};
    struct buf out = {0};
    while (!l->gone && l->under_way >= l->jobs)
        turn(l, NULL, 1);
    for (const char *const *e = job->env; e && *e; e++)
        h.env += strlen(*e) + 1;
    buf_put(&out, &h, sizeof h);
    buf_put(&out, job->command, h.command);
    for (const char *const *e = job->env; e && *e; e++)
        buf_put(&out, *e, strlen(*e) + 1);
    buf_put(&out, job->in, job->in_len);
    while (!l->gone && out.n)
        turn(l, &out, 1);
    buf_free(&out);
    l->under_way += !l->gone;
    return !l->gone;
}

int launch_result(struct launch *l, struct launch_result *out, int wait)
{
    if (!l->first && !l->gone && l->under_way)
        turn(l, NULL, 0);
    while (wait && !l->first && !l->gone && l->under_way)
        turn(l, NULL, 1);
    struct result *r = l->first;
    if (!r)
        return l->gone ? -1 : 0;
    *out = r->r;
    l->first = r->next;
    if (!l->first)
        l->last = &l->first;
    l->ready--;
    free(r);
    return 1;
}

int launch_pending(const struct launch *l)
{
    return l->under_way + l->ready;
}

void launch_end(struct launch *l)
{
    struct launch_result r;
    if (!l)
        return;
    while (launch_result(l, &r, 0) > 0)
        buf_free(&r.out);
    close(l->fd);
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    buf_free(&l->in);
    free(l);
}
