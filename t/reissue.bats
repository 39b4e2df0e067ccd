# Who gets a certificate again, and who a new key: revoked certificates, the profiles' reissue rule, what a person allowed.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    BUILD=${BUILD:-build}
    make -s BUILD="$BUILD" all || return
    BUILD=$(realpath "$BUILD")
    export BUILD PATH=$BUILD/bin:$PATH
    . t/lib.bash
    lab_make "$BATS_FILE_TMPDIR/lab" || return
    cat >"$LAB/etc/rules.yaml" <<'END'
profiles:
  - {name: once, preset: tls-client, reissue: never}
  - {name: anew, preset: tls-client, reissue: always}
  - {name: short, preset: tls-client, validity: 10d, renew-before: 5d}
  - {name: rsa, preset: tls-client, keys: RSA-2048, reissue: never}
END
    { cat "$LAB/etc/ca-sign.yaml"; echo 'profiles: rules.yaml'; } >"$LAB/etc/rules-ca.yaml"
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    lab_use "$BATS_FILE_TMPDIR/lab"
    lab_fresh
    rm -f "$LAB"/keys/*
    cd "$BATS_TEST_TMPDIR" || return
    CA=$LAB/etc/rules-ca.yaml
}

# The certificate of a device for the key that it has now, without a line
issue() { # ID PROFILE
    lab_requests "$1" | ca-sign -c "$CA" --direct --profile "$2"
}
new_key() { rm "$LAB/keys/$1.key"; } # ID
# at SECONDS COMMAND...: at that time from now
at() {
    CERTLINE_CLOCK=$(($(date +%s) + $1)) "${@:2}"
}
revoke() { ca-revoke -c "$CA" --why "a test" "$@"; }
ledger() { sqlite3 "$LAB/var/ca-sign.db" "$@"; }
issued() { ledger 'select count(*) from entry where kind = 12'; }
reissued() { ledger 'select device, profile, cast(data as text) from entry where kind = 23 order by id'; }
day() { ledger "select strftime('%Y-%m-%dT%H:%M:%SZ', $1, 'unixepoch') from entry where kind = $2 order by id desc limit 1"; }
# refused ID PROFILE SENTENCE: and nothing is recorded
refused() {
    local before
    before=$(issued)
    run -1 --separate-stderr issue "$1" "$2"
    [ "${stderr_lines[-1]}" = "ca-sign: $1: refused: $3" ] || { echo "$stderr" && return 1; }
    [ -z "$output" ]
    [ "$(issued)" = "$before" ]
}
served() { # ID PROFILE
    run -0 --separate-stderr issue "$1" "$2"
    [ "$(openssl x509 -noout -pubkey <<<"$output")" = "$(openssl pkey -in "$LAB/keys/$1.key" -pubout)" ]
}

@test "a revoked certificate is refused, not repeated" {
    issue A1 short >A1.pem
    revoke --reason superseded --count 1 A1.pem
    refused A1 short "the certificate for this key was revoked on $(day time 19): the device needs a new key"
}

@test "a revoked certificate is refused inside the window for renewal, and after its end" {
    issue A1 short >A1.pem
    revoke --count 1 A1.pem
    local why
    why="the certificate for this key was revoked on $(day time 19): the device needs a new key"
    at $((6 * 86400)) refused A1 short "$why"
    at $((11 * 86400)) refused A1 short "$why"
}

@test "on the line the device is told that its certificate was revoked, and its new key is served" {
    lab_requests A1 | lab_line >A1.pem
    revoke --count 1 A1.pem
    lab_requests A1 >request.pem
    run -1 --separate-stderr lab_line <request.pem
    [ "$stderr" = "attach: A1: refused: ca-sign: the certificate for this key was revoked on $(day time 19): the device needs a new key (failInfo badRequest)" ]
    new_key A1
    lab_requests A1 >request.pem
    run -0 lab_line <request.pem
    [ "$(reissued)" = "A1|tls-client|rule reissue: renewal of profile tls-client" ]
}

@test "a key that was revoked as compromised gets no certificate of any profile" {
    issue A1 short >A1.pem
    revoke --reason keyCompromise --count 1 A1.pem
    refused A1 anew "this key was reported as compromised on $(day time 19): the device needs a new key"
    new_key A1
    served A1 anew
}

@test "a key that was revoked for another reason, and is known as compromised since, gets no certificate any more" {
    issue A1 short >A1.pem
    revoke --reason superseded --count 1 A1.pem
    revoke --reason keyCompromise --count 1 A1.pem
    refused A1 anew "this key was reported as compromised on $(day time 19): the device needs a new key"
}

@test "a key that was revoked for another reason may have a certificate of another profile" {
    issue A1 short >A1.pem
    revoke --reason superseded --count 1 A1.pem
    served A1 anew
}

@test "a renewed certificate is repeated though the one before it was revoked, unless the key was compromised" {
    issue A1 short >first.pem
    at $((6 * 86400)) issue A1 short >second.pem
    run -1 cmp -s first.pem second.pem
    at $((6 * 86400 + 10)) revoke --reason superseded --count 1 first.pem
    at $((6 * 86400 + 20)) issue A1 short >third.pem
    cmp second.pem third.pem
    # another device, whose key was given away while its first certificate was in use
    at $((6 * 86400 + 30)) issue A2 short >first.pem
    at $((12 * 86400)) issue A2 short >second.pem
    at $((12 * 86400 + 10)) revoke --reason keyCompromise --count 1 first.pem
    at $((12 * 86400 + 20)) refused A2 short \
        "this key was reported as compromised on $(day time 19): the device needs a new key"
}

@test "reissue: renewal refuses a new key while the certificate is good, and says how long" {
    issue A1 short >A1.pem
    new_key A1
    refused A1 short "device \"A1\" already has a certificate for another key, valid to $(day status 12)"
    [ -z "$(reissued)" ]
}

@test "reissue: renewal serves a new key after a revocation, near the end and after it, and records the rule" {
    issue A1 short >A1.pem
    revoke --count 1 A1.pem
    new_key A1
    served A1 short
    new_key A1
    at $((6 * 86400)) served A1 short
    new_key A1
    at $((30 * 86400)) served A1 short
    [ "$(reissued)" = "A1|short|rule reissue: renewal of profile short
A1|short|rule reissue: renewal of profile short
A1|short|rule reissue: renewal of profile short" ]
}

@test "one certificate that is still good is enough to refuse a new key" {
    issue A1 anew >first.pem
    new_key A1
    issue A1 anew >second.pem
    # the same device asks by a stricter rule under the name of the same profile
    sed 's/, reissue: always}/}/' "$LAB/etc/rules.yaml" >"$LAB/etc/strict.yaml"
    sed 's/rules.yaml/strict.yaml/' "$CA" >"$LAB/etc/strict-ca.yaml"
    CA=$LAB/etc/strict-ca.yaml
    revoke --count 1 second.pem
    new_key A1
    refused A1 anew "device \"A1\" already has a certificate for another key, valid to $(ledger "select strftime('%Y-%m-%dT%H:%M:%SZ', min(status), 'unixepoch') from entry where kind = 12")"
    revoke --count 1 first.pem
    served A1 anew
}

@test "reissue: never tells whether the certificate is good, was revoked or has expired" {
    issue A1 once >A1.pem
    new_key A1
    refused A1 once "device \"A1\" already has a certificate for another key, valid to $(day status 12); it is never issued again"
    revoke --count 1 A1.pem
    refused A1 once "device \"A1\" had a certificate for another key, revoked on $(day time 19); it is never issued again"
    issue A2 once >A2.pem
    new_key A2
    at $((3 * 365 * 86400)) refused A2 once \
        "device \"A2\" had a certificate for another key, expired on $(day status 12); it is never issued again"
}

@test "reissue: always serves a new key and records the rule" {
    issue A1 anew >A1.pem
    new_key A1
    served A1 anew
    [ "$(reissued)" = "A1|anew|rule reissue: always of profile anew" ]
    # beside the certificate: its serial number and key
    [ "$(ledger 'select count(*) from entry a join entry b on a.serial = b.serial and a.key = b.key
        where a.kind = 12 and b.kind = 23 and b.id = a.id + 1')" = 1 ]
}

@test "a first certificate, a retry and a renewal of the same key are no re-issue" {
    issue A1 short >A1.pem
    issue A1 short >again.pem
    at $((6 * 86400)) issue A1 short >renewed.pem
    cmp A1.pem again.pem
    [ "$(issued)" -eq 2 ]
    [ -z "$(reissued)" ]
}

@test "a person allows one new key under reissue: never, and the ledger says who, when and why" {
    issue A1 once >A1.pem
    ca-revoke -c "$CA" --device A1 --allow-new-key --reason cessationOfOperation --why "lost by the carrier" --count 1
    new_key A1
    served A1 once
    [ "$(reissued)" = "A1|once|allowed on $(day time 22) by $(id -un): lost by the carrier" ]
    new_key A1
    refused A1 once "device \"A1\" already has a certificate for another key, valid to $(day status 12); it is never issued again"
}

@test "a retry with the new key that was allowed gets the same certificate" {
    issue A1 once >A1.pem
    revoke --device A1 --allow-new-key --count 1
    new_key A1
    issue A1 once >second.pem
    issue A1 once >third.pem
    cmp second.pem third.pem
    [ "$(issued)" -eq 2 ]
}

@test "the old key is not served by a permission for a new one" {
    issue A1 once >A1.pem
    revoke --device A1 --allow-new-key --count 1
    refused A1 once "the certificate for this key was revoked on $(day time 19): the device needs a new key"
}

@test "two permissions before the request are one" {
    issue A1 once >A1.pem
    revoke --device A1 --allow-new-key --count 1
    revoke --device A1 --allow-new-key --count 0
    new_key A1
    served A1 once
    new_key A1
    refused A1 once "device \"A1\" already has a certificate for another key, valid to $(day status 12); it is never issued again"
    revoke --device A1 --allow-new-key --count 1
    served A1 once
}

@test "a request that is refused for something else does not use the permission up" {
    openssl genrsa -out "$LAB/keys/A1.key" 2048 2>log
    issue A1 rsa >A1.pem
    revoke --device A1 --allow-new-key --count 1
    new_key A1
    run -1 issue A1 rsa # a P-256 key
    [[ $output == *"profile rsa does not allow P-256 keys"* ]]
    openssl genrsa -out "$LAB/keys/A1.key" 2048 2>log
    served A1 rsa
}

@test "a permission is for one profile, device and owner" {
    issue A1 once >A1.pem
    issue A2 once >A2.pem
    new_key A1
    new_key A2
    # of the other device
    revoke --device A2 --allow-new-key --count 1
    refused A1 once "device \"A1\" already has a certificate for another key, valid to $(ledger "select strftime('%Y-%m-%dT%H:%M:%SZ', min(status), 'unixepoch') from entry where kind = 12"); it is never issued again"
    # of another profile
    issue A1 anew >anew.pem
    revoke --device A1 --profile anew --allow-new-key --count 1
    new_key A1
    refused A1 once "device \"A1\" already has a certificate for another key, valid to $(ledger "select strftime('%Y-%m-%dT%H:%M:%SZ', min(status), 'unixepoch') from entry where kind = 12"); it is never issued again"
    # of an owner on the line, who has a device of that name, too
    lab_requests A1 | lab_line >line.pem
    revoke --device A1 --owner Lab --allow-new-key --count 1
    new_key A1
    refused A1 once "device \"A1\" already has a certificate for another key, valid to $(ledger "select strftime('%Y-%m-%dT%H:%M:%SZ', min(status), 'unixepoch') from entry where kind = 12"); it is never issued again"
}

@test "a permission without --profile is one for each profile that the device has a certificate of" {
    issue A1 anew >1.pem
    new_key A1
    issue A1 anew >2.pem
    issue A1 once >3.pem
    revoke --device A1 --allow-new-key --count 3
    [ "$(ledger 'select group_concat(profile) from (select profile from entry where kind = 22 order by profile)')" = anew,once ]
    new_key A1
    served A1 once
}

@test "a key that belongs to another device is refused, revoked or not" {
    issue A1 anew >A1.pem
    revoke --count 1 A1.pem
    cp "$LAB/keys/A1.key" "$LAB/keys/A2.key"
    refused A2 anew 'this key already belongs to device "A1": one key, one device; look at the random number generator'
}
