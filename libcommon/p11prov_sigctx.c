/* The signature operations that OpenSSL calls. provider-signature(7) */
#include "p11prov_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "alloc.h"

struct sigctx {
    struct p11prov_key *k;
    EVP_MD *md, *mgf; /* mgf NULL: as md */
    EVP_MD_CTX *hash;
    int pad;  /* RSA_*_PADDING */
    int salt; /* as OpenSSL counts: RSA_PSS_SALTLEN_* or octets */
};

static void *newctx(void *provctx, const char *propq)
{
    struct sigctx *s = alloc_zero(1, sizeof *s);
    (void)provctx;
    (void)propq;
    s->pad = RSA_PKCS1_PADDING;
    s->salt = RSA_PSS_SALTLEN_DIGEST;
    return s;
}

static void freectx(void *v)
{
    struct sigctx *s = v;
    if (!s)
        return;
    EVP_MD_CTX_free(s->hash);
    EVP_MD_free(s->md);
    EVP_MD_free(s->mgf);
    p11prov_unref(s->k);
    free(s);
}

static void *dupctx(void *v)
{
    struct sigctx *s = v, *d = alloc_copy(s, sizeof *s);
    d->hash = NULL;
    if (d->k)
        p11prov_ref(d->k);
    if (d->md)
        EVP_MD_up_ref(d->md);
    if (d->mgf)
        EVP_MD_up_ref(d->mgf);
    if (s->hash && (!(d->hash = EVP_MD_CTX_new()) || !EVP_MD_CTX_copy_ex(d->hash, s->hash))) {
        freectx(d);
        return NULL;
    }
    return d;
}

static int set_md(EVP_MD **md, const char *name)
{
    if (*md && EVP_MD_is_a(*md, name))
        return 1;
    EVP_MD_free(*md);
    *md = EVP_MD_fetch(p11prov_libctx(), name, NULL);
    return *md != NULL;
}

static int set_md_param(EVP_MD **md, const OSSL_PARAM ps[], const char *which)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(ps, which);
    char name[P11PROV_NAME_MAX], *to = name;
    return !p || (OSSL_PARAM_get_utf8_string(p, &to, sizeof name) && set_md(md, name));
}

static int set_pad(struct sigctx *s, const OSSL_PARAM *p)
{
    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        s->pad = !strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS)       ? RSA_PKCS1_PSS_PADDING
                 : !strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) ? RSA_PKCS1_PADDING
                                                                    : 0;
    else if (!OSSL_PARAM_get_int(p, &s->pad))
        return 0;
    return s->pad == RSA_PKCS1_PADDING || s->pad == RSA_PKCS1_PSS_PADDING;
}

static int set_salt(struct sigctx *s, const OSSL_PARAM *p)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_get_int(p, &s->salt) && s->salt >= RSA_PSS_SALTLEN_MAX;
    if (!strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST))
        s->salt = RSA_PSS_SALTLEN_DIGEST;
    else if (!strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX) ||
             !strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO))
        s->salt = RSA_PSS_SALTLEN_MAX;
    else
        s->salt = atoi(p->data);
    return 1;
}

static int set_params(void *v, const OSSL_PARAM ps[])
{
    struct sigctx *s = v;
    const OSSL_PARAM *p;
    if (!ps)
        return 1;
    if (!set_md_param(&s->md, ps, OSSL_SIGNATURE_PARAM_DIGEST) ||
        !set_md_param(&s->mgf, ps, OSSL_SIGNATURE_PARAM_MGF1_DIGEST))
        return 0;
    if ((p = OSSL_PARAM_locate_const(ps, OSSL_SIGNATURE_PARAM_PAD_MODE)) && !set_pad(s, p))
        return 0;
    return !(p = OSSL_PARAM_locate_const(ps, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) || set_salt(s, p);
}

static const OSSL_PARAM *settable(void *v, void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0), OSSL_PARAM_END};
    (void)v;
    (void)provctx;
    return types;
}

/* What X509_sign writes as signatureAlgorithm. PSS, whose parameters it would have to hold, has
 * none. */
static int algorithm(const struct sigctx *s, OSSL_PARAM *p)
{
    int nid = s->k->type == EVP_PKEY_ED25519 ? NID_ED25519 : NID_undef, ok = 0;
    unsigned char *der = NULL;
    X509_ALGOR *alg = X509_ALGOR_new();
    if (nid == NID_undef && s->md && s->pad == RSA_PKCS1_PADDING)
        OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(s->md), s->k->type);
    if (alg && nid != NID_undef) {
        X509_ALGOR_set0(alg, OBJ_nid2obj(nid),
                        s->k->type == EVP_PKEY_RSA ? V_ASN1_NULL : V_ASN1_UNDEF, NULL);
        int n = i2d_X509_ALGOR(alg, &der);
        ok = n > 0 && OSSL_PARAM_set_octet_string(p, der, (size_t)n);
    }
    OPENSSL_free(der);
    X509_ALGOR_free(alg);
    return ok;
}

static int get_params(void *v, OSSL_PARAM ps[])
{
    struct sigctx *s = v;
    OSSL_PARAM *p = OSSL_PARAM_locate(ps, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (p && !algorithm(s, p))
        return 0;
    p = OSSL_PARAM_locate(ps, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p && s->md && !OSSL_PARAM_set_utf8_string(p, EVP_MD_get0_name(s->md)))
        return 0;
    p = OSSL_PARAM_locate(ps, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (!p)
        return 1;
    if (p->data_type == OSSL_PARAM_INTEGER)
        return OSSL_PARAM_set_int(p, s->pad);
    return OSSL_PARAM_set_utf8_string(p, s->pad == RSA_PKCS1_PSS_PADDING
                                             ? OSSL_PKEY_RSA_PAD_MODE_PSS
                                             : OSSL_PKEY_RSA_PAD_MODE_PKCSV15);
}

static const OSSL_PARAM *gettable(void *v, void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0), OSSL_PARAM_END};
    (void)v;
    (void)provctx;
    return types;
}

static int init(void *v, void *key, const OSSL_PARAM ps[])
{
    struct sigctx *s = v;
    if (key) {
        p11prov_ref(key);
        p11prov_unref(s->k);
        s->k = key;
    }
    return s->k && set_params(s, ps);
}

static int sign_init(void *v, void *key, const OSSL_PARAM ps[])
{
    struct sigctx *s = v;
    return init(v, key, ps) && s->k->obj;
}

static struct p11prov_how how(const struct sigctx *s, size_t digest)
{
    struct p11prov_how h = {.md = s->md ? EVP_MD_get_type(s->md) : NID_undef};
    if (s->pad != RSA_PKCS1_PSS_PADDING)
        return h;
    h.pad = P11PROV_PSS;
    h.mgf = s->mgf ? EVP_MD_get_type(s->mgf) : h.md;
    if (s->salt >= 0)
        h.salt = (size_t)s->salt;
    else if (s->salt == RSA_PSS_SALTLEN_DIGEST)
        h.salt = digest;
    else if (s->k->size > digest + 2) /* the largest that fits, RFC 8017, 9.1.1 */
        h.salt = s->k->size - digest - 2 - (s->k->bits % 8 == 1);
    return h;
}

static int sign(void *v, unsigned char *sig, size_t *n, size_t room, const unsigned char *tbs,
                size_t tbs_n)
{
    struct sigctx *s = v;
    unsigned char out[P11PROV_SIG_MAX];
    if (!sig) {
        *n = s->k->size;
        return 1;
    }
    struct p11prov_how h = how(s, tbs_n);
    if (p11prov_sign(s->k, &h, tbs, tbs_n, out, n) != ST_OK || *n > room)
        return 0;
    memcpy(sig, out, *n);
    return 1;
}

static int digest_init(struct sigctx *s, const char *name)
{
    if (s->k->type == EVP_PKEY_ED25519)
        return 1;
    if (!set_md(&s->md, name && *name ? name : "SHA256"))
        return 0;
    if (!s->hash && !(s->hash = EVP_MD_CTX_new()))
        return 0;
    return EVP_DigestInit_ex2(s->hash, s->md, NULL);
}

static int digest_sign_init(void *v, const char *name, void *key, const OSSL_PARAM ps[])
{
    return sign_init(v, key, ps) && digest_init(v, name);
}

static int digest_verify_init(void *v, const char *name, void *key, const OSSL_PARAM ps[])
{
    return init(v, key, ps) && digest_init(v, name);
}

static int digest_update(void *v, const unsigned char *d, size_t n)
{
    struct sigctx *s = v;
    return s->hash && EVP_DigestUpdate(s->hash, d, n);
}

static int digest_sign_final(void *v, unsigned char *sig, size_t *n, size_t room)
{
    struct sigctx *s = v;
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned md_n = 0;
    if (sig && (!s->hash || !EVP_DigestFinal_ex(s->hash, md, &md_n)))
        return 0;
    return sign(s, sig, n, room, md, md_n);
}

static int digest_sign(void *v, unsigned char *sig, size_t *n, size_t room,
                       const unsigned char *tbs, size_t tbs_n)
{
    struct sigctx *s = v;
    if (s->k->type == EVP_PKEY_ED25519)
        return sign(s, sig, n, room, tbs, tbs_n);
    return (!sig || digest_update(s, tbs, tbs_n)) && digest_sign_final(s, sig, n, room);
}

/* Verifying needs no token: the default provider does it with the public half, in the default
 * OSSL_LIB_CTX, where it cannot come back to us. */
static int verify(void *v, const unsigned char *sig, size_t n, const unsigned char *tbs,
                  size_t tbs_n)
{
    struct sigctx *s = v;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->k->pub, NULL);
    struct p11prov_how h = how(s, tbs_n);
    int ok = ctx && EVP_PKEY_verify_init(ctx) > 0;
    if (ok && s->k->type == EVP_PKEY_RSA)
        ok = EVP_PKEY_CTX_set_rsa_padding(ctx, s->pad) > 0;
    if (ok && s->md)
        ok = EVP_PKEY_CTX_set_signature_md(ctx, s->md) > 0;
    if (ok && h.pad == P11PROV_PSS)
        ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, s->salt) > 0 &&
             (!s->mgf || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, s->mgf) > 0);
    ok = ok && EVP_PKEY_verify(ctx, sig, n, tbs, tbs_n) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int digest_verify_final(void *v, const unsigned char *sig, size_t n)
{
    struct sigctx *s = v;
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned md_n = 0;
    return s->hash && EVP_DigestFinal_ex(s->hash, md, &md_n) && verify(s, sig, n, md, md_n);
}

static int digest_verify(void *v, const unsigned char *sig, size_t n, const unsigned char *tbs,
                         size_t tbs_n)
{
    struct sigctx *s = v;
    if (s->k->type != EVP_PKEY_ED25519)
        return digest_update(s, tbs, tbs_n) && digest_verify_final(s, sig, n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, s->k->pub, NULL) &&
             EVP_DigestVerify(ctx, sig, n, tbs, tbs_n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

#define COMMON                                                                                     \
    P11PROV_FN(OSSL_FUNC_SIGNATURE_NEWCTX, newctx),                                                \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_FREECTX, freectx),                                          \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_DUPCTX, dupctx),                                            \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_sign_init),                        \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, digest_sign),                                  \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, digest_verify_init),                    \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, digest_verify),                              \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_params),                                \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, settable),                             \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, get_params),                                \
        P11PROV_FN(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, gettable)

const OSSL_DISPATCH p11prov_signature[] = {
    COMMON,
    P11PROV_FN(OSSL_FUNC_SIGNATURE_SIGN_INIT, sign_init),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_SIGN, sign),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_VERIFY_INIT, init),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_VERIFY, verify),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, digest_update),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, digest_sign_final),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, digest_update),
    P11PROV_FN(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, digest_verify_final),
    {0, NULL}};
const OSSL_DISPATCH p11prov_signature_ed[] = {COMMON, {0, NULL}};
