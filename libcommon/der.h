/* A strict walk over DER (X.690 section 10 and 11), before any template decodes it: templates and
 * OpenSSL let much through inside what they hold opaque.
 *
 * Checked: definite, minimal lengths; minimal tags; no trailing octets; DER_DEPTH; BOOLEAN 00/FF;
 * minimal INTEGER, ENUMERATED and OID arcs; BIT STRING pad bits zero; primitive string types;
 * UTCTime and GeneralizedTime in Z form; SET OF in ascending order; no end-of-contents. */
#ifndef DER_H
#define DER_H

#include <stddef.h>

#define DER_DEPTH 32
#define DER_WHY 96

/* One TLV. Borrowed from the input. */
struct der_tlv {
    unsigned cls, constructed, tag; /* class 0..3 */
    const unsigned char *der;       /* header and content */
    size_t n;
    const unsigned char *content;
    size_t len;
};

#define DER_UNIVERSAL 0
#define DER_CONTEXT 2

/* Takes the TLV at *p, n octets left there, and moves both behind it. 0 if there is no whole TLV
 * with a definite, minimal length. It does not look inside. */
int der_next(const unsigned char **p, size_t *n, struct der_tlv *out);
/* Exactly one TLV with this tag in [p, p+n), else 0. */
int der_one(const unsigned char *p, size_t n, unsigned cls, unsigned tag, struct der_tlv *out);

#define DER_ANY (-1)
/* Exactly one strict TLV in [p, p+n). `lax` (may be NULL) is a path of child numbers from the
 * outermost TLV, DER_ANY matching all, ended by lax_n: below it SETs may be in any order (a
 * device's PKCS#10 is carried as it came). 1, or 0 with `why` set, the offset included. */
int der_check(const unsigned char *p, size_t n, const int *lax, size_t lax_n, char why[DER_WHY]);

#endif
