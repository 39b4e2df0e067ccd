#include "p11_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

static int whole_number(const char *s, int *out)
{
    char *end;
    long v = strtol(s, &end, 10);
    if (*s < '0' || *s > '9' || *end || v > 65535)
        return 0;
    *out = (int)v;
    return 1;
}

/* systemd.exec(5), CREDENTIALS: one file a name in a folder that only this service sees. */
static char *credential(const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!*name || *name == '.' || strchr(name, '/'))
        diag_warn("pin-source: not the name of a credential: \"%s\"", name);
    else if (!dir || !*dir) {
        diag_warn("pin-source: there is no credential \"%s\": CREDENTIALS_DIRECTORY is not set",
                  name);
        diag_hint("start the program as a systemd service with LoadCredential=%s:FILE", name);
    } else
        return alloc_printf("%s/%s", dir, name);
    return NULL;
}

/* "file:///run/pin" and "file:/run/pin" as well as plain names, which is what people write. */
static char *pin_file(const char *source, const char *base)
{
    if (strncmp(source, "file:", 5) == 0) {
        source += 5;
        if (strncmp(source, "//localhost/", 12) == 0)
            source += 11;
        else if (strncmp(source, "///", 3) == 0)
            source += 2;
    }
    if (!*source || strncmp(source, "//", 2) == 0) {
        diag_warn("pin-source: not the name of a file on this machine");
        return NULL;
    }
    return base ? io_beside(base, source) : alloc_str(source);
}

int p11_pin_parse(const char *source, const char *base, struct p11_pin *out)
{
    *out = (struct p11_pin){P11_PIN_ASK, NULL, -1};
    if (!source)
        return 1;
    if (source[0] == '|') {
        diag_warn("pin-source: a command is refused");
        diag_hint("write the PIN to a descriptor and name it with pin-source=fd:N");
        return 0;
    }
    if (strncmp(source, "fd:", 3) == 0) {
        out->kind = P11_PIN_FD;
        if (!whole_number(source + 3, &out->fd) || out->fd == 1 || out->fd == 2)
            return diag_warn("pin-source: not a descriptor to read from: \"%s\"", source);
        return 1;
    }
    out->kind = P11_PIN_FILE;
    if (strncmp(source, "credential:", 11) == 0)
        out->path = credential(source + 11);
    else
        out->path = pin_file(source, base);
    return out->path != NULL;
}

void p11_pin_copy(struct p11_pin *to, const struct p11_pin *from)
{
    *to = *from;
    to->path = alloc_str(from->path);
}

/* The first line. Octet by octet, so that what stands behind it in a pipe stays there for the next
 * token. */
static size_t read_line(int fd, char *out, size_t max, const char **why)
{
    size_t n = 0;
    *why = NULL;
    while (!*why) {
        char c;
        ssize_t r = read(fd, &c, 1);
        if (r < 0 && errno == EINTR && !io_stopping())
            continue;
        if (r < 0)
            *why = errno == EINTR ? "interrupted" : strerror(errno);
        if (r <= 0 || c == '\n')
            break;
        if (n == max)
            *why = "longer than 255 octets";
        else
            out[n++] = c;
    }
    if (n && out[n - 1] == '\r')
        n--;
    if (*why)
        n = 0;
    else if (!n)
        *why = "empty";
    out[n] = 0;
    return n;
}

size_t p11_prompt(const char *question, char *out, size_t max, const char **why)
{
    struct termios was, quiet;
    size_t n = 0;
    char shown[200];
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    out[0] = 0;
    *why = "there is no terminal to ask on";
    if (fd < 0 || tcgetattr(fd, &was))
        goto out;
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ICANON | ISIG;
    diag_escape(question, shown, sizeof shown);
    /* TCSAFLUSH: what was typed ahead, with the echo still on, is not taken for the secret. */
    if (tcsetattr(fd, TCSAFLUSH, &quiet))
        goto out;
    io_write(fd, shown, strlen(shown));
    io_write(fd, ": ", 2);
    n = read_line(fd, out, max - 1, why);
    io_write(fd, "\n", 1);
    tcsetattr(fd, TCSAFLUSH, &was);
out:
    if (fd >= 0)
        close(fd);
    return n;
}

static enum status ask(const char *token, char out[P11_PIN_MAX + 1], size_t *n,
                       struct p11_fault *ft)
{
    const char *why;
    char question[100];
    snprintf(question, sizeof question, "PIN of token \"%s\"", token);
    *n = p11_prompt(question, out, P11_PIN_MAX + 1, &why);
    if (*n)
        return ST_OK;
    p11_fault(ft, io_stopping() ? ST_TEMP : ST_USAGE, 0, "PIN of token \"%s\": %s", token, why);
    p11_fault_hint(ft, "name a file that holds it: ?pin-source=file:/path");
    return ft->st;
}

enum status p11_pin_read(const struct p11_pin *pin, const char *token, char out[P11_PIN_MAX + 1],
                         size_t *n, struct p11_fault *ft)
{
    const char *why;
    int fd = pin->fd;
    if (pin->kind == P11_PIN_ASK)
        return ask(token, out, n, ft);
    if (pin->kind == P11_PIN_FILE) {
        fd = open(pin->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
            return p11_fault(ft, ST_USAGE, 0, "PIN of token \"%s\": %s: %s", token, pin->path,
                             strerror(errno));
    }
    *n = read_line(fd, out, P11_PIN_MAX, &why);
    if (pin->kind == P11_PIN_FILE)
        close(fd);
    if (*n)
        return ST_OK;
    if (pin->kind == P11_PIN_FD)
        return p11_fault(ft, ST_USAGE, 0, "PIN of token \"%s\": descriptor %d: %s", token, pin->fd,
                         why);
    return p11_fault(ft, ST_USAGE, 0, "PIN of token \"%s\": %s: %s", token, pin->path, why);
}
