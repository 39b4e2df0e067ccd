/* The ready presets: certline-profiles(5) says why each is as it is. */
#include "profile_priv.h"

#define DAY 86400
#define LIST(...)                                                                                  \
    {                                                                                              \
        (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)      \
    }
#define NEVER "99991231235959Z"
#define SIGNING LIST("P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096")
#define EVERY LIST("P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096", "Ed25519")
#define CRITICAL LIST("basic-constraints", "key-usage")

/* A unit of the line (MESSAGE.md's roles): signs messages and nothing else. Not Ed25519, which CMS
 * of OpenSSL 3.0 cannot use. */
#define UNIT(unit, ...)                                                                            \
    {                                                                                              \
        unit,                                                                                      \
        {                                                                                          \
            .name = unit, .validity = "5y", .keys = SIGNING, .basic = BASIC_LEAF,                  \
            .path_length = -1, .key_usage = LIST("digitalSignature"), .eku = LIST(__VA_ARGS__),    \
            .ski = 1, .reissue = REISSUE_RENEWAL, .renew_before = 60 * DAY, .critical = CRITICAL   \
        }                                                                                          \
    }

const struct profile_preset profile_presets[] = {
    {"plain",
     {.keys = EVERY,
      .basic = BASIC_LEAF,
      .path_length = -1,
      .key_usage = LIST("digitalSignature"),
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .critical = CRITICAL}},
    {"root",
     {.name = "root",
      .validity = "20y",
      .keys = EVERY,
      .basic = BASIC_CA,
      .path_length = -1,
      .key_usage = LIST("keyCertSign", "cRLSign"),
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .critical = CRITICAL}},
    {"sub-ca",
     {.name = "sub-ca",
      .validity = "10y",
      .keys = EVERY,
      .basic = BASIC_CA,
      .path_length = 0,
      .key_usage = LIST("keyCertSign", "cRLSign"),
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .critical = CRITICAL}},
    UNIT("attach", "certline-attach"),
    UNIT("verify-unit", "cmcRA", "certline-verify-unit"),
    UNIT("ra-approve", "cmcRA", "certline-ra-approve"),
    UNIT("ca-sign", "cmcCA", "certline-ca-sign"),
    /* A person who approves: signs grants (certline-message(5)), and stands in no chain. */
    UNIT("approver", "certline-approver"),
    /* IEEE 802.1AR-2018, section 8: never ends, is bound to the hardware, says nothing of a use,
     * and verifies no certificate, so it has no key identifier of its own. */
    {"idevid",
     {.name = "idevid",
      .validity = NEVER,
      .keys = EVERY,
      .required = LIST("serialNumber"),
      .basic = BASIC_ABSENT,
      .path_length = -1,
      .key_usage = LIST("digitalSignature"),
      .hardware_type = PROFILE_HARDWARE,
      .san_required = 1,
      .ski = 0,
      .reissue = REISSUE_NEVER,
      .critical = CRITICAL}},
    {"tls-client",
     {.name = "tls-client",
      .validity = "825d",
      .keys = EVERY,
      .basic = BASIC_LEAF,
      .path_length = -1,
      .key_usage = LIST("digitalSignature"),
      .eku = LIST("clientAuth"),
      .san_allow = LIST("dns", "email", "uri"),
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .renew_before = 30 * DAY,
      .critical = CRITICAL}},
    {"tls-server",
     {.name = "tls-server",
      .validity = "397d",
      .keys = EVERY,
      .basic = BASIC_LEAF,
      .path_length = -1,
      .key_usage = LIST("digitalSignature", "keyEncipherment"),
      .eku = LIST("serverAuth"),
      .san_allow = LIST("dns", "ip"),
      .san_required = 1,
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .renew_before = 30 * DAY,
      .critical = CRITICAL}},
    /* RFC 5216, section 5.3 */
    {"eap-tls",
     {.name = "eap-tls",
      .validity = "825d",
      .keys = EVERY,
      .basic = BASIC_LEAF,
      .path_length = -1,
      .key_usage = LIST("digitalSignature"),
      .eku = LIST("clientAuth"),
      .san_allow = LIST("dns", "email"),
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .renew_before = 30 * DAY,
      .critical = CRITICAL}},
    /* RFC 4945, section 5.1.3 */
    {"ipsec",
     {.name = "ipsec",
      .validity = "825d",
      .keys = EVERY,
      .basic = BASIC_LEAF,
      .path_length = -1,
      .key_usage = LIST("digitalSignature"),
      .eku = LIST("ipsecIKE"),
      .san_allow = LIST("dns", "ip", "email", "dn"),
      .ski = 1,
      .reissue = REISSUE_RENEWAL,
      .renew_before = 30 * DAY,
      .critical = CRITICAL}},
    {NULL, {0}},
};
