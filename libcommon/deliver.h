/* The way down through attach: answers are checked against what the ledger says was asked, and the
 * certificates are put on their devices and read back (certline-message(5)).
 *
 * The order for each message: commit received, put, read back, commit delivered, print; where there
 * is nothing to put, what is printed is delivered, so that printing comes before. A message in
 * which anything is wrong puts nothing on any device. */
#ifndef DELIVER_H
#define DELIVER_H

#include "launch.h"
#include "pem.h"
#include "unit.h"

struct deliver_options {
    const char *out;       /* a folder, or a template of a file's name; NULL: no files */
    const char *put;       /* a command run by `launch` for each device; NULL: none */
    const char *read_back; /* prints what the device then holds; NULL: not read back */
    const char *token;     /* pkcs11: URI, a template; NULL: none */
    int chain;             /* the issuers go with each certificate */
    int print;             /* to stdout, behind everything else */
    struct launch *launch;
};

/* Whether --out and --token can be used as they are: 0 after a warning. */
int deliver_options_ok(const struct deliver_options *o);
/* Reads `in` to its end; what pem_next gave first is handed over. Then says what became of the runs
 * that the answers belong to: ST_TEMP if one is not closed or a device has no answer or waits for
 * approval, else ST_INPUT if a block of it could not be read, else ST_REFUSED if a request was
 * refused. ST_INPUT at once for a message that is malformed, not authentic, or not the answer to
 * one that was sent. */
enum status deliver_run(struct unit *u, const struct deliver_options *o, struct pem *in,
                        enum pem_result got, struct pem_block *first);

#endif
