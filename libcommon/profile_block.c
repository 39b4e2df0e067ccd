/* Keys that nobody may have: known private keys, keys of a stolen batch. */
#include "profile_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "alloc.h"
#include "diag.h"

#define KEYS_MAX 20000000
#define LINE_MAX_OCTETS 512

struct key {
    unsigned char hash[X509_HASH]; /* or X509_VULNKEY octets, and zeros */
    unsigned file;
};

struct profile_blocked {
    struct key *v;
    size_t n, cap;
    uint32_t *slots; /* number of a key + 1; 0: free. 2^bits of them, at most half of them taken */
    int bits, vulnkeys;              /* vulnkeys: there are such */
    uint64_t factors[X509_HASH / 8]; /* random: a list cannot be made so that it is slow */
    struct cfg_strings files;        /* the strings are the configuration's, which outlives it */
};

/* Value + 1 of a hexadecimal digit. */
static const unsigned char digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Octets of the hash; 0: nothing but space and comment; -1: malformed. */
static int parse(const char *s, unsigned char hash[X509_HASH])
{
    int octets = 0;
    s += strspn(s, " \t");
    if (!*s || *s == '#' || *s == '\r')
        return 0;
    for (; octets < X509_HASH; octets++, s += 2) {
        int high = digits[(unsigned char)s[0]], low = high ? digits[(unsigned char)s[1]] : 0;
        if (!low)
            break;
        hash[octets] = (unsigned char)((high - 1) << 4 | (low - 1));
    }
    memset(hash + octets, 0, (size_t)(X509_HASH - octets));
    size_t n = strspn(s, " \t\r");
    int ends = !s[n] || (n && s[n] == '#');
    return ends && (octets == X509_HASH || octets == X509_VULNKEY) ? octets : -1;
}

static void add(struct profile_blocked *b, const struct key *k)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 1024;
        b->v = alloc_grow(b->v, b->cap, sizeof *b->v);
    }
    b->v[b->n++] = *k;
}

static int read_lines(struct profile_blocked *b, FILE *f, const char *path, unsigned file)
{
    char line[LINE_MAX_OCTETS];
    struct key k = {.file = file};
    off_t read = 0;
    for (unsigned long no = 1; fgets(line, sizeof line, f); no++) {
        size_t n = strlen(line);
        read += (off_t)n;
        if (n && line[n - 1] == '\n')
            line[n - 1] = 0;
        else if (!feof(f) || ftello(f) != read)
            return diag_warn("%s:%lu: a line with a NUL, or longer than %d octets", path, no,
                             LINE_MAX_OCTETS - 2);
        int r = parse(line, k.hash);
        if (r < 0)
            return diag_warn("%s:%lu: neither the 64 hexadecimal digits of a public key's SHA-256 "
                             "nor 20 as openssl-vulnkey(1) has them",
                             path, no);
        if (r && b->n == KEYS_MAX)
            return diag_warn("%s:%lu: more than %d blocked keys", path, no, KEYS_MAX);
        if (r)
            add(b, &k);
        b->vulnkeys |= r == X509_VULNKEY;
    }
    return ferror(f) ? diag_warn("%s: %s", path, strerror(errno)) : 1;
}

/* The slot that has the key, or the free one where it would go. */
static uint32_t *slot_of(const struct profile_blocked *b, const unsigned char hash[X509_HASH])
{
    uint64_t word, sum = 0;
    size_t mask = ((size_t)1 << b->bits) - 1;
    for (size_t i = 0; i < X509_HASH / 8; i++) {
        memcpy(&word, hash + 8 * i, 8);
        sum += word * b->factors[i];
    }
    size_t at = (size_t)(sum >> (64 - b->bits));
    while (b->slots[at] && memcmp(b->v[b->slots[at] - 1].hash, hash, X509_HASH))
        at = (at + 1) & mask;
    return &b->slots[at];
}

static void make_slots(struct profile_blocked *b)
{
    if (RAND_bytes((unsigned char *)b->factors, sizeof b->factors) != 1)
        diag_exit(ST_TEMP, "random numbers: %s", diag_openssl());
    for (b->bits = 4; (size_t)1 << b->bits < 2 * b->n;)
        b->bits++;
    b->slots = alloc_zero((size_t)1 << b->bits, sizeof *b->slots);
    for (size_t i = 0; i < b->n; i++) {
        uint32_t *slot = slot_of(b, b->v[i].hash);
        if (!*slot)
            *slot = (uint32_t)i + 1;
    }
}

struct profile_blocked *profile_blocked_load(const struct cfg_strings *files)
{
    struct profile_blocked *b = alloc_zero(1, sizeof *b);
    int ok = 1;
    b->files = *files;
    for (size_t i = 0; ok && i < files->n; i++) {
        FILE *f = fopen(files->v[i], "re");
        ok = f ? read_lines(b, f, files->v[i], (unsigned)i)
               : diag_warn("%s: %s", files->v[i], strerror(errno));
        if (f)
            fclose(f);
    }
    if (!ok) {
        profile_blocked_free(b);
        return NULL;
    }
    make_slots(b);
    return b;
}

void profile_blocked_free(struct profile_blocked *b)
{
    if (!b)
        return;
    free(b->v);
    free(b->slots);
    free(b);
}

const char *profile_blocked_by(const struct profile_blocked *b, struct span spki)
{
    unsigned char hash[X509_HASH], vulnkey[X509_HASH] = {0};
    if (!b)
        return NULL;
    x509_key_hash(spki, hash);
    uint32_t at = *slot_of(b, hash);
    if (!at && b->vulnkeys && x509_key_vulnkey(spki, vulnkey))
        at = *slot_of(b, vulnkey);
    if (!at)
        return NULL;
    const char *path = b->files.v[b->v[at - 1].file], *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
