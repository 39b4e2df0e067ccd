bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/ledger-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    export PATH
}

setup() {
    . "$BATS_TEST_DIRNAME/await.bash"
    cd "$BATS_TEST_TMPDIR" || return
}

# ledger VERB [ARGUMENT...]: on l.db of unit u
ledger() {
    ledger-test l.db u "$@"
}

# whole N: every chain is, with N entries in all, and so is the file
whole() {
    run -0 --separate-stderr ledger verify
    [ "$output" = "$1" ]
    [ "$(sqlite3 l.db 'PRAGMA integrity_check')" = ok ]
}

# tampered STATEMENT: as somebody would who has the file
tampered() {
    sqlite3 l.db 'DROP TRIGGER entry_update; DROP TRIGGER entry_delete; DROP TRIGGER writer_delete' "$1"
}


@test "a new ledger is one file that only its owner can read" {
    umask 0
    run -0 ledger open
    [ -z "$output" ]
    [ "$(ls)" = l.db ]
    [ "$(stat -c %a l.db)" = 600 ]
    [ "$(sqlite3 l.db 'PRAGMA journal_mode; PRAGMA user_version')" = $'wal\n2' ]
}

@test "processes that make the same ledger at the same moment all succeed" {
    for round in $(seq 10); do
        rm -f l.db*
        pids=
        for i in 1 2 3 4; do
            ledger issue "p$i-" 1 > /dev/null &
            pids="$pids $!"
        done
        for pid in $pids; do
            wait "$pid"
        done
        whole 4
        [ -z "$(find . -name '*.new*')" ]
    done
}

@test "the ledger of another unit is refused" {
    ledger open
    run -2 ledger-test l.db v open
    [ "$output" = 'ledger-test: l.db: the ledger of unit "u", not of "v"' ]
}

@test "what is not a ledger is refused" {
    : > l.db
    run -2 ledger open
    [ "$output" = 'ledger-test: l.db: not a ledger' ]
    seq 1000 > l.db
    run -2 ledger open
    [ "$output" = 'ledger-test: l.db: not a ledger' ]
    rm l.db
    sqlite3 l.db 'CREATE TABLE entry (id)'
    run -2 ledger open
    [ "$output" = 'ledger-test: l.db: not a ledger' ]
}

@test "a ledger of a newer format is refused" {
    ledger open
    sqlite3 l.db 'PRAGMA user_version = 3'
    run -2 ledger open
    [ "$output" = 'ledger-test: l.db: a ledger of format 3, this program knows format 2' ]
}

@test "a ledger in a folder that is not there is a configuration error" {
    run -2 ledger-test no/l.db u open
    [ "$output" = 'ledger-test: no/l.db: No such file or directory' ]
}

@test "a ledger that cannot be written to is temporary" {
    ledger open
    chmod 400 l.db
    run -4 plainly ledger-test l.db u issue a 1
    [ "$output" = 'ledger-test: l.db: not writable' ]
    rm -f l.db
    chmod 500 .
    run -4 plainly ledger-test l.db u issue a 1
    [ "$output" = 'ledger-test: l.db: Permission denied' ]
    chmod 700 .
}

@test "a name that SQLite would read as its own is a file like any other" {
    run -0 ledger-test :memory: u issue a 1
    run -0 ledger-test :memory: u verify
    [ "$output" = 1 ]
    [ -f ./:memory: ]
}

@test "a file that can grow no more gives one warning and loses nothing" {
    ledger issue a 640 > /dev/null
    run -4 --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 1200; exec ledger-test l.db u issue b 100000'
    [ "${#stderr_lines[@]}" = 1 ]
    whole $((640 + ${lines[-1]}))
}

@test "a damaged file is named as such" {
    ledger issue a 1000 > /dev/null
    page=$(sqlite3 l.db "SELECT rootpage FROM sqlite_master WHERE name = 'entry'")
    seq 2000 | head -c 8192 | dd of=l.db bs=8192 seek=$((page - 1)) conv=notrunc status=none
    run -3 ledger verify
    [ "${lines[0]}" = \
        'ledger-test: l.db: the ledger is damaged: database disk image is malformed' ]
    [ "${lines[1]}" = 'ledger-test: hint: put its backup in place, certline-unit(5)' ]
    run -4 ledger issue b 1
}

@test "entries can neither be changed nor deleted" {
    ledger issue a 2 > /dev/null
    for change in "UPDATE entry SET note = 'x'" 'DELETE FROM entry' 'DELETE FROM writer' \
        'UPDATE writer SET opened = 0'; do
        run -19 sqlite3 l.db "$change"
        [[ $output = *'the ledger is append-only'* ]]
    done
    whole 2
}

@test "an entry that was changed is found" {
    ledger issue a 10 > /dev/null
    tampered "UPDATE entry SET device = 'other' WHERE id = 7"
    run -3 ledger verify
    [ "$output" = 'ledger-test: l.db: entry 7: its hash does not fit the chain' ]
}

@test "an entry that was taken out is found" {
    ledger issue a 10 > /dev/null
    tampered 'DELETE FROM entry WHERE id = 7'
    run -3 ledger verify
    [ "$output" = 'ledger-test: l.db: entry 7: missing' ]
}

@test "a writer that was taken out is found" {
    ledger issue a 1 > /dev/null
    ledger issue b 1 > /dev/null
    tampered 'DELETE FROM writer WHERE id = 1'
    run -3 ledger verify
    [ "$output" = 'ledger-test: l.db: writer 1 is missing' ]
}

@test "an index that lost an entry is found" {
    ledger issue a 10 > /dev/null
    sqlite3 l.db 'DELETE FROM fresh WHERE entry = 7'
    run -3 ledger verify
    [ "$output" = 'ledger-test: l.db: entry 7: it is missing in the index' ]
}

@test "a clock behind the newest entry ends with 4" {
    CERTLINE_CLOCK=1800000000 ledger issue a 1
    CERTLINE_CLOCK=1799999994 run -4 ledger issue a 1
    [ "${lines[1]}" = \
        "ledger-test: l.db: the clock is behind the ledger's newest entry (2027-01-15T08:00:00Z)" ]
    CERTLINE_CLOCK=1799999995 run -0 ledger issue a 1
    [ "$(sqlite3 l.db 'SELECT max(time) - min(time) FROM entry')" = 0 ]
}

@test "what was not committed leaves nothing, and the chain goes on" {
    run -0 ledger abort a
    whole 1
    run -0 ledger device a00000001 acme idevid-demo
    [ -z "$output" ]
    run -0 ledger device a00000002 acme idevid-demo
    [ "$output" = '1 kind=12 part=103 device=a00000002 owner=acme data=600' ]
}

@test "a process that only reads leaves no trace" {
    ledger issue a 1 > /dev/null
    ledger unanswered
    ledger verify
    [ "$(sqlite3 l.db 'SELECT count(*) FROM writer')" = 1 ]
}

@test "several processes write at once, each with a chain of its own" {
    for i in 1 2 3 4; do
        ledger issue "p$i-" 3200 > /dev/null &
    done
    wait
    whole 12800
    [ "$(sqlite3 l.db 'SELECT count(*) FROM writer')" = 4 ]
}

@test "a writer waits for another" {
    ledger open
    ledger hold 2 > held &
    await holds held held
    run -0 ledger issue a 1
    ended 0 $!
    whole 1
}

@test "a process killed at any instant leaves whole transactions only" {
    ledger open
    for round in $(seq 25); do
        : > said
        ledger-test l.db u issue "r$round-" 1000000 > said &
        pid=$!
        # At an instant of its beginning, or of its work.
        [ $((round % 2)) = 0 ] || await test -s said
        sleep "0.$(printf %03d $((RANDOM % 120)))"
        kill -9 "$pid"
        ended 137 "$pid"
        before=${total:-0}
        total=$(sqlite3 l.db 'SELECT count(*) FROM entry')
        [ $(((total - before) % 64)) = 0 ]
        [ $((total - before)) -ge "$(tail -1 said | grep . || echo 0)" ]
    done 2> /dev/null
    whole "$total"
    [ "$total" -gt 0 ]
}

@test "a certificate is found by owner, profile and device" {
    ledger one 12 d1 acme k1
    ledger one 12 d1 other k2
    ledger one 12 d1 acme k3
    ledger one 8 d1 acme k4
    run -0 ledger device d1 acme p
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[0]} = '1 kind=12 '* && ${lines[1]} = '3 kind=12 '* ]]
    run -0 ledger device d1 acme q
    [ -z "$output" ]
    run -0 ledger device d acme p
    [ -z "$output" ]
}

@test "a key is compared in full, not by its first octets" {
    ledger one 12 d1 acme 0123456789
    ledger one 12 d2 acme 01234567xx
    run -0 ledger key 0123456789
    [ "$output" = '1 kind=12 part=0 device=d1 owner=acme data=0' ]
    run -0 ledger key 01234567
    [ -z "$output" ]
}

@test "entries are found before and after their marks moved, by any process" {
    ledger one 12 d1 acme key-one
    ledger issue a 31998 > /dev/null
    ledger issue b 40000 > /dev/null &
    ledger issue c 40000 > /dev/null
    wait
    [ "$(sqlite3 l.db 'SELECT count(*) > 180000 FROM seen')" = 1 ]
    whole 111999
    run -0 ledger key key-one
    [ "$output" = '1 kind=12 part=0 device=d1 owner=acme data=0' ]
    for device in a00000000 a00031997 b00000000 b00039999 c00000007 c00039999; do
        run -0 ledger device "$device" acme idevid-demo
        [[ $output = *" device=$device "* && ${#lines[@]} = 1 ]]
    done
}

@test "a run tells how far it came" {
    ledger ask r1 3 4
    ledger ask r2 1 1
    ledger answer 7 r1 0 101
    ledger answer 8 r1 0 102
    run -0 ledger run r1
    [ "$output" = 'opened=1 closed=0 blocks=0 unreadable=0 asked=12 delivered=1 refused=1 unanswered=10' ]
    ledger close r1 13 1
    ledger answer 7 r1 -3 4
    run -0 ledger run r1
    [ "$output" = 'opened=1 closed=1 blocks=13 unreadable=1 asked=12 delivered=12 refused=0 unanswered=0' ]
    run -0 ledger run r3
    [ "$output" = 'opened=0 closed=0 blocks=0 unreadable=0 asked=0 delivered=0 refused=0 unanswered=0' ]
}

@test "devices without an answer are listed, of one run and of all" {
    ledger ask r1 2 2
    ledger ask r2 1 1
    ledger answer 7 r1 0 101
    ledger answer 8 r1 1 101
    ledger answer 8 r1 1 102
    run -0 ledger unanswered r1
    [ "$output" = '4 kind=4 part=102 device=d0-1 owner=- data=0' ]
    run -0 ledger unanswered r2
    [ "$output" = '10 kind=4 part=101 device=d0-0 owner=- data=0' ]
    run -0 ledger messages
    [[ ${lines[0]} = '2 kind=3 '* ]]
}

@test "a device that was answered for the same key in another transaction is not listed among all" {
    ledger ask r1 1 2
    ledger ask r2 1 1
    run -0 ledger unanswered
    [ "${#lines[@]}" = 3 ]
    ledger answer 7 r2 0 101
    run -0 ledger unanswered
    [[ ${#lines[@]} = 1 && ${lines[0]} = *' device=d0-1 '* ]]
    run -0 ledger unanswered r1
    [ "${#lines[@]}" = 2 ]
    run -0 ledger messages
    [[ ${#lines[@]} = 1 && ${lines[0]} = '2 kind=3 '* ]]
}

@test "the same identity counts once, and each lot of each owner for itself" {
    run -0 ledger count acme l1 0 3
    [ "$output" = $'counted 1\ncounted 2\ncounted 3' ]
    run -0 ledger count acme l1 2 2
    [ "$output" = $'again 3\ncounted 4' ]
    run -0 ledger count acme l1 2 1 another-key
    [ "$output" = 'counted 5' ]
    run -0 ledger count other l1 0 1
    [ "$output" = 'counted 1' ]
    run -0 ledger count acme l2 0 1
    [ "$output" = 'counted 1' ]
    whole 7
}

@test "what counts is exact across processes" {
    for i in 1 2 3; do
        ledger count acme l1 0 200 > "said$i" &
    done
    wait
    [ "$(cat said* | grep -c counted)" = 200 ]
    [ "$(sqlite3 l.db 'SELECT * FROM quota')" = 'acme|l1|200' ]
    whole 200
}

@test "a quota that was set back is found" {
    ledger count acme l1 0 3 > /dev/null
    sqlite3 l.db 'UPDATE quota SET used = 1'
    run -3 ledger verify
    [ "$output" = \
        'ledger-test: l.db: the quota of lot "l1" of owner "acme" says 1, its entries 3' ]
    sqlite3 l.db 'DELETE FROM quota'
    run -3 ledger verify
    [[ $output = *' says 0, its entries 3' ]]
}

@test "an index that holds what no entry has is found" {
    ledger issue a 10 > /dev/null
    sqlite3 l.db 'INSERT INTO seen VALUES (1, 7)'
    run -3 ledger verify
    [ "$output" = 'ledger-test: l.db: the index holds what no entry has' ]
}

@test "a revoked certificate is found by serial number and issuer" {
    ledger put 12 serial=S1 note=ca1
    ledger put 19 serial=S1 note=ca1 device=d1
    ledger put 19 serial=S2 note=ca2 device=d2
    run -0 ledger revoked S1 ca1
    [ "$output" = '2 kind=19 part=0 device=d1 owner=- data=0' ]
    run -0 ledger revoked S1 ca2
    [ -z "$output" ]
    run -0 ledger revoked S3 ca1
    [ -z "$output" ]
}

@test "the newest of a kind is found, of any note or of one" {
    ledger put 20 note=ca1
    ledger put 20 note=ca2
    ledger put 20 note=ca1
    ledger put 21
    run -0 ledger newest 20
    [[ $output = '3 kind=20 '* ]]
    run -0 ledger newest 20 ca2
    [[ $output = '2 kind=20 '* ]]
    run -0 ledger newest 20 ca3
    [ -z "$output" ]
    run -0 ledger newest 21
    [[ $output = '4 kind=21 '* ]]
}

@test "what waits and what was allowed are found" {
    ledger put 15 tid=a
    ledger put 22 owner=acme profile=p device=d1
    ledger put 23 owner=acme profile=p device=d1
    ledger put 23 owner=acme profile=q device=d1
    ledger put 15 tid=b
    run -0 ledger held
    [[ ${#lines[@]} = 2 && ${lines[0]} = '1 kind=15 '* && ${lines[1]} = '5 kind=15 '* ]]
    run -0 ledger allowed acme p d1
    [[ ${#lines[@]} = 2 && ${lines[0]} = '2 kind=22 '* && ${lines[1]} = '3 kind=23 '* ]]
    run -0 ledger allowed other p d1
    [ -z "$output" ]
}

@test "a scan gives what its filter asks for, in the order of the entries" {
    CERTLINE_CLOCK=1800000000 ledger put 12 owner=acme lot=l1 device=d1 serial=S1 unit=a1 tid=x
    CERTLINE_CLOCK=1800000100 ledger put 12 owner=acme lot=l2 device=d2 serial=S2 profile=p
    CERTLINE_CLOCK=1800000200 ledger put 19 owner=acme lot=l1 device=d1 serial=S1
    CERTLINE_CLOCK=1800000300 ledger put 20
    ids() { # IDS ARGUMENT...: of `scan`
        run -0 --separate-stderr ledger scan "${@:2}"
        [ "$(echo "$output" | cut -d' ' -f1 | xargs)" = "$1" ]
    }
    ids '1 2 3 4' ''
    ids '1 2' 12
    ids '3 4' 19,20
    ids '1 3' 12,19 0 0 device=d1
    ids '3' 19 0 0 serial=S1
    ids '1' '' 0 0 unit=a1
    ids '1' '' 0 0 tid=x
    ids '1 3' '' 0 0 lot=l1
    ids '2' '' 0 0 profile=p
    ids '' '' 0 0 owner=other
    ids '2 3' '' 1 3
    ids '4' 19,20 3
    ids '2 3' '' 0 0 S=1800000100 U=1800000300
    ids '1 2' 12 0 0 bare
}

@test "a scan without data is one" {
    ledger issue a 2 > /dev/null
    run -0 ledger scan 12 0 0 bare
    [[ ${#lines[@]} = 2 && ${lines[0]} = *' data=0' ]]
    run -0 ledger scan 12 0 0
    [[ ${lines[0]} = *' data=600' ]]
}

@test "the chains stand where their last entries are" {
    run -0 ledger stand 0
    [ "$output" = 'entry 0' ]
    ledger issue a 200 > /dev/null
    ledger issue b 3 > /dev/null
    run -0 ledger stand 0
    [ "$output" = $'entry 203\nwriter 1 n 200 linked\nwriter 2 n 3 linked' ]
    run -0 ledger stand 200
    [ "$output" = $'entry 203\nwriter 2 n 3 linked' ]
    run -0 ledger stand 203
    [ "$output" = 'entry 203' ]
}

@test "every link is found, and none that is not there" {
    for i in 1 2 3; do
        ledger issue "p$i-" 320 > /dev/null &
    done
    wait
    for at in 1 2 63 64 65 66 128 129 319 320; do
        for writer in 1 3; do
            run -0 ledger link "$writer" "$at"
            [ "$output" = "1 $(sqlite3 l.db \
                "SELECT hex(hash) FROM entry WHERE writer = $writer AND n = $at")" ]
        done
    done
    for at in '1 0' '1 321' '4 1' '0 1'; do
        # shellcheck disable=SC2086 # writer and number
        run -0 ledger link $at
        [ "${output%% *}" = 0 ]
    done
}

@test "a reader takes any unit's ledger, makes none and leaves no trace" {
    run -2 ledger-test no.db - open
    [ "$output" = 'ledger-test: no.db: No such file or directory' ]
    [ ! -e no.db ]
    ledger issue a 70 > /dev/null
    run -0 ledger-test l.db - unit
    [ "$output" = u ]
    run -0 ledger-test l.db - verify
    [ "$output" = 70 ]
    run -0 ledger-test l.db - link 1 70
    [[ $output = '1 '* ]]
}

# A ledger as the first format has it, with 200 certificates.
old() {
    ledger issue a 200 > /dev/null
    sqlite3 l.db 'DROP TRIGGER entry_counted; DROP TABLE quota; DROP INDEX entry_tid;
        DROP INDEX entry_rare; DROP INDEX entry_revoked; DROP INDEX entry_allowed;
        DROP INDEX entry_link; DROP INDEX entry_held; DROP INDEX entry_asked; CREATE INDEX entry_tid ON entry (tid, kind, part) WHERE kind IS NOT 12;
        UPDATE meta SET value = 1 WHERE name = "format"; PRAGMA user_version = 1'
}

@test "a ledger of the first format is brought up to date when its unit opens it" {
    ledger open
    sqlite3 l.db .schema > new
    rm l.db
    old
    ledger issue b 1 > /dev/null
    [ "$(sqlite3 l.db 'PRAGMA user_version')" = 2 ]
    sqlite3 l.db .schema | sort | diff - <(sort new)
    [ "$(sqlite3 l.db "SELECT value FROM meta WHERE name = 'format'")" = 2 ]
    run -0 ledger link 1 200
    [[ $output = '1 '* ]]
    whole 201
}

@test "processes that bring the same ledger up to date at the same moment all succeed" {
    old
    for i in 1 2 3 4; do
        ledger issue "p$i-" 1 > "said$i" &
    done
    wait
    [ "$(cat said* | grep -c .)" = 4 ]
    whole 204
}

@test "an upgrade that has no room leaves the ledger as it was" {
    old
    sqlite3 l.db 'PRAGMA wal_checkpoint(TRUNCATE)' > /dev/null
    size=$(($(stat -c %s l.db) / 1024))
    run -4 --separate-stderr bash -c "trap '' XFSZ; ulimit -f 8; exec ledger-test l.db u issue b 1"
    [ "$size" -gt 8 ]
    [ "$(sqlite3 l.db 'PRAGMA user_version')" = 1 ]
    whole 200
}

@test "a reader reads the first format as it is" {
    old
    run -0 ledger-test l.db - verify
    [ "$output" = 200 ]
    run -0 ledger-test l.db - scan 20,21
    [ -z "$output" ]
    [ "$(sqlite3 l.db 'PRAGMA user_version')" = 1 ]
}

@test "entries of a transaction are found by kind" {
    ledger ask r1 2 2
    run -0 ledger tid 4 r1 1
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[0]} = *'part=101 device=d1-0 '* && ${lines[1]} = *'part=102 device=d1-1 '* ]]
    run -0 ledger tid 3 r1 1
    [ "${#lines[@]}" = 1 ]
    run -0 ledger tid 4 r1 1 nobody
    [ -z "$output" ]
}

# bats test_tags=measure
@test "a run of 100,000 devices is told in constant memory" {
    ledger ask r1 1563 64
    ledger answer 7 r1 -1562 64
    run -0 --separate-stderr ledger run r1 timed
    [[ $output = *' asked=100032 delivered=99968 refused=0 unanswered=64' ]]
    read -r _ _ kib _ <<< "$stderr"
    [ "$kib" -lt 12288 ]
    run -0 --separate-stderr ledger unanswered r1 timed
    read -r count _ _ _ kib _ <<< "$stderr"
    [ "$count" = 64 ]
    [ "$kib" -lt 12288 ]
}

@test "a copy taken while others write is a whole ledger" {
    ledger issue a 640 > /dev/null
    ledger issue b 12800 > /dev/null &
    sqlite3 l.db "VACUUM INTO 'copy.db'"
    sqlite3 l.db '.timeout 30000' '.backup second.db'
    wait
    for copy in copy.db second.db; do
        run -0 --separate-stderr ledger-test "$copy" u verify
        [ "$output" -ge 640 ]
        [ $((output % 64)) = 0 ]
    done
}
