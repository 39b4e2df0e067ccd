/* cert-prune: deletes the certificates of the device store that the rules of store.yaml name. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "diag.h"
#include "io.h"
#include "opt.h"
#include "plan.h"
#include "progress.h"
#include "signer.h"

struct mode {
    const char *config;
    int dry_run, bar;
};

static void say(const struct store_scan *sc, const struct prune_victim *v)
{
    struct buf line = {0};
    buf_printf(&line, "%s\t", sc->certs[v->cert].name);
    prune_rules_text(v->rules, &line);
    buf_char(&line, '\n');
    io_stdout(line.d, line.n);
    buf_free(&line);
}

/* What cannot be deleted is said, and does not keep the others. */
static enum status go(struct store *s, const struct store_scan *sc, const struct prune_list *list,
                      const struct mode *o)
{
    enum status worst = ST_OK;
    for (size_t i = 0; i < list->n && worst != ST_TEMP && !io_stopping(); i++) {
        struct buf why = {0};
        prune_rules_text(list->v[i].rules, &why);
        enum status st =
            o->dry_run ? ST_OK
                       : store_delete(s, sc->certs[list->v[i].cert].name, (const char *)why.d);
        if (st == ST_OK)
            say(sc, &list->v[i]);
        else
            worst = st;
        progress_step(1);
        buf_free(&why);
    }
    if (worst == ST_OK && io_stopping()) {
        diag_warn("stopped by a signal");
        return ST_TEMP;
    }
    return worst;
}

static enum status run(const struct mode *o)
{
    struct plan *plan = NULL;
    struct store *s = NULL;
    struct store_scan sc = {0};
    struct prune_list list = {0};
    enum status st = plan_load(o->config, &plan);
    if (st == ST_OK)
        st = store_open(plan->store, STORE_USE, &s);
    if (st == ST_OK && !o->dry_run)
        st = store_lock(s, (int)plan->wait);
    if (st == ST_OK)
        st = store_scan(s, &sc);
    if (st == ST_OK && !plan->prune.when)
        diag_note("%s: automatic deletion is off", plan->store);
    if (st == ST_OK)
        st = prune_judge(&plan->prune, s, &sc, &sc, clock_now(), 0, &list);
    if (st == ST_OK && list.clock && (plan->prune.rules & PRUNE_EXPIRED)) {
        diag_warn(
            "the clock is before the newest certificate's notBefore: nothing is deleted by date");
        st = ST_REFUSED;
    }
    if (st == ST_OK || st == ST_REFUSED) {
        enum status went = go(s, &sc, &list, o);
        st = went != ST_OK ? went : sc.bad || list.bad ? ST_REFUSED : st;
    }
    prune_list_free(&list);
    store_scan_free(&sc);
    store_close(s);
    plan_free(plan);
    return st;
}

int main(int argc, char **argv)
{
    struct mode o = {0};
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.config, "FILE", "what the store holds and how",
         "/etc/certline/store.yaml", 0, 0},
        {'n', "dry-run", OPT_FLAG, &o.dry_run, NULL, "print what would be deleted, delete nothing",
         NULL, 0, 0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {.name = "cert-prune",
                            .synopsis = "[-npv] [-c FILE]",
                            .purpose = "Deletes the certificates that the rules of the store name.",
                            .options = table};
    io_init();
    opt_parse(&p, argc, argv);
    if (o.bar)
        progress_start("cert-prune");
    enum status st = run(&o);
    progress_end();
    signer_finish();
    return (int)st;
}
