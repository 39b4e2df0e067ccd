#include "p11key_priv.h"

#include <stdlib.h>

#include <openssl/objects.h>
#include <openssl/x509.h>

#include "alloc.h"
#include "diag.h"

#define KEYS_MAX 10000

struct list {
    const struct p11_uri *u;
    struct buf *out;
    size_t start; /* where our lines begin, for a second try */
};

static const char *curve_name(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    struct buf params = {0};
    const char *name = "EC";
    if (p11_value(f, s, o, CKA_EC_PARAMS, &params) == CKR_OK && params.n) {
        const unsigned char *p = params.d;
        ASN1_OBJECT *curve = d2i_ASN1_OBJECT(NULL, &p, (long)params.n);
        int nid = curve ? OBJ_obj2nid(curve) : NID_undef;
        if (nid == NID_X9_62_prime256v1)
            name = "P-256";
        else if (nid == NID_secp384r1)
            name = "P-384";
        else if (nid != NID_undef)
            name = OBJ_nid2sn(nid);
        ASN1_OBJECT_free(curve);
    }
    buf_free(&params);
    return name;
}

static void put_type(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, struct buf *out)
{
    CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
    CK_ATTRIBUTE a = {CKA_KEY_TYPE, &type, sizeof type};
    struct buf n = {0};
    f->C_GetAttributeValue(s, o, &a, 1);
    if (type == CKK_RSA && p11_value(f, s, o, CKA_MODULUS, &n) == CKR_OK)
        buf_printf(out, "RSA-%zu", n.n * 8);
    else if (type == CKK_EC)
        buf_str(out, curve_name(f, s, o));
    else if (type == CKK_EC_EDWARDS)
        buf_str(out, "Ed25519");
    else
        buf_printf(out, "CKK 0x%lx", type);
    buf_free(&n);
}

static void put_key(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, struct buf *out)
{
    CK_BBOOL extractable = CK_TRUE; /* what the token does not say is not taken for a promise */
    CK_ATTRIBUTE a = {CKA_EXTRACTABLE, &extractable, sizeof extractable};
    struct buf label = {0}, id = {0};
    char shown[200] = "";
    if (p11_value(f, s, o, CKA_LABEL, &label) == CKR_OK && label.n)
        diag_escape((const char *)label.d, shown, sizeof shown);
    buf_printf(out, "%s\t", shown);
    if (p11_value(f, s, o, CKA_ID, &id) == CKR_OK)
        buf_hex(out, id.d, id.n);
    buf_char(out, '\t');
    put_type(f, s, o, out);
    f->C_GetAttributeValue(s, o, &a, 1);
    buf_str(out, extractable ? "\textractable\n" : "\tnot-extractable\n");
    buf_free(&label);
    buf_free(&id);
}

static CK_RV list(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct list *l = arg;
    CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
    const CK_ATTRIBUTE *label = p11_uri_attribute(l->u, CKA_LABEL);
    const CK_ATTRIBUTE *id = p11_uri_attribute(l->u, CKA_ID);
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE t[4] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_TOKEN, &yes, sizeof yes}};
    CK_OBJECT_HANDLE *o = alloc_zero(KEYS_MAX, sizeof *o);
    CK_ULONG n = 0, k = 2;
    if (label)
        t[k++] = *label;
    if (id)
        t[k++] = *id;
    l->out->n = l->start;
    CK_RV rv = p11_find(f, s, t, k, o, KEYS_MAX, &n);
    for (CK_ULONG i = 0; i < n && rv == CKR_OK; i++)
        put_key(f, s, o[i], l->out);
    free(o);
    return rv;
}

enum status p11key_list(const char *uri, const char *base, struct buf *out)
{
    struct p11_uri *u = NULL;
    struct p11_token *t = NULL;
    enum status st = p11_uri_parse(uri, base, &u);
    struct list l = {u, out, out->n};
    if (st == ST_OK)
        st = p11_open(u, 0, &t);
    if (st == ST_OK)
        st = p11_complain(t, "listing the keys", p11_run(t, list, &l));
    p11_close(t);
    p11_uri_free(u);
    return st;
}
