#include "p11_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "alloc.h"
#include "diag.h"

#define LISTED_MAX 64 /* keys looked at for a hint */
#define SHOWN_MAX 300 /* octets of a hint */

struct p11_object {
    struct p11_token *t;
    struct buf label, id;
    CK_KEY_TYPE type;
    int ask_always;                    /* CKA_ALWAYS_AUTHENTICATE */
    CK_OBJECT_HANDLE original, handle; /* the second may be a session copy */
    unsigned epoch;                    /* the token's, when the handle was found */
};

static unsigned long operations;

/* A session copy of the key, which SoftHSM signs with without reading the object's file each time;
 * only if it is guarded as the original is. Many modules refuse: then the original it is. */
static CK_OBJECT_HANDLE copy(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE in_session = {CKA_TOKEN, &no, sizeof no};
    CK_OBJECT_HANDLE c;
    if (f->C_CopyObject(s, o, &in_session, 1, &c) != CKR_OK)
        return o;
    if (p11_flag(f, s, c, CKA_SENSITIVE) && !p11_flag(f, s, c, CKA_EXTRACTABLE) &&
        !p11_flag(f, s, c, CKA_TOKEN))
        return c;
    f->C_DestroyObject(s, c);
    return o;
}

/* Private keys of the token, by what is known of CKA_LABEL and CKA_ID; session copies are not among
 * them. */
static CK_ULONG template(CK_ATTRIBUTE t[4], const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
    static CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
    static CK_BBOOL yes = CK_TRUE;
    CK_ULONG n = 0;
    t[n++] = (CK_ATTRIBUTE){CKA_CLASS, &cls, sizeof cls};
    t[n++] = (CK_ATTRIBUTE){CKA_TOKEN, &yes, sizeof yes};
    if (label)
        t[n++] = *label;
    if (id)
        t[n++] = *id;
    return n;
}

/* The handle for the present session: found again when that is a new one. */
static CK_RV handle(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, struct p11_object *o)
{
    CK_ATTRIBUTE t[4], label = {CKA_LABEL, o->label.d, o->label.n}, id = {CKA_ID, o->id.d, o->id.n};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n;
    if (o->epoch == o->t->epoch)
        return CKR_OK;
    CK_ULONG k = template(t, o->label.n ? &label : NULL, o->id.n ? &id : NULL);
    CK_RV rv = p11_find(f, s, t, k, found, 2, &n);
    if (rv != CKR_OK)
        return rv;
    if (n != 1) {
        diag_warn("token \"%s\": the key \"%s\" is %s", o->t->label, p11_object_label(o),
                  n ? "no longer the only one of its name" : "not there any more");
        return P11_TOLD;
    }
    o->ask_always = p11_flag(f, s, found[0], CKA_ALWAYS_AUTHENTICATE);
    o->original = found[0];
    o->handle = o->ask_always ? found[0] : copy(f, s, found[0]);
    o->epoch = o->t->epoch;
    return CKR_OK;
}

struct search {
    const struct p11_uri *u;
    struct p11_object *o;
    CK_ULONG found;
    struct buf labels; /* of all private keys, for the hint */
};

static void list_labels(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, struct buf *out)
{
    CK_ATTRIBUTE t[4];
    CK_OBJECT_HANDLE all[LISTED_MAX];
    CK_ULONG n;
    if (p11_find(f, s, t, template(t, NULL, NULL), all, LISTED_MAX, &n) != CKR_OK)
        return;
    for (CK_ULONG i = 0; i < n && out->n < SHOWN_MAX; i++) {
        struct buf label = {0};
        if (p11_value(f, s, all[i], CKA_LABEL, &label) == CKR_OK && label.n)
            buf_printf(out, "%s\"%s\"", out->n ? ", " : "", (char *)label.d);
        buf_free(&label);
    }
}

static CK_RV search(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct search *q = arg;
    struct p11_object *o = q->o;
    CK_ATTRIBUTE t[4], type = {CKA_KEY_TYPE, &o->type, sizeof o->type};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = template(t, p11_uri_attribute(q->u, CKA_LABEL), p11_uri_attribute(q->u, CKA_ID));
    buf_reset(&o->label);
    buf_reset(&o->id);
    buf_reset(&q->labels);
    CK_RV rv = p11_find(f, s, t, n, found, 2, &q->found);
    if (rv == CKR_OK && q->found != 1)
        list_labels(f, s, &q->labels);
    if (rv != CKR_OK || q->found != 1)
        return rv;
    p11_value(f, s, found[0], CKA_LABEL, &o->label); /* either may be missing, not both */
    p11_value(f, s, found[0], CKA_ID, &o->id);
    rv = f->C_GetAttributeValue(s, found[0], &type, 1);
    return rv == CKR_OK ? handle(f, s, o) : rv;
}

enum status p11_object_open(struct p11_token *t, const struct p11_uri *u, struct p11_object **out)
{
    const CK_ATTRIBUTE *cls = p11_uri_attribute(u, CKA_CLASS);
    struct search q = {.u = u, .o = alloc_zero(1, sizeof *q.o)};
    enum status st;
    *out = NULL;
    q.o->t = t;
    t->refs++;
    if (cls && *(CK_OBJECT_CLASS *)cls->pValue != CKO_PRIVATE_KEY) {
        st = ST_USAGE;
        diag_warn("%s: type= names no private key", p11_uri_name(u));
        diag_hint("leave type= out");
        goto out;
    }
    st = p11_complain(t, "search for the key", p11_run(t, search, &q));
    if (st == ST_OK && q.found != 1) {
        st = ST_USAGE;
        diag_warn("%s: %s", p11_uri_name(u),
                  q.found ? "several private keys are called so"
                          : "no such private key in the token");
        diag_hint("private keys in token \"%s\": %s", t->label,
                  q.labels.n ? (char *)q.labels.d : "none");
    }
out:
    if (st == ST_OK)
        *out = q.o;
    else
        p11_object_free(q.o);
    buf_free(&q.labels);
    return st;
}

void p11_object_free(struct p11_object *o)
{
    if (!o)
        return;
    p11_close(o->t);
    buf_free(&o->label);
    buf_free(&o->id);
    free(o);
}

struct p11_token *p11_object_token(const struct p11_object *o)
{
    return o->t;
}

CK_KEY_TYPE p11_object_type(const struct p11_object *o)
{
    return o->type;
}

const char *p11_object_label(const struct p11_object *o)
{
    return o->label.n ? (const char *)o->label.d : "";
}

const struct buf *p11_object_id(const struct p11_object *o)
{
    return &o->id;
}

/* One private key operation, or the reading of an attribute. */
struct call {
    struct p11_object *o;
    CK_MECHANISM *m;
    const void *in;
    size_t in_n;
    unsigned char *out;
    size_t room, n;
    CK_ATTRIBUTE_TYPE type;
    struct buf *value;
};

static CK_RV get_value(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct call *c = arg;
    CK_RV rv = handle(f, s, c->o);
    return rv == CKR_OK ? p11_value(f, s, c->o->original, c->type, c->value) : rv;
}

int p11_object_value(struct p11_object *o, CK_ATTRIBUTE_TYPE type, struct buf *out)
{
    struct call c = {.o = o, .type = type, .value = out};
    return p11_run(o->t, get_value, &c) == CKR_OK;
}

static CK_RV sign(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct call *c = arg;
    CK_RV rv = handle(f, s, c->o);
    if (rv == CKR_OK)
        rv = f->C_SignInit(s, c->m, c->o->handle);
    if (rv == CKR_OK && c->o->ask_always)
        rv = p11_login_again(c->o->t);
    CK_ULONG n = c->room;
    if (rv == CKR_OK)
        rv = f->C_Sign(s, (CK_BYTE *)c->in, c->in_n, c->out, &n);
    c->n = n;
    return rv;
}

static CK_RV decrypt(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct call *c = arg;
    CK_RV rv = handle(f, s, c->o);
    if (rv == CKR_OK)
        rv = f->C_DecryptInit(s, c->m, c->o->handle);
    if (rv == CKR_OK && c->o->ask_always)
        rv = p11_login_again(c->o->t);
    CK_ULONG n = c->room;
    if (rv == CKR_OK)
        rv = f->C_Decrypt(s, (CK_BYTE *)c->in, c->in_n, c->out, &n);
    c->n = n;
    return rv;
}

static CK_RV operate(p11_op op, struct call *c, size_t *n)
{
    c->room = *n;
    CK_RV rv = p11_run(c->o->t, op, c);
    if (rv == CKR_OK) {
        *n = c->n;
        operations++;
    }
    return rv;
}

CK_RV p11_object_sign(struct p11_object *o, CK_MECHANISM *m, const void *in, size_t in_n,
                      unsigned char *out, size_t *n)
{
    struct call c = {.o = o, .m = m, .in = in, .in_n = in_n, .out = out};
    return operate(sign, &c, n);
}

CK_RV p11_object_decrypt(struct p11_object *o, CK_MECHANISM *m, const void *in, size_t in_n,
                         unsigned char *out, size_t *n)
{
    struct call c = {.o = o, .m = m, .in = in, .in_n = in_n, .out = out};
    return operate(decrypt, &c, n);
}

static CK_RV derive(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, void *arg)
{
    struct call *c = arg;
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG len = c->room;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls},       {CKA_KEY_TYPE, &type, sizeof type},
                        {CKA_TOKEN, &no, sizeof no},         {CKA_SENSITIVE, &no, sizeof no},
                        {CKA_EXTRACTABLE, &yes, sizeof yes}, {CKA_VALUE_LEN, &len, sizeof len}};
    CK_OBJECT_HANDLE secret;
    CK_RV rv = handle(f, s, c->o);
    if (rv == CKR_OK)
        rv = f->C_DeriveKey(s, c->m, c->o->handle, t, sizeof t / sizeof *t, &secret);
    if (rv != CKR_OK)
        return rv;
    CK_ATTRIBUTE value = {CKA_VALUE, c->out, c->room};
    rv = f->C_GetAttributeValue(s, secret, &value, 1);
    f->C_DestroyObject(s, secret);
    if (rv == CKR_OK && value.ulValueLen < c->room) { /* some tokens drop leading zeros */
        memmove(c->out + c->room - value.ulValueLen, c->out, value.ulValueLen);
        memset(c->out, 0, c->room - value.ulValueLen);
    }
    c->n = c->room;
    return rv;
}

CK_RV p11_object_ecdh(struct p11_object *o, const unsigned char *point, size_t point_n,
                      unsigned char *out, size_t n)
{
    unsigned char wrapped[160] = {4, (unsigned char)point_n};
    CK_ECDH1_DERIVE_PARAMS p = {CKD_NULL, 0, NULL, point_n, (CK_BYTE *)point};
    CK_MECHANISM m = {CKM_ECDH1_DERIVE, &p, sizeof p};
    struct call c = {.o = o, .m = &m, .out = out};
    if (point_n > 127 || !n)
        return CKR_DATA_LEN_RANGE;
    CK_RV rv = operate(derive, &c, &n);
    /* PKCS#11 left it open for years whether the point is bare or in an OCTET STRING. */
    if (rv == CKR_MECHANISM_PARAM_INVALID) {
        memcpy(wrapped + 2, point, point_n);
        p.pPublicData = wrapped;
        p.ulPublicDataLen = point_n + 2;
        rv = operate(derive, &c, &n);
    }
    return rv;
}

unsigned long p11_operations(void)
{
    return operations;
}
