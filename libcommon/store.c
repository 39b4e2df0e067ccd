#include "store_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

const char *const store_folders[STORE_FOLDERS] = {".", "cert", "purpose", "pending", "state"};

const char *store_origin_name(enum store_origin o)
{
    static const char *const names[] = {"factory", "issued", "self-signed", "imported", "unknown"};
    return names[o];
}

int store_name_ok(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(name);
    return n && n <= STORE_NAME && strspn(name, plain) == n && *name != '.' && *name != '-';
}

char *store_path_of(const struct store *s, enum store_folder f, const char *name, const char *file)
{
    return alloc_printf("%s%s%s%s%s%s%s", s->path, f ? "/" : "", f ? store_folders[f] : "",
                        name ? "/" : "", name ? name : "", file ? "/" : "", file ? file : "");
}

enum status store_failed(const struct store *s, enum store_folder f, const char *name,
                         const char *why)
{
    int saved = errno;
    char *path = store_path_of(s, f, name, NULL);
    diag_warn("%s: %s", path, why ? why : strerror(saved));
    free(path);
    return ST_TEMP;
}

static int open_folder(struct store *s, enum store_folder f, enum store_access access)
{
    int at = f ? s->fd[STORE_ROOT] : AT_FDCWD;
    const char *name = f ? store_folders[f] : s->path;
    /* What runs as another user reads certificates there; keys have their own mode. A request may
     * have a challengePassword in it. */
    mode_t mode = f == STORE_PENDING ? 0700 : 0755;
    /* Whatever the umask. */
    if (access == STORE_MAKE && mkdirat(at, name, mode) == 0 && fchmodat(at, name, mode, 0))
        return 0;
    s->fd[f] = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (f ? O_NOFOLLOW : 0));
    return s->fd[f] >= 0 || (access == STORE_SHOW && f == STORE_PENDING && errno == EACCES);
}

enum status store_open(const char *path, enum store_access access, struct store **out)
{
    struct store *s = alloc_zero(1, sizeof *s);
    s->path = alloc_str(path);
    s->lock = -1;
    for (int f = 0; f < STORE_FOLDERS; f++)
        s->fd[f] = -1;
    *out = NULL;
    for (int f = 0; f < STORE_FOLDERS; f++)
        if (!open_folder(s, (enum store_folder)f, access)) {
            int missing = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
            int forbidden = errno == EACCES || errno == EPERM;
            store_failed(s, (enum store_folder)f, NULL, NULL);
            if (missing && access != STORE_MAKE)
                diag_hint("cert-import makes a store, and so does cert-renew --force PURPOSE");
            if (forbidden)
                diag_hint("run it as the user whose store it is");
            store_close(s);
            return missing || forbidden ? ST_USAGE : ST_TEMP;
        }
    *out = s;
    return ST_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_unlock(s);
    for (int f = 0; f < STORE_FOLDERS; f++)
        if (s->fd[f] >= 0)
            close(s->fd[f]);
    free(s->path);
    free(s);
}

const char *store_path(const struct store *s)
{
    return s->path;
}

/* What a killed process left: a folder that never got its name or has lost it, a link or a state
 * that was not yet renamed. Nobody else is at work: the lock is held. */
static int clean(struct store *s, enum store_folder f)
{
    DIR *dir = store_list(s, f, NULL);
    struct dirent *e;
    int more;
    if (!dir)
        return 0;
    while ((more = store_next(dir, &e)) > 0) {
        if (strncmp(e->d_name, ".new-", 5) && strncmp(e->d_name, ".del-", 5))
            continue;
        /* What somebody else put there must not keep the device from renewing. */
        if (unlinkat(s->fd[f], e->d_name, 0) &&
            ((errno != EISDIR && errno != EPERM) || !store_drop_folder(s, f, e->d_name)))
            store_failed(s, f, e->d_name, NULL);
    }
    int saved = errno;
    closedir(dir);
    errno = saved;
    return !more;
}

static void held_by(const struct store *s)
{
    char pid[24] = "";
    int fd = openat(s->fd[STORE_ROOT], ".lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, pid, sizeof pid - 1);
    if (fd >= 0)
        close(fd);
    if (n > 0 && strspn(pid, "0123456789"))
        diag_warn("%s: process %.*s is at work in this store", s->path,
                  (int)strspn(pid, "0123456789"), pid);
    else
        diag_warn("%s: another process is at work in this store", s->path);
}

/* Whoever else could put files and links there could have keys overwritten and servers told lies.
 */
static enum status ours_alone(const struct store *s)
{
    struct stat st;
    for (int f = 0; f < STORE_FOLDERS; f++) {
        if (fstat(s->fd[f], &st))
            return store_failed(s, (enum store_folder)f, NULL, NULL);
        int other = st.st_uid != geteuid() && st.st_uid != 0;
        if (!other && !(st.st_mode & S_IWOTH))
            continue;
        store_failed(s, (enum store_folder)f, NULL,
                     other ? "belongs to another user" : "everybody can write there");
        if (other)
            diag_hint("run it as the user whose store it is");
        return ST_USAGE;
    }
    return ST_OK;
}

enum status store_lock(struct store *s, int seconds)
{
    assert(s->lock < 0);
    char pid[24];
    enum status st = ours_alone(s);
    if (st == ST_OK)
        s->lock = io_lock_at(s->fd[STORE_ROOT], ".lock", seconds);
    if (st == ST_OK && s->lock < 0 && errno == EWOULDBLOCK) {
        held_by(s);
        st = ST_TEMP;
    } else if (st == ST_OK && s->lock < 0) {
        st = store_failed(s, STORE_ROOT, ".lock", NULL);
    }
    if (st != ST_OK)
        return st;
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(s->lock, 0) || pwrite(s->lock, pid, (size_t)n, 0) != n)
        diag_note("%s/.lock: %s", s->path,
                  strerror(errno)); /* only who asks who holds it misses it */
    for (int f = STORE_CERT; f < STORE_FOLDERS && st == ST_OK; f++)
        if (!clean(s, (enum store_folder)f))
            st = store_failed(s, (enum store_folder)f, NULL, NULL);
    if (st != ST_OK)
        store_unlock(s);
    return st;
}

void store_unlock(struct store *s)
{
    io_unlock(s->lock);
    s->lock = -1;
}
