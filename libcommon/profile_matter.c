/* Device attestation certificates of Matter (Matter Core Specification, section 6.2.2): what a
 * profile that says `matter:` must be, and how VID and PID match up the chain. */
#include "profile_priv.h"

#include <stdio.h>
#include <string.h>

#define WHY(...) (snprintf(why, X509_WHY, __VA_ARGS__), 0)
#define REFUSE(f, ...) (out->fail = (f), snprintf(out->why, sizeof out->why, __VA_ARGS__), 0)
#define ID_DIGITS 4
#define DIGITS "0123456789ABCDEF"
#define CERT_MOST 600       /* octets of DER, section 6.1.3 */
#define ALGORITHM_OCTETS 12 /* ecdsa-with-SHA256 */
#define SIGNATURE_MOST 72   /* octets of an Ecdsa-Sig-Value of P-256 */

static const char *const names[] = {"", "PAA", "PAI", "DAC"};
static const char *const issuers[] = {"", "PAA", "PAA", "PAI"};

int profile_matter_compile(const struct profile *p, const char **field, char why[X509_WHY])
{
    int m = p->t.matter, dac = m == MATTER_DAC;
    unsigned usage = dac ? KU_DIGITAL_SIGNATURE : KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    unsigned may = dac ? usage : usage | KU_DIGITAL_SIGNATURE;
    if (!m)
        return 1;
    *field = "keys";
    if (p->t.keys.n != 1 || strcmp(p->t.keys.v[0], "P-256"))
        return WHY("Matter knows P-256 keys only");
    *field = "basic-constraints";
    if (p->t.basic != (dac ? BASIC_LEAF : BASIC_CA))
        return WHY("a %s is %s", names[m], dac ? "no CA, and says so" : "a CA");
    *field = "path-length";
    if (p->t.path_length != (dac               ? -1
                             : m == MATTER_PAI ? 0
                                               : 1) &&
        !(m == MATTER_PAA && p->t.path_length == -1))
        return WHY("a PAA has the path length 1 or none, a PAI has 0");
    *field = "key-usage";
    if ((p->usage & usage) != usage || p->usage & ~may)
        return WHY("a %s has the key usage %s", names[m],
                   dac ? "digitalSignature and no other"
                       : "keyCertSign, cRLSign and, at most, digitalSignature");
    *field = "critical";
    if (~p->critical & (CRIT_BASIC | CRIT_USAGE))
        return WHY("basic-constraints and key-usage of a %s are critical", names[m]);
    *field = "subject-key-identifier";
    if (!p->t.ski)
        return WHY("a %s has a subject key identifier", names[m]);
    *field = p->raw.n ? "extensions" : "certificate-policies";
    if (p->raw.n || p->t.policies.n)
        return WHY("Matter does not list these extensions for a %s", names[m]);
    return 1;
}

/* VID and PID of a name; "" where there is none. */
struct ids {
    char vid[ID_DIGITS + 1], pid[ID_DIGITS + 1];
};

static int upper_hex(const char *s)
{
    size_t n = strspn(s, DIGITS);
    return n == ID_DIGITS && !strspn(s + n, "abcdef");
}

/* The attribute of its own. */
static int read_attribute(struct span name, const char *type, char id[ID_DIGITS + 1])
{
    struct buf v = {0};
    int r = x509_name_get(name, type, &v);
    int ok = !r || (r == 1 && v.n == ID_DIGITS && upper_hex((char *)v.d));
    if (ok && r)
        memcpy(id, v.d, ID_DIGITS + 1);
    buf_free(&v);
    return ok;
}

/* "Mvid:FFF1" within the CN, for CAs that cannot write attributes of their own: the leftmost mark
 * with four digits counts (6.2.2.2). NULL: there is none. */
static const char *find_mark(const char *cn, const char *mark)
{
    const char *at = cn;
    while ((at = strstr(at, mark))) {
        at += strlen(mark);
        if (strspn(at, DIGITS) >= ID_DIGITS)
            return at;
    }
    return NULL;
}

/* Whether people read in it what programs do: one mark at most, with four digits and no more. */
static int is_plain(const char *cn, const char *mark)
{
    const char *at = strstr(cn, mark);
    if (!at)
        return 1;
    at += strlen(mark);
    return upper_hex(at) && !strstr(at, mark);
}

static void read_marks(const char *cn, struct ids *ids)
{
    const char *vid = find_mark(cn, "Mvid:"), *pid = find_mark(cn, "Mpid:");
    if (vid)
        memcpy(ids->vid, vid, ID_DIGITS);
    if (pid)
        memcpy(ids->pid, pid, ID_DIGITS);
}

/* What is issued here must not only be right, it must have one reading. */
static int is_clear(const char *cn, const struct ids *ids, char why[X509_WHY])
{
    if (!is_plain(cn, "Mvid:") || !is_plain(cn, "Mpid:"))
        return WHY("the subject's CN has an Mvid: or Mpid: twice, or without four hexadecimal "
                   "digits in upper case");
    if ((ids->vid[0] || ids->pid[0]) && (strstr(cn, "Mvid:") || strstr(cn, "Mpid:")))
        return WHY("the subject has VID or PID both as attributes and in its CN");
    return 1;
}

/* As section 6.2.2.2 reads a name: by the attributes, by the marks only where there is neither. */
static int read_ids(struct span name, int is_new, struct ids *ids, char why[X509_WHY])
{
    const char *whose = is_new ? "subject" : "issuer";
    struct buf cn = {0};
    memset(ids, 0, sizeof *ids);
    int ok = read_attribute(name, "VID", ids->vid) && read_attribute(name, "PID", ids->pid);
    int r = x509_name_get(name, "CN", &cn);
    const char *text = r == 1 ? (char *)cn.d : "";
    if (!ok)
        ok = WHY("the %s's VID or PID is there twice, or not four hexadecimal digits in upper case",
                 whose);
    else if (r < 0)
        ok = WHY("the %s's CN is malformed, or there more than once", whose);
    else if (is_new && !is_clear(text, ids, why))
        ok = 0;
    else if (!ids->vid[0] && !ids->pid[0])
        read_marks(text, ids);
    buf_free(&cn);
    return ok;
}

static int check_issuer(int m, const struct x509_cert *issuer, struct profile_result *out)
{
    struct x509_key_info key;
    int is_root = buf_same(issuer->issuer, issuer->subject);
    int length = profile_path_length(issuer);
    if (m == MATTER_PAA)
        return REFUSE(FAIL_INTERNAL_CA, "a PAA signs itself, and has no issuer");
    if (!x509_key_info(issuer->spki, &key) || strcmp(key.name, "P-256"))
        return REFUSE(FAIL_INTERNAL_CA, "the issuer's key is %s: Matter knows P-256 only",
                      key.name);
    if (is_root != (m == MATTER_PAI))
        return REFUSE(FAIL_INTERNAL_CA, "a %s is issued by a %s, and this issuer %s", names[m],
                      issuers[m], is_root ? "signed itself" : "did not sign itself");
    if (m == MATTER_DAC ? length != 0 : length != 1 && length != PROFILE_NO_LIMIT)
        return REFUSE(FAIL_INTERNAL_CA, "the issuer is no %s: its path length is not %s",
                      issuers[m], m == MATTER_DAC ? "0" : "1 or absent");
    return 1;
}

static int check_chain(int m, const struct ids *mine, const struct ids *its,
                       struct profile_result *out)
{
    if (m == MATTER_DAC && !its->vid[0])
        return REFUSE(FAIL_INTERNAL_CA, "the issuer is no PAI: its subject has no VID");
    if (m == MATTER_PAI && its->pid[0])
        return REFUSE(FAIL_INTERNAL_CA, "the issuer is no PAA: its subject has a PID");
    if (its->vid[0] && strcmp(mine->vid, its->vid))
        return REFUSE(FAIL_BAD_IDENTITY, "the %s's VID is %s, its %s's is %s", names[m], mine->vid,
                      issuers[m], its->vid);
    if (its->pid[0] && strcmp(mine->pid, its->pid))
        return REFUSE(FAIL_BAD_IDENTITY, "the %s's PID is %s, its %s's is %s", names[m], mine->pid,
                      issuers[m], its->pid);
    return 1;
}

int profile_matter_check(const struct profile *p, const struct x509_cert *issuer,
                         struct profile_result *out)
{
    struct ids mine, its;
    int m = p->t.matter;
    if (!m)
        return 1;
    out->fail = FAIL_BAD_IDENTITY;
    if (!read_ids(buf_span(&out->subject), 1, &mine, out->why))
        return 0;
    if (m != MATTER_PAA && !mine.vid[0])
        return REFUSE(FAIL_BAD_IDENTITY, "the subject has no VID, which a %s needs", names[m]);
    if (m == MATTER_DAC && !mine.pid[0])
        return REFUSE(FAIL_BAD_IDENTITY, "the subject has no PID, which a DAC needs");
    if (m == MATTER_PAA && mine.pid[0])
        return REFUSE(FAIL_BAD_IDENTITY, "the subject has a PID, which a PAA must not have");
    if (!issuer)
        return m == MATTER_PAA || REFUSE(FAIL_INTERNAL_CA, "a %s is issued by a %s, not by itself",
                                         names[m], issuers[m]);
    if (!check_issuer(m, issuer, out))
        return 0;
    out->fail = FAIL_INTERNAL_CA;
    return read_ids(issuer->subject, 0, &its, out->why) && check_chain(m, &mine, &its, out);
}

int profile_matter_fits(const struct profile *p, const struct x509_tbs *tbs,
                        struct profile_result *out)
{
    static const unsigned char any[SIGNATURE_MOST]; /* what is not known yet, but how long it is */
    struct span alg = {any, ALGORITHM_OCTETS}, signature = {any, SIGNATURE_MOST};
    struct x509_tbs whole = *tbs;
    struct buf der = {0};
    if (!p->t.matter)
        return 1;
    whole.serial = (struct span){any, X509_SERIAL};
    x509_put_tbs(&whole, alg, &der);
    x509_seal(&der, 0, alg, signature);
    size_t n = der.n;
    buf_free(&der);
    return n <= CERT_MOST || REFUSE(FAIL_BAD_REQUEST,
                                    "the certificate would have %zu octets, and Matter allows %d: "
                                    "fewer or shorter names and extensions make it fit",
                                    n, CERT_MOST);
}
