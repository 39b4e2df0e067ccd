/* ca-sign: the certificate signing unit. Issues for those that nobody refused; answers every
 * request. With --direct or --self-signed it serves the person who holds the CA's token. */
#include "answer.h"
#include "diag.h"
#include "direct.h"
#include "hop.h"
#include "io.h"
#include "opt.h"
#include "progress.h"

/* The line: up only, since nothing is above the CA. */
static enum status line(const char *config, int check, int bar)
{
    struct hop_judge j = {.up = answer_up, .poll = answer_poll, .again = answer_again};
    struct unit *u = NULL;
    enum status st = unit_open(PATH_CA_SIGN, config, &u);
    if (st == ST_OK && check)
        st = unit_report(u);
    else if (st == ST_OK) {
        struct answer_ca *ca = j.arg = answer_new(u);
        if (bar)
            progress_start("ca-sign");
        st = hop_run(u, HOP_UP, &j);
        progress_end();
        if (st == ST_OK && answer_withdrawn(ca))
            st = ST_REFUSED;
        diag_note("%lu private key operations", signer_count());
        answer_free(ca);
    }
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
