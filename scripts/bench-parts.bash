# shellcheck shell=bash disable=SC2154,SC2034 # part of scripts/bench: what one thing costs, held against its bare part

# A request read and its signature verified; what the bare verification costs alone.
bench_request() {
    rm -f "$dir"/parts.*
    csr-make -n P-256 -k "$dir/parts.key" -s CN=bench | "$tools/csr-test" -b 10000 >"$dir/parts"
    part() { awk -v of="$1" '$1 == of { print $2 }' "$dir/parts"; }
    row "request: proof of possession, to the verification" "$(calc "$(part csr-pop) / $(part raw-verify)")" ratio "<=" 1.6
    row "request: read, to the verification" "$(calc "$(part csr-view) / $(part raw-verify)")" ratio "<=" 0.3
}

# A list of --held devices, and of as many blocked keys.
bench_lists() {
    local open_ms cpu_ms kib look_ns with without key turn
    rm -f "$dir"/parts.*
    printf '%s\n' 'lots:' '  - {name: bench, profile: try, owner: me, verify-units: [v], devices: parts.csv}' >"$dir/parts.yaml"
    { echo serial,mac,model; seq -f SN-%08.0f,02:00:00:00:00:00,XR-9 "$held"; } >"$dir/parts.csv"
    # shellcheck disable=SC2046 # four of them
    eval $("$tools/lot-test" speed "$dir/parts.yaml" bench SN-00000777)
    row "lists: $held devices, opened" "$(calc "$cpu_ms / 1e3")" "s of CPU" "<=" 1
    row "lists: its memory, a device" "$(calc "$kib * 1024 / $held")" octets "" ""
    row "lists: a look-up" "$(calc "$look_ns / 1e3")" us "" ""

    openssl rand -hex $((32 * held)) | fold -w 64 >"$dir/parts.blocked"
    printf '%s\n' 'blocked-keys: parts.blocked' 'profiles: [{name: x, validity: 1d}]' >"$dir/parts.long.yaml"
    printf '%s\n' 'profiles: [{name: x, validity: 1d}]' >"$dir/parts.none.yaml"
    csr-make -n P-256 -k "$dir/parts.key" -s CN=bench >"$dir/parts.csr"
    key=$dir/parts.ca
    csr-make -n P-256 -k "$key" -s CN=Root | "$tools/profile-test" -p root -k "$key" >"$key.pem"
    decision() { "$tools/profile-test" -c "$dir/parts.$1.yaml" -p x -k "$key" -i "$key.pem" -b 20000 <"$dir/parts.csr"; }
    : >"$costs"
    r blocked "$tools/profile-test" -c "$dir/parts.long.yaml" -l >/dev/null
    row "lists: $held blocked keys, read" "$(calc "$(least blocked) / 1e6")" "s of CPU" "<=" 1
    for turn in 1 2 3; do
        echo "long $(decision long)"
        echo "none $(decision none)"
    done >"$dir/parts.costs"
    with=$(costs=$dir/parts.costs least long)
    without=$(costs=$dir/parts.costs least none)
    row "lists: a decision with them, to one without" "$(calc "$with / $without")" ratio "<=" 1.10
    rm -f "$dir"/parts.*
}

# A run of 100,000 devices in attach's ledger, of which one batch got no answer.
bench_run() {
    local ledger=$dir/parts.db
    rm -f "$ledger"*
    "$tools/ledger-test" "$ledger" attach-1 ask r1 1563 64
    "$tools/ledger-test" "$ledger" attach-1 answer 7 r1 -1562 64
    "$tools/ledger-test" "$ledger" attach-1 unanswered r1 timed >/dev/null 2>"$dir/parts"
    row "run: what has no answer of 100,032" "$(awk '{ print $3 }' "$dir/parts")" s "<=" 2
    rm -f "$ledger"*
}
