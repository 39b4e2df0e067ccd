# A server that goes away, at any moment, or is full, and the ledger in its database.
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/postgres-ledger.bash"

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

@test "a connection that is cut, whatever was asked, before or after the server heard it: 4, nothing lost, nothing twice" {
    local way=$PG/way side number code device=0
    ledger open
    mkdir -p "$way"
    for side in before after; do
        number=0 code=4
        while [ "$code" != 0 ]; do
            number=$((number + 1)) device=$((device + 1)) code=0
            rm -f "$way"/.s.*
            python3 "$BATS_TEST_DIRNAME/cut.py" "$way" "$PG" "$number" "$side" 3>&- &
            await test -S "$way/.s.PGSQL.5432"
            ledger-test "postgresql://postgres@/$DB?host=$way" u count acme l1 "$device" 1 >said 2>err || code=$?
            [ "$code" = 0 ] || [ "$code" = 4 ]
            [ "$code" = 0 ] || grep -q "^ledger-test: postgresql://postgres@/$DB?host=$way: " err
            [ "$code" = 0 ] || ledger count acme l1 "$device" 1 >>"$side"
            kill "$!" 2>/dev/null || true
            if grep -q 'whether this was recorded is not known' err; then echo "$number" >>"unknown.$side"; fi
        done
        [ "$number" -gt 10 ]
        [ "$(grep -c . "unknown.$side")" = 1 ]
    done
    # Of all the questions, only the answer to the commit comes too late.
    [ "$(grep -c again before)" = 0 ]
    [ "$(grep -c again after)" = 1 ]
    [ "$(pg "$DB" 'SELECT used FROM quota')" = "$device" ]
    whole "$device"
}

@test "a verification that the server breaks off finds nothing wrong, and ends with 4" {
    ledger issue a 3 >/dev/null
    "$PGBIN/psql" -Xqc 'BEGIN; LOCK certline.entry IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600)' "$DB" >/dev/null 2>&1 &
    await pg_waits "$DB" PgSleep
    ledger verify >said 2>err &
    pid=$!
    await pg_locked "$DB"
    pg "$DB" "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted" >/dev/null
    ended 4 "$pid"
    [ ! -s said ]
    [ "$(cat err)" = "ledger-test: $URI: canceling statement due to user request" ]
    pg "$DB" "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
    whole 3
}

@test "what a server says comes to the terminal as one line without controls" {
    mkdir -p "$PG/liar"
    python3 - "$PG/liar/.s.PGSQL.5432" <<'END' &
import os, socket, struct, sys
def say(kind, *fields):
    body = b"".join(f.encode() + b"\0" for f in fields) + b"\0"
    return kind + struct.pack("!i", len(body) + 4) + body
with socket.socket(socket.AF_UNIX) as s:
    s.bind(sys.argv[1] + ".new")
    s.listen()
    os.rename(sys.argv[1] + ".new", sys.argv[1]) # who finds it can connect
    data = b""
    while not data:
        c = s.accept()[0]
        data = c.recv(1000)
    evil = "\033]0;owned\a\033[2Jall is well\n\nroot# "
    c.sendall(b"R" + struct.pack("!ii", 8, 0) + say(b"N", "SWARNING", "C01000", "M" + evil) + say(b"E", "SFATAL", "C53300", "M" + evil))
    c.recv(1000)
END
    await test -S "$PG/liar/.s.PGSQL.5432"
    run -4 ledger-test "postgresql://postgres@/$DB?host=$PG/liar" u open
    [ "$output" = "ledger-test: postgresql://postgres@/$DB?host=$PG/liar: \\x1b]0;owned\\x07\\x1b[2Jall is well" ]
}

teardown() {
    [ ! -e "$PG/second/data/postmaster.pid" ] || pg_as "$PGBIN/pg_ctl" -D "$PG/second/data" -w -m immediate stop >/dev/null
}

@test "a standby may be read; when it is promoted, who named both servers goes on there" {
    local both="postgresql://postgres@/$DB?host=$PG,$PG/second&target_session_attrs=read-write" standby=$PG/second
    ledger open
    pg_as mkdir "$standby"
    pg_as "$PGBIN/pg_basebackup" -D "$standby/data" -R -c fast
    pg_as "$PGBIN/pg_ctl" -D "$standby/data" -w -l "$standby/log" -o "-k $standby -c listen_addresses= -c shared_buffers=16MB" \
        start >/dev/null 3>&- 4>&-
    mkfifo go
    ledger-test "$both" u twice <go >said &
    pid=$!
    exec 9>go
    await holds first said
    run -4 ledger-test "postgresql://postgres@/$DB?host=$standby" u open
    [ "$output" = "ledger-test: postgresql://postgres@/$DB?host=$standby: the server is a standby, which takes no entries" ]
    replicated() { [ "$(PGHOST=$standby pg "$DB" 'SELECT count(*) FROM entry')" = 1 ]; }
    await replicated
    run -0 ledger-test "postgresql://postgres@/$DB?host=$standby" - verify
    [ "$output" = 1 ]
    pg_stop immediate
    pg_as "$PGBIN/pg_ctl" -D "$standby/data" -w promote >/dev/null
    exec 9>&-
    ended 0 "$pid"
    run -0 ledger-test "$both" u verify
    [ "$output" = 2 ]
    pg_start
}
