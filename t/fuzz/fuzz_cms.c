/* libFuzzer: messages, heads, grants and manifests as they come, ahead of any signature. What is
 * taken is whole: not with an octet less, or one behind it. Most inputs are changes to a good
 * message, as in fuzz_cmc.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "cms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int ok)
{
    if (!ok)
        abort();
}

static X509 *certificate(EVP_PKEY *key)
{
    X509 *c = X509_new();
    must(c && X509_set_version(c, X509_VERSION_3));
    X509_NAME *name = X509_get_subject_name(c);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"unit", -1,
                                    -1, 0) &&
         X509_set_issuer_name(c, name) && ASN1_INTEGER_set(X509_get_serialNumber(c), 1) &&
         X509_gmtime_adj(X509_getm_notBefore(c), 0) &&
         X509_gmtime_adj(X509_getm_notAfter(c), 86400) && X509_set_pubkey(c, key) &&
         X509_sign(c, key, EVP_sha256()));
    return c;
}

/* As another implementation signs: OpenSSL's own. */
static void sign(struct buf *out)
{
    const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_CADES | CMS_PARTIAL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = certificate(key);
    BIO *content = BIO_new_mem_buf("\x30\x03\x02\x01\x05", 5);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, content, flags);
    unsigned char *der = NULL;
    must(cms && CMS_add1_signer(cms, c, key, EVP_sha256(), flags) &&
         CMS_set1_eContentType(cms, OBJ_nid2obj(NID_id_cct_PKIData)) &&
         CMS_final(cms, content, NULL, flags));
    int n = i2d_CMS_ContentInfo(cms, &der);
    must(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    X509_free(c);
    EVP_PKEY_free(key);
}

static int parses(const unsigned char *p, size_t n)
{
    char why[CMS_WHY] = "";
    struct cms *c = cms_parse((struct span){p, n}, why);
    int ok = c != NULL;
    size_t certs;
    must(ok || why[0]);
    if (ok) {
        must(cms_peek_type(c) <= CMS_EVIDENCE);
        cms_peek_time(c);
        cms_peek_certs(c, &certs);
        must(certs <= CMS_BAG);
    }
    cms_free(c);
    return ok;
}

static void check(struct buf *m, int good)
{
    int ok = parses(m->d, m->n);
    must(ok || !good);
    if (ok) {
        must(!parses(m->d, m->n - 1));
        buf_char(m, 0);
        must(!parses(m->d, m->n));
    }
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct buf good;
    struct buf m = {0};
    if (!good.n)
        sign(&good);
    if (n && data[0] < 128) {
        buf_put(&m, good.d, good.n);
        for (size_t i = 1; i + 2 < n; i += 3)
            m.d[(data[i] << 8 | data[i + 1]) % m.n] = data[i + 2];
    } else if (n) {
        buf_put(&m, data + 1, n - 1);
    }
    if (m.n)
        check(&m, n == 1 && data[0] < 128);
    buf_free(&m);
    return 0;
}
