/* ledger: reads the ledger of a unit. Lists, shows, verifies, exports; checks what was exported. */
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "opt.h"

struct mode {
    const struct opt_program *program;
    const char *config, *show, *export, *check, *heads, *serial, *since, *until, *trust, *unit_ca;
    int list, verify, head, csv, json, bar;
    struct opt_strings crls;
    struct audit_filter filter;
    unsigned char octets[X509_SERIAL_MAX];
};

static void read_serial(struct mode *o)
{
    size_t n = x509_serial_read(o->serial, o->octets);
    if (!n)
        opt_wrong(o->program, "--serial: not a serial number in hexadecimal: \"%s\"", o->serial);
    o->filter.serial = (struct span){o->octets, n};
}

static void read_time(const struct mode *o, const char *name, const char *text, int64_t *to)
{
    if (text && !clock_parse(text, to))
        opt_wrong(o->program, "--%s: neither YYYY-MM-DD nor YYYY-MM-DDTHH:MM:SSZ", name);
}

static void options_ok(struct mode *o)
{
    const struct opt_program *p = o->program;
    const struct audit_filter *f = &o->filter;
    int actions = o->list + o->verify + o->head + !!o->show + !!o->export + !!o->check;
    int filters = f->device || f->unit || f->status || o->serial || o->since || o->until;
    if (actions != 1)
        opt_wrong(p, actions ? "--list, --show, --verify, --head, --export and --check exclude "
                               "each other"
                             : "one of --list, --show, --verify, --head, --export, --check is "
                               "missing");
    if (filters && !o->list)
        opt_wrong(p, "--device, --serial, --unit, --status, --since and --until go with --list");
    if ((f->lot || f->owner) && !o->list && !o->show && !(o->export && f->owner && !f->lot))
        opt_wrong(p, "--lot and --owner go with --list or --show, --owner with --export");
    if ((o->csv || o->json) && !o->list && !o->check)
        opt_wrong(p, "--csv and --json go with --list or --check");
    if (o->csv && o->json)
        opt_wrong(p, "--csv and --json exclude each other");
    if (o->heads && !o->verify)
        opt_wrong(p, "--heads goes with --verify");
    if (!o->check && (o->trust || o->unit_ca || o->crls.n))
        opt_wrong(p, "--trust, --unit-ca and --crl go with --check");
    if (o->check && !o->trust)
        opt_wrong(p, "--trust FILE is missing");
    if (!o->check == !o->config)
        opt_wrong(p, o->check ? "--check needs no configuration" : "-c FILE is missing");
    if (f->status && !audit_status_known(f->status))
        opt_wrong(p, "--status: there is no \"%s\"", f->status);
    if (o->serial)
        read_serial(o);
    read_time(o, "since", o->since, &o->filter.since);
    read_time(o, "until", o->until, &o->filter.until);
}

/* Only --export signs; whoever reads needs no token. */
static enum status open_unit(const struct mode *o, struct unit **u)
{
    enum status st = unit_open_reader(o->config, u);
    if (st != ST_OK || !o->export)
        return st;
    enum path_role role = (*u)->role;
    unit_close(*u);
    *u = NULL;
    return unit_open(role, o->config, u);
}

static enum status work(struct mode *o, struct unit *u, enum audit_form form)
{
    if (o->list)
        return audit_list(u, &o->filter, form);
    if (o->verify)
        return audit_verify(u, o->heads, o->bar);
    if (o->head)
        return audit_head(u);
    if (o->export) {
        o->filter.lot = o->export;
        return audit_export(u, &o->filter, AUDIT_BLOCKS);
    }
    o->filter.device = o->show;
    return audit_show(u, &o->filter);
}

static enum status run(struct mode *o)
{
    enum audit_form form = o->csv ? AUDIT_CSV : o->json ? AUDIT_JSON : AUDIT_TABLE;
    struct unit *u = NULL;
    options_ok(o);
    if (o->check) {
        struct audit_trust t = {o->trust, o->unit_ca, o->crls.v, o->crls.n};
        return audit_check(o->check, &t, form);
    }
    enum status st = open_unit(o, &u);
    if (st == ST_OK)
        st = work(o, u, form);
    if (u && !ledger_unchanged(u->ledger))
        st = ST_TEMP;
    unit_close(u);
    return st;
}

int main(int argc, char **argv)
{
    struct mode o = {0};
    struct audit_filter *f = &o.filter;
    struct opt table[] = {
        {'c', "config", OPT_STRING, &o.config, "FILE", "configuration of the unit, whichever it is",
         NULL, 0, 0},
        {'l', "list", OPT_FLAG, &o.list, NULL, "list devices, or messages", NULL, 0, 0},
        {0, "show", OPT_STRING, &o.show, "DEVICE", "show the whole path of a device", NULL, 0, 0},
        {0, "verify", OPT_FLAG, &o.verify, NULL, "verify chains, heads, messages, certificates",
         NULL, 0, 0},
        {0, "head", OPT_FLAG, &o.head, NULL, "print the newest signed head", NULL, 0, 0},
        {0, "export", OPT_STRING, &o.export, "LOT", "print the evidence of a lot, signed", NULL, 0,
         0},
        {0, "check", OPT_STRING, &o.check, "FILE", "check such evidence, without any ledger", NULL,
         0, 0},
        {0, "lot", OPT_STRING, &f->lot, "NAME", "only this lot", NULL, 0, 0},
        {0, "device", OPT_STRING, &f->device, "ID", "only this device", NULL, 0, 0},
        {0, "serial", OPT_STRING, &o.serial, "HEX", "only this certificate", NULL, 0, 0},
        {0, "unit", OPT_STRING, &f->unit, "ID", "only what came through this unit", NULL, 0, 0},
        {0, "owner", OPT_STRING, &f->owner, "NAME", "only this owner's", NULL, 0, 0},
        {0, "since", OPT_STRING, &o.since, "TIME", "only from this time on", NULL, 0, 0},
        {0, "until", OPT_STRING, &o.until, "TIME", "only before this time", NULL, 0, 0},
        {0, "status", OPT_STRING, &f->status, "STATUS", "only what is issued, refused, ...", NULL,
         0, 0},
        {0, "csv", OPT_FLAG, &o.csv, NULL, "comma-separated, with a heading", NULL, 0, 0},
        {0, "json", OPT_FLAG, &o.json, NULL, "one JSON object a line", NULL, 0, 0},
        {0, "heads", OPT_STRING, &o.heads, "FILE", "signed heads that were kept elsewhere", NULL, 0,
         0},
        {0, "trust", OPT_STRING, &o.trust, "FILE", "roots to check with", NULL, 0, 0},
        {0, "unit-ca", OPT_STRING, &o.unit_ca, "FILE", "CA of the units, if not the root", NULL, 0,
         0},
        {0, "crl", OPT_STRINGS, &o.crls, "FILE", "CRL of one of them; may be given again", NULL, 0,
         0},
        {'p', "progress", OPT_FLAG, &o.bar, NULL, "show progress on a terminal", NULL, 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, NULL, 0, 0}};
    struct opt_program p = {
        .name = "ledger",
        .synopsis = "[-pv] [-c FILE] [--list | --show DEVICE | --verify | --head | --export LOT | "
                    "--check FILE --trust FILE]",
        .purpose = "Reads the ledger of a unit, verifies it, and exports what others can check.",
        .options = table};
    o.program = &p;
    io_init();
    opt_parse(&p, argc, argv);
    enum status st = run(&o);
    signer_finish();
    return (int)st;
}
