/* libFuzzer: any octets as a certification request. What is accepted is judged by a profile, and
 * what that lets through must be a certificate that x509_cert_view and OpenSSL both take. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "csr.h"
#include "profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_certificate(const struct profile_result *r, const struct csr *c)
{
    unsigned char serial[X509_SERIAL];
    struct x509_cert view;
    struct buf der = {0};
    static const unsigned char alg[] = {0x30, 5, 6, 3, 0x2b, 0x65, 0x70},
                               version[] = {0xa0, 3, 2, 1, 2};
    x509_serial(serial);
    buf_put(&der, version, sizeof version);
    x509_put(&der, 0x02, serial, sizeof serial);
    buf_put(&der, alg, sizeof alg);
    buf_put(&der, r->subject.d, r->subject.n);
    size_t at = der.n;
    if (!x509_put_time(&der, r->not_before) || !x509_put_time(&der, r->not_after))
        abort();
    x509_wrap(&der, at, 0x30);
    buf_put(&der, r->subject.d, r->subject.n);
    buf_put(&der, c->spki.p, c->spki.n);
    x509_put(&der, 0xa3, r->extensions.d, r->extensions.n);
    x509_wrap(&der, 0, 0x30);
    x509_seal(&der, 0, (struct span){alg, sizeof alg}, (struct span){serial, sizeof serial});
    if (!x509_cert_view(buf_span(&der), &view))
        abort();
    const unsigned char *p = der.d;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (!x || p != der.d + der.n)
        abort();
    X509_free(x);
    buf_free(&der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct profiles *ps;
    static const char *const names[] = {"root", "idevid", "tls-client", "tls-server", "ipsec"};
    struct csr c;
    struct profile_result r = {0};
    struct buf id = {0};
    char why[X509_WHY];
    if (!ps)
        ps = profiles_load(NULL);
    if (!csr_view((struct span){data, n}, &c, why))
        return 0;
    csr_pop(&c, why);
    char *text = x509_name_text(c.subject);
    if (!text)
        abort(); /* csr_view has said that it is a name */
    free(text);
    struct profile_asked a = {.subject = c.subject, .spki = c.spki, .extensions = c.extensions};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct profile *p = profiles_find(ps, names[i]);
        profile_device(p, c.subject, c.extensions, &id, why);
        buf_reset(&id);
        if (profile_apply(p, &a, NULL, 1700000000, &r) && i == 0)
            check_certificate(&r, &c);
    }
    profile_result_free(&r);
    buf_free(&id);
    ERR_clear_error();
    return 0;
}
