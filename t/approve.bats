# Approval by people: what waits, who may grant it, and what of a grant counts.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build forge forge-sign ledger-test && people_line "$BATS_FILE_TMPDIR/line" || return
    # One message that waits for two people.
    cd "$BATS_FILE_TMPDIR" || return
    { line_request A && line_request B; } >two.pem
    attach --lot two <two.pem >"$LINE/1.pem"
    line_middle <"$LINE/1.pem" >"$LINE/6.pem"
    attach <"$LINE/6.pem" 2>waits || [ $? -eq 4 ]
    line_keep waiting
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    cd "$BATS_TEST_TMPDIR" || return
    people_restore waiting
}

# says CODE LINE COMMAND...: nothing on stdout, one line on stderr (and a hint, perhaps), nothing recorded
says() {
    local code=$1 want="ra-approve: $2" before
    before=$(line_entries ra-approve)
    run --separate-stderr "${@:3}"
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq "$code" ] && [ -z "$output" ] && [[ ${stderr_lines[0]} == $want ]] &&
        [[ ${stderr_lines[1]-hint:} == *hint:* ]] && [ "$(line_entries ra-approve)" = "$before" ] || {
        printf '%s\n' "status $status, not $code" "$output" "$stderr" "wanted: $want"
        return 1
    }
}
state_of() { ra-approve --show "$1" | sed -n 's/^state: //p'; } # ID
serial_of() { openssl x509 -noout -serial; }

# --- the whole round ---

@test "a message waits until two people granted it; then every device has its certificate" {
    line_restore empty
    run -4 --separate-stderr asks two A B C
    [ -z "$output" ]
    [[ ${stderr_lines[0]} == 'attach: A: waits for approval, ask again with attach --poll after '* ]]
    run -1 --separate-stderr ra-approve --list
    [ -z "$stderr" ]
    grep -xE '[0-9a-f]{8} two acme attach-1 3 20..-..-..T..:..:..Z 0 of 2' <<<"${output//$'\t'/ }"
    id=${output%%$'\t'*}
    run -4 --separate-stderr polls
    [ -z "$output" ]
    run -0 --separate-stderr grant alice "$id"
    [ -z "$output$stderr" ]
    run -1 ra-approve --list
    [[ $output == *$'\t1 of 2' ]]
    run -4 --separate-stderr polls
    [ -z "$output" ]
    run -0 grant bob "$id"
    run -0 ra-approve --list
    [ -z "$output" ]
    run -0 --separate-stderr polls --out certs
    for d in A B C; do
        openssl verify -CAfile "$PKI/root.pem" -untrusted "$PKI/ca.pem" certs/$d.pem
    done
    run -0 attach --unanswered
    [ -z "$output" ]
    run -0 ledger-test "$LINE/var/ra-approve.db" ra-approve-1 verify
}

@test "what waits is shown as it would be certified, with the key, the differences and who granted" {
    line_restore empty
    {
        line_request T1 . --san dns:t1.example --san dns:also.example
        line_request X9
    } >r.pem
    people_lots listed='devices: devices.csv, approve: 2'
    line listed <r.pem 2>err || [ $? -eq 4 ]
    id=$(waiting)
    grant alice "$id"
    run -0 ra-approve --show "$id"
    key=$(openssl pkey -in T1.key -pubout -outform DER | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    [[ ${lines[0]} == "id: $id"* ]]
    grep -x "transaction: $(ledger ra-approve 'select lower(hex(tid)) from entry where kind = 15')" <<<"$output"
    grep -x 'lot: listed' <<<"$output"
    grep -x 'owner: acme' <<<"$output"
    grep -x 'verify-unit: verify-unit-1' <<<"$output"
    grep -x 'requests: 2' <<<"$output"
    grep -x 'state: waits, 1 of 2' <<<"$output"
    grep -xE 'granted by: alice, 20..-..-..T..:..:..Z' <<<"$output"
    [[ $output == *"
101: T1
  subject: serialNumber=T1
  subjectAltName: dns:t1.example, dns:also.example
  key: P-256, SHA-256 $key
102: X9
  refused: by verify-unit: "* ]]
    run -0 ra-approve --show "${id^^}"
    csr-make --key N1.key --new-key P-256 --subject 'serialNumber=N1,CN=test' | line listed 2>err || [ $? -eq 4 ]
    run -0 ra-approve --show "$(waiting)"
    [[ $output == *'  subject: serialNumber=N1,CN=as the list says'* ]]
    [[ $output == *'  differences: subject CN was "test", the list says "as the list says"'* ]]
}

@test "a grant is a CMS that openssl verifies, over the digest of the very message" {
    grant alice "$(waiting)"
    ledger ra-approve "select writefile('grant.der', data) from entry where kind = 16" >written
    ledger ra-approve "select writefile('held.der', data) from entry where kind = 15" >written
    openssl cms -verify -inform DER -in grant.der -CAfile "$PKI/root.pem" -purpose any -out content.der -signer who.pem
    openssl x509 -in who.pem -noout -subject | grep -x 'subject=CN = alice'
    openssl asn1parse -inform DER -in content.der >parsed
    grep -qi "OCTET STRING.*$(openssl dgst -sha256 -r held.der | cut -d ' ' -f 1)" parsed
    grep -q 'UTF8STRING *:two' parsed
    grep -q 'UTF8STRING *:attach-1' parsed
    grep -q 'UTF8STRING *:ra-approve-1' parsed
    grep -qi "INTEGER *:$(ledger ra-approve 'select hex(tid) from entry where kind = 15' | sed 's/^0*//')" parsed
    openssl cms -cmsout -print -inform DER -in grant.der -noout | grep -q "eContentType: undefined ($ARC.30)"
    cmp <(ledger ra-approve 'select hex(key) from entry where kind = 16') \
        <(openssl x509 -in "$PKI/alice.pem" -noout -pubkey | openssl pkey -pubin -outform DER |
            openssl dgst -sha256 -r | cut -d ' ' -f 1 | tr a-f A-F)
}

@test "a person refuses, and the reason reaches every device" {
    id=$(waiting)
    grant alice "$id"
    run -0 --separate-stderr refuse bob "$id" 'not ordered by anyone'
    [ -z "$output$stderr" ]
    run -0 ra-approve --list
    run -1 --separate-stderr polls
    [ -z "$output" ]
    [ "$stderr" = 'attach: A: refused: ra-approve: refused by bob: not ordered by anyone (failInfo badRequest)
attach: B: refused: ra-approve: refused by bob: not ordered by anyone (failInfo badRequest)' ]
    [ "$(state_of "$id")" = 'refused, 1 of 2' ]
    [ "$(ledger ca-sign 'select count(*) from entry where kind = 12')" -eq 0 ]
    run -0 attach --unanswered
}

@test "what was refused on arrival stays refused, and waits for nobody" {
    line_restore empty
    people_lots listed='devices: devices.csv, approve: 1'
    run -4 --separate-stderr asks listed T1 X1
    [[ $stderr == *'attach: X1: refused: verify-unit: '* ]]
    [[ $stderr == *'attach: T1: waits for approval'* ]]
    grant carol "$(waiting)"
    run -1 --separate-stderr polls
    [ "$(grep -c BEGIN <<<"$output")" -eq 1 ]
    [[ $stderr == 'attach: X1: refused: verify-unit: '* ]]
}

@test "a request that ra-approve refused on arrival is not let through when the files say otherwise later" {
    line_restore empty
    # The quota is used up for C, then raised.
    people_lots few='quota: 1, approve: 1'
    asks few A 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    sleep 1.1
    attach --poll | verify-unit | ra-approve >lost.pem
    asks few A C 2>err || [ $? -eq 4 ]
    grep -F 'attach: C: refused: ra-approve: the quota of lot "few" (1) is used up' err
    people_lots few='quota: 9, approve: 1'
    id=$(waiting)
    run -0 ra-approve --show "$id"
    [[ $output == *'102: C
  refused: the quota of lot "few" (1) is used up'* ]]
    grant alice "$id"
    run -1 --separate-stderr polls
    [ "$(ledger ca-sign "select group_concat(distinct device) from entry where kind = 12")" = A ]
}

@test "when all is refused, nothing waits" {
    line_restore empty
    people_lots listed='devices: devices.csv, approve: 1'
    run -1 asks listed X1 X2
    run -0 ra-approve --list
    [ "$(ledger ra-approve 'select count(*) from entry where kind = 15')" -eq 0 ]
}

@test "a lot with approve: auto waits for nobody" {
    line_restore empty
    run -0 asks free A
    run -0 ra-approve --list
    [ -z "$output" ]
}

@test "who grants needs the own token only, who lists none" {
    sed 's/token=hsm2/token=elsewhere/; s/etc.pin$/etc\/no-pin/' "$LINE/etc/ra-approve.yaml" >"$LINE/etc/keyless.yaml"
    export RA_YAML=keyless
    run -2 --separate-stderr ra-approve --check
    id=$(waiting)
    run -0 ra-approve --show "$id"
    run -0 grant alice "$id"
    run -0 refuse bob "$id" no
}

# --- releases ---

@test "quota, window and names are judged again when it is released" {
    line_restore empty
    people_lots fewer='quota: 2, approve: 1' one='approve: 1'
    asks fewer A B 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    people_lots fewer='quota: 1, approve: 1'
    run -1 --separate-stderr polls
    [ "$(grep -c BEGIN <<<"$output")" -eq 1 ]
    [ "$stderr" = 'attach: B: refused: ra-approve: the quota of lot "fewer" (1) is used up (failInfo badRequest)' ]
    asks one C 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    people_lots one='approve: 1, until: 2020-01-01'
    run -1 --separate-stderr polls
    [ -z "$output" ]
    [[ $stderr == 'attach: C: refused: '*'lot'*'one'*'2020-01-01'* ]]
}

@test "a device that the list lost while it waited is refused" {
    line_restore empty
    cp "$LINE/etc/devices.csv" keep.csv
    people_lots listed='devices: devices.csv, approve: 1'
    asks listed T1 T2 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    sed -i '/^T2,/d' "$LINE/etc/devices.csv"
    run -1 --separate-stderr polls
    cp keep.csv "$LINE/etc/devices.csv"
    [ "$(grep -c BEGIN <<<"$output")" -eq 1 ]
    [[ $stderr == 'attach: T2: refused: ra-approve: '* ]]
}

@test "a release whose answer was lost is given again, and counts once" {
    line_restore empty
    people_lots fewer='quota: 2, approve: 1'
    asks fewer A B 2>err || [ $? -eq 4 ]
    grant alice "$(waiting)"
    sleep 1.1
    attach --poll | verify-unit | ra-approve >lost.pem
    [ "$(counted)" -eq 2 ]
    attach --poll | verify-unit | ra-approve | ca-sign >lost-too.pem
    run -0 polls
    [ "$(grep -c BEGIN <<<"$output")" -eq 2 ]
    [ "$(counted)" -eq 2 ]
    [ "$(ledger ca-sign 'select count(*) from entry where kind = 12')" -eq 2 ]
}

@test "a lot that needs no approval any more lets go what waits" {
    people_lots two='approve: auto'
    run -0 ra-approve --list
    says 1 'lot "two" needs no approval any more' grant alice "$(ledger ra-approve \
        'select lower(hex(digest_in)) from entry where kind = 15')"
    run -0 polls
    [ "$(grep -c BEGIN <<<"$output")" -eq 2 ]
}

@test "a lot that needs more people than before is granted by so many" {
    id=$(waiting)
    grant alice "$id"
    grant bob "$id"
    people_lots two='approve: 3'
    [ "$(state_of "$id")" = 'waits, 2 of 3' ]
    run -4 polls
    grant carol "$id"
    run -0 polls
}

# --- who may not ---

# somebody NAME CN [WORD OF pki_attest...]: a certificate for the key in NAME.pub
somebody() {
    pki_attest "$1" "/CN=$2" "${ISSUER-root}" "${DAYS-3650}" keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role "${ROLE-approver}")" "${@:3}"
}

@test "nobody grants twice, neither under the same name nor with the same key" {
    id=$(waiting)
    grant alice "$id"
    says 1 'alice has granted it already' grant alice "$id"
    says 1 'alice has granted it already' refuse alice "$id" 'on second thoughts'
    # The same person with a new key, and with the same key under a new name.
    cp "$PKI/carol.pub" "$PKI/alice-again.pub"
    somebody alice-again alice
    CERTIFICATE=alice-again says 1 'alice has granted it already' grant carol "$id"
    cp "$PKI/alice.pub" "$PKI/alan.pub"
    somebody alan alan
    CERTIFICATE=alan says 1 'the key of alan has granted it already, for alice' grant alice "$id"
}

@test "who asked cannot grant, neither under the unit's name nor with its key" {
    id=$(waiting)
    for unit in attach-1 verify-unit-1; do
        cp "$PKI/carol.pub" "$PKI/as-unit.pub"
        somebody as-unit $unit
        CERTIFICATE=as-unit says 1 "$unit asked for these certificates, and cannot decide about them" grant carol "$id"
    done
    for unit in attach:hsm3:attach-1 verify:hsm1:verify-unit-1; do
        IFS=: read -r key token name <<<"$unit"
        cp "$PKI/$key.pub" "$PKI/with-key.pub"
        somebody with-key mallory
        says 1 "mallory has the key of $name, which asked for these certificates, and cannot decide about them" \
            ra-approve --grant "$id" --key "$(line_uri $token $key)" --certificate "$PKI/with-key.pem"
    done
    cp "$PKI/ra.pub" "$PKI/with-key.pub"
    somebody with-key mallory
    says 1 'mallory has the key of ra-approve-1, which holds back these certificates, and cannot decide about them' \
        ra-approve --grant "$id" --key "$(line_uri hsm2 ra)" --certificate "$PKI/with-key.pem"
}

@test "an approver whom the lot does not name cannot grant" {
    line_restore empty
    asks named A 2>err || [ $? -eq 4 ]
    id=$(waiting)
    says 1 'bob is not among the approvers of lot "named"' grant bob "$id"
    says 1 'bob is not among the approvers of lot "named"' refuse bob "$id" no
    run -0 grant alice "$id"
}

@test "a certificate that is expired, not yet valid, of an unknown CA or of another role does not grant" {
    id=$(waiting)
    for name in expired early; do
        cp "$PKI/alice.pub" "$PKI/$name.pub"
        somebody $name alice
    done
    after=$(($(date +%s) + 20 * 366 * 86400))
    CERTLINE_CLOCK=$after says 1 '*' grant alice "$id" || [[ $stderr == *expired* ]]
    pki_key outsider
    pki_ca other /CN=Other other
    pki_issue expired /CN=alice root key=outsider keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role approver)" to=20210101000000Z
    CERTIFICATE=expired says 1 '*/expired.pem: certificate of alice expired 2021-01-01T00:00:00Z' grant alice "$id"
    pki_issue early /CN=alice root key=outsider keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role approver)" from=20390101000000Z
    CERTIFICATE=early says 1 '*/early.pem: certificate of alice is not valid before 2039-01-01T00:00:00Z' grant alice "$id"
    pki_issue unknown /CN=alice other key=outsider keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role approver)"
    CERTIFICATE=unknown says 1 '*/unknown.pem: certificate of alice does not lead to a root of the trust' grant alice "$id"
    for role in attach verify-unit ra-approve; do
        cp "$PKI/alice.pub" "$PKI/role.pub"
        ROLE=$role somebody role alice
        CERTIFICATE=role says 1 "*/role.pem: certificate of alice is for $role, not for approver" grant alice "$id"
    done
    cp "$PKI/alice.pub" "$PKI/role.pub"
    pki_attest role /CN=alice root 99 keyUsage=critical,digitalSignature extendedKeyUsage=clientAuth
    CERTIFICATE=role says 1 '*/role.pem: certificate of alice names no role *' grant alice "$id"
}

@test "a certificate for another key, a key in a file and a key that is not there are configuration errors" {
    id=$(waiting)
    CERTIFICATE=bob says 2 '*/bob.pem: is for another key than pkcs11:token=people;object=alice' grant alice "$id"
    pki_key paper
    says 2 '*' ra-approve --grant "$id" --key "$PKI/paper.key" --certificate "$PKI/alice.pem"
    says 2 '*' ra-approve --grant "$id" --key "$(line_uri people nobody)" --certificate "$PKI/alice.pem"
    says 2 '*/nobody.pem: No such file or directory' ra-approve --grant "$id" --key "$(line_uri people alice)" \
        --certificate "$PKI/nobody.pem"
}

@test "what is decided cannot be decided again" {
    id=$(waiting)
    grant alice "$id"
    grant bob "$id"
    says 1 'it is granted already, by alice, bob' grant carol "$id"
    says 1 'it is granted already, by alice, bob' refuse carol "$id" 'too late'
    line_restore waiting
    refuse alice "$id" 'wrong week'
    says 1 'alice has refused it already: wrong week' grant bob "$id"
}

@test "a lot that is not in the file any more cannot be granted, and its poll is refused" {
    id=$(waiting)
    people_lots two=
    sed -i 's/two, //' "$LINE/etc/ca-sign.yaml"
    says 1 'lot "two" is not in the file any more' grant alice "$id"
    sed -i 's/lots: \[/lots: [two, /' "$LINE/etc/ca-sign.yaml"
    sleep 1.1
    attach --poll | verify-unit | ra-approve >3.pem
    people_lots
    ca-sign <3.pem | ra-approve | verify-unit >6.pem
    run -1 --separate-stderr attach <6.pem
    [ "${stderr_lines[0]}" = 'attach: A: refused: ra-approve: lot "two" is not known here (failInfo badRequest)' ]
}

# --- the batch that changed ---

# Who can write to the file writes what the unit never would.
forged_ledger() { # SQL
    ledger ra-approve "drop trigger if exists entry_update; $1"
}

# verify-unit sends other octets for the same transaction.
changed() {
    rm "$LINE"/var/verify-unit.db*
    verify-unit <"$LINE/1.pem" | ra-approve >again.pem
}

@test "a grant is for the exact requests: when they change, the old ID is refused and old grants do not count" {
    old=$(waiting)
    grant alice "$old"
    changed
    new=$(waiting)
    [ "$new" != "$old" ]
    [ "$(ra-approve --list | wc -l)" -eq 1 ]
    says 1 'the requests have changed since: this message is not the last of its transaction' grant bob "$old"
    [ "$(state_of "$old")" = 'changed since, 1 of 2' ]
    [ "$(state_of "$new")" = 'waits, 0 of 2' ]
    # The token of the old message asks after nothing.
    line_keep changed
    sleep 1.1
    attach --poll >poll.pem
    rm "$LINE"/var/verify-unit.db*
    cp "$LINE"/kept/waiting/verify-unit.db* "$LINE/var/"
    verify-unit <poll.pem | ra-approve | ca-sign | ra-approve | verify-unit >6.pem
    run -1 --separate-stderr attach <6.pem
    [[ ${stderr_lines[0]} == 'attach: A: refused: '*'no message waits here that this poll could ask after'* ]]
}

@test "a grant that was copied to another message in the ledger does not count" {
    id=$(waiting)
    grant alice "$id"
    grant bob "$id"
    changed
    new=$(waiting)
    forged_ledger "update entry set digest_in = (select digest_in from entry where kind = 15 order by id desc limit 1)
        where kind = 16"
    [ "$(state_of "$new")" = 'waits, 0 of 2' ]
    [ "$(state_of "$id")" = 'changed since, 0 of 2' ]
}

@test "a refusal that was made a grant in the ledger does not count, nor one whose reason was changed" {
    id=$(waiting)
    refuse alice "$id" 'not ordered'
    forged_ledger "update entry set status = 0, note = null where kind = 16"
    [ "$(state_of "$id")" = 'waits, 0 of 2' ]
    forged_ledger "update entry set status = 2, note = 'ordered' where kind = 16"
    [ "$(state_of "$id")" = 'waits, 0 of 2' ]
    forged_ledger "update entry set status = 2, note = 'not ordered' where kind = 16"
    [ "$(state_of "$id")" = 'refused, 0 of 2' ]
}

@test "one grant that stands in the ledger twice counts once, whatever name is written beside it" {
    id=$(waiting)
    grant alice "$id"
    forged_ledger "create table other as select * from entry where kind = 16;
        update other set id = id + 1, device = 'bob', key = zeroblob(32), n = n + 1;
        insert into entry select * from other; drop table other"
    [ "$(ledger ra-approve 'select count(*) from entry where kind = 16')" -eq 2 ]
    [ "$(state_of "$id")" = 'waits, 1 of 2' ]
    forged_ledger "update entry set data = cast('x' as blob) where kind = 16 and device = 'bob'"
    [ "$(state_of "$id")" = 'waits, 1 of 2' ]
}

@test "a grant for another lot or attach of the same digest does not count" {
    id=$(waiting)
    grant alice "$id"
    forged_ledger "update entry set lot = 'one' where kind = 15"
    [ "$(state_of "$id")" = 'waits, 0 of 1' ]
}

@test "a poll with another token, or of another run, is refused, and asks after nothing" {
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_twins
    grant alice "$(waiting)"
    grant bob "$(waiting)"
    sleep 1.1
    attach --poll >poll.pem
    # queryPending is the fourth control; regInfo, with the run, the fifth
    for edit in "0/3/2/0 body $(printf '%032x' 1)" "0/4/2/0/0/1 body $(printf '%032x' 1)"; do
        forge get $CONTENT <poll.pem | forge edit "$edit" | forged twin.attach >other.pem
        verify-unit <other.pem | ra-approve | ca-sign >4.pem
        forge hex . <4.pem | grep -qi "$(printf 'no message waits here that this poll' | od -An -v -tx1 | tr -d ' \n')"
    done
    [ "$(ledger ca-sign 'select count(*) from entry where kind = 12')" -eq 0 ]
    # The right one goes through.
    verify-unit <poll.pem | ra-approve | ca-sign | ra-approve | verify-unit >6.pem
    run -0 attach <6.pem
}

# --- what counts later ---

@test "the grant of a person who is revoked since does not count" {
    echo "crl: ../pki/root.crl" >>"$LINE/etc/ra-approve.yaml"
    pki_crl root root.crl
    cp "$PKI/alice.pub" "$PKI/dora.pub"
    somebody dora dora
    id=$(waiting)
    CERTIFICATE=dora grant alice "$id"
    grant bob "$id"
    [ "$(state_of "$id")" = 'granted, 2 of 2' ]
    pki_crl root root.crl -revoke dora
    [ "$(state_of "$id")" = 'waits, 1 of 2' ]
    run -1 ra-approve --list
    CERTIFICATE=dora says 1 '*/dora.pem: certificate of dora was revoked *' grant alice "$id"
    run -4 polls
    grant carol "$id"
    run -0 polls
}

@test "a grant counts when the person's certificate has ended since" {
    id=$(waiting)
    grant alice "$id"
    cp "$PKI/bob.pub" "$PKI/soon.pub"
    DAYS=1 somebody soon bob
    CERTIFICATE=soon grant bob "$id"
    CERTLINE_CLOCK=$(($(date +%s) + 2 * 86400)) run -0 --separate-stderr ra-approve --show "$id"
    [[ $output == *'state: granted, 2 of 2'* ]]
}

@test "an approver who is not named any more does not count" {
    line_restore empty
    asks named A 2>err || [ $? -eq 4 ]
    id=$(waiting)
    grant alice "$id"
    people_lots named='approve: 1, approvers: [bob]'
    [ "$(state_of "$id")" = 'waits, 0 of 1' ]
    run -4 polls
    run -0 grant bob "$id"
    run -0 polls
}

@test "a message of a unit that is revoked while it waits cannot be granted, and its poll says why" {
    echo "crl: ../pki/root.crl" >>"$LINE/etc/ra-approve.yaml"
    cp "$PKI/attach.pem" "$PKI/attach-old.pem"
    pki_crl root root.crl
    id=$(waiting)
    pki_crl root root.crl -revoke attach-old
    says 1 'the message is not good any more: *certificate of attach-1 was revoked *' ra-approve --show "$id"
    says 1 'the message is not good any more: *certificate of attach-1 was revoked *' grant alice "$id"
    run -0 ra-approve --list
    [ -z "$output" ]
    # attach itself has a new certificate.
    pki_unit_attest attach attach root 3650 attach-1
    run -1 --separate-stderr polls
    [[ ${stderr_lines[0]} == 'attach: A: refused: '*'the message that waited is not good any more: '*'attach-1 was revoked'* ]]
}

@test "a certificate of a person signs nothing but grants" {
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_unit twin.person approver root verify-unit-1
    line_request C | attach --lot one | verify-unit >2.pem
    forge get $CONTENT <2.pem | forged twin.person >forged.pem
    run -3 --separate-stderr ra-approve <forged.pem
    [ "$stderr" = 'ra-approve: stdin:1: layer 1 (verify-unit): signed by verify-unit-1, whose role is approver, not verify-unit' ]
    [ -z "$output" ]
}

# --- calls ---

@test "a wrong call, an unknown ID and one that is not clear are 2" {
    says 2 '00000000: no message of this ID was held back' ra-approve --show 00000000
    says 2 'xyz: no message of this ID was held back' ra-approve --show xyz
    says 2 '00000000: no message of this ID was held back' grant alice 00000000
    says 2 '--key URI and --certificate FILE of the person are missing' ra-approve --grant 00000000
    says 2 '--refuse and --why go together' decide alice --refuse "$(waiting)"
    says 2 '--refuse and --why go together' decide alice --grant "$(waiting)" --why no
    says 2 '--key and --certificate go with --grant, --refuse or --ask' decide alice --list
    says 2 '*exclude each other' ra-approve --list --up
    says 2 'the reason is not 1 to 504 octets of plain text' refuse alice "$(waiting)" $'two\nlines'
    says 2 'the reason is not 1 to 504 octets of plain text' refuse alice "$(waiting)" "$(printf '%0505d' 0)"
    # Two messages, and what both begin with.
    for n in {1..17}; do
        line_request R$n | attach --lot one | verify-unit
    done | ra-approve >many.pem
    common=$(ra-approve --list | cut -c 1 | sort | uniq -d | head -n 1)
    says 2 "$common: the ID of more than one message" ra-approve --show "$common"
}

@test "the longest reason goes down whole" {
    why=$(printf '%0504d' 7)
    refuse alice "$(waiting)" "$why"
    run -1 --separate-stderr polls
    [[ ${stderr_lines[0]} == *"refused by alice: $why"* ]]
}

# --- at a terminal ---

# at_terminal ANSWERS COMMAND...: with a terminal of its own on which the answers are typed; its exit status
at_terminal() {
    cat >terminal.py <<'END'
import os, pty, sys
answers = sys.argv[1].encode().decode("unicode_escape").encode()
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
asked = 0
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    prompts = seen.count(b"(refuse): ") + seen.count(b"why: ")
    while asked < prompts:
        asked += 1
        line, _, answers = answers.partition(b"\n")
        os.write(fd, line + b"\n")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    python3 terminal.py "$@"
}

@test "--ask shows each message and takes y, r and anything else" {
    line_request C | attach --lot one | verify-unit | ra-approve >3.pem
    line_request D | attach --lot one | verify-unit | ra-approve >>3.pem
    [ "$(ra-approve --list | wc -l)" -eq 3 ]
    mapfile -t who < <(person alice)
    ask=("$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --ask "${who[@]}")
    # Enter leaves it waiting.
    run -0 at_terminal '\n\n\n' "${ask[@]}"
    [[ $output == *'101: A'*'grant? y, N (leave it), r (refuse): '*'101: C'*'101: D'* ]]
    [ "$(ra-approve --list | wc -l)" -eq 3 ]
    run -0 at_terminal 'y\nr\nnot known\nn\n' "${ask[@]}"
    [ "$(ra-approve --list | cut -f 2,7)" = $'two\t1 of 2\none\t0 of 1' ]
    [ "$(ledger ra-approve 'select group_concat(status || ifnull(note, "")) from entry where kind = 16')" = '0,2not known' ]
    # What this person granted already is shown again, and not taken twice.
    run -1 at_terminal 'y\ny\n' "${ask[@]}"
    [[ $output == *'alice has granted it already'* ]]
    [ "$(ra-approve --list | cut -f 2,7)" = $'two\t1 of 2' ]
}

@test "--ask without a terminal is 2" {
    mapfile -t who < <(person alice)
    run -2 --separate-stderr setsid -w "$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --ask "${who[@]}" </dev/null
    [ "${stderr_lines[0]}" = 'ra-approve: --ask: there is no terminal to ask on' ]
}

# --- kills and full disks ---

@test "a full disk below the ledger is 4, and the grant can be given again" {
    id=$(waiting)
    no_room() {
        trap '' XFSZ # the signal; the write fails all the same
        ulimit -f 4
        grant alice "$1"
    }
    run -4 --separate-stderr no_room "$id"
    [ -z "$output" ]
    [[ $stderr == 'ra-approve: '* ]]
    [ "$(state_of "$id")" = 'waits, 0 of 2' ]
    run -0 grant alice "$id"
    [ "$(state_of "$id")" = 'waits, 1 of 2' ]
}

# killed AFTER COMMAND...: ends the command's process group after so many milliseconds
killed() {
    local after=$1 pid
    shift
    setsid "$@" >>killed.log 2>&1 &
    pid=$!
    sleep "0.$(printf %03d "$after")"
    kill -9 -- "-$pid" 2>>killed.log || true
    wait $pid || true
}

@test "grants and releases that are killed at random instants are whole or not there" {
    local round id n
    RANDOM=${SEED:=$RANDOM}
    echo "SEED=$SEED"
    people_lots two='approve: 2, quota: 2'
    id=$(waiting)
    mapfile -t who < <(person alice)
    for ((round = 0; round < 12; round++)); do
        killed $((RANDOM % 60)) "$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --grant "$id" "${who[@]}"
        n=$(ledger ra-approve 'select count(*) from entry where kind = 16')
        [ "$(state_of "$id")" = "waits, $n of 2" ]
    done
    grant alice "$id" 2>err || [ "$(cat err)" = 'ra-approve: alice has granted it already' ]
    grant bob "$id"
    sleep 1.1
    attach --poll | verify-unit >2.pem
    for ((round = 0; round < 8; round++)); do
        killed $((RANDOM % 60)) bash -c '"$BUILD/bin/ra-approve" -c "$LINE/etc/ra-approve.yaml" --up <2.pem >3.pem'
        n=$(counted)
        [ "$n" -eq 0 ] || [ "$n" -eq 2 ]
    done
    ra-approve <2.pem | ca-sign | ra-approve | verify-unit >6.pem
    run -0 attach <6.pem
    [ "$(grep -c BEGIN <<<"$output")" -eq 2 ]
    [ "$(counted)" -eq 2 ]
    run -0 ledger-test "$LINE/var/ra-approve.db" ra-approve-1 verify
}

@test "two people who grant at the same moment both count" {
    id=$(waiting)
    people_lots two='approve: 3'
    for p in alice bob carol; do
        grant $p "$id" &
    done
    wait
    [ "$(state_of "$id")" = 'granted, 3 of 3' ]
}
