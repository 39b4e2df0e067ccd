/* Reading a ledger takes one processor, hashing it the best part of another: while this thread
 * reads entries into one batch, the other hashes those of the batch before. */
#include "ledger_priv.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "diag.h"

#define LINKS 256
#define OCTETS ((size_t)1 << 20) /* a batch that has as many is full */

struct batch {
    struct buf octets;
    struct ledger_link_check v[LINKS];
    size_t n;
};

struct ledger_links {
    const EVP_MD *sha256;
    EVP_MD_CTX *md;
    void (*told)(const struct ledger_link_check *k, void *arg);
    void *arg;
    struct batch batch[2];
    int filling; /* the one that is being filled */
    int alone;   /* there is no thread */
    int failed;  /* libcrypto did not hash */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    struct batch *work; /* what the thread has; NULL: it waits */
    int end;
};

static void hash_all(struct ledger_links *s, struct batch *b)
{
    unsigned char hash[LEDGER_HASH];
    for (size_t i = 0; i < b->n; i++) {
        struct ledger_link_check *k = &b->v[i];
        if (!k->hashed)
            continue;
        if (!EVP_DigestInit_ex2(s->md, s->sha256, NULL) ||
            !EVP_DigestUpdate(s->md, b->octets.d + k->at, k->n) ||
            !EVP_DigestFinal_ex(s->md, hash, NULL))
            s->failed = 1;
        k->fits = !memcmp(hash, k->hash, LEDGER_HASH);
    }
}

static void *run(void *arg)
{
    struct ledger_links *s = arg;
    pthread_mutex_lock(&s->lock);
    while (s->work || !s->end) {
        if (!s->work) {
            pthread_cond_wait(&s->turn, &s->lock);
            continue;
        }
        struct batch *b = s->work;
        pthread_mutex_unlock(&s->lock);
        hash_all(s, b);
        pthread_mutex_lock(&s->lock);
        s->work = NULL;
        pthread_cond_broadcast(&s->turn);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are for the thread that reads. */
static void start(struct ledger_links *s)
{
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    s->alone = pthread_create(&s->thread, NULL, run, s) != 0;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
}

struct ledger_links *ledger_links_new(const struct ledger *l,
                                      void (*told)(const struct ledger_link_check *k, void *arg),
                                      void *arg)
{
    struct ledger_links *s = alloc_zero(1, sizeof *s);
    s->sha256 = l->sha256;
    s->md = EVP_MD_CTX_new();
    if (!s->md)
        diag_exit(ST_TEMP, "out of memory");
    s->told = told;
    s->arg = arg;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->turn, NULL);
    start(s);
    return s;
}

static void tell(struct ledger_links *s, struct batch *b)
{
    if (s->failed)
        diag_exit(ST_TEMP, "SHA-256 failed");
    for (size_t i = 0; i < b->n; i++)
        s->told(&b->v[i], s->arg);
    buf_reset(&b->octets);
    b->n = 0;
}

/* The batch that was filled to the thread, and what it had done before is told of. */
static void turn(struct ledger_links *s)
{
    struct batch *full = &s->batch[s->filling];
    if (s->alone) {
        hash_all(s, full);
        tell(s, full);
        return;
    }
    pthread_mutex_lock(&s->lock);
    while (s->work)
        pthread_cond_wait(&s->turn, &s->lock);
    s->work = full;
    pthread_cond_broadcast(&s->turn);
    pthread_mutex_unlock(&s->lock);
    s->filling = !s->filling;
    tell(s, &s->batch[s->filling]);
}

void ledger_links_hash(struct ledger_links *s, struct ledger_link_check *k,
                       const unsigned char before[LEDGER_HASH], int64_t n,
                       const struct ledger_entry *e)
{
    struct buf *to = &s->batch[s->filling].octets;
    k->at = to->n;
    ledger_hashed(to, before, n, e);
    k->n = to->n - k->at;
    k->hashed = 1;
}

void ledger_links_add(struct ledger_links *s, const struct ledger_link_check *k)
{
    struct batch *b = &s->batch[s->filling];
    b->v[b->n++] = *k;
    if (b->n == LINKS || b->octets.n >= OCTETS)
        turn(s);
}

void ledger_links_end(struct ledger_links *s)
{
    turn(s);
    if (!s->alone) {
        turn(s); /* an empty one behind the last */
        pthread_mutex_lock(&s->lock);
        s->end = 1;
        pthread_cond_broadcast(&s->turn);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    pthread_cond_destroy(&s->turn);
    pthread_mutex_destroy(&s->lock);
    EVP_MD_CTX_free(s->md);
    buf_free(&s->batch[0].octets);
    buf_free(&s->batch[1].octets);
    free(s);
}
