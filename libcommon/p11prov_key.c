/* keymgmt: what OpenSSL may know of a key, and may not. provider-keymgmt(7) */
#include "p11prov_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "alloc.h"

static const char *type_name(int type)
{
    return type == EVP_PKEY_EC ? "EC" : type == EVP_PKEY_RSA ? "RSA" : "ED25519";
}

static void *new_key(int type)
{
    struct p11prov_key *k = alloc_zero(1, sizeof *k);
    k->refs = 1;
    k->type = type;
    return k;
}

static void *new_ec(void *provctx)
{
    (void)provctx;
    return new_key(EVP_PKEY_EC);
}

static void *new_rsa(void *provctx)
{
    (void)provctx;
    return new_key(EVP_PKEY_RSA);
}

static void *new_ed(void *provctx)
{
    (void)provctx;
    return new_key(EVP_PKEY_ED25519);
}

static void measure(struct p11prov_key *k)
{
    int size = EVP_PKEY_get_size(k->pub);
    k->bits = EVP_PKEY_get_bits(k->pub);
    k->security_bits = EVP_PKEY_get_security_bits(k->pub);
    k->size = size > 0 ? (size_t)size : 0;
}

static int has(const void *v, int selection)
{
    const struct p11prov_key *k = v;
    return k && k->pub && (!(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->obj);
}

static int match(const void *a, const void *b, int selection)
{
    const struct p11prov_key *x = a, *y = b;
    if (!x->pub || !y->pub)
        return 0;
    if (selection & (OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
        return EVP_PKEY_eq(x->pub, y->pub) == 1;
    return EVP_PKEY_parameters_eq(x->pub, y->pub) == 1;
}

/* Our own key comes as a pointer. Anything else is a peer's public key; a private part that may
 * come with it is dropped. */
static int import(void *v, int selection, const OSSL_PARAM ps[])
{
    struct p11prov_key *k = v;
    const OSSL_PARAM *own = OSSL_PARAM_locate_const(ps, P11PROV_PARAM);
    (void)selection;
    if (own) {
        const void *p;
        size_t n;
        if (!OSSL_PARAM_get_octet_ptr(own, &p, &n))
            return 0;
        struct p11prov_key *from = (struct p11prov_key *)p;
        k->obj = from->obj;
        k->pub = from->pub;
        from->obj = NULL;
        from->pub = NULL;
        from->heir = k;
        measure(k);
        return 1;
    }
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(p11prov_libctx(), type_name(k->type), "provider=default");
    int ok = ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
             EVP_PKEY_fromdata(ctx, &k->pub, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)ps) > 0;
    EVP_PKEY_CTX_free(ctx);
    if (ok)
        measure(k);
    return ok;
}

static const OSSL_PARAM *import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_ptr(P11PROV_PARAM, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
                                       OSSL_PARAM_END};
    (void)selection;
    return types;
}

/* Refusing the private half makes OpenSSL do private operations here, whichever provider it liked
 * best. */
static int export(void *v, int selection, OSSL_CALLBACK *cb, void *arg)
{
    struct p11prov_key *k = v;
    OSSL_PARAM *ps = NULL;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && k->obj)
        return 0;
    if (!k->pub || EVP_PKEY_todata(k->pub, EVP_PKEY_PUBLIC_KEY, &ps) <= 0)
        return 0;
    int ok = cb(ps, arg);
    OSSL_PARAM_free(ps);
    return ok;
}

static int set_if_asked(OSSL_PARAM ps[], const char *name, int value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(ps, name);
    return !p || OSSL_PARAM_set_int(p, value);
}

static int set_text_if_asked(OSSL_PARAM ps[], const char *name, const char *value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(ps, name);
    return !p || OSSL_PARAM_set_utf8_string(p, value);
}

static int get_params(void *v, OSSL_PARAM ps[])
{
    static const char *const of_public[] = {OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PKEY_PARAM_PUB_KEY,
                                            OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                            OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E};
    struct p11prov_key *k = v;
    if (!set_if_asked(ps, OSSL_PKEY_PARAM_BITS, k->bits) ||
        !set_if_asked(ps, OSSL_PKEY_PARAM_SECURITY_BITS, k->security_bits) ||
        !set_if_asked(ps, OSSL_PKEY_PARAM_MAX_SIZE, (int)k->size))
        return 0;
    if (k->type == EVP_PKEY_ED25519) {
        if (!set_text_if_asked(ps, OSSL_PKEY_PARAM_MANDATORY_DIGEST, ""))
            return 0;
    } else if (!set_text_if_asked(ps, OSSL_PKEY_PARAM_DEFAULT_DIGEST,
                                  k->type == EVP_PKEY_EC && k->bits >= 384 ? "SHA384" : "SHA256"))
        return 0;
    for (size_t i = 0; k->pub && i < sizeof of_public / sizeof *of_public; i++) {
        OSSL_PARAM *p = OSSL_PARAM_locate(ps, of_public[i]);
        if (!p)
            continue;
        OSSL_PARAM one[2] = {*p, OSSL_PARAM_construct_end()};
        if (EVP_PKEY_get_params(k->pub, one))
            p->return_size = one[0].return_size;
    }
    return 1;
}

static const OSSL_PARAM *gettable(void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END};
    (void)provctx;
    return types;
}

/* Only a peer's key that was made from ours (see duplicate) is ever given its point. */
static int set_params(void *v, const OSSL_PARAM ps[])
{
    struct p11prov_key *k = v;
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(ps, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
    if (!p)
        return 1;
    if (k->obj || p->data_type != OSSL_PARAM_OCTET_STRING ||
        EVP_PKEY_set1_encoded_public_key(k->pub, p->data, p->data_size) <= 0)
        return 0;
    measure(k);
    return 1;
}

static const OSSL_PARAM *settable(void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0), OSSL_PARAM_END};
    (void)provctx;
    return types;
}

/* Parameters alone give a key with parameters only: CMS builds the peer's key of a
 * KeyAgreeRecipientInfo (RFC 5753) from ours in this way. */
static void *duplicate(const void *v, int selection)
{
    struct p11prov_key *k = (struct p11prov_key *)v;
    if (selection & (OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
        return p11prov_ref(k);
    struct p11prov_key *bare = new_key(k->type);
    bare->pub = EVP_PKEY_new();
    if (!bare->pub || !EVP_PKEY_copy_parameters(bare->pub, k->pub)) {
        p11prov_unref(bare);
        return NULL;
    }
    return bare;
}

static const char *operation_ec(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : operation == OSSL_OP_KEYEXCH ? "ECDH" : "EC";
}

static const char *operation_rsa(int operation)
{
    (void)operation;
    return "RSA";
}

static const char *operation_ed(int operation)
{
    (void)operation;
    return "ED25519";
}

#define KEYMGMT(make, name)                                                                        \
    {                                                                                              \
        P11PROV_FN(OSSL_FUNC_KEYMGMT_NEW, make),                                                   \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_FREE, p11prov_unref),                                     \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_HAS, has), P11PROV_FN(OSSL_FUNC_KEYMGMT_MATCH, match),    \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_IMPORT, import),                                          \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, import_types),                              \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_EXPORT, export),                                          \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, import_types),                              \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),                                  \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, gettable),                               \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_SET_PARAMS, set_params),                                  \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, settable),                               \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_DUP, duplicate),                                          \
            P11PROV_FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, name),                              \
        {                                                                                          \
            0, NULL                                                                                \
        }                                                                                          \
    }
const OSSL_DISPATCH p11prov_keymgmt_ec[] = KEYMGMT(new_ec, operation_ec);
const OSSL_DISPATCH p11prov_keymgmt_rsa[] = KEYMGMT(new_rsa, operation_rsa);
const OSSL_DISPATCH p11prov_keymgmt_ed[] = KEYMGMT(new_ed, operation_ed);
