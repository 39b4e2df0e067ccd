#include "p11key_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "diag.h"

#define CERT_MAX 65536
#define OLDER_MAX 16 /* certificates of one CKA_ID */
#define COUNT_MAX 10000

struct place {
    const struct p11_uri *u;
    const void *der;
    size_t n;
    X509 *x;
    EVP_PKEY *pub;
    int found;
    struct buf id, label; /* of the key pair */
};

static int same_key(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, EVP_PKEY *pub)
{
    EVP_PKEY *key = NULL;
    int same = p11key_read_public(f, s, o, &key) == CKR_OK && key && EVP_PKEY_eq(key, pub) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return same;
}

/* The CKA_ID and label of a public key, if its private key is there too. */
static CK_RV pair(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE pub, struct place *p)
{
    CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE priv;
    CK_ULONG n = 0;
    buf_reset(&p->id);
    buf_reset(&p->label);
    CK_RV rv = p11_value(f, s, pub, CKA_ID, &p->id);
    if (rv != CKR_OK || !p->id.n)
        return rv;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_ID, p->id.d, p->id.n}};
    rv = p11_find(f, s, t, 2, &priv, 1, &n);
    p->found = rv == CKR_OK && n;
    if (p->found)
        p11_value(f, s, priv, CKA_LABEL, &p->label); /* a key without a label gives an empty one */
    return rv;
}

static CK_RV find_pair(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct place *p = arg;
    CK_OBJECT_HANDLE *o;
    CK_ULONG n;
    p->found = 0;
    CK_RV rv = p11key_candidates(f, s, p->u, p->pub, &o, &n);
    for (CK_ULONG i = 0; i < n && rv == CKR_OK && !p->found; i++)
        if (same_key(f, s, o[i], p->pub))
            rv = pair(f, s, o[i], p);
    free(o);
    return rv;
}

/* Certificates of this CKA_ID; *mine is the one with our octets, if it is there. */
static CK_RV certificates(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const struct place *p,
                          CK_OBJECT_HANDLE o[OLDER_MAX], CK_ULONG *n, CK_OBJECT_HANDLE *mine)
{
    CK_OBJECT_CLASS cls = CKO_CERTIFICATE;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_ID, p->id.d, p->id.n}};
    CK_RV rv = p11_find(f, s, t, 2, o, OLDER_MAX, n);
    *mine = CK_INVALID_HANDLE;
    for (CK_ULONG i = 0; i < *n && rv == CKR_OK; i++) {
        struct buf v = {0};
        rv = p11_value(f, s, o[i], CKA_VALUE, &v);
        if (rv == CKR_OK && v.n == p->n && memcmp(v.d, p->der, v.n) == 0)
            *mine = o[i];
        buf_free(&v);
    }
    return rv;
}

/* PKCS#11 3.0, 4.6.3: subject, issuer and serial number are DER. */
static CK_RV create(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const struct place *p)
{
    CK_OBJECT_CLASS cls = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_OBJECT_HANDLE o;
    unsigned char *subject = NULL, *issuer = NULL, *serial = NULL;
    int subject_n = i2d_X509_NAME(X509_get_subject_name(p->x), &subject);
    int issuer_n = i2d_X509_NAME(X509_get_issuer_name(p->x), &issuer);
    int serial_n = i2d_ASN1_INTEGER(X509_get_serialNumber(p->x), &serial);
    CK_RV rv = CKR_HOST_MEMORY;
    if (subject_n > 0 && issuer_n > 0 && serial_n > 0) {
        CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls},
                            {CKA_CERTIFICATE_TYPE, &type, sizeof type},
                            {CKA_TOKEN, &yes, sizeof yes},
                            {CKA_PRIVATE, &no, sizeof no},
                            {CKA_LABEL, p->label.d, p->label.n},
                            {CKA_ID, p->id.d, p->id.n},
                            {CKA_SUBJECT, subject, (CK_ULONG)subject_n},
                            {CKA_ISSUER, issuer, (CK_ULONG)issuer_n},
                            {CKA_SERIAL_NUMBER, serial, (CK_ULONG)serial_n},
                            {CKA_VALUE, (void *)p->der, p->n}};
        rv = f->C_CreateObject(s, t, sizeof t / sizeof *t, &o);
    }
    OPENSSL_free(subject);
    OPENSSL_free(issuer);
    OPENSSL_free(serial);
    return rv;
}

/* Repeatable: what a first try left behind is found by the second. */
static CK_RV replace(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct place *p = arg;
    CK_OBJECT_HANDLE o[OLDER_MAX], mine;
    CK_ULONG n;
    CK_RV rv = certificates(f, s, p, o, &n, &mine);
    if (rv == CKR_OK && !mine) {
        rv = create(f, s, p);
        if (rv == CKR_OK)
            rv = certificates(f, s, p, o, &n, &mine);
        if (rv == CKR_OK && !mine)
            rv = CKR_DEVICE_ERROR; /* it was taken, but reads back otherwise or not at all */
    }
    for (CK_ULONG i = 0; i < n && rv == CKR_OK; i++)
        if (o[i] != mine)
            rv = f->C_DestroyObject(s, o[i]);
    return rv;
}

static enum status parse(struct place *p)
{
    const unsigned char *at = p->der;
    p->x = p->n <= CERT_MAX ? d2i_X509(NULL, &at, (long)p->n) : NULL;
    p->pub = p->x ? X509_get_pubkey(p->x) : NULL;
    if (p->pub && at == (const unsigned char *)p->der + p->n)
        return ST_OK;
    diag_warn("certificate for the token: %s",
              p->n > CERT_MAX ? "larger than 65536 octets" : "cannot be read");
    ERR_clear_error();
    return ST_INPUT;
}

enum status p11key_put_certificate(const char *uri, const char *base, const void *der, size_t n)
{
    struct place p = {.der = der, .n = n};
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    enum status st = p11_uri_parse(uri, base, &u);
    p.u = u;
    if (st == ST_OK)
        st = parse(&p);
    if (st == ST_OK)
        st = p11_open(u, P11_WRITE, &t);
    if (st == ST_OK)
        st = p11_complain(t, "search for the key", p11_run(t, find_pair, &p));
    if (st == ST_OK && !p.found) {
        st = ST_REFUSED;
        diag_warn("%s: no key in token \"%s\" is the one in the certificate", p11_uri_name(u),
                  p11_label(t));
    }
    if (st == ST_OK)
        st = p11_complain(t, "writing the certificate", p11_run(t, replace, &p));
    buf_free(&p.id);
    buf_free(&p.label);
    EVP_PKEY_free(p.pub);
    X509_free(p.x);
    p11_close(t);
    p11_uri_free(u);
    return st;
}

struct value {
    struct span der;
    int held;
};

static CK_RV look_for(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct value *v = arg;
    CK_OBJECT_CLASS cls = CKO_CERTIFICATE;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_VALUE, (void *)v->der.p, v->der.n}};
    CK_OBJECT_HANDLE o;
    CK_ULONG n = 0;
    CK_RV rv = p11_find(f, s, t, 2, &o, 1, &n);
    v->held = n > 0;
    return rv;
}

enum status p11key_holds_certificate(const char *uri, const char *base, const void *der, size_t n,
                                     int *held)
{
    struct value v = {.der = {der, n}};
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    enum status st = p11_uri_parse(uri, base, &u);
    if (st == ST_OK)
        st = p11_open(u, 0, &t);
    if (st == ST_OK)
        st = p11_complain(t, "search for the certificate", p11_run(t, look_for, &v));
    *held = v.held;
    p11_close(t);
    p11_uri_free(u);
    return st;
}

static CK_RV count(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    CK_OBJECT_CLASS cls = CKO_CERTIFICATE;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls}};
    CK_OBJECT_HANDLE *o = calloc(COUNT_MAX, sizeof *o);
    CK_ULONG n = 0;
    CK_RV rv = o ? p11_find(f, s, t, 1, o, COUNT_MAX, &n) : CKR_HOST_MEMORY;
    *(size_t *)arg = n;
    free(o);
    return rv;
}

enum status p11key_count_certificates(const char *uri, const char *base, size_t *n)
{
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    *n = 0;
    enum status st = p11_uri_parse(uri, base, &u);
    if (st == ST_OK)
        st = p11_open(u, 0, &t);
    if (st == ST_OK)
        st = p11_complain(t, "counting the certificates", p11_run(t, count, n));
    p11_close(t);
    p11_uri_free(u);
    return st;
}
