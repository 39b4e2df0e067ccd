#include "unit_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "pem.h"

#define DAY (24 * 60 * 60)
#define WARN_DAYS 30

int unit_certs_read(const char *path, struct buf *der, int most)
{
    int n = pem_file(path, "CERTIFICATE", UNIT_CERT_OCTETS, der, most);
    if (n == 0)
        diag_warn("%s: no certificate in it", path);
    return n > 0 ? n : 0;
}

static enum status trust_open(struct unit *u)
{
    const struct unit_conf *conf = &unit_own(u)->conf;
    const struct anchor_files files = {conf->trust, conf->unit_ca, conf->crls.v, conf->crls.n};
    enum status st = anchor_load(&files, &u->anchor);
    if (!st)
        u->path = unit_own(u)->reader ? path_new_past(u->anchor) : path_new(u->anchor);
    return st;
}

static void warn_of_end(const struct unit *u, int64_t now)
{
    int64_t end = unit_own(u)->cert.not_after;
    char when[CLOCK_TEXT];
    if (end - now > WARN_DAYS * DAY)
        return;
    clock_format(end, when);
    diag_warn("certificate of %s ends %s (days left: %lld)", u->id, when,
              (long long)((end - now) / DAY));
    diag_hint("make a request for the same key with csr-make, and let the unit CA sign it");
}

/* Takes over what path found: the chain as it was verified, not as the file has it. */
static enum status adopt(struct unit *u, const struct path_unit *found)
{
    struct unit_own *own = unit_own(u);
    if (found->role != u->role) {
        diag_warn("%s: certificate of %s is for %s, not for %s", own->conf.certificate, found->id,
                  path_role_name(found->role), path_role_name(u->role));
        return ST_USAGE;
    }
    if (own->conf.id && strcmp(own->conf.id, found->id) != 0) {
        cfg_bad(u->cfg, unit_at(u, "id"), "\"id\" is \"%s\", but the certificate is of \"%s\"",
                own->conf.id, found->id);
        return ST_USAGE;
    }
    u->id = own->id = alloc_str(found->id);
    for (; u->n_chain < found->n_chain; u->n_chain++) {
        struct span from = found->chain[u->n_chain];
        u->chain[u->n_chain] = (struct span){alloc_copy(from.p, from.n), from.n};
    }
    return x509_cert_view(u->chain[0], &own->cert) ? ST_OK : ST_USAGE;
}

/* Whose it is, however long it has expired: what it signed is verified at the time of signing. */
static int adopt_name(struct unit *u, struct span der)
{
    struct unit_own *own = unit_own(u);
    struct buf cn = {0};
    u->chain[u->n_chain++] = (struct span){alloc_copy(der.p, der.n), der.n};
    int ok =
        x509_cert_view(u->chain[0], &own->cert) && x509_name_get(own->cert.subject, "CN", &cn) == 1;
    if (ok)
        u->id = own->id = alloc_str((const char *)cn.d);
    else
        diag_warn("%s: not the certificate of a unit", own->conf.certificate);
    buf_free(&cn);
    return ok;
}

enum status unit_cert_open(struct unit *u)
{
    const struct unit_conf *conf = &unit_own(u)->conf;
    struct buf der[UNIT_CHAIN + 1] = {{0}};
    struct span spans[UNIT_CHAIN + 1];
    char why[PATH_WHY];
    int64_t now = clock_now();
    enum status st = trust_open(u);
    if (st)
        return st;
    int n = unit_certs_read(conf->certificate, der, UNIT_CHAIN + 1);
    for (int i = 0; i < n; i++)
        spans[i] = buf_span(&der[i]);
    if (n && unit_own(u)->reader) {
        st = adopt_name(u, spans[0]) ? ST_OK : ST_USAGE;
    } else if (n) {
        const struct path_unit *found =
            path_check(u->path, spans[0], spans + 1, (size_t)n - 1, now, why);
        if (!found)
            diag_warn("%s: %s", conf->certificate, why);
        /* A CRL that is overdue comes without anybody changing the configuration. */
        st = found ? adopt(u, found) : anchor_crls_until(u->anchor) <= now ? ST_TEMP : ST_USAGE;
    } else {
        st = ST_USAGE;
    }
    for (int i = 0; i < n; i++)
        buf_free(&der[i]);
    if (!st && !unit_own(u)->reader)
        warn_of_end(u, now);
    return st;
}
