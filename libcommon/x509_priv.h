/* What the files of the module share: attributes of names, and what keys consist of. */
#ifndef X509_PRIV_H
#define X509_PRIV_H

#include "x509.h"

#define NAME_OCTETS 1024
#define NAME_ATTRIBUTES 16

enum attr_kind { ATTR_UTF8, ATTR_PRINTABLE, ATTR_IA5, ATTR_HEX4 /* of Matter: UTF8String */ };

struct attr {
    const char *name;
    unsigned char oid[12]; /* content octets */
    unsigned char oid_n;
    unsigned char kind;  /* enum attr_kind */
    unsigned short most; /* characters, RFC 5280, Appendix A */
};

/* By name, in any case; by OID. NULL: not in the table. */
const struct attr *x509_attr_name(const char *name, size_t n);
const struct attr *x509_attr_oid(struct span oid);
#define ATTR_MOST 256 /* characters of an attribute that is not in the table */

/* One attribute of a name, on the way through its DER. */
struct ava {
    struct span oid, value; /* contents */
    unsigned char tag;
    int joined; /* to the one before, in one RDN */
};
struct ava_walk {
    struct span rdns, set;
    size_t n, sorted;
};
/* 0: not a Name, or too long. */
int x509_ava_start(struct ava_walk *w, struct span name);
/* 1; 0 at the end; -1 malformed, or too many. */
int x509_ava_next(struct ava_walk *w, struct ava *out);

/* Every attribute is a string that can be decoded. Certificates of others are not held to upper
 * bounds. */
int x509_name_readable(struct span name);

/* Appends a DirectoryString's or IA5String's content as UTF-8. 0: not of that type, or no string
 * type. */
int x509_string_utf8(unsigned char tag, struct span value, struct buf *out);
/* Characters of valid UTF-8, -1 if it is not that. */
long x509_utf8_count(const void *p, size_t n);
int x509_printable(const void *p, size_t n);
int x509_hex4(const void *p, size_t n); /* four digits, 0 to 9 and A to F */
int x509_ascii(const void *p, size_t n);

/* RSAPublicKey; n and e without their sign octet. 0: not an RSA key. */
int x509_rsa_open(struct span spki, struct span *n, struct span *e);
/* x509_key_weak for a key on a curve of the table; -1: it is another key. */
int x509_point_weak(struct span spki, char why[X509_WHY]);

#endif
