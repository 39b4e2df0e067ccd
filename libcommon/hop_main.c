#include "hop.h"

#include <stdio.h>

#include "diag.h"
#include "io.h"
#include "opt.h"
#include "progress.h"

struct options {
    const char *config;
    int up, down, check, bar;
};

static enum status run(enum path_role role, const struct options *o, const struct hop_judge *judge)
{
    struct unit *u = NULL;
    enum status st = unit_open(role, o->config, &u);
    if (st == ST_OK && o->check)
        st = unit_report(u);
    else if (st == ST_OK) {
        if (o->bar)
            progress_start(path_role_name(role));
        st = hop_run(u, o->up ? HOP_UP : o->down ? HOP_DOWN : HOP_EITHER, judge);
        progress_end();
        diag_note("%lu private key operations", signer_count());
    }
    unit_close(u);
    signer_finish();
    return st;
}

enum status hop_main(enum path_role role, const char *purpose, const struct hop_judge *judge,
                     int argc, char **argv)
{
    const char *name = path_role_name(role);
    struct options o = {0};
    char place[64];
    snprintf(place, sizeof place, "/etc/certline/%s.yaml", name);
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.config, "FILE", "the unit's configuration", place, 0, 0},
        {0, "up", OPT_FLAG, &o.up, NULL, "take requests only", NULL, 0, 0},
        {0, "down", OPT_FLAG, &o.down, NULL, "take responses only", NULL, 0, 0},
        {0, "check", OPT_FLAG, &o.check, NULL, "check configuration, key, certificate and ledger",
         NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {.name = name,
                            .synopsis = "[-pv] [-c FILE] [--up | --down | --check] < messages",
                            .purpose = purpose,
                            .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    if (o.up && o.down)
        opt_wrong(&p, "--up and --down exclude each other");
    if (!o.check)
        opt_want_stdin(&p);
    return run(role, &o, judge);
}
