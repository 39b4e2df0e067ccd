#include "p11key_priv.h"

#include <openssl/rand.h>
#include <openssl/x509.h>

#include "diag.h"

#define ID_OCTETS 16

static const CK_BYTE oid_p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const CK_BYTE oid_p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
/* PKCS#11 3.0, 2.3.10: curveName "edwards25519" as PrintableString; SoftHSM and others want RFC
 * 8410's OID. */
static const CK_BYTE oid_ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
static const CK_BYTE f4[] = {1, 0, 1};

static const struct kind {
    const char *name;
    CK_MECHANISM_TYPE make;
    const CK_BYTE *params;
    CK_ULONG params_n;
    CK_ULONG bits; /* of RSA */
} kinds[] = {
    [P11KEY_P256] = {"P-256", CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof oid_p256, 0},
    [P11KEY_P384] = {"P-384", CKM_EC_KEY_PAIR_GEN, oid_p384, sizeof oid_p384, 0},
    [P11KEY_RSA2048] = {"RSA-2048", CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0, 2048},
    [P11KEY_RSA3072] = {"RSA-3072", CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0, 3072},
    [P11KEY_RSA4096] = {"RSA-4096", CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0, 4096},
    [P11KEY_ED25519] = {"Ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, oid_ed25519, sizeof oid_ed25519, 0},
};

struct birth {
    const struct kind *kind;
    CK_ATTRIBUTE name[2]; /* label, id */
    const char *taken;    /* which of them is */
    CK_OBJECT_HANDLE pub, priv;
    const char *wrong; /* what the token made of it */
    EVP_PKEY *key;
};

static CK_RV look_for(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct birth *b = arg;
    CK_OBJECT_HANDLE o;
    CK_ULONG n = 0;
    CK_RV rv = CKR_OK;
    for (int i = 0; i < 2 && rv == CKR_OK && !b->taken; i++) {
        if (!b->name[i].ulValueLen)
            continue;
        rv = p11_find(f, s, &b->name[i], 1, &o, 1, &n);
        if (n)
            b->taken = i ? "id" : "label";
    }
    return rv;
}

static int refuses_template(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV make(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct birth *b = arg;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG bits = b->kind->bits;
    CK_MECHANISM m = {b->kind->make, NULL, 0};
    /* What modules may not know stands last, and is left out when they refuse: check() has the last
     * word. */
    CK_ATTRIBUTE pub[] = {b->name[0],
                          b->name[1],
                          {CKA_TOKEN, &yes, sizeof yes},
                          {CKA_VERIFY, &yes, sizeof yes},
                          {CKA_EC_PARAMS, (void *)b->kind->params, b->kind->params_n},
                          {CKA_PUBLIC_EXPONENT, (void *)f4, sizeof f4},
                          {CKA_PRIVATE, &no, sizeof no},
                          {CKA_ENCRYPT, &no, sizeof no},
                          {CKA_WRAP, &no, sizeof no},
                          {CKA_VERIFY_RECOVER, &no, sizeof no}};
    CK_ATTRIBUTE priv[] = {b->name[0],
                           b->name[1],
                           {CKA_TOKEN, &yes, sizeof yes},
                           {CKA_PRIVATE, &yes, sizeof yes},
                           {CKA_SENSITIVE, &yes, sizeof yes},
                           {CKA_EXTRACTABLE, &no, sizeof no},
                           {CKA_SIGN, &yes, sizeof yes},
                           {CKA_DECRYPT, &no, sizeof no},
                           {CKA_UNWRAP, &no, sizeof no},
                           {CKA_DERIVE, &no, sizeof no},
                           {CKA_SIGN_RECOVER, &no, sizeof no}};
    CK_ULONG pub_n = sizeof pub / sizeof *pub, priv_n = sizeof priv / sizeof *priv;
    if (bits)
        pub[4] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof bits};
    else
        pub[5] = pub[--pub_n]; /* no exponent */
    CK_RV rv = f->C_GenerateKeyPair(s, &m, pub, pub_n, priv, priv_n, &b->pub, &b->priv);
    if (refuses_template(rv))
        rv = f->C_GenerateKeyPair(s, &m, pub, bits ? 6 : 5, priv, 7, &b->pub, &b->priv);
    return rv;
}

/* Whether the key is what was asked for: the token may take a template and do otherwise. */
static CK_RV check(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        CK_BBOOL want;
        const char *wrong;
    } must[] = {{CKA_SENSITIVE, CK_TRUE, "is not CKA_SENSITIVE"},
                {CKA_EXTRACTABLE, CK_FALSE, "is CKA_EXTRACTABLE"},
                {CKA_LOCAL, CK_TRUE, "is not CKA_LOCAL"},
                {CKA_PRIVATE, CK_TRUE, "is not CKA_PRIVATE"},
                {CKA_TOKEN, CK_TRUE, "is not kept in the token"},
                {CKA_DECRYPT, CK_FALSE, "may decrypt"},
                {CKA_UNWRAP, CK_FALSE, "may unwrap keys"}};
    struct birth *b = arg;
    CK_RV rv = p11key_read_public(f, s, b->pub, &b->key);
    for (size_t i = 0; i < sizeof must / sizeof *must && rv == CKR_OK && !b->wrong; i++) {
        CK_BBOOL v = !must[i].want;
        CK_ATTRIBUTE a = {must[i].type, &v, sizeof v};
        if (f->C_GetAttributeValue(s, b->priv, &a, 1) != CKR_OK || v != must[i].want)
            b->wrong = must[i].wrong;
    }
    if (rv == CKR_OK && !b->key && !b->wrong)
        b->wrong = "has a public key that cannot be read";
    if (rv != CKR_OK || b->wrong) {
        f->C_DestroyObject(s, b->priv);
        f->C_DestroyObject(s, b->pub);
    }
    return rv;
}

/* The label and id of the key to be. */
static int named(const struct p11_uri *u, struct birth *b, unsigned char id[ID_OCTETS])
{
    const CK_ATTRIBUTE *label = p11_uri_attribute(u, CKA_LABEL);
    const CK_ATTRIBUTE *given = p11_uri_attribute(u, CKA_ID);
    b->name[0] = (CK_ATTRIBUTE){CKA_LABEL, NULL, 0};
    b->name[1] = (CK_ATTRIBUTE){CKA_ID, id, ID_OCTETS};
    if (label && label->ulValueLen)
        b->name[0] = *label;
    else {
        diag_warn("%s: the key to be made has no name", p11_uri_name(u));
        diag_hint("add ;object=NAME to the URI");
        return 0;
    }
    if (given && given->ulValueLen)
        b->name[1] = *given;
    else if (RAND_bytes(id, ID_OCTETS) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    return 1;
}

static enum status born(struct p11_token *t, const struct p11_uri *u, struct birth *b)
{
    enum status st = p11_complain(t, "search", p11_run(t, look_for, b));
    if (st != ST_OK)
        return st;
    if (b->taken) {
        diag_warn("%s: an object of this %s is in token \"%s\" already", p11_uri_name(u), b->taken,
                  p11_label(t));
        diag_hint("hsm-keygen --list shows what is there; nothing is ever overwritten");
        return ST_USAGE;
    }
    if (!p11_has_mechanism(t, b->kind->make)) {
        diag_warn("token \"%s\" cannot make %s keys", p11_label(t), b->kind->name);
        diag_hint("choose another --type; P-256 is what most tokens can");
        return ST_USAGE;
    }
    st = p11_complain(t, "C_GenerateKeyPair", p11_run_once(t, make, b));
    if (st == ST_OK)
        st = p11_complain(t, "reading the new key", p11_run_once(t, check, b));
    if (st == ST_OK && b->wrong) {
        diag_warn("token \"%s\": the new key %s, it was deleted again", p11_label(t), b->wrong);
        st = ST_USAGE;
    }
    return st;
}

enum status p11key_generate(const char *uri, const char *base, enum p11key_type type,
                            struct buf *spki)
{
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    struct birth b = {.kind = &kinds[type]};
    unsigned char id[ID_OCTETS], *der = NULL;
    enum status st = p11_uri_parse(uri, base, &u);
    if (st == ST_OK && !named(u, &b, id))
        st = ST_USAGE;
    if (st == ST_OK)
        st = p11_open(u, P11_WRITE, &t);
    if (st == ST_OK)
        st = born(t, u, &b);
    if (st == ST_OK) {
        int n = i2d_PUBKEY(b.key, &der);
        if (n <= 0)
            diag_exit(ST_TEMP, "public key: %s", diag_openssl());
        buf_put(spki, der, (size_t)n);
        OPENSSL_free(der);
    }
    EVP_PKEY_free(b.key);
    p11_close(t);
    p11_uri_free(u);
    return st;
}
