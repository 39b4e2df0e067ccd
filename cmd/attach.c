/* attach: the certificate attaching unit. Up: makes messages of requests and public keys. Down:
 * checks the answers and puts the certificates on their devices. */
#include <errno.h>
#include <string.h>

#include "cms.h"
#include "deliver.h"
#include "diag.h"
#include "intake.h"
#include "io.h"
#include "opt.h"
#include "progress.h"

#define COMMAND_OUTPUT (128 * 1024) /* octets: PEM of the largest request there can be */

struct mode {
    const struct opt_program *program;
    const char *config;
    int up, down, check, bar, unanswered, resend, poll;
    long jobs, seconds;
    struct intake_options in;
    struct deliver_options out;
};

static void modes_ok(struct mode *o)
{
    const struct opt_program *p = o->program;
    const struct intake_options *in = &o->in;
    const struct deliver_options *out = &o->out;
    int only_up = o->up || in->get || in->list || in->profile;
    int only_down = o->down || out->out || out->put || out->token || out->print || out->chain;
    if (o->check + o->unanswered + o->resend + o->poll > 1)
        opt_wrong(p, "--check, --unanswered, --resend and --poll exclude each other");
    if (o->poll && (only_up || only_down || in->lot))
        opt_wrong(p, "--poll reads nothing: its messages say what is asked for");
    if (only_up && only_down)
        opt_wrong(p, "options for the way up and for the way down");
    if (in->get && !in->list)
        opt_wrong(p, "--get needs --list");
    if (out->read_back && !out->put)
        opt_wrong(p, "--read-back needs --put");
    if ((o->up || in->get) && !in->lot)
        opt_wrong(p, "--lot is missing");
    o->up = only_up;
    o->down = only_down;
}

static enum status wrong_way(const struct pem_block *b, const char *why)
{
    diag_warn("stdin:%lu: a block \"%s\" %s", b->line, b->label, why);
    return ST_INPUT;
}

/* Neither requests nor answers. */
static enum status no_way(enum pem_result got, const struct pem_block *b)
{
    if (got == PEM_BLOCK)
        return wrong_way(b, "is neither request nor answer");
    if (got == PEM_BAD)
        diag_warn("stdin:%lu: %s", b->line, b->why);
    else
        diag_warn("stdin: %s", got == PEM_FAIL ? strerror(errno) : "nothing that can be read");
    return got == PEM_FAIL || io_stopping() ? ST_TEMP : ST_INPUT;
}

static enum status go_up(struct unit *u, const struct mode *o, struct pem *pem, enum pem_result got,
                         struct pem_block *b)
{
    if (!o->in.lot)
        opt_wrong(o->program, "--lot is missing: requests are read");
    if (o->bar)
        progress_start("requests sent");
    return intake_run(u, &o->in, pem, got, b);
}

static enum status go_down(struct unit *u, const struct mode *o, struct pem *pem,
                           enum pem_result got, struct pem_block *b)
{
    if (o->bar)
        progress_start("answers");
    return deliver_run(u, &o->out, pem, got, b);
}

/* The first block says which way it goes. Without a lot nothing can go up: then it is read as what
 * units say to each other. */
static enum status both_ways(struct unit *u, const struct mode *o)
{
    struct pem *pem = pem_open(0, CMS_MAX, o->down || !o->in.lot ? PEM_STRICT : 0);
    struct pem_block b;
    enum pem_result got = pem_next(pem, &b, 1);
    int block = got == PEM_BLOCK || got == PEM_BAD;
    int cms = block && !strcmp(b.label, "CMS"), request = block && intake_label(b.label);
    enum status st;
    if (got == PEM_END && !pem_octets(pem) && !io_stopping()) {
        diag_warn("stdin was empty");
        diag_hint("a stage before this one ended early: see what it said");
        st = ST_EMPTY;
    } else if (o->up && cms) {
        st = wrong_way(&b, "where requests are read");
    } else if (o->down && request) {
        st = wrong_way(&b, "where answers are read");
    } else if (o->down || cms) {
        st = go_down(u, o, pem, got, &b);
    } else if (o->in.lot || request) {
        st = go_up(u, o, pem, got, &b);
    } else {
        st = no_way(got, &b);
    }
    pem_close(pem);
    return st;
}

static enum status work(struct unit *u, const struct mode *o)
{
    if (o->check)
        return unit_report(u);
    if (o->unanswered)
        return intake_unanswered(u);
    if (o->resend)
        return intake_resend(u);
    if (o->poll) {
        if (o->bar)
            progress_start("messages asked after");
        return intake_poll(u);
    }
    if (o->in.get) {
        if (o->bar)
            progress_start("requests sent");
        return intake_get(u, &o->in);
    }
    return both_ways(u, o);
}

static enum status run(struct mode *o)
{
    struct unit *u = NULL;
    struct launch *l = NULL;
    modes_ok(o);
    if (!o->check && !o->unanswered && !o->resend && !o->poll && !o->in.get)
        opt_want_stdin(o->program);
    if (!deliver_options_ok(&o->out))
        return ST_USAGE;
    /* Nothing forks once a token is open. */
    if (o->in.get || o->out.put)
        o->in.launch = o->out.launch = l =
            launch_start((int)o->jobs, (int)o->seconds, COMMAND_OUTPUT);
    enum status st = unit_open(PATH_ATTACH, o->config, &u);
    if (st == ST_OK)
        st = work(u, o);
    progress_end();
    diag_note("%lu private key operations", signer_count());
    unit_close(u);
    signer_finish();
    launch_end(l);
    return st;
}

int main(int argc, char **argv)
{
    struct mode o = {0};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.config, "FILE", "the unit's configuration",
         "/etc/certline/attach.yaml", 0, 0},
        {0, "lot", OPT_STRING, &o.in.lot, "NAME", "up: the lot that the devices belong to", NULL, 0,
         0},
        {0, "profile", OPT_STRING, &o.in.profile, "NAME",
         "up: what is asked for, if the lot does not say", NULL, 0, 0},
        {0, "list", OPT_STRING, &o.in.list, "FILE",
         "up: device list that says whose a public key is", NULL, 0, 0},
        {0, "get", OPT_STRING, &o.in.get, "CMD",
         "up: run CMD for each device of the list, it prints the request or public key", NULL, 0,
         0},
        {'o', "out", OPT_STRING, &o.out.out, "DIR",
         "down: write to DIR/{device}.pem, or to a name with {device}, {lot}, {profile}, {serial}",
         NULL, 0, 0},
        {0, "put", OPT_STRING, &o.out.put, "CMD",
         "down: run CMD for each device, it gets the certificate on stdin", NULL, 0, 0},
        {0, "read-back", OPT_STRING, &o.out.read_back, "CMD",
         "down: CMD prints what the device then holds", NULL, 0, 0},
        {0, "token", OPT_STRING, &o.out.token, "URI",
         "down: write the certificate into the token of its key", NULL, 0, 0},
        {0, "chain", OPT_FLAG, &o.out.chain, NULL, "down: add the issuers to each certificate",
         NULL, 0, 0},
        {0, "print", OPT_FLAG, &o.out.print, NULL, "down: print the certificates all the same",
         NULL, 0, 0},
        {'j', "jobs", OPT_NUMBER, &o.jobs, "N", "commands at a time", "4", 1, 256},
        {0, "timeout", OPT_NUMBER, &o.seconds, "S", "seconds that one command may take", "60", 1,
         86400},
        {0, "up", OPT_FLAG, &o.up, NULL, "take requests only", NULL, 0, 0},
        {0, "down", OPT_FLAG, &o.down, NULL, "take answers only", NULL, 0, 0},
        {0, "unanswered", OPT_FLAG, &o.unanswered, NULL, "list the devices that have no answer",
         NULL, 0, 0},
        {0, "resend", OPT_FLAG, &o.resend, NULL, "send the messages of these devices again", NULL,
         0, 0},
        {0, "poll", OPT_FLAG, &o.poll, NULL, "ask again for what waits for approval", NULL, 0, 0},
        {0, "check", OPT_FLAG, &o.check, NULL, "check configuration, key, certificate and ledger",
         NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {
        .name = "attach",
        .synopsis = "[-pv] [-c FILE] [--lot NAME] [-o DIR] [--up | --down | --unanswered | "
                    "--resend | --poll | --check] < requests-or-answers",
        .purpose =
            "Sends requests of devices up a line of units; puts certificates on the devices.",
        .options = table};
    o.program = &p;
    io_init();
    opt_parse(&p, argc, argv);
    return (int)run(&o);
}
