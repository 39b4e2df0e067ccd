/* Says what csr and x509 make of what they are given.
 * csr-test < request         subject, key, whether extensions are asked, and the proof of
 * possession; 3 with why csr-test -c < certificate  the view of a certificate; -k KEYCERT: whether
 * that certificate's key signed it csr-test -n NAME           the name's DER in hexadecimal, and
 * its text again csr-test -s SAN            the same for a GeneralName csr-test -t every truncation
 * of the request on stdin, and every octet of it changed: how many pass csr-test -b TIMES
 * microseconds of CPU for x509_key, csr_view, csr_pop and the bare verification */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "csr.h"
#include "diag.h"
#include "io.h"
#include "pem.h"

static char why[X509_WHY];
static struct buf in;

static int read_block(int fd)
{
    struct pem_block b;
    struct pem *p = pem_open(fd, CSR_MAX, 0);
    buf_reset(&in);
    enum pem_result r = pem_next(p, &b, 1);
    if (r == PEM_BLOCK)
        buf_put(&in, b.der, b.n);
    pem_close(p);
    return r == PEM_BLOCK;
}

static int show_request(void)
{
    struct csr c;
    struct x509_key_info key = {0};
    if (!csr_view(buf_span(&in), &c, why)) {
        diag_warn("%s", why);
        return ST_INPUT;
    }
    char *subject = x509_name_text(c.subject);
    x509_key_info(c.spki, &key);
    printf("subject=%s\nkey=%s\nextensions=%s\n", subject, key.name, c.extensions.n ? "yes" : "no");
    free(subject);
    if (csr_pop(&c, why)) {
        printf("pop=ok\n");
        return ST_OK;
    }
    diag_warn("%s", why);
    return ST_REFUSED;
}

static int show_certificate(const char *signer)
{
    struct x509_cert c;
    struct buf serial = {0};
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    int ok = x509_cert_view(buf_span(&in), &c);
    if (!ok) {
        diag_warn("not a certificate");
        return ST_INPUT;
    }
    char *issuer = x509_name_text(c.issuer), *subject = x509_name_text(c.subject);
    buf_hex(&serial, c.serial.p, c.serial.n);
    clock_format(c.not_before, from);
    clock_format(c.not_after, to);
    printf("serial=%s\nissuer=%s\nsubject=%s\nfrom=%s\nto=%s\n", (char *)serial.d, issuer, subject,
           from, to);
    free(issuer);
    free(subject);
    buf_free(&serial);
    if (!signer)
        return ST_OK;
    struct buf other = {0};
    struct x509_cert ca;
    EVP_PKEY *key = NULL;
    if (pem_file(signer, "CERTIFICATE", CSR_MAX, &other, 1) == 1 &&
        x509_cert_view(buf_span(&other), &ca))
        key = x509_key_get0(ca.spki);
    ok = key && x509_signed_by(&c, key);
    printf("signed=%s\n", ok ? "yes" : "no");
    buf_free(&other);
    return ST_OK;
}

static int show_name(const char *text, int is_san)
{
    struct buf der = {0}, hex = {0}, again = {0};
    int ok = is_san ? x509_san_parse(text, &der, why) : x509_name_parse(text, &der, why);
    if (!ok) {
        buf_free(&der);
        diag_warn("%s", why);
        return ST_INPUT;
    }
    buf_hex(&hex, der.d, der.n);
    if (is_san) {
        x509_san_text(buf_span(&der), &again);
    } else {
        char *s = x509_name_text(buf_span(&der));
        buf_str(&again, s);
        free(s);
    }
    printf("%s\n%s\n", (char *)hex.d, (char *)again.d);
    buf_free(&der);
    buf_free(&hex);
    buf_free(&again);
    return ST_OK;
}

/* Each copy has its exact size on the heap, so that AddressSanitizer sees every octet too many. */
static int passes(const unsigned char *p, size_t n, size_t at, int flip)
{
    struct csr c;
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    if (flip)
        copy[at] ^= (unsigned char)flip;
    int ok = csr_view((struct span){copy, n}, &c, why) && csr_pop(&c, why);
    free(copy);
    return ok;
}

static int torture(void)
{
    int n = 0;
    for (size_t i = 0; i < in.n; i++)
        n += passes(in.d, i, 0, 0);
    for (size_t i = 0; i < in.n; i++)
        for (int bit = 1; bit < 256; bit <<= 1)
            n += passes(in.d, in.n, i, bit);
    printf("%d\n", n);
    return ST_OK;
}

#define TIME(name, what)                                                                           \
    do {                                                                                           \
        clock_t t = clock();                                                                       \
        for (long i = 0; i < times; i++)                                                           \
            what;                                                                                  \
        printf("%s %.2f\n", name, (double)(clock() - t) * 1e6 / CLOCKS_PER_SEC / (double)times);   \
    } while (0)

static int bench(long times)
{
    struct csr c;
    unsigned char digest[32];
    if (!csr_view(buf_span(&in), &c, why))
        return ST_INPUT;
    EVP_PKEY *key = x509_key_get0(c.spki);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    EVP_Digest(c.info.p, c.info.n, digest, NULL, EVP_sha256(), NULL);
    EVP_PKEY_verify_init(ctx);
    TIME("raw-verify", EVP_PKEY_verify(ctx, c.signature.p, c.signature.n, digest, sizeof digest));
    TIME("csr-pop", csr_pop(&c, why));
    TIME("csr-view", csr_view(buf_span(&in), &c, why));
    TIME("x509-key", x509_key_get0(c.spki));
    EVP_PKEY_CTX_free(ctx);
    return ST_OK;
}

int main(int argc, char **argv)
{
    const char *name = NULL, *san = NULL, *signer = NULL;
    int certificate = 0, cut = 0, st;
    long times = 0;
    io_init();
    diag_program("csr-test");
    for (int c; (c = getopt(argc, argv, "ck:n:s:tb:")) != -1;)
        switch (c) {
        case 'c':
            certificate = 1;
            break;
        case 'k':
            signer = optarg;
            break;
        case 'n':
            name = optarg;
            break;
        case 's':
            san = optarg;
            break;
        case 't':
            cut = 1;
            break;
        case 'b':
            times = atol(optarg);
            break;
        default:
            return ST_USAGE;
        }
    if (name || san)
        return show_name(name ? name : san, !name);
    if (!read_block(STDIN_FILENO))
        return ST_INPUT;
    st = cut           ? torture()
         : times       ? bench(times)
         : certificate ? show_certificate(signer)
                       : show_request();
    buf_free(&in);
    return st;
}
