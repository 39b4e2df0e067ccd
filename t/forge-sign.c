/* The attacker's tool: makes a signed message of the content on stdin, with a key in a file.
 *
 *   forge-sign KEY CERTIFICATES [WORD...]      the first certificate is the signer's
 *       bag=FILE         more certificates
 *       md=NAME          digest; SHA-256
 *       time=SECONDS     signingTime from now
 *       type=OID         eContentType; PKIData
 * With type=response it is PKIResponse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include "clock.h"
#include "cms.h"
#include "csr.h"
#include "diag.h"
#include "io.h"
#include "pem.h"
#include "x509.h"

#define BAG 80
#define INPUT_MAX (16 * 1024 * 1024)

struct message {
    EVP_PKEY *key;
    struct buf certs[BAG];
    int n_certs;
    const EVP_MD *md;
    int64_t time;
    const char *type;
    struct buf content;
};

static int by_octets(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* Appends a SET OF these, in DER's order. */
static void put_set(struct buf *out, unsigned char id, struct span *in, size_t n)
{
    size_t from = out->n;
    qsort(in, n, sizeof *in, by_octets);
    for (size_t i = 0; i < n; i++)
        buf_put(out, in[i].p, in[i].n);
    x509_wrap(out, from, id);
}

static void put_number(struct buf *out, int n)
{
    unsigned char octet = (unsigned char)n;
    x509_put(out, 0x02, &octet, 1);
}

static void put_digest_algorithm(const struct message *m, struct buf *out)
{
    char oid[64];
    size_t from = out->n;
    OBJ_obj2txt(oid, sizeof oid, OBJ_nid2obj(EVP_MD_get_type(m->md)), 1);
    x509_put_oid(out, oid);
    x509_wrap(out, from, 0x30);
}

static void put_digest(struct buf *out, struct span in, const EVP_MD *md)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n;
    EVP_Digest(in.p, in.n, hash, &n, md, NULL);
    x509_put(out, 0x04, hash, n);
}

/* Attribute { type, SET { what `out` holds from `value` on } } */
static struct span attribute(struct buf *out, const char *oid)
{
    struct buf type = {0};
    x509_wrap(out, 0, 0x31);
    x509_put_oid(&type, oid);
    buf_put(&type, out->d, out->n);
    x509_wrap(&type, 0, 0x30);
    buf_free(out);
    *out = type;
    return buf_span(out);
}

/* SET OF Attribute with the universal tag. */
static void put_attributes(const struct message *m, struct buf *out)
{
    struct buf a[4] = {{0}};
    struct span set[4];
    x509_put_oid(&a[0], m->type);
    set[0] = attribute(&a[0], "1.2.840.113549.1.9.3");
    put_digest(&a[1], buf_span(&m->content), m->md);
    set[1] = attribute(&a[1], "1.2.840.113549.1.9.4");
    x509_put_time(&a[2], m->time);
    set[2] = attribute(&a[2], "1.2.840.113549.1.9.5");
    put_digest(&a[3], buf_span(&m->certs[0]), EVP_sha256());
    for (int i = 0; i < 3; i++) /* SigningCertificateV2 { SEQUENCE OF ESSCertIDv2 } */
        x509_wrap(&a[3], 0, 0x30);
    set[3] = attribute(&a[3], "1.2.840.113549.1.9.16.2.47");
    put_set(out, 0x31, set, 4);
    for (int i = 0; i < 4; i++)
        buf_free(&a[i]);
}

static void put_signature(const struct message *m, struct span attributes, struct buf *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[512];
    char oid[64];
    size_t n = sizeof sig, from = out->n;
    int nid = NID_rsaEncryption;
    if (EVP_PKEY_get_base_id(m->key) == EVP_PKEY_EC)
        OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(m->md), EVP_PKEY_EC);
    OBJ_obj2txt(oid, sizeof oid, OBJ_nid2obj(nid), 1);
    x509_put_oid(out, oid);
    if (nid == NID_rsaEncryption)
        buf_put(out, "\x05", 2);
    x509_wrap(out, from, 0x30);
    if (!ctx || EVP_DigestSignInit(ctx, NULL, m->md, NULL, m->key) != 1 ||
        EVP_DigestSign(ctx, sig, &n, attributes.p, attributes.n) != 1)
        diag_exit(ST_TEMP, "%s", diag_openssl());
    EVP_MD_CTX_free(ctx);
    x509_put(out, 0x04, sig, n);
}

static void put_signer(const struct message *m, struct buf *out)
{
    struct x509_cert signer;
    struct buf attributes = {0};
    size_t from = out->n;
    if (!x509_cert_view(buf_span(&m->certs[0]), &signer))
        diag_exit(ST_USAGE, "not a certificate");
    put_number(out, 1);
    size_t sid = out->n;
    buf_put(out, signer.issuer.p, signer.issuer.n);
    x509_put(out, 0x02, signer.serial.p, signer.serial.n);
    x509_wrap(out, sid, 0x30);
    put_digest_algorithm(m, out);
    put_attributes(m, &attributes);
    size_t at = out->n;
    buf_put(out, attributes.d, attributes.n);
    out->d[at] = 0xa0;
    put_signature(m, buf_span(&attributes), out);
    buf_free(&attributes);
    x509_wrap(out, from, 0x30);
    x509_wrap(out, from, 0x31);
}

static void put_message(const struct message *m, struct buf *out)
{
    struct span bag[BAG];
    x509_put_oid(out, "1.2.840.113549.1.7.2");
    size_t data = out->n;
    put_number(out, 3);
    size_t from = out->n;
    put_digest_algorithm(m, out);
    x509_wrap(out, from, 0x31);
    from = out->n;
    x509_put_oid(out, m->type);
    size_t content = out->n;
    x509_put(out, 0x04, m->content.d, m->content.n);
    x509_wrap(out, content, 0xa0);
    x509_wrap(out, from, 0x30);
    for (int i = 0; i < m->n_certs; i++)
        bag[i] = buf_span(&m->certs[i]);
    put_set(out, 0xa0, bag, (size_t)m->n_certs);
    put_signer(m, out);
    x509_wrap(out, data, 0x30);
    x509_wrap(out, data, 0xa0);
    x509_wrap(out, 0, 0x30);
}

static void add_certs(struct message *m, const char *path)
{
    int n = pem_file(path, "CERTIFICATE", CSR_MAX, m->certs + m->n_certs, BAG - m->n_certs);
    if (n < 1)
        diag_exit(ST_USAGE, "%s: no certificate", path);
    m->n_certs += n;
}

static void word(struct message *m, const char *w)
{
    if (!strncmp(w, "bag=", 4))
        add_certs(m, w + 4);
    else if (!strncmp(w, "md=", 3))
        m->md = EVP_get_digestbyname(w + 3);
    else if (!strncmp(w, "time=", 5))
        m->time += atoll(w + 5);
    else if (!strncmp(w, "type=", 5))
        m->type = strcmp(w + 5, "response") ? w + 5 : "1.3.6.1.5.5.7.12.3";
    else
        diag_exit(ST_USAGE, "%s: what is that", w);
}

int main(int argc, char **argv)
{
    struct message m = {.md = EVP_sha256(), .time = clock_now(), .type = "1.3.6.1.5.5.7.12.2"};
    struct buf der = {0}, pem = {0};
    io_init();
    diag_program("forge-sign");
    FILE *f = argc < 3 ? NULL : fopen(argv[1], "r");
    m.key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    if (!m.key || !io_read_fd(0, INPUT_MAX, &m.content, "stdin"))
        diag_exit(ST_USAGE, "KEY CERTIFICATES [WORD...]");
    if (f)
        fclose(f);
    add_certs(&m, argv[2]);
    for (int i = 3; i < argc; i++)
        word(&m, argv[i]);
    put_message(&m, &der);
    pem_put(&pem, "CMS", der.d, der.n);
    io_stdout(pem.d, pem.n);
    for (int i = 0; i < m.n_certs; i++)
        buf_free(&m.certs[i]);
    buf_free(&m.content);
    buf_free(&der);
    buf_free(&pem);
    EVP_PKEY_free(m.key);
    return 0;
}
