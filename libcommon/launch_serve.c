#include "launch_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define CHUNK 65536
#define GRACE_MS 1000

struct job {
    uint64_t tag;
    pid_t pid;         /* 0: this place is free; also the process group */
    int in_fd, out_fd; /* -1: closed */
    struct buf in, out;
    size_t in_at;
    int64_t deadline; /* ms; of SIGTERM, then of SIGKILL */
    int timed_out, too_long;
};

struct server {
    int fd, signals;
    const struct launch_limits *limits;
    struct buf in, out;
    struct job *job;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void report(struct server *s, struct job *j, int status)
{
    struct launch_report h = {.tag = j->tag,
                              .out = j->out.n,
                              .status = status,
                              .timed_out = j->timed_out,
                              .too_long = j->too_long};
    buf_put(&s->out, &h, sizeof h);
    buf_put(&s->out, j->out.d, j->out.n);
    close_end(&j->in_fd);
    close_end(&j->out_fd);
    buf_free(&j->in);
    buf_free(&j->out);
    j->pid = 0;
}

/* In the child. */
static _Noreturn void run(const struct server *s, int in, int out, char *command, size_t env)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    setpgid(0, 0);
    umask(io_umask());
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *e = command + strlen(command) + 1;
    for (char *end = e + env; e < end; e += strlen(e) + 1)
        putenv(e);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(127);
    close_range(3, ~0U, 0);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Makes the pipes and the process. 0 if the system has none left. */
static int spawn(struct server *s, struct job *j, char *command, size_t env)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    pid_t pid = -1;
    if (!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC))
        pid = fork();
    if (!pid)
        run(s, in[0], out[1], command, env);
    close_end(&in[0]);
    close_end(&out[1]);
    j->in_fd = in[1];
    j->out_fd = out[0];
    if (pid < 0)
        return 0;
    setpgid(pid, pid); /* whoever of the two comes first */
    j->pid = pid;
    fcntl(j->in_fd, F_SETFL, O_NONBLOCK);
    fcntl(j->out_fd, F_SETFL, O_NONBLOCK);
    return 1;
}

/* The caller never has more under way than there are places. */
static struct job *free_place(struct server *s)
{
    for (int i = 0; i < s->limits->jobs; i++)
        if (!s->job[i].pid)
            return &s->job[i];
    diag_exit(ST_TEMP, "launcher: more jobs than agreed");
}

/* Starts the jobs that were received whole. */
static void take_orders(struct server *s)
{
    struct launch_order h;
    while (s->in.n >= sizeof h) {
        memcpy(&h, s->in.d, sizeof h);
        if (s->in.n - sizeof h < h.command + h.env + h.in)
            return;
        char *command = (char *)s->in.d + sizeof h;
        struct job *j = free_place(s);
        *j = (struct job){.tag = h.tag, .in_fd = -1, .out_fd = -1};
        buf_put(&j->in, command + h.command + h.env, h.in);
        j->deadline = now_ms() + (int64_t)s->limits->seconds * 1000;
        if (!spawn(s, j, command, h.env))
            report(s, j, -1);
        buf_drop(&s->in, sizeof h + h.command + h.env + h.in);
    }
}

static void feed(struct job *j)
{
    while (j->in_fd >= 0) {
        size_t left = j->in.n - j->in_at;
        ssize_t w = left ? write(j->in_fd, j->in.d + j->in_at, left) : 0;
        if (w < 0 && errno == EAGAIN)
            return;
        if (w <= 0) /* all written; or the command does not want more */
            close_end(&j->in_fd);
        else
            j->in_at += (size_t)w;
    }
}

static void drain(struct job *j, size_t max_out)
{
    while (j->out_fd >= 0) {
        ssize_t r = read(j->out_fd, buf_room(&j->out, CHUNK), CHUNK);
        if (r < 0 && errno == EAGAIN)
            return;
        if (r > 0)
            j->out.n += (size_t)r;
        if (j->out.n > max_out) {
            j->too_long = 1;
            buf_reset(&j->out);
            kill(-j->pid, SIGKILL);
        }
        if (r <= 0 || j->too_long)
            close_end(&j->out_fd);
    }
}

/* The command ended: so does what it left in its group. It is reaped last, so that the number of
 * the group is not given to another one. */
static void reap(struct server *s, struct job *j)
{
    siginfo_t si = {0};
    if (waitid(P_PID, (id_t)j->pid, &si, WEXITED | WNOHANG | WNOWAIT) || !si.si_pid)
        return;
    kill(-j->pid, SIGKILL);
    drain(j, s->limits->max_out);
    waitpid(j->pid, NULL, 0);
    report(s, j, si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status);
}

static void hurry(struct job *j, int64_t now)
{
    if (now < j->deadline)
        return;
    kill(-j->pid, j->timed_out ? SIGKILL : SIGTERM);
    j->timed_out = 1;
    j->deadline = now + GRACE_MS;
}

static _Noreturn void leave(struct server *s)
{
    for (int i = 0; i < s->limits->jobs; i++)
        if (s->job[i].pid)
            kill(-s->job[i].pid, SIGKILL);
    _exit(0);
}

/* Reads the signals that came. 0 when the parent died. */
static int heed_signals(struct server *s)
{
    struct signalfd_siginfo si;
    while (read(s->signals, &si, sizeof si) == sizeof si)
        if (si.ssi_signo == SIGUSR1)
            return 0;
    return 1;
}

static void wait_for_work(struct server *s, struct pollfd *pf)
{
    int64_t now = now_ms(), next = -1;
    pf[0] = (struct pollfd){s->fd, (short)(POLLIN | (s->out.n ? POLLOUT : 0)), 0};
    pf[1] = (struct pollfd){s->signals, POLLIN, 0};
    for (int i = 0; i < s->limits->jobs; i++) {
        const struct job *j = &s->job[i];
        pf[2 + 2 * i] = (struct pollfd){j->pid ? j->in_fd : -1, POLLOUT, 0};
        pf[3 + 2 * i] = (struct pollfd){j->pid ? j->out_fd : -1, POLLIN, 0};
        if (j->pid && (next < 0 || j->deadline - now < next))
            next = j->deadline > now ? j->deadline - now : 0;
    }
    if (poll(pf, (nfds_t)(2 + 2 * s->limits->jobs), (int)next) < 0 && errno != EINTR)
        diag_err("launcher");
}

static void serve_job(struct server *s, struct job *j, const struct pollfd *pf)
{
    if (pf[0].revents)
        feed(j);
    if (pf[1].revents)
        drain(j, s->limits->max_out);
    hurry(j, now_ms());
    reap(s, j);
}

/* Neither the program's streams nor any descriptor it holds may live on here; a terminal's ^C is
 * the program's to judge. */
static void settle(struct server *s)
{
    struct sigaction ign = {.sa_handler = SIG_IGN};
    sigset_t caught;
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        diag_err("/dev/null");
    s->fd = dup2(s->fd, 3);
    close_range(4, ~0U, 0);
    fcntl(s->fd, F_SETFD, FD_CLOEXEC);
    sigaction(SIGPIPE, &ign, NULL);
    sigaction(SIGTERM, &ign, NULL);
    sigaction(SIGINT, &ign, NULL);
    sigemptyset(&caught);
    sigaddset(&caught, SIGCHLD);
    sigaddset(&caught, SIGUSR1);
    sigprocmask(SIG_BLOCK, &caught, NULL);
    s->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals < 0)
        diag_err("launcher");
}

void launch_serve(int fd, const struct launch_limits *limits)
{
    struct server s = {.fd = fd, .limits = limits};
    s.job = alloc_zero((size_t)limits->jobs, sizeof *s.job);
    struct pollfd *pf = alloc_zero((size_t)(2 + 2 * limits->jobs), sizeof *pf);
    settle(&s);
    for (;;) {
        wait_for_work(&s, pf);
        if (pf[1].revents && !heed_signals(&s))
            leave(&s);
        for (int i = 0; i < limits->jobs; i++)
            if (s.job[i].pid)
                serve_job(&s, &s.job[i], pf + 2 + 2 * i);
        if (pf[0].revents & (POLLIN | POLLHUP | POLLERR) && !launch_receive(s.fd, &s.in))
            leave(&s);
        take_orders(&s);
        if (!launch_send(s.fd, &s.out))
            leave(&s);
    }
}
