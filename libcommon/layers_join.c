/* The layers of one message held against each other: what a layer says must be about what is inside
 * it. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "layers_priv.h"
#include "x509.h"

static struct layers_item *item_of(const struct layers *m, const struct cmc_ref *ref)
{
    if (!ref->crm) {
        size_t i = ref->id - CMC_FIRST;
        return ref->id >= CMC_FIRST && i < m->request->n ? &m->items[i] : NULL;
    }
    for (size_t i = 0; i < m->request->n; i++)
        if (m->items[i].crm && m->items[i].crm->id == ref->id)
            return &m->items[i];
    return NULL;
}

/* The key of a crm equals that of exactly one OtherMsg, octet for octet: verify-unit cannot put in
 * its own. */
static int join_crm(struct layers *m, const struct cmc_crm *crm, char why[CMS_WHY])
{
    struct layers_item *to = NULL;
    for (size_t i = 0; i < m->request->n; i++) {
        const struct cmc_item *it = &m->request->items[i];
        if (it->kind != CMC_KEY || !buf_same(it->der, crm->spki))
            continue;
        if (to)
            return layers_bad(why, "verify-unit's request %u: two devices gave this key",
                              (unsigned)crm->id);
        to = &m->items[i];
    }
    if (!to)
        return layers_bad(why, "verify-unit's request %u: no device gave this key",
                          (unsigned)crm->id);
    if (to->crm)
        return layers_bad(why, "verify-unit's request %u: a second one for the same key",
                          (unsigned)crm->id);
    to->crm = crm;
    return 1;
}

static int join_verdict(struct layers *m, enum path_role by, const struct cmc_verdict *v,
                        char why[CMS_WHY])
{
    const char *name = path_role_name(by);
    if (!v->n)
        return layers_bad(why, "%s: a verdict on a poll where there is none", name);
    for (size_t k = 0; k < v->n; k++) {
        struct layers_item *it = item_of(m, &v->refs[k]);
        unsigned id = (unsigned)v->refs[k].id;
        if (!it)
            return layers_bad(why, "%s: a verdict on request %u, which is not in the message", name,
                              id);
        if (it->verdict && it->by == by)
            return layers_bad(why, "%s: two verdicts on request %u", name, id);
        if (it->verdict && v->status == CMC_PENDING)
            return layers_bad(why, "%s: request %u is pending, and refused already", name, id);
        if (it->verdict)
            continue; /* who refused first is heard */
        it->verdict = v;
        it->by = by;
    }
    return 1;
}

/* A pending decision covers the whole message, but for what is refused. */
static int join_pending(const struct layers *m, enum path_role by, size_t pending,
                        char why[CMS_WHY])
{
    const char *name = path_role_name(by);
    if (pending > 1)
        return layers_bad(why, "%s: %zu pending verdicts, not one for all", name, pending);
    if (pending && m->poll)
        return layers_bad(why, "%s: a pending verdict beside a poll that is granted", name);
    for (size_t i = 0; pending && i < m->request->n; i++)
        if (!m->items[i].verdict)
            return layers_bad(why, "%s: a pending verdict that leaves out request %u", name,
                              (unsigned)m->request->items[i].id);
    return 1;
}

static int join_verdicts(struct layers *m, enum path_role by, char why[CMS_WHY])
{
    const struct cmc_wrap *w = m->wrap[by - PATH_VERIFY_UNIT];
    size_t pending = 0;
    for (size_t i = 0; i < w->n_verdicts; i++) {
        if (!join_verdict(m, by, &w->verdicts[i], why))
            return 0;
        pending += w->verdicts[i].status == CMC_PENDING;
    }
    return join_pending(m, by, pending, why);
}

static int join_mods(struct layers *m, char why[CMS_WHY])
{
    const struct cmc_wrap *w = m->wrap[0];
    for (size_t i = 0; i < w->n_mods; i++) {
        const struct cmc_mod *mod = &w->mods[i];
        struct layers_item *it = item_of(m, &mod->ref);
        if (!it || (!mod->ref.crm && m->request->items[it - m->items].kind != CMC_TCR))
            return layers_bad(
                why, "verify-unit: a modCertTemplate for request %u, which is not in the message",
                (unsigned)mod->ref.id);
        it->mod[mod->replace] = mod;
    }
    return 1;
}

int layers_join_up(struct layers *m, char why[CMS_WHY])
{
    if (!m->request)
        return 1; /* layers_poll said all that there is to say */
    m->items = alloc_zero(m->request->n, sizeof *m->items);
    if (!m->wrap[0])
        return 1;
    for (size_t i = 0; i < m->wrap[0]->n_crms; i++)
        if (!join_crm(m, &m->wrap[0]->crms[i], why))
            return 0;
    if (!join_verdicts(m, PATH_VERIFY_UNIT, why) || !join_mods(m, why))
        return 0;
    for (size_t i = 0; i < m->request->n; i++)
        if (m->request->items[i].kind == CMC_KEY && !m->items[i].verdict == !m->items[i].crm)
            return layers_bad(why, "verify-unit: public key %u is not either refused or requested",
                              (unsigned)m->request->items[i].id);
    return !m->wrap[1] || join_verdicts(m, PATH_RA_APPROVE, why);
}

void layers_template(const struct layers *m, size_t i, int has_subject, int has_san,
                     struct span *subject, struct span *san)
{
    *subject = *san = (struct span){NULL, 0};
    for (int replace = 0; replace < 2; replace++) {
        const struct cmc_mod *mod = m->items[i].mod[replace];
        if (!mod)
            continue;
        if (mod->subject.n && (replace || !has_subject))
            *subject = mod->subject;
        if (mod->san.n && (replace || !has_san))
            *san = mod->san;
    }
}

struct bag_cert {
    unsigned char hash[CMS_DIGEST];
    struct x509_cert c;
    int issued; /* listed in responseInfo */
};

struct bag {
    struct bag_cert *v;
    size_t n;
};

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct bag_cert *)a)->hash, ((const struct bag_cert *)b)->hash,
                  CMS_DIGEST);
}

/* Whether another certificate of the bag (only_issued: one that was issued) names the i-th as its
 * issuer. */
static int needed(const struct bag *b, size_t i, int only_issued)
{
    for (size_t k = 0; k < b->n; k++)
        if (k != i && (b->v[k].issued || !only_issued) &&
            buf_same(b->v[k].c.issuer, b->v[i].c.subject))
            return 1;
    return 0;
}

static int has_issuer(const struct layers *m, const struct bag *b, struct span issuer)
{
    const struct path_unit *u = m->layer[m->n - 1].signer;
    struct x509_cert c;
    for (size_t i = 0; i < b->n; i++)
        if (!b->v[i].issued && buf_same(b->v[i].c.subject, issuer))
            return 1;
    for (size_t i = 1; i < u->n_chain;
         i++) /* not its own: that has the CA's name, and another key */
        if (x509_cert_view(u->chain[i], &c) && buf_same(c.subject, issuer))
            return 1;
    return 0;
}

/* No signature covers the bag of the outermost layer. So an issuer must prove itself, none may be
 * there that nothing needs (a root above the CA, a second certificate of one CA), and none may be
 * missing. */
static int check_issuers(const struct layers *m, const struct bag *b, struct path *p, int64_t now,
                         char why[CMS_WHY])
{
    const struct cms_layer *l = &m->layer[m->n - 1];
    char path_why[PATH_WHY];
    for (size_t i = 0; i < b->n; i++) {
        const struct x509_cert *c = &b->v[i].c;
        if (b->v[i].issued) {
            if (!has_issuer(m, b, c->issuer))
                return layers_bad(why, "ca-sign: the issuer of a certificate is not in the answer");
            continue;
        }
        if (!needed(b, i, buf_same(c->subject, c->issuer)))
            return layers_bad(
                why, "ca-sign: a certificate in the answer that is neither issued nor an issuer");
        if (!path_ca_key(p, c->der, l->certs, l->n_certs, now, path_why))
            return layers_bad(why, "ca-sign: an issuer in the answer: %s", path_why);
        for (size_t k = 0; k < i; k++)
            if (!b->v[k].issued && buf_same(b->v[k].c.subject, c->subject))
                return layers_bad(why, "ca-sign: two certificates of one issuer in the answer");
    }
    return 1;
}

static int find_issued(struct layers *m, struct bag *b, char why[CMS_WHY])
{
    m->issued = alloc_zero(m->leaf->n_issued, sizeof *m->issued);
    for (size_t i = 0; i < m->leaf->n_issued; i++) {
        struct bag_cert key = {.issued = 0}, *found = NULL;
        memcpy(key.hash, m->leaf->issued[i].hash, CMS_DIGEST);
        if (b->n)
            found = bsearch(&key, b->v, b->n, sizeof *b->v, by_hash);
        if (!found)
            return layers_bad(why, "ca-sign: the certificate for request %u is not in the answer",
                              (unsigned)m->leaf->issued[i].id);
        found->issued = 1;
        m->issued[i] = found->c.der;
    }
    return 1;
}

int layers_join_down(struct layers *m, struct path *p, int64_t now, char why[CMS_WHY])
{
    const struct cms_layer *l = &m->layer[m->n - 1];
    struct bag b = {alloc_zero(l->n_other, sizeof *b.v), l->n_other};
    int ok = 1;
    for (size_t i = 0; ok && i < b.n; i++) {
        cms_digest(l->other[i], b.v[i].hash);
        ok = x509_cert_view(l->other[i], &b.v[i].c) ||
             layers_bad(why, "ca-sign: a malformed certificate in the answer");
    }
    if (b.n)
        qsort(b.v, b.n, sizeof *b.v, by_hash);
    ok = ok && find_issued(m, &b, why) && check_issuers(m, &b, p, now, why);
    free(b.v);
    return ok;
}
