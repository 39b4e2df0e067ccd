/* libFuzzer: what a signed head and the manifest of evidence hold, ahead of their signatures. What
 * is read is written as the same octets. Most inputs are changes to good ones, as in fuzz_cmc.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "audit_priv.h"
#include "head_asn1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEAD, MANIFEST, KINDS };

static void seed(int kind, struct buf *out)
{
    char text[] = "Device CA";
    struct ledger_link links[] = {{1, 40, {1}}, {2, 300, {2}}};
    struct head h = {
        .unit = text, .since = 200, .entry = 340, .time = 1800000000, .n = 2, .links = links};
    unsigned char blocks[3][CMS_DIGEST] = {{1}, {2}, {3}};
    struct audit_manifest m = {.unit = text,
                               .owner = text,
                               .lot = text,
                               .time = 1800000000,
                               .part = 1,
                               .last = 1,
                               .n = 3,
                               .blocks = blocks};
    if (kind == HEAD)
        head_put(&h, out);
    else
        audit_manifest_put(&m, out);
}

static int again(int kind, struct span in, struct buf *out)
{
    int ok;
    if (kind == HEAD) {
        struct head *h = calloc(1, sizeof *h);
        ok = h && head_take(in, h);
        if (ok && (h->since < 0 || h->entry <= h->since || !h->n))
            abort();
        if (ok)
            head_put(h, out);
        head_free(h);
    } else {
        struct audit_manifest m;
        ok = audit_manifest_take(in, &m);
        if (ok && (m.part < 1 || m.n > AUDIT_BLOCKS))
            abort();
        if (ok)
            audit_manifest_put(&m, out);
        audit_manifest_free(&m);
    }
    ERR_clear_error();
    return ok;
}

static void check(int kind, struct span in, int good)
{
    struct buf out = {0};
    int ok = again(kind, in, &out);
    if ((good && !ok) || (ok && !buf_same(in, buf_span(&out))))
        abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf m = {0};
    int kind = n ? data[0] % KINDS : 0;
    if (n && data[0] < 128) {
        seed(kind, &m);
        for (size_t i = 1; i + 2 < n; i += 3)
            m.d[(data[i] << 8 | data[i + 1]) % m.n] = data[i + 2];
    } else if (n) {
        buf_put(&m, data + 1, n - 1);
    }
    if (m.n)
        check(kind, buf_span(&m), n == 1 && data[0] < 128);
    buf_free(&m);
    return 0;
}
