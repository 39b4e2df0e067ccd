/* crl-make: the CRL of what the CA's ledger says was revoked, signed with the CA's key. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "cms.h"
#include "crl.h"
#include "diag.h"
#include "io.h"
#include "issue.h"
#include "opt.h"
#include "pem.h"
#include "signer.h"
#include "unit.h"

#define NEXT_LEAST 60
#define NEXT_MOST (10 * 365 * 86400LL)

struct job {
    const char *config, *output, *next;
    int der, drop_expired;
    int64_t lasts; /* seconds to nextUpdate */
    struct unit *u;
    struct x509_cert ca;
    char issuer[ISSUE_CA_ID];
    struct crl crl;
    int64_t last;      /* when the CRL before was made; 0: there is none */
    struct buf listed; /* struct crl_entry */
    size_t n;
    int bad; /* an entry of the ledger cannot be in a CRL */
};

static struct crl_entry *entries(const struct job *j)
{
    return (struct crl_entry *)(void *)j->listed.d;
}

static int each_revoked(const struct ledger_entry *e, void *arg)
{
    struct job *j = arg;
    if (!e->note || strcmp(e->note, j->issuer))
        return 1;
    j->bad = !crl_reason_name(e->status) || !e->serial.n || e->serial.n > X509_SERIAL_MAX;
    if (j->bad)
        return diag_warn("%s: entry %lld: not a revocation", j->u->ledger_path, (long long)e->id);
    struct crl_entry one = {
        .n = (unsigned char)e->serial.n, .reason = (unsigned char)e->status, .time = e->time};
    if (one.time > j->crl.this_update)
        one.time = j->crl.this_update;
    memcpy(one.serial, e->serial.p, e->serial.n);
    buf_put(&j->listed, &one, sizeof one);
    return 1;
}

/* RFC 5280, section 3.3: an entry stays until it was on a CRL made after the certificate's end, as
 * the one before this may have been. */
static int each_issued(const struct ledger_entry *e, void *arg)
{
    struct job *j = arg;
    if (e->status >= j->last || !e->note || strcmp(e->note, j->issuer))
        return 1;
    struct crl_entry *one = crl_find(entries(j), j->n, e->serial);
    if (one && one->time < j->last)
        one->time = -1;
    return 1;
}

static enum status drop_expired(struct job *j)
{
    struct ledger_filter f = {.kinds = 1u << LEDGER_ISSUED, .no_data = 1};
    struct crl_entry *v = entries(j);
    size_t kept = 0;
    enum status st = ledger_scan(j->u->ledger, &f, each_issued, j);
    for (size_t i = 0; i < j->n; i++)
        if (v[i].time >= 0)
            v[kept++] = v[i];
    j->n = kept;
    return st;
}

/* The number and the entries, which nobody else adds to until the transaction ends. */
static enum status gather(struct job *j)
{
    struct ledger_filter f = {.kinds = 1u << LEDGER_REVOKED, .no_data = 1};
    struct ledger_entry newest;
    struct ledger *l = j->u->ledger;
    enum status st = ledger_lock(l, issue_ca_lock(j->issuer));
    if (st == ST_OK)
        st = ledger_newest(l, LEDGER_CRL, j->issuer, &newest);
    if (st != ST_OK)
        return st;
    j->crl.number = newest.id ? newest.status + 1 : 1;
    j->last = newest.id ? newest.time : 0;
    st = ledger_scan(l, &f, each_revoked, j);
    if (st != ST_OK || j->bad)
        return j->bad ? ST_TEMP : st;
    j->n = crl_sort(entries(j), j->listed.n / sizeof(struct crl_entry));
    return j->drop_expired && j->last ? drop_expired(j) : ST_OK;
}

static enum status sign_and_record(struct job *j, struct buf *der)
{
    unsigned char digest[CMS_DIGEST];
    j->crl.entries = entries(j);
    j->crl.n = j->n;
    enum status st = crl_make(&j->crl, &j->ca, j->u->issuer, der);
    if (st != ST_OK)
        return st;
    cms_digest(buf_span(der), digest);
    struct ledger_entry e = {.kind = LEDGER_CRL,
                             .status = j->crl.number,
                             .digest_out = {digest, sizeof digest},
                             .note = j->issuer,
                             .data = buf_span(der)};
    return ledger_add(j->u->ledger, &e);
}

static enum status put(const struct job *j, const struct buf *der)
{
    struct buf pem = {0};
    enum status st = ST_OK;
    if (!j->der)
        pem_put(&pem, "X509 CRL", der->d, der->n);
    const struct buf *out = j->der ? der : &pem;
    if (!j->output) {
        io_stdout(out->d, out->n);
    } else if (!io_write_file(j->output, out->d, out->n, 0644, IO_FSYNC)) {
        diag_warn("%s: %s", j->output, strerror(errno));
        st = ST_TEMP;
    }
    buf_free(&pem);
    return st;
}

/* The list of another process that has a higher number than what was written last. */
static enum status get_newer(struct job *j, struct buf *der, int *newer)
{
    struct ledger_entry e;
    enum status st = ledger_newest(j->u->ledger, LEDGER_CRL, j->issuer, &e);
    *newer = st == ST_OK && e.id && e.status > j->crl.number;
    if (*newer) {
        j->crl.number = e.status;
        buf_reset(der);
        buf_put(der, e.data.p, e.data.n);
    }
    return st;
}

/* A file must not go back to an older list because who made that was the slower to write it: who
 * writes looks again. */
static enum status put_newest(struct job *j, struct buf *der)
{
    int newer = j->output != NULL;
    enum status st = put(j, der);
    while (st == ST_OK && newer)
        if ((st = get_newer(j, der, &newer)) == ST_OK && newer)
            st = put(j, der);
    return st;
}

static enum status make(struct job *j)
{
    struct buf der = {0};
    issue_ca_id(j->u->issuer, j->issuer);
    enum status st = ledger_begin(j->u->ledger);
    j->crl.this_update = clock_now(); /* not while it waited for another */
    j->crl.next_update = j->crl.this_update + j->lasts;
    if (st == ST_OK)
        st = gather(j);
    if (st == ST_OK)
        st = sign_and_record(j, &der);
    if (st == ST_OK)
        st = ledger_commit(j->u->ledger);
    ledger_abort(j->u->ledger);
    if (st == ST_OK)
        diag_note("CRL number %lld, %zu certificates", (long long)j->crl.number, j->n);
    if (st == ST_OK)
        st = put_newest(j, &der);
    buf_free(&der);
    buf_free(&j->listed);
    return st;
}

static enum status open_ca(struct job *j)
{
    enum status st = unit_open_issuer(j->config, &j->u);
    if (st != ST_OK)
        return st;
    if (!j->u->n_issuer_chain) {
        diag_warn("the CA has no certificate yet");
        return ST_USAGE;
    }
    if (!x509_cert_view(j->u->issuer_chain[0], &j->ca) || !crl_may_sign(&j->ca)) {
        diag_warn("the CA's certificate does not let it sign CRLs: its keyUsage has no cRLSign");
        return ST_USAGE;
    }
    return ST_OK;
}

int main(int argc, char **argv)
{
    struct job j = {0};
    struct opt table[] = {{'c', "config", OPT_STRING, &j.config, "FILE",
                           "the configuration of ca-sign", "/etc/certline/ca-sign.yaml", 0, 0},
                          {'o', "output", OPT_STRING, &j.output, "FILE",
                           "replace this file, whole; else to stdout", NULL, 0, 0},
                          {0, "der", OPT_FLAG, &j.der, NULL,
                           "write DER, as CRLs on web servers are, not PEM", NULL, 0, 0},
                          {0, "next", OPT_STRING, &j.next, "TIME",
                           "when the next one comes at the latest", "7d", 0, 0},
                          {0, "drop-expired", OPT_FLAG, &j.drop_expired, NULL,
                           "leave out what expired before the CRL before this", NULL, 0, 0},
                          {0}};
    struct opt_program p = {.name = "crl-make",
                            .synopsis =
                                "[-v] [-c FILE] [-o FILE] [--der] [--next TIME] [--drop-expired]",
                            .purpose = "Make the CRL of what the CA's ledger says was revoked.",
                            .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    if (!clock_duration(j.next, &j.lasts) || j.lasts < NEXT_LEAST || j.lasts > NEXT_MOST)
        opt_wrong(&p, "--next: not a time from 60s to 10y: \"%s\"", j.next);
    enum status st = open_ca(&j);
    if (st == ST_OK)
        st = make(&j);
    unit_close(j.u);
    signer_finish();
    return (int)st;
}
