#include "p11_priv.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define SLOTS_MAX 1024
#define SHOWN_MAX 200 /* octets of labels in a hint */

void p11_slot_text(const unsigned char *padded, size_t n, char *out)
{
    while (n && (padded[n - 1] == ' ' || !padded[n - 1]))
        n--;
    memcpy(out, padded, n);
    out[n] = 0;
}

static enum status slots(struct p11_module *m, CK_SLOT_ID **list, CK_ULONG *n, struct p11_fault *ft)
{
    CK_RV rv = m->f->C_GetSlotList(CK_TRUE, NULL, n);
    if (rv != CKR_OK)
        return p11_fault_rv(ft, m->path, "C_GetSlotList", rv);
    if (*n > SLOTS_MAX)
        return p11_fault(ft, ST_USAGE, 0, "%s: more than %d slots", m->path, SLOTS_MAX);
    *list = alloc_zero(*n, sizeof **list);
    rv = m->f->C_GetSlotList(CK_TRUE, *list, n);
    return rv == CKR_OK ? ST_OK : p11_fault_rv(ft, m->path, "C_GetSlotList", rv);
}

static int matches(struct p11_module *m, P11KitUri *kit, CK_SLOT_ID id, CK_TOKEN_INFO *token)
{
    CK_SLOT_INFO slot;
    CK_INFO module;
    CK_SLOT_ID want = p11_kit_uri_get_slot_id(kit);
    if (want != (CK_SLOT_ID)-1 && want != id)
        return 0;
    if (m->f->C_GetSlotInfo(id, &slot) != CKR_OK || m->f->C_GetInfo(&module) != CKR_OK)
        return 0;
    return p11_kit_uri_match_token_info(kit, token) && p11_kit_uri_match_slot_info(kit, &slot) &&
           p11_kit_uri_match_module_info(kit, &module);
}

/* "wanted" as the URI has it; what else is there goes into the hint. */
static enum status missing(struct p11_fault *ft, P11KitUri *kit, const struct buf *labels,
                           const char *path)
{
    char want[33];
    const CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(kit);
    p11_slot_text(info->label, sizeof info->label, want);
    if (!labels->n) {
        p11_fault(ft, ST_TEMP, 1, "no token is there, \"%s\" is wanted (module %s)", want, path);
        p11_fault_hint(ft, "plug the token in, or see that the module finds its configuration");
        return ft->st;
    }
    /* Tokens are there, only not this one: more likely a wrong name than a lost device. */
    p11_fault(ft, ST_USAGE, 1, "no token \"%s\" (module %s)", want, path);
    p11_fault_hint(ft, "tokens there: %s", (const char *)labels->d);
    return ft->st;
}

enum status p11_slot(struct p11_module *m, P11KitUri *kit, CK_SLOT_ID *slot, CK_TOKEN_INFO *info,
                     struct p11_fault *ft)
{
    CK_SLOT_ID *list = NULL;
    CK_ULONG n = 0;
    int found = 0;
    struct buf labels = {0};
    enum status st = slots(m, &list, &n, ft);
    for (CK_ULONG i = 0; st == ST_OK && i < n; i++) {
        CK_TOKEN_INFO token;
        char label[33];
        if (m->f->C_GetTokenInfo(list[i], &token) != CKR_OK ||
            !(token.flags & CKF_TOKEN_INITIALIZED))
            continue;
        p11_slot_text(token.label, sizeof token.label, label);
        if (labels.n < SHOWN_MAX)
            buf_printf(&labels, "%s\"%s\"", labels.n ? ", " : "", label);
        if (!matches(m, kit, list[i], &token))
            continue;
        *slot = list[i];
        *info = token;
        found++;
    }
    if (st == ST_OK && !found)
        st = missing(ft, kit, &labels, m->path);
    if (found > 1) {
        st = p11_fault(ft, ST_USAGE, 0, "%d tokens are called so: %s", found,
                       (const char *)labels.d);
        p11_fault_hint(ft, "name one with token= and serial=");
    }
    free(list);
    buf_free(&labels);
    return st;
}
