/* What was deleted, and why. */
#include "store_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"
#include "io.h"

static void put_line(struct buf *line, const char *what, const char *name,
                     const struct store_item *i, const char *why)
{
    char now[CLOCK_TEXT], end[CLOCK_TEXT];
    clock_format(clock_now(), now);
    clock_format(i->cert.not_after, end);
    char *subject = x509_name_text(i->cert.subject);
    buf_printf(line, "{\"time\":\"%s\",\"%s\":", now, what);
    buf_json(line, name);
    buf_str(line, ",\"why\":");
    buf_json(line, why);
    buf_str(line, ",\"subject\":");
    buf_json(line, subject ? subject : "");
    buf_str(line, ",\"serial\":\"");
    x509_serial_text(i->cert.serial, line);
    buf_printf(line, "\",\"notAfter\":\"%s\"}\n", end);
    free(subject);
}

int store_record(const struct store *s, const char *what, const char *name,
                 const struct store_item *i, const char *why)
{
    struct buf line = {0};
    struct stat st;
    char last = '\n';
    int fd = openat(s->fd[STORE_ROOT], "history",
                    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    int ok = fd >= 0 && fstat(fd, &st) == 0;
    /* A process that was killed, or a disk that was full, left half a line. */
    if (ok && st.st_size && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
        buf_char(&line, '\n');
    put_line(&line, what, name, i, why);
    ok = ok && io_write(fd, line.d, line.n) && fsync(fd) == 0;
    if (!ok)
        store_failed(s, STORE_ROOT, "history", NULL);
    if (!ok && fd >= 0 && ftruncate(fd, st.st_size))
        diag_note("%s/history: half a line stays", s->path);
    if (fd >= 0)
        close(fd);
    buf_free(&line);
    return ok;
}
