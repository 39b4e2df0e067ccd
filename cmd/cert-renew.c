/* cert-renew: renews the certificates of the device store that are due, from cron. */
#include <stddef.h>

#include "clock.h"
#include "diag.h"
#include "io.h"
#include "opt.h"
#include "plan.h"
#include "progress.h"
#include "renew.h"
#include "signer.h"

struct mode {
    const char *config, *force, *at, *jitter;
    int dry_run, bar;
};

static void read_times(const struct opt_program *p, const struct mode *o, struct renew_options *r)
{
    r->now = clock_now();
    if (o->at && !clock_parse(o->at, &r->now))
        opt_wrong(p, "--at %s: not a date such as 2027-01-31 or 2027-01-31T02:30:00Z", o->at);
    if (o->jitter && (!clock_duration(o->jitter, &r->jitter) || r->jitter < 1))
        opt_wrong(p, "--jitter %s: not a time such as 12h", o->jitter);
    r->force = o->force;
    /* What would happen at another time is only told. */
    r->dry_run = o->dry_run || o->at;
}

static enum status run(const struct opt_program *p, const struct mode *o)
{
    struct renew_options r = {.force = NULL};
    struct plan *plan = NULL;
    struct store *s = NULL;
    read_times(p, o, &r);
    enum status st = plan_load(o->config, &plan);
    /* By cron none is made: a disk that is not there yet would seem to be an empty store. */
    if (st == ST_OK)
        st = store_open(plan->store, o->force && !r.dry_run ? STORE_MAKE : STORE_USE, &s);
    if (st == ST_OK && o->bar)
        progress_start("cert-renew");
    if (st == ST_OK)
        st = renew_run(plan, s, &r);
    progress_end();
    store_close(s);
    plan_free(plan);
    return st;
}

int main(int argc, char **argv)
{
    struct mode o = {.config = NULL};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.config, "FILE", "the store, its purposes and schedules",
         "/etc/certline/store.yaml", 0, 0},
        {'n', "dry-run", OPT_FLAG, &o.dry_run, NULL, "say what is due, do nothing", NULL, 0, 0},
        {0, "force", OPT_STRING, &o.force, "NAME",
         "renew this purpose or certificate now, and no other", NULL, 0, 0},
        {0, "at", OPT_STRING, &o.at, "TIME", "say what would be due then, do nothing", NULL, 0, 0},
        {0, "jitter", OPT_STRING, &o.jitter, "TIME",
         "spread renewals over so long, the same on a device every time", NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {
        .name = "cert-renew",
        .synopsis = "[-npv] [-c FILE] [--force NAME] [--at TIME] [--jitter TIME]",
        .purpose = "Renews the certificates that are due, switches their purposes over, runs the "
                   "hooks.",
        .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    enum status st = run(&p, &o);
    signer_finish();
    return (int)st;
}
