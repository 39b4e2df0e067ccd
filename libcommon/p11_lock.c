/* C_Initialize to C_Login, one program after the other. */
#include "p11_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "alloc.h"
#include "io.h"

#define LOCK_SECONDS 60

/* A folder that is ours alone, the same from cron and from a terminal. In /tmp somebody else may
 * have made one of this name, or a link: then it is refused. Once it is ours and 0700, the sticky
 * bit of /tmp keeps it in its place. */
static char *lock_folder(struct p11_fault *ft)
{
    struct stat st;
    unsigned long uid = geteuid();
    int run = uid == 0 && (mkdir("/run/certline", 0700) == 0 || errno == EEXIST);
    char *dir = run ? alloc_str("/run/certline") : alloc_printf("/tmp/certline-%lu", uid);
    if (!run && mkdir(dir, 0700) && errno != EEXIST)
        p11_fault(ft, ST_TEMP, 0, "%s: %s", dir, strerror(errno));
    else if (lstat(dir, &st))
        p11_fault(ft, ST_TEMP, 0, "%s: %s", dir, strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != uid || (st.st_mode & 077)) {
        p11_fault(ft, ST_USAGE, 0, "%s: not a folder of this user alone, no lock can be there",
                  dir);
        p11_fault_hint(ft, "remove it");
    } else
        return dir;
    free(dir);
    return NULL;
}

/* Of a module that has no folder of tokens that could be locked. */
static int lock_module(const struct p11_module *m, char **path, struct p11_fault *ft)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    struct buf name = {0};
    char *dir = lock_folder(ft);
    if (!dir)
        return -1;
    /* If there is no SHA-256, all modules share one lock. */
    if (EVP_Digest(m->path, strlen(m->path), md, NULL, EVP_sha256(), NULL))
        buf_hex(&name, md, 16);
    *path = alloc_printf("%s/%s.lock", dir, name.n ? (char *)name.d : "all");
    int fd = io_lock(*path, LOCK_SECONDS);
    int why = errno;
    if (fd < 0 && why != EWOULDBLOCK)
        p11_fault(ft, ST_TEMP, 0, "%s: %s", *path, strerror(why));
    buf_free(&name);
    free(dir);
    errno = why;
    return fd;
}

/* On the folder of SoftHSM's tokens itself, where all its users meet, whatever their user, their
 * environment and their /tmp. Where it is not there, not ours to open, or on a file system without
 * such locks, on a file. */
int p11_lock(const struct p11_module *m, struct p11_fault *ft)
{
    char *path = p11_softhsm_folder();
    int fd = path ? io_lock_folder(path, LOCK_SECONDS) : -1;
    int busy = path && fd < 0 && errno == EWOULDBLOCK;
    if (fd < 0 && !busy) {
        free(path);
        path = NULL;
        fd = lock_module(m, &path, ft);
        busy = path && fd < 0 && errno == EWOULDBLOCK;
    }
    if (busy)
        p11_fault(ft, ST_TEMP, 0, "%s: another program has been starting the token for %d seconds",
                  path, LOCK_SECONDS);
    else if (fd >= 0)
        p11_softhsm_mend(m);
    free(path);
    return fd;
}
