/* What a person decided: the Grant of certline-message(5). */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "audit_priv.h"
#include "der.h"

enum { INTEGER = 0x02, OCTET_STRING = 0x04, UTF8_STRING = 0x0c, SEQUENCE = 0x30 };

static int take_text(struct span *in, char **out)
{
    struct span s;
    if (!x509_take(in, UTF8_STRING, NULL, &s) || !x509_text_ok(s.p, s.n))
        return 0;
    *out = alloc_copy(s.p, s.n);
    return 1;
}

static int take_number(struct span *in, int64_t *out)
{
    struct span s;
    *out = 0;
    if (!x509_take(in, INTEGER, NULL, &s) || s.n > 4 || (s.p[0] & 0x80))
        return 0;
    for (size_t i = 0; i < s.n; i++)
        *out = *out << 8 | s.p[i];
    return 1;
}

static int take_tid(struct span *in, unsigned char out[CMC_TID])
{
    struct span s;
    if (!x509_take(in, INTEGER, NULL, &s) || (s.p[0] & 0x80))
        return 0;
    if (s.n > 1 && !s.p[0]) {
        s.p++;
        s.n--;
    }
    if (s.n > CMC_TID)
        return 0;
    memset(out, 0, CMC_TID);
    memcpy(out + CMC_TID - s.n, s.p, s.n);
    return 1;
}

static int take(struct span der, struct audit_grant *g)
{
    char why[DER_WHY];
    struct span in = der, seq, digest;
    int64_t version;
    if (!der_check(der.p, der.n, NULL, 0, why) || !x509_take(&in, SEQUENCE, NULL, &seq) || in.n ||
        !take_number(&seq, &version) || version != 1 || !take_text(&seq, &g->unit) ||
        !take_text(&seq, &g->attach) || !take_tid(&seq, g->tid) ||
        !x509_take(&seq, OCTET_STRING, NULL, &digest) || digest.n != CMS_DIGEST ||
        !take_text(&seq, &g->lot) || !take_number(&seq, &g->requests) ||
        !take_number(&seq, &g->decision))
        return 0;
    memcpy(g->message, digest.p, CMS_DIGEST);
    return !seq.n || (take_text(&seq, &g->why) && !seq.n);
}

int audit_grant_open(struct path *p, struct span der, int64_t now, struct audit_grant *g,
                     char why[CMS_WHY])
{
    memset(g, 0, sizeof *g);
    g->cms = cms_parse(der, why);
    if (!g->cms)
        return 0;
    if (cms_peek_type(g->cms) != CMS_GRANT)
        return audit_bad(why, "not a grant");
    if (!cms_verify(g->cms, p, PATH_APPROVER, now, &g->layer, why))
        return 0;
    return take(g->layer.content, g) || audit_bad(why, "a malformed Grant");
}

void audit_grant_free(struct audit_grant *g)
{
    cms_free(g->cms);
    free(g->unit);
    free(g->attach);
    free(g->lot);
    free(g->why);
}
