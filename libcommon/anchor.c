#include "anchor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "pem.h"

#define CERTS_MOST 16 /* in one file */
#define CERT_OCTETS 65536
#define CRLS_MOST 16
#define CRL_OCTETS (16 * 1024 * 1024)

struct crl_file {
    char *path;
    struct stat seen;
    STACK_OF(X509_CRL) * crls;
};

struct anchor {
    STACK_OF(X509) * roots;
    STACK_OF(X509) * unit; /* the unit CA and its intermediates */
    struct crl_file *files;
    size_t n_files;
    X509_STORE *store;
    int64_t until;
    int changed; /* a new CRL that anchor_refresh has not reported yet */
};

static STACK_OF(X509) * certs_read(const char *path)
{
    struct buf der[CERTS_MOST] = {{0}};
    STACK_OF(X509) *certs = sk_X509_new_null();
    int n = pem_file(path, "CERTIFICATE", CERT_OCTETS, der, CERTS_MOST), ok = n > 0;
    if (n == 0)
        diag_warn("%s: no certificate in it", path);
    for (int i = 0; ok && i < n; i++) {
        const unsigned char *p = der[i].d;
        X509 *x = d2i_X509(NULL, &p, (long)der[i].n);
        ok = x && p == der[i].d + der[i].n && sk_X509_push(certs, x);
        if (!ok) {
            diag_warn("%s: certificate %d is malformed: %s", path, i + 1, diag_openssl());
            X509_free(x);
        }
    }
    for (int i = 0; i < n; i++)
        buf_free(&der[i]);
    if (ok)
        return certs;
    sk_X509_pop_free(certs, X509_free);
    return NULL;
}

static int roots_load(struct anchor *a, const char *path)
{
    a->roots = certs_read(path);
    if (!a->roots)
        return 0;
    for (int i = 0; i < sk_X509_num(a->roots); i++) {
        X509 *x = sk_X509_value(a->roots, i);
        if (X509_self_signed(x, 1) != 1)
            return diag_warn("%s: certificate %d is not self-signed", path, i + 1);
        if (X509_check_ca(x) != 1)
            return diag_warn("%s: certificate %d is not a CA's", path, i + 1);
    }
    return 1;
}

/* Whether the unit CA leads to a root at all; when and how far it is valid is path's to say. */
static int unit_ca_leads(struct anchor *a, const char *path)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509 *ca = anchor_unit_ca(a);
    int ok = ctx && X509_STORE_CTX_init(ctx, a->store, ca, a->unit);
    if (ok) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME);
        ok = X509_verify_cert(ctx) == 1;
        if (!ok)
            diag_warn("%s: does not lead to a root of the trust: %s", path,
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    X509_STORE_CTX_free(ctx);
    return ok;
}

static int unit_ca_load(struct anchor *a, const struct anchor_files *files)
{
    if (files->unit_ca) {
        a->unit = certs_read(files->unit_ca);
        if (!a->unit)
            return 0;
        if (X509_check_ca(anchor_unit_ca(a)) != 1)
            return diag_warn("%s: the first certificate is not a CA's", files->unit_ca);
        return unit_ca_leads(a, files->unit_ca);
    }
    if (sk_X509_num(a->roots) != 1) {
        diag_warn("%s: holds %d roots", files->trust, sk_X509_num(a->roots));
        diag_hint("unit-ca: must say which CA issues the units");
        return 0;
    }
    a->unit = X509_chain_up_ref(a->roots);
    return a->unit != NULL;
}

static int crl_signed_by(X509_CRL *crl, const STACK_OF(X509) * by)
{
    for (int i = 0; i < sk_X509_num(by); i++) {
        X509 *x = sk_X509_value(by, i);
        if (!X509_NAME_cmp(X509_get_subject_name(x), X509_CRL_get_issuer(crl)) &&
            X509_CRL_verify(crl, X509_get0_pubkey(x)) == 1)
            return 1;
    }
    return 0;
}

/* OpenSSL holds certificates to a security level, but not CRLs. */
static int crl_strong(const X509_CRL *crl)
{
    int nid = X509_CRL_get_signature_nid(crl), md = NID_undef, key;
    if (nid == NID_ED25519 || nid == NID_ED448)
        return 1;
    return OBJ_find_sigid_algs(nid, &md, &key) &&
           (md == NID_sha256 || md == NID_sha384 || md == NID_sha512);
}

static int crl_ok(const struct anchor *a, const char *path, X509_CRL *crl)
{
    if (!X509_CRL_get0_nextUpdate(crl))
        return diag_warn("%s: has no nextUpdate", path);
    if (!crl_strong(crl))
        return diag_warn("%s: signed with %s, SHA-256 or stronger is needed", path,
                         OBJ_nid2ln(X509_CRL_get_signature_nid(crl)));
    if (!crl_signed_by(crl, a->roots) && !crl_signed_by(crl, a->unit))
        return diag_warn("%s: signed neither by a root of the trust nor by the unit CA", path);
    return 1;
}

static STACK_OF(X509_CRL) * crls_read(const struct anchor *a, const char *path)
{
    struct buf der[CRLS_MOST] = {{0}};
    STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
    int n = pem_file(path, "X509 CRL", CRL_OCTETS, der, CRLS_MOST), ok = n > 0;
    if (n == 0)
        diag_warn("%s: no CRL in it", path);
    for (int i = 0; ok && i < n; i++) {
        const unsigned char *p = der[i].d;
        X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der[i].n);
        if (!crl || p != der[i].d + der[i].n || !sk_X509_CRL_push(crls, crl)) {
            ok = diag_warn("%s: malformed: %s", path, diag_openssl());
            X509_CRL_free(crl);
        } else {
            ok = crl_ok(a, path, crl);
        }
    }
    for (int i = 0; i < n; i++)
        buf_free(&der[i]);
    if (ok)
        return crls;
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return NULL;
}

/* The state is taken before the content: a change in between is seen the next time. */
static int file_read(const struct anchor *a, struct crl_file *f)
{
    struct stat st;
    memset(&st, 0, sizeof st);
    (void)stat(f->path, &st); /* a file that is not there is named by the read */
    STACK_OF(X509_CRL) *crls = crls_read(a, f->path);
    if (!crls)
        return 0;
    sk_X509_CRL_pop_free(f->crls, X509_CRL_free);
    f->crls = crls;
    f->seen = st;
    return 1;
}

static int file_changed(const struct crl_file *f)
{
    struct stat st;
    if (stat(f->path, &st))
        return 1;
    return st.st_ino != f->seen.st_ino || st.st_dev != f->seen.st_dev ||
           st.st_size != f->seen.st_size || st.st_mtim.tv_sec != f->seen.st_mtim.tv_sec ||
           st.st_mtim.tv_nsec != f->seen.st_mtim.tv_nsec ||
           st.st_ctim.tv_sec != f->seen.st_ctim.tv_sec ||
           st.st_ctim.tv_nsec != f->seen.st_ctim.tv_nsec;
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

/* A store gives nothing up that was added to it, so a new CRL takes a new store. */
static void store_build(struct anchor *a)
{
    X509_STORE *store = X509_STORE_new();
    int ok = store != NULL;
    a->until = INT64_MAX;
    for (int i = 0; ok && i < sk_X509_num(a->roots); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(a->roots, i));
    for (size_t f = 0; f < a->n_files; f++)
        for (int i = 0; ok && i < sk_X509_CRL_num(a->files[f].crls); i++) {
            X509_CRL *crl = sk_X509_CRL_value(a->files[f].crls, i);
            int64_t next = time_of(X509_CRL_get0_nextUpdate(crl));
            ok = X509_STORE_add_crl(store, crl);
            if (next < a->until)
                a->until = next;
        }
    if (!ok)
        diag_exit(ST_TEMP, "certificate store: %s", diag_openssl());
    X509_STORE_free(a->store);
    a->store = store;
}

enum status anchor_load(const struct anchor_files *files, struct anchor **out)
{
    struct anchor *a = alloc_zero(1, sizeof *a);
    enum status st = ST_USAGE;
    if (!roots_load(a, files->trust))
        goto out;
    store_build(a);
    if (!unit_ca_load(a, files))
        goto out;
    a->files = alloc_zero(files->n_crls ? files->n_crls : 1, sizeof *a->files);
    for (; a->n_files < files->n_crls; a->n_files++) {
        struct crl_file *f = &a->files[a->n_files];
        f->path = alloc_str(files->crls[a->n_files]);
        if (!file_read(a, f)) {
            a->n_files++;
            goto out;
        }
    }
    store_build(a);
    *out = a;
    a = NULL;
    st = ST_OK;
out:
    anchor_free(a);
    return st;
}

void anchor_free(struct anchor *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_files; i++) {
        free(a->files[i].path);
        sk_X509_CRL_pop_free(a->files[i].crls, X509_CRL_free);
    }
    free(a->files);
    sk_X509_pop_free(a->roots, X509_free);
    sk_X509_pop_free(a->unit, X509_free);
    X509_STORE_free(a->store);
    free(a);
}

int anchor_refresh(struct anchor *a)
{
    int failed = 0, read = 0;
    for (size_t i = 0; i < a->n_files; i++) {
        if (!file_changed(&a->files[i]))
            continue;
        if (file_read(a, &a->files[i]))
            read = 1;
        else
            failed = 1;
    }
    if (read)
        store_build(a);
    a->changed |= read;
    if (failed)
        return -1;
    int changed = a->changed;
    a->changed = 0;
    return changed;
}

X509_STORE *anchor_store(struct anchor *a)
{
    return a->store;
}

X509 *anchor_unit_ca(struct anchor *a)
{
    return sk_X509_value(a->unit, 0);
}

STACK_OF(X509) * anchor_unit_chain(struct anchor *a)
{
    return a->unit;
}

int anchor_has_crls(const struct anchor *a)
{
    return a->n_files > 0;
}

int64_t anchor_crls_until(const struct anchor *a)
{
    return a->until;
}

int anchor_crls_end_before(const struct anchor *a, int64_t newest)
{
    int n = 0;
    char until[CLOCK_TEXT], at[CLOCK_TEXT];
    clock_format(newest, at);
    for (size_t f = 0; f < a->n_files; f++)
        for (int i = 0; i < sk_X509_CRL_num(a->files[f].crls); i++) {
            const X509_CRL *crl = sk_X509_CRL_value(a->files[f].crls, i);
            int64_t next = time_of(X509_CRL_get0_nextUpdate(crl));
            if (next >= newest)
                continue;
            clock_format(next, until);
            diag_warn("%s: its nextUpdate %s is before the newest signature of %s: who was revoked "
                      "in between is not in it",
                      a->files[f].path, until, at);
            n++;
        }
    return n;
}
