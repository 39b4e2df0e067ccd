/* A unit's configuration (certline-unit(5)) and what it opens: key, certificate, trust, ledger,
 * lots, profiles. */
#ifndef UNIT_H
#define UNIT_H

#include "config.h"
#include "ledger.h"
#include "lot.h"
#include "path.h"
#include "profile.h"
#include "signer.h"

struct unit_stand { /* ca-sign: which units may stand together, and for which lots */
    const char *attach, *verify_unit, *ra_approve;
    struct cfg_strings lots;
};

struct unit {
    enum path_role role;
    struct cfg *cfg;
    const char *id; /* the commonName of its certificate */
    const char *to; /* attach: id of the verify-unit */
    struct cfg_strings from_below,
        from_above;            /* chain: {below: [...], above: [...]}: ids of neighbours */
    struct unit_stand *stands; /* ca-sign: chain: [{attach, verify-unit, ra-approve, lots}] */
    size_t n_stands;
    int bare_keys;     /* bare-keys: yes: this unit lets bare public keys through (default no) */
    int64_t max_age;   /* default 24h */
    int64_t batch;     /* attach: batch, default 64, 1..CMC_ITEMS (1000) */
    int64_t ask_again; /* ra-approve: seconds after which to ask again for what waits for persons */
    int64_t head_every; /* seconds between two signed heads of the ledger, default 60 */
    int64_t head_last;  /* when this process signed its last one; set by unit_open, then by head */
    const char *head_path; /* where heads are kept beside the ledger; NULL: nowhere */
    const char *ledger_path, *lots_path, *profiles_path;
    /* opened by unit_open: */
    struct signer *signer; /* signs messages */
    struct span chain[4];  /* its certificate and intermediates, DER, without the root */
    size_t n_chain;
    struct anchor *anchor;
    struct path *path;
    struct ledger *ledger;
    struct lots *lots;         /* NULL if the file names none */
    struct profiles *profiles; /* NULL likewise */
    /* ca-sign only: */
    struct signer *issuer;       /* signs certificates */
    struct span issuer_chain[4]; /* the CA's certificate first, without the root unless it is the
                                    root itself */
    size_t n_issuer_chain;
    void *own;
};

/* Reads the file (path NULL: /etc/certline/ROLE.yaml) and opens everything in the order of least
 * harm: files, then ledger, then token. Checks that key and certificate belong together, that the
 * certificate has this role and leads to the trust, and warns 30 days before it ends. ST_USAGE or
 * ST_TEMP after a warning. Lots with `pop: witness` are only warned about where bare_keys is no. */
enum status unit_open(enum path_role role, const char *path, struct unit **out);
/* Only the configuration and the parts that `--direct` and `--self-signed` of ca-sign need: see
 * unit_open_issuer. */
enum status
unit_open_issuer(const char *path,
                 struct unit **out); /* ca-sign: issuer, profiles, ledger; no message key */
/* Everything but the unit's own key: for people at its machine, who have theirs. */
enum status unit_open_keyless(enum path_role role, const char *path, struct unit **out);
/* For whoever reads the ledger of any unit: the role comes from the certificate in the file
 * (ca-sign, where it has none but an issuer). Opens trust, with a path for what was signed long
 * ago, the issuer's certificates and the ledger, to be read alone; no key, lots, profiles. The
 * unit's certificate may be long expired. Of a CA for --direct alone, anchor and path are NULL. */
enum status unit_open_reader(const char *path, struct unit **out);
void unit_close(struct unit *u);
/* --check: says what is configured, one line a thing, on stdout. What is wrong was already said,
 * but for lots that cannot be made, whose lists are read for this: ST_USAGE after warnings. */
enum status unit_report(const struct unit *u);

/* Whether the neighbour's id is pinned: below: the one that messages come up from; above: responses
 * down. */
int unit_takes(const struct unit *u, int above, const char *id);
/* ca-sign: whether these three may stand together for this lot. */
int unit_stands(const struct unit *u, const char *attach, const char *verify_unit,
                const char *ra_approve, const char *lot);

#endif
