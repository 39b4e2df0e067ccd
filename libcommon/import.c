#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "clock.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"
#include "pem.h"
#include "signer.h"

struct material {
    struct buf cert, chain, key; /* DER; PEM; PEM, secret */
    struct buf last;             /* DER of the certificate whose issuer comes next */
    struct x509_cert view;
};

static enum status bad_input(const char *path, unsigned long line, const char *why)
{
    diag_warn("%s:%lu: %s", path, line, why);
    return ST_INPUT;
}

/* Whatever the algorithm: what a device has from its factory may be old. */
static int issued(const struct buf *cert, struct span by)
{
    const unsigned char *p = cert->d, *q = by.p;
    X509 *c = d2i_X509(NULL, &p, (long)cert->n), *ca = d2i_X509(NULL, &q, (long)by.n);
    int ok = c && ca && X509_check_issued(ca, c) == X509_V_OK &&
             X509_verify(c, X509_get0_pubkey(ca)) == 1;
    X509_free(c);
    X509_free(ca);
    ERR_clear_error();
    return ok;
}

/* A server sends the chain as it stands: a client that finds another CA in it turns away. */
static enum status add_issuer(struct material *m, const char *name, const struct pem_block *b)
{
    if (!issued(&m->last, (struct span){b->der, b->n})) {
        diag_warn("%s:%lu: not the issuer of the certificate before it", name, b->line);
        diag_hint("the chain begins with the issuer of the certificate and leads upwards");
        return ST_REFUSED;
    }
    pem_put(&m->chain, "CERTIFICATE", b->der, b->n);
    buf_reset(&m->last);
    buf_put(&m->last, b->der, b->n);
    return ST_OK;
}

/* The certificate, unless it is there already, and its issuers, if they are looked for here. */
static enum status read_certs(const char *path, struct material *m, int issuers)
{
    const char *name = path ? path : "stdin";
    struct pem_block b;
    struct x509_cert view;
    enum pem_result r;
    enum status st = ST_OK;
    int n = 0, fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : 0;
    if (fd < 0) {
        diag_warn("%s: %s", path, strerror(errno));
        return ST_USAGE;
    }
    struct pem *in = pem_open(fd, STORE_FILE, path ? PEM_FILE : 0);
    while (st == ST_OK && (r = pem_next(in, &b, 1)) != PEM_END) {
        if (r != PEM_BLOCK)
            st = bad_input(name, b.line, r == PEM_BAD ? b.why : "cannot be read");
        else if (strcmp(b.label, "CERTIFICATE"))
            st = bad_input(name, b.line, "not a CERTIFICATE");
        else if (++n > IMPORT_CHAIN)
            st = bad_input(name, b.line, "more than 10 certificates");
        else if (!x509_cert_view((struct span){b.der, b.n}, &view))
            st = bad_input(name, b.line, "a malformed certificate");
        else if (!m->cert.n) {
            buf_put(&m->cert, b.der, b.n);
            buf_put(&m->last, b.der, b.n);
        } else if (issuers) {
            st = add_issuer(m, name, &b);
        }
    }
    if (st == ST_OK && !n) {
        diag_warn("%s: no certificate", name);
        st = path || pem_octets(in) ? ST_INPUT : ST_EMPTY;
    }
    pem_close(in);
    if (path)
        close(fd);
    return st;
}

static enum status gather(const struct import_options *o, struct material *m)
{
    if (o->key && !strncmp(o->key, "pkcs11:", 7) && !p11_uri_whole(o->key)) {
        diag_warn(
            "--key: pin-source and module-path must begin with \"/\": the store keeps the URI");
        return ST_USAGE;
    }
    enum status st = read_certs(o->cert, m, !o->chain);
    if (st == ST_OK && o->chain)
        st = read_certs(o->chain, m, 1);
    if (st == ST_OK && !x509_cert_view(buf_span(&m->cert), &m->view))
        st = ST_INPUT;
    if (st == ST_OK && o->key && strncmp(o->key, "pkcs11:", 7)) {
        buf_room(&m->key, STORE_FILE);
        if (!io_read_file(o->key, STORE_FILE, &m->key))
            st = ST_USAGE;
    }
    return st;
}

/* The certificate of the store that is this one; empty: none. */
static void find_same(const struct store_scan *sc, struct span der, char name[STORE_NAME + 1])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(der.p, der.n, hash);
    *name = '\0';
    for (size_t i = 0; i < sc->n && !*name; i++)
        if (!sc->certs[i].bad && !memcmp(sc->certs[i].id, hash, STORE_ID))
            snprintf(name, STORE_NAME + 1, "%s", sc->certs[i].name);
}

/* Whether there is a place for it. What is there already needs none: `same` names it. */
static enum status has_room(const struct plan *p, struct store *s, const struct import_options *o,
                            const struct material *m, char same[STORE_NAME + 1])
{
    struct store_scan sc;
    enum status st = store_scan(s, &sc);
    if (st != ST_OK)
        return st;
    find_same(&sc, buf_span(&m->cert), same);
    if (*same && o->name && strcmp(o->name, same)) {
        diag_warn("%s: the store holds this certificate already, as %s", o->name, same);
        st = ST_REFUSED;
    } else if (!*same && o->name && store_find(&sc, o->name)) {
        diag_warn("%s: there is a certificate of this name already", o->name);
        st = ST_REFUSED;
    } else if (!*same && p->prune.limit && sc.n >= (size_t)p->prune.limit) {
        diag_warn("%s: the store is full (%zu certificates)", p->store, sc.n);
        diag_hint("cert-prune deletes what the rules name");
        st = ST_REFUSED;
    }
    store_scan_free(&sc);
    return st;
}

/* Ahead of anything that is put anywhere, and of what is there already, too. */
static enum status key_fits(const struct import_options *o, const struct material *m,
                            const char *name)
{
    struct signer *key = NULL;
    struct span spki;
    enum status st = signer_open(o->key, NULL, 0, &key);
    if (st == ST_OK) {
        spki.p = signer_spki(key, &spki.n);
        if (!buf_same(m->view.spki, spki)) {
            diag_warn("%s: the key does not belong to the certificate", name);
            st = ST_REFUSED;
        }
    }
    signer_close(key);
    return st == ST_USAGE ? ST_REFUSED : st;
}

/* From now on its schedule counts, and what went wrong with the one before it is over. */
static enum status put_to_use(struct store *s, const char *purpose, const char *name)
{
    struct store_state state;
    enum status st = store_set(s, purpose, name);
    if (st != ST_OK)
        return st;
    if (!store_state_read(s, purpose, &state))
        return ST_REFUSED;
    state.set = clock_now();
    state.failures = state.again = 0;
    return store_state_write(s, purpose, &state);
}

/* What is under way for the purpose would take the place of what was just put there. */
static enum status end_enrolment(struct store *s, const char *purpose)
{
    struct store_enrolment e;
    int under_way = store_enrolment(s, purpose, &e);
    store_enrolment_free(&e);
    if (under_way > 0)
        diag_warn("%s: the enrolment that was under way is given up", purpose);
    return store_enrolment_end(s, purpose);
}

static void tell_unknown(const struct plan *p, const char *purpose)
{
    if (p->n && !plan_purpose(p, purpose))
        diag_warn("%s: no purpose of the configuration: nothing renews it", purpose);
}

/* Beside its key, where the device keeps certificates in a token, too. Ahead of the folder: what is
 * there twice is put once. */
static enum status put_in_token(const struct plan *p, const struct material *m)
{
    size_t n = 0;
    int held = 0;
    const char *base = cfg_path(p->cfg);
    enum status st = p11key_holds_certificate(p->token, base, m->cert.d, m->cert.n, &held);
    if (st != ST_OK || held)
        return st;
    if (p->token_limit && (st = p11key_count_certificates(p->token, base, &n)) != ST_OK)
        return st;
    if (p->token_limit && n >= (size_t)p->token_limit) {
        diag_warn("%s: the token is full (%zu certificates)", p->store, n);
        return ST_REFUSED;
    }
    return p11key_put_certificate(p->token, base, m->cert.d, m->cert.n);
}

static enum store_origin origin_of(const struct import_options *o, const struct material *m)
{
    if (o->origin != STORE_UNKNOWN)
        return o->origin;
    return buf_same(m->view.issuer, m->view.subject) ? STORE_SELF_SIGNED : STORE_IMPORTED;
}

static enum status store_it(const struct plan *p, struct store *s, const struct import_options *o,
                            const struct material *m, char name[STORE_NAME + 1])
{
    struct store_new n = {.name = o->name,
                          .base = o->n_purposes ? o->purposes[0] : "imported",
                          .cert = buf_span(&m->cert),
                          .chain = buf_span(&m->chain),
                          .key_pem = buf_span(&m->key),
                          .key_uri = o->key && !m->key.n ? o->key : NULL,
                          .origin = origin_of(o, m),
                          .purposes = o->purposes,
                          .n_purposes = o->n_purposes};
    enum status st = has_room(p, s, o, m, name);
    if (st == ST_OK && o->key)
        st = key_fits(o, m, *name ? name : o->name ? o->name : n.base);
    if (st == ST_OK && p->token && n.key_uri)
        st = put_in_token(p, m);
    if (st == ST_OK && !*name)
        st = store_add(s, &n, name);
    for (size_t i = 0; st == ST_OK && i < o->n_purposes; i++) {
        st = put_to_use(s, o->purposes[i], name);
        if (st == ST_OK)
            st = end_enrolment(s, o->purposes[i]);
        tell_unknown(p, o->purposes[i]);
    }
    return st;
}

enum status import_run(const struct plan *p, struct store *s, const struct import_options *o)
{
    struct material m = {.cert = {0}};
    char name[STORE_NAME + 1] = "", line[STORE_NAME + 2];
    enum status st = gather(o, &m);
    if (st == ST_OK)
        st = store_lock(s, (int)p->wait);
    if (st == ST_OK)
        st = store_it(p, s, o, &m, name);
    if (st == ST_OK)
        io_stdout(line, (size_t)snprintf(line, sizeof line, "%s\n", name));
    store_unlock(s);
    buf_free(&m.cert);
    buf_free(&m.chain);
    buf_free(&m.last);
    buf_wipe(&m.key);
    return st;
}
