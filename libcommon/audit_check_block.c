/* One block of evidence: a message, its answer, a grant, or the head of the ledger it is from. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "audit_priv.h"
#include "csr.h"

#define CLOCK_AHEAD 300 /* seconds that the clocks of two units may differ */

static const unsigned char *nonce_of(const struct layers *up, size_t *n)
{
    struct span s = up->poll ? up->poll->nonce : up->request->nonce;
    *n = s.n;
    return s.p;
}

/* What ra-approve was given: verify-unit's message or, of what people granted, its poll. */
static const unsigned char *came_up(const struct layers *up)
{
    return up->n_poll ? up->poll_layer[0].digest : up->layer[1].digest;
}

/* --- lines --- */

struct told {
    const struct layers *down; /* NULL: no answer */
    int64_t time;
    char *units;
};

static char *units(const struct layers *m)
{
    struct buf b = {0};
    audit_units(m, &b);
    return (char *)b.d;
}

/* A profile may add to what verify-unit prescribed, or drop: no fault, but to be seen. */
static char *renamed(const struct layers_item *it, const struct x509_cert *cert)
{
    struct span said = {NULL, 0};
    if (it->mod[1] && it->mod[1]->subject.n)
        said = it->mod[1]->subject;
    else if (it->crm)
        said = it->crm->subject;
    if (said.n <= 2 || buf_same(said, cert->subject))
        return NULL;
    char *is = x509_name_text(cert->subject), *was = x509_name_text(said), *text = NULL;
    if (!is || !was || strcmp(is, was)) /* else the same, written otherwise */
        text = alloc_printf("issued: subject \"%s\", verify-unit prescribed \"%s\"", is ? is : "?",
                            was ? was : "?");
    free(is);
    free(was);
    return text;
}

static char *note(const struct cmc_verdict *v, char *more)
{
    struct buf b = {0};
    if (v && v->text.n)
        buf_put(&b, v->text.p, v->text.n);
    if (more)
        buf_printf(&b, "%s%s", b.n ? "; " : "", more);
    free(more);
    return (char *)b.d;
}

static void line(struct audit_file *c, size_t i, const struct told *t)
{
    const struct cmc_item *it = &c->up.request->items[i];
    const struct cmc_verdict *v = t->down ? audit_verdict(t->down->leaf, it->id) : NULL;
    struct x509_cert cert = {.serial = {NULL, 0}};
    int pending = t->down && (!v || v->status == CMC_PENDING);
    int good =
        v && v->status == CMC_SUCCESS && x509_cert_view(audit_certificate(t->down, it->id), &cert);
    char *device = alloc_copy(it->device.p, it->device.n);
    char *said = note(v, good ? renamed(&c->up.items[i], &cert) : NULL);
    struct audit_row r = {.time = t->time,
                          .status = !t->down  ? "open"
                                    : pending ? "pending"
                                    : good    ? "issued"
                                              : "refused",
                          .device = device,
                          .owner = c->manifest.owner,
                          .lot = c->up.request->lot,
                          .profile = c->up.request->profile,
                          .unit = t->units,
                          .serial = good ? cert.serial : (struct span){NULL, 0},
                          .tid = {c->up.tid, CMC_TID},
                          .note = said};
    int64_t *to = !t->down ? &c->open : pending ? &c->pending : good ? &c->issued : &c->refused;
    ++*to;
    audit_put(&c->out, &r);
    free(device);
    free(said);
}

static void lines(struct audit_file *c, const struct layers *down)
{
    if (!c->up.request) /* a poll that is not granted yet says nothing new */
        return;
    struct told t = {.down = down, .time = c->up.layer[0].signing_time};
    t.units = units(down ? down : &c->up);
    if (down) { /* the way up, and who signed the certificate */
        free(t.units);
        t.time = down->layer[down->n - 1].signing_time;
        char *up = units(&c->up);
        t.units = alloc_printf("%s > %s", up, down->layer[down->n - 1].signer->id);
        free(up);
    }
    for (size_t i = 0; i < c->up.request->n; i++)
        line(c, i, &t);
    free(t.units);
}

/* --- messages --- */

static void close_request(struct audit_file *c)
{
    if (c->up.n && !c->answered)
        lines(c, NULL);
    layers_close(&c->up);
    c->up.n = 0;
}

static int request(struct audit_file *c, struct span der, int64_t time, char why[CMS_WHY])
{
    close_request(c);
    buf_reset(&c->der);
    buf_put(&c->der, der.p, der.n);
    c->answered = 0;
    c->messages++;
    if (!audit_layers(c->path, buf_span(&c->der), PATH_CA_SIGN, time, &c->up, why))
        return 0;
    const char *lot = c->up.request ? c->up.request->lot : c->up.poll->lot;
    if (strcmp(lot, c->manifest.lot))
        return audit_bad(why, "a message of lot \"%.100s\" in the evidence of \"%.100s\"", lot,
                         c->manifest.lot);
    if (c->role == PATH_RA_APPROVE && strcmp(c->up.layer[0].signer->id, c->manifest.unit))
        return audit_bad(why, "a message that %.100s did not send", c->manifest.unit);
    return 1;
}

/* What was issued is for the key that was asked, and for nobody who was refused. */
static int item_ok(const struct audit_file *c, const struct layers *down, size_t i,
                   char why[CMS_WHY])
{
    const struct cmc_item *it = &c->up.request->items[i];
    struct span der = audit_certificate(down, it->id), spki;
    struct x509_cert cert;
    struct csr csr;
    char csr_why[X509_WHY];
    if (!der.n)
        return 1;
    if (c->up.items[i].verdict)
        return audit_bad(why, "request %u was refused on its way, and has a certificate",
                         (unsigned)it->id);
    if (!x509_cert_view(der, &cert) || !audit_key(&c->up, i, &spki))
        return audit_bad(why, "request %u or its certificate is malformed", (unsigned)it->id);
    if (!buf_same(cert.spki, spki))
        return audit_bad(why, "request %u: its certificate is for another key than was asked",
                         (unsigned)it->id);
    if (it->kind == CMC_TCR && (!csr_view(it->der, &csr, csr_why) || !csr_pop(&csr, csr_why)))
        return audit_bad(why, "request %u: %s", (unsigned)it->id, csr_why);
    return 1;
}

static int belongs(const struct audit_file *c, const struct layers *d, char why[CMS_WHY])
{
    const struct cms_layer *leaf = &d->layer[d->n - 1];
    size_t n;
    const unsigned char *nonce = nonce_of(&c->up, &n);
    if (memcmp(d->tid, c->up.tid, CMC_TID) ||
        memcmp(d->leaf->request, c->up.layer[0].digest, CMS_DIGEST) ||
        (d->rwrap[1] && memcmp(d->rwrap[1]->request, came_up(&c->up), CMS_DIGEST)) ||
        !buf_same(d->leaf->recipient_nonce, (struct span){nonce, n}))
        return audit_bad(why, "an answer to another message than the one ahead of it");
    if (cmc_leaf_count(d->leaf) != (c->up.request ? c->up.request->n : 0))
        return audit_bad(why, "an answer that leaves out requests");
    if (c->role == PATH_CA_SIGN ? strcmp(leaf->signer->id, c->manifest.unit)
                                : strcmp(d->layer[0].signer->id, c->manifest.unit))
        return audit_bad(why, "an answer that %.100s did not give", c->manifest.unit);
    if (leaf->signing_time + CLOCK_AHEAD < c->up.layer[0].signing_time)
        return audit_bad(why, "an answer that is older than its message");
    return 1;
}

static int answer(struct audit_file *c, struct span der, int64_t time, char why[CMS_WHY])
{
    struct layers d = {0};
    enum path_role to = c->role == PATH_CA_SIGN ? PATH_RA_APPROVE : PATH_VERIFY_UNIT;
    if (!c->up.n || c->answered)
        return audit_bad(why, "an answer without a message ahead of it");
    int ok = audit_layers(c->path, der, to, time, &d, why) && belongs(c, &d, why) &&
             audit_issued_ok(&d, c->path, time, why);
    for (size_t i = 0; ok && c->up.request && i < c->up.request->n; i++)
        ok = item_ok(c, &d, i, why);
    if (ok)
        lines(c, &d);
    c->answered = ok;
    layers_close(&d);
    return ok;
}

static int grant(struct audit_file *c, struct span der, int64_t time, char why[CMS_WHY])
{
    struct audit_grant g = {0};
    int ok = c->up.request ? audit_grant_open(c->path, der, time, &g, why)
                           : audit_bad(why, "a grant without a message ahead of it");
    if (ok && (memcmp(g.message, c->up.layer[1].digest, CMS_DIGEST) ||
               memcmp(g.tid, c->up.tid, CMC_TID) || strcmp(g.lot, c->up.request->lot) ||
               strcmp(g.unit, c->up.layer[0].signer->id) ||
               strcmp(g.attach, layers_signer(&c->up, PATH_ATTACH)->id) ||
               (size_t)g.requests != c->up.request->n))
        ok = audit_bad(why, "the grant of %.100s is for another message than the one ahead of it",
                       g.layer.signer->id);
    if (ok && g.layer.signing_time < c->up.layer[1].signing_time - CLOCK_AHEAD)
        ok = audit_bad(why, "the grant of %.100s is older than the message", g.layer.signer->id);
    if (ok && g.layer.signing_time > c->up.layer[0].signing_time + CLOCK_AHEAD)
        ok = audit_bad(why, "the grant of %.100s is younger than what it granted",
                       g.layer.signer->id);
    c->grants++;
    audit_grant_free(&g);
    return ok;
}

static int head(struct audit_file *c, struct span der, char why[CMS_WHY])
{
    struct head *h = head_open(der, c->path, why);
    int ok = h != NULL;
    if (ok && (strcmp(h->unit, c->manifest.unit) || h->role != c->role))
        ok = audit_bad(why, "the head of another unit's ledger");
    if (ok && c->headed++)
        ok = audit_bad(why, "a second head");
    head_free(h);
    return ok;
}

enum status audit_check_block(struct audit_file *c, struct span der, struct cms *cms)
{
    char why[CMS_WHY] = "";
    int64_t time = cms_peek_time(cms);
    int ok = 0;
    switch (cms_peek_type(cms)) {
    case CMS_PKI_DATA:
        ok = request(c, der, time, why);
        break;
    case CMS_PKI_RESPONSE:
        ok = answer(c, der, time, why);
        break;
    case CMS_GRANT:
        ok = grant(c, der, time, why);
        break;
    case CMS_HEAD:
        ok = head(c, der, why);
        break;
    case CMS_EVIDENCE: /* verified the first time */
        ok = 1;
        break;
    }
    return ok ? ST_OK : audit_check_bad(c, why);
}

enum status audit_check_end(struct audit_file *c)
{
    close_request(c);
    return c->headed ? ST_OK : audit_check_bad(c, "no head of the ledger is in it");
}

void audit_check_free(struct audit_file *c)
{
    layers_close(&c->up);
    audit_manifest_free(&c->manifest);
    buf_free(&c->der);
    free(c->blocks);
    if (c->fd >= 0)
        close(c->fd);
}
