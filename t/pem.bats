bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/pem-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    export PATH
    cd "$BATS_FILE_TMPDIR" || return
    head -c 1000 /dev/zero | pem-test -e THING > a.pem # 23 lines
    printf 'ABCDEFGH' | pem-test -e OTHER > b.pem
}

setup() {
    . "$BATS_TEST_DIRNAME/await.bash"
    cd "$BATS_FILE_TMPDIR" || return
}

# Runs pem-test with the options $1 on the file on stdin: exactly these lines, and all of it was read.
reads() {
    local want
    want=$(printf '%s\n' "${@:2}" "END $(stat -Lc %s /dev/stdin)")
    # shellcheck disable=SC2086 # options
    run -0 pem-test $1
    [ "$output" = "$want" ] || { echo "$output"; return 1; }
}

@test "the strict form is what openssl writes and reads" {
    openssl req -x509 -newkey ed25519 -keyout /dev/null -nodes -subj /CN=x -out c.pem 2> /dev/null
    openssl x509 -in c.pem -outform DER | pem-test -e CERTIFICATE > d.pem
    cmp c.pem d.pem
}

@test "every length from 1 to 200 octets survives encoding and strict decoding" {
    for n in {1..200}; do
        head -c "$n" /dev/urandom > n.der
        pem-test -e X < n.der > n.pem
        sed '1d;$d' n.pem | base64 -d | cmp - n.der
        pem-test -s < n.pem | grep -q "^1 BLOCK X $n "
    done
}

@test "blocks follow each other, each with the text ahead of it" {
    { echo 'subject=/CN=1'; cat a.pem; printf '\n\nmore\n'; cat b.pem; } > in
    reads '' '2 BLOCK THING 1000 00000000 [subject=/CN=1' ']' \
        '28 BLOCK OTHER 8 79bb0884 [more' ']' < in
}

@test "empty input is told by its octets" {
    : > in
    reads "" < in
}

@test "CR LF, blanks at line ends and odd columns are read outside the strict form" {
    { echo '-----BEGIN OTHER-----  '; printf 'QUJD RE\r\nV\tGR0g=\r\n'; printf -- '-----END OTHER-----'; } > in
    reads '' '1 BLOCK OTHER 8 79bb0884 []' < in
}

@test "the strict form has no CR" {
    sed 's/$/\r/' b.pem > in
    reads -s '1 BAD CR LF at the end of line 1' < in
}

@test "the strict form has 64 columns" {
    sed '2s/.$//' a.pem > in
    reads -s '1 BAD a line that is not 64 columns in line 3' < in
    printf -- '-----BEGIN X-----\nQUJD\n\n-----END X-----\n' > in
    reads -s '1 BAD a line that is not 64 columns in line 3' < in
}

@test "the strict form has zero pad bits" {
    printf -- '-----BEGIN X-----\nQUJDRB==\n-----END X-----\n' > in
    reads -s '1 BAD base64 pad bits that are not zero in line 2' < in
}

@test "the strict form has no text ahead of, between or behind blocks" {
    { echo hello; cat b.pem; } > in
    reads -s '2 BAD text ahead of the block, in line 1' < in
    { cat b.pem; echo; cat b.pem; echo hello; } > in
    reads -s '1 BLOCK OTHER 8 79bb0884 []' '5 BLOCK OTHER 8 79bb0884 []' \
        '8 BAD text behind the last block' < in
}

@test "a block cut short anywhere never yields a block" {
    for ((n = 21; n < $(wc -c < b.pem) - 1; n++)); do
        head -c "$n" b.pem > cut
        pem-test < cut > out
        run -1 grep BLOCK out
        grep -q 'BAD truncated: no END line\|BAD .* in line' out
    done
}

@test "a truncated block does not take the next one with it" {
    { head -5 a.pem; cat b.pem; } > in
    reads '' '1 BAD truncated: no END line before the BEGIN in line 6' '6 BLOCK OTHER 8 79bb0884 []' < in
    head -5 a.pem > in
    reads '' '1 BAD truncated: no END line' < in
}

@test "an END without a BEGIN is named" {
    { tail -3 a.pem; cat b.pem; } > in
    reads '' '3 BAD END THING without a BEGIN line' '4 BLOCK OTHER 8 79bb0884 []' < in
}

@test "BEGIN and END must name the same thing" {
    { sed 's/END OTHER/END THING/' b.pem; cat b.pem; } > in
    reads '' '1 BAD BEGIN OTHER is closed by END THING' '4 BLOCK OTHER 8 79bb0884 []' < in
}

@test "padding stands at the end alone" {
    for data in QQ==QUJD QQ==QQ== 'QUJD====' 'Q===' '====' 'QU=D' 'QQ=A' 'QUJD='; do
        printf -- '-----BEGIN X-----\n%s\n-----END X-----\n' "$data" > in
        run -0 pem-test < in
        [[ ${lines[0]} =~ ^'1 BAD '(misplaced base64 padding|base64 that goes on behind its padding) ]]
    done
    printf -- '-----BEGIN X-----\nQUJDR\n-----END X-----\n' > in
    reads '' '1 BAD base64 ends within a group of four' < in
}

@test "a character that is not base64 spoils its block alone" {
    { cat b.pem; sed '2s/./:/3' b.pem; cat b.pem; } > in
    reads '' '1 BLOCK OTHER 8 79bb0884 []' '4 BAD a character that is not base64 in line 5' \
        '7 BLOCK OTHER 8 79bb0884 []' < in
}

@test "an empty block is refused" {
    printf -- '-----BEGIN X-----\n-----END X-----\n' > in
    reads '' '1 BAD an empty block' < in
}

@test "binary rubbish is no PEM block" {
    printf '\001\002\000\377\n\n\n' > in
    reads '' '1 BAD no PEM block' < in
    reads -s '1 BAD no PEM block' < in
}

@test "blank lines alone are nothing" {
    printf '\n \n\t\n' > in
    reads '' < in
}

@test "a block over the limit is refused and the next one read" {
    cat a.pem b.pem > in
    reads '-m 999' '1 BAD larger than 999 octets' '24 BLOCK OTHER 8 79bb0884 []' < in
    reads '-m 1000' '1 BLOCK THING 1000 00000000 []' '24 BLOCK OTHER 8 79bb0884 []' < in
}

# bats test_tags=measure
@test "a line of 1 GiB is skipped in flat memory" {
    run -0 bash -c 'ulimit -v 60000; { head -c 1073741824 /dev/zero; echo; cat b.pem; } | pem-test'
    [ "$output" = '1 BAD line longer than 1024 octets
2 BLOCK OTHER 8 79bb0884 []
END 1073741880' ]
}

# bats test_tags=measure
@test "a block of 1 GiB is skipped in flat memory" {
    run -0 bash -c 'ulimit -v 60000; { head -1 a.pem; yes "$(sed -n 2p a.pem)" | head -c 1073741825
        tail -1 a.pem; cat b.pem; } | pem-test'
    [ "${lines[0]}" = '1 BAD larger than 65536 octets' ]
    [[ ${lines[1]} = *' BLOCK OTHER 8 '* ]]
}

@test "a line of 1024 octets is read, one of 1025 is not" {
    for n in 1024 1025; do
        { echo '-----BEGIN X-----'; head -c 768 /dev/zero | base64 -w0; head -c "$((n - 1024))" /dev/zero |
            tr '\0' ' '; printf '\r\n-----END X-----\n'; } > "$n"
    done
    reads '' '1 BLOCK X 768 00000000 []' < 1024
    reads '' '1 BAD line longer than 1024 octets' < 1025
}

@test "text over the limit spoils the block behind it alone" {
    { yes text | head -1000; cat b.pem b.pem; } > in
    reads '' '1001 BAD text ahead of the block is longer than 4096 octets' \
        '1004 BLOCK OTHER 8 79bb0884 []' < in
}

@test "a NUL in the text spoils the block" {
    { printf 'subject=/CN=a\0b\n'; cat b.pem; } > in
    reads '' '2 BAD a NUL octet in the text ahead of the block, in line 1' < in
}

@test "a block that comes in pieces is waited for, or not, as asked" {
    { head -c 10 b.pem && await holds WAIT said && tail -c +11 b.pem; } | pem-test -w >said
    run -0 cat said
    [ "${lines[0]}" = WAIT ]
    [[ $output = *$'\n1 BLOCK OTHER 8 79bb0884 []\n'* ]]
    run -0 bash -c '{ head -c 10 b.pem; sleep 0.3; tail -c +11 b.pem; } | pem-test'
    [ "${lines[0]}" = '1 BLOCK OTHER 8 79bb0884 []' ]
}

@test "a file is read whole or refused with its name and line" {
    run -0 pem-test -f a.pem THING
    [ "$output" = 1000 ]
    run -3 pem-test -f a.pem OTHER
    [ "$output" = 'pem-test: a.pem:1: a THING block where only OTHER may stand' ]
    cat b.pem b.pem b.pem > three.pem
    run -3 pem-test -f three.pem OTHER
    [ "$output" = 'pem-test: three.pem:7: one OTHER block too many' ]
    run -3 pem-test -f /dev/null OTHER
    [ "$output" = 'pem-test: /dev/null: no OTHER block' ]
    run -3 pem-test -f none.pem OTHER
    [ "$output" = 'pem-test: none.pem: No such file or directory' ]
    head -5 a.pem > cut.pem
    run -3 pem-test -f cut.pem THING
    [ "$output" = 'pem-test: cut.pem:1: truncated: no END line' ]
}
