/* What the audit*.c files share. */
#ifndef AUDIT_PRIV_H
#define AUDIT_PRIV_H

#include "audit.h"
#include "diag.h"
#include "head.h"
#include "layers.h"

/* --- lines --- */

struct audit_row {
    int64_t time, requests; /* requests: of a message; 0: the line is a device's */
    const char *status, *device, *owner, *lot, *profile, *unit, *note;
    struct span serial, tid;
};
struct audit_out {
    enum audit_form form;
    int messages; /* the lines are messages */
    struct buf text;
    int64_t n;
};
/* The heading, where the form has one. */
void audit_start(struct audit_out *o);
void audit_put(struct audit_out *o, const struct audit_row *r);
/* Writes what is left, and frees. */
void audit_flush(struct audit_out *o);
/* Whether the line is asked for. */
int audit_wanted(const struct audit_filter *f, const struct audit_row *r);

/* --- entries, some at a time, so that others can be looked up for each --- */

#define AUDIT_PULL 64
struct audit_batch {
    size_t n;
    struct ledger_entry e[AUDIT_PULL];
    void *block[AUDIT_PULL];
};
/* The next ones; n 0 at the end. f->after moves on. */
enum status audit_pull(struct ledger *l, struct ledger_filter *f, struct audit_batch *b);
void audit_drop(struct audit_batch *b);

/* --- lists --- */

struct audit_lister {
    struct unit *u;
    const struct audit_filter *f;
    struct audit_out out;
    struct ledger_through *through; /* ca-sign, with a unit to look for */
    int64_t problems;
};
/* Prints the line if it is asked for. */
void audit_line(struct audit_lister *l, const struct audit_row *r);
enum status audit_list_attach(struct audit_lister *l);
enum status audit_list_messages(struct audit_lister *l);

/* --- messages --- */

int audit_bad(char why[CMS_WHY], const char *fmt, ...) DIAG_PRINTF(2, 3); /* returns 0 */
/* Opens a message as it was good at `now`; receiver: whom it is for. 0 with why set; layers_close
 * in every case. */
int audit_layers(struct path *p, struct span der, enum path_role receiver, int64_t now,
                 struct layers *m, char why[CMS_WHY]);
/* The same for what an entry holds: LEDGER_SENT, _POLL, _UP, _DOWN, _LEAF, _REQUEST, _HELD. */
int audit_open(const struct unit *u, const struct ledger_entry *e, struct layers *m,
               char why[CMS_WHY]);
#define AUDIT_BIT(kind) (1u << (kind))
#define AUDIT_MESSAGES                                                                             \
    (AUDIT_BIT(LEDGER_SENT) | AUDIT_BIT(LEDGER_POLL) | AUDIT_BIT(LEDGER_UP) |                      \
     AUDIT_BIT(LEDGER_DOWN) | AUDIT_BIT(LEDGER_LEAF) | AUDIT_BIT(LEDGER_REQUEST) |                 \
     AUDIT_BIT(LEDGER_HELD))
/* Whether the certificates of an answer are signed by their issuers in it, which lead to the trust.
 */
int audit_issued_ok(const struct layers *m, struct path *p, int64_t now, char why[CMS_WHY]);
/* The public key that item i of a request asks to be certified. 0: malformed. */
int audit_key(const struct layers *m, size_t i, struct span *spki);
/* "Lab ca" of each layer's signer, from attach up, " > " between. */
void audit_units(const struct layers *m, struct buf *out);
/* What an answer says of request `id`; NULL: nothing. */
const struct cmc_verdict *audit_verdict(const struct cmc_leaf *leaf, uint32_t id);
/* The certificate that an answer brings for request `id`; empty: none. */
struct span audit_certificate(const struct layers *m, uint32_t id);

/* What a person decided. */
struct audit_grant {
    struct cms *cms;
    struct cms_layer layer;          /* the person's */
    char *unit, *attach, *lot, *why; /* why NULL: none */
    unsigned char tid[CMC_TID], message[CMS_DIGEST];
    int64_t requests, decision;
};
/* 0 with why set; audit_grant_free in every case. */
int audit_grant_open(struct path *p, struct span der, int64_t now, struct audit_grant *g,
                     char why[CMS_WHY]);
void audit_grant_free(struct audit_grant *g);

/* --- verifying --- */

struct audit_tally {
    int64_t entries, heads, messages, certificates, grants, others; /* others: of other issuers */
    int64_t problems;
};
/* A warning that names the entry; the hundredth is the last. */
void audit_problem(struct audit_tally *t, const char *where, int64_t entry, const char *why);
/* Every entry that holds something signed, heads left out; up to `last`. */
enum status audit_entries(struct unit *u, int64_t last, struct audit_tally *t);
/* The heads of the ledger; *covered: the last entry that they cover. */
enum status audit_heads(struct unit *u, int64_t last, struct audit_tally *t, int64_t *covered,
                        int64_t *time);
/* The heads of a file; last: the ledger's last entry. */
enum status audit_heads_file(struct unit *u, const char *file, int64_t last, struct audit_tally *t);

/* --- the path of a device, in words --- */

struct audit_path {
    struct unit *u;
    const char *device;
    struct buf out;
    uint32_t part; /* the device's number in the transaction at hand; 0: not known yet */
    int64_t problems;
};
/* One line, indented; what is quoted may be hostile. */
void audit_path_say(struct audit_path *p, int indent, const char *fmt, ...) DIAG_PRINTF(3, 4);
/* A warning that names the entry. */
void audit_path_problem(struct audit_path *p, int64_t entry, const char *why);
void audit_path_certificate(struct audit_path *p, struct span der);
/* An entry, and whether what is signed in it is good. */
void audit_path_entry(struct audit_path *p, const struct ledger_entry *e);

/* --- evidence --- */

struct audit_manifest {
    char *unit, *owner, *lot;
    int64_t time, part;
    int last;
    unsigned char before[CMS_DIGEST], digest[CMS_DIGEST];
    size_t n;
    unsigned char (*blocks)[CMS_DIGEST];
};
void audit_manifest_put(const struct audit_manifest *m, struct buf *out);
/* Opens a verified layer. 0: not the octets that audit_manifest_put makes of it; audit_manifest_free
 * in every case. */
int audit_manifest_take(struct span content, struct audit_manifest *m);
void audit_manifest_free(struct audit_manifest *m);

/* --- checking it --- */

/* A file of evidence while it is read. */
struct audit_file {
    const char *name;
    int fd;
    unsigned long line; /* of the block at hand */
    struct path *path;
    enum path_role role;                 /* of the unit that exported */
    struct audit_manifest manifest;      /* the last one read */
    unsigned char (*blocks)[CMS_DIGEST]; /* read since */
    size_t n;
    /* the second time: */
    struct audit_out out;
    struct buf der;   /* of the message at hand */
    struct layers up; /* it; up.n 0: none yet */
    int answered, headed;
    int64_t messages, grants, issued, refused, pending, open;
};
enum status audit_check_bad(const struct audit_file *c, const char *why); /* ST_INPUT */
/* One block in full, whose line is printed once it is found good. */
enum status audit_check_block(struct audit_file *c, struct span der, struct cms *cms);
enum status audit_check_end(struct audit_file *c);
void audit_check_free(struct audit_file *c);

#endif
