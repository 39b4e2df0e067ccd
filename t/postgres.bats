# The ledger in a PostgreSQL database: the same answers and rules as in a file, for several processes at once.
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/postgres-ledger.bash"

# Every kind of question, after every kind of entry.
everything() { # URI-OR-FILE
    local call
    while read -r call; do
        echo "-- $call"
        # shellcheck disable=SC2086 # words
        CERTLINE_CLOCK=1700000000 ledger-test "$1" u $call 2>&1 | grep -v 'the clock is set by' || true
    done <<'END'
issue a 130
one 12 d1 acme k1
one 12 d1 other k2
one 12 d2 acme k1-and-more
one 8 d1 acme k4
device d1 acme p
device d1 acme q
device a00000077 acme idevid-demo
key k1
key k2
key k3
ask r1 3 4
ask r2 1 1
answer 7 r1 0 101
answer 8 r1 0 102
close r1 13 1
run r1
run r3
unanswered
unanswered r1
messages
answer 7 r2 0 101
unanswered
tid 4 r1 1
tid 4 r1 1 nobody
count acme l1 0 3
count acme l1 2 2
count other l1 0 1
count acme l1 0 1 another-key
put 12 serial=S1 note=ca1 device=d9 key=k9
put 19 serial=S1 note=ca1 device=d9
revoked S1 ca1
revoked S1 ca2
put 15 tid=a lot=l1 unit=a1
put 22 owner=acme profile=p device=d1
put 23 owner=acme profile=p device=d1
put 20 note=ca1
put 20 note=ca2
held
allowed acme p d1
allowed acme q d1
newest 20
newest 20 ca1
newest 21
scan 19,20
scan 12 0 0 owner=acme device=d1
scan 14 0 0 lot=l1 bare
scan 15 0 0 unit=a1 tid=a
scan 20 0 0 S=1700000001
scan 12 5 9
abort x
stand 0
stand 20
link 3 1
unit
verify
END
}

@test "a database gives the answers that a file gives" {
    everything l.db >file
    everything "$URI" >database
    # The hash of an entry depends on the writer's random name.
    diff <(sed 's/^1 [0-9A-F]\{64\}$/1 HASH/' file) <(sed 's/^1 [0-9A-F]\{64\}$/1 HASH/' database)
    [ "$(grep -c . file)" -gt 100 ]
}

@test "what a transaction added is found in it before it is committed" {
    run -0 ledger within
    [ "$output" = "$(ledger-test l.db u within)" ]
    [ "${#lines[@]}" -ge 6 ]
}

@test "processes that make the same ledger at the same moment all succeed" {
    for i in 1 2 3 4 5; do
        ledger issue "p$i-" 1 >"said$i" &
    done
    wait
    [ "$(cat said*)" = $'1\n1\n1\n1\n1' ]
    whole 5
}

@test "entries can neither be changed nor deleted, not by their owner either" {
    ledger issue a 2 >/dev/null
    for change in "UPDATE entry SET note = 'x'" 'DELETE FROM entry' 'DELETE FROM writer' 'TRUNCATE entry' \
        'UPDATE writer SET opened = 0'; do
        run pg "$DB" "$change"
        [ "$status" -ne 0 ]
        [[ $output = *'the ledger is append-only'* ]]
    done
    whole 2
}

# As somebody would who has the server.
tampered() { # STATEMENT
    pg "$DB" "SET session_replication_role = replica; $1"
}

@test "an entry that was changed, or taken out, is found" {
    ledger issue a 10 >/dev/null
    tampered "UPDATE entry SET device = 'other' WHERE id = 7"
    run -3 ledger verify
    [ "$output" = "ledger-test: $URI: entry 7: its hash does not fit the chain" ]
    tampered 'DELETE FROM entry WHERE id = 7'
    run -3 ledger verify
    [ "$output" = "ledger-test: $URI: entry 7: missing" ]
}

@test "a quota that was set back and a key that changed hands are found" {
    ledger count acme l1 0 3 >/dev/null
    ledger issue a 3 >/dev/null
    tampered 'UPDATE quota SET used = 1'
    run -3 ledger verify
    [ "$output" = "ledger-test: $URI: the quota of lot \"l1\" of owner \"acme\" says 1, its entries 3" ]
    tampered "UPDATE quota SET used = 3; UPDATE holder SET device = 'x' WHERE device = 'a00000001'"
    run -3 ledger verify
    [ "$output" = "ledger-test: $URI: entry 5: the holder of its key is another" ]
}

@test "the tables refuse what the programs never do" {
    ledger one 12 d1 acme k1
    run -4 ledger one 12 d2 acme k1
    [ "$output" = "ledger-test: $URI: one key, one device" ]
    ledger put 14 owner=acme lot=l1 profile=p device=d1 key=k
    run -4 ledger put 14 owner=acme lot=l1 profile=p device=d1 key=k
    [[ $output = *'violates unique constraint "entry_counted"' ]]
    ledger put 12 serial=S note=ca
    run -4 ledger put 12 serial=S note=ca
    [[ $output = *'violates unique constraint "entry_serial"' ]]
    ledger put 9 tid=t unit=a in=x
    run -4 ledger put 9 tid=t unit=a in=x
    [[ $output = *'violates unique constraint "entry_up"' ]]
    ledger put 11 tid=t unit=a in=x
    run -4 ledger put 11 tid=t unit=a in=x
    [[ $output = *'violates unique constraint "entry_up"' ]]
    ledger put 10 tid=t key=x in=y
    run -4 ledger put 10 tid=t key=x in=z
    [[ $output = *'violates unique constraint "entry_down"' ]]
    whole 6
}

@test "a name that is not UTF-8 is refused before the database sees it" {
    run -4 ledger put 12 device=$'a\xffb'
    [ "$output" = "ledger-test: $URI: the name \"a\\xffb\" is not UTF-8 of at most 2000 octets" ]
    whole 0
}

@test "a clock behind the newest entry ends with 4" {
    CERTLINE_CLOCK=1700000000 ledger issue a 1
    CERTLINE_CLOCK=1699999994 run -4 ledger issue a 1
    [[ ${lines[-1]} = *"the clock is behind the ledger's newest entry (2023-11-14T22:13:20Z)" ]]
    CERTLINE_CLOCK=1699999995 run -0 ledger issue a 1
    [ "$(pg "$DB" 'SELECT max(time) - min(time) FROM entry')" = 0 ]
}

@test "several processes write at once, ids without a gap, each with a chain of its own" {
    for i in 1 2 3 4; do
        ledger issue "p$i-" 1600 >/dev/null &
    done
    wait
    whole 6400
    [ "$(pg "$DB" 'SELECT count(*), min(id), max(id), count(DISTINCT writer) FROM entry')" = \
        '6400|1|6400|4' ]
}

@test "what counts is exact across processes" {
    for i in 1 2 3; do
        ledger count acme l1 0 100 >"said$i" &
    done
    wait
    [ "$(cat said* | grep -c counted)" = 100 ]
    [ "$(pg "$DB" 'SELECT * FROM quota')" = 'acme|l1|100' ]
    whole 100
}

# FIRST... : SECOND...: verbs that wait for a line in the middle; the second must not come to its middle before the
# first has ended.
one_waits_for_the_other() {
    local first=() one
    while [ "$1" != : ]; do
        first+=("$1")
        shift
    done
    ledger open
    mkfifo go
    ledger "${first[@]}" <go >first &
    one=$!
    exec 9>go
    await holds . first
    ledger "${@:2}" </dev/null >second 9>&- &
    await pg_locked "$DB"
    [ ! -s second ]
    exec 9>&-
    ended 0 "$one"
    ended 0 $!
}

@test "of two that want to issue for one key, the second waits and sees the first" {
    one_waits_for_the_other claim same-key d1 : claim same-key d2
    [ "$(cat first)" = $'looked 0\nissued' ]
    [ "$(cat second)" = $'looked 1\nrefused' ]
    whole 1
}

@test "of two that want to issue for one device, the second waits" {
    one_waits_for_the_other claim key-one d1 : claim key-two d1
    whole 2
}

@test "of two that follow the newest entry of a kind, the second waits and follows the first" {
    one_waits_for_the_other next 20 : next 20
    [ "$(cat first second)" = $'1\n2' ]
    whole 2
}

@test "more identities than the server has locks for are served" {
    run -0 ledger expect 3000
    [ "$output" = 3000 ]
    ledger expect 3000 >one &
    ledger expect 10 >two &
    wait
    [ "$(cat one two)" = $'3000\n10' ]
}

@test "a process that only reads leaves no trace" {
    ledger issue a 1 >/dev/null
    ledger unanswered
    ledger verify
    [ "$(pg "$DB" 'SELECT count(*) FROM writer')" = 1 ]
}
