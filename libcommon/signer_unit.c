#include "signer_priv.h"

#include "diag.h"

/* A unit's key was born in its token and has never been able to leave it. PKCS#11 3.0, 4.9. */
static const struct rule {
    CK_ATTRIBUTE_TYPE type;
    CK_BBOOL want;
    const char *wrong, *hint;
} rules[] = {
    {CKA_EXTRACTABLE, CK_FALSE, "can be taken out of the token (CKA_EXTRACTABLE)",
     "make a new one with hsm-keygen, whose keys cannot leave the token"},
    {CKA_SENSITIVE, CK_TRUE, "can be read in plain (not CKA_SENSITIVE)",
     "make a new one with hsm-keygen, whose keys are sensitive"},
    {CKA_LOCAL, CK_TRUE, "was not born in the token (not CKA_LOCAL)",
     "an imported key has been elsewhere: make a new one with hsm-keygen"},
    {CKA_NEVER_EXTRACTABLE, CK_TRUE,
     "could be taken out of the token once (not CKA_NEVER_EXTRACTABLE)",
     "a copy of it may exist: make a new one with hsm-keygen"},
    {CKA_ALWAYS_SENSITIVE, CK_TRUE, "could be read in plain once (not CKA_ALWAYS_SENSITIVE)",
     "a copy of it may exist: make a new one with hsm-keygen"},
};

enum status signer_unit_check(struct p11_object *key, const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct buf v = {0};
        /* What the token does not say is not taken for a promise. */
        int ok = p11_object_value(key, rules[i].type, &v) && v.n == 1 && !v.d[0] == !rules[i].want;
        buf_free(&v);
        if (ok)
            continue;
        diag_warn("%s: a unit cannot use this key: it %s", name, rules[i].wrong);
        diag_hint("%s", rules[i].hint);
        return ST_USAGE;
    }
    return ST_OK;
}
