# Who signed which layer: roles, order, paths, neighbours.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_line
    # Units that something is wrong with, by name; nothing is wrong with `good`.
    local unit cn
    pki_ca stranger "/CN=Root" stranger
    pki_ca sub "/CN=Sub" root
    for unit in attach verify-unit ra-approve ca-sign; do
        cn=$unit-1
        [ $unit != ca-sign ] || cn="Device CA"
        forge_unit "stranger.$unit" $unit stranger "$cn" key="twin.$unit"
        forge_unit "sub.$unit" $unit sub "$cn" key="twin.$unit"
        forge_unit "old.$unit" $unit root "$cn" key="twin.$unit" to=20250101000000Z
        forge_unit "early.$unit" $unit root "$cn" key="twin.$unit" from=20380101000000Z
        forge_unit "other.$unit" $unit root "$unit-2" key="twin.$unit"
        forge_unit "revoked.$unit" $unit root "$cn" key="twin.$unit"
        forge_unit "sha1.$unit" $unit root "$cn" key="twin.$unit" md=sha1
        pki_issue "any.$unit" "/CN=$cn" root key="twin.$unit" keyUsage=critical,digitalSignature \
            extendedKeyUsage="$(pki_role $unit),anyExtendedKeyUsage"
        pki_issue "both.$unit" "/CN=$cn" root key="twin.$unit" keyUsage=critical,digitalSignature \
            extendedKeyUsage="$(pki_role attach),$(pki_role ra-approve)"
        pki_issue "ca.$unit" "/CN=$cn" root key="twin.$unit" basicConstraints=critical,CA:TRUE \
            keyUsage=critical,digitalSignature,keyCertSign extendedKeyUsage="$(pki_role $unit)"
        pki_issue "plain.$unit" "/CN=$cn" root key="twin.$unit" keyUsage=critical,digitalSignature
    done
    pki_crl root root.crl 20200101000000Z 20400101000000Z -revoke revoked.attach revoked.verify-unit \
        revoked.ra-approve revoked.ca-sign
    pki_crl root stale.crl 20200101000000Z 20250101000000Z
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    state sent
}

# Message N as the unit CERTIFICATE.UNIT would have signed it: as NUMBER UNIT CERTIFICATE
signed_as() {
    local words=()
    if answer "$M/$1.pem"; then words=(type=response); fi
    [ "$2" != ca-sign ] || words+=(bag="$M/issued.pem")
    forge get "$CONTENT" <"$M/$1.pem" | forged "$3.$2" "${words[@]}"
}
# Each message, its signer, and who reads it next.
UP="1:attach:verify-unit 2:verify-unit:ra-approve 3:ra-approve:ca-sign"
DOWN="4:ca-sign:ra-approve 5:ra-approve:verify-unit 6:verify-unit:attach"
every() { # CERTIFICATE WHY: on the way up and down, each hop says it of the layer around
    local hop number unit reader last=sent
    for hop in $UP $DOWN; do
        IFS=: read -r number unit reader <<<"$hop"
        case $number in 4) last=up ;; 5) last=answered ;; 6) last=passed ;; esac
        state $last
        signed_as "$number" "$unit" "$1" | stops "$reader" 3 "stdin:1: layer 1 ($unit): $2" ||
            { echo "$hop"; return 1; }
    done
}

@test "every hop believes the twins of its neighbours" {
    local hop number unit reader
    for hop in $UP $DOWN; do
        IFS=: read -r number unit reader <<<"$hop"
        [ "$number" -lt 4 ] || state up
        [ "$number" -lt 6 ] || continue # attach ends with 1: a device was refused
        signed_as "$number" "$unit" twin | passes "$reader" || { echo "$hop"; return 1; }
    done
    signed_as 6 verify-unit twin >6.pem
    run -1 --separate-stderr attach <6.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 3 ]
}

@test "a unit of another CA of the same name is not believed" {
    every stranger "certificate of * does not lead to a root of the trust*"
}

@test "a unit that the unit CA did not issue itself is not believed" {
    local number
    for number in 1:attach:verify-unit 2:verify-unit:ra-approve; do
        IFS=: read -r number unit reader <<<"$number"
        forge get "$CONTENT" <"$M/$number.pem" | forged "sub.$unit" bag="$PKI/sub.pem" |
            stops "$reader" 3 "stdin:1: layer 1 ($unit): certificate of * was not issued by the unit CA*"
    done
}

@test "an expired certificate is found at every hop" {
    every old "certificate of * expired 2025-01-01T00:00:00Z"
}

@test "a certificate that is not yet valid is found at every hop" {
    every early "certificate of * is not valid before 2038-01-01T00:00:00Z"
}

@test "a certificate signed with SHA-1 is found at every hop" {
    every sha1 "certificate of *"
}

@test "a certificate without a role, with two, with any, or of a CA is found at every hop" {
    every plain "certificate of *"
    every both "certificate of *"
    every any "certificate of *"
    every ca "certificate of *"
}

with_crl() { # FILE: all units look at it from now on
    local unit
    cp "$PKI/$1" "$LINE/etc/units.crl"
    for unit in attach verify-unit ra-approve ca-sign; do
        grep -q ^crl: "$LINE/etc/$unit.yaml" || echo "crl: units.crl" >>"$LINE/etc/$unit.yaml"
    done
}
without_crl() { sed -i '/^crl:/d' "$LINE/etc"/*.yaml; }

@test "a revoked certificate is found at every hop" {
    with_crl root.crl
    local bad=0
    every revoked "certificate of * was revoked *" || bad=1
    state sent
    again "$M/1.pem" attach | passes verify-unit || bad=1
    without_crl
    [ $bad -eq 0 ]
}

@test "without a CRL that is current every unit stops, and goes on when there is one" {
    local bad=0 unit
    with_crl stale.crl
    for unit in verify-unit ra-approve ca-sign attach; do
        run -4 --separate-stderr "$unit" <"$M/1.pem"
        [[ $stderr == *"the CRL of CN=Root is past its nextUpdate 2025-01-01T00:00:00Z"* ]] || bad=1
        [ -z "$output" ] || bad=1
    done
    with_crl root.crl
    again "$M/1.pem" attach | passes verify-unit || bad=1
    without_crl
    [ $bad -eq 0 ]
}

@test "a unit that is not a neighbour is not heard, whatever its certificate" {
    signed_as 1 attach other | stops verify-unit 3 \
        "stdin:1: signed by attach-2, from which this unit takes no messages"
    signed_as 2 verify-unit other | stops ra-approve 3 \
        "stdin:1: signed by verify-unit-2, from which this unit takes no messages"
    signed_as 3 ra-approve other | stops ca-sign 3 \
        'stdin:1: attach-1, verify-unit-1 and ra-approve-2 may not stand together for lot "L7"'
    state up
    signed_as 4 ca-sign other | stops ra-approve 3 \
        "stdin:1: signed by ca-sign-2, from which this unit takes no answers"
    signed_as 5 ra-approve other | stops verify-unit 3 \
        "stdin:1: signed by ra-approve-2, from which this unit takes no answers"
    signed_as 6 verify-unit other | stops attach 3 \
        "stdin:1: signed by verify-unit-2, from which this unit takes no answers"
}

@test "a neighbour's role is the one that the place in the chain asks for" {
    local content=("$M/1.pem" "$M/2.pem" "$M/3.pem")
    forge get "$CONTENT" <"${content[0]}" | forged twin.verify-unit | stops verify-unit 3 \
        "stdin:1: layer 1 (attach): signed by verify-unit-1, whose role is verify-unit, not attach"
    forge get "$CONTENT" <"${content[1]}" | forged twin.ra-approve | stops ra-approve 3 \
        "stdin:1: layer 1 (verify-unit): signed by ra-approve-1, whose role is ra-approve, not verify-unit"
    forge get "$CONTENT" <"${content[2]}" | forged twin.attach | stops ca-sign 3 \
        "stdin:1: layer 1 (ra-approve): signed by attach-1, whose role is attach, not ra-approve"
    state up
    forge get "$CONTENT" <"$M/4.pem" | forged twin.ra-approve type=response | stops ra-approve 3 \
        "stdin:1: layer 1 (ca-sign): signed by ra-approve-1, whose role is ra-approve, not ca-sign"
    forge get "$CONTENT" <"$M/6.pem" | forged twin.ca-sign type=response | stops attach 3 \
        "stdin:1: layer 1 (verify-unit): signed by Device CA, whose role is ca-sign, not verify-unit"
}

@test "the layers inside are held to the same: an expired or strange attach below a good verify-unit" {
    local bad
    for bad in old early stranger any ca plain; do
        signed_as 1 attach $bad >1.pem
        around "$M/2.pem" verify-unit 1.pem | stops ra-approve 3 "stdin:1: layer 2 (attach): certificate of *"
        around "$M/2.pem" verify-unit 1.pem >2.pem
        around "$M/3.pem" ra-approve 2.pem | stops ca-sign 3 "stdin:1: layer 3 (attach): certificate of *"
    done
}

@test "a layer that is missing on the way up is found" {
    stops ra-approve 3 "stdin:1: layer 1 (verify-unit): signed by attach-1, whose role is attach, *" <"$M/1.pem"
    stops ca-sign 3 "stdin:1: layer 1 (ra-approve): signed by verify-unit-1, *" <"$M/2.pem"
    stops ca-sign 3 "stdin:1: layer 1 (ra-approve): signed by attach-1, *" <"$M/1.pem"
    around "$M/3.pem" ra-approve "$M/1.pem" "$WRAPPED set @inner.der" | stops ca-sign 3 \
        "stdin:1: layer 2 (verify-unit): signed by attach-1, *"
}

@test "a layer too many on the way up is found" {
    stops verify-unit 3 "stdin:1: layer 1 (attach): signed by verify-unit-1, *" <"$M/2.pem"
    stops ra-approve 3 "stdin:1: layer 1 (verify-unit): signed by ra-approve-1, *" <"$M/3.pem"
    around "$M/2.pem" verify-unit "$M/2.pem" | stops ra-approve 3 \
        "stdin:1: layer 2 (attach): signed by verify-unit-1, *"
    around "$M/3.pem" ra-approve "$M/3.pem" | stops ca-sign 3 \
        "stdin:1: layer 2 (verify-unit): signed by ra-approve-1, *"
}

@test "layers in another order are found" {
    forge get "$CONTENT" <"$M/3.pem" | forge edit "$WRAPPED set @$(der "$M/1.pem")" | forged twin.ra-approve >ra.pem
    around "$M/2.pem" verify-unit ra.pem | stops ca-sign 3 \
        "stdin:1: layer 1 (ra-approve): signed by verify-unit-1, *"
}

der() { # MESSAGE
    forge get . <"$1" >"$BATS_TEST_TMPDIR/$(basename "$1").der"
    echo "$BATS_TEST_TMPDIR/$(basename "$1").der"
}

@test "a layer that is missing on the way down is found" {
    state up
    stops verify-unit 3 "stdin:1: layer 1 (ra-approve): signed by Device CA, *" <"$M/4.pem"
    stops attach 3 "stdin:1: layer 1 (verify-unit): signed by Device CA, *" <"$M/4.pem"
    stops attach 3 "stdin:1: layer 1 (verify-unit): signed by ra-approve-1, *" <"$M/5.pem"
    around "$M/6.pem" verify-unit "$M/4.pem" | stops attach 3 "stdin:1: layer 2 (ra-approve): signed by Device CA, *"
}

@test "a layer too many on the way down is found" {
    state up
    stops ra-approve 3 "stdin:1: layer 1 (ca-sign): signed by ra-approve-1, *" <"$M/5.pem"
    stops verify-unit 3 "stdin:1: layer 1 (ra-approve): signed by verify-unit-1, *" <"$M/6.pem"
    around "$M/5.pem" ra-approve "$M/5.pem" | stops verify-unit 3 \
        "stdin:1: layer 2 (ca-sign): signed by ra-approve-1, *"
    around "$M/6.pem" verify-unit "$M/6.pem" | stops attach 3 \
        "stdin:1: layer 2 (ra-approve): signed by verify-unit-1, *"
}

@test "a request around a response, or the other way, is found" {
    around "$M/2.pem" verify-unit "$M/4.pem" | stops ra-approve 3 \
        "stdin:1: layer 2 (attach): a request around a response, or the other way"
    state up
    around "$M/6.pem" verify-unit "$M/3.pem" | stops attach 3 \
        "stdin:1: layer 2 (ra-approve): a request around a response, or the other way"
}

@test "ca-sign takes no responses, and attach no requests of units" {
    stops ca-sign 3 "stdin:1: a response, which ca-sign does not take" <"$M/4.pem"
    run -3 --separate-stderr attach --down <"$M/3.pem"
    [ -z "$output" ]
    [ "$stderr" = "attach: stdin:1: a request, which attach does not take" ]
}

@test "two layers of one message with different transactionIds are found" {
    local tid=01020304050607080910111213141516
    again "$M/2.pem" verify-unit "$TID body $tid" | stops ra-approve 3 \
        "stdin:1: layer 2 (attach): another transactionId than the layer around it"
    again "$M/3.pem" ra-approve "$TID body $tid" | stops ca-sign 3 \
        "stdin:1: layer 2 (verify-unit): another transactionId than the layer around it"
    state up
    again "$M/5.pem" ra-approve "$TID body $tid" | stops verify-unit 3 \
        "stdin:1: layer 2 (ca-sign): another transactionId than the layer around it"
    again "$M/6.pem" verify-unit "$TID body $tid" | stops attach 3 \
        "stdin:1: layer 2 (ra-approve): another transactionId than the layer around it"
}

@test "the wrong message inside a good layer is found" {
    again "$M/1.pem" attach "$TID body 01020304050607080910111213141516" >other.pem
    around "$M/2.pem" verify-unit other.pem | stops ra-approve 3 \
        "stdin:1: layer 2 (attach): another transactionId than the layer around it"
    again "$M/2.pem" verify-unit "$WRAPPED dup" | stops ra-approve 3 "stdin:1: layer 1 (verify-unit): *"
    again "$M/2.pem" verify-unit "2/0 dup" | stops ra-approve 3 "stdin:1: layer 1 (verify-unit): *"
    again "$M/2.pem" verify-unit "2/0 del" | stops ra-approve 3 \
        "stdin:1: layer 1 (verify-unit): not exactly one message inside, numbered 1"
    again "$M/2.pem" verify-unit "2/0/0 body 02" | stops ra-approve 3 \
        "stdin:1: layer 1 (verify-unit): not exactly one message inside, numbered 1"
}
