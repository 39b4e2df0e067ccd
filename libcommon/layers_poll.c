/* Polls: alone on their way up, or beside the message that was granted (certline-message(5)). */
#include <string.h>

#include "layers_priv.h"

/* verify-unit passes a poll on and adds nothing. */
static int wrap_is_bare(const struct cmc_wrap *w, char why[CMS_WHY])
{
    return !(w->n_verdicts || w->n_mods || w->n_crms) ||
           layers_bad(why, "verify-unit: a verdict, a template or a request around a poll");
}

/* Nothing is decided yet, or the poll asks after nothing that waits: one word on all of it. */
static int join_alone(struct layers *m, char why[CMS_WHY])
{
    const struct cmc_wrap *ra = m->wrap[1];
    if (m->wrap[0] && !wrap_is_bare(m->wrap[0], why))
        return 0;
    if (!ra)
        return 1;
    if (ra->poll.n)
        return layers_bad(why, "ra-approve: a poll beside a poll");
    if (ra->n_verdicts != 1 || ra->verdicts[0].n)
        return layers_bad(why, "ra-approve: not one verdict on the whole transaction of a poll");
    m->poll_pending = &ra->verdicts[0];
    return 1;
}

/* One layer of the poll that stands beside a request. The age of what waited for people does not
 * matter; that its signer is good today does. */
static int open_layer(struct layers *m, struct span der, struct path *p, int64_t now,
                      char why[CMS_WHY])
{
    size_t i = m->n_poll;
    enum path_role role = i == 0 ? PATH_VERIFY_UNIT : PATH_ATTACH;
    struct cms_layer *l = &m->poll_layer[i];
    const unsigned char *tid = NULL;
    char w[CMS_WHY];
    m->poll_cms[i] = cms_parse(der, w);
    if (!m->poll_cms[i])
        goto bad;
    if (!layers_type_fits(m->poll_cms[i], LAYERS_UP, w) ||
        !cms_verify(m->poll_cms[i], p, role, now, l, w))
        goto bad;
    m->n_poll++;
    if (role == PATH_VERIFY_UNIT)
        tid = (m->poll_wrap = cmc_wrap_open(l, role, w)) ? m->poll_wrap->tid : NULL;
    else
        tid = (m->poll = cmc_poll_open(l, w)) ? m->poll->tid : NULL;
    if (tid && memcmp(tid, m->tid, CMC_TID))
        layers_bad(w, "another transactionId than the message beside it");
    else if (tid)
        return 1;
bad:
    return layers_bad(why, "the poll's layer %zu (%s): %s", i + 2, path_role_name(role), w);
}

/* The poll asks after the message that stands beside it, and no other. */
static int join_beside(struct layers *m, char why[CMS_WHY])
{
    const struct cmc_request *r = m->request;
    const struct cmc_poll *q = m->poll;
    for (size_t i = 0; i < 2; i++) {
        const struct path_unit *a = m->layer[i + 1].signer, *b = m->poll_layer[i].signer;
        if (strcmp(a->id, b->id))
            return layers_bad(why, "a poll of %s beside a message of %s", b->id, a->id);
    }
    if (memcmp(r->run, q->run, CMC_RUN) || strcmp(r->lot, q->lot) ||
        strcmp(r->profile, q->profile) || strcmp(r->to, q->to))
        return layers_bad(why, "a poll for another run, lot, profile or unit than the message "
                               "beside it");
    return wrap_is_bare(m->poll_wrap, why);
}

int layers_poll(struct layers *m, struct path *p, int64_t now, char why[CMS_WHY])
{
    if (!m->request)
        return join_alone(m, why);
    if (!m->wrap[1] || !m->wrap[1]->poll.n)
        return 1;
    return open_layer(m, m->wrap[1]->poll, p, now, why) &&
           open_layer(m, m->poll_wrap->inner, p, now, why) && join_beside(m, why);
}
