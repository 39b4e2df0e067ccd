# What units say on the way up, signed as it should be and yet not acceptable.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_line
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    state sent
}

OTHER_TID=01020304050607080910111213141516
CTL=1.3.6.1.5.5.7.7

# What attach, verify-unit or ra-approve says, with changes: the next one stops.
attach_says() { # WHY EDIT...
    again "$M/1.pem" attach "${@:2}" | stops verify-unit 3 "stdin:1: layer 1 (attach): $1"
}
verify_says() {
    again "$M/2.pem" verify-unit "${@:2}" | stops ra-approve 3 "stdin:1: $1"
}
ra_says() {
    again "$M/3.pem" ra-approve "${@:2}" | stops ca-sign 3 "stdin:1: $1"
}
V="layer 1 (verify-unit): "
R="layer 1 (ra-approve): "

# --- attach's message ---

@test "attach's controls must be there, each once, with one value" {
    again "$M/1.pem" attach "$TID body $OTHER_TID" | passes verify-unit
    local i
    for i in 0 1 2; do
        attach_says "transactionId, senderNonce or regInfo is missing" "0/$i del"
        attach_says "body part ids are not all different and from 1 to 4294967295" "0/$i dup"
        attach_says "control $CTL.* stands twice" "0/$i dup" "0/$i/0 body 32"
        attach_says "control $CTL.* has not exactly one value" "0/$i/2/0 del"
        attach_says "*" "0/$i/2/0 dup"
    done
}

@test "a control that is not known, or belongs elsewhere, has no place" {
    attach_says "control 1.2.3.4 has no place here" "0 add $(control 50 1.2.3.4 0500)"
    attach_says "control $CTL.28 has no place here" "0 add $(control 50 $CTL.28 "$(tlv 30 "$(int 1)")")"
    attach_says "control $CTL.25 has no place here" "0 add $(control 50 $CTL.25 3000)"
    attach_says "control $ARC.10 has no place here" "0 add $(control 50 "$ARC.10" 3000)"
}

@test "a transactionId is positive and below 2^128" {
    again "$M/1.pem" attach "$TID body 01" | passes verify-unit
    again "$M/1.pem" attach "$TID body 00ffffffffffffffffffffffffffffffff" | passes verify-unit
    local bad
    for bad in 00 80 0100000000000000000000000000000000; do
        attach_says "transactionId is not a positive INTEGER below 2^128" "$TID body $bad"
    done
    attach_says "transactionId is not *" "$TID tag 04"
    attach_says "not DER: *" "$TID body 0001"
}

@test "a nonce has 16 to 64 octets" {
    local long=$OTHER_TID$OTHER_TID$OTHER_TID$OTHER_TID
    again "$M/1.pem" attach "$NONCE body $long" | passes verify-unit
    attach_says "senderNonce is not 16 to 64 octets" "$NONCE body ${long}00"
    attach_says "senderNonce is not 16 to 64 octets" "$NONCE body 010203040506070809101112131415"
}

@test "requests are numbered from 101 without a gap, and regInfo names each" {
    attach_says "requests are not numbered from 101 without a gap" "1/0/0 body 64"
    attach_says "requests are not numbered from 101 without a gap" "1/0/0 body 70"
    attach_says "body part ids are not all different *" "1/0/0 body 66"
    attach_says "body part ids are not all different *" "1/0/0 body 00"
    attach_says "requests are not numbered *" "1/0 del"
    attach_says "regInfo does not name each device once" "3/0 del" "1/2/0 body 67"
    attach_says "regInfo does not name each device once" "$REGINFO/5/0 del"
    attach_says "regInfo does not name each device once" "$REGINFO/5/0 dup"
    attach_says "regInfo does not name each device once, in order" "$REGINFO/5/0 swap"
}

@test "regInfo is of this version and says nothing empty, overlong or unprintable" {
    local i long
    long=$(printf 'x%.0s' {1..201})
    attach_says "regInfo of another version" "$REGINFO/0 body 02"
    attach_says "regInfo of another version" "$REGINFO/1 body 0102"
    for i in 2 3 4; do
        attach_says "regInfo with an empty, overlong or unprintable lot, profile or unit" "$REGINFO/$i set 0c00"
        attach_says "regInfo with an empty, *" "$REGINFO/$i set $(utf8 "$long")"
        attach_says "regInfo with an empty, *" "$REGINFO/$i set 0c034c0a37"
        attach_says "regInfo with an empty, *" "$REGINFO/$i set 0c034cff37"
    done
    attach_says "regInfo names a device by an empty, overlong or unprintable id" "$REGINFO/5/0/1 set 0c00"
    attach_says "regInfo names a device *" "$REGINFO/5/0/1 set 0c03541b5b"
    attach_says "regInfo names a device *" "$REGINFO/5/0/1 set $(utf8 "${long:0:129}")"
    attach_says "regInfo is not that of this profile" "$REGINFO/0 dup"
}

@test "a message without requests, or with 1,001, is malformed" {
    attach_says "0 requests, not 1 to 1000" "1/2 del" "1/1 del" "1/0 del" "3/0 del"
    forge get "$CONTENT" <"$M/1.pem" | forge get 3/0 >key.der
    yes key.der | head -n 1001 | xargs cat >keys.der
    attach_says "*more than * 1000 requests *" "3/0 after @keys.der"
}

@test "attach sends PKCS #10 requests and public keys, nothing else" {
    attach_says "an otherMsg that is no public key" "3/0/1 set $(oid 1.2.3)"
    forge get "$CONTENT" <"$M/2.pem" | forge get 1/0 >crm.der
    attach_says "a CRMF request from an attaching unit" "1/0 set @crm.der" "1/0/0/0 body 65"
    attach_says "a message inside an attaching unit's message" "2 add $(tlv 30 "$(int 50)" 3000)"
}

@test "a message for another unit is not taken, not even further up" {
    again "$M/1.pem" attach "$REGINFO/4 set $(utf8 verify-unit-2)" >1.pem
    stops verify-unit 3 "stdin:1: a message for verify-unit-2, not for verify-unit-1" <1.pem
    around "$M/2.pem" verify-unit 1.pem >2.pem
    stops ra-approve 3 "stdin:1: a message for verify-unit-2, not for verify-unit-1" <2.pem
    around "$M/3.pem" ra-approve 2.pem | stops ca-sign 3 \
        "stdin:1: a message for verify-unit-2, not for verify-unit-1"
}

@test "a transactionId belongs to one message of attach for ever, at every hop" {
    state passed
    again "$M/1.pem" attach "$NONCE body $OTHER_TID" >1.pem
    local why="stdin:1: the transactionId belongs to another message of the attaching unit"
    stops verify-unit 3 "$why" <1.pem
    around "$M/2.pem" verify-unit 1.pem >2.pem
    stops ra-approve 3 "$why" <2.pem
    around "$M/3.pem" ra-approve 2.pem | stops ca-sign 3 "$why"
}

@test "the same message again gives the recorded answer again, octet for octet" {
    state passed
    verify-unit <"$M/1.pem" | cmp - "$M/2.pem"
    ra-approve <"$M/2.pem" | cmp - "$M/3.pem"
    ca-sign <"$M/3.pem" | cmp - "$M/4.pem"
    ra-approve <"$M/4.pem" | cmp - "$M/5.pem"
    verify-unit <"$M/5.pem" | cmp - "$M/6.pem"
}

# --- what verify-unit adds ---

verdict() { # PATH-AS-HEX-NUMBERS [STATUS]
    local path= n
    for n in $1; do path+=$(int "$n"); done
    control 60 "$ARC.10" "$(tlv 30 "$(int "${2:-2}")" "$(tlv 30 "$(tlv 30 "$path")")" "$(utf8 no)" "$(int 2)")"
}

@test "a verdict names requests of its message, each once, and only refuses" {
    again "$M/2.pem" verify-unit "0 add $(verdict "1 101")" | passes ra-approve
    verify_says "verify-unit: a verdict on request 105, which is not in the message" "0 add $(verdict "1 105")"
    verify_says "verify-unit: two verdicts on request 104" "0 add $(verdict "1 104")"
    verify_says "${V}a status that does not name requests of this message" "0 add $(verdict "1 1 101")"
    verify_says "${V}a status that does not name requests of this message" "0 add $(verdict "2 101")"
    verify_says "${V}a status that is not known, or has no place here" \
        "0 add $(verdict "1 101" 0)"
    verify_says "${V}a status that is not known, *" "0 add $(verdict "1 101" 3)"
}

@test "a verdict says why" {
    verify_says "${V}a failed status without failInfo and statusString" "0/2/2/0/2 del"
    verify_says "${V}a failed status without failInfo and statusString" "0/2/2/0/3 del"
    verify_says "${V}a failed status without failInfo and statusString" "0/2/2/0/3 body 0e"
    verify_says "${V}a statusString that is empty, longer than 600 octets or not plain text" \
        "0/2/2/0/2 body 6e6f0a"
}

@test "a status of an answer has no place in a request" {
    verify_says "${V}control $CTL.25 has no place here" "0/2/1 set $(oid $CTL.25)"
}

MOD=0/3/2/0 # pkiDataReference, certReferences, certTemplate

@test "a modCertTemplate never names a key" {
    again "$M/2.pem" verify-unit "$MOD/2/0/0 del" "$MOD/2/0 add 3000" | passes ra-approve
    forge get "$CONTENT" <"$M/2.pem" | forge get 1/0/0/1/1 >key.der
    verify_says "${V}a modCertTemplate that names a key" "$MOD/2 add @key.der"
    verify_says "${V}a modCertTemplate that says nothing" "$MOD/2/0 del"
}

extensions() { # OID VALUE: [9] Extensions with one
    tlv a9 "$(tlv 30 "$(oid "$1")" "$(tlv 04 "$2")")"
}

@test "a modCertTemplate never asks for CA:TRUE, or for any extension but subjectAltName" {
    local names
    names=$(tlv 30 "$(tlv 82 61)")
    again "$M/2.pem" verify-unit "$MOD/2 add $(extensions 2.5.29.17 "$names")" | passes ra-approve
    verify_says "${V}a modCertTemplate with another extension than subjectAltName" \
        "$MOD/2 add $(extensions 2.5.29.19 30030101ff)"
    verify_says "${V}a modCertTemplate with another *" "$MOD/2 add $(extensions 2.5.29.37 "$(tlv 30 "$(oid $CMC_RA)")")"
    verify_says "${V}a modCertTemplate with another *" "$MOD/2 add $(extensions 2.5.29.17 3000)"
    verify_says "${V}a modCertTemplate with another *" \
        "$MOD/2 add $(extensions 2.5.29.17 "$names")" "$MOD/2/1/0 dup"
    verify_says "${V}a modCertTemplate with more than subject and subjectAltName, or malformed" \
        "$MOD/2/0 before $(tlv a4 "$(tlv 80 3330303130313030303030305a)")"
}

@test "modCertTemplates for one request say different things of different fields" {
    local first=0/3 second=0/4
    verify_says "${V}two modCertTemplates for the same field of request 102" "$first dup" "$second/0 body 32"
    verify_says "${V}two modCertTemplates for the same field of request 102" \
        "$first dup" "$second/0 body 32" "$second/2/0/1 after 010100"
    verify_says "verify-unit: a modCertTemplate for request 109, which is not in the message" "$MOD/1/0 body 6d"
    verify_says "verify-unit: a modCertTemplate for request 103, which is not in the message" "$MOD/1/0 body 67"
    verify_says "${V}a modCertTemplate that does not name requests of this message" "$MOD/0/0 body 02"
}

CRM=1/0/0 # certReqId, certTemplate {subject, publicKey}

@test "verify-unit cannot put its own key in place of a device's" {
    again "$M/2.pem" verify-unit | passes ra-approve
    openssl pkey -in "$PKI/twin.verify-unit.key" -pubout -outform DER | forge edit ". tag a6" >own.der
    verify_says "verify-unit's request 103: no device gave this key" "$CRM/1/1 set @own.der"
    again "$M/2.pem" verify-unit "$CRM/1/1 set @own.der" >2.pem
    around "$M/3.pem" ra-approve 2.pem | stops ca-sign 3 \
        "stdin:1: verify-unit's request 103: no device gave this key"
}

@test "each public key is either refused or requested, and once" {
    local witness=0/4/2/0/1
    verify_says "verify-unit: public key 103 is not either refused or requested" "1/0 del" "0/4 del"
    verify_says "verify-unit: public key 103 is not either refused or requested" "0 add $(verdict "1 103")"
    verify_says "verify-unit's request 104: a second one for the same key" \
        "1/0 dup" "1/1/0/0 body 68" "$witness add $(int 104)"
    verify_says "${V}body part ids are not all different *" "1/0 dup"
}

@test "lraPOPWitness must be there and name the CRMF requests of its layer" {
    local not="${V}lraPOPWitness does not name the CRMF requests of its layer" witness=0/4/2/0
    verify_says "${V}CRMF requests without lraPOPWitness" "0/4 del"
    verify_says "$not" "$witness/1/0 body 66"
    verify_says "$not" "$witness/1 add $(int 104)"
    verify_says "$not" "$witness/0 body 01"
    verify_says "$not" "1/0 del"
}

@test "a CRMF request has subject, key and raVerified, and nothing else" {
    local more="${V}a CRMF request with more or less than subject and public key"
    verify_says "$more" "$CRM/1/0 del"
    verify_says "$more" "$CRM/1/1 del"
    verify_says "$more" "$CRM/1 add $(extensions 2.5.29.19 30030101ff)"
    verify_says "${V}not the CMC structure that belongs here" "1/0/1 tag 82"
    verify_says "${V}not the CMC structure that belongs here" "1/0/1 del"
    verify_says "${V}a CRMF request with a malformed subject" "$CRM/1/0/0 tag 31"
}

@test "verify-unit adds no PKCS #10 request and no public key" {
    forge get "$CONTENT" <"$M/1.pem" | forge get 1/0 >tcr.der
    forge get "$CONTENT" <"$M/1.pem" | forge get 3/0 >key.der
    verify_says "${V}a PKCS #10 request from verify-unit" "1 add @tcr.der"
    verify_says "${V}a public key from verify-unit" "3 add @key.der" "3/0/0 body 32"
}

@test "batchRequests names the wrapped message alone" {
    verify_says "${V}batchRequests is not {1}" "0/1/2/0/0 body 02"
    verify_says "${V}batchRequests is not {1}" "0/1/2/0/0 dup"
    verify_says "${V}transactionId or batchRequests is missing" "0/1 del"
    verify_says "${V}control $CTL.6 has no place here" "0 add $(control 61 $CTL.6 "$(tlv 04 $OTHER_TID)")"
}

# --- what ra-approve adds ---

@test "ra-approve adds verdicts, and neither templates nor requests" {
    again "$M/3.pem" ra-approve "0 add $(verdict "1 1 101")" | passes ca-sign
    forge get "$CONTENT" <"$M/2.pem" | forge get 0/3 >mod.der
    forge get "$CONTENT" <"$M/2.pem" | forge get 0/4 >witness.der
    forge get "$CONTENT" <"$M/2.pem" | forge get 1/0 >crm.der
    ra_says "${R}control $CTL.31 has no place here" "0 add @mod.der"
    ra_says "${R}control $CTL.11 has no place here" "0 add @witness.der"
    ra_says "${R}a request from ra-approve" "1 add @crm.der"
    ra_says "ra-approve: a verdict on request 109, which is not in the message" "0 add $(verdict "1 1 109")"
    ra_says "${R}a status that does not name *" "0 add $(verdict "1 1 1 101")"
    ra_says "ra-approve: a verdict on request 101, which is not in the message" "0 add $(verdict "1 101")"
}

@test "a refusal of verify-unit cannot be taken back further up" {
    ca-sign <"$M/3.pem" >4.pem
    [ "$(sqlite3 "$LINE/var/ca-sign.db" "select group_concat(device) from entry where kind = 12")" = T1,N1,K1 ]
    [[ $(openssl cms -verify -noverify -inform PEM -in 4.pem 2>/dev/null | strings) == *'verify-unit: device "R1" is not in the list'* ]]
}

# What verify-unit says of the devices, and what comes of it: nothing for T1 (101), N1 (102) or K1 (103).
nothing_for() { # DEVICE SENTENCE EDIT...: of verify-unit's content
    again "$M/2.pem" verify-unit "${@:3}" | ra-approve | ca-sign >4.pem
    [[ $(openssl cms -verify -noverify -inform PEM -in 4.pem 2>/dev/null | strings) == *"$2"* ]] || return
    [[ $(sqlite3 "$LINE/var/ca-sign.db" "select device from entry where kind = 12") != *"$1"* ]]
}
name_of() { tlv 30 "$(tlv 31 "$(tlv 30 "$(oid 2.5.4.5)" "$(tlv 13 "$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')")")")"; }

@test "verify-unit cannot make one device's request another's" {
    nothing_for N1 'ra-approve: the request is of device "T9", not of "N1"' "$MOD/2/0/0 set $(name_of T9)"
    state sent
    nothing_for K1 'ra-approve: the request is of device "T9", not of "K1"' "$CRM/1/0/0 set $(name_of T9)"
}

@test "verify-unit cannot take a name away" {
    nothing_for N1 'ra-approve: ' "$MOD/2/0/0 set 3000"
}
