# shellcheck shell=bash disable=SC2154,SC2034 # part of scripts/bench: the device store

store_config() { # NAME: of the store $dir/store.NAME
    printf '%s\n' "store: $dir/store.$1" "trust: $dir/line/pki/root.pem" 'purposes:' >"$dir/store.$1.yaml"
    for i in 1 2 3 4 5 6 7 8 9 10; do
        echo "  - {name: p$i, renew: {before: 30d}, enroll: 'false'}"
    done >>"$dir/store.$1.yaml"
    printf '%s\n' 'deletion: {when: [always], rules: [expired]}' >>"$dir/store.$1.yaml"
}

store_make() { # NAME N PURPOSES
    rm -rf "$dir/store.$1"
    "$tools/bench-store" "$dir/store.$1" "$2" "$3"
    store_config "$1"
    sync -f "$dir" # else the first fsync of what is measured pays for this
}

# In turns, and the best of many: each takes some hundredths of a second.
bench_store() {
    local turn
    store_make big "$kept" 10
    store_make none 0 0
    sed -i 's/{before: 30d}/never/' "$dir/store.none.yaml" # else it says what each purpose lacks, and ends with 1
    : >"$costs"
    for turn in $(seq 15); do
        r loop "$tools/bench-loop" "$dir/store.big" >"$dir/due"
        r due cert-list -c "$dir/store.big.yaml" --due >"$dir/due" || [ $? -eq 1 ]
        r start cert-list -c "$dir/store.none.yaml" --due >"$dir/none"
    done
    [ "$(grep -c ' due$' "$dir/due")" -eq 10 ] || { echo "bench: not what is due" >&2; exit 4; }
    row "loop over $kept certificates: open, read, close" "$(calc "$(least loop 5) / 1e3")" ms "" ""
    row "cert-list --due" "$(calc "$(least due 5) / 1e3")" ms "" ""
    row "store: cert-list --due to the loop" "$(calc "$(least due 5) / $(least loop 5)")" ratio "<=" 3
    row "store: CPU, to the loop" "$(calc "$(least due) / $(least loop)")" ratio "" ""
    row "store: peak" "$(least due 3)" KiB "<=" 10240
    row "store: start-up, an empty store" "$(calc "$(least start 5) / 1e3")" ms "<=" 5
    rm -rf "$dir/store.big" "$dir/store.none"
}

# Half of the store has expired; the time for each certificate deleted must not depend on how many there are.
bench_prune() {
    local turn half=$((kept / 2)) size
    : >"$costs"
    for turn in 1 2 3; do
        for size in "$half" "$kept"; do
            store_make prune "$size" 10
            r "prune$size" cert-prune -c "$dir/store.prune.yaml" >"$dir/pruned" 2>>"$dir/log"
            [ "$(wc -l <"$dir/pruned")" -eq $((size / 2 - 5)) ] || { echo "bench: not what has expired" >&2; exit 4; }
        done
    done
    rm -rf "$dir/store.prune"
    per() { calc "$(least "prune$1" 5) / ($1 / 2 - 5)"; }
    row "cert-prune, half of $half, a certificate" "$(per "$half")" us "" ""
    row "cert-prune, half of $kept, a certificate" "$(per "$kept")" us "" ""
    row "prune: twice as many, each" "$(calc "$(per "$kept") / $(per "$half")")" ratio "<=" 1.25
    row "prune: CPU, twice as many, each" \
        "$(calc "$(least "prune$kept") * ($half / 2 - 5) / ($kept / 2 - 5) / $(least "prune$half")")" ratio "" ""
    row "prune: peak" "$(least "prune$kept" 3)" KiB "<=" 10240
}
