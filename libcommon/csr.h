/* Certification requests, PKCS #10 (RFC 2986). The device's octets are never re-encoded. */
#ifndef CSR_H
#define CSR_H

#include "buf.h"
#include "signer.h"
#include "x509.h"

#define CSR_MAX 65536 /* octets of one request or public key */

struct csr { /* borrowed from der */
    struct span der, info, subject, spki;
    struct span
        extensions; /* of the extensionRequest attribute (RFC 2985, 5.4.2): SEQUENCE OF, or empty */
    struct span sigalg, signature;
};
/* Opens it: one PKCS#10, DER but for the order of its SETs, no trailing octets, each attribute
 * once, each extension once. 0 with `why` set. */
int csr_view(struct span der, struct csr *out, char why[X509_WHY]);
/* Proof of possession, over the original octets: 1; 0 with `why` set (bad signature, bad key, an
 * algorithm weaker than SHA-256). */
int csr_pop(const struct csr *c, char why[X509_WHY]);
/* Makes one: subject DER, extensions DER (SEQUENCE OF Extension) or empty, challenge: the
 * challengePassword (RFC 2985, 5.4.1; UTF-8, 1 to 255 octets, a secret) or NULL. Appends the DER.
 */
enum status csr_make(struct signer *s, struct span subject, struct span extensions,
                     const char *challenge, struct buf *out);
/* The same with a key that no signer holds yet, because it was just made: of P-256, P-384, RSA or
 * Ed25519, its SubjectPublicKeyInfo beside it. 0: OpenSSL would not sign. */
int csr_make_with(EVP_PKEY *key, struct span spki, struct span subject, struct span extensions,
                  const char *challenge, struct buf *out);

/* A key pair that was just made. */
struct csr_key {
    EVP_PKEY *key;
    struct buf spki;  /* SubjectPublicKeyInfo */
    struct buf pkcs8; /* OneAsymmetricKey in DER (RFC 5958): secret */
};
/* type: "P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096" or "Ed25519", in any case. 0 if it is
 * none of these; a failing library ends the process. The P-256 way takes little more than the
 * generation itself. */
int csr_key_make(const char *type, struct csr_key *out);
int csr_key_known(const char *type);
/* Wipes what is secret; the struct can be used again. */
void csr_key_free(struct csr_key *k);

#endif
