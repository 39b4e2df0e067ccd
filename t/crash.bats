# Programs of a line killed at any instant: after that every device is served, refused, or safely sent again.
bats_require_minimum_version 1.5.0

KILLS=12 ROUNDS=60 DEVICES=60 MESSAGES=15

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    line_build ledger-test && line_make "$BATS_FILE_TMPDIR/line" || return
    # Small batches, so that many messages are on their way.
    echo 'batch: 4' >>"$LINE/etc/attach.yaml"
    { echo serial; seq -f 'C%03.0f' 1 $DEVICES; } >"$LINE/list.csv"
    csr-make --list "$LINE/list.csv" --keys "$LINE/keys" >"$LINE/requests.pem"
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/killed.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore empty
}

unanswered() { attach --unanswered | wc -l; }
held() { sqlite3 "$LINE/var/$1.db" "$2"; }

@test "programs are killed at random instants: nothing is lost and nothing is issued twice" {
    local round tries device cert unit
    RANDOM=${SEED:=$RANDOM}
    echo "SEED=$SEED"
    for ((round = 0; round < ROUNDS; round++)); do
        if [ $((round % 3)) -eq 0 ]; then
            killed_line $MESSAGES --lot open <"$LINE/requests.pem"
        else
            killed_line $MESSAGES --resend
        fi
        [ "$(kills)" -lt $KILLS ] || break
    done
    echo "rounds: $((round + 1))"
    cat kills
    [ "$(kills)" -eq $KILLS ]
    # Nobody is killed any more. What no attach ever saw is asked for again; all else is sent again.
    for ((tries = 0; tries < 5; tries++)); do
        [ "$(unanswered)" -gt 0 ] || break
        whole_line --resend >>out 2>&1 || true
    done
    [ "$(unanswered)" -eq 0 ]
    rm -rf certs
    whole_line --lot open <"$LINE/requests.pem"
    [ "$(unanswered)" -eq 0 ]
    # One certificate a device, for its key, and that one is on the device.
    [ "$(held ca-sign 'select count(*), count(distinct device), count(distinct key), count(distinct serial)
        from entry where kind = 12')" = "$DEVICES|$DEVICES|$DEVICES|$DEVICES" ]
    [ "$(find certs -name '*.pem' | wc -l)" -eq $DEVICES ]
    while IFS='|' read -r device cert; do
        [ "${cert,,}" = "$(sed '/^-/d' "certs/$device.pem" | base64 -d | od -An -v -tx1 | tr -d ' \n')" ]
        openssl x509 -in "certs/$device.pem" -noout -pubkey |
            cmp - <(openssl pkey -in "$LINE/keys/$device.pem" -pubout)
    done < <(held ca-sign 'select device, hex(data) from entry where kind = 12')
    # What was handed out in any round is what is held.
    [ "$(held attach 'select count(distinct hex(data)) from entry where kind = 6')" -eq $DEVICES ]
    for unit in attach:attach-1 verify-unit:verify-unit-1 ra-approve:ra-approve-1 "ca-sign:Device CA"; do
        run -0 ledger-test "$LINE/var/${unit%:*}.db" "${unit#*:}" verify
    done
    [ "$(unanswered)" -eq 0 ]
}

@test "the last attach says 4 and names the devices when a stage dies" {
    local n
    for n in 2 3 4 5 6; do
        line_restore empty
        # The stage dies before it reads anything.
        { attach --lot open <"$LINE/requests.pem"; } >1.pem
        {
            case $n in
            2) head -c 0 ;; 3) verify-unit | head -c 0 ;; 4) verify-unit | ra-approve | head -c 0 ;;
            5) verify-unit | ra-approve | ca-sign | head -c 0 ;;
            6) verify-unit | ra-approve | ca-sign | ra-approve | head -c 0 ;;
            esac
        } <1.pem >nothing 2>/dev/null
        run -5 --separate-stderr attach <nothing
        run -1 attach --unanswered
        [ "${#lines[@]}" -eq $DEVICES ]
        attach --resend | line_middle >6.pem
        run -0 attach <6.pem
        run -0 attach --unanswered
        [ -z "$output" ]
    done
}

@test "a message that comes only in part is found, and sent again with its first transactionId" {
    attach --lot open <"$LINE/requests.pem" >1.pem
    line_middle <1.pem >6.pem
    head -c $(($(wc -c <6.pem) / 2)) 6.pem >half.pem
    run -4 --separate-stderr attach <half.pem
    [[ $stderr == *"has no answer yet"* ]]
    attach --resend >again.pem
    [ "$(grep -c ^-----BEGIN again.pem)" -lt "$(grep -c ^-----BEGIN 1.pem)" ]
    line_middle <again.pem >rest.pem
    run -0 attach <rest.pem
    [ "$(held ca-sign 'select count(*) from entry where kind = 12')" -eq $DEVICES ]
}
