/* Signatures of certificates and requests: which algorithms count, and the check. */
#include "x509.h"

#include <string.h>

#include <openssl/err.h>

#include "diag.h"

struct sigalg {
    unsigned char der[16]; /* AlgorithmIdentifier */
    size_t n;
    int key;        /* EVP_PKEY_base_id */
    const char *md; /* NULL: none of its own */
};

#define RSA_SIG(last)                                                                              \
    {                                                                                              \
        0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last, 5, 0                       \
    }
#define EC_SIG(last)                                                                               \
    {                                                                                              \
        0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, last                                   \
    }

/* RFC 5758, 8410 and 4055: nothing weaker than SHA-256. RSA always with NULL parameters, as
 * everybody writes it. */
static const struct sigalg sigalgs[] = {
    {EC_SIG(2), 12, EVP_PKEY_EC, "SHA256"},
    {EC_SIG(3), 12, EVP_PKEY_EC, "SHA384"},
    {EC_SIG(4), 12, EVP_PKEY_EC, "SHA512"},
    {RSA_SIG(11), 15, EVP_PKEY_RSA, "SHA256"},
    {RSA_SIG(12), 15, EVP_PKEY_RSA, "SHA384"},
    {RSA_SIG(13), 15, EVP_PKEY_RSA, "SHA512"},
    {{0x30, 5, 6, 3, 0x2b, 0x65, 0x70}, 7, EVP_PKEY_ED25519, NULL},
};

static const struct sigalg *find(struct span alg)
{
    for (size_t i = 0; i < sizeof sigalgs / sizeof *sigalgs; i++)
        if (alg.n == sigalgs[i].n && !memcmp(alg.p, sigalgs[i].der, alg.n))
            return &sigalgs[i];
    return NULL;
}

int x509_sigalg_ok(struct span alg)
{
    return find(alg) != NULL;
}

struct span x509_sigalg_of(EVP_PKEY *key)
{
    int id = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
    const char *md = id == EVP_PKEY_ED25519 ? "" : "SHA256";
    if (id == EVP_PKEY_EC && bits > 256)
        md = bits > 384 ? "SHA512" : "SHA384";
    for (size_t i = 0; i < sizeof sigalgs / sizeof *sigalgs; i++)
        if (sigalgs[i].key == id && !strcmp(sigalgs[i].md ? sigalgs[i].md : "", md))
            return (struct span){sigalgs[i].der, sigalgs[i].n};
    return (struct span){0};
}

/* Fetched once: OpenSSL 3.0 looks an implicit one up for every signature, which costs a tenth of a
 * P-256 verification. */
static const EVP_MD *digest_of(const struct sigalg *a)
{
    static EVP_MD *fetched[sizeof sigalgs / sizeof *sigalgs];
    EVP_MD **md = &fetched[a - sigalgs];
    if (a->md && !*md && !(*md = EVP_MD_fetch(NULL, a->md, NULL)))
        diag_exit(ST_TEMP, "%s: %s", a->md, diag_openssl());
    return *md;
}

int x509_sign(EVP_PKEY *key, struct span alg, struct span data, struct buf *signature)
{
    const struct sigalg *a = find(alg);
    EVP_MD_CTX *ctx = NULL;
    size_t n = (size_t)EVP_PKEY_get_size(key);
    int ok = 0;
    if (!a || EVP_PKEY_get_base_id(key) != a->key)
        return 0;
    ctx = EVP_MD_CTX_new();
    ok = ctx && EVP_DigestSignInit(ctx, NULL, digest_of(a), NULL, key) == 1 &&
         EVP_DigestSign(ctx, buf_room(signature, n), &n, data.p, data.n) == 1;
    if (ok)
        signature->n += n;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int x509_verify(EVP_PKEY *key, struct span alg, struct span data, struct span signature)
{
    const struct sigalg *a = find(alg);
    EVP_MD_CTX *ctx = NULL;
    int ok = 0;
    if (!a || EVP_PKEY_get_base_id(key) != a->key)
        return 0;
    ctx = EVP_MD_CTX_new();
    ok = ctx && EVP_DigestVerifyInit(ctx, NULL, digest_of(a), NULL, key) == 1 &&
         EVP_DigestVerify(ctx, signature.p, signature.n, data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}
