/* What the parts of intake share. */
#ifndef INTAKE_PRIV_H
#define INTAKE_PRIV_H

#include "cmc.h"
#include "csv.h"
#include "intake.h"
#include "x509.h"

/* One request of the batch; its octets lie in intake.data. */
struct intake_item {
    enum cmc_kind kind;
    size_t der, der_n, device, device_n;
    unsigned char key[X509_HASH];
};

struct intake {
    struct unit *u;
    const struct intake_options *o;
    const struct profile *profile;
    struct intake_list *list; /* NULL: none */
    unsigned char run[CMC_RUN];
    int opened; /* the run stands in the ledger */
    int64_t blocks, unreadable;
    struct intake_item *items; /* u->batch places */
    size_t n;
    struct buf data;
};

/* One block as it was found. */
struct intake_block {
    const char *where; /* "stdin:17" */
    unsigned long line;
    const char *label, *text;
    struct span der;
    const char *device; /* whose it is, where the caller knows; else NULL */
};

/* Adds the block to the batch, or names and counts it; sends the batch when it is full. */
enum status intake_take(struct intake *w, const struct intake_block *b);
void intake_bad(struct intake *w, const char *where, const char *why);
/* Signs, records and writes what is in the batch. */
enum status intake_send(struct intake *w);

/* Reads a block: its kind, the hash of its key, whose it is. 0 with `why` set. */
int intake_read(const struct intake *w, const struct intake_block *b, struct intake_item *out,
                char device[CMC_DEVICE + 1], char why[X509_WHY]);
/* Appends `text` as a device's id if it can be one. */
int intake_device_ok(const char *text);

/* A device list, and where each public key stands in it: 16 octets of memory a device. */
struct intake_list;
/* index 0: only for walking. NULL after a warning. */
struct intake_list *intake_list_open(const char *path, int index);
void intake_list_free(struct intake_list *l);
struct csv *intake_list_csv(struct intake_list *l);
/* The device's id in a row: its column `serial`, or the first. */
const char *intake_list_device(const struct csv_row *row);
/* The device whose `key` column has this SHA-256; NULL: none. Borrowed until the next call. */
const char *intake_list_find(struct intake_list *l, const unsigned char key[X509_HASH]);

void intake_random(unsigned char *p, int n);

/* Opens what o names and runs `feed`, then sends what is left and closes the run. */
enum status intake_work(struct unit *u, const struct intake_options *o,
                        enum status (*feed)(struct intake *w, void *arg), void *arg);

/* The lock that every attach holds, shared, while it reads requests. Freed by the caller. */
char *intake_lock_path(const struct unit *u);

/* Runs that were met in the ledger. */
struct intake_runs {
    unsigned char (*v)[CMC_RUN];
    size_t n;
};
void intake_runs_free(struct intake_runs *r);
void intake_run_note(struct intake_runs *r, struct span run);
/* Closes those whose attach died, and says so in the ledger. Nothing is closed while an attach is
 * reading. */
enum status intake_runs_close(struct unit *u, const struct intake_runs *r, const char *note);

/* A message with a device that has no answer, of which an answer said pending. */
struct intake_wait {
    unsigned char tid[CMC_TID], run[CMC_RUN];
    char *lot, *profile;
    struct intake_pending pending;
};
struct intake_waits {
    struct intake_wait *v; /* in the order in which they were sent */
    size_t n;
};
/* Freed by intake_waits_free in every case. */
enum status intake_waits(struct unit *u, struct intake_waits *out);
void intake_waits_free(struct intake_waits *w);
/* By transactionId, for intake_waits_find: NULL if it is not one of them. */
void intake_waits_sort(struct intake_waits *w);
const struct intake_wait *intake_waits_find(const struct intake_waits *w, struct span tid);

#endif
