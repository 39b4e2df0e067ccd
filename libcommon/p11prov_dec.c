/* RSA decryption. provider-asym_cipher(7) */
/* RSA_padding_check_PKCS1_OAEP_mgf1 takes constant time and has no successor that works on octets
 * alone. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "p11prov_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "alloc.h"

#define RSA_OCTETS_MAX 1024

struct decctx {
    struct p11prov_key *k;
    int pad;
    char md[P11PROV_NAME_MAX], mgf[P11PROV_NAME_MAX]; /* OAEP; "": SHA-1, as md */
    unsigned char *label;
    size_t label_n;
};

static void *newctx(void *provctx)
{
    struct decctx *d = alloc_zero(1, sizeof *d);
    (void)provctx;
    d->pad = RSA_PKCS1_PADDING;
    return d;
}

static void freectx(void *v)
{
    struct decctx *d = v;
    if (!d)
        return;
    p11prov_unref(d->k);
    OPENSSL_free(d->label);
    free(d);
}

static int set_pad(struct decctx *d, const OSSL_PARAM *p)
{
    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        d->pad = !strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_OAEP)      ? RSA_PKCS1_OAEP_PADDING
                 : !strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) ? RSA_PKCS1_PADDING
                                                                    : 0;
    else if (!OSSL_PARAM_get_int(p, &d->pad))
        return 0;
    return d->pad == RSA_PKCS1_PADDING || d->pad == RSA_PKCS1_OAEP_PADDING;
}

static int set_name(char name[P11PROV_NAME_MAX], const OSSL_PARAM ps[], const char *which)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(ps, which);
    return !p || OSSL_PARAM_get_utf8_string(p, &name, P11PROV_NAME_MAX);
}

static int set_params(void *v, const OSSL_PARAM ps[])
{
    struct decctx *d = v;
    const OSSL_PARAM *p;
    if (!ps)
        return 1;
    if ((p = OSSL_PARAM_locate_const(ps, OSSL_ASYM_CIPHER_PARAM_PAD_MODE)) && !set_pad(d, p))
        return 0;
    if (!set_name(d->md, ps, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST) ||
        !set_name(d->mgf, ps, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST))
        return 0;
    if (!(p = OSSL_PARAM_locate_const(ps, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL)))
        return 1;
    OPENSSL_free(d->label);
    d->label = NULL;
    return OSSL_PARAM_get_octet_string(p, (void **)&d->label, 0, &d->label_n);
}

static const OSSL_PARAM *settable(void *v, void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, NULL, 0), OSSL_PARAM_END};
    (void)v;
    (void)provctx;
    return types;
}

static int decrypt_init(void *v, void *key, const OSSL_PARAM ps[])
{
    struct decctx *d = v;
    if (key) {
        p11prov_ref(key);
        p11prov_unref(d->k);
        d->k = key;
    }
    return d->k && d->k->obj && set_params(d, ps);
}

/* RFC 8017, 7.1.2, step 3, for tokens without this form of OAEP (SoftHSM knows SHA-1 alone): the
 * token does the RSA, the padding comes off here. */
static CK_RV oaep_here(struct decctx *d, const unsigned char *in, size_t n, unsigned char *out,
                       size_t *out_n)
{
    CK_MECHANISM raw = {CKM_RSA_X_509, NULL, 0};
    unsigned char em[RSA_OCTETS_MAX], plain[RSA_OCTETS_MAX];
    size_t em_n = sizeof em;
    EVP_MD *md = EVP_MD_fetch(p11prov_libctx(), d->md[0] ? d->md : "SHA1", NULL);
    EVP_MD *mgf = EVP_MD_fetch(p11prov_libctx(),
                               d->mgf[0]  ? d->mgf
                               : d->md[0] ? d->md
                                          : "SHA1",
                               NULL);
    int size = (int)d->k->size, got = -1;
    CK_RV rv = md && mgf ? p11_object_decrypt(d->k->obj, &raw, in, n, em, &em_n)
                         : CKR_MECHANISM_PARAM_INVALID;
    if (rv == CKR_OK)
        got = RSA_padding_check_PKCS1_OAEP_mgf1(plain, size, em, (int)em_n, size, d->label,
                                                (int)d->label_n, md, mgf);
    if (rv == CKR_OK && (got < 0 || (size_t)got > *out_n))
        rv = CKR_ENCRYPTED_DATA_INVALID;
    if (rv == CKR_OK) {
        memcpy(out, plain, (size_t)got);
        *out_n = (size_t)got;
    }
    OPENSSL_cleanse(em, sizeof em);
    OPENSSL_cleanse(plain, sizeof plain);
    EVP_MD_free(md);
    EVP_MD_free(mgf);
    return rv;
}

static int md_nid(const char *name)
{
    EVP_MD *md = EVP_MD_fetch(p11prov_libctx(), *name ? name : "SHA1", NULL);
    int nid = md ? EVP_MD_get_type(md) : NID_undef;
    EVP_MD_free(md);
    return nid;
}

static CK_RV oaep(struct decctx *d, const unsigned char *in, size_t n, unsigned char *out,
                  size_t *out_n)
{
    CK_RSA_PKCS_OAEP_PARAMS p = {
        .source = CKZ_DATA_SPECIFIED, .pSourceData = d->label, .ulSourceDataLen = d->label_n};
    CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &p, sizeof p};
    CK_MECHANISM_TYPE unused;
    CK_RSA_PKCS_MGF_TYPE unused_mgf;
    size_t room = *out_n;
    CK_RV rv = CKR_MECHANISM_PARAM_INVALID;
    if (p11prov_digest(md_nid(d->md), &p.hashAlg, &unused_mgf) &&
        p11prov_digest(md_nid(d->mgf[0] ? d->mgf : d->md), &unused, &p.mgf))
        rv = p11_object_decrypt(d->k->obj, &m, in, n, out, out_n);
    if (rv != CKR_MECHANISM_INVALID && rv != CKR_MECHANISM_PARAM_INVALID && rv != CKR_ARGUMENTS_BAD)
        return rv;
    *out_n = room;
    return oaep_here(d, in, n, out, out_n);
}

static int decrypt(void *v, unsigned char *out, size_t *out_n, size_t room, const unsigned char *in,
                   size_t n)
{
    struct decctx *d = v;
    CK_MECHANISM pkcs1 = {CKM_RSA_PKCS, NULL, 0};
    unsigned char plain[RSA_OCTETS_MAX];
    size_t got = sizeof plain;
    CK_RV rv;
    if (!out) {
        *out_n = d->k->size;
        return 1;
    }
    if (d->k->size > sizeof plain)
        return 0;
    if (d->pad == RSA_PKCS1_OAEP_PADDING)
        rv = oaep(d, in, n, plain, &got);
    else
        rv = p11_object_decrypt(d->k->obj, &pkcs1, in, n, plain, &got);
    int ok = p11prov_result(d->k, "C_Decrypt", rv) && got <= room;
    if (ok) {
        memcpy(out, plain, got);
        *out_n = got;
    }
    OPENSSL_cleanse(plain, sizeof plain);
    return ok;
}

const OSSL_DISPATCH p11prov_asym_cipher[] = {
    P11PROV_FN(OSSL_FUNC_ASYM_CIPHER_NEWCTX, newctx),
    P11PROV_FN(OSSL_FUNC_ASYM_CIPHER_FREECTX, freectx),
    P11PROV_FN(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, decrypt_init),
    P11PROV_FN(OSSL_FUNC_ASYM_CIPHER_DECRYPT, decrypt),
    P11PROV_FN(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, set_params),
    P11PROV_FN(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, settable),
    {0, NULL}};
