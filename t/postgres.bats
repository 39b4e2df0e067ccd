# The ledger in a PostgreSQL database: the same answers and rules as in a file, for several processes at once.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/postgres.bash"
    cd "$BATS_TEST_DIRNAME/.." || return
    line_build ledger-test && pg_make
}

teardown_file() {
    . "$BATS_TEST_DIRNAME/postgres.bash"
    pg_remove
}

setup() {
    . "$BATS_TEST_DIRNAME/postgres.bash"
    cd "$BATS_TEST_TMPDIR" || return
    DB=ledger
    URI=$(pg_database "$DB")
}

# ledger VERB [ARGUMENT...]: in this test's database, of unit u
ledger() { ledger-test "$URI" u "$@"; }

whole() { # N: entries
    run -0 --separate-stderr ledger verify
    [ "$output" = "$1" ]
}

# Every kind of question, after every kind of entry.
everything() { # URI-OR-FILE
    local call
    while read -r call; do
        echo "-- $call"
        # shellcheck disable=SC2086 # words
        CERTLINE_CLOCK=1800000000 ledger-test "$1" u $call 2>&1 | grep -v 'runs with a set clock' || true
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
scan 20 0 0 S=1800000001
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

@test "the ledger of another unit is refused" {
    ledger open
    run -2 ledger-test "$URI" v open
    [ "$output" = "ledger-test: $URI: the ledger of unit \"u\", not of \"v\"" ]
}

@test "a ledger of a newer format is refused" {
    ledger open
    pg "$DB" "UPDATE meta SET value = '3' WHERE name = 'format'"
    run -2 ledger open
    [ "$output" = "ledger-test: $URI: a ledger of format 3, this program knows format 2" ]
}

@test "a reader makes nothing and takes any unit's ledger" {
    run -2 ledger-test "$URI" - open
    [ "$output" = "ledger-test: $URI: not a ledger" ]
    [ "$(pg "$DB" "SELECT count(*) FROM pg_namespace WHERE nspname = 'certline'")" = 0 ]
    ledger issue a 3 >/dev/null
    run -0 ledger-test "$URI" - unit
    [ "$output" = u ]
    run -0 ledger-test "$URI" - verify
    [ "$output" = 3 ]
}

@test "no server is temporary, no such database or role is configuration" {
    run -4 --separate-stderr ledger-test "postgresql://postgres@/$DB?host=$PG/none" u open
    [[ ${stderr_lines[0]} = *': connection to server on socket '*' failed: No such file or directory' ]]
    run -2 --separate-stderr ledger-test "$(pg_uri nowhere)" u open
    [ "${stderr_lines[0]}" = "ledger-test: $(pg_uri nowhere): database \"nowhere\" does not exist" ]
    [ "${stderr_lines[1]}" = \
        'ledger-test: hint: make it with createdb --encoding=UTF8 --template=template0' ]
    run -2 --separate-stderr ledger-test "$(pg_uri "$DB" nobody)" u open
    [ "${stderr_lines[0]}" = "ledger-test: $(pg_uri "$DB" nobody): role \"nobody\" does not exist" ]
}

@test "a password in the URI is refused, and not shown" {
    for uri in "postgresql://postgres:geheim@/$DB?host=$PG" \
        "postgres://postgres@/$DB?host=$PG&password=geheim" 'postgresql://u:geheim@[broken/x'; do
        run -2 ledger-test "$uri" u open
        [[ $output != *geheim* ]]
    done
    [ "$output" = "ledger-test: the ledger's URI is not one that libpq can read" ]
    run -2 ledger-test "postgresql://postgres:geheim@/$DB?host=$PG" u open
    [ "${lines[0]}" = "ledger-test: the ledger's URI holds a password" ]
    [ "${lines[1]}" = \
        'ledger-test: hint: put it into ~/.pgpass, or a file that PGPASSFILE names, with mode 0600' ]
}

@test "a database that could not hold every name is refused" {
    "$PGBIN/createdb" -E SQL_ASCII -T template0 ascii
    run -2 ledger-test "$(pg_uri ascii)" u open
    [ "${lines[0]}" = "ledger-test: $(pg_uri ascii): the database's encoding is SQL_ASCII, not UTF8" ]
}

@test "a server that would forget what it confirmed is refused" {
    pg "$DB" 'ALTER SYSTEM SET fsync = off'
    pg "$DB" 'SELECT pg_reload_conf()' >/dev/null
    await pg_shows "$DB" fsync off
    run -2 ledger open
    pg "$DB" 'ALTER SYSTEM RESET fsync'
    pg "$DB" 'SELECT pg_reload_conf()' >/dev/null
    await pg_shows "$DB" fsync on
    [ "$output" = "ledger-test: $URI: the server runs with fsync off: what it confirms can be lost" ]
}

@test "a role with the manual's grants can add entries, and do nothing else to the ledger" {
    ledger open
    pg postgres "DROP ROLE IF EXISTS line; CREATE ROLE line LOGIN"
    local mine
    mine=$(pg_uri "$DB" line)
    run -2 --separate-stderr ledger-test "$mine" u open
    [ "${stderr_lines[0]}" = "ledger-test: $mine: role \"line\" may not read and add entries there" ]
    [ "${stderr_lines[1]}" = 'ledger-test: hint: certline-unit(5) says what the role must be granted' ]
    pg "$DB" 'GRANT USAGE ON SCHEMA certline TO line; GRANT SELECT ON ALL TABLES IN SCHEMA certline TO line;
        GRANT INSERT ON entry, writer TO line'
    run -0 ledger-test "$mine" u count acme l1 0 3
    run -0 ledger-test "$mine" u issue a 3
    whole 6
    for change in "UPDATE entry SET note = 'x'" 'DELETE FROM entry' 'TRUNCATE writer' \
        'UPDATE quota SET used = 0' 'DELETE FROM holder' "INSERT INTO quota VALUES ('a', 'b', 1)"; do
        PGUSER=line run pg "$DB" "$change"
        [ "$status" -ne 0 ]
        [[ $output = *'permission denied'* ]]
    done
    pg "$DB" 'DROP OWNED BY line'
    pg postgres 'DROP ROLE line'
}

@test "a role that may not make the tables says so" {
    pg postgres "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN"
    run -2 --separate-stderr ledger-test "$(pg_uri "$DB" guest)" u open
    [ "${stderr_lines[0]}" = \
        "ledger-test: $(pg_uri "$DB" guest): there is no ledger yet, and role \"guest\" may not make one" ]
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
    whole 3
}

@test "a name that is not UTF-8 is refused before the database sees it" {
    run -4 ledger put 12 device=$'a\xffb'
    [ "$output" = "ledger-test: $URI: the name \"a\\xffb\" is not UTF-8 of at most 2000 octets" ]
    whole 0
}

@test "a clock behind the newest entry ends with 4" {
    CERTLINE_CLOCK=1800000000 ledger issue a 1
    CERTLINE_CLOCK=1799999994 run -4 ledger issue a 1
    [[ ${lines[-1]} = *"the clock is behind the ledger's newest entry (2027-01-15T08:00:00Z)" ]]
    CERTLINE_CLOCK=1799999995 run -0 ledger issue a 1
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

@test "of two that want to issue for one key, the second waits and sees the first" {
    ledger open
    ledger claim same-key d1 1 >first &
    await holds looked first
    run -0 ledger claim same-key d2 0
    [ "$output" = $'looked 1\nrefused' ]
    ended 0 $!
    [ "$(cat first)" = $'looked 0\nissued' ]
    whole 1
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

@test "a server that went away and came back between two transactions is met again" {
    ledger open
    mkfifo go
    ledger twice <go >said &
    exec 9>go
    await holds first said
    pg_stop
    pg_start
    echo >&9
    exec 9>&-
    ended 0 $!
    [ "$(cat said)" = $'first\nsecond' ]
    whole 2
    [ "$(pg "$DB" 'SELECT count(*) FROM writer')" = 2 ]
}

@test "a server that is killed at any moment loses nothing that it confirmed" {
    ledger open
    confirmed() { [ "$(grep -c . said)" -gt 5 ]; }
    for round in 1 2 3; do
        : >said
        ledger issue "r$round-" 1000000 >said 2>err &
        pid=$!
        await confirmed
        sleep "0.$(printf %02d $((RANDOM % 60)))"
        pg_kill
        ended 4 "$pid"
        grep -qE 'the connection to the database is lost: |connection to server on socket' err
        pg_start
        before=${total:-0}
        total=$(pg "$DB" 'SELECT count(*) FROM entry')
        [ $(((total - before) % 64)) = 0 ]
        [ $((total - before)) -ge "$(tail -1 said)" ]
    done
    whole "$total"
}

@test "a commit whose answer is lost says so, and is there" {
    ledger open
    pg "$DB" "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
    pg "$DB" 'SELECT pg_reload_conf()' >/dev/null
    await pg_shows "$DB" synchronous_standby_names nobody
    ledger issue a 1 >said 2>err &
    pid=$!
    await pg_waits "$DB" SyncRep
    pg_kill
    ended 4 "$pid"
    pg_as sed -i /synchronous_standby/d "$PG/data/postgresql.auto.conf"
    pg_start
    [[ $(cat err) = *'the connection to the database is lost'*'hint: it broke during the commit: whether this was'* ]]
    [ ! -s said ]
    whole 1
}

@test "a disk that fills up ends with 4, and what was confirmed is there" {
    ledger open
    pg_stop
    pg_start 3072
    run -4 --separate-stderr ledger issue a 100000
    [ "${#stderr_lines[@]}" = 1 ]
    [[ $stderr = "ledger-test: $URI: could not "* ]]
    confirmed=${lines[-1]}
    pg_stop
    pg_start
    whole "$confirmed"
    [ "$confirmed" -gt 0 ]
}
