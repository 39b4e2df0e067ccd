/* From a certificate that is good to one that is in use. */
#include "renew_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"
#include "signer.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* Changes with every start of the system; empty where the kernel does not say. */
static void boot_id(char out[STORE_BOOT])
{
    int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, STORE_BOOT - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

int renew_stored(struct renew *r, const struct store_enrolment *e, char name[STORE_NAME + 1])
{
    struct store_scan sc;
    unsigned char want[X509_HASH], is[X509_HASH];
    int found = 0;
    if (!store_enrolment_key(e, want) || store_scan(r->store, &sc) != ST_OK)
        return 0;
    for (size_t i = 0; i < sc.n && !found; i++) {
        struct store_item item;
        if (!sc.certs[i].pending || !strcmp(sc.certs[i].name, e->replaces) ||
            sc.certs[i].not_after <= clock_now() ||
            store_read(r->store, sc.certs[i].name, &item) != ST_OK)
            continue;
        x509_key_hash(item.cert.spki, is);
        /* With the key of the present one, others may have it, too: what came since is meant. */
        found = !memcmp(is, want, sizeof is) && item.added >= e->began;
        snprintf(name, STORE_NAME + 1, "%s", sc.certs[i].name);
        store_item_free(&item);
    }
    store_scan_free(&sc);
    return found;
}

/* When a certificate that is due as soon as it is in use is renewed: 0 if it is not. The schedule
 * and the CA do not fit, and asking at every run would help nobody. */
static int64_t due_at_once(const struct renew *r, const struct renew_job *j,
                           const struct store_item *item)
{
    int64_t now = clock_now(), left = item->cert.not_after - now;
    if (plan_due(r->plan, j->p, &j->state, item, r->o->jitter) > now)
        return 0;
    return now + left / 3 * 2;
}

/* What is owed is remembered ahead of the switch: a hook that runs once too often does no harm. */
static enum status owe(struct renew *r, struct renew_job *j, const char *name,
                       const struct store_item *item)
{
    struct store_state *s = &j->state;
    s->set = clock_now();
    s->failures = s->asked = 0;
    s->again = due_at_once(r, j, item);
    s->hook = j->p->after != NULL;
    s->prune = 1;
    *s->making = '\0';
    if (strcmp(j->present, name)) /* else an earlier run was stopped behind the switch */
        snprintf(s->replaced, sizeof s->replaced, "%s", j->present);
    if (j->p->restart != PLAN_NOT_NEEDED) {
        s->restart = 1;
        j->owed_now = 1;
        boot_id(s->boot);
    }
    return store_state_write(r->store, j->p->name, s);
}

enum status renew_use(struct renew *r, struct renew_job *j, const char *name)
{
    struct store_item item;
    enum status st = store_read(r->store, name, &item);
    if (st != ST_OK)
        return st;
    if (r->plan->token && item.key_in_token)
        st = p11key_put_certificate(r->plan->token, cfg_path(r->plan->cfg), item.der.d, item.der.n);
    if (st == ST_OK)
        st = owe(r, j, name, &item);
    if (st == ST_OK)
        st = store_set(r->store, j->p->name, name);
    store_item_free(&item);
    return st == ST_OK ? store_enrolment_end(r->store, j->p->name) : st;
}

enum status renew_install(struct renew *r, struct renew_job *j, const struct store_enrolment *e,
                          const struct renew_answer *a, char name[STORE_NAME + 1])
{
    struct buf key = {0};
    const char *purposes[] = {j->p->name};
    struct store_new n = {.base = j->p->name,
                          .cert = buf_span(&a->cert),
                          .chain = buf_span(&a->chain),
                          .key_uri = e->key_in_token ? e->key : NULL,
                          .origin = STORE_ISSUED,
                          .purposes = purposes,
                          .n_purposes = 1};
    if (!e->key_in_token) {
        buf_room(&key, STORE_FILE);
        if (!io_read_file(e->key, STORE_FILE, &key))
            return ST_TEMP;
        n.key_pem = buf_span(&key);
    }
    enum status st = store_add(r->store, &n, name);
    buf_wipe(&key);
    return st == ST_OK ? renew_use(r, j, name) : st;
}

void renew_hook(struct renew *r, struct renew_job *j)
{
    struct launch_result got = {0};
    char *env[] = {alloc_printf("CERTLINE_PURPOSE=%s", j->p->name),
                   alloc_printf("CERTLINE_STORE=%s", store_path(r->store)), NULL};
    struct launch_job job = {.command = j->p->after, .env = (const char *const *)env};
    int ran = launch_submit(j->launch, &job) && launch_result(j->launch, &got, 1) == 1;
    if (ran && got.status == 0 && !got.timed_out) {
        j->state.hook = 0;
        if (store_lock(r->store, (int)r->plan->wait) == ST_OK) {
            renew_worst(r, store_state_write(r->store, j->p->name, &j->state));
            store_unlock(r->store);
        } else {
            renew_worst(r, ST_TEMP);
        }
    } else {
        if (got.timed_out)
            diag_warn("%s: after: not done within %lld seconds; it is run again next time",
                      j->p->name, (long long)j->p->timeout);
        else if (got.too_long)
            diag_warn("%s: after: it printed more than %d octets; it is run again next time",
                      j->p->name, RENEW_ANSWER);
        else
            diag_warn("%s: after: ended with %d; it is run again next time", j->p->name,
                      ran ? got.status : -1);
        renew_worst(r, ST_TEMP);
    }
    buf_free(&got.out);
    free(env[0]);
    free(env[1]);
}

static enum status forget_restart(struct renew *r)
{
    enum status st = store_lock(r->store, (int)r->plan->wait);
    for (size_t i = 0; st == ST_OK && i < r->plan->n; i++) {
        struct renew_job *j = &r->jobs[i];
        if (!j->state.restart)
            continue;
        j->state.restart = 0;
        st = store_state_write(r->store, j->p->name, &j->state);
    }
    store_unlock(r->store);
    return st;
}

/* Asks a person at the terminal; without one the answer is no. */
static int confirmed(const struct buf *names)
{
    char answer[16] = "";
    FILE *tty = fopen("/dev/tty", "r+");
    if (!tty)
        return 0;
    fprintf(tty, "restart the device for %s? [y/N] ", (char *)names->d);
    fflush(tty);
    int yes = fgets(answer, sizeof answer, tty) && (*answer == 'y' || *answer == 'Y');
    fclose(tty);
    return yes;
}

static void do_restart(struct renew *r)
{
    struct launch_result got = {0};
    struct launch_job job = {.command = r->plan->restart};
    struct launch *l = launch_start(1, RENEW_RESTART, RENEW_ANSWER);
    int ran = launch_submit(l, &job) && launch_result(l, &got, 1) == 1;
    /* A system that goes down now forgets nothing: its next life has another boot_id. */
    if (ran && got.status == 0 && !got.timed_out) {
        renew_worst(r, forget_restart(r));
    } else {
        diag_warn("restart: ended with %d; it is run again next time", ran ? got.status : -1);
        renew_worst(r, ST_TEMP);
    }
    buf_free(&got.out);
    launch_end(l);
}

void renew_restart(struct renew *r)
{
    char boot[STORE_BOOT];
    struct buf names = {0};
    int ask = 1, fresh = 0, stale = 0;
    signer_finish(); /* nothing forks while a token is open */
    boot_id(boot);
    for (size_t i = 0; i < r->plan->n; i++) {
        struct renew_job *j = &r->jobs[i];
        if (!j->state.restart)
            continue;
        if (strcmp(j->state.boot, boot)) {
            stale = 1;
            continue;
        }
        buf_printf(&names, "%s%s", names.n ? ", " : "", j->p->name);
        ask &= j->p->restart == PLAN_ASK;
        fresh |= j->owed_now;
    }
    if (!names.n && stale)
        renew_worst(r, forget_restart(r));
    if (names.n && r->plan->restart && !io_stopping() && (!ask || confirmed(&names))) {
        renew_say("restart for %s", (char *)names.d);
        do_restart(r);
    } else if (fresh) {
        renew_say("a restart is needed for %s", (char *)names.d);
    }
    buf_free(&names);
}
