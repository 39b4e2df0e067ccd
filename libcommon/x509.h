/* Names, keys and certificates (RFC 5280) through ASN.1 templates of our own, in which what need not be
 * opened is opaque: the octets that were signed or sent are the octets that are looked at, and no decoder
 * runs for a key that is only carried. */
#ifndef X509_H
#define X509_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#include "buf.h"
#include "signer.h"
#include "status.h"

/* --- keys: SubjectPublicKeyInfo, section 4.1.2.7 --- */

enum x509_key_kind { X509_KEY_EC, X509_KEY_RSA, X509_KEY_ED25519, X509_KEY_OTHER };
struct x509_key_info {
    enum x509_key_kind kind;
    int bits;
    char name[24]; /* "P-256", "RSA-2048", "Ed25519", for people and for `keys:` lists */
};
#define X509_HASH 32

/* What kind of key it is, by its encoding alone (cheap). 0: not a SubjectPublicKeyInfo. */
int x509_key_info(struct span spki, struct x509_key_info *out);
/* The key, ready to verify with; checks that a point is on its curve. NULL if it is bad. The caller frees
 * it with EVP_PKEY_free. P-256 and P-384 take a short way around OpenSSL's decoders. */
EVP_PKEY *x509_key(struct span spki);
/* SHA-256 over the whole SubjectPublicKeyInfo: the key's identity in ledgers and lists. */
void x509_key_hash(struct span spki, unsigned char out[X509_HASH]);
/* SHA-1 over the BIT STRING's content: keyIdentifier, section 4.2.1.2 (1). 0: malformed. */
int x509_key_id(struct span spki, unsigned char out[20]);

/* --- names, sections 4.1.2.4 and 4.1.2.6; text as RFC 4514 --- */

/* "serialNumber=4711,O=ABC,C=JP" as in RFC 4514 (the last RDN first; \ and " escape; + joins), appended as
 * DER. Short and long names of OpenSSL and dotted OIDs name attributes; PrintableString where it fits and the
 * type's rule wants it (C, serialNumber), else UTF8String. At most 1,024 octets, 16 attributes, the upper bounds
 * of Appendix A. 0 with `why` set. */
#define X509_WHY 160
int x509_name_parse(const char *text, struct buf *der, char why[X509_WHY]);
/* RFC 4514 text of a name; freed by the caller; NULL if malformed. */
char *x509_name_text(struct span name);
/* The value of the only attribute of that type as UTF-8, appended. 1; 0: none; -1: several, or malformed, or
 * with a NUL or control character inside. */
int x509_name_get(struct span name, const char *attribute, struct buf *out);
/* A Name whose attributes can all be decoded, within the bounds of x509_name_parse. An empty one is well formed. */
int x509_name_ok(struct span name);

/* --- certificates --- */

struct x509_cert { /* borrowed from der */
    struct span der, tbs, serial /* content octets */, issuer, subject, spki;
    struct span extensions; /* the SEQUENCE OF Extension, or empty */
    struct span sigalg, signature;
    int64_t not_before, not_after;
};
/* Opens one DER v3 certificate without trailing octets; both AlgorithmIdentifiers must agree. 0: malformed. */
int x509_cert_view(struct span der, struct x509_cert *out);
/* One extension by dotted OID ("2.5.29.17"): 1 found; 0 absent; -1 malformed or repeated. */
struct x509_ext {
    int critical;
    struct span value; /* the OCTET STRING's content */
};
int x509_ext_get(struct span extensions, const char *oid, struct x509_ext *out);
/* Whether `issuer`'s key signed it, with an algorithm of SHA-256 or stronger. */
int x509_signed_by(const struct x509_cert *c, EVP_PKEY *issuer);
/* Subject names of a kind, for verification: whether both names are the same octets is buf_same's. */

/* What goes into a certificate; spans borrowed, DER, `serial` content octets. */
struct x509_tbs {
    struct span serial, issuer, subject, spki, extensions;
    int64_t not_before, not_after; /* GeneralizedTime from 2050 on, section 4.1.2.5 */
};
/* Builds and signs with the issuer's key; the certificate's DER is appended. */
enum status x509_issue(const struct x509_tbs *tbs, struct signer *issuer, struct buf *out);
/* A new serial: 64 bits of time, 80 bits of a CSPRNG; positive, 18 octets. */
#define X509_SERIAL 18
void x509_serial(unsigned char out[X509_SERIAL]);

#endif
