# A ledger in a database as its administrator meets it: URIs, roles, schemas, settings, poolers, copies.
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/postgres-ledger.bash"

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
    run -2 --separate-stderr ledger-test "$URI&sslmode=much" u open
    [ "$stderr" = "ledger-test: $URI&sslmode=much: invalid sslmode value: \"much\"" ]
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
    pg_grant "$DB"
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

@test "a role that owns the schema may make the tables in it, without a right to the database" {
    pg postgres 'DROP ROLE IF EXISTS owner; CREATE ROLE owner LOGIN'
    pg "$DB" 'CREATE SCHEMA certline AUTHORIZATION owner'
    run -0 ledger-test "$(pg_uri "$DB" owner)" u open
    pg "$DB" 'DROP OWNED BY owner'
    pg postgres 'DROP ROLE owner'
}

@test "tables of another program are no ledger, and stay as they are" {
    for theirs in 'TABLE meta (a integer)' 'TABLE entry (a integer)' 'TABLE meta (name text, value text)' \
        "VIEW meta AS SELECT 'format'::text AS name, 'two'::text AS value"; do
        pg "$DB" "DROP SCHEMA IF EXISTS certline CASCADE; CREATE SCHEMA certline; CREATE $theirs"
        for unit in u -; do
            run -2 ledger-test "$URI" "$unit" open
            [ "$output" = "ledger-test: $URI: not a ledger: its schema \"certline\" is another program's" ]
        done
        [ "$(pg "$DB" "SELECT count(*) FROM pg_class WHERE relnamespace = 'certline'::regnamespace AND relkind IN ('r', 'v')")" = 1 ]
    done
}

@test "tables of the same names that a role finds before others are not the ledger's" {
    ledger open
    pg "$DB" "CREATE SCHEMA postgres; CREATE TABLE postgres.entry (LIKE certline.entry);
        ALTER DATABASE $DB SET search_path = postgres, public"
    ledger issue a 3 >/dev/null
    pg "$DB" "ALTER DATABASE $DB RESET search_path"
    [ "$(pg "$DB" 'SELECT count(*) FROM postgres.entry')" = 0 ]
    pg "$DB" 'DROP SCHEMA postgres CASCADE'
    whole 3
}

# Notes for each entry, in its time, what the session that adds it has set.
note_settings() { # SECONDS
    ledger open
    pg "$DB" "CREATE TABLE noted (what text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
            INSERT INTO noted SELECT current_setting('synchronous_commit') FROM pg_sleep($1); RETURN NEW; END \$\$;
        CREATE TRIGGER note BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION note()"
}

@test "what the administrator sets for everybody neither weakens nor breaks a transaction" {
    local name
    note_settings 1.5
    for name in synchronous_commit=off statement_timeout=1000 idle_in_transaction_session_timeout=1 \
        default_transaction_read_only=on default_transaction_isolation=serializable; do
        pg postgres "ALTER DATABASE $DB SET $name"
    done
    mkfifo go
    ledger claim k d1 <go >said &
    exec 9>go
    await holds looked said
    sleep 0.1 # a timeout of 1 ms has passed
    exec 9>&-
    ended 0 "$!"
    pg postgres "ALTER DATABASE $DB RESET ALL"
    [ "$(pg "$DB" 'SELECT * FROM noted')" = on ]
    whole 1
}

reload() { # SETTING VALUE
    pg postgres "ALTER SYSTEM SET $1 = $2"
    pg postgres 'SELECT pg_reload_conf()' >/dev/null
    await pg_shows postgres "$1" "$2"
}

@test "a server that is told to confirm early tells so to others, not to a session that runs" {
    note_settings 0
    mkfifo go
    ledger twice <go >said &
    exec 9>go
    await holds first said
    reload synchronous_commit off
    exec 9>&-
    ended 0 "$!"
    reload synchronous_commit on
    pg postgres 'ALTER SYSTEM RESET synchronous_commit'
    [ "$(pg "$DB" 'SELECT * FROM noted')" = $'on\non' ]
}

@test "a clock that is ahead of the server's writes nothing, and may read" {
    ledger issue a 1 >/dev/null
    CERTLINE_CLOCK=$(($(date +%s) + 1000)) run -4 ledger issue a 1
    [[ ${lines[-1]} =~ "ledger-test: $URI: the clock is "(99[0-9]|1000)" seconds ahead of the database server's" ]]
    CERTLINE_CLOCK=$(($(date +%s) + 1000)) run -0 ledger-test "$URI" - verify
    whole 1
}

@test "a server without room for more locks says what to do" {
    ledger open
    # shellcheck disable=SC2016
    pg "$DB" 'CREATE PROCEDURE hoard() LANGUAGE plpgsql AS $$ DECLARE n bigint := 0; BEGIN
        LOOP BEGIN
            PERFORM pg_advisory_lock(n + i) FROM generate_series(1, 10) AS i;
            n := n + 10;
        EXCEPTION WHEN out_of_memory THEN EXIT; END; END LOOP;
        PERFORM pg_advisory_unlock(i) FROM generate_series(1, 100) AS i; PERFORM pg_sleep(3600); END $$'
    pg "$DB" 'CALL hoard()' 2>/dev/null &
    pg_await_held "$DB"
    run -4 ledger expect 100
    [ "${lines[0]}" = "ledger-test: $URI: out of shared memory" ]
    [ "${lines[1]}" = \
        'ledger-test: hint: raise max_locks_per_transaction of the server, or make the batches smaller' ]
    pg "$DB" "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
    wait || true
    run -0 ledger expect 100
}

pooler_stop() {
    local file
    for file in "$PG"/*/pid; do
        [ -e "$file" ] || continue
        kill "$(cat "$file")"
        await test ! -e "$file" # it takes it away itself, and who comes next finds none
    done
}
teardown() { pooler_stop; }

@test "a pooler in session mode serves, one in transaction mode is refused before anything is written" {
    local mode
    for mode in session transaction; do
        mkdir -p "$PG/$mode"
        chmod 777 "$PG/$mode"
        printf '%s\n' '[databases]' "* = host=$PG user=postgres" '[pgbouncer]' "pool_mode = $mode" 'auth_type = any' 'listen_addr =' \
            "unix_socket_dir = $PG/$mode" "pidfile = $PG/$mode/pid" >"$PG/$mode/ini"
        pg_as pgbouncer "$PG/$mode/ini" >/dev/null 2>"$PG/$mode/log" 3>&- 4>&- &
        await "$PGBIN/pg_isready" -q -h "$PG/$mode" -p 6432
    done
    ledger open
    pooled() { echo "postgresql://postgres@/$DB?host=$PG/$1&port=6432"; }
    ledger-test "$(pooled session)" u issue a 3 >/dev/null
    mkfifo go
    ledger-test "$(pooled transaction)" u twice <go >said 2>err &
    pid=$!
    exec 9>go
    await holds first said
    PGPORT=6432 PGHOST=$PG/transaction "$PGBIN/psql" -Xqc 'SELECT pg_sleep(3600)' "$DB" >/dev/null 2>&1 9>&- &
    pg_await_held "$DB"
    exec 9>&-
    ended 2 "$pid"
    [ "$(cat err)" = \
        "ledger-test: $(pooled transaction): this is not the session that was opened: a pooler, not in session mode" ]
    pooler_stop
    whole 4
}

@test "a copy by pg_dump is whole, and goes on" {
    ledger issue a 3 >/dev/null
    ledger count acme l1 0 2 >/dev/null
    pg postgres 'DROP DATABASE IF EXISTS copy'
    "$PGBIN/createdb" copy
    "$PGBIN/pg_dump" "$DB" | "$PGBIN/psql" -Xqv ON_ERROR_STOP=1 copy >/dev/null
    run -0 ledger-test "$(pg_uri copy)" u verify
    [ "$output" = 5 ]
    run -0 ledger-test "$(pg_uri copy)" u count acme l1 1 2
    [ "$output" = $'again 2\ncounted 3' ]
    run -4 ledger-test "$(pg_uri copy)" u put 14 owner=acme lot=l1 profile=p device=d1 key=d1
    run -0 ledger-test "$(pg_uri copy)" u verify
    [ "$output" = 6 ]
}
