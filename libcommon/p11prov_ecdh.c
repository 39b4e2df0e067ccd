/* ECDH, with the X9.63 KDF (RFC 5753, 7.1.4) in software. provider-keyexch(7) */
#include "p11prov_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "alloc.h"

#define SECRET_MAX 66

struct kexctx {
    struct p11prov_key *k, *peer;
    int kdf;
    char md[P11PROV_NAME_MAX];
    unsigned char *ukm;
    size_t ukm_n, out_n;
};

static void *newctx(void *provctx)
{
    (void)provctx;
    return alloc_zero(1, sizeof(struct kexctx));
}

static void freectx(void *v)
{
    struct kexctx *x = v;
    if (!x)
        return;
    p11prov_unref(x->k);
    p11prov_unref(x->peer);
    OPENSSL_free(x->ukm);
    free(x);
}

static int set_kdf(struct kexctx *x, const OSSL_PARAM *p)
{
    char name[P11PROV_NAME_MAX], *to = name;
    if (!OSSL_PARAM_get_utf8_string(p, &to, sizeof name))
        return 0;
    x->kdf = !strcmp(name, OSSL_KDF_NAME_X963KDF);
    return x->kdf || !*name;
}

static int set_params(void *v, const OSSL_PARAM ps[])
{
    struct kexctx *x = v;
    const OSSL_PARAM *p;
    char *to = x->md;
    if (!ps)
        return 1;
    if ((p = OSSL_PARAM_locate_const(ps, OSSL_EXCHANGE_PARAM_KDF_TYPE)) && !set_kdf(x, p))
        return 0;
    if ((p = OSSL_PARAM_locate_const(ps, OSSL_EXCHANGE_PARAM_KDF_DIGEST)) &&
        !OSSL_PARAM_get_utf8_string(p, &to, sizeof x->md))
        return 0;
    if ((p = OSSL_PARAM_locate_const(ps, OSSL_EXCHANGE_PARAM_KDF_OUTLEN)) &&
        !OSSL_PARAM_get_size_t(p, &x->out_n))
        return 0;
    if (!(p = OSSL_PARAM_locate_const(ps, OSSL_EXCHANGE_PARAM_KDF_UKM)))
        return 1;
    OPENSSL_free(x->ukm);
    x->ukm = NULL;
    return OSSL_PARAM_get_octet_string(p, (void **)&x->ukm, 0, &x->ukm_n);
}

static int get_params(void *v, OSSL_PARAM ps[])
{
    struct kexctx *x = v;
    OSSL_PARAM *p = OSSL_PARAM_locate(ps, OSSL_EXCHANGE_PARAM_KDF_TYPE);
    if (p && !OSSL_PARAM_set_utf8_string(p, x->kdf ? OSSL_KDF_NAME_X963KDF : ""))
        return 0;
    p = OSSL_PARAM_locate(ps, OSSL_EXCHANGE_PARAM_KDF_DIGEST);
    if (p && !OSSL_PARAM_set_utf8_string(p, x->md))
        return 0;
    p = OSSL_PARAM_locate(ps, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
    return !p || OSSL_PARAM_set_size_t(p, x->out_n);
}

static const OSSL_PARAM *params(void *v, void *provctx)
{
    /* For curves of cofactor 1 the cofactor mode makes no difference; CMS sets it all the same. */
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, NULL, 0),
        OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, NULL, 0),
        OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, NULL),
        OSSL_PARAM_END};
    (void)v;
    (void)provctx;
    return types;
}

static int init(void *v, void *key, const OSSL_PARAM ps[])
{
    struct kexctx *x = v;
    p11prov_ref(key);
    p11prov_unref(x->k);
    x->k = key;
    return x->k->obj && set_params(x, ps);
}

static int set_peer(void *v, void *key)
{
    struct kexctx *x = v;
    p11prov_ref(key);
    p11prov_unref(x->peer);
    x->peer = key;
    return EVP_PKEY_parameters_eq(x->k->pub, x->peer->pub) == 1;
}

static int x963(const struct kexctx *x, unsigned char *z, size_t z_n, unsigned char *out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(p11prov_libctx(), OSSL_KDF_NAME_X963KDF, NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM ps[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)x->md, 0),
                       OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, z, z_n),
                       OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, x->ukm, x->ukm_n),
                       OSSL_PARAM_construct_end()};
    int ok = ctx && EVP_KDF_derive(ctx, out, x->out_n, ps) > 0;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static int derive(void *v, unsigned char *out, size_t *n, size_t room)
{
    struct kexctx *x = v;
    size_t z_n = ((size_t)x->k->bits + 7) / 8, want = x->kdf ? x->out_n : z_n;
    unsigned char z[SECRET_MAX], *point = NULL;
    if (!out) {
        *n = want;
        return 1;
    }
    size_t point_n = x->peer ? EVP_PKEY_get1_encoded_public_key(x->peer->pub, &point) : 0;
    if (!point_n || want > room || z_n > sizeof z) {
        OPENSSL_free(point);
        return 0;
    }
    CK_RV rv = p11_object_ecdh(x->k->obj, point, point_n, z, z_n);
    int ok = p11prov_result(x->k, "C_DeriveKey", rv);
    if (ok && x->kdf)
        ok = x963(x, z, z_n, out);
    else if (ok)
        memcpy(out, z, z_n);
    *n = want;
    OPENSSL_cleanse(z, sizeof z);
    OPENSSL_free(point);
    return ok;
}

const OSSL_DISPATCH p11prov_keyexch[] = {P11PROV_FN(OSSL_FUNC_KEYEXCH_NEWCTX, newctx),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_FREECTX, freectx),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_INIT, init),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_SET_PEER, set_peer),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_DERIVE, derive),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_SET_CTX_PARAMS, set_params),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_SETTABLE_CTX_PARAMS, params),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_GET_CTX_PARAMS, get_params),
                                         P11PROV_FN(OSSL_FUNC_KEYEXCH_GETTABLE_CTX_PARAMS, params),
                                         {0, NULL}};
