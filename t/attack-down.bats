# What units say on the way down, signed as it should be and yet not acceptable.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_line || return
    # Another transaction later, whose answer is on its way.
    line_request T2 "$LINE/keys" >"$LINE/second.pem"
    forge_messages "$LINE/second" L7 2 <"$LINE/second.pem"
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    state up
}

OTHER=01020304050607080910111213141516
CTL=1.3.6.1.5.5.7.7
L="layer 1 (ca-sign): "
GRANTED=0/4/2/0     # 101 and 103
LISTED=0/5/2/0      # 102, with what its certificate has otherwise than its request
REFUSED=0/6/2/0     # 104

ca_says() { # WHY EDIT...: ra-approve stops
    again "$M/4.pem" ca-sign "${@:2}" | stops ra-approve 3 "stdin:1: $1"
}
# The rest of the way down takes it, up to attach: attach_finds WHY [EDIT...], BAG for other certificates
attach_finds() {
    forge get "$CONTENT" <"$M/4.pem" | forge edit "${@:2}" |
        forged twin.ca-sign type=response bag="${CERTS:-$M/issued.pem}" >4.pem
    ra-approve <4.pem >5.pem && verify-unit <5.pem >6.pem || return
    stops attach 3 "stdin:1: $1" <6.pem
}

@test "an answer of the twin reaches the devices: what follows fails for its own reason" {
    again "$M/4.pem" ca-sign >4.pem
    ra-approve <4.pem | verify-unit >6.pem
    run -1 --separate-stderr attach <6.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 3 ]
    [ "$stderr" = 'attach: R1: refused: verify-unit: device "R1" is not in the list of lot "L7" (failInfo badIdentity)' ]
}

@test "an answer that leaves out a device is found at the first hop" {
    ca_says "an answer to 3 requests, not to the 4 that were sent" "0/6 del"
    ca_says "${L}the answer has a gap, or two statuses for one request (104)" "$GRANTED/1/0 del" \
        "$RESPONSEINFO/2/0 del"
    ca_says "${L}transactionId, a nonce, responseInfo or a status is missing" "0/6 del" "0/5 del" "0/4 del"
}

@test "an answer with a status twice, or one too many, is found" {
    ca_says "${L}the answer has a gap, or two statuses for one request (104)" "$REFUSED/1/0 dup"
    ca_says "${L}the answer has a gap, or two statuses for one request (102)" "$REFUSED/1/0 body 66"
    ca_says "an answer to 5 requests, not to the 4 that were sent" "$REFUSED/1 add $(int 105)"
}

@test "exactly the granted requests have a certificate" {
    ca_says "${L}no certificate for request 101, which was granted" "$RESPONSEINFO/2/0 del"
    ca_says "${L}a certificate for request 104, which was not granted" "$RESPONSEINFO/2/0/0 body 68"
    ca_says "${L}a certificate for request 101, which was not granted" "$RESPONSEINFO/2/0 dup"
    ca_says "${L}responseInfo with a bad number or hash" "$RESPONSEINFO/2/0/1 body 0102"
    ca_says "ca-sign: the certificate for request 101 is not in the answer" \
        "$RESPONSEINFO/2/0/1 body $(sha256sum <"$M/1.pem" | cut -c-64)"
}

@test "the bag holds what was issued and who issued it, and nothing else" {
    local some
    pki_issue stray "/CN=stray" root keyUsage=digitalSignature
    pki_ca stranger "/CN=Root" stranger
    pki_ca strange-ca "/CN=Device CA" stranger
    forge get "$CONTENT" <"$M/4.pem" >content.der
    forged twin.ca-sign type=response <content.der | stops ra-approve 3 \
        "stdin:1: ca-sign: the certificate for request 101 is not in the answer"
    for some in stray twin.attach; do
        forged twin.ca-sign type=response bag="$M/issued.pem" bag="$PKI/$some.pem" <content.der |
            stops ra-approve 3 "stdin:1: ca-sign: a certificate in the answer that is neither issued nor an issuer"
    done
    forged twin.ca-sign type=response bag="$M/issued.pem" bag="$PKI/root.pem" <content.der |
        stops ra-approve 3 "stdin:1: ca-sign: a certificate in the answer that is neither issued nor an issuer"
    csplit -sz -f cert. "$M/issued.pem" '/^-----BEGIN/' '{*}'
    for some in cert.*; do
        cmp -s <(openssl x509 -in "$some") <(openssl x509 -in "$PKI/ca.pem") || cat "$some"
    done >without-ca.pem
    [ "$(grep -c ^-----BEGIN without-ca.pem)" -eq "$(($(grep -c ^-----BEGIN "$M/issued.pem") - 1))" ]
    forged twin.ca-sign type=response bag=without-ca.pem <content.der |
        stops ra-approve 3 "stdin:1: ca-sign: the issuer of a certificate is not in the answer"
    forged twin.ca-sign type=response bag="$M/issued.pem" bag="$PKI/strange-ca.pem" <content.der |
        stops ra-approve 3 "stdin:1: ca-sign: an issuer in the answer: *"
    forged twin.ca-sign type=response bag="$M/issued.pem" bag="$PKI/ca-messages.pem" <content.der |
        stops ra-approve 3 "stdin:1: ca-sign: an issuer in the answer: *"
}

@test "a certificate taken out of the bag, which no signature covers, or put in is found" {
    local i n=0
    while forge get "$BAG/$n" <"$M/4.pem" >/dev/null 2>&1; do n=$((n + 1)); done
    [ $n -eq 5 ]
    for ((i = 0; i < n; i++)); do
        touched "$M/4.pem" "$BAG/$i del" | stops ra-approve 3 "stdin:1: *"
        touched "$M/4.pem" "$BAG/$i dup" | stops ra-approve 3 "stdin:1: *"
    done
    # sorted as it should be, not signed
    forge get "$CONTENT" <"$M/4.pem" | forged twin.ca-sign type=response bag="$M/issued.pem" bag="$PKI/root.pem" |
        stops ra-approve 3 "stdin:1: ca-sign: a certificate in the answer that is neither issued nor an issuer"
    forge get "$CONTENT" <"$M/4.pem" | forged twin.ca-sign type=response bag="$M/issued.pem" | passes ra-approve
}

hash_of() { openssl x509 -in "$1" -outform DER | sha256sum | cut -c-64; }
# Certificate FILE is what device 101 gets: instead FILE [CERTIFICATES...]
instead() {
    cat "$1" "${@:2}" "$M/issued.pem" >bag.all
    # Nothing is in the bag that is not issued: what was there for 101 goes.
    local first
    first=$(forge get "$CONTENT" <"$M/4.pem" | forge hex "$RESPONSEINFO/2/0/1")
    csplit -sz -f one. bag.all '/^-----BEGIN/' '{*}'
    for f in one.*; do
        [ "$(hash_of "$f")" = "$first" ] || cat "$f"
    done >bag.pem
    rm one.*
    CERTS=bag.pem
    EDIT="$RESPONSEINFO/2/0/1 body $(hash_of "$1")"
}

@test "a certificate for another key than the device's never reaches it" {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out own.key
    csr-make --key own.key --subject serialNumber=T1 | ca-sign --direct --profile tls-client \
        --subject "serialNumber=T1,O=direct" >own.pem
    instead own.pem
    attach_finds "T1: its certificate is for another key than the one sent" "$EDIT"
    state up
    CERTS=
    # Two devices' certificates changed with each other.
    attach_finds "*: its certificate is for another key than the one sent" "$RESPONSEINFO/2/0/0 body 66" \
        "$RESPONSEINFO/2/1/0 body 65" "$RESPONSEINFO/2/0 swap"
}

# A certificate for T1's key: by_ca NAME CA [WORD OF pki_issue...]
by_ca() {
    cp "$LINE/keys/T1.key" "$PKI/$1.key"
    pki_issue "$1" "/serialNumber=T1" "$2" keyUsage=digitalSignature "${@:3}"
}

@test "a certificate by a CA that is none, or not ours, never reaches a device" {
    pki_ca stranger "/CN=Root" stranger
    pki_ca false-ca "/CN=Device CA" stranger
    by_ca false false-ca
    instead "$PKI/false.pem"
    attach_finds "T1: its certificate bears a signature that its issuer did not make" "$EDIT"
    state up
    pki_issue leaf-ca "/CN=leaf-ca" root keyUsage=digitalSignature
    by_ca false2 leaf-ca
    instead "$PKI/false2.pem" "$PKI/leaf-ca.pem"
    forge get "$CONTENT" <"$M/4.pem" | forge edit "$EDIT" |
        forged twin.ca-sign type=response bag="$CERTS" | stops ra-approve 3 \
        "stdin:1: ca-sign: an issuer in the answer: *"
    instead "$PKI/false2.pem"
    forge get "$CONTENT" <"$M/4.pem" | forge edit "$EDIT" |
        forged twin.ca-sign type=response bag="$CERTS" | stops ra-approve 3 \
        "stdin:1: ca-sign: the issuer of a certificate is not in the answer"
}

@test "a certificate that is over, or has not begun, never reaches a device" {
    pki_ca second-ca "/CN=Second CA" root
    by_ca over second-ca to=20250101000000Z
    instead "$PKI/over.pem" "$PKI/second-ca.pem"
    attach_finds "T1: its certificate expired 2025-01-01T00:00:00Z" "$EDIT"
    state up
    by_ca early second-ca from=20380101000000Z
    instead "$PKI/early.pem" "$PKI/second-ca.pem"
    attach_finds "T1: its certificate is not valid before 2038-01-01T00:00:00Z" "$EDIT"
}

@test "an answer to another nonce is found by attach" {
    attach_finds "ca-sign: recipientNonce is not the one that was sent" "$RECIPIENT body $OTHER"
}

@test "an answer names the message that it answers, at every hop" {
    local why="stdin:1: an answer to a message that this unit did not send" digest
    digest=$(printf 'ab%.0s' {1..32})
    again "$M/4.pem" ca-sign "$RESPONSEINFO/1 body $digest" | stops ra-approve 3 "$why"
    again "$M/4.pem" ca-sign "$TID body $OTHER" | stops ra-approve 3 "$why"
    again "$M/5.pem" ra-approve "0/2/2/0/0/1 body $digest" | stops verify-unit 3 "$why"
    again "$M/6.pem" verify-unit "0/2/2/0/0/1 body $digest" | stops attach 3 "$why"
}

@test "each control of an answer must be there, once, and no other" {
    local i
    for i in 0 1 2 3; do
        ca_says "${L}transactionId, a nonce, responseInfo or a status is missing" "0/$i del"
        ca_says "${L}control $CTL.* stands twice" "0/$i dup" "0/$i/0 body 32"
    done
    ca_says "${L}control $ARC.10 has no place here" "0 add $(control 50 "$ARC.10" 3000)"
    ca_says "${L}control $CTL.37 has no place here" "0 add $(control 50 $CTL.37 3000)"
    ca_says "${L}a nonce is not 16 to 64 octets" "$NONCE body 00"
    ca_says "${L}responseInfo of another version" "$RESPONSEINFO/0 body 02"
    ca_says "${L}responseInfo of another version" "$RESPONSEINFO/1 body 00"
    ca_says "${L}body part ids are not all different *" "0/1/0 body 01"
}

@test "a status is success, or failed with failInfo and a sentence" {
    ca_says "${L}a success with failInfo or pendInfo" "$LISTED add $(int 7)"
    ca_says "${L}a failed status without failInfo and statusString" "$REFUSED/3 del"
    ca_says "${L}a failed status without failInfo and statusString" "$REFUSED/2 del"
    ca_says "${L}a failed status without *" "$REFUSED/3 body 63"
    ca_says "${L}a status that is not known, or has no place here" "$REFUSED/0 body 04"
    ca_says "${L}a status that does not name requests of this message" "$REFUSED/1/0 set $(tlv 30 "$(int 1)" "$(int 104)")"
    ca_says "${L}a statusString that is empty, longer than 600 octets or not plain text" "$REFUSED/2 body 1b5b"
    ca_says "${L}no certificate for request 104, which was granted" "$REFUSED/0 body 00" "$REFUSED/3 del"
}

@test "ca-sign's answer holds no message" {
    ca_says "${L}a message inside the signing unit's answer" "1 add $(tlv 30 "$(int 50)" 3000)"
    ca_says "${L}a message inside the signing unit's answer" "2 add $(tlv 30 "$(int 50)" "$(oid 1.2.3)" 3000)"
}

@test "what wraps an answer says which one, and issues nothing" {
    local r="layer 1 (ra-approve): " info=0/2/2/0/0 hash
    hash=$(printf 'ab%.0s' {1..32})
    state answered
    again "$M/5.pem" ra-approve | passes verify-unit
    ra_answers() { again "$M/5.pem" ra-approve "${@:2}" | stops verify-unit 3 "stdin:1: $r$1"; }
    ra_answers "responseBody is not {1}" "0/1/2/0/0 body 02"
    ra_answers "responseInfo lists certificates where none are issued" \
        "$info/2 add $(tlv 30 "$(int 101)" "$(tlv 04 "$hash")")"
    ra_answers "not exactly one message inside, numbered 1" "1/0 del"
    ra_answers "not exactly one message inside, numbered 1" "1/0/0 body 02"
    ra_answers "an otherMsg in a response" "2 add $(tlv 30 "$(int 50)" "$(oid 1.2.3)" 3000)"
    ra_answers "control $CTL.25 has no place here" "0 add $(control 50 $CTL.25 3000)"
    ra_answers "transactionId, responseBody or responseInfo is missing" "0/2 del"
}

@test "an old answer is replayed at each hop: where it was never asked for it is refused" {
    local why="stdin:1: an answer to a message that this unit did not send"
    state sent
    stops ra-approve 3 "$why" <"$M/4.pem"
    stops verify-unit 3 "$why" <"$M/5.pem"
    state empty
    stops attach 3 "$why" <"$M/6.pem"
}

@test "an old answer is replayed at each hop: where it was asked for it gives what it gave" {
    state passed
    ra-approve <"$M/4.pem" | cmp - "$M/5.pem"
    verify-unit <"$M/5.pem" | cmp - "$M/6.pem"
    run -1 --separate-stderr attach <"$M/6.pem"
    local first=$output before
    before=$(line_entries attach)
    run -1 --separate-stderr attach <"$M/6.pem"
    [ "$output" = "$first" ]
    [ "$(line_entries attach)" = "$before" ]
}

@test "an old answer as the answer to a later message is refused at each hop" {
    local digest info=0/2/2/0/0
    # The old content under the new transaction: what is inside still says the old one.
    state 2up
    digest=$(forge get . <"$LINE/second/3.pem" | sha256sum | cut -c-64)
    again "$M/4.pem" ca-sign "$RESPONSEINFO/1 body $digest" | stops ra-approve 3 \
        "stdin:1: an answer to a message that this unit did not send"
    around "$LINE/second/5.pem" ra-approve "$M/4.pem" | stops verify-unit 3 \
        "stdin:1: layer 2 (ca-sign): another transactionId than the layer around it"
    around "$LINE/second/6.pem" verify-unit "$M/5.pem" | stops attach 3 \
        "stdin:1: layer 2 (ra-approve): another transactionId than the layer around it"
}

@test "a second, different answer to the same message is refused at each hop" {
    local why="stdin:1: another answer to a message that is answered already"
    state passed
    again "$M/4.pem" ca-sign | stops ra-approve 3 "$why"
    again "$M/5.pem" ra-approve | stops verify-unit 3 "$why"
    attach <"$M/6.pem" >/dev/null 2>&1 || [ $? -eq 1 ]
    again "$M/6.pem" verify-unit | stops attach 3 "$why"
}

@test "ca-sign's old answer inside new wrappings is another answer" {
    state up
    again "$M/4.pem" ca-sign >4.pem
    ra-approve <4.pem >5.pem
    around "$M/5.pem" ra-approve "$M/4.pem" | stops ra-approve 3 "*"
    stops ra-approve 3 "stdin:1: another answer to a message that is answered already" <"$M/4.pem"
}
