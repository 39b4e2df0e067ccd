#include "p11prov_priv.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/proverr.h>

#include "alloc.h"
#include "diag.h"

#define PROVIDER "certline-p11"
#define PROPERTY "provider=" PROVIDER
#define RSA_NAMES "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define ED_NAMES "ED25519:1.3.101.112"

static enum status last;

static const OSSL_ALGORITHM keymgmts[] = {
    {"EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTY, p11prov_keymgmt_ec, NULL},
    {RSA_NAMES, PROPERTY, p11prov_keymgmt_rsa, NULL},
    {ED_NAMES, PROPERTY, p11prov_keymgmt_ed, NULL},
    {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM signatures[] = {{"ECDSA", PROPERTY, p11prov_signature, NULL},
                                            {RSA_NAMES, PROPERTY, p11prov_signature, NULL},
                                            {ED_NAMES, PROPERTY, p11prov_signature_ed, NULL},
                                            {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM asym_ciphers[] = {{RSA_NAMES, PROPERTY, p11prov_asym_cipher, NULL},
                                              {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM keyexchs[] = {{"ECDH", PROPERTY, p11prov_keyexch, NULL},
                                          {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
    (void)provctx;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return keymgmts;
    case OSSL_OP_SIGNATURE:
        return signatures;
    case OSSL_OP_ASYM_CIPHER:
        return asym_ciphers;
    case OSSL_OP_KEYEXCH:
        return keyexchs;
    }
    return NULL;
}

static const OSSL_DISPATCH provider[] = {P11PROV_FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
                                         {0, NULL}};

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **provctx)
{
    (void)in;
    *out = provider;
    *provctx = (void *)handle;
    return 1;
}

/* Made once and never freed: EVP_PKEYs of it may live until the process ends. */
OSSL_LIB_CTX *p11prov_libctx(void)
{
    static OSSL_LIB_CTX *ctx;
    if (ctx)
        return ctx;
    ctx = OSSL_LIB_CTX_new();
    /* "default" first: SoftHSM's own use of OpenSSL breaks otherwise. */
    if (!ctx || !OSSL_PROVIDER_load(ctx, "default") ||
        !OSSL_PROVIDER_add_builtin(ctx, PROVIDER, start) || !OSSL_PROVIDER_load(ctx, PROVIDER))
        diag_exit(ST_TEMP, "OpenSSL's providers: %s", diag_openssl());
    return ctx;
}

struct p11prov_key *p11prov_ref(struct p11prov_key *k)
{
    k->refs++;
    return k;
}

void p11prov_unref(void *v)
{
    struct p11prov_key *k = v;
    if (!k || --k->refs)
        return;
    p11_object_free(k->obj);
    EVP_PKEY_free(k->pub);
    free(k);
}

static const char *type_name(const EVP_PKEY *pub, int *type)
{
    *type = EVP_PKEY_is_a(pub, "EC")    ? EVP_PKEY_EC
            : EVP_PKEY_is_a(pub, "RSA") ? EVP_PKEY_RSA
                                        : EVP_PKEY_ED25519;
    return *type == EVP_PKEY_EC ? "EC" : *type == EVP_PKEY_RSA ? "RSA" : "ED25519";
}

EVP_PKEY *p11prov_new(struct p11_object *key, EVP_PKEY *pub, struct p11prov_key **out)
{
    struct p11prov_key *k = alloc_zero(1, sizeof *k);
    EVP_PKEY *pkey = NULL;
    const char *name = type_name(pub, &k->type);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(p11prov_libctx(), name, PROPERTY);
    OSSL_PARAM ps[] = {OSSL_PARAM_construct_octet_ptr(P11PROV_PARAM, (void **)&k, sizeof k),
                       OSSL_PARAM_construct_end()};
    k->refs = 1;
    k->obj = key;
    k->pub = pub;
    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, ps) <= 0)
        diag_exit(ST_TEMP, "OpenSSL's providers: %s", diag_openssl());
    EVP_PKEY_CTX_free(ctx);
    *out = k->heir;
    p11prov_unref(k);
    return pkey;
}

int p11prov_result(struct p11prov_key *k, const char *what, CK_RV rv)
{
    last = ST_OK;
    if (rv == CKR_OK)
        return 1;
    /* Data that cannot be decrypted is the sender's fault, and says no more than that. */
    last =
        p11_step(rv) == P11_STEP_DATA ? ST_INPUT : p11_complain(p11_object_token(k->obj), what, rv);
    ERR_raise_data(ERR_LIB_PROV, ERR_R_OPERATION_FAIL, "%s: %s", what, p11_rv_name(rv));
    return 0;
}

enum status p11prov_last(void)
{
    return last;
}

int p11prov_digest(int nid, CK_MECHANISM_TYPE *hash, CK_RSA_PKCS_MGF_TYPE *mgf)
{
    static const struct {
        int nid;
        CK_MECHANISM_TYPE hash;
        CK_RSA_PKCS_MGF_TYPE mgf;
    } known[] = {{NID_sha1, CKM_SHA_1, CKG_MGF1_SHA1},
                 {NID_sha256, CKM_SHA256, CKG_MGF1_SHA256},
                 {NID_sha384, CKM_SHA384, CKG_MGF1_SHA384},
                 {NID_sha512, CKM_SHA512, CKG_MGF1_SHA512}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].nid == nid) {
            *hash = known[i].hash;
            *mgf = known[i].mgf;
            return 1;
        }
    return 0;
}
