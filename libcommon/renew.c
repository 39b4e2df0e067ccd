#include "renew_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "progress.h"

void renew_worst(struct renew *r, enum status st)
{
    /* What the next run cures by itself says less than what a person must do. */
    static const int weight[] = {[ST_OK] = 0,    [ST_TEMP] = 1,  [ST_REFUSED] = 2,
                                 [ST_USAGE] = 3, [ST_INPUT] = 2, [ST_EMPTY] = 1};
    if (weight[st] > weight[r->worst])
        r->worst = st;
}

void renew_say(const char *fmt, ...)
{
    struct buf line = {0};
    va_list ap;
    va_start(ap, fmt);
    char text[1000];
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_printf(&line, "%s\n", text);
    io_stdout(line.d, line.n);
    buf_free(&line);
}

/* --- what is to be done --- */

/* Until when an attempt that failed puts off the next. No further ahead than it could have been put
 * now: the clock may have been wrong then. What is due again at once waits within its validity. */
static int64_t put_off(const struct renew *r, const struct renew_job *j)
{
    int64_t again = j->state.again, now = r->o->now;
    int64_t most = j->state.failures ? now + renew_longest_wait(j, ST_REFUSED, now)
                   : *j->present     ? j->item.cert.not_after
                                     : now;
    return again > most ? now : again;
}

static void say_owed(const struct renew_job *j)
{
    if (j->waiting)
        renew_say("%s: an enrolment is under way: would be asked for again", j->p->name);
    if (j->state.hook && j->p->after)
        renew_say("%s: its hook has not succeeded yet: would be run", j->p->name);
    if (j->state.restart)
        renew_say("%s: waits for a restart", j->p->name);
}

static void say_dry(const struct renew *r, const struct renew_job *j, int64_t due, int forced)
{
    char when[CLOCK_TEXT], again[CLOCK_TEXT], how[SCHEDULE_TEXT];
    int64_t later = put_off(r, j);
    int wait = !forced && (j->waiting || due <= r->o->now) && later > r->o->now;
    schedule_text(&j->p->renew, how);
    clock_format(due, when);
    clock_format(later, again);
    if (forced)
        renew_say("%s: would be renewed", j->p->name);
    else if (due == INT64_MAX)
        renew_say("%s: never due", j->p->name);
    else if (wait)
        renew_say("%s: was due %s: not again before %s", j->p->name, when, again);
    else if (!*j->present)
        renew_say("%s: has no certificate: would be requested", j->p->name);
    else if (due <= r->o->now)
        renew_say("%s: %s was due %s (%s): would be renewed", j->p->name, j->present, when, how);
    else
        renew_say("%s: %s is due %s (%s)", j->p->name, j->present, when, how);
    say_owed(j);
}

/* The certificate that the purpose points to. 0: it cannot be read, which was said. */
static int read_present(struct renew *r, struct renew_job *j)
{
    const struct store_purpose *p = store_find_purpose(&r->was, j->p->name);
    if (!p || p->cert < 0 || r->was.certs[p->cert].bad)
        return 1;
    snprintf(j->present, sizeof j->present, "%s", r->was.certs[p->cert].name);
    if (store_read(r->store, j->present, &j->item) == ST_OK)
        return 1;
    *j->present = '\0';
    return 0;
}

int renew_forced(const struct renew *r, const struct renew_job *j)
{
    return r->o->force && (!strcmp(r->o->force, j->p->name) || !strcmp(r->o->force, j->present));
}

/* Whether an enrolment is under way: 1, 0; -1 after a warning. */
static int under_way(struct renew *r, struct renew_job *j)
{
    struct store_enrolment e;
    char name[STORE_NAME + 1];
    int have = store_enrolment(r->store, j->p->name, &e);
    if (have <= 0)
        return have;
    *j->state.making = '\0'; /* its key is in the request */
    j->waiting = !renew_stored(r, &e, name);
    store_enrolment_free(&e);
    return 1;
}

static int is_due(const struct renew *r, const struct renew_job *j, int pending, int64_t due)
{
    if (!j->p->enroll || (r->o->force && !renew_forced(r, j)))
        return 0;
    if (renew_forced(r, j))
        return 1;
    if (store_clock_wrong(&r->was, r->o->now))
        return 0;
    /* What is stored has only to be put to use: that waits for nothing. */
    if (pending && !j->waiting)
        return 1;
    int64_t again = put_off(r, j);
    if ((!pending && due > r->o->now) || again <= r->o->now)
        return pending || due <= r->o->now;
    char when[CLOCK_TEXT];
    clock_format(again, when);
    diag_note("%s: not again before %s", j->p->name, when);
    return 0;
}

/* What cannot be read is kept for somebody to look at, until somebody forces the purpose. */
static int afresh(struct renew *r, const struct renew_job *j)
{
    if (renew_forced(r, j) && !r->o->dry_run)
        return 1;
    diag_hint("--force %s begins afresh without it", j->p->name);
    renew_worst(r, ST_REFUSED);
    return 0;
}

/* 0: nothing can be done for this purpose, which was said. */
static int look_up(struct renew *r, struct renew_job *j, int *pending)
{
    if (!store_state_read(r->store, j->p->name, &j->state)) {
        if (!afresh(r, j))
            return 0;
        j->state = (struct store_state){.set = 0};
    }
    if (!read_present(r, j) && !afresh(r, j))
        return 0;
    *pending = under_way(r, j);
    if (*pending >= 0)
        return 1;
    if (!afresh(r, j))
        return 0;
    enum status st = store_lock(r->store, (int)r->plan->wait);
    if (st == ST_OK)
        st = store_enrolment_end(r->store, j->p->name);
    store_unlock(r->store);
    renew_worst(r, st);
    *pending = 0;
    return st == ST_OK;
}

static void plan_job(struct renew *r, struct renew_job *j)
{
    int pending;
    if (!look_up(r, j, &pending))
        return;
    if (renew_forced(r, j) && !j->p->enroll) {
        diag_warn("%s: it has no \"enroll\", so nothing can be asked for", j->p->name);
        renew_worst(r, ST_USAGE);
    }
    /* What never was is due at once. */
    int64_t due = *j->present ? plan_due(r->plan, j->p, &j->state, &j->item, r->o->jitter)
                  : j->p->renew.kind != SCHEDULE_NEVER ? r->o->now
                                                       : INT64_MAX;
    if (r->o->dry_run)
        say_dry(r, j, due, renew_forced(r, j) && j->p->enroll);
    else
        j->due = is_due(r, j, pending, due);
}

/* A run that ended between the switch and the deletion: its deletion judges as it would have then,
 * when the purpose still pointed to what was replaced. */
static void as_it_was(struct renew *r, const struct renew_job *j)
{
    const struct store_cert *old = store_find(&r->was, j->state.replaced);
    for (size_t i = 0; old && i < r->was.n_purposes; i++)
        if (!strcmp(r->was.purposes[i].name, j->p->name)) {
            r->was.purposes[i].cert = old - r->was.certs;
            r->was.certs[r->was.purposes[i].cert].linked = 1;
        }
}

/* --- doing it --- */

/* The order of things: the certificate in use, its hook, then what is superseded goes. */
static void do_job(struct renew *r, struct renew_job *j)
{
    if (j->due) {
        if (j->state.prune) /* of last time: its hook has had its chances */
            renew_prune_after(r, j);
        renew_enrol(r, j);
        progress_step(1);
    }
    if (j->state.hook && j->p->after)
        renew_hook(r, j);
    if (j->state.prune && !(j->state.hook && j->p->after))
        renew_prune_after(r, j);
}

static void work(struct renew *r)
{
    int any = 0;
    /* Forked now, ahead of any token. */
    for (size_t i = 0; i < r->plan->n; i++) {
        struct renew_job *j = &r->jobs[i];
        any |= j->due;
        if (j->due || (j->state.hook && j->p->after))
            j->launch = launch_start(1, (int)j->p->timeout, RENEW_ANSWER);
    }
    if (any && !renew_trust(r)) {
        renew_worst(r, ST_USAGE);
        for (size_t i = 0; i < r->plan->n; i++)
            r->jobs[i].due = 0;
    }
    for (size_t i = 0; i < r->plan->n && !io_stopping(); i++)
        do_job(r, &r->jobs[i]);
    renew_restart(r);
    if (io_stopping()) {
        diag_warn("stopped by a signal");
        renew_worst(r, ST_TEMP);
    }
}

static int known(const struct renew *r)
{
    if (!r->o->force || plan_purpose(r->plan, r->o->force))
        return 1;
    for (size_t i = 0; i < r->was.n_purposes; i++) {
        const struct store_purpose *p = &r->was.purposes[i];
        if (p->cert >= 0 && !strcmp(r->was.certs[p->cert].name, r->o->force) &&
            plan_purpose(r->plan, p->name))
            return 1;
    }
    return diag_warn("%s: no purpose of the configuration, and no certificate of one", r->o->force);
}

static void run(struct renew *r)
{
    renew_worst(r, store_scan(r->store, &r->was));
    if (r->worst != ST_OK)
        return;
    if (r->was.bad)
        renew_worst(r, ST_REFUSED);
    if (!known(r)) {
        renew_worst(r, ST_USAGE);
        return;
    }
    if (store_clock_wrong(&r->was, r->o->now)) {
        diag_warn("%s: the clock is before the newest certificate's notBefore: nothing is done by "
                  "date",
                  r->plan->store);
        renew_worst(r, ST_REFUSED);
    }
    r->jobs = alloc_zero(r->plan->n, sizeof *r->jobs);
    for (size_t i = 0; i < r->plan->n; i++) {
        r->jobs[i].p = &r->plan->purposes[i];
        plan_job(r, &r->jobs[i]);
    }
    for (size_t i = 0; i < r->plan->n; i++)
        if (r->jobs[i].state.prune)
            as_it_was(r, &r->jobs[i]);
    if (!r->o->dry_run)
        work(r);
    for (size_t i = 0; i < r->plan->n; i++) {
        launch_end(r->jobs[i].launch);
        store_item_free(&r->jobs[i].item);
    }
}

enum status renew_run(const struct plan *p, struct store *s, const struct renew_options *o)
{
    struct renew r = {.plan = p, .store = s, .o = o};
    char *path = alloc_printf("%s/.renew.lock", store_path(s));
    /* Two runs would enrol twice; a lock of its own, since commands may take long. */
    int lock = o->dry_run ? -1 : io_lock(path, 0);
    if (lock < 0 && !o->dry_run) {
        diag_warn("%s: %s", path,
                  errno == EWOULDBLOCK ? "another cert-renew is at work" : strerror(errno));
        r.worst = ST_TEMP;
    } else {
        run(&r);
    }
    io_unlock(lock);
    X509_STORE_free(r.trust);
    store_scan_free(&r.was);
    free(r.jobs);
    free(path);
    return r.worst;
}
