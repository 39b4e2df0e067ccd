#include "renew_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "io.h"
#include "p11key.h"
#include "pem.h"
#include "signer.h"

#define CHALLENGE_MAX 255 /* RFC 2985, ub-pkcs9-challenge */
#define KEY_PEM_MAX 8192  /* room made ahead: a secret that moves leaves a copy */

static const struct {
    const char *name, *oid;
} usages[] = {{"serverAuth", "1.3.6.1.5.5.7.3.1"},   {"clientAuth", "1.3.6.1.5.5.7.3.2"},
              {"codeSigning", "1.3.6.1.5.5.7.3.3"},  {"emailProtection", "1.3.6.1.5.5.7.3.4"},
              {"timeStamping", "1.3.6.1.5.5.7.3.8"}, {"OCSPSigning", "1.3.6.1.5.5.7.3.9"},
              {"ipsecIKE", "1.3.6.1.5.5.7.3.17"},    {"eapOverLAN", "1.3.6.1.5.5.7.3.14"}};

static void put_extension(struct buf *out, const char *oid, struct span value)
{
    size_t at = out->n;
    x509_put_oid(out, oid);
    x509_put(out, 0x04, value.p, value.n);
    x509_wrap(out, at, 0x30);
}

/* Those of the present certificate where the plan names none. */
static int names(const struct renew_job *j, struct buf *out)
{
    struct x509_ext ext;
    struct buf value = {0};
    char why[X509_WHY];
    for (size_t i = 0; i < j->p->san.n; i++)
        if (!x509_san_parse(j->p->san.v[i], &value, why)) {
            buf_free(&value);
            return diag_warn("%s: san: %s", j->p->name, why);
        }
    if (value.n) {
        x509_wrap(&value, 0, 0x30);
        put_extension(out, "2.5.29.17", buf_span(&value));
    } else if (*j->present && x509_ext_get(j->item.cert.extensions, "2.5.29.17", &ext) == 1) {
        put_extension(out, "2.5.29.17", ext.value);
    }
    buf_free(&value);
    return 1;
}

static int extended_usages(const struct renew_job *j, struct buf *out)
{
    struct x509_ext ext;
    struct buf value = {0};
    for (size_t i = 0; i < j->p->usages.n; i++) {
        const char *oid = j->p->usages.v[i];
        for (size_t k = 0; k < sizeof usages / sizeof *usages; k++)
            if (!strcmp(usages[k].name, oid))
                oid = usages[k].oid;
        if (!x509_put_oid(&value, oid)) {
            buf_free(&value);
            return diag_warn("%s: usages: \"%s\" is not known, nor an OID", j->p->name, oid);
        }
    }
    if (value.n) {
        x509_wrap(&value, 0, 0x30);
        put_extension(out, "2.5.29.37", buf_span(&value));
    } else if (*j->present && x509_ext_get(j->item.cert.extensions, "2.5.29.37", &ext) == 1) {
        put_extension(out, "2.5.29.37", ext.value);
    }
    buf_free(&value);
    return 1;
}

static int subject(const struct renew_job *j, struct buf *out)
{
    char why[X509_WHY];
    if (j->p->subject)
        return x509_name_parse(j->p->subject, out, why) ||
               diag_warn("%s: subject: %s", j->p->name, why);
    if (*j->present) {
        buf_put(out, j->item.cert.subject.p, j->item.cert.subject.n);
        return 1;
    }
    diag_warn("%s: there is no certificate whose subject could be asked for again", j->p->name);
    diag_hint("give the purpose a \"subject\", or put a certificate in with cert-import");
    return 0;
}

static const char *key_type(const struct renew_job *j)
{
    static char of_present[24];
    struct x509_key_info info;
    if (j->p->key_type)
        return j->p->key_type;
    if (!*j->present || !x509_key_info(j->item.cert.spki, &info) || !csr_key_known(info.name))
        return "P-256";
    snprintf(of_present, sizeof of_present, "%s", info.name);
    return of_present;
}

/* The key of a request: one that was just made, or one that a signer holds. */
struct made {
    struct csr_key key;
    struct signer *signer; /* NULL: key */
    struct buf key_pem;    /* secret */
    char *key_uri;
};

static enum status same_key(const struct renew_job *j, struct made *m)
{
    if (j->item.key_in_token) {
        m->key_uri = alloc_str(j->item.key);
    } else {
        buf_room(&m->key_pem, STORE_FILE);
        if (!io_read_file(j->item.key, STORE_FILE, &m->key_pem))
            return ST_TEMP;
    }
    return signer_open(j->item.key, NULL, 0, &m->signer);
}

static void transaction_hex(const unsigned char tid[16], char out[33])
{
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", tid[i]);
}

static enum p11key_type token_type(const char *name)
{
    static const struct {
        const char *name;
        enum p11key_type type;
    } types[] = {{"P-256", P11KEY_P256},       {"P-384", P11KEY_P384},
                 {"RSA-2048", P11KEY_RSA2048}, {"RSA-3072", P11KEY_RSA3072},
                 {"RSA-4096", P11KEY_RSA4096}, {"Ed25519", P11KEY_ED25519}};
    size_t t = 0;
    while (t + 1 < sizeof types / sizeof *types && strcasecmp(types[t].name, name))
        t++;
    return types[t].type;
}

static char *token_uri(const struct renew_job *j)
{
    struct buf uri = {0};
    for (const char *s = j->p->key_uri; *s; s++)
        if (!strncmp(s, "{name}", 6)) {
            buf_printf(&uri, "%s-%s", j->p->name, j->state.making);
            s += 5;
        } else {
            buf_char(&uri, *s);
        }
    return (char *)uri.d;
}

/* A key that a run made and died before its request was in the store: used now, so that nothing
 * piles up in the token. ST_REFUSED: there is none. */
static enum status left_behind(struct renew_job *j, struct made *m)
{
    struct buf found = {0};
    if (!*j->state.making)
        return ST_REFUSED;
    m->key_uri = token_uri(j);
    enum status st = p11key_list(m->key_uri, NULL, &found);
    if (st == ST_OK)
        st = found.n ? signer_open(m->key_uri, NULL, SIGNER_TOKEN, &m->signer) : ST_REFUSED;
    buf_free(&found);
    return st == ST_USAGE ? ST_REFUSED : st;
}

/* Its name is on the disk before the key is in the token. */
static enum status token_key(struct renew *r, struct renew_job *j, const unsigned char tid[16],
                             struct made *m)
{
    struct buf spki = {0};
    char hex[33];
    enum status st = left_behind(j, m);
    if (st != ST_REFUSED)
        return st;
    free(m->key_uri);
    transaction_hex(tid, hex);
    snprintf(j->state.making, sizeof j->state.making, "%.*s", STORE_MAKING, hex);
    m->key_uri = token_uri(j);
    st = store_state_write(r->store, j->p->name, &j->state);
    if (st == ST_OK)
        st = p11key_generate(m->key_uri, NULL, token_type(key_type(j)), &spki);
    buf_free(&spki);
    return st == ST_OK ? signer_open(m->key_uri, NULL, SIGNER_TOKEN, &m->signer) : st;
}

static void file_key(const struct renew_job *j, struct made *m)
{
    csr_key_make(key_type(j), &m->key);
    buf_room(&m->key_pem, KEY_PEM_MAX);
    pem_put(&m->key_pem, "PRIVATE KEY", m->key.pkcs8.d, m->key.pkcs8.n);
}

static int challenge(const struct renew_job *j, struct buf *out)
{
    if (!j->p->challenge)
        return 1;
    buf_room(out, 2 * CHALLENGE_MAX);
    if (!io_read_file(j->p->challenge, CHALLENGE_MAX + 2, out))
        return 0;
    while (out->n && strchr("\r\n", out->d[out->n - 1]))
        out->d[--out->n] = '\0';
    return (out->n && out->n <= CHALLENGE_MAX && x509_text_ok(out->d, out->n)) ||
           diag_warn("%s: not a challengePassword: one line of 1 to %d octets", j->p->challenge,
                     CHALLENGE_MAX);
}

static enum status sign(struct made *m, struct span name, struct span extensions, const char *word,
                        struct buf *out)
{
    if (m->signer)
        return csr_make(m->signer, name, extensions, word, out);
    if (csr_make_with(m->key.key, buf_span(&m->key.spki), name, extensions, word, out))
        return ST_OK;
    diag_warn("a new key would not sign");
    return ST_TEMP;
}

/* What a request says beside its key. */
struct content {
    struct buf name, exts, word; /* word: secret */
};

static int content(const struct renew_job *j, struct content *c)
{
    if (!subject(j, &c->name) || !names(j, &c->exts) || !extended_usages(j, &c->exts) ||
        !challenge(j, &c->word))
        return 0;
    if (c->exts.n)
        x509_wrap(&c->exts, 0, 0x30);
    return 1;
}

static enum status sign_and_keep(struct renew *r, const struct renew_job *j, struct made *m,
                                 const struct content *c, struct store_enrolment_new *n)
{
    struct buf der = {0}, pem = {0};
    enum status st =
        sign(m, buf_span(&c->name), buf_span(&c->exts), c->word.n ? (char *)c->word.d : NULL, &der);
    if (st == ST_OK) {
        pem_put(&pem, "CERTIFICATE REQUEST", der.d, der.n);
        n->request = buf_span(&pem);
        n->key_pem = buf_span(&m->key_pem);
        n->key_uri = m->key_uri;
        n->replaces = j->present;
        st = store_enrol(r->store, j->p->name, n);
    }
    buf_wipe(&der);
    buf_wipe(&pem);
    return st;
}

enum status renew_request(struct renew *r, struct renew_job *j)
{
    struct store_enrolment_new n = {.began = clock_now()};
    struct made m = {.key_uri = NULL};
    struct content c = {.name = {0}};
    enum status st = content(j, &c) ? ST_OK : ST_REFUSED;
    if (RAND_bytes(n.transaction, sizeof n.transaction) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    if (st != ST_OK)
        goto out;
    if (j->p->key == PLAN_KEY_SAME && *j->present && j->item.key)
        st = same_key(j, &m);
    else if (j->p->key_uri)
        st = token_key(r, j, n.transaction, &m);
    else
        file_key(j, &m);
    if (st == ST_OK)
        st = sign_and_keep(r, j, &m, &c, &n);
    if (st == ST_OK)
        *j->state.making = '\0';
out:
    signer_close(m.signer);
    csr_key_free(&m.key);
    buf_wipe(&m.key_pem);
    free(m.key_uri);
    buf_free(&c.name);
    buf_free(&c.exts);
    buf_wipe(&c.word);
    return st;
}

enum status renew_key_there(const struct store_enrolment *e, const char *purpose)
{
    struct signer *s = NULL;
    struct csr csr;
    struct span spki;
    char why[X509_WHY];
    enum status st = signer_open(e->key, NULL, 0, &s);
    if (st == ST_OK) {
        spki.p = signer_spki(s, &spki.n);
        if (!csr_view(buf_span(&e->request), &csr, why) || !buf_same(csr.spki, spki))
            st = ST_REFUSED;
    }
    signer_close(s);
    if (st == ST_TEMP || st == ST_OK)
        return st;
    diag_warn("%s: the key of the request that waits is gone: a new one is made", purpose);
    return ST_REFUSED;
}

/* What the end of a command means, apart from what it printed. */
static enum status ended(const struct renew_job *j, const struct launch_result *got)
{
    const char *name = j->p->name;
    enum status st = ST_TEMP;
    if (got->timed_out)
        diag_warn("%s: no answer within %lld seconds", name, (long long)j->p->timeout);
    else if (got->too_long) {
        diag_warn("%s: the answer: more than %d octets", name, RENEW_ANSWER);
        st = ST_REFUSED;
    } else if (got->status == ST_TEMP)
        diag_warn("%s: no certificate yet: it is asked for again later", name);
    else if (got->status < 0)
        diag_warn("%s: the command for enrolment could not be run", name);
    /* A signal; 255: ssh(1) did not get through; 5: a stage of a line ended early, and its last one
     * tells so. */
    else if (got->status > 128 || got->status == ST_EMPTY)
        diag_warn("%s: the enrolment ended with %d: it is tried again later", name, got->status);
    else if (got->status) {
        diag_warn("%s: the enrolment ended with %d", name, got->status);
        st = ST_REFUSED;
    } else
        st = ST_OK;
    return st;
}

enum status renew_ask(struct renew *r, struct renew_job *j, const struct store_enrolment *e,
                      struct buf *out)
{
    char hex[33], *env[4] = {NULL};
    struct buf pem = {0};
    struct launch_result got = {.status = -1};
    transaction_hex(e->transaction, hex);
    pem_put(&pem, "CERTIFICATE REQUEST", e->request.d, e->request.n);
    env[0] = alloc_printf("CERTLINE_PURPOSE=%s", j->p->name);
    env[1] = alloc_printf("CERTLINE_DEVICE=%s", r->plan->device);
    env[2] = alloc_printf("CERTLINE_TRANSACTION=%s", hex);
    struct launch_job job = {.command = j->state.asked && j->p->poll ? j->p->poll : j->p->enroll,
                             .env = (const char *const *)env,
                             .in = pem.d,
                             .in_len = pem.n};
    if (!launch_submit(j->launch, &job) || launch_result(j->launch, &got, 1) != 1)
        got.status = -1;
    enum status st = ended(j, &got);
    if (st == ST_OK)
        buf_put(out, got.out.d, got.out.n);
    if (st == ST_TEMP && got.status == ST_TEMP && !got.timed_out)
        j->state.asked = 1;
    buf_free(&got.out);
    buf_wipe(&pem);
    for (int i = 0; i < 3; i++)
        free(env[i]);
    return st;
}
