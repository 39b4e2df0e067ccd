/* Issues by a profile, without ledger or line.
 * profile-test [-c PROFILES] -p NAME -k KEY [-i ISSUER] [-d DEVICE] [-S SUBJECT] [-N SAN] < request
 * > certificate without -i the certificate is self-signed; what differs and why not goes to stderr,
 * "refused FAILINFO: why" profile-test [-c PROFILES] -l       the profiles: name, line or direct,
 * CA, reissue, renew-before profile-test [-c PROFILES] -p NAME -D < request      the device's id
 * profile-test -L CASE                the lint, on a certificate with one fault
 * profile-test ... -b TIMES           microseconds of CPU of one profile_apply */
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
#include "profile.h"

static struct buf request;
static struct csr csr;
static char why[X509_WHY];

static int read_request(void)
{
    struct pem_block b;
    struct pem *p = pem_open(STDIN_FILENO, CSR_MAX, 0);
    enum pem_result r = pem_next(p, &b, 1);
    if (r == PEM_BLOCK)
        buf_put(&request, b.der, b.n);
    pem_close(p);
    return r == PEM_BLOCK && csr_view(buf_span(&request), &csr, why) ? 1 : diag_warn("%s", why);
}

static int list(const struct profiles *ps, const char *const *names)
{
    static const char *const reissue[] = {"never", "renewal", "always"};
    for (; *names; names++) {
        const struct profile *p = profiles_find(ps, *names);
        if (p)
            printf("%s %s %s %s %lld\n", profile_name(p), profile_on_line(p) ? "line" : "direct",
                   profile_is_ca(p) ? "ca" : "-", reissue[profile_reissue(p)],
                   (long long)profile_renew_before(p));
    }
    return ST_OK;
}

static void bench(const struct profile *p, const struct profile_asked *a,
                  const struct x509_cert *ca, long times)
{
    struct profile_result r = {0};
    clock_t start = clock();
    for (long i = 0; i < times; i++)
        profile_apply(p, a, ca, clock_now(), &r);
    printf("%.2f\n", (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / (double)times);
    profile_result_free(&r);
}

static int issue(const struct profile *p, const struct profile_asked *a, const char *issuer,
                 const char *key, long times)
{
    struct buf ca = {0}, der = {0}, out = {0};
    struct profile_result r = {0};
    struct x509_cert view = {0};
    struct signer *s = NULL;
    unsigned char serial[X509_SERIAL];
    int st = ST_REFUSED;
    if (issuer && (pem_file(issuer, "CERTIFICATE", 65536, &ca, 1) != 1 ||
                   !x509_cert_view(buf_span(&ca), &view))) {
        st = ST_USAGE;
        goto out;
    }
    if (times) {
        bench(p, a, issuer ? &view : NULL, times);
        st = ST_OK;
        goto out;
    }
    if (!profile_apply(p, a, issuer ? &view : NULL, clock_now(), &r)) {
        diag_warn("refused %d: %s", r.fail, r.why);
        goto out;
    }
    if (r.differences.n)
        diag_warn("differs: %s", (char *)r.differences.d);
    x509_serial(serial);
    struct x509_tbs tbs = {.serial = {serial, sizeof serial},
                           .issuer = issuer ? view.subject : buf_span(&r.subject),
                           .subject = buf_span(&r.subject),
                           .spki = a->spki,
                           .extensions = buf_span(&r.extensions),
                           .not_before = r.not_before,
                           .not_after = r.not_after};
    if (!profile_lint(&tbs, why)) {
        diag_warn("lint: %s", why);
        goto out;
    }
    st = (int)signer_open(key, NULL, 0, &s);
    if (st == ST_OK)
        st = (int)x509_issue(&tbs, s, &der);
    if (st == ST_OK) {
        pem_put(&out, "CERTIFICATE", der.d, der.n);
        io_stdout(out.d, out.n);
    }
out:
    signer_close(s);
    profile_result_free(&r);
    buf_free(&ca);
    buf_free(&der);
    buf_free(&out);
    return st;
}

/* Parts of a certificate that is right, one of which a case spoils. */
static const unsigned char ku_sign[] = {0x30, 14,   6, 3, 0x55, 0x1d, 15, 1,
                                        1,    0xff, 4, 4, 3,    2,    7,  0x80};
static const unsigned char ku_ca[] = {0x30, 14, 6, 3, 0x55, 0x1d, 15, 1, 1, 0xff, 4, 4, 3, 2, 2, 4};
static const unsigned char aki[] = {0x30, 12, 6, 3, 0x55, 0x1d, 35, 4, 5, 0x30, 3, 0x80, 1, 7};
static const unsigned char bc_ca[] = {0x30, 15, 6, 3,    0x55, 0x1d, 19, 1,   1,
                                      0xff, 4,  5, 0x30, 3,    1,    1,  0xff};
static const unsigned char eku_server[] = {0x30, 19, 6,    3, 0x55, 0x1d, 37, 4, 12, 0x30, 10,
                                           6,    8,  0x2b, 6, 1,    5,    5,  7, 3,  1};
static const unsigned char san_none[] = {0x30, 9, 6, 3, 0x55, 0x1d, 17, 4, 2, 0x30, 0};
static const unsigned char aki_critical[] = {0x30, 15, 6, 3,    0x55, 0x1d, 35, 1, 1,
                                             0xff, 4,  5, 0x30, 3,    0x80, 1,  7};
static const unsigned char ku_cipher[] = {0x30, 14,   6, 3, 0x55, 0x1d, 15, 1,
                                          1,    0xff, 4, 4, 3,    2,    5,  0x20};

#define EXT(x) buf_put(&ext, x, sizeof x)
#define IS(name) !strcmp(which, name)

static int lint(const char *which)
{
    static const unsigned char nil[] = {0}, zeros[] = {0, 1}, negative[] = {0x80},
                               empty[] = {0x30, 0};
    unsigned char serial[X509_SERIAL];
    struct buf ext = {0}, name = {0}, issuer = {0};
    x509_serial(serial);
    x509_name_parse("CN=a", &name, why);
    x509_name_parse("CN=ca", &issuer, why);
    struct x509_tbs t = {.serial = {serial, sizeof serial},
                         .issuer = buf_span(&issuer),
                         .subject = buf_span(&name),
                         .spki = csr.spki,
                         .not_before = 1000,
                         .not_after = 2000};
    if (!IS("no key usage"))
        IS("certSign without CA") ? EXT(ku_ca)
        : IS("EC that enciphers") ? EXT(ku_cipher)
                                  : EXT(ku_sign);
    if (IS("CA without certSign"))
        EXT(bc_ca);
    if (IS("key usage twice"))
        EXT(ku_sign);
    if (IS("server with another usage")) {
        buf_reset(&ext);
        EXT(ku_ca);
        EXT(bc_ca);
        EXT(eku_server);
    }
    if (IS("empty alt name"))
        EXT(san_none);
    if (!IS("no authority key"))
        IS("critical authority key") ? EXT(aki_critical) : EXT(aki);
    x509_wrap(&ext, 0, 0x30);
    t.extensions = buf_span(&ext);
    if (IS("serial of zero"))
        t.serial = (struct span){nil, 1};
    if (IS("serial not minimal"))
        t.serial = (struct span){zeros, 2};
    if (IS("negative serial"))
        t.serial = (struct span){negative, 1};
    if (IS("ends before it begins"))
        t.not_after = 999;
    if (IS("ends after 9999"))
        t.not_after = X509_TIME_MAX + 1;
    if (IS("no name at all"))
        t.subject = (struct span){empty, 2};
    if (IS("no issuer"))
        t.issuer = (struct span){empty, 2};
    int ok = profile_lint(&t, why);
    printf("%s\n", ok ? "ok" : why);
    buf_free(&ext);
    buf_free(&name);
    buf_free(&issuer);
    return ST_OK;
}

static int device(const struct profile *p)
{
    struct buf id = {0};
    int ok = profile_device(p, csr.subject, csr.extensions, &id, why);
    ok ? printf("%s\n", (char *)id.d) : diag_warn("%s", why);
    buf_free(&id);
    return ok ? ST_OK : ST_REFUSED;
}

static void set(struct profile_asked *a, const char *subject, const char *san, struct buf *name,
                struct buf *names)
{
    if (subject && x509_name_parse(subject, name, why))
        a->set_subject = buf_span(name);
    if (san && x509_san_parse(san, names, why)) {
        x509_wrap(names, 0, 0x30);
        a->set_san = buf_span(names);
    }
}

/* The arguments of the options, by their letters; a flag's is "". NULL where an option was not
 * given. */
static int options(int argc, char **argv, const char *given[128])
{
    for (int c; (c = getopt(argc, argv, "c:p:k:i:d:S:N:lDL:b:")) != -1;) {
        if (c == '?')
            return 0;
        given[c] = optarg ? optarg : "";
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *given[128] = {NULL}, *name;
    struct profile_asked a = {0};
    struct buf set_name = {0}, set_names = {0};
    int st = ST_USAGE;
    io_init();
    diag_program("profile-test");
    if (!options(argc, argv, given))
        return ST_USAGE;
    name = given['p'];
    a.device = given['d'];
    struct profiles *ps = profiles_load(given['c']);
    const struct profile *p = ps && name ? profiles_find(ps, name) : NULL;
    if (!ps)
        return ST_USAGE;
    if (given['l']) {
        st = list(ps, (const char *const *)argv + optind);
        goto out;
    }
    st = ST_INPUT;
    if (!read_request())
        goto out;
    set(&a, given['S'], given['N'], &set_name, &set_names);
    a.subject = csr.subject;
    a.spki = csr.spki;
    a.extensions = csr.extensions;
    if (given['L'])
        st = lint(given['L']);
    else if (!p)
        st = ST_USAGE;
    else
        st = given['D'] ? device(p)
                        : issue(p, &a, given['i'], given['k'], given['b'] ? atol(given['b']) : 0);
out:
    profiles_free(ps);
    buf_free(&request);
    buf_free(&set_name);
    buf_free(&set_names);
    signer_finish();
    return st;
}
