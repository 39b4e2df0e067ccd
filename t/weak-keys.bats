# Keys that nobody should certify: each is refused with its own sentence, by each unit that judges.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    cd "$BATS_TEST_DIRNAME/.." || return
    local build=${BUILD:-build}
    make -s BUILD="$build" all "$build/t/profile-test" "$build/t/csr-test" || return
    PATH=$(realpath "$build")/t:$(realpath "$build")/bin:$PATH
    WEAK=$PWD/t/weak-keys.py
    export PATH WEAK
    cd "$BATS_FILE_TMPDIR" || return
    csr-make -n P-256 -k ca.key -s CN=Root >ca.csr
    profile-test -p root -k ca.key <ca.csr >ca.pem
    lab_make "$BATS_FILE_TMPDIR/lab"
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    cd "$BATS_TEST_TMPDIR" || return
    F=$BATS_FILE_TMPDIR
    lab_use "$F/lab"
    lab_fresh
}

# judged KIND: what becomes of a request with such a key
judged() {
    { /usr/bin/python3 "$WEAK" "$1" | profile-test -p plainest -c "$F/p.yaml" -k "$F/ca.key" -i "$F/ca.pem" >cert.pem; } 2>&1
}

# each TABLE: KIND|SENTENCE, or KIND| for a key that is certified
each() {
    local kind why
    printf '%s\n' 'profiles: [{name: plainest, validity: 1y, keys: [P-256, RSA-2048, Ed25519]}]' >"$F/p.yaml"
    while IFS='|' read -r kind why; do
        run judged "$kind"
        if [ -n "$why" ]; then
            [ "$status $output" = "1 profile-test: refused 0: the request has $why" ] || { echo "$kind: $output"; return 1; }
        else
            [ "$status$output" = 0 ] || { echo "$kind: $output"; return 1; }
            openssl x509 -in cert.pem -noout -pubkey | cmp - <(/usr/bin/python3 "$WEAK" --key "$kind")
        fi
    done
}

@test "an RSA exponent is odd, above 2^16 and at most 64 bits long" {
    each <<'TABLE'
good|
e-even|an RSA exponent that is even
e-1|an RSA exponent smaller than 65537
e-3|an RSA exponent smaller than 65537
e-65535|an RSA exponent smaller than 65537
e-65539|
e-65-bits|an RSA exponent longer than 64 bits
TABLE
}

@test "an RSA modulus has 2048 bits or more, and no factor below 752" {
    each <<'TABLE'
short|an RSA key shorter than 2048 bits
long|an RSA key longer than 8192 bits
even|an RSA modulus that is even
factor-3|an RSA modulus that is divisible by 3
factor-751|an RSA modulus that is divisible by 751
factor-757|
TABLE
}

@test "a modulus of the vulnerable RSALib is known by its fingerprint, and a modulus with one such prime is not taken for one" {
    each <<'TABLE'
roca|an RSA modulus with the fingerprint of ROCA (CVE-2017-15361)
half-roca|
TABLE
}

@test "primes that a hundred rounds of Fermat's method find are refused" {
    each <<'TABLE'
close|an RSA modulus whose primes are close to each other (Fermat's method)
close-95|an RSA modulus whose primes are close to each other (Fermat's method)
close-120|
square|an RSA modulus that is a square
TABLE
}

@test "a point lies on its curve, within the field, in the one form that is taken" {
    each <<'TABLE'
p256|
five|
off-curve|a point that is not on P-256
origin|a point that is not on P-256
x-range|a point whose coordinates are out of range for P-256
y-range|a point whose coordinates are out of range for P-256
infinity|a point at infinity
compressed|a point in compressed form
hybrid|a point whose encoding is malformed
explicit|a curve with parameters of its own
secp256k1|a curve other than P-256, P-384 and P-521
TABLE
}

@test "an Ed25519 key lies on its curve, in canonical form, and is not of small order" {
    each <<'TABLE'
ed25519|
ed-0|an Ed25519 key of small order
ed-1|an Ed25519 key of small order
ed-1-sign|an Ed25519 key of small order
ed-minus-1|an Ed25519 key of small order
ed-8|an Ed25519 key of small order
ed-8-other|an Ed25519 key of small order
ed-p|an Ed25519 key that is not in canonical form
ed-p-plus-3|an Ed25519 key that is not in canonical form
ed-off|a point that is not on Ed25519's curve
TABLE
}

# --- the list of blocked keys ---

# The key of dev.csr, as the list names it
hash() {
    openssl req -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -c1-64
}

list() { # LINE...: blocked.txt, and p.yaml that names it
    printf '%s\n' "$@" >blocked.txt
    printf '%s\n' 'blocked-keys: blocked.txt' 'profiles: [{name: x, validity: 1y}]' >p.yaml
}

@test "a key on the list is refused, in either case, with spaces and a comment behind it" {
    local hash
    csr-make -n P-256 -k dev.key -s CN=a >dev.csr
    hash=$(hash dev.csr)
    for line in "$hash" "${hash^^}" "  $hash # stolen in May" "$hash"$'\r'; do
        list '# what nobody may have' '' "$line" "$(printf '%064d' 1)"
        run -1 profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <dev.csr
        [ "$output" = 'profile-test: refused 2: the public key is on the list of blocked keys blocked.txt' ]
    done
    printf %s "$hash" >blocked.txt # without a line feed
    run -1 profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <dev.csr
    [ "$output" = 'profile-test: refused 2: the public key is on the list of blocked keys blocked.txt' ]
    list "$(tr 0-9a-f 1-9a-f0 <<<"$hash")"
    profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <dev.csr >cert.pem
}

@test "a list as openssl-vulnkey has it, of RSA moduli, is taken as it is" {
    local digits
    csr-make -n RSA-2048 -k dev.key -s CN=a >dev.csr
    digits=$(openssl req -in dev.csr -noout -modulus | sha1sum | cut -c21-40)
    list '# of 2008' 00005890bc78bcbee3ca "$digits"
    run -1 profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <dev.csr
    [ "$output" = 'profile-test: refused 2: the public key is on the list of blocked keys blocked.txt' ]
    list "$(tr 0-9a-f 1-9a-f0 <<<"$digits")"
    profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <dev.csr >cert.pem
    # It is not the end of another hash, nor the beginning.
    csr-make -n P-256 -k ec.key -s CN=a >ec.csr
    list "$(hash ec.csr | cut -c 1-20)" "$(hash ec.csr | cut -c 45-64)"
    profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <ec.csr >cert.pem
}

@test "the list holds for presets too, and several lists are named each" {
    local hash
    csr-make -n P-256 -k dev.key -s serialNumber=1 >dev.csr
    hash=$(hash dev.csr)
    list "$(printf '%064d' 1)"
    echo "$hash" >other.txt
    sed -i 's/blocked.txt/[blocked.txt, other.txt]/' p.yaml
    run -1 profile-test -c p.yaml -p idevid -k "$F/ca.key" -i "$F/ca.pem" <dev.csr
    [ "$output" = 'profile-test: refused 2: the public key is on the list of blocked keys other.txt' ]
}

@test "a bad line of the list is named" {
    local good
    good=$(printf '%064d' 7)
    while IFS='|' read -r line why; do
        list "$good" "${line//GOOD/$good}"
        run -2 profile-test -c p.yaml -l
        [ "${lines[0]}" = "profile-test: blocked.txt:2: $why" ] || { echo "$line: $output"; return 1; }
    done <<'TABLE'
cafe|neither the 64 hexadecimal digits of a public key's SHA-256 nor 20 as openssl-vulnkey(1) has them
GOOD0|neither the 64 hexadecimal digits of a public key's SHA-256 nor 20 as openssl-vulnkey(1) has them
00005890bc78bcbee3c|neither the 64 hexadecimal digits of a public key's SHA-256 nor 20 as openssl-vulnkey(1) has them
00005890bc78bcbee3ca0|neither the 64 hexadecimal digits of a public key's SHA-256 nor 20 as openssl-vulnkey(1) has them
GOOD# too near|neither the 64 hexadecimal digits of a public key's SHA-256 nor 20 as openssl-vulnkey(1) has them
g000000000000000000000000000000000000000000000000000000000000000|neither the 64 hexadecimal digits of a public key's SHA-256 nor 20 as openssl-vulnkey(1) has them
TABLE
    list "$good" "# $(printf '%600d' 1)"
    run -2 profile-test -c p.yaml -l
    [ "${lines[0]}" = 'profile-test: blocked.txt:2: a line with a NUL, or longer than 510 octets' ]
    printf '%s\n%s\0%s' "$good" "$good" "$good" >blocked.txt
    run -2 profile-test -c p.yaml -l
    [ "${lines[0]}" = 'profile-test: blocked.txt:2: a line with a NUL, or longer than 510 octets' ]
    rm blocked.txt
    run -2 profile-test -c p.yaml -l
    [ "${lines[0]}" = 'profile-test: blocked.txt: No such file or directory' ]
}

@test "of a long list each key is blocked, and no other" {
    csr-make -n P-256 -k dev.key -s CN=a >dev.csr
    list
    /usr/bin/python3 "$WEAK" --hashes 100000 >blocked.txt
    hash dev.csr >>blocked.txt
    /usr/bin/python3 "$WEAK" --hashes 1000 >>blocked.txt # again
    run -1 profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <dev.csr
    [ "$output" = 'profile-test: refused 2: the public key is on the list of blocked keys blocked.txt' ]
    csr-make -n P-256 -k other.key -s CN=a >other.csr
    run -0 --separate-stderr profile-test -c p.yaml -p x -k "$F/ca.key" -i "$F/ca.pem" <other.csr
    openssl x509 -noout -subject <<<"$output"
}

# --- the units ---

# profiles UNIT FILE: the unit's profiles are in FILE
profiles() {
    grep -v '^profiles:' "$LAB/etc/$1.yaml" >"$LAB/etc/$1.tmp"
    echo "profiles: $2" >>"$LAB/etc/$1.tmp"
    mv "$LAB/etc/$1.tmp" "$LAB/etc/$1.yaml"
}

plain_profiles() {
    local unit
    for unit in verify-unit ra-approve ca-sign; do
        grep -v '^profiles:' "$LAB/etc/$unit.yaml" >"$LAB/etc/$unit.tmp"
        mv "$LAB/etc/$unit.tmp" "$LAB/etc/$unit.yaml"
    done
}

@test "verify-unit, ra-approve and ca-sign each refuse what their own list blocks" {
    local unit
    lab_requests B1 >r.csr
    hash r.csr >"$LAB/etc/stolen.txt"
    printf '%s\n' 'blocked-keys: stolen.txt' 'profiles: []' >"$LAB/etc/blocking.yaml"
    for unit in verify-unit ra-approve ca-sign; do
        lab_fresh
        plain_profiles
        profiles $unit blocking.yaml
        run -1 --separate-stderr lab_line <r.csr
        [ -z "$output" ]
        [[ $stderr == *"$unit: the public key is on the list of blocked keys stolen.txt (failInfo badRequest)"* ]] ||
            { echo "$unit: $stderr"; plain_profiles; return 1; }
    done
    plain_profiles
}

@test "a weak key that comes bare is refused on the line, and the others of its message are served" {
    lab_keys B2 >keys.pem
    { echo subject=serialNumber=B3,O=Lab; /usr/bin/python3 "$WEAK" --key roca; } >>keys.pem
    run -1 --separate-stderr bash -c '. "$1/lib.bash"; lab_use "$2"; lab_up --lot bare <keys.pem | lab_middle | lab_down' - \
        "$BATS_TEST_DIRNAME" "$LAB"
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [[ $stderr == *'B3: refused'*'an RSA modulus with the fingerprint of ROCA (CVE-2017-15361)'* ]] || { echo "$stderr"; return 1; }
}

@test "ca-sign --direct refuses a weak key whose owner proves to have it" {
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out e3.key
    openssl req -new -key e3.key -subj /CN=a -out e3.csr
    run -1 ca-sign -c "$LAB/etc/ca.yaml" --direct --profile tls-client <e3.csr
    [[ $output == *'refused: the request has an RSA exponent smaller than 65537'* ]] || { echo "$output"; return 1; }
    lab_requests B4 >r.csr
    hash r.csr >"$LAB/etc/stolen.txt"
    printf '%s\n' 'blocked-keys: stolen.txt' 'profiles: []' >"$LAB/etc/blocking.yaml"
    cp "$LAB/etc/ca.yaml" "$LAB/etc/strict-ca.yaml"
    echo 'profiles: blocking.yaml' >>"$LAB/etc/strict-ca.yaml"
    run -1 ca-sign -c "$LAB/etc/strict-ca.yaml" --direct --profile tls-client <r.csr
    [[ $output == *'refused: the public key is on the list of blocked keys stolen.txt'* ]] || { echo "$output"; return 1; }
}

@test "csr-make asks for no certificate for a weak key, and for those of a list's other devices it does" {
    mkdir keys
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out keys/B.pem
    run -1 csr-make --key keys/B.pem --subject CN=a
    [ "$output" = 'csr-make: refused: the key has an RSA exponent smaller than 65537' ]
    run -0 csr-make --key keys/B.pem --public-key # that asks for nothing
    printf '%s\n' serial A B C >list.csv
    run -1 --separate-stderr csr-make --list list.csv --keys keys
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [[ $stderr == *'refused: the key has an RSA exponent smaller than 65537'*'list.csv:3: no request for a weak key'* ]]
}
