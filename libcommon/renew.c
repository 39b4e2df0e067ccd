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
#include "p11key.h"
#include "progress.h"

#define AGAIN_FIRST 60            /* seconds after a first failure; doubled with each */
#define AGAIN_MOST (24 * 60 * 60) /* after a refusal */
#define AGAIN_PENDING (60 * 60)   /* after "not yet" */
#define FAILURES_A_KEY 5          /* then the next attempt makes a new key and request */

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

static void say_dry(const struct renew_job *j, int64_t due)
{
    char when[CLOCK_TEXT], how[SCHEDULE_TEXT];
    schedule_text(&j->p->renew, how);
    if (due == INT64_MAX) {
        renew_say("%s: never due", j->p->name);
        return;
    }
    clock_format(due, when);
    if (!*j->present)
        renew_say("%s: has no certificate: would be requested", j->p->name);
    else if (j->due)
        renew_say("%s: %s was due %s (%s): would be renewed", j->p->name, j->present, when, how);
    else
        renew_say("%s: %s is due %s (%s)", j->p->name, j->present, when, how);
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

static int is_forced(const struct renew *r, const struct renew_job *j)
{
    return r->o->force && (!strcmp(r->o->force, j->p->name) || !strcmp(r->o->force, j->present));
}

static void plan_job(struct renew *r, struct renew_job *j, int clock)
{
    struct store_enrolment e;
    if (!store_state_read(r->store, j->p->name, &j->state) || !read_present(r, j)) {
        renew_worst(r, ST_REFUSED);
        return;
    }
    int pending = store_enrolment(r->store, j->p->name, &e);
    if (pending > 0)
        store_enrolment_free(&e);
    if (pending < 0)
        renew_worst(r, ST_REFUSED);
    int64_t due = *j->present    ? plan_due(r->plan, j->p, &j->state, &j->item, r->o->jitter)
                  : j->p->enroll ? r->o->now
                                 : INT64_MAX;
    int forced = is_forced(r, j), other = r->o->force && !forced;
    j->resumed = pending > 0;
    j->due = pending >= 0 && j->p->enroll && !other &&
             (forced || ((pending || due <= r->o->now) && !clock));
    if (r->o->dry_run) {
        say_dry(j, due);
        return;
    }
    if (j->due && !forced && j->state.again > r->o->now) {
        char when[CLOCK_TEXT];
        clock_format(j->state.again, when);
        diag_note("%s: not again before %s", j->p->name, when);
        j->due = 0;
    }
    /* Forked now, ahead of any token. */
    if (j->due || (j->state.hook && j->p->after))
        j->launch = launch_start(1, (int)j->p->timeout, RENEW_ANSWER);
}

/* --- doing it --- */

static void backed_off(struct renew *r, struct renew_job *j, enum status st)
{
    int64_t most = st == ST_TEMP ? AGAIN_PENDING : AGAIN_MOST, wait = AGAIN_FIRST;
    int64_t left = *j->present ? j->item.cert.not_after - r->o->now : 0;
    for (int64_t i = 0; i < j->state.failures && wait < most; i++)
        wait *= 2;
    /* Where little time is left, it is tried more often. */
    if (left > 0 && left / 10 < most)
        most = left / 10 > AGAIN_FIRST ? left / 10 : AGAIN_FIRST;
    j->state.failures++;
    j->state.again = r->o->now + (wait < most ? wait : most);
    renew_worst(r, store_state_write(r->store, j->p->name, &j->state));
    if (st == ST_REFUSED && j->state.failures % FAILURES_A_KEY == 0)
        renew_worst(r, store_enrolment_end(r->store, j->p->name));
}

static enum status locked(struct renew *r)
{
    return store_lock(r->store, (int)r->plan->wait);
}

/* The request that waits, or a new one. */
static enum status have_request(struct renew *r, struct renew_job *j, struct store_enrolment *e)
{
    int have = store_enrolment(r->store, j->p->name, e);
    if (have)
        return have > 0 ? ST_OK : ST_REFUSED;
    enum status st = locked(r);
    if (st == ST_OK)
        st = renew_request(r, j);
    store_unlock(r->store);
    if (st == ST_OK && store_enrolment(r->store, j->p->name, e) != 1)
        st = ST_TEMP;
    return st;
}

static enum status enrol(struct renew *r, struct renew_job *j, char name[STORE_NAME + 1])
{
    struct store_enrolment e = {.key = NULL};
    struct renew_answer a = {.cert = {0}};
    struct buf printed = {0};
    enum status st = have_request(r, j, &e);
    if (st != ST_OK)
        goto out;
    if (renew_stored(r, &e, name)) {
        st = locked(r);
        if (st == ST_OK)
            st = renew_use(r, j, name);
        goto out;
    }
    st = renew_ask(r, j, &e, &printed);
    if (st == ST_OK)
        st = renew_check(r, j, &e, buf_span(&printed), &a);
    if (st == ST_OK)
        st = locked(r);
    if (st == ST_OK)
        st = renew_install(r, j, &e, &a, name);
out:
    store_unlock(r->store);
    store_enrolment_free(&e);
    renew_answer_free(&a);
    buf_free(&printed);
    return st;
}

static void do_job(struct renew *r, struct renew_job *j)
{
    char name[STORE_NAME + 1] = "", end[CLOCK_TEXT];
    struct store_item now;
    enum status st = enrol(r, j, name);
    if (st != ST_OK) {
        renew_worst(r, st);
        if (locked(r) == ST_OK)
            backed_off(r, j, st);
        store_unlock(r->store);
        return;
    }
    if (store_read(r->store, name, &now) != ST_OK) {
        renew_worst(r, ST_TEMP);
        return;
    }
    clock_format(now.cert.not_after, end);
    renew_say("%s: %s is in use, valid to %s", j->p->name, name, end);
    store_item_free(&now);
}

/* Deletes what the rules name; what went is part of the report. */
static void prune(struct renew *r, size_t room)
{
    struct store_scan is = {.n = 0};
    struct prune_list list = {.n = 0};
    enum status st = locked(r);
    if (st == ST_OK)
        st = store_scan(r->store, &is);
    if (st == ST_OK)
        st = prune_judge(&r->plan->prune, r->store, &r->was, &is, r->o->now, room, &list);
    for (size_t i = 0; st == ST_OK && i < list.n; i++) {
        struct buf why = {0};
        const char *name = is.certs[list.v[i].cert].name;
        prune_rules_text(list.v[i].rules, &why);
        enum status went = store_delete(r->store, name, (char *)why.d);
        renew_worst(r, went);
        if (went == ST_OK)
            renew_say("%s: deleted: %s", name, (char *)why.d);
        buf_free(&why);
    }
    renew_worst(r, st);
    prune_list_free(&list);
    store_scan_free(&is);
    store_unlock(r->store);
}

/* Whether the new certificate has a place, in the store and in the token. */
static int has_room(struct renew *r)
{
    const struct plan *p = r->plan;
    struct store_scan is;
    size_t in_token = 0;
    if (store_scan(r->store, &is) != ST_OK)
        return 0;
    size_t n = is.n;
    store_scan_free(&is);
    if (p->prune.limit && n >= (size_t)p->prune.limit) {
        diag_warn("%s: the store is full (%zu certificates): nothing is requested", p->store, n);
        diag_hint("delete with cert-prune, or allow deletion \"before\": certline-store(5)");
        renew_worst(r, ST_REFUSED);
        return 0;
    }
    if (!p->token || !p->token_limit)
        return 1;
    enum status st = p11key_count_certificates(p->token, cfg_path(p->cfg), &in_token);
    if (st == ST_OK && in_token >= (size_t)p->token_limit) {
        diag_warn("%s: the token is full (%zu certificates): nothing is requested", p->store,
                  in_token);
        st = ST_REFUSED;
    }
    renew_worst(r, st);
    return st == ST_OK;
}

static void work(struct renew *r)
{
    int any = 0;
    for (size_t i = 0; i < r->plan->n; i++)
        any |= r->jobs[i].due;
    if (any && !renew_trust(r)) {
        renew_worst(r, ST_USAGE);
        return;
    }
    if (any && r->plan->prune.before)
        prune(r, 1);
    for (size_t i = 0; i < r->plan->n && !io_stopping(); i++)
        if (r->jobs[i].due && (r->jobs[i].resumed || has_room(r))) {
            do_job(r, &r->jobs[i]);
            progress_step(1);
        }
    renew_hooks(r);
    if (any && r->plan->prune.after)
        prune(r, 0);
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
    int clock = r->o->now < r->was.newest_not_before;
    if (clock) {
        diag_warn("%s: the clock is before the newest certificate's notBefore: nothing is done by "
                  "date",
                  r->plan->store);
        renew_worst(r, ST_REFUSED);
    }
    r->jobs = alloc_zero(r->plan->n, sizeof *r->jobs);
    for (size_t i = 0; i < r->plan->n; i++) {
        r->jobs[i].p = &r->plan->purposes[i];
        plan_job(r, &r->jobs[i], clock);
    }
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
