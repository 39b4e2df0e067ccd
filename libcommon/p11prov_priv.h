/* What the files of the module p11prov share. */
#ifndef P11PROV_PRIV_H
#define P11PROV_PRIV_H

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>

#include "p11prov.h"

#define P11PROV_PARAM "certline-key" /* how p11prov_new hands its key to the keymgmt */
#define P11PROV_NAME_MAX 32

/* Reference-counted, as OpenSSL copies keys at will. One thread: plain integers do. */
struct p11prov_key {
    int refs;
    int type;               /* EVP_PKEY_EC, EVP_PKEY_RSA, EVP_PKEY_ED25519 */
    struct p11_object *obj; /* NULL: a public key of somebody else's */
    EVP_PKEY *pub;          /* of the default provider */
    int bits, security_bits;
    size_t size;              /* of a signature at the most */
    struct p11prov_key *heir; /* who took what p11prov_new handed over */
};

struct p11prov_key *p11prov_ref(struct p11prov_key *k);
void p11prov_unref(void *k);
OSSL_LIB_CTX *p11prov_libctx(void);
/* Remembers the outcome for p11prov_last, raises it in OpenSSL's queue; 1 if it is CKR_OK. */
int p11prov_result(struct p11prov_key *k, const char *what, CK_RV rv);
/* PKCS#11's names of a digest; 0 if it has none. */
int p11prov_digest(int nid, CK_MECHANISM_TYPE *hash, CK_RSA_PKCS_MGF_TYPE *mgf);

/* OpenSSL's tables hold every function under one type (core_dispatch.h). */
#define P11PROV_FN(id, f)                                                                          \
    {                                                                                              \
        id, (void (*)(void))f                                                                      \
    }

extern const OSSL_DISPATCH p11prov_keymgmt_ec[], p11prov_keymgmt_rsa[], p11prov_keymgmt_ed[];
extern const OSSL_DISPATCH p11prov_signature[], p11prov_signature_ed[];
extern const OSSL_DISPATCH p11prov_asym_cipher[], p11prov_keyexch[];

#endif
