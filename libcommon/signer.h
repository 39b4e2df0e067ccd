/* The only door to a private key: in a token (RFC 7512 URI) or, for devices without one, in a file.
 *
 * The PIN comes from pin-source (a file; "fd:N"; "credential:NAME" of systemd) or from the terminal, is
 * asked for once a token and wiped after the login; pin-value is refused. */
#ifndef SIGNER_H
#define SIGNER_H

#include <stddef.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "buf.h"
#include "status.h"

struct signer;

enum signer_flags {
    SIGNER_TOKEN = 1, /* in a token, CKA_SENSITIVE, never extractable, CKA_LOCAL; else ST_USAGE */
    SIGNER_CMS = 2,   /* good for CMS messages: Ed25519 is refused with ST_USAGE */
    SIGNER_UNIT = 3   /* a unit's key: both */
};

/* Opens the key named by `where` (a "pkcs11:" URI, or a PEM file). On success *out is set; otherwise one
 * warning was printed: ST_USAGE (the name, the key), ST_TEMP (the token). `base`, if not NULL, is the
 * configuration file that relative names of a key file, pin-source and module-path start from. */
enum status signer_open(const char *where, const char *base, int flags, struct signer **out);
void signer_close(struct signer *s);

/* get0: SubjectPublicKeyInfo of the key, DER; the EVP_PKEY, whose operations run in the token. */
const unsigned char *signer_spki(const struct signer *s, size_t *n);
EVP_PKEY *signer_key(struct signer *s);

/* The digest that goes with the key (NID): SHA-256; SHA-384 for P-384; NID_undef for Ed25519. */
int signer_md(const struct signer *s);
/* AlgorithmIdentifier of the signatures it makes, DER, appended: RFC 5754, 5758, 8410. cms 1: the form that
 * SignerInfo takes (rsaEncryption for RSA). */
void signer_algorithm(const struct signer *s, int cms, struct buf *out);
/* Signs tbs with that digest; the signature (DER for ECDSA) is appended to `sig`. Climbs the fault ladder by
 * itself; after a warning ST_TEMP when the token stays away, ST_USAGE when the key may not sign. */
enum status signer_sign(struct signer *s, const void *tbs, size_t n, struct buf *sig);
/* How many private key operations this process has made (for -v and the bench). */
unsigned long signer_count(void);
/* C_Logout, C_Finalize for all modules; also run at exit. */
void signer_finish(void);

#endif
