/* SoftHSM writes token.object anew in every C_Login: it cuts the file to nothing, then writes. A
 * process that is killed between the two leaves an empty file, and the token is gone for everybody.
 * So a copy is kept beside it, under the lock that start-up holds anyway, and put back where the
 * file is found empty. */
#include "p11_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "diag.h"
#include "io.h"

#define CONF_LINE 4096
#define OBJECT_MAX 65536 /* octets of a token.object; they have some hundreds */
#define SETTLE_US 50000
#define GENERATION 8

static FILE *configuration(void)
{
    const char *conf = getenv("SOFTHSM2_CONF"), *home = getenv("HOME");
    FILE *f = NULL;
    if (conf)
        return fopen(conf, "re");
    if (home) {
        char *own = alloc_printf("%s/.config/softhsm2/softhsm2.conf", home);
        f = fopen(own, "re");
        free(own);
    }
    return f ? f : fopen("/etc/softhsm/softhsm2.conf", "re");
}

char *p11_softhsm_folder(void)
{
    char line[CONF_LINE], *found = NULL;
    FILE *f = configuration();
    while (f && !found && fgets(line, sizeof line, f)) {
        char *p = line + strspn(line, " \t"), *eq = strchr(p, '=');
        if (strncmp(p, "directories.tokendir", 20) || !eq)
            continue;
        eq += 1 + strspn(eq + 1, " \t");
        eq[strcspn(eq, "\r\n")] = 0;
        found = realpath(eq, NULL);
    }
    if (f)
        fclose(f);
    return found;
}

/* An empty file where there is none, or one that is too large to be what we look for. */
static void read_object(const char *path, struct buf *out)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode) || st.st_size > OBJECT_MAX)
        return;
    if (!io_read_file(path, OBJECT_MAX, out))
        buf_reset(out);
}

/* The first octets count the writes: they alone are no change. */
static int same_object(const struct buf *a, const struct buf *b)
{
    return a->n == b->n && a->n > GENERATION &&
           !memcmp(a->d + GENERATION, b->d + GENERATION, a->n - GENERATION);
}

static void mend(const char *folder, const char *token)
{
    char *path = alloc_printf("%s/%s/token.object", folder, token),
         *kept = alloc_printf("%s.kept", path);
    struct buf now = {0}, before = {0};
    struct stat st;
    read_object(path, &now);
    read_object(kept, &before);
    /* Somebody without our lock may be between the two steps right now: give him time to write. */
    if (!stat(path, &st) && !st.st_size && before.n)
        usleep(SETTLE_US);
    if (stat(path, &st))
        st.st_size = -1; /* no token's folder, or not ours to read */
    if (!st.st_size && before.n) {
        if (io_write_file(path, before.d, before.n, st.st_mode & 0777, IO_FSYNC))
            diag_note("%s: was empty, the copy beside it is put back", path);
    } else if (now.n && !same_object(&now, &before)) {
        io_write_file(kept, now.d, now.n, st.st_mode & 0777, IO_FSYNC);
    }
    buf_wipe(&now);
    buf_wipe(&before);
    free(path);
    free(kept);
}

void p11_softhsm_mend(const struct p11_module *m)
{
    const char *name = strrchr(m->path, '/') ? strrchr(m->path, '/') : m->path;
    if (!strstr(name, "softhsm") && !strstr(name, "p11-kit-proxy"))
        return;
    char *folder = p11_softhsm_folder();
    DIR *d = folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            mend(folder, e->d_name);
    if (d)
        closedir(d);
    free(folder);
}
