/* A profile as it is written, and what is made of it once. Included by profile*.c only. */
#ifndef PROFILE_PRIV_H
#define PROFILE_PRIV_H

#include "config.h"
#include "profile.h"

enum profile_basic { BASIC_ABSENT, BASIC_LEAF, BASIC_CA };
enum profile_matter { MATTER_NO, MATTER_PAA, MATTER_PAI, MATTER_DAC };

/* The file's words; borrowed from the file or static. */
struct profile_text {
    const char *name, *validity, *subject, *device, *hardware_type;
    struct cfg_strings keys, key_usage, eku, required, policies, crls, ocsp, ca_issuers, critical;
    struct cfg_strings san_allow, san_one, san_template;
    const struct cfg_node *san, *aia, *extensions;
    int preset, reissue, basic, ski, aki, matter, san_required, wildcards;
    int64_t path_length; /* -1: no limit */
    int64_t renew_before, backdate;
};

/* keyUsage bits, RFC 5280, 4.2.1.3 */
enum {
    KU_DIGITAL_SIGNATURE = 1 << 0,
    KU_NON_REPUDIATION = 1 << 1,
    KU_KEY_ENCIPHERMENT = 1 << 2,
    KU_DATA_ENCIPHERMENT = 1 << 3,
    KU_KEY_AGREEMENT = 1 << 4,
    KU_KEY_CERT_SIGN = 1 << 5,
    KU_CRL_SIGN = 1 << 6,
    KU_ENCIPHER_ONLY = 1 << 7,
    KU_DECIPHER_ONLY = 1 << 8
};

/* Extensions that `critical:` can name. */
enum {
    CRIT_BASIC = 1,
    CRIT_USAGE = 2,
    CRIT_EKU = 4,
    CRIT_SAN = 8,
    CRIT_POLICIES = 16,
    CRIT_CRLS = 32
};

#define PROFILE_DEVICE_MAX 128 /* octets of a device's id */
/* The arc of certline's own OIDs; .1 to .4 are the units' roles. */
#define PROFILE_ARC "2.25.111044168894393523651617990952196807275"
/* hwType of hardware whose maker has not said any: hardware-type: says better */
#define PROFILE_HARDWARE PROFILE_ARC ".40"

#define PROFILE_KINDS 3 /* X509_KEY_EC, X509_KEY_RSA, X509_KEY_ED25519 */
#define PROFILE_TEMPLATES 16

struct profile_blocked;

struct profile {
    struct profile_text t;
    const struct profile_blocked *blocked; /* NULL: no list */
    int64_t validity;                      /* seconds, or the moment when `until` */
    int until;
    unsigned usage, critical;
    int san_allow, san_one;
    int device_san; /* kind of SAN that names the device; 0: an attribute */
    int on_line;
    char *san_template[PROFILE_TEMPLATES];
    size_t san_templates;
    /* extensions that are the same in every certificate: before those that are not (by the key's
     * kind), and behind them */
    struct buf head[PROFILE_KINDS], tail;
    struct buf raw; /* those of `extensions:` */
};

struct profile_preset {
    const char *name;
    struct profile_text text;
};
/* Ends with name == NULL; the first has no preset's name, "plain": what stands where nothing is
 * said. */
extern const struct profile_preset profile_presets[];

/* Lists of keys that nobody may have: one SHA-256 of a SubjectPublicKeyInfo a line, in hexadecimal.
 * NULL after a warning that names file and line. */
struct profile_blocked *profile_blocked_load(const struct cfg_strings *files);
void profile_blocked_free(struct profile_blocked *b);
/* The name of the file that has the key; NULL: none. `b` may be NULL. */
const char *profile_blocked_by(const struct profile_blocked *b, struct span spki);

/* Makes everything else of p->t. 0 with the field's name and `why` set. */
int profile_compile(struct profile *p, const char **field, char why[X509_WHY]);
int profile_compile_names(struct profile *p, const char **field, char why[X509_WHY]);

/* What stands in for {attribute} and {device} in a template. */
struct profile_words {
    struct span subject;
    const char *device;
};
/* Appends the expansion; `quote` as csv_expand's. 0 with `why` set. */
int profile_expand(const char *text, const struct profile_words *w,
                   void (*quote)(struct buf *out, const char *value), struct buf *out,
                   char why[X509_WHY]);

/* One extension: the value begins at what profile_ext_begin returned, and ends at the end of `out`.
 */
struct profile_ext {
    size_t start, value;
};
#define PROFILE_EXT_AIA (-1) /* 1.3.6.1.5.5.7.1.1; all others are the last arc behind 2.5.29 */
struct profile_ext profile_ext_begin(struct buf *out, int arc, int critical);
void profile_ext_end(struct buf *out, struct profile_ext e);

/* Makes out->extensions; out->subject stands. */
int profile_put_extensions(const struct profile *p, const struct profile_asked *asked,
                           const struct x509_cert *issuer, const struct profile_words *words,
                           struct profile_result *out);
/* Whether keys of a profile make (or leave out) extensions of this OID (content octets). */
int profile_ext_made(struct span oid);
/* The extensions of `list` (the value of `extensions:`, NULL if there is none), appended. 0 after a
 * warning that names the place. */
int profile_raw(struct cfg *cfg, const struct cfg_node *list, struct buf *out);
/* What `matter:` asks of the profile itself; and of a subject (out->subject) and its issuer (NULL:
 * self-signed). 0 with field and `why`, or fail and why, set. */
int profile_matter_compile(const struct profile *p, const char **field, char why[X509_WHY]);
int profile_matter_check(const struct profile *p, const struct x509_cert *issuer,
                         struct profile_result *out);
/* Whether the certificate to be is short enough, as far as `matter:` asks for it. */
int profile_matter_fits(const struct profile *p, const struct x509_tbs *tbs,
                        struct profile_result *out);
/* The pathLenConstraint of a CA's certificate. */
int profile_path_length(const struct x509_cert *ca);
enum { PROFILE_NO_LIMIT = -1, PROFILE_NO_CA = -2 };
/* Whether the profile has a word on extensions of this OID. */
int profile_gives(const struct profile *p, struct span oid);
/* The name of an extension for people, appended. */
void profile_ext_name(struct span oid, struct buf *out);
/* "; " between differences, then the text. */
void profile_differ(struct profile_result *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The subject that counts: what a modCertTemplate set, else what was asked. */
struct span profile_subject(const struct profile_asked *a);

/* Bits of a keyUsage value. 0: malformed, or none. */
unsigned profile_usage_bits(struct span value);
/* Whether keyUsage and one extended key usage agree (RFC 5280, 4.2.1.12). */
int profile_usage_fits(unsigned usage, struct span eku);
/* Whether a line must never give it: a role, cmcRA, cmcCA, any, OCSP signing. `eku`: content
 * octets. */
int profile_eku_is_power(struct span eku);

#endif
