# Presets whose rules are written in documents of others: Matter, TCG, IEEE 802.1AR, OPC UA. What a certificate must
# be is asserted from what independent programs read out of it.
bats_require_minimum_version 1.5.0

VID=1.3.6.1.4.1.37244.2.1
PID=1.3.6.1.4.1.37244.2.2

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    local build=${BUILD:-build}
    make -s BUILD="$build" all "$build/t/profile-test"
    PATH=$(realpath "$build")/t:$(realpath "$build")/bin:$PATH
    READ=$PWD/t/read-certificate.py
    export PATH READ
    cd "$BATS_FILE_TMPDIR" || return
    local key
    for key in paa pai pai-pid dac free; do
        csr-make -n P-256 -k $key.key -s CN=x >$key.any.csr
    done
    make_ca paa matter-paa "CN=Matter PAA,$VID=FFF1"
    make_ca free matter-paa 'CN=Matter PAA of nobody'
    make_pai pai paa "CN=Matter PAI,$VID=FFF1"
    make_pai pai-pid paa "CN=Matter PAI,$VID=FFF1,$PID=8000"
}

make_ca() { # NAME PROFILE SUBJECT: self-signed
    csr-make -k "$1.key" -s "$3" | profile-test -p "$2" -k "$1.key" >"$1.pem"
}

make_pai() { # NAME ISSUER SUBJECT
    csr-make -k "$1.key" -s "$3" | profile-test -p matter-pai -k "$2.key" -i "$2.pem" >"$1.pem"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    F=$BATS_FILE_TMPDIR
}

# issue PROFILE ISSUER SUBJECT [OPTION...]: cert.pem for dac.key
issue() {
    csr-make -k "$F/dac.key" -s "$3" | profile-test -p "$1" -k "$F/$2.key" -i "$F/$2.pem" "${@:4}" >cert.pem
}

# refused FAILINFO WHY PROFILE ISSUER SUBJECT
refused() {
    csr-make -k "$F/dac.key" -s "$5" >r.csr
    run -1 profile-test -p "$3" -k "$F/$4.key" -i "$F/$4.pem" <r.csr
    [ "$output" = "profile-test: refused $1: $2" ] || { echo "$output"; return 1; }
}

# file LINE...: p.yaml with a profile "x" of these lines
file() {
    printf '%s\n' 'profiles:' '  - name: x' >p.yaml
    printf '    %s\n' "$@" >>p.yaml
}

# says FILE LINE...: these lines, and no others of their kinds, are among what read-certificate.py says
says() {
    /usr/bin/python3 "$READ" <"$1" >said
    local line
    for line in "${@:2}"; do
        grep -qxF -- "$line" said || { echo "missing: $line"; cat said; return 1; }
    done
}

# extensions FILE LIST: exactly these
extensions() {
    [ "$(/usr/bin/python3 "$READ" <"$1" | sed -n 's/^extension //p' | paste -sd' ')" = "$2" ] ||
        { /usr/bin/python3 "$READ" <"$1"; return 1; }
}

# --- Matter ---

@test "a PAA, a PAI and a DAC are as section 6.2.2 of the Matter Core Specification says" {
    issue matter-dac pai "CN=Matter DAC 0001,$VID=FFF1,$PID=8000"
    cp "$F/paa.pem" "$F/pai.pem" .
    mv cert.pem dac.pem
    for cert in paa pai dac; do
        says $cert.pem 'version 3' 'signature 1.2.840.10045.4.3.2' 'key 1.2.840.10045.2.1 1.2.840.10045.3.1.7' \
            "subject $VID UTF8String FFF1" 'after 99991231235959Z'
    done
    says paa.pem 'basicConstraints critical CA:TRUE 1' 'keyUsage critical 5 6' 'keys own' "issuer $VID UTF8String FFF1"
    says pai.pem 'basicConstraints critical CA:TRUE 0' 'keyUsage critical 5 6' "issuer $VID UTF8String FFF1"
    says dac.pem 'basicConstraints critical CA:FALSE' 'keyUsage critical 0' "subject $PID UTF8String 8000" \
        "issuer $VID UTF8String FFF1"
    extensions paa.pem '2.5.29.19 2.5.29.15 2.5.29.14 2.5.29.35'
    extensions pai.pem '2.5.29.19 2.5.29.15 2.5.29.14 2.5.29.35'
    extensions dac.pem '2.5.29.19 2.5.29.15 2.5.29.14 2.5.29.35'
    # subject and authority key identifiers make the chain
    for pair in 'dac pai' 'pai paa' 'paa paa'; do
        [ "$(openssl x509 -in "${pair% *}.pem" -noout -ext authorityKeyIdentifier | tail -n 1 | tr -d ' ')" = \
            "$(openssl x509 -in "${pair#* }.pem" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' ')" ]
    done
    openssl verify -x509_strict -CAfile paa.pem -untrusted pai.pem dac.pem
    certtool --verify --load-ca-certificate paa.pem --infile <(cat dac.pem pai.pem) >log
}

@test "the VID of a DAC is its PAI's, and so is the PID where the PAI has one" {
    refused 7 "the DAC's VID is FFF2, its PAI's is FFF1" matter-dac pai "CN=d,$VID=FFF2,$PID=8000"
    refused 7 "the DAC's PID is 8001, its PAI's is 8000" matter-dac pai-pid "CN=d,$VID=FFF1,$PID=8001"
    issue matter-dac pai-pid "CN=d,$VID=FFF1,$PID=8000"
    issue matter-dac pai "CN=d,$VID=FFF1,$PID=8001"
}

@test "the VID of a PAI is its PAA's where the PAA has one, and any other where it has none" {
    refused 7 "the PAI's VID is FFF2, its PAA's is FFF1" matter-pai paa "CN=i,$VID=FFF2"
    issue matter-pai free "CN=i,$VID=FFF2"
    says cert.pem 'basicConstraints critical CA:TRUE 0' "subject $VID UTF8String FFF2"
}

@test "who needs a VID or a PID and has none, or has what it must not have, is refused" {
    refused 7 'the subject has no VID, which a DAC needs' matter-dac pai "CN=d,$PID=8000"
    refused 7 'the subject has no PID, which a DAC needs' matter-dac pai "CN=d,$VID=FFF1"
    refused 7 'the subject has no VID, which a PAI needs' matter-pai paa CN=i
    csr-make -k "$F/dac.key" -s "CN=a,$VID=FFF1,$PID=8000" >r.csr
    run -1 profile-test -p matter-paa -k "$F/dac.key" <r.csr
    [ "$output" = 'profile-test: refused 7: the subject has a PID, which a PAA must not have' ]
}

@test "each is issued by whom Matter says, with a P-256 key" {
    refused 11 'a DAC is issued by a PAI, and this issuer signed itself' matter-dac paa "CN=d,$VID=FFF1,$PID=8000"
    csr-make -n P-256 -k root.key -s CN=Root >root.csr
    profile-test -p root -k root.key <root.csr >root.pem
    csr-make -k "$F/dac.key" -s "CN=a,$VID=FFF1" >r.csr
    run -1 profile-test -p matter-paa -k root.key -i root.pem <r.csr
    [ "$output" = 'profile-test: refused 11: a PAA signs itself, and has no issuer' ]
    csr-make -k "$F/dac.key" -s "CN=i,$VID=FFF1" >r.csr
    run -1 profile-test -p matter-pai -k "$F/dac.key" <r.csr
    [ "$output" = 'profile-test: refused 11: a PAI is issued by a PAA, not by itself' ]
    # a PAI may have no CA below it: its own path length says so before Matter does
    refused 11 "the issuer's pathLenConstraint 0 does not allow this CA below it" matter-pai pai "CN=i,$VID=FFF1"
    csr-make -n P-384 -k big.key -s CN=Root | profile-test -p root -k big.key >big.pem
    csr-make -k "$F/dac.key" -s "CN=i,$VID=FFF1" |
        { run -1 profile-test -p matter-pai -k big.key -i big.pem
        [ "$output" = "profile-test: refused 11: the issuer's key is P-384: Matter knows P-256 only" ]; }
    csr-make -k "$F/dac.key" -s CN=sub | profile-test -p sub-ca -k "$F/free.key" -i "$F/free.pem" >sub.pem
    csr-make -k "$F/pai.key" -s "CN=d,$VID=FFF1,$PID=8000" |
        { run -1 profile-test -p matter-dac -k "$F/dac.key" -i sub.pem
        [ "$output" = 'profile-test: refused 11: the issuer is no PAI: its subject has no VID' ]; }
}

@test "only P-256 keys are certified" {
    for type in P-384 RSA-2048 Ed25519; do
        csr-make -n $type -k other.$type.key -s "CN=d,$VID=FFF1,$PID=8000" >r.csr
        run -1 profile-test -p matter-dac -k "$F/pai.key" -i "$F/pai.pem" <r.csr
        [ "$output" = "profile-test: refused 0: profile matter-dac does not allow $type keys" ]
    done
}

@test "VID and PID can stand in the CN, as the fallback of section 6.2.2.2 has them" {
    csr-make -k "$F/dac.key" -s 'CN=ACME Matter PAI Mvid:FFF1 Mpid:00B1' |
        profile-test -p matter-pai -k "$F/paa.key" -i "$F/paa.pem" >pai.pem
    while IFS='|' read -r cn why; do
        csr-make -k "$F/pai.key" -s "CN=${cn//,/\\,}" >r.csr
        if [ -z "$why" ]; then
            profile-test -p matter-dac -k "$F/dac.key" -i pai.pem <r.csr >cert.pem
            says cert.pem "subject 2.5.4.3 UTF8String $cn"
        else
            run -1 profile-test -p matter-dac -k "$F/dac.key" -i pai.pem <r.csr
            [ "$output" = "profile-test: refused 7: $why" ] || { echo "$cn: $output"; return 1; }
        fi
    done <<'TABLE'
ACME Matter Devel DAC 5CDA9899 Mvid:FFF1 Mpid:00B1|
ACME Matter Devel DAC 5CDA9899 Mpid:00B1 Mvid:FFF1|
Mpid:00B1,ACME Matter Devel DAC 5CDA9899,Mvid:FFF1|
ACME Matter Devel DAC 5CDA9899 Mvid:FFF1Mpid:00B1|
Mvid:FFF1ACME Matter Devel DAC 5CDAMpid:00B19899|the subject's CN has an Mvid: or Mpid: twice, or without four hexadecimal digits in upper case
ACME Matter Devel DAC 5CDA9899 Mvid:FFF1 Mpid:B1|the subject's CN has an Mvid: or Mpid: twice, or without four hexadecimal digits in upper case
ACME Matter Devel DAC 5CDA9899 Mvid:Fff1 Mpid:00B1|the subject's CN has an Mvid: or Mpid: twice, or without four hexadecimal digits in upper case
ACME Matter Devel DAC Mvid:FFF1 Mpid:00B1 Mpid:00B2|the subject's CN has an Mvid: or Mpid: twice, or without four hexadecimal digits in upper case
ACME Matter Devel DAC 5CDA9899 Mvid:FFF1 Mpid:00b1|the subject's CN has an Mvid: or Mpid: twice, or without four hexadecimal digits in upper case
ACME Matter Devel DAC 5CDA9899 Mvid:FFF1|the subject has no PID, which a DAC needs
ACME Matter Devel DAC 5CDA9899 Mvid:FFF2 Mpid:00B1|the DAC's VID is FFF2, its PAI's is FFF1
ACME Matter Devel DAC 5CDA9899 Mvid:FFF1 Mpid:00B2|the DAC's PID is 00B2, its PAI's is 00B1
TABLE
    refused 7 'the subject has VID or PID both as attributes and in its CN' matter-dac pai \
        "CN=d Mvid:FFF1 Mpid:8000,$VID=FFF1,$PID=8000"
}

# A PAI as openssl makes it of these lines of a distinguished name: pai.pem
foreign_pai() { # LINE...
    local length=${LENGTH-,pathlen:0}
    printf '%s\n' 'oid_section = o' '[o]' "VID = $VID" "PID = $PID" '[req]' 'distinguished_name = d' \
        'string_mask = utf8only' 'prompt = no' '[x]' "basicConstraints = critical, CA:TRUE$length" \
        'keyUsage = critical, keyCertSign, cRLSign' 'subjectKeyIdentifier = hash' '[d]' "$@" >pai.cnf
    openssl req -new -config pai.cnf -key "$F/pai.key" -out pai.csr &&
        openssl x509 -req -in pai.csr -CA "$F/free.pem" -CAkey "$F/free.key" -days 99 -extfile pai.cnf -extensions x \
            -out pai.pem 2>/dev/null
}

@test "a PAI that others made is read as section 6.2.2.2 reads it, however odd its name" {
    local cn attributes ids
    # the attributes alone where there are any, else the leftmost mark with four digits
    while IFS='|' read -r cn attributes; do
        foreign_pai "CN = $cn" ${attributes:+VID=FFF1 PID=00B1}
        for ids in FFF1,PID=00B1 FFF2,PID=00B1 FFF1,PID=00B2; do
            csr-make -k "$F/dac.key" -s "CN=d,VID=$ids" >r.csr
            run profile-test -p matter-dac -k "$F/pai.key" -i pai.pem <r.csr
            case $ids in
            FFF1,PID=00B1) [ "$status" -eq 0 ] ;;
            FFF2*) [ "$output" = "profile-test: refused 7: the DAC's VID is FFF2, its PAI's is FFF1" ] ;;
            *) [ "$output" = "profile-test: refused 7: the DAC's PID is 00B2, its PAI's is 00B1" ] ;;
            esac || { echo "$cn: $ids: $output"; return 1; }
        done
    done <<'TABLE'
Mvid:FFF1ACME Matter Devel DAC 5CDAMpid:00B19899|
Mpid:Mvid:FFF1 Mpid:12cd Matter Test Mpid:00B1|
MpidMvid:FFF10 Matter Test Mpid:00B1|
ACME Matter Mvid:FFF1 Mpid:00B1 Mvid:FFF2 Mpid:00B2|
ACME Matter Mvid:FFF2 Mpid:00B2|with attributes
TABLE
    # one attribute is enough for the marks not to count
    foreign_pai 'CN = ACME Mvid:FFF1' PID=00B1
    csr-make -k "$F/dac.key" -s 'CN=d,VID=FFF1,PID=00B1' >r.csr
    run -1 profile-test -p matter-dac -k "$F/pai.key" -i pai.pem <r.csr
    [ "$output" = 'profile-test: refused 11: the issuer is no PAI: its subject has no VID' ]
    # an attribute that is none
    foreign_pai 'CN = ACME' VID=fff1
    run -1 profile-test -p matter-dac -k "$F/pai.key" -i pai.pem <r.csr
    [ "$output" = "profile-test: refused 11: the issuer's VID or PID is there twice, or not four hexadecimal digits in upper case" ]
    # a PAA that is for one product
    csr-make -k "$F/paa.key" -s 'CN=Root,PID=00B1' | profile-test -p root -k "$F/paa.key" >root.pem
    csr-make -k "$F/dac.key" -s 'CN=i,VID=FFF1,PID=00B1' >r.csr
    run -1 profile-test -p matter-pai -k "$F/paa.key" -i root.pem <r.csr
    [ "$output" = 'profile-test: refused 11: the issuer is no PAA: its subject has a PID' ]
}

@test "an issuer whose path length is not that of a PAI or PAA issues no DAC or PAI" {
    local length
    for length in '' ,pathlen:1; do
        LENGTH=$length foreign_pai 'CN = PAI' VID=FFF1
        csr-make -k "$F/dac.key" -s 'CN=d,VID=FFF1,PID=00B1' >r.csr
        run -1 profile-test -p matter-dac -k "$F/pai.key" -i pai.pem <r.csr
        [ "$output" = 'profile-test: refused 11: the issuer is no PAI: its path length is not 0' ]
    done
    printf '%s\n' 'profiles:' '  - {name: x, preset: root, path-length: 2, keys: [P-256]}' >p.yaml
    csr-make -k "$F/paa.key" -s CN=Root | profile-test -c p.yaml -p x -k "$F/paa.key" >root.pem
    csr-make -k "$F/dac.key" -s 'CN=i,VID=FFF1' >r.csr
    run -1 profile-test -p matter-pai -k "$F/paa.key" -i root.pem <r.csr
    [ "$output" = 'profile-test: refused 11: the issuer is no PAA: its path length is not 1 or absent' ]
}

@test "a certificate that could have more than the 600 octets of section 6.1.3 is refused, and one of 600 is not" {
    local n octets
    file 'preset: matter-dac' "crl-distribution-points: [\"http://ca.example/$(printf '%098d' 0)\"]"
    for ((n = 1; n < 60; n++)); do
        csr-make -k "$F/dac.key" -s "CN=$(printf "%0${n}d" 0),VID=FFF1,PID=8000" >r.csr
        profile-test -c p.yaml -p x -k "$F/pai.key" -i "$F/pai.pem" <r.csr >cert.pem 2>why || break
        octets=$(openssl x509 -in cert.pem -outform DER | wc -c)
        [ "$octets" -le 600 ]
    done
    # the signature before was 64 to 72 octets long, nearly always 70 or more
    [ "$octets" -ge 592 ]
    [ "$(cat why)" = "profile-test: refused 2: the certificate would have 601 octets, and Matter allows 600: fewer or shorter names and extensions make it fit" ]
    # others have no such limit
    file 'preset: tls-client' "crl-distribution-points: [\"http://ca.example/$(printf '%0500d' 0)\"]"
    profile-test -c p.yaml -p x -k "$F/pai.key" -i "$F/pai.pem" <r.csr >cert.pem
}

@test "VID and PID are UTF8Strings of four digits in upper case, whoever writes them" {
    local mask value why
    while IFS='|' read -r mask value why; do
        printf '%s\n' 'oid_section = o' '[o]' "VID = $VID" "PID = $PID" '[req]' 'distinguished_name = d' \
            "string_mask = $mask" '[d]' >r.cnf
        openssl req -new -config r.cnf -key "$F/dac.key" -subj "/CN=d/VID=$value/PID=8000" -out r.csr
        run profile-test -p matter-dac -k "$F/pai.key" -i "$F/pai.pem" <r.csr
        [ -z "$why" ] || [ "$output" = "profile-test: refused 2: $why" ] || { echo "$value: $output"; return 1; }
        [ -n "$why" ] || [ "$status" -eq 0 ]
    done <<'TABLE'
utf8only|FFF1|
default|FFF1|VID of the name is not a UTF8String of four hexadecimal digits in upper case
utf8only|fff1|VID of the name is not a UTF8String of four hexadecimal digits in upper case
utf8only|FF1|VID of the name is not a UTF8String of four hexadecimal digits in upper case
utf8only|0xFF|VID of the name is not a UTF8String of four hexadecimal digits in upper case
TABLE
    run -2 csr-make -k "$F/dac.key" -s "CN=d,$VID=fff1"
    [[ ${lines[0]} == 'csr-make: --subject: '*' takes four hexadecimal digits in upper case' ]]
    # the same by name, and in text again
    csr-make -k "$F/dac.key" -s 'CN=d,VID=FFF1,PID=8000' | profile-test -p matter-dac -k "$F/pai.key" -i "$F/pai.pem" >cert.pem
    says cert.pem "subject $VID UTF8String FFF1" "subject $PID UTF8String 8000"
}

@test "a DAC is never valid before its PAI, however late the devices' clocks are" {
    file 'preset: matter-dac' 'backdate: 7d'
    issue x pai "CN=d,$VID=FFF1,$PID=8000" -c p.yaml
    [ "$(openssl x509 -in cert.pem -noout -startdate)" = "$(openssl x509 -in "$F/pai.pem" -noout -startdate)" ]
    CERTLINE_CLOCK=1600000000 run -1 profile-test -p matter-dac -k "$F/pai.key" -i "$F/pai.pem" \
        < <(csr-make -k "$F/dac.key" -s "CN=d,$VID=FFF1,$PID=8000")
    [[ $output == *"profile-test: refused 11: the issuer's certificate is not valid yet" ]]
}

@test "a profile that Matter does not allow is an error of its file" {
    while IFS='|' read -r preset line why; do
        file "preset: $preset" "$line"
        run -2 profile-test -c p.yaml -l
        [[ ${lines[0]} == "profile-test: p.yaml:4:"*": profile \"x\": $why" ]] || { echo "$preset $line: $output"; return 1; }
    done <<'TABLE'
matter-dac|keys: [P-256, P-384]|Matter knows P-256 keys only
matter-dac|key-usage: [digitalSignature, keyAgreement]|a DAC has the key usage digitalSignature and no other
matter-pai|key-usage: [keyCertSign]|a PAI has the key usage keyCertSign, cRLSign and, at most, digitalSignature
matter-pai|path-length: 1|a PAA has the path length 1 or none, a PAI has 0
matter-paa|path-length: 2|a PAA has the path length 1 or none, a PAI has 0
matter-dac|basic-constraints: absent|a DAC is no CA, and says so
matter-dac|critical: [basic-constraints]|basic-constraints and key-usage of a DAC are critical
matter-dac|critical: [key-usage]|basic-constraints and key-usage of a DAC are critical
matter-dac|subject-key-identifier: no|a DAC has a subject key identifier
matter-dac|certificate-policies: [1.2.3]|Matter does not list these extensions for a DAC
matter-dac|extensions: [{oid: 1.2.3, value: "0500"}]|Matter does not list these extensions for a DAC
TABLE
    file 'preset: matter-paa' 'path-length: -1'
    profile-test -c p.yaml -l
}

@test "a line can ask for a DAC, and never for a PAI or a PAA" {
    run -0 profile-test -l matter-paa matter-pai matter-dac idevid-tpm ldevid opc-ua
    [ "$output" = 'matter-paa direct ca renewal 0
matter-pai direct ca renewal 0
matter-dac line - never 0
idevid-tpm line - never 0
ldevid line - renewal 5184000
opc-ua line - never 0' ]
}

@test "ca-sign makes a PAA, its PAI and a DAC, and refuses a DAC of another vendor" {
    local ca
    . "$BATS_TEST_DIRNAME/lib.bash"
    mkdir lab
    lab_use "$PWD/lab"
    lab_tokens
    for ca in paa pai; do
        lab_ca_config $ca
        hsm-keygen "$(lab_uri hsm2 $ca)" >/dev/null
    done
    ca-sign -c lab/etc/paa.yaml --self-signed --profile matter-paa --subject 'CN=PAA,VID=FFF1' >lab/pki/paa.pem
    csr-make --key "$(lab_uri hsm2 pai)" --subject 'CN=PAI,VID=FFF1,PID=8000' |
        ca-sign -c lab/etc/paa.yaml --direct --profile matter-pai >lab/pki/pai.pem
    csr-make --key "$F/dac.key" --subject 'CN=d,VID=FFF1,PID=8000' |
        ca-sign -c lab/etc/pai.yaml --direct --profile matter-dac >dac.pem
    openssl verify -x509_strict -CAfile lab/pki/paa.pem -untrusted lab/pki/pai.pem dac.pem
    says dac.pem "subject $VID UTF8String FFF1" "subject $PID UTF8String 8000" 'signature 1.2.840.10045.4.3.2'
    csr-make --new-key P-256 --key other.key --subject 'CN=e,VID=FFF2,PID=8000' >r.csr
    run -1 ca-sign -c lab/etc/pai.yaml --direct --profile matter-dac <r.csr
    [ "$output" = "ca-sign: e: refused: the DAC's VID is FFF2, its PAI's is FFF1" ]
}

# --- device identities: IEEE 802.1AR-2018, and TCG's for a TPM ---

@test "an IDevID of a TPM has the TPM's type and number, as TCG's section 8 says, and no more than 802.1AR has" {
    csr-make -k "$F/dac.key" -s 'serialNumber=4711,O=ABC' \
        -a 'hardware-module-name:2.23.133.1.2:STM :00ff:1234' \
        -a 'permanent-identifier:2.23.133.12.1:9f86d081884c7d65' >r.csr
    profile-test -p idevid-tpm -k "$F/free.key" -i "$F/free.pem" <r.csr >cert.pem
    says cert.pem 'after 99991231235959Z' 'keyUsage critical 0' 'subject 2.5.4.5 PrintableString 4711' \
        'otherName 1.3.6.1.5.5.7.8.4 2.23.133.1.2 STM :00ff:1234' \
        'otherName 1.3.6.1.5.5.7.8.3 9f86d081884c7d65 2.23.133.12.1'
    extensions cert.pem '2.5.29.15 2.5.29.17 2.5.29.35'
    openssl verify -x509_strict -CAfile "$F/free.pem" cert.pem
    run -0 profile-test -p idevid-tpm -D <r.csr
    [ "$output" = 4711 ]
}

@test "an IDevID of a TPM without the TPM's number, with two, or with a number of something else is refused" {
    local names
    while IFS='|' read -r names why; do
        # shellcheck disable=SC2086 # several options
        csr-make -k "$F/dac.key" -s serialNumber=4711 $names >r.csr
        run -1 profile-test -p idevid-tpm -k "$F/free.key" -i "$F/free.pem" <r.csr
        [ "$output" = "profile-test: refused 7: profile idevid-tpm needs one subjectAltName of kind hardware-module-name: $why" ] ||
            { echo "$names: $output"; return 1; }
    done <<'TABLE'
|there is none
-a hardware-module-name:1.2.3:4711|there is none
-a hardware-module-name:2.23.133.1.20:4711|there is none
-a permanent-identifier:2.23.133.12.1:4711|there is none
-a hardware-module-name:2.23.133.1.2:1 -a hardware-module-name:2.23.133.1.2:2|there are several
TABLE
    csr-make -k "$F/dac.key" -s CN=a -a hardware-module-name:2.23.133.1.2:1 >r.csr
    run -1 profile-test -p idevid-tpm -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$output" = 'profile-test: refused 7: the subject has no serialNumber, which profile idevid-tpm requires' ]
    csr-make -k "$F/dac.key" -s serialNumber=1 -a hardware-module-name:2.23.133.1.2:1 -a permanent-identifier:1.2.3:1 >r.csr
    run -0 profile-test -p idevid-tpm -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "${lines[0]}" = 'profile-test: differs: subjectAltName permanent-identifier:1.2.3:1 was asked and left out' ]
}

@test "an LDevID keeps the name that the IDevID has, and ends" {
    csr-make -k "$F/dac.key" -s 'serialNumber=4711,O=Owner' -a hardware-module-name:1.2.3:4711 -a dns:d.example >r.csr
    CERTLINE_CLOCK=1900000000 profile-test -p root -k "$F/free.key" <"$F/free.any.csr" >root.pem
    CERTLINE_CLOCK=1900000000 profile-test -p ldevid -k "$F/free.key" -i root.pem <r.csr >cert.pem
    says cert.pem 'keyUsage critical 0' 'otherName 1.3.6.1.5.5.7.8.4 1.2.3 4711'
    extensions cert.pem '2.5.29.15 2.5.29.17 2.5.29.35'
    [ "$(openssl x509 -in cert.pem -noout -enddate)" = "notAfter=$(LC_ALL=C date -u -d @1963071999 '+%b %e %T %Y GMT')" ]
    csr-make -n Ed25519 -k ed.key -s serialNumber=1 >r.csr
    run -1 profile-test -p ldevid -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$output" = 'profile-test: refused 0: profile ldevid does not allow Ed25519 keys' ]
}

# --- OPC UA ---

@test "an OPC UA device has its ProductInstanceUri as the only URI, and the usages of OPC 10000-6" {
    local uri=urn:abc.example:2026-11:model-x:4711 type
    for type in P-256 RSA-2048; do
        csr-make -n $type -k opc.$type.key -s 'CN=Model X,O=ABC' -a uri:$uri -a dns:d.example -a ip:192.0.2.1 >r.csr
        profile-test -p opc-ua -k "$F/free.key" -i "$F/free.pem" <r.csr >cert.$type.pem 2>log
        [ ! -s log ]
        says cert.$type.pem "uri $uri" 'basicConstraints critical CA:FALSE' \
            'extKeyUsage 1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.2'
        [ "$(grep -c '^uri ' said)" -eq 1 ]
        openssl verify -x509_strict -CAfile "$F/free.pem" cert.$type.pem
    done
    says cert.RSA-2048.pem 'keyUsage critical 0 1 2 3'
    says cert.P-256.pem 'keyUsage critical 0 1'
    run -0 profile-test -p opc-ua -D <r.csr
    [ "$output" = $uri ]
}

@test "an OPC UA device without a URI, with two, or without a name of product and organisation is refused" {
    csr-make -k "$F/dac.key" -s CN=a,O=b >r.csr
    run -1 profile-test -p opc-ua -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$output" = 'profile-test: refused 7: the request has no subjectAltName of kind uri, which names the device' ]
    csr-make -k "$F/dac.key" -s CN=a,O=b -a uri:urn:a:1 -a uri:urn:a:2 >r.csr
    run -1 profile-test -p opc-ua -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$output" = "profile-test: refused 7: the request has several subjectAltNames of kind uri: which is the device's?" ]
    csr-make -k "$F/dac.key" -s CN=a -a uri:urn:a:1 >r.csr
    run -1 profile-test -p opc-ua -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$output" = 'profile-test: refused 7: the subject has no O, which profile opc-ua requires' ]
    # the line's word on the device stands above the request's URI
    csr-make -k "$F/dac.key" -s CN=a,O=b -a uri:urn:a:2 >r.csr
    run -0 profile-test -p opc-ua -k "$F/free.key" -i "$F/free.pem" -d urn:a:1 <r.csr
    [ "${lines[0]}" = 'profile-test: differs: subjectAltName uri:urn:a:2 was asked and left out' ]
}

# --- keys of a profile that these presets are made of ---

@test "a kind of name can be allowed by its beginning, or needed once" {
    file 'preset: tls-client' 'subject-alt-name:' '  allow: ["uri:urn:abc:", dns]' '  exactly-one: [uri]'
    csr-make -k "$F/dac.key" -s CN=a -a uri:urn:abc:1 -a uri:urn:xyz:1 -a dns:a.example >r.csr
    run -0 --separate-stderr profile-test -c p.yaml -p x -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$stderr" = 'profile-test: differs: subjectAltName uri:urn:xyz:1 was asked and left out' ]
    csr-make -k "$F/dac.key" -s CN=a -a uri:urn:abc:1 -a uri:urn:abc:2 >r.csr
    run -1 profile-test -c p.yaml -p x -k "$F/free.key" -i "$F/free.pem" <r.csr
    [ "$output" = 'profile-test: refused 7: profile x needs one subjectAltName of kind uri: there are several' ]
    file 'preset: tls-client' 'subject-alt-name: {exactly-one: ["uri:urn:"]}'
    run -2 profile-test -c p.yaml -l
    [[ ${lines[0]} == 'profile-test: p.yaml:4:37: profile "x": "uri:urn:" is none of dns, '* ]]
}

@test "a self-signed CA says whose key signed it where the profile wants that" {
    file 'preset: root' 'authority-key-identifier: yes'
    csr-make -k "$F/dac.key" -s CN=a | profile-test -c p.yaml -p x -k "$F/dac.key" >cert.pem
    says cert.pem 'keys own'
    openssl verify -x509_strict -check_ss_sig -CAfile cert.pem cert.pem
    csr-make -k "$F/dac.key" -s CN=a | profile-test -p root -k "$F/dac.key" >cert.pem
    extensions cert.pem '2.5.29.19 2.5.29.15 2.5.29.14'
}
