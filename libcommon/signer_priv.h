/* What the files of the module signer share. */
#ifndef SIGNER_PRIV_H
#define SIGNER_PRIV_H

#include "p11.h"
#include "p11prov.h"
#include "signer.h"

enum signer_kind { SIGNER_P256, SIGNER_P384, SIGNER_RSA, SIGNER_ED25519 };

struct signer {
    enum signer_kind kind;
    EVP_PKEY *key;
    unsigned char *spki;
    int spki_n;
    EVP_MD *md;
    EVP_MD_CTX *hash;
    struct p11prov_key *token; /* get0; NULL: a key file */
    EVP_PKEY_CTX *file;        /* ready to sign digests; NULL: a token, or Ed25519 */
};

/* 0 after a warning: not a key that this toolkit signs with. */
int signer_classify(const EVP_PKEY *key, const char *where, enum signer_kind *kind);
/* signer_file.c: NULL after a warning */
EVP_PKEY *signer_file_load(const char *path);
/* signer_unit.c: whether the key is one that a unit may have; ST_USAGE after a warning */
enum status signer_unit_check(struct p11_object *key, const char *name);

#endif
