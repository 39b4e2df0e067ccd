/* Keys that are well formed and yet give no security: FIPS 186-5, section A.1; SP 800-89, section
 * 5.3.3; the Baseline Requirements of the CA/Browser Forum, sections 6.1.1.3 and 6.1.6. */
#include "x509_priv.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>

#include "diag.h"

#define WEAK(...) (snprintf(why, X509_WHY, __VA_ARGS__), 1)

#define FACTOR_MAX 751 /* SP 800-89: no factor smaller than 752 */
#define ROCA_MAX 167
#define FERMAT_ROUNDS 100

/* Numbers of one check, in the frame of a BN_CTX. */
static BN_CTX *frame(void)
{
    static BN_CTX *ctx;
    if (!ctx && !(ctx = BN_CTX_new()))
        diag_exit(ST_TEMP, "numbers: %s", diag_openssl());
    BN_CTX_start(ctx);
    return ctx;
}

static int is_prime(unsigned p)
{
    for (unsigned d = 3; d * d <= p; d += 2)
        if (p % d == 0)
            return 0;
    return 1;
}

/* Whether r is a power of 65537 modulo p. */
static int is_power(unsigned r, unsigned p)
{
    unsigned x = 1;
    do {
        if (x == r)
            return 1;
        x = x * (65537 % p) % p;
    } while (x != 1);
    return 0;
}

/* Small factors; and the fingerprint of primes k*M + (65537^a mod M), M the product of the first
 * primes (Nemec et al., "The Return of Coppersmith's Attack", 2017, section 3): the modulus is a
 * power of 65537 modulo each of them. A modulus without small factors passes for one by chance once
 * in 2^27.8. */
static int rsa_residues(const BIGNUM *n, char why[X509_WHY])
{
    int roca = 1;
    for (unsigned p = 3; p <= FACTOR_MAX; p += 2) {
        if (!is_prime(p))
            continue;
        unsigned r = (unsigned)BN_mod_word(n, p);
        if (!r)
            return WEAK("an RSA modulus that is divisible by %u", p);
        if (roca && p <= ROCA_MAX)
            roca = is_power(r, p);
    }
    return roca ? WEAK("an RSA modulus with the fingerprint of ROCA (CVE-2017-15361)") : 0;
}

/* The largest integer whose square is not above n, by Newton's method from above. */
static int root(BIGNUM *out, const BIGNUM *n, BN_CTX *ctx)
{
    BN_CTX_start(ctx);
    BIGNUM *next = BN_CTX_get(ctx);
    int ok = next && BN_set_word(out, 0) && BN_set_bit(out, (BN_num_bits(n) + 1) / 2);
    while (ok) {
        ok = BN_div(next, NULL, n, out, ctx) && BN_add(next, next, out) && BN_rshift1(next, next);
        if (!ok || BN_cmp(next, out) >= 0)
            break;
        ok = BN_copy(out, next) != NULL;
    }
    BN_CTX_end(ctx);
    return ok;
}

/* Residues tell most numbers that are no square, at little cost. */
static int may_be_square(const BIGNUM *n)
{
    static const unsigned moduli[] = {64, 63, 65, 11};
    for (size_t i = 0; i < sizeof moduli / sizeof *moduli; i++) {
        unsigned m = moduli[i], r = (unsigned)BN_mod_word(n, m), x = 0;
        while (x <= m / 2 && x * x % m != r)
            x++;
        if (x > m / 2)
            return 0;
    }
    return 1;
}

/* Fermat's method: n = a^2 - b^2 with a little above the root. -1: out of memory. */
static int rsa_close(const BIGNUM *n, BN_CTX *ctx, char why[X509_WHY])
{
    BIGNUM *a = BN_CTX_get(ctx), *square = BN_CTX_get(ctx), *b = BN_CTX_get(ctx),
           *rest = BN_CTX_get(ctx);
    if (!rest || !root(a, n, ctx))
        return -1;
    for (int i = 0; i <= FERMAT_ROUNDS; i++, BN_add_word(a, 1)) {
        if (!BN_sqr(square, a, ctx) || !BN_sub(rest, square, n))
            return -1;
        if (BN_is_negative(rest) || !may_be_square(rest))
            continue;
        if (BN_is_zero(rest))
            return WEAK("an RSA modulus that is a square");
        if (!root(b, rest, ctx) || !BN_sqr(square, b, ctx))
            return -1;
        if (!BN_cmp(square, rest))
            return WEAK("an RSA modulus whose primes are close to each other (Fermat's method)");
    }
    return 0;
}

static int rsa_weak(struct span modulus, char why[X509_WHY])
{
    BN_CTX *ctx = frame();
    BIGNUM *n = BN_CTX_get(ctx);
    int weak = -1;
    if (n && BN_bin2bn(modulus.p, (int)modulus.n, n)) {
        weak = rsa_residues(n, why);
        if (!weak)
            weak = rsa_close(n, ctx, why);
    }
    BN_CTX_end(ctx);
    if (weak < 0)
        diag_exit(ST_TEMP, "an RSA modulus: %s", diag_openssl());
    return weak;
}

/* y of the points whose order divides 8, little-endian (RFC 7748, section 4.1 has the curve). */
static const unsigned char small_order[][32] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* x^2 = (y^2 - 1) / (d y^2 + 1) has a root (RFC 8032, section 5.1.3). */
static int on_edwards(const BIGNUM *y, const BIGNUM *p, BN_CTX *ctx)
{
    static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
    BIGNUM *d = BN_CTX_get(ctx), *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx);
    if (!v || !BN_hex2bn(&d, d_hex) || !BN_mod_sqr(u, y, p, ctx) || !BN_mod_mul(v, u, d, p, ctx) ||
        !BN_add_word(v, 1) || !BN_sub_word(u, 1) || !BN_mod_mul(u, u, v, p, ctx))
        return -1;
    int k = BN_kronecker(u, p, ctx);
    return k < -1 ? -1 : k >= 0;
}

static int ed25519_weak(const unsigned char *key, char why[X509_WHY])
{
    unsigned char y[32];
    BN_CTX *ctx = frame();
    BIGNUM *p = BN_CTX_get(ctx), *n = BN_CTX_get(ctx);
    int weak = 0, ok = n && BN_set_bit(p, 255) && BN_sub_word(p, 19);
    memcpy(y, key, sizeof y);
    y[31] &= 0x7f; /* the sign of x */
    ok = ok && BN_lebin2bn(y, sizeof y, n);
    if (ok && BN_cmp(n, p) >= 0)
        weak = WEAK("an Ed25519 key that is not in canonical form");
    for (size_t i = 0; ok && !weak && i < sizeof small_order / sizeof *small_order; i++)
        if (!memcmp(y, small_order[i], sizeof y))
            weak = WEAK("an Ed25519 key of small order");
    if (ok && !weak) {
        int on = on_edwards(n, p, ctx);
        ok = on >= 0;
        if (!on)
            weak = WEAK("a point that is not on Ed25519's curve");
    }
    BN_CTX_end(ctx);
    if (!ok)
        diag_exit(ST_TEMP, "an Ed25519 key: %s", diag_openssl());
    return weak;
}

int x509_key_weak(struct span spki, char why[X509_WHY])
{
    struct x509_key_info info;
    struct span n, e;
    int point = x509_point_weak(spki, why);
    if (point >= 0)
        return point;
    if (!x509_key_info(spki, &info))
        return WEAK("a malformed key");
    if (info.weak)
        return WEAK("%s", info.weak);
    if (info.kind == X509_KEY_RSA && x509_rsa_open(spki, &n, &e))
        return rsa_weak(n, why);
    return info.kind == X509_KEY_ED25519 ? ed25519_weak(spki.p + spki.n - 32, why) : 0;
}
