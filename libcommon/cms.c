#include "cms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "alloc.h"
#include "clock.h"
#include "cms_asn1.h"
#include "cms_priv.h"
#include "der.h"
#include "diag.h"

struct cms {
    struct span der;
    ContentInfo *ci;
    SignerInfo *si;
    enum cms_type type;
    const EVP_MD *md;
    int64_t signing_time;
    size_t n_certs;
    struct span *certs; /* views into ci */
    struct span *other;
};

static int bad(char why[CMS_WHY], const char *fmt, ...) DIAG_PRINTF(2, 3);

static int bad(char why[CMS_WHY], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, CMS_WHY, fmt, ap);
    va_end(ap);
    ERR_clear_error();
    return 0;
}

#define ARC "2.25.111044168894393523651617990952196807275."

static const char *const type_oid[] = {
    [CMS_PKI_DATA] = "1.3.6.1.5.5.7.12.2",     /* id-cct-PKIData */
    [CMS_PKI_RESPONSE] = "1.3.6.1.5.5.7.12.3", /* id-cct-PKIResponse */
    [CMS_GRANT] = ARC "30",
    [CMS_HEAD] = ARC "31",
    [CMS_EVIDENCE] = ARC "32",
};
#define TYPES (sizeof type_oid / sizeof *type_oid)

ASN1_OBJECT *cms_object(enum cms_type t)
{
    static ASN1_OBJECT *made[TYPES];
    if (!made[t])
        made[t] = OBJ_txt2obj(type_oid[t], 1);
    if (!made[t])
        diag_exit(ST_TEMP, "content types: %s", diag_openssl());
    return made[t];
}

void cms_digest(struct span der, unsigned char out[CMS_DIGEST])
{
    if (!EVP_Digest(der.p, der.n, out, NULL, EVP_sha256(), NULL))
        diag_exit(ST_TEMP, "SHA-256: %s", diag_openssl());
}

static struct span string_span(const ASN1_STRING *s)
{
    return (struct span){ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

/* Digest algorithms have no parameters (RFC 5754, section 2). */
static const EVP_MD *digest_of(const X509_ALGOR *a)
{
    const ASN1_OBJECT *o;
    int ptype;
    X509_ALGOR_get0(&o, &ptype, NULL, a);
    int nid = OBJ_obj2nid(o);
    if (ptype != V_ASN1_UNDEF)
        return NULL;
    return nid == NID_sha256   ? EVP_sha256()
           : nid == NID_sha384 ? EVP_sha384()
           : nid == NID_sha512 ? EVP_sha512()
                               : NULL;
}

static int check_signer_info(struct cms *c, char why[CMS_WHY])
{
    SignedData *sd = c->ci->content;
    if (sk_SignerInfo_num(sd->signerInfos) != 1)
        return bad(why, "%d signers, not one", sk_SignerInfo_num(sd->signerInfos));
    c->si = sk_SignerInfo_value(sd->signerInfos, 0);
    if (ASN1_INTEGER_get(c->si->version) != 1)
        return bad(why, "SignerInfo version is not 1");
    c->md = digest_of(c->si->digestAlgorithm);
    if (!c->md)
        return bad(why,
                   "the digest algorithm is not SHA-256, SHA-384 or SHA-512 without parameters");
    if (sk_X509_ALGOR_num(sd->digestAlgorithms) != 1 ||
        X509_ALGOR_cmp(sk_X509_ALGOR_value(sd->digestAlgorithms, 0), c->si->digestAlgorithm))
        return bad(why, "digestAlgorithms does not name the signer's digest alone");
    if (!cms_attrs_time(string_span(c->si->signedAttrs), &c->signing_time))
        return bad(why, "no signingTime");
    return 1;
}

static int check_signed_data(struct cms *c, char why[CMS_WHY])
{
    SignedData *sd = c->ci->content;
    if (OBJ_obj2nid(c->ci->contentType) != NID_pkcs7_signed)
        return bad(why, "not SignedData");
    /* RFC 5652, section 5.1: version 3 because the content type is not id-data. */
    if (ASN1_INTEGER_get(sd->version) != 3)
        return bad(why, "SignedData version is not 3");
    while (OBJ_cmp(sd->encapContentInfo->eContentType, cms_object(c->type)))
        if (++c->type == TYPES)
            return bad(why, "the content is of a type that is not known here");
    int n = sk_ASN1_STRING_num(sd->certificates);
    if (n < 1 || n > CMS_BAG)
        return bad(why, "%d certificates, not 1 to %d", n, CMS_BAG);
    c->n_certs = (size_t)n;
    c->certs = alloc_zero(c->n_certs, sizeof *c->certs);
    for (int i = 0; i < n; i++)
        c->certs[i] = string_span(sk_ASN1_STRING_value(sd->certificates, i));
    return check_signer_info(c, why);
}

struct cms *cms_parse(struct span der, char why[CMS_WHY])
{
    char walk[DER_WHY];
    const unsigned char *p = der.p;
    unsigned char *again = NULL;
    struct cms *c = alloc_zero(1, sizeof *c);
    int ok = 0;
    c->der = der;
    if (der.n > CMS_MAX) {
        bad(why, "a message of %zu octets, more than %d", der.n, CMS_MAX);
        goto out;
    }
    if (!der_check(der.p, der.n, NULL, 0, walk)) {
        bad(why, "not DER: %s", walk);
        goto out;
    }
    c->ci = (ContentInfo *)ASN1_item_d2i(NULL, &p, (long)der.n, cms_asn1_content_info());
    if (!c->ci || p != der.p + der.n) {
        bad(why, "not a CMS SignedData with attributes, certificates and content");
        goto out;
    }
    if (!check_signed_data(c, why))
        goto out;
    /* Whatever no signature covers is held to the one way in which we would write it. */
    int n = ASN1_item_i2d((ASN1_VALUE *)c->ci, &again, cms_asn1_content_info());
    if (n < 0 || (size_t)n != der.n || memcmp(again, der.p, der.n)) {
        bad(why, "not in the one form of this profile");
        goto out;
    }
    ok = 1;
out:
    OPENSSL_free(again);
    if (ok)
        return c;
    cms_free(c);
    return NULL;
}

void cms_free(struct cms *c)
{
    if (!c)
        return;
    ASN1_item_free((ASN1_VALUE *)c->ci, cms_asn1_content_info());
    free(c->certs);
    free(c->other);
    free(c);
}

enum cms_type cms_peek_type(const struct cms *c)
{
    return c->type;
}

int64_t cms_peek_time(const struct cms *c)
{
    return c->signing_time;
}

const struct span *cms_peek_certs(const struct cms *c, size_t *n)
{
    *n = c->n_certs;
    return c->certs;
}

/* RFC 5652, 5.3: the certificate that sid names; views stay in the bag. */
static int find_signer(const struct cms *c, struct span *out)
{
    struct span issuer = string_span(c->si->sid->issuer);
    unsigned char *der = NULL;
    int n = i2d_ASN1_INTEGER(c->si->sid->serialNumber, &der), found = 0;
    struct der_tlv serial;
    if (n > 0 && der_one(der, (size_t)n, DER_UNIVERSAL, V_ASN1_INTEGER, &serial))
        for (size_t i = 0; i < c->n_certs; i++) {
            struct x509_cert v;
            if (x509_cert_view(c->certs[i], &v) && buf_same(v.issuer, issuer) &&
                buf_same(v.serial, (struct span){serial.content, serial.len})) {
                *out = c->certs[i];
                found++;
            }
        }
    OPENSSL_free(der);
    return found == 1;
}

/* The signature algorithm that goes with key and digest; for RSA, rsaEncryption. */
static int algorithm_fits(const struct cms *c, EVP_PKEY *key)
{
    X509_ALGOR *a = X509_ALGOR_new();
    int nid = NID_undef, type = EVP_PKEY_get_base_id(key), ok = 0;
    if (a && type == EVP_PKEY_RSA)
        X509_ALGOR_set0(a, OBJ_nid2obj(nid = NID_rsaEncryption), V_ASN1_NULL, NULL);
    else if (a && type == EVP_PKEY_EC && OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(c->md), type))
        X509_ALGOR_set0(a, OBJ_nid2obj(nid), V_ASN1_UNDEF, NULL);
    ok = a && nid != NID_undef && X509_ALGOR_cmp(a, c->si->signatureAlgorithm) == 0;
    X509_ALGOR_free(a);
    return ok;
}

/* Builds the signed attributes anew; what is not one of the ways in which they can be written is
 * not ours. */
static int attributes_fit(const struct cms *c, const struct path_unit *u, struct buf *attrs)
{
    struct span have = string_span(c->si->signedAttrs);
    struct span content = string_span(c->ci->content->encapContentInfo->eContent);
    struct cms_attrs want = {
        .type = c->type, .md = c->md, .time = c->signing_time, .signer = &u->cert};
    if (!EVP_Digest(content.p, content.n, want.digest, &want.digest_n, c->md, NULL))
        return 0;
    for (int ess = 0; ess <= CMS_ESS_ALL; ess++) {
        buf_reset(attrs);
        cms_attrs_put(&want, ess, attrs);
        /* The first octet is the tag: [0] in the message, SET OF where it is signed. */
        if (attrs->n == have.n && !memcmp(attrs->d + 1, have.p + 1, have.n - 1))
            return 1;
    }
    return 0;
}

static int signature_good(const struct cms *c, const struct path_unit *u, const struct buf *attrs)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct span sig = string_span(c->si->signature);
    int ok = ctx && EVP_DigestVerifyInit(ctx, NULL, c->md, NULL, u->key) == 1 &&
             EVP_DigestVerify(ctx, sig.p, sig.n, attrs->d, attrs->n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* The bag holds the signer's path and, in ca-sign's answer, what was issued: the latter go to
 * c->other. */
static int sort_bag(struct cms *c, const struct path_unit *u, struct cms_layer *out,
                    char why[CMS_WHY])
{
    size_t path = 0, others = 0;
    free(c->other); /* of an earlier verification */
    c->other = alloc_zero(c->n_certs, sizeof *c->other);
    for (size_t i = 0; i < c->n_certs; i++) {
        size_t k = 0;
        while (k < u->n_chain && !buf_same(u->chain[k], c->certs[i]))
            k++;
        if (i && buf_same(c->certs[i - 1], c->certs[i]))
            return bad(why, "a certificate stands twice in the bag");
        if (k < u->n_chain)
            path++;
        else
            c->other[others++] = c->certs[i];
    }
    if (path != u->n_chain)
        return bad(why, "the path of %s is not whole", u->id);
    if (others && (u->role != PATH_CA_SIGN || c->type != CMS_PKI_RESPONSE))
        return bad(why, "%zu certificates that do not belong to the path of %s", others, u->id);
    out->n_other = others;
    out->other = c->other;
    return 1;
}

static void fill(const struct cms *c, const struct path_unit *u, struct cms_layer *out)
{
    out->type = c->type;
    out->content = string_span(c->ci->content->encapContentInfo->eContent);
    out->der = c->der;
    out->signer = u;
    out->signing_time = c->signing_time;
    out->n_certs = c->n_certs;
    out->certs = c->certs;
    cms_digest(c->der, out->digest);
}

/* roles: a bit for each that may have signed; `wanted` names them in an error. */
static int verify(struct cms *c, struct path *p, unsigned roles, const char *wanted, int64_t now,
                  struct cms_layer *out, char why[CMS_WHY])
{
    struct span cert;
    struct buf attrs = {0};
    char path_why[PATH_WHY];
    int ok = 0;
    if (!find_signer(c, &cert))
        return bad(why, "the signer's certificate is not in the bag exactly once");
    const struct path_unit *u = path_check(p, cert, c->certs, c->n_certs, now, path_why);
    if (!u)
        return bad(why, "%s", path_why);
    if (!(roles & 1U << u->role))
        return bad(why, "signed by %s, whose role is %s, not %s", u->id, path_role_name(u->role),
                   wanted);
    if (!algorithm_fits(c, u->key))
        bad(why, "the signature algorithm does not fit the key of %s", u->id);
    else if (!attributes_fit(c, u, &attrs))
        bad(why, "the signed attributes do not match content and signer (%s)", u->id);
    else if (!signature_good(c, u, &attrs))
        bad(why, "the signature of %s is wrong", u->id);
    else
        ok = sort_bag(c, u, out, why);
    buf_free(&attrs);
    if (ok)
        fill(c, u, out);
    return ok;
}

int cms_verify(struct cms *c, struct path *p, enum path_role role, int64_t now,
               struct cms_layer *out, char why[CMS_WHY])
{
    return verify(c, p, 1U << role, path_role_name(role), now, out, why);
}

int cms_verify_unit(struct cms *c, struct path *p, int64_t now, struct cms_layer *out,
                    char why[CMS_WHY])
{
    return verify(c, p, ~(1U << PATH_APPROVER), "a unit's", now, out, why);
}
