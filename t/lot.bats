bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/lot-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    export PATH
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# lots [KEY VALUE]...: lots.yaml with one lot, where these keys have these values
lots() {
    local name=demo profile=idevid owner=acme devices=devices.csv units='[verify-1, verify-2]' more=
    while [ $# -gt 0 ]; do
        printf -v "$1" %s "$2"
        shift 2
    done
    printf '%s\n' 'lots:' "  - name: $name" "    profile: $profile" "    owner: $owner" \
        "    devices: $devices" "    verify-units: $units" ${more:+"    $more"} > lots.yaml
}

# bad_row WHY [printf format]: the one warning about d.csv with this content; the row behind it is read
bad_row() {
    printf "$2" > d.csv
    run -3 --separate-stderr lot-test csv d.csv
    [ "$stderr" = "lot-test: d.csv:$1" ] || { echo "$stderr"; return 1; }
    [[ $output = *'a=<next> b=<row>' ]]
}

# bad_file WHY [printf format]: d.csv cannot be opened at all
bad_file() {
    printf "$2" > d.csv
    run -2 lot-test csv d.csv
    [ "$output" = "lot-test: d.csv:$1" ] || { echo "$output"; return 1; }
}

# bad_lots WHY: the first warning about lots.yaml
bad_lots() {
    run -2 lot-test show lots.yaml demo verify-1
    [ "${lines[0]}" = "lot-test: lots.yaml:$1" ] || { echo "$output"; return 1; }
}

@test "rows are read with quotes, commas and line feeds in them" {
    printf 'a,b\n1,"x, ""y"""\n"two\nlines",\n\n,"",\n' > d.csv
    run -3 --separate-stderr lot-test csv d.csv
    [ "$output" = '2: a=<1> b=<x, "y">
3: a=<two
lines> b=<>' ]
    [ "$stderr" = 'lot-test: d.csv:6: 3 fields where the header names 2' ]
}

@test "a byte order mark, CRLF and a missing last line end are accepted" {
    printf '\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,"4"' > d.csv
    run -0 lot-test csv d.csv
    [ "$output" = $'2: a=<1> b=<2>\n4: a=<3> b=<4>' ]
}

@test "each kind of bad row has its own sentence, and reading goes on behind it" {
    bad_row '2: 1 field where the header names 2' 'a,b\nx\nnext,row\n'
    bad_row '2: 3 fields where the header names 2' 'a,b\nx,y,z\nnext,row\n'
    bad_row '2: a quote is not closed' 'a,b\nx,"y\nnext,row\n'
    bad_row '2: a quote inside a field without quotes' 'a,b\nx,5"\nnext,row\n'
    bad_row '2: text behind a closing quote' 'a,b\n"x"y,z\nnext,row\n'
    bad_row '2: a carriage return inside a field without quotes' 'a,b\nx\ry,z\nnext,row\n'
    bad_row '3: a NUL octet' 'a,b\n1,2\nx\0,y\nnext,row\n'
    bad_row '2: not UTF-8' 'a,b\nx,\xff\nnext,row\n'
    bad_row '2: not UTF-8' 'a,b\nx,\xed\xa0\x80\nnext,row\n'
    bad_row '2: a row of more than 8192 octets' "a,b\nx,$(printf '%09000d' 0)\nnext,row\n"
    bad_row '2: a row of more than 8192 octets' "a,b\nx,$(printf '%0100000d' 0)\nnext,row\n"
    bad_row '2: more columns than the limit of 32' "a,b\n$(printf ',%.0s' {1..40})\nnext,row\n"
}

@test "a row of exactly 8192 octets is read" {
    printf 'a,b\nx,%08190d\r\ny,%08190d\n' 0 0 > d.csv
    run -0 lot-test csv d.csv
    [ "${#lines[@]}" = 2 ]
    bad_row '2: a row of more than 8192 octets' "a,b\nx,$(printf '%08191d' 0)\nnext,row\n"
}

@test "a header must name each column once" {
    bad_file '1: two columns are named "a"' 'a,b,a\n'
    bad_file '1: a column without a name' 'a,,b\n'
    bad_file ' empty, its first line must name the columns' ''
    bad_file '1: a quote is not closed' '"a,b\n'
}

@test "what is not there or not a file is named" {
    run -2 lot-test csv no.csv
    [ "$output" = 'lot-test: no.csv: No such file or directory' ]
    mkdir d
    run -2 lot-test csv d
    [ "$output" = 'lot-test: d: not a file' ]
}

@test "a template takes columns, quoted if that is wanted" {
    printf 'a,b\n1,x y\n' > d.csv
    run -0 lot-test expand d.csv 'n={a}/{{{b}}.'
    [ "$output" = 'n=1/{x y}.' ]
    run -0 lot-test expand d.csv '{b}' quote
    [ "$output" = '[x y]' ]
    run -2 lot-test expand d.csv '{a}{c}'
    [ "$output" = 'lot-test: template "{a}{c}": there is no column "c"' ]
    run -2 lot-test expand d.csv 'x{a'
    [ "$output" = 'lot-test: template "x{a": a brace is not closed' ]
}

@test "a lot is read, its list beside the file" {
    mkdir etc
    lots
    mv lots.yaml etc
    run -0 lot-test show etc/lots.yaml demo verify-2
    [ "$output" = 'demo idevid acme etc/devices.csv pop=0 allowed' ]
    run -0 lot-test show etc/lots.yaml demo verify-3
    [[ $output = *'not allowed' ]]
    run -1 lot-test show etc/lots.yaml other verify-2
}

@test "a lot may take any device and a witness" {
    lots devices any units v more 'pop: witness'
    run -0 lot-test show lots.yaml demo v
    [ "$output" = 'demo idevid acme any pop=1 allowed' ]
    run -0 lot-test look lots.yaml demo whatever
    [ "$output" = '0:' ]
}

@test "errors of the file say where" {
    lots more 'quotas: 5'
    bad_lots '7:5: unknown key "quotas"'
    lots units '[]'
    bad_lots '6:19: "verify-units" is empty'
    lots more 'pop: maybe'
    bad_lots '7:10: "pop" must be one of required, witness, not "maybe"'
    lots
    sed 1d lots.yaml >> lots.yaml
    bad_lots '7:11: two lots are named "demo"'
    sed -i /owner/d lots.yaml
    bad_lots '2:5: key "owner" is missing'
    echo 'lots: []' > lots.yaml
    bad_lots '1:7: "lots" is empty'
    echo 'lots: {a: b}' > lots.yaml
    bad_lots '1:7: "lots" must be a list'
}

@test "a device is looked up by the column serial, or else the first" {
    lots
    printf 'model,serial\nX,SN1\nY,SN2\n' > devices.csv
    run -0 lot-test look lots.yaml demo SN2 SN1
    [ "$output" = $'3: model=<Y> serial=<SN2>\n2: model=<X> serial=<SN1>' ]
    run -1 lot-test look lots.yaml demo X
    [ -z "$output" ]
    printf 'mac,model\n02:00,X\n' > devices.csv
    run -0 lot-test look lots.yaml demo 02:00
    [ "$output" = '2: mac=<02:00> model=<X>' ]
}

@test "a duplicate device names both lines" {
    lots
    printf 'serial,x\nSN1,a\nSN2,"b\nc"\nSN1,d\n' > devices.csv
    run -2 lot-test look lots.yaml demo SN2
    [ "${lines[0]}" = 'lot-test: devices.csv:5: device "SN1" stands in line 2 already' ]
    [ "${lines[1]}" = 'lot-test: lot demo: its device list cannot be used' ]
}

@test "a list with a bad row or an empty key cannot be used, and each row is named" {
    lots
    printf 'serial,x\nSN1,a\n,b\nSN3\nSN4,d\n' > devices.csv
    run -2 lot-test look lots.yaml demo SN1 SN4
    [ "${lines[0]}" = 'lot-test: devices.csv:3: the column "serial" is empty' ]
    [ "${lines[1]}" = 'lot-test: devices.csv:4: 1 field where the header names 2' ]
    [ "${#lines[@]}" = 3 ]
}

@test "a hopeless list gives twenty warnings, not a million" {
    lots
    { echo serial,x; seq 100000; } > devices.csv
    run -2 lot-test look lots.yaml demo 1
    [ "${#lines[@]}" = 22 ]
    [ "${lines[20]}" = 'lot-test: devices.csv: and so on' ]
}

@test "a list that changes while it is in use is noticed" {
    lots
    printf 'serial,x\nSN1,a\n' > devices.csv
    run -3 lot-test edit lots.yaml demo SN1 devices.csv
    [ "${lines[0]}" = 'lot-test: devices.csv: the list changed while it was in use' ]
}

@test "every device of a list whose rows grow is found" {
    lots
    { echo serial,x; seq -f %1.0f,x 200000; } > devices.csv
    run -0 lot-test look lots.yaml demo 1 9 99999 100000 199999 200000
    [ "${#lines[@]}" = 6 ]
    run -1 lot-test look lots.yaml demo 0 200001 x ''
    [ -z "$output" ]
}

# bats test_tags=measure
@test "a list of a million devices opens in a moment, in 12 octets a device" {
    lots
    { echo serial,mac,model; seq -f SN-2026-%08.0f,02:00:00:00:00:00,XR-9 1000000; } > devices.csv
    run -0 lot-test speed lots.yaml demo SN-2026-00777777
    eval "$output"
    [ "$open_ms" -lt 3000 ]
    [ "$kib" -lt 15000 ]
}
