# The main job: devices go up the line and come back certified. The line is made with certline's own programs.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    lab_build && lab_make "$BATS_FILE_TMPDIR/lab" || return
    { echo serial; seq -f 'S%03.0f' 1 200; } >"$LAB/200.csv"
    csr-make --list "$LAB/200.csv" --keys "$LAB/200" >"$LAB/200.pem"
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    lab_use "$BATS_FILE_TMPDIR/lab"
    lab_fresh
    cd "$BATS_TEST_TMPDIR" || return
}

certificates() { grep -c ^-----BEGIN || true; } # of stdin
# The certificate in FILE is for the key in KEY, and its path leads to the root.
good() { # FILE KEY
    openssl verify -CAfile "$LAB/pki/root.pem" -untrusted "$LAB/pki/ca.pem" "$1" >/dev/null
    [ "$(openssl x509 -in "$1" -noout -pubkey)" = "$(openssl pkey -in "$2" -pubout)" ]
}
issued() { sqlite3 "$LAB/var/ca-sign.db" 'select count(*) from entry where kind = 12'; }

@test "one device goes up and comes back certified" {
    lab_requests D1 >requests.pem
    run -0 --separate-stderr lab_line <requests.pem
    [ -z "$stderr" ]
    echo "$output" >D1.pem
    good D1.pem "$LAB/keys/D1.key"
    [ "$(openssl x509 -in D1.pem -noout -subject -nameopt RFC2253)" = "subject=serialNumber=D1,O=Lab" ]
}

@test "200 devices go in four messages, and each gets the certificate for its key" {
    lab_up <"$LAB/200.pem" >1.pem
    [ "$(certificates <1.pem)" -eq 4 ]
    lab_middle <1.pem >6.pem
    run -0 --separate-stderr lab_down --out certs <6.pem
    [ -z "$output$stderr" ]
    [ "$(find certs -type f | wc -l)" -eq 200 ]
    local id
    openssl verify -CAfile "$LAB/pki/root.pem" -untrusted "$LAB/pki/ca.pem" certs/*.pem >/dev/null
    for id in S001 S064 S065 S128 S200; do
        good certs/$id.pem "$LAB/200/$id.pem"
    done
    [ "$(issued)" -eq 200 ]
}

@test "the units sign once a message and once for their ledger, the CA once a device" {
    lab_up -v <"$LAB/200.pem" >1.pem 2>log
    for program in verify-unit:2 ra-approve:3 ca-sign:4 ra-approve:5 verify-unit:6; do
        "${program%:*}" -v -c "$LAB/etc/${program%:*}.yaml" <$((${program#*:} - 1)).pem >"${program#*:}.pem" 2>>log
    done
    [ "$(sed -n 's/.*: \([0-9]*\) private key operations$/\1/p' log | awk '{ n += $1 } END { print n }')" -eq $((200 + 6 * 4 + 6)) ]
}

@test "stages may run elsewhere: a part of the line in another process group" {
    lab_requests D1 D2 >requests.pem
    lab_up <requests.pem | verify-unit -c "$LAB/etc/verify-unit.yaml" |
        setsid --wait sh -c "cd / && ra-approve -c '$LAB/etc/ra-approve.yaml' | ca-sign -c '$LAB/etc/ca-sign.yaml' |
            ra-approve -c '$LAB/etc/ra-approve.yaml'" |
        verify-unit -c "$LAB/etc/verify-unit.yaml" >6.pem
    run -0 lab_down <6.pem
    [ "$(certificates <<<"$output")" -eq 2 ]
}

@test "refusals do not stop the others and come back with their reason: 1" {
    lab_requests A1 X1 A2 X2 A3 >requests.pem
    lab_up --lot listed <requests.pem | lab_middle >6.pem
    run -1 --separate-stderr lab_down --out certs <6.pem
    [ "$(cd certs && echo *)" = "A1.pem A2.pem A3.pem" ]
    [ "$stderr" = 'attach: X1: refused: verify-unit: device "X1" is not in the list of lot "listed" (failInfo badIdentity)
attach: X2: refused: verify-unit: device "X2" is not in the list of lot "listed" (failInfo badIdentity)' ]
}

@test "a block that could not be read makes the last attach end with 3, though all others are served" {
    { lab_requests D1; printf -- '-----BEGIN CERTIFICATE REQUEST-----\n!\n-----END CERTIFICATE REQUEST-----\n'; lab_requests D2; } >requests.pem
    run -3 --separate-stderr lab_line <requests.pem
    [ "$(certificates <<<"$output")" -eq 2 ]
    [[ $stderr == *"1 of 3 blocks of the run could not be read"* ]]
}

@test "a message that is lost makes the last attach end with 4, and a retry serves its devices" {
    lab_up <"$LAB/200.pem" >1.pem
    awk '/^-----BEGIN/ { n++ } n != 2' 1.pem >lost.pem
    lab_middle <lost.pem >6.pem
    run -4 --separate-stderr lab_down <6.pem
    [ "$(certificates <<<"$output")" -eq 136 ]
    [[ $stderr == *"S065: has no answer yet"* ]]
    attach -c "$LAB/etc/attach.yaml" --resend | lab_middle >rest.pem
    run -0 --separate-stderr lab_down <rest.pem
    [ "$(certificates <<<"$output")" -eq 64 ]
    run -0 attach -c "$LAB/etc/attach.yaml" --unanswered
}

@test "an end of the pipeline before its first message ends with 5" {
    run -5 --separate-stderr lab_line </dev/null
    [ -z "$output" ]
}

@test "the same requests again give the same certificates" {
    lab_line <"$LAB/200.pem" >first.pem
    lab_line <"$LAB/200.pem" >second.pem
    cmp first.pem second.pem
    [ "$(issued)" -eq 200 ]
}

@test "csr-make on the same list again keeps the keys that are there" {
    sha256sum "$LAB"/200/*.pem >keys
    run -0 --separate-stderr csr-make --list "$LAB/200.csv" --keys "$LAB/200"
    [ "$(certificates <<<"$output")" -eq 200 ]
    sha256sum -c --quiet keys
}

@test "a device with a new key is refused until its certificate nears its end" {
    lab_requests D1 | lab_line >/dev/null
    rm "$LAB/keys/D1.key"
    lab_requests D1 >requests.pem
    run -1 --separate-stderr lab_line <requests.pem
    [[ $stderr == 'attach: D1: refused: ca-sign: device "D1" already has a certificate for another key, valid to '* ]]
}

# A request of A1 for a lot, through the line
asks() { # LOT
    lab_requests A1 >A1.req
    lab_up --lot "$1" <A1.req | lab_middle >6.pem
    lab_down <6.pem
}

@test "another lot gives a device a certificate of its own, and each lot gives its own again" {
    asks open >open.pem
    asks listed >listed.pem
    good listed.pem "$LAB/keys/A1.key"
    [ "$(issued)" -eq 2 ]
    asks open | cmp - open.pem
    asks listed | cmp - listed.pem
    [ "$(issued)" -eq 2 ]
    # what is recalled with a lot is what the lot got
    run -0 ca-revoke -c "$LAB/etc/ca-sign.yaml" --lot listed --count 1 --why 'a test'
    asks open | cmp - open.pem
    run -1 --separate-stderr asks listed
    [[ $stderr == "attach: A1: refused: ca-sign: the certificate for this key was revoked on "* ]]
    # and nothing else of the profile is had for a key whose newest certificate was revoked
    run -1 --separate-stderr asks bare
    [[ $stderr == "attach: A1: refused: ca-sign: the certificate for this key was revoked on "* ]]
    [ "$(issued)" -eq 2 ]
}

@test "who is given a certificate again under a name that the list has no more is told" {
    cp "$LAB/etc/devices.csv" kept.csv
    printf '%s\n' serial,subject 'A1,"serialNumber=A1,CN=Boarb"' >"$LAB/etc/devices.csv"
    asks listed >first.pem
    printf '%s\n' serial,subject 'A1,"serialNumber=A1,CN=Board"' >"$LAB/etc/devices.csv"
    run -0 --separate-stderr asks listed
    cp kept.csv "$LAB/etc/devices.csv"
    [ "$output" = "$(cat first.pem)" ]
    [[ $stderr == *'ca-sign: A1: issued before as "serialNumber=A1,CN=Boarb", and now again; it would be "serialNumber=A1,CN=Board"'* ]]
    run -0 --separate-stderr lab_down -v <6.pem
    [[ $stderr == *'attach: A1: issued: issued before as "serialNumber=A1,CN=Boarb", and now again; it would be'* ]]
}

@test "device keys that are born in a token sign there, and get their certificates there" {
    local i uri
    softhsm2-util --init-token --free --label device --so-pin 12345678 --pin 1234 >/dev/null
    { echo serial; printf 'T%d\n' 1 2 3; } >list.csv
    for i in 1 2 3; do
        hsm-keygen "pkcs11:token=device;object=T$i?module-path=$LAB_MODULE&pin-source=$LAB/pin" >T$i.pub
    done
    uri="pkcs11:token=device;object={serial}?module-path=$LAB_MODULE&pin-source=$LAB/pin"
    csr-make --list list.csv --key "$uri" >requests.pem
    lab_up <requests.pem | lab_middle >6.pem
    run -0 --separate-stderr lab_down \
        --token "pkcs11:token=device;object={device}?module-path=$LAB_MODULE&pin-source=$LAB/pin" --print <6.pem
    [ "$(certificates <<<"$output")" -eq 3 ]
    # As another program sees it: under the key's CKA_ID, and for that key.
    tool --list-objects --type privkey >keys
    tool --list-objects --type cert >certs
    [ "$(grep -c 'never extractable' keys)" -eq 3 ]
    for i in 1 2 3; do
        [ "$(id_of T$i <keys)" = "$(id_of T$i <certs)" ]
        tool --read-object --type cert --label T$i | openssl x509 -inform DER -out T$i.pem
        [ "$(openssl x509 -in T$i.pem -noout -pubkey)" = "$(cat T$i.pub)" ]
        openssl verify -CAfile "$LAB/pki/root.pem" -untrusted "$LAB/pki/ca.pem" T$i.pem
    done
}
id_of() { # LABEL
    awk -v want="$1" '/label:/ { label = $2 } /ID:/ && label == want { print $2 }' | grep .
}
tool() { pkcs11-tool --module "$LAB_MODULE" --token-label device --login --pin 1234 "$@" 2>>tool.log; }

@test "a device gives only its public key, and verify-unit makes the request" {
    lab_keys B1 B2 >keys.pem
    head -n 1 keys.pem | grep -x 'subject=.*serialNumber=B1.*'
    lab_up --lot bare <keys.pem | lab_middle >6.pem
    run -0 --separate-stderr lab_down --out certs <6.pem
    good certs/B1.pem "$LAB/keys/B1.key"
    good certs/B2.pem "$LAB/keys/B2.key"
}

@test "requests and bare keys go in one message" {
    { lab_requests D1; lab_keys B1; lab_requests D2; } >mixed.pem
    lab_up --lot bare <mixed.pem >1.pem
    [ "$(certificates <1.pem)" -eq 1 ]
    lab_middle <1.pem >6.pem
    run -0 lab_down <6.pem
    [ "$(certificates <<<"$output")" -eq 3 ]
}

@test "--get reads the devices, --put writes to them, each by a command of the site" {
    mkdir devices
    local id
    for id in A1 A2 A3; do lab_requests $id >devices/$id.csr; done
    { echo serial; printf 'A%d\n' 1 2 3; } >list.csv
    # shellcheck disable=SC2016 # the commands' own variables
    attach -c "$LAB/etc/attach.yaml" --lot listed --list list.csv --get 'cat "devices/$CERTLINE_DEVICE.csr"' >1.pem
    lab_middle <1.pem >6.pem
    # shellcheck disable=SC2016
    run -0 --separate-stderr lab_down --put 'cat >"devices/$CERTLINE_DEVICE.pem"' \
        --read-back 'cat "devices/$CERTLINE_DEVICE.pem"' --jobs 2 <6.pem
    [ -z "$output" ]
    for id in A1 A2 A3; do
        good devices/$id.pem "$LAB/keys/$id.key"
    done
}

@test "attach may share the first token with verify-unit" {
    sed -e 's/^key:.*/key: '"$(lab_uri hsm1 attach-2 | sed 's/[&/]/\\&/g')/" -e 's/attach-1.pem/attach-2.pem/' \
        -e 's/attach.db/attach-2.db/' "$LAB/etc/attach.yaml" >"$LAB/etc/attach-2.yaml"
    lab_unit attach-2 hsm1 attach CN=attach-2
    sed -i 's/below: attach-1$/below: [attach-1, attach-2]/' "$LAB/etc/verify-unit.yaml"
    sed -n '/^  - attach:/,$ s/attach-1/attach-2/p; /^  - attach:/,$ { /attach/!p }' "$LAB/etc/ca-sign.yaml" >second
    cat second >>"$LAB/etc/ca-sign.yaml"
    lab_requests D7 >requests.pem
    attach -c "$LAB/etc/attach-2.yaml" --lot open <requests.pem | lab_middle >6.pem
    run -0 attach -c "$LAB/etc/attach-2.yaml" <6.pem
    [ "$(certificates <<<"$output")" -eq 1 ]
}
