# Profiles: what a certificate becomes, whatever its request asks.
bats_require_minimum_version 1.5.0

ARC=2.25.111044168894393523651617990952196807275

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    local build=${BUILD:-build}
    make -s BUILD="$build" "$build/t/profile-test" "$build/bin/csr-make"
    PATH=$(realpath "$build")/t:$(realpath "$build")/bin:$PATH
    export PATH
    cd "$BATS_FILE_TMPDIR" || return
    csr-make -n P-256 -k ca.key -s 'CN=Root,O=ABC,C=JP' >ca.csr
    profile-test -p root -k ca.key <ca.csr >ca.pem
    csr-make -n P-256 -k dev.key -s 'serialNumber=4711,O=ABC,C=JP' >dev.csr
    csr-make -n RSA-2048 -k rsa.key -s 'serialNumber=4711,O=ABC,C=JP' >rsa.csr
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    F=$BATS_FILE_TMPDIR
}

# issue PROFILE [OPTION...] < request: cert.pem, and what differs in $differs.
issue() {
    differs=$(profile-test -p "$1" -k "$F/ca.key" -i "$F/ca.pem" "${@:2}" 2>&1 >cert.pem) || {
            return 1
    }
}

# refused FAILINFO WHY PROFILE [OPTION...] < request
refused() {
    run -1 profile-test -p "$3" -k "$F/ca.key" -i "$F/ca.pem" "${@:4}"
    [ "$output" = "profile-test: refused $1: $2" ] || { echo "$output"; return 1; }
}

# has NAME: the extension's text in cert.pem, on one line.
has() {
    openssl x509 -in cert.pem -noout -ext "$1" 2>/dev/null | sed 's/^ *//' | paste -sd' ' | tr -s ' '
}

# file LINE...: p.yaml with one profile "x" of these lines.
file() {
    printf '%s\n' 'profiles:' '  - name: x' >p.yaml
    printf '    %s\n' "$@" >>p.yaml
}

# wrong PLACE-AND-WHY LINE...: profile x cannot be loaded.
wrong() {
    file "${@:2}"
    run -2 profile-test -c p.yaml -l
    [ "${lines[0]}" = "profile-test: p.yaml:$1" ] || { echo "$output"; return 1; }
}

# asks SUBJECT EXTENSION-LINE...: r.csr of dev.key.
asks() {
    printf '%s\n' '[req]' 'distinguished_name = dn' 'req_extensions = x' '[dn]' '[x]' "${@:2}" >r.cnf
    openssl req -new -key "$F/dev.key" -config r.cnf -subj "$1" -out r.csr
}

@test "every preset gives a certificate that openssl and gnutls verify" {
    csr-make -k "$F/dev.key" -s 'CN=a,serialNumber=4711,O=ABC,C=JP' -a dns:a.example >r.csr
    for p in sub-ca attach verify-unit ra-approve ca-sign approver idevid ldevid tls-client tls-server eap-tls ipsec; do
        issue $p <r.csr
        openssl verify -x509_strict -CAfile "$F/ca.pem" cert.pem
        certtool --verify --verify-profile medium --load-ca-certificate "$F/ca.pem" <cert.pem >log
    done
}

@test "only profiles without power over others can be asked for by a line" {
    run -0 profile-test -l root sub-ca attach verify-unit ra-approve ca-sign approver idevid tls-client tls-server \
        eap-tls ipsec
    [ "$output" = 'root direct ca renewal 0
sub-ca direct ca renewal 0
attach direct - renewal 5184000
verify-unit direct - renewal 5184000
ra-approve direct - renewal 5184000
ca-sign direct - renewal 5184000
approver direct - renewal 5184000
idevid line - never 0
tls-client line - renewal 2592000
tls-server line - renewal 2592000
eap-tls line - renewal 2592000
ipsec line - renewal 2592000' ]
}

@test "power is found in what a profile gives, not in its name" {
    local power
    for power in cmcRA cmcCA cmcArchive OCSPSigning anyExtendedKeyUsage certline-attach certline-approver "$ARC.4" "$ARC.99" \
        1.3.6.1.5.5.7.3.28 2.5.29.37.0; do
        file 'preset: tls-client' "extended-key-usage: [clientAuth, $power]"
        run -0 profile-test -c p.yaml -l x
        [ "${lines[0]}" = 'x direct - renewal 2592000' ] || { echo "$power: $output"; return 1; }
    done
    file 'preset: tls-client' 'key-usage: [digitalSignature, cRLSign]'
    run -0 profile-test -c p.yaml -l x
    [ "${lines[0]}" = 'x direct - renewal 2592000' ]
    file 'preset: attach' 'extended-key-usage: [clientAuth]'
    run -0 profile-test -c p.yaml -l x
    [ "${lines[0]}" = 'x line - renewal 5184000' ]
}

@test "presets can be used beside a file's profiles, and a file's profile of that name wins" {
    printf '%s\n' 'profiles:' '  - name: x' '    preset: tls-client' '  - preset: root' '    reissue: never' >p.yaml
    run -0 profile-test -c p.yaml -l tls-client root x
    [ "$output" = 'tls-client line - renewal 2592000
root direct ca never 0
x line - renewal 2592000' ]
}

@test "a root is self-signed, a CA without limit, with its own key identifier" {
    cp "$F/ca.pem" cert.pem
    [ "$(has basicConstraints)" = 'X509v3 Basic Constraints: critical CA:TRUE' ]
    [ "$(has keyUsage)" = 'X509v3 Key Usage: critical Certificate Sign, CRL Sign' ]
    [[ $(has subjectKeyIdentifier) == 'X509v3 Subject Key Identifier: '* ]]
    openssl verify -x509_strict -check_ss_sig -CAfile cert.pem cert.pem
}

@test "the units' roles are in the extended key usage" {
    while IFS='|' read -r unit usage; do
        issue $unit <"$F/dev.csr"
        [ "$(has extendedKeyUsage)" = "X509v3 Extended Key Usage: $usage" ] || { has extendedKeyUsage; return 1; }
        [ "$(has keyUsage)" = 'X509v3 Key Usage: critical Digital Signature' ]
    done <<TABLE
attach|$ARC.1
verify-unit|CMC Registration Authority, $ARC.2
ra-approve|CMC Registration Authority, $ARC.3
ca-sign|CMC Certificate Authority, $ARC.4
approver|$ARC.5
TABLE
}

@test "an idevid has what IEEE 802.1AR says, and no more" {
    file 'preset: idevid' 'hardware-type: 1.3.6.1.4.1.99999.1'
    issue x -c p.yaml -d 4711 <"$F/dev.csr"
    [ -z "$(has extendedKeyUsage)$(has basicConstraints)$(has subjectKeyIdentifier)" ]
    [ "$(has keyUsage)" = 'X509v3 Key Usage: critical Digital Signature' ]
    [[ $(has authorityKeyIdentifier) == *:* ]]
    openssl x509 -in cert.pem -outform DER | od -An -v -tx1 | tr -d ' \n' >hex
    # id-on-hardwareModuleName, hwType, hwSerialNum
    grep -q 06082b06010505070804a013301106092b06010401868d1f01040434373131 hex
    [ "$(openssl x509 -in cert.pem -noout -subject -nameopt RFC2253)" = 'subject=serialNumber=4711,O=ABC,C=JP' ]
}

@test "an idevid without a serialNumber in its subject is refused" {
    csr-make -k "$F/dev.key" -s CN=a | refused 7 'the subject has no serialNumber, which profile idevid requires' idevid
}

@test "a chain without an end verifies" {
    file 'preset: root' 'validity: 99991231235959Z'
    profile-test -c p.yaml -p x -k "$F/ca.key" <"$F/ca.csr" >root.pem
    profile-test -p idevid -k "$F/ca.key" -i root.pem <"$F/dev.csr" >cert.pem
    [ "$(openssl x509 -in cert.pem -noout -enddate)" = 'notAfter=Dec 31 23:59:59 9999 GMT' ]
    openssl verify -x509_strict -CAfile root.pem cert.pem
}

@test "a duration ends with the issuer, and the cut is reported; a date stands" {
    file 'preset: tls-client' 'validity: 100y'
    CERTLINE_CLOCK=2000000000 profile-test -p root -k "$F/ca.key" <"$F/ca.csr" >root.pem
    CERTLINE_CLOCK=2000000000 run -0 --separate-stderr profile-test -c p.yaml -p x -k "$F/ca.key" -i root.pem <"$F/dev.csr"
    echo "$output" >cert.pem
    [[ $stderr == *'profile-test: differs: notAfter would be 2133-04-24T03:33:19Z, ends with the issuer 2053-05-13T03:33:19Z' ]]
    [ "$(openssl x509 -in cert.pem -noout -enddate)" = "$(openssl x509 -in root.pem -noout -enddate)" ]
    issue idevid <"$F/dev.csr"
    [ -z "$differs" ]
    [ "$(openssl x509 -in cert.pem -noout -enddate)" = 'notAfter=Dec 31 23:59:59 9999 GMT' ]
}

@test "validity is counted to the second, both ends included" {
    file 'validity: 1d' 'backdate: 1h'
    export CERTLINE_CLOCK=2000000000
    profile-test -p root -k "$F/ca.key" <"$F/ca.csr" >root.pem
    CERTLINE_CLOCK=2000010000
    profile-test -c p.yaml -p x -k "$F/ca.key" -i root.pem <"$F/dev.csr" >cert.pem
    [ "$(openssl x509 -in cert.pem -noout -startdate)" = "notBefore=$(LC_ALL=C date -u -d @2000006400 '+%b %e %T %Y GMT')" ]
    [ "$(openssl x509 -in cert.pem -noout -enddate)" = "notAfter=$(LC_ALL=C date -u -d @2000096399 '+%b %e %T %Y GMT')" ]
    CERTLINE_CLOCK=2000000010 profile-test -c p.yaml -p x -k "$F/ca.key" -i root.pem <"$F/dev.csr" >cert.pem
    # never before the issuer's own begin
    [ "$(openssl x509 -in cert.pem -noout -startdate)" = "$(openssl x509 -in root.pem -noout -startdate)" ]
}

@test "2050 is where UTCTime ends" {
    for until in 20491231235959Z 20500101000000Z; do
        file 'preset: root' "validity: $until"
        profile-test -c p.yaml -p x -k "$F/ca.key" <"$F/ca.csr" >root.pem
        openssl asn1parse -in root.pem | grep -c UTCTIME >>count
    done
    [ "$(paste -sd' ' count)" = '2 1' ]
}

@test "an issuer that is no CA, has ended or has not begun issues nothing" {
    issue tls-client <"$F/dev.csr"
    run -1 profile-test -p tls-client -k "$F/dev.key" -i cert.pem <"$F/dev.csr"
    [ "$output" = "profile-test: refused 11: the issuer's key usage does not allow it to sign certificates" ]
    CERTLINE_CLOCK=4000000000 run -1 profile-test -p tls-client -k "$F/ca.key" -i "$F/ca.pem" <"$F/dev.csr"
    [[ $output == *"refused 11: the issuer's certificate is expired" ]]
    CERTLINE_CLOCK=1000000000 run -1 profile-test -p tls-client -k "$F/ca.key" -i "$F/ca.pem" <"$F/dev.csr"
    [[ $output == *"refused 11: the issuer's certificate is not valid yet" ]]
}

@test "a CA that may have none below it makes none" {
    issue sub-ca <"$F/dev.csr"
    [ "$(has basicConstraints)" = 'X509v3 Basic Constraints: critical CA:TRUE, pathlen:0' ]
    run -1 profile-test -p sub-ca -k "$F/dev.key" -i cert.pem <"$F/rsa.csr"
    [ "$output" = "profile-test: refused 11: the issuer's pathLenConstraint 0 does not allow this CA below it" ]
    profile-test -p tls-client -k "$F/dev.key" -i cert.pem <"$F/rsa.csr" >leaf.pem
    openssl verify -x509_strict -CAfile "$F/ca.pem" -untrusted cert.pem leaf.pem
}

@test "CA:TRUE, another key usage and unknown extensions are left out, and each is reported" {
    asks /serialNumber=1 'basicConstraints = critical,CA:TRUE' 'keyUsage = keyCertSign' \
        'extendedKeyUsage = serverAuth' '1.2.3.4 = ASN1:NULL' 'subjectAltName = DNS:a.example'
    issue ipsec <r.csr
    [ "$differs" = "profile-test: differs: basicConstraints is the profile's, not the one asked; keyUsage is the profile's, not the one asked; extKeyUsage is the profile's, not the one asked; 1.2.3.4 was asked and left out" ]
    [ "$(has basicConstraints)" = 'X509v3 Basic Constraints: critical CA:FALSE' ]
    [ "$(has extendedKeyUsage)" = 'X509v3 Extended Key Usage: ipsec Internet Key Exchange' ]
    [ "$(has subjectAltName)" = 'X509v3 Subject Alternative Name: DNS:a.example' ]
}

@test "an unknown extension that is asked as critical is refused, and one that the profile gives is not" {
    asks /serialNumber=1 'basicConstraints = critical,CA:TRUE' '1.2.3.4 = critical,ASN1:NULL'
    refused 5 'extension 1.2.3.4 is asked as critical, and profile tls-client does not give it' tls-client <r.csr
    asks /serialNumber=1 'nameConstraints = critical,permitted;DNS:a.example'
    refused 5 'extension nameConstraints is asked as critical, and profile tls-client does not give it' tls-client <r.csr
    file 'preset: tls-client' 'extensions: [{oid: 1.2.3.4, value: "0500"}]'
    asks /serialNumber=1 '1.2.3.4 = critical,ASN1:UTF8:x'
    issue x -c p.yaml <r.csr
    [ "$differs" = "profile-test: differs: 1.2.3.4 is the profile's, not the one asked" ]
}

@test "what is asked and given alike is no difference" {
    asks /serialNumber=1 'basicConstraints = CA:FALSE' 'keyUsage = digitalSignature'
    issue tls-client <r.csr
    [ -z "$differs" ]
}

@test "names of a kind that is not allowed are left out" {
    asks /serialNumber=1 'subjectAltName = DNS:a.example,DNS:*.b.example,IP:192.0.2.1,email:a@b.example,RID:1.2.3'
    issue tls-server <r.csr
    [ "$(has subjectAltName)" = 'X509v3 Subject Alternative Name: DNS:a.example, IP Address:192.0.2.1' ]
    [ "$differs" = 'profile-test: differs: subjectAltName dns:*.b.example was asked and left out; subjectAltName email:a@b.example was asked and left out; subjectAltName other was asked and left out' ]
    file 'preset: tls-server' 'subject-alt-name: {wildcards: yes}'
    issue x -c p.yaml <r.csr
    [ "$(has subjectAltName)" = 'X509v3 Subject Alternative Name: DNS:a.example, DNS:*.b.example, IP Address:192.0.2.1' ]
}

@test "a server without a name is refused" {
    refused 7 'profile tls-server needs a subjectAltName that it allows' tls-server <"$F/dev.csr"
}

@test "malformed names and extensions are refused as a bad request" {
    while IFS='|' read -r extension why; do
        asks /serialNumber=1 "$extension"
        refused 2 "$why" tls-client <r.csr
    done <<'TABLE'
subjectAltName = DNS:a..b|a subjectAltName whose dns is malformed
subjectAltName = email:nobody|a subjectAltName whose email is malformed
subjectAltName = URI:x|a subjectAltName whose uri is malformed
subjectAltName = DER:30:00|the requested extension subjectAltName is malformed
subjectAltName = DER:30:05:87:03:01:02:03|a subjectAltName whose ip is malformed
subjectAltName = DER:30:04:82:02:61:00|a subjectAltName whose dns is malformed
subjectAltName = DER:04:00|the requested extension subjectAltName is malformed
keyUsage = DER:03:01:00|the requested extension keyUsage is malformed
keyUsage = DER:03:02:07:00|the requested extension keyUsage is malformed
extendedKeyUsage = DER:30:00|the requested extension extKeyUsage is malformed
basicConstraints = DER:30:03:01:01:00|the requested extension basicConstraints is malformed
basicConstraints = DER:30:03:01:01:01|the requested extension basicConstraints is malformed
1.2.3.4 = DER:30:80:00:00|the requested extension 1.2.3.4 is malformed
1.2.3.4 = DER:05:00:00|the requested extension 1.2.3.4 is malformed
TABLE
}

@test "an empty subject is refused, unless the profile makes one" {
    csr-make -k "$F/dev.key" -a dns:a.example >r.csr
    refused 7 'the subject of the request is empty, and profile tls-client does not make one' tls-client <r.csr
    file 'preset: tls-client' 'subject: "CN={device},O=ABC"'
    issue x -c p.yaml -d 'dev 1' <r.csr
    [ "$(openssl x509 -in cert.pem -noout -subject -nameopt RFC2253)" = 'subject=CN=dev 1,O=ABC' ]
}

@test "a subject is made from the request's attributes, and the difference is reported" {
    file 'preset: tls-client' 'subject: CN={serialNumber}+OU={device},O=New\, Inc,C={C}'
    issue x -c p.yaml -d 'a+b,c' <"$F/dev.csr"
    run -0 openssl x509 -in cert.pem -noout -subject -nameopt RFC2253
    [[ $output == 'subject='*'CN=4711'*',O=New\, Inc,C=JP' ]]
    [[ $output == *'OU=a\+b\,c'* ]]
    [[ $differs == *'subject O was "ABC", the profile says "New\, Inc"; subject serialNumber was "4711", the profile says none'* ]]
    csr-make -k "$F/dev.key" -s CN=a |
        refused 7 "the profile makes a name from the request's serialNumber, which it does not have" x -c p.yaml -d d
}

@test "a subject with a control character, a wrong string type or out of order is refused" {
    openssl req -new -key "$F/dev.key" -subj $'/CN=a\x01b' -out r.csr
    refused 2 'CN of the name has a control character' tls-client <r.csr
    openssl req -new -key "$F/dev.key" -utf8 -subj '/CN=é' -config <(printf '[req]\ndistinguished_name=d\nstring_mask=MASK:0x800\n[d]\n') -out r.csr
    refused 2 'CN of the name has a string type that RFC 5280 does not allow' tls-client <r.csr
}

@test "what verify-unit prescribes replaces what was asked, and the profile stands above both" {
    csr-make -k "$F/dev.key" -s CN=a -a dns:a.example >r.csr
    issue tls-client -S 'CN=b,O=ABC' -N dns:b.example <r.csr
    [ "$(openssl x509 -in cert.pem -noout -subject -nameopt RFC2253)" = 'subject=CN=b,O=ABC' ]
    [ "$(has subjectAltName)" = 'X509v3 Subject Alternative Name: DNS:b.example' ]
    [ "$differs" = 'profile-test: differs: subject CN was "a", the list says "b"; subjectAltName was "dns:a.example", the list says "dns:b.example"' ]
    file 'preset: tls-client' 'subject: "CN={CN},O=Fixed"' 'subject-alt-name: {allow: [uri]}'
    issue x -c p.yaml -S 'CN=b,O=ABC' -N dns:b.example <r.csr
    [ "$(openssl x509 -in cert.pem -noout -subject -nameopt RFC2253)" = 'subject=CN=b,O=Fixed' ]
    [ -z "$(has subjectAltName)" ]
    [[ $differs == *'; subject O was "ABC", the profile says "Fixed"; '* ]]
    [[ $differs == *'; subjectAltName dns:b.example was in the list and left out' ]]
}

@test "what another order or another string type makes of a subject is told apart" {
    csr-make -k "$F/dev.key" -s 'serialNumber=1,CN=a' >r.csr
    issue tls-client -S 'CN=a,serialNumber=1' <r.csr
    [ "$differs" = 'profile-test: differs: subject was in another order than the list says' ]
    openssl req -new -key "$F/dev.key" -subj /CN=a -config <(printf '[req]\ndistinguished_name=d\nstring_mask=pkix\n[d]\n') -out r.csr
    issue tls-client -S CN=a <r.csr
    [ -z "$differs" ]
}

@test "hostile words of a request cannot forge what is said of them" {
    openssl req -new -utf8 -key "$F/dev.key" -subj $'/CN=x", the list says "y\x01\xc2\x85z' -out r.csr
    issue tls-client -S CN=b <r.csr
    [ "$differs" = 'profile-test: differs: subject CN was "x\"\, the list says \"y\01\C2\85z", the list says "b"' ]
}

@test "names are made from templates" {
    file 'preset: tls-client' 'subject-alt-name:' '  allow: [uri]' \
        '  template: ["dns:{device}.gw.example", "uri:urn:x:{serialNumber}", "dn:CN={device},O=x"]'
    csr-make -k "$F/dev.key" -s serialNumber=4711 -a uri:urn:y -a uri:urn:x:4711 >r.csr
    issue x -c p.yaml <r.csr
    run -0 certtool --certificate-info <cert.pem
    [[ $output == *'DNSname: 4711.gw.example'*'URI: urn:x:4711'*'directoryName: CN=4711,O=x'*'URI: urn:y'* ]]
    [ -z "$differs" ]
    issue x -c p.yaml -d a <r.csr
    run -1 profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" -d 'a b' <r.csr
    [ "$output" = 'profile-test: refused 7: "dns:a b.gw.example" is malformed' ]
}

@test "keys that a profile does not allow, or nobody should, are refused as a bad algorithm" {
    file 'preset: tls-client' 'keys: [P-256]'
    refused 0 'profile x does not allow RSA-2048 keys' x -c p.yaml <"$F/rsa.csr"
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out k.pem
    openssl req -new -key k.pem -subj /CN=a -out r.csr
    refused 0 'the request has an RSA key shorter than 2048 bits' tls-client <r.csr
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out k.pem
    openssl req -new -key k.pem -subj /CN=a -out r.csr
    refused 0 'the request has an RSA exponent smaller than 65537' tls-client <r.csr
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2056 -out k.pem
    openssl req -new -key k.pem -subj /CN=a -out r.csr
    refused 0 'profile tls-client does not allow RSA-2056 keys' tls-client <r.csr
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 -out k.pem
    openssl req -new -key k.pem -subj /CN=a -out r.csr
    refused 0 'the request has a curve other than P-256, P-384 and P-521' tls-client <r.csr
    openssl genpkey -quiet -algorithm ED448 -out k.pem
    openssl req -new -key k.pem -subj /CN=a -out r.csr
    refused 0 'the request has a key of an unknown algorithm' tls-client <r.csr
}

@test "a key usage that a key cannot have is left out" {
    issue tls-server -N dns:a.example <"$F/rsa.csr"
    [ "$(has keyUsage)" = 'X509v3 Key Usage: critical Digital Signature, Key Encipherment' ]
    issue tls-server -N dns:a.example <"$F/dev.csr"
    [ "$(has keyUsage)" = 'X509v3 Key Usage: critical Digital Signature' ]
}

@test "policies, CRL and OCSP addresses and criticality are as the file says" {
    file 'validity: 1y' 'extended-key-usage: [clientAuth, 1.3.6.1.4.1.311.20.2.2]' \
        'certificate-policies: [1.2.3.4, 2.5.29.32.0]' \
        'crl-distribution-points: [http://a.example/1.crl, "ldap://b.example/x"]' \
        'authority-info-access: {ocsp: [http://o.example/], ca-issuers: [http://a.example/ca.cer]}' \
        'key-usage: [digitalSignature, nonRepudiation, keyAgreement, decipherOnly]' 'keys: [P-256]' \
        'critical: [extended-key-usage, certificate-policies]' 'subject-key-identifier: no'
    issue x -c p.yaml <"$F/dev.csr"
    [ "$(has basicConstraints)" = 'X509v3 Basic Constraints: CA:FALSE' ]
    [ "$(has keyUsage)" = 'X509v3 Key Usage: Digital Signature, Non Repudiation, Key Agreement, Decipher Only' ]
    [ "$(has extendedKeyUsage)" = 'X509v3 Extended Key Usage: critical TLS Web Client Authentication, Microsoft Smartcard Login' ]
    [ "$(has certificatePolicies)" = 'X509v3 Certificate Policies: critical Policy: 1.2.3.4 Policy: X509v3 Any Policy' ]
    [[ $(has crlDistributionPoints) == *'URI:http://a.example/1.crl'*'URI:ldap://b.example/x'* ]]
    [ "$(has authorityInfoAccess)" = 'Authority Information Access: OCSP - URI:http://o.example/ CA Issuers - URI:http://a.example/ca.cer' ]
    [ -z "$(has subjectKeyIdentifier)" ]
    openssl verify -x509_strict -CAfile "$F/ca.pem" cert.pem
}

@test "extensions are given as their OID and value say, and other programs read them" {
    # TLS feature (RFC 7633) in base64, a private one in hexadecimal with colons over two lines, a critical one
    file 'preset: tls-server' 'extensions:' '  - {oid: 1.3.6.1.5.5.7.1.24, value: MAMCAQU=}' \
        '  - {oid: 1.3.6.1.4.1.99999.7, value: "0c:05:68:65' '      6c:6C:6f"}' \
        '  - {oid: 2.5.29.54, critical: yes, value: "020100"}'
    issue x -c p.yaml -N dns:a.example <"$F/dev.csr"
    [ -z "$differs" ]
    [ "$(has tlsfeature)" = 'TLS Feature: status_request' ]
    [ "$(has inhibitAnyPolicy)" = 'X509v3 Inhibit Any Policy: critical 0' ]
    openssl x509 -in cert.pem -outform DER | od -An -v -tx1 | tr -d ' \n' >hex
    grep -q 301406092b06010401868d1f0704070c0568656c6c6f hex
    certtool --certificate-info <cert.pem | grep -q 'Unknown extension 1.3.6.1.4.1.99999.7 (not critical)'
    openssl verify -x509_strict -CAfile "$F/ca.pem" cert.pem
}

@test "an extension that is not DER, that other keys make, that gives power or that is there twice is an error" {
    while IFS='|' read -r place extension why; do
        wrong "4:$place: $why" 'validity: 1y' "extensions: [$extension]"
    done <<'TABLE'
24|{oid: 1.2.x, value: "0500"}|"1.2.x" is not a dotted OID
24|{oid: 3.1, value: "0500"}|"3.1" is not a dotted OID
24|{oid: 2.5.29.19, value: "30030101ff"}|extension 2.5.29.19 is made by other keys of the profile
24|{oid: 2.5.29.15, value: "03020106"}|extension 2.5.29.15 is made by other keys of the profile
24|{oid: 2.5.29.37, value: 3000}|extension 2.5.29.37 is made by other keys of the profile
24|{oid: 2.5.29.17, value: 3000}|extension 2.5.29.17 is made by other keys of the profile
24|{oid: 2.5.29.14, value: "0400"}|extension 2.5.29.14 is made by other keys of the profile
24|{oid: 1.3.6.1.5.5.7.1.1, value: 3000}|extension 1.3.6.1.5.5.7.1.1 is made by other keys of the profile
24|{oid: 2.5.29.10, value: 3000}|extension 2.5.29.10 gives a power that a profile does not give
24|{oid: 2.16.840.1.113730.1.1, value: "03020001"}|extension 2.16.840.1.113730.1.1 gives a power that a profile does not give
38|{oid: 1.2.3, value: "050000"}|extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets
38|{oid: 1.2.3, value: "3080"}|extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets
38|{oid: 1.2.3, value: "0101 01"}|extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets
38|{oid: 1.2.3, value: "BQA"}|extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets
38|{oid: 1.2.3, value: "BQB="}|extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets
38|{oid: 1.2.3, value: "A00401FFA00401FF"}|extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets
53|{oid: 1.2.3, value: "0500"}, {oid: 1.2.3, value: "0500"}|extension 1.2.3 is there twice
18|{oid: 1.2.3}|key "value" is missing
46|{oid: 1.2.3, value: "0500", colour: red}|unknown key "colour"
18|1.2.3|a mapping must stand here, not a string
TABLE
    wrong '4:17: "extensions" must be a list of at most 16 extensions' 'validity: 1y' 'extensions: 1.2.3'
    wrong "4:38: extension 1.2.3: a value that is not the hexadecimal or the base64 of one DER value of at most 4096 octets" \
        'validity: 1y' "extensions: [{oid: 1.2.3, value: \"04821000$(printf '%08192d' 0)\"}]"
}

@test "the device's id is where the profile says" {
    asks '/CN=cn/serialNumber=sn' 'subjectAltName = DNS:d.example,URI:urn:u,otherName:1.3.6.1.5.5.7.8.4;SEQ:hw' \
        '[hw]' 't = OID:1.2.3' 's = FORMAT:ASCII,OCT:HW 1'
    while IFS='|' read -r rule id; do
        file 'validity: 1y' "device: $rule"
        run -0 profile-test -c p.yaml -p x -D <r.csr
        [ "$output" = "$id" ] || { echo "$rule: $output"; return 1; }
    done <<'TABLE'
CN|cn
serialNumber|sn
san-dns|d.example
san-uri|urn:u
hardware-module-name|HW 1
TABLE
    run -0 profile-test -p tls-client -D <r.csr
    [ "$output" = sn ]
    csr-make -k "$F/dev.key" -s CN=only >o.csr
    run -0 profile-test -p tls-client -D <o.csr
    [ "$output" = only ]
    csr-make -k "$F/dev.key" -s O=x >o.csr
    run -1 profile-test -p tls-client -D <o.csr
    [ "$output" = 'profile-test: the subject has no serialNumber and no CN, which names the device' ]
    csr-make -k "$F/dev.key" -s CN=a,CN=b >o.csr
    run -1 profile-test -p tls-client -D <o.csr
    [ "$output" = "profile-test: the subject's CN is malformed, or there more than once" ]
    csr-make -k "$F/dev.key" -s CN=a -a dns:a.example -a dns:b.example >o.csr
    file 'validity: 1y' 'device: san-dns'
    run -1 profile-test -c p.yaml -p x -D <o.csr
    [ "$output" = "profile-test: the request has several subjectAltNames of kind dns: which is the device's?" ]
}

@test "a wrong file is named with line and column" {
    wrong '3:5: unknown key "colour"' 'colour: red'
    wrong '3:15: profile "x": "validity" is neither a duration such as 20y or 825d nor a time such as 99991231235959Z' 'validity: soon'
    wrong '2:5: profile "x": "validity" is missing' 'keys: [P-256]'
    wrong '4:11: profile "x": "P-255" is none of P-256, P-384, P-521, RSA-2048, RSA-3072, RSA-4096, Ed25519' 'validity: 1y' 'keys: [P-255]'
    wrong '4:16: profile "x": unknown key usage "sign"' 'validity: 1y' 'key-usage: [sign]'
    wrong '4:16: profile "x": keyCertSign and "basic-constraints: ca" go together' 'validity: 1y' 'key-usage: [keyCertSign]'
    wrong '2:5: profile "x": keyCertSign and "basic-constraints: ca" go together' 'basic-constraints: ca' 'validity: 1y'
    wrong '4:16: profile "x": "key-usage" has nothing that Ed25519 keys can do' 'validity: 1y' 'key-usage: [keyEncipherment, keyAgreement]' 'keys: [Ed25519]'
    wrong '4:25: profile "x": unknown extended key usage "fly"' 'validity: 1y' 'extended-key-usage: [fly]'
    wrong '4:25: profile "x": extended key usage codeSigning does not go with this "key-usage"' 'validity: 1y' 'extended-key-usage: [codeSigning]' 'key-usage: [keyAgreement]' 'keys: [P-256]'
    wrong '4:18: profile "x": "path-length" is for a CA' 'validity: 1y' 'path-length: 1'
    wrong '4:14: profile "x": unknown attribute type "XX"' 'validity: 1y' 'subject: XX=1'
    wrong '4:14: profile "x": {XX} is neither {device} nor an attribute of a name' 'validity: 1y' 'subject: "CN={XX}"'
    wrong '4:14: profile "x": a template with a brace that nothing closes, or that is empty' 'validity: 1y' 'subject: "CN={CN"'
    wrong '4:14: profile "x": C is not a country code of two letters' 'validity: 1y' 'subject: "CN={CN},C=JPN"'
    wrong '3:14: profile "x": the subject has no serialNumber, which the profile requires' 'subject: CN=a' 'preset: idevid'
    wrong '4:31: profile "x": "cat" is none of dns, ip, email, uri, dn, hardware-module-name, permanent-identifier' 'validity: 1y' 'subject-alt-name: {allow: [cat]}'
    wrong '4:34: profile "x": "dns:-" is malformed' 'validity: 1y' 'subject-alt-name: {template: ["dns:-"]}'
    wrong '4:20: profile "x": "hardware-type" is neither a dotted OID nor "asked"' 'validity: 1y' 'hardware-type: big'
    wrong '4:15: profile "x": "key-identifier" cannot be made critical' 'validity: 1y' 'critical: [key-identifier]'
    wrong '4:30: profile "x": "x y" is not a URI' 'validity: 1y' 'crl-distribution-points: ["x y"]'
    wrong '3:13: "preset" must be one of plain, root, sub-ca, attach, verify-unit, ra-approve, ca-sign, approver, idevid, idevid-tpm, ldevid, opc-ua, matter-paa, matter-pai, matter-dac, tls-client, tls-server, eap-tls, ipsec, not "car"' 'preset: car'
    printf '%s\n' 'profiles:' '  - preset: root' '  - {name: root, validity: 1y}' >p.yaml
    run -2 profile-test -c p.yaml -l
    [ "${lines[0]}" = 'profile-test: p.yaml:3:12: profile "root" is there twice' ]
}

@test "the examples of the manual are files that can be read" {
    awk '/^profiles:/ { n++ } /^.Ed/ { out = 0 } /^profiles:/ { out = 1 } out { print >n ".yaml" }' \
        "$BATS_TEST_DIRNAME/../man/certline-profiles.5"
    [ -e 3.yaml ]
    for example in [0-9].yaml; do
        profile-test -c "$example" -l
    done
}

@test "the lint finds each fault of a certificate to be" {
    while IFS='|' read -r fault why; do
        run -0 profile-test -L "$fault" <"$F/dev.csr"
        [ "$output" = "$why" ] || { echo "$fault: $output"; return 1; }
    done <<'TABLE'
nothing|ok
serial of zero|a serial number that is not a positive INTEGER of at most 20 octets
serial not minimal|a serial number that is not a positive INTEGER of at most 20 octets
negative serial|a serial number that is not a positive INTEGER of at most 20 octets
ends before it begins|a validity that ends before it begins, or that X.509 cannot express
ends after 9999|a validity that ends before it begins, or that X.509 cannot express
no name at all|neither a subject nor a critical subjectAltName
no issuer|an issuer without a name
key usage twice|extensions that are malformed, or one of them twice
certSign without CA|keyCertSign without CA:TRUE, or CA:TRUE without keyCertSign
CA without certSign|keyCertSign without CA:TRUE, or CA:TRUE without keyCertSign
EC that enciphers|a key usage of encipherment for a key that only signs
empty alt name|subjectAltName is malformed or empty
no authority key|no authorityKeyIdentifier
critical authority key|a key identifier or authorityInfoAccess that is critical
TABLE
}
