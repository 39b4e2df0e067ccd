#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "alloc.h"
#include "diag.h"
#include "pem.h"
#include "signer.h"

#define TRIES 10

struct scanner {
    struct store *s;
    struct store_scan *out;
    size_t cap;
    struct pem *pem; /* one for all: making it costs more than reading a certificate */
    int again;       /* a certificate came while this was read */
    unsigned char (*keys)[X509_HASH]; /* of enrolments under way */
    size_t n_keys;
};

/* A name that is ours to look at; the others get their warning. */
static int ours(struct scanner *c, enum store_folder f, const struct dirent *e, unsigned char type)
{
    /* What is being made or taken away. */
    if (!strncmp(e->d_name, ".new-", 5) || !strncmp(e->d_name, ".del-", 5))
        return 0;
    if (!store_name_ok(e->d_name) || e->d_type != type) {
        store_failed(c->s, f, e->d_name,
                     type == DT_LNK       ? "not a link of a purpose"
                     : f == STORE_PENDING ? "not a folder of an enrolment"
                                          : "not a folder of a certificate");
        c->out->bad = 1;
        return 0;
    }
    return 1;
}

static int each_name(struct scanner *c, enum store_folder f, unsigned char type,
                     int (*each)(struct scanner *c, const char *name))
{
    DIR *dir = store_list(c->s, f, NULL);
    struct dirent *e;
    int more = dir ? 1 : -1, ok = 1;
    while (ok && more > 0 && (more = store_next(dir, &e)) > 0) {
        struct stat st;
        /* Some file systems do not say of what kind an entry is. */
        if (e->d_type == DT_UNKNOWN &&
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            e->d_type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISLNK(st.st_mode) ? DT_LNK : DT_REG;
        if (ours(c, f, e, type))
            ok = each(c, e->d_name);
    }
    if (more < 0)
        store_failed(c->s, f, NULL, NULL);
    if (dir)
        closedir(dir);
    return ok && !more;
}

static int bad(struct scanner *c, struct store_cert *to, const char *why)
{
    char *name = alloc_printf("%s/cert.pem", to->name);
    store_failed(c->s, STORE_CERT, name, why);
    free(name);
    to->bad = 1;
    c->out->bad = 1;
    return 1;
}

static int is_pending(const struct scanner *c, struct span spki)
{
    unsigned char hash[X509_HASH];
    if (c->n_keys)
        x509_key_hash(spki, hash);
    for (size_t i = 0; i < c->n_keys; i++)
        if (!memcmp(c->keys[i], hash, X509_HASH))
            return 1;
    return 0;
}

static void look(struct scanner *c, struct store_cert *to, struct span der)
{
    struct x509_cert cert;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    if (!x509_cert_view(der, &cert)) {
        bad(c, to, "not a certificate (X.509 version 3 in DER)");
        return;
    }
    to->not_before = cert.not_before;
    to->not_after = cert.not_after;
    to->self = buf_same(cert.issuer, cert.subject) != 0;
    to->pending = is_pending(c, cert.spki) != 0;
    SHA256(der.p, der.n, hash);
    memcpy(to->id, hash, STORE_ID);
    if (cert.not_before > c->out->newest_not_before)
        c->out->newest_not_before = cert.not_before;
}

static int each_cert(struct scanner *c, const char *name)
{
    struct store_scan *out = c->out;
    struct pem_block b;
    if (out->n == STORE_CERTS) {
        char why[60];
        snprintf(why, sizeof why, "more than %d certificates", STORE_CERTS);
        store_failed(c->s, STORE_CERT, NULL, why);
        return 0;
    }
    int fd = store_open_file(c->s, STORE_CERT, name, "cert.pem"), why = errno;
    struct stat st;
    if (fd < 0 && why == ENOENT && fstatat(c->s->fd[STORE_CERT], name, &st, AT_SYMLINK_NOFOLLOW))
        return 1; /* deleted meanwhile */
    if (out->n == c->cap)
        out->certs = alloc_grow(out->certs, c->cap = 2 * c->cap + 64, sizeof *out->certs);
    struct store_cert *to = &out->certs[out->n++];
    *to = (struct store_cert){.bad = 0};
    snprintf(to->name, sizeof to->name, "%s", name);
    if (fd < 0)
        return bad(c, to, why == ELOOP ? "a symbolic link" : strerror(why));
    if (c->pem)
        pem_reopen(c->pem, fd);
    else
        c->pem = pem_open(fd, STORE_FILE, PEM_FILE);
    /* Not waited for: what is no file, such as a FIFO, might never give anything. */
    enum pem_result r = pem_next(c->pem, &b, 0);
    if (r == PEM_BLOCK && !strcmp(b.label, "CERTIFICATE"))
        look(c, to, (struct span){b.der, b.n});
    else
        bad(c, to,
            !store_regular(fd) ? "not a regular file"
            : r == PEM_BAD     ? b.why
            : r == PEM_FAIL    ? strerror(errno)
                               : "no certificate in it");
    close(fd);
    return 1;
}

static int each_link(struct scanner *c, const char *purpose)
{
    struct store_scan *out = c->out;
    char name[STORE_NAME + 1];
    enum store_link link = store_link(c->s, purpose, name);
    if (link == STORE_LINK_GONE)
        return 1;
    if (link == STORE_LINK_UNREAD) { /* what is in use is not known then */
        store_failed(c->s, STORE_PURPOSE, purpose, NULL);
        return 0;
    }
    if (out->n_purposes == STORE_PURPOSES) {
        store_failed(c->s, STORE_PURPOSE, NULL, "more than 256 purposes");
        return 0;
    }
    const struct store_cert *cert = link == STORE_LINK_INSIDE ? store_find(out, name) : NULL;
    if (link == STORE_LINK_INSIDE && !cert) {
        c->again = 1;
        return 0;
    }
    out->purposes = alloc_grow(out->purposes, out->n_purposes + 1, sizeof *out->purposes);
    struct store_purpose *p = &out->purposes[out->n_purposes++];
    *p = (struct store_purpose){.cert = cert ? cert - out->certs : -1};
    snprintf(p->name, sizeof p->name, "%s", purpose);
    if (cert) {
        out->certs[p->cert].linked = 1;
        return 1;
    }
    store_failed(c->s, STORE_PURPOSE, purpose,
                 link == STORE_LINK_DANGLING ? "points to a certificate that is not there"
                                             : "does not point to a certificate of this store");
    out->bad = 1;
    return 1;
}

static int each_pending(struct scanner *c, const char *purpose)
{
    struct store_enrolment e;
    unsigned char hash[X509_HASH];
    int have = store_enrolment(c->s, purpose, &e);
    if (have < 0)
        c->out->bad = 1;
    if (have <= 0)
        return 1;
    if (store_enrolment_key(&e, hash)) {
        c->keys = alloc_grow(c->keys, c->n_keys + 1, sizeof *c->keys);
        memcpy(c->keys[c->n_keys++], hash, X509_HASH);
    }
    store_enrolment_free(&e);
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct store_cert *)a)->name, ((const struct store_cert *)b)->name);
}

static int by_purpose(const void *a, const void *b)
{
    return strcmp(((const struct store_purpose *)a)->name, ((const struct store_purpose *)b)->name);
}

static int scan(struct scanner *c)
{
    struct store_scan *out = c->out;
    *out = (struct store_scan){.newest_not_before = INT64_MIN};
    c->cap = c->n_keys = 0;
    c->again = 0;
    int ok = (c->s->fd[STORE_PENDING] < 0 || each_name(c, STORE_PENDING, DT_DIR, each_pending)) &&
             each_name(c, STORE_CERT, DT_DIR, each_cert);
    if (ok && out->n)
        qsort(out->certs, out->n, sizeof *out->certs, by_name);
    ok = ok && each_name(c, STORE_PURPOSE, DT_LNK, each_link);
    if (ok && out->n_purposes)
        qsort(out->purposes, out->n_purposes, sizeof *out->purposes, by_purpose);
    if (!ok)
        store_scan_free(out);
    return ok;
}

enum status store_scan(struct store *s, struct store_scan *out)
{
    struct scanner c = {.s = s, .out = out};
    int ok = 0;
    for (int tries = 0; !ok && tries < TRIES && (!tries || c.again); tries++)
        ok = scan(&c);
    if (!ok && c.again)
        store_failed(s, STORE_CERT, NULL, "changed again and again while it was read");
    free(c.keys);
    pem_close(c.pem);
    return ok ? ST_OK : ST_TEMP;
}

int store_clock_wrong(const struct store_scan *sc, int64_t now)
{
    return sc->newest_not_before > INT64_MIN && now < sc->newest_not_before - STORE_AHEAD;
}

void store_scan_free(struct store_scan *sc)
{
    free(sc->certs);
    free(sc->purposes);
    *sc = (struct store_scan){.newest_not_before = INT64_MIN};
}

const struct store_cert *store_find(const struct store_scan *sc, const char *name)
{
    struct store_cert key = {.bad = 0};
    snprintf(key.name, sizeof key.name, "%s", name);
    return sc->n ? bsearch(&key, sc->certs, sc->n, sizeof *sc->certs, by_name) : NULL;
}

const struct store_purpose *store_find_purpose(const struct store_scan *sc, const char *purpose)
{
    for (size_t i = 0; i < sc->n_purposes; i++)
        if (!strcmp(sc->purposes[i].name, purpose))
            return &sc->purposes[i];
    return NULL;
}

/* Of one whose certificate cannot be read the token is asked. */
static int token_key_is(struct store *s, const char *name, const unsigned char hash[X509_HASH])
{
    unsigned char other[X509_HASH];
    struct signer *key = NULL;
    struct span spki;
    char *where = NULL;
    int in_token = 0, same = store_read_key(s, STORE_CERT, name, &where, &in_token);
    if (same > 0 && !in_token) {
        same = 0;
    } else if (same > 0 && signer_open(where, NULL, 0, &key) != ST_OK) {
        same = -1;
    } else if (same > 0) {
        spki.p = signer_spki(key, &spki.n);
        x509_key_hash(spki, other);
        same = !memcmp(other, hash, X509_HASH);
    }
    signer_close(key);
    free(where);
    return same;
}

int store_has_key(struct store *s, const unsigned char hash[X509_HASH], const char *but)
{
    struct store_scan sc;
    unsigned char other[X509_HASH];
    int found = 0;
    if (store_scan(s, &sc) != ST_OK)
        return -1;
    for (size_t i = 0; i < sc.n && !found; i++) {
        struct buf der = {0};
        struct x509_cert cert;
        const char *name = sc.certs[i].name;
        if (but && !strcmp(name, but)) {
            found = sc.certs[i].pending;
        } else if (sc.certs[i].bad || !store_read_cert(s, name, &der, &cert)) {
            found = token_key_is(s, name, hash);
        } else {
            x509_key_hash(cert.spki, other);
            found = !memcmp(other, hash, X509_HASH);
        }
        buf_free(&der);
    }
    store_scan_free(&sc);
    return found;
}
