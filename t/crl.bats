# CRLs: what crl-make signs, numbers and writes, read by openssl and GnuTLS.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    lab_build revoke-test p11-shim.so && lab_make "$BATS_FILE_TMPDIR/lab"
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    lab_use "$BATS_FILE_TMPDIR/lab"
    lab_fresh
    cd "$BATS_TEST_TMPDIR" || return
    CA=$LAB/etc/ca-sign.yaml
}

# A certificate for each device, in ID.pem
issue() { # ID...
    local id
    for id; do
        lab_requests "$id" | ca-sign -c "$CA" --direct --profile tls-client >"$id.pem" || return
    done
}
revoke() { ca-revoke -c "$CA" --why "a test" --count 1 "$@"; }
serial() { openssl x509 -in "$1.pem" -noout -serial | cut -d= -f2; }
crl_text() { openssl crl -noout -text "$@"; }
number() { openssl crl -noout -crlnumber | cut -d= -f2; }
ledger() { sqlite3 "$LAB/var/ca-sign.db" "$@"; }
issuer() { ledger 'select note from entry where kind = 12 limit 1'; }
# Whether FILE.pem is good by the list in crl.pem
check() { # FILE
    openssl verify -CAfile "$LAB/pki/root.pem" -untrusted "$LAB/pki/ca.pem" -CRLfile crl.pem -crl_check "$1.pem" 2>&1
}

@test "where nothing is revoked the list is empty, signed, version 2, with the CA's key identifier and number 1" {
    run -0 --separate-stderr crl-make -c "$CA"
    [ -z "$stderr" ]
    [ "${lines[0]}" = "-----BEGIN X509 CRL-----" ]
    echo "$output" >crl.pem
    run -0 openssl crl -in crl.pem -noout -CAfile "$LAB/pki/ca.pem" -verify
    [ "$output" = "verify OK" ]
    run -0 crl_text -in crl.pem
    [[ $output == *"Version 2 (0x1)"* ]]
    [[ $output == *"No Revoked Certificates."* ]]
    [[ $output == *"X509v3 CRL Number: "$'\n'*" 1"$'\n'* ]]
    local id
    id=$(openssl x509 -in "$LAB/pki/ca.pem" -noout -ext subjectKeyIdentifier | sed -n '2s/ //gp')
    [[ $output == *"Authority Key Identifier: "$'\n'*"$id"* ]]
    # RFC 5280, section 5.1.2.6: absent, not an empty SEQUENCE
    run -0 openssl asn1parse -in crl.pem
    [ "$(grep -c 'cons: SEQUENCE.*' <<<"$output")" -eq "$(grep -c 'l= *[1-9][0-9]* cons: SEQUENCE' <<<"$output")" ]
}

@test "openssl takes a certificate that is not on the list, and refuses one that is" {
    issue A1 A2
    revoke A1.pem
    crl-make -c "$CA" >crl.pem
    run -0 check A2
    run -2 check A1
    [[ $output == *"error 23 at 0 depth lookup: certificate revoked"* ]]
}

@test "GnuTLS reads the list and verifies its signature" {
    issue A1
    revoke --reason superseded A1.pem
    crl-make -c "$CA" >crl.pem
    run -0 certtool --verify-crl --load-ca-certificate "$LAB/pki/ca.pem" --infile crl.pem
    [[ $output == *"Verification output: Verified. The certificate is trusted."* ]]
    run -0 certtool --crl-info --infile crl.pem
    [[ $output == *"Revoked certificates (1):"* ]]
    [[ ${output,,} == *"serial number (hex): $(serial A1 | tr A-F a-f)"* ]]
    run -1 certtool --verify-crl --load-ca-certificate "$LAB/pki/root.pem" --infile crl.pem
}

@test "an entry has the certificate's serial number and the time when it was revoked" {
    issue A1
    CERTLINE_CLOCK=1893456000 revoke A1.pem
    CERTLINE_CLOCK=1893456100 crl-make -c "$CA" >crl.pem
    run -0 crl_text -in crl.pem
    [[ $output == *"Serial Number: $(serial A1)"$'\n'*"Revocation Date: Jan  1 00:00:00 2030 GMT"* ]]
    [[ $output == *"Last Update: Jan  1 00:01:40 2030 GMT"* ]]
}

@test "each reason has the number that RFC 5280 gives it, and unspecified says nothing" {
    local names=(unspecified keyCompromise cACompromise affiliationChanged superseded cessationOfOperation
        privilegeWithdrawn aACompromise) codes=('' 01 02 03 04 05 09 0A) i
    for i in "${!names[@]}"; do
        issue "R$i"
        revoke --reason "${names[i]}" "R$i.pem"
    done
    crl-make -c "$CA" >crl.pem
    # serial numbers go up with time, so the list is in the order of the revocations
    run -0 openssl asn1parse -in crl.pem
    [ "$(grep -c 'X509v3 CRL Reason Code' <<<"$output")" -eq 7 ]
    for i in 1 2 3 4 5 6 7; do
        [ "$(sed -n '/CRL Reason Code/{n;s/.*HEX DUMP\]:0A01//p}' <<<"$output" | sed -n "${i}p")" = "${codes[i]}" ]
    done
    run -0 crl_text -in crl.pem
    [[ $output == *"Serial Number: $(serial R0)"$'\n'*" GMT"$'\n'"    Serial Number: $(serial R1)"* ]]
}

@test "entries are sorted by serial number, and each is there once" {
    issue A1
    revoke-test "$LAB/var/ca-sign.db" "Lab ca" "$(issuer)" big 300 revoked
    crl-make -c "$CA" | crl_text | sed -n 's/.*Serial Number: //p' >serials
    [ "$(wc -l <serials)" -eq 300 ]
    LC_ALL=C sort -uc serials
}

@test "certificates of another issuer in the same ledger are not on the list" {
    issue A1
    revoke-test "$LAB/var/ca-sign.db" "Lab ca" 00112233445566778899aabbccddeeff00112233 foreign 3 revoked
    revoke A1.pem
    crl-make -c "$CA" >crl.pem
    [ "$(crl_text -in crl.pem | grep -c 'Serial Number:')" -eq 1 ]
    [[ $(crl_text -in crl.pem) == *"Serial Number: $(serial A1)"* ]]
}

@test "what is revoked while it is on the list stays with its first date and reason" {
    issue A1
    revoke --reason superseded A1.pem
    crl-make -c "$CA" | crl_text | grep -A4 'Serial Number' >first
    sleep 1.1
    ca-revoke -c "$CA" --why again --reason cessationOfOperation --count 0 A1.pem
    crl-make -c "$CA" | crl_text | grep -A4 'Serial Number' >second
    cmp first second
    grep -q Superseded second
}

@test "a key that turns out to be compromised is on the list once, with the first date and that reason" {
    issue A1 A2
    revoke --reason superseded A1.pem
    crl-make -c "$CA" | crl_text | grep 'Revocation Date' >first
    sleep 1.1
    revoke --reason keyCompromise A1.pem
    revoke A2.pem
    crl-make -c "$CA" | crl_text >second
    [ "$(grep -c 'Serial Number' second)" -eq 2 ]
    grep -A4 "Serial Number: $(serial A1)" second >entry
    grep 'Revocation Date' entry | cmp - first
    grep -q 'Key Compromise' entry
}

@test "numbers go up by one" {
    local n
    for n in 0x01 0x02 0x03; do
        [ "$(crl-make -c "$CA" | number)" = $n ]
    done
}

@test "numbers are positive however large" {
    local before after
    crl-make -c "$CA" >one.crl
    # as if so many had been made; for programs the ledger is append-only
    ledger 'drop trigger entry_update'
    while read -r before after; do
        ledger "update entry set status = $before where id = (select max(id) from entry where kind = 20)"
        [ "$(crl-make -c "$CA" | number)" = "$after" ]
    done <<'TABLE'
126 0x7F
127 0x80
255 0x0100
32767 0x8000
9223372036854775806 0x7FFFFFFFFFFFFFFF
TABLE
}

@test "the key's identifier is the one of the CA's certificate, however others made that" {
    csr-make --key "$(lab_uri hsm2 ca)" --subject 'CN=Lab ca' >ca.csr
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key
    openssl req -x509 -new -key other.key -subj '/CN=Other root' -days 9 -out other.pem
    printf '%s\n' 'basicConstraints = critical, CA:TRUE' 'keyUsage = critical, keyCertSign, cRLSign' \
        'subjectKeyIdentifier = 0102030405' >ca.ext
    openssl x509 -req -in ca.csr -CA other.pem -CAkey other.key -days 9 -extfile ca.ext -out "$LAB/pki/ski.pem" 2>log
    sed 's|certificate: ../pki/ca.pem|certificate: ../pki/ski.pem|' "$LAB/etc/ca.yaml" >"$LAB/etc/ski.yaml"
    crl-make -c "$LAB/etc/ski.yaml" | crl_text >text
    grep -A1 'Authority Key Identifier' text | grep -qx ' *01:02:03:04:05'
}

@test "lists that are made at once have different numbers" {
    local i
    for i in 1 2 3 4 5 6; do
        crl-make -c "$CA" >"$i.crl" &
    done
    wait
    [ "$(for i in ?.crl; do number <"$i"; done | sort)" = "$(printf '0x0%d\n' 1 2 3 4 5 6)" ]
    [ "$(ledger 'select group_concat(status) from (select status from entry where kind = 20 order by id)')" = 1,2,3,4,5,6 ]
}

@test "a list that nobody could write has used its number up" {
    crl-make -c "$CA" >one.crl
    run -4 bash -c 'crl-make -c "$0" >/dev/full' "$CA"
    [ "$(crl-make -c "$CA" | number)" = 0x03 ]
}

@test "killed at any instant: no number is used twice, and what was written was recorded" {
    local i=0 call
    written() {
        i=$((i + 1))
        [ ! -e now.crl ] || mv now.crl $i.crl
    }
    for call in pwrite64 fdatasync fsync rename; do
        kill_each $call written crl-make -c "$CA" -o now.crl
    done
    crl-make -c "$CA" -o last.crl
    local written
    written=$(for i in *.crl; do number <"$i"; done)
    [ -z "$(sort <<<"$written" | uniq -d)" ]
    [ "$(ledger 'select count(*) - count(distinct status), max(status) - count(*) from entry where kind = 20')" = '0|0' ]
    [ $((16#$(number <last.crl | cut -c3-))) -eq "$(ledger 'select max(status) from entry where kind = 20')" ]
    for i in *.crl; do
        [ "$(openssl crl -in "$i" -outform DER | sha256sum | cut -d' ' -f1)" = \
            "$(ledger "select lower(hex(digest_out)) from entry where kind = 20 and status = $((16#$(number <"$i" | cut -c3-)))")" ]
    done
}

@test "a full disk below the ledger is 4: nothing is written and no number used" {
    crl-make -c "$CA" >one.crl
    run -4 --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 4; crl-make -c "$0"' "$CA"
    [ -z "$output" ]
    [ "$(crl-make -c "$CA" | number)" = 0x02 ]
}

@test "a token that fails at the signature is 4, and nothing is recorded" {
    sed "s|module-path=[^&]*|module-path=$BUILD/t/p11-shim.so|" "$CA" >"$LAB/etc/shim.yaml"
    P11_SHIM_MODULE=$LAB_MODULE P11_SHIM_FAULT=C_Sign:1:30:99 run -4 --separate-stderr crl-make -c "$LAB/etc/shim.yaml"
    [ -z "$output" ]
    [ "$(ledger 'select count(*) from entry where kind = 20')" -eq 0 ]
    [ "$(crl-make -c "$CA" | number)" = 0x01 ]
}

@test "--output replaces a file that everybody may read, and leaves nothing beside it" {
    mkdir www
    echo old >www/ca.crl
    run -0 crl-make -c "$CA" -o www/ca.crl
    [ -z "$output" ]
    [ "$(stat -c %a www/ca.crl)" = 644 ]
    [ "$(number <www/ca.crl)" = 0x01 ]
    [ "$(ls -A www)" = ca.crl ]
    run -4 crl-make -c "$CA" -o missing/ca.crl
    [ "$output" = "crl-make: missing/ca.crl: No such file or directory" ]
}

@test "a file does not go back to an older list because who made that is slow to write it" {
    mkdir www
    slow_is_ready() { [ "$(stat -c %a www/ca.crl.tmp.* 2>/dev/null)" = 644 ]; }
    # stopped between recording number 1 and replacing the file
    ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -qq -o /dev/null -e trace=fchmod \
        -e inject=fchmod:signal=STOP:when=1 crl-make -c "$CA" -o www/ca.crl 3>&- &
    await slow_is_ready
    crl-make -c "$CA" -o www/ca.crl
    [ "$(number <www/ca.crl)" = 0x02 ]
    kill -CONT "$(pgrep -P $! crl-make)"
    ended 0 $!
    [ "$(number <www/ca.crl)" = 0x02 ]
    [ "$(ls -A www)" = ca.crl ]
    [ "$(ledger 'select group_concat(status) from entry where kind = 20')" = 1,2 ]
}

@test "--der writes the same list in DER" {
    run -0 crl-make -c "$CA" --der -o ca.crl
    run -0 openssl crl -inform DER -in ca.crl -noout -CAfile "$LAB/pki/ca.pem" -verify
    [ "$output" = "verify OK" ]
    [ "$(openssl crl -inform DER -in ca.crl -outform DER | sha256sum | cut -d' ' -f1)" = "$(sha256sum <ca.crl | cut -d' ' -f1)" ]
}

@test "--next says when the next list comes; 7 days by default" {
    CERTLINE_CLOCK=1893456000 crl-make -c "$CA" 2>clock | openssl crl -noout -nextupdate >next
    [ "$(cat next)" = "nextUpdate=Jan  8 00:00:00 2030 GMT" ]
    CERTLINE_CLOCK=1893456000 crl-make -c "$CA" --next 12h 2>clock | openssl crl -noout -nextupdate >next
    [ "$(cat next)" = "nextUpdate=Jan  1 12:00:00 2030 GMT" ]
    local bad
    for bad in 0 59s 11y soon -1; do
        run -2 crl-make -c "$CA" --next=$bad
        [ "${lines[0]}" = "crl-make: --next: not a time from 60s to 10y: \"$bad\"" ]
    done
}

@test "what has expired stays on every list; with --drop-expired until one list after its end had it" {
    issue A1 A2
    revoke A1.pem
    crl-make -c "$CA" >before.crl
    # 3 years later, A1 has expired; no list was made since.
    local later=$(($(date +%s) + 3 * 365 * 86400)) entries='grep -c Serial.Number:'
    CERTLINE_CLOCK=$later
    export CERTLINE_CLOCK
    [ "$(crl-make -c "$CA" --drop-expired 2>clock | crl_text | $entries)" -eq 1 ]
    CERTLINE_CLOCK=$((later + 60))
    run -1 eval 'crl-make -c "$CA" --drop-expired 2>clock | crl_text | $entries'
    [ "$output" = 0 ]
    [ "$(crl-make -c "$CA" 2>clock | crl_text | $entries)" -eq 1 ]
    # A2 is revoked after its end: it has to be on one list.
    revoke A2.pem 2>clock
    CERTLINE_CLOCK=$((later + 120))
    [ "$(crl-make -c "$CA" --drop-expired 2>clock | crl_text | $entries)" -eq 1 ]
}

@test "a CA whose certificate has no cRLSign makes no list" {
    printf '%s\n' 'profiles:' '  - name: certs-only' '    preset: sub-ca' '    key-usage: keyCertSign' \
        >"$LAB/etc/certs-only.yaml"
    { cat "$LAB/etc/root.yaml"; echo 'profiles: certs-only.yaml'; } >"$LAB/etc/root-2.yaml"
    csr-make --key "$(lab_uri hsm2 attach-1 | sed s/hsm2/hsm3/)" --subject 'CN=Other ca' |
        ca-sign -c "$LAB/etc/root-2.yaml" --direct --profile certs-only >"$LAB/pki/certs-only.pem"
    { echo 'ledger: ../var/ca-sign.db'; printf 'issuer:\n  key: %s\n  certificate: ../pki/certs-only.pem\n' \
        "$(lab_uri hsm3 attach-1)"; } >"$LAB/etc/ca-2.yaml"
    run -2 --separate-stderr crl-make -c "$LAB/etc/ca-2.yaml"
    [ "$stderr" = "crl-make: the CA's certificate does not let it sign CRLs: its keyUsage has no cRLSign" ]
    [ -z "$output" ]
}

@test "a CA without a certificate makes no list" {
    { echo 'id: x'; echo 'ledger: ../var/ca-sign.db'
        printf 'issuer:\n  key: %s\n  certificate: ../pki/none.pem\n' "$(lab_uri hsm2 ca)"; } >"$LAB/etc/none.yaml"
    run -2 --separate-stderr crl-make -c "$LAB/etc/none.yaml"
    [ "$stderr" = "crl-make: the CA has no certificate yet" ]
}

@test "the ledger of another unit is refused" {
    sed "s|../var/ca-sign.db|../var/root.db|" "$CA" >"$LAB/etc/other.yaml"
    run -2 --separate-stderr crl-make -c "$LAB/etc/other.yaml"
    [[ $stderr == "crl-make: "*"/root.db: the ledger of unit \"Lab root\", not of \"Lab ca\"" ]]
    [ -z "$output" ]
}

# bats test_tags=measure
@test "a list of 100,000 takes little memory" {
    issue A1
    revoke-test "$LAB/var/ca-sign.db" "Lab ca" "$(issuer)" big 100000 revoked
    bash -c 'ulimit -v 200000; exec crl-make -c "$0" -o big.crl' "$CA"
    run -0 openssl crl -in big.crl -noout -CAfile "$LAB/pki/ca.pem" -verify
    [ "$output" = "verify OK" ]
    [ "$(crl_text -in big.crl | grep -c 'Serial Number:')" -eq 100000 ]
}
