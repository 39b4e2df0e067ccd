#include "revoke_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "crl.h"
#include "diag.h"
#include "io.h"

static const char *narrowed(const struct revoke *r)
{
    return r->owner || r->profile || r->since ? " that fits --owner, --profile and --since" : "";
}

void revoke_want_warn(const struct revoke_job *j, const struct revoke_wanted *w)
{
    static const char *const what[] = {[REVOKE_SERIAL] = "serial number",
                                       [REVOKE_DEVICE] = "device",
                                       [REVOKE_LOT] = "lot",
                                       [REVOKE_UNIT] = "unit"};
    char where[300] = "";
    if (w->line)
        snprintf(where, sizeof where, "%.200s:%lu: ", j->source, w->line);
    if (j->by == REVOKE_UNIT)
        diag_warn("no certificate%s came through unit \"%s\"", narrowed(j->r), w->text);
    else if (w->keyed)
        diag_warn("%sthis certificate is not in the ledger", where);
    else
        diag_warn("%s%s \"%s\" has no certificate%s", where, what[j->by], w->text, narrowed(j->r));
}

/* Who is at the keyboard. The ledger keeps what the system says; it does not ask for a password. */
static void put_who(struct buf *out)
{
    const struct passwd *me = getpwuid(getuid());
    const char *sudo = getuid() ? NULL : getenv("SUDO_USER");
    if (sudo && *sudo && strlen(sudo) <= 64 && x509_text_ok(sudo, strlen(sudo)))
        buf_printf(out, "%s (as root)", sudo);
    else if (me)
        buf_str(out, me->pw_name);
    else
        buf_printf(out, "uid %lu", (unsigned long)getuid());
}

static enum status record_revoked(struct revoke_job *j, struct span who)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < j->n_picks && st == ST_OK; i++) {
        const struct revoke_pick *p = &j->picks[i];
        struct ledger_entry e = {.kind = LEDGER_REVOKED,
                                 .unit = p->unit,
                                 .owner = p->owner,
                                 .lot = p->lot,
                                 .profile = p->profile,
                                 .device = p->device,
                                 .key = {p->key, p->n_key},
                                 .serial = {p->serial, p->n_serial},
                                 .status = j->r->reason,
                                 .note = j->issuer,
                                 .data = who};
        if (!p->before)
            st = ledger_add(j->u->ledger, &e);
    }
    return st;
}

/* One allowance a profile that the device has a certificate of. */
static enum status record_allowed(struct revoke_job *j, struct span who)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < j->n_picks && st == ST_OK; i++) {
        const struct revoke_pick *p = &j->picks[i];
        size_t first = 0;
        while (strcmp(j->picks[first].profile, p->profile))
            first++;
        struct ledger_entry e = {.kind = LEDGER_ALLOWED,
                                 .owner = p->owner,
                                 .profile = p->profile,
                                 .device = p->device,
                                 .data = who};
        if (first == i)
            st = ledger_add(j->u->ledger, &e);
    }
    return st;
}

static enum status record(struct revoke_job *j)
{
    struct buf who = {0};
    put_who(&who);
    buf_printf(&who, ": %s", j->r->why);
    enum status st = record_revoked(j, buf_span(&who));
    if (st == ST_OK && j->r->allow_new_key)
        st = record_allowed(j, buf_span(&who));
    buf_free(&who);
    return st;
}

static void put_list(const struct revoke_job *j)
{
    struct buf out = {0};
    for (size_t i = 0; i < j->n_picks; i++) {
        const struct revoke_pick *p = &j->picks[i];
        char ends[CLOCK_TEXT];
        if (p->before)
            continue;
        clock_format(p->ends, ends);
        x509_serial_text((struct span){p->serial, p->n_serial}, &out);
        buf_printf(&out, "\t%s\t%s\t%s\t%s\t%s\n", p->owner, p->lot, p->device, p->profile, ends);
    }
    io_stdout(out.d, out.n);
    buf_free(&out);
}

static void report(const struct revoke_job *j)
{
    const char *would = j->r->dry_run ? " would be" : "";
    diag_warn("%zu certificate%s%s revoked, %zu revoked before", j->fresh, j->fresh == 1 ? "" : "s",
              would, j->n_picks - j->fresh);
    if (j->changed)
        diag_warn("of these, %zu%s revoked before, for another reason than keyCompromise",
                  j->changed, j->changed == 1 ? " was" : " were");
    if (j->r->allow_new_key)
        diag_warn("device \"%s\"%s allowed one new key", j->r->device, would);
    if (j->fresh && !j->r->dry_run)
        diag_hint("crl-make makes the CRL that says so");
    if (j->fresh && j->r->lot)
        diag_hint("what the lot asks for is still issued, until a lots file ends it (until)");
}

/* A number, since a "y" is typed too easily. -1: there is nobody to ask. */
static int asked(const struct revoke_job *j)
{
    char shown[400], answer[32] = "", wanted[32];
    int fd = isatty(STDERR_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0)
        return -1;
    const char *device = j->r->allow_new_key ? j->r->device : NULL;
    char *question = alloc_printf(
        "%zu certificate%s will be revoked, for ever%s%s%s; type their number to go on: ", j->fresh,
        j->fresh == 1 ? "" : "s", device ? ", and one new key allowed for device \"" : "",
        device ? device : "", device ? "\"" : "");
    diag_escape(question, shown, sizeof shown);
    free(question);
    snprintf(wanted, sizeof wanted, "%zu\n", j->fresh);
    io_write(fd, shown, strlen(shown));
    ssize_t got = read(fd, answer, sizeof answer - 1);
    close(fd);
    return got > 0 && !strcmp(answer, wanted);
}

/* The number that somebody said yes to. */
static enum status confirm(struct revoke_job *j, size_t *n)
{
    enum status st = ST_OK;
    *n = (size_t)j->r->count;
    if (j->r->count >= 0)
        return ST_OK;
    st = revoke_select(j);
    *n = j->fresh;
    if (st != ST_OK || (!j->fresh && !j->r->allow_new_key))
        return st;
    int yes = asked(j);
    if (yes < 0) {
        diag_warn("%zu certificate%s would be revoked: nobody has said yes to that number",
                  j->fresh, j->fresh == 1 ? "" : "s");
        diag_hint("see which with --dry-run, then say --count %zu", j->fresh);
        return ST_USAGE;
    }
    if (!yes)
        diag_warn("not confirmed: nothing was revoked");
    return yes ? ST_OK : ST_REFUSED;
}

/* In a transaction: what was said yes to is what is there. */
static enum status revoke_all(struct revoke_job *j, size_t n)
{
    enum status st = ledger_lock(j->u->ledger, issue_ca_lock(j->issuer));
    if (st == ST_OK)
        st = revoke_select(j);
    if (st != ST_OK || (!j->fresh && !j->r->allow_new_key))
        return st;
    if (j->fresh != n) {
        diag_warn("%zu certificate%s would be revoked, not %zu: nothing was", j->fresh,
                  j->fresh == 1 ? "" : "s", n);
        diag_hint("see which with --dry-run, then say --count %zu", j->fresh);
        return ST_USAGE;
    }
    return record(j);
}

static enum status run(struct revoke_job *j)
{
    size_t n = 0;
    enum status st = revoke_want(j);
    if (st == ST_OK && j->r->dry_run)
        st = revoke_select(j);
    else if (st == ST_OK) {
        st = confirm(j, &n);
        if (st == ST_OK)
            st = ledger_begin(j->u->ledger);
        if (st == ST_OK)
            st = revoke_all(j, n);
        if (st == ST_OK)
            st = ledger_commit(j->u->ledger);
        ledger_abort(j->u->ledger);
    }
    if (st == ST_OK) {
        put_list(j);
        report(j);
    }
    return st;
}

enum status revoke_run(const struct revoke *r)
{
    struct revoke_job j = {.r = r};
    struct span spki;
    enum status st = unit_open_issuer(r->config, &j.u);
    if (st == ST_OK && !j.u->n_issuer_chain) {
        diag_warn("the CA has no certificate yet");
        st = ST_USAGE;
    }
    if (st == ST_OK) {
        spki.p = signer_spki(j.u->issuer, &spki.n);
        x509_key_hash(spki, j.own_key);
        issue_ca_id(j.u->issuer, j.issuer);
        st = run(&j);
    }
    revoke_select_free(&j);
    revoke_want_free(&j);
    unit_close(j.u);
    return st;
}
