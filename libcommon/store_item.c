#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "config.h"
#include "diag.h"
#include "pem.h"

struct meta {
    int origin;
    const char *added;
    struct cfg_strings purposes;
};

static const char *const origins[] = {"factory",  "issued",  "self-signed",
                                      "imported", "unknown", NULL};
static const struct cfg_field meta_fields[] = {
    {.name = "origin",
     .type = CFG_ENUM,
     .offset = offsetof(struct meta, origin),
     .choices = origins},
    {.name = "added", .type = CFG_STRING, .offset = offsetof(struct meta, added)},
    {.name = "purposes", .type = CFG_STRINGS, .offset = offsetof(struct meta, purposes)},
    {.name = NULL},
};

/* A certificate that somebody copied in by hand has no meta.yaml: nothing is known of it. */
static int read_meta(const struct store *s, const char *name, struct store_item *out)
{
    struct meta m = {.origin = STORE_UNKNOWN};
    struct cfg *c;
    int ok = store_read_yaml(s, STORE_CERT, name, "meta.yaml", &c);
    out->origin = STORE_UNKNOWN;
    if (!c)
        return ok;
    ok = cfg_read(c, cfg_root(c), meta_fields, &m);
    if (ok && m.added && !clock_parse(m.added, &out->added))
        ok = cfg_bad(c, cfg_get(cfg_root(c), "added"), "not a time");
    if (ok && m.purposes.n > STORE_PURPOSES)
        ok = cfg_bad(c, cfg_get(cfg_root(c), "purposes"), "more than %d", STORE_PURPOSES);
    if (ok) {
        out->origin = (enum store_origin)m.origin;
        out->n_purposes = m.purposes.n;
        out->purposes = alloc_zero(m.purposes.n, sizeof *out->purposes);
        for (size_t i = 0; i < m.purposes.n; i++)
            out->purposes[i] = alloc_str(m.purposes.v[i]);
    }
    cfg_free(c);
    return ok;
}

/* One line: the URI. */
static int read_uri(const struct store *s, enum store_folder f, const char *name, char **uri)
{
    struct buf b = {0};
    int have = store_read_file(s, f, name, "key.uri", &b);
    if (have > 0) {
        size_t n = strcspn((char *)b.d, "\r\n");
        *uri = alloc_printf("%.*s", (int)n, (char *)b.d);
        if (strncmp(*uri, "pkcs11:", 7) || b.d[n + strspn((char *)b.d + n, "\r\n")]) {
            char *path = store_path_of(s, f, name, "key.uri");
            have = diag_warn("%s: not one pkcs11: URI", path) - 1;
            free(path);
        }
    }
    buf_free(&b);
    return have;
}

int store_read_key(const struct store *s, enum store_folder f, const char *name, char **key,
                   int *in_token)
{
    struct stat st;
    *key = NULL;
    int have = read_uri(s, f, name, key);
    *in_token = have > 0;
    if (have)
        return have;
    /* Only who uses it needs to be allowed to read it. */
    char *path = alloc_printf("%s/key.pem", name);
    if (fstatat(s->fd[f], path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        have = S_ISREG(st.st_mode) ? 1 : -1;
        if (have < 0)
            store_failed(s, f, path,
                         S_ISLNK(st.st_mode) ? "a symbolic link" : "not a regular file");
        else
            *key = store_path_of(s, f, name, "key.pem");
    } else if (errno != ENOENT) {
        store_failed(s, f, path, NULL);
        have = -1;
    }
    free(path);
    return have;
}

int store_read_pem(const struct store *s, enum store_folder f, const char *name, const char *file,
                   const char *label, struct buf *der)
{
    struct pem_block b = {.why = ""};
    int fd = store_open_file(s, f, name, file);
    if (fd < 0 && errno == ENOENT)
        return 0;
    char *path = store_path_of(s, f, name, file);
    struct pem *pem = fd < 0 ? NULL : pem_open(fd, STORE_FILE, PEM_FILE);
    /* Not waited for: what is no file, such as a FIFO, might never give anything. */
    enum pem_result r = pem ? pem_next(pem, &b, 0) : PEM_FAIL;
    if (r == PEM_BLOCK && !strcmp(b.label, label))
        buf_put(der, b.der, b.n);
    else if (pem && !store_regular(fd))
        diag_warn("%s: not a regular file", path);
    else if (fd < 0 && errno == ELOOP)
        diag_warn("%s: a symbolic link", path);
    else if (r == PEM_BAD || r == PEM_FAIL)
        diag_warn("%s: %s", path, r == PEM_BAD ? b.why : strerror(errno));
    else
        diag_warn("%s: no %s in it", path, label);
    if (pem)
        pem_close(pem);
    if (fd >= 0)
        close(fd);
    free(path);
    return der->n ? 1 : -1;
}

int store_read_cert(struct store *s, const char *name, struct buf *der, struct x509_cert *cert)
{
    int have = store_read_pem(s, STORE_CERT, name, "cert.pem", "CERTIFICATE", der);
    if (have > 0 && x509_cert_view(buf_span(der), cert))
        return 1;
    if (have >= 0)
        store_failed(s, STORE_CERT, name, have ? "not a certificate" : "no such certificate");
    return 0;
}

enum status store_read(struct store *s, const char *name, struct store_item *out)
{
    *out = (struct store_item){.added = 0};
    if (!store_name_ok(name)) {
        diag_warn("%s: not the name of a certificate", name);
        return ST_REFUSED;
    }
    if (store_read_cert(s, name, &out->der, &out->cert) &&
        store_read_file(s, STORE_CERT, name, "chain.pem", &out->chain) >= 0 &&
        store_read_key(s, STORE_CERT, name, &out->key, &out->key_in_token) >= 0 &&
        read_meta(s, name, out))
        return ST_OK;
    store_item_free(out);
    return ST_REFUSED;
}

void store_item_free(struct store_item *i)
{
    buf_free(&i->der);
    buf_free(&i->chain);
    free(i->key);
    for (size_t k = 0; k < i->n_purposes; k++)
        free(i->purposes[k]);
    free(i->purposes);
    *i = (struct store_item){.added = 0};
}
