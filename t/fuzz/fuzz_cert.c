/* libFuzzer: any octets as a certificate, and as a name from text that must come back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "alloc.h"
#include "x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What x509_cert_view takes, OpenSSL takes too, with the same fields. */
static void check_view(const struct x509_cert *c)
{
    struct x509_ext e;
    const unsigned char *p = c->der.p;
    X509 *x = d2i_X509(NULL, &p, (long)c->der.n);
    if (!x)
        abort();
    if ((size_t)ASN1_STRING_length(X509_get0_serialNumber(x)) > c->serial.n)
        abort();
    X509_free(x);
    x509_ext_get(c->extensions, "2.5.29.17", &e);
    free(x509_name_text(c->subject));
    EVP_PKEY *key = x509_key_get0(c->spki);
    if (key)
        x509_signed_by(c, key);
    ERR_clear_error();
}

/* Text, DER, text, DER: the two DERs are the same. */
static void check_name(const char *text)
{
    char why[X509_WHY];
    struct buf one = {0}, two = {0};
    if (x509_name_parse(text, &one, why)) {
        char *again = x509_name_text(buf_span(&one));
        if (!again || !x509_name_parse(again, &two, why) ||
            !buf_same(buf_span(&one), buf_span(&two)))
            abort();
        if (!x509_name_ok(buf_span(&one)))
            abort();
        free(again);
    }
    buf_free(&one);
    buf_free(&two);
}

static void check_san(const char *text)
{
    char why[X509_WHY];
    struct buf one = {0}, again = {0};
    struct span list, name;
    if (x509_san_parse(text, &one, why)) {
        list = buf_span(&one);
        if (!x509_san_take(&list, &name, why) || list.n)
            abort();
        x509_san_text(name, &again);
    }
    buf_free(&one);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct x509_cert c;
    struct buf again = {0};
    struct span list = {data, n}, name;
    char why[X509_WHY];
    if (x509_cert_view((struct span){data, n}, &c))
        check_view(&c);
    if (n && x509_san_take(&list, &name, why))
        x509_san_text(name, &again);
    buf_free(&again);
    char *text = alloc_copy(data, n);
    check_name(text);
    check_san(text);
    free(text);
    return 0;
}
