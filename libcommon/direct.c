#include "direct.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csr.h"
#include "diag.h"
#include "io.h"
#include "issue.h"
#include "pem.h"
#include "unit.h"

struct job {
    struct unit *u;
    const struct profile *profile;
    struct buf subject, der, device;
    struct profile_asked asked;
};

static enum status job_open(const struct direct *d, struct job *j)
{
    char why[X509_WHY];
    enum status st = unit_open_issuer(d->config, &j->u);
    if (st != ST_OK)
        return st;
    j->profile = profiles_find(j->u->profiles, d->profile);
    if (!j->profile) {
        diag_warn("profile \"%s\" is not known", d->profile);
        return ST_USAGE;
    }
    if (d->subject && !x509_name_parse(d->subject, &j->subject, why)) {
        diag_warn("--subject: %s", why);
        return ST_USAGE;
    }
    return ST_OK;
}

static void job_close(struct job *j)
{
    buf_free(&j->subject);
    buf_free(&j->der);
    buf_free(&j->device);
    unit_close(j->u);
}

static enum status read_request(struct job *j, struct csr *csr)
{
    struct pem *in = pem_open(0, CSR_MAX, 0);
    struct pem_block b;
    char why[X509_WHY] = "";
    enum status st = ST_INPUT;
    enum pem_result r = pem_next(in, &b, 1);
    if (r == PEM_FAIL) {
        diag_warn("stdin: %s", strerror(errno));
        st = ST_TEMP;
    } else if (r == PEM_END && pem_ended(in) != ST_OK) {
        st = io_stopping() ? ST_TEMP : ST_EMPTY;
    } else if (r != PEM_BLOCK) {
        diag_warn("stdin:%lu: %s", r == PEM_BAD ? b.line : 1,
                  r == PEM_BAD ? b.why : "no PEM block");
    } else if (strcmp(b.label, "CERTIFICATE REQUEST") &&
               strcmp(b.label, "NEW CERTIFICATE REQUEST")) {
        diag_warn("stdin:%lu: a block \"%s\" where CERTIFICATE REQUEST is read", b.line, b.label);
    } else {
        unsigned long line = b.line;
        buf_put(&j->der, b.der, b.n);
        if (!csr_view(buf_span(&j->der), csr, why))
            diag_warn("stdin:%lu: %s", line, why);
        else if (pem_next(in, &b, 1) != PEM_END)
            diag_warn("stdin:%lu: more than one request", line);
        else
            st = ST_OK;
    }
    pem_close(in);
    return st;
}

/* The device's id by the profile's rule; who has none (a root of O and C alone) goes by the whole
 * subject. */
static void name_device(struct job *j)
{
    char why[X509_WHY];
    struct span subject = j->asked.set_subject.n ? j->asked.set_subject : j->asked.subject;
    if (profile_device(j->profile, subject, j->asked.extensions, &j->device, why))
        return;
    char *text = x509_name_text(subject);
    buf_reset(&j->device);
    buf_str(&j->device, text ? text : "");
    free(text);
}

static enum status issue(struct job *j, struct span ca)
{
    struct issue_ca by = {j->u->issuer, ca, j->u->ledger};
    struct issue_request q = {.profile = j->profile, .owner = "", .lot = ""};
    struct issue_result result = {0};
    struct buf pem = {0};
    unsigned char key[X509_HASH];
    name_device(j);
    q.asked = j->asked;
    q.asked.device = (char *)j->device.d;
    const struct ledger_identity who = {
        q.owner, profile_name(q.profile), q.asked.device, {key, sizeof key}};
    x509_key_hash(q.asked.spki, key);
    enum status st = ledger_begin(j->u->ledger);
    if (st == ST_OK)
        st = ledger_expect(j->u->ledger, LEDGER_ISSUED, &who, 1);
    if (st == ST_OK)
        st = issue_certificate(&by, &q, &result);
    if (st == ST_OK)
        st = ledger_commit(j->u->ledger);
    else
        ledger_abort(j->u->ledger);
    if (st == ST_REFUSED)
        diag_warn("%s: refused: %s", q.asked.device, result.profile.why);
    if (st == ST_OK) {
        if (result.profile.differences.n)
            diag_warn("%s: %s", q.asked.device, (char *)result.profile.differences.d);
        if (result.again)
            diag_note("%s: the recorded certificate again", q.asked.device);
        pem_put(&pem, "CERTIFICATE", result.certificate.d, result.certificate.n);
        io_stdout(pem.d, pem.n);
    }
    buf_free(&pem);
    issue_result_free(&result);
    return st;
}

enum status direct_sign(const struct direct *d)
{
    struct job j = {0};
    struct csr csr;
    char why[X509_WHY];
    enum status st = job_open(d, &j);
    if (st == ST_OK && !j.u->n_issuer_chain) {
        diag_warn("the CA has no certificate yet");
        diag_hint(
            "make its own first, with ca-sign --self-signed, or have it signed by another CA");
        st = ST_USAGE;
    }
    if (st == ST_OK)
        st = read_request(&j, &csr);
    if (st == ST_OK && !csr_pop(&csr, why)) {
        diag_warn("refused: %s", why);
        st = ST_REFUSED;
    }
    if (st == ST_OK) {
        j.asked = (struct profile_asked){.subject = csr.subject,
                                         .spki = csr.spki,
                                         .extensions = csr.extensions,
                                         .set_subject = buf_span(&j.subject)};
        st = issue(&j, j.u->issuer_chain[0]);
    }
    job_close(&j);
    return st;
}

enum status direct_self_signed(const struct direct *d)
{
    struct job j = {0};
    enum status st = job_open(d, &j);
    if (st == ST_OK && !profile_is_ca(j.profile)) {
        diag_warn("profile \"%s\" is not a CA's", d->profile);
        st = ST_USAGE;
    }
    if (st == ST_OK) {
        j.asked.subject = buf_span(&j.subject);
        j.asked.spki.p = signer_spki(j.u->issuer, &j.asked.spki.n);
        st = issue(&j, (struct span){NULL, 0});
    }
    job_close(&j);
    return st;
}
