# A line that lies: units for t/answer-test.c.

. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

# For the tests of a file: the programs, a line, who lies in it, and three requests. liars_use: for each of them.
liars_line() {
    lab_build answer-test && lab_make "$BATS_FILE_TMPDIR/lab" && make_liars && lab_requests D1 D2 D3 >"$LAB/three.pem"
}
liars_use() {
    lab_use "$BATS_FILE_TMPDIR/lab" && lab_fresh && cd "$BATS_TEST_TMPDIR" || return
}

# Units and CAs whose keys are in files, so that they can be made to lie.
make_liars() {
    mkdir "$LAB/liars"
    local name
    # Another ledger: the CA's own would not let two keys have one name.
    for name in root ca; do
        sed "s/$name.db/liars-$name.db/" "$LAB/etc/$name.yaml" >"$LAB/etc/liars-$name.yaml"
    done
    for name in verify-unit ra-approve ca-sign issuer foreign; do
        openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$LAB/liars/$name.key"
    done
    liar verify-unit CN=verify-unit-1 ca verify-unit
    liar ra-approve CN=ra-approve-1 ca ra-approve
    liar ca-sign 'CN=Lab ca' ca ca-sign
    liar issuer 'CN=File ca' root sub-ca
    openssl req -new -x509 -key "$LAB/liars/foreign.key" -subj '/CN=File ca' -days 30 -out "$LAB/liars/foreign.pem"
    cp "$LAB/pki/root.pem" "$LAB/pki/ca.pem" "$LAB/liars"
}

liar() { # NAME SUBJECT CA PROFILE
    csr-make --key "$LAB/liars/$1.key" --subject "$2" |
        ca-sign -c "$LAB/etc/liars-$3.yaml" --direct --profile "$4" >"$LAB/liars/$1.pem"
    [ "$3" = root ] || cat "$LAB/pki/ca.pem" >>"$LAB/liars/$1.pem"
}
