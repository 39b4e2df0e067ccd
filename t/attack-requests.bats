# What devices, and an attaching unit, ask for and must not get: each comes back as an answer, and the others
# of the same message are served.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    line_build forge forge-sign && line_make "$BATS_FILE_TMPDIR/line" && forge_twins || return
    export KEYS=$LINE/keys
    mkdir "$KEYS"
    line_request T1 "$KEYS" >"$KEYS/T1.csr"
    line_request T2 "$KEYS" >"$KEYS/T2.csr"
    line_request K1 "$KEYS" --public-key >"$KEYS/K1.pub"
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$KEYS/p256.key"
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore empty
}

# The request on stdin is refused with this sentence; a good one behind it is served.
refused() { # LOT DEVICE SENTENCE
    local code=1 want="attach: $2: refused: $3"
    { cat; cat "$KEYS/T1.csr"; } >requests.pem
    run --separate-stderr line "$1" <requests.pem
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq 1 ] && [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ] && [[ $stderr == $want ]] ||
        { failure; return 1; }
    [ "$(openssl x509 -noout -subject -nameopt RFC2253 <<<"$output")" = "subject=serialNumber=T1" ]
    issued T1
}
# All are refused.
all_refused() { # LOT SENTENCE
    local code=1 want="attach: T2: refused: $2"
    run --separate-stderr line "$1" <"${3-$KEYS/T2.csr}"
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq 1 ] && [ -z "$output" ] && [[ $stderr == $want ]] || { failure; return 1; }
    issued ""
}
issued() { # DEVICES: all that the CA has ever issued
    [ "$(sqlite3 "$LINE/var/ca-sign.db" 'select group_concat(device) from entry where kind = 12')" = "$1" ]
}
# A request by the openssl command
csr() { # ID [KEY [OPTION...]]
    openssl req -new -utf8 -key "${2:-$KEYS/p256.key}" -subj "/serialNumber=$1" "${@:3}" 2>openssl.log
}
# The request on stdin changed, and signed again
csr_again() { # EDIT...
    forge edit "$@" >csr.pem
    forge get 0 <csr.pem | openssl dgst -sha256 -sign "$KEYS/p256.key" -out csr.sig
    forge edit "2 body 00$(od -An -v -tx1 csr.sig | tr -d ' \n')" <csr.pem
}

@test "a request changed and signed again is served: what follows is refused for its own reason" {
    csr T2 | csr_again >requests.pem
    run -0 --separate-stderr line open <requests.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    issued T2
}

UNSIGNED="verify-unit: the signature of the request does not match its key (failInfo popFailed)"

@test "a bad proof of possession is refused" {
    # a signature over something else; and one by another key
    csr T2 | forge edit "0/1/0/0/1 body 5433" | refused open T3 "$UNSIGNED"
    line_restore empty
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key
    csr T2 | forge edit "0/2 set @$(spki p256.key)" | refused open T2 "$UNSIGNED"
}

@test "a verify-unit that lets a bad proof of possession through is no help: ca-sign looks itself" {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key
    csr T2 | forge edit "0/2 set @$(spki p256.key)" | attach --lot open | verify-unit >2.pem
    again 2.pem verify-unit "0/2 del" | ra-approve >3.pem # without the verdict
    ca-sign <3.pem >4.pem
    [[ $(openssl cms -verify -noverify -inform PEM -in 4.pem 2>/dev/null | strings) == *'ca-sign: the signature of the request does not match its key'* ]]
    issued ""
    # the same way is good for a request that proves it
    csr T2 | attach --lot open | verify-unit >2.pem
    again 2.pem verify-unit | ra-approve | ca-sign >4.pem
    issued T2
}
spki() { # KEY
    openssl pkey -in "$1" -pubout -outform DER >"$BATS_TEST_TMPDIR/spki.der"
    echo "$BATS_TEST_TMPDIR/spki.der"
}

@test "a request signed with SHA-1 is refused" {
    csr T2 "$KEYS/p256.key" -sha1 | refused open T2 \
        "verify-unit: the request is signed with an unknown algorithm, or one weaker than SHA-256 (failInfo popFailed)"
}

@test "keys that are weak, or not of the profile's types, are refused" {
    local type
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.key
    csr T2 rsa1024.key | refused open T2 \
        "verify-unit: the request has an RSA key shorter than 2048 bits (failInfo badAlg)"
    for type in secp224r1 prime192v1 secp256k1 P-521; do
        line_restore empty
        openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:$type -out weak.key
        csr T2 weak.key | refused open T2 "verify-unit: * [(]failInfo *)"
    done
    line_restore empty
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit \
        -out explicit.key
    csr T2 explicit.key | refused open T2 "verify-unit: * [(]failInfo *)"
}

@test "a point that is not on its curve is refused" {
    csr T2 >good.pem
    forge edit "0/2/1 body 0004$(printf '11%.0s' {1..64})" <good.pem |
        refused open T2 "verify-unit: the request has a point that is not on P-256 (failInfo badAlg)"
}

@test "an RSA key with an even or a small exponent is refused" {
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
    local modulus bad
    modulus=$(openssl pkey -in rsa.key -pubout | openssl asn1parse -strparse 19 2>/dev/null | awk -F: '/INTEGER/ { print $4; exit }')
    for bad in 01 03 010000; do
        line_restore empty
        csr T2 rsa.key | forge edit "0/2/1 body 00$(tlv 30 "$(tlv 02 "00$modulus")" "$(tlv 02 $bad)")" |
            refused open T2 "verify-unit: the request has an RSA exponent * [(]failInfo badAlg)"
    done
}

@test "an empty subject is refused, and named by its line" {
    csr T2 | csr_again "0/1 set 3000" | refused open request-in-line-1 \
        "verify-unit: the subject has no serialNumber and no CN, which names the device (failInfo badIdentity)"
}

@test "a subject that cannot be read is refused" {
    csr T2 | csr_again "0/1/0/0/1 tag 1e" | refused open "*" \
        "ca-sign: serialNumber of the name has a string type that RFC 5280 does not allow (failInfo badRequest)"
    line_restore empty
    csr T2 | csr_again "0/1/0/0/1 body 541b32" | refused open "request-in-line-1" "verify-unit: * [(]failInfo *)"
}

san() { csr "$1" "$KEYS/p256.key" -addext "subjectAltName=DNS:$1.example"; }
EXTENSIONS=0/3/0/1/0 # of a request

@test "an extension twice, or malformed, is refused" {
    san T2 | csr_again >requests.pem
    run -0 line open <requests.pem
    line_restore empty
    san T2 | csr_again "$EXTENSIONS/0 dup" | refused open T2 \
        "verify-unit: the requested extensions are malformed, or one is there twice (failInfo badRequest)"
    line_restore empty
    san T2 | csr_again "$EXTENSIONS/0/1 body 3003820161ff" | refused open T2 "verify-unit: * [(]failInfo *)"
    line_restore empty
    san T2 | csr_again "$EXTENSIONS/0/1 body 3000" | refused open T2 "verify-unit: * [(]failInfo *)"
    line_restore empty
    san T2 | csr_again "$EXTENSIONS/0/1 set 0500" | refused open T2 "verify-unit: * [(]failInfo *)"
}

@test "an attribute of a request twice is refused" {
    san T2 | csr_again "0/3/0 dup" | refused open T2 \
        "verify-unit: an attribute of the request is there twice (failInfo badRequest)"
}

@test "a request that asks to be a CA, or a unit, is a device all the same" {
    csr T2 "$KEYS/p256.key" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign \
        -addext "extendedKeyUsage=$CMC_RA,$ARC.3" >requests.pem
    run -0 --separate-stderr line open <requests.pem
    run -0 openssl x509 -noout -text <<<"$output"
    [[ $output == *CA:FALSE* ]]
    [[ $output != *"Certificate Sign"* ]]
    [[ $output != *"$ARC"* ]]
    [[ $output != *CMC* ]]
}

@test "a device that is not in the lot's list is refused" {
    csr X1 | refused L7 X1 'verify-unit: device "X1" is not in the list of lot "L7" (failInfo badIdentity)'
}

@test "a certificate for a unit or a CA cannot be had from the line" {
    local lot
    for lot in units:attach cas:sub-ca; do
        line_restore empty
        all_refused "${lot%:*}" \
            "verify-unit: profile \"${lot#*:}\" is for a CA or a unit and cannot be had from a line (failInfo badRequest)"
    done
}

@test "a lot that is not known, of another profile, or not this verify-unit's is refused" {
    all_refused others 'verify-unit: lot "others" is not known here, or not for attach "attach-1" and verify-unit "verify-unit-1" (failInfo badRequest)'
    line_restore empty
    sed '/^lots:/d' "$LINE/etc/attach.yaml" >"$LINE/etc/attach-free.yaml"
    lot_refused() { # LOT PROFILE SENTENCE
        line_restore empty
        command attach -c "$LINE/etc/attach-free.yaml" --lot "$1" --profile "$2" <"$KEYS/T2.csr" | line_middle >6.pem
        run -1 --separate-stderr attach <6.pem
        [ -z "$output" ] && [ "$stderr" = "attach: T2: refused: verify-unit: $3 (failInfo badRequest)" ] ||
            { echo "$stderr"; return 1; }
        issued ""
    }
    lot_refused open idevid 'lot "open" is not made with profile "idevid"'
    lot_refused open sub-ca 'lot "open" is not made with profile "sub-ca"'
}

@test "a lot that others may use is refused as one that is not there, whatever is wrong with it besides" {
    local lot
    sed '/^lots:/d' "$LINE/etc/attach.yaml" >"$LINE/etc/attach-free.yaml"
    for lot in others:tls-client others:idevid nowhr0:tls-client; do
        command attach -c "$LINE/etc/attach-free.yaml" --lot "${lot%:*}" --profile "${lot#*:}" <"$KEYS/T2.csr" |
            verify-unit | forge get $CONTENT | forge get 0/2/2 | sed s/others/nowhr0/ >"answer.$lot"
    done
    run -0 strings answer.nowhr0:tls-client
    [[ $output = *'lot "nowhr0" is not known here, or not for attach "attach-1" and verify-unit "verify-unit-1"'* ]]
    cmp answer.nowhr0:tls-client answer.others:tls-client
    cmp answer.nowhr0:tls-client answer.others:idevid
    # whose file it is learns it
    run -0 --separate-stderr verify-unit -v < <(attach --lot others <"$KEYS/T2.csr")
    [[ $stderr = *'verify-unit: verify-unit "verify-unit-1" may not use lot "others"'* ]]
}

@test "ca-sign does not hear units that may not stand together for a lot" {
    attach --lot unchained <"$KEYS/T2.csr" | verify-unit | ra-approve >3.pem
    stops ca-sign 3 \
        'stdin:1: attach-1, verify-unit-1 and ra-approve-1 may not stand together for lot "unchained"' <3.pem
}

# One unit's files with a change: its name is given to the unit's variable, VERIFY_YAML=strict.
variant() { # UNIT SED-SCRIPT [OF THE LOTS]
    sed -e "$2" -e 's/lots.yaml/lots-variant.yaml/' "$LINE/etc/$1.yaml" >"$LINE/etc/variant.yaml"
    sed -e "${3-}" "$LINE/etc/lots.yaml" >"$LINE/etc/lots-variant.yaml"
}
POP="a public key without proof of possession is not taken for lot"

@test "a bare key is taken where verify-unit, ra-approve, ca-sign and the lot all allow it" {
    run -0 --separate-stderr line L7 <"$KEYS/K1.pub"
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    line_restore empty
    run -1 --separate-stderr line strict <"$KEYS/K1.pub"
    [ "$stderr" = "attach: K1: refused: verify-unit: $POP \"strict\" (failInfo popRequired)" ]
}

@test "each of the three units alone refuses a bare key that its own file does not allow" {
    local unit
    for unit in verify-unit:VERIFY_YAML ra-approve:RA_YAML ca-sign:CA_YAML; do
        line_restore empty
        variant "${unit%:*}" /bare-keys/d
        attach --lot L7 <"$KEYS/K1.pub" >1.pem
        eval "${unit#*:}=variant line_middle" <1.pem >6.pem 2>/dev/null
        run -1 --separate-stderr attach <6.pem
        [ -z "$output" ]
        [ "$stderr" = "attach: K1: refused: ${unit%:*}: $POP \"L7\" (failInfo popRequired)" ]
        line_restore empty
        variant "${unit%:*}" "" 's/, pop: witness//'
        attach --lot L7 <"$KEYS/K1.pub" >1.pem
        eval "${unit#*:}=variant line_middle" <1.pem >6.pem 2>/dev/null
        run -1 --separate-stderr attach <6.pem
        [ "$stderr" = "attach: K1: refused: ${unit%:*}: $POP \"L7\" (failInfo popRequired)" ]
    done
}

@test "each unit looks lot and profile up in its own files" {
    local unit
    for unit in verify-unit:VERIFY_YAML ra-approve:RA_YAML ca-sign:CA_YAML; do
        line_restore empty
        variant "${unit%:*}" '' 's/^\(.*\)profile: tls-client\(.*name: open\)/\1profile: ipsec\2/'
        attach --lot open <"$KEYS/T2.csr" >1.pem
        eval "${unit#*:}=variant line_middle" <1.pem >6.pem 2>/dev/null
        run -1 --separate-stderr attach <6.pem
        [ "$stderr" = "attach: T2: refused: ${unit%:*}: lot \"open\" is not made with profile \"tls-client\" (failInfo badRequest)" ]
        issued ""
    done
}

@test "a request cannot be stripped down to its key by somebody who has attach's key" {
    local key
    attach --lot strict <"$KEYS/T2.csr" >1.pem
    forge get "$CONTENT" <1.pem | forge get 1/0/1/0/2 >spki.der
    key=$(tlv 30 "$(int 101)" "$(oid "$ARC.20")" "$(od -An -v -tx1 spki.der | tr -d ' \n')")
    again 1.pem attach "1/0 del" "3 add $key" >stripped.pem
    line_middle <stripped.pem >6.pem 2>err
    issued ""
    [[ $(openssl cms -verify -noverify -inform PEM -in 6.pem 2>/dev/null | strings) == *"$POP \"strict\""* ]]
    # The control: in a lot that takes bare keys the same message is served.
    line_restore empty
    again stripped.pem attach "$REGINFO/2 set $(utf8 L7)" | line_middle >6.pem
    issued T2
}

@test "attach cannot name one device and send the request of another" {
    attach --lot L7 <"$KEYS/T2.csr" >1.pem
    again 1.pem attach "$REGINFO/5/0/1 set $(utf8 T1)" | line_middle >6.pem
    issued ""
    [[ $(openssl cms -verify -noverify -inform PEM -in 6.pem 2>/dev/null | strings) == *'the request is of device "T2", not of "T1"'* ]]
}

@test "one key for two devices is refused, whoever comes second" {
    line open <"$KEYS/T2.csr" >/dev/null
    csr-make --key "$KEYS/T2.key" --subject serialNumber=T3 >requests.pem
    run -1 --separate-stderr line open <requests.pem
    [ -z "$output" ]
    [[ $stderr == 'attach: T3: refused: ca-sign: this key already belongs to device "T2": one key, one device; '*"(failInfo noKeyReuse)" ]]
    # and within one message, as requests and as bare keys
    line_restore empty
    { csr-make --key "$KEYS/T1.key" --subject serialNumber=T3; csr-make --key "$KEYS/T1.key" --subject serialNumber=T4; } >two.pem
    run -1 --separate-stderr line open <two.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    line_restore empty
    { csr-make --key "$KEYS/K1.key" --public-key --subject serialNumber=K1; csr-make --key "$KEYS/K1.key" --public-key --subject serialNumber=K2; } >two.pem
    run -1 --separate-stderr line L7 <two.pem
    [ -z "$output" ]
    [ "$(grep -c 'another device of the same message gave the same key' <<<"$stderr")" -eq 2 ]
}
