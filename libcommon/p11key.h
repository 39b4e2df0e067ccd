/* Objects in a token: make keys, find them, keep certificates beside them. PKCS#11 3.0. */
#ifndef P11KEY_H
#define P11KEY_H

#include <stddef.h>

#include <openssl/evp.h>

#include "buf.h"
#include "p11.h"
#include "status.h"

enum p11key_type {
    P11KEY_P256,
    P11KEY_P384,
    P11KEY_RSA2048,
    P11KEY_RSA3072,
    P11KEY_RSA4096,
    P11KEY_ED25519
};

/* Makes a key pair in the token that the URI names, with its object= as CKA_LABEL and its id= as
 * CKA_ID (or 16 random octets): CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, not CKA_EXTRACTABLE,
 * CKA_SIGN only. Refuses (ST_USAGE) when an object of that label or id is there, or the token
 * cannot make such keys. Its SubjectPublicKeyInfo is appended to `spki`. ST_TEMP: the token failed.
 */
enum status p11key_generate(const char *uri, const char *base, enum p11key_type type,
                            struct buf *spki);

/* Writes the certificate (DER) into the token as CKO_CERTIFICATE with the CKA_ID and label of the
 * key pair whose public key is in it, replacing an older one of the same CKA_ID only after the new
 * one is there, then reads it back and compares. ST_REFUSED: no such key in the token; ST_INPUT:
 * not a certificate; ST_USAGE: the URI; ST_TEMP: the token failed. */
enum status p11key_put_certificate(const char *uri, const char *base, const void *der, size_t n);

/* Destroys the key pair whose public key is `spki` (DER), and its certificates beside it; other
 * keys of the same CKA_ID or label stay, and theirs. What is not there is no error. ST_INPUT: not a
 * key; ST_USAGE: the URI, or which private key it is cannot be told from others; ST_TEMP: the token
 * failed. */
enum status p11key_destroy(const char *uri, const char *base, const void *spki, size_t n);
/* Destroys this certificate (DER) alone, wherever it is in the token. Errors as p11key_destroy. */
enum status p11key_drop_certificate(const char *uri, const char *base, const void *der, size_t n);

/* How many certificates (CKO_CERTIFICATE) the token holds, at most 10,000 are counted. ST_USAGE:
 * the URI; ST_TEMP: the token failed. */
enum status p11key_count_certificates(const char *uri, const char *base, size_t *n);

/* Whether the token holds this certificate (DER), whatever its label and CKA_ID. ST_USAGE: the URI;
 * ST_TEMP: the token failed. */
enum status p11key_holds_certificate(const char *uri, const char *base, const void *der, size_t n,
                                     int *held);

/* Appends one line a private key of the token that the URI names (and, where it has object= or id=,
 * only those): label, id in hex, type, "extractable" or "not-extractable", separated by tabs. */
enum status p11key_list(const char *uri, const char *base, struct buf *out);

/* The public half of an open key, from the key itself, its public key object, or its certificate;
 * the caller frees it. ST_USAGE: there is none, or the type or curve is not one of those above. */
enum status p11key_public(struct p11_object *key, EVP_PKEY **out);

#endif
