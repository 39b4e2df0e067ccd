/* An OpenSSL provider, built into the process in an OSSL_LIB_CTX of its own, for the private keys
 * of PKCS#11 tokens: ECDSA, RSA PKCS#1 and PSS, Ed25519, RSA decryption, ECDH. Its keys are
 * EVP_PKEYs that work with every OSSL_LIB_CTX, since their private half cannot be exported to
 * another provider. */
#ifndef P11PROV_H
#define P11PROV_H

#include <stddef.h>

#include <openssl/evp.h>

#include "p11.h"
#include "status.h"

struct p11prov_key;

/* Takes over `key` and `pub` and gives an EVP_PKEY of the pair; *out is the key behind it, as long
 * as that lives. Ends the process with ST_TEMP when OpenSSL fails. */
EVP_PKEY *p11prov_new(struct p11_object *key, EVP_PKEY *pub, struct p11prov_key **out);

enum p11prov_pad { P11PROV_PKCS1, P11PROV_PSS };
struct p11prov_how {
    int md;               /* NID of the digest; NID_undef: the octets are signed as they are */
    enum p11prov_pad pad; /* RSA */
    int mgf;              /* NID, PSS */
    size_t salt;          /* octets, PSS */
};
#define P11PROV_SIG_MAX 1024 /* octets of any signature */
/* Signs a digest (Ed25519: the message). The signature, DER for ECDSA, is written to sig, *sig_n
 * octets. ST_USAGE (the key is not made for it), ST_TEMP (the token stayed away) after a warning.
 */
enum status p11prov_sign(struct p11prov_key *k, const struct p11prov_how *how, const void *tbs,
                         size_t n, unsigned char sig[P11PROV_SIG_MAX], size_t *sig_n);

/* How the last private key operation went that OpenSSL asked for: CMS_decrypt tells a failing token
 * from a wrong key by it. */
enum status p11prov_last(void);

#endif
