bats_require_minimum_version 1.5.0

# Messages that wait for people, from the first attach to the certificate on the device.

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build ledger-test && people_line "$BATS_FILE_TMPDIR/line" || return
    # Two messages of one run that wait for one person.
    cd "$BATS_FILE_TMPDIR" || return
    mkdir "$LINE/keys"
    for d in A B C; do line_request $d "$LINE/keys"; done >"$LINE/requests.pem"
    sed 's/^to:/batch: 2\nto:/' "$LINE/etc/attach.yaml" >"$LINE/etc/attach.new"
    mv "$LINE/etc/attach.new" "$LINE/etc/attach.yaml"
    line one <"$LINE/requests.pem" 2>waits || [ $? -eq 4 ]
    line_keep waiting
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore waiting
}

grant_all() {
    local id
    for id in $(ra-approve --list | cut -f 1); do
        grant alice "$id"
    done
}
polled() { attach --poll | line_middle | attach "$@"; }
# Each device has its own certificate, for the key that it sent.
on_devices() { # FOLDER
    for d in A B C; do
        openssl verify -no_check_time -CAfile "$PKI/root.pem" -untrusted "$PKI/ca.pem" "$1/$d.pem"
        openssl x509 -in "$1/$d.pem" -noout -pubkey | cmp - <(openssl pkey -in "$LINE/keys/$d.key" -pubout)
    done
}
issued() { ledger ca-sign 'select count(*), count(distinct hex(data)) from entry where kind = 12'; }

@test "what waits is granted days later, when every program was started anew and every message is too old" {
    run -1 attach --unanswered
    [ "$(cut -f 3,5 <<<"$output")" = $'A\tpending\nB\tpending\nC\tpending' ]
    export CERTLINE_CLOCK=$(($(date +%s) + 3 * 86400))
    run -0 --separate-stderr attach --resend
    [ -z "$output" ]
    [[ $stderr == *"attach: 2 messages wait for approval, and are not sent again"* ]]
    grant_all
    run -0 --separate-stderr polled --out certs
    on_devices certs
    run -0 --separate-stderr attach --unanswered
    [ -z "$output" ]
    run -0 --separate-stderr attach --poll
    [ -z "$output" ]
}

@test "a poll before the grant: pending again, the exit is 4, and the next one brings the certificates" {
    run -4 --separate-stderr polled --out certs
    [ ! -e certs ]
    [ "${#stderr_lines[@]}" -eq 3 ]
    [[ ${stderr_lines[2]} == 'attach: C: waits for approval, ask again with attach --poll after '* ]]
    grant_all
    run -0 --separate-stderr polled --out certs
    [ -z "$output$stderr" ]
    on_devices certs
}

@test "one message is granted, the other one waits on: those are served, and the exit is 4" {
    grant alice "$(waiting)"
    run -4 --separate-stderr polled --out certs
    [ "$(ls certs | wc -l)" -eq "$((3 - ${#stderr_lines[@]}))" ]
    [[ $stderr == *': waits for approval, ask again with attach --poll after '* ]]
    grant_all
    run -0 --separate-stderr polled --out certs
    on_devices certs
}

@test "what a person refused is told at attach, and the exit is 1" {
    for id in $(ra-approve --list | cut -f 1); do
        refuse alice "$id" 'not this week'
    done
    run -1 --separate-stderr polled --out certs
    [ ! -e certs ]
    for d in A B C; do
        grep -qxF "attach: $d: refused: ra-approve: refused by alice: not this week (failInfo badRequest)" <<<"$stderr" ||
            { echo "$stderr" && false; }
    done
    run -0 attach --unanswered
    [ -z "$output" ]
    run -0 --separate-stderr attach --poll
    [ -z "$output$stderr" ]
}

@test "an answer that was lost is asked for again, and brings the same certificates" {
    grant_all
    attach --poll | line_middle >lost.pem
    grep -q ^-----BEGIN lost.pem
    run -0 --separate-stderr polled --out certs
    on_devices certs
    [ "$(issued)" = '3|3' ]
    # What was lost turns up: it is an answer to polls of this attach, and changes nothing.
    cp -r certs before
    run -0 --separate-stderr attach --out certs <lost.pem
    [ -z "$stderr" ]
    diff -r before certs
}

@test "a decision whose answer was lost stands when the lot has ended since" {
    cp -a "$LINE/etc" kept
    grant_all
    attach --poll | line_middle >lost.pem
    people_lots one="approve: 1, until: $(date -ud '1 hour' +%Y-%m-%dT%H:%M:%SZ)"
    CERTLINE_CLOCK=$(date -d '2 hours' +%s) run -0 --separate-stderr polled --out certs
    on_devices certs
    [ "$(issued)" = '3|3' ]
    # and what was refused stays so, though its lot is open again
    line_restore waiting
    rm -r "$LINE/etc" && mv kept "$LINE/etc"
    for id in $(ra-approve --list | cut -f 1); do refuse alice "$id" 'not this week'; done
    attach --poll | line_middle >lost.pem
    people_lots one='approve: auto'
    run -1 --separate-stderr polled --out more
    [ "$(grep -c 'refused by alice: not this week' <<<"$stderr")" -eq 3 ] || { echo "$stderr" && false; }
    [ ! -e more ]
    people_lots
}

@test "certificates that did not get onto their devices are brought again, the same ones" {
    grant_all
    run -4 --separate-stderr polled --put 'cat >got.$CERTLINE_DEVICE; test $CERTLINE_DEVICE = A'
    [[ $stderr == *'attach: B: has no answer yet'*'attach: C: has no answer yet'* ]]
    run -1 attach --unanswered
    [ "$(cut -f 3,5 <<<"$output")" = $'B\tgranted\nC\tgranted' ]
    run -0 --separate-stderr polled --out certs
    [ "$(ls certs)" = $'B.pem\nC.pem' ]
    [ "$(openssl x509 -in certs/B.pem)" = "$(openssl x509 -in got.B)" ]
    [ "$(issued)" = '3|3' ]
}

@test "many that ask at once do each other no harm" {
    grant_all
    for i in 1 2 3; do
        { attach --poll | line_middle | attach --out certs || echo "$?" >failed.$i; } 2>err.$i &
    done
    wait
    cat err.*
    # One may have found that nothing waits any more: then its line had nothing to do.
    for i in 1 2 3; do
        [ ! -e failed.$i ] || [ "$(cat failed.$i)" -eq 5 ]
    done
    on_devices certs
    [ "$(issued)" = '3|3' ]
    run -0 attach --unanswered
    [ -z "$output" ]
}

@test "a line whose requests are sent anew while they wait is answered with the same pending decision" {
    line_restore empty
    attach --lot one <"$LINE/requests.pem" >original.pem
    line_middle <original.pem >first.pem
    # The answer never came: the same messages again, octet for octet.
    attach --resend >again.pem
    cmp original.pem again.pem
    line_middle <again.pem >second.pem
    cmp first.pem second.pem
    run -4 attach <second.pem
    grant_all
    run -0 --separate-stderr polled --out certs
    on_devices certs
}

@test "cron's script of the manual does nothing where nothing waits, and else runs the line" {
    mkdir bin
    for p in attach verify-unit ra-approve ca-sign; do
        printf '#!/bin/sh\nexec %s/bin/%s -c %s/etc/%s.yaml "$@"\n' "$BUILD" $p "$LINE" $p >bin/$p
    done
    chmod +x bin/*
    sed -n '/^#!\/bin\/sh/,/^\.Ed/p' "$TOP/man/attach.1" | sed '$d' >script
    [ "$(wc -l <script)" -ge 4 ]
    run -4 --separate-stderr env PATH="$PWD/bin:$PATH" sh script
    [[ $stderr == *'A: waits for approval'* ]]
    grant_all
    run -0 --separate-stderr env PATH="$PWD/bin:$PATH" sh script
    [ -z "$output$stderr" ]
    on_devices certs
    run -0 --separate-stderr env PATH="$PWD/bin:$PATH" sh script
    [ -z "$output$stderr" ]
}

# Polls, each when it is due, until so many programs were killed, or all is answered.
killed_polls() { # KILLS
    local goal=$(($(kills) + $1)) tries
    for ((tries = 0; tries < 40; tries++)); do
        CERTLINE_CLOCK=$((CERTLINE_CLOCK + 2))
        killed_line 2 --poll
        [ "$(kills)" -lt $goal ] && [ -n "$(attach --unanswered)" ] || return 0
    done
    return 1
}

@test "programs are killed at random instants: what waits is not lost, and nothing is issued twice" {
    . "$BATS_TEST_DIRNAME/killed.bash"
    local tries
    line_restore empty
    RANDOM=${SEED:=$RANDOM}
    echo "SEED=$SEED"
    export CERTLINE_CLOCK
    CERTLINE_CLOCK=$(date +%s)
    for ((tries = 0; tries < 5; tries++)); do
        killed_line 2 --lot one <"$LINE/requests.pem"
        killed_line 2 --resend
    done
    whole_line --lot one <"$LINE/requests.pem" >>out 2>&1 || true
    whole_line --resend >>out 2>&1 || true
    killed_polls 4
    grant_all
    killed_polls 4
    cat kills
    for ((tries = 0; tries < 5; tries++)); do
        [ -n "$(attach --unanswered)" ] || break
        CERTLINE_CLOCK=$((CERTLINE_CLOCK + 2))
        whole_line --resend >>out 2>&1 || true
        grant_all
        whole_line --poll >>out 2>&1 || true
    done
    run -0 --separate-stderr attach --unanswered
    [ -z "$output" ]
    on_devices certs
    [ "$(issued)" = '3|3' ]
    for unit in attach:attach-1 verify-unit:verify-unit-1 ra-approve:ra-approve-1 "ca-sign:Device CA"; do
        run -0 ledger-test "$LINE/var/${unit%:*}.db" "${unit#*:}" verify
    done
}
