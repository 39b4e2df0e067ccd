/* Certificates put on devices by commands. */
#include "deliver_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"

#define ENV_MOST 5

struct task {
    struct deliver_item *it;
    int reading_back;
};

static int submit(struct deliver *d, struct task *t)
{
    struct buf pem = {0}, serial = {0};
    const struct deliver_item *it = t->it;
    char *env[ENV_MOST] = {NULL};
    if (!t->reading_back)
        deliver_pem(d, it, &pem);
    x509_serial_text(it->serial, &serial);
    env[0] = alloc_printf("CERTLINE_DEVICE=%s", it->device);
    env[1] = alloc_printf("CERTLINE_LOT=%s", d->lot);
    env[2] = alloc_printf("CERTLINE_PROFILE=%s", d->profile);
    env[3] = alloc_printf("CERTLINE_SERIAL=%s", (char *)serial.d);
    struct launch_job job = {.command = t->reading_back ? d->o->read_back : d->o->put,
                             .env = (const char *const *)env,
                             .in = pem.d,
                             .in_len = pem.n,
                             .tag = t};
    int ok = launch_submit(d->o->launch, &job);
    for (size_t i = 0; i < ENV_MOST; i++)
        free(env[i]);
    buf_free(&pem);
    buf_free(&serial);
    return ok;
}

/* What the device holds now: the first certificate that the command printed. */
static int same_certificate(const struct deliver_item *it, const struct buf *out)
{
    struct pem_block b;
    int fd = memfd_create("certline", MFD_CLOEXEC);
    if (fd < 0 || !io_write(fd, out->d, out->n) || lseek(fd, 0, SEEK_SET) < 0)
        diag_err("output of a command");
    struct pem *in = pem_open(fd, CMS_MAX, 0);
    int same = pem_next(in, &b, 1) == PEM_BLOCK && !strcmp(b.label, "CERTIFICATE") &&
               buf_same((struct span){b.der, b.n}, it->cert);
    pem_close(in);
    close(fd);
    return same;
}

/* Returns whether the device has to be read back now. */
static int ended(struct deliver *d, struct task *t, const struct launch_result *r)
{
    const char *option = t->reading_back ? "--read-back" : "--put", *device = t->it->device;
    int ok = 0;
    if (r->timed_out)
        diag_warn("%s: the command of %s took too long", device, option);
    else if (r->too_long)
        diag_warn("%s: the command of %s printed too much", device, option);
    else if (r->status)
        diag_warn("%s: the command of %s failed with status %d", device, option, r->status);
    else if (t->reading_back && !same_certificate(t->it, &r->out))
        diag_warn("%s: what the device holds is not the certificate that was put there", device);
    else
        ok = 1;
    t->it->failed = !ok;
    return ok && !t->reading_back && d->o->read_back;
}

/* Takes what has ended, with `all` everything. 0: the launcher is gone. */
static int drain(struct deliver *d, int all)
{
    struct launch *l = d->o->launch;
    struct launch_result r;
    int got;
    while ((got = launch_result(l, &r, all && launch_pending(l))) > 0) {
        struct task *t = r.tag;
        int again = ended(d, t, &r);
        buf_free(&r.out);
        t->reading_back = 1;
        if (again && !submit(d, t))
            return 0;
    }
    return got == 0;
}

enum status deliver_commands(struct deliver *d)
{
    struct task *tasks = alloc_zero(d->n, sizeof *tasks);
    int ok = 1;
    for (size_t i = 0; ok && i < d->n; i++)
        if (deliver_due(&d->items[i])) {
            tasks[i].it = &d->items[i];
            ok = submit(d, &tasks[i]) && drain(d, 0);
        }
    ok = ok && drain(d, 1);
    free(tasks);
    if (ok)
        return ST_OK;
    diag_warn("the launcher of commands is gone");
    return ST_TEMP; /* then nothing of the message counts as delivered */
}
