#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"

#define FILE_NAME_MAX_OCTETS 200
#define PIPE_OCTETS (1 << 20) /* what Linux allows everybody */

static volatile sig_atomic_t stopping;
static mode_t found_umask = 022;

static void on_stop(int sig)
{
    (void)sig;
    stopping = 1;
}

int io_stopping(void)
{
    return stopping;
}

static void no_core(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__)
    /* A piped core_pattern passes by the limit; LeakSanitizer needs to be able to attach. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void io_init(void)
{
    struct sigaction stop = {.sa_handler = on_stop}, ign = {.sa_handler = SIG_IGN};
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            _exit(ST_TEMP);
    sigaction(SIGPIPE, &ign, NULL);
    sigaction(SIGTERM, &stop, NULL); /* without SA_RESTART: a blocked read returns */
    sigaction(SIGINT, &stop, NULL);
    found_umask = umask(077);
    /* A pipe that holds several messages lets the stages of a line work side by side. */
    fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_OCTETS);
    no_core();
}

int io_write(int fd, const void *data, size_t n)
{
    const unsigned char *p = data;
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno == EAGAIN) {
            struct pollfd pf = {fd, POLLOUT, 0};
            poll(&pf, 1, -1);
            continue;
        }
        if (w < 0)
            return 0;
        p += w;
        n -= (size_t)w;
    }
    return 1;
}

void io_stdout(const void *p, size_t n)
{
    if (!io_write(STDOUT_FILENO, p, n))
        diag_err("stdout");
}

int io_read_fd(int fd, size_t max, struct buf *out, const char *what)
{
    size_t start = out->n;
    for (;;) {
        unsigned char *to = buf_room(out, 65536);
        ssize_t r = read(fd, to, 65536);
        if (r < 0 && errno == EINTR && !stopping)
            continue;
        if (r < 0)
            return diag_warn("%s: %s", what, strerror(errno));
        out->n += (size_t)r;
        out->d[out->n] = 0;
        if (out->n - start > max)
            return diag_warn("%s: larger than %zu octets", what, max);
        if (!r)
            return 1;
    }
}

int io_read_file(const char *path, size_t max, struct buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return diag_warn("%s: %s", path, strerror(errno));
    if (fstat(fd, &st) || S_ISDIR(st.st_mode)) {
        close(fd);
        return diag_warn("%s: not a file", path);
    }
    int ok = io_read_fd(fd, max, out, path);
    close(fd);
    return ok;
}

int io_sync_folder(const char *path)
{
    char *copy = alloc_str(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    free(copy);
    errno = saved;
    return ok;
}

int io_write_begin(const char *path, char **tmp)
{
    *tmp = alloc_printf("%s.tmp.XXXXXX", path);
    return mkostemp(*tmp, O_CLOEXEC);
}

int io_write_end(const char *path, char *tmp, int fd, int ok, mode_t mode, int flags)
{
    int saved = errno;
    if (fd >= 0) {
        ok = ok && fchmod(fd, mode) == 0;
        ok = ok && (!(flags & IO_FSYNC) || fsync(fd) == 0);
        saved = ok ? saved : errno;
        if (close(fd) && ok) {
            ok = 0;
            saved = errno;
        }
        if (ok && (flags & IO_EXCL ? link(tmp, path) : rename(tmp, path))) {
            ok = 0;
            saved = errno;
        }
        if (!ok || (flags & IO_EXCL))
            unlink(tmp);
        errno = saved;
        if (ok && (flags & IO_FSYNC))
            ok = io_sync_folder(path);
        saved = errno;
    }
    free(tmp);
    errno = saved;
    return ok && fd >= 0;
}

int io_write_file(const char *path, const void *p, size_t n, mode_t mode, int flags)
{
    char *tmp;
    int fd = io_write_begin(path, &tmp);
    return io_write_end(path, tmp, fd, fd >= 0 && io_write(fd, p, n), mode, flags);
}

int io_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int ok = fd >= 0 && syncfs(fd) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

/* Closes it where the lock stays taken. */
static int wait_lock(int fd, int how, int seconds)
{
    if (fd < 0)
        return -1;
    for (int waited = 0;; waited++) {
        if (flock(fd, how | LOCK_NB) == 0)
            return fd;
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= seconds * 500)
            break;
        usleep(2000);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int take_lock(int folder, const char *path, int how, int seconds)
{
    int fd = openat(folder, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return wait_lock(fd, how, seconds);
}

int io_lock_folder(const char *path, int seconds)
{
    return wait_lock(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), LOCK_EX, seconds);
}

int io_lock(const char *path, int seconds)
{
    return take_lock(AT_FDCWD, path, LOCK_EX, seconds);
}

int io_lock_at(int folder, const char *name, int seconds)
{
    return take_lock(folder, name, LOCK_EX, seconds);
}

int io_lock_shared(const char *path, int seconds)
{
    return take_lock(AT_FDCWD, path, LOCK_SH, seconds);
}

mode_t io_umask(void)
{
    return found_umask;
}

void io_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

char *io_beside(const char *base, const char *name)
{
    const char *slash = strrchr(base, '/');
    if (name[0] == '/' || !slash)
        return alloc_str(name);
    return alloc_printf("%.*s/%s", (int)(slash - base), base, name);
}

char *io_file_name(const char *id)
{
    struct buf b = {0};
    for (const char *p = id; *p; p++) {
        int plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' || (*p == '.' && p != id);
        if (plain)
            buf_char(&b, *p);
        else
            buf_printf(&b, "%%%02X", (unsigned char)*p);
    }
    if (!b.n || b.n > FILE_NAME_MAX_OCTETS) {
        buf_free(&b);
        return NULL;
    }
    return (char *)b.d;
}
