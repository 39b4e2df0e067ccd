#include "p11_priv.h"

#define VALUE_MAX 65536

CK_RV p11_find(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_ATTRIBUTE *tmpl, CK_ULONG n,
               CK_OBJECT_HANDLE *out, CK_ULONG max, CK_ULONG *found)
{
    *found = 0;
    CK_RV rv = f->C_FindObjectsInit(s, tmpl, n);
    if (rv != CKR_OK)
        return rv;
    while (rv == CKR_OK && *found < max) {
        CK_ULONG k = 0;
        rv = f->C_FindObjects(s, out + *found, max - *found, &k);
        if (!k)
            break;
        *found += k;
    }
    CK_RV end = f->C_FindObjectsFinal(s);
    return rv == CKR_OK ? end : rv;
}

CK_RV p11_value(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o,
                CK_ATTRIBUTE_TYPE type, struct buf *out)
{
    CK_ATTRIBUTE a = {type, NULL, 0};
    CK_RV rv = f->C_GetAttributeValue(s, o, &a, 1);
    if (rv != CKR_OK)
        return rv;
    if (a.ulValueLen == CK_UNAVAILABLE_INFORMATION || a.ulValueLen > VALUE_MAX)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    a.pValue = buf_room(out, a.ulValueLen);
    rv = f->C_GetAttributeValue(s, o, &a, 1);
    if (rv == CKR_OK && a.ulValueLen != CK_UNAVAILABLE_INFORMATION)
        out->n += a.ulValueLen;
    out->d[out->n] = 0;
    return rv;
}

int p11_flag(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL v = CK_FALSE;
    CK_ATTRIBUTE a = {type, &v, sizeof v};
    return f->C_GetAttributeValue(s, o, &a, 1) == CKR_OK && v;
}
