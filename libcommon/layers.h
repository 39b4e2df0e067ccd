/* A message opened layer by layer: every signature, signer, role and their order verified, and the
 * layers held against each other (certline-message(5)). A judge sees nothing else of a message. */
#ifndef LAYERS_H
#define LAYERS_H

#include "cmc.h"
#include "cms.h"
#include "path.h"

#define LAYERS_MOST 3
#define LAYERS_CLOCK_AHEAD 300 /* seconds that a neighbour's clock may be ahead */

enum layers_direction { LAYERS_UP, LAYERS_DOWN };

/* What the units below decided for one request; upward. */
struct layers_item {
    const struct cmc_verdict *verdict; /* NULL: nobody refused; CMC_PENDING: then no item is NULL */
    enum path_role by;                 /* who did */
    const struct cmc_crm *crm;         /* the request that verify-unit made for a bare key */
    const struct cmc_mod *mod[2];      /* [replace] */
};

struct layers {
    enum layers_direction direction;
    size_t n; /* layers, outermost first */
    struct cms_layer layer[LAYERS_MOST];
    struct cms *cms[LAYERS_MOST];
    const unsigned char *tid; /* CMC_TID octets, the same in every layer */
    /* upward: layer[] leads to attach's request or, where it stands alone, to its poll */
    struct cmc_request *request; /* attach's, the innermost; NULL: a poll that is not granted */
    struct cmc_poll *poll;       /* NULL: no poll. With `request`: that which is answered at last */
    /* ra-approve's word on a poll that stands alone: pending, or failed where nothing waits for it
     */
    const struct cmc_verdict *poll_pending;
    size_t n_poll;                  /* layers of the poll beside a request */
    struct cms_layer poll_layer[2]; /* verify-unit's, attach's */
    struct cms *poll_cms[2];
    struct cmc_wrap *poll_wrap;
    struct cmc_wrap *wrap[2];  /* [0] verify-unit's, [1] ra-approve's; NULL where not there */
    struct layers_item *items; /* one for each of request->items */
    /* downward */
    struct cmc_leaf *leaf;      /* ca-sign's, the innermost */
    struct cmc_rwrap *rwrap[2]; /* [0] verify-unit's, [1] ra-approve's */
    struct span *issued;        /* the certificate of each of leaf->issued */
};

/* The unit that signed the layer of this role; NULL if there is no such layer. */
const struct path_unit *layers_signer(const struct layers *m, enum path_role role);
/* The digest by which the outermost signer names the request that it answers. Downward only. */
const unsigned char *layers_answers(const struct layers *m);

struct layers_rule {
    enum path_role receiver;
    int64_t now, max_age; /* seconds: how old the neighbour's signature may be */
};
/* Opens it. `der` is borrowed and must outlive `out`. ST_INPUT with `why` set, which names the
 * layer by its number from the outside and its role. Free with layers_close in every case. */
enum status layers_open(struct span der, struct path *p, const struct layers_rule *rule,
                        struct layers *out, char why[CMS_WHY]);
void layers_close(struct layers *m);

/* What modCertTemplate puts into item i, empty where nothing: `has_subject`, `has_san` say what the
 * request itself names (replace FALSE fills only what it does not). */
void layers_template(const struct layers *m, size_t i, int has_subject, int has_san,
                     struct span *subject, struct span *san);

#endif
