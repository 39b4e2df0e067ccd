/* Files and folders of the store, by their descriptors: no name is looked up twice, no symbolic
 * link is followed. */
#include "store_priv.h"

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

DIR *store_list(const struct store *s, enum store_folder f, const char *name)
{
    int fd = openat(s->fd[f], name ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

int store_next(DIR *dir, struct dirent **e)
{
    do {
        errno = 0;
        *e = readdir(dir);
    } while (*e && (!strcmp((*e)->d_name, ".") || !strcmp((*e)->d_name, "..")));
    return *e ? 1 : errno ? -1 : 0;
}

int64_t store_octets(struct store *s, const char *name)
{
    DIR *dir = store_list(s, STORE_CERT, name);
    struct dirent *e;
    struct stat st;
    int64_t n = dir && fstat(dirfd(dir), &st) == 0 ? (int64_t)st.st_blocks * 512 : 0;
    while (dir && store_next(dir, &e) > 0)
        if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            n += (int64_t)st.st_blocks * 512;
    if (dir)
        closedir(dir);
    return n;
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

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Of a link that could not be followed: by what it says, not by a disk that failed. */
static int leads_nowhere(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES;
}

enum store_link store_link(const struct store *s, const char *purpose, char name[STORE_NAME + 1])
{
    char to[PATH_MAX];
    struct stat there, cert;
    ssize_t n = readlinkat(s->fd[STORE_PURPOSE], purpose, to, sizeof to - 1);
    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? STORE_LINK_GONE : STORE_LINK_UNREAD;
    while (n > 1 && to[n - 1] == '/')
        n--;
    to[n] = '\0';
    const char *base = strrchr(to, '/');
    base = base ? base + 1 : to;
    if (!store_name_ok(base) || !names(to, base))
        return STORE_LINK_OUTSIDE;
    snprintf(name, STORE_NAME + 1, "%.*s", STORE_NAME, base);
    if (fstatat(s->fd[STORE_PURPOSE], purpose, &there, 0))
        return leads_nowhere() ? STORE_LINK_DANGLING : STORE_LINK_UNREAD;
    if (fstatat(s->fd[STORE_CERT], name, &cert, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? STORE_LINK_OUTSIDE : STORE_LINK_UNREAD;
    return S_ISDIR(cert.st_mode) && same_file(&there, &cert) ? STORE_LINK_INSIDE
                                                             : STORE_LINK_OUTSIDE;
}

int store_link_leads(const struct store *s, const char *purpose, const char *name)
{
    char to[PATH_MAX];
    struct stat there, cert;
    ssize_t n = readlinkat(s->fd[STORE_PURPOSE], purpose, to, sizeof to - 1);
    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : -1;
    to[n] = '\0';
    if (names(to, name))
        return 1;
    if (fstatat(s->fd[STORE_PURPOSE], purpose, &there, 0))
        return leads_nowhere() ? 0 : -1;
    if (fstatat(s->fd[STORE_CERT], name, &cert, AT_SYMLINK_NOFOLLOW))
        return -1;
    return same_file(&there, &cert);
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

int store_read_yaml(const struct store *s, enum store_folder f, const char *name, const char *file,
                    struct cfg **c)
{
    struct buf text = {0};
    int have = store_read_file(s, f, name, file, &text);
    *c = NULL;
    if (have > 0) {
        char *path = store_path_of(s, f, name, file);
        *c = cfg_parse(path, text.d, text.n);
        have = *c ? 1 : -1;
        free(path);
    }
    buf_free(&text);
    return have >= 0;
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

/* What a kill leaves of it is taken away with the lock. */
int store_replace_file(const struct store *s, enum store_folder f, const char *name,
                       const char *file, struct span octets)
{
    static const char tmp[] = ".new-.file";
    int folder =
        openat(s->fd[f], name ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int ok = folder >= 0 && (unlinkat(s->fd[f], tmp, 0) == 0 || errno == ENOENT) &&
             store_put_file(s->fd[f], tmp, octets, 0644) &&
             renameat(s->fd[f], tmp, folder, file) == 0 && fsync(folder) == 0;
    int saved = errno;
    if (folder >= 0)
        close(folder);
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
    DIR *dir = store_list(s, f, folder_name);
    struct dirent *e;
    int more;
    if (!dir)
        return errno == ENOENT;
    overwrite(dirfd(dir), "key.pem");
    while ((more = store_next(dir, &e)) > 0)
        if (unlinkat(dirfd(dir), e->d_name, 0)) {
            more = -1;
            break;
        }
    int saved = errno;
    closedir(dir);
    errno = saved;
    return !more && unlinkat(s->fd[f], folder_name, AT_REMOVEDIR) == 0;
}

int store_remove_folder(const struct store *s, enum store_folder f, const char *name)
{
    char tmp[STORE_NAME + 8];
    beside(tmp, "del", name);
    return renameat(s->fd[f], name, s->fd[f], tmp) == 0 && fsync(s->fd[f]) == 0 &&
           store_drop_folder(s, f, tmp) && fsync(s->fd[f]) == 0;
}
