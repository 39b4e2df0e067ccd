bats_require_minimum_version 1.5.0

# attach and what waits for approval: between a line that answers as the test says (t/answer-test.c), and one whose
# people decide (t/lib.bash).

setup_file() {
    . "$BATS_TEST_DIRNAME/liars.bash"
    liars_line
}

setup() {
    . "$BATS_TEST_DIRNAME/liars.bash"
    liars_use
}

said() { grep -qxF -- "attach: $1" <<<"${stderr-}" || { printf '%s\n' "$stderr" && return 1; }; }
sql() { sqlite3 "$LAB/var/attach.db" "$1"; }
kinds() { sql 'select group_concat(kind) from entry where kind > 4 and kind != 21'; } # without signed heads
recorded() { [ "$(kinds)" = "$1" ]; }

# sent: three requests are on their way, in original.pem
sent() { lab_up <"$LAB/three.pem" >original.pem; }
# answered WORD...: the message on stdin, as a line of liars answers it
answered() { answer-test "$LAB/liars" "$@"; }
# waiting WORD...: an answer says that all three wait
waiting() {
    sent
    answered pending=3600 "$@" <original.pem >pending.pem
    lab_down <pending.pem >nothing 2>err || [ $? -eq 4 ]
    [ ! -s nothing ]
}
at() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }

# --- an answer that says pending ---

@test "devices that wait are named with the time to ask again, and the exit is 4" {
    export CERTLINE_CLOCK=$(($(date +%s) + 10))
    sent
    answered pending=3600 <original.pem >pending.pem
    run --separate-stderr -4 lab_down --out certs <pending.pem
    [ -z "$output" ]
    [ ! -e certs ]
    for d in D1 D2 D3; do
        said "$d: waits for approval, ask again with attach --poll after $(at $((CERTLINE_CLOCK + 3600)))"
    done
    [[ $stderr != *"has no answer yet"* ]]
    [[ $stderr != *"hint"* ]]
}

@test "the ledger keeps the token, the nonce of the answer and the time" {
    waiting token=66 leaf=67
    [ "$(kinds)" = 17 ]
    [ "$(sql 'select hex(serial), hex(key) from entry where kind = 17')" = \
        "42424242424242424242424242424242|43434343434343434343434343434343" ]
    [ "$(sql 'select p.digest_out = s.digest_out, p.tid = s.tid, p.run = s.run, p.status > s.time + 3500 from entry p, entry s
        where p.kind = 17 and s.kind = 3')" = "1|1|1|1" ]
}

@test "the same pending answer again is no error and adds nothing" {
    waiting
    run --separate-stderr -4 lab_down <pending.pem
    [[ $stderr = *"D2: waits for approval, ask again with attach --poll after "* ]]
    [ "$(kinds)" = 17 ]
}

@test "another pending answer to the same message is refused" {
    waiting
    answered pending=3600 token=5 <original.pem >other.pem
    run --separate-stderr -3 lab_down <other.pem
    said 'stdin:1: another answer to a message that is answered already'
    [ "$(kinds)" = 17 ]
    answered <original.pem >other.pem
    run --separate-stderr -3 lab_down <other.pem
    said 'stdin:1: another answer to a message that is answered already'
    [ "$(kinds)" = 17 ]
}

@test "who is refused in the same answer is told so, the others wait" {
    sent
    answered pending=3600 refuse=1 <original.pem >pending.pem
    run --separate-stderr -4 lab_down <pending.pem
    said 'D2: refused: not today (failInfo badIdentity)'
    [[ $stderr = *"D1: waits for approval"*"D3: waits for approval"* ]]
    [[ $stderr != *"D2: waits"* ]]
    [ "$(kinds)" = 8,17 ]
    run --separate-stderr -4 lab_down <pending.pem
    said 'D2: refused: not today (failInfo badIdentity)'
    [ "$(kinds)" = 8,17 ]
}

@test "a pending answer with another recipientNonce is refused" {
    sent
    answered pending=3600 nonce <original.pem >pending.pem
    run --separate-stderr -3 lab_down <pending.pem
    said 'stdin:1: ca-sign: recipientNonce is not the one that was sent'
    [ -z "$(kinds)" ]
}

@test "a status of the whole transaction is no answer to a message with requests" {
    sent
    answered pending=3600 whole <original.pem >pending.pem
    run --separate-stderr -3 lab_down <pending.pem
    said 'stdin:1: ca-sign: 0 answers to 3 requests'
    [ -z "$(kinds)" ]
}

@test "of many that wait, twenty are named and the others counted" {
    { echo serial; seq -f 'E%03.0f' 1 70; } >list.csv
    csr-make --list list.csv --keys keys | lab_up | answered pending=60 >pending.pem
    run --separate-stderr -4 lab_down <pending.pem
    [ "$(grep -c ': waits for approval, ask again with attach --poll after ' <<<"$stderr")" -eq 20 ]
    said 'and 50 more'
    run --separate-stderr -0 lab_down --poll
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq "$(grep -c ^-----BEGIN pending.pem)" ]
}

@test "devices that wait and devices without an answer are told apart" {
    sed 's/^to:/batch: 2\nto:/' "$LAB/etc/attach.yaml" >"$LAB/etc/batch.yaml"
    attach -c "$LAB/etc/batch.yaml" --lot open <"$LAB/three.pem" | sed '/^-----END/q' |
        answered pending=3600 >pending.pem
    run --separate-stderr -4 lab_down <pending.pem
    [[ $stderr = *"D1: waits for approval"*"D2: waits for approval"* ]]
    said 'D3: has no answer yet'
    said 'hint: attach --resend sends them again, attach --unanswered lists them'
    run -1 lab_down --unanswered
    [ "$(cut -f 3,5 <<<"$output")" = $'D1\tpending\nD2\tpending\nD3\tsent' ]
    [ "$(cut -f 6 <<<"${lines[0]}")" = "$(at "$(sql 'select status from entry where kind = 17')")" ]
    run --separate-stderr -0 lab_down --resend
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    said '1 messages wait for approval, and are not sent again'
    said 'hint: attach --poll asks after them'
}

@test "what was killed before the answer was recorded is sent again, and not polled for" {
    sent
    answered pending=3600 <original.pem >pending.pem
    # The ledger is not let go of: attach waits for it, and is killed there.
    mkfifo hold
    sqlite3 "$LAB/var/attach.db" <hold >locked &
    local holder=$!
    exec 7>hold
    printf 'begin immediate; select 1;\n' >&7
    await test -s locked
    run -137 killed_at clock_nanosleep 1 attach -c "$LAB/etc/attach.yaml" <pending.pem
    exec 7>&-
    wait $holder
    [ -z "$(kinds)" ]
    run --separate-stderr -0 lab_down --poll
    [ -z "$output" ]
    lab_down --resend >again.pem
    cmp again.pem original.pem
    run -4 lab_down <pending.pem
    [ "$(kinds)" = 17 ]
}

@test "what was killed behind that keeps the token" {
    sent
    answered pending=3600 <original.pem >pending.pem
    mkfifo in
    attach -c "$LAB/etc/attach.yaml" <in >nothing 2>&1 &
    exec 7>in
    cat pending.pem >&7
    await recorded 17
    kill -KILL $!
    ended 137 $!
    exec 7>&-
    [ "$(kinds)" = 17 ]
    run -0 lab_down --poll
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
}

# --- asking again ---

@test "where nothing waits, --poll is silent and ends with 0" {
    run --separate-stderr -0 lab_down --poll </dev/null
    [ -z "$output$stderr" ]
    sent
    run --separate-stderr -0 lab_down --poll
    [ -z "$output$stderr" ]
    answered <original.pem | lab_down >certs.pem
    run --separate-stderr -0 lab_down --poll
    [ -z "$output$stderr" ]
}

@test "--poll reads nothing, and takes no options of the ways" {
    for option in '--lot open' '--out certs' --chain --up --down '--profile tls-client'; do
        # shellcheck disable=SC2086 # an option and its argument
        run -2 lab_down --poll $option
        [ "${lines[0]}" = "attach: --poll reads nothing: its messages say what is asked for" ]
    done
    run -2 lab_down --poll --resend
    [ "${lines[0]}" = "attach: --check, --unanswered, --resend and --poll exclude each other" ]
}

# content MESSAGE: what attach signed, read by another program
content() {
    openssl cms -verify -inform PEM -in "$1" -CAfile "$LAB/pki/root.pem" -purpose any -binary -out content.der 2>>err
    openssl asn1parse -inform DER -in content.der
}

@test "a poll has the transaction, a new nonce, the leaf's nonce, the token, and no request" {
    waiting token=130 leaf=131
    content original.pem >first
    lab_down --poll >poll.pem
    content poll.pem >second
    tid=$(sql 'select hex(tid) from entry where kind = 17')
    grep -q "INTEGER *:$(sed 's/^\(00\)*//' <<<"$tid")\$" second
    grep -A2 id-cmc-queryPending second | grep -q "HEX DUMP\]:$(printf '82%.0s' {1..16})\$"
    grep -A2 id-cmc-recipientNonce second | grep -q "HEX DUMP\]:$(printf '83%.0s' {1..16})\$"
    nonce=$(grep -A2 id-cmc-senderNonce second | tail -n 1)
    [ -n "$nonce" ]
    [ "${nonce##*:}" != "$(grep -A2 id-cmc-senderNonce first | tail -n 1 | sed 's/.*://')" ]
    # controls; then reqSequence, cmsSequence, otherMsgSequence: empty
    [ "$(tail -n 3 second | grep -c 'l= *0 cons: SEQUENCE')" -eq 3 ]
}

@test "a poll stands in the ledger before it is written, and one that nobody got is harmless" {
    waiting
    run --separate-stderr -4 bash -c '. "$1"; lab_use "$2"; lab_down --poll >/dev/full' - \
        "$BATS_TEST_DIRNAME/lib.bash" "$LAB"
    said 'stdout: No space left on device'
    [ "$(kinds)" = 17,18 ]
    run -0 lab_down --poll
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [ "$(kinds)" = 17,18,18 ]
    [ "$(sql 'select count(distinct hex(key)), count(distinct hex(digest_out)), count(distinct hex(tid)) from entry
        where kind = 18')" = '2|2|1' ]
}

@test "several that ask at once make a poll each" {
    waiting
    for i in 1 2 3 4; do
        lab_down --poll >poll.$i 2>>err &
    done
    wait
    [ "$(cat poll.? | grep -c ^-----BEGIN)" -eq 4 ]
    [ "$(sql 'select count(distinct hex(key)) from entry where kind = 18')" -eq 4 ]
    for i in 2 4 1 3; do
        answered pending=7200 whole leaf=$i <poll.$i | lab_down 2>>err || [ $? -eq 4 ]
    done
    # Each is answered; the newest answer counts.
    lab_down --poll >poll.pem
    content poll.pem | grep -A2 id-cmc-recipientNonce | grep -q "HEX DUMP\]:$(printf '03%.0s' {1..16})\$"
}

# --- answers to polls ---

@test "a poll before the decision is pending again, with a newer token and time" {
    waiting
    lab_down --poll >poll.pem
    export CERTLINE_CLOCK=$(($(date +%s) + 60))
    answered pending=7200 whole token=16 leaf=17 <poll.pem >pending.pem
    run --separate-stderr -4 lab_down <pending.pem
    said "D1: waits for approval, ask again with attach --poll after $(at $((CERTLINE_CLOCK + 7200)))"
    [ "$(kinds)" = 17,18,17 ]
    lab_down --poll >poll.pem
    content poll.pem >second
    grep -A2 id-cmc-queryPending second | grep -q "HEX DUMP\]:$(printf '10%.0s' {1..16})\$"
    grep -A2 id-cmc-recipientNonce second | grep -q "HEX DUMP\]:$(printf '11%.0s' {1..16})\$"
}

@test "who was refused at first stays so while the others wait" {
    waiting refuse=1
    lab_down --poll | answered pending=7200 whole >pending.pem
    run --separate-stderr -4 lab_down <pending.pem
    [[ $stderr = *"D1: waits"*"D3: waits"* && $stderr != *D2* ]]
    lab_down --poll | answered refuse=1 >final.pem
    run --separate-stderr -1 lab_down <final.pem
    [ "$stderr" = "attach: D2: refused: not today (failInfo badIdentity)" ]
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [ "$(sql 'select count(*) from entry where kind = 8')" -eq 1 ]
}

@test "the answer to a poll brings the certificates to the devices" {
    waiting
    lab_down --poll | answered >final.pem
    run --separate-stderr -0 lab_down --out certs <final.pem
    [ -z "$stderr" ]
    for d in D1 D2 D3; do
        openssl x509 -in certs/$d.pem -noout -pubkey | cmp - <(openssl pkey -in "$LAB/keys/$d.key" -pubout)
    done
    run --separate-stderr -0 lab_down --unanswered
    [ -z "$output" ]
    run --separate-stderr -0 lab_down --poll
    [ -z "$output" ]
}

@test "the answer to a poll refuses with its reason, and the exit is 1" {
    waiting
    lab_down --poll | answered whole refuse >final.pem
    run --separate-stderr -1 lab_down <final.pem
    said 'D1: refused: not today (failInfo badIdentity)'
    said 'D3: refused: not today (failInfo badIdentity)'
    [ "$(kinds)" = 17,18,8,8,8,5 ]
    run --separate-stderr -0 lab_down --poll
    [ -z "$output" ]
}

@test "a certificate for another key is refused in the answer to a poll too" {
    waiting
    lab_down --poll | answered key=1 >final.pem
    run --separate-stderr -3 lab_down --out certs <final.pem
    said 'stdin:1: D2: its certificate is for another key than the one sent'
    [ ! -e certs ]
    [ "$(kinds)" = 17,18 ]
}

@test "an answer to a poll with another recipientNonce is refused" {
    waiting
    lab_down --poll >poll.pem
    for kind in 'pending=60 whole' ''; do
        # shellcheck disable=SC2086 # words
        answered nonce $kind <poll.pem >final.pem
        run --separate-stderr -3 lab_down --out certs <final.pem
        said 'stdin:1: ca-sign: recipientNonce is not the one that was sent'
    done
    [ ! -e certs ]
}

@test "an answer to another's poll is refused" {
    waiting
    # Another attach of the same name, from the same ledger on.
    cp "$LAB/var/attach.db" other.db
    sed "s|ledger: .*|ledger: $PWD/other.db|; s|\.\./|$LAB/|; s|lots: |&$LAB/etc/|" "$LAB/etc/attach.yaml" >other.yaml
    attach -c other.yaml --poll >poll.pem
    answered <poll.pem >final.pem
    run --separate-stderr -3 lab_down --out certs <final.pem
    said 'stdin:1: an answer to a message that this unit did not send'
    [ ! -e certs ]
    [ "$(kinds)" = 17 ]
}

@test "an answer to a poll that leaves out a device is refused" {
    waiting
    lab_down --poll | answered short >final.pem
    run --separate-stderr -3 lab_down <final.pem
    said 'stdin:1: ca-sign: 2 answers to 3 requests'
}

@test "another answer to the same poll is refused, the same one is taken again" {
    waiting
    lab_down --poll >poll.pem
    answered pending=60 whole <poll.pem >first.pem
    answered <poll.pem >other.pem
    run -4 lab_down <first.pem
    run --separate-stderr -3 lab_down --out certs <other.pem
    said 'stdin:1: another answer to a message that is answered already'
    [ ! -e certs ]
    run -4 lab_down <first.pem
}

@test "pending answers that come late change nothing that was delivered" {
    waiting
    lab_down --poll >late.pem
    lab_down --poll >poll.pem
    answered <poll.pem | lab_down --out certs
    cp -r certs before
    # the first one again, and one that had not come yet
    run --separate-stderr -0 lab_down --out certs <pending.pem
    [ -z "$stderr" ]
    answered pending=60 whole <late.pem >late
    run --separate-stderr -0 lab_down --out certs <late
    [ -z "$stderr" ]
    diff -r before certs
    run --separate-stderr -0 lab_down --unanswered
    [ -z "$output" ]
    run --separate-stderr -0 lab_down --poll
    [ -z "$output" ]
}

@test "a refusal that comes late takes nothing from a device" {
    waiting
    lab_down --poll >late.pem
    lab_down --poll | answered | lab_down --out certs
    answered whole refuse <late.pem >late
    run --separate-stderr -0 lab_down --out certs <late
    [ "$(sql 'select count(*) from entry where kind = 8')" -eq 0 ]
    run -0 lab_down --unanswered
}

@test "what was granted and did not get onto its device is asked for again" {
    waiting
    lab_down --poll >poll.pem
    answered <poll.pem >final.pem
    run --separate-stderr -4 lab_down --put 'test $CERTLINE_DEVICE != D2' <final.pem
    said 'D2: has no answer yet'
    said 'hint: attach --poll brings again what was granted, attach --unanswered lists it'
    run -1 lab_down --unanswered
    [ "$(cut -f 3,5 <<<"$output")" = $'D2\tgranted' ]
    run --separate-stderr -0 lab_down --resend
    [ -z "$output" ]
    lab_down --poll | answered >final.pem
    run --separate-stderr -0 lab_down --out certs <final.pem
    [ "$(ls certs)" = D2.pem ]
    run -0 lab_down --unanswered
}

@test "killed while it puts certificates on devices, the same answer serves those that are left" {
    waiting
    lab_down --poll | answered >final.pem
    attach -c "$LAB/etc/attach.yaml" --jobs 1 --put 'cat >got.$CERTLINE_DEVICE; test $CERTLINE_DEVICE != D2 || { touch now; sleep 60; }' \
        <final.pem >nothing 2>&1 &
    await test -e now
    kill -KILL $!
    ended 137 $!
    [ "$(sql 'select count(*) from entry where kind = 6')" -eq 3 ]
    run -1 lab_down --unanswered
    [ "${#lines[@]}" -eq 3 ]
    run --separate-stderr -0 lab_down --out certs <final.pem
    [ "$(ls certs)" = $'D1.pem\nD2.pem\nD3.pem' ]
}

@test "--poll closes the run of an attach that died, so that its line can end well" {
    mkfifo in
    attach -c "$LAB/etc/attach.yaml" --lot open <in >original.pem 2>err &
    exec 7>in
    cat "$LAB/three.pem" >&7
    await whole_block original.pem
    kill -KILL $!
    ended 137 $!
    exec 7>&-
    answered pending=60 <original.pem >pending.pem
    run -4 lab_down <pending.pem
    lab_down --poll | answered >final.pem
    run --separate-stderr -0 lab_down --out certs <final.pem
    [ -z "$stderr" ]
}
