# scripts/bench: that each row measures what it says; how fast things are is for a quiet machine to say.
bats_require_minimum_version 1.5.0
# bats file_tags=frame,measure

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    BUILD=$(realpath -m "${BUILD:-build}")
    export BUILD OUT=$BATS_FILE_TMPDIR/out
    scripts/bench --dir "$OUT" --devices 200 --held 1000 --store 100 \
        lots big verify postgres recall store prune request lists run >"$BATS_FILE_TMPDIR/table" 2>&1 ||
        { cat "$BATS_FILE_TMPDIR/table" && return 1; }
}

setup() {
    cd "$BATS_TEST_DIRNAME/.." || return
    TABLE=$BATS_FILE_TMPDIR/table
}

@test "a row that there is none of is 2" {
    run -2 scripts/bench --dir "$BATS_TEST_TMPDIR/none" chain no-such-row
    [ "$output" = 'bench: unknown row no-such-row' ]
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
}

@test "each line of the table has its object in bench.json, with the same verdict" {
    run -0 jq -r '.verdict' "$OUT/bench.json"
    [ "$output" = "$(awk '{ print $NF }' "$TABLE")" ]
}

@test "each row that has a limit says whether it was met" {
    local row
    for row in 'lots: with to without' 'big: 1000 held' 'verify: hash links' 'postgres: to SQLite' \
        'postgres: two to one' 'recall of a lot of 100' 'store: cert-list --due to the loop' 'store: peak' \
        'store: start-up' 'prune: twice as many' 'prune: peak' 'request: proof' 'lists: 1000 devices, opened' \
        'lists: 1000 blocked keys' 'lists: a decision' 'run: what has no answer' 'recall: a CRL of 100'; do
        run -0 jq -r --arg row "$row" 'select((.row | startswith($row)) and .limit != "") | .verdict' "$OUT/bench.json"
        [[ $output =~ ^(ok|MISSED)$ ]] || { echo "$row: $output" && return 1; }
    done
}

@test "the limits are those that are promised" {
    local limit
    for limit in 'lots: with to without/>=/0.90' 'big: 1000 held and listed, to empty/<=/1.15' 'postgres: to SQLite/>=/0.50' \
        'store: cert-list --due to the loop/<=/3' 'store: peak/<=/10240' 'store: start-up, an empty store/<=/5' \
        'prune: peak/<=/10240'; do
        grep -qxF "$limit" <(jq -r '"\(.row)/\(.target)/\(.limit)"' "$OUT/bench.json") || { echo "$limit" && return 1; }
    done
}

@test "a value is a number" {
    run -0 jq -r 'select((.value | type) != "number") | .row' "$OUT/bench.json"
    [ -z "$output" ]
}

@test "what a run of a ledger that holds much needs is gone behind it" {
    run -1 compgen -G "$OUT/line/ledger/held.*"
    [ ! -e "$OUT/store.big" ]
    [ ! -e "$OUT/store.prune" ]
}

@test "the entries of the filled ledger are a whole chain" {
    make -s BUILD="$BUILD" "$BUILD/t/bench-fill" "$BUILD/t/ledger-test"
    local role
    for role in verify-unit ra-approve ca-sign; do
        "$BUILD/t/bench-fill" "$BATS_TEST_TMPDIR/$role.db" unit $role 200
        run -0 "$BUILD/t/ledger-test" "$BATS_TEST_TMPDIR/$role.db" unit verify
        # four messages up and down, and a certificate each, or what counts
        [ "$output" -eq "$([ $role = verify-unit ] && echo 8 || echo 208)" ]
    done
}
