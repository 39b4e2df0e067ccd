/* bench-fill LEDGER UNIT ROLE N: what N certificates leave in the ledger of a unit when they come
 * through in messages of 64, with sizes as those messages have, but octets of nothing. ROLE is
 * verify-unit, ra-approve (whose lot has a quota) or ca-sign. For scripts/bench. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "diag.h"
#include "ledger.h"
#include "x509.h"

#define BATCH 64
#define COMMIT 64 /* messages a transaction */
#define UP_SIZE 30000
#define DOWN_SIZE 40000
#define CERT_SIZE 500

static struct ledger *ledger;
static unsigned char pool[DOWN_SIZE];

static void must(enum status st)
{
    if (st != ST_OK)
        exit((int)st);
}

static void message(enum ledger_kind kind, unsigned char tid[16], size_t size)
{
    unsigned char digests[3][32];
    RAND_bytes(digests[0], sizeof digests);
    struct ledger_entry e = {.kind = kind,
                             .tid = {tid, 16},
                             .unit = "attach-1",
                             .owner = "Example Ltd",
                             .lot = "bench",
                             .profile = "try",
                             .part = BATCH,
                             .key = {digests[0], 32},
                             .digest_in = {digests[1], 32},
                             .digest_out = {digests[2], 32},
                             .data = {pool, size}};
    must(ledger_add(ledger, &e));
}

static void device(enum ledger_kind kind, unsigned char tid[16], long i)
{
    unsigned char key[32], serial[X509_SERIAL];
    char name[16];
    RAND_bytes(key, sizeof key);
    x509_serial(serial);
    snprintf(name, sizeof name, "H%08ld", i);
    struct ledger_entry e = {.kind = kind,
                             .tid = {tid, 16},
                             .part = 101 + (uint32_t)(i % BATCH),
                             .unit = "attach-1",
                             .owner = "Example Ltd",
                             .lot = "bench",
                             .profile = "try",
                             .device = name,
                             .key = {key, sizeof key}};
    if (kind == LEDGER_ISSUED) {
        e.serial = (struct span){serial, sizeof serial};
        e.status = 4102444800;
        e.note = "00112233445566778899aabbccddeeff00112233";
        e.data = (struct span){pool, CERT_SIZE};
    }
    must(ledger_add(ledger, &e));
}

static void one(const char *role, long first, long n)
{
    unsigned char tid[16];
    int ca = !strcmp(role, "ca-sign"), counts = !strcmp(role, "ra-approve");
    RAND_bytes(tid, sizeof tid);
    message(ca ? LEDGER_REQUEST : LEDGER_UP, tid, UP_SIZE);
    for (long i = first; (ca || counts) && i < first + BATCH && i < n; i++)
        device(ca ? LEDGER_ISSUED : LEDGER_COUNTED, tid, i);
    message(ca ? LEDGER_LEAF : LEDGER_DOWN, tid, DOWN_SIZE);
}

int main(int argc, char **argv)
{
    diag_program("bench-fill");
    if (argc != 5)
        return 2;
    long n = atol(argv[4]);
    RAND_bytes(pool, sizeof pool);
    must(ledger_open(argv[1], argv[2], &ledger));
    for (long i = 0; i < n;) {
        must(ledger_begin(ledger));
        for (int m = 0; m < COMMIT && i < n; m++, i += BATCH)
            one(argv[3], i, n);
        must(ledger_commit(ledger));
    }
    ledger_close(ledger);
    return 0;
}
