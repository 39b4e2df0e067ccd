/* The ceilings that scripts/bench compares with: raw C_SignInit+C_Sign of a P-256 key in a token,
 * and P-256 verify and sign of libcrypto. Prints three numbers: microseconds each. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

#define SECONDS 1.0

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench-raw: %s failed\n", what);
    exit(4);
}

static CK_SLOT_ID slot_of(CK_FUNCTION_LIST *f, const char *label)
{
    CK_SLOT_ID slots[64];
    CK_ULONG n = 64;
    must(f->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK, "C_GetSlotList");
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO t;
        if (f->C_GetTokenInfo(slots[i], &t) == CKR_OK && !memcmp(t.label, label, strlen(label)) &&
            (t.label[strlen(label)] == ' '))
            return slots[i];
    }
    must(0, "token");
    return 0;
}

static CK_OBJECT_HANDLE key_of(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const char *label)
{
    CK_OBJECT_CLASS c = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &c, sizeof c}, {CKA_LABEL, (void *)label, strlen(label)}};
    CK_OBJECT_HANDLE o;
    CK_ULONG n = 0;
    must(f->C_FindObjectsInit(s, t, 2) == CKR_OK && f->C_FindObjects(s, &o, 1, &n) == CKR_OK &&
             n == 1,
         "key");
    f->C_FindObjectsFinal(s);
    return o;
}

/* On the token object and on a session copy of it, as the signer uses where the token allows: the
 * faster counts. */
static double raw_sign(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    unsigned char hash[32] = {7}, sig[64];
    double start = now();
    long n = 0;
    while (now() - start < SECONDS)
        for (int i = 0; i < 50; i++, n++) {
            CK_ULONG len = sizeof sig;
            must(f->C_SignInit(s, &m, key) == CKR_OK && f->C_Sign(s, hash, 32, sig, &len) == CKR_OK,
                 "C_Sign");
        }
    return (now() - start) / (double)n * 1e6;
}

static void token(const char *module, const char *label, const char *pin, const char *object)
{
    void *d = dlopen(module, RTLD_NOW);
    must(d != NULL, "dlopen");
    CK_C_GetFunctionList get;
    *(void **)&get = dlsym(d, "C_GetFunctionList");
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE s;
    must(get && get(&f) == CKR_OK && f->C_Initialize(NULL) == CKR_OK, "C_Initialize");
    must(f->C_OpenSession(slot_of(f, label), CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_OK,
         "C_OpenSession");
    must(f->C_Login(s, CKU_USER, (CK_BYTE *)(size_t)pin, strlen(pin)) == CKR_OK, "C_Login");
    CK_OBJECT_HANDLE key = key_of(f, s, object), copy;
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE session = {CKA_TOKEN, &no, 1};
    double plain = raw_sign(f, s, key), best = plain;
    if (f->C_CopyObject(s, key, &session, 1, &copy) == CKR_OK)
        best = raw_sign(f, s, copy);
    printf("%.2f ", best < plain ? best : plain);
    f->C_Finalize(NULL);
}

static void software(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY_CTX *s = EVP_PKEY_CTX_new(key, NULL), *v = EVP_PKEY_CTX_new(key, NULL);
    unsigned char hash[32] = {7}, sig[80];
    size_t len = sizeof sig;
    long n = 0;
    must(EVP_PKEY_sign_init(s) == 1 && EVP_PKEY_verify_init(v) == 1, "init");
    must(EVP_PKEY_sign(s, sig, &len, hash, 32) == 1, "sign");
    double start = now();
    for (; now() - start < SECONDS; n++)
        must(EVP_PKEY_verify(v, sig, len, hash, 32) == 1, "verify");
    double verify = (now() - start) / (double)n * 1e6;
    start = now();
    for (n = 0; now() - start < SECONDS; n++) {
        len = sizeof sig;
        must(EVP_PKEY_sign(s, sig, &len, hash, 32) == 1, "sign");
    }
    printf("%.2f %.2f ", verify, (now() - start) / (double)n * 1e6);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench-raw MODULE TOKEN PIN OBJECT\n");
        return 2;
    }
    software();
    token(argv[1], argv[2], argv[3], argv[4]);
    printf("\n");
    return 0;
}
