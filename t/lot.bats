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

@test "a list with another separator is told so, and not read as one of strange devices" {
    bad_file '1: ";" in the name of a column: fields are separated by commas' 'serial;model\r\nSN-1;XR 9\r\n'
    bad_file '1: ";" in the name of a column: fields are separated by commas' 'sep=;\r\nserial;model\r\n'
    bad_file '1: a tab in the name of a column: fields are separated by commas' 'serial\tmodel\nSN-1\tXR 9\n'
    printf 'serial,model\nSN-1,XR;9\n' >d.csv
    run -0 lot-test csv d.csv
    [ "$output" = '2: serial=<SN-1> model=<XR;9>' ]
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
    lots
    sed -i /devices/d lots.yaml
    bad_lots '2:5: key "devices" or "pattern" is missing'
    echo 'lots: []' > lots.yaml
    bad_lots '1:7: "lots" is empty'
    echo 'lots: {a: b}' > lots.yaml
    bad_lots '1:7: "lots" must be a list'
}

@test "what a lot says of quota, time and people has bounds" {
    lots more 'quota: 0'
    bad_lots '7:12: a quota of 0 lets nothing be made: leave the lot out, or end it with "until"'
    lots more 'quota: -1'
    bad_lots '7:12: "quota" must be a whole number from 0 to 9223372036854775807, not "-1"'
    lots more 'until: tomorrow'
    bad_lots '7:12: "until" must be a date, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, not "tomorrow"'
    lots more '{}'
    local line='from: 2026-03-01, until: 2026-03-01'
    printf '%s\n' 'lots:' "  - {name: a, profile: p, owner: o, devices: any, verify-units: v, $line}" >lots.yaml
    bad_lots '2:93: the lot ends before it begins'
    local bad
    for bad in 0 10 2x never; do
        lots more "approve: $bad"
        bad_lots "7:14: \"approve\" must be auto, manual or 1 to 9 (persons), not \"$bad\""
    done
    for bad in attach approvers san; do
        lots more "$bad: []"
        bad_lots "7:$((7 + ${#bad})): \"$bad\" is empty"
    done
}

@test "approvers that nobody would ask, or that are fewer than are needed, are named" {
    lots more 'approvers: [alice]'
    bad_lots '7:16: "approvers" without "approve": nobody would be asked'
    approve() { printf '%s\n' 'lots:' "  - {name: a, profile: p, owner: o, devices: any, verify-units: v, $1}" >lots.yaml; }
    approve 'approve: auto, approvers: [alice]'
    bad_lots '2:94: "approvers" without "approve": nobody would be asked'
    approve 'approve: 2, approvers: [alice]'
    bad_lots '2:91: "approve" wants 2 persons, "approvers" names 1'
    approve 'approve: manual, approvers: [alice, bob, alice]'
    bad_lots '2:96: "alice" stands twice in "approvers"'
    approve 'approve: 2, approvers: [alice, bob]'
    run -0 lot-test open lots.yaml a 0 v
}

@test "a lot is open from its first second to the last before its end, to the attach that it names" {
    printf '%s\n' 'lots:' '  - {name: a, profile: p, owner: o, devices: any, verify-units: v, attach: [x, y],' \
        '     from: 2026-01-01, until: 2026-01-02T00:00:10Z, approve: manual, quota: 1000000}' \
        '  - {name: b, profile: p, owner: o, devices: any, verify-units: v, approve: 3}' >lots.yaml
    run -1 lot-test open lots.yaml a 1767225599 x
    [ "$output" = 'lot "a" begins 2026-01-01T00:00:00Z, approve=1 quota=1000000, allowed' ]
    run -0 lot-test open lots.yaml a 1767225600 z
    [ "$output" = 'open, approve=1 quota=1000000, not allowed' ]
    run -0 lot-test open lots.yaml a 1767312009 y
    run -1 lot-test open lots.yaml a 1767312010 y
    [ "$output" = 'lot "a" ended 2026-01-02T00:00:10Z, approve=1 quota=1000000, allowed' ]
    run -0 lot-test open lots.yaml b 0 z
    [ "$output" = 'open, approve=3 quota=-1, allowed' ]
}

@test "a pattern is matched over the whole id, and has its bounds" {
    pattern() { printf '%s\n' 'lots:' "  - {name: demo, profile: p, owner: o, verify-units: v, pattern: '$1'}" >lots.yaml; }
    pattern 'SN-[0-9]{4}|X'
    run -1 lot-test names lots.yaml demo SN-0001 X SN-00011 XX aX ''
    [ "$output" = $'-\n-\nSN-00011: not of the lot\nXX: not of the lot\naX: not of the lot\n: not of the lot' ]
    # a stray parenthesis opens no way past the ends; the longest of several alternatives counts
    pattern 'a)|b'
    run -1 lot-test names lots.yaml demo aXXX xb 'a)' b
    [ "$output" = $'aXXX: not of the lot\nxb: not of the lot\n-\n-' ]
    pattern 'b|a|ab|abc'
    run -0 lot-test names lots.yaml demo a ab abc b
    pattern '^S$'
    run -0 lot-test names lots.yaml demo S
    pattern '(a'
    bad_lots '2:66: pattern: Unmatched ( or \('
    pattern '(a)\1'
    bad_lots '2:66: a pattern with a back-reference'
    pattern "$(printf 'a%.0s' {1..201})"
    bad_lots '2:66: a pattern of more than 200 octets'
    sed -i 's/owner: o/&, devices: any/' lots.yaml
    bad_lots '2:80: a lot has "devices" or a "pattern", not both'
}

# with LINE...: a lot "demo" with these keys more, over devices.csv
with() {
    printf '%s\n' 'lots:' '  - name: demo' '    profile: p' '    owner: o' '    verify-units: v' "${@/#/    }" >lots.yaml
}

@test "templates make names from columns, and what a field holds stays a value" {
    printf '%s\n' serial,model,note 'S1,"a,O=Evil+CN=b",x' 'S2,,' 'S3,"{serial}",' >devices.csv
    with 'devices: devices.csv' 'subject: "serialNumber={serial},CN={model},O=ABC"' \
        'san: ["dns:{serial}.abc.example", "dn:CN={model}", "hardware-module-name:1.2.3:{serial}", "permanent-identifier:1.2.4:{serial}"]'
    run -1 lot-test names lots.yaml demo S1 S2 S3
    [ "${lines[0]}" = 'serialNumber=S1,CN=a\,O=Evil\+CN=b,O=ABC dns:S1.abc.example dn:CN=a\,O=Evil\+CN=b hardware-module-name:1.2.3:S1 permanent-identifier:1.2.4:S1' ] ||
        [ "${lines[0]}" = 'serialNumber=S1,CN=a\,O\=Evil\+CN\=b,O=ABC dns:S1.abc.example dn:CN=a\,O\=Evil\+CN\=b hardware-module-name:1.2.3:S1 permanent-identifier:1.2.4:S1' ]
    [ "${lines[1]}" = 'line 3 of the device list: the column "model" is empty' ]
    [[ ${lines[2]} = 'serialNumber=S3,CN={serial},O=ABC dns:S3.abc.example '* ]]
}

@test "a name that a row cannot have refuses that device by its line" {
    printf '%s\n' serial,c 'S1,Japan' 'S2,JP' 'S_3,JP' >devices.csv
    with 'devices: devices.csv' 'subject: "serialNumber={serial},C={c}"' 'san: ["dns:{serial}.example"]'
    run -1 lot-test names lots.yaml demo S1 S2 S_3
    [ "${lines[0]}" = 'line 2 of the device list: subject: C is not a country code of two letters' ]
    [ "${lines[1]}" = 'serialNumber=S2,C=JP dns:S2.example' ]
    [[ ${lines[2]} = 'line 4 of the device list: s'* ]]
}

@test "a template that cannot be is an error of the file or of its list" {
    printf 'serial,model\nS1,x\n' >devices.csv
    with 'devices: devices.csv' 'subject: "serialNumber={serial},CN={modell}"'
    run -2 lot-test names lots.yaml demo S1
    [ "$output" = 'lot-test: lot demo: template "serialNumber={serial},CN={modell}": there is no column "modell" in devices.csv' ]
    with 'devices: devices.csv' 'san: ["dns:a.example", "uri:urn:{x}"]'
    run -2 lot-test names lots.yaml demo S1
    [ "$output" = 'lot-test: lot demo: template "uri:urn:{x}": there is no column "x" in devices.csv' ]
    # a list that was replaced since is held to them too
    run -2 lot-test look lots.yaml demo S1
    [ "${lines[0]}" = 'lot-test: lot demo: template "uri:urn:{x}": there is no column "x" in devices.csv' ]
    with "pattern: 'S[0-9]'" 'subject: "CN={model}"'
    bad_lots '7:14: template "CN={model}": there is no column "model", a lot without a list has {serial} only'
    with 'devices: devices.csv' 'subject: "CN={model"'
    bad_lots '7:14: template "CN={model": a brace is not closed'
    with 'devices: devices.csv' 'san: ["dns:a.example", "a.example"]'
    bad_lots '7:28: template "a.example" does not begin with dns:, ip:, email:, uri:, dn:, hardware-module-name: or permanent-identifier:'
    with 'devices: devices.csv' "san: [$(printf 'dns:a%d.example, ' {1..17})]"
    bad_lots '7:10: more than 16 names in "san"'
}

# owners LINE...: one owner "abc" with these keys, and a lot of it
owners() {
    { echo owners:; echo '  - name: abc'; printf '    %s\n' "$@"; with 'devices: any'; sed 's/owner: o/owner: abc/' lots.yaml; } >o.yaml
    mv o.yaml lots.yaml
}
# allows OWNER SUBJECT [SAN...] and denies WHY OWNER SUBJECT [SAN...]
allows() {
    run -0 lot-test owner lots.yaml "$@"
}
denies() {
    run -1 lot-test owner lots.yaml "${@:2}"
    [ "$output" = "$1" ] || { echo "$output"; return 1; }
}

@test "an owner's fixed attributes stand in each subject once, with exactly that value" {
    owners 'subject: "O=ABC,C=JP,1.2.3.4=x"'
    allows abc '1.2.3.4=x,serialNumber=1,O=ABC,OU=more,C=JP'
    denies 'owner "abc": subject has no O, it must be "ABC"' abc 'serialNumber=1,C=JP,1.2.3.4=x'
    denies 'owner "abc": subject O is "abc", it must be "ABC"' abc 'O=abc,C=JP,1.2.3.4=x'
    denies 'owner "abc": subject O is "ABC ", it must be "ABC"' abc 'O=ABC\ ,C=JP,1.2.3.4=x' ||
        denies 'owner "abc": subject O is "ABC\ ", it must be "ABC"' abc 'O=ABC\ ,C=JP,1.2.3.4=x'
    denies 'owner "abc": subject O is "Evil", it must be "ABC"' abc 'O=ABC,O=Evil,C=JP,1.2.3.4=x'
    denies 'owner "abc": subject O is "Evil", it must be "ABC"' abc 'O=Evil+O=ABC,C=JP,1.2.3.4=x'
    denies 'owner "abc": subject has O 2 times, it must be there once' abc 'O=ABC,O=ABC,C=JP,1.2.3.4=x'
    denies 'owner "xyz" is not known here' xyz 'O=ABC,C=JP'
}

@test "an owner's subjectAltNames are of its forms; without the key all are, with an empty one none" {
    owners 'san: ["dns:*.abc.example", "uri:urn:abc:*", "dns:abc.example"]'
    allows abc CN=a dns:x.abc.example uri:urn:abc:1 dns:abc.example dns:y.x.abc.example
    denies 'owner "abc": subjectAltName dns:xabc.example is not one that it may have' abc CN=a dns:xabc.example
    denies 'owner "abc": subjectAltName dns:x.abc.example.evil.example is not one that it may have' \
        abc CN=a dns:x.abc.example dns:x.abc.example.evil.example
    denies 'owner "abc": subjectAltName uri:urn:abc: is not one that it may have' abc CN=a uri:urn:abc:
    denies 'owner "abc": subjectAltName email:a@x.abc.example is not one that it may have' abc CN=a email:a@x.abc.example
    # a form without an asterisk is a name, however it is written
    owners 'san: ["ip:2001:0db8:0::1", "dn:CN=a, O=b"]'
    allows abc CN=a ip:2001:db8::1 dn:CN=a,O=b
    allows abc CN=a ip:2001:0db8:0::1 'dn:CN=a, O=b'
    denies 'owner "abc": subjectAltName ip:2001:db8::2 is not one that it may have' abc CN=a ip:2001:db8::2
    owners 'subject: O=ABC'
    allows abc O=ABC dns:www.example
    owners 'san: []'
    allows abc CN=a
    denies 'owner "abc": subjectAltName dns:abc.example is not one that it may have' abc CN=a dns:abc.example
    lots
    allows whoever CN=a dns:www.example
}

@test "errors of an owner say where" {
    owners 'subject: "O=A,O=B"'
    bad_lots '3:14: an attribute stands twice in the owner'"'"'s "subject"'
    owners 'subject: "Q=A"'
    bad_lots '3:14: subject: unknown attribute type "Q"'
    owners 'san: ["dns:a.example", "dns:a.*.example"]'
    bad_lots '3:28: "dns:a.*.example": one * is allowed, at the start or the end of the value'
    owners 'san: "dns:*a*"'
    bad_lots '3:10: "dns:*a*": one * is allowed, at the start or the end of the value'
    owners 'san: "abc.example"'
    bad_lots '3:10: "abc.example" is not dns:, ip:, email:, uri:, dn:, hardware-module-name: or permanent-identifier: and a value'
    owners 'san: "ip:1.2.3"'
    bad_lots '3:10: "ip:1.2.3" is malformed'
    owners 'profiles: [other]'
    bad_lots '6:14: owner "abc" may not use profile "p"'
    owners 'subject: O=ABC'
    sed -i 's/owner: abc/owner: xyz/' lots.yaml
    bad_lots '7:12: "xyz" is not one of the file'"'"'s owners'
    sed -i 's/^lots:/  - name: abc\nlots:/' lots.yaml
    bad_lots '4:11: two owners are named "abc"'
    sed -i '1,/^lots:/{/^lots:/!d}' lots.yaml
    sed -i '1i owners: []' lots.yaml
    bad_lots '1:9: "owners" must be a list that is not empty'
    printf '%s\n' 'owners: [{name: acme, profiles: []}]' "$(lots; cat lots.yaml)" >lots.new
    mv lots.new lots.yaml
    bad_lots '1:33: "profiles" is empty: leave it out to allow all'
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

@test "a blank before or behind a device is a bad row" {
    lots
    printf 'serial,x\nSN1 ,a\n SN2,b\n"SN 3",c\n' > devices.csv
    run -2 lot-test look lots.yaml demo 'SN 3'
    [ "${lines[0]}" = 'lot-test: devices.csv:2: a blank before or behind the device "SN1 "' ]
    [ "${lines[1]}" = 'lot-test: devices.csv:3: a blank before or behind the device " SN2"' ]
    [ "${#lines[@]}" = 3 ]
}

@test "a duplicate device names both lines" {
    lots
    printf 'serial,x\nSN1,a\nSN2,"b\nc"\nSN1,d\n' > devices.csv
    run -2 lot-test look lots.yaml demo SN2
    [ "${lines[0]}" = 'lot-test: devices.csv:5: device "SN1" stands in line 2 already' ]
    [ "${lines[1]}" = 'lot-test: lot demo: its device list cannot be used' ]
}

@test "a list that is a FIFO is refused, and nobody waits for its writer" {
    lots
    mkfifo devices.csv
    run -2 lot-test look lots.yaml demo SN1
    [ "$output" = 'lot-test: devices.csv: not a file
lot-test: lot demo: its device list cannot be used' ]
}

@test "a list with a bad row or an empty key cannot be used, and each row is named" {
    lots
    printf 'serial,x\nSN1,a\n,b\nSN3\nSN4,d\n' > devices.csv
    run -2 lot-test look lots.yaml demo SN1 SN4
    [ "${lines[0]}" = 'lot-test: devices.csv:3: the column "serial" is empty' ]
    [ "${lines[1]}" = 'lot-test: devices.csv:4: 1 field where the header names 2' ]
    [ "${#lines[@]}" = 3 ]
}

@test "a key that is no SHA-256 is a bad row; one may have colons and capitals, or not be there" {
    lots
    local hash bad
    hash=$(printf 'aB%.0s' {1..32})
    printf '%s\n' serial,key "SN1,$hash" SN2, "SN3,$(sed 's/../&:/g; s/:$//' <<<"$hash")" >devices.csv
    run -0 lot-test look lots.yaml demo SN1 SN2 SN3
    [ "${#lines[@]}" = 3 ]
    for bad in "${hash%?}" "${hash}0" "${hash%?}g" "$hash " SHA256; do
        printf '%s\n' serial,key "SN1,$hash" "SN2,$bad" >devices.csv
        run -2 lot-test look lots.yaml demo SN1
        [ "${lines[0]}" = 'lot-test: devices.csv:3: key: not a SHA-256 in hexadecimal digits' ]
    done
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

@test "the example of the manual is a file and a list" {
    local man="$BATS_TEST_DIRNAME/../man/certline-lots.5"
    sed -n '/^owners:/,/^\.Ed/p' "$man" | grep -v '^\.Ed' >lots.yaml
    sed -n '/^serial,model$/,/^\.Ed/p' "$man" | grep -v '^\.Ed' >devices.csv
    run -0 lot-test names lots.yaml pumps SN-0001 SN-0002
    [ "${lines[0]}" = 'serialNumber=SN-0001,CN=XR-9 pump,O=ABC,C=JP dns:SN-0001.abc.example uri:urn:abc:XR-9:SN-0001' ]
    allows abc 'serialNumber=SN-0001,CN=XR-9 pump,O=ABC,C=JP' dns:SN-0001.abc.example uri:urn:abc:XR-9:SN-0001
    run -0 lot-test names lots.yaml meters M000123
    [ "$output" = serialNumber=M000123,O=Acme ]
    run -0 lot-test open lots.yaml meters 1793800000 attach-7
    [ "$output" = 'open, approve=0 quota=-1, allowed' ]
}

# bats test_tags=measure
@test "a list of a million devices takes 12 octets a device" {
    lots
    { echo serial,mac,model; seq -f SN-2026-%08.0f,02:00:00:00:00:00,XR-9 1000000; } > devices.csv
    run -0 lot-test speed lots.yaml demo SN-2026-00777777
    eval "$output"
    [ "$kib" -lt 15000 ]
}
