/* Files and folders of the store, by their descriptors: no name is looked up twice, no symbolic
 * link is followed. */
#include "store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define FILES_MOST 16 /* of one folder */

/* One call where the kernel has openat2(2); else folder and file one after the other. */
int store_open_file(const struct store *s, enum store_folder f, const char *name, const char *file)
{
    char path[2 * NAME_MAX + 2];
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    snprintf(path, sizeof path, "%s%s%s", name ? name : "", name ? "/" : "", file);
    int fd = (int)syscall(SYS_openat2, s->fd[f], path, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return fd;
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
    if (!name)
        return openat(s->fd[f], file, flags);
    int dir = openat(s->fd[f], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return -1;
    fd = openat(dir, file, flags);
    int saved = errno;
    close(dir);
    errno = saved;
    return fd;
}

int store_regular(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* "../cert/NAME" however it is written, or a path to a file in that folder. */
static int names(const char *to, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = to; (at = strstr(at, "cert/")); at++) {
        const char *behind = at + 5 + strspn(at + 5, "/");
        if ((at == to || at[-1] == '/') && !strncmp(behind, name, n) &&
            (!behind[n] || behind[n] == '/'))
            return 1;
    }
    return 0;
}

enum store_link store_link(const struct store *s, const char *purpose, char name[STORE_NAME + 1])
{
    char to[PATH_MAX];
    struct stat there, cert;
    ssize_t n = readlinkat(s->fd[STORE_PURPOSE], purpose, to, sizeof to - 1);
    if (n < 0)
        return STORE_LINK_GONE;
    while (n > 1 && to[n - 1] == '/')
        n--;
    to[n] = '\0';
    const char *base = strrchr(to, '/');
    base = base ? base + 1 : to;
    if (!store_name_ok(base) || !names(to, base))
        return STORE_LINK_OUTSIDE;
    snprintf(name, STORE_NAME + 1, "%.*s", STORE_NAME, base);
    if (fstatat(s->fd[STORE_PURPOSE], purpose, &there, 0))
        return STORE_LINK_DANGLING;
    if (fstatat(s->fd[STORE_CERT], name, &cert, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(cert.st_mode) ||
        there.st_ino != cert.st_ino || there.st_dev != cert.st_dev)
        return STORE_LINK_OUTSIDE;
    return STORE_LINK_INSIDE;
}

int store_link_leads(const struct store *s, const char *purpose, const char *name)
{
    char to[PATH_MAX];
    struct stat there, cert;
    ssize_t n = readlinkat(s->fd[STORE_PURPOSE], purpose, to, sizeof to - 1);
    to[n < 0 ? 0 : n] = '\0';
    return names(to, name) || (fstatat(s->fd[STORE_PURPOSE], purpose, &there, 0) == 0 &&
                               fstatat(s->fd[STORE_CERT], name, &cert, AT_SYMLINK_NOFOLLOW) == 0 &&
                               there.st_ino == cert.st_ino && there.st_dev == cert.st_dev);
}

int store_read_file(const struct store *s, enum store_folder f, const char *name, const char *file,
                    struct buf *out)
{
    struct stat st;
    int fd = store_open_file(s, f, name, file);
    if (fd < 0 && errno == ENOENT)
        return 0;
    char *path = store_path_of(s, f, name, file);
    int ok;
    if (fd < 0 || fstat(fd, &st))
        ok = diag_warn("%s: %s", path, errno == ELOOP ? "a symbolic link" : strerror(errno));
    else if (!S_ISREG(st.st_mode))
        ok = diag_warn("%s: not a regular file", path);
    else
        ok = io_read_fd(fd, STORE_FILE, out, path);
    if (fd >= 0)
        close(fd);
    free(path);
    return ok ? 1 : -1;
}

static void beside(char out[STORE_NAME + 8], const char *how, const char *name)
{
    snprintf(out, STORE_NAME + 8, ".%s-%s", how, name);
}

int store_new_folder(const struct store *s, enum store_folder f, const char *name)
{
    char tmp[STORE_NAME + 8];
    mode_t mode = f == STORE_PENDING ? 0700 : 0755;
    beside(tmp, "new", name);
    if (mkdirat(s->fd[f], tmp, mode))
        return -1;
    int fd = openat(s->fd[f], tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fchmod(fd, mode) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int store_put_file(int folder, const char *file, struct span octets, mode_t mode)
{
    int fd = openat(folder, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return 0;
    int ok = io_write(fd, octets.p, octets.n) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int saved = errno;
    ok = close(fd) == 0 && ok;
    if (!ok && saved)
        errno = saved;
    return ok;
}

int store_keep_folder(const struct store *s, enum store_folder f, const char *name, int folder)
{
    char tmp[STORE_NAME + 8];
    beside(tmp, "new", name);
    /* RENAME_NOREPLACE: rename(2) would replace an empty folder of that name. */
    int ok = fsync(folder) == 0 &&
             (renameat2(s->fd[f], tmp, s->fd[f], name, RENAME_NOREPLACE) == 0 ||
              /* NFS knows no flags; the lock is held and the name was looked for. */
              (errno == EINVAL && renameat(s->fd[f], tmp, s->fd[f], name) == 0));
    return ok && fsync(s->fd[f]) == 0;
}

/* Best effort, and said so in the manual: journals and flash keep copies. */
static int overwrite(int folder, const char *file)
{
    static const unsigned char zero[4096];
    struct stat st;
    int fd = openat(folder, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), ok;
    if (fd < 0)
        return errno == ENOENT;
    ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    for (off_t left = ok ? st.st_size : 0; ok && left > 0; left -= (off_t)sizeof zero)
        ok = io_write(fd, zero, left < (off_t)sizeof zero ? (size_t)left : sizeof zero);
    ok = ok && fsync(fd) == 0;
    close(fd);
    return ok;
}

int store_drop_folder(const struct store *s, enum store_folder f, const char *folder_name)
{
    int fd = openat(s->fd[f], folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return errno == ENOENT;
    }
    overwrite(fd, "key.pem");
    int ok = 1;
    while (ok && (e = readdir(dir)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            ok = unlinkat(fd, e->d_name, 0) == 0;
    int saved = errno;
    closedir(dir);
    errno = saved;
    return ok && unlinkat(s->fd[f], folder_name, AT_REMOVEDIR) == 0;
}

int store_remove_folder(const struct store *s, enum store_folder f, const char *name)
{
    char tmp[STORE_NAME + 8];
    beside(tmp, "del", name);
    return renameat(s->fd[f], name, s->fd[f], tmp) == 0 && fsync(s->fd[f]) == 0 &&
           store_drop_folder(s, f, tmp) && fsync(s->fd[f]) == 0;
}
