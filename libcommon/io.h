/* Files and streams: whole, or not at all. */
#ifndef IO_H
#define IO_H

#include <stddef.h>
#include <sys/types.h>

#include "buf.h"
#include "status.h"

/* First call of every program: SIGPIPE ignored, SIGTERM and SIGINT noted (io_stopping), umask 077,
 * no core files, descriptors 0 to 2 open. */
void io_init(void);
/* Whether SIGTERM or SIGINT came: finish the batch, then end. */
int io_stopping(void);

/* Writes all of it. 1, or 0 with errno set. */
int io_write(int fd, const void *p, size_t n);
/* Writes all of it to stdout; a reader that went away or a full disk ends the process with ST_TEMP.
 */
void io_stdout(const void *p, size_t n);
/* Reads a regular file of at most `max` octets behind what `out` holds. 0 after a warning that
 * names the file. */
int io_read_file(const char *path, size_t max, struct buf *out);
/* Reads a descriptor to its end, at most `max` octets; `what` names it in the warning. */
int io_read_fd(int fd, size_t max, struct buf *out, const char *what);

enum io_write_flags {
    IO_FSYNC = 1, /* file and folder are on the disk when it returns */
    IO_EXCL = 2   /* never replaces: EEXIST */
};
/* Writes a temporary file beside `path`, then renames it over: a reader sees the old or the new,
 * whole. 1, or 0 with errno set and nothing left behind. */
int io_write_file(const char *path, const void *p, size_t n, mode_t mode, int flags);
/* The same in pieces: a descriptor of the temporary file (-1 with errno) and its name, owned by
 * io_write_end, which takes both away again where `ok` is 0. */
int io_write_begin(const char *path, char **tmp);
int io_write_end(const char *path, char *tmp, int fd, int ok, mode_t mode, int flags);
/* fsync(2) on the folder that `path` is in: a name that was made or renamed there stays. */
int io_sync_folder(const char *path);
/* syncfs(2) on the file system of `path`, once for many io_write_file without IO_FSYNC. */
int io_sync(const char *path);

/* Takes an exclusive lock on the file (made if missing), waiting up to `seconds`. Returns a
 * descriptor that io_unlock takes, or -1 with errno (EWOULDBLOCK when it stayed taken). */
int io_lock(const char *path, int seconds);
void io_unlock(int fd);
/* As io_lock, of a file in an open folder; of a folder itself, which must be there. */
int io_lock_at(int folder, const char *name, int seconds);
int io_lock_folder(const char *path, int seconds);
/* A lock that many may hold at a time, and nobody beside io_lock. As io_lock otherwise. */
int io_lock_shared(const char *path, int seconds);
/* The umask that io_init found: what commands of the user's get back. */
mode_t io_umask(void);

/* `name` beside the file `base`: absolute names stay, others start in base's folder. Freed by the
 * caller. */
char *io_beside(const char *base, const char *name);
/* `id` as one safe file name: every octet but [A-Za-z0-9._-] becomes %XX, as does a leading dot.
 * Freed by the caller; NULL when the result is empty or longer than 200 octets. */
char *io_file_name(const char *id);

#endif
