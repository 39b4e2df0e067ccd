#include "path_priv.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#define ARC "2.25.111044168894393523651617990952196807275."
#define ANY_USAGE "2.5.29.37.0"
#define CMC_CA "1.3.6.1.5.5.7.3.27" /* RFC 6402, section 2.10 */
#define CMC_RA "1.3.6.1.5.5.7.3.28"

struct usages {
    int roles, any, cmc_ca, cmc_ra;
    enum path_role role;
};

const char *path_role_name(enum path_role r)
{
    static const char *const names[] = {"attach", "verify-unit", "ra-approve", "ca-sign",
                                        "approver"};
    return names[r];
}

static void usage_add(struct usages *u, const ASN1_OBJECT *oid)
{
    char text[128];
    int n = OBJ_obj2txt(text, sizeof text, oid, 1);
    if (n <= 0 || (size_t)n >= sizeof text)
        return;
    u->any += !strcmp(text, ANY_USAGE);
    u->cmc_ca += !strcmp(text, CMC_CA);
    u->cmc_ra += !strcmp(text, CMC_RA);
    if (strncmp(text, ARC, sizeof ARC - 1))
        return;
    const char *last = text + sizeof ARC - 1;
    if (*last >= '1' && *last <= '5' && !last[1]) {
        u->roles++;
        u->role = (enum path_role)(*last - '1');
    }
}

static int usages_read(X509 *x, struct usages *u, const char *who, char why[PATH_WHY])
{
    int crit;
    EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, &crit, NULL);
    memset(u, 0, sizeof *u);
    if (!eku)
        return path_bad(why, who, "has %s extended key usage, so it is no unit's",
                        crit == -1 ? "no" : "a malformed or repeated");
    for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++)
        usage_add(u, sk_ASN1_OBJECT_value(eku, i));
    EXTENDED_KEY_USAGE_free(eku);
    return 1;
}

static int usages_ok(const struct usages *u, const char *who, char why[PATH_WHY])
{
    if (u->any)
        return path_bad(why, who, "has anyExtendedKeyUsage, a unit's must name its one role");
    if (!u->roles)
        return path_bad(why, who, "names no role of a unit in its extended key usage");
    if (u->roles > 1)
        return path_bad(why, who, "names more than one role of a unit");
    int ra = u->role == PATH_VERIFY_UNIT || u->role == PATH_RA_APPROVE,
        ca = u->role == PATH_CA_SIGN;
    const char *name = path_role_name(u->role);
    if (!u->cmc_ra != !ra)
        return path_bad(why, who, "is for %s and has %s id-kp-cmcRA", name, ra ? "no" : "also");
    if (!u->cmc_ca != !ca)
        return path_bad(why, who, "is for %s and has %s id-kp-cmcCA", name, ca ? "no" : "also");
    return 1;
}

static int key_usage_ok(X509 *x, enum path_role role, const char *who, char why[PATH_WHY])
{
    uint32_t usage = X509_get_key_usage(x); /* all ones when the extension is absent */
    if (usage == UINT32_MAX)
        return path_bad(why, who, "has no keyUsage");
    if (!(usage & KU_DIGITAL_SIGNATURE))
        return path_bad(why, who, "has a keyUsage without digitalSignature");
    if (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))
        return path_bad(why, who, "has the keyUsage of a CA");
    /* Its subject is the CA's own: it must be good for messages and nothing else. */
    if (role == PATH_CA_SIGN && usage != KU_DIGITAL_SIGNATURE)
        return path_bad(why, who, "is for ca-sign and has more keyUsage than digitalSignature");
    return 1;
}

int path_role_of(struct span cert, enum path_role *role)
{
    const unsigned char *p = cert.p;
    X509 *x = d2i_X509(NULL, &p, (long)cert.n);
    struct usages u = {0};
    char why[PATH_WHY];
    int ok = x && usages_read(x, &u, "unit", why) && u.roles == 1;
    X509_free(x);
    *role = u.role;
    return ok;
}

int path_role_rules(X509 *x, const char *who, enum path_role *role, char why[PATH_WHY])
{
    struct usages u;
    if (X509_get_extension_flags(x) & EXFLAG_CA)
        return path_bad(why, who, "is a CA's, not a unit's");
    if (!usages_read(x, &u, who, why) || !usages_ok(&u, who, why) ||
        !key_usage_ok(x, u.role, who, why))
        return 0;
    *role = u.role;
    return 1;
}
