# The audit: signed heads, and what is found of what was done to a ledger.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    line_build forge && line_make "$BATS_FILE_TMPDIR/line" || return
    cd "$BATS_FILE_TMPDIR" || return
    local unit id
    for unit in attach verify-unit ra-approve ca-sign; do
        echo "head: ../var/$unit.heads" >>"$LINE/etc/$unit.yaml"
    done
    for id in T1 T2 X1; do
        line_request $id
    done >first.pem
    for id in T3 T4; do
        line_request $id
    done >second.pem
    line strict <first.pem >first.out 2>/dev/null || [ $? -eq 1 ]
    line_keep one
    line strict <second.pem >second.out
    line_keep two
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore two
}

audit() { ledger -c "$LINE/etc/$1.yaml" "${@:2}"; } # UNIT OPTION...
sql() { sqlite3 "$LINE/var/$1.db" "$2"; }           # UNIT SQL
# edit UNIT SQL: without the triggers, and nothing else
edit() {
    sql "$1" "DROP TRIGGER entry_update; DROP TRIGGER entry_delete; $2"
}
# rebuild UNIT SQL...: then all hashes are computed anew
rebuild() {
    python3 "$TOP/t/rehash.py" "$LINE/var/$1.db" "${@:2}"
}
# whole UNIT [OPTION...]: nothing is found
whole() {
    run -0 --separate-stderr audit "$1" --verify "${@:2}"
    [ -z "$stderr" ] && [[ $output == *"problems: 0"* ]]
}
# found UNIT PATTERN [OPTION...]: --verify ends with 1 and a line that is like this
found() {
    local line
    run -1 --separate-stderr audit "$1" --verify "${@:3}"
    [[ $output != *"problems: 0"* ]] || return
    # shellcheck disable=SC2053,SC2154 # a pattern; bats sets stderr_lines
    for line in "${stderr_lines[@]}"; do
        [[ $line == "ledger: "$2 ]] && return
    done
    printf 'wanted: %s\n' "$2" "$stderr"
    return 1
}
head_ids() { sql "$1" 'select id from entry where kind = 21 order by id'; }

# --- heads ---

@test "the ledger of every unit is whole, and covered to its end" {
    local unit
    for unit in attach verify-unit ra-approve ca-sign; do
        whole $unit
        [[ $output == *"not covered: 0"* ]]
        [[ $output == *"hash links: $(line_entries $unit | awk -v h="$(head_ids $unit | wc -l)" '{ print $1 + h }') in "* ]]
        whole $unit --heads "$LINE/var/$unit.heads"
    done
}

@test "a run in which nothing is recorded signs nothing" {
    local before
    before=$(head_ids verify-unit)
    run -5 verify-unit </dev/null
    run -3 verify-unit <<<rubbish
    [ "$(head_ids verify-unit)" = "$before" ]
}

@test "a head is a CMS message that openssl opens, and names the one before it" {
    local newest before
    audit ca-sign --head >head.pem
    openssl cms -verify -inform PEM -in head.pem -CAfile "$PKI/root.pem" -purpose any -out content.der
    openssl asn1parse -inform DER -in content.der >parsed
    newest=$(sql ca-sign 'select lower(hex(digest_out)) from entry where kind = 21 order by id desc limit 1')
    before=$(sql ca-sign 'select hex(digest_out) from entry where kind = 21 order by id desc limit 1 offset 1')
    [ "$(openssl cms -cmsout -in head.pem -inform PEM -outform DER | sha256sum | cut -d' ' -f1)" = "$newest" ]
    grep -q "UTF8STRING *:Device CA" parsed
    grep -q "OCTET STRING *\[HEX DUMP\]:$before" parsed
}

@test "a unit signs while it waits for messages" {
    line_restore one
    echo 'head-every: 1s' >"$BATS_TEST_TMPDIR/every"
    cat "$LINE/etc/verify-unit.yaml" "$BATS_TEST_TMPDIR/every" >"$LINE/etc/often.yaml"
    local n
    n=$(head_ids verify-unit | wc -l)
    attach --lot open <"$BATS_FILE_TMPDIR/second.pem" >up.pem
    mkfifo in
    VERIFY_YAML=often verify-unit <in >out.pem &
    local pid=$!
    exec 7>in
    cat up.pem >&7
    signed() { [ "$(head_ids verify-unit | wc -l)" -gt "$n" ]; }
    await signed
    [ "$(head_ids verify-unit | wc -l)" -eq $((n + 1)) ]
    kill -0 $pid
    exec 7>&-
    wait $pid
    [ "$(head_ids verify-unit | wc -l)" -eq $((n + 1)) ]
    whole verify-unit
}

@test "the next head covers what a unit that was killed left behind" {
    local pid
    attach --lot open <"$BATS_FILE_TMPDIR/second.pem" >up.pem
    mkfifo in
    bash -c 'exec verify-unit -c "$1"' - "$LINE/etc/verify-unit.yaml" <in >out.pem &
    pid=$!
    exec 7>in
    cat up.pem >&7
    await whole_block out.pem
    kill -9 $pid
    ended 137 $pid
    exec 7>&-
    whole verify-unit
    [[ $output == *"not covered: "[1-9]* ]]
    verify-unit <up.pem >again.pem
    cmp out.pem again.pem
    whole verify-unit
    [[ $output == *"not covered: 0"* ]]
}

@test "processes that share a ledger make one chain of heads" {
    local i pid pids=()
    line_restore one
    for i in 1 2 3 4; do
        line_request "P$i" >"$i.pem"
    done
    for i in 1 2 3 4; do
        attach --lot open <"$i.pem" >"$i.up" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        ended 0 "$pid"
    done
    whole attach --heads "$LINE/var/attach.heads"
    [[ $output == *"not covered: 0"* ]]
}

@test "a clock that was set back by some seconds leaves heads in their order" {
    local now
    now=$(date +%s)
    CERTLINE_CLOCK=$((now + 20)) attach --lot open <"$BATS_FILE_TMPDIR/second.pem" >/dev/null
    line_request B1 >b.pem
    CERTLINE_CLOCK=$((now + 17)) attach --lot open <b.pem >/dev/null
    whole attach
}

@test "a file of heads that cannot be written ends the unit with 4, and its messages are out" {
    sed 's|^head: .*|head: /dev/full|' "$LINE/etc/verify-unit.yaml" >"$LINE/etc/full.yaml"
    attach --lot open <"$BATS_FILE_TMPDIR/second.pem" >up.pem
    VERIFY_YAML=full run -4 --separate-stderr verify-unit <up.pem
    [ "$stderr" = "verify-unit: /dev/full: No space left on device" ]
    [[ $output == *END\ CMS* ]]
    whole verify-unit
}

@test "--check says where heads are kept; head-every is a duration of a second at least" {
    run -0 verify-unit --check
    [[ $output == *"head: $LINE/etc/../var/verify-unit.heads"* ]]
    { cat "$LINE/etc/verify-unit.yaml" && echo 'head-every: 0s'; } >"$LINE/etc/never.yaml"
    VERIFY_YAML=never run -2 --separate-stderr verify-unit --check
    [[ $stderr == *"never.yaml:"*head-every* ]]
}

@test "what was signed stays good when certificates have ended" {
    export CERTLINE_CLOCK=4102444800
    run -0 audit ca-sign --verify
    [[ $output == *"problems: 0"* ]]
}

@test "a unit that was revoked: what it signed before stays good, what after is found" {
    local now
    now=$(date +%s)
    for when in "$((now - 86400)) 1" "$((now + 86400)) 0"; do
        rm -rf "$PKI/ca.root"
        CERTLINE=$(date -u -d "@${when% *}" +%Y%m%d%H%M%SZ)
        pki_crl root crl.pem -revoke attach
        # the date of the revocation is when openssl was told: rewritten in its index
        sed -i "s/^R\t\([^\t]*\)\t[^\t]*/R\t\1\t${CERTLINE:2}/" "$PKI/ca.root/index"
        pki_crl root crl.pem
        cat "$LINE/etc/ca-sign.yaml" >"$LINE/etc/revoked.yaml"
        echo 'crl: ../pki/crl.pem' >>"$LINE/etc/revoked.yaml"
        run "-${when#* }" --separate-stderr audit revoked --verify
        [ "${when#* }" = 0 ] || [[ $stderr == *"layer 3 (attach): certificate of attach-1 was revoked "* ]]
    done
    rm -rf "$PKI/ca.root"
}

@test "a CRL in the configuration that ends before the newest signature is a problem" {
    local at
    at=$(audit ca-sign --verify | sed -n 's/^covered: .*, //p')
    { cat "$LINE/etc/ca-sign.yaml" && echo 'crl: ../pki/crl.pem'; } >"$LINE/etc/old.yaml"
    pki_crl root crl.pem 20200101000000Z 20200201000000Z
    found old "*/crl.pem: its nextUpdate 2020-02-01T00:00:00Z is before the newest signature of $at: who was revoked in between is not in it"
    [[ $output == *"problems: 1" ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    pki_crl root crl.pem 20200101000000Z "$(date -u -d "$at" +%Y%m%d%H%M%SZ)"
    whole old
    rm -rf "$PKI/ca.root"
}

# --- what is found in the chains ---

@test "an entry that was removed is named" {
    edit ra-approve 'DELETE FROM entry WHERE id = 4'
    found ra-approve '*: entry 4: missing'
}

@test "an entry that was altered is named" {
    edit ca-sign "UPDATE entry SET device = 'T9' WHERE id = (SELECT min(id) FROM entry WHERE kind = 12)"
    found ca-sign "*: entry $(sql ca-sign 'select min(id) from entry where kind = 12'): its hash does not fit the chain"
}

@test "an entry that was put in is named" {
    edit verify-unit 'INSERT INTO entry SELECT (SELECT max(id) + 1 FROM entry), time, kind, tid, run, part, unit, owner, lot,
        profile, device, key, serial, digest_in, digest_out, status, note, writer, n, hash, data FROM entry WHERE id = 1'
    found verify-unit "*: entry $(sql verify-unit 'select max(id) from entry'): its number in the chain is wrong"
}

@test "entries that changed places are named" {
    edit verify-unit 'UPDATE entry SET id = -1 WHERE id = 1; UPDATE entry SET id = 1 WHERE id = 2; UPDATE entry SET id = 2 WHERE id = -1'
    found verify-unit '*: entry 1: *'
}

@test "each of several entries that were altered or removed is named for itself" {
    edit ca-sign 'UPDATE entry SET status = 7 WHERE id IN (2, 5); DELETE FROM entry WHERE id IN (8, 9)'
    found ca-sign '*: entry 2: its hash does not fit the chain'
    found ca-sign '*: entry 5: its hash does not fit the chain'
    found ca-sign '*: entries 8 to 9: missing'
    [ "$(grep -c 'does not fit the chain$' <<<"$stderr")" -eq 2 ]
}

# A database finds no entry of kind 4294967315 that looks for revocations.
@test "what a hash does not cover of a field is not there: octets behind a NUL, bits above the 32nd, nothing twice" {
    local change
    for change in 'kind = kind + 4294967296' 'part = part + 4294967296' "lot = lot || char(0) || 'x'" \
        "owner = owner || char(0)" "unit = unit || char(0) || '2'" "run = x''" "digest_in = x''"; do
        line_restore two
        edit ca-sign "UPDATE entry SET $change WHERE id = 2"
        found ca-sign '*: entry 2: a field of it holds more than its hash covers'
    done
    line_restore two
    sql ca-sign "DROP TRIGGER writer_update; UPDATE writer SET program = program || char(0) WHERE id = 1"
    found ca-sign '*: writer 1: a name with a NUL in it'
}

@test "a writer that wrote nothing was put in" {
    sql verify-unit "INSERT INTO writer SELECT max(id) + 1, randomblob(16), unit, program, opened FROM writer"
    found verify-unit "*: writer $(sql verify-unit 'select max(id) from writer'): it wrote no entry"
}

# --- what is found in the tables themselves ---

# emptied INDEX COLUMN CONDITION: it says that it is what it was, and holds nothing
emptied() {
    local was
    was=$(sql ca-sign "SELECT sql FROM sqlite_master WHERE name = '$1'")
    sqlite3 "$LINE/var/ca-sign.db" ".dbconfig defensive off" "DROP INDEX $1; CREATE INDEX $1 ON entry ($2) WHERE kind = 99" \
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = '$was' WHERE name = '$1'" >/dev/null
}

@test "an index that does not hold an entry is found: by it a revocation would not be" {
    local id
    command ca-revoke -c "$LINE/etc/ca-sign.yaml" --device T3 --reason keyCompromise --why lost --count 1
    whole ca-sign
    id=$(sql ca-sign 'select id from entry where kind = 19')
    emptied entry_revoked serial
    [ "$(audit ca-sign --list --status revoked | wc -l)" -eq 1 ]
    found ca-sign "*: its tables and indexes disagree: row $id missing from index entry_revoked"
}

@test "a table, view, index or trigger that a unit does not make is found, and one that is missing" {
    local change
    while read -r change; do
        line_restore two
        sql ca-sign "${change#*=}"
        found ca-sign "*: its ${change%%=*}"
    done <<'END'
trigger "entry_delete" is missing=DROP TRIGGER entry_delete
index "entry_rare" is missing=DROP INDEX entry_rare
trigger "more" is none that a unit makes=CREATE TRIGGER more AFTER INSERT ON entry BEGIN DELETE FROM fresh; END
view "entry" is not as a unit makes it=ALTER TABLE entry RENAME TO kept; CREATE VIEW entry AS SELECT * FROM kept
trigger "entry_counted" is not as a unit makes it=DROP TRIGGER entry_counted; CREATE TRIGGER entry_counted AFTER INSERT ON entry BEGIN SELECT 1; END
table "quota" is none that a unit makes=PRAGMA user_version = 1
table meta was altered: format=UPDATE meta SET value = 1 WHERE name = 'format'
table meta was altered: more=INSERT INTO meta VALUES ('more', 'x')
table meta was altered: unit=UPDATE meta SET value = value || char(0) || 'x' WHERE name = 'unit'
END
    line_restore two
    sql ca-sign ANALYZE
    whole ca-sign
}

# --- what is found by the heads, all hashes being computed anew ---

# covers UNIT N: "A to B", what the N-th head covers
covers() {
    sql "$1" "SELECT (ifnull(lag(status) OVER (ORDER BY id), 0) + 1) || ' to ' || status FROM entry WHERE kind = 21" | sed -n "$2p"
}

@test "computing all hashes anew without a change leaves the ledger whole" {
    local unit
    for unit in attach verify-unit ra-approve ca-sign; do
        rebuild $unit
        whole $unit
    done
}

@test "an entry that was removed and the hashes computed anew: the head of that time does not fit" {
    rebuild attach "DELETE FROM entry WHERE kind = 8"
    found attach "*: entry *: the head signed * which is missing: of the entries * some were removed"
}

@test "an entry that was altered and the hashes computed anew: the head of that time does not fit" {
    local id at
    id=$(head_ids attach | sed -n 1p)
    at=$(covers attach 1)
    rebuild attach "UPDATE entry SET note = 'all was well' WHERE kind = 4 AND id <= 10 * $id"
    found attach "*: entry $id: the head signed * does not fit the chain of writer 1: of the entries $at some were altered since"
}

@test "an entry that was put in and the hashes computed anew: the head of that time does not fit" {
    rebuild verify-unit 'INSERT INTO entry SELECT 15, time, kind, tid, run, part, unit, owner, lot, profile, device, key,
        serial, digest_in, digest_out, status, note, writer, 0, hash, data FROM entry WHERE id = 10'
    found verify-unit "*: entry *: the head signed *"
}

@test "entries that changed places and the hashes computed anew: the head of that time does not fit" {
    rebuild attach 'UPDATE entry SET id = 15 WHERE id = 30'
    found attach "*: entry *: the head signed * some were altered since"
}

@test "an end that was cut off ahead of the head that covers it is found" {
    local last
    last=$(head_ids verify-unit | tail -n 1)
    rebuild verify-unit "DELETE FROM entry WHERE id >= 10 * $((last - 1)) AND kind <> 21"
    found verify-unit "*: entry *: *"
}

@test "an end that was cut off with its heads is found by the heads that were kept elsewhere" {
    local first second
    first=$(head_ids ca-sign | sed -n 1p)
    second=$(sql ca-sign 'select max(status) from entry where kind = 21')
    rebuild ca-sign "DELETE FROM entry WHERE id > 10 * $first"
    whole ca-sign
    found ca-sign "*ca-sign.heads:*: the head signed * covers entries to $second, but the ledger ends at entry $first: its end was cut off" \
        --heads "$LINE/var/ca-sign.heads"
}

@test "an end that was cut off and grew again is found by the heads that were kept elsewhere" {
    cp "$LINE/var/verify-unit.heads" kept
    line_restore one
    attach --lot open <"$BATS_FILE_TMPDIR/second.pem" | line_middle >/dev/null
    whole verify-unit
    found verify-unit "kept:*: the head signed *, which covers entries to *, is not in the ledger: *" --heads kept
}

@test "an older copy of the whole ledger is found by the heads that were kept elsewhere" {
    cp "$LINE/var/attach.heads" kept
    line_restore one
    whole attach
    found attach "kept:*: *its end was cut off" --heads kept
}

@test "entries of another ledger in place of its own are found" {
    line_keep mine
    line_restore empty
    line strict <"$BATS_FILE_TMPDIR/second.pem" >/dev/null
    cp "$LINE/var/verify-unit.db" other.db
    line_restore mine
    rebuild verify-unit "attach $PWD/other.db" 'UPDATE entry SET (tid, key, digest_in, digest_out, data) =
        (SELECT tid, key, digest_in, digest_out, data FROM other.entry WHERE id = 1) WHERE id = 10'
    found verify-unit "*: entry *: the head signed *"
}

@test "the ledger of another unit is not taken for this one's: 2" {
    cp "$LINE/var/ra-approve.db" "$LINE/var/verify-unit.db"
    run -2 --separate-stderr audit verify-unit --verify
    [[ $stderr == *'the ledger of unit "ra-approve-1", not of "verify-unit-1"' ]]
}

@test "a head in place of which stands one of another unit is found" {
    rebuild verify-unit "attach $LINE/var/ra-approve.db" "UPDATE entry SET (digest_out, data) =
        (SELECT digest_out, data FROM other.entry WHERE kind = 21 LIMIT 1) WHERE id = 10 * $(head_ids verify-unit | tail -n 1)"
    found verify-unit "*: entry $(head_ids verify-unit | tail -n 1): a head of the ra-approve ra-approve-1, not of this unit"
}

@test "a head in place of which stands another of this unit's is found" {
    local last
    last=$(head_ids verify-unit | tail -n 1)
    rebuild verify-unit "UPDATE entry SET (digest_out, data, key, status) =
        (SELECT digest_out, data, key, status FROM entry WHERE kind = 21 ORDER BY id LIMIT 1) WHERE id = 10 * $last"
    found verify-unit "*: entry $last: a head that does not follow the one in entry *: heads between them were removed or put in"
}

@test "a head that was altered is found" {
    local last
    last=$(head_ids verify-unit | tail -n 1)
    sql verify-unit "select hex(data) from entry where id = $last" | xxd -r -p >head.der
    forge pem CMS <head.der | forge edit '1/0/2/1/0/0/4 body 7f' >bad.pem
    rebuild verify-unit "UPDATE entry SET data = x'$(openssl cms -cmsout -inform PEM -in bad.pem -outform DER | xxd -p | tr -d '\n')'
        WHERE id = 10 * $last"
    found verify-unit "*: entry $last: the signed attributes do not match content and signer (verify-unit-1)"
}

@test "a head that was taken out is found by the next one" {
    local first
    first=$(head_ids verify-unit | sed -n 1p)
    rebuild verify-unit "DELETE FROM entry WHERE id = 10 * $first"
    found verify-unit "*: entry *: a head that names one before it, which is missing"
}

@test "a ledger without any head is not believed" {
    rebuild verify-unit 'DELETE FROM entry WHERE kind = 21'
    found verify-unit '*: no signed head covers it'
}

# --- what is found in the messages, behind the last head ---

# uncovered: the last run of the line, and no head for it
uncovered() {
    local unit
    for unit in attach verify-unit ra-approve ca-sign; do
        rebuild $unit "DELETE FROM entry WHERE kind = 21 AND id > 10 * $(head_ids $unit | sed -n 1p)"
        whole $unit
    done
}

@test "a message that another was put in place of is named" {
    uncovered
    local id
    id=$(sql verify-unit 'select max(id) from entry where kind = 9')
    rebuild verify-unit "UPDATE entry SET data = (SELECT data FROM entry WHERE kind = 9 ORDER BY id LIMIT 1) WHERE id = 10 * $id"
    found verify-unit "*: entry $id: not the message whose digest is recorded"
}

@test "a message that was altered, and its digest with it, is named with the layer" {
    uncovered
    local id
    id=$(sql ca-sign 'select max(id) from entry where kind = 13')
    sql ca-sign "select hex(data) from entry where id = $id" | xxd -r -p >m.der
    # the device's name in attach's layer, three deep: the strings, not what a signature may hold of these letters
    perl -0777 -pe 's/([\x0c\x13]\x02T)4/${1}5/g' m.der >bad.der
    rebuild ca-sign "UPDATE entry SET data = x'$(xxd -p bad.der | tr -d '\n')',
        digest_in = x'$(sha256sum bad.der | cut -d' ' -f1)' WHERE id = 10 * $id"
    found ca-sign "*: entry $id: layer 1 (ra-approve): the signed attributes do not match content and signer (ra-approve-1)"
}

@test "a certificate in place of another is named" {
    uncovered
    local id
    id=$(sql ca-sign 'select max(id) from entry where kind = 12')
    rebuild ca-sign "UPDATE entry SET data = (SELECT data FROM entry WHERE kind = 12 ORDER BY id LIMIT 1) WHERE id = 10 * $id"
    found ca-sign "*: entry $id: the certificate is not the one recorded"
}

@test "a certificate that the CA did not sign is named" {
    uncovered
    local id
    id=$(sql ca-sign 'select max(id) from entry where kind = 12')
    sql ca-sign "select hex(data) from entry where id = $id" | xxd -r -p >c.der
    # the last octet of the signature
    perl -0777 -pe 's/(.)\z/chr(ord($1) ^ 1)/se' c.der >bad.der
    rebuild ca-sign "UPDATE entry SET data = x'$(xxd -p bad.der | tr -d '\n')' WHERE id = 10 * $id"
    found ca-sign "*: entry $id: a certificate that its issuer did not sign"
}

@test "a message under another unit's name, lot or transaction is named" {
    uncovered
    local id
    id=$(sql ra-approve 'select max(id) from entry where kind = 9')
    line_keep uncovered
    rebuild ra-approve "UPDATE entry SET unit = 'attach-2' WHERE id = 10 * $id"
    found ra-approve "*: entry $id: recorded as of attach-2, but signed by attach-1"
    line_restore uncovered
    rebuild ra-approve "UPDATE entry SET lot = 'L7' WHERE id = 10 * $id"
    found ra-approve "*: entry $id: recorded for another lot or profile than the message names"
    line_restore uncovered
    rebuild ra-approve "UPDATE entry SET tid = randomblob(16) WHERE id = 10 * $id"
    found ra-approve "*: entry $id: recorded under another transactionId"
}

@test "a message that another unit of this kind signed is named" {
    uncovered
    local id
    id=$(sql ra-approve 'select max(id) from entry where kind = 9')
    rebuild ra-approve "attach $LINE/var/verify-unit.db" "UPDATE entry SET (digest_out, data) =
        (SELECT digest_out, data FROM other.entry WHERE kind = 9 ORDER BY id DESC LIMIT 1) WHERE id = 10 * $id"
    found ra-approve "*: entry $id: layer 1 (ra-approve): signed by verify-unit-1, whose role is verify-unit, not ra-approve"
}

# --- reading ---

@test "reading needs no token and writes nothing" {
    local before
    before=$(sha256sum "$LINE/var/ca-sign.db")
    mv "$LINE/tokens" "$LINE/tokens.away"
    run -0 audit ca-sign --verify
    run -0 audit ca-sign --list
    run -0 audit ca-sign --head
    mv "$LINE/tokens.away" "$LINE/tokens"
    [ "$(sha256sum "$LINE/var/ca-sign.db")" = "$before" ]
}

@test "a ledger that is not there, or none, ends --verify with 4 or 2" {
    mv "$LINE/var/ca-sign.db" gone
    run --separate-stderr audit ca-sign --verify
    [ "$status" -eq 4 ] || [ "$status" -eq 2 ]
    [ ! -e "$LINE/var/ca-sign.db" ]
    echo nonsense >"$LINE/var/ca-sign.db"
    run -2 --separate-stderr audit ca-sign --verify
    [[ $stderr == *": not a ledger" ]]
    : >"$LINE/var/ca-sign.db"
    run -2 --separate-stderr audit ca-sign --verify
    [[ $stderr == *": not a ledger" ]]
    rm "$LINE/var/ca-sign.db"
    mkfifo "$LINE/var/ca-sign.db" # nobody writes into it
    run -2 --separate-stderr audit ca-sign --verify
    [[ $stderr == *": not a ledger" ]]
}

@test "a file of heads that is empty, or none, is told" {
    : >empty
    found verify-unit "empty: no signed head in it" --heads empty
    run -4 --separate-stderr audit verify-unit --verify --heads missing
    [ "$stderr" = "ledger: missing: No such file or directory" ]
    printf -- '-----BEGIN CMS-----\nAAAA\n' >cut
    found verify-unit "cut:1: truncated*" --heads cut
    found verify-unit "*root.pem:*: not *" --heads "$PKI/root.pem"
}

# --- what the reader may not write ---

# copied: ca-sign's ledger as COPY, in a folder of its own; configuration "copy"
copied() {
    COPY=$PWD/copy/'a ?#%31.db'
    mkdir -p copy
    cp "$LINE/var/ca-sign.db" "$COPY"
    sed "s|^ledger: .*|ledger: '$COPY'|" "$LINE/etc/ca-sign.yaml" >"$LINE/etc/copy.yaml"
    chmod 444 "$COPY"
    chmod 555 copy
}
teardown() { [ ! -e copy ] || chmod 755 copy; }
# reads OPTION...: as somebody who may not write there
reads() { plainly ledger -c "$LINE/etc/copy.yaml" "$@"; }
# needs WHY: no option is of use, and a sentence says what is
needs() {
    local option
    for option in --list --verify --head '--show T3'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr reads $option
        [ -z "$output" ]
        [ "${stderr_lines[0]}" = "ledger: $COPY: cannot be read by somebody who may not write to its folder: $1" ]
        [ "${stderr_lines[1]}" = "ledger: hint: let its owner make a copy: sqlite3 FILE '.backup COPY', certline-unit(5)" ]
        [ "${#stderr_lines[@]}" -eq 2 ]
    done
}

@test "a copy that its reader may not write is read as it lies there, and says so with -v; --export refuses: 4" {
    local option
    copied
    for option in '--list --csv' --head '--show T3'; do
        # shellcheck disable=SC2086
        audit ca-sign $option >writable
        # shellcheck disable=SC2086
        run -0 --separate-stderr reads $option
        [ "$output" = "$(<writable)" ]
        [ -z "$stderr" ]
    done
    run -0 --separate-stderr reads --verify --heads "$LINE/var/ca-sign.heads"
    [[ -z $stderr && $output == *"problems: 0" ]]
    run -0 --separate-stderr reads -v --head
    [[ $stderr == *"ledger: $COPY: may not be written, so it is read as a copy that nobody changes"* ]]
    run -4 --separate-stderr reads --export strict
    [ -z "$output" ]
    [ "$stderr" = "ledger: $COPY: not writable" ]
    [ "$(ls copy)" = "${COPY##*/}" ]
    # whoever may write there reads as ever
    chmod 755 copy && chmod 644 "$COPY"
    run -0 --separate-stderr reads -v --head
    [[ $stderr != *"that nobody changes"* ]]
}

@test "on a file system that is read-only a ledger can be read, also by root" {
    copied
    chmod 755 copy && chmod 644 "$COPY"
    local who=()
    [ "$(id -u)" -eq 0 ] || who=(--map-root-user)
    # shellcheck disable=SC2016
    run -0 --separate-stderr unshare --mount "${who[@]}" bash -c 'mount --bind copy copy && mount -o remount,ro,bind copy &&
        exec ledger -v -c "$0" --verify' "$LINE/etc/copy.yaml"
    [[ $output == *"problems: 0" && $stderr == *"that nobody changes"* ]]
}

@test "a ledger that somebody may change is not read without a lock: 2, and what is needed" {
    copied
    chmod 755 copy
    : >"$COPY-wal"
    chmod 555 copy
    needs 'what was committed last stands in its -wal'
    ln -s "$COPY" .
    sed -i "s|^ledger: .*|ledger: '$PWD/${COPY##*/}'|" "$LINE/etc/copy.yaml" # beside the link there is no -wal
    COPY=$PWD/${COPY##*/} needs 'what was committed last stands in its -wal'
    rm -rf copy
    copied
    chmod 644 "$COPY"
    needs 'the file itself may be written'
}

@test "a ledger that another process has open is not read without a lock, whatever it is called here" {
    local pid
    copied
    mkfifo in
    chmod 755 copy
    rm "$COPY"
    ln "$LINE/var/ca-sign.db" "$COPY"
    command sqlite3 "$LINE/var/ca-sign.db" <in >out &
    pid=$!
    exec 7>in
    echo "select 'open' from entry limit 1;" >&7
    await holds open out
    chmod 444 "$COPY"
    chmod 555 copy
    needs 'another process has it open'
    exec 7>&-
    ended 0 $pid
    run -0 --separate-stderr reads --verify
}

@test "a copy that is changed while it is read: 4" {
    local pid
    copied
    mkfifo heads
    plainly ledger -c "$LINE/etc/copy.yaml" --verify --heads heads >out 2>err &
    pid=$!
    exec 7>heads # it has read all entries once it opens this
    touch -d '2 days ago' "$COPY"
    cat "$LINE/var/ca-sign.heads" >&7
    exec 7>&-
    ended 4 $pid
    [ "$(<err)" = "ledger: $COPY: was changed while it was read" ]
}
