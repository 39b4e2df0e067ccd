/* Extensions that a profile gives as they are: an OID and the DER of a value. */
#include "profile_priv.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "der.h"

#define RAW_MAX 16
#define RAW_OCTETS 4096

struct raw {
    const char *oid, *value;
    int critical;
};

static const struct cfg_field fields[] = {
    {.name = "oid", .type = CFG_STRING, .offset = offsetof(struct raw, oid), .required = 1},
    {.name = "critical", .type = CFG_BOOL, .offset = offsetof(struct raw, critical)},
    {.name = "value", .type = CFG_STRING, .offset = offsetof(struct raw, value), .required = 1},
    {.name = NULL},
};

/* Beside those that a profile has keys for: what old or special software takes for CA:TRUE. */
static int is_power(const char *oid)
{
    static const char *const oids[] = {
        "2.5.29.10",               /* basicConstraints before X.509 of 1997 */
        "2.16.840.1.113730.1.1",   /* netscape-cert-type */
        "1.3.6.1.5.5.7.1.14",      /* proxyCertInfo, RFC 3820: its holder issues */
        "1.3.6.1.4.1.11129.2.4.3", /* the poison of a precertificate, RFC 6962 */
    };
    for (size_t i = 0; i < sizeof oids / sizeof *oids; i++)
        if (!strcmp(oids[i], oid))
            return 1;
    return 0;
}

static int is_der(const struct buf *b)
{
    char why[DER_WHY];
    return b->n && der_check(b->d, b->n, NULL, 0, why);
}

static int from_hex(const char *s, size_t n, struct buf *out)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        char pair[3] = {s[i], s[i + 1], 0};
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
            return 0;
        buf_char(out, (int)strtoul(pair, NULL, 16));
    }
    return n % 2 == 0 && is_der(out);
}

/* Base64 in its one form: it is encoded again and compared. */
static int from_base64(const char *s, size_t n, struct buf *out)
{
    struct buf again = {0};
    int ok = 0;
    if (!n || n % 4 || n > 4 * RAW_OCTETS)
        return 0;
    int len = EVP_DecodeBlock(buf_room(out, n), (const unsigned char *)s, (int)n);
    if (len > 0) {
        out->n += (size_t)len - (s[n - 1] == '=') - (s[n - 2] == '=');
        int back = EVP_EncodeBlock(buf_room(&again, n + 4), out->d, (int)out->n);
        ok = (size_t)back == n && !memcmp(again.d, s, n) && is_der(out);
    }
    ERR_clear_error();
    buf_free(&again);
    return ok;
}

/* The text without space and, between hexadecimal digits, colons. */
static void strip(const char *text, struct buf *out)
{
    buf_str(out, "");
    for (; *text; text++)
        if (!isspace((unsigned char)*text) && *text != ':')
            buf_char(out, *text);
}

/* NULL, or why not. */
static const char *decode(const char *text, struct buf *out)
{
    struct buf plain = {0}, base64 = {0};
    const char *why = NULL;
    strip(text, &plain);
    int hex = plain.n <= 2 * RAW_OCTETS && from_hex((char *)plain.d, plain.n, out);
    int other = !strchr(text, ':') && from_base64((char *)plain.d, plain.n, &base64);
    if (hex && other)
        why = "a value that is DER both in hexadecimal and in base64: write it in hexadecimal with "
              "colons";
    else if (!hex && !other)
        why = "a value that is not the hexadecimal or the base64 of one DER value of at most 4096 "
              "octets";
    if (other) {
        buf_reset(out);
        buf_put(out, base64.d, base64.n);
    }
    buf_free(&plain);
    buf_free(&base64);
    return why;
}

/* Whether an extension of this OID (content octets) is in the list. */
static int has(const struct buf *list, struct span oid)
{
    struct span in = buf_span(list), id;
    struct x509_ext e;
    while (x509_ext_next(&in, &id, &e) == 1)
        if (buf_same(id, oid))
            return 1;
    return 0;
}

static int put_raw(struct cfg *cfg, const struct cfg_node *map, struct buf *list)
{
    static const unsigned char yes[] = {1, 1, 0xff};
    struct raw raw = {0};
    struct buf oid = {0}, value = {0};
    const char *why = NULL;
    int ok = 0;
    if (!cfg_read(cfg, map, fields, &raw))
        return 0;
    const struct cfg_node *at = cfg_get(map, "oid");
    if (!x509_put_oid(&oid, raw.oid)) {
        cfg_bad(cfg, at, "\"%.60s\" is not a dotted OID", raw.oid);
        goto out;
    }
    struct span id = {oid.d + 2, oid.n - 2};
    if (profile_ext_made(id))
        cfg_bad(cfg, at, "extension %.60s is made by other keys of the profile", raw.oid);
    else if (is_power(raw.oid))
        cfg_bad(cfg, at, "extension %.60s gives a power that a profile does not give", raw.oid);
    else if (has(list, id))
        cfg_bad(cfg, at, "extension %.60s is there twice", raw.oid);
    else if ((why = decode(raw.value, &value)))
        cfg_bad(cfg, cfg_get(map, "value"), "extension %.60s: %s", raw.oid, why);
    else
        ok = 1;
    if (ok) {
        size_t start = list->n;
        buf_put(list, oid.d, oid.n);
        if (raw.critical)
            buf_put(list, yes, sizeof yes);
        x509_put(list, 0x04, value.d, value.n);
        x509_wrap(list, start, 0x30);
    }
out:
    buf_free(&oid);
    buf_free(&value);
    return ok;
}

int profile_raw(struct cfg *cfg, const struct cfg_node *list, struct buf *out)
{
    if (!list)
        return 1;
    if (cfg_kind(list) != CFG_LIST || cfg_size(list) > RAW_MAX)
        return cfg_bad(cfg, list, "\"extensions\" must be a list of at most %d extensions",
                       RAW_MAX);
    for (size_t i = 0; i < cfg_size(list); i++)
        if (!put_raw(cfg, cfg_item(list, i), out))
            return 0;
    return 1;
}

int profile_gives(const struct profile *p, struct span oid)
{
    return profile_ext_made(oid) || has(&p->raw, oid);
}
