/* Recorded messages, opened as they were good when they were recorded. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "audit_priv.h"
#include "csr.h"

#define ANY_AGE (1000LL * 365 * 24 * 60 * 60)

int audit_bad(char why[CMS_WHY], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, CMS_WHY, fmt, ap);
    va_end(ap);
    return 0;
}

int audit_layers(struct path *p, struct span der, enum path_role receiver, int64_t now,
                 struct layers *m, char why[CMS_WHY])
{
    const struct layers_rule rule = {receiver, now, ANY_AGE};
    return layers_open(der, p, &rule, m, why) == ST_OK;
}

/* Whom the message of an entry is for. */
static enum path_role receiver(const struct unit *u, enum ledger_kind kind)
{
    switch (kind) {
    case LEDGER_UP:
        return u->role == PATH_VERIFY_UNIT ? PATH_RA_APPROVE : PATH_CA_SIGN;
    case LEDGER_DOWN:
        return u->role == PATH_VERIFY_UNIT ? PATH_ATTACH : PATH_VERIFY_UNIT;
    case LEDGER_LEAF:
    case LEDGER_HELD:
        return PATH_RA_APPROVE;
    case LEDGER_REQUEST:
        return PATH_CA_SIGN;
    default:
        return PATH_VERIFY_UNIT;
    }
}

int audit_open(const struct unit *u, const struct ledger_entry *e, struct layers *m,
               char why[CMS_WHY])
{
    memset(m, 0, sizeof *m);
    if (!u->path)
        return audit_bad(why, "a message in the ledger of a CA that takes none");
    return audit_layers(u->path, e->data, receiver(u, e->kind), e->time, m, why);
}

static const struct cms_layer *leaf_layer(const struct layers *m)
{
    return &m->layer[m->n - 1];
}

static int signed_in(const struct layers *m, const struct x509_cert *cert, struct path *p,
                     int64_t now, char why[CMS_WHY])
{
    const struct cms_layer *l = leaf_layer(m);
    char path_why[PATH_WHY] = "its issuer is not in the answer";
    for (size_t i = 0; i < l->n_certs; i++) {
        struct x509_cert ca;
        if (!x509_cert_view(l->certs[i], &ca) || !buf_same(ca.subject, cert->issuer) ||
            buf_same(l->certs[i], l->signer->chain[0])) /* it has the CA's name, and another key */
            continue;
        EVP_PKEY *key = path_ca_key(p, l->certs[i], l->certs, l->n_certs, now, path_why);
        if (key && x509_signed_by(cert, key))
            return 1;
        if (key)
            snprintf(path_why, sizeof path_why, "its issuer did not sign it");
    }
    return audit_bad(why, "an issued certificate: %s", path_why);
}

int audit_issued_ok(const struct layers *m, struct path *p, int64_t now, char why[CMS_WHY])
{
    for (size_t i = 0; i < m->leaf->n_issued; i++) {
        struct x509_cert cert;
        if (!x509_cert_view(m->issued[i], &cert))
            return audit_bad(why, "an issued certificate is malformed");
        if (!signed_in(m, &cert, p, now, why))
            return 0;
    }
    return 1;
}

int audit_key(const struct layers *m, size_t i, struct span *spki)
{
    const struct cmc_item *it = &m->request->items[i];
    struct csr csr;
    char why[X509_WHY];
    if (it->kind == CMC_KEY)
        *spki = it->der;
    else if (csr_view(it->der, &csr, why))
        *spki = csr.spki;
    else
        return 0;
    return 1;
}

void audit_units(const struct layers *m, struct buf *out)
{
    for (size_t i = m->n; i-- > 0;)
        buf_printf(out, "%s%s", i == m->n - 1 ? "" : " > ", m->layer[i].signer->id);
}

const struct cmc_verdict *audit_verdict(const struct cmc_leaf *leaf, uint32_t id)
{
    for (size_t i = 0; i < leaf->n_status; i++)
        for (size_t k = 0; k < leaf->status[i].n; k++)
            if (leaf->status[i].refs[k].id == id)
                return &leaf->status[i];
    return NULL;
}

struct span audit_certificate(const struct layers *m, uint32_t id)
{
    for (size_t i = 0; i < m->leaf->n_issued; i++)
        if (m->leaf->issued[i].id == id)
            return m->issued[i];
    return (struct span){NULL, 0};
}
