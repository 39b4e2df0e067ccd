/* One renewal, from the request to the certificate in use. */
#include "renew_priv.h"

#include "clock.h"
#include "diag.h"

#define AGAIN_FIRST 60            /* seconds after a first failure; doubled with each */
#define AGAIN_MOST (24 * 60 * 60) /* after a refusal */
#define AGAIN_PENDING (60 * 60)   /* after "not yet" */
#define FAILURES_A_KEY 5          /* then the next attempt makes a new key and request */

static enum status locked(struct renew *r)
{
    return store_lock(r->store, (int)r->plan->wait);
}

int64_t renew_longest_wait(const struct renew_job *j, enum status st, int64_t now)
{
    int64_t most = st == ST_TEMP ? AGAIN_PENDING : AGAIN_MOST;
    int64_t left = *j->present ? j->item.cert.not_after - now : 0;
    if (left <= 0)
        return AGAIN_PENDING;
    if (left / 10 < most)
        most = left / 10;
    return most > AGAIN_FIRST ? most : AGAIN_FIRST;
}

static void back_off(struct renew *r, struct renew_job *j, enum status st)
{
    int64_t now = clock_now(), most = renew_longest_wait(j, st, now), wait = AGAIN_FIRST;
    if (locked(r) != ST_OK)
        return;
    for (int64_t i = 0; i < j->state.failures && wait < most; i++)
        wait *= 2;
    j->state.failures++;
    j->state.again = now + (wait < most ? wait : most);
    renew_worst(r, store_state_write(r->store, j->p->name, &j->state));
    if (st == ST_REFUSED && j->state.failures % FAILURES_A_KEY == 0)
        renew_worst(r, store_enrolment_end(r->store, j->p->name));
    store_unlock(r->store);
}

/* The request that waits, if its key is still there; or a new one. */
static enum status have_request(struct renew *r, struct renew_job *j, struct store_enrolment *e)
{
    int have = store_enrolment(r->store, j->p->name, e);
    enum status st = have > 0 ? renew_key_there(e, j->p->name) : ST_REFUSED;
    if (have < 0 || (have && st != ST_REFUSED))
        return st;
    store_enrolment_free(e);
    st = locked(r);
    if (st == ST_OK)
        st = store_enrolment_end(r->store, j->p->name);
    j->state.asked = 0;
    if (st == ST_OK)
        st = renew_request(r, j);
    store_unlock(r->store);
    if (st == ST_OK && store_enrolment(r->store, j->p->name, e) != 1)
        st = ST_TEMP;
    j->waiting = st == ST_OK;
    return st;
}

/* Asks, checks, stores. */
static enum status ask(struct renew *r, struct renew_job *j, const struct store_enrolment *e,
                       char name[STORE_NAME + 1])
{
    struct renew_answer a = {.cert = {0}};
    struct buf printed = {0};
    enum status st = renew_ask(r, j, e, &printed);
    if (st == ST_OK)
        st = renew_check(r, j, e, buf_span(&printed), &a);
    if (st == ST_REFUSED)
        j->state.asked = 0; /* to be asked for from the beginning */
    if (st != ST_OK) {
        renew_worst(r, st);
        back_off(r, j, st);
        goto out;
    }
    st = locked(r);
    if (st == ST_OK)
        st = renew_room(r, j); /* while the command ran, someone else may have filled it */
    if (st == ST_OK)
        st = renew_install(r, j, e, &a, name);
    store_unlock(r->store);
    renew_worst(r, st);
out:
    renew_answer_free(&a);
    buf_wipe(&printed);
    return st;
}

static enum status enrol(struct renew *r, struct renew_job *j, char name[STORE_NAME + 1])
{
    struct store_enrolment e = {.key = NULL};
    enum status st = ST_OK;
    if (store_enrolment(r->store, j->p->name, &e) == 1 && renew_stored(r, &e, name)) {
        st = locked(r);
        if (st == ST_OK)
            st = renew_use(r, j, name);
        store_unlock(r->store);
        renew_worst(r, st);
        goto out;
    }
    store_enrolment_free(&e);
    renew_prune_before(r, j);
    st = renew_room(r, j);
    renew_worst(r, st);
    if (st != ST_OK)
        goto out;
    st = have_request(r, j, &e);
    if (st != ST_OK) {
        renew_worst(r, st);
        back_off(r, j, st);
        goto out;
    }
    st = ask(r, j, &e, name);
out:
    store_enrolment_free(&e);
    return st;
}

void renew_enrol(struct renew *r, struct renew_job *j)
{
    char name[STORE_NAME + 1] = "", end[CLOCK_TEXT];
    struct store_item now;
    if (enrol(r, j, name) != ST_OK)
        return;
    j->waiting = 0;
    if (store_read(r->store, name, &now) != ST_OK) {
        renew_worst(r, ST_TEMP);
        return;
    }
    clock_format(now.cert.not_after, end);
    renew_say("%s: %s is in use, valid to %s", j->p->name, name, end);
    if (j->state.again) {
        char again[CLOCK_TEXT];
        clock_format(j->state.again, again);
        diag_warn("%s: %s is due again at once: it is renewed after %s", j->p->name, name, again);
        diag_hint("its schedule does not fit the validity that the CA gives: certline-store(5)");
        renew_worst(r, ST_REFUSED);
    }
    store_item_free(&now);
}
