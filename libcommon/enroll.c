#include "enroll_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "diag.h"
#include "io.h"
#include "pem.h"

#define PEM_KEY_MAX 8192 /* more than any key takes: a secret that moves leaves a copy */

/* subjectAltName alone, the only extension that a device can know better than a profile. */
int enroll_extensions(const char *const *names, size_t n, struct buf *out, char why[X509_WHY])
{
    static const unsigned char oid[] = {6, 3, 0x55, 0x1d, 17};
    if (!n)
        return 1;
    for (size_t i = 0; i < n; i++)
        if (!x509_san_parse(names[i], out, why))
            return 0;
    struct buf value = {0};
    x509_wrap(out, 0, 0x30);
    x509_put(&value, 0x04, out->d, out->n);
    buf_reset(out);
    buf_put(out, oid, sizeof oid);
    buf_put(out, value.d, value.n);
    buf_free(&value);
    x509_wrap(out, 0, 0x30);
    x509_wrap(out, 0, 0x30);
    return 1;
}

/* "subject=NAME" and the key, for devices that make no request themselves. */
static void put_public_key(struct span subject, struct span spki, struct buf *out)
{
    char *text = x509_name_text(subject);
    if (text && *text)
        buf_printf(out, "subject=%s\n", text);
    pem_put(out, "PUBLIC KEY", spki.p, spki.n);
    free(text);
}

enum status enroll_put(const struct enroll_form *f, struct signer *s, struct buf *out)
{
    struct buf der = {0};
    struct span spki;
    struct x509_key_info info;
    char why[X509_WHY];
    spki.p = signer_spki(s, &spki.n);
    if (f->public_key) {
        put_public_key(f->subject, spki, out);
        return ST_OK;
    }
    /* keys of other kinds are for a CA that knows them */
    if (x509_key_info(spki, &info) && info.kind != X509_KEY_OTHER && x509_key_weak(spki, why)) {
        diag_warn("refused: the key has %s", why);
        return ST_REFUSED;
    }
    enum status st = csr_make(s, f->subject, f->extensions, NULL, &der);
    if (st == ST_OK)
        pem_put(out, "CERTIFICATE REQUEST", der.d, der.n);
    buf_free(&der);
    return st;
}

enum status enroll_put_made(const struct enroll_form *f, const struct csr_key *k, struct buf *out)
{
    struct buf der = {0};
    struct span spki = buf_span(&k->spki);
    if (f->public_key) {
        put_public_key(f->subject, spki, out);
        return ST_OK;
    }
    int ok = csr_make_with(k->key, spki, f->subject, f->extensions, NULL, &der);
    if (ok)
        pem_put(out, "CERTIFICATE REQUEST", der.d, der.n);
    else
        diag_warn("a new key would not sign");
    buf_free(&der);
    return ok ? ST_OK : ST_TEMP;
}

int enroll_write_key(const char *path, const struct csr_key *k, int flags)
{
    struct buf pem = {0};
    buf_room(&pem, PEM_KEY_MAX);
    pem_put(&pem, "PRIVATE KEY", k->pkcs8.d, k->pkcs8.n);
    int ok = io_write_file(path, pem.d, pem.n, 0600, IO_EXCL | flags);
    int saved = errno;
    buf_wipe(&pem);
    errno = saved;
    return ok;
}

int enroll_key_file(const char *path, const char *type)
{
    struct csr_key k;
    assert(csr_key_known(type));
    csr_key_make(type, &k);
    int ok = enroll_write_key(path, &k, IO_FSYNC);
    int saved = errno;
    csr_key_free(&k);
    errno = saved;
    return ok;
}
