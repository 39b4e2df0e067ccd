# Who may grant what waits for people, and what of a grant counts.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build forge forge-sign ledger-test && people_line "$BATS_FILE_TMPDIR/line" && people_waiting
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    cd "$BATS_TEST_TMPDIR" || return
    people_restore waiting
}

# --- who may not ---

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
    attach --poll | verify-unit | ra-approve >3.pem
    people_lots
    ca-sign <3.pem | ra-approve | verify-unit >6.pem
    run -1 --separate-stderr attach <6.pem
    [ "${stderr_lines[0]}" = 'attach: A: refused: ra-approve: lot "two" is not known here, or not for attach "attach-1" and verify-unit "verify-unit-1" (failInfo badRequest)' ]
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

@test "a message that stands in the ledger under the lot of another can be neither granted nor released" {
    id=$(waiting)
    grant alice "$id"
    forged_ledger "update entry set lot = 'one' where kind = 15" # where one grant is enough
    says 1 'the message is not good any more: it is not what its entry in the ledger says' grant bob "$id"
    run -1 --separate-stderr polls
    [ -z "$output" ]
    [[ ${stderr_lines[0]} == *'the message that waited is not good any more: it is not what its entry in the ledger says'* ]]
}

@test "a message that stands in the ledger in the place of the one that was granted is not released" {
    id=$(waiting)
    grant alice "$id"
    grant bob "$id"
    changed
    forged_ledger "update entry set (digest_in, serial) = (select digest_in, serial from entry where kind = 15 order by id limit 1)
        where kind = 15"
    says 1 'the message is not good any more: it is not what its entry in the ledger says' ra-approve --show "$id"
    run -0 ra-approve --list
    [ -z "$output" ]
    run -1 --separate-stderr polls
    [ -z "$output" ]
    [[ ${stderr_lines[0]} == *'the message that waited is not good any more: it is not what its entry in the ledger says'* ]]
}

@test "what somebody signs and records without ra-approve counts only if ra-approve would have taken it" {
    . "$BATS_TEST_DIRNAME/forge.bash"
    id=$(waiting)
    grant alice "$id"
    grant bob "$id"
    ledger ra-approve "select writefile('alice.der', data) from entry where kind = 16 order by id limit 1" >written
    openssl cms -verify -noverify -inform DER -in alice.der -out content.der 2>verified
    forge_unit dora approver root dora
    forge_unit ended approver root dora from="$(date -u -d '-9 days' +%Y%m%d000000Z)" to="$(date -u -d '-2 days' +%Y%m%d000000Z)"
    forge_unit young approver root dora from="$(date -u -d '-10 seconds' +%Y%m%d%H%M%SZ)"
    pki_ca other /CN=Other other
    forge_unit outsider approver other dora
    forge_unit asked approver root attach-1
    forge_unit unit verify-unit root verify-unit-1
    forge_unit again approver root bob
    while read -r who seconds state; do
        forged $who type=$ARC.30 time=$seconds <content.der | forge get . >forged.der
        forged_ledger "update entry set data = readfile('forged.der') where id = (select min(id) from entry where kind = 16)"
        [ "$(state_of "$id")" = "$state" ] || { echo "$who $seconds: $(state_of "$id")"; return 1; }
    done <<'TABLE'
dora -250 granted, 2 of 2
young -250 waits, 1 of 2
dora -432000 waits, 1 of 2
ended -432000 waits, 1 of 2
ended 0 waits, 1 of 2
outsider 0 waits, 1 of 2
asked 0 waits, 1 of 2
unit 0 waits, 1 of 2
again 0 waits, 1 of 2
TABLE
}

@test "a refusal whose reason could not go down the line does not count" {
    . "$BATS_TEST_DIRNAME/forge.bash"
    id=$(waiting)
    refuse alice "$id" no
    ledger ra-approve "select writefile('alice.der', data) from entry where kind = 16" >written
    openssl cms -verify -noverify -inform DER -in alice.der -out content.der 2>verified
    forge_unit dora approver root dora
    for why in 6e6f 6e0a6f; do # "no", and in two lines
        forge edit "8 body $why" <content.der | forged dora type=$ARC.30 | forge get . >forged.der
        forged_ledger "update entry set data = readfile('forged.der'), note = cast(X'$why' as text) where kind = 16"
        state_of "$id" >>states
    done
    [ "$(cat states)" = $'refused, 0 of 2\nwaits, 0 of 2' ]
}

@test "a poll with another token, or of another run, is refused, and asks after nothing" {
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_twins
    grant alice "$(waiting)"
    grant bob "$(waiting)"
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

@test "who granted is revoked, and the certificates are asked for again: it waits again, and is listed" {
    echo "crl: ../pki/root.crl" >>"$LINE/etc/ra-approve.yaml"
    pki_crl root root.crl
    cp "$PKI/alice.pub" "$PKI/dora.pub"
    somebody dora dora
    id=$(waiting)
    CERTIFICATE=dora grant alice "$id"
    grant bob "$id"
    attach --poll | verify-unit | ra-approve >lost.pem
    run -0 ra-approve --list
    [ -z "$output" ]
    pki_crl root root.crl -revoke dora
    run -4 polls
    run -1 ra-approve --list
    [[ $output == "${id:0:8}"*'1 of 2' ]]
    grant carol "$id"
    run -0 polls
    run -0 ra-approve --list
    [ -z "$output" ]
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
