#include "csr.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "der.h"

#define ATTRIBUTES_MAX 16

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)

/* id-ExtensionReq 1.2.840.113549.1.9.14 */
static const unsigned char ext_request[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14};

/* One Attribute: type and a SET of at least one value. */
static int view_attribute(struct span *list, struct span *type, struct csr *out, char why[X509_WHY])
{
    struct span seq, values, ext;
    if (!x509_take(list, 0x30, NULL, &seq) || !x509_take(&seq, 0x06, NULL, type) ||
        !x509_take(&seq, 0x31, NULL, &values) || seq.n || !values.n)
        return WHY("an attribute of the request is malformed");
    if (type->n != sizeof ext_request || memcmp(type->p, ext_request, type->n))
        return 1;
    if (!x509_take(&values, 0x30, &ext, &seq) || values.n)
        return WHY("the extensionRequest attribute is malformed");
    if (!seq.n) /* no extension asked for, as some makers write it */
        return 1;
    if (!x509_ext_unique(ext))
        return WHY("the requested extensions are malformed, or one is there twice");
    out->extensions = ext;
    return 1;
}

static int view_attributes(struct span list, struct csr *out, char why[X509_WHY])
{
    struct span seen[ATTRIBUTES_MAX];
    for (size_t n = 0; list.n; n++) {
        if (n == ATTRIBUTES_MAX)
            return WHY("more than %d attributes", ATTRIBUTES_MAX);
        if (!view_attribute(&list, &seen[n], out, why))
            return 0;
        for (size_t i = 0; i < n; i++)
            if (buf_same(seen[i], seen[n]))
                return WHY("an attribute of the request is there twice");
    }
    return 1;
}

int csr_view(struct span der, struct csr *out, char why[X509_WHY])
{
    char bad[DER_WHY];
    struct span in = der, seq, info, version, list, bits;
    memset(out, 0, sizeof *out);
    if (der.n > CSR_MAX)
        return WHY("a request longer than %d octets", CSR_MAX);
    /* an empty path: SETs may be in any order everywhere */
    if (!der_check(der.p, der.n, (const int[]){0}, 0, bad))
        return WHY("not a request in DER: %s", bad);
    if (!x509_take(&in, 0x30, NULL, &seq) || !x509_take(&seq, 0x30, &out->info, &info) ||
        !x509_take(&seq, 0x30, &out->sigalg, NULL) || !x509_take(&seq, 0x03, NULL, &bits) ||
        seq.n || bits.n < 2 || bits.p[0])
        return WHY("not a PKCS #10 request");
    if (!x509_take(&info, 0x02, NULL, &version) || version.n != 1 || version.p[0])
        return WHY("not a PKCS #10 request of version 1");
    if (!x509_take(&info, 0x30, &out->subject, NULL) || !x509_take(&info, 0x30, &out->spki, NULL))
        return WHY("not a PKCS #10 request");
    if (!x509_name_ok(out->subject))
        return WHY("the subject of the request is malformed or too long");
    out->der = der;
    out->signature = (struct span){bits.p + 1, bits.n - 1};
    /* RFC 2986 has the attributes always; some makers leave an empty set out */
    if (!info.n)
        return 1;
    if (!x509_take(&info, 0xa0, NULL, &list) || info.n)
        return WHY("the attributes of the request are malformed");
    return view_attributes(list, out, why);
}

int csr_pop(const struct csr *c, char why[X509_WHY])
{
    struct x509_key_info info;
    if (!x509_sigalg_ok(c->sigalg))
        return WHY("the request is signed with an unknown algorithm, or one weaker than SHA-256");
    if (!x509_key_info(c->spki, &info))
        return WHY("the key of the request is malformed");
    if (info.weak)
        return WHY("the request has %s", info.weak);
    EVP_PKEY *key = x509_key_get0(c->spki);
    if (!key)
        return WHY("the key of the request is no valid %s key", info.name);
    return x509_verify(key, c->sigalg, c->info, c->signature)
               ? 1
               : WHY("the signature of the request does not match its key");
}

/* Beside the attribute that stands at `list`, in the order of a SET. PrintableString where it fits,
 * as RFC 2985 asks for. */
static void put_challenge(const char *challenge, size_t list, struct buf *out)
{
    static const unsigned char oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7};
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                " '()+,-./:=?";
    struct buf own = {0}, other = {0};
    size_t n = strlen(challenge);
    x509_put(&own, strspn(challenge, plain) == n ? 0x13 : 0x0c, challenge, n);
    x509_wrap(&own, 0, 0x31);
    x509_put(&other, 0x06, oid, sizeof oid);
    buf_put(&other, own.d, own.n);
    x509_wrap(&other, 0, 0x30);
    buf_reset(&own);
    buf_put(&own, other.d, other.n);
    buf_reset(&other);
    buf_put(&other, out->d + list, out->n - list);
    size_t least = own.n < other.n ? own.n : other.n;
    int first = other.n && memcmp(own.d, other.d, least) < 0;
    out->n = list;
    buf_put(out, first ? own.d : other.d, first ? own.n : other.n);
    buf_put(out, first ? other.d : own.d, first ? other.n : own.n);
    buf_wipe(&own);
    buf_free(&other);
}

/* CertificationRequestInfo, section 4.1 */
static void put_info(struct span spki, struct span subject, struct span extensions,
                     const char *challenge, struct buf *out)
{
    static const unsigned char v1[] = {2, 1, 0};
    size_t start = out->n, list;
    buf_put(out, v1, sizeof v1);
    if (subject.n)
        buf_put(out, subject.p, subject.n);
    else
        x509_put(out, 0x30, NULL, 0);
    buf_put(out, spki.p, spki.n);
    list = out->n;
    if (extensions.n) {
        x509_put(out, 0x06, ext_request, sizeof ext_request);
        x509_put(out, 0x31, extensions.p, extensions.n);
        x509_wrap(out, list, 0x30);
    }
    if (challenge)
        put_challenge(challenge, list, out);
    x509_wrap(out, list, 0xa0);
    x509_wrap(out, start, 0x30);
}

enum status csr_make(struct signer *s, struct span subject, struct span extensions,
                     const char *challenge, struct buf *out)
{
    struct buf alg = {0}, sig = {0};
    size_t start = out->n;
    struct span spki;
    spki.p = signer_spki(s, &spki.n);
    put_info(spki, subject, extensions, challenge, out);
    enum status st = signer_sign(s, out->d + start, out->n - start, &sig);
    signer_algorithm(s, 0, &alg);
    if (st == ST_OK)
        x509_seal(out, start, buf_span(&alg), buf_span(&sig));
    else
        out->n = start;
    buf_free(&alg);
    buf_free(&sig);
    return st;
}

int csr_make_with(EVP_PKEY *key, struct span spki, struct span subject, struct span extensions,
                  const char *challenge, struct buf *out)
{
    size_t start = out->n;
    struct span alg = x509_sigalg_of(key);
    struct buf sig = {0};
    assert(alg.n);
    put_info(spki, subject, extensions, challenge, out);
    int ok = x509_sign(key, alg, (struct span){out->d + start, out->n - start}, &sig);
    if (ok)
        x509_seal(out, start, alg, buf_span(&sig));
    else
        out->n = start;
    buf_free(&sig);
    return ok;
}
