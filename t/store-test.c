/* store-test STORE VERB [ARGUMENT...]: drives the device store from t/store.bats and t/prune.bats,
 * one verb a call, each under the lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"
#include "io.h"
#include "plan.h"
#include "signer.h"
#include "store.h"

static struct store *store;
static char **word; /* arguments behind the verb */

static enum status set(void)
{
    return store_set(store, word[0], word[1]);
}

static enum status unset(void)
{
    return store_unset(store, word[0]);
}

static enum status del(void)
{
    return store_delete(store, word[0], "a test");
}

static enum status scan(void)
{
    struct store_scan sc;
    enum status st = store_scan(store, &sc);
    for (size_t i = 0; st == ST_OK && i < sc.n; i++)
        printf("%s%s%s%s%s\n", sc.certs[i].name, sc.certs[i].bad ? " bad" : "",
               sc.certs[i].linked ? " linked" : "", sc.certs[i].self ? " self" : "",
               sc.certs[i].pending ? " pending" : "");
    for (size_t i = 0; st == ST_OK && i < sc.n_purposes; i++)
        printf("%s -> %s\n", sc.purposes[i].name,
               sc.purposes[i].cert < 0 ? "?" : sc.certs[sc.purposes[i].cert].name);
    if (st == ST_OK && sc.bad)
        puts("something is bad");
    if (st == ST_OK)
        store_scan_free(&sc);
    return st;
}

/* enrol PURPOSE REQUEST KEY|URI */
static enum status enrol(void)
{
    struct buf request = {0}, key = {0};
    struct store_enrolment_new n = {.began = clock_now(), .transaction = "fifteen octets."};
    int in_token = !strncmp(word[2], "pkcs11:", 7);
    if (!io_read_file(word[1], STORE_FILE, &request) ||
        (!in_token && !io_read_file(word[2], STORE_FILE, &key)))
        return ST_USAGE;
    n.request = buf_span(&request);
    n.key_pem = buf_span(&key);
    n.key_uri = in_token ? word[2] : NULL;
    enum status st = store_enrol(store, word[0], &n);
    buf_free(&request);
    buf_wipe(&key);
    return st;
}

static enum status end(void)
{
    return store_enrolment_end(store, word[0]);
}

static enum status state(void)
{
    struct store_state was;
    if (!store_state_read(store, word[0], &was))
        return ST_REFUSED;
    printf("set %lld failures %lld\n", (long long)was.set, (long long)was.failures);
    was.failures++;
    was.set = 1000;
    return store_state_write(store, word[0], &was);
}

static enum status hold(void)
{
    puts("held");
    fflush(stdout);
    sleep((unsigned)atoi(word[0]));
    return ST_OK;
}

/* judge CONFIG PURPOSE NAME: what goes when the purpose has been pointed to NAME between the two
 * scans. stale CONFIG PURPOSE NAME: the list is made ahead of it, then carried out. */
static enum status judge(int stale)
{
    struct plan *plan = NULL;
    struct store_scan was = {.n = 0}, is = {.n = 0};
    struct prune_list list = {.n = 0};
    enum status st = plan_load(word[0], &plan), went = ST_OK;
    if (st == ST_OK)
        st = store_scan(store, &was);
    if (st == ST_OK && !stale)
        st = store_set(store, word[1], word[2]);
    if (st == ST_OK)
        st = store_scan(store, &is);
    if (st == ST_OK)
        st = prune_judge(&plan->prune, store, &was, &is, clock_now(), 0, &list);
    if (st == ST_OK && stale)
        st = store_set(store, word[1], word[2]);
    for (size_t i = 0; st == ST_OK && i < list.n; i++) {
        struct buf why = {0};
        prune_rules_text(list.v[i].rules, &why);
        printf("%s: %s\n", is.certs[list.v[i].cert].name, (char *)why.d);
        if (stale)
            went = status_worse(went, store_delete(store, is.certs[list.v[i].cert].name, "stale"));
        buf_free(&why);
    }
    prune_list_free(&list);
    store_scan_free(&was);
    store_scan_free(&is);
    plan_free(plan);
    return status_worse(st, went);
}

static enum status judge_after(void)
{
    return judge(0);
}

static enum status judge_stale(void)
{
    return judge(1);
}

static const struct {
    const char *name;
    enum status (*run)(void);
    int words;
} verbs[] = {{"set", set, 2},          {"unset", unset, 1}, {"delete", del, 1},
             {"scan", scan, 0},        {"enrol", enrol, 3}, {"end", end, 1},
             {"state", state, 1},      {"hold", hold, 1},   {"judge", judge_after, 3},
             {"stale", judge_stale, 3}};

int main(int argc, char **argv)
{
    io_init();
    diag_program("store-test");
    word = argv + 3;
    for (size_t i = 0; argc > 2 && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(argv[2], verbs[i].name) || argc - 3 != verbs[i].words)
            continue;
        enum status st = store_open(argv[1], STORE_MAKE, &store);
        if (st == ST_OK)
            st = store_lock(store, 5);
        if (st == ST_OK)
            st = verbs[i].run();
        store_close(store);
        signer_finish();
        return (int)st;
    }
    return ST_USAGE;
}
