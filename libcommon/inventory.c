#include "inventory.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "alloc.h"
#include "clock.h"
#include "diag.h"

#define DAY 86400

const char *inventory_state_name(enum inventory_state s)
{
    static const char *const names[] = {"in use", "due", "expired", "no purpose", "unreadable"};
    return names[s];
}

/* The earliest of the purposes that point to it. */
static enum status judge_due(struct inventory *v)
{
    for (size_t i = 0; i < v->scan.n_purposes; i++) {
        const struct store_purpose *link = &v->scan.purposes[i];
        const struct plan_purpose *p = plan_purpose(v->plan, link->name);
        struct store_state state;
        struct store_item item;
        if (!p || link->cert < 0 || v->scan.certs[link->cert].bad)
            continue;
        if (!store_state_read(v->store, link->name, &state) ||
            store_read(v->store, v->scan.certs[link->cert].name, &item) != ST_OK) {
            v->scan.bad = 1;
            continue;
        }
        int64_t due = plan_due(v->plan, p, &state, &item, 0);
        if (due < v->due[link->cert])
            v->due[link->cert] = due;
        store_item_free(&item);
    }
    return ST_OK;
}

enum status inventory_open(const struct plan *p, struct store *s, int64_t now,
                           struct inventory *out)
{
    *out = (struct inventory){.plan = p, .store = s, .now = now};
    enum status st = store_scan(s, &out->scan);
    if (st != ST_OK)
        return st;
    out->states = alloc_zero(out->scan.n, sizeof *out->states);
    out->due = alloc_zero(out->scan.n, sizeof *out->due);
    for (size_t i = 0; i < out->scan.n; i++)
        out->due[i] = INT64_MAX;
    judge_due(out);
    for (size_t i = 0; i < out->scan.n; i++) {
        const struct store_cert *c = &out->scan.certs[i];
        enum inventory_state state = c->bad               ? INVENTORY_BAD
                                     : c->not_after < now ? INVENTORY_EXPIRED
                                     : !c->linked         ? INVENTORY_NO_PURPOSE
                                     : out->due[i] <= now ? INVENTORY_DUE
                                                          : INVENTORY_IN_USE;
        out->states[i] = (unsigned char)state;
        out->n_due += state == INVENTORY_DUE;
        out->n_expired += state == INVENTORY_EXPIRED;
    }
    return ST_OK;
}

void inventory_close(struct inventory *v)
{
    store_scan_free(&v->scan);
    free(v->states);
    free(v->due);
}

static char *taken(struct buf *b)
{
    char *s = b->n ? (char *)b->d : alloc_str("");
    if (!b->n)
        buf_free(b);
    return s;
}

static char *hex_of(const void *p, size_t n)
{
    struct buf b = {0};
    buf_hex(&b, p, n);
    return taken(&b);
}

static char *thumbprint(struct span der, const char *md)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!EVP_Digest(der.p, der.n, hash, &n, EVP_get_digestbyname(md), NULL))
        diag_exit(ST_TEMP, "%s: %s", md, diag_openssl());
    return hex_of(hash, n);
}

static char *purposes_of(const struct inventory *v, size_t i)
{
    struct buf b = {0};
    for (size_t k = 0; k < v->scan.n_purposes; k++)
        if (v->scan.purposes[k].cert == (int64_t)i)
            buf_printf(&b, "%s%s", b.n ? "," : "", v->scan.purposes[k].name);
    return taken(&b);
}

static char *usages_of(const struct x509_cert *c)
{
    struct x509_ext ext;
    struct span list, oid;
    struct buf b = {0};
    if (x509_ext_get(c->extensions, "2.5.29.37", &ext) == 1 &&
        x509_take(&ext.value, 0x30, NULL, &list))
        while (list.n && x509_take(&list, 0x06, NULL, &oid)) {
            if (b.n)
                buf_char(&b, ',');
            x509_oid_text(oid, &b);
        }
    return taken(&b);
}

static char *names_of(const struct x509_cert *c)
{
    struct x509_ext ext;
    struct span list, name;
    struct buf b = {0};
    char why[X509_WHY];
    if (x509_ext_get(c->extensions, "2.5.29.17", &ext) == 1 &&
        x509_take(&ext.value, 0x30, NULL, &list))
        while (list.n && x509_san_take(&list, &name, why)) {
            if (b.n)
                buf_char(&b, ',');
            x509_san_text(name, &b);
        }
    return taken(&b);
}

void inventory_row(const struct inventory *v, size_t i, struct inventory_row *out)
{
    struct store_item item;
    struct x509_key_info key;
    const struct store_cert *c = &v->scan.certs[i];
    *out = (struct inventory_row){
        .cert = c, .state = (enum inventory_state)v->states[i], .due = v->due[i]};
    if (c->bad || store_read(v->store, c->name, &item) != ST_OK) {
        out->state = INVENTORY_BAD;
        return;
    }
    int64_t left = c->not_after - v->now;
    out->days = left < 0 ? -((-left + DAY - 1) / DAY) : left / DAY;
    out->purposes = purposes_of(v, i);
    out->subject = x509_name_text(item.cert.subject);
    out->issuer = x509_name_text(item.cert.issuer);
    out->serial = hex_of(item.cert.serial.p, item.cert.serial.n);
    out->key = alloc_str(x509_key_info(item.cert.spki, &key) ? key.name : "unknown");
    out->sha256 = thumbprint(item.cert.der, "SHA256");
    out->sha1 = thumbprint(item.cert.der, "SHA1");
    out->usages = usages_of(&item.cert);
    out->names = names_of(&item.cert);
    out->origin = store_origin_name(item.origin);
    out->added = item.added;
    store_item_free(&item);
}

void inventory_row_free(struct inventory_row *r)
{
    char *all[] = {r->purposes, r->subject, r->issuer, r->serial, r->key,
                   r->sha256,   r->sha1,    r->usages, r->names};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void json_text(struct buf *out, const char *name, const char *s)
{
    buf_printf(out, ",\"%s\":\"", name);
    for (s = s ? s : ""; *s; s++)
        if (*s == '"' || *s == '\\')
            buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20 || *s == 0x7f)
            buf_printf(out, "\\u%04x", (unsigned)*s);
        else
            buf_char(out, *s);
    buf_char(out, '"');
}

static void json_list(struct buf *out, const char *name, const char *s)
{
    struct buf one = {0};
    buf_printf(out, ",\"%s\":[", name);
    for (int first = 1; *s; first = 0) {
        size_t n = strcspn(s, ",");
        buf_reset(&one);
        buf_put(&one, s, n);
        buf_printf(out, "%s\"%s\"", first ? "" : ",", (char *)one.d);
        s += n + (s[n] == ',');
    }
    buf_char(out, ']');
    buf_free(&one);
}

static void json_time(struct buf *out, const char *name, int64_t t)
{
    char text[CLOCK_TEXT];
    if (t == INT64_MAX || !t) {
        buf_printf(out, ",\"%s\":null", name);
        return;
    }
    clock_format(t, text);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

void inventory_json(const struct inventory_row *r, struct buf *out)
{
    buf_printf(out, "{\"name\":\"%s\"", r->cert->name);
    json_text(out, "state", inventory_state_name(r->state));
    if (r->state != INVENTORY_BAD) {
        json_list(out, "purposes", r->purposes);
        json_text(out, "subject", r->subject);
        json_text(out, "issuer", r->issuer);
        json_text(out, "serial", r->serial);
        json_time(out, "notBefore", r->cert->not_before);
        json_time(out, "notAfter", r->cert->not_after);
        buf_printf(out, ",\"daysLeft\":%lld", (long long)r->days);
        json_time(out, "due", r->due);
        json_text(out, "key", r->key);
        json_list(out, "extendedKeyUsage", r->usages);
        json_text(out, "subjectAltName", r->names);
        json_text(out, "origin", r->origin);
        json_time(out, "added", r->added);
        json_text(out, "sha256", r->sha256);
        json_text(out, "sha1", r->sha1);
    }
    buf_str(out, "}\n");
}
