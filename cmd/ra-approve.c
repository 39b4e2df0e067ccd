/* ra-approve: the registration approval unit. Holds lot, profile, names, the units and the
 * permission for bare keys against its own files; keeps what people must approve, and takes what
 * they decide. */
#include "approve.h"
#include "diag.h"
#include "hop.h"
#include "io.h"
#include "judge.h"
#include "opt.h"
#include "progress.h"

static int judge_one(struct unit *u, const struct layers *m, size_t i, const struct judge_rules *r,
                     struct judge_item *it, struct judge_fail *f)
{
    if (!judge_item(m, i, r, it, f))
        return 0;
    if (it->item->kind == CMC_KEY && !judge_pop(it, r, f))
        return 0;
    if (!judge_names_kept(u, r, it, f))
        return 0;
    return profile_judge(r->profile, &it->asked, &f->code, f->why);
}

static enum status up(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    const struct approve a = {u, judge_one};
    (void)arg;
    return approve_up(&a, m, &out->content, &out->owner);
}

static enum status poll(struct unit *u, const struct layers *m, struct hop_answer *out, void *arg)
{
    const struct approve a = {u, judge_one};
    (void)arg;
    return approve_poll(&a, m, &out->content, &out->owner, &out->asked);
}

struct mode {
    const char *config, *show, *grant, *refuse, *why;
    struct approve_person person;
    int up, down, check, bar, list, ask;
};

static enum status line(const struct mode *o)
{
    const struct hop_judge j = {.up = up, .poll = poll};
    struct unit *u = NULL;
    enum status st = unit_open(PATH_RA_APPROVE, o->config, &u);
    if (st == ST_OK && o->check)
        st = unit_report(u);
    else if (st == ST_OK) {
        if (o->bar)
            progress_start("ra-approve");
        st = hop_run(u, o->up ? HOP_UP : o->down ? HOP_DOWN : HOP_EITHER, &j);
        progress_end();
        diag_note("%lu private key operations", signer_count());
    }
    unit_close(u);
    return st;
}

static enum status people(const struct mode *o)
{
    struct approve a = {NULL, judge_one};
    enum status st = unit_open_keyless(PATH_RA_APPROVE, o->config, &a.u);
    if (st != ST_OK)
        return st;
    st = o->list     ? approve_list(&a)
         : o->show   ? approve_show(&a, o->show)
         : o->grant  ? approve_decide(&a, &o->person, o->grant, NULL)
         : o->refuse ? approve_decide(&a, &o->person, o->refuse, o->why)
                     : approve_ask(&a, &o->person);
    unit_close(a.u);
    return st;
}

static enum status run(const struct opt_program *p, const struct mode *o)
{
    int modes = o->list + o->ask + !!o->show + !!o->grant + !!o->refuse;
    int decides = o->ask || o->grant || o->refuse;
    if (modes + o->up + o->down + o->check > 1)
        opt_wrong(p, "--up, --down, --check, --list, --show, --grant, --refuse and --ask exclude "
                     "each other");
    if (decides && (!o->person.key || !o->person.certificate))
        opt_wrong(p, "--key URI and --certificate FILE of the person are missing");
    if (!decides && (o->person.key || o->person.certificate))
        opt_wrong(p, "--key and --certificate go with --grant, --refuse or --ask");
    if (!o->refuse != !o->why)
        opt_wrong(p, "--refuse and --why go together");
    if (modes)
        return people(o);
    if (!o->check)
        opt_want_stdin(p);
    return line(o);
}

int main(int argc, char **argv)
{
    struct mode o = {0};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.config, "FILE", "the unit's configuration",
         "/etc/certline/ra-approve.yaml", 0, 0},
        {0, "up", OPT_FLAG, &o.up, NULL, "take requests only", NULL, 0, 0},
        {0, "down", OPT_FLAG, &o.down, NULL, "take responses only", NULL, 0, 0},
        {0, "check", OPT_FLAG, &o.check, NULL, "check configuration, key, certificate and ledger",
         NULL, 0, 0},
        {0, "list", OPT_FLAG, &o.list, NULL, "list the messages that wait for people", NULL, 0, 0},
        {0, "show", OPT_STRING, &o.show, "ID", "show a message and its requests", NULL, 0, 0},
        {0, "grant", OPT_STRING, &o.grant, "ID", "grant a message", NULL, 0, 0},
        {0, "refuse", OPT_STRING, &o.refuse, "ID", "refuse a message", NULL, 0, 0},
        {0, "why", OPT_STRING, &o.why, "TEXT", "why it is refused", NULL, 0, 0},
        {0, "ask", OPT_FLAG, &o.ask, NULL, "show what waits and ask, at a terminal", NULL, 0, 0},
        {0, "key", OPT_STRING, &o.person.key, "URI", "the person's key", NULL, 0, 0},
        {0, "certificate", OPT_STRING, &o.person.certificate, "FILE", "the person's certificate",
         NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {
        .name = "ra-approve",
        .synopsis = "[-pv] [-c FILE] [--up | --down | --check | --list | --show ID | --grant ID | "
                    "--refuse ID --why TEXT | --ask] [--key URI --certificate FILE] < messages",
        .purpose = "Approves requests by lot, profile, quota and people, wraps and signs them; "
                   "passes answers back.",
        .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    enum status st = run(&p, &o);
    signer_finish();
    return (int)st;
}
