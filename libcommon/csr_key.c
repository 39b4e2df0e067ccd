/* New keys, and their PKCS #8 without OpenSSL's encoder, which takes several times as long as
 * making a P-256 key. */
#include "csr.h"

#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "diag.h"

#define SCALAR_MAX 48 /* octets, P-384 */
#define POINT_MAX (1 + 2 * SCALAR_MAX)
#define PKCS8_MAX 4096 /* more than any of these takes: a secret that moves leaves a copy */

enum { KIND_EC, KIND_RSA, KIND_ED };

static const struct type {
    const char *name, *algorithm, *group;
    int kind, bits;
    unsigned char alg[24]; /* AlgorithmIdentifier */
} types[] = {
    {"P-256", "EC", "P-256", KIND_EC, 256, {0x30, 0x13, 6,    7,    0x2a, 0x86, 0x48,
                                            0xce, 0x3d, 2,    1,    6,    8,    0x2a,
                                            0x86, 0x48, 0xce, 0x3d, 3,    1,    7}},
    {"P-384",
     "EC",
     "P-384",
     KIND_EC,
     384,
     {0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22}},
    {"RSA-2048", "RSA", NULL, KIND_RSA, 2048, {0}},
    {"RSA-3072", "RSA", NULL, KIND_RSA, 3072, {0}},
    {"RSA-4096", "RSA", NULL, KIND_RSA, 4096, {0}},
    {"Ed25519", "ED25519", NULL, KIND_ED, 0, {0x30, 5, 6, 3, 0x2b, 0x65, 0x70}},
};
#define TYPES (sizeof types / sizeof *types)

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < TYPES && strcasecmp(types[i].name, name) != 0)
        i++;
    return i;
}

int csr_key_known(const char *type)
{
    return find(type) < TYPES;
}

static _Noreturn void failed(const struct type *t)
{
    diag_exit(ST_TEMP, "new %s key: %s", t->name, diag_openssl());
}

/* What is dear in setting up a generator is done once a type. */
static EVP_PKEY *generate(size_t i)
{
    static EVP_PKEY_CTX *made[TYPES];
    const struct type *t = &types[i];
    EVP_PKEY *key = NULL;
    if (!made[i]) {
        made[i] = EVP_PKEY_CTX_new_from_name(NULL, t->algorithm, NULL);
        if (!made[i] || EVP_PKEY_keygen_init(made[i]) != 1 ||
            (t->group && EVP_PKEY_CTX_set_group_name(made[i], t->group) != 1) ||
            (t->kind == KIND_RSA && EVP_PKEY_CTX_set_rsa_keygen_bits(made[i], t->bits) != 1))
            failed(t);
    }
    if (EVP_PKEY_generate(made[i], &key) != 1)
        failed(t);
    return key;
}

/* ECPrivateKey with the public key, without the curve that stands beside it (RFC 5915, section 3).
 */
static int encode_ec(const struct type *t, struct csr_key *k)
{
    unsigned char scalar[SCALAR_MAX], point[POINT_MAX + 1] = {0};
    int len = t->bits / 8, ok = 0;
    size_t start, n = 0;
    struct buf *b = &k->pkcs8;
    BIGNUM *d = NULL;
    if (EVP_PKEY_get_bn_param(k->key, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1 ||
        EVP_PKEY_get_octet_string_param(k->key, OSSL_PKEY_PARAM_PUB_KEY, point + 1, POINT_MAX,
                                        &n) != 1 ||
        BN_bn2binpad(d, scalar, len) != len)
        goto out;
    start = b->n;
    x509_put(b, 0x02, "\1", 1);
    x509_put(b, 0x04, scalar, (size_t)len);
    size_t at = b->n;
    x509_put(b, 0x03, point, n + 1);
    x509_wrap(b, at, 0xa1);
    x509_wrap(b, start, 0x30);
    x509_wrap(b, start, 0x04);
    buf_put(&k->spki, t->alg, 2 + (size_t)t->alg[1]);
    x509_put(&k->spki, 0x03, point, n + 1);
    ok = 1;
out:
    BN_clear_free(d);
    OPENSSL_cleanse(scalar, sizeof scalar);
    return ok;
}

/* RFC 8410, section 7 */
static int encode_ed25519(const struct type *t, struct csr_key *k)
{
    unsigned char secret[32], point[33] = {0};
    size_t n = 32, m = 32, start = k->pkcs8.n;
    int ok = EVP_PKEY_get_raw_private_key(k->key, secret, &n) == 1 &&
             EVP_PKEY_get_raw_public_key(k->key, point + 1, &m) == 1;
    if (ok) {
        x509_put(&k->pkcs8, 0x04, secret, sizeof secret);
        x509_wrap(&k->pkcs8, start, 0x04);
        buf_put(&k->spki, t->alg, 2 + (size_t)t->alg[1]);
        x509_put(&k->spki, 0x03, point, sizeof point);
    }
    OPENSSL_cleanse(secret, sizeof secret);
    return ok;
}

/* Making an RSA key takes so long that the encoder's time does not count. */
static int encode_rsa(struct csr_key *k)
{
    unsigned char *der = NULL, *spki = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->key);
    int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1, m = i2d_PUBKEY(k->key, &spki);
    if (n > 0 && m > 0) {
        buf_put(&k->pkcs8, der, (size_t)n);
        buf_put(&k->spki, spki, (size_t)m);
    }
    if (n > 0)
        OPENSSL_clear_free(der, (size_t)n);
    OPENSSL_free(spki);
    PKCS8_PRIV_KEY_INFO_free(info);
    return n > 0 && m > 0;
}

int csr_key_make(const char *type, struct csr_key *out)
{
    size_t i = find(type);
    const struct type *t = &types[i];
    int ok;
    memset(out, 0, sizeof *out);
    if (i == TYPES)
        return 0;
    out->key = generate(i);
    buf_room(&out->pkcs8, PKCS8_MAX);
    if (t->kind == KIND_RSA) {
        ok = encode_rsa(out);
    } else {
        x509_put(&out->pkcs8, 0x02, "\0", 1);
        buf_put(&out->pkcs8, t->alg, 2 + (size_t)t->alg[1]);
        ok = t->kind == KIND_EC ? encode_ec(t, out) : encode_ed25519(t, out);
        x509_wrap(&out->pkcs8, 0, 0x30);
        x509_wrap(&out->spki, 0, 0x30);
    }
    if (!ok)
        failed(t);
    return 1;
}

void csr_key_free(struct csr_key *k)
{
    EVP_PKEY_free(k->key);
    buf_free(&k->spki);
    buf_wipe(&k->pkcs8);
    k->key = NULL;
}
