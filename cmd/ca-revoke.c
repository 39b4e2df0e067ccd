/* ca-revoke: records in the CA's ledger that certificates are revoked. */
#include <string.h>

#include "clock.h"
#include "crl.h"
#include "io.h"
#include "opt.h"
#include "revoke.h"
#include "signer.h"
#include "x509.h"

struct call {
    struct revoke r;
    const char *reason, *since;
};

static void check_what(const struct opt_program *p, const struct revoke *r)
{
    int named = !!r->serial + !!r->device + !!r->lot + !!r->unit + !!r->csv + !!r->file;
    if (named > 1)
        opt_wrong(p, "--serial, --device, --lot, --unit, --csv and FILE exclude each other");
    /* what was signed by hand has no lot: the empty name of a script's variable must not be all of
     * it */
    if ((r->device && !*r->device) || (r->lot && !*r->lot) || (r->unit && !*r->unit))
        opt_wrong(p, "--device, --lot and --unit take a name that is not empty");
    if (r->allow_new_key && !r->device)
        opt_wrong(p, "--allow-new-key goes with --device");
    if (!named)
        opt_want_stdin(p);
}

static void check_reason(const struct opt_program *p, struct call *c)
{
    c->r.reason = crl_reason(c->reason);
    if (c->r.reason < 0)
        opt_wrong(p, "--reason: not a reason of RFC 5280: \"%s\"", c->reason);
    if (!strcmp(c->reason, "certificateHold") || !strcmp(c->reason, "removeFromCRL"))
        opt_wrong(p, "--reason: a revocation is final here: there is no %s", c->reason);
}

static void check_why(const struct opt_program *p, const struct revoke *r)
{
    if (!r->why && !r->dry_run)
        opt_wrong(p, "--why TEXT is missing: the ledger keeps why, and who");
    if (r->why &&
        (!*r->why || strlen(r->why) > REVOKE_WHY || !x509_text_ok(r->why, strlen(r->why))))
        opt_wrong(p, "--why: 1 to %d octets of UTF-8 in one line", REVOKE_WHY);
}

int main(int argc, char **argv)
{
    struct call c = {.r.count = -1};
    struct revoke *r = &c.r;
    struct opt table[] = {
        {'c', "config", OPT_STRING, &r->config, "FILE", "the configuration of ca-sign",
         "/etc/certline/ca-sign.yaml", 0, 0},
        {0, "serial", OPT_STRING, &r->serial, "HEX", "the certificate with this serial number",
         NULL, 0, 0},
        {0, "device", OPT_STRING, &r->device, "ID", "all certificates of a device", NULL, 0, 0},
        {0, "lot", OPT_STRING, &r->lot, "NAME", "all certificates of a lot", NULL, 0, 0},
        {0, "unit", OPT_STRING, &r->unit, "ID",
         "all that came through this attach, verify-unit or ra-approve", NULL, 0, 0},
        {0, "csv", OPT_STRING, &r->csv, "FILE", "those in the column serial (in hex), else device",
         NULL, 0, 0},
        {0, "owner", OPT_STRING, &r->owner, "NAME", "of this owner only", NULL, 0, 0},
        {0, "profile", OPT_STRING, &r->profile, "NAME", "of this profile only", NULL, 0, 0},
        {0, "since", OPT_STRING, &c.since, "DATE", "issued at that time or later", NULL, 0, 0},
        {0, "reason", OPT_STRING, &c.reason, "REASON", "a CRLReason of RFC 5280", "unspecified", 0,
         0},
        {0, "why", OPT_STRING, &r->why, "TEXT", "why, for the ledger", NULL, 0, 0},
        {0, "allow-new-key", OPT_FLAG, &r->allow_new_key, NULL,
         "let the device have one new key, whatever reissue: says", NULL, 0, 0},
        {0, "count", OPT_NUMBER, &r->count, "N",
         "how many will be revoked; else the terminal is asked", NULL, 0, 1000000000},
        {'n', "dry-run", OPT_FLAG, &r->dry_run, NULL, "show what would be revoked", NULL, 0, 0},
        {0}};
    struct opt_program p = {.name = "ca-revoke",
                            .synopsis =
                                "[-nv] [-c FILE] [--serial HEX | --device ID [--allow-new-key] | "
                                "--lot NAME | --unit ID | --csv FILE | FILE] [--owner NAME] "
                                "[--profile NAME] [--since DATE] [--reason REASON] [--why TEXT] "
                                "[--count N] [< certificates]",
                            .purpose = "Records in the CA's ledger that certificates are revoked.",
                            .options = table,
                            .operands = 1};
    io_init();
    int at = opt_parse(&p, argc, argv);
    r->file = at < argc ? argv[at] : NULL;
    if (c.since && !clock_parse(c.since, &r->since))
        opt_wrong(&p, "--since: not YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ: \"%s\"", c.since);
    check_reason(&p, &c);
    check_why(&p, r);
    check_what(&p, r);
    enum status st = revoke_run(r);
    signer_finish();
    return (int)st;
}
