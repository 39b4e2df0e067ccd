/* ledger-test PATH UNIT VERB [ARGUMENT...]: drives the ledger from t/ledger.bats. UNIT "-": for
 * reading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "diag.h"
#include "io.h"
#include "ledger.h"

#define DATA 600

static struct ledger *ledger;
static char **word; /* arguments behind the verb; NULL behind the last */

static void must(enum status st)
{
    if (st != ST_OK)
        exit((int)st);
}

static long number(int i, long otherwise)
{
    for (int k = 0; k <= i; k++)
        if (!word[k])
            return otherwise;
    return atol(word[i]);
}

/* 16 octets that follow from a word and a number. */
static struct span name16(unsigned char out[16], const char *s, long n)
{
    char text[64] = {0};
    snprintf(text, sizeof text, "%.5s-%ld", s, n);
    memcpy(out, text, 16);
    return (struct span){out, 16};
}

static int print(const struct ledger_entry *e, void *arg)
{
    int *count = arg;
    printf("%lld kind=%d part=%u device=%s owner=%s data=%zu\n", (long long)e->id, (int)e->kind,
           e->part, e->device ? e->device : "-", e->owner ? e->owner : "-", e->data.n);
    return ++*count < 1000;
}

static int tally(const struct ledger_entry *e, void *arg)
{
    (void)e;
    ++*(int *)arg;
    return 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds on a processor, of this process. */
static double work(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static long memory(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_maxrss;
}

/* Never the same twice, and cheap: what is measured is the ledger. */
static void some_octets(unsigned char *out, size_t n)
{
    static unsigned char pool[4096];
    static size_t used = sizeof pool;
    if (used + n > sizeof pool) {
        RAND_bytes(pool, sizeof pool);
        used = 0;
    }
    memcpy(out, pool + used, n);
    used += n;
}

static void issue_one(long i, const char *prefix, const unsigned char *data)
{
    unsigned char key[32], serial[18], tid[16];
    char device[64];
    some_octets(key, sizeof key);
    some_octets(serial, sizeof serial);
    snprintf(device, sizeof device, "%s%08ld", prefix, i);
    struct ledger_entry e = {.kind = LEDGER_ISSUED,
                             .tid = name16(tid, "issue", i / 64),
                             .part = 101 + (uint32_t)(i % 64),
                             .unit = "attach-1",
                             .owner = "acme",
                             .lot = "demo",
                             .profile = "idevid-demo",
                             .device = device,
                             .key = {key, sizeof key},
                             .serial = {serial, sizeof serial},
                             .status = 253402300799,
                             .note = "00112233445566778899aabbccddeeff00112233",
                             .data = {data, DATA}};
    must(ledger_add(ledger, &e));
}

/* issue PREFIX N [BATCH]: certificates with random keys; says after each commit how many there are.
 */
static void issue(void)
{
    unsigned char data[DATA] = {1};
    long n = number(1, 1), batch = number(2, 64);
    for (long i = 0; i < n;) {
        must(ledger_begin(ledger));
        for (long k = 0; k < batch && i < n; k++)
            issue_one(i++, word[0], data);
        must(ledger_commit(ledger));
        printf("%ld\n", i);
        fflush(stdout);
    }
}

/* bench N: as ca-sign does, each key and device looked up before it is issued. A line per 10,000.
 */
struct asked {
    unsigned char key[32];
    char device[32];
};

static void look_up(struct asked v[64], long first)
{
    struct ledger_identity who[64];
    int seen = 0;
    for (int k = 0; k < 64; k++) {
        some_octets(v[k].key, sizeof v[k].key);
        snprintf(v[k].device, sizeof v[k].device, "SN%08ld", first + k);
        who[k] = (struct ledger_identity){.owner = "acme",
                                          .profile = "idevid-demo",
                                          .device = v[k].device,
                                          .key = {v[k].key, sizeof v[k].key}};
    }
    must(ledger_expect(ledger, LEDGER_ISSUED, who, 64));
    for (int k = 0; k < 64; k++) {
        must(ledger_by_key(ledger, who[k].key, tally, &seen));
        must(ledger_by_device(ledger, "acme", "idevid-demo", who[k].device, tally, &seen));
    }
}

static void bench(void)
{
    unsigned char data[DATA] = {1};
    struct asked v[64];
    long first = number(2, 0), n = first + number(0, 500000), done = first;
    int look = (int)number(1, 0);
    double start = now(), worked = work();
    for (long i = first; i < n; i += 64) {
        must(ledger_begin(ledger));
        if (look)
            look_up(v, i);
        for (int k = 0; k < 64; k++)
            issue_one(i + k, "SN", data);
        must(ledger_commit(ledger));
        if (i + 64 - done < 10000)
            continue;
        printf("%ld: %.0f a second, %.2f us of work each, %ld KiB\n", i + 64,
               (double)(i + 64 - done) / (now() - start),
               (work() - worked) / (double)(i + 64 - done) * 1e6, memory());
        fflush(stdout);
        done = i + 64;
        start = now();
        worked = work();
    }
}

/* one KIND DEVICE OWNER KEY: a single entry whose key is the word, for the look-ups. */
static void one(void)
{
    struct ledger_entry e = {.kind = (enum ledger_kind)number(0, 0),
                             .device = word[1],
                             .owner = word[2],
                             .profile = "p",
                             .key = {(unsigned char *)word[3], strlen(word[3])}};
    must(ledger_begin(ledger));
    must(ledger_add(ledger, &e));
    must(ledger_commit(ledger));
}

/* device DEVICE OWNER PROFILE */
static void device(void)
{
    int n = 0;
    must(ledger_by_device(ledger, word[1], word[2], word[0], print, &n));
}

/* key WORD: the one that `one` gave */
static void key(void)
{
    int n = 0;
    must(
        ledger_by_key(ledger, (struct span){(unsigned char *)word[0], strlen(word[0])}, print, &n));
}

/* tid KIND RUN MESSAGE [UNIT] */
static void tid(void)
{
    unsigned char t[16];
    int n = 0;
    must(ledger_by_tid(ledger, (enum ledger_kind)number(0, 0), name16(t, word[1], number(2, 0)),
                       word[3], print, &n));
}

/* ask RUN MESSAGES DEVICES: opens the run and records the messages. */
static void ask(void)
{
    unsigned char r[16], t[16];
    long messages = number(1, 1), devices = number(2, 1);
    struct ledger_entry e = {.kind = LEDGER_RUN_OPEN, .run = name16(r, word[0], 0)};
    must(ledger_begin(ledger));
    must(ledger_add(ledger, &e));
    must(ledger_commit(ledger));
    for (long m = 0; m < messages; m++) {
        must(ledger_begin(ledger));
        e = (struct ledger_entry){
            .kind = LEDGER_SENT, .run = name16(r, word[0], 0), .tid = name16(t, word[0], m)};
        must(ledger_add(ledger, &e));
        for (long d = 0; d < devices; d++) {
            char id[64];
            snprintf(id, sizeof id, "d%ld-%ld", m, d);
            e = (struct ledger_entry){.kind = LEDGER_ASKED,
                                      .tid = name16(t, word[0], m),
                                      .part = 101 + (uint32_t)d,
                                      .device = id,
                                      .key = name16(r, id, d)};
            must(ledger_add(ledger, &e));
        }
        must(ledger_commit(ledger));
    }
}

/* answer KIND RUN MESSAGE PART: DELIVERED or REFUSED. answer KIND RUN -MESSAGES DEVICES: all of
 * them. */
static void answer(void)
{
    unsigned char t[16];
    long m = number(2, 0), part = number(3, 101);
    struct ledger_entry e = {.kind = (enum ledger_kind)number(0, 0)};
    must(ledger_begin(ledger));
    for (long i = m < 0 ? 0 : m; i < (m < 0 ? -m : m + 1); i++)
        for (long p = m < 0 ? 101 : part; p < (m < 0 ? 101 + part : part + 1); p++) {
            e.tid = name16(t, word[1], i);
            e.part = (uint32_t)p;
            must(ledger_add(ledger, &e));
        }
    must(ledger_commit(ledger));
}

/* close RUN BLOCKS UNREADABLE */
static void close_run(void)
{
    unsigned char r[16];
    struct ledger_entry e = {.kind = LEDGER_RUN_CLOSE,
                             .run = name16(r, word[0], 0),
                             .part = (uint32_t)number(1, 0),
                             .status = number(2, 0)};
    must(ledger_begin(ledger));
    must(ledger_add(ledger, &e));
    must(ledger_commit(ledger));
}

static void run_state(void)
{
    unsigned char r[16];
    struct ledger_run s;
    double start = now();
    must(ledger_run_state(ledger, name16(r, word[0], 0), &s));
    printf("opened=%d closed=%d blocks=%lld unreadable=%lld asked=%lld delivered=%lld refused=%lld "
           "unanswered=%lld\n",
           s.opened, s.closed, (long long)s.blocks, (long long)s.unreadable, (long long)s.asked,
           (long long)s.delivered, (long long)s.refused, (long long)s.unanswered);
    if (word[1])
        fprintf(stderr, "%.3f s, %ld KiB\n", now() - start, memory());
}

static void unanswered(void)
{
    unsigned char r[16];
    struct span run = {NULL, 0};
    int n = 0;
    if (word[0] && strcmp(word[0], "-"))
        run = name16(r, word[0], 0);
    double start = now();
    must(ledger_unanswered(ledger, run, word[0] && word[1] ? tally : print, &n));
    if (word[0] && word[1])
        fprintf(stderr, "%d in %.3f s, %ld KiB\n", n, now() - start, memory());
}

static void messages(void)
{
    int n = 0;
    must(ledger_unanswered_messages(ledger, print, &n));
}

static void verify(void)
{
    struct ledger_verified v;
    int whole = ledger_verify(ledger, NULL, &v);
    must(whole < 0 ? ST_TEMP : ST_OK);
    if (!whole || ledger_tables_wrong(ledger))
        exit(ST_INPUT);
    printf("%lld\n", (long long)v.last);
}

/* hold SECONDS: keeps others from writing. */
static void hold(void)
{
    must(ledger_begin(ledger));
    printf("held\n");
    fflush(stdout);
    sleep((unsigned)number(0, 1));
    ledger_abort(ledger);
}

/* abort PREFIX: adds, thinks better of it, adds another. */
static void abort_one(void)
{
    unsigned char data[DATA] = {1};
    must(ledger_begin(ledger));
    issue_one(1, word[0], data);
    ledger_abort(ledger);
    must(ledger_begin(ledger));
    issue_one(2, word[0], data);
    must(ledger_commit(ledger));
}

#include "ledger-test.h"

static void nothing(void)
{
}

int main(int argc, char **argv)
{
    static const struct {
        const char *verb;
        void (*run)(void);
    } verbs[] = {{"open", nothing},      {"issue", issue},     {"bench", bench},
                 {"one", one},           {"device", device},   {"key", key},
                 {"tid", tid},           {"ask", ask},         {"answer", answer},
                 {"close", close_run},   {"run", run_state},   {"unanswered", unanswered},
                 {"messages", messages}, {"verify", verify},   {"hold", hold},
                 {"abort", abort_one},   {"count", count},     {"put", put},
                 {"newest", newest},     {"revoked", revoked}, {"held", held},
                 {"allowed", allowed},   {"scan", scan},       {"stand", stand},
                 {"link", link_at},      {"unit", unit},       {"within", within},
                 {"claim", claim},       {"expect", expect},   {"twice", twice},
                 {"next", next}};
    if (argc < 4)
        return ST_USAGE;
    diag_program("ledger-test");
    io_init();
    must(strcmp(argv[2], "-") ? ledger_open(argv[1], argv[2], &ledger)
                              : ledger_open_reader(argv[1], &ledger));
    word = argv + 4;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(argv[3], verbs[i].verb)) {
            verbs[i].run();
            ledger_close(ledger);
            return ST_OK;
        }
    return ST_USAGE;
}
