/* Enrolments under way, and what is remembered of a purpose. */
#include "store_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "config.h"
#include "csr.h"
#include "diag.h"
#include "p11key.h"

struct note {
    const char *began, *transaction, *replaces;
};

static const struct cfg_field note_fields[] = {
    {.name = "began", .type = CFG_STRING, .offset = offsetof(struct note, began), .required = 1},
    {.name = "transaction",
     .type = CFG_STRING,
     .offset = offsetof(struct note, transaction),
     .required = 1},
    {.name = "replaces", .type = CFG_STRING, .offset = offsetof(struct note, replaces)},
    {.name = NULL},
};

enum status store_enrol(struct store *s, const char *purpose, const struct store_enrolment_new *n)
{
    struct buf note = {0};
    char began[CLOCK_TEXT];
    assert(s->lock >= 0 && store_name_ok(purpose) && !(n->key_pem.n && n->key_uri));
    clock_format(n->began, began);
    buf_printf(&note, "began: \"%s\"\ntransaction: \"", began);
    buf_hex(&note, n->transaction, sizeof n->transaction);
    buf_str(&note, "\"\n");
    if (n->replaces && *n->replaces)
        buf_printf(&note, "replaces: \"%s\"\n", n->replaces);
    int folder = store_new_folder(s, STORE_PENDING, purpose);
    int ok = folder >= 0 && store_put_file(folder, "request.pem", n->request, 0644) &&
             store_put_key(folder, n->key_pem, n->key_uri) &&
             store_put_file(folder, "meta.yaml", buf_span(&note), 0644) &&
             store_keep_folder(s, STORE_PENDING, purpose, folder);
    if (!ok) {
        char tmp[STORE_NAME + 8];
        store_failed(s, STORE_PENDING, purpose, NULL);
        snprintf(tmp, sizeof tmp, ".new-%s", purpose);
        store_drop_folder(s, STORE_PENDING, tmp);
    }
    if (folder >= 0)
        close(folder);
    buf_free(&note);
    return ok ? ST_OK : ST_TEMP;
}

static int hex_octets(const char *hex, unsigned char *out, size_t n)
{
    if (strlen(hex) != 2 * n || strspn(hex, "0123456789abcdef") != 2 * n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return 1;
}

static int read_note(const struct store *s, const char *purpose, struct store_enrolment *out)
{
    struct note m = {NULL, NULL, NULL};
    struct cfg *c;
    int ok = store_read_yaml(s, STORE_PENDING, purpose, "meta.yaml", &c);
    if (ok && !c)
        store_failed(s, STORE_PENDING, purpose, "its meta.yaml is missing");
    ok = c && cfg_read(c, cfg_root(c), note_fields, &m);
    if (ok && !clock_parse(m.began, &out->began))
        ok = cfg_bad(c, cfg_get(cfg_root(c), "began"), "not a time");
    if (ok && !hex_octets(m.transaction, out->transaction, sizeof out->transaction))
        ok = cfg_bad(c, cfg_get(cfg_root(c), "transaction"), "not 16 octets in hex");
    if (ok && m.replaces && !store_name_ok(m.replaces))
        ok = cfg_bad(c, cfg_get(cfg_root(c), "replaces"), "not the name of a certificate");
    snprintf(out->replaces, sizeof out->replaces, "%s", ok && m.replaces ? m.replaces : "");
    cfg_free(c);
    return ok;
}

int store_enrolment(struct store *s, const char *purpose, struct store_enrolment *out)
{
    struct stat st;
    *out = (struct store_enrolment){.began = 0};
    if (fstatat(s->fd[STORE_PENDING], purpose, &st, AT_SYMLINK_NOFOLLOW)) {
        if (errno == ENOENT)
            return 0;
        store_failed(s, STORE_PENDING, purpose, NULL);
        return -1;
    }
    int request = store_read_pem(s, STORE_PENDING, purpose, "request.pem", "CERTIFICATE REQUEST",
                                 &out->request);
    int key =
        request > 0 ? store_read_key(s, STORE_PENDING, purpose, &out->key, &out->key_in_token) : 0;
    if (request > 0 && key > 0 && read_note(s, purpose, out))
        return 1;
    if (!request || (request > 0 && !key))
        store_failed(s, STORE_PENDING, purpose,
                     request ? "its key is missing" : "its request is missing");
    store_enrolment_free(out);
    return -1;
}

void store_enrolment_free(struct store_enrolment *e)
{
    buf_free(&e->request);
    free(e->key);
    *e = (struct store_enrolment){.began = 0};
}

int store_enrolment_key(const struct store_enrolment *e, unsigned char hash[X509_HASH])
{
    struct csr csr;
    char why[X509_WHY];
    if (!csr_view(buf_span(&e->request), &csr, why))
        return 0;
    x509_key_hash(csr.spki, hash);
    return 1;
}

enum status store_enrolment_end(struct store *s, const char *purpose)
{
    struct store_enrolment e;
    struct csr csr;
    unsigned char hash[X509_HASH];
    char why[X509_WHY];
    assert(s->lock >= 0);
    int have = store_enrolment(s, purpose, &e);
    enum status st = ST_OK;
    if (!have)
        return ST_OK;
    /* A key that no certificate of the store holds was never certified: it goes, too. */
    if (have > 0 && e.key_in_token && store_enrolment_key(&e, hash) &&
        !store_has_key(s, hash, NULL) && csr_view(buf_span(&e.request), &csr, why))
        st = p11key_destroy(e.key, NULL, csr.spki.p, csr.spki.n);
    if (st == ST_OK && !store_remove_folder(s, STORE_PENDING, purpose))
        st = store_failed(s, STORE_PENDING, purpose, NULL);
    store_enrolment_free(&e);
    return st;
}

struct state {
    struct store_state s; /* first */
    const char *boot, *replaced, *making;
};

static const struct cfg_field state_fields[] = {
    {.name = "set",
     .type = CFG_INT,
     .offset = offsetof(struct store_state, set),
     .max = X509_TIME_MAX},
    {.name = "boot", .type = CFG_STRING, .offset = offsetof(struct state, boot)},
    {.name = "failures",
     .type = CFG_INT,
     .offset = offsetof(struct store_state, failures),
     .max = INT64_MAX},
    {.name = "again",
     .type = CFG_INT,
     .offset = offsetof(struct store_state, again),
     .max = X509_TIME_MAX},
    {.name = "hook", .type = CFG_BOOL, .offset = offsetof(struct store_state, hook)},
    {.name = "restart", .type = CFG_BOOL, .offset = offsetof(struct store_state, restart)},
    {.name = "prune", .type = CFG_BOOL, .offset = offsetof(struct store_state, prune)},
    {.name = "asked", .type = CFG_BOOL, .offset = offsetof(struct store_state, asked)},
    {.name = "replaced", .type = CFG_STRING, .offset = offsetof(struct state, replaced)},
    {.name = "making", .type = CFG_STRING, .offset = offsetof(struct state, making)},
    {.name = NULL},
};

int store_state_read(struct store *s, const char *purpose, struct store_state *out)
{
    struct state state = {.boot = NULL};
    struct cfg *c;
    char *file = alloc_printf("%s.yaml", purpose);
    int ok = store_read_yaml(s, STORE_STATE, NULL, file, &c);
    if (c)
        ok = cfg_read(c, cfg_root(c), state_fields, &state);
    *out = state.s;
    snprintf(out->boot, sizeof out->boot, "%s", ok && state.boot ? state.boot : "");
    snprintf(out->replaced, sizeof out->replaced, "%s", ok && state.replaced ? state.replaced : "");
    snprintf(out->making, sizeof out->making, "%s", ok && state.making ? state.making : "");
    cfg_free(c);
    free(file);
    return ok;
}

enum status store_state_write(struct store *s, const char *purpose, const struct store_state *st)
{
    struct buf b = {0};
    assert(s->lock >= 0);
    char *file = alloc_printf("%s.yaml", purpose);
    buf_printf(&b, "set: %lld\nfailures: %lld\nagain: %lld\n", (long long)st->set,
               (long long)st->failures, (long long)st->again);
    buf_printf(&b, "hook: %s\nrestart: %s\nprune: %s\nasked: %s\n", st->hook ? "yes" : "no",
               st->restart ? "yes" : "no", st->prune ? "yes" : "no", st->asked ? "yes" : "no");
    if (*st->replaced)
        buf_printf(&b, "replaced: \"%s\"\n", st->replaced);
    if (*st->making)
        buf_printf(&b, "making: \"%s\"\n", st->making);
    if (*st->boot)
        buf_printf(&b, "boot: \"%s\"\n", st->boot);
    int ok = store_replace_file(s, STORE_STATE, NULL, file, buf_span(&b));
    if (!ok)
        store_failed(s, STORE_STATE, file, NULL);
    buf_free(&b);
    free(file);
    return ok ? ST_OK : ST_TEMP;
}
