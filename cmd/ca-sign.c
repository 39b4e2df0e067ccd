/* ca-sign: the certificate signing unit. Issues for those that nobody refused; answers every
 * request. With
 * --direct or --self-signed it serves the person who holds the CA's token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "cmc.h"
#include "diag.h"
#include "direct.h"
#include "hop.h"
#include "io.h"
#include "issue.h"
#include "judge.h"
#include "opt.h"
#include "progress.h"

#include <openssl/rand.h>

/* What one answer is made of; kept until the next message. */
struct work {
    struct issue_result issued;
    struct buf *certs; /* DER of the certificates, then spans of them and of the CA's chain */
    struct span *bag;
    size_t n_certs, n_bag, cap;
};

struct ca {
    struct issue_ca issue;
    struct work w;
};

static void add_to_bag(struct work *w, struct span der)
{
    for (size_t i = 0; i < w->n_bag; i++)
        if (buf_same(w->bag[i], der))
            return;
    w->bag[w->n_bag++] = der;
}

static void work_reset(struct work *w, size_t items, size_t chain)
{
    for (size_t i = 0; i < w->n_certs; i++)
        buf_free(&w->certs[i]);
    w->n_certs = w->n_bag = 0;
    if (items + chain <= w->cap)
        return;
    w->cap = items + chain;
    w->certs = alloc_grow(w->certs, w->cap, sizeof *w->certs);
    w->bag = alloc_grow(w->bag, w->cap, sizeof *w->bag);
}

/* Who refused, and why, so that the person at the line sees it. */
static void pass_on(const struct layers *m, size_t i, struct judge_list *status)
{
    const struct cmc_verdict *v = m->items[i].verdict;
    char *text = alloc_printf("%s: %.*s", path_role_name(m->items[i].by), (int)v->text.n,
                              (const char *)v->text.p);
    judge_add(status, (struct cmc_ref){m->request->items[i].id, 0}, CMC_FAILED, v->fail, text);
    free(text);
}

/* One request that nobody refused. ST_OK, ST_REFUSED with f set, or ST_TEMP. */
static enum status issue_one(struct ca *ca, const struct layers *m, size_t i,
                             const struct judge_rules *r, struct judge_fail *f)
{
    struct judge_item it;
    if (!judge_item(m, i, r, &it, f) ||
        !profile_judge(r->profile, &it.asked, &f->code, f->why) || !judge_pop(&it, r, f))
        return ST_REFUSED;
    struct issue_request q = {.profile = r->profile,
                              .asked = it.asked,
                              .owner = r->lot->owner,
                              .lot = r->lot->name,
                              .unit = layers_signer(m, PATH_ATTACH)->id,
                              .tid = {m->tid, CMC_TID},
                              .part = it.item->id};
    enum status st = issue_certificate(&ca->issue, &q, &ca->w.issued);
    if (st == ST_REFUSED)
        judge_no(f, ca->w.issued.profile.fail, "%s", ca->w.issued.profile.why);
    return st;
}

static void grant(struct ca *ca, uint32_t id, struct judge_list *status, struct cmc_leaf *leaf)
{
    struct work *w = &ca->w;
    const struct buf *d = &w->issued.profile.differences;
    struct buf *cert = &w->certs[w->n_certs++];
    *cert = (struct buf){0};
    buf_put(cert, w->issued.certificate.d, w->issued.certificate.n);
    add_to_bag(w, buf_span(cert));
    struct cmc_issued *to = &leaf->issued[leaf->n_issued++];
    to->id = id;
    cms_digest(buf_span(cert), to->hash);
    judge_add(status, (struct cmc_ref){id, 0}, CMC_SUCCESS, -1, d->n ? (char *)d->d : "");
}

static enum status answer_all(struct ca *ca, struct unit *u, const struct layers *m,
                              struct judge_list *status, struct cmc_leaf *leaf, const char **owner)
{
    struct judge_rules r;
    struct judge_fail f;
    int all = judge_rules(u, m, layers_signer(m, PATH_VERIFY_UNIT)->id, &r, &f);
    *owner = all ? r.lot->owner : NULL;
    for (size_t i = 0; i < m->request->n; i++) {
        if (m->items[i].verdict) {
            pass_on(m, i, status);
            continue;
        }
        enum status st = all ? issue_one(ca, m, i, &r, &f) : ST_REFUSED;
        if (st == ST_OK)
            grant(ca, m->request->items[i].id, status, leaf);
        else if (st != ST_REFUSED)
            return st;
        else {
            char *text = alloc_printf("ca-sign: %s", f.why);
            judge_add(status, (struct cmc_ref){m->request->items[i].id, 0}, CMC_FAILED, (int)f.code,
                      text);
            free(text);
        }
    }
    return ST_OK;
}

static enum status judge(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    struct ca *ca = arg;
    struct judge_list status = {0};
    unsigned char nonce[CMC_NONCE];
    struct cmc_leaf leaf = {.nonce = {nonce, sizeof nonce}, .recipient_nonce = m->request->nonce};
    leaf.issued = alloc_zero(m->request->n, sizeof *leaf.issued);
    work_reset(&ca->w, m->request->n, u->n_issuer_chain);
    enum status st = answer_all(ca, u, m, &status, &leaf, &out->owner);
    if (RAND_bytes(nonce, sizeof nonce) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    for (size_t i = 0; leaf.n_issued && i < u->n_issuer_chain; i++)
        add_to_bag(&ca->w, u->issuer_chain[i]);
    memcpy(leaf.tid, m->tid, CMC_TID);
    memcpy(leaf.request, m->layer[0].digest, CMS_DIGEST);
    leaf.status = status.v;
    leaf.n_status = status.n;
    out->type = CMS_PKI_RESPONSE;
    out->other = ca->w.bag;
    out->n_other = ca->w.n_bag;
    if (st == ST_OK)
        cmc_leaf_put(&leaf, &out->content);
    judge_free(&status);
    free(leaf.issued);
    return st;
}

/* The line: up only, since nothing is above the CA. */
static enum status line(const char *config, int check, int bar)
{
    struct ca ca = {0};
    struct hop_judge j = {.up = judge, .arg = &ca};
    struct unit *u = NULL;
    enum status st = unit_open(PATH_CA_SIGN, config, &u);
    if (st == ST_OK && check)
        unit_report(u);
    else if (st == ST_OK) {
        ca.issue = (struct issue_ca){u->issuer, u->issuer_chain[0], u->ledger};
        if (bar)
            progress_start("ca-sign");
        st = hop_run(u, HOP_UP, &j);
        progress_end();
        diag_note("%lu private key operations", signer_count());
    }
    work_reset(&ca.w, 0, 0);
    free(ca.w.certs);
    free(ca.w.bag);
    issue_result_free(&ca.w.issued);
    unit_close(u);
    return st;
}

struct mode {
    struct direct d;
    int up, check, bar, direct, self_signed;
};

static enum status run(const struct opt_program *p, const struct mode *o)
{
    if (!o->direct && !o->self_signed) {
        if (o->d.profile || o->d.subject)
            opt_wrong(p, "--profile and --subject go with --direct or --self-signed");
        if (!o->check)
            opt_want_stdin(p);
        return line(o->d.config, o->check, o->bar);
    }
    if (o->direct && o->self_signed)
        opt_wrong(p, "--direct and --self-signed exclude each other");
    if (!o->d.profile)
        opt_wrong(p, "--profile NAME is missing");
    if (o->self_signed && !o->d.subject)
        opt_wrong(p, "--subject DN is missing");
    if (o->self_signed)
        return direct_self_signed(&o->d);
    opt_want_stdin(p);
    return direct_sign(&o->d);
}

int main(int argc, char **argv)
{
    struct mode o = {0};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.d.config, "FILE", "the unit's configuration",
         "/etc/certline/ca-sign.yaml", 0, 0},
        {0, "up", OPT_FLAG, &o.up, NULL, "take requests only, as it always does", NULL, 0, 0},
        {0, "direct", OPT_FLAG, &o.direct, NULL, "sign one bare request with the CA's key", NULL, 0,
         0},
        {0, "self-signed", OPT_FLAG, &o.self_signed, NULL, "make the CA's own certificate", NULL, 0,
         0},
        {0, "profile", OPT_STRING, &o.d.profile, "NAME", "the profile to sign by", NULL, 0, 0},
        {0, "subject", OPT_STRING, &o.d.subject, "DN", "the subject of the certificate", NULL, 0,
         0},
        {0, "check", OPT_FLAG, &o.check, NULL, "check configuration, keys, certificates and ledger",
         NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {
        .name = "ca-sign",
        .synopsis =
            "[-pv] [-c FILE] [--check | --direct --profile NAME | --self-signed --profile NAME "
            "--subject DN] < messages",
        .purpose =
            "Issues the certificates that nobody on the line refused, records them and answers.",
        .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    enum status st = run(&p, &o);
    signer_finish();
    return (int)st;
}
