/* Public keys (RFC 5280, 4.1.2.7; RFC 5480, 8017, 8410). One key has one encoding here: a
 * compressed point, RSA without NULL parameters or an explicit curve would give the same key a
 * second hash. */
#include "x509_priv.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include "diag.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_E_OCTETS 8 /* a longer exponent makes verification slow */

struct curve {
    const char *name, *group;
    int nid, bits;
    size_t head_n; /* of the SubjectPublicKeyInfo, up to and with the octet 04 */
    unsigned char head[28];
};

static const struct curve curves[] = {
    {"P-256", "P-256", NID_X9_62_prime256v1, 256, 27, {0x30, 0x59, 0x30, 0x13, 6,    7,    0x2a,
                                                       0x86, 0x48, 0xce, 0x3d, 2,    1,    6,
                                                       8,    0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
                                                       1,    7,    3,    0x42, 0,    4}},
    {"P-384", "P-384", NID_secp384r1, 384, 24, {0x30, 0x76, 0x30, 0x10, 6, 7,    0x2a, 0x86,
                                                0x48, 0xce, 0x3d, 2,    1, 6,    5,    0x2b,
                                                0x81, 4,    0,    0x22, 3, 0x62, 0,    4}},
    {"P-521", "P-521", NID_secp521r1, 521, 26, {0x30, 0x81, 0x9b, 0x30, 0x10, 6,    7, 0x2a, 0x86,
                                                0x48, 0xce, 0x3d, 2,    1,    6,    5, 0x2b, 0x81,
                                                4,    0,    0x23, 3,    0x81, 0x86, 0, 4}},
};
#define CURVES (sizeof curves / sizeof *curves)

static const unsigned char ed25519_head[] = {0x30, 0x2a, 0x30, 5, 6,    3,
                                             0x2b, 0x65, 0x70, 3, 0x21, 0};
static const unsigned char rsa_alg[] = {0x30, 13,   6, 9, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 1, 1, 1,    5,    0};

static size_t point_len(const struct curve *c)
{
    return 1 + 2 * (size_t)((c->bits + 7) / 8);
}

/* The curve's number in the table, -1 if it is none of them. */
static int curve_of(struct span spki)
{
    for (size_t i = 0; i < CURVES; i++)
        if (spki.n == curves[i].head_n - 1 + point_len(&curves[i]) &&
            !memcmp(spki.p, curves[i].head, curves[i].head_n))
            return (int)i;
    return -1;
}

static struct span point_of(const struct curve *c, struct span spki)
{
    return (struct span){spki.p + c->head_n - 1, point_len(c)};
}

static int open_spki(struct span spki, struct span *alg, struct span *bits)
{
    struct span in = spki, seq;
    return x509_take(&in, 0x30, NULL, &seq) && !in.n && x509_take(&seq, 0x30, alg, NULL) &&
           x509_take(&seq, 0x03, NULL, bits) && !seq.n && bits->n > 1 && !bits->p[0];
}

int x509_rsa_open(struct span spki, struct span *n, struct span *e)
{
    struct span alg, bits, seq;
    if (!open_spki(spki, &alg, &bits) || alg.n != sizeof rsa_alg || memcmp(alg.p, rsa_alg, alg.n))
        return 0;
    bits.p++;
    bits.n--;
    if (!x509_take(&bits, 0x30, NULL, &seq) || bits.n || !x509_take(&seq, 0x02, NULL, n) ||
        !x509_take(&seq, 0x02, NULL, e) || seq.n)
        return 0;
    for (struct span *s = n;; s = e) {
        if (!s->n || s->p[0] & 0x80 || (s->n > 1 && !s->p[0] && !(s->p[1] & 0x80)))
            return 0; /* negative, or not minimal */
        if (s->n > 1 && !s->p[0]) {
            s->p++;
            s->n--;
        }
        if (s == e)
            return 1;
    }
}

static int bit_count(struct span s)
{
    int n = (int)s.n * 8;
    for (int mask = 0x80; mask && !(s.p[0] & mask); mask >>= 1)
        n--;
    return n;
}

static const char *rsa_weak(struct span n, struct span e, int bits)
{
    if (bits < RSA_BITS_MIN)
        return "an RSA key shorter than 2048 bits";
    if (bits > RSA_BITS_MAX)
        return "an RSA key longer than 8192 bits";
    if (!(n.p[n.n - 1] & 1))
        return "an RSA modulus that is even";
    if (!(e.p[e.n - 1] & 1))
        return "an RSA exponent that is even";
    /* FIPS 186-5, A.1.1: 2^16 < e */
    if (e.n < 3)
        return "an RSA exponent smaller than 65537";
    if (e.n > RSA_E_OCTETS)
        return "an RSA exponent longer than 64 bits";
    return NULL;
}

/* What is wrong with an EC key that no entry of the table describes; NULL: it is no EC key.
 * `point`: the BIT STRING's content. */
static const char *ec_weak(struct span alg, struct span point)
{
    static const unsigned char ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1};
    struct span in = alg, seq, oid;
    size_t c = 0;
    if (!x509_take(&in, 0x30, NULL, &seq) || !x509_take(&seq, 0x06, NULL, &oid) ||
        !buf_same(oid, (struct span){ec_public_key, sizeof ec_public_key}))
        return NULL;
    if (!seq.n || seq.p[0] != 0x06)
        return "a curve with parameters of its own";
    while (c < CURVES && !memmem(curves[c].head, curves[c].head_n, alg.p, alg.n))
        c++;
    if (c == CURVES)
        return "a curve other than P-256, P-384 and P-521";
    point.p++;
    point.n--;
    return point.n == 1 && !point.p[0]          ? "a point at infinity"
           : point.p[0] == 2 || point.p[0] == 3 ? "a point in compressed form"
                                                : "a point whose encoding is malformed";
}

int x509_key_info(struct span spki, struct x509_key_info *out)
{
    struct span n, e, alg, bits;
    int c = spki.n ? curve_of(spki) : -1;
    memset(out, 0, sizeof *out);
    out->kind = X509_KEY_OTHER;
    if (c >= 0) {
        out->kind = X509_KEY_EC;
        out->bits = curves[c].bits;
        snprintf(out->name, sizeof out->name, "%s", curves[c].name);
    } else if (spki.n == sizeof ed25519_head + 32 &&
               !memcmp(spki.p, ed25519_head, sizeof ed25519_head)) {
        out->kind = X509_KEY_ED25519;
        out->bits = 253;
        snprintf(out->name, sizeof out->name, "Ed25519");
    } else if (x509_rsa_open(spki, &n, &e)) {
        out->kind = X509_KEY_RSA;
        out->bits = bit_count(n);
        out->weak = rsa_weak(n, e, out->bits);
        snprintf(out->name, sizeof out->name, "RSA-%d", out->bits);
    } else if (!open_spki(spki, &alg, &bits)) {
        return 0;
    } else if ((out->weak = ec_weak(alg, bits))) {
        snprintf(out->name, sizeof out->name, "other EC");
    } else {
        snprintf(out->name, sizeof out->name, "unknown");
        out->weak = "a key of an unknown algorithm";
    }
    return 1;
}

/* One object a curve, whose point is set anew for each key. */
static EVP_PKEY *curve_key(int c)
{
    static EVP_PKEY *made[CURVES];
    if (made[c])
        return made[c];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curves[c].group, 0),
        OSSL_PARAM_construct_end()};
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &made[c], EVP_PKEY_KEY_PARAMETERS, params) != 1)
        diag_exit(ST_TEMP, "%s: %s", curves[c].name, diag_openssl());
    EVP_PKEY_CTX_free(ctx);
    return made[c];
}

static EVP_PKEY *ec_key(int c, struct span spki)
{
    struct span point = point_of(&curves[c], spki);
    EVP_PKEY *k = curve_key(c);
    return EVP_PKEY_set1_encoded_public_key(k, point.p, point.n) == 1 ? k : NULL;
}

static EVP_PKEY *rsa_key(struct span n, struct span e)
{
    EVP_PKEY *k = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *be = BN_bin2bn(e.p, (int)e.n, NULL);
    if (bld && bn && be && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
        params = OSSL_PARAM_BLD_to_param(bld);
    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_PUBLIC_KEY, params) != 1)
        k = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn);
    BN_free(be);
    EVP_PKEY_CTX_free(ctx);
    return k;
}

EVP_PKEY *x509_key_get0(struct span spki)
{
    static EVP_PKEY *last; /* of the kinds that are made anew */
    struct x509_key_info info;
    struct span n, e;
    EVP_PKEY *k = NULL;
    if (!x509_key_info(spki, &info))
        return NULL;
    if (info.kind == X509_KEY_EC) {
        k = ec_key(curve_of(spki), spki);
    } else {
        EVP_PKEY_free(last);
        if (info.kind == X509_KEY_ED25519)
            k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, spki.p + sizeof ed25519_head,
                                            32);
        else if (info.kind == X509_KEY_RSA && !info.weak && x509_rsa_open(spki, &n, &e))
            k = rsa_key(n, e);
        last = k;
    }
    if (!k)
        ERR_clear_error();
    return k;
}

/* Whether both coordinates are below the field's prime. */
static int in_range(const EC_GROUP *group, struct span point)
{
    size_t half = (point.n - 1) / 2;
    BIGNUM *x = BN_bin2bn(point.p + 1, (int)half, NULL);
    BIGNUM *y = BN_bin2bn(point.p + 1 + half, (int)half, NULL);
    const BIGNUM *p = EC_GROUP_get0_field(group);
    if (!x || !y)
        diag_exit(ST_TEMP, "a point: %s", diag_openssl());
    int ok = BN_cmp(x, p) < 0 && BN_cmp(y, p) < 0;
    BN_free(x);
    BN_free(y);
    return ok;
}

int x509_point_weak(struct span spki, char why[X509_WHY])
{
    static EC_GROUP *groups[CURVES];
    static EC_POINT *points[CURVES];
    static BN_CTX *ctx;
    int c = spki.n ? curve_of(spki) : -1;
    if (c < 0)
        return -1;
    if (!points[c]) {
        groups[c] = EC_GROUP_new_by_curve_name(curves[c].nid);
        points[c] = groups[c] ? EC_POINT_new(groups[c]) : NULL;
        ctx = ctx ? ctx : BN_CTX_new();
        if (!points[c] || !ctx)
            diag_exit(ST_TEMP, "%s: %s", curves[c].name, diag_openssl());
    }
    struct span point = point_of(&curves[c], spki);
    if (EC_POINT_oct2point(groups[c], points[c], point.p, point.n, ctx) == 1)
        return 0;
    ERR_clear_error();
    snprintf(why, X509_WHY,
             in_range(groups[c], point) ? "a point that is not on %s"
                                        : "a point whose coordinates are out of range for %s",
             curves[c].name);
    return 1;
}

void x509_key_hash(struct span spki, unsigned char out[X509_HASH])
{
    SHA256(spki.p, spki.n, out);
}

int x509_key_vulnkey(struct span spki, unsigned char out[X509_VULNKEY])
{
    struct span n, e;
    struct buf line = {0};
    unsigned char sha1[SHA_DIGEST_LENGTH];
    if (!x509_rsa_open(spki, &n, &e))
        return 0;
    buf_str(&line, "Modulus=");
    for (size_t i = 0; i < n.n; i++)
        buf_printf(&line, "%02X", (unsigned)n.p[i]);
    buf_char(&line, '\n');
    SHA1(line.d, line.n, sha1);
    memcpy(out, sha1 + sizeof sha1 - X509_VULNKEY, X509_VULNKEY);
    buf_free(&line);
    return 1;
}

int x509_key_id(struct span spki, unsigned char out[20])
{
    struct span alg, bits;
    if (!open_spki(spki, &alg, &bits))
        return 0;
    SHA1(bits.p + 1, bits.n - 1, out);
    return 1;
}
