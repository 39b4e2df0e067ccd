# A message in another form than the one of certline-message(5): what no signature covers is held to it too.
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

# each WHY EDIT...: message 1 with this change, which no signature covers, is malformed
touch_stops() { # WHY EDIT...
    touched "$M/1.pem" "${@:2}" | stops verify-unit 3 "stdin:1: $1"
}
resign_stops() { # WHY EDIT...
    resigned "$M/1.pem" attach "${@:2}" | stops verify-unit 3 "stdin:1: $1"
}
NO_CMS="not a CMS SignedData with attributes, certificates and content"

@test "the twin of a unit is believed: what follows fails for its own reason" {
    again "$M/1.pem" attach | passes verify-unit
    resigned "$M/1.pem" attach | passes verify-unit
    again "$M/2.pem" verify-unit | passes ra-approve
    again "$M/3.pem" ra-approve | passes ca-sign
    state up
    again "$M/4.pem" ca-sign | passes ra-approve
}

flips() { # RECEIVER MESSAGE
    local step=1
    if grep -qs sanitize "$BUILD/config.mk"; then step=9; fi
    run layers-test "$1" "$PKI/root.pem" "$M/$2.pem" flip $step
    [ "$status" -eq 0 ] && [[ $output == *" tried, 0 passed" ]] || { echo "$output"; return 1; }
}

@test "a bit flipped anywhere in what attach sent is found" {
    flips verify-unit 1
}

@test "a bit flipped anywhere in what verify-unit sent up is found" {
    flips ra-approve 2
}

@test "a bit flipped anywhere in what ra-approve sent up is found" {
    flips ca-sign 3
}

@test "a bit flipped anywhere in what ca-sign answered is found" {
    flips ra-approve 4
}

@test "a bit flipped anywhere in what ra-approve sent down is found" {
    flips verify-unit 5
}

@test "a bit flipped anywhere in what verify-unit sent down is found" {
    flips attach 6
}

@test "a message that is cut short anywhere is found" {
    run -0 layers-test verify-unit "$PKI/root.pem" "$M/1.pem" cut
    [[ $output == *" tried, 0 passed" ]]
    run -0 layers-test attach "$PKI/root.pem" "$M/6.pem" cut
    [[ $output == *" tried, 0 passed" ]]
}

@test "octets behind a message are found" {
    { forge get . <"$M/1.pem"; printf '\0'; } | forge pem CMS | stops verify-unit 3 \
        "stdin:1: not DER: *"
    run -3 layers-test verify-unit "$PKI/root.pem" "$M/1.pem" append
}

@test "another version of SignedData or SignerInfo is malformed" {
    touch_stops "SignedData version is not 3" "1/0/0 body 01"
    touch_stops "SignerInfo version is not 1" "$SIGNER/0 body 03"
}

@test "digestAlgorithms names the one digest of the signer, without parameters" {
    touch_stops "digestAlgorithms does not name the signer's digest alone" \
        "1/0/1 add $(tlv 30 "$(oid 2.16.840.1.101.3.4.2.2)")"
    touch_stops "digestAlgorithms does not name the signer's digest alone" \
        "1/0/1/0 set $(tlv 30 "$(oid 2.16.840.1.101.3.4.2.2)")"
    touch_stops "digestAlgorithms does not name the signer's digest alone" "1/0/1/0 del"
    touch_stops "digestAlgorithms does not name the signer's digest alone" "1/0/1/0 add 0500"
    touch_stops "*digest algorithm is not SHA-256, SHA-384 or SHA-512 without parameters" \
        "1/0/1/0 add 0500" "$SIGNER/2 add 0500"
}

@test "SHA-1 is refused, SHA-384 is taken" {
    again "$M/1.pem" attach | forge get $CONTENT >content.der
    forged twin.attach md=sha384 <content.der | passes verify-unit
    forged twin.attach md=sha1 <content.der | stops verify-unit 3 \
        "stdin:1: the digest algorithm is not SHA-256, SHA-384 or SHA-512 without parameters"
    forged twin.attach md=sha224 <content.der | stops verify-unit 3 \
        "stdin:1: the digest algorithm is not SHA-256, SHA-384 or SHA-512 without parameters"
}

@test "a signature algorithm other than the key's and the digest's is malformed" {
    touch_stops "layer 1 (attach): the signature algorithm does not fit the key of attach-1" \
        "$SIGNER/4 set $(tlv 30 "$(oid 1.2.840.10045.4.3.3)")"
    touch_stops "layer 1 (attach): the signature algorithm does not fit the key of attach-1" \
        "$SIGNER/4 add 0500"
}

@test "lengths that are open or not minimal are found at every depth" {
    local path
    for path in . 1 1/0 1/0/2 1/0/2/1 1/0/2/1/0 $BAG $BAG/0/0 $SIGNER $SIGNER/1/0 $SIGNER/3 $SIGNER/5; do
        touch_stops "*not DER: *" "$path long"
        touch_stops "*not DER: *" "$path indef"
    done
}

@test "signed content that is not DER is found below the signature, too" {
    local path
    for path in 0 0/0 $REGINFO 1 1/0/1 1/0/1/0 3; do
        again "$M/1.pem" attach "$path long" | stops verify-unit 3 "stdin:1: layer 1 (attach): *"
        again "$M/1.pem" attach "$path indef" | stops verify-unit 3 "stdin:1: layer 1 (attach): *"
    done
}

@test "the bag is a SET in order, and each certificate stands there once" {
    pki_key other && forge_unit other attach root other-1
    openssl x509 -in "$PKI/other.pem" -outform DER -out other.der
    touch_stops "*" "$BAG add @other.der"
    touch_stops "*" "$BAG/0 before @other.der"
    touch_stops "layer 1 (attach): the signer's certificate is not in the bag exactly once" "$BAG/0 dup"
    forge get $CONTENT <"$M/1.pem" | forged twin.attach bag="$PKI/other.pem" | stops verify-unit 3 \
        "stdin:1: layer 1 (attach): 1 certificates that do not belong to the path of attach-1"
}

@test "a bag without the signer's certificate is malformed" {
    touch_stops "layer 1 (attach): the signer's certificate is not in the bag exactly once" \
        "$BAG/0 set @$(der_of "$PKI/ca.pem")"
    touch_stops "$NO_CMS" "$BAG del"
    touch_stops "0 certificates, not 1 to 2100" "$BAG/0 del"
}

der_of() { # CERTIFICATE
    openssl x509 -in "$1" -outform DER -out "$BATS_TEST_TMPDIR/$(basename "$1").der"
    echo "$BATS_TEST_TMPDIR/$(basename "$1").der"
}

@test "unsigned attributes, CRLs and a second signer are malformed" {
    touch_stops "$NO_CMS" "$SIGNER add $(tlv a1 "$(tlv 30 "$(oid 1.2.3)" "$(tlv 31 0500)")")"
    touch_stops "$NO_CMS" "$BAG after $(tlv a1 3000)"
    touch_stops "*" "$SIGNER dup"
    again "$M/1.pem" attach | forge get 1/0/4/0 >second.der
    touch_stops "*" "1/0/4 add @second.der"
    touch_stops "*" "$SIGNER before @second.der"
    touch_stops "0 signers, not one" "$SIGNER del"
}

@test "a signer named by its key identifier is malformed" {
    touch_stops "$NO_CMS" "$SIGNER/0 body 03" "$SIGNER/1 set $(tlv 80 0102030405060708)"
}

@test "detached content, and content of another type, are malformed" {
    touch_stops "$NO_CMS" "1/0/2/1 del"
    touch_stops "the content is of a type that is not known here" \
        "1/0/2/0 set $(oid 1.2.840.113549.1.7.1)"
    touch_stops "not SignedData" "0 set $(oid 1.2.840.113549.1.7.3)"
    again "$M/1.pem" attach | forge get $CONTENT | forged twin.attach type=1.3.6.1.5.5.7.12.3 |
        stops verify-unit 3 "stdin:1: layer 1 (ra-approve): signed by attach-1, whose role is attach, not ra-approve"
}

@test "a grant, a head or evidence is no message, nor inside one" {
    local n
    for n in 30 31 32; do
        forge get $CONTENT <"$M/1.pem" | forged twin.attach type="$ARC.$n" >1.pem
        stops verify-unit 3 "stdin:1: the content is neither PKIData nor PKIResponse" <1.pem
        around "$M/2.pem" verify-unit 1.pem | stops ra-approve 3 \
            "stdin:1: layer 2 (attach): the content is neither PKIData nor PKIResponse"
    done
    forge get $CONTENT <"$M/1.pem" | forged twin.attach type="$ARC.33" |
        stops verify-unit 3 "stdin:1: the content is of a type that is not known here"
}

ATTRS_WRONG="layer 1 (attach): the signed attributes do not match content and signer (attach-1)"

@test "each signed attribute must be there" {
    local i
    for i in 0 1 2 3; do
        resigned "$M/1.pem" attach "$ATTRIBUTES/$i del" | stops verify-unit 3 "stdin:1: *signingTime" ||
            resigned "$M/1.pem" attach "$ATTRIBUTES/$i del" | stops verify-unit 3 "stdin:1: $ATTRS_WRONG"
    done
    resign_stops "no signingTime" "$ATTRIBUTES/1 del"
}

@test "an attribute twice, with two values, or one more than the four is malformed" {
    local i
    for i in 0 1 2 3; do
        resign_stops "$ATTRS_WRONG" "$ATTRIBUTES/$i dup"
    done
    resign_stops "$ATTRS_WRONG" "$ATTRIBUTES/0/1/0 dup"
    resign_stops "$ATTRS_WRONG" "$ATTRIBUTES add $(tlv 30 "$(oid 1.2.840.113549.1.9.15)" "$(tlv 31 3000)")"
}

@test "signed attributes out of order are malformed" {
    resign_stops "$ATTRS_WRONG" "$ATTRIBUTES/0 swap"
}

@test "a contentType that is not the content's is malformed" {
    resign_stops "$ATTRS_WRONG" "$ATTRIBUTES/0/1/0 set $(oid 1.3.6.1.5.5.7.12.3)"
}

@test "a message digest, or a signing certificate, of something else is malformed" {
    local i
    for i in 2 3; do
        again "$M/2.pem" verify-unit | forge get $ATTRIBUTES/$i >attribute.der
        resign_stops "$ATTRS_WRONG" "$ATTRIBUTES/$i set @attribute.der"
    done
}

@test "content of one message under the signature of another is found" {
    forge get $CONTENT <"$M/2.pem" >content.der
    touch_stops "$ATTRS_WRONG" "$CONTENT set @content.der"
}

@test "a signature by another key of the same name is found" {
    again "$M/1.pem" attach | forge resign "$PKI/twin.verify-unit.key" | stops verify-unit 3 \
        "stdin:1: layer 1 (attach): the signature of attach-1 is wrong"
}

@test "signingTime may be 5 minutes ahead and max-age old" {
    local -x CERTLINE_CLOCK # the time that passes meanwhile does not count
    CERTLINE_CLOCK=$(date +%s)
    local clock="the clock is set by CERTLINE_CLOCK"$'\n'"verify-unit: " seconds
    forge get $CONTENT <"$M/1.pem" >content.der
    for seconds in 300 -86400; do
        forged twin.attach time=$seconds <content.der >1.pem
        run -0 --separate-stderr verify-unit <1.pem
        [[ $output == -----BEGIN* ]]
        [ "$(line_entries verify-unit)" -gt 0 ]
        state sent
    done
    forged twin.attach time=301 <content.der | stops verify-unit 3 \
        "${clock}stdin:1: layer 1 (attach): signed at *Z, which is more than 300 seconds ahead"
    forged twin.attach time=-86401 <content.der | stops verify-unit 3 \
        "${clock}stdin:1: layer 1 (attach): signed at *Z, which is more than 86400 seconds ago"
}
