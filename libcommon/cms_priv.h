/* What cms.c and cms_attrs.c share. */
#ifndef CMS_PRIV_H
#define CMS_PRIV_H

#include "cms.h"

/* The content type's OID; borrowed, made once. */
ASN1_OBJECT *cms_object(enum cms_type t);

struct cms_attrs {
    enum cms_type type; /* eContentType */
    const EVP_MD *md;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_n;
    int64_t time;
    const struct x509_cert *signer;
};

/* How a signingCertificateV2 may be written (RFC 5035): our own is 0, others write more. */
enum {
    CMS_ESS_SERIAL = 1, /* with issuerSerial */
    CMS_ESS_MD = 2,     /* hashed with the signer's digest, not the default SHA-256 */
    CMS_ESS_ALL = 3
};
/* Appends the DER of SET OF Attribute, universal tag. */
void cms_attrs_put(const struct cms_attrs *want, int ess, struct buf *out);
/* Finds signingTime in a SET OF Attribute (any outer tag). 0 if it is not there or no time. */
int cms_attrs_time(struct span attrs, int64_t *t);

#endif
