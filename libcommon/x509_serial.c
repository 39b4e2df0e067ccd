/* Serial numbers, RFC 5280, section 4.1.2.2. */
#include "x509_priv.h"

#include <ctype.h>
#include <string.h>

#include <openssl/rand.h>

#include "clock.h"
#include "diag.h"

void x509_serial(unsigned char out[X509_SERIAL])
{
    struct timespec ts = clock_precise();
    uint64_t t = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    t &= INT64_MAX; /* positive */
    if (t < (uint64_t)1 << 56)
        t |= (uint64_t)1 << 56; /* and 18 octets long, always */
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(t >> (56 - 8 * i));
    if (RAND_bytes(out + 8, X509_SERIAL - 8) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
}

static struct span shortest(struct span s)
{
    while (s.n > 1 && !*s.p) {
        s.p++;
        s.n--;
    }
    return s;
}

void x509_serial_text(struct span serial, struct buf *out)
{
    serial = shortest(serial);
    buf_hex(out, serial.p, serial.n);
}

size_t x509_serial_read(const char *text, unsigned char out[X509_SERIAL_MAX])
{
    unsigned char octets[64] = {0}; /* from the right, room for zeros in front */
    size_t digits = 0, at = 2 * sizeof octets;
    for (size_t i = strlen(text); i-- > 0;) {
        int c = tolower((unsigned char)text[i]);
        if (c == ':')
            continue;
        if (!isxdigit(c) || !at--)
            return 0;
        octets[at / 2] |= (unsigned char)((c <= '9' ? c - '0' : c - 'a' + 10) << (at % 2 ? 0 : 4));
        digits++;
    }
    struct span s = shortest((struct span){octets, sizeof octets});
    if (*s.p & 0x80 && s.n < sizeof octets) { /* the octet of its sign, X.690, section 8.3 */
        s.p--;
        s.n++;
    }
    if (!digits || s.n > X509_SERIAL_MAX)
        return 0;
    memcpy(out, s.p, s.n);
    return s.n;
}
