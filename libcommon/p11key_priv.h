/* What the files of the module p11key share. */
#ifndef P11KEY_PRIV_H
#define P11KEY_PRIV_H

#include "p11key.h"

/* NULL if it is not a key of a supported type. The point may be wrapped in an OCTET STRING, as
 * PKCS#11 says, or bare, as some modules give it. */
EVP_PKEY *p11key_from_ec(const struct buf *params, const struct buf *point);
EVP_PKEY *p11key_from_edwards(const struct buf *point);
EVP_PKEY *p11key_from_rsa(const struct buf *modulus, const struct buf *exponent);
/* The content of a DER OCTET STRING, or all of it where it is none. */
const unsigned char *p11key_point(const struct buf *b, size_t *n);
/* For a p11_op: the public key that a CKO_PUBLIC_KEY holds. *out NULL with CKR_OK: not supported.
 */
CK_RV p11key_read_public(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o,
                         EVP_PKEY **out);

/* The CKA_KEY_TYPE of such a key. */
CK_KEY_TYPE p11key_type_of(const EVP_PKEY *pub);

/* For a p11_op: the public keys of the type of `pub` that the URI's label and CKA_ID allow, 4096 of
 * them at most: *n handles, which the caller frees. */
CK_RV p11key_candidates(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const struct p11_uri *u,
                        const EVP_PKEY *pub, CK_OBJECT_HANDLE **o, CK_ULONG *n);

#endif
