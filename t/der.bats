bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/der-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    export PATH
    cd "$BATS_FILE_TMPDIR" || return
    openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -subj /C=DE/O=Ex/CN=a -out c.pem 2> /dev/null
    openssl x509 -in c.pem -outform DER -out c.der
    openssl req -new -key k.pem -subj /C=DE/CN=a -outform DER -out r.der
    openssl cms -sign -signer c.pem -inkey k.pem -nodetach -outform DER -in c.pem -out m.der
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
}

# says WHAT HEX [OPTION...]: what der-test says of these octets.
says() {
    run -0 der-test -x "${@:3}" <<< "$2"
    [ "$output" = "$1" ] || { echo "$2: $output"; return 1; }
}

# nested N: so many SEQUENCEs, one in the other, in hexadecimal.
nested() {
    local hex='' n
    for ((i = 0; i < $1; i++)); do
        n=$((${#hex} / 2))
        if ((n < 128)); then
            printf -v hex '30%02x%s' $n "$hex"
        elif ((n < 256)); then
            printf -v hex '3081%02x%s' $n "$hex"
        else
            printf -v hex '3082%04x%s' $n "$hex"
        fi
    done
    echo "$hex"
}

@test "a certificate, a request and a message of openssl are DER" {
    for f in c r m; do
        run -0 der-test < $f.der
        [ "$output" = ok ]
    done
}

@test "every truncation is refused, and every length with an octet more than it needs" {
    for f in c r m; do
        run -0 der-test -t < $f.der
        [[ $output =~ ^'refused '[0-9]+' truncations: yes, long lengths: yes'$ ]]
    done
}

@test "octets behind the end are refused" {
    { cat c.der; printf '\0'; } > in
    run -0 der-test < in
    [ "$output" = "trailing octets at octet $(stat -c %s c.der)" ]
}

@test "nothing at all is refused" {
    says 'missing element at octet 0' ''
}

@test "indefinite lengths and end-of-contents octets are refused" {
    says 'indefinite length at octet 0' 30800201010000
    says 'indefinite length at octet 2' 300430800000
    says 'end-of-contents octets at octet 2' 30020000
}

@test "lengths are minimal and inside what holds them" {
    says 'length that is not minimal at octet 0' 308100
    says 'length that is not minimal at octet 0' 04820001aa
    says 'length beyond the end at octet 2' 3003020201
    says 'length beyond the end at octet 0' 0484ffffffff00
    says 'length beyond the end at octet 0' 0488ffffffffffffffff00
    says 'truncated length at octet 0' 30
    says 'truncated length at octet 0' 0482ff
}

@test "tag numbers are minimal" {
    says ok 9f1f00
    says ok bf810000
    says 'tag that is not minimal at octet 0' 9f1e00
    says 'tag that is not minimal at octet 0' 9f801f00
    says 'tag number too large at octet 0' 9fffffffff7f00
    says 'truncated tag at octet 0' 9fff
}

@test "1,000 levels are refused, and 33; 32 are not" {
    says ok "$(nested 32)"
    says 'nested deeper than 32 levels at octet 64' "$(nested 33)"
    says 'nested deeper than 32 levels at octet 128' "$(nested 1000)"
}

@test "the elements of a SET ascend" {
    says ok 3106020101020102
    says ok 3106020101020101
    says ok 3100
    says 'SET OF out of order at octet 5' 3106020102020101
    says 'SET OF out of order at octet 6' 31080202010102020100
    says 'SET OF out of order at octet 7' 300a31080201010101ff0500
    says ok 3006020102020101
}

@test "below the lax path, and nowhere else, a SET may be in any order" {
    says ok 30083106020102020101 -l 0
    says ok 30083106020102020101 -l '*'
    says ok 300a30083106020102020101 -l 0
    says ok 300a30083106020102020101 -l '*,0'
    says 'SET OF out of order at octet 7' 30083106020102020101 -l 1
    says 'SET OF out of order at octet 9' 300a30083106020102020101 -l 0,1
    says 'SET OF out of order at octet 15' 301031060201020201013106020102020101 -l 0
    says 'length that is not minimal at octet 7' 3009310702010202810101 -l 0
}

@test "each primitive type is in its one form" {
    says ok 0101ff
    says ok 010100
    says 'BOOLEAN not 00 or FF at octet 0' 010101
    says 'BOOLEAN not 00 or FF at octet 0' 0100
    says 'empty INTEGER at octet 0' 0200
    says 'INTEGER that is not minimal at octet 0' 02020001
    says 'INTEGER that is not minimal at octet 0' 0202ff80
    says 'INTEGER that is not minimal at octet 0' 0a020001
    says ok 02020080
    says ok 0202ff7f
    says 'NULL with content at octet 0' 050100
    says 'BIT STRING with pad bits that are not zero at octet 0' 03020701
    says ok 03020780
    says ok 030100
    says 'BIT STRING with a bad count of pad bits at octet 0' 0300
    says 'BIT STRING with a bad count of pad bits at octet 0' 030101
    says 'BIT STRING with a bad count of pad bits at octet 0' 03020880
    says 'OBJECT IDENTIFIER that is not minimal at octet 0' 06032a8001
    says 'truncated OBJECT IDENTIFIER at octet 0' 06022a80
    says 'truncated OBJECT IDENTIFIER at octet 0' 0600
    says 'constructed string or primitive type at octet 0' 2403040100
    says 'constructed string or primitive type at octet 0' 2c030c0141
    says 'SEQUENCE or SET that is primitive at octet 0' 1000
    says 'unknown universal tag at octet 0' 0f00
    says 'unknown universal tag at octet 0' 1f2500
}

# time TAG TEXT: as hexadecimal.
time_of() {
    printf '%s%02x' "$1" ${#2}
    printf %s "$2" | od -An -v -tx1 | tr -d ' \n'
}

@test "times are to the second and in Z" {
    says ok "$(time_of 17 261121080000Z)"
    says ok "$(time_of 18 99991231235959Z)"
    says ok "$(time_of 18 20261121080000.5Z)"
    for t in 2611210800Z 261121080000+0100 261321080000Z 260021080000Z 261100080000Z 261132080000Z \
        261121240000Z 261121086000Z 261121080060Z 2611210800x0Z 261121080000.5Z; do
        says 'time that is not in the form of DER at octet 0' "$(time_of 17 "$t")"
    done
    for t in 20261121080000 20261121080000.Z 20261121080000.50Z 20261121080000,5Z 202611210800Z \
        20261121080000.5.5Z; do
        says 'time that is not in the form of DER at octet 0' "$(time_of 18 "$t")"
    done
}
