/* What the parts of deliver share. */
#ifndef DELIVER_PRIV_H
#define DELIVER_PRIV_H

#include "cmc.h"
#include "deliver.h"
#include "layers.h"
#include "x509.h"

/* One device of a message. */
struct deliver_item {
    uint32_t part;
    char *device;
    unsigned char key[X509_HASH];
    struct span cert, serial; /* empty: none was issued */
    struct span issuer;       /* certificate of its CA, in the answer */
    const struct cmc_verdict *verdict;
    int received, delivered, refused; /* stands in the ledger */
    int failed;                       /* could not be put on the device */
    char *path;                       /* --out: its file */
};

struct deliver {
    struct unit *u;
    const struct deliver_options *o;
    unsigned long line; /* of the message */
    struct layers m;
    unsigned char run[CMC_RUN];
    char *lot, *profile;
    size_t n;
    struct deliver_item *items;
    int repeated; /* the answer was here before */
    /* the pending status in it, NULL: all is decided */
    const struct cmc_verdict *pending;
    /* what the message before has printed; recorded with this one, which saves a commit */
    unsigned char late_tid[CMC_TID];
    struct deliver_item *late;
    size_t n_late;
    /* what was seen so far */
    unsigned char (*runs)[CMC_RUN];
    size_t n_runs;
};

struct span deliver_tid(const struct deliver *d);
/* Says what is wrong with the message; ST_INPUT. */
enum status deliver_bad(const struct deliver *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Finds the request or poll in the ledger and fills d->items; holds the answer and its certificates
 * against what was asked. */
enum status deliver_match(struct deliver *d);
/* In a transaction: what the ledger holds of an answer to it already. */
enum status deliver_recall(struct deliver *d);
void deliver_forget(struct deliver *d);

/* Appends PEM of the certificate and, with --chain, of its issuers without the root. */
void deliver_pem(const struct deliver *d, const struct deliver_item *it, struct buf *out);
/* An item that has a certificate and is not on its device yet. */
int deliver_due(const struct deliver_item *it);
/* Each sets it->failed, after a warning, for the devices where it did not work. */
enum status deliver_files(struct deliver *d);
enum status deliver_commands(struct deliver *d);
enum status deliver_tokens(struct deliver *d);
int deliver_files_ok(const char *out);

/* Notes the run of a message. */
void deliver_run_seen(struct deliver *d);
/* What became of all runs that were seen. */
enum status deliver_truth(struct deliver *d);

#endif
