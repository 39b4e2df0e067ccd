/* Plays verify-unit, ra-approve and ca-sign with keys in files, as a line would that lies: reads a
 * message of attach, prints the answer. answer-test DIR [WORD...]
 *
 * DIR holds root.pem and ca.pem (the trust), NAME.key and NAME.pem (the path) of verify-unit,
 * ra-approve and ca-sign, and issuer.key and issuer.pem of a CA. Words, where N counts from 0:
 *
 *   refuse=N    request N is refused            key=N      certificate N holds another key
 *   nonce       another recipientNonce          tid        another transactionId
 *   request     answers another message         short      leaves out the last request
 *   forged      the issuer did not sign         no-issuer  the issuer is not in the answer
 *   expired     certificates of yesterday       early      certificates of tomorrow
 *   foreign     by the CA in foreign.key, foreign.pem
 *   pending=S   waits for approval: ask again in S seconds
 *   leaf=N      octet of which ca-sign's senderNonce consists (7)
 *   token=N     the same for the pendToken (9)
 *   whole       a status of the whole transaction, as polls get it
 *
 * A poll is answered as the message in original.pem would be, with whole as such. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "anchor.h"
#include "clock.h"
#include "cmc.h"
#include "csr.h"
#include "diag.h"
#include "io.h"
#include "layers.h"
#include "pem.h"
#include "signer.h"

#define DAY 86400

static char **words;

/* The number behind "NAME=", 0 for a bare NAME; -1: not given. */
static int word(const char *name)
{
    size_t n = strlen(name);
    for (char **w = words; *w; w++)
        if (!strncmp(*w, name, n) && (!(*w)[n] || (*w)[n] == '='))
            return (*w)[n] ? atoi(*w + n + 1) : 0;
    return -1;
}

static char *in(const char *dir, const char *name, const char *end)
{
    return alloc_printf("%s/%s.%s", dir, name, end);
}

struct unit {
    struct signer *signer;
    struct buf certs[4];
    struct span chain[4];
    int n;
};

static void open_unit(const char *dir, const char *name, struct unit *u)
{
    char *key = in(dir, name, "key"), *pem = in(dir, name, "pem");
    if (signer_open(key, NULL, 0, &u->signer) != ST_OK)
        exit(ST_USAGE);
    u->n = pem_file(pem, "CERTIFICATE", 65536, u->certs, 4);
    if (u->n < 1)
        exit(ST_USAGE);
    for (int i = 0; i < u->n; i++)
        u->chain[i] = buf_span(&u->certs[i]);
    free(key);
    free(pem);
}

static void close_unit(struct unit *u)
{
    signer_close(u->signer);
    for (int i = 0; i < u->n; i++)
        buf_free(&u->certs[i]);
}

static void sign(struct unit *u, const struct buf *content, const struct span *other, size_t n,
                 struct buf *out)
{
    buf_reset(out);
    if (cms_sign(u->signer, CMS_PKI_RESPONSE, buf_span(content), u->chain, (size_t)u->n, other, n,
                 clock_now(), out) != ST_OK)
        exit(ST_TEMP);
}

static void issue(struct unit *ca, struct unit *liar, const struct cmc_item *it, int n,
                  struct buf *out)
{
    struct csr csr = {.spki = it->der};
    struct buf subject = {0};
    char why[X509_WHY];
    struct x509_cert issuer;
    unsigned char serial[X509_SERIAL];
    if (it->kind == CMC_TCR && !csr_view(it->der, &csr, why))
        diag_exit(ST_INPUT, "%s", why);
    if (!x509_cert_view(ca->chain[0], &issuer) || !x509_name_parse("CN=device", &subject, why))
        exit(ST_USAGE);
    x509_serial(serial);
    int64_t now = clock_now();
    struct x509_tbs tbs = {.serial = {serial, sizeof serial},
                           .issuer = issuer.subject,
                           .subject = buf_span(&subject),
                           .spki = word("key") == n ? issuer.spki : csr.spki,
                           .not_before = now - 2 * DAY + (word("early") == 0 ? 3 * DAY : 0),
                           .not_after = now + 9 * DAY - (word("expired") == 0 ? 10 * DAY : 0)};
    if (x509_issue(&tbs, word("forged") == 0 ? liar->signer : ca->signer, out) != ST_OK)
        exit(ST_TEMP);
    buf_free(&subject);
}

static struct cmc_verdict refusal(size_t n, struct cmc_ref *refs)
{
    static const char no[] = "not today";
    return (struct cmc_verdict){.status = CMC_FAILED,
                                .fail = 7,
                                .n = n,
                                .refs = refs,
                                .text = {(const unsigned char *)no, sizeof no - 1}};
}

/* NULL refs: the whole transaction. */
static struct cmc_verdict waits(size_t n, struct cmc_ref *refs)
{
    struct cmc_verdict v = {.status = CMC_PENDING, .fail = -1, .n = n, .refs = refs};
    memset(v.token, word("token") < 0 ? 9 : word("token"), CMC_TOKEN);
    v.pend_time = clock_now() + word("pending");
    return v;
}

/* Those that are not refused wait. */
static void decide_pending(const struct cmc_request *r, struct cmc_leaf *f, struct cmc_ref *refs)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (word("refuse") != (int)i)
            refs[n++] = (struct cmc_ref){r->items[i].id, 0};
    f->status[f->n_status++] = waits(n, refs);
    if (n == r->n)
        return;
    refs[n] = (struct cmc_ref){CMC_FIRST + (uint32_t)word("refuse"), 0};
    f->status[f->n_status++] = refusal(1, &refs[n]);
}

/* One status for each request, and a certificate for those that are not refused. */
static void decide(struct unit *ca, struct unit *liar, const struct cmc_request *r,
                   struct cmc_leaf *f, struct cmc_ref *refs, struct buf *certs)
{
    size_t n = r->n - (word("short") == 0);
    if (word("whole") == 0) {
        f->status[f->n_status++] = word("refuse") == 0 ? refusal(0, NULL) : waits(0, NULL);
        return;
    }
    if (word("pending") >= 0) {
        decide_pending(r, f, refs);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        refs[i] = (struct cmc_ref){r->items[i].id, 0};
        struct cmc_verdict *v = &f->status[f->n_status++];
        *v = (struct cmc_verdict){.status = CMC_SUCCESS, .fail = -1, .n = 1, .refs = &refs[i]};
        if (word("refuse") == (int)i)
            *v = refusal(1, &refs[i]);
        if (v->status != CMC_SUCCESS)
            continue;
        struct cmc_issued *is = &f->issued[f->n_issued];
        issue(ca, liar, &r->items[i], (int)i, &certs[f->n_issued++]);
        is->id = r->items[i].id;
        cms_digest(buf_span(&certs[f->n_issued - 1]), is->hash);
    }
}

static void make_leaf(const char *dir, const struct cmc_request *r, struct span nonce,
                      struct buf *out)
{
    struct unit ca_sign = {0}, ca = {0};
    unsigned char own[CMC_NONCE];
    struct cmc_leaf f = {.nonce = {own, sizeof own}, .recipient_nonce = nonce};
    struct buf *certs = alloc_zero(r->n, sizeof *certs), content = {0};
    struct span *other = alloc_zero(r->n + 4, sizeof *other);
    struct cmc_ref *refs = alloc_zero(r->n, sizeof *refs);
    size_t n = 0;
    memset(own, word("leaf") < 0 ? 7 : word("leaf"), sizeof own);
    open_unit(dir, "ca-sign", &ca_sign);
    open_unit(dir, word("foreign") == 0 ? "foreign" : "issuer", &ca);
    f.status = alloc_zero(r->n, sizeof *f.status);
    f.issued = alloc_zero(r->n, sizeof *f.issued);
    memcpy(f.tid, r->tid, CMC_TID);
    f.tid[0] ^= word("tid") == 0;
    if (word("nonce") == 0)
        f.recipient_nonce = f.nonce;
    decide(&ca, &ca_sign, r, &f, refs, certs);
    for (; n < f.n_issued; n++)
        other[n] = buf_span(&certs[n]);
    if (n && word("no-issuer") < 0)
        other[n++] = ca.chain[0];
    cmc_leaf_put(&f, &content);
    sign(&ca_sign, &content, other, n, out);
    for (size_t i = 0; i < f.n_issued; i++)
        buf_free(&certs[i]);
    buf_free(&content);
    free(certs);
    free(other);
    free(refs);
    free(f.status);
    free(f.issued);
    close_unit(&ca_sign);
    close_unit(&ca);
}

/* `request`: the digest that it is the answer to. */
static void wrap(const char *dir, const char *name, const struct cmc_request *r,
                 const unsigned char request[CMS_DIGEST], struct buf *message)
{
    struct unit u = {0};
    struct buf content = {0};
    struct cmc_rwrap w = {.inner = buf_span(message)};
    open_unit(dir, name, &u);
    memcpy(w.tid, r->tid, CMC_TID);
    w.tid[0] ^= word("tid") == 0;
    memcpy(w.request, request, CMS_DIGEST);
    cmc_rwrap_put(&w, &content);
    sign(&u, &content, NULL, 0, message);
    buf_free(&content);
    close_unit(&u);
}

static struct path *open_path(const char *dir, struct anchor **a)
{
    char *root = in(dir, "root", "pem"), *ca = in(dir, "ca", "pem");
    struct anchor_files files = {.trust = root, .unit_ca = ca};
    if (anchor_load(&files, a) != ST_OK)
        exit(ST_USAGE);
    free(root);
    free(ca);
    return path_new(*a);
}

/* Verified: what attach sent. */
static void open_message(struct span der, struct path *path, struct layers *m)
{
    char why[CMS_WHY];
    struct layers_rule rule = {PATH_VERIFY_UNIT, clock_now(), DAY};
    if (layers_open(der, path, &rule, m, why) != ST_OK)
        diag_exit(ST_INPUT, "%s", why);
}

/* `message`: the ContentInfo of what is answered, replaced by the answer. */
static void answer(const char *dir, struct path *path, struct buf *message)
{
    static const unsigned char nothing[CMS_DIGEST];
    struct layers m, first = {0};
    struct buf original = {0}, out = {0};
    open_message(buf_span(message), path, &m);
    if (m.poll) {
        if (pem_file("original.pem", "CMS", CMS_MAX, &original, 1) != 1)
            exit(ST_USAGE);
        open_message(buf_span(&original), path, &first);
    }
    const struct cmc_request *r = m.poll ? first.request : m.request;
    make_leaf(dir, r, m.poll ? m.poll->nonce : r->nonce, &out);
    wrap(dir, "ra-approve", r, nothing, &out);
    wrap(dir, "verify-unit", r, word("request") == 0 ? nothing : m.layer[0].digest, &out);
    layers_close(&m);
    layers_close(&first);
    buf_free(&original);
    buf_free(message);
    *message = out;
}

int main(int argc, char **argv)
{
    struct anchor *a = NULL;
    struct pem_block b;
    struct buf message = {0}, pem = {0};
    io_init();
    diag_program("answer-test");
    if (argc < 2)
        return ST_USAGE;
    words = argv + 2;
    struct path *path = open_path(argv[1], &a);
    struct pem *stdin_pem = pem_open(0, CMS_MAX, PEM_STRICT);
    while (pem_next(stdin_pem, &b, 1) == PEM_BLOCK) {
        buf_reset(&message);
        buf_put(&message, b.der, b.n);
        answer(argv[1], path, &message);
        pem_put(&pem, "CMS", message.d, message.n);
    }
    io_stdout(pem.d, pem.n);
    pem_close(stdin_pem);
    buf_free(&message);
    buf_free(&pem);
    path_free(path);
    anchor_free(a);
    return ST_OK;
}
