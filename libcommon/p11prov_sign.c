#include "p11prov_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "diag.h"

/* DigestInfo (RFC 8017, 9.2, note 1) of the SHA-2 family: only the last arc and the lengths differ.
 */
static size_t digest_info(int nid, const unsigned char *md, size_t n, unsigned char out[128])
{
    static const unsigned char head[] = {0x30, 0,    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0,    0x05, 0x00, 0x04, 0};
    unsigned char arc = nid == NID_sha256 ? 1 : nid == NID_sha384 ? 2 : nid == NID_sha512 ? 3 : 0;
    if (!arc || n > 64)
        return 0;
    memcpy(out, head, sizeof head);
    out[1] = (unsigned char)(sizeof head - 2 + n);
    out[14] = arc;
    out[18] = (unsigned char)n;
    memcpy(out + sizeof head, md, n);
    return sizeof head + n;
}

/* PKCS#11 gives r and s side by side; X.509 and CMS take Ecdsa-Sig-Value (RFC 5480, appendix A). */
static int ecdsa_der(const unsigned char *raw, size_t n, unsigned char *sig, size_t *sig_n)
{
    ECDSA_SIG *es = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)n / 2, NULL), *s = BN_bin2bn(raw + n / 2, (int)n / 2, NULL);
    int len = 0;
    if (es && r && s && ECDSA_SIG_set0(es, r, s)) {
        r = s = NULL;
        len = i2d_ECDSA_SIG(es, &sig);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(es);
    *sig_n = len > 0 ? (size_t)len : 0;
    return len > 0;
}

static CK_RV sign_ec(struct p11prov_key *k, const void *tbs, size_t n, unsigned char *sig,
                     size_t *sig_n)
{
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    unsigned char raw[256];
    size_t raw_n = sizeof raw, most = ((size_t)k->bits + 7) / 8;
    CK_RV rv = p11_object_sign(k->obj, &m, tbs, n > most ? most : n, raw, &raw_n);
    if (rv != CKR_OK)
        return rv;
    if (raw_n != 2 * most || !ecdsa_der(raw, raw_n, sig, sig_n))
        return CKR_DEVICE_ERROR;
    return CKR_OK;
}

static CK_RV sign_rsa(struct p11prov_key *k, const struct p11prov_how *how, const void *tbs,
                      size_t n, unsigned char *sig, size_t *sig_n)
{
    CK_RSA_PKCS_PSS_PARAMS pss = {.sLen = how->salt};
    CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
    CK_MECHANISM_TYPE unused;
    CK_RSA_PKCS_MGF_TYPE unused_mgf;
    unsigned char info[128];
    if (how->pad == P11PROV_PSS) {
        if (!p11prov_digest(how->md, &pss.hashAlg, &unused_mgf) ||
            !p11prov_digest(how->mgf, &unused, &pss.mgf))
            return CKR_MECHANISM_PARAM_INVALID;
        m = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &pss, sizeof pss};
    } else if (how->md != NID_undef) {
        n = digest_info(how->md, tbs, n, info);
        tbs = info;
        if (!n)
            return CKR_MECHANISM_PARAM_INVALID;
    }
    return p11_object_sign(k->obj, &m, tbs, n, sig, sig_n);
}

enum status p11prov_sign(struct p11prov_key *k, const struct p11prov_how *how, const void *tbs,
                         size_t n, unsigned char sig[P11PROV_SIG_MAX], size_t *sig_n)
{
    CK_MECHANISM eddsa = {CKM_EDDSA, NULL, 0};
    CK_RV rv;
    *sig_n = P11PROV_SIG_MAX;
    if (k->type == EVP_PKEY_EC)
        rv = sign_ec(k, tbs, n, sig, sig_n);
    else if (k->type == EVP_PKEY_RSA)
        rv = sign_rsa(k, how, tbs, n, sig, sig_n);
    else
        rv = p11_object_sign(k->obj, &eddsa, tbs, n, sig, sig_n);
    if (p11prov_result(k, "C_Sign", rv))
        return ST_OK;
    return p11prov_last();
}
