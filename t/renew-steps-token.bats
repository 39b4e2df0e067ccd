bats_require_minimum_version 1.5.0

# Killed at any system call of a renewal, with keys in a token: the purpose is whole, and the next run finishes the work.

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    . "$BATS_TEST_DIRNAME/steps.bash"
    steps_setup_file
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    . "$BATS_TEST_DIRNAME/steps.bash"
    steps_setup
}

token_store() { # [LINE...]: the key in a token, and the certificate, too
    export SOFTHSM2_CONF=$PWD/softhsm.conf
    MODULE=$(lab_module) || return
    mkdir tokens
    printf '%s\n' "directories.tokendir = $PWD/tokens" 'objectstore.backend = file' 'log.level = ERROR' >softhsm.conf
    printf 4711 >pin
    softhsm2-util --init-token --free --label dev --so-pin 123456 --pin 4711 >/dev/null || return
    local how="module-path=$MODULE&pin-source=file:$PWD/pin"
    steps_store "    key-uri: \"pkcs11:token=dev;object={name}?$how\"" "$@"
    sed -i '/^store:/d' store.yaml
    echo "store: [store, \"pkcs11:token=dev?$how\"]" >>store.yaml
    hsm-keygen "pkcs11:token=dev;object=first?$how" >/dev/null &&
        csr-make --key "pkcs11:token=dev;object=first?$how" --subject CN=dev --san dns:dev.example | BEGIN=-6480000 issue >tls.first &&
        cert-import -c store.yaml --key "pkcs11:token=dev;object=first?$how" --purpose tls --cert tls.first
}

# One key and its certificate, and nothing that was left behind; but for what SoftHSM leaves of an object that it was
# writing: it has no label yet, or is not said to be born there.
token_clean() {
    local held
    held=$(pkcs11-tool --module "$MODULE" --token-label dev --login --pin 4711 -O 2>/dev/null |
        awk '/^[A-Z]/ { type = $1 } (type == "Private" && /Access: .* local/) || (type == "Certificate" && / label: *[^ <]/) {
            n[type]++ } END { print n["Private"] + 0, n["Certificate"] + 0 }')
    [ "$held" = '1 1' ] || { echo "keys, certificates: $held" && return 1; }
}

@test "a new key in a token, which holds the certificates, too" {
    token_store
    cd ..
    each_state token_clean 9
}

@test "the same key in a token, which holds the certificates, too" {
    token_store '    key: same'
    cd ..
    each_state token_clean 9
}
