/* bench-store STORE N PURPOSES: a device store of N self-signed certificates over one key, every
 * second one expired; PURPOSES links to others, named p1 and so on, whose certificates end in a
 * week. For scripts/bench. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define DAY 86400L

static EVP_PKEY *key;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(4);
}

static FILE *file(const char *folder, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    must(f != NULL, path);
    return f;
}

static void put_cert(const char *folder, long i, long from, long until)
{
    X509 *c = X509_new();
    X509_NAME *name = X509_NAME_new();
    char id[32];
    snprintf(id, sizeof id, "device-%ld", i);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)id, -1, -1, 0) &&
             X509_set_version(c, X509_VERSION_3) && X509_set_subject_name(c, name) &&
             X509_set_issuer_name(c, name) && ASN1_INTEGER_set(X509_get_serialNumber(c), i + 1) &&
             X509_gmtime_adj(X509_getm_notBefore(c), from) &&
             X509_gmtime_adj(X509_getm_notAfter(c), until) && X509_set_pubkey(c, key) &&
             X509_sign(c, key, EVP_sha256()),
         "certificate");
    FILE *f = file(folder, "cert.pem");
    must(PEM_write_X509(f, c) && fclose(f) == 0, "cert.pem");
    X509_NAME_free(name);
    X509_free(c);
}

static void put(long i, long purposes)
{
    char folder[40], link[40], to[60];
    snprintf(folder, sizeof folder, "cert/c%07ld", i);
    must(mkdir(folder, 0755) == 0, folder);
    if (i < purposes)
        put_cert(folder, i, -30 * DAY, 7 * DAY);
    else
        put_cert(folder, i, -60 * DAY, i % 2 ? -DAY : 300 * DAY);
    FILE *f = file(folder, "key.pem");
    must(fchmod(fileno(f), 0600) == 0 &&
             PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && fclose(f) == 0,
         "key.pem");
    f = file(folder, "meta.yaml");
    must(fprintf(f, "origin: issued\npurposes: [p1]\n") > 0 && fclose(f) == 0, "meta.yaml");
    if (i >= purposes)
        return;
    snprintf(link, sizeof link, "purpose/p%ld", i + 1);
    snprintf(to, sizeof to, "../%s", folder);
    must(symlink(to, link) == 0, link);
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"cert", "purpose", "pending", "state"};
    if (argc != 4)
        return 2;
    must(mkdir(argv[1], 0755) == 0 && chdir(argv[1]) == 0, argv[1]);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        must(mkdir(folders[i], 0755) == 0, folders[i]);
    key = EVP_EC_gen("P-256");
    must(key != NULL, "key");
    for (long i = 0; i < atol(argv[2]); i++)
        put(i, atol(argv[3]));
    return 0;
}
