/* Names, keys and certificates (RFC 5280) by a walk over their DER in which what need not be opened
 * stays closed: the octets that were signed or sent are the octets that are looked at, and no
 * decoder runs for a key that is only carried. */
#ifndef X509_H
#define X509_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#include "buf.h"
#include "signer.h"
#include "status.h"

#define X509_WHY 160 /* room for a reason */

/* --- DER: `id` is the whole identifier octet, 0x30 for a SEQUENCE --- */

/* Takes the TLV at the head of `in` if it is of that kind (minimal, definite length), else 0. tlv
 * and content may be NULL. */
int x509_take(struct span *in, unsigned char id, struct span *tlv, struct span *content);
/* UTCTime or GeneralizedTime in the forms of section 4.1.2.5, as seconds since 1970. */
int x509_take_time(struct span *in, int64_t *t);
/* Appends one TLV. */
void x509_put(struct buf *out, unsigned char id, const void *p, size_t n);
/* Makes all octets from `from` on the content of one TLV. */
void x509_wrap(struct buf *b, size_t from, unsigned char id);
/* Appends a dotted OID as a TLV; arcs up to 128 bits, 64 octets in all. 0: not an OID. */
int x509_put_oid(struct buf *out, const char *dotted);
/* Appends the dotted form of an OID's content octets. 0: malformed. */
int x509_oid_text(struct span content, struct buf *out);
/* Appends UTCTime, or GeneralizedTime from 2050 on. 0: not between 1970 and X509_TIME_MAX. */
#define X509_TIME_MAX 253402300799 /* 99991231235959Z: no end is known, section 4.1.2.5 */
int x509_put_time(struct buf *out, int64_t t);
/* Whether the octets are UTF-8 without control characters (NUL is one). */
int x509_text_ok(const void *p, size_t n);

/* --- keys: SubjectPublicKeyInfo, section 4.1.2.7 --- */

enum x509_key_kind { X509_KEY_EC, X509_KEY_RSA, X509_KEY_ED25519, X509_KEY_OTHER };
struct x509_key_info {
    enum x509_key_kind kind;
    int bits;
    char name[24];    /* "P-256", "RSA-2048", "Ed25519", for people and for `keys:` lists */
    const char *weak; /* "an RSA exponent that is even": why nobody should certify it; NULL: nothing
                         is known */
};
#define X509_HASH 32

/* What kind of key it is, by its encoding alone (cheap). 0: not a SubjectPublicKeyInfo. */
int x509_key_info(struct span spki, struct x509_key_info *out);
/* get0: the key, ready to verify with; checks that a point is on its curve. NULL if it is bad or
 * weak. Good until the next call: the object of a curve is used again, which is cheaper than any
 * way to make one. */
EVP_PKEY *x509_key_get0(struct span spki);
/* Whether nobody should certify it, in x509_key_info's opinion or by what takes longer to find: a
 * point off its curve, at infinity or out of range; an RSA modulus with a factor below 752 or close
 * primes, or ROCA's fingerprint; an Ed25519 key of small order or not canonical. 1 with `why` set
 * as info.weak is. An EC key costs a fifth of x509_key_get0. */
int x509_key_weak(struct span spki, char why[X509_WHY]);
/* SHA-256 over the whole SubjectPublicKeyInfo: the key's identity in ledgers and lists. */
void x509_key_hash(struct span spki, unsigned char out[X509_HASH]);
/* An RSA key of whole octets as the lists of openssl-vulnkey(1) have it: the end of the SHA-1 of what openssl-rsa(1)
 * prints with -modulus. 0: another key. */
#define X509_VULNKEY 10
int x509_key_vulnkey(struct span spki, unsigned char out[X509_VULNKEY]);
/* SHA-1 over the BIT STRING's content: keyIdentifier, section 4.2.1.2 (1). 0: malformed. */
int x509_key_id(struct span spki, unsigned char out[20]);

/* --- names, sections 4.1.2.4 and 4.1.2.6; text as RFC 4514 --- */

/* "serialNumber=4711,O=ABC,C=JP" as in RFC 4514 (the last RDN first; \ and " escape; + joins),
 * appended as DER. Short and long names of OpenSSL and dotted OIDs name attributes; PrintableString
 * where it fits and the type's rule wants it (C, serialNumber), else UTF8String. At most 1,024
 * octets, 16 attributes, the upper bounds of Appendix A. 0 with `why` set. */
int x509_name_parse(const char *text, struct buf *der, char why[X509_WHY]);
/* RFC 4514 text of a name; freed by the caller; NULL if malformed. */
char *x509_name_text(struct span name);
/* Appends a value escaped, to stand behind "CN=" in such a text. */
void x509_name_quote(struct buf *out, const char *value);
/* Each attribute from the name's first on: its type ("CN", or a dotted OID) and its value as they
 * stand in such a text. 1; 0 if `each` gave 0, which ends it; -1: malformed. */
int x509_name_each(struct span name, int (*each)(const char *type, const char *value, void *arg),
                   void *arg);
/* The value of the only attribute of that type as UTF-8, appended. 1; 0: none; -1: several, or
 * malformed, or with a NUL or control character inside. */
int x509_name_get(struct span name, const char *attribute, struct buf *out);
/* A Name whose attributes can all be decoded, within the bounds of x509_name_parse. An empty one is
 * well formed. */
int x509_name_ok(struct span name);
/* x509_name_ok, and the string types of Appendix A (country two letters, serialNumber
 * PrintableString; names are PrintableString or UTF8String): what a new certificate must keep to. 0
 * with `why` set. */
int x509_name_lint(struct span name, char why[X509_WHY]);

/* --- GeneralName, section 4.2.1.6 --- */

enum x509_san { /* a set */
                X509_SAN_DNS = 1,
                X509_SAN_IP = 2,
                X509_SAN_EMAIL = 4,
                X509_SAN_URI = 8,
                X509_SAN_HW = 16, /* hardwareModuleName, RFC 4108, section 5 */
                X509_SAN_DN = 32,
                X509_SAN_OTHER = 64,
                X509_SAN_PERM = 128 /* permanentIdentifier, RFC 4043 */
};
/* "dns:a.example", "ip:192.0.2.1", "email:a@b.example", "uri:urn:x:1",
 * "hardware-module-name:1.2.3:4711" (hwType, then hwSerialNum as text),
 * "permanent-identifier:1.2.3:4711" (assigner, then identifierValue), "dn:CN=a": appended as DER. 0
 * with `why` set. */
int x509_san_parse(const char *text, struct buf *der, char why[X509_WHY]);
/* Takes one well-formed GeneralName from the head of `in`; its kind, 0 with `why` set. */
int x509_san_take(struct span *in, struct span *tlv, char why[X509_WHY]);
/* The same text as x509_san_parse reads, appended; other kinds as "other". */
void x509_san_text(struct span tlv, struct buf *out);
/* "dns" and so on to the kind; 0: none of that name. */
int x509_san_kind(const char *name);
const char *x509_san_name(int kind);
/* The name's text alone as a device's id: the dNSName, the hwSerialNum, ... */
void x509_san_value(struct span tlv, struct buf *out);

/* --- certificates --- */

struct x509_cert { /* borrowed from der */
    struct span der, tbs, serial /* content octets */, issuer, subject, spki;
    struct span extensions;        /* the SEQUENCE OF Extension, or empty */
    struct span sigalg, signature; /* AlgorithmIdentifier; octets */
    int64_t not_before, not_after;
};
/* Opens one DER v3 certificate without trailing octets; both AlgorithmIdentifiers must agree. 0:
 * malformed. */
int x509_cert_view(struct span der, struct x509_cert *out);
/* One extension by dotted OID ("2.5.29.17"): 1 found; 0 absent; -1 malformed or repeated. */
struct x509_ext {
    int critical;
    struct span value; /* the OCTET STRING's content */
};
int x509_ext_get(struct span extensions, const char *oid, struct x509_ext *out);
/* Whether `issuer`'s key signed it, with an algorithm of SHA-256 or stronger. */
int x509_signed_by(const struct x509_cert *c, EVP_PKEY *issuer);
/* The same for any signed octets: alg is the AlgorithmIdentifier, `signature` the BIT STRING's
 * octets without the count of unused bits. */
int x509_verify(EVP_PKEY *key, struct span alg, struct span data, struct span signature);
/* Whether x509_verify knows the algorithm: ECDSA or RSA PKCS#1 with SHA-256, -384, -512; Ed25519.
 */
int x509_sigalg_ok(struct span alg);
/* For keys in memory: the AlgorithmIdentifier that goes with the key (static; SHA-384 for P-384),
 * empty if there is none; and a signature with it, appended. */
struct span x509_sigalg_of(EVP_PKEY *key);
int x509_sign(EVP_PKEY *key, struct span alg, struct span data, struct buf *signature);
/* The extension at the head of `list`: 1; 0 at its end; -1 malformed. `oid`: content octets. */
int x509_ext_next(struct span *list, struct span *oid, struct x509_ext *out);

/* Whether it is a SEQUENCE OF at least one and at most 64 well-formed Extensions, each OID once. */
int x509_ext_unique(struct span extensions);
/* Ends what X.509 and PKCS #10 sign alike: from `from` on `out` holds the signed part; the
 * algorithm and the signature are appended, and a SEQUENCE is made of the three. */
void x509_seal(struct buf *out, size_t from, struct span alg, struct span signature);

/* What goes into a certificate; spans borrowed, DER, `serial` content octets. */
struct x509_tbs {
    struct span serial, issuer, subject, spki, extensions;
    int64_t not_before, not_after; /* GeneralizedTime from 2050 on, section 4.1.2.5 */
};
/* Appends the signed part. 0 after a warning: a validity that X.509 cannot express. */
int x509_put_tbs(const struct x509_tbs *tbs, struct span alg, struct buf *out);
/* Builds and signs with the issuer's key; the certificate's DER is appended. */
enum status x509_issue(const struct x509_tbs *tbs, struct signer *issuer, struct buf *out);
/* A new serial: 64 bits of time, 80 bits of a CSPRNG; positive, 18 octets. */
#define X509_SERIAL 18
void x509_serial(unsigned char out[X509_SERIAL]);
/* As openssl(1) prints it and people compare it: hexadecimal, without the octet of its sign. Of an
 * empty one nothing is appended. */
#define X509_SERIAL_MAX 20 /* octets, RFC 5280, section 4.1.2.2 */
void x509_serial_text(struct span serial, struct buf *out);
/* The content octets of what somebody wrote: either case, with or without colons and zeros in
 * front. Their number; 0: it is no serial number. */
size_t x509_serial_read(const char *text, unsigned char out[X509_SERIAL_MAX]);

#endif
