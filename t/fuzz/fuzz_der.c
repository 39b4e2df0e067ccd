/* libFuzzer: any octets. What the walk takes is one element, whole, and nothing when an octet is
 * cut off; where OpenSSL reads it, it reads all of it; a lax path never makes the walk stricter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>

#include "der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const int path[] = {DER_ANY, 0};
    char why[DER_WHY];
    struct der_tlv t;
    const unsigned char *p = data;
    size_t left = n;
    int ok = der_check(data, n, NULL, 0, why);
    if (!ok != (why[0] != 0))
        abort();
    if (!ok)
        return 0;
    if (!der_next(&p, &left, &t) || left || t.n != n)
        abort();
    for (size_t i = 0; i < 3; i++)
        if (!der_check(data, n, path, i, why))
            abort();
    if (der_check(data, n - 1, NULL, 0, why))
        abort();
    p = data;
    ASN1_TYPE *a = d2i_ASN1_TYPE(NULL, &p, (long)n);
    if (a && p != data + n)
        abort();
    ASN1_TYPE_free(a);
    ERR_clear_error();
    return 0;
}
