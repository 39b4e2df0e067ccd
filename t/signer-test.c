/* Drives the signer for t/hsm.bats: signer-test [-u] [-n TIMES] [-m MODE] KEY [KEY...]
 *
 *   sign     signs "certline" TIMES times with each key in turn; verifies; prints the last
 * signature in hex spki     prints the public key in PEM evp      the same signature by OpenSSL's
 * own calls (X509_REQ_sign), verified export   tries to get the private half out of the EVP_PKEY:
 * it must fail put      writes the certificate (PEM) on stdin into the token decrypt  opens the CMS
 * EnvelopedData (DER) on stdin bench    signatures a second: signer_sign, and C_Sign alone slow
 * signs, waits for a line on stdin, signs again */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "diag.h"
#include "io.h"
#include "p11.h"
#include "p11key.h"
#include "p11prov.h"
#include "signer.h"

#define KEYS 4

static const char text[] = "certline";

static void fail(const char *what)
{
    diag_exit(ST_REFUSED, "%s: %s", what, diag_openssl());
}

static void verify(struct signer *s, const struct buf *sig)
{
    size_t n;
    const unsigned char *p = signer_spki(s, &n);
    EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, (long)n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = signer_md(s) == NID_undef ? NULL : EVP_get_digestbynid(signer_md(s));
    if (EVP_DigestVerifyInit(ctx, NULL, md, NULL, pub) <= 0 ||
        EVP_DigestVerify(ctx, sig->d, sig->n, (const unsigned char *)text, sizeof text - 1) != 1)
        fail("signature");
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pub);
}

static void sign_once(struct signer *s, struct buf *sig)
{
    buf_reset(sig);
    enum status st = signer_sign(s, text, sizeof text - 1, sig);
    if (st != ST_OK)
        exit((int)st);
    verify(s, sig);
}

static void sign(struct signer **s, int keys, int times)
{
    struct buf sig = {0}, hex = {0};
    for (int i = 0; i < times; i++)
        for (int k = 0; k < keys; k++)
            sign_once(s[k], &sig);
    buf_hex(&hex, sig.d, sig.n);
    printf("%s\n", (char *)hex.d);
    diag_note("%lu operations", signer_count());
    buf_free(&sig);
    buf_free(&hex);
}

static void spki(struct signer *s)
{
    size_t n;
    const unsigned char *p = signer_spki(s, &n);
    EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, (long)n);
    PEM_write_PUBKEY(stdout, pub);
    EVP_PKEY_free(pub);
}

static void evp(struct signer *s)
{
    const EVP_MD *md = signer_md(s) == NID_undef ? NULL : EVP_get_digestbynid(signer_md(s));
    X509_REQ *req = X509_REQ_new();
    EVP_PKEY *pub;
    if (!X509_REQ_set_pubkey(req, signer_key(s)) || !X509_REQ_sign(req, signer_key(s), md))
        fail("X509_REQ_sign");
    pub = X509_REQ_get_pubkey(req);
    if (X509_REQ_verify(req, pub) != 1 || X509_REQ_verify(req, signer_key(s)) != 1)
        fail("X509_REQ_verify");
    PEM_write_X509_REQ(stdout, req);
    EVP_PKEY_free(pub);
    X509_REQ_free(req);
}

static void pss(struct signer *s)
{
    unsigned char sig[1024];
    size_t n = sizeof sig;
    for (int by = 0; by < 2; by++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx;
        int ok = by ? EVP_DigestVerifyInit(ctx, &pctx, EVP_sha384(), NULL, signer_key(s))
                    : EVP_DigestSignInit(ctx, &pctx, EVP_sha384(), NULL, signer_key(s));
        if (ok <= 0 || EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
            EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
            fail("pss");
        if (by && EVP_DigestVerify(ctx, sig, n, (const unsigned char *)text, 8) != 1)
            fail("pss verify");
        if (!by && EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text, 8) != 1)
            fail("pss sign");
        EVP_MD_CTX_free(ctx);
    }
    fwrite(sig, 1, n, stdout);
}

static void export(struct signer *s)
{
    OSSL_PARAM *ps = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    if (EVP_PKEY_todata(signer_key(s), EVP_PKEY_KEYPAIR, &ps) > 0 ||
        PEM_write_bio_PrivateKey(out, signer_key(s), NULL, NULL, 0, NULL, NULL) > 0)
        fail("the private key was exported");
    if (EVP_PKEY_todata(signer_key(s), EVP_PKEY_PUBLIC_KEY, &ps) <= 0)
        fail("the public key was not exported");
    OSSL_PARAM_free(ps);
    BIO_free(out);
}

static int put(const char *uri, const char *key)
{
    struct signer *s = NULL;
    X509 *x = PEM_read_X509(stdin, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int n = x ? i2d_X509(x, &der) : 0;
    enum status st = key ? signer_open(key, NULL, 0, &s) : ST_OK;
    if (st == ST_OK)
        st = p11key_put_certificate(uri, NULL, der, (size_t)n);
    signer_close(s);
    OPENSSL_free(der);
    X509_free(x);
    return (int)st;
}

static int decrypt(struct signer *s)
{
    BIO *in = BIO_new_fp(stdin, BIO_NOCLOSE), *out = BIO_new_fp(stdout, BIO_NOCLOSE);
    CMS_ContentInfo *cms = d2i_CMS_bio(in, NULL);
    int ok = cms && CMS_decrypt(cms, signer_key(s), NULL, NULL, out, 0) == 1;
    if (!ok)
        diag_warn("CMS_decrypt: %s (token: %d)", diag_openssl(), (int)p11prov_last());
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);
    return ok ? ST_OK : ST_REFUSED;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bench(struct signer *s, const char *uri, int times)
{
    struct p11_uri *u;
    struct p11_token *t;
    struct p11_object *o;
    struct buf sig = {0};
    unsigned char out[1024], in[32] = {1};
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    double by_signer = 0, raw = 0;
    if (p11_uri_parse(uri, NULL, &u) || p11_open(u, 0, &t) || p11_object_open(t, u, &o))
        exit(1);
    for (int round = 0; round < 10; round++) { /* interleaved, as the machine's speed wanders */
        double t0 = now();
        for (int i = 0; i < times; i++) {
            buf_reset(&sig);
            signer_sign(s, text, 8, &sig);
        }
        double t1 = now();
        for (int i = 0; i < times; i++) {
            size_t n = sizeof out;
            p11_object_sign(o, &m, in, sizeof in, out, &n);
        }
        by_signer += t1 - t0;
        raw += now() - t1;
    }
    printf("signer_sign %.0f/s, C_Sign %.0f/s, ratio %.3f\n", 10 * times / by_signer,
           10 * times / raw, raw / by_signer);
    buf_free(&sig);
    p11_object_free(o);
    p11_close(t);
    p11_uri_free(u);
}

static void slow(struct signer *s)
{
    struct buf sig = {0};
    char line[16];
    sign_once(s, &sig);
    printf("signed\n");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin))
        sign_once(s, &sig);
    printf("signed\n");
    buf_free(&sig);
}

int main(int argc, char **argv)
{
    struct signer *s[KEYS] = {NULL};
    const char *mode = "sign";
    int flags = 0, times = 1, keys = 0, st = 0;
    io_init();
    diag_program("signer-test");
    for (int c; (c = getopt(argc, argv, "uvn:m:")) != -1;) {
        if (c == 'u')
            flags = SIGNER_UNIT;
        else if (c == 'v')
            diag_verbose(1);
        else if (c == 'n')
            times = atoi(optarg);
        else
            mode = optarg;
    }
    if (!strcmp(mode, "put"))
        return put(argv[optind], argv[optind + 1]);
    for (; optind + keys < argc && keys < KEYS; keys++) {
        st = (int)signer_open(argv[optind + keys], NULL, flags, &s[keys]);
        if (st)
            goto out;
    }
    if (!strcmp(mode, "sign"))
        sign(s, keys, times);
    else if (!strcmp(mode, "spki"))
        spki(s[0]);
    else if (!strcmp(mode, "evp"))
        evp(s[0]);
    else if (!strcmp(mode, "pss"))
        pss(s[0]);
    else if (!strcmp(mode, "export"))
        export(s[0]);
    else if (!strcmp(mode, "decrypt"))
        st = decrypt(s[0]);
    else if (!strcmp(mode, "bench"))
        bench(s[0], argv[optind], times);
    else if (!strcmp(mode, "slow"))
        slow(s[0]);
out:
    for (int k = 0; k < keys; k++)
        signer_close(s[k]);
    return st;
}
