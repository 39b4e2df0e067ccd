#include "unit_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/x509v3.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

/* The file's certificates, each issued by the next; the root only if it is the CA itself. */
static int chain_take(struct unit *u, const char *path, const struct buf *der, int n)
{
    struct x509_cert cert, before;
    for (int i = 0; i < n; i++) {
        if (!x509_cert_view(buf_span(&der[i]), &cert))
            return diag_warn("%s: certificate %d is malformed", path, i + 1);
        if (i && !buf_same(before.issuer, cert.subject))
            return diag_warn("%s: certificate %d is not of the CA that issued the one before it",
                             path, i + 1);
        if (i && buf_same(cert.issuer, cert.subject))
            return 1;
        if (i == UNIT_CHAIN)
            return diag_warn("%s: more than %d certificates below the root", path, UNIT_CHAIN);
        u->issuer_chain[i] = (struct span){alloc_copy(der[i].d, der[i].n), der[i].n};
        u->n_issuer_chain++;
        before = cert;
    }
    return 1;
}

/* Without messages there is no trust to look up: a CA may sign while its own certificate is good.
 */
static int direct_ok(const struct unit *u, const char *path)
{
    const unsigned char *p = u->issuer_chain[0].p;
    X509 *x = d2i_X509(NULL, &p, (long)u->issuer_chain[0].n);
    struct x509_cert cert;
    char when[CLOCK_TEXT];
    int64_t now = clock_now();
    int is_ca = x && X509_check_ca(x) == 1;
    X509_free(x);
    if (!is_ca || !x509_cert_view(u->issuer_chain[0], &cert))
        return diag_warn("%s: the first certificate is not a CA's", path);
    clock_format(now < cert.not_before ? cert.not_before : cert.not_after, when);
    if (now < cert.not_before)
        return diag_warn("%s: the CA's certificate is not valid before %s", path, when);
    if (now >= cert.not_after)
        return diag_warn("%s: the CA's certificate expired %s", path, when);
    return 1;
}

/* RFC 5272, section 3.2 and RFC 6402, 2.10: the message certificate has the CA's name and another
 * key. */
static int line_ok(struct unit *u, const char *path)
{
    const struct unit_own *own = unit_own(u);
    struct x509_cert ca;
    char why[PATH_WHY] = "malformed";
    if (!path_ca_key(u->path, u->issuer_chain[0], u->issuer_chain + 1, u->n_issuer_chain - 1,
                     clock_now(), why) ||
        !x509_cert_view(u->issuer_chain[0], &ca))
        return diag_warn("%s: %s", path, why);
    if (!buf_same(ca.subject, own->cert.subject)) {
        diag_warn("%s: its subject is not the one of the issuing CA in %s", own->conf.certificate,
                  path);
        diag_hint("ca-sign signs its messages in the CA's name: both subjects must be the same");
        return 0;
    }
    if (buf_same(ca.spki, own->cert.spki))
        return diag_warn("%s and %s are for one key: messages and certificates need a key each",
                         own->conf.certificate, path);
    return 1;
}

/* Whether there is a certificate yet. `ca-sign --self-signed >FILE` finds the FILE that the shell
 * has just made. */
static int not_there(const char *path)
{
    struct stat st;
    return !path || stat(path, &st) || !st.st_size;
}

enum status unit_issuer_open(struct unit *u)
{
    const struct unit_own *own = unit_own(u);
    const char *path = own->conf.issuer_certificate;
    struct buf der[UNIT_CHAIN + 2] = {{0}};
    if (u->role != PATH_CA_SIGN || ((own->direct || own->reader) && not_there(path)))
        return ST_OK;
    int n = unit_certs_read(path, der, UNIT_CHAIN + 2);
    int ok = n && chain_take(u, path, der, n) &&
             (own->reader || (own->direct ? direct_ok(u, path) : line_ok(u, path)));
    for (int i = 0; i < n; i++)
        buf_free(&der[i]);
    return ok ? ST_OK : ST_USAGE;
}
