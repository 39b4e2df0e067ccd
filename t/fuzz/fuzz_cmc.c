/* libFuzzer: the contents of layers. What is read is written again, and what was written is read as
 * the same. Octets at random come to nothing before the strict walk, so most inputs are changes to
 * messages that are good: the number of one, then places (two octets) and what to put there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "cmc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { REQUEST, POLL, VERIFY_WRAP, RA_WRAP, LEAF, RWRAP, KINDS };

static const unsigned char octets[64] = {0x30, 0x03, 0x02, 0x01, 0x05};
static const unsigned char name[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03,
                                     0x55, 0x04, 0x05, 0x13, 0x02, 'T',  '1'};
#define SPAN(a, n) ((struct span){a, n})

static void seed_up(int kind, struct buf *out)
{
    char text[] = "L7";
    struct cmc_item items[] = {{101, CMC_TCR, {octets, 5}, {name + 13, 2}},
                               {102, CMC_KEY, {octets, 5}, {name + 13, 2}}};
    struct cmc_request r = {.tid = {1, 2},
                            .nonce = {octets, 16},
                            .lot = text,
                            .profile = text,
                            .to = text,
                            .n = 2,
                            .items = items};
    struct cmc_poll p = {.tid = {1, 2},
                         .nonce = {octets, 16},
                         .recipient_nonce = {octets, 16},
                         .lot = text,
                         .profile = text,
                         .to = text};
    struct cmc_ref some = {101, 0}, whole[] = {{101, 0}, {102, 1}};
    struct cmc_verdict v[] = {{.status = CMC_FAILED,
                               .fail = 2,
                               .n = 1,
                               .refs = &some,
                               .text = {(const unsigned char *)text, 2}},
                              {.status = CMC_PENDING, .fail = -1, .n = 2, .refs = whole}};
    struct cmc_mod mod = {.ref = some, .replace = 1, .subject = {name, sizeof name}};
    struct cmc_crm crm = {102, {name, sizeof name}, {octets, 5}};
    struct cmc_wrap w = {.tid = {1, 2}, .inner = {octets, 5}, .n_verdicts = 1, .verdicts = v};
    if (kind == REQUEST)
        cmc_request_put(&r, out);
    if (kind == POLL)
        cmc_poll_put(&p, out);
    if (kind == VERIFY_WRAP) {
        w.mods = &mod;
        w.crms = &crm;
        w.n_mods = w.n_crms = 1;
        cmc_wrap_put(&w, PATH_VERIFY_UNIT, out);
    }
    if (kind == RA_WRAP) {
        w.poll = SPAN(octets, 5);
        w.n_verdicts = 2;
        cmc_wrap_put(&w, PATH_RA_APPROVE, out);
    }
}

static void seed_down(int kind, struct buf *out)
{
    struct cmc_ref one = {101, 0}, other = {102, 0};
    struct cmc_verdict v[] = {
        {.status = CMC_SUCCESS, .fail = -1, .n = 1, .refs = &one},
        {.status = CMC_FAILED, .fail = 2, .n = 1, .refs = &other, .text = {name + 13, 2}}};
    struct cmc_issued issued = {.id = 101};
    struct cmc_leaf f = {.tid = {1, 2},
                         .nonce = {octets, 16},
                         .recipient_nonce = {octets, 16},
                         .n_status = 2,
                         .status = v,
                         .n_issued = 1,
                         .issued = &issued};
    struct cmc_rwrap w = {.tid = {1, 2}, .inner = {octets, 5}};
    if (kind == LEAF)
        cmc_leaf_put(&f, out);
    else
        cmc_rwrap_put(&w, out);
}

/* Reads it as that kind and, if it is one, writes it. */
static int again(int kind, struct span in, struct buf *out)
{
    struct cms_layer l = {.content = in};
    char why[CMC_WHY];
    enum path_role role = kind == RA_WRAP ? PATH_RA_APPROVE : PATH_VERIFY_UNIT;
    struct cmc_request *r = kind == REQUEST ? cmc_request_open(&l, why) : NULL;
    struct cmc_poll *p = kind == POLL ? cmc_poll_open(&l, why) : NULL;
    struct cmc_wrap *w =
        kind == VERIFY_WRAP || kind == RA_WRAP ? cmc_wrap_open(&l, role, why) : NULL;
    struct cmc_leaf *f = kind == LEAF ? cmc_leaf_open(&l, why) : NULL;
    struct cmc_rwrap *rw = kind == RWRAP ? cmc_rwrap_open(&l, why) : NULL;
    if (r)
        cmc_request_put(r, out);
    if (p)
        cmc_poll_put(p, out);
    if (w)
        cmc_wrap_put(w, role, out);
    if (f)
        cmc_leaf_put(f, out);
    if (rw)
        cmc_rwrap_put(rw, out);
    if (p && !cmc_is_poll(&l))
        abort();
    cmc_request_free(r);
    cmc_poll_free(p);
    cmc_wrap_free(w);
    cmc_leaf_free(f);
    cmc_rwrap_free(rw);
    return out->n != 0;
}

static void check(int kind, struct span in)
{
    struct buf one = {0}, two = {0};
    if (again(kind, in, &one)) {
        if (!again(kind, buf_span(&one), &two) || !buf_same(buf_span(&one), buf_span(&two)))
            abort();
        if (kind == POLL && !buf_same(in, buf_span(&one)))
            abort(); /* there is one way to write it */
    }
    buf_free(&one);
    buf_free(&two);
    ERR_clear_error();
}

static void check_message(struct span in)
{
    char why[CMS_WHY];
    cms_free(cms_parse(in, why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf m = {0};
    int kind = n ? data[0] % KINDS : 0;
    if (n && data[0] < 128) {
        if (kind < LEAF)
            seed_up(kind, &m);
        else
            seed_down(kind, &m);
        for (size_t i = 1; i + 2 < n; i += 3)
            m.d[(data[i] << 8 | data[i + 1]) % m.n] = data[i + 2];
    } else if (n) {
        buf_put(&m, data + 1, n - 1);
        check_message(buf_span(&m));
    }
    if (m.n)
        check(kind, buf_span(&m));
    buf_free(&m);
    return 0;
}
