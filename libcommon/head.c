#include "head.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"
#include "head_asn1.h"
#include "io.h"

#define STOP_POLL_MS 1000

static _Noreturn void failed(void)
{
    diag_exit(ST_TEMP, "LedgerHead: %s", diag_openssl());
}

static void put_link(LedgerHead *to, const struct ledger_link *link)
{
    LedgerLink *l = (LedgerLink *)ASN1_item_new(head_asn1_link());
    if (!l || !ASN1_INTEGER_set_int64(l->writer, link->writer) ||
        !ASN1_INTEGER_set_int64(l->n, link->n) ||
        !ASN1_OCTET_STRING_set(l->hash, link->hash, sizeof link->hash) ||
        !sk_LedgerLink_push(to->links, l))
        failed();
}

void head_put(const struct head *h, struct buf *out)
{
    LedgerHead *to = (LedgerHead *)ASN1_item_new(head_asn1());
    unsigned char *der = NULL;
    if (!to || !ASN1_INTEGER_set_int64(to->version, 1) || !ASN1_STRING_set(to->unit, h->unit, -1) ||
        !ASN1_OCTET_STRING_set(to->before, h->before, sizeof h->before) ||
        !ASN1_INTEGER_set_int64(to->since, h->since) ||
        !ASN1_INTEGER_set_int64(to->entry, h->entry) ||
        !ASN1_GENERALIZEDTIME_set(to->time, (time_t)h->time))
        failed();
    for (size_t i = 0; i < h->n; i++)
        put_link(to, &h->links[i]);
    int n = ASN1_item_i2d((ASN1_VALUE *)to, &der, head_asn1());
    if (n <= 0)
        failed();
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    ASN1_item_free((ASN1_VALUE *)to, head_asn1());
}

/* Where the ledger does not reach: another disk, a medium that is written once. */
static enum status keep(const char *path, struct span der)
{
    struct buf pem = {0};
    struct stat was;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    int ok = fd >= 0 && fstat(fd, &was) == 0;
    if (ok && was.st_size)
        buf_char(&pem, '\n'); /* ends what a full disk cut short */
    pem_put(&pem, "CMS", der.p, der.n);
    ok = ok && io_write(fd, pem.d, pem.n) && (fsync(fd) == 0 || !S_ISREG(was.st_mode));
    if (!ok)
        diag_warn("%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    buf_free(&pem);
    return ok ? ST_OK : ST_TEMP;
}

static enum status record(struct unit *u, const struct head *h, int64_t elapsed, struct buf *out)
{
    struct buf content = {0};
    unsigned char digest[CMS_DIGEST];
    head_put(h, &content);
    enum status st = cms_sign(u->signer, CMS_HEAD, buf_span(&content), u->chain, u->n_chain, NULL,
                              0, h->time, out);
    buf_free(&content);
    if (st != ST_OK)
        return st;
    cms_digest(buf_span(out), digest);
    struct ledger_entry e = {.kind = LEDGER_HEAD,
                             .part = (uint32_t)elapsed,
                             .key = {h->before, sizeof h->before},
                             .digest_out = {digest, sizeof digest},
                             .status = h->entry,
                             .data = buf_span(out)};
    return ledger_add(u->ledger, &e);
}

/* Inside a transaction; `out` stays empty where nothing is new. */
static enum status add(struct unit *u, struct buf *out)
{
    struct ledger_entry last;
    struct ledger_stand stand = {0};
    struct head h = {.unit = (char *)u->id, .time = clock_now()};
    enum status st = ledger_newest(u->ledger, LEDGER_HEAD, NULL, &last);
    if (st != ST_OK)
        return st;
    int64_t id = last.id, at = id ? last.time : h.time;
    if (id) {
        h.since = last.status;
        h.time = h.time > at ? h.time : at; /* the clock may have been set back a little */
        memcpy(h.before, last.digest_out.p,
               last.digest_out.n == sizeof h.before ? sizeof h.before : 0);
    }
    st = ledger_stand(u->ledger, h.since, &stand);
    h.entry = stand.entry;
    h.n = stand.n;
    h.links = stand.links;
    /* Behind the last head there is its own entry. */
    if (st == ST_OK && stand.n && (stand.entry != id || stand.n > 1))
        st = record(u, &h, h.time - at, out);
    ledger_stand_free(&stand);
    return st;
}

static enum status make(struct unit *u)
{
    struct buf der = {0};
    u->head_last = clock_now();
    enum status st = ledger_begin(u->ledger);
    if (st != ST_OK)
        return st;
    st = add(u, &der);
    if (st == ST_OK && der.n)
        st = ledger_commit(u->ledger);
    else
        ledger_abort(u->ledger);
    if (st == ST_OK && der.n && u->head_path)
        st = keep(u->head_path, buf_span(&der));
    buf_free(&der);
    return st;
}

enum status head_due(struct unit *u)
{
    return clock_now() - u->head_last < u->head_every ? ST_OK : make(u);
}

enum status head_wait(struct unit *u, int fd)
{
    struct pollfd pf = {fd, POLLIN, 0};
    enum status st = ST_OK;
    while (st == ST_OK && !io_stopping()) {
        int ready = poll(&pf, 1, STOP_POLL_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            break;
        st = head_due(u);
    }
    return st;
}

enum status head_next(struct unit *u, int fd, struct pem *in, struct pem_block *out,
                      enum pem_result *got)
{
    enum status st = ST_OK;
    while ((*got = pem_next(in, out, 0)) == PEM_WAIT && st == ST_OK)
        st = head_wait(u, fd);
    return st;
}

enum status head_end(struct unit *u, enum status st)
{
    return st == ST_TEMP && !io_stopping() ? st : status_worse(st, make(u));
}

void head_free(struct head *h)
{
    if (!h)
        return;
    free(h->unit);
    free(h->links);
    free(h);
}
