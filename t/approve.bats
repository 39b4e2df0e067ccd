# Approval by people: what waits, what becomes of it, and what is asked at a terminal.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build forge forge-sign ledger-test && people_line "$BATS_FILE_TMPDIR/line" && people_waiting
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    cd "$BATS_TEST_TMPDIR" || return
    people_restore waiting
}

# --- the whole round ---

@test "a message waits until two people granted it; then every device has its certificate" {
    line_restore empty
    run -4 --separate-stderr asks two A B C
    [ -z "$output" ]
    [[ ${stderr_lines[0]} == 'attach: A: waits for approval, ask again with attach --poll after '* ]]
    run -1 --separate-stderr ra-approve --list
    [ -z "$stderr" ]
    grep -xE '[0-9a-f]{8} two acme attach-1 3 20..-..-..T..:..:..Z 0 of 2' <<<"${output//$'\t'/ }"
    id=${output%%$'\t'*}
    run -4 --separate-stderr polls
    [ -z "$output" ]
    run -0 --separate-stderr grant alice "$id"
    [ -z "$output$stderr" ]
    run -1 ra-approve --list
    [[ $output == *$'\t1 of 2' ]]
    run -4 --separate-stderr polls
    [ -z "$output" ]
    run -0 grant bob "$id"
    run -0 ra-approve --list
    [ -z "$output" ]
    run -0 --separate-stderr polls --out certs
    for d in A B C; do
        openssl verify -CAfile "$PKI/root.pem" -untrusted "$PKI/ca.pem" certs/$d.pem
    done
    run -0 attach --unanswered
    [ -z "$output" ]
    run -0 ledger-test "$LINE/var/ra-approve.db" ra-approve-1 verify
}

@test "what waits is shown as it would be certified, with the key, the differences and who granted" {
    line_restore empty
    {
        line_request T1 . --san dns:t1.example --san dns:also.example
        line_request X9
    } >r.pem
    people_lots listed='devices: devices.csv, approve: 2'
    line listed <r.pem 2>err || [ $? -eq 4 ]
    id=$(waiting)
    grant alice "$id"
    run -0 ra-approve --show "$id"
    key=$(openssl pkey -in T1.key -pubout -outform DER | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    [[ ${lines[0]} == "id: $id"* ]]
    grep -x "transaction: $(ledger ra-approve 'select lower(hex(tid)) from entry where kind = 15')" <<<"$output"
    grep -x 'lot: listed' <<<"$output"
    grep -x 'owner: acme' <<<"$output"
    grep -x 'verify-unit: verify-unit-1' <<<"$output"
    grep -x 'requests: 2' <<<"$output"
    grep -x 'state: waits, 1 of 2' <<<"$output"
    grep -xE 'granted by: alice, 20..-..-..T..:..:..Z' <<<"$output"
    [[ $output == *"
101: T1
  subject: serialNumber=T1
  subjectAltName: dns:t1.example, dns:also.example
  key: P-256, SHA-256 $key
102: X9
  refused: by verify-unit: "* ]]
    run -0 ra-approve --show "${id^^}"
    csr-make --key N1.key --new-key P-256 --subject 'serialNumber=N1,CN=test' | line listed 2>err || [ $? -eq 4 ]
    run -0 ra-approve --show "$(waiting)"
    [[ $output == *'  subject: serialNumber=N1,CN=as the list says'* ]]
    [[ $output == *'  differences: subject CN was "test", the list says "as the list says"'* ]]
}

@test "a grant is a CMS that openssl verifies, over the digest of the very message" {
    grant alice "$(waiting)"
    ledger ra-approve "select writefile('grant.der', data) from entry where kind = 16" >written
    ledger ra-approve "select writefile('held.der', data) from entry where kind = 15" >written
    openssl cms -verify -inform DER -in grant.der -CAfile "$PKI/root.pem" -purpose any -out content.der -signer who.pem
    openssl x509 -in who.pem -noout -subject | grep -x 'subject=CN = alice'
    openssl asn1parse -inform DER -in content.der >parsed
    grep -qi "OCTET STRING.*$(openssl dgst -sha256 -r held.der | cut -d ' ' -f 1)" parsed
    grep -q 'UTF8STRING *:two' parsed
    grep -q 'UTF8STRING *:attach-1' parsed
    grep -q 'UTF8STRING *:ra-approve-1' parsed
    grep -qi "INTEGER *:$(ledger ra-approve 'select hex(tid) from entry where kind = 15' | sed 's/^\(00\)*//')" parsed
    openssl cms -cmsout -print -inform DER -in grant.der -noout | grep -q "eContentType: undefined ($ARC.30)"
    cmp <(ledger ra-approve 'select hex(key) from entry where kind = 16') \
        <(openssl x509 -in "$PKI/alice.pem" -noout -pubkey | openssl pkey -pubin -outform DER |
            openssl dgst -sha256 -r | cut -d ' ' -f 1 | tr a-f A-F)
}

@test "--list reads what may wait, and none of what was decided and is on its way" {
    grant alice "$(waiting)"
    refuse bob "$(waiting)" no
    run -1 polls
    line_request C | attach --lot one | verify-unit | ra-approve >3.pem
    ledger ra-approve "drop trigger entry_update; update entry set data = zeroblob(9)
        where id = (select min(id) from entry where kind = 15)"
    run -1 --separate-stderr ra-approve -v --list
    [ "$(cut -f 2 <<<"$output")" = one ]
    [ -z "$stderr" ]
    ledger ra-approve "update entry set data = zeroblob(9) where kind = 15"
    run -0 --separate-stderr ra-approve -v --list
    [[ $stderr == 'ra-approve: a message for lot one is not good any more: '* ]]
}

@test "a person refuses, and the reason reaches every device" {
    id=$(waiting)
    grant alice "$id"
    run -0 --separate-stderr refuse bob "$id" 'not ordered by anyone'
    [ -z "$output$stderr" ]
    run -0 ra-approve --list
    run -1 --separate-stderr polls
    [ -z "$output" ]
    [ "$stderr" = 'attach: A: refused: ra-approve: refused by bob: not ordered by anyone (failInfo badRequest)
attach: B: refused: ra-approve: refused by bob: not ordered by anyone (failInfo badRequest)' ]
    [ "$(state_of "$id")" = 'refused, 1 of 2' ]
    [ "$(ledger ca-sign 'select count(*) from entry where kind = 12')" -eq 0 ]
    run -0 attach --unanswered
}

@test "what was refused on arrival stays refused, and waits for nobody" {
    line_restore empty
    people_lots listed='devices: devices.csv, approve: 1'
    run -4 --separate-stderr asks listed T1 X1
    [[ $stderr == *'attach: X1: refused: verify-unit: '* ]]
    [[ $stderr == *'attach: T1: waits for approval'* ]]
    grant carol "$(waiting)"
    run -1 --separate-stderr polls
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [[ $stderr == 'attach: X1: refused: verify-unit: '* ]]
}

@test "a request that ra-approve refused on arrival is not let through when the files say otherwise later" {
    line_restore empty
    # The quota is used up for C, then raised.
    people_lots few='quota: 1, approve: 1'
    asks few A 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    attach --poll | verify-unit | ra-approve >lost.pem
    asks few A C 2>err || [ $? -eq 4 ]
    grep -F 'attach: C: refused: ra-approve: the quota of lot "few" (1) is used up' err
    people_lots few='quota: 9, approve: 1'
    id=$(waiting)
    run -0 ra-approve --show "$id"
    [[ $output == *'102: C
  refused: the quota of lot "few" (1) is used up'* ]]
    grant alice "$id"
    run -1 --separate-stderr polls
    [ "$(ledger ca-sign "select group_concat(distinct device) from entry where kind = 12")" = A ]
}

@test "when all is refused, nothing waits" {
    line_restore empty
    people_lots listed='devices: devices.csv, approve: 1'
    run -1 asks listed X1 X2
    run -0 ra-approve --list
    [ "$(ledger ra-approve 'select count(*) from entry where kind = 15')" -eq 0 ]
}

@test "a lot with approve: auto waits for nobody" {
    line_restore empty
    run -0 asks free A
    run -0 ra-approve --list
    [ -z "$output" ]
}

@test "who grants needs the own token only, who lists none" {
    sed 's/token=hsm2/token=elsewhere/; s/etc.pin$/etc\/no-pin/' "$LINE/etc/ra-approve.yaml" >"$LINE/etc/keyless.yaml"
    export RA_YAML=keyless
    run -2 --separate-stderr ra-approve --check
    id=$(waiting)
    run -0 ra-approve --show "$id"
    run -0 grant alice "$id"
    run -0 refuse bob "$id" no
}

# --- releases ---

@test "quota, window and names are judged again when it is released" {
    line_restore empty
    people_lots fewer='quota: 2, approve: 1' one='approve: 1'
    asks fewer A B 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    people_lots fewer='quota: 1, approve: 1'
    run -1 --separate-stderr polls
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [ "$stderr" = 'attach: B: refused: ra-approve: the quota of lot "fewer" (1) is used up (failInfo badRequest)' ]
    asks one C 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    people_lots one='approve: 1, until: 2020-01-01'
    run -1 --separate-stderr polls
    [ -z "$output" ]
    [[ $stderr == 'attach: C: refused: '*'lot'*'one'*'2020-01-01'* ]]
}

@test "a device that the list lost while it waited is refused" {
    line_restore empty
    cp "$LINE/etc/devices.csv" keep.csv
    people_lots listed='devices: devices.csv, approve: 1'
    asks listed T1 T2 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    sed -i '/^T2,/d' "$LINE/etc/devices.csv"
    run -1 --separate-stderr polls
    cp keep.csv "$LINE/etc/devices.csv"
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [[ $stderr == 'attach: T2: refused: ra-approve: '* ]]
}

@test "a release whose answer was lost is given again, and counts once" {
    line_restore empty
    people_lots fewer='quota: 2, approve: 1'
    asks fewer A B 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    attach --poll | verify-unit | ra-approve >lost.pem
    [ "$(counted)" -eq 2 ]
    attach --poll | verify-unit | ra-approve | ca-sign >lost-too.pem
    run -0 polls
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [ "$(counted)" -eq 2 ]
    [ "$(ledger ca-sign 'select count(*) from entry where kind = 12')" -eq 2 ]
}

@test "a lot that needs no approval any more lets go what waits" {
    people_lots two='approve: auto'
    run -0 ra-approve --list
    says 1 'lot "two" needs no approval any more' grant alice "$(ledger ra-approve \
        'select lower(hex(digest_in)) from entry where kind = 15')"
    run -0 polls
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
}

@test "a lot that needs more people than before is granted by so many" {
    id=$(waiting)
    grant alice "$id"
    grant bob "$id"
    people_lots two='approve: 3'
    [ "$(state_of "$id")" = 'waits, 2 of 3' ]
    run -4 polls
    grant carol "$id"
    run -0 polls
}

# --- at a terminal ---

# at_terminal ANSWERS COMMAND...: with a terminal of its own on which the answers are typed; its exit status
at_terminal() {
    cat >terminal.py <<'END'
import os, pty, sys
answers = sys.argv[1].encode().decode("unicode_escape").encode()
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
asked = 0
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    prompts = seen.count(b"(refuse): ") + seen.count(b"why: ")
    while asked < prompts:
        asked += 1
        line, _, answers = answers.partition(b"\n")
        os.write(fd, line + b"\n")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    python3 terminal.py "$@"
}

@test "--ask shows each message and takes y, r and anything else" {
    line_request C | attach --lot one | verify-unit | ra-approve >3.pem
    line_request D | attach --lot one | verify-unit | ra-approve >>3.pem
    [ "$(ra-approve --list | wc -l)" -eq 3 ]
    mapfile -t who < <(person alice)
    ask=("$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --ask "${who[@]}")
    # Enter leaves it waiting.
    run -0 at_terminal '\n\n\n' "${ask[@]}"
    [[ $output == *'101: A'*'grant? y, N (leave it), r (refuse): '*'101: C'*'101: D'* ]]
    [ "$(ra-approve --list | wc -l)" -eq 3 ]
    run -0 at_terminal 'y\nr\nnot known\nn\n' "${ask[@]}"
    [ "$(ra-approve --list | cut -f 2,7)" = $'two\t1 of 2\none\t0 of 1' ]
    [ "$(ledger ra-approve 'select group_concat(status || ifnull(note, "")) from entry where kind = 16')" = '0,2not known' ]
    # What this person granted already is shown again, and not taken twice.
    run -1 at_terminal 'y\ny\n' "${ask[@]}"
    [[ $output == *'alice has granted it already'* ]]
    [ "$(ra-approve --list | cut -f 2,7)" = $'two\t1 of 2' ]
}

@test "--ask takes no answer that was typed before the message was shown" {
    line_request C | attach --lot one | verify-unit | ra-approve >3.pem
    mapfile -t who < <(person alice)
    # A return is the end of a line, too: the second y is typed ahead of the second question.
    run -0 at_terminal 'y\ry\nn\n' "$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --ask "${who[@]}"
    [[ $output == *'101: A'*'101: C'* ]]
    [ "$(ra-approve --list | cut -f 2,7)" = $'two\t1 of 2\none\t0 of 1' ]
}

@test "--ask without a terminal is 2" {
    mapfile -t who < <(person alice)
    run -2 --separate-stderr setsid -w "$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --ask "${who[@]}" </dev/null
    [ "${stderr_lines[0]}" = 'ra-approve: --ask: there is no terminal to ask on' ]
}

# --- kills and full disks ---

@test "a full disk below the ledger is 4, and the grant can be given again" {
    id=$(waiting)
    no_room() {
        trap '' XFSZ # the signal; the write fails all the same
        ulimit -f 4
        grant alice "$1"
    }
    run -4 --separate-stderr no_room "$id"
    [ -z "$output" ]
    [[ $stderr == 'ra-approve: '* ]]
    [ "$(state_of "$id")" = 'waits, 0 of 2' ]
    run -0 grant alice "$id"
    [ "$(state_of "$id")" = 'waits, 1 of 2' ]
}

@test "grants and releases that are killed at any instant are whole or not there" {
    local id n call all
    people_lots two='approve: 2, quota: 2'
    id=$(waiting)
    mapfile -t who < <(person alice)
    granted() {
        n=$(ledger ra-approve 'select count(*) from entry where kind = 16')
        [ "$(state_of "$id")" = "waits, $n of 2" ]
        all+=$n
        line_restore waiting
    }
    for call in pwrite64 fdatasync; do
        kill_each $call granted "$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --grant "$id" "${who[@]}"
    done
    [[ $all == *0*1*0*1 ]]
    grant alice "$id"
    grant bob "$id"
    attach --poll | verify-unit >2.pem
    line_keep granted
    released() {
        n=$(counted)
        [ "$n" -eq 0 ] || [ "$n" -eq 2 ]
        all+=$n
        line_restore granted
    }
    all=
    for call in pwrite64 fdatasync; do
        kill_each $call released sh -c 'exec "$0" -c "$1" --up <2.pem' "$BUILD/bin/ra-approve" "$LINE/etc/ra-approve.yaml"
    done
    [[ $all == *0*2*0*2 ]]
    ra-approve <2.pem | ca-sign | ra-approve | verify-unit >6.pem
    run -0 attach <6.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [ "$(counted)" -eq 2 ]
    run -0 ledger-test "$LINE/var/ra-approve.db" ra-approve-1 verify
}

@test "two people who grant at the same moment both count" {
    id=$(waiting)
    people_lots two='approve: 3'
    for p in alice bob carol; do
        grant $p "$id" &
    done
    wait
    [ "$(state_of "$id")" = 'granted, 3 of 3' ]
}
