/* A PKCS#11 module for t/hsm.bats that hands every call to another one, and misbehaves as it is
 * told:
 *
 *   P11_SHIM_MODULE   the module behind it
 *   P11_SHIM_LOG      a file that gets a line for each C_Initialize, C_Finalize, C_Login and fault
 *   P11_SHIM_FAULT    FUNCTION:N:RV[:TIMES],...: the Nth call of it (from 1) and TIMES-1 more give
 * RV (in hex) instead; C_Initialize, C_OpenSession, C_Login, C_SignInit, C_Sign, C_CopyObject,
 *                     C_CreateObject, C_DestroyObject, C_GetTokenInfo
 *   P11_SHIM_LOSE     N: the Nth C_Sign finds all sessions closed, as after a replug
 *   P11_SHIM_FLAGS    token flags to add, in hex
 *   P11_SHIM_LACKS    a mechanism, in hex, that the token does not have
 *   P11_SHIM_ASK      each signature wants a C_Login of its own (CKA_ALWAYS_AUTHENTICATE) */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST *real, shim;
static int asked; /* a context-specific login came behind C_SignInit */

static void note(const char *what)
{
    const char *path = getenv("P11_SHIM_LOG");
    FILE *f = path ? fopen(path, "ae") : NULL;
    if (!f)
        return;
    fprintf(f, "%s\n", what);
    fclose(f);
}

/* Whether this call, the *count-th of `name`, is to fail, and how. */
static CK_RV fault(const char *name, int *count)
{
    const char *p = getenv("P11_SHIM_FAULT");
    size_t n = strlen(name);
    ++*count;
    while (p && *p) {
        int first = 0, times = 1;
        unsigned long rv = 0;
        if (strncmp(p, name, n) == 0 && p[n] == ':' &&
            sscanf(p + n, ":%d:%lx:%d", &first, &rv, &times) >= 2 && *count >= first &&
            *count < first + times) {
            char line[80];
            snprintf(line, sizeof line, "fault %s 0x%lx", name, rv);
            note(line);
            return rv;
        }
        p += strcspn(p, ",");
        p += *p == ',';
    }
    return CKR_OK;
}

#define FAULT(name)                                                                                \
    do {                                                                                           \
        static int count;                                                                          \
        CK_RV wrong = fault(name, &count);                                                         \
        if (wrong)                                                                                 \
            return wrong;                                                                          \
    } while (0)

static CK_RV initialize(void *args)
{
    note("C_Initialize");
    FAULT("C_Initialize");
    return real->C_Initialize(args);
}

static CK_RV finalize(void *reserved)
{
    note("C_Finalize");
    return real->C_Finalize(reserved);
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    const char *flags = getenv("P11_SHIM_FLAGS");
    FAULT("C_GetTokenInfo");
    CK_RV rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK && flags)
        info->flags |= strtoul(flags, NULL, 16);
    return rv;
}

static CK_RV mechanism(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    const char *lacks = getenv("P11_SHIM_LACKS");
    if (lacks && strtoul(lacks, NULL, 16) == type)
        return CKR_MECHANISM_INVALID;
    return real->C_GetMechanismInfo(slot, type, info);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *s)
{
    note("C_OpenSession");
    FAULT("C_OpenSession");
    return real->C_OpenSession(slot, flags, app, notify, s);
}

static CK_RV login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG n)
{
    note(user == CKU_CONTEXT_SPECIFIC ? "C_Login again" : "C_Login");
    FAULT("C_Login");
    if (user == CKU_CONTEXT_SPECIFIC) {
        asked = n == 4 && !memcmp(pin, "1234", 4);
        return asked ? CKR_OK : CKR_PIN_INCORRECT;
    }
    return real->C_Login(s, user, pin, n);
}

static CK_RV attributes(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n)
{
    CK_RV rv = real->C_GetAttributeValue(s, o, t, n);
    for (CK_ULONG i = 0; i < n && getenv("P11_SHIM_ASK"); i++)
        if (t[i].type == CKA_ALWAYS_AUTHENTICATE && t[i].pValue && t[i].ulValueLen == 1)
            *(CK_BBOOL *)t[i].pValue = CK_TRUE;
    return rv;
}

static CK_RV sign_init(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    asked = 0;
    FAULT("C_SignInit");
    return real->C_SignInit(s, m, key);
}

static CK_RV sign(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *sig, CK_ULONG *sig_n)
{
    static int calls;
    const char *lose = getenv("P11_SHIM_LOSE");
    CK_SESSION_INFO info;
    FAULT("C_Sign");
    if (getenv("P11_SHIM_ASK") && !asked)
        return CKR_USER_NOT_LOGGED_IN;
    if (lose && ++calls == atoi(lose) && real->C_GetSessionInfo(s, &info) == CKR_OK)
        real->C_CloseAllSessions(info.slotID);
    return real->C_Sign(s, in, n, sig, sig_n);
}

static CK_RV copy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n,
                  CK_OBJECT_HANDLE *out)
{
    FAULT("C_CopyObject");
    note("C_CopyObject");
    return real->C_CopyObject(s, o, t, n, out);
}

static CK_RV create(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    note("C_CreateObject");
    FAULT("C_CreateObject");
    return real->C_CreateObject(s, t, n, out);
}

static CK_RV destroy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    note("C_DestroyObject");
    FAULT("C_DestroyObject");
    return real->C_DestroyObject(s, o);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    const char *path = getenv("P11_SHIM_MODULE");
    void *dl = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_C_GetFunctionList get = NULL;
    if (dl)
        *(void **)(&get) = dlsym(dl, "C_GetFunctionList");
    if (!get || get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    shim = *real;
    shim.C_Initialize = initialize;
    shim.C_Finalize = finalize;
    shim.C_GetTokenInfo = token_info;
    shim.C_GetMechanismInfo = mechanism;
    shim.C_OpenSession = open_session;
    shim.C_Login = login;
    shim.C_GetAttributeValue = attributes;
    shim.C_SignInit = sign_init;
    shim.C_Sign = sign;
    shim.C_CopyObject = copy;
    shim.C_CreateObject = create;
    shim.C_DestroyObject = destroy;
    *list = &shim;
    return CKR_OK;
}
