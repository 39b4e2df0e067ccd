# A unit's file: what it must say, and what must fit together.
bats_require_minimum_version 1.5.0

uri() { # OBJECT
    echo "pkcs11:token=hsm;object=$1?pin-source=pin"
}

key_in_token() { # NAME
    unit-test keygen "pkcs11:token=hsm;object=$1?pin-source=$PKI/pin" >"$PKI/$1.pub"
}

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/unit-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    . t/pki.bash
    pki_init "$BATS_FILE_TMPDIR/pki"
    export PATH PKI ARC CMC_CA CMC_RA SOFTHSM2_CONF="$BATS_FILE_TMPDIR/softhsm2.conf"
    mkdir "$BATS_FILE_TMPDIR/tokens"
    echo "directories.tokendir = $BATS_FILE_TMPDIR/tokens" >"$SOFTHSM2_CONF"
    softhsm2-util --init-token --free --label hsm --so-pin 1234 --pin 1234 >"$PKI/log"
    printf 1234 >"$PKI/pin"
    pki_ca root "/CN=Root" root
    local name
    for name in a v r c ca; do
        key_in_token "$name" || return
    done
    pki_unit_attest a attach root 365
    pki_unit_attest v verify-unit root 365
    pki_unit_attest r ra-approve root 365
    pki_unit_attest c ca-sign root 365 "Device CA"
    pki_attest ca "/CN=Device CA" root 365 basicConstraints=critical,CA:TRUE \
        keyUsage=critical,keyCertSign,cRLSign
}

setup() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    cd "$BATS_TEST_TMPDIR" || return
    cp "$PKI"/*.pem "$PKI/pin" .
    cat >lots.yaml <<'EOF'
lots:
  - {name: L7, profile: idevid, owner: acme, devices: any, verify-units: [v]}
  - {name: bare, profile: idevid, owner: acme, devices: any, verify-units: [v], pop: witness}
EOF
}

attach_yaml() {
    cat <<EOF
key: $(uri a)
certificate: a.pem
trust: root.pem
ledger: a.db
to: v
chain:
  above: [v, v2]
EOF
}

verify_yaml() {
    cat <<EOF
key: $(uri v)
certificate: v.pem
trust: root.pem
ledger: v.db
lots: lots.yaml
chain:
  below: [a]
  above: [r]
EOF
}

ca_yaml() {
    cat <<EOF
key: $(uri c)
certificate: c.pem
trust: root.pem
ledger: c.db
lots: lots.yaml
issuer:
  key: $(uri ca)
  certificate: ca.pem
chain:
  - {attach: a, verify-unit: v, ra-approve: r, lots: [L7]}
  - {attach: a2, verify-unit: v, ra-approve: r2, lots: [L7]}
EOF
}

# wrong ROLE FILE STATUS LINE...: the lines on stderr, without the program's name.
wrong() {
    local role=$1 file=$2 code=$3
    shift 3
    run "-$code" --separate-stderr unit-test "$role" "$file"
    [ -z "$output" ] || return
    local said=("${stderr_lines[@]}") k=0 want
    for want; do
        [ "${said[k]}" = "unit-test: $want" ] || {
            echo "$stderr"
            return 1
        }
        k=$((k + 1))
    done
}

end_of() { # CERTIFICATE
    date -u -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%Y-%m-%dT%H:%M:%SZ
}

@test "attach opens, and reports what it is" {
    attach_yaml >a.yaml
    run -0 --separate-stderr unit-test attach a.yaml
    [ "$output" = "id: a
role: attach
key: pkcs11:token=hsm;object=a
certificate: a.pem, CN=a, until $(end_of a.pem)
trust: root.pem
unit-ca: root.pem
to: v
above: v, v2
ledger: a.db
profiles: the presets
chain 1 issuer chain 0" ] || { echo "$output"; return 1; }
    [ -z "$stderr" ]
}

@test "verify-unit takes messages of the neighbours it names, and of nobody else" {
    verify_yaml >v.yaml
    run -0 unit-test verify-unit v.yaml below=a below=b below=r above=r above=a
    [ "${lines[*]: -5}" = "below=a yes below=b no below=r no above=r yes above=a no" ]
}

@test "what a unit may make is read to its end: the devices of a list are counted, and a bad list is named" {
    verify_yaml >v.yaml
    cat >lots.yaml <<'EOF'
lots:
  - {name: L7, profile: idevid, owner: acme, devices: d.csv, verify-units: [v]}
  - {name: L8, profile: idevid, owner: abc, pattern: 'S[0-9]', verify-units: [v]}
  - {name: L9, profile: idevid, owner: abc, devices: any, verify-units: [v]}
EOF
    printf 'serial,model\nS1,a\nS2,b\n' >d.csv
    run -0 --separate-stderr unit-test verify-unit v.yaml
    [[ $output = *'
lot: L7, owner acme, profile idevid, 2 devices of d.csv
lot: L8, owner abc, profile idevid, pattern S[0-9]
lot: L9, owner abc, profile idevid
'* ]]
    [ -z "$stderr" ]
    echo S3 >>d.csv
    run -2 --separate-stderr unit-test verify-unit v.yaml
    [ "$stderr" = 'unit-test: d.csv:4: 1 field where the header names 2
unit-test: lot L7: its device list cannot be used' ]
    [[ $output = *'lot: L7, owner acme, profile idevid
lot: L8,'* ]]
    # names that a device cannot have are found here, not when it comes
    sed -i '4s/.*/S3,c/; 3s/,b/,/' d.csv
    sed -i 's/devices: d.csv/&, subject: "serialNumber={serial},C={model}"/' lots.yaml
    run -2 --separate-stderr unit-test verify-unit v.yaml
    [ "$stderr" = 'unit-test: d.csv:2: subject: C is not a country code of two letters
unit-test: d.csv:3: the column "model" is empty
unit-test: d.csv:4: subject: C is not a country code of two letters' ]
    printf '%s\n' serial,model S1,JP S2,DE >d.csv
    run -0 --separate-stderr unit-test verify-unit v.yaml
    [[ $output = *', 2 devices of d.csv'* ]]
    # who does not look devices up needs no list
    ca_yaml | sed '/attach: a2/d' >c.yaml
    run -0 unit-test ca-sign c.yaml
}

@test "a lot whose profile is not there is named" {
    ca_yaml >c.yaml
    sed -i 's/name: bare, profile: idevid/name: bare, profile: idewid/' lots.yaml
    run -2 --separate-stderr unit-test ca-sign c.yaml
    [ "${stderr_lines[-1]}" = 'unit-test: lot bare: there is no profile "idewid"' ]
}

@test "ca-sign takes the units that its chain names together, for the lots it names" {
    ca_yaml >c.yaml
    run -0 unit-test ca-sign c.yaml below=r below=r2 below=v above=r stands=a,v,r,L7 stands=a,v,r2,L7 \
        stands=a2,v,r2,L7 stands=a,v,r,bare
    [ "${lines[*]: -8:4}" = "below=r yes below=r2 yes below=v no above=r no" ]
    [ "${lines[*]: -4}" = "stands=a,v,r,L7 yes stands=a,v,r2,L7 no stands=a2,v,r2,L7 yes stands=a,v,r,bare no" ]
    [[ $output = *"chain: a, v, r; lots: L7"* ]]
    [[ $output = *"issuer certificate: ca.pem, CN=Device CA, until "* ]]
    [[ $output = *"chain 1 issuer chain 1"* ]]
}

@test "a file that is not there is a configuration error" {
    wrong attach none.yaml 2 "none.yaml: No such file or directory"
}

@test "an unknown key is named with its place" {
    { attach_yaml; echo "leger: x"; } >a.yaml
    wrong attach a.yaml 2 'a.yaml:8:1: unknown key "leger"'
}

@test "a key of another unit is named as such" {
    { attach_yaml; echo "issuer: {key: x}"; } >a.yaml
    wrong attach a.yaml 2 'a.yaml:8:1: key "issuer" is not for attach'
    { verify_yaml; echo "to: r"; } >v.yaml
    wrong verify-unit v.yaml 2 'v.yaml:9:1: key "to" is not for verify-unit'
    { verify_yaml; echo "batch: 3"; } >v.yaml
    wrong verify-unit v.yaml 2 'v.yaml:9:1: key "batch" is not for verify-unit'
}

@test "each missing key is named" {
    for key in key certificate trust ledger to; do
        attach_yaml | grep -v "^$key:" >a.yaml
        wrong attach a.yaml 2 "a.yaml:1:1: key \"$key\" is missing"
    done
    verify_yaml | grep -v '^lots:' >v.yaml
    wrong verify-unit v.yaml 2 'v.yaml:1:1: key "lots" is missing'
    ca_yaml | sed '/^issuer:/,/certificate: ca/d' >c.yaml
    wrong ca-sign c.yaml 2 'c.yaml:1:1: key "issuer" is missing'
}

@test "a batch outside 1 to 1000 is refused" {
    { attach_yaml; echo "batch: 1001"; } >a.yaml
    wrong attach a.yaml 2 'a.yaml:8:8: "batch" must be a whole number from 1 to 1000, not "1001"'
}

@test "a chain that names nobody is refused" {
    verify_yaml | sed 's/below: .*/below: []/' >v.yaml
    wrong verify-unit v.yaml 2 "v.yaml:7:10: names nobody"
}

@test "attach's chain has no below" {
    { attach_yaml; echo "  below: [x]"; } >a.yaml
    wrong attach a.yaml 2 'a.yaml:8:3: unknown key "below"'
}

@test "the unit that attach sends to must be one that it takes answers from" {
    attach_yaml | sed 's/^to: v/to: w/' >a.yaml
    wrong attach a.yaml 2 'a.yaml:5:5: "to" names "w", which chain: above: does not'
}

@test "ca-sign's chain is a list" {
    ca_yaml | sed '/^chain:/,$d' >c.yaml
    echo "chain: {below: [r]}" >>c.yaml
    wrong ca-sign c.yaml 2 \
        'c.yaml:9:8: "chain" must be a list of {attach, verify-unit, ra-approve, lots}'
}

@test "ca-sign's chain may only name lots that there are" {
    ca_yaml | sed '0,/L7/s//L8/' >c.yaml
    wrong ca-sign c.yaml 2 'c.yaml:10:55: there is no lot "L8" in lots.yaml'
}

@test "a lot with bare keys at a ca-sign that takes none is warned about" {
    ca_yaml | sed 's/\[L7\]/[bare]/' >c.yaml
    run -0 --separate-stderr unit-test ca-sign c.yaml
    [ "${stderr_lines[0]}" = "unit-test: lot bare takes bare public keys, and c.yaml says bare-keys: no" ]
    echo "bare-keys: yes" >>c.yaml
    run -0 --separate-stderr unit-test ca-sign c.yaml
    [ -z "$stderr" ]
    [[ $output = *"bare keys: yes"* ]]
}

@test "a certificate of another role is refused" {
    attach_yaml | sed 's/certificate: a.pem/certificate: v.pem/' >a.yaml
    wrong attach a.yaml 2 "v.pem: certificate of v is for verify-unit, not for attach"
}

@test "an id must be the certificate's commonName" {
    { attach_yaml; echo "id: b"; } >a.yaml
    wrong attach a.yaml 2 'a.yaml:8:5: "id" is "b", but the certificate is of "a"'
}

@test "a key that the certificate is not for is refused, with both names" {
    attach_yaml | sed 's/object=a/object=v/' >a.yaml
    wrong attach a.yaml 2 "a.pem: is for another key than pkcs11:token=hsm;object=v"
}

@test "a unit certificate of another CA is refused" {
    pki_ca stranger "/CN=Root" stranger
    cp "$PKI/a.pub" "$PKI/a-strange.pub"
    pki_unit_attest a-strange attach stranger 365 a
    cp "$PKI/a-strange.pem" .
    attach_yaml | sed 's/certificate: a.pem/certificate: a-strange.pem/' >a.yaml
    wrong attach a.yaml 2 "a-strange.pem: certificate of a does not lead to a root of the trust"
}

@test "an expired certificate is a configuration error with its date" {
    attach_yaml >a.yaml
    CERTLINE_CLOCK=$(date -d '2 years' +%s) run -2 --separate-stderr unit-test attach a.yaml
    [[ $stderr = *"unit-test: a.pem: certificate of a expired $(end_of a.pem)"* ]]
}

@test "a certificate that ends within 30 days is warned about, with the date" {
    cp "$PKI/a.pub" "$PKI/a-brief.pub"
    pki_unit_attest a-brief attach root 20 a
    cp "$PKI/a-brief.pem" .
    attach_yaml | sed 's/certificate: a.pem/certificate: a-brief.pem/' >a.yaml
    run -0 --separate-stderr unit-test attach a.yaml
    [[ ${stderr_lines[0]} = "unit-test: certificate of a ends $(end_of a-brief.pem) (days left: "*")" ]]
    [ "${stderr_lines[1]}" = "unit-test: hint: make a request for the same key with csr-make, and let the unit CA sign it" ]
}

@test "a CRL past its nextUpdate ends with 4" {
    pki_crl root stale.crl 20200101000000Z 20240301120000Z
    cp "$PKI/stale.crl" .
    { attach_yaml; echo "crl: stale.crl"; } >a.yaml
    wrong attach a.yaml 4 "a.pem: certificate of a cannot be checked: the CRL of CN=Root is past its nextUpdate 2024-03-01T12:00:00Z"
}

@test "crl may be a list" {
    pki_crl root root.crl
    cp "$PKI/root.crl" .
    { attach_yaml; echo "crl: [root.crl, root.crl]"; } >a.yaml
    run -0 unit-test attach a.yaml
    [[ $output = *"crl: root.crl, root.crl"* ]]
    [[ $output = *"crl until: 2040-01-01T00:00:00Z"* ]]
}

@test "ca-sign's message certificate must have the CA's subject" {
    cp "$PKI/c.pub" "$PKI/c-other.pub"
    pki_unit_attest c-other ca-sign root 365 "Other CA"
    cp "$PKI/c-other.pem" .
    ca_yaml | sed 's/certificate: c.pem/certificate: c-other.pem/' >c.yaml
    wrong ca-sign c.yaml 2 \
        "c-other.pem: its subject is not the one of the issuing CA in ca.pem" \
        "hint: ca-sign signs its messages in the CA's name: both subjects must be the same"
}

@test "ca-sign's two keys must differ" {
    cp "$PKI/ca.pub" "$PKI/c-same.pub"
    pki_unit_attest c-same ca-sign root 365 "Device CA"
    cp "$PKI/c-same.pem" .
    ca_yaml | sed -e 's/certificate: c.pem/certificate: c-same.pem/' -e 's/object=c?/object=ca?/' \
        >c.yaml
    wrong ca-sign c.yaml 2 \
        "c-same.pem and ca.pem are for one key: messages and certificates need a key each"
}

@test "the issuing key must be the one of the CA's certificate" {
    ca_yaml | sed 's/object=ca?/object=v?/' >c.yaml
    wrong ca-sign c.yaml 2 "ca.pem: is for another key than pkcs11:token=hsm;object=v"
}

@test "the issuer's certificate must be a CA's" {
    ca_yaml | sed 's/certificate: ca.pem/certificate: v.pem/' >c.yaml
    wrong ca-sign c.yaml 2 "v.pem: certificate of CN=v is not a CA's"
}

@test "the issuer's chain leaves the root out" {
    cat ca.pem root.pem >both.pem
    ca_yaml | sed 's/certificate: ca.pem/certificate: both.pem/' >c.yaml
    run -0 unit-test ca-sign c.yaml
    [[ $output = *"chain 1 issuer chain 1" ]]
}

@test "the issuer's chain must be in order" {
    cat ca.pem v.pem >both.pem
    ca_yaml | sed 's/certificate: ca.pem/certificate: both.pem/' >c.yaml
    wrong ca-sign c.yaml 2 \
        "both.pem: certificate 2 is not of the CA that issued the one before it"
}

@test "an Ed25519 key is a configuration error" {
    unit-test keygen "pkcs11:token=hsm;object=ed?pin-source=$PKI/pin" ed25519 >"$PKI/ed.pub"
    pki_unit_attest ed attach root 365
    cp "$PKI/ed.pem" .
    attach_yaml | sed -e 's/certificate: a.pem/certificate: ed.pem/' -e 's/object=a/object=ed/' >a.yaml
    run -2 unit-test attach a.yaml
    [[ $output = *Ed25519* ]]
}

@test "a key that is not in the token is a configuration error" {
    attach_yaml | sed 's/object=a/object=nobody/' >a.yaml
    run -2 unit-test attach a.yaml
}

@test "another unit's ledger is a configuration error" {
    attach_yaml >a.yaml
    unit-test attach a.yaml
    verify_yaml | sed 's/v.db/a.db/' >v.yaml
    run -2 unit-test verify-unit v.yaml
}

# --- ca-sign --direct

direct_yaml() {
    cat <<EOF
ledger: d.db
issuer:
  key: $(uri ca)
  certificate: ca.pem
EOF
}

@test "a CA that signs no messages needs its key, its certificate and a ledger only" {
    direct_yaml >d.yaml
    run -0 --separate-stderr unit-test issuer d.yaml
    [ "$output" = "id: Device CA
role: ca-sign
issuer key: pkcs11:token=hsm;object=ca
issuer certificate: ca.pem, CN=Device CA, until $(end_of ca.pem)
ledger: d.db
profiles: the presets
chain 0 issuer chain 1" ] || { echo "$output"; return 1; }
    [ -z "$stderr" ]
}

@test "ca-sign's whole file serves to sign directly too" {
    ca_yaml >c.yaml
    run -0 unit-test issuer c.yaml
    [[ $output = *"chain 0 issuer chain 1" ]]
    run -0 unit-test ca-sign c.yaml
}

@test "a CA without a certificate yet is named by its id" {
    direct_yaml | sed 's/ca.pem/new.pem/' >d.yaml
    wrong issuer d.yaml 2 'd.yaml:1:1: key "id" is missing' \
        "hint: it names the unit in its ledger as long as no certificate does: the CA's commonName"
    echo "id: New CA" >>d.yaml
    run -0 unit-test issuer d.yaml
    [ "${lines[0]}" = "id: New CA" ]
    [[ $output = *"issuer certificate: none yet"* ]]
    [[ $output = *"chain 0 issuer chain 0" ]]
}

@test "a CA whose certificate has expired does not sign directly" {
    direct_yaml >d.yaml
    CERTLINE_CLOCK=$(date -d '2 years' +%s) run -2 --separate-stderr unit-test issuer d.yaml
    [[ $stderr = *"unit-test: ca.pem: the CA's certificate expired $(end_of ca.pem)"* ]]
}

@test "to sign directly takes a CA's certificate" {
    direct_yaml | sed 's/ca.pem/v.pem/' >d.yaml
    wrong issuer d.yaml 2 "v.pem: the first certificate is not a CA's"
}
