#include "signer_priv.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "diag.h"
#include "io.h"

#define FILE_MAX 65536

struct asked {
    const char *path, *why;
};

static int passphrase(char *out, int max, int writing, void *arg)
{
    struct asked *a = arg;
    char question[200];
    (void)writing;
    snprintf(question, sizeof question, "passphrase of %s", a->path);
    size_t n = p11_prompt(question, out, (size_t)max, &a->why);
    return n ? (int)n : -1;
}

EVP_PKEY *signer_file_load(const char *path)
{
    struct buf b = {0};
    struct asked a = {path, NULL};
    EVP_PKEY *key = NULL;
    buf_room(&b, 2 * FILE_MAX); /* a key that moves as the buffer grows would leave copies */
    if (!io_read_file(path, FILE_MAX, &b)) {
        buf_wipe(&b);
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(b.d, (int)b.n);
    if (bio)
        key = PEM_read_bio_PrivateKey(bio, NULL, passphrase, &a);
    if (!key && a.why) {
        diag_warn("%s: passphrase: %s", path, a.why);
        ERR_clear_error();
    } else if (!key) {
        diag_warn("%s: no private key in PEM: %s", path, diag_openssl());
        if (memmem(b.d, b.n, "PUBLIC KEY", 10) || memmem(b.d, b.n, "CERTIFICATE", 11))
            diag_hint("this file holds something else: name the private key");
    }
    BIO_free(bio);
    buf_wipe(&b);
    return key;
}
