# A PostgreSQL server for tests, in a folder of its own, reached over a UNIX socket in it alone.

. "$(dirname "${BASH_SOURCE[0]}")/await.bash"

# postgres does not run as root; Debian's package brings a user for it.
pg_as() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
    else
        "$@"
    fi
}

# In /tmp, whatever TMPDIR says: the path of a socket is short, and postgres has to come there.
pg_make() {
    PG=$(mktemp -d /tmp/certline-pg.XXXXXX)
    PGBIN=$(find /usr/lib/postgresql/*/bin -maxdepth 0 | sort -V | tail -1)
    PGHOST=$PG PGUSER=postgres
    export PG PGBIN PGHOST PGUSER
    chmod 755 "$PG"
    [ "$(id -u)" != 0 ] || chown postgres: "$PG"
    # shellcheck disable=SC2119
    pg_as "$PGBIN/initdb" -D "$PG/data" -U postgres -A trust -E UTF8 --locale=C --wal-segsize=1 >"$PG/initdb.log" &&
        pg_start
}

# shellcheck disable=SC2120 # as the tests call it
pg_start() { # [FILE-SIZE-LIMIT-IN-KIB]
    # shellcheck disable=SC2016 # of the inner shell
    pg_as bash -c 'ulimit -f "${2:-unlimited}"
        exec "$0"/pg_ctl -D "$1/data" -w -t 60 -l "$1/log" start \
            -o "-k $1 -c listen_addresses= -c shared_buffers=16MB"' \
        "$PGBIN" "$PG" "$@" >/dev/null 3>&- 4>&- || { tail -n 5 "$PG/log" && return 1; }
}

pg_stop() { pg_as "$PGBIN/pg_ctl" -D "$PG/data" -w -m "${1:-fast}" stop >/dev/null; }

# As the power goes: nothing is flushed, nobody is told.
pg_kill() {
    local pid all
    pid=$(head -1 "$PG/data/postmaster.pid")
    kill -STOP "$pid" # it starts nobody behind the list's back
    all="$pid $(pgrep -P "$pid" | xargs)"
    # shellcheck disable=SC2086 # a list
    kill -9 $all 2>/dev/null || true
    await pg_gone "$all"
}
pg_gone() { # PIDS: of none of them is there as much as a zombie, which the next server would take for a rival
    # shellcheck disable=SC2086
    if kill -0 $1 2>/dev/null; then return 1; fi
}

pg_remove() {
    [ -n "${PG-}" ] || return 0 # it was never made
    pg_stop immediate || true
    rm -rf "$PG"
}

# An empty database, and its URI: making one costs the server a thousand files, emptying it few.
pg_database() { # NAME
    "$PGBIN/createdb" "$1" 2>/dev/null || pg "$1" 'DROP SCHEMA IF EXISTS certline CASCADE' || return
    pg_uri "$1"
}
pg_uri() { # NAME [USER]
    echo "postgresql://${2:-postgres}@/$1?host=$PG"
}
pg() { # DATABASE STATEMENT
    "$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' -d "$1" -c 'SET search_path = certline' -c "$2"
}

# Whoever adds the Nth entry of this kind from now on waits until pg_go: the middle of a batch lasts as long as a test
# wants it to, however fast the machine is.
pg_hold() { # DATABASE KIND N
    pg "$1" "CREATE SEQUENCE held;
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
            IF nextval('certline.held') = $3 THEN PERFORM pg_sleep(3600); END IF;
            RETURN NEW; END \$\$;
        CREATE TRIGGER hold BEFORE INSERT ON entry FOR EACH ROW WHEN (NEW.kind = $2) EXECUTE FUNCTION hold()"
}
pg_await_held() { # DATABASE
    await pg_waits "$1" PgSleep
}
pg_waits() { # DATABASE EVENT: somebody there waits for it
    pg "$1" "SELECT wait_event FROM pg_stat_activity WHERE datname = '$1'" | grep -q "$2"
}
pg_locked() { [ "$(pg "$1" 'SELECT count(*) FROM pg_locks WHERE NOT granted')" != 0 ]; } # DATABASE: somebody waits
pg_shows() { [ "$(pg "$1" "SHOW $2")" = "$3" ]; } # DATABASE SETTING VALUE
# Who was held loses their connection, as they do when they died themselves.
pg_go() { # DATABASE
    pg "$1" "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
        WHERE datname = '$1' AND wait_event = 'PgSleep'" >/dev/null
    pg "$1" 'DROP TRIGGER hold ON entry; DROP FUNCTION hold; DROP SEQUENCE held'
}

# What certline-unit(5) tells the administrator to grant to the role of the units, as it stands there.
pg_grant() { # DATABASE
    sed -n '/^psql ca_sign <<END$/,/^END$/p' "$BATS_TEST_DIRNAME/../man/certline-unit.5" | sed '1d;$d' >grants.sql
    [ -s grants.sql ] && "$PGBIN/psql" -Xqv ON_ERROR_STOP=1 -d "$1" -f grants.sql
}
