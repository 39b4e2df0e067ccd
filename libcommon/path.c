#include "path_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/x509v3.h>

#include "alloc.h"
#include "diag.h"
#include "clock.h"

#define REMEMBERED 256
#define ID_MOST 64 /* ub-common-name, RFC 5280, Appendix A */

enum kind { UNIT, CA };

/* Something found good. The unit's own certificate is chain[0]. */
struct entry {
    enum kind kind;
    struct path_unit unit; /* a CA has only key, chain and validity */
    struct buf id;
};

struct path {
    struct anchor *anchor;
    int past;
    int64_t newest; /* at which a unit was good */
    size_t n;
    struct entry *entries[REMEMBERED];
};

struct path *path_new(struct anchor *a)
{
    struct path *p = alloc_zero(1, sizeof *p);
    p->anchor = a;
    return p;
}

struct path *path_new_past(struct anchor *a)
{
    struct path *p = path_new(a);
    p->past = 1;
    return p;
}

static void entry_free(struct entry *e)
{
    if (!e)
        return;
    EVP_PKEY_free(e->unit.key);
    for (size_t i = 0; i < e->unit.n_chain; i++)
        free((void *)e->unit.chain[i].p);
    buf_free(&e->id);
    free(e);
}

static void forget(struct path *p)
{
    for (size_t i = 0; i < p->n; i++)
        entry_free(p->entries[i]);
    p->n = 0;
}

void path_trim(struct path *p)
{
    if (p->n > REMEMBERED / 2)
        forget(p);
}

void path_free(struct path *p)
{
    if (!p)
        return;
    forget(p);
    free(p);
}

int path_refresh(struct path *p)
{
    int changed = anchor_refresh(p->anchor);
    if (changed == 1)
        forget(p);
    if (changed >= 0 && clock_now() >= anchor_crls_until(p->anchor)) {
        char until[CLOCK_TEXT];
        clock_format(anchor_crls_until(p->anchor), until);
        diag_warn("a CRL is past its nextUpdate, %s", until);
        diag_hint("put a newer one in place; nothing is let through without");
        return -1;
    }
    return changed;
}

/* Octets are compared whole: cheaper than a digest, and nothing to collide. */
static struct entry *remembered(const struct path *p, enum kind kind, struct span cert)
{
    for (size_t i = 0; i < p->n; i++) {
        struct entry *e = p->entries[i];
        if (e->kind == kind && buf_same(e->unit.chain[0], cert))
            return e;
    }
    return NULL;
}

/* At the very second of notAfter and nextUpdate OpenSSL says no; so the whole check is run there.
 */
static int still_good(const struct path *p, const struct entry *e, int64_t now)
{
    return now >= e->unit.not_before && now < e->unit.not_after &&
           (p->past || now < anchor_crls_until(p->anchor));
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static void chain_add(struct path_unit *u, const void *der, size_t n)
{
    u->chain[u->n_chain++] = (struct span){alloc_copy(der, n), n};
}

static void entry_chain(struct entry *e, struct span cert, const STACK_OF(X509) * chain)
{
    struct path_unit *u = &e->unit;
    int n = sk_X509_num(chain);
    u->not_before = INT64_MIN;
    u->not_after = INT64_MAX;
    chain_add(u, cert.p, cert.n);
    for (int i = 0; i < n; i++) {
        X509 *x = sk_X509_value(chain, i);
        int64_t from = time_of(X509_get0_notBefore(x)), to = time_of(X509_get0_notAfter(x));
        unsigned char *der = NULL;
        if (from > u->not_before)
            u->not_before = from;
        if (to < u->not_after)
            u->not_after = to;
        int len = i && i < n - 1 ? i2d_X509(x, &der) : 0;
        if (len > 0 && u->n_chain < sizeof u->chain / sizeof *u->chain)
            chain_add(u, der, (size_t)len);
        OPENSSL_free(der);
    }
}

static X509 *parse(struct span cert)
{
    const unsigned char *p = cert.p;
    X509 *x = d2i_X509(NULL, &p, (long)cert.n);
    if (x && p == cert.p + cert.n)
        return x;
    X509_free(x);
    return NULL;
}

/* The commonName as the unit's id; `who` is what to call the unit in a warning. */
static int id_read(struct span subject, struct buf *id, char who[ID_MOST + 1], char why[PATH_WHY])
{
    int found = x509_name_get(subject, "CN", id);
    if (found == 1 && id->n && id->n <= ID_MOST) {
        memcpy(who, id->d, id->n + 1);
        return 1;
    }
    char *text = x509_name_text(subject);
    snprintf(who, ID_MOST + 1, "%s", text && *text ? text : "no name");
    free(text);
    if (found == 0)
        return path_bad(why, who, "has no commonName, which would be the unit's id");
    if (found < 0)
        return path_bad(why, who, "has a malformed commonName, or more than one");
    return path_bad(why, who, "has a commonName that is not 1 to %d octets long", ID_MOST);
}

static int issued_by_unit_ca(struct path *p, const STACK_OF(X509) * chain)
{
    return sk_X509_num(chain) > 1 && !X509_cmp(sk_X509_value(chain, 1), anchor_unit_ca(p->anchor));
}

/* The whole check. What is found is handed over in *chain and *role. */
static int judge_unit(struct path *p, X509 *x, const struct span *extra, size_t n_extra,
                      int64_t now, const char *who, int64_t *revoked, STACK_OF(X509) * *chain,
                      enum path_role *role, char why[PATH_WHY])
{
    if (!path_verify(p->anchor, x, extra, n_extra, now, who, p->past ? revoked : NULL, chain, why))
        return 0;
    if (!issued_by_unit_ca(p, *chain))
        return path_bad(why, who, "was not issued by the unit CA itself");
    return path_role_rules(x, who, role, why);
}

/* Keeps what was found good; `e` is an older entry for the same certificate, which stays as it is.
 */
static struct entry *remember(struct path *p, struct entry *e, enum kind kind, struct span cert,
                              X509 *x, int64_t revoked, const STACK_OF(X509) * chain,
                              char why[PATH_WHY])
{
    if (e)
        return e;
    if (p->n == REMEMBERED) {
        snprintf(why, PATH_WHY, "more than %d certificates of units and CAs are in use",
                 REMEMBERED);
        return NULL;
    }
    e = alloc_zero(1, sizeof *e);
    e->kind = kind;
    e->unit.key = X509_get_pubkey(x);
    entry_chain(e, cert, chain);
    if (revoked < e->unit.not_after)
        e->unit.not_after = revoked;
    x509_cert_view(e->unit.chain[0], &e->unit.cert);
    p->entries[p->n++] = e;
    return e;
}

static const struct path_unit *check(struct path *p, struct span cert, const struct span *extra,
                                     size_t n_extra, int64_t now, char why[PATH_WHY])
{
    struct entry *e = remembered(p, UNIT, cert);
    if (e && still_good(p, e, now))
        return &e->unit;
    struct x509_cert view;
    struct buf id = {0};
    char who[ID_MOST + 1];
    enum path_role role;
    int64_t revoked = INT64_MAX;
    STACK_OF(X509) *chain = NULL;
    X509 *x = x509_cert_view(cert, &view) ? parse(cert) : NULL;
    struct entry *found = NULL;
    if (!x) {
        snprintf(why, PATH_WHY, "the unit's certificate is malformed");
        goto out;
    }
    if (!id_read(view.subject, &id, who, why) ||
        !judge_unit(p, x, extra, n_extra, now, who, &revoked, &chain, &role, why))
        goto out;
    found = remember(p, e, UNIT, cert, x, revoked, chain, why);
    if (found && !found->unit.id) {
        found->unit.role = role;
        found->id = id;
        found->unit.id = (const char *)found->id.d;
        id = (struct buf){0};
    }
out:
    buf_free(&id);
    sk_X509_pop_free(chain, X509_free);
    X509_free(x);
    return found ? &found->unit : NULL;
}

const struct path_unit *path_check(struct path *p, struct span cert, const struct span *extra,
                                   size_t n_extra, int64_t now, char why[PATH_WHY])
{
    const struct path_unit *u = check(p, cert, extra, n_extra, now, why);
    if (u && now > p->newest)
        p->newest = now;
    return u;
}

int path_crls_end_before(const struct path *p)
{
    return anchor_crls_end_before(p->anchor, p->newest);
}

EVP_PKEY *path_ca_key(struct path *p, struct span ca, const struct span *extra, size_t n_extra,
                      int64_t now, char why[PATH_WHY])
{
    struct entry *e = remembered(p, CA, ca);
    if (e && still_good(p, e, now))
        return e->unit.key;
    struct x509_cert view;
    int64_t revoked = INT64_MAX;
    STACK_OF(X509) *chain = NULL;
    char *who = NULL;
    X509 *x = x509_cert_view(ca, &view) ? parse(ca) : NULL;
    struct entry *found = NULL;
    if (!x) {
        snprintf(why, PATH_WHY, "the CA's certificate is malformed");
        goto out;
    }
    who = x509_name_text(view.subject);
    if (!who || strlen(who) > 100) {
        snprintf(why, PATH_WHY, "the CA's certificate has a malformed or too long name");
        goto out;
    }
    if (X509_check_ca(x) != 1) {
        path_bad(why, who, "is not a CA's");
        goto out;
    }
    if (path_verify(p->anchor, x, extra, n_extra, now, who, p->past ? &revoked : NULL, &chain, why))
        found = remember(p, e, CA, ca, x, revoked, chain, why);
out:
    free(who);
    sk_X509_pop_free(chain, X509_free);
    X509_free(x);
    return found ? found->unit.key : NULL;
}
