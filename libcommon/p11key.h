/* Objects in a token: make keys, find them, keep certificates beside them. PKCS#11 3.0. */
#ifndef P11KEY_H
#define P11KEY_H

#include <stddef.h>

#include "buf.h"
#include "status.h"

enum p11key_type {
    P11KEY_P256,
    P11KEY_P384,
    P11KEY_RSA2048,
    P11KEY_RSA3072,
    P11KEY_RSA4096,
    P11KEY_ED25519
};

/* Makes a key pair in the token that the URI names, with its object= as CKA_LABEL and its id= as CKA_ID (or
 * 16 random octets): CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, not CKA_EXTRACTABLE, CKA_SIGN only. Refuses when
 * an object of that label or id is there. Its SubjectPublicKeyInfo is appended to `spki`. */
enum status p11key_generate(const char *uri, const char *base, enum p11key_type type, struct buf *spki);

/* Writes the certificate (DER) into the token as CKO_CERTIFICATE with the CKA_ID and label of the
 * key pair whose public key is in it, replacing an older one of the same CKA_ID only after the new one is there,
 * then reads it back and compares. ST_REFUSED: no such key in the token; ST_TEMP: the token failed. */
enum status p11key_put_certificate(const char *uri, const char *base, const void *der, size_t n);

#endif
