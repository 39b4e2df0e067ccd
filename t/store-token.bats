# The store and its token: what goes with a certificate, what stays, what a limit of the token makes go.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_build store-test p11-shim.so && device_pki && device_lab || return
    local n
    for n in t u v; do token_cert "$n" || return; done
}

setup() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_copy . && device_lab_use
    with_token
}

# A key in the token and NAME.pem for it
token_cert() { # NAME [DAYS]
    hsm-keygen "$(lab_uri hsm1 "$1")" >"$1.pub" && pki_attest "$1" "/CN=$1" root "${2:-90}"
}
with_token() { # [LINE...]
    printf '%s\n' "store: [store, \"pkcs11:token=hsm1?module-path=$LAB_MODULE&pin-source=file:$LAB/pin\"]" \
        'trust: root.pem' "$@" >store.yaml
}
import() { # NAME [OPTION...]
    cert-import -c store.yaml --cert "$1.pem" --key "$(lab_uri hsm1 "$1")" --name "$@"
}
tool() { pkcs11-tool --module "$LAB_MODULE" --token-label hsm1 --login --pin 1234 "$@" 2>/dev/null; }
objects() { # TYPE: labels
    tool -O --type "$1" | sed -n 's/^ *label: *//p' | sort | tr '\n' ' '
}
# Gives an object of that class another CKA_ID, as hand-made tokens have it
set_id() { # TYPE LABEL ID
    tool --type "$1" --label "$2" --set-id "$3" >/dev/null
}

@test "other keys of the same CKA_ID stay, and their certificates" {
    local class n
    import t && import u --purpose tls
    for n in t u; do
        for class in privkey pubkey cert; do set_id "$class" "$n" 4711; done
    done
    run -0 --separate-stderr store-test store delete t
    [ -z "$stderr" ]
    [ "$(objects privkey)/$(objects pubkey)/$(objects cert)" = "u v /u v /u " ]
    run -0 cert-import -c store.yaml --cert u.pem --key "$(lab_uri hsm1 u)" --purpose ipsec
}

@test "a key that cannot be told from others of its CKA_ID and label stays, and the certificate, with 1" {
    local class id
    import t
    # Another key pair of this label, made by hand; then all get one CKA_ID.
    tool --keypairgen --key-type EC:prime256v1 --label t --id 4711 >/dev/null
    id=$(tool -O --type pubkey | grep -A4 'label: *t$' | sed -n 's/^ *ID: *//p' | grep -vx 4711)
    for class in privkey pubkey; do tool --type "$class" --id "$id" --set-id 4711 >/dev/null; done
    run -1 --separate-stderr store-test store delete t
    [ "$stderr" = 'store-test: token "hsm1": other keys have the CKA_ID and label of "t": none is deleted' ]
    [ "$(objects privkey)" = "t t u v " ]
    [ -e store/cert/t/key.uri ]
}

@test "of two certificates with one key the deleted one goes out of the token, the key stays" {
    import t
    cp t.pem first.pem && pki_attest t /CN=second root 91
    cert-import -c store.yaml --cert t.pem --key "$(lab_uri hsm1 t)" --name second
    store-test store set tls t # the older one is in use again
    tool --read-object --type cert --label t >der
    cmp der <(openssl x509 -in t.pem -outform DER)
    store-test store delete second
    [ "$(objects privkey)/$(objects cert)" = "t u v /" ]
}

@test "the key of a certificate that cannot be read stays, however its URI is written" {
    import t
    pki_attest t /CN=second root 91
    cert-import -c store.yaml --cert t.pem --key "$(lab_uri hsm1 t)" --name second --purpose tls
    echo rubbish >store/cert/second/cert.pem
    echo "pkcs11:object=t;token=hsm1?pin-source=file:$LAB/pin&module-path=$LAB_MODULE" >store/cert/second/key.uri
    run -0 store-test store delete t
    [ "$(objects privkey)" = "t u v " ]
}

@test "a wrong PIN is tried once for all that is to be deleted" {
    local n
    export CERTLINE_P11_MODULE=$BUILD/t/p11-shim.so P11_SHIM_MODULE=$LAB_MODULE P11_SHIM_LOG=$PWD/log
    with_token 'deletion: {when: always, rules: no-purpose}'
    cp "$LAB/pin" pin
    for n in t u v; do
        cert-import -c store.yaml --cert "$n.pem" --key "pkcs11:token=hsm1;object=$n?pin-source=file:$PWD/pin" --name "$n"
    done
    echo 4321 >pin && rm log
    run --separate-stderr cert-prune -c store.yaml
    [ "$status" -eq 4 ] || [ "$status" -eq 1 ]
    [ "$(grep -c '^C_Login$' log)" -eq 1 ]
    [ "$(ls store/cert | tr '\n' ' ')" = "t u v " ]
}

@test "killed at any removal of a deletion with its key in a token, the next one leaves nothing" {
    local call i n rc kills=0
    export ASAN_OPTIONS=detect_leaks=0
    with_token 'deletion: {when: always, rules: no-purpose}'
    import t
    mv store base && mv "$LAB/tokens" tokens
    afresh() { rm -rf store "$LAB/tokens" && cp -r base store && cp -r tokens "$LAB/tokens"; }
    for call in unlink unlinkat renameat; do
        afresh
        strace -o trace -e trace="$call" cert-prune -c store.yaml >/dev/null
        n=$(grep -c "^$call(" trace || :)
        for ((i = 1; i <= n; i++)); do
            afresh
            rc=0
            strace -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$i" cert-prune -c store.yaml >/dev/null || rc=$?
            [ "$rc" -eq 137 ]
            kills=$((kills + 1))
            cert-prune -c store.yaml >/dev/null
            left="$(objects privkey)/$(objects pubkey)/$(objects cert)/$(ls -A store/cert)"
            [ "$left" = "u v /u v //" ] || { echo "$call $i of $n: $left" && false; }
        done
    done
    echo "$kills kills"
    [ "$kills" -ge 8 ]
}

@test "a URI that the store is to keep means the same in any folder" {
    local uri
    for uri in 'pin-source=pin' 'pin-source=file:pin' 'module-path=./p.so&pin-source=/run/pin' 'pin-source=/run/pin&module-path=a/p.so'; do
        run -2 --separate-stderr cert-import -c store.yaml --cert t.pem --key "pkcs11:token=hsm1;object=t?$uri" --name t
        [ "$stderr" = 'cert-import: --key: pin-source and module-path must begin with "/": the store keeps the URI' ]
        with_token 'purposes: ' "  - {name: tls, renew: never, key-uri: \"pkcs11:token=hsm1;object={name}?$uri\"}"
        run -2 cert-list -c store.yaml
        [[ $output =~ ^cert-list:\ store.yaml:4:[0-9]+:\ pin-source\ and\ module-path\ must\ begin\ with ]]
        with_token
    done
    for uri in 'pin-source=%2Frun%2Fpin' 'pin-source=file:///run/pin' 'pin-source=fd:3' 'pin-source=credential:x' 'module-path=p.so'; do
        with_token 'purposes: ' "  - {name: tls, renew: never, key-uri: \"pkcs11:token=hsm1;object={name}?$uri\"}"
        cert-import -c store.yaml --cert t.pem --name t >/dev/null
        run -0 cert-list -c store.yaml
    done
}

@test "token-limit: of what the rules name as many go as make one place in the token, and nothing that has none there" {
    with_token 'token-limit: 3' 'deletion: {when: limit, rules: no-purpose}'
    pki_issue file /CN=file root from=20200101000000Z
    cert-import -c store.yaml --cert file.pem --key file.key --name file
    import v --purpose tls && import t && import u
    run -0 cert-prune -c store.yaml --dry-run
    [[ $output == [tu]$'\t'no-purpose ]]
    local gone=${output%%$'\t'*}
    run -0 cert-prune -c store.yaml
    [ "$output" = "$gone"$'\t'no-purpose ]
    [ "$(objects cert | wc -w)" -eq 2 ] && [ -e store/cert/file ] && [ ! -e "store/cert/$gone" ]
    run -0 cert-prune -c store.yaml # there is a place now
    [ -z "$output" ]
}

@test "token-limit and limit: one that goes counts for both" {
    with_token 'token-limit: 2' 'limit: 3' 'deletion: {when: limit, rules: no-purpose}'
    pki_issue file /CN=file root to=21000101000000Z
    cert-import -c store.yaml --cert file.pem --key file.key --name file
    import t && import u --purpose tls
    run -0 cert-prune -c store.yaml
    [ "$(objects cert)" = "u " ]
    [[ $output == *$'t\tno-purpose' ]] && [ "${#lines[@]}" -le 2 ]
}

@test "token-limit: a token that is away deletes nothing, with 4" {
    with_token 'token-limit: 1' 'deletion: {when: limit, rules: no-purpose}'
    import t
    mv "$LAB/tokens" elsewhere && mkdir "$LAB/tokens"
    run -4 cert-prune -c store.yaml
    [ -e store/cert/t ]
}
