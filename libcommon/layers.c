#include "layers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "layers_priv.h"

int layers_bad(char why[CMS_WHY], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, CMS_WHY, fmt, ap);
    va_end(ap);
    return 0;
}

/* Who signed the i-th layer from the outside of what `receiver` is sent; -1: no such layer. */
static int role_at(enum layers_direction dir, enum path_role receiver, size_t i)
{
    int r = dir == LAYERS_UP ? (int)receiver - 1 - (int)i : (int)receiver + 1 + (int)i;
    return r < PATH_ATTACH || r > PATH_CA_SIGN ? -1 : r;
}

const struct path_unit *layers_signer(const struct layers *m, enum path_role role)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->layer[i].signer->role == role)
            return m->layer[i].signer;
    return NULL;
}

const unsigned char *layers_answers(const struct layers *m)
{
    return m->rwrap[0]   ? m->rwrap[0]->request
           : m->rwrap[1] ? m->rwrap[1]->request
                         : m->leaf->request;
}

static int fresh(const struct cms_layer *l, const struct layers_rule *rule, char why[CMS_WHY])
{
    char t[CLOCK_TEXT];
    clock_format(l->signing_time, t);
    if (l->signing_time > rule->now + LAYERS_CLOCK_AHEAD)
        return layers_bad(why, "signed at %s, which is more than %d seconds ahead", t,
                          LAYERS_CLOCK_AHEAD);
    if (l->signing_time < rule->now - rule->max_age)
        return layers_bad(why, "signed at %s, which is more than %lld seconds ago", t,
                          (long long)rule->max_age);
    return 1;
}

/* Decodes the content of layer i; *inner is what it wraps, empty in the innermost. */
static int open_content(struct layers *m, size_t i, enum path_role role, struct span *inner,
                        char why[CMS_WHY])
{
    const struct cms_layer *l = &m->layer[i];
    char w[CMC_WHY] = "";
    *inner = (struct span){NULL, 0};
    if (m->direction == LAYERS_UP && role == PATH_ATTACH && cmc_is_poll(l)) {
        m->poll = cmc_poll_open(l, w);
        m->tid = m->poll ? m->poll->tid : NULL;
    } else if (m->direction == LAYERS_UP && role == PATH_ATTACH) {
        m->request = cmc_request_open(l, w);
        m->tid = m->request ? m->request->tid : NULL;
    } else if (m->direction == LAYERS_UP) {
        struct cmc_wrap *wrap = m->wrap[role - PATH_VERIFY_UNIT] = cmc_wrap_open(l, role, w);
        m->tid = wrap ? wrap->tid : NULL;
        *inner = wrap ? wrap->inner : *inner;
    } else if (role == PATH_CA_SIGN) {
        m->leaf = cmc_leaf_open(l, w);
        m->tid = m->leaf ? m->leaf->tid : NULL;
    } else {
        struct cmc_rwrap *wrap = m->rwrap[role - PATH_VERIFY_UNIT] = cmc_rwrap_open(l, w);
        m->tid = wrap ? wrap->tid : NULL;
        *inner = wrap ? wrap->inner : *inner;
    }
    return m->tid || layers_bad(why, "%s", w);
}

int layers_type_fits(const struct cms *c, enum layers_direction dir, char why[CMS_WHY])
{
    enum cms_type type = cms_peek_type(c),
                  want = dir == LAYERS_UP ? CMS_PKI_DATA : CMS_PKI_RESPONSE;
    if (type != CMS_PKI_DATA && type != CMS_PKI_RESPONSE)
        return layers_bad(why, "the content is neither PKIData nor PKIResponse");
    return type == want || layers_bad(why, "a request around a response, or the other way");
}

/* One layer: form, direction, signature and role, age, content. */
static int open_layer(struct layers *m, struct span der, struct path *p,
                      const struct layers_rule *rule, struct span *inner, char why[CMS_WHY])
{
    size_t i = m->n;
    enum path_role role = (enum path_role)role_at(m->direction, rule->receiver, i);
    char w[CMS_WHY];
    const unsigned char *tid = m->tid;
    if (!m->cms[i]) /* the outermost was opened to see the direction */
        m->cms[i] = cms_parse(der, w);
    if (!m->cms[i])
        goto bad;
    if (!layers_type_fits(m->cms[i], m->direction, w))
        goto bad;
    if (!cms_verify(m->cms[i], p, role, rule->now, &m->layer[i], w) ||
        (i == 0 && !fresh(&m->layer[i], rule, w)))
        goto bad;
    m->n++;
    if (!open_content(m, i, role, inner, w))
        goto bad;
    if (tid && memcmp(tid, m->tid, CMC_TID)) {
        layers_bad(w, "another transactionId than the layer around it");
        goto bad;
    }
    return 1;
bad:
    return layers_bad(why, "layer %zu (%s): %s", i + 1, path_role_name(role), w);
}

enum status layers_open(struct span der, struct path *p, const struct layers_rule *rule,
                        struct layers *out, char why[CMS_WHY])
{
    memset(out, 0, sizeof *out);
    out->cms[0] = cms_parse(der, why);
    if (!out->cms[0])
        return ST_INPUT;
    out->direction = cms_peek_type(out->cms[0]) == CMS_PKI_RESPONSE ? LAYERS_DOWN : LAYERS_UP;
    if (!layers_type_fits(out->cms[0], out->direction, why))
        return ST_INPUT;
    if (role_at(out->direction, rule->receiver, 0) < 0) {
        layers_bad(why, "a %s, which %s does not take",
                   out->direction == LAYERS_UP ? "request" : "response",
                   path_role_name(rule->receiver));
        return ST_INPUT;
    }
    while (role_at(out->direction, rule->receiver, out->n) >= 0) {
        struct span inner;
        if (!open_layer(out, der, p, rule, &inner, why))
            return ST_INPUT;
        der = inner;
    }
    int ok = out->direction == LAYERS_UP
                 ? layers_poll(out, p, rule->now, why) && layers_join_up(out, why)
                 : layers_join_down(out, p, rule->now, why);
    return ok ? ST_OK : ST_INPUT;
}

void layers_close(struct layers *m)
{
    cmc_request_free(m->request);
    cmc_poll_free(m->poll);
    cmc_wrap_free(m->poll_wrap);
    cmc_leaf_free(m->leaf);
    for (int i = 0; i < 2; i++) {
        cms_free(m->poll_cms[i]);
        cmc_wrap_free(m->wrap[i]);
        cmc_rwrap_free(m->rwrap[i]);
    }
    for (size_t i = 0; i < LAYERS_MOST; i++)
        cms_free(m->cms[i]);
    free(m->items);
    free(m->issued);
    memset(m, 0, sizeof *m);
}
