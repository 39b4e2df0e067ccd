/* Whether what is recorded verifies today: signatures and paths at the time of the entry, and that
 * the columns of an entry say what is in it. */
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "audit_priv.h"
#include "clock.h"
#include "progress.h"

#define PROBLEMS 100

void audit_problem(struct audit_tally *t, const char *where, int64_t entry, const char *why)
{
    t->problems++;
    if (t->problems <= PROBLEMS)
        diag_warn("%s: entry %lld: %s", where, (long long)entry, why);
    if (t->problems == PROBLEMS)
        diag_warn("%s: what else is wrong is not shown", where);
}

static int same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static struct span digest_span(const unsigned char d[CMS_DIGEST])
{
    return (struct span){d, CMS_DIGEST};
}

static int is_own(enum ledger_kind k)
{
    return k != LEDGER_REQUEST && k != LEDGER_HELD;
}

/* --- messages --- */

static int up_fits(const struct layers *m, const struct ledger_entry *e, char why[CMS_WHY])
{
    const struct cms_layer *attach = &m->layer[m->n - 1];
    const char *lot = m->request ? m->request->lot : m->poll->lot;
    const char *profile = m->request ? m->request->profile : m->poll->profile;
    if (e->unit && strcmp(e->unit, attach->signer->id))
        return audit_bad(why, "recorded as of %.100s, but signed by %.100s", e->unit,
                         attach->signer->id);
    if (e->kind == LEDGER_UP && m->request && !m->poll &&
        !buf_same(e->key, digest_span(attach->digest)))
        return audit_bad(why, "another message of attach's than the one recorded");
    if (!same_text(e->lot, lot) || !same_text(e->profile, profile))
        return audit_bad(why, "recorded for another lot or profile than the message names");
    return 1;
}

static int down_fits(const struct unit *u, const struct layers *m, const struct ledger_entry *e,
                     char why[CMS_WHY])
{
    if (e->kind == LEDGER_LEAF && !buf_same(e->digest_in, digest_span(m->leaf->request)))
        return audit_bad(why, "an answer to another message than the one recorded");
    return audit_issued_ok(m, u->path, e->time, why);
}

static int message_ok(const struct unit *u, const struct ledger_entry *e, char why[CMS_WHY])
{
    struct layers m;
    int ok = audit_open(u, e, &m, why);
    struct span digest = is_own(e->kind) ? e->digest_out : e->digest_in;
    if (ok && !buf_same(digest, digest_span(m.layer[0].digest)))
        ok = audit_bad(why, "not the message whose digest is recorded");
    if (ok && !buf_same(e->tid, (struct span){m.tid, CMC_TID}))
        ok = audit_bad(why, "recorded under another transactionId");
    if (ok && is_own(e->kind) && strcmp(m.layer[0].signer->id, u->id))
        ok = audit_bad(why, "signed by %.100s, not by this unit", m.layer[0].signer->id);
    if (ok)
        ok = m.direction == LAYERS_UP ? up_fits(&m, e, why) : down_fits(u, &m, e, why);
    layers_close(&m);
    return ok;
}

static int grant_ok(const struct unit *u, const struct ledger_entry *e, char why[CMS_WHY])
{
    struct audit_grant g;
    unsigned char key[X509_HASH];
    int ok = u->path ? audit_grant_open(u->path, e->data, e->time, &g, why)
                     : (memset(&g, 0, sizeof g), audit_bad(why, "a grant in the ledger of a CA"));
    if (ok)
        x509_key_hash(g.layer.signer->cert.spki, key);
    if (ok && (strcmp(g.unit, u->id) || !same_text(e->unit, g.attach) ||
               !same_text(e->lot, g.lot) || !buf_same(e->tid, (struct span){g.tid, CMC_TID}) ||
               !buf_same(e->digest_in, digest_span(g.message)) || e->status != g.decision ||
               !same_text(e->note, g.why) || !same_text(e->device, g.layer.signer->id) ||
               !buf_same(e->key, (struct span){key, sizeof key})))
        ok = audit_bad(why, "the grant of %.100s says something else than what is recorded",
                       g.layer.signer->id);
    audit_grant_free(&g);
    return ok;
}

/* --- certificates --- */

static void hex_id(struct span spki, char out[41])
{
    unsigned char id[20] = {0};
    x509_key_id(spki, id);
    for (int i = 0; i < 20; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

/* The issuer's key: that of the configuration, or the certificate's own where it signed itself. */
static EVP_PKEY *issuer_key(const struct unit *u, const struct x509_cert *cert, const char *note)
{
    struct x509_cert ca;
    char id[41];
    if (u->n_issuer_chain && x509_cert_view(u->issuer_chain[0], &ca)) {
        hex_id(ca.spki, id);
        if (same_text(id, note))
            return x509_key_get0(ca.spki);
    }
    if (!cert || !buf_same(cert->issuer, cert->subject))
        return NULL;
    hex_id(cert->spki, id);
    return same_text(id, note) ? x509_key_get0(cert->spki) : NULL;
}

static int issued_ok(const struct unit *u, const struct ledger_entry *e, struct audit_tally *t,
                     char why[CMS_WHY])
{
    struct x509_cert cert;
    unsigned char key[X509_HASH];
    if (!x509_cert_view(e->data, &cert))
        return audit_bad(why, "a malformed certificate");
    x509_key_hash(cert.spki, key);
    if (!buf_same(cert.serial, e->serial) || cert.not_after != e->status ||
        !buf_same(e->key, (struct span){key, sizeof key}))
        return audit_bad(why, "the certificate is not the one recorded");
    EVP_PKEY *ca = issuer_key(u, &cert, e->note);
    if (!ca) {
        t->others++;
        return 1;
    }
    return x509_signed_by(&cert, ca) ||
           audit_bad(why, "a certificate that its issuer did not sign");
}

/* Its issuer is in the answer, which attach does not keep. */
static int received_ok(const struct ledger_entry *e, struct audit_tally *t, char why[CMS_WHY])
{
    struct x509_cert cert;
    t->others++;
    if (!x509_cert_view(e->data, &cert))
        return audit_bad(why, "a malformed certificate");
    return buf_same(cert.serial, e->serial) ||
           audit_bad(why, "the certificate is not the one recorded");
}

static int crl_ok(const struct unit *u, const struct ledger_entry *e, struct audit_tally *t,
                  char why[CMS_WHY])
{
    const unsigned char *p = e->data.p;
    EVP_PKEY *ca = issuer_key(u, NULL, e->note);
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)e->data.n);
    unsigned char digest[CMS_DIGEST];
    cms_digest(e->data, digest);
    int ok = 1;
    if (!crl || !buf_same(e->digest_out, digest_span(digest)))
        ok = audit_bad(why, "the CRL is not the one recorded");
    else if (!ca)
        t->others++;
    else if (X509_CRL_verify(crl, ca) != 1)
        ok = audit_bad(why, "a CRL that its issuer did not sign");
    X509_CRL_free(crl);
    return ok;
}

/* --- all --- */

struct pass {
    struct unit *u;
    struct audit_tally *t;
};

static int each(const struct ledger_entry *e, void *arg)
{
    struct pass *p = arg;
    char why[CMS_WHY] = "";
    int ok;
    if (p->u->path)
        path_trim(p->u->path);
    switch (e->kind) {
    case LEDGER_ISSUED:
    case LEDGER_RECEIVED:
        p->t->certificates++;
        ok = e->kind == LEDGER_ISSUED ? issued_ok(p->u, e, p->t, why) : received_ok(e, p->t, why);
        break;
    case LEDGER_CRL:
        ok = crl_ok(p->u, e, p->t, why);
        break;
    case LEDGER_GRANT:
        p->t->grants++;
        ok = grant_ok(p->u, e, why);
        break;
    default:
        p->t->messages++;
        ok = message_ok(p->u, e, why);
    }
    if (!ok)
        audit_problem(p->t, p->u->ledger_path, e->id, why);
    progress_step(1);
    return 1;
}

enum status audit_entries(struct unit *u, int64_t last, struct audit_tally *t)
{
    struct pass p = {u, t};
    struct ledger_filter f = {.kinds = AUDIT_MESSAGES | AUDIT_BIT(LEDGER_ISSUED) |
                                       AUDIT_BIT(LEDGER_RECEIVED) | AUDIT_BIT(LEDGER_GRANT) |
                                       AUDIT_BIT(LEDGER_CRL),
                              .last = last};
    return ledger_scan(u->ledger, &f, each, &p);
}
