# What a ledger shows, and what a third party can check of it.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build forge forge-sign audit-test && people_line "$BATS_FILE_TMPDIR/line" || return
    cd "$BATS_FILE_TMPDIR" || return
    local person
    for person in T1 T2 X1 T3; do
        line_request $person
    done >listed.pem
    attach --lot listed <listed.pem >listed.up
    line_middle <listed.up >listed.down
    attach <listed.down >listed.out 2>listed.said || [ $? -eq 1 ]
    asks free 'F\,1' F2 >free.out
    asks two W1 W2 >two.out 2>two.said || [ $? -eq 4 ]
    line_keep waiting
    grant alice "$(waiting)" && grant bob "$(waiting)" || return
    polls >two.out
    line_keep granted
    command ledger -c "$LINE/etc/ca-sign.yaml" --export listed >listed.evidence &&
        command ledger -c "$LINE/etc/ca-sign.yaml" --export two >two.evidence &&
        command ledger -c "$LINE/etc/ra-approve.yaml" --export two >two.granted
    line_keep granted
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore granted
    FILES=$BATS_FILE_TMPDIR
}

audit() { command ledger -c "$LINE/etc/$1.yaml" "${@:2}"; } # UNIT OPTION...
# check FILE [OPTION...]: as somebody who has nothing but the root
check() { command ledger --check "$1" --trust "$PKI/root.pem" "${@:2}"; }
# refused FILE PATTERN [OPTION...]: not believed, and nothing said of devices
refused() {
    run -3 --separate-stderr check "$1" "${@:3}"
    # shellcheck disable=SC2053
    [[ $stderr == "ledger: $1:"$2 ]] || { printf '%s\n' "$stderr" "wanted: $2"; return 1; }
}
# blocks FILE N...: these of its blocks, in this order
blocks() {
    local n
    for n in "${@:2}"; do
        awk -v n="$n" '/^-----BEGIN/ { k++ } k == n' "$1"
    done
}
but() { awk -v n="$2" '/^-----BEGIN/ { k++ } k != n' "$1"; } # FILE N: all of it but one
count() { grep -c ^-----BEGIN "$1"; }
# devices: of CSV on stdin, with their status
devices() { python3 -c 'import csv, sys
for r in csv.DictReader(sys.stdin): print(r["device"] or r["requests"], r["status"])' | paste -sd' '; }

# --- lists ---

@test "the list of ca-sign: one line a device, those who were refused too" {
    run -0 --separate-stderr audit ca-sign --list --csv
    [ -z "$stderr" ]
    [ "$(devices <<<"$output")" = 'T1 issued T2 issued T3 issued X1 refused F,1 issued F2 issued W1 issued W2 issued' ]
    [[ $output == *'verify-unit: device ""X1"" is not in the list of lot ""listed""'* ]]
}

@test "the list of attach: what became of each device" {
    audit attach --list --csv >list.csv
    [ "$(devices <list.csv)" = 'T1 delivered T2 delivered X1 refused T3 delivered F,1 delivered F2 delivered W1 delivered W2 delivered' ]
    line_restore waiting
    [ "$(audit attach --list --csv --lot two | devices)" = 'W1 pending W2 pending' ]
    [ "$(audit ca-sign --list --csv --lot two | devices)" = 'W1 pending W2 pending' ]
    attach --lot free <"$FILES/listed.pem" >/dev/null
    [ "$(audit attach --list --csv --lot free --status asked | devices)" = 'T1 asked T2 asked X1 asked T3 asked' ]
}

@test "the lists of verify-unit and ra-approve: one line a message" {
    local unit
    for unit in verify-unit ra-approve; do
        [ "$(audit $unit --list --csv | devices)" = "4 answered 2 answered 2 answered" ]
    done
    [[ $(audit ra-approve --list --lot two) == *"granted by 2, last by bob" ]]
    line_restore waiting
    for unit in verify-unit ra-approve; do
        [ "$(audit $unit --list --csv | devices)" = "4 answered 2 answered 2 pending" ]
    done
    attach --lot free <"$FILES/listed.pem" | verify-unit >/dev/null
    [ "$(audit verify-unit --list --csv --status asked | devices)" = "4 asked" ]
}

@test "a list is narrowed by each filter, and by all of them together" {
    local serial
    serial=$(audit ca-sign --list --csv --device T2 | tail -n 1 | cut -d, -f4)
    [ "$(audit ca-sign --list --csv --lot listed | devices)" = 'T1 issued T2 issued T3 issued X1 refused' ]
    [ "$(audit ca-sign --list --csv --status refused | devices)" = 'X1 refused' ]
    [ "$(audit ca-sign --list --csv --serial "$serial" | devices)" = 'T2 issued' ]
    [ "$(audit ca-sign --list --csv --serial "$(sed 's/../&:/g; s/:$//' <<<"${serial^^}")" | devices)" = 'T2 issued' ]
    [ "$(audit ca-sign --list --csv --serial "00$serial" | devices)" = 'T2 issued' ]
    [ "$(audit attach --list --csv --serial "$serial" | devices)" = 'T2 delivered' ]
    [ "$(audit verify-unit --list --csv --serial "$serial" | devices)" = '4 answered' ]
    [ "$(audit ra-approve --list --csv --device W2 | devices)" = '2 answered' ]
    [ "$(audit ca-sign --list --csv --unit attach-1 --owner acme --lot free --device F2 --status issued | devices)" = 'F2 issued' ]
    [ "$(audit ca-sign --list --csv --unit attach-2 | devices)" = '' ]
    [ "$(audit ca-sign --list --csv --owner other | devices)" = '' ]
    [ "$(audit ca-sign --list --csv --since 2099-01-01 | devices)" = '' ]
    [ "$(audit ca-sign --list --csv --until 2020-01-01T00:00:00Z | devices)" = '' ]
    [ "$(audit ca-sign --list --csv --since 2020-01-01 --until 2099-01-01 | wc -l)" -eq 9 ]
}

@test "--unit finds what came through an attach, a verify-unit or an ra-approve, refused or not" {
    local all='T1 issued T2 issued T3 issued X1 refused F,1 issued F2 issued W1 issued W2 issued' id unit
    for id in attach-1 verify-unit-1 ra-approve-1; do
        [ "$(audit ca-sign --list --csv --unit $id | devices)" = "$all" ]
        [ "$(audit ra-approve --list --csv --unit $id | devices)" = '4 answered 2 answered 2 answered' ]
    done
    [ "$(audit ca-sign --list --csv --unit verify-unit-1 --status refused | devices)" = 'X1 refused' ]
    [ "$(audit ra-approve --list --csv --unit verify-unit-1 --device W2 | devices)" = '2 answered' ]
    for id in attach-1 verify-unit-1; do
        [ "$(audit verify-unit --list --csv --unit $id | devices)" = '4 answered 2 answered 2 answered' ]
    done
    # the issuer of all of them, and ids of which one is only part of another
    for unit in ca-sign ra-approve verify-unit attach; do
        for id in Root verify-unit verify-unit-11 attach ra-approve-2; do
            run -0 --separate-stderr audit $unit --list --json --unit "$id"
            [ -z "$output" ]
            [ -z "$stderr" ]
        done
    done
    ledger ca-sign "drop trigger entry_update; update entry set note = 'verify-unit-2' || char(9) || 'ra-approve-1'
        where kind = 13 and lot = 'listed'"
    [ "$(audit ca-sign --list --csv --unit verify-unit-2 | devices)" = 'T1 issued T2 issued T3 issued X1 refused' ]
    [ "$(audit ca-sign --list --csv --unit verify-unit-1 --lot listed | devices)" = '' ]
}

@test "JSON lines and CSV say the same, whatever a device is called" {
    local unit
    for unit in attach verify-unit ra-approve ca-sign; do
        audit $unit --list --csv >list.csv
        audit $unit --list --json >list.json
        python3 - <<'END'
import csv, json
rows = list(csv.DictReader(open("list.csv")))
objects = [json.loads(line) for line in open("list.json")]
assert len(rows) == len(objects) > 0
for r, o in zip(rows, objects):
    assert {k: v for k, v in r.items() if v} == {k: str(v) for k, v in o.items() if v != ""}, (r, o)
END
    done
    grep -q '"note":"verify-unit: device \\"X1\\" is not' <(audit ca-sign --list --json)
}

@test "what somebody wrote into a ledger is neither a formula nor a command to the terminal, in CSV and JSON" {
    # named DEVICE-IN-HEX: the lists with a device of this name
    named() {
        line_restore granted
        sqlite3 "$LINE/var/ca-sign.db" "DROP TRIGGER entry_update; UPDATE entry SET device = CAST(x'$1' AS TEXT)
            WHERE id = (SELECT min(id) FROM entry WHERE kind = 12)"
        audit ca-sign --list --csv >list.csv
        audit ca-sign --list --json >list.json
        python3 -c 'import csv, json
print(list(csv.DictReader(open("list.csv")))[0]["device"], json.loads(open("list.json").readline())["device"])'
    }
    local start
    for start in = + - @; do
        [ "$(named "$(printf '%s1+cmd' $start | xxd -p)")" = "'${start}1+cmd ${start}1+cmd" ]
    done
    [ "$(named "$(printf '=a,"b"' | xxd -p)")" = "'=a,\"b\" =a,\"b\"" ]
    [ "$(named "$(printf 'a\033]0;x\xff\n' | xxd -p)")" = 'a\x1b]0;x\xff\x0a a\x1b]0;x\xff\x0a' ]
    [ "$(named "$(printf 'Gerät' | xxd -p)")" = 'Gerät Gerät' ]
}

@test "a revoked certificate is listed as such" {
    command ca-revoke -c "$LINE/etc/ca-sign.yaml" --device F2 --reason keyCompromise --why 'found on a desk' --count 1
    [ "$(audit ca-sign --list --csv --lot free | devices)" = 'F,1 issued F2 revoked' ]
    [[ $(audit ca-sign --list --status revoked) == *"revoked "*": keyCompromise" ]]
    run -0 audit ca-sign --show F2
    [[ $output == *"revoked      "*", reason 1: "*"found on a desk"* ]]
    run -0 audit ca-sign --verify
}

# --- one device ---

@test "the whole path of a device, with the names and signatures of the units" {
    run -0 --separate-stderr audit ca-sign --show T1
    [ -z "$stderr" ]
    local unit serial
    for unit in attach:attach-1:attach verify-unit:verify-unit-1:verify ra-approve:ra-approve-1:ra 'ca-sign:Device CA:ca-messages'; do
        serial=$(openssl x509 -in "$PKI/${unit##*:}.pem" -noout -serial)
        unit=${unit%:*}
        [[ ${output,,} == *"by the ${unit%%:*} $(tr '[:upper:]' '[:lower:]' <<<"${unit#*:}"), certificate $(tr '[:upper:]' '[:lower:]' <<<"${serial#*=}"): good"* ]]
    done
    [[ $output == *"request      1 of 4, a PKCS #10"*"answer       issued"*"subject    serialNumber=T1"*"issuer     CN=Device CA"* ]]
}

@test "who refused a device, and why, in the ledger of every unit" {
    local unit
    for unit in attach verify-unit ra-approve ca-sign; do
        run -0 audit $unit --show X1
        [[ $output == *'refused'*'device "X1" is not in the list of lot "listed"'* ]]
        [[ $output != *"subject    "* ]]
    done
}

@test "who granted a device, with the signatures of the persons" {
    run -0 audit ra-approve --show W1
    [[ $output == *"held"*"granted "*" by alice, certificate "*": good"*"granted "*" by bob, certificate "*": good"*"answer       issued"* ]]
    run -0 audit attach --show W1
    [[ $output == *"sent"*"pending"*"asked again"*"received"*"delivered"* ]]
}

@test "certificates whose issuer a ledger does not hold are counted as not checked" {
    run -0 audit attach --verify
    [[ $output == *"certificates: 7"*"of other issuers, not checked: 7"* ]]
    run -0 audit ca-sign --verify
    [[ $output == *"certificates: 7"* && $output != *"not checked"* ]]
}

@test "a device that a ledger knows nothing of: 1" {
    local unit
    for unit in attach verify-unit ra-approve ca-sign; do
        run -1 --separate-stderr audit $unit --show T
        [ -z "$output" ]
        [[ $stderr == *': nothing of device "T" is in it' ]]
    done
}

# --- evidence ---

@test "evidence is checked with the root alone, without ledger and configuration" {
    cp "$FILES/listed.evidence" e.pem
    mv "$LINE/etc" "$LINE/etc.away"
    mv "$LINE/var" "$LINE/var.away"
    run -0 --separate-stderr check e.pem --csv
    mv "$LINE/etc.away" "$LINE/etc"
    mv "$LINE/var.away" "$LINE/var"
    [ -z "$stderr" ]
    [ "$(devices <<<"$output")" = 'T1 issued T2 issued X1 refused T3 issued' ]
    local serial
    serial=$(openssl x509 -in "$FILES/listed.out" -noout -serial)
    grep -qi ",T1,${serial#*=},acme,listed,tls-client,attach-1 > verify-unit-1 > ra-approve-1 > Device CA," <<<"$output"
}

@test "evidence of what persons granted: from ca-sign's ledger both rounds, from ra-approve's the grants too" {
    run -0 check "$FILES/two.evidence"
    [[ $output == *"messages: 2"*"grants: 0"*"issued: 2"*"pending: 2"* ]]
    run -0 check "$FILES/two.granted"
    [[ $output == *"messages: 2"*"grants: 2"*"issued: 2"*"pending: 2"* ]]
    [[ $output == *"exported: "*" by the ra-approve ra-approve-1"* ]]
}

@test "a grant that is older than what it grants is refused, whoever exported it" {
    . "$BATS_TEST_DIRNAME/forge.bash"
    ledger ra-approve "select writefile('alice.der', data) from entry where kind = 16 order by id limit 1" >written
    openssl cms -verify -noverify -inform DER -in alice.der -out content.der 2>verified
    forge_unit dora approver root dora
    local seconds
    for seconds in -250 -432000; do
        forged dora type=$ARC.30 time=$seconds <content.der | forge get . >forged.der
        ledger ra-approve "drop trigger if exists entry_update;
            update entry set data = readfile('forged.der') where id = (select min(id) from entry where kind = 16)"
        audit ra-approve --export two >forged.$seconds
    done
    run -0 check forged.-250
    refused forged.-432000 "*: the grant of dora is older than the message"
}

@test "openssl opens every block of evidence" {
    local each
    for each in $(seq 1 "$(count "$FILES/two.granted")"); do
        blocks "$FILES/two.granted" "$each" >block.pem
        openssl cms -verify -inform PEM -in block.pem -CAfile "$PKI/root.pem" -purpose any -out content.der
        openssl asn1parse -inform DER -in content.der >/dev/null
    done
}

@test "a block that was left out, put in, moved or taken from other evidence is found" {
    local e=$FILES/two.granted all without
    all=$(count "$e")
    blocks "$e" $(seq 1 "$all") >same.pem
    run -0 check same.pem
    for without in $(seq 1 $((all - 2))); do
        but "$e" "$without" >out.pem
        refused out.pem "*: block $without is not the one that the manifest names: *"
        [ -z "$output" ]
    done
    but "$e" $((all - 1)) >out.pem
    refused out.pem "*: $((all - 2)) blocks, but the manifest names $((all - 1))"
    blocks "$e" 1 1 $(seq 2 "$all") >twice.pem
    refused twice.pem "*: block 2 is not the one that the manifest names: *"
    blocks "$e" 1 2 4 3 $(seq 5 "$all") >moved.pem
    refused moved.pem "*: block 3 is not the one that the manifest names: *"
    { blocks "$FILES/listed.evidence" 1 && blocks "$e" $(seq 2 "$all"); } >other.pem
    refused other.pem "*: block 1 is not the one that the manifest names: *"
    { blocks "$e" $(seq 1 "$all") && blocks "$e" 1; } >behind.pem
    refused behind.pem "*: a block behind the last manifest"
    [ -z "$output" ]
}

@test "evidence that is cut short is refused, wherever" {
    local e=$FILES/listed.evidence
    blocks "$e" $(seq 1 $(($(count "$e") - 1))) >cut.pem
    refused cut.pem " its end is missing: no last manifest"
    head -c 3000 "$e" >cut.pem
    refused cut.pem "*: truncated*"
    : >empty.pem
    refused empty.pem " its end is missing: no last manifest"
    [ -z "$output" ]
}

@test "a manifest of another export, or by somebody else, is refused" {
    local n
    n=$(count "$FILES/listed.evidence")
    { blocks "$FILES/listed.evidence" $(seq 1 $((n - 1))) && blocks "$FILES/two.evidence" "$(count "$FILES/two.evidence")"; } >other.pem
    refused other.pem "*: block 1 is not the one that the manifest names: *"
    pki_issue stranger /CN=stranger root keyUsage=critical,digitalSignature extendedKeyUsage="$(pki_role attach)"
    blocks "$FILES/listed.evidence" "$n" | forge get 1/0/2/1/0/0 |
        forge-sign "$PKI/stranger.key" "$PKI/stranger.pem" type="$ARC.32" >manifest.pem
    { blocks "$FILES/listed.evidence" $(seq 1 $((n - 1))) && cat manifest.pem; } >forged.pem
    refused forged.pem "*: a manifest signed by the attach stranger"
}

@test "evidence with several manifests: none of them can be left out, moved or be the end" {
    audit-test "$LINE/etc/ca-sign.yaml" two 2 >parts.pem
    # two messages with their answers, and the head: 2 + 2 + 1 blocks, and a manifest behind each
    [ "$(count parts.pem)" -eq 8 ]
    run -0 check parts.pem
    [[ $output == *"messages: 2"*"issued: 2"*"pending: 2"* ]]
    but parts.pem 3 >less.pem
    refused less.pem "*: a manifest that does not follow the one before it"
    but parts.pem 6 >less.pem
    refused less.pem "*: a manifest that does not follow the one before it"
    but parts.pem 8 >less.pem
    refused less.pem " its end is missing: no last manifest"
    blocks parts.pem 4 5 6 1 2 3 7 8 >moved.pem
    refused moved.pem "*: a manifest that does not follow the one before it"
    blocks parts.pem 1 2 3 7 8 >less.pem
    refused less.pem "*: a manifest that does not follow the one before it"
    { blocks parts.pem 1 2 3 && blocks "$FILES/two.evidence" 5 6; } >mixed.pem
    refused mixed.pem "*: a manifest that does not follow the one before it"
    [ -z "$output" ]
}

@test "a block that was altered is refused" {
    local n
    n=$(count "$FILES/listed.evidence")
    { blocks "$FILES/listed.evidence" 1 | forge edit '1/0/4/0/5 body 00' &&
        blocks "$FILES/listed.evidence" $(seq 2 "$n"); } >bad.pem
    refused bad.pem "*: block 1 is not the one that the manifest names: *"
    sed '1s/^/a line that nobody signed\n/' "$FILES/listed.evidence" >text.pem
    refused text.pem "*: text ahead of the block*"
}

@test "evidence for another root is refused" {
    pki_ca elsewhere /CN=Elsewhere elsewhere
    run -3 --separate-stderr command ledger --check "$FILES/listed.evidence" --trust "$PKI/elsewhere.pem"
    [[ $stderr == *"does not lead to a root of the trust" ]]
    [ -z "$output" ]
}

@test "a message by a unit that was revoked before is refused, and one that was revoked since is good" {
    pki_crl root crl.pem
    run -0 check "$FILES/listed.evidence" --crl "$PKI/crl.pem"
    pki_crl root crl.pem -revoke verify
    run -0 check "$FILES/listed.evidence" --crl "$PKI/crl.pem"
    sed -i 's/^R\t\([^\t]*\)\t[^\t]*/R\t\1\t200201000000Z/' "$PKI/ca.root/index"
    pki_crl root crl.pem
    refused "$FILES/listed.evidence" "*: layer 2 (verify-unit): certificate of verify-unit-1 was revoked 2020-02-01T00:00:00Z" \
        --crl "$PKI/crl.pem"
    rm -rf "$PKI/ca.root"
}

@test "a CRL that ends before the newest signature is named: 1; one that has ended since is good" {
    local e=$FILES/listed.evidence at
    check "$e" >checked
    at=$(sed -n 's/^exported: \([^ ]*\) .*/\1/p' checked)
    pki_crl root old.crl 20200101000000Z 20200201000000Z
    pki_crl root before.crl 20200101000000Z "$(date -u -d "$at - 1 second" +%Y%m%d%H%M%SZ)"
    pki_crl root then.crl 20200101000000Z "$(date -u -d "$at" +%Y%m%d%H%M%SZ)"
    run -1 --separate-stderr check "$e" --crl "$PKI/old.crl"
    [ "$output" = "$(<checked)" ]
    [ "$stderr" = "ledger: $PKI/old.crl: its nextUpdate 2020-02-01T00:00:00Z is before the newest signature of $at: who was revoked in between is not in it" ]
    run -1 --separate-stderr check "$e" --crl "$PKI/before.crl" --json
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ "${#lines[@]}" -eq 4 ]
    run -0 --separate-stderr check "$e" --crl "$PKI/then.crl"
    [ -z "$stderr" ]
    rm -rf "$PKI/ca.root"
}

@test "a certificate for another subject than verify-unit prescribed is good, and the row says both names" {
    people_restore granted
    people_lots listed='devices: devices.csv, pop: witness'
    printf '%s\n' profiles: "  - {preset: tls-client, subject: 'serialNumber={device},O=\"Other\\, Ltd\"'}" >"$LINE/etc/other.yaml"
    { cat "$LINE/etc/ca-sign.yaml" && echo 'profiles: other.yaml'; } >"$LINE/etc/ca-other.yaml"
    { line_request N1 && line_request T5 && line_request K1 . --public-key; } | CA_YAML=ca-other line listed >out.pem
    audit ca-sign --export listed >e.pem
    run -0 --separate-stderr check e.pem
    [ -z "$stderr" ]
    [ "$(grep -c 'verify-unit prescribed' <<<"$output")" -eq 2 ] # what T5 is called is its own
    check e.pem --csv >e.csv
    check e.pem --json >e.json
    python3 - <<'END'
import csv, json
notes = {r["device"]: r["note"] for r in csv.DictReader(open("e.csv"))}
assert notes == {o["device"]: o.get("note", "") for o in map(json.loads, open("e.json"))}
said = 'issued: subject "serialNumber=%s,O=Other\\, Ltd", verify-unit prescribed "serialNumber=%s'
assert notes["N1"].endswith("; " + said % ("N1", "N1") + ',CN=as the list says"'), notes
assert notes["K1"] == said % ("K1", "K1") + '"', notes
END
    # as it was prescribed: nothing to say
    line_request N1 >n1.pem
    people_restore granted
    line listed <n1.pem >out.pem
    audit ca-sign --export listed >e.pem
    run -0 --separate-stderr check e.pem
    [[ $output == *" N1 "* && $output != *"verify-unit prescribed"* ]]
}

@test "the head in evidence stands in the ledger that it is from" {
    blocks "$FILES/listed.evidence" $(($(count "$FILES/listed.evidence") - 1)) >head.pem
    run -0 audit ca-sign --verify --heads head.pem
}

@test "an export of a lot that is not there: 1; from attach or verify-unit: 2" {
    run -1 --separate-stderr audit ca-sign --export nothing
    [ -z "$output" ]
    [[ $stderr == *': nothing of lot "nothing" is in it' ]]
    run -2 --separate-stderr audit attach --export listed
    [ -z "$output" ]
    [[ $stderr == "ledger: the ledger of attach has no evidence of its own"* ]]
}

@test "an export that cannot be written to its end is refused by whoever checks it" {
    run -4 --separate-stderr bash -c 'ledger -c "$1" --export listed >/dev/full' - "$LINE/etc/ca-sign.yaml"
    run -1 --separate-stderr bash -c '. "$1"; true' - /dev/null || true
    audit ca-sign --export listed | head -c 5000 >part.pem || true
    run -3 check part.pem
}

@test "options that do not go together are a wrong call: 2" {
    local words
    while read -ra words; do
        run -2 --separate-stderr command ledger "${words[@]}"
        [ -z "$output" ] || return
        [[ $stderr == "ledger: "* ]]
    done <<END
--list
-c x --list --verify
-c x
-c x --show A --json
-c x --verify --lot L
-c x --list --status nonsense
-c x --list --serial xyz
-c x --list --since yesterday
-c x --list --csv --json
-c x --list --heads h
-c x --list --trust t
--check f
-c x --check f --trust t
END
}
