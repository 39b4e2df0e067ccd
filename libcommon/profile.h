/* Profiles: what the CA issues (certline-profiles(5)). What the profile says wins; what a request
 * asks is only asked, and each difference is reported. */
#ifndef PROFILE_H
#define PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "x509.h"

struct profiles; /* those of a file, and the presets that it does not replace */
struct profile;

/* RFC 5272 section 6.1.4, CMCFailInfo, as far as judges use it. */
enum profile_fail {
    FAIL_BAD_ALG = 0,
    FAIL_BAD_REQUEST = 2,
    FAIL_UNSUPPORTED_EXT = 5,
    FAIL_BAD_IDENTITY = 7,
    FAIL_POP_REQUIRED = 8,
    FAIL_POP_FAILED = 9,
    FAIL_NO_KEY_REUSE = 10,
    FAIL_INTERNAL_CA = 11
};

enum profile_reissue { REISSUE_NEVER, REISSUE_RENEWAL, REISSUE_ALWAYS };

/* path NULL: only the presets, each as a profile of its own name; they are there beside a file's,
 * too. NULL after a warning. */
struct profiles *profiles_load(const char *path);
void profiles_free(struct profiles *ps);
/* NULL if there is none of that name. */
const struct profile *profiles_find(const struct profiles *ps, const char *name);

const char *profile_name(const struct profile *p);
/* Whether a line may ask for it: never a CA, never a unit (they need `ca-sign --direct`). */
int profile_on_line(const struct profile *p);
int profile_is_ca(const struct profile *p);
enum profile_reissue profile_reissue(const struct profile *p);
int64_t profile_renew_before(const struct profile *p); /* seconds */

/* The device's id, by the profile's `device:` rule, from a subject (DER) and requested extensions
 * (may be empty), appended to `id` as text: 1 to 128 octets of UTF-8 without control characters. 0
 * with `why` set. */
int profile_device(const struct profile *p, struct span subject, struct span extensions,
                   struct buf *id, char why[X509_WHY]);

struct profile_asked {
    struct span subject, spki, extensions; /* of the request; extensions may be empty */
    struct span set_subject,
        set_san;        /* what a modCertTemplate says (Name, GeneralNames); empty if nothing: it
                           replaces what was asked, and the profile's word still stands above it */
    const char *device; /* NULL: as profile_device finds it in the subject and the extensions */
};

struct profile_result {
    struct buf subject, extensions; /* DER, owned: profile_result_free */
    int64_t not_before, not_after;
    struct buf differences; /* "subject CN was \"a\", the list says \"b\"; ..." or empty */
    enum profile_fail fail; /* when profile_apply gave 0 */
    char why[X509_WHY];
};

/* Decides what the certificate will be: key type, subject, extensions, validity; then checks the
 * whole against RFC 5280 and the profile. issuer: the CA's certificate; NULL for a self-signed one.
 * May be called again with the same `out` (buffers are reused). 1, or 0 with fail and why set. */
int profile_apply(const struct profile *p, const struct profile_asked *asked,
                  const struct x509_cert *issuer, int64_t now, struct profile_result *out);
void profile_result_free(struct profile_result *r);
/* Only the part of the judgement that needs no issuer: key type and strength, requested extensions
 * well formed, subject not empty unless the profile makes it. For verify-unit and ra-approve. 1, or
 * 0 with fail and why. */
int profile_judge(const struct profile *p, const struct profile_asked *asked,
                  enum profile_fail *fail, char why[X509_WHY]);

/* What people are told of what was asked (Name; GeneralNames) and is not given, because `who` ("the list") says
 * otherwise: subject CN was "test", the list says "4711". Appended, with "; " between. What is given beyond what
 * was asked is no difference, nor is another encoding. */
void profile_explain_subject(struct span asked, struct span said, const char *who, struct buf *out);
void profile_explain_san(struct span asked, struct span said, const char *who, struct buf *out);

/* Whether RFC 5280 allows the certificate to be. A serial of no octets is not looked at (not chosen
 * yet). 0 with `why` set. profile_apply has done it, but for the serial. */
int profile_lint(const struct x509_tbs *tbs, char why[X509_WHY]);

#endif
