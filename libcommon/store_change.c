#include "store_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"
#include "pem.h"
#include "signer.h"

#define NAMES_TRIED 1000 /* of one base and day */

/* Whether the key that was put into the folder is the one in the certificate. */
static enum status key_fits(const struct store *s, const struct store_new *n, const char *name)
{
    struct x509_cert cert;
    struct signer *key = NULL;
    struct span spki;
    char *where =
        n->key_uri ? alloc_str(n->key_uri) : alloc_printf("%s/cert/.new-%s/key.pem", s->path, name);
    enum status st = signer_open(where, NULL, 0, &key);
    if (st == ST_USAGE)
        st = ST_REFUSED;
    if (st == ST_OK) {
        spki.p = signer_spki(key, &spki.n);
        if (!x509_cert_view(n->cert, &cert) || !buf_same(cert.spki, spki)) {
            diag_warn("%s: the key does not belong to the certificate", name);
            st = ST_REFUSED;
        }
    }
    signer_close(key);
    free(where);
    return st;
}

static void put_meta(enum store_origin origin, int64_t added, const char *const *purposes, size_t n,
                     struct buf *out)
{
    char when[CLOCK_TEXT];
    clock_format(added, when);
    buf_printf(out, "origin: %s\n", store_origin_name(origin));
    if (added)
        buf_printf(out, "added: \"%s\"\n", when);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s  - \"%s\"\n", i ? "" : "purposes:\n", purposes[i]);
}

int store_put_key(int folder, struct span key_pem, const char *key_uri)
{
    struct buf uri = {0};
    if (key_uri)
        buf_printf(&uri, "%s\n", key_uri);
    int ok = (!key_pem.n || store_put_file(folder, "key.pem", key_pem, 0600)) &&
             (!key_uri || store_put_file(folder, "key.uri", buf_span(&uri), 0644));
    buf_free(&uri);
    return ok;
}

static int fill(int folder, const struct store_new *n)
{
    struct buf pem = {0}, full = {0}, meta = {0};
    pem_put(&pem, "CERTIFICATE", n->cert.p, n->cert.n);
    buf_put(&full, pem.d, pem.n);
    buf_put(&full, n->chain.p, n->chain.n);
    put_meta(n->origin, clock_now(), n->purposes, n->n_purposes, &meta);
    int ok = store_put_file(folder, "cert.pem", buf_span(&pem), 0644) &&
             (!n->chain.n || store_put_file(folder, "chain.pem", n->chain, 0644)) &&
             store_put_file(folder, "fullchain.pem", buf_span(&full), 0644) &&
             store_put_key(folder, n->key_pem, n->key_uri) &&
             store_put_file(folder, "meta.yaml", buf_span(&meta), 0644);
    buf_free(&pem);
    buf_free(&full);
    buf_free(&meta);
    return ok;
}

static int taken(const struct store *s, const char *name)
{
    struct stat st;
    return fstatat(s->fd[STORE_CERT], name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int choose_name(const struct store *s, const struct store_new *n, char name[STORE_NAME + 1])
{
    char day[CLOCK_TEXT];
    clock_format(clock_now(), day);
    day[10] = '\0'; /* YYYY-MM-DD */
    for (int i = 1; i <= NAMES_TRIED; i++) {
        int len = i == 1 ? snprintf(name, STORE_NAME + 1, "%.48s-%s", n->base, day)
                         : snprintf(name, STORE_NAME + 1, "%.48s-%s-%d", n->base, day, i);
        assert(len <= STORE_NAME);
        if (!taken(s, name))
            return 1;
    }
    return diag_warn("%s: more than %d certificates named %.48s-%s", s->path, NAMES_TRIED, n->base,
                     day);
}

enum status store_add(struct store *s, const struct store_new *n, char name[STORE_NAME + 1])
{
    assert(s->lock >= 0 && !(n->key_pem.n && n->key_uri));
    if (n->name)
        snprintf(name, STORE_NAME + 1, "%s", n->name);
    else if (!choose_name(s, n, name))
        return ST_REFUSED;
    if (taken(s, name)) {
        store_failed(s, STORE_CERT, name, "there is a certificate of this name already");
        return ST_REFUSED;
    }
    int folder = store_new_folder(s, STORE_CERT, name), kept = 0;
    enum status st =
        folder >= 0 && fill(folder, n) ? ST_OK : store_failed(s, STORE_CERT, name, NULL);
    if (st == ST_OK && (n->key_pem.n || n->key_uri))
        st = key_fits(s, n, name);
    if (st == ST_OK && !(kept = store_keep_folder(s, STORE_CERT, name, folder)))
        st = store_failed(s, STORE_CERT, name, NULL);
    if (folder >= 0)
        close(folder);
    if (!kept) {
        char tmp[STORE_NAME + 8];
        snprintf(tmp, sizeof tmp, ".new-%s", name);
        store_drop_folder(s, STORE_CERT, tmp);
    }
    return st;
}

/* What it was in use for is known when it is superseded: said in meta.yaml ahead of the switch. */
static enum status note_purpose(struct store *s, const char *name, const char *purpose)
{
    struct store_item i;
    struct buf meta = {0};
    enum status st = store_read(s, name, &i);
    if (st != ST_OK)
        return st;
    size_t k = 0;
    while (k < i.n_purposes && strcmp(i.purposes[k], purpose))
        k++;
    if (!i.key) {
        store_failed(s, STORE_CERT, name, "it has no key, so nothing can use it");
        st = ST_REFUSED;
    } else if (k == i.n_purposes && k < STORE_PURPOSES) {
        const char **all = alloc_zero(k + 1, sizeof *all);
        for (size_t j = 0; j < k; j++)
            all[j] = i.purposes[j];
        all[k] = purpose;
        put_meta(i.origin, i.added, all, k + 1, &meta);
        if (!store_replace_file(s, STORE_CERT, name, "meta.yaml", buf_span(&meta)))
            st = store_failed(s, STORE_CERT, name, NULL);
        free(all);
    }
    buf_free(&meta);
    store_item_free(&i);
    return st;
}

enum status store_set(struct store *s, const char *purpose, const char *name)
{
    char tmp[STORE_NAME + 8], to[STORE_NAME + 16];
    int fd = s->fd[STORE_PURPOSE];
    assert(s->lock >= 0);
    if (!taken(s, name)) {
        store_failed(s, STORE_CERT, name, "no such certificate");
        return ST_REFUSED;
    }
    enum status st = note_purpose(s, name, purpose);
    if (st != ST_OK)
        return st;
    snprintf(tmp, sizeof tmp, ".new-%s", purpose);
    snprintf(to, sizeof to, "../cert/%s", name);
    if ((unlinkat(fd, tmp, 0) && errno != ENOENT) || symlinkat(to, fd, tmp) ||
        renameat(fd, tmp, fd, purpose) || fsync(fd))
        return store_failed(s, STORE_PURPOSE, purpose, NULL);
    return ST_OK;
}

enum status store_unset(struct store *s, const char *purpose)
{
    assert(s->lock >= 0);
    if ((unlinkat(s->fd[STORE_PURPOSE], purpose, 0) && errno != ENOENT) ||
        fsync(s->fd[STORE_PURPOSE]))
        return store_failed(s, STORE_PURPOSE, purpose, NULL);
    return ST_OK;
}

/* Read from the disk at this moment, whatever a scan said before. */
static enum status not_linked(const struct store *s, const char *name)
{
    DIR *dir = store_list(s, STORE_PURPOSE, NULL);
    struct dirent *e;
    int more = dir ? 1 : -1, linked = 0;
    while (more > 0 && !linked && (more = store_next(dir, &e)) > 0)
        linked = store_link_leads(s, e->d_name, name);
    if (more < 0 || linked < 0)
        store_failed(s, STORE_PURPOSE, NULL, NULL);
    else if (linked)
        store_failed(s, STORE_CERT, name, "a purpose points to it: it is not deleted");
    if (dir)
        closedir(dir);
    return more < 0 || linked < 0 ? ST_TEMP : linked ? ST_REFUSED : ST_OK;
}

static int is_ours(DIR *dir, const char *file)
{
    static const char *const known[] = {"cert.pem", "chain.pem", "fullchain.pem",
                                        "key.pem",  "key.uri",   "meta.yaml"};
    struct stat st;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(file, known[i]))
            return fstatat(dirfd(dir), file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    return 0;
}

static enum status only_ours(const struct store *s, const char *name)
{
    DIR *dir = store_list(s, STORE_CERT, name);
    struct dirent *e;
    int more = dir ? 1 : -1, ours = 1;
    while (more > 0 && ours && (more = store_next(dir, &e)) > 0)
        ours = is_ours(dir, e->d_name);
    if (more < 0) {
        store_failed(s, STORE_CERT, name, NULL);
    } else if (!ours) {
        char *path = alloc_printf("%s/%s", name, e->d_name);
        store_failed(s, STORE_CERT, path, "not a file of the store: nothing is deleted");
        free(path);
    }
    if (dir)
        closedir(dir);
    return more < 0 ? ST_TEMP : ours ? ST_OK : ST_REFUSED;
}

enum status store_deletable(struct store *s, const char *name)
{
    enum status st = not_linked(s, name);
    return st == ST_OK ? only_ours(s, name) : st;
}

/* A key that another certificate uses stays: renewed with the same key. */
static enum status token_delete(struct store *s, const char *name, const struct store_item *i)
{
    unsigned char hash[X509_HASH];
    x509_key_hash(i->cert.spki, hash);
    int shared = store_has_key(s, hash, name);
    if (shared < 0)
        return ST_TEMP;
    enum status st = shared ? p11key_drop_certificate(i->key, NULL, i->der.d, i->der.n)
                            : p11key_destroy(i->key, NULL, i->cert.spki.p, i->cert.spki.n);
    return st == ST_OK || st == ST_TEMP ? st : ST_REFUSED;
}

enum status store_delete(struct store *s, const char *name, const char *why)
{
    struct store_item i;
    assert(s->lock >= 0);
    enum status st = store_read(s, name, &i);
    if (st != ST_OK)
        return st;
    st = store_deletable(s, name);
    if (st == ST_OK && !store_record(s, "deleted", name, &i, why)) /* before anything is gone */
        st = ST_TEMP;
    if (st == ST_OK && i.key_in_token && (st = token_delete(s, name, &i)) != ST_OK)
        store_record(s, "kept", name, &i, "its key could not be deleted from the token");
    if (st == ST_OK && !store_remove_folder(s, STORE_CERT, name))
        st = store_failed(s, STORE_CERT, name, NULL);
    store_item_free(&i);
    return st;
}
