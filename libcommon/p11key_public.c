#include "p11key_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "diag.h"

#define RSA_BITS_MIN 1024 /* what may be opened; what may be used is the profiles' business */
#define RSA_BITS_MAX 8192
#define KEYS_MOST 4096 /* of a token that are looked at */

const unsigned char *p11key_point(const struct buf *b, size_t *n)
{
    const unsigned char *p = b->d;
    long len;
    int tag, cls;
    *n = b->n;
    if (b->n && !(ASN1_get_object(&p, &len, &tag, &cls, (long)b->n) & 0x80) &&
        tag == V_ASN1_OCTET_STRING && cls == V_ASN1_UNIVERSAL && p + len == b->d + b->n) {
        *n = (size_t)len;
        return p;
    }
    ERR_clear_error();
    return b->d;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

EVP_PKEY *p11key_from_ec(const struct buf *params, const struct buf *point)
{
    const unsigned char *p = params->d;
    size_t n;
    ASN1_OBJECT *curve = p ? d2i_ASN1_OBJECT(NULL, &p, (long)params->n) : NULL;
    int nid = curve ? OBJ_obj2nid(curve) : NID_undef;
    ASN1_OBJECT_free(curve);
    ERR_clear_error();
    if (nid != NID_X9_62_prime256v1 && nid != NID_secp384r1)
        return NULL;
    p = p11key_point(point, &n);
    OSSL_PARAM ps[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)OBJ_nid2sn(nid), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)p, n),
        OSSL_PARAM_construct_end()};
    return from_params("EC", ps);
}

EVP_PKEY *p11key_from_edwards(const struct buf *point)
{
    size_t n;
    const unsigned char *p = p11key_point(point, &n);
    EVP_PKEY *key = n == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, n) : NULL;
    ERR_clear_error();
    return key;
}

EVP_PKEY *p11key_from_rsa(const struct buf *modulus, const struct buf *exponent)
{
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus->d, (int)modulus->n, NULL);
    BIGNUM *e = BN_bin2bn(exponent->d, (int)exponent->n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *ps = NULL;
    if (n && e && bld && BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) &&
        (ps = OSSL_PARAM_BLD_to_param(bld)))
        key = from_params("RSA", ps);
    OSSL_PARAM_free(ps);
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    return key;
}

CK_RV p11key_read_public(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o,
                         EVP_PKEY **out)
{
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE a = {CKA_KEY_TYPE, &type, sizeof type};
    struct buf x = {0}, y = {0};
    CK_RV rv = f->C_GetAttributeValue(s, o, &a, 1);
    *out = NULL;
    if (rv == CKR_OK)
        rv = p11_value(f, s, o, type == CKK_RSA ? CKA_MODULUS : CKA_EC_POINT, &x);
    if (rv == CKR_OK && type != CKK_EC_EDWARDS)
        rv = p11_value(f, s, o, type == CKK_RSA ? CKA_PUBLIC_EXPONENT : CKA_EC_PARAMS, &y);
    if (rv == CKR_OK && type == CKK_RSA)
        *out = p11key_from_rsa(&x, &y);
    else if (rv == CKR_OK && type == CKK_EC)
        *out = p11key_from_ec(&y, &x);
    else if (rv == CKR_OK && type == CKK_EC_EDWARDS)
        *out = p11key_from_edwards(&x);
    buf_free(&x);
    buf_free(&y);
    return rv;
}

CK_KEY_TYPE p11key_type_of(const EVP_PKEY *pub)
{
    return EVP_PKEY_is_a(pub, "RSA") ? CKK_RSA : EVP_PKEY_is_a(pub, "EC") ? CKK_EC : CKK_EC_EDWARDS;
}

CK_RV p11key_candidates(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const struct p11_uri *u,
                        const EVP_PKEY *pub, CK_OBJECT_HANDLE **o, CK_ULONG *n)
{
    CK_OBJECT_CLASS cls = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = p11key_type_of(pub);
    const CK_ATTRIBUTE *label = p11_uri_attribute(u, CKA_LABEL);
    const CK_ATTRIBUTE *id = p11_uri_attribute(u, CKA_ID);
    CK_ATTRIBUTE t[4] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_KEY_TYPE, &type, sizeof type}};
    CK_ULONG k = 2;
    *n = 0;
    *o = calloc(KEYS_MOST, sizeof **o);
    if (!*o)
        return CKR_HOST_MEMORY;
    if (label)
        t[k++] = *label;
    if (id)
        t[k++] = *id;
    return p11_find(f, s, t, k, *o, KEYS_MOST, n);
}

struct lookup {
    struct p11_object *key;
    EVP_PKEY *pub;
    int seen; /* an object was there, though not of a type we know */
};

/* One object of that class beside the key: of the same CKA_ID, else of the same label. */
static CK_RV beside(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const struct lookup *l,
                    CK_OBJECT_CLASS cls, CK_OBJECT_HANDLE *o, CK_ULONG *n)
{
    CK_KEY_TYPE type = p11_object_type(l->key);
    const struct buf *id = p11_object_id(l->key);
    const char *label = p11_object_label(l->key);
    CK_ATTRIBUTE t[3] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_ID, id->d, id->n}};
    CK_ULONG k = 2;
    if (!id->n)
        t[1] = (CK_ATTRIBUTE){CKA_LABEL, (char *)label, strlen(label)};
    if (cls == CKO_PUBLIC_KEY)
        t[k++] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &type, sizeof type};
    return p11_find(f, s, t, k, o, 1, n);
}

static CK_RV from_objects(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct lookup *l = arg;
    struct buf der = {0};
    CK_OBJECT_HANDLE o;
    CK_ULONG n = 0;
    CK_RV rv = beside(f, s, l, CKO_PUBLIC_KEY, &o, &n);
    if (rv == CKR_OK && n) {
        l->seen = 1;
        return p11key_read_public(f, s, o, &l->pub);
    }
    if (rv == CKR_OK)
        rv = beside(f, s, l, CKO_CERTIFICATE, &o, &n);
    if (rv == CKR_OK && n && (rv = p11_value(f, s, o, CKA_VALUE, &der)) == CKR_OK) {
        const unsigned char *p = der.d;
        X509 *x = d2i_X509(NULL, &p, (long)der.n);
        l->pub = x ? X509_get_pubkey(x) : NULL;
        X509_free(x);
        ERR_clear_error();
    }
    buf_free(&der);
    return rv;
}

/* Without a further object: RSA keys know their public half; PKCS#11 2.40 has CKA_PUBLIC_KEY_INFO.
 */
static EVP_PKEY *from_key(struct p11_object *key)
{
    struct buf x = {0}, y = {0};
    EVP_PKEY *pub = NULL;
    if (p11_object_type(key) == CKK_RSA) {
        if (p11_object_value(key, CKA_MODULUS, &x) &&
            p11_object_value(key, CKA_PUBLIC_EXPONENT, &y) && y.n)
            pub = p11key_from_rsa(&x, &y);
    } else if (p11_object_value(key, CKA_PUBLIC_KEY_INFO, &x) && x.n) {
        const unsigned char *p = x.d;
        pub = d2i_PUBKEY(NULL, &p, (long)x.n);
        ERR_clear_error();
    }
    buf_free(&x);
    buf_free(&y);
    return pub;
}

static int supported(const EVP_PKEY *pub)
{
    char group[32] = "";
    if (EVP_PKEY_is_a(pub, "EC")) {
        EVP_PKEY_get_group_name(pub, group, sizeof group, NULL);
        return !strcmp(group, SN_X9_62_prime256v1) || !strcmp(group, SN_secp384r1);
    }
    return EVP_PKEY_is_a(pub, "RSA") || EVP_PKEY_is_a(pub, "ED25519");
}

enum status p11key_public(struct p11_object *key, EVP_PKEY **out)
{
    struct p11_token *t = p11_object_token(key);
    const char *label = p11_object_label(key);
    struct lookup l = {.key = key};
    enum status st = ST_OK;
    l.pub = from_key(key);
    if (!l.pub)
        st = p11_complain(t, "search for the public key", p11_run(t, from_objects, &l));
    if (st == ST_OK && l.pub && supported(l.pub)) {
        *out = l.pub;
        return ST_OK;
    }
    if (st == ST_OK && (l.pub || l.seen)) {
        st = ST_USAGE;
        diag_warn("token \"%s\": key \"%s\": not a supported type of key", p11_label(t), label);
        diag_hint("EC P-256 and P-384, RSA and Ed25519 are");
    } else if (st == ST_OK) {
        st = ST_USAGE;
        diag_warn("token \"%s\": key \"%s\": its public key is not in the token", p11_label(t),
                  label);
        diag_hint("write the public key or the certificate beside it, with the same CKA_ID");
    }
    EVP_PKEY_free(l.pub);
    return st;
}
