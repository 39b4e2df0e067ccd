# Revocation and recall: what ca-revoke finds, that somebody has to say yes to the number, and that it is all or nothing.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/postgres.bash"
    . "$BATS_TEST_DIRNAME/lib.bash"
    lab_build revoke-test && lab_make "$BATS_FILE_TMPDIR/lab" || return
    { lab_lots; printf '  - {name: %s, profile: tls-client, owner: Other, devices: any, verify-units: verify-unit-1}\n' \
        other-open; } >"$LAB/etc/lots.yaml"
    sed -i 's/\[open, listed, bare\]/[open, listed, bare, other-open]/' "$LAB/etc/ca-sign.yaml"
    # What most tests start from: A1 and A2 of lot open, A3 of lot listed, B1 and an A1 of another owner, D1 by hand.
    lab_requests A1 A2 | lab_line >"$LAB/open.pem" &&
        lab_requests A3 | lab_up --lot listed | lab_middle | lab_down >"$LAB/listed.pem" &&
        lab_requests B1 | lab_up --lot other-open | lab_middle | lab_down >"$LAB/other.pem" || return
    mv "$LAB/keys/A1.key" "$LAB/keys/A1.lab"
    lab_requests A1 | lab_up --lot other-open | lab_middle | lab_down >>"$LAB/other.pem" &&
        lab_requests D1 | ca-sign -c "$LAB/etc/ca-sign.yaml" --direct --profile tls-client >"$LAB/direct.pem" || return
    cp -a "$LAB/var" "$LAB/kept"
    pg_make
}

teardown_file() {
    . "$BATS_TEST_DIRNAME/postgres.bash"
    pg_remove
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    . "$BATS_TEST_DIRNAME/postgres.bash"
    lab_use "$BATS_FILE_TMPDIR/lab"
    rm -rf "$LAB/var"
    cp -a "$LAB/kept" "$LAB/var"
    cd "$BATS_TEST_TMPDIR" || return
    CA=$LAB/etc/ca-sign.yaml
}

revoke() { ca-revoke -c "$CA" --why "a test" "$@"; }
dry() { ca-revoke -c "$CA" --dry-run "$@"; }
ledger() { sqlite3 "$LAB/var/ca-sign.db" "$@"; }
revoked() { ledger 'select count(*) from entry where kind = 19'; }
# Device and owner of what was revoked, in the order of issuing
who() { ledger "select group_concat(device || '/' || owner, ' ') from (select device, owner from entry where kind = 19 order by serial)"; }
serial() { # DEVICE OWNER
    ledger "select lower(hex(serial)) from entry where kind = 12 and device = '$1' and owner = '$2'"
}
issuer() { ledger 'select note from entry where kind = 12 limit 1'; }
big() { # LOT N
    revoke-test "$LAB/var/ca-sign.db" "Lab ca" "$(issuer)" "$1" "$2"
}

# --- what is found ---

@test "certificates from standard input" {
    run -0 --separate-stderr revoke --count 2 <"$LAB/open.pem"
    [ "$(who)" = "A1/Lab A2/Lab" ]
    [ "$stderr" = "ca-revoke: 2 certificates revoked, 0 revoked before
ca-revoke: hint: crl-make makes the CRL that says so" ]
}

@test "certificates from a file" {
    run -0 revoke --count 1 "$LAB/direct.pem"
    [ "$(who)" = "D1/" ]
}

@test "a serial number, as people and programs write it" {
    local hex colons
    hex=$(serial A1 Lab)
    colons=$(sed 's/../&:/g; s/:$//' <<<"${hex^^}")
    run -0 revoke --count 1 --serial "$colons"
    [ "$(who)" = "A1/Lab" ]
    run -0 revoke --count 1 --serial "00$(serial A2 Lab)"
    [ "$(who)" = "A1/Lab A2/Lab" ]
    local bad
    for bad in xyz '' "$hex$hex"; do
        run -2 revoke --count 1 --serial "$bad"
        [ "$output" = "ca-revoke: --serial: not a serial number in hexadecimal: \"$bad\"" ]
    done
}

@test "a device: its certificates of every profile and key" {
    csr-make --key "$(lab_key D1)" --subject "serialNumber=D1,O=Lab" --san dns:d1.example |
        ca-sign -c "$CA" --direct --profile tls-server >server.pem
    run -0 revoke --count 2 --device D1
    [ "$(who)" = "D1/ D1/" ]
}

@test "a device that two owners have needs the owner's name" {
    run -2 revoke --count 2 --device A1
    [ "$output" = 'ca-revoke: device "A1" is the name of several owners'"' devices
ca-revoke: hint: say whose it is with --owner" ]
    [ "$(revoked)" -eq 0 ]
    run -0 revoke --count 1 --device A1 --owner Other
    [ "$(who)" = "A1/Other" ]
}

@test "a lot, and nothing else" {
    run -0 revoke --count 2 --lot open
    [ "$(who)" = "A1/Lab A2/Lab" ]
}

@test "a lot that two owners had needs the owner's name" {
    big other-open 3 # of Lab, beside that of Other
    run -2 revoke --count 5 --lot other-open
    [ "${lines[0]}" = "ca-revoke: lot \"other-open\" is the name of several owners' lots" ]
    [ "$(revoked)" -eq 0 ]
    run -0 revoke --count 2 --lot other-open --owner Other
    [ "$(who)" = "B1/Other A1/Other" ]
}

@test "what came through an attach, not what the CA signed by hand" {
    run -0 revoke --count 5 --unit attach-1
    [ "$(who)" = "A1/Lab A2/Lab A3/Lab B1/Other A1/Other" ]
}

@test "what came through a verify-unit or an ra-approve, by the requests that the ledger holds" {
    big elsewhere 3 # came through attach-1, and through no verify-unit that is known
    run -0 dry --unit attach-1
    [[ $output == *"8 certificates would be revoked, 0 revoked before" ]]
    run -0 revoke --count 5 --unit verify-unit-1
    [ "$(who)" = "A1/Lab A2/Lab A3/Lab B1/Other A1/Other" ]
    run -0 dry --unit ra-approve-1
    [ "$output" = "ca-revoke: 0 certificates would be revoked, 5 revoked before" ]
}

@test "the same since a date" {
    local later=$(($(date +%s) + 1000))
    lab_requests A9 >request.pem
    CERTLINE_CLOCK=$((later + 10)) lab_line <request.pem >A9.pem
    export CERTLINE_CLOCK=$((later + 20))
    run -0 --separate-stderr revoke --count 1 --unit verify-unit-1 --since "$(date -ud "@$later" +%Y-%m-%dT%H:%M:%SZ)"
    [ "$(who)" = "A9/Lab" ]
    # to the second
    moment() { ledger "select strftime('%Y-%m-%dT%H:%M:%SZ', time + $1, 'unixepoch') from entry where kind = 12 and device = 'A9'"; }
    run -0 --separate-stderr dry --lot open --since "$(moment 0)"
    [ "${stderr_lines[-1]}" = "ca-revoke: 0 certificates would be revoked, 1 revoked before" ]
    run -1 dry --lot open --since "$(moment 1)"
    run -1 --separate-stderr revoke --count 1 --unit verify-unit-1 --since 2099-01-01
    [ "${stderr_lines[-1]}" = 'ca-revoke: no certificate that fits --owner, --profile and --since came through unit "verify-unit-1"' ]
    run -2 revoke --unit verify-unit-1 --since yesterday
    [ "${lines[-2]}" = 'ca-revoke: --since: not YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ: "yesterday"' ]
}

@test "a CSV by serial number" {
    printf 'note,serial\nx,%s\ny,%s\n' "$(serial A3 Lab)" "$(serial B1 Other)" >list.csv
    run -0 revoke --count 2 --csv list.csv
    [ "$(who)" = "A3/Lab B1/Other" ]
}

@test "a CSV by device, a row that stands there twice counted once" {
    printf 'device\nA2\nA3\nA2\n' >list.csv
    run -0 revoke --count 2 --csv list.csv
    [ "$(who)" = "A2/Lab A3/Lab" ]
}

@test "a row of a CSV that has no certificate is named by its line, and nothing is revoked" {
    printf 'device\nA2\nA77\nA3\n"A\n78"\n' >list.csv
    run -1 revoke --count 2 --csv list.csv
    [ "$output" = 'ca-revoke: list.csv:3: device "A77" has no certificate
ca-revoke: list.csv:5: device "A\x0a78" has no certificate' ]
    [ "$(revoked)" -eq 0 ]
    { echo device; seq 1000 1029; } >list.csv
    run -1 revoke --count 30 --csv list.csv
    [ ${#lines[@]} -eq 21 ]
    [ "${lines[20]}" = "ca-revoke: and 10 more" ]
}

@test "a CSV that is malformed is 2, each row named, and nothing is revoked" {
    printf 'serial\n%s\nnot hex\n""\n1,2\n' "$(serial A3 Lab)" >list.csv
    run -2 revoke --count 1 --csv list.csv
    [ "${lines[0]}" = 'ca-revoke: list.csv:3: not a serial number in hexadecimal: "not hex"' ]
    [ "${lines[1]}" = 'ca-revoke: list.csv:4: the serial is empty' ]
    [[ ${lines[2]} == "ca-revoke: list.csv:5: "* ]]
    [ ${#lines[@]} -eq 3 ]
    printf 'name\nA1\n' >list.csv
    run -2 revoke --count 1 --csv list.csv
    [ "$output" = 'ca-revoke: list.csv: has neither a column "serial" nor a column "device"' ]
    printf 'serial\n' >list.csv
    run -2 revoke --count 0 --csv list.csv
    [ "$output" = 'ca-revoke: list.csv: has no rows' ]
    [ "$(revoked)" -eq 0 ]
}

@test "--owner and --profile make it less" {
    run -0 dry --unit attach-1 --owner Other
    [ "$(cut -f 4 <<<"$output" | grep -v revoke)" = "B1
A1" ]
    run -1 dry --unit attach-1 --profile tls-server
    [ "$output" = 'ca-revoke: no certificate that fits --owner, --profile and --since came through unit "attach-1"' ]
}

@test "what has no certificate is 1, each with its sentence" {
    run -1 revoke --count 1 --lot L9
    [ "$output" = 'ca-revoke: lot "L9" has no certificate' ]
    run -1 revoke --count 1 --device X
    [ "$output" = 'ca-revoke: device "X" has no certificate' ]
    run -1 revoke --count 1 --device A1 --owner Nobody
    [ "$output" = 'ca-revoke: device "A1" has no certificate that fits --owner, --profile and --since' ]
    run -1 revoke --count 1 --unit attach-9
    [ "$output" = 'ca-revoke: no certificate came through unit "attach-9"' ]
    run -1 revoke --count 1 --serial 0a0b
    [ "$output" = 'ca-revoke: serial number "0a0b" has no certificate' ]
}

@test "the certificate of another CA is refused, and with it those beside it" {
    cat "$LAB/direct.pem" "$LAB/pki/ca.pem" >two.pem
    run -1 revoke --count 2 two.pem
    [[ $output == "ca-revoke: two.pem:"*": not a certificate of this CA" ]]
    [ "$(revoked)" -eq 0 ]
}

@test "a forged certificate with the serial number of another is not in the ledger" {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout k -subj '/CN=Lab ca' -set_serial "0x$(serial A2 Lab)" \
        -out forged.pem 2>log
    run -1 revoke --count 1 forged.pem
    [ "$output" = "ca-revoke: forged.pem:1: this certificate is not in the ledger" ]
}

@test "what is no certificate is 3, and empty input is 5" {
    lab_requests A1 >request.pem
    run -3 revoke --count 1 request.pem
    [ "$output" = 'ca-revoke: request.pem:1: a block "CERTIFICATE REQUEST" where CERTIFICATE is read' ]
    printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n' >bad.pem
    run -3 revoke --count 1 bad.pem
    [ "$output" = 'ca-revoke: bad.pem:1: the certificate is malformed' ]
    echo x >none.pem
    run -3 revoke --count 1 none.pem
    [ "$output" = 'ca-revoke: none.pem:1: no PEM block' ]
    run -5 revoke --count 1 </dev/null
    [ "${lines[0]}" = 'ca-revoke: stdin was empty' ]
}

@test "the CA's own certificate cannot be on its list" {
    run -1 ca-revoke -c "$LAB/etc/root.yaml" --why x --count 1 "$LAB/pki/root.pem"
    [ "$output" = "ca-revoke: the CA's own certificate is among them: a CRL of its own cannot revoke it" ]
}

# --- saying yes ---

@test "a dry run prints exactly what the run prints, and records nothing" {
    ledger .dump >before
    run -0 --separate-stderr dry --unit attach-1 --reason superseded
    [ "$stderr" = "ca-revoke: 5 certificates would be revoked, 0 revoked before" ]
    echo "$output" >dry.txt
    ledger .dump | cmp before -
    revoke --unit attach-1 --reason superseded --count 5 >run.txt 2>log
    cmp dry.txt run.txt
    [ "$(head -1 dry.txt)" = "$(printf '%s\t' "$(serial A1 Lab)" Lab open A1 tls-client)$(ledger \
        "select strftime('%Y-%m-%dT%H:%M:%SZ', status, 'unixepoch') from entry where kind = 12 limit 1")" ]
}

@test "without a number and a terminal it is 2, and the hint has the number" {
    run -2 revoke --lot open </dev/null
    [ "$output" = "ca-revoke: 2 certificates would be revoked: nobody has said yes to that number
ca-revoke: hint: see which with --dry-run, then say --count 2" ]
    [ "$(revoked)" -eq 0 ]
}

@test "another number than --count is 2, and nothing is revoked" {
    run -2 --separate-stderr revoke --lot open --count 3
    [ "$stderr" = "ca-revoke: 2 certificates would be revoked, not 3: nothing was
ca-revoke: hint: see which with --dry-run, then say --count 2" ]
    [ -z "$output" ]
    [ "$(revoked)" -eq 0 ]
}

at_terminal() { # TYPED OPTION...
    printf '%s\n' "$1" >typed
    shift
    printf '%q ' ca-revoke -c "$CA" --why "a test" "$@" >command
    script -qec "sh command" /dev/null <typed
}

@test "a terminal is asked for the number" {
    run -0 at_terminal 2 --lot open
    [[ $output == *"2 certificates will be revoked, for ever; type their number to go on: "* ]]
    [ "$(revoked)" -eq 2 ]
}

@test "a terminal is told of the new key that is allowed" {
    run -0 at_terminal 1 --device A2 --allow-new-key
    [[ $output == *'1 certificate will be revoked, for ever, and one new key allowed for device "A2"; type their number to go on: '* ]]
    [[ $output == *'ca-revoke: device "A2" allowed one new key'* ]]
    [ "$(ledger "select owner, profile, device, cast(data as text) from entry where kind = 22")" = \
        "Lab|tls-client|A2|$(id -un): a test" ]
}

@test "at a terminal any other answer is no" {
    local answer
    for answer in y '' 3 22; do
        run -1 at_terminal "$answer" --lot open
        [[ $output == *"ca-revoke: not confirmed: nothing was revoked"* ]]
    done
    [ "$(revoked)" -eq 0 ]
}

# --- what is recorded ---

@test "the ledger keeps reason, who and why beside what the certificate's entry says" {
    run -0 revoke --device A2 --reason keyCompromise --count 1
    [ "$(ledger "select r.status, r.unit, r.owner, r.lot, r.profile, r.key = i.key, r.note = i.note, cast(r.data as text)
        from entry r join entry i on r.serial = i.serial where r.kind = 19 and i.kind = 12")" = \
        "1|attach-1|Lab|open|tls-client|1|1|$(id -un): a test" ]
}

@test "under sudo the ledger keeps who called it, and believes only root" {
    local want
    SUDO_USER=alice run -0 revoke --device A2 --count 1
    want="$(id -un): a test"
    [ "$(id -u)" -ne 0 ] || want="alice (as root): a test"
    [ "$(ledger 'select cast(data as text) from entry where kind = 19')" = "$want" ]
}

@test "what was revoked before is counted apart, keeps its date and reason, and a second run is 0" {
    revoke --device A2 --reason superseded --count 1
    run -0 --separate-stderr revoke --lot open --reason privilegeWithdrawn --count 1
    [ "$stderr" = "ca-revoke: 1 certificate revoked, 1 revoked before
ca-revoke: hint: crl-make makes the CRL that says so
ca-revoke: hint: what the lot asks for is still issued, until a lots file ends it (until)" ]
    [ "$(ledger "select status from entry where kind = 19 and device = 'A2'")" = 4 ]
    run -0 --separate-stderr revoke --lot open --reason privilegeWithdrawn --count 2
    [ "$stderr" = "ca-revoke: 0 certificates revoked, 2 revoked before" ]
    [ -z "$output" ]
    [ "$(revoked)" -eq 2 ]
}

@test "keyCompromise takes the place of another reason, once, and nothing takes the place of keyCompromise" {
    revoke --device A2 --reason superseded --count 1
    run -2 --separate-stderr revoke --lot open --reason keyCompromise --count 1
    [ "${stderr_lines[0]}" = "ca-revoke: 2 certificates would be revoked, not 1: nothing was" ]
    run -0 --separate-stderr dry --lot open --reason keyCompromise
    local would=$output
    run -0 --separate-stderr revoke --lot open --reason keyCompromise --count 2
    [ "$output" = "$would" ] && [ "${#lines[@]}" -eq 2 ]
    [ "${stderr_lines[0]}" = "ca-revoke: 2 certificates revoked, 0 revoked before" ]
    [ "${stderr_lines[1]}" = "ca-revoke: of these, 1 was revoked before, for another reason than keyCompromise" ]
    [ "$(ledger "select group_concat(status) from (select status from entry where kind = 19 and device = 'A2' order by id)")" = 4,1 ]
    local reason
    for reason in keyCompromise superseded; do
        run -0 --separate-stderr revoke --lot open --reason $reason --count 2
        [ "$stderr" = "ca-revoke: 0 certificates revoked, 2 revoked before" ]
    done
    [ "$(revoked)" -eq 3 ]
}

@test "a malformed entry among them is 4, and none is revoked" {
    big recall 20
    # the ledger is append-only for programs; this is somebody with an editor
    ledger "drop trigger entry_update;
        update entry set serial = x'$(printf '11%.0s' {1..21})' where device = 'recall-000010' and kind = 12"
    run -4 revoke --lot recall --count 10
    [[ ${lines[0]} == "ca-revoke: "*": malformed" ]]
    [ "$(revoked)" -eq 0 ]
}

@test "two at once revoke each certificate once" {
    big recall 2000
    revoke --lot recall --count 2000 >1.txt 2>1.err &
    revoke --lot recall --count 2000 >2.txt 2>2.err
    ended 0 $!
    [ "$(revoked)" -eq 2000 ]
    [ "$(cat 1.txt 2.txt | sort -u | wc -l)" -eq 2000 ]
    [ "$(cat 1.txt 2.txt | wc -l)" -eq 2000 ]
}

@test "killed in the middle: none is revoked, and the next run revokes all" {
    big recall 5000
    local wal=$LAB/var/ca-sign.db-wal
    run -137 --separate-stderr killed_at "pwrite64@$wal" 200 ca-revoke -c "$CA" --why "a test" --lot recall --count 5000
    [ -z "$output" ]
    [ "$(stat -c %s "$wal")" -gt 200000 ]
    [ "$(revoked)" -eq 0 ]
    revoke --lot recall --count 5000 >list 2>err
    [ "$(revoked)" -eq 5000 ]
}

@test "a full disk in the middle: 4, and none is revoked" {
    big recall 5000
    run -4 --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 1000
        exec ca-revoke -c "$0" --why x --lot recall --count 5000' "$CA"
    [ -z "$output" ]
    [ "$(revoked)" -eq 0 ]
    run -0 revoke --lot recall --count 5000
}

@test "a reader that goes away is 4, and the run again is 0" {
    run -4 bash -c 'ca-revoke -c "$0" --why x --lot open --count 2 >/dev/full' "$CA"
    [ "$(revoked)" -eq 2 ]
    run -0 revoke --lot open --count 2
}

# bats test_tags=measure
@test "a recall of a lot of 100,000 is one call" {
    big recall 100000
    revoke --lot recall --reason keyCompromise --count 100000 >list 2>err
    [ "$(wc -l <list)" -eq 100000 ]
    [ "$(revoked)" -eq 100000 ]
}

# --- the line ---

@test "an answer that is asked for again is the same, and names whose certificate was revoked since" {
    lab_requests C1 C2 | lab_up | verify-unit -c "$LAB/etc/verify-unit.yaml" |
        ra-approve -c "$LAB/etc/ra-approve.yaml" >up.pem
    ca-sign -c "$CA" <up.pem >first.pem
    run -0 --separate-stderr ca-sign -c "$CA" <up.pem
    [ -z "$stderr" ]
    [ "$output" = "$(cat first.pem)" ]
    revoke --device C2 --reason keyCompromise --count 1
    run -1 --separate-stderr ca-sign -c "$CA" <up.pem
    [ "$output" = "$(cat first.pem)" ]
    [ "${stderr_lines[0]}" = "ca-sign: C2: answered before with a certificate that was revoked on $(ledger "
        select strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch') from entry where kind = 19"), and now again" ]
    [ "${stderr_lines[1]}" = "ca-sign: hint: keep the device back: it needs a new key" ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    # the same requests in a message of their own are judged anew
    run -1 --separate-stderr bash -c '. "$0/lib.bash"; lab_use "$1"; lab_requests C1 C2 | lab_line' "$BATS_TEST_DIRNAME" "$LAB"
    [ "$(grep -c 'BEGIN CERTIFICATE' <<<"$output")" -eq 1 ]
    [[ $stderr == *"attach: C2: refused: ca-sign: the certificate for this key was revoked on "*": the device needs a new key"* ]]
}

# --- wrong calls ---

@test "reasons that are none, and those that are not final, are refused" {
    run -2 revoke --lot open --reason lost
    [ "${lines[0]}" = 'ca-revoke: --reason: not a reason of RFC 5280: "lost"' ]
    local hold
    for hold in certificateHold removeFromCRL; do
        run -2 revoke --lot open --reason $hold
        [ "${lines[0]}" = "ca-revoke: --reason: a revocation is final here: there is no $hold" ]
    done
}

@test "why is asked for, one line of text" {
    run -2 ca-revoke -c "$CA" --lot open --count 2
    [ "${lines[0]}" = "ca-revoke: --why TEXT is missing: the ledger keeps why, and who" ]
    local bad
    for bad in '' $'two\nlines' $'\xff' "$(printf '%501s' x)"; do
        run -2 ca-revoke -c "$CA" --lot open --count 2 --why "$bad"
        [ "${lines[0]}" = "ca-revoke: --why: 1 to 500 octets of UTF-8 in one line" ]
    done
    [ "$(revoked)" -eq 0 ]
}

@test "one thing is named at a time, and a new key is for a device" {
    run -2 revoke --lot open --device A1 --count 2
    [ "${lines[0]}" = "ca-revoke: --serial, --device, --lot, --unit, --csv and FILE exclude each other" ]
    run -2 revoke --lot open --allow-new-key --count 2
    [ "${lines[0]}" = "ca-revoke: --allow-new-key goes with --device" ]
}

@test "an empty name is a wrong call, not the certificates that have no lot" {
    local what
    for what in --lot --device --unit; do
        run -2 revoke $what "" --count 1
        [ "${lines[0]}" = "ca-revoke: --device, --lot and --unit take a name that is not empty" ]
    done
    [ "$(revoked)" -eq 0 ]
}

@test "the ledger of another unit is refused" {
    sed "s|../var/ca-sign.db|../var/root.db|" "$CA" >"$LAB/etc/other.yaml"
    run -2 ca-revoke -c "$LAB/etc/other.yaml" --why x --lot open --count 2
    [[ $output == "ca-revoke: "*"/root.db: the ledger of unit \"Lab root\", not of \"Lab ca\"" ]]
}

@test "a token that is not there is 4, and nothing is revoked" {
    mkdir tokens
    sed "s|^directories.tokendir.*|directories.tokendir = $PWD/tokens|" "$SOFTHSM2_CONF" >empty.conf
    SOFTHSM2_CONF=$PWD/empty.conf run -4 --separate-stderr revoke --lot open --count 2
    [[ $stderr == *": no token is there, \"hsm2\" is wanted"* ]]
    [ "$(revoked)" -eq 0 ]
}

# --- the units themselves ---

@test "a verify-unit whose certificate was revoked is refused by ra-approve from the next list on" {
    local units=$LAB/etc/ca.yaml
    crl-make -c "$LAB/etc/root.yaml" -o "$LAB/pki/root.crl"
    crl-make -c "$units" -o "$LAB/pki/ca.crl"
    { cat "$LAB/etc/ra-approve.yaml"; echo 'crl: [../pki/root.crl, ../pki/ca.crl]'; } >"$LAB/etc/ra-crl.yaml"
    lab_requests A8 | lab_up | verify-unit -c "$LAB/etc/verify-unit.yaml" >up.pem
    run -0 --separate-stderr ra-approve -c "$LAB/etc/ra-crl.yaml" --up <up.pem
    [[ $output == *"BEGIN CMS"* ]]
    openssl x509 -in "$LAB/pki/verify-unit-1.pem" | ca-revoke -c "$units" --why "station broken into" \
        --reason privilegeWithdrawn --count 1
    crl-make -c "$units" -o "$LAB/pki/ca.crl"
    run -3 --separate-stderr ra-approve -c "$LAB/etc/ra-crl.yaml" --up <up.pem
    [ -z "$output" ]
    [[ $stderr == *"certificate of verify-unit-1 "*revoked* ]]
}

# --- several machines, one database ---

# A CA whose ledger is in a database of this name, with a lot of N
shared() { # DATABASE N
    local uri
    uri=$(pg_database "$1") || return
    sed "s|^ledger:.*|ledger: \"$uri\"|" "$CA" >"$LAB/etc/$1.yaml"
    revoke-test "$uri" "Lab ca" "$(issuer)" recall "$2"
    CA=$LAB/etc/$1.yaml
}

@test "on PostgreSQL two recalls at once revoke each certificate once, and the second says so" {
    shared recalls 2000
    revoke --lot recall --count 2000 >1.txt 2>1.err &
    revoke --lot recall --count 2000 >2.txt 2>2.err
    ended 0 $!
    [ "$(pg recalls 'SELECT count(*), count(DISTINCT serial) FROM entry WHERE kind = 19')" = "2000|2000" ]
    [ "$(cat 1.txt 2.txt | sort -u | wc -l)" -eq 2000 ]
    [ "$(cat 1.txt 2.txt | wc -l)" -eq 2000 ]
}

@test "on PostgreSQL a recall that is killed in the middle has revoked nothing" {
    shared killed 10000
    pg_hold killed 19 9000
    ca-revoke -c "$CA" --why "a test" --lot recall --count 10000 >list 2>err & # not a function: it is the program that dies
    pg_await_held killed
    kill -9 $!
    ended 137 $!
    pg_go killed
    [ ! -s list ]
    [ "$(pg killed 'SELECT count(*) FROM entry WHERE kind = 19')" -eq 0 ]
    revoke --lot recall --count 10000 >list 2>err
    [ "$(wc -l <list)" -eq 10000 ]
}

@test "on PostgreSQL lists that are made at once have different numbers" {
    shared lists 10
    local i
    revoke --lot recall --count 10
    for i in 1 2 3 4 5 6; do
        crl-make -c "$CA" >"$i.crl" &
    done
    wait
    [ "$(for i in ?.crl; do openssl crl -in "$i" -noout -crlnumber; done | sort)" = "$(printf 'crlNumber=0x0%d\n' 1 2 3 4 5 6)" ]
    [ "$(openssl crl -in 6.crl -noout -text | grep -c 'Serial Number:')" -eq 10 ]
}
