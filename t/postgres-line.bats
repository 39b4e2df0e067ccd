# The whole line with the ledgers of ra-approve and ca-sign in PostgreSQL databases, as several of each would have it.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    . "$BATS_TEST_DIRNAME/postgres.bash"
    line_build ledger-test && pg_make && people_line "$BATS_FILE_TMPDIR/line" || return
    people_lots few='quota: 30'
    cp -a "$LINE/etc/lots.yaml" "$LINE/etc.kept/"
}

teardown_file() {
    . "$BATS_TEST_DIRNAME/postgres.bash"
    pg_remove
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    . "$BATS_TEST_DIRNAME/postgres.bash"
    cd "$BATS_TEST_TMPDIR" || return
    people_restore empty
    CA=ca RA=ra
    CA_URI=$(pg_database "$CA") RA_URI=$(pg_database "$RA")
    sed -i "s|^ledger: .*|ledger: $CA_URI|" "$LINE/etc/ca-sign.yaml"
    sed -i "s|^ledger: .*|ledger: $RA_URI|" "$LINE/etc/ra-approve.yaml"
}

whole() { # DATABASE UNIT
    run -0 --separate-stderr ledger-test "$(pg_uri "$1")" "$2" verify
}

issued() { pg "$CA" 'SELECT count(*) FROM entry WHERE kind = 12'; }

# Requests for devices PREFIX1..PREFIXn, keys made for them.
requests() { # PREFIX N
    { echo serial; seq -f "$1%.0f" "$2"; } >"$1.csv"
    csr-make --list "$1.csv" --keys "keys-$1" --subject 'serialNumber={serial}' >"$1.pem"
}

# What each certificate is for.
subjects() { # FILE...
    openssl crl2pkcs7 -nocrl -certfile <(cat "$@") | openssl pkcs7 -print_certs -noout | grep ^subject | sort
}

@test "the line works, and the recorded certificate is given again" {
    line_request A >a.pem
    line_request B >>a.pem
    run -0 line free <a.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 2 ]
    first=$output
    run -0 line free <a.pem
    [ "$output" = "$first" ]
    [ "$(issued)" = 2 ]
    whole "$CA" 'Device CA'
    whole "$RA" ra-approve-1
}

@test "--check looks at the database, too" {
    run -0 ca-sign --check
    [[ $output = *"ledger: $CA_URI"* ]]
    sed -i "s|^ledger: .*|ledger: $(pg_uri nowhere)|" "$LINE/etc/ca-sign.yaml"
    run -2 ca-sign --check
    [[ $output = *'database "nowhere" does not exist'* ]]
}

@test "verify-unit can have one, too" {
    sed -i "s|^ledger: .*|ledger: $(pg_database verify)|" "$LINE/etc/verify-unit.yaml"
    line_request A >a.pem
    run -0 line free <a.pem
    [ "$(pg verify 'SELECT count(*) FROM entry WHERE kind IN (9, 10)')" = 2 ]
}

@test "attach keeps its ledger in a file" {
    sed -i "s|^ledger: .*|ledger: $CA_URI|" "$LINE/etc/attach.yaml"
    run -2 attach --check
    [[ $output = *'attach.yaml:'*': attach keeps its ledger in a file' ]]
}

@test "what waits for two people is found, granted once by each, and issued" {
    run -4 asks two A B
    id=$(waiting)
    run -0 grant alice "$id"
    run -1 grant alice "$id"
    [[ $output = *'has decided already'* || $output = *alice* ]]
    run -0 grant bob "$id"
    [ -z "$(ra-approve --list)" ]
    polls >certs
    [ "$(grep -c ^-----BEGIN certs)" = 2 ]
    [ "$(issued)" = 2 ]
    # What is decided is not read again.
    pg "$RA" "CREATE TABLE kept AS SELECT id, data FROM entry; ALTER TABLE entry DISABLE TRIGGER USER;
        UPDATE entry SET data = 'x' WHERE kind = 15"
    line_request C | attach --lot one | verify-unit | ra-approve >3.pem
    run -1 --separate-stderr ra-approve -v --list
    [ "$(cut -f 2 <<<"$output")" = one ]
    [ -z "$stderr" ]
    run -1 --separate-stderr ra-approve --show "$id"
    [[ $stderr == 'ra-approve: the message is not good any more: '* ]]
    pg "$RA" "UPDATE entry e SET data = k.data FROM kept k WHERE k.id = e.id; DROP TABLE kept"
    whole "$RA" ra-approve-1
}

@test "a certificate is revoked, listed in a CRL and not given again" {
    line_request A >a.pem
    line_request B >>a.pem
    line free <a.pem >certs
    crl() { crl-make -c "$LINE/etc/ca-sign.yaml" "$@"; }
    crl >one.crl
    run -0 ca-revoke -c "$LINE/etc/ca-sign.yaml" --device A --count 1 --why lost
    crl >two.crl
    [ "$(openssl crl -in two.crl -noout -text | grep -c 'Serial Number')" = 1 ]
    [[ $(openssl crl -in two.crl -noout -crlnumber) = *2 ]]
    run -1 line free <a.pem
    [[ $output = *'A: refused: ca-sign: '*revoked* ]]
    whole "$CA" 'Device CA'
}

@test "the ledger program reads a database" {
    line_request A >a.pem
    line free <a.pem >certs
    run -0 command ledger -c "$LINE/etc/ca-sign.yaml" --verify
    run -0 command ledger -c "$LINE/etc/ca-sign.yaml" --list
    [[ $output = *A* ]]
}

@test "one key, one device: of two ca-sign at once, one refuses" {
    requests X 20
    for i in $(seq 20); do
        csr-make --key "keys-X/X$i.pem" --subject "serialNumber=Y$i"
    done >Y.pem
    line free <X.pem >x.out 2>x.err &
    line free <Y.pem >y.out 2>y.err || true
    wait || true
    [ "$(cat x.out y.out | grep -c ^-----BEGIN)" = 20 ]
    [ "$(cat x.err y.err | grep -c 'one key, one device')" = 20 ]
    [ "$(issued)" = 20 ]
    whole "$CA" 'Device CA'
}

@test "the quota is exact across two ra-approve at once" {
    requests P 25
    requests Q 25
    line few <P.pem >p.out 2>p.err &
    line few <Q.pem >q.out 2>q.err || true
    wait || true
    [ "$(cat p.out q.out | grep -c ^-----BEGIN)" = 30 ]
    [ "$(cat p.err q.err | grep -c 'the quota of lot "few" (30) is used up')" = 20 ]
    [ "$(pg "$RA" 'SELECT * FROM quota')" = 'acme|few|30' ]
    [ "$(issued)" = 30 ]
    whole "$RA" ra-approve-1
}

@test "two lines at once issue 2,000 devices, none lost and none twice" {
    requests M 1000
    requests N 1000
    line free <M.pem >m.out 2>m.err &
    line free <N.pem >n.out 2>n.err
    wait "$!"
    [ "$(cat m.out n.out | grep -c ^-----BEGIN)" = 2000 ]
    [ "$(pg "$CA" "SELECT count(*), count(DISTINCT device), count(DISTINCT serial) FROM entry WHERE kind = 12")" = \
        '2000|2000|2000' ]
    whole "$CA" 'Device CA'
    whole "$RA" ra-approve-1
}

@test "a server that is killed in mid-stream: 4, and when it is back every device gets its one certificate" {
    requests K 400
    ca-sign --check
    pg_hold "$CA" 12 150
    line free <K.pem >k.out 2>k.err &
    pid=$!
    pg_await_held "$CA"
    pg_kill
    ended 4 "$pid"
    grep -qE 'the connection to the database is lost: |connection to server on socket' k.err
    pg_start
    pg_go "$CA"
    for again in 1 2 3; do
        attach --resend | line_middle | attach >"again$again.out" 2>>k.err && break
    done
    line free <K.pem >k2.out 2>>k.err
    [ "$(subjects k.out again*.out | sort | uniq -c | awk '$1 != 1' | wc -l)" = 0 ]
    [ "$(subjects k2.out | uniq | wc -l)" = 400 ]
    [ "$(pg "$CA" "SELECT count(*), count(DISTINCT device) FROM entry WHERE kind = 12")" = '400|400' ]
    whole "$CA" 'Device CA'
    whole "$RA" ra-approve-1
}

@test "a commit of ca-sign whose answer is lost gives the same certificate later" {
    line_request A >a.pem
    attach --lot free <a.pem | verify-unit | ra-approve >up.cms
    ca-sign --check
    pg "$CA" "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
    pg "$CA" 'SELECT pg_reload_conf()' >/dev/null
    await pg_shows "$CA" synchronous_standby_names nobody
    ca-sign <up.cms >down.cms 2>err &
    pid=$!
    await pg_waits "$CA" SyncRep
    pg_kill
    ended 4 "$pid"
    pg_as sed -i /synchronous_standby/d "$PG/data/postgresql.auto.conf"
    pg_start
    [ ! -s down.cms ]
    [ "$(issued)" = 1 ]
    ca-sign <up.cms | ra-approve | verify-unit | attach >a.crt
    [ "$(openssl x509 -in a.crt -noout -serial)" = \
        "serial=$(pg "$CA" "SELECT upper(encode(serial, 'hex')) FROM entry WHERE kind = 12")" ]
    [ "$(issued)" = 1 ]
}

@test "a unit whose database is gone ends with 4, and nothing is lost" {
    line_request A >a.pem
    pg_stop
    attach --lot free <a.pem | verify-unit >up.cms
    run -4 --separate-stderr ra-approve <up.cms
    [ -z "$output" ]
    [[ $stderr = "ra-approve: $RA_URI: connection to server on socket"* ]]
    pg_start
    run -0 bash -c "$(declare -f attach verify-unit ra-approve ca-sign line_middle); attach --resend | line_middle | attach"
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 1 ]
}

@test "a role with the manual's grants is enough for every program" {
    line_request A >a.pem
    line free <a.pem >a.crt
    pg postgres 'DROP ROLE IF EXISTS line; CREATE ROLE line LOGIN'
    pg_grant "$CA"
    pg_grant "$RA"
    sed -i 's|postgres@|line@|' "$LINE/etc/ca-sign.yaml" "$LINE/etc/ra-approve.yaml"
    line_request B >>a.pem
    run -0 line free <a.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 2 ]
    run -4 asks two C
    run -0 grant alice "$(waiting)"
    run -0 ca-revoke -c "$LINE/etc/ca-sign.yaml" --device A --count 1 --why lost
    run -0 crl-make -c "$LINE/etc/ca-sign.yaml"
    run -0 command ledger -c "$LINE/etc/ca-sign.yaml" --verify
    run -0 command ledger -c "$LINE/etc/ra-approve.yaml" --verify
    pg "$CA" 'DROP OWNED BY line'
    pg "$RA" 'DROP OWNED BY line'
    pg postgres 'DROP ROLE line'
}

@test "a long ledger in a database is listed in one pass" {
    ledger-test "$CA_URI" 'Device CA' issue X 10000 1000 >/dev/null
    fetched() { pg "$CA" "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'entry'"; }
    alone() { [ "$(pg "$CA" "SELECT count(*) FROM pg_stat_activity WHERE datname = '$CA'")" = 1 ]; }
    await alone
    before=$(fetched)
    command ledger -c "$LINE/etc/ca-sign.yaml" --list >list
    [ "$(grep -c X0000 list)" = 10000 ]
    await alone
    [ $(($(fetched) - before)) -lt 100000 ]
}
