#include "x509_priv.h"

#include <string.h>

#include "der.h"
#include "diag.h"

#define EXTENSIONS_MAX 64 /* in one certificate or request */

int x509_ext_next(struct span *list, struct span *oid, struct x509_ext *out)
{
    struct span seq, flag;
    if (!list->n)
        return 0;
    if (!x509_take(list, 0x30, NULL, &seq) || !x509_take(&seq, 0x06, NULL, oid) || !oid->n)
        return -1;
    out->critical = 0;
    if (x509_take(&seq, 0x01, NULL, &flag)) {
        /* DER: FALSE is the default and not written */
        if (flag.n != 1 || flag.p[0] != 0xff)
            return -1;
        out->critical = 1;
    }
    return x509_take(&seq, 0x04, NULL, &out->value) && !seq.n ? 1 : -1;
}

int x509_ext_get(struct span extensions, const char *oid, struct x509_ext *out)
{
    struct span list, id;
    struct x509_ext e;
    struct buf want = {0};
    int found = 0, r = 0;
    if (!extensions.n)
        return 0;
    if (!x509_put_oid(&want, oid) || !x509_take(&extensions, 0x30, NULL, &list) || extensions.n)
        goto bad;
    while ((r = x509_ext_next(&list, &id, &e)) == 1) {
        if (id.n != want.n - 2 || memcmp(id.p, want.d + 2, id.n))
            continue;
        if (found++)
            goto bad;
        *out = e;
    }
    if (r < 0)
        goto bad;
    buf_free(&want);
    return found;
bad:
    buf_free(&want);
    return -1;
}

int x509_ext_unique(struct span extensions)
{
    struct span list, seen[EXTENSIONS_MAX];
    struct x509_ext e;
    size_t n = 0;
    int r;
    if (!x509_take(&extensions, 0x30, NULL, &list) || extensions.n || !list.n)
        return 0;
    for (; n < EXTENSIONS_MAX && (r = x509_ext_next(&list, &seen[n], &e)) == 1; n++)
        for (size_t i = 0; i < n; i++)
            if (buf_same(seen[i], seen[n]))
                return 0;
    return !list.n && r == 0;
}

/* Everything between subjectPublicKeyInfo and the end. Unique identifiers must not be made
 * (4.1.2.8). */
static int view_extensions(struct span tbs, struct x509_cert *out)
{
    struct span box;
    out->extensions = (struct span){0};
    if (!tbs.n)
        return 1;
    if (!x509_take(&tbs, 0xa3, NULL, &box) || tbs.n)
        return 0;
    out->extensions = box;
    return x509_ext_unique(box);
}

static int view_tbs(struct span tbs, struct x509_cert *out)
{
    static const unsigned char v3[] = {2, 1, 2};
    struct span version, alg, validity, rdns;
    if (!x509_take(&tbs, 0xa0, NULL, &version) || version.n != sizeof v3 ||
        memcmp(version.p, v3, sizeof v3))
        return 0;
    if (!x509_take(&tbs, 0x02, NULL, &out->serial) || !out->serial.n ||
        out->serial.n > X509_SERIAL_MAX || out->serial.p[0] & 0x80)
        return 0;
    if (!x509_take(&tbs, 0x30, &alg, NULL) || !buf_same(alg, out->sigalg))
        return 0;
    if (!x509_take(&tbs, 0x30, &out->issuer, &rdns) || !rdns.n)
        return 0;
    if (!x509_take(&tbs, 0x30, NULL, &validity) || !x509_take_time(&validity, &out->not_before) ||
        !x509_take_time(&validity, &out->not_after) || validity.n)
        return 0;
    if (!x509_take(&tbs, 0x30, &out->subject, NULL) || !x509_take(&tbs, 0x30, &out->spki, NULL))
        return 0;
    return x509_name_readable(out->issuer) && x509_name_readable(out->subject) &&
           view_extensions(tbs, out);
}

int x509_cert_view(struct span der, struct x509_cert *out)
{
    char why[DER_WHY];
    struct span in = der, seq, tbs, bits;
    memset(out, 0, sizeof *out);
    if (!der.n || !der_check(der.p, der.n, NULL, 0, why))
        return 0;
    out->der = der;
    if (!x509_take(&in, 0x30, NULL, &seq) || in.n || !x509_take(&seq, 0x30, &out->tbs, &tbs) ||
        !x509_take(&seq, 0x30, &out->sigalg, NULL) || !x509_take(&seq, 0x03, NULL, &bits) || seq.n)
        return 0;
    if (bits.n < 2 || bits.p[0])
        return 0;
    out->signature = (struct span){bits.p + 1, bits.n - 1};
    return view_tbs(tbs, out);
}

int x509_signed_by(const struct x509_cert *c, EVP_PKEY *issuer)
{
    return x509_verify(issuer, c->sigalg, c->tbs, c->signature);
}

int x509_put_tbs(const struct x509_tbs *t, struct span alg, struct buf *out)
{
    static const unsigned char v3[] = {0xa0, 3, 2, 1, 2};
    size_t start = out->n;
    buf_put(out, v3, sizeof v3);
    x509_put(out, 0x02, t->serial.p, t->serial.n);
    buf_put(out, alg.p, alg.n);
    buf_put(out, t->issuer.p, t->issuer.n);
    size_t validity = out->n;
    if (!x509_put_time(out, t->not_before) || !x509_put_time(out, t->not_after))
        return diag_warn("certificate: a validity that X.509 cannot express");
    x509_wrap(out, validity, 0x30);
    buf_put(out, t->subject.p, t->subject.n);
    buf_put(out, t->spki.p, t->spki.n);
    if (t->extensions.n)
        x509_put(out, 0xa3, t->extensions.p, t->extensions.n);
    x509_wrap(out, start, 0x30);
    return 1;
}

void x509_seal(struct buf *out, size_t from, struct span alg, struct span signature)
{
    buf_put(out, alg.p, alg.n);
    size_t bits = out->n;
    buf_char(out, 0);
    buf_put(out, signature.p, signature.n);
    x509_wrap(out, bits, 0x03);
    x509_wrap(out, from, 0x30);
}

enum status x509_issue(const struct x509_tbs *tbs, struct signer *issuer, struct buf *out)
{
    struct buf alg = {0}, sig = {0};
    size_t start = out->n;
    enum status st = ST_USAGE;
    signer_algorithm(issuer, 0, &alg);
    if (!x509_put_tbs(tbs, buf_span(&alg), out))
        goto out;
    st = signer_sign(issuer, out->d + start, out->n - start, &sig);
    if (st == ST_OK)
        x509_seal(out, start, buf_span(&alg), buf_span(&sig));
out:
    if (st != ST_OK)
        out->n = start;
    buf_free(&alg);
    buf_free(&sig);
    return st;
}
