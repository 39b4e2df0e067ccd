/* revoke-test LEDGER UNIT ISSUER LOT N [revoked]: a lot of N certificates of that issuer key in a
 * CA's ledger, as a line would have left them there, for t/revoke.bats and t/crl.bats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "diag.h"
#include "ledger.h"
#include "x509.h"

static struct ledger *ledger;

static void must(enum status st)
{
    if (st != ST_OK)
        exit((int)st);
}

static void add_one(long i, const char *issuer, const char *lot, int revoked)
{
    static unsigned char data[600], key[32], serial[X509_SERIAL], tid[16];
    char device[64];
    RAND_bytes(key, sizeof key);
    x509_serial(serial);
    memcpy(tid, &i, sizeof i);
    snprintf(device, sizeof device, "%.20s-%06ld", lot, i);
    struct ledger_entry e = {.kind = LEDGER_ISSUED,
                             .tid = {tid, sizeof tid},
                             .part = 101,
                             .unit = "attach-1",
                             .owner = "Lab",
                             .lot = lot,
                             .profile = "tls-client",
                             .device = device,
                             .key = {key, sizeof key},
                             .serial = {serial, sizeof serial},
                             .status = 4102444800,
                             .note = issuer,
                             .data = {data, sizeof data}};
    must(ledger_add(ledger, &e));
    e.kind = LEDGER_REVOKED;
    e.status = 1;
    if (revoked)
        must(ledger_add(ledger, &e));
}

int main(int argc, char **argv)
{
    diag_program("revoke-test");
    if (argc < 6)
        return 2;
    must(ledger_open(argv[1], argv[2], &ledger));
    must(ledger_begin(ledger));
    for (long i = 0; i < atol(argv[5]); i++)
        add_one(i, argv[3], argv[4], argc > 6);
    must(ledger_commit(ledger));
    ledger_close(ledger);
    return 0;
}
