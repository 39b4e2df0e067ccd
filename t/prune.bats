# Which certificates go: the rules, alone and together, filters, limits, order; and what never goes.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_build store-test && device_pki || return
    # One of each kind: in use; older ones of its purpose; for no purpose; self-signed; set in the factory; expired.
    device_cert now from=20260101000000Z to=20300101000000Z
    device_cert was from=20250101000000Z to=20310101000000Z
    device_cert gone from=20230101000000Z to=20240101000000Z
    device_cert spare from=20240101000000Z to=20290101000000Z
    pki_issue self /CN=self self from=20220101000000Z to=20320101000000Z
    device_cert idevid from=20210101000000Z to=20500101000000Z
    device_yaml
    device_import gone --purpose tls
    device_import was --purpose tls
    device_import now --purpose tls
    device_import spare
    device_import self
    device_import idevid --origin factory
}

setup() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_copy .
    export CERTLINE_CLOCK
    CERTLINE_CLOCK=$(date -ud 2026-06-01 +%s)
}

# Each says that its clock is set; that is not looked at here.
quiet() {
    local rc=0
    "$@" 2>err || rc=$?
    grep -v CERTLINE_CLOCK err >&2 || :
    return "$rc"
}
prune() { quiet cert-prune "$@"; }
store() { quiet store-test store "$@"; }

teardown() { small_disk_gone; }

rules() { device_yaml "${@:2}" "deletion: $1"; }
# names DELETION NAME... : the victims in their order, rehearsed and then deleted; everything else stays
names() {
    local deletion=$1 all name
    shift
    rules "$deletion" 'limit: 6'
    run -0 --separate-stderr prune -c store.yaml --dry-run
    [ "$(cut -f1 <<<"$output" | tr '\n' ' ')" = "${*}${*:+ }" ] || [ -z "$output$*" ] || { echo "$output" && false; }
    [ "$(ls store/cert | wc -l)" -eq 6 ]
    rehearsed=$output
    run -0 --separate-stderr prune -c store.yaml
    [ "$output" = "$rehearsed" ]
    [ "$(ls store/cert | wc -l)" -eq $((6 - $#)) ]
    for name; do
        [ ! -e "store/cert/$name" ]
        grep -q "\"deleted\":\"$name\"" store/history
    done
    [ -e store/purpose/tls/key.pem ]
}

@test "without deletion nothing goes" {
    device_yaml
    run -0 --separate-stderr prune -v -c store.yaml
    [ -z "$output" ]
    [[ $stderr == *"store: automatic deletion is off"* ]]
}

@test "when empty or missing: nothing goes, whatever rules are on" {
    names '{rules: [superseded, no-purpose, self-signed, factory, expired]}'
}

@test "superseded: what was for a purpose that points to a newer one" {
    names '{when: always, rules: superseded}' gone was
    [ "$rehearsed" = $'gone\tsuperseded\nwas\tsuperseded' ]
}

@test "superseded: also what was pointed to a purpose only after it had come" {
    store-test store set ipsec spare
    store-test store set ipsec now
    names '{when: always, rules: superseded}' gone spare was
}

@test "superseded spares a newer certificate than the one in use" {
    store-test store set tls gone
    names '{when: always, rules: superseded}'
}

@test "no-purpose: what no purpose points to" {
    names '{when: always, rules: no-purpose}' idevid self gone spare was
}

@test "self-signed: what is its own issuer" {
    names '{when: always, rules: self-signed}' self
}

@test "factory: what was set in the factory" {
    names '{when: always, rules: factory}' idevid
}

@test "expired: what has ended" {
    names '{when: always, rules: expired}' gone
}

@test "rules add up, and each that names a certificate is told" {
    names '{when: always, rules: [superseded, expired, self-signed]}' self gone was
    [ "$rehearsed" = $'self\tself-signed\ngone\tsuperseded, expired\nwas\tsuperseded' ]
    [ "$(jq -r '.deleted + ": " + .why' store/history | sed -n 2p)" = "gone: superseded, expired" ]
}

@test "all rules together leave what is in use" {
    names '{when: always, rules: [superseded, no-purpose, self-signed, factory, expired]}' idevid self gone spare was
}

@test "only self-signed: a filter that takes from what the rules name" {
    names '{when: always, rules: [superseded, no-purpose], only: self-signed}' self
    [ "$rehearsed" = $'self\tno-purpose' ]
}

@test "only factory: a filter that takes from what the rules name" {
    names '{when: always, rules: [no-purpose, expired], only: factory}' idevid
}

@test "only by itself names nothing" {
    names '{when: always, rules: expired, only: self-signed}'
}

@test "keep spares what it names" {
    names '{when: always, rules: no-purpose, keep: [spare, idevid, not-there]}' self gone was
}

@test "the order: oldest, expired-first, earliest-end" {
    local all='rules: [no-purpose]'
    rules "{when: always, $all, order: oldest}"
    run -0 prune -nc store.yaml
    [ "$(cut -f1 <<<"$output" | tr '\n' ' ')" = "idevid self gone spare was " ]
    rules "{when: always, $all, order: expired-first}"
    run -0 prune -nc store.yaml
    [ "$(cut -f1 <<<"$output" | tr '\n' ' ')" = "gone idevid self spare was " ]
    rules "{when: always, $all, order: earliest-end}"
    run -0 prune -nc store.yaml
    [ "$(cut -f1 <<<"$output" | tr '\n' ' ')" = "gone spare was self idevid " ]
}

@test "limit: as many go as make one place, in the order, and none below it" {
    names '{when: limit, rules: no-purpose, order: expired-first}' gone
    rules '{when: limit, rules: no-purpose}' 'limit: 6'
    run -0 prune -c store.yaml
    [ -z "$output" ]
}

@test "limit: what cannot be deleted makes no place, the next in the order goes instead" {
    touch store/cert/idevid/note
    ln -s ../../elsewhere/cert/self store/purpose/odd
    rules '{when: limit, rules: no-purpose}' 'limit: 6'
    run -1 --separate-stderr prune -c store.yaml
    [ "$output" = $'gone\tno-purpose' ]
    [ -e store/cert/idevid ] && [ -e store/cert/self ]
}

@test "a limit far below: as many as it takes, and never what is in use" {
    rules '{when: limit, rules: [no-purpose]}' 'limit: 4'
    run -0 prune -nc store.yaml
    [ "$(cut -f1 <<<"$output" | tr '\n' ' ')" = "idevid self gone " ]
    rules '{when: limit, rules: [no-purpose]}' 'limit: 1'
    run -0 prune -nc store.yaml
    [ "${#lines[@]}" -eq 5 ]
}

@test "free space: nothing while there is enough, as many as bring it above the value" {
    small_disk 256k
    cp -r store full/store
    deletion() {
        printf '%s\n' 'store: full/store' 'trust: root.pem' "deletion: {when: free-space, free-space: $1, rules: no-purpose}"
    }
    local free victims
    free=$(($(stat -f -c '%a * %S' full)))
    deletion $((free - 1)) >store.yaml
    run -0 prune -c store.yaml
    [ -z "$output" ]
    deletion "$free" >store.yaml
    run -0 prune -nc store.yaml
    [ "$output" = $'idevid\tno-purpose' ]
    deletion $((free + 25000)) >store.yaml
    run -0 prune -nc store.yaml
    victims=$output
    [ "${#lines[@]}" -eq 2 ]
    run -0 prune -c store.yaml
    [ "$output" = "$victims" ]
    [ $(($(stat -f -c '%a * %S' full))) -gt $((free + 20000)) ]
}

@test "the store is judged as it was: what is superseded just now does not fall to no-purpose" {
    store-test store set tls was
    rules '{when: always, rules: [no-purpose], keep: [idevid, self, gone, spare]}'
    run -0 store judge store.yaml tls now
    [ -z "$output" ]
    [ "$(readlink store/purpose/tls)" = ../cert/now ]
    # At the next run it was without purpose before.
    run -0 prune -nc store.yaml
    [ "$output" = $'was\tno-purpose' ]
}

@test "the store is judged as it was: superseded names what is superseded just now" {
    store-test store set tls was
    rules '{when: always, rules: [no-purpose, superseded], keep: [idevid, self, gone, spare]}'
    run -0 store judge store.yaml tls now
    [ "$output" = "was: superseded" ]
}

@test "before an update superseded spares what is still linked" {
    store-test store set tls was
    names '{when: always, rules: superseded}' gone
    [ -e store/cert/was ] && [ -e store/cert/now ]
}

@test "a list that is out of date deletes nothing that a purpose points to now" {
    rules '{when: always, rules: [no-purpose], keep: [idevid, self, gone]}'
    run -1 --separate-stderr store stale store.yaml ipsec spare
    [ "$output" = "spare: no-purpose
was: no-purpose" ]
    [ "$stderr" = "store-test: store/cert/spare: a purpose points to it: it is not deleted" ]
    [ -e store/cert/spare/key.pem ] && [ ! -e store/cert/was ]
}

@test "a certificate whose enrolment is pending is not without purpose" {
    openssl req -new -key spare.key -subj /CN=spare -out spare.request
    store-test store enrol ipsec spare.request spare.key
    names '{when: always, rules: [superseded, no-purpose, self-signed, factory, expired]}' idevid self gone was
    [ -e store/cert/spare ] && [ -e store/pending/ipsec/key.pem ]
}

@test "what cannot be read stays, and is told with 1" {
    echo rubbish >store/cert/spare/cert.pem
    echo 'origin: moon' >store/cert/self/meta.yaml
    rules '{when: always, rules: [superseded, no-purpose, factory], keep: [idevid, gone]}'
    run -1 --separate-stderr prune -c store.yaml
    [ "$output" = $'was\tsuperseded, no-purpose' ]
    [[ $stderr == *"store/cert/spare/cert.pem: no PEM block"* ]]
    [[ $stderr == *"store/cert/self/meta.yaml:1:9: "* ]]
    [ -e store/cert/spare/key.pem ] && [ -e store/cert/self/key.pem ]
}

@test "a folder with a foreign file stays, is told with 1, and keeps no other; a rehearsal knows it" {
    touch store/cert/self/note
    rules '{when: always, rules: no-purpose, keep: [idevid]}'
    run -1 --separate-stderr prune -nc store.yaml
    [ "$output" = $'gone\tno-purpose\nspare\tno-purpose\nwas\tno-purpose' ]
    [ "$stderr" = "cert-prune: store/cert/self/note: not a file of the store: nothing is deleted" ]
    run -1 --separate-stderr prune -c store.yaml
    [ "$output" = $'gone\tno-purpose\nspare\tno-purpose\nwas\tno-purpose' ]
    [ "$stderr" = "cert-prune: store/cert/self/note: not a file of the store: nothing is deleted" ]
}

@test "a clock before the newest notBefore deletes nothing by date, says so, and ends with 1; other rules hold" {
    CERTLINE_CLOCK=$(date -ud 2025-12-31 +%s)
    rules '{when: always, rules: [expired, self-signed]}'
    run -1 --separate-stderr prune -c store.yaml
    [ "$output" = $'self\tself-signed' ]
    [[ $stderr == *"cert-prune: the clock is before the newest certificate's notBefore: nothing is deleted by date"* ]]
    [ -e store/cert/gone ]
}

@test "a deletion leaves no file of it, and the others as they were" {
    local before
    before=$(find store/cert/now store/purpose -type f -exec sha256sum {} + | sort)
    names '{when: always, rules: no-purpose}' idevid self gone spare was
    [ "$before" = "$(find store/cert/now store/purpose -type f -exec sha256sum {} + | sort)" ]
    run -0 find store -type f -name '*.pem'
    [ "${#lines[@]}" -eq 3 ]
}

@test "what the configuration of a deletion may not say" {
    local line
    while IFS='|' read -r line why; do
        rules "$line"
        run -2 --separate-stderr prune -c store.yaml
        [ "$stderr" = "cert-prune: store.yaml:5:$why" ] || { echo "$line: $stderr" && false; }
    done <<'END'
{when: often, rules: expired}|18: "often" is not one of its words
{when: always, rules: old}|33: "old" is not one of its words
{when: always}|11: key "rules" is missing
{when: limit, rules: expired}|11: when: limit needs the store's "limit" or "token-limit"
{when: free-space, rules: expired}|11: "free-space" is missing: how many octets
{when: always, rules: expired, keep: [../x]}|48: "../x" cannot name a certificate
{when: always, rules: expired, time: never}|48: "never" is not one of its words
END
}

@test "SIGTERM ends it between two deletions, with 4, and what is left goes next time" {
    rules '{when: always, rules: no-purpose}'
    # A leak cannot be looked for under a tracer.
    ASAN_OPTIONS=detect_leaks=0 run -4 --separate-stderr quiet strace -o /dev/null -e trace=renameat -e inject=renameat:signal=TERM:when=1 \
        cert-prune -c store.yaml
    [ "$output" = $'idevid\tno-purpose' ]
    [ "$stderr" = "cert-prune: stopped by a signal" ]
    run -0 prune -c store.yaml
    [ "${#lines[@]}" -eq 4 ]
}

@test "a disk that fails from any look at the folders on: 4 or nothing done, and nothing goes that a purpose points to" {
    local call i n rc failed=0
    rules '{when: always, rules: no-purpose}'
    ln -s ../cert/spare store/purpose/ipsec
    mv store base
    for call in getdents64 readlinkat newfstatat; do
        rm -rf store && cp -r base store
        ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace="$call" cert-prune -c store.yaml >/dev/null 2>&1
        n=$(grep -c "^$call(" trace)
        for ((i = 1; i <= n; i++)); do
            rm -rf store && cp -r base store
            rc=0
            ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e trace="$call" -e inject="$call:error=EIO:when=$i+" \
                cert-prune -c store.yaml >out 2>err || rc=$?
            failed=$((failed + (rc == 4)))
            [ -e store/cert/now/key.pem ] && [ -e store/cert/spare/key.pem ] ||
                { echo "$call $i of $n: $(ls store/cert) $(cat err)" && false; }
        done
    done
    echo "$failed failed"
    [ "$failed" -gt 10 ]
}
