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

/* A folder that is ours alone. In /tmp somebody else may have made one of this name, or a link:
 * then it is refused. Once it is ours and 0700, the sticky bit of /tmp keeps it in its place. */
static char *lock_folder(struct p11_fault *ft)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    char *dir = NULL;
    if (run && run[0] == '/' && lstat(run, &st) == 0 && S_ISDIR(st.st_mode) &&
        st.st_uid == geteuid() && !(st.st_mode & 022))
        dir = alloc_printf("%s/certline", run);
    else
        dir = alloc_printf("/tmp/certline-%lu", (unsigned long)geteuid());
    if (mkdir(dir, 0700) && errno != EEXIST)
        p11_fault(ft, ST_TEMP, 0, "%s: %s", dir, strerror(errno));
    else if (lstat(dir, &st))
        p11_fault(ft, ST_TEMP, 0, "%s: %s", dir, strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
        p11_fault(ft, ST_USAGE, 0, "%s: not a folder of this user alone, no lock can be there",
                  dir);
        p11_fault_hint(ft, "remove it, or set XDG_RUNTIME_DIR to a folder of your own");
    } else
        return dir;
    free(dir);
    return NULL;
}

static char *lock_name(const struct p11_module *m)
{
    struct buf b = {0}, name = {0};
    unsigned char md[EVP_MAX_MD_SIZE];
    char *folder = p11_softhsm_folder(); /* two configurations may name the same one */
    buf_put(&b, m->path, strlen(m->path) + 1);
    buf_str(&b, folder ? folder : "");
    /* If there is no SHA-256, all tokens share one lock. */
    if (EVP_Digest(b.d, b.n, md, NULL, EVP_sha256(), NULL))
        buf_hex(&name, md, 16);
    buf_str(&name, ".lock");
    buf_free(&b);
    free(folder);
    return (char *)name.d;
}

int p11_lock(const struct p11_module *m, struct p11_fault *ft)
{
    char *dir = lock_folder(ft), *name, *path;
    if (!dir)
        return -1;
    name = lock_name(m);
    path = alloc_printf("%s/%s", dir, name);
    int fd = io_lock(path, LOCK_SECONDS);
    if (fd < 0 && errno == EWOULDBLOCK)
        p11_fault(ft, ST_TEMP, 0, "%s: another program has been starting the token for %d seconds",
                  path, LOCK_SECONDS);
    else if (fd < 0)
        p11_fault(ft, ST_TEMP, 0, "%s: %s", path, strerror(errno));
    else
        p11_softhsm_mend(m);
    free(path);
    free(name);
    free(dir);
    return fd;
}
