/* What is destroyed is told by the key itself: labels and CKA_IDs may be those of other keys, too.
 */
#include "p11key_priv.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "diag.h"

#define OBJECTS_MAX 64 /* of one CKA_ID and class */

struct victim {
    const struct p11_uri *u;
    EVP_PKEY *pub;
    CK_KEY_TYPE type;
    int found;
    int unclear;          /* which private key is its own */
    struct buf id, label; /* of its public key */
};

static int is_key(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, const EVP_PKEY *pub)
{
    EVP_PKEY *key = NULL;
    int same = p11key_read_public(f, s, o, &key) == CKR_OK && key && EVP_PKEY_eq(key, pub) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return same;
}

static int is_certificate(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o,
                          const EVP_PKEY *pub)
{
    struct buf der = {0};
    X509 *x = NULL;
    if (p11_value(f, s, o, CKA_VALUE, &der) == CKR_OK) {
        const unsigned char *at = der.d;
        x = d2i_X509(NULL, &at, (long)der.n);
    }
    EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;
    int same = key && EVP_PKEY_eq(key, pub) == 1;
    X509_free(x);
    buf_free(&der);
    ERR_clear_error();
    return same;
}

static CK_RV find_public(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct victim *v = arg;
    CK_OBJECT_HANDLE *o;
    CK_ULONG n;
    v->found = 0;
    buf_reset(&v->id);
    buf_reset(&v->label);
    CK_RV rv = p11key_candidates(f, s, v->u, v->pub, &o, &n);
    for (CK_ULONG i = 0; i < n && rv == CKR_OK && !v->found; i++)
        if (is_key(f, s, o[i], v->pub)) {
            v->found = 1;
            p11_value(f, s, o[i], CKA_LABEL, &v->label); /* either may be missing */
            p11_value(f, s, o[i], CKA_ID, &v->id);
        }
    free(o);
    return rv;
}

/* Objects of a class beside its public key: of its CKA_ID, or of its label, or of both. */
static CK_RV beside(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const struct victim *v,
                    CK_OBJECT_CLASS cls, int both, CK_OBJECT_HANDLE o[OBJECTS_MAX], CK_ULONG *n)
{
    CK_ATTRIBUTE t[4] = {{CKA_CLASS, &cls, sizeof cls}};
    CK_ULONG k = 1;
    *n = 0;
    if (cls != CKO_CERTIFICATE)
        t[k++] = (CK_ATTRIBUTE){CKA_KEY_TYPE, (void *)&v->type, sizeof v->type};
    if (v->id.n)
        t[k++] = (CK_ATTRIBUTE){CKA_ID, v->id.d, v->id.n};
    if (v->label.n && (both || !v->id.n))
        t[k++] = (CK_ATTRIBUTE){CKA_LABEL, v->label.d, v->label.n};
    return v->id.n || v->label.n ? p11_find(f, s, t, k, o, OBJECTS_MAX, n) : CKR_OK;
}

/* Its private key, which shows nothing to compare: the only one beside its public key, and beside
 * no other public key. *n: 0 where it is gone already, else 1. */
static CK_RV find_private(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, struct victim *v,
                          CK_OBJECT_HANDLE o[OBJECTS_MAX], CK_ULONG *n)
{
    CK_OBJECT_HANDLE pub[OBJECTS_MAX];
    CK_ULONG n_pub;
    for (int both = 0; both <= 1; both++) {
        int others = 0;
        CK_RV rv = beside(f, s, v, CKO_PUBLIC_KEY, both, pub, &n_pub);
        for (CK_ULONG i = 0; i < n_pub && rv == CKR_OK; i++)
            others += !is_key(f, s, pub[i], v->pub);
        if (rv == CKR_OK)
            rv = beside(f, s, v, CKO_PRIVATE_KEY, both, o, n);
        if (rv != CKR_OK || (*n <= 1 && !others))
            return rv;
    }
    v->unclear = 1;
    return CKR_OK;
}

static CK_RV destroy(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct victim *v = arg;
    CK_OBJECT_HANDLE priv[OBJECTS_MAX], o[OBJECTS_MAX];
    CK_ULONG n_priv, n;
    CK_RV rv = find_private(f, s, v, priv, &n_priv);
    if (rv != CKR_OK || v->unclear)
        return rv;
    rv = beside(f, s, v, CKO_CERTIFICATE, 0, o, &n);
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++)
        if (is_certificate(f, s, o[i], v->pub))
            rv = f->C_DestroyObject(s, o[i]);
    if (rv == CKR_OK && n_priv)
        rv = f->C_DestroyObject(s, priv[0]);
    /* The public key last: a second try finds the rest by it. */
    if (rv == CKR_OK)
        rv = beside(f, s, v, CKO_PUBLIC_KEY, 0, o, &n);
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++)
        if (is_key(f, s, o[i], v->pub))
            rv = f->C_DestroyObject(s, o[i]);
    return rv;
}

enum status p11key_destroy(const char *uri, const char *base, const void *spki, size_t n)
{
    const unsigned char *at = spki;
    struct victim v = {.pub = d2i_PUBKEY(NULL, &at, (long)n)};
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    enum status st = p11_uri_parse(uri, base, &u);
    v.u = u;
    if (st == ST_OK && !v.pub) {
        ERR_clear_error();
        st = ST_INPUT;
        diag_warn("%s: not a public key to look for", p11_uri_name(u));
    }
    if (st == ST_OK)
        st = p11_open(u, P11_WRITE, &t);
    if (st == ST_OK) {
        v.type = p11key_type_of(v.pub);
        st = p11_complain(t, "search for the key", p11_run(t, find_public, &v));
    }
    if (st == ST_OK && v.found)
        st = p11_complain(t, "deleting the key", p11_run(t, destroy, &v));
    if (st == ST_OK && v.unclear) {
        diag_warn("token \"%s\": other keys have the CKA_ID and label of \"%s\": none is deleted",
                  p11_label(t), v.label.n ? (const char *)v.label.d : "");
        st = ST_USAGE;
    }
    buf_free(&v.id);
    buf_free(&v.label);
    EVP_PKEY_free(v.pub);
    p11_close(t);
    p11_uri_free(u);
    return st;
}

static CK_RV drop(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    const struct span *der = arg;
    CK_OBJECT_CLASS cls = CKO_CERTIFICATE;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_VALUE, (void *)der->p, der->n}};
    CK_OBJECT_HANDLE o[OBJECTS_MAX];
    CK_ULONG n = 0;
    CK_RV rv = p11_find(f, s, t, 2, o, OBJECTS_MAX, &n);
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++)
        rv = f->C_DestroyObject(s, o[i]);
    return rv;
}

enum status p11key_drop_certificate(const char *uri, const char *base, const void *der, size_t n)
{
    struct span value = {der, n};
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    enum status st = p11_uri_parse(uri, base, &u);
    if (st == ST_OK)
        st = p11_open(u, P11_WRITE, &t);
    if (st == ST_OK)
        st = p11_complain(t, "deleting the certificate", p11_run(t, drop, &value));
    p11_close(t);
    p11_uri_free(u);
    return st;
}
