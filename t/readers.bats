# Messages and certificates as other programs read them.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_line && forge_polls
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore passed
}

# Every layer of a message, from the outside in, is verified by openssl cms: prints the signers.
opened() { # MESSAGE [PLACE OF WHAT IT WRAPS]: of the outermost layer
    local where
    cp "$1" message.pem
    while :; do
        openssl cms -verify -purpose any -CAfile "$PKI/root.pem" -inform PEM -in message.pem -out content.der \
            -signer signer.pem 2>>log || return
        openssl x509 -in signer.pem -noout -subject -nameopt RFC2253 | sed 's/^subject=CN=//'
        where=${2:-$WRAPPED}
        if answer message.pem; then where=$RWRAPPED; fi
        set -- "$1"
        forge get "$where" <content.der >inner.der 2>>log || return 0
        forge pem CMS <inner.der >message.pem
    done
}

@test "openssl cms verifies every layer of every message" {
    local n up=attach-1 down="Device CA"
    for n in 1:"$up" 2:"verify-unit-1 $up" 3:"ra-approve-1 verify-unit-1 $up" \
        4:"$down" 5:"ra-approve-1 $down" 6:"verify-unit-1 ra-approve-1 $down"; do
        [ "$(opened "$M/${n%%:*}.pem" | paste -sd ' ')" = "${n#*:}" ] || { echo "$n"; cat log; return 1; }
    done
}

@test "openssl cms verifies every layer of what waits, of polls, and of what is granted" {
    local n up="verify-unit-1 attach-1" down="ra-approve-1 Device CA"
    for n in 3w:"ra-approve-1 $up" 4w:"${down#* }" 1p:"${up#* }" 2p:"$up" 3p:"ra-approve-1 $up" 4p:"${down#* }" \
        5p:"$down" 3g:"ra-approve-1 $up" 4g:"${down#* }" 5g:"$down"; do
        [ "$(opened "$M/${n%%:*}.pem" | paste -sd ' ')" = "${n#*:}" ] || { echo "$n"; cat log; return 1; }
    done
    [ "$(opened "$M/3g.pem" 2/1/1 | paste -sd ' ')" = "ra-approve-1 $up" ]
}

reads() { # MESSAGE LINE...
    PATH=/usr/bin:$PATH run -0 python3 "$TOP/t/read-cmc.py" <"$M/$1.pem"
    [ "$output" = "$(printf '%s\n' "${@:2}")" ] || { echo "$output"; return 1; }
}

@test "pyasn1's modules of RFC 5652, 6402 and 4211 read every layer, octet for octet" {
    local one="1 PKIData certificates 1 attributes 4" leaf
    reads 1 "$one Integer OctetString OctetString tcr tcr tcr key"
    reads 2 "$one Integer BodyPartList CMCStatusInfoV2 ModCertTemplate LraPopWitness crm" \
        "2 ${one#1 } Integer OctetString OctetString tcr tcr tcr key"
    reads 3 "$one Integer BodyPartList" \
        "2 ${one#1 } Integer BodyPartList CMCStatusInfoV2 ModCertTemplate LraPopWitness crm" \
        "3 ${one#1 } Integer OctetString OctetString tcr tcr tcr key"
    one="1 PKIResponse certificates 1 attributes 4"
    leaf="PKIResponse certificates 5 attributes 4 Integer OctetString OctetString OctetString CMCStatusInfoV2 CMCStatusInfoV2 CMCStatusInfoV2"
    reads 4 "1 $leaf"
    reads 5 "$one Integer BodyPartPath OctetString" "2 $leaf"
    reads 6 "$one Integer BodyPartPath OctetString" "2 ${one#1 } Integer BodyPartPath OctetString" "3 $leaf"
}

@test "pyasn1 reads what waits, polls, and what is granted, octet for octet" {
    local one="PKIData certificates 1 attributes 4" poll verify request leaf
    request="$one Integer OctetString OctetString tcr tcr tcr key"
    verify="$one Integer BodyPartList CMCStatusInfoV2 ModCertTemplate LraPopWitness crm"
    poll="$one Integer OctetString OctetString OctetString OctetString"
    reads 3w "1 $one Integer BodyPartList CMCStatusInfoV2" "2 $verify" "3 $request"
    reads 1p "1 $poll"
    reads 2p "1 $one Integer BodyPartList" "2 $poll"
    reads 3p "1 $one Integer BodyPartList CMCStatusInfoV2" "2 $one Integer BodyPartList" "3 $poll"
    reads 3g "1 $one Integer BodyPartList" "2 $verify" "3 $request" "2 $one Integer BodyPartList" "3 $poll"
    leaf="PKIResponse certificates 1 attributes 4 Integer OctetString OctetString OctetString CMCStatusInfoV2"
    reads 4w "1 $leaf CMCStatusInfoV2"
    reads 4p "1 $leaf"
    reads 5p "1 PKIResponse certificates 1 attributes 4 Integer BodyPartPath OctetString" "2 $leaf"
}

@test "GnuTLS reads and verifies the certificates" {
    attach --out certs <"$M/6.pem" 2>err || [ $? -eq 1 ]
    local id
    for id in T1 N1 K1; do
        cat certs/$id.pem "$PKI/ca.pem" "$PKI/root.pem" >chain.pem
        run -0 certtool --verify --load-ca-certificate "$PKI/root.pem" --infile chain.pem
        [[ $output == *"Chain verification output: Verified. The certificate is trusted."* ]]
        run -0 certtool --certificate-info --infile certs/$id.pem
        [[ $output == *"Subject: "*"serialNumber=$id"* ]]
        [[ $output == *"Certificate Authority (CA): FALSE"* ]]
    done
}

@test "an idevid certificate without an end is read by other programs" {
    csr-make --key d.key --new-key P-256 --subject serialNumber=D1,O=acme >requests.pem
    line idev <requests.pem >d.pem
    run -0 certtool --certificate-info --infile d.pem
    [[ $output == *"Not After: Fri Dec 31 23:59:59 UTC 9999"* ]]
    run -0 openssl verify -CAfile "$PKI/root.pem" -untrusted "$PKI/ca.pem" d.pem
}
