#include "signer_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "alloc.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define POINT_P256 65 /* octets, uncompressed */

static unsigned long file_operations;

/* AlgorithmIdentifiers of signatures: RFC 5758, 3.2; RFC 5754, 3.2; RFC 8410, 3. */
static const struct kind {
    int md;
    const char *md_name;
    unsigned char algorithm[16];
    size_t n;
} kinds[] = {
    [SIGNER_P256] = {NID_sha256,
                     "SHA256",
                     {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02},
                     12},
    [SIGNER_P384] = {NID_sha384,
                     "SHA384",
                     {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03},
                     12},
    [SIGNER_RSA] = {NID_sha256,
                    "SHA256",
                    {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b,
                     0x05, 0x00},
                    15},
    [SIGNER_ED25519] = {NID_undef, NULL, {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70}, 7},
};

int signer_classify(const EVP_PKEY *key, const char *where, enum signer_kind *kind)
{
    char group[32] = "";
    int bits = EVP_PKEY_get_bits(key);
    EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
    if (EVP_PKEY_is_a(key, "EC") && !strcmp(group, SN_X9_62_prime256v1))
        *kind = SIGNER_P256;
    else if (EVP_PKEY_is_a(key, "EC") && !strcmp(group, SN_secp384r1))
        *kind = SIGNER_P384;
    else if (EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
        *kind = SIGNER_RSA;
    else if (EVP_PKEY_is_a(key, "ED25519"))
        *kind = SIGNER_ED25519;
    else {
        diag_warn("%s: not a supported key (%s, %d bits)", where, EVP_PKEY_get0_type_name(key),
                  bits);
        diag_hint("EC P-256 and P-384, RSA of %d to %d bits and Ed25519 are", RSA_BITS_MIN,
                  RSA_BITS_MAX);
        ERR_clear_error();
        return 0;
    }
    ERR_clear_error();
    return 1;
}

static _Noreturn void openssl_failed(const char *what)
{
    diag_exit(ST_TEMP, "%s: %s", what, diag_openssl());
}

/* The usual form of a P-256 key (RFC 5480) is the same octets but for the point. Another form, such
 * as explicit parameters, and any other key take OpenSSL's encoder, slower than two signatures. */
static int spki_of(EVP_PKEY *key, enum signer_kind kind, unsigned char **out)
{
    static const unsigned char head[] = {0x30, 0x59, 0x30, 0x13, 6, 7,    0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 2,    1,    6, 8,    0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 3,    1,    7, 0x03, 0x42, 0};
    unsigned char spki[sizeof head + POINT_P256], *point = spki + sizeof head;
    char form[32];
    size_t n;
    if (kind != SIGNER_P256 ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, form, sizeof form, &n) !=
            1 ||
        strcmp(form, OSSL_PKEY_EC_ENCODING_GROUP) ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_P256, &n) != 1 ||
        n != POINT_P256 || *point != POINT_CONVERSION_UNCOMPRESSED) {
        ERR_clear_error();
        return i2d_PUBKEY(key, out);
    }
    memcpy(spki, head, sizeof head);
    *out = OPENSSL_memdup(spki, sizeof spki);
    return *out ? (int)sizeof spki : 0;
}

/* What every signature needs, fetched once: fetching costs as much as a signature does. */
static struct signer *make(EVP_PKEY *key, enum signer_kind kind, struct p11prov_key *token)
{
    struct signer *s = alloc_zero(1, sizeof *s);
    s->kind = kind;
    s->key = key;
    s->token = token;
    s->spki_n = spki_of(key, kind, &s->spki);
    if (s->spki_n <= 0)
        openssl_failed("public key");
    if (kind == SIGNER_ED25519)
        return s;
    s->md = EVP_MD_fetch(NULL, kinds[kind].md_name, NULL);
    s->hash = EVP_MD_CTX_new();
    if (!s->md || !s->hash)
        openssl_failed("digest");
    if (token)
        return s;
    s->file = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (!s->file || EVP_PKEY_sign_init(s->file) <= 0 ||
        (kind == SIGNER_RSA && EVP_PKEY_CTX_set_rsa_padding(s->file, RSA_PKCS1_PADDING) <= 0) ||
        EVP_PKEY_CTX_set_signature_md(s->file, s->md) <= 0)
        openssl_failed("key");
    return s;
}

static enum status unit_kind(const char *name, enum signer_kind kind)
{
    if (kind != SIGNER_ED25519)
        return ST_OK;
    diag_warn("%s: a unit cannot use an Ed25519 key: it cannot sign CMS messages", name);
    diag_hint("make a P-256 key with hsm-keygen");
    return ST_USAGE;
}

static enum status open_token(const char *where, const char *base, int flags, struct signer **out)
{
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    struct p11_object *o = NULL;
    struct p11prov_key *token;
    EVP_PKEY *pub = NULL;
    enum signer_kind kind = SIGNER_P256;
    enum status st = p11_uri_parse(where, base, &u);
    if (st == ST_OK)
        st = p11_open(u, 0, &t);
    if (st == ST_OK)
        st = p11_object_open(t, u, &o);
    if (st == ST_OK)
        st = p11key_public(o, &pub);
    if (st == ST_OK && !signer_classify(pub, p11_uri_name(u), &kind))
        st = ST_USAGE;
    if (st == ST_OK && (flags & SIGNER_CMS))
        st = unit_kind(p11_uri_name(u), kind);
    if (st == ST_OK && (flags & SIGNER_TOKEN))
        st = signer_unit_check(o, p11_uri_name(u));
    if (st == ST_OK) {
        EVP_PKEY *key = p11prov_new(o, pub, &token);
        o = NULL;
        pub = NULL;
        *out = make(key, kind, token);
    }
    EVP_PKEY_free(pub);
    p11_object_free(o);
    p11_close(t);
    p11_uri_free(u);
    return st;
}

static enum status open_file(const char *path, int flags, struct signer **out)
{
    enum signer_kind kind;
    if (flags & SIGNER_TOKEN) {
        diag_warn("%s: a unit cannot use a key in a file", path);
        diag_hint("make a key in a token with hsm-keygen and name it pkcs11:token=...;object=...");
        return ST_USAGE;
    }
    EVP_PKEY *key = signer_file_load(path);
    if (!key || !signer_classify(key, path, &kind)) {
        EVP_PKEY_free(key);
        return ST_USAGE;
    }
    *out = make(key, kind, NULL);
    return ST_OK;
}

enum status signer_open(const char *where, const char *base, int flags, struct signer **out)
{
    *out = NULL;
    if (strncmp(where, "pkcs11:", 7) == 0)
        return open_token(where, base, flags, out);
    char *path = base ? io_beside(base, where) : alloc_str(where);
    enum status st = open_file(path, flags, out);
    free(path);
    return st;
}

void signer_close(struct signer *s)
{
    if (!s)
        return;
    EVP_PKEY_CTX_free(s->file);
    EVP_MD_CTX_free(s->hash);
    EVP_MD_free(s->md);
    EVP_PKEY_free(s->key);
    OPENSSL_free(s->spki);
    free(s);
}

const unsigned char *signer_spki(const struct signer *s, size_t *n)
{
    *n = (size_t)s->spki_n;
    return s->spki;
}

EVP_PKEY *signer_key(struct signer *s)
{
    return s->key;
}

int signer_md(const struct signer *s)
{
    return kinds[s->kind].md;
}

void signer_algorithm(const struct signer *s, int cms, struct buf *out)
{
    size_t at = out->n;
    buf_put(out, kinds[s->kind].algorithm, kinds[s->kind].n);
    if (cms && s->kind == SIGNER_RSA)
        out->d[at + 12] =
            0x01; /* rsaEncryption instead of sha256WithRSAEncryption, RFC 5754, 3.2 */
}

/* Only Ed25519, which hashes for itself, needs the message whole. */
static int file_sign_message(struct signer *s, const void *tbs, size_t n, unsigned char *sig,
                             size_t *sig_n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->key) > 0 &&
             EVP_DigestSign(ctx, sig, sig_n, tbs, n) > 0;
    EVP_MD_CTX_free(ctx);
    return ok;
}

enum status signer_sign(struct signer *s, const void *tbs, size_t n, struct buf *sig)
{
    unsigned char digest[EVP_MAX_MD_SIZE], *out = buf_room(sig, P11PROV_SIG_MAX);
    unsigned digest_n = 0;
    size_t out_n = P11PROV_SIG_MAX;
    int ok;
    if (s->md) {
        if (!EVP_DigestInit_ex2(s->hash, s->md, NULL) || !EVP_DigestUpdate(s->hash, tbs, n) ||
            !EVP_DigestFinal_ex(s->hash, digest, &digest_n))
            openssl_failed("digest");
        tbs = digest;
        n = digest_n;
    }
    if (s->token) {
        struct p11prov_how how = {.md = kinds[s->kind].md};
        enum status st = p11prov_sign(s->token, &how, tbs, n, out, &out_n);
        sig->n += st == ST_OK ? out_n : 0;
        sig->d[sig->n] = 0;
        ERR_clear_error(); /* what failed has been printed */
        return st;
    }
    if (s->file)
        ok = EVP_PKEY_sign(s->file, out, &out_n, tbs, n) > 0;
    else
        ok = file_sign_message(s, tbs, n, out, &out_n);
    if (!ok)
        openssl_failed("signature");
    file_operations++;
    sig->n += out_n;
    sig->d[sig->n] = 0;
    return ST_OK;
}

unsigned long signer_count(void)
{
    return p11_operations() + file_operations;
}

void signer_finish(void)
{
    p11_finish();
}
