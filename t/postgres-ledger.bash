# Tests of the module ledger in a database: a server for the file, an empty database $DB ($URI) for each test.

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
