/* A file that its reader may not write. SQLite reads a WAL file only where it may write beside it,
 * or where it is told that nobody changes the file ("immutable"): so nobody must. */
#include "ledger_sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"

/* Of SQLite's file format: whoever has the file open holds a lock there. */
#define LOCKS_AT 0x40000000
#define LOCKS 512

static enum status refuse(const struct ledger *l, const char *why)
{
    diag_warn("%s: cannot be read by somebody who may not write to its folder: %s", l->path, why);
    diag_hint("let its owner make a copy: sqlite3 FILE '.backup COPY', certline-unit(5)");
    return ST_USAGE;
}

/* SQLite must not have it open in this process: closing takes its locks away. */
static int has_open(const char *file)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCKS_AT, .l_len = LOCKS};
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int has = fd < 0 || fcntl(fd, F_GETLK, &lock) || lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return has;
}

static enum status open_fixed(struct ledger *l, const char *file)
{
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    struct buf uri = {0};
    buf_str(&uri, "file://");
    for (const char *p = file; *p; p++)
        buf_printf(&uri, strchr("?#%", *p) ? "%%%02x" : "%c", (unsigned char)*p);
    buf_str(&uri, "?immutable=1");
    l->lite->fixed = 1;
    int ok = !stat(file, &l->lite->about) &&
             sqlite3_open_v2((char *)uri.d, &l->lite->db, flags, NULL) == SQLITE_OK;
    buf_free(&uri);
    if (!ok)
        return ledger_sqlite_failed(l, l->lite->db);
    diag_note("%s: may not be written, so it is read as a copy that nobody changes", l->path);
    return ST_OK;
}

enum status ledger_sqlite_copy(struct ledger *l)
{
    const char *main = sqlite3_db_filename(l->lite->db, "main");
    char *file = alloc_str(main), *wal = alloc_str(sqlite3_filename_wal(main));
    enum status st;
    struct stat about;
    sqlite3_close(l->lite->db);
    l->lite->db = NULL;
    if (!access(file, W_OK))
        st = refuse(l, "the file itself may be written");
    else if (!lstat(wal, &about) || errno != ENOENT)
        st = refuse(l, "what was committed last stands in its -wal");
    else if (has_open(file))
        st = refuse(l, "another process has it open");
    else
        st = open_fixed(l, file);
    free(file);
    free(wal);
    return st;
}

int ledger_sqlite_unchanged(const struct ledger *l)
{
    const struct stat *was = &l->lite->about;
    struct stat is;
    if (!l->lite->fixed ||
        (!stat(l->path, &is) && is.st_dev == was->st_dev && is.st_ino == was->st_ino &&
         is.st_size == was->st_size && is.st_mtim.tv_sec == was->st_mtim.tv_sec &&
         is.st_mtim.tv_nsec == was->st_mtim.tv_nsec))
        return 1;
    return diag_warn("%s: was changed while it was read", l->path);
}
