/* What a block is, and whose. */
#include "intake_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "csr.h"
#include "der.h"

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)
/* A request stands in PKIData, reqSequence and TaggedRequest, a key likewise: certline-message(5).
 */
#define MESSAGE_LEVELS 3

int intake_label(const char *label)
{
    return !strcmp(label, "CERTIFICATE REQUEST") || !strcmp(label, "NEW CERTIFICATE REQUEST") ||
           !strcmp(label, "PUBLIC KEY");
}

int intake_device_ok(const char *text)
{
    size_t n = strlen(text);
    return n >= 1 && n <= CMC_DEVICE && x509_text_ok(text, n);
}

/* One block that a message can not carry would make the whole message malformed for verify-unit. */
static int message_can_hold(struct span der, int sets_in_any_order, char why[X509_WHY])
{
    static const int inside[MESSAGE_LEVELS] = {0, 0, 0};
    char bad[DER_WHY];
    struct buf b = {0};
    buf_put(&b, der.p, der.n);
    for (int i = 0; i < MESSAGE_LEVELS; i++)
        x509_wrap(&b, 0, 0x30);
    int ok = der_check(b.d, b.n, sets_in_any_order ? inside : NULL,
                       sets_in_any_order ? MESSAGE_LEVELS : 0, bad);
    buf_free(&b);
    return ok || WHY("nested too deeply for a message");
}

/* The frame of a PKCS #10 request, whatever is wrong inside: that is for verify-unit to say. */
static int frame(struct span der, struct csr *out, char why[X509_WHY])
{
    char bad[DER_WHY];
    struct span seq, info, version;
    memset(out, 0, sizeof *out);
    if (!der_check(der.p, der.n, (const int[]){0}, 0, bad))
        return WHY("not a request in DER: %s", bad);
    if (!x509_take(&der, 0x30, NULL, &seq) || !x509_take(&seq, 0x30, NULL, &info) ||
        !x509_take(&seq, 0x30, NULL, NULL) || !x509_take(&seq, 0x03, NULL, NULL) || seq.n ||
        !x509_take(&info, 0x02, NULL, &version) || !x509_take(&info, 0x30, &out->subject, NULL) ||
        !x509_take(&info, 0x30, &out->spki, NULL))
        return WHY("not a PKCS #10 request");
    return 1;
}

static int read_request(const struct intake *w, const struct intake_block *b,
                        struct intake_item *out, char device[CMC_DEVICE + 1], char why[X509_WHY])
{
    struct csr csr;
    struct buf id = {0};
    char ignored[X509_WHY];
    if (!csr_view(b->der, &csr, ignored) && !frame(b->der, &csr, why))
        return 0;
    if (!message_can_hold(b->der, 1, why))
        return 0;
    out->kind = CMC_TCR;
    x509_key_hash(csr.spki, out->key);
    if (b->device)
        buf_str(&id, b->device);
    else if (!profile_device(w->profile, csr.subject, csr.extensions, &id, ignored) ||
             !intake_device_ok((char *)id.d)) {
        /* No device: verify-unit refuses it, and the answer needs a name. */
        buf_reset(&id);
        buf_printf(&id, "request-in-line-%lu", b->line);
    }
    snprintf(device, CMC_DEVICE + 1, "%s", (char *)id.d);
    buf_free(&id);
    return 1;
}

/* openssl's old way to show a name, "/C=JP/O=ABC", as RFC 4514 text. */
static void from_slashes(const char *s, struct buf *out)
{
    for (; *s; s++) {
        size_t type =
            strspn(s + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.");
        if (*s == '/' && type && s[1 + type] == '=') {
            if (out->n)
                buf_char(out, ',');
            buf_put(out, s + 1, type + 1);
            s += type + 1;
            continue;
        }
        if (strchr(",+\"\\<>;", *s))
            buf_char(out, '\\');
        buf_char(out, *s);
    }
}

/* The device that a line "subject=..." ahead of the block names: 1; 0 with why set; -1: no such
 * line.
 */
static int device_of_text(const struct intake *w, const char *text, struct buf *id,
                          char why[X509_WHY])
{
    struct buf line = {0}, name = {0}, der = {0};
    while (*text && strncasecmp(text, "subject=", 8))
        text += strcspn(text, "\n") + (strchr(text, '\n') != NULL);
    if (!*text)
        return -1;
    text += 8;
    text += strspn(text, " \t");
    buf_put(&line, text, strcspn(text, "\r\n"));
    buf_str(&name, "");
    if (line.n && line.d[0] == '/')
        from_slashes((char *)line.d, &name);
    else
        buf_put(&name, line.d, line.n);
    char bad[X509_WHY];
    int ok = x509_name_parse((char *)name.d, &der, bad) &&
             profile_device(w->profile, buf_span(&der), (struct span){NULL, 0}, id, bad);
    if (!ok)
        snprintf(why, X509_WHY, "its subject= line: %.140s", bad);
    buf_free(&line);
    buf_free(&name);
    buf_free(&der);
    return ok;
}

static int read_key(const struct intake *w, const struct intake_block *b, struct intake_item *out,
                    char device[CMC_DEVICE + 1], char why[X509_WHY])
{
    struct x509_key_info info;
    struct buf id = {0};
    char bad[DER_WHY];
    if (!der_check(b->der.p, b->der.n, NULL, 0, bad))
        return WHY("not a public key in DER: %s", bad);
    if (!x509_key_info(b->der, &info))
        return WHY("not a public key");
    if (!message_can_hold(b->der, 0, why))
        return 0;
    out->kind = CMC_KEY;
    x509_key_hash(b->der, out->key);
    int named = b->device ? 1 : device_of_text(w, b->text, &id, why);
    const char *who = b->device ? b->device : (char *)id.d;
    if (named < 0 && w->list && csv_changed(intake_list_csv(w->list))) {
        named = WHY("the list changed while it was in use");
    } else if (named < 0 && w->list) {
        who = intake_list_find(w->list, out->key);
        named = who ? 1 : -1;
    }
    if (named < 0)
        snprintf(why, X509_WHY,
                 "whose public key it is is not said: no line \"subject=...\" ahead of it%s",
                 w->list ? ", and the list does not have its hash" : "");
    else if (named && !intake_device_ok(who))
        named = WHY("the device's id is not 1 to %d octets of printable UTF-8", CMC_DEVICE);
    if (named > 0)
        snprintf(device, CMC_DEVICE + 1, "%s", who);
    buf_free(&id);
    return named > 0;
}

int intake_read(const struct intake *w, const struct intake_block *b, struct intake_item *out,
                char device[CMC_DEVICE + 1], char why[X509_WHY])
{
    if (!intake_label(b->label))
        return WHY("a block \"%s\", which is no request and no public key", b->label);
    if (b->der.n > CSR_MAX)
        return WHY("larger than %d octets", CSR_MAX);
    return strcmp(b->label, "PUBLIC KEY") ? read_request(w, b, out, device, why)
                                          : read_key(w, b, out, device, why);
}
