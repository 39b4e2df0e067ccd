# Messages and certificates as other programs read them.
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
    line_restore passed
}

@test "openssl cms verifies every layer of every message" {
    local n layers signer
    for n in 1:1 2:2 3:3 4:1 5:2 6:3; do
        cp "$M/${n%:*}.pem" message.pem
        for ((layers = ${n#*:}; layers > 0; layers--)); do
            openssl cms -verify -purpose any -CAfile "$PKI/root.pem" -inform PEM -in message.pem -out content.der \
                -signer signer.pem
            signer=$(openssl x509 -in signer.pem -noout -subject -nameopt RFC2253)
            echo "${n%:*}: $signer"
            [ $layers -gt 1 ] || break
            if answer message.pem; then
                forge get "$RWRAPPED" <content.der | forge pem CMS >inner.pem
            else
                forge get "$WRAPPED" <content.der | forge pem CMS >inner.pem
            fi
            mv inner.pem message.pem
        done
        [ $layers -eq 1 ]
        case ${n%:*} in
        [123]) [ "$signer" = "subject=CN=attach-1" ] ;;
        *) [ "$signer" = "subject=CN=Device CA" ] ;;
        esac
    done
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
