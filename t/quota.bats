# Quotas: how many devices of a lot ra-approve lets through, across messages, processes, restarts and kills.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build forge forge-sign ledger-test && people_line "$BATS_FILE_TMPDIR/line"
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    cd "$BATS_TEST_TMPDIR" || return
    people_restore empty
}

@test "the requests that fit go through, and each that does not is refused with its own sentence" {
    run -1 --separate-stderr asks few A B C D E
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 3 ]
    [ "$stderr" = 'attach: D: refused: ra-approve: the quota of lot "few" (3) is used up (failInfo badRequest)
attach: E: refused: ra-approve: the quota of lot "few" (3) is used up (failInfo badRequest)' ]
    [ "$(counted)" -eq 3 ]
}

@test "the quota holds across messages and restarts" {
    run -0 asks few A B
    run -1 --separate-stderr asks few C D
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [ "$stderr" = 'attach: D: refused: ra-approve: the quota of lot "few" (3) is used up (failInfo badRequest)' ]
    run -1 --separate-stderr asks few E
    [ "$(counted)" -eq 3 ]
}

@test "a request that is tried again counts once" {
    run -0 asks few A B C
    run -0 asks few A B C
    run -0 asks few C
    [ "$(counted)" -eq 3 ]
    [ "$(ledger ra-approve 'select count(distinct tid) from entry where kind = 14')" -eq 1 ]
}

@test "the same request twice in one message counts once" {
    line_request A >a.pem
    cat a.pem a.pem >twice.pem
    line_request B >>twice.pem
    line_request C >>twice.pem
    line few <twice.pem >certs 2>err || true
    [ "$(counted)" -eq 3 ]
}

@test "a device with another key counts again" {
    run -0 asks few A B
    rm A.key
    run asks few A
    [ "$(counted)" -eq 3 ]
    [ "$(ledger ra-approve 'select count(*) from entry where kind = 14 and device = "A"')" -eq 2 ]
}

@test "a request that was refused for another reason does not count" {
    people_lots listed='devices: devices.csv, quota: 2'
    run -1 --separate-stderr asks listed X1 X2 X3 T1 T2
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [[ $stderr != *"used up"* ]]
    [ "$(counted)" -eq 2 ]
}

@test "each lot has a quota of its own" {
    people_lots few='quota: 1' fewer='quota: 2'
    run -0 asks few A
    run -0 asks fewer A B
    run -1 asks few B
    [ "$(ledger ra-approve 'select group_concat(lot, " ") from (select lot from entry where kind = 14 order by id)')" = \
        'few fewer fewer' ]
}

@test "a quota that was raised lets more through, one that was lowered nothing" {
    run -1 asks few A B C D
    people_lots few='quota: 4'
    run -0 asks few D
    people_lots few='quota: 1'
    run -1 asks few E
    run -0 asks few A
    [ "$(counted)" -eq 4 ]
}

@test "lots without a quota record nothing beside the messages" {
    run -0 asks free A B C
    [ "$(ledger ra-approve 'select group_concat(kind) from (select kind from entry where kind <> 21 order by id)')" = 9,10 ]
}

@test "a quota that a lot gets later begins at 0" {
    run -0 asks free A B C
    people_lots free='quota: 2'
    run -1 --separate-stderr asks free D E F
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [ "$(counted)" -eq 2 ]
}

@test "one key under two devices counts twice: there is no way around the quota" {
    line_request A >a.pem
    cp A.key B.key
    { cat a.pem && line_request B && line_request C && line_request D; } | attach --lot few | verify-unit | ra-approve |
        ca-sign >4.pem
    [ "$(ledger ra-approve 'select group_concat(device, " ") from (select device from entry where kind = 14 order by id)')" = 'A B C' ]
    [ "$(ledger ca-sign 'select group_concat(device, " ") from (select device from entry where kind = 12 order by id)')" = 'A C' ]
}

@test "a lot that ended gives the message that it let through again, and lets no other through" {
    line_request A | attach --lot few >1.pem
    verify-unit <1.pem >2.pem
    ra-approve <2.pem >3.pem
    line_request A | attach --lot few | verify-unit >2b.pem
    people_lots few='quota: 3, until: 2026-01-01'
    ra-approve <2.pem | cmp - 3.pem
    ra-approve -v <2b.pem 2>said >3b.pem
    grep -qx 'ra-approve: A: refused: lot "few" ended 2026-01-01T00:00:00Z' said
    [ "$(counted)" -eq 1 ]
    # what is let through is still for ca-sign to refuse, which holds the window itself
    ca-sign <3.pem | ra-approve | verify-unit >6.pem
    run -1 --separate-stderr attach <6.pem
    [ "$stderr" = 'attach: A: refused: ca-sign: lot "few" ended 2026-01-01T00:00:00Z (failInfo badRequest)' ]
}

@test "what waits for people does not count, and counts when it is released" {
    run -4 asks fewer A B
    [ "$(counted)" -eq 0 ]
    run -4 asks fewer C
    [ "$(counted)" -eq 0 ]
    for id in $(ra-approve --list | cut -f 1); do
        grant alice "$id"
    done
    run -1 --separate-stderr polls
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
    [[ $stderr == *': refused: ra-approve: the quota of lot "fewer" (2) is used up (failInfo badRequest)' ]]
    [ "$(counted)" -eq 2 ]
    # Used up: the next is refused at once, and what counts already is not.
    run -1 --separate-stderr asks fewer E
    [ "$stderr" = 'attach: E: refused: ra-approve: the quota of lot "fewer" (2) is used up (failInfo badRequest)' ]
    [ -z "$(ra-approve --list)" ]
}

@test "what a full disk kept from going up does not count, and counts once when there is room" {
    run -0 asks few A
    { line_request B && line_request C; } | attach --lot few | verify-unit >2.pem
    run -4 --separate-stderr no_room
    [ -z "$output" ]
    [ "$(counted)" -eq 1 ]
    run -0 ra-approve <2.pem
    [ "$(counted)" -eq 3 ]
    ra-approve <2.pem | cmp - <(printf '%s\n' "$output")
    [ "$(counted)" -eq 3 ]
}
no_room() {
    trap '' XFSZ # the signal; the write fails all the same
    ulimit -f 4
    ra-approve <2.pem
}

# --- two side by side ---

# runs N FILE [AT...]: ra-approve on all of FILE, but first killed at these system calls, each with its number
runs() { # N FILE
    local at code
    for at in "${@:3}"; do
        code=0
        # shellcheck disable=SC2086 # two words
        killed_at $at "$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --up <"$2" >"out.$1" 2>>"err.$1" || code=$?
        [ $code -ne 137 ] || echo "$1 at $at" >>kills
    done
    ra-approve --up <"$2" >"out.$1" 2>>"err.$1"
}

@test "two ra-approve on one ledger never pass more than the quota together, killed at random instants" {
    local i one=() two=()
    RANDOM=${SEED:=$RANDOM}
    echo "SEED=$SEED"
    people_lots few='quota: 37'
    cp "$LINE/etc/attach.yaml" keep.yaml
    echo 'batch: 3' >>"$LINE/etc/attach.yaml"
    { echo serial; seq -f 'Q%03.0f' 1 60; } >list.csv
    csr-make --list list.csv --keys keys >all.pem
    # Some devices are in both halves: they count once.
    awk '/^-----BEGIN/ { n++ } n <= 36' all.pem | attach --lot few | verify-unit >2.1
    awk '/^-----BEGIN/ { n++ } n > 24' all.pem | attach --lot few | verify-unit >2.2
    cp keep.yaml "$LINE/etc/attach.yaml"
    # All of it is written once, and locked for by each run.
    for i in 1 2 3; do
        one+=("pwrite64 $((RANDOM % 60 + 1))" "fcntl $((RANDOM % 300 + 1))")
        two+=("fcntl $((RANDOM % 300 + 1))" "pwrite64 $((RANDOM % 60 + 1))")
    done
    runs 1 2.1 "${one[@]}" &
    runs 2 2.2 "${two[@]}"
    ended 0 $!
    cat kills
    [ "$(wc -l <kills)" -ge 6 ]
    [ "$(counted)" -eq 37 ]
    [ "$(ledger ra-approve 'select count(distinct device), count(distinct key) from entry where kind = 14')" = '37|37' ]
    # Once more, without kills: what comes out is what was recorded, and the CA issues for no other device.
    runs 1 2.1
    runs 2 2.2
    [ "$(counted)" -eq 37 ]
    cat out.1 out.2 | ca-sign >4.pem
    [ "$(ledger ca-sign 'select count(distinct device) from entry where kind = 12')" -eq 37 ]
    run -0 ledger-test "$LINE/var/ra-approve.db" ra-approve-1 verify
}
