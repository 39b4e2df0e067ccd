# scripts/demo: what it leaves, and that a person can go on with it. make install.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    BUILD=$(realpath -m "${BUILD:-build}")
    export BUILD DEMO=$BATS_FILE_TMPDIR/demo
    scripts/demo 20 --dir "$DEMO" >"$BATS_FILE_TMPDIR/said" || { cat "$BATS_FILE_TMPDIR/said" && return 1; }
}

setup() {
    . "$DEMO/env"
    TOP=$BATS_TEST_DIRNAME/..
    cd "$BATS_TEST_TMPDIR" || return
}

@test "the demo certifies every device of its list, and tells why it refused the others" {
    run -0 cat "$BATS_FILE_TMPDIR/said"
    [[ $output == *'devices in         23'* ]]
    [[ $output == *'certificates out   20'* ]]
    [[ $output == *'attach: RSA0001: refused: verify-unit: profile board does not allow RSA-2048 keys (failInfo badAlg)'* ]]
    [[ $output == *'attach: TWIN001: refused: ca-sign: this key already belongs to device "SN0000001"'* ]]
    [[ $output == *'attach: STRAY01: refused: verify-unit: device "STRAY01" is not in the list of lot "boards"'* ]]
    [[ $output == *'20 of 20 certificates lead to pki/root.pem'* ]]
    [[ $output == *'layer 1: signed by CN=ra-approve-1,O=Example Ltd: CMS Verification successful'* ]]
    [[ $output == *'layer 3: signed by CN=attach-1,O=Example Ltd: CMS Verification successful'* ]]
    [[ $output == *':id-cmc-transactionId'* ]]
}

@test "the demo leaves configuration, certificates, keys and a small lot after each hop" {
    local f
    for f in env line devices.csv softhsm2.conf etc/{attach,verify-unit,ra-approve,ca-sign,root,profiles,lots}.yaml \
        pki/{root,ca,ca-messages,attach,verify-unit,ra-approve}.pem keys/SN0000020.pem certs/SN0000020.pem \
        messages/{1-attach,2-verify-unit,3-ra-approve,4-ca-sign,5-ra-approve,6-verify-unit}.pem; do
        [ -s "$DEMO/$f" ] || { echo "$f is missing" && return 1; }
    done
    [ "$(find "$DEMO/certs" -type f | wc -l)" = 20 ]
    [ "$(find "$DEMO/messages" -type f | wc -l)" = 6 ]
}

@test "PINs and private keys are for their owner's eyes" {
    run -0 find "$DEMO/pins" "$DEMO/keys" -type f -perm /077
    [ -z "$output" ]
    [ "$(find "$DEMO/pins" -type f | wc -l)" = 4 ]
}

@test "a certificate is for the key of its device, and what devices.csv says" {
    run -0 openssl x509 -in "$DEMO/certs/SN0000007.pem" -noout -subject -nameopt RFC2253
    [ "$output" = 'subject=serialNumber=SN0000007,O=Example Ltd' ]
    diff <(openssl x509 -in "$DEMO/certs/SN0000007.pem" -noout -pubkey) <(openssl pkey -in "$DEMO/keys/SN0000007.pem" -pubout)
}

@test "each unit of the demo finds its configuration in order" {
    local u
    for u in attach verify-unit ra-approve ca-sign; do
        run -0 --separate-stderr "$u" -c "$DEMO/etc/$u.yaml" --check
        [ -z "$stderr" ]
    done
}

@test "demo/line takes a request of the openssl command and gives a certificate" {
    openssl req -new -newkey rsa:2048 -nodes -keyout a.key -subj /CN=a -out a.csr 2>log
    run -0 --separate-stderr "$DEMO/line" <a.csr
    [ -z "$stderr" ]
    echo "$output" >a.pem
    run -0 openssl verify -CAfile "$DEMO/pki/root.pem" -untrusted "$DEMO/pki/ca.pem" a.pem
    diff <(openssl x509 -in a.pem -noout -pubkey) <(openssl pkey -in a.key -pubout)
}

@test "demo/line takes a public key with a line that says whose it is" {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out b.key
    { echo 'subject=serialNumber=b' && openssl pkey -in b.key -pubout; } >b.pub
    run -0 --separate-stderr "$DEMO/line" <b.pub
    diff <(openssl x509 -noout -pubkey <<<"$output") <(openssl pkey -in b.key -pubout)
    run -0 openssl x509 -noout -subject -nameopt RFC2253 <<<"$output"
    [ "$output" = subject=serialNumber=b ]
}

@test "demo/line ends with the status of the last attach" {
    csr-make --key c.key --new-key P-256 --subject CN=c >c.csr
    cp c.key d.key
    csr-make --key d.key --subject CN=d >d.csr
    run -1 --separate-stderr "$DEMO/line" < <(cat c.csr d.csr)
    [[ $stderr == *'attach: d: refused: ca-sign: this key already belongs to device "c"'* ]]
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 1 ]
    run -3 --separate-stderr "$DEMO/line" < <(cat c.csr && sed 5d d.csr)
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 1 ]
    run -5 --separate-stderr "$DEMO/line" </dev/null
    [ -z "$output" ]
}

# The commands of a section of the README, from one line of it to another.
readme() { # FROM TO INDENT
    awk -v from="$1" -v to="$2" -v indent="$3" '
        index($0, to) == 1 { exit }
        index($0, from) == 1 { on = 1 }
        on && index($0, indent) == 1 { print substr($0, length(indent) + 1) }' "$TOP/README.md"
}

@test "the README's first steps work as they stand there" {
    ln -s "$DEMO" demo
    readme '## Try it' '## The picture' '    $ ' | grep -v '^scripts/demo' >steps
    [ "$(wc -l <steps)" -ge 6 ]
    run -0 --separate-stderr bash -eu steps
    [ "$output" = 'subject=CN = my-device
issuer=O = Example Ltd, CN = Example Device CA' ]
    run -0 openssl verify -CAfile demo/pki/root.pem -untrusted demo/pki/ca.pem my.pem sensor.pem
}

@test "the README's line of your own works as it stands there" {
    readme '## A line of your own' '6. ' '       ' >steps
    run -0 --separate-stderr bash -eu steps
    [ -z "$stderr" ]
    [[ $output == *'id: ra-1'* ]]
    run -0 openssl verify -CAfile root.pem ra.pem
}

@test "the README's audit and recall work as they stand there" {
    ln -s "$DEMO" demo
    readme '## Lots, people' '## Life on the device' '    $ ' >steps
    [ "$(wc -l <steps)" -ge 9 ]
    run -0 --separate-stderr bash -eu steps
    [[ $output == *$'problems: 0'* ]]
    run -0 openssl crl -in ca.crl -noout -text
    [[ $output == *'Key Compromise'* ]]
}

@test "run again, the demo goes on with what is there" {
    local before serial
    before=$(cat "$DEMO/pki/root.pem")
    serial=$(openssl x509 -in "$DEMO/certs/SN0000001.pem" -noout -serial)
    echo '# mine' >>"$DEMO/etc/lots.yaml"
    run -0 "$TOP/scripts/demo" 22 --dir "$DEMO"
    [[ $output == *'certificates out   22'* ]]
    [ "$(cat "$DEMO/pki/root.pem")" = "$before" ]
    [ "$(openssl x509 -in "$DEMO/certs/SN0000001.pem" -noout -serial)" = "$serial" ]
    run -0 grep -x '# mine' "$DEMO/etc/lots.yaml"
}

@test "--clean starts afresh" {
    run -0 "$TOP/scripts/demo" 1 --dir own
    local before
    before=$(cat own/pki/root.pem)
    run -0 "$TOP/scripts/demo" 1 --dir own --clean
    [ "$(cat own/pki/root.pem)" != "$before" ]
}

@test "a folder that the demo did not make stays as it is" {
    mkdir mine
    echo precious >mine/file
    run -2 "$TOP/scripts/demo" 1 --dir mine --clean
    [ "${lines[0]}" = 'demo: "mine" was not made by the demo: it stays as it is' ]
    [ "$(cat mine/file)" = precious ]
}

@test "the demo refuses what it does not understand" {
    run -2 "$TOP/scripts/demo" many
    [ "${lines[0]}" = 'demo: not a number of devices: "many"' ]
    run -2 "$TOP/scripts/demo" 0
    run -2 "$TOP/scripts/demo" --dir
}

@test "make install puts programs, pages, completions and examples in place, make uninstall takes them away" {
    local p
    make -s -C "$TOP" BUILD="$BUILD" DESTDIR="$PWD/root" PREFIX=/usr install
    for p in attach ca-sign csr-make hsm-keygen ra-approve verify-unit; do
        [ -x "root/usr/bin/$p" ]
        [ -s "root/usr/share/man/man1/$p.1" ]
        [ -s "root/usr/share/bash-completion/completions/$p" ]
        [ -s "root/usr/share/zsh/site-functions/_$p" ]
        [ -s "root/usr/share/fish/vendor_completions.d/$p.fish" ]
    done
    for p in man5/certline-message.5 man7/certline.7; do
        [ -s "root/usr/share/man/$p" ]
    done
    for p in README.md LICENSE examples/line examples/ca-sign.yaml; do
        [ -s "root/usr/share/doc/certline/$p" ]
    done
    run -0 root/usr/bin/attach -V
    make -s -C "$TOP" BUILD="$BUILD" DESTDIR="$PWD/root" PREFIX=/usr uninstall
    run -0 find root -type f
    [ -z "$output" ]
}
