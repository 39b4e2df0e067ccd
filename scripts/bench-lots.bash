# shellcheck shell=bash disable=SC2154,SC2016,SC2317,SC2034 # part of scripts/bench: lots, ledgers that hold much, databases, recalls

# least NAME [COLUMN]: the smallest of what $costs has under the name; CPU without COLUMN.
least() { awk -v which="$1" -v c="${2:-2}" '$1 == which && (!m || $c < m) { m = $c } END { print m + 0 }' "$costs"; }

# The units' files once more: $etc/SET.UNIT.yaml, with the lots of $etc/SET.lots.yaml, ledgers of their own, and what
# the sed programs say.
variant() { # SET [SED-OPTION...]
    local to=$1 unit
    shift
    for unit in attach verify-unit ra-approve ca-sign; do
        sed -e "s|^lots:.*|lots: $to.lots.yaml|" -e "s|^ledger:.*|ledger: ../ledger/$to.$unit.db|" \
            -e 's|\[boards, open\]|[bench]|' "$@" "$etc/$unit.yaml" >"$etc/$to.$unit.yaml"
    done
}

# The lot "bench", with these lines.
lot_file() { # SET LINE...
    local to=$1
    shift
    printf '%s\n' 'lots:' '  - name: bench' '    profile: try' '    owner: Example Ltd' \
        '    verify-units: [verify-unit-1]' "${@/#/    }" >"$etc/$to.lots.yaml"
}

device_list() { # FILE FIRST LAST
    { echo serial,model; seq -f 'B%08.0f,M-9' "$2" "$3"; } >"$etc/$1"
}

# Without: any device, no quota, heads only at the end of a run. With: each device looked up in a list, a subject that
# is not what the device asked for, a subjectAltName, a quota, a head each second.
bench_lots() {
    local file turn took_with='' took_without='' lot=bench set
    file=$(requests 1 "$n")
    device_list with.csv 1 "$n"
    lot_file without 'devices: any'
    lot_file with 'devices: with.csv' 'subject: "serialNumber={serial},CN={model},O=Bench"' \
        'san: "uri:urn:bench:{model}:{serial}"' 'quota: 100000000'
    variant without -e '$a head-every: 30d'
    variant with -e '$a head-every: 1s'
    : >"$dir/lots"
    for turn in 1 2 3; do
        for set in without. with.; do
            fresh
            timed chain "$file"
            [ "$(grep -c ^-----BEGIN "$dir/certs.pem")" -eq "$n" ] || { echo "bench: not all devices were served" >&2; exit 4; }
            echo "$set $(cpu_us) $took" >>"$dir/lots"
        done
    done
    costs=$dir/lots
    took_without=$(least without. 3)
    took_with=$(least with. 3)
    row "lots: any device, no quota, one head" "$(calc "$n / $took_without")" devices/s "" ""
    row "lots: list, templates, quota, head each second" "$(calc "$n / $took_with")" devices/s "" ""
    row "lots: with to without" "$(calc "$took_without / $took_with")" ratio ">=" 0.90
    row "lots: CPU, with to without" "$(calc "$(least with.) / $(least without.)")" ratio "" ""
    costs=$dir/costs
}

filled=
unfill() { rm -f "$dir"/line/ledger/held.*; }

# What --held certificates leave in the ledgers of three units; once a run of this script.
fill() {
    local unit
    [ -z "$filled" ] || return 0
    trap unfill EXIT
    unfill
    for unit in verify-unit=verify-unit-1 ra-approve=ra-approve-1 "ca-sign=Example Device CA"; do
        "$tools/bench-fill" "$dir/line/ledger/held.${unit%%=*}.db" "${unit#*=}" "${unit%%=*}" "$held"
    done
    device_list held.csv 1 $((held > 4 * n ? held : 4 * n))
    lot_file held 'devices: held.csv' "quota: 100000000"
    variant held
    filled=1
}

# One file of messages through the units, one after the other.
stages() { # NAME FILE
    local in=$2 unit
    for unit in verify-unit ra-approve ca-sign ra-approve verify-unit; do
        r "$1$unit" "$unit" -c "$etc/$set$unit.yaml" <"$in" >"$dir/stage.new" 2>>"$dir/log"
        mv "$dir/stage.new" "$dir/stage"
        in=$dir/stage
    done
    rm -f "$dir/stage"
}

# One turn of an empty set and of one that holds much: what each unit used for one device, and for n.
turn_of() { # SET
    local set=$1
    costs=$dir/costs
    : >"$costs"
    stages one. "$dir/up.one"
    stages all. "$dir/up"
    awk -v set="$set" '{ s[$1] += $2; bad += $4 } END { if (bad) exit 1
        for (i in s) if (sub(/^all\./, "", i)) print set i, s["all." i], s["one." i] }' \
        "$costs" >>"$dir/big" || { tail -5 "$dir/log" >&2; exit 4; }
}

# What a run of one device costs is the start, reading the list above all: it is taken off, and stands in a row of its
# own. A unit that is called twice counts twice. The first turn only warms up.
bench_big() {
    local turn unit total_held=0 total_empty=0
    fill
    device_list empty.csv 1 $((4 * n))
    lot_file empty 'devices: empty.csv' "quota: 100000000"
    variant empty
    : >"$dir/log"
    for turn in 0 1 2 3; do
        [ "$turn" -gt 1 ] || : >"$dir/big"
        rm -f "$dir/line/ledger/empty."*
        attach -c "$etc/empty.attach.yaml" --lot bench <"$(requests $((turn * n + n)) $((turn * n + n)))" >"$dir/up.one"
        attach -c "$etc/empty.attach.yaml" --lot bench <"$(requests $((turn * n + 1)) $((turn * n + n - 1)))" >"$dir/up"
        turn_of empty.
        turn_of held.
    done
    costs=$dir/big
    each() { calc "($(least "$1.$unit") - $(least "$1.$unit" 3)) / ($n - 1)"; }
    for unit in verify-unit ra-approve ca-sign; do
        row "  $unit, CPU a certificate, empty" "$(each empty)" us "" ""
        row "  $unit, CPU a certificate, $held held" "$(each held)" us "" ""
        total_held=$(calc "$total_held + $(each held)")
        total_empty=$(calc "$total_empty + $(each empty)")
    done
    row "big: $held held and listed, to empty" "$(calc "$total_held / $total_empty")" ratio "<=" 1.15
    row "big: verify-unit, two starts, $held listed" "$(calc "$(least held.verify-unit 3) / 1e6")" "s of CPU" "" ""
    costs=$dir/costs
}

# verified WHAT: how many a second, as `ledger --verify` says.
verified() { sed -n "s/^$1: .*, \([0-9]*\) a second$/\1/p" "$dir/verify"; }

# The chain over entries of real size; what they hold is nothing, so that only the links can be good. Messages and
# certificates are counted in a ledger that a run left.
bench_verify() {
    local entries
    fill
    ledger -c "$etc/held.ca-sign.yaml" --verify >"$dir/verify" 2>>"$dir/log" || true
    entries=$(sed -n 's/^hash links: \([0-9]*\) .*/\1/p' "$dir/verify")
    row "verify: hash links, $entries entries" "$(verified "hash links")" links/s ">=" 200000
    fresh
    chain "$(requests 1 "$n")"
    ledger -c "$etc/ca-sign.yaml" --verify >"$dir/verify" || exit 4
    row "verify: messages, certificates of $n devices" "$(verified "messages and certificates")" checks/s "" ""
}

# ca-sign alone over the same messages: into a file, into a database, and two of them, each with half of the messages,
# into one database.
bench_postgres() {
    local turn up=$dir/up.pem half
    # shellcheck disable=SC1091 # checked with the tests
    . "$top/t/postgres.bash"
    fresh
    attach -c "$etc/attach.yaml" --lot open <"$(requests 1 "$n")" | verify-unit -c "$etc/verify-unit.yaml" |
        ra-approve -c "$etc/ra-approve.yaml" >"$up"
    half=$(($(grep -c ^-----BEGIN "$up") / 2))
    awk -v half="$half" -v to="$up" '/^-----BEGIN/ { n++ } { print >(to (n > half ? ".2" : ".1")) }' "$up"
    pg_make
    sed "s|^ledger:.*|ledger: $PG/sqlite.db|" "$etc/ca-sign.yaml" >"$etc/file.ca-sign.yaml" # the same disk
    trap 'pg_remove; unfill' EXIT
    one() { ca-sign -c "$1" <"$2" >"$dir/answers${2##*pem}" 2>>"$dir/log"; }
    two() {
        one "$1" "$up.1" &
        one "$1" "$up.2" && wait $!
    }
    : >"$dir/postgres"
    for turn in 1 2 3; do
        rm -f "$PG"/sqlite.db*
        timed one "$etc/file.ca-sign.yaml" "$up"
        echo "sqlite $took" >>"$dir/postgres"
        for how in one two; do
            sed "s|^ledger:.*|ledger: $(pg_database "$how$turn")|" "$etc/ca-sign.yaml" >"$etc/pg.ca-sign.yaml"
            timed "$how" "$etc/pg.ca-sign.yaml" "$up"
            echo "$how $took" >>"$dir/postgres"
        done
    done
    pg_remove
    trap unfill EXIT
    rm -f "$up".? "$dir"/answers*
    costs=$dir/postgres
    row "ca-sign, SQLite" "$(calc "$n / $(least sqlite)")" devices/s "" ""
    row "ca-sign, PostgreSQL" "$(calc "$n / $(least one)")" devices/s "" ""
    row "postgres: to SQLite" "$(calc "$(least sqlite) / $(least one)")" ratio ">=" 0.50
    row "two ca-sign, PostgreSQL" "$(calc "$n / $(least two)")" devices/s "" ""
    row "postgres: two to one" "$(calc "$(least one) / $(least two)")" ratio ">=" 1.00
    costs=$dir/costs
}

# A lot as a line would have left it in the CA's ledger.
bench_recall() {
    local count=$((held / 10)) issuer
    fresh
    chain "$(requests 1 64)"
    issuer=$(sqlite3 "$dir/line/ledger/ca-sign.db" 'select note from entry where kind = 12 limit 1')
    "$tools/revoke-test" "$dir/line/ledger/ca-sign.db" "Example Device CA" "$issuer" recalled "$count"
    : >"$costs"
    r recall ca-revoke -c "$etc/ca-sign.yaml" --lot recalled --reason keyCompromise --why bench --count "$count" \
        >"$dir/recalled" 2>>"$dir/log"
    [ "$(wc -l <"$dir/recalled")" -eq "$count" ]
    row "recall of a lot of $count" "$(calc "$(least recall 5) / 1e6")" s "<=" 10
    row "recall: peak" "$(peak)" KiB "" ""
    : >"$costs"
    r crl crl-make -c "$etc/ca-sign.yaml" -o "$dir/recalled.crl" 2>>"$dir/log"
    row "recall: a CRL of $count" "$(calc "$(least crl 5) / 1e6")" s "<=" 3
    row "recall: its peak" "$(peak)" KiB "<=" 65536
    rm -f "$dir/recalled.crl"
}
