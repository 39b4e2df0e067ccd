#include "inventory.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "alloc.h"
#include "diag.h"

#define DAY 86400

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

/* What a certificate says may be hostile to a terminal, and to what reads lines. */
static char *shown(char *owned)
{
    const char *s = owned ? owned : "";
    size_t room = 4 * strlen(s) + 1;
    char *out = alloc_zero(room, 1);
    diag_escape(s, out, room);
    free(owned);
    return out;
}

static char *purposes_of(const struct inventory *v, size_t i)
{
    struct buf b = {0};
    for (size_t k = 0; k < v->scan.n_purposes; k++)
        if (v->scan.purposes[k].cert == (int64_t)i)
            buf_printf(&b, "%s%s", b.n ? "\n" : "", v->scan.purposes[k].name);
    return taken(&b);
}

/* RFC 5280, 4.2.1.3: bit 0 is the most significant. */
static char *usages_of(const struct x509_cert *c)
{
    static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                        "dataEncipherment", "keyAgreement",   "keyCertSign",
                                        "cRLSign",          "encipherOnly",   "decipherOnly"};
    struct x509_ext ext;
    struct span bits;
    struct buf b = {0};
    if (x509_ext_get(c->extensions, "2.5.29.15", &ext) == 1 &&
        x509_take(&ext.value, 0x03, NULL, &bits))
        for (size_t i = 0; i < sizeof names / sizeof *names && i / 8 + 1 < bits.n; i++)
            if (bits.p[1 + i / 8] & 0x80 >> i % 8)
                buf_printf(&b, "%s%s", b.n ? "\n" : "", names[i]);
    return taken(&b);
}

static void put_usage(struct buf *out, struct span oid)
{
    struct buf dotted = {0};
    if (x509_oid_text(oid, &dotted)) {
        int nid = OBJ_txt2nid((const char *)dotted.d);
        buf_printf(out, "%s%s", out->n ? "\n" : "",
                   nid == NID_undef ? (const char *)dotted.d : OBJ_nid2sn(nid));
    }
    buf_free(&dotted);
}

static char *extended_usages_of(const struct x509_cert *c)
{
    struct x509_ext ext;
    struct span list, oid;
    struct buf b = {0};
    if (x509_ext_get(c->extensions, "2.5.29.37", &ext) == 1 &&
        x509_take(&ext.value, 0x30, NULL, &list))
        while (list.n && x509_take(&list, 0x06, NULL, &oid))
            put_usage(&b, oid);
    return taken(&b);
}

static char *names_of(const struct x509_cert *c)
{
    struct x509_ext ext;
    struct span list, name;
    struct buf b = {0}, one = {0};
    char why[X509_WHY];
    if (x509_ext_get(c->extensions, "2.5.29.17", &ext) == 1 &&
        x509_take(&ext.value, 0x30, NULL, &list))
        while (list.n && x509_san_take(&list, &name, why)) {
            buf_reset(&one);
            x509_san_text(name, &one);
            char *text = shown(alloc_str(one.n ? (const char *)one.d : ""));
            buf_printf(&b, "%s%s", b.n ? "\n" : "", text);
            free(text);
        }
    buf_free(&one);
    return taken(&b);
}

/* Kinds that certline makes no keys of: by the name that OpenSSL has for the curve or algorithm. */
static void put_other_key(struct span spki, struct inventory_row *out)
{
    const unsigned char *at = spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.n);
    char group[64] = "";
    int nid = key ? EVP_PKEY_get_base_id(key) : NID_undef;
    if (key && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1)
        nid = OBJ_txt2nid(group);
    out->key = nid == NID_undef ? "unknown" : OBJ_nid2sn(nid);
    out->key_bits = key && EVP_PKEY_get_bits(key) > 0 ? EVP_PKEY_get_bits(key) : 0;
    EVP_PKEY_free(key);
    ERR_clear_error();
}

static void put_key(const struct store_item *i, struct inventory_row *out)
{
    static const char *const kinds[] = {"EC", "RSA", "Ed25519"};
    struct x509_key_info key;
    int known = x509_key_info(i->cert.spki, &key) && key.kind < X509_KEY_OTHER &&
                (key.kind != X509_KEY_EC || key.bits == 256 || key.bits == 384);
    if (known) {
        out->key = key.kind != X509_KEY_EC ? kinds[key.kind]
                   : key.bits == 256       ? "EC P-256"
                                           : "EC P-384";
        out->key_bits = key.bits;
    } else {
        put_other_key(i->cert.spki, out);
    }
    out->key_in = !i->key ? "none" : i->key_in_token ? "token" : "file";
}

static void put_hashes(struct span der, struct inventory_row *out)
{
    unsigned char sha256[SHA256_DIGEST_LENGTH], sha1[SHA_DIGEST_LENGTH];
    SHA256(der.p, der.n, sha256);
    SHA1(der.p, der.n, sha1);
    out->sha256 = hex_of(sha256, sizeof sha256);
    out->sha1 = hex_of(sha1, sizeof sha1);
}

static void begin(const struct inventory *v, size_t i, struct inventory_row *out)
{
    const struct store_cert *c = &v->scan.certs[i];
    int64_t left = c->not_after - v->now;
    *out = (struct inventory_row){
        .cert = c, .state = (enum inventory_state)v->states[i], .due = v->due[i]};
    out->purposes = purposes_of(v, i);
    out->days = left < 0 ? -((-left + DAY - 1) / DAY) : left / DAY;
}

void inventory_row(const struct inventory *v, size_t i, struct inventory_row *out)
{
    struct store_item item;
    struct buf serial = {0};
    begin(v, i, out);
    if (out->cert->bad || store_read(v->store, out->cert->name, &item) != ST_OK) {
        out->state = INVENTORY_BAD;
        return;
    }
    out->subject = shown(x509_name_text(item.cert.subject));
    out->issuer = shown(x509_name_text(item.cert.issuer));
    x509_serial_text(item.cert.serial, &serial);
    out->serial = taken(&serial);
    put_key(&item, out);
    put_hashes(item.cert.der, out);
    out->usages = usages_of(&item.cert);
    out->extended_usages = extended_usages_of(&item.cert);
    out->names = names_of(&item.cert);
    out->origin = store_origin_name(item.origin);
    out->added = item.added;
    store_item_free(&item);
}

void inventory_row_brief(const struct inventory *v, size_t i, struct inventory_row *out)
{
    struct buf der = {0};
    struct x509_cert cert;
    begin(v, i, out);
    if (out->cert->bad || !store_read_cert(v->store, out->cert->name, &der, &cert)) {
        out->state = INVENTORY_BAD;
    } else {
        out->issuer = shown(x509_name_text(cert.issuer));
    }
    buf_free(&der);
}

void inventory_row_free(struct inventory_row *r)
{
    char *all[] = {r->purposes, r->issuer,          r->subject, r->serial, r->names,
                   r->usages,   r->extended_usages, r->sha256,  r->sha1};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}
