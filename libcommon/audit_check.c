/* The third party's side. The file is read twice: first the manifests, by which a block that is
 * missing or was put in is found; then every message in full. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "audit_priv.h"
#include "clock.h"
#include "io.h"
#include "pem.h"

enum status audit_check_bad(const struct audit_file *c, const char *why)
{
    diag_warn("%s:%lu: %s", c->name, c->line, why);
    return ST_INPUT;
}

/* --- manifests --- */

static int same_text(const char *a, const char *b)
{
    return !strcmp(a, b);
}

static int follows(const struct audit_file *c, const struct audit_manifest *m, char why[CMS_WHY])
{
    const struct audit_manifest *b = &c->manifest;
    if (m->part != b->part + 1 || memcmp(m->before, b->digest, CMS_DIGEST))
        return audit_bad(why, "a manifest that does not follow the one before it");
    if (b->part && (!same_text(m->unit, b->unit) || !same_text(m->owner, b->owner) ||
                    !same_text(m->lot, b->lot)))
        return audit_bad(why, "a manifest of another export");
    size_t n = m->n < c->n ? m->n : c->n, i = 0;
    while (i < n && !memcmp(m->blocks[i], c->blocks[i], CMS_DIGEST))
        i++;
    if (i < n)
        return audit_bad(why,
                         "block %zu is not the one that the manifest names: a block was left "
                         "out, put in, moved or altered",
                         i + 1);
    if (m->n != c->n)
        return audit_bad(why, "%zu blocks, but the manifest names %zu", c->n, m->n);
    return 1;
}

static int is_manifest(struct audit_file *c, struct cms *cms, char why[CMS_WHY])
{
    struct cms_layer l;
    struct audit_manifest m = {0};
    int ok = 0;
    if (!cms_verify_unit(cms, c->path, cms_peek_time(cms), &l, why))
        return 0;
    if (l.signer->role != PATH_CA_SIGN && l.signer->role != PATH_RA_APPROVE)
        audit_bad(why, "a manifest signed by the %s %.100s", path_role_name(l.signer->role),
                  l.signer->id);
    else if (!audit_manifest_take(l.content, &m))
        audit_bad(why, "a malformed manifest");
    else if (strcmp(m.unit, l.signer->id) || m.time != l.signing_time)
        audit_bad(why, "a manifest that names another unit or time than its signature");
    else
        ok = follows(c, &m, why);
    if (!ok) {
        audit_manifest_free(&m);
        return 0;
    }
    memcpy(m.digest, l.digest, CMS_DIGEST);
    c->role = l.signer->role;
    c->n = 0;
    audit_manifest_free(&c->manifest);
    c->manifest = m;
    return 1;
}

static enum status list_block(struct audit_file *c, struct span der, struct cms *cms)
{
    char why[CMS_WHY];
    if (cms_peek_type(cms) == CMS_EVIDENCE)
        return is_manifest(c, cms, why) ? ST_OK : audit_check_bad(c, why);
    if (c->n == AUDIT_BLOCKS)
        return audit_check_bad(c, "too many blocks without a manifest");
    cms_digest(der, c->blocks[c->n++]);
    return ST_OK;
}

/* --- the file --- */

/* What was read, so that both times are the same. */
static void remember(unsigned char sum[CMS_DIGEST], struct span der)
{
    unsigned char both[2 * CMS_DIGEST];
    memcpy(both, sum, CMS_DIGEST);
    cms_digest(der, both + CMS_DIGEST);
    cms_digest((struct span){both, sizeof both}, sum);
}

static enum status one(struct audit_file *c, struct span der, unsigned char sum[CMS_DIGEST],
                       int full)
{
    char why[CMS_WHY];
    path_trim(c->path);
    remember(sum, der);
    if (!full && c->manifest.last)
        return audit_check_bad(c, "a block behind the last manifest");
    struct cms *cms = cms_parse(der, why);
    if (!cms)
        return audit_check_bad(c, why);
    enum status st = full ? audit_check_block(c, der, cms) : list_block(c, der, cms);
    cms_free(cms);
    return st;
}

static enum status read_all(struct audit_file *c, unsigned char sum[CMS_DIGEST], int full)
{
    struct pem_block p;
    enum pem_result got;
    enum status st = ST_OK;
    memset(sum, 0, CMS_DIGEST);
    if (lseek(c->fd, 0, SEEK_SET) < 0) {
        diag_warn("%s: %s", c->name, strerror(errno));
        return ST_TEMP;
    }
    struct pem *in = pem_open(c->fd, CMS_MAX, PEM_STRICT);
    while (st == ST_OK && ((got = pem_next(in, &p, 1)) == PEM_BLOCK || got == PEM_BAD)) {
        c->line = p.line;
        if (got == PEM_BAD)
            st = audit_check_bad(c, p.why);
        else if (strcmp(p.label, "CMS"))
            st = audit_check_bad(c, "a block that is not CMS");
        else
            st = one(c, (struct span){p.der, p.n}, sum, full);
    }
    if (st == ST_OK && got == PEM_FAIL) {
        diag_warn("%s: %s", c->name, strerror(errno));
        st = ST_TEMP;
    }
    if (st == ST_OK && io_stopping()) {
        diag_warn("stopped by a signal");
        st = ST_TEMP;
    }
    pem_close(in);
    return st;
}

static enum status whole(struct audit_file *c, unsigned char first[CMS_DIGEST])
{
    enum status st = read_all(c, first, 0);
    if (st == ST_OK && !c->manifest.last) {
        diag_warn("%s: its end is missing: no last manifest", c->name);
        st = ST_INPUT;
    }
    return st;
}

static void summary(const struct audit_file *c)
{
    struct buf out = {0};
    char shown[400], when[CLOCK_TEXT];
    clock_format(c->manifest.time, when);
    diag_escape(c->manifest.lot, shown, sizeof shown);
    buf_printf(&out, "\nlot: %s\n", shown);
    diag_escape(c->manifest.owner, shown, sizeof shown);
    buf_printf(&out, "owner: %s\n", shown);
    diag_escape(c->manifest.unit, shown, sizeof shown);
    buf_printf(&out, "exported: %s by the %s %s\n", when, path_role_name(c->role), shown);
    buf_printf(&out,
               "messages: %" PRId64 "\ngrants: %" PRId64 "\nissued: %" PRId64 "\nrefused: %" PRId64
               "\npending: %" PRId64 "\nopen: %" PRId64 "\n",
               c->messages, c->grants, c->issued, c->refused, c->pending, c->open);
    io_stdout(out.d, out.n);
    buf_free(&out);
}

static enum status check(struct audit_file *c)
{
    unsigned char first[CMS_DIGEST], second[CMS_DIGEST];
    enum status st = whole(c, first);
    if (st != ST_OK)
        return st;
    audit_start(&c->out);
    st = read_all(c, second, 1);
    if (st == ST_OK)
        st = audit_check_end(c);
    if (st == ST_OK && memcmp(first, second, sizeof first)) {
        diag_warn("%s: was changed while it was read", c->name);
        st = ST_INPUT;
    }
    audit_flush(&c->out);
    if (st == ST_OK && c->out.form == AUDIT_TABLE)
        summary(c);
    return st == ST_OK && path_crls_end_before(c->path) ? ST_REFUSED : st;
}

enum status audit_check(const char *file, const struct audit_trust *t, enum audit_form form)
{
    const struct anchor_files files = {t->trust, t->unit_ca, t->crls, t->n_crls};
    struct audit_file c = {.name = file, .fd = -1, .out = {.form = form}};
    struct anchor *anchor = NULL;
    struct stat about;
    enum status st = anchor_load(&files, &anchor);
    if (st != ST_OK)
        return st;
    c.path = path_new_past(anchor);
    c.blocks = alloc_zero(AUDIT_BLOCKS, sizeof *c.blocks);
    c.fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (c.fd < 0 || fstat(c.fd, &about)) {
        diag_warn("%s: %s", file, strerror(errno));
        st = ST_TEMP;
    } else if (!S_ISREG(about.st_mode)) {
        diag_warn("%s: not a regular file: it is read twice", file);
        st = ST_USAGE;
    } else {
        st = check(&c);
    }
    audit_check_free(&c);
    path_free(c.path);
    anchor_free(anchor);
    return st;
}
