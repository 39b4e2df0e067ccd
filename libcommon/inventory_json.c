#include "inventory.h"

#include <string.h>

#include "clock.h"

static void json_text(struct buf *out, const char *name, const char *s)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json(out, s);
}

static void json_list(struct buf *out, const char *name, const char *lines)
{
    struct buf one = {0};
    buf_printf(out, ",\"%s\":[", name);
    for (int first = 1; *lines; first = 0) {
        size_t n = strcspn(lines, "\n");
        buf_reset(&one);
        buf_put(&one, lines, n);
        if (!first)
            buf_char(out, ',');
        buf_json(out, (const char *)one.d);
        lines += n + (lines[n] == '\n');
    }
    buf_char(out, ']');
    buf_free(&one);
}

/* INT64_MAX: there is none. */
static void json_time(struct buf *out, const char *name, int64_t t)
{
    char text[CLOCK_TEXT];
    if (t == INT64_MAX) {
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
    json_list(out, "purposes", r->purposes);
    if (r->state != INVENTORY_BAD) {
        json_text(out, "subject", r->subject);
        json_text(out, "issuer", r->issuer);
        json_text(out, "serial", r->serial);
        json_time(out, "notBefore", r->cert->not_before);
        json_time(out, "notAfter", r->cert->not_after);
        buf_printf(out, ",\"daysLeft\":%lld", (long long)r->days);
        json_time(out, "due", r->due);
        json_text(out, "key", r->key);
        if (r->key_bits)
            buf_printf(out, ",\"keyBits\":%d", r->key_bits);
        else
            buf_str(out, ",\"keyBits\":null");
        json_text(out, "keyIn", r->key_in);
        json_list(out, "keyUsage", r->usages);
        json_list(out, "extendedKeyUsage", r->extended_usages);
        json_list(out, "subjectAltName", r->names);
        json_text(out, "origin", r->origin);
        json_time(out, "added", r->added ? r->added : INT64_MAX);
        json_text(out, "sha256", r->sha256);
        json_text(out, "sha1", r->sha1);
    }
    buf_str(out, "}\n");
}
