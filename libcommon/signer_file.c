#include "signer_priv.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "diag.h"
#include "io.h"

#define FILE_MAX 65536
#define SCALAR 32
#define POINT 65

/* A P-256 key without a passphrase as csr-make and openssl write it: RFC 5958 around RFC 5915, of
 * which only the octets of scalar and point differ from key to key. */
struct p256_file {
    unsigned char head[36], scalar[SCALAR], middle[5], point[POINT];
};
static const struct p256_file p256 = {
    .head = {0x30, 0x81, 0x87, 2,    1,    0,    0x30, 0x13, 6,    7,    0x2a, 0x86,
             0x48, 0xce, 0x3d, 2,    1,    6,    8,    0x2a, 0x86, 0x48, 0xce, 0x3d,
             3,    1,    7,    0x04, 0x6d, 0x30, 0x6b, 2,    1,    1,    0x04, 0x20},
    .middle = {0xa1, 0x44, 3, 0x42, 0}};

struct asked {
    const char *path, *why;
};

static int passphrase(char *out, int max, int writing, void *arg)
{
    struct asked *a = arg;
    char question[200];
    (void)writing;
    snprintf(question, sizeof question, "passphrase of %s", a->path);
    size_t n = p11_prompt(question, out, (size_t)max, &a->why);
    return n ? (int)n : -1;
}

static EVP_PKEY *p256_key(const struct p256_file *f)
{
    unsigned char native[SCALAR];
    BIGNUM *d = BN_bin2bn(f->scalar, SCALAR, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, SCALAR),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)f->point, POINT),
        OSSL_PARAM_construct_end()};
    if (!d || BN_bn2nativepad(d, native, SCALAR) != SCALAR || !ctx ||
        EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(d);
    OPENSSL_cleanse(native, sizeof native);
    return key;
}

/* OpenSSL's decoder tries out what a file could be, which takes ten times as long as a signature:
 * too long for the thousands of key files of a device list. NULL: this file is for the decoder. */
static EVP_PKEY *quick(BIO *bio)
{
    char *label = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;
    EVP_PKEY *key = NULL;
    struct p256_file f;
    if (PEM_read_bio_ex(bio, &label, &header, &der, &n,
                        PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) == 1 &&
        !strcmp(label, "PRIVATE KEY") && !*header && n == (long)sizeof f) {
        memcpy(&f, der, sizeof f);
        if (!memcmp(f.head, p256.head, sizeof f.head) &&
            !memcmp(f.middle, p256.middle, sizeof f.middle) &&
            f.point[0] == POINT_CONVERSION_UNCOMPRESSED)
            key = p256_key(&f);
        OPENSSL_cleanse(&f, sizeof f);
    }
    OPENSSL_secure_free(label);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(der, (size_t)n);
    ERR_clear_error();
    return key;
}

EVP_PKEY *signer_file_load(const char *path)
{
    struct buf b = {0};
    struct asked a = {path, NULL};
    EVP_PKEY *key = NULL;
    buf_room(&b, 2 * FILE_MAX); /* a key that moves as the buffer grows would leave copies */
    if (!io_read_file(path, FILE_MAX, &b)) {
        buf_wipe(&b);
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(b.d, (int)b.n);
    if (bio)
        key = quick(bio);
    if (bio && !key && BIO_reset(bio) == 1)
        key = PEM_read_bio_PrivateKey(bio, NULL, passphrase, &a);
    if (!key && a.why) {
        diag_warn("%s: passphrase: %s", path, a.why);
        ERR_clear_error();
    } else if (!key) {
        diag_warn("%s: no private key in PEM: %s", path, diag_openssl());
        if (memmem(b.d, b.n, "PUBLIC KEY", 10) || memmem(b.d, b.n, "CERTIFICATE", 11))
            diag_hint("this file holds something else: name the private key");
    }
    BIO_free(bio);
    buf_wipe(&b);
    return key;
}
