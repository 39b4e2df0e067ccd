/* Requests (or public keys) of devices and the keys that they need: for one key, and for every row
 * of a device list. */
#ifndef ENROLL_H
#define ENROLL_H

#include "buf.h"
#include "csr.h"
#include "signer.h"
#include "x509.h"

/* What is said about a key, DER, borrowed. */
struct enroll_form {
    struct span subject, extensions; /* as for csr_make: either may be empty */
    int public_key; /* PUBLIC KEY below a line "subject=NAME" (none without a subject), no request
                     */
};

/* Appends the Extensions that a request asks for: a subjectAltName of these n names, as
 * x509_san_parse takes them; nothing for none. `out` is empty before. 0 with `why` set. */
int enroll_extensions(const char *const *names, size_t n, struct buf *out, char why[X509_WHY]);
/* Appends the PEM for the signer's key. ST_OK; ST_REFUSED after a warning that the key of a
 * request is weak (x509_key_weak); or what signer_sign gives, then `out` is as before. */
enum status enroll_put(const struct enroll_form *f, struct signer *s, struct buf *out);

/* Makes a key and its file, which is its owner's alone, is there whole or not at all, and never
 * replaces one (EEXIST). type: one that csr_key_known knows. 1 when the file is on the disk, or 0
 * with errno. */
int enroll_key_file(const char *path, const char *type);

struct enroll_options {
    const char *list;    /* device list (CSV); its column serial, or the first, names the device */
    const char *keys;    /* folder of key files, {device}.pem, made where missing; NULL: key */
    const char *key;     /* else pkcs11: URI with {column} in it: the keys are in a token */
    const char *type;    /* of the keys that are made, known to csr_key_known */
    const char *subject; /* with {column}; NULL: the serialNumber is the device */
    const char *const *names; /* of the subjectAltName, with {column} */
    size_t n_names;
    int public_key; /* as in enroll_form */
};

/* Prints the request of every row to stdout, behind the keys that it needs: those are on the disk
 * by then. A row that cannot be served is named in a warning with its line, and the others go on.
 * The worst of: ST_OK; ST_REFUSED, a device without its key; ST_INPUT, a row that is malformed or
 * a value that no name takes; and at once ST_USAGE, a column that is not there or no key for the
 * very first device; ST_TEMP, the token, a signal. A failing disk ends the process. */
enum status enroll_list(const struct enroll_options *o);

#endif
