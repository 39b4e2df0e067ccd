/* What unit.c and its parts share. */
#ifndef UNIT_PRIV_H
#define UNIT_PRIV_H

#include "buf.h"
#include "unit.h"
#include "x509.h"

#define UNIT_CHAIN 4
#define UNIT_CERT_OCTETS 65536

/* The file as it was read; what is absent is NULL. */
struct unit_conf {
    const char *id, *key, *certificate, *trust, *unit_ca, *to, *ledger, *lots, *profiles, *head;
    struct cfg_strings crls;
    const struct cfg_node *chain, *issuer;
    int bare_keys;
    int64_t max_age, batch, ask_again, head_every;
    const char *issuer_key, *issuer_certificate;
};

struct unit_own {
    struct unit_conf conf;
    int direct;            /* unit_open_issuer: no messages */
    int keyless;           /* unit_open_keyless */
    int reader;            /* unit_open_reader */
    char *id;              /* what u->id points to */
    struct x509_cert cert; /* of u->chain[0] */
};

struct unit_own *unit_own(const struct unit *u);

/* Each gives ST_OK, or another status after a warning. */
enum status unit_config_read(struct unit *u, const char *path);
/* The role that the file's certificate names; direct: it has none, and is a CA's. */
enum status unit_role_read(const char *path, enum path_role *role, int *direct);
enum status unit_cert_open(struct unit *u);
enum status unit_issuer_open(struct unit *u);

/* The certificates of a file, in its order; 0 after a warning. */
int unit_certs_read(const char *path, struct buf *der, int most);
/* Where a key of the configuration stands, for cfg_bad. */
const struct cfg_node *unit_at(const struct unit *u, const char *key);

#endif
