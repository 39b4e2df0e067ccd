bats_require_minimum_version 1.5.0

# Renewals as a device lives through them: a server that is told, keys in a token, ten years.

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build && renew_pki "$BATS_FILE_TMPDIR"
    PATH=$PATH:/usr/sbin
}

setup() {
    . "$BATS_TEST_DIRNAME/lib.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    [ ! -e nginx.pid ] || kill "$(cat nginx.pid)"
}

served() { # the serial of what the server shows, verified up to the root
    openssl s_client -connect 127.0.0.1:"$port" -servername dev.example -CAfile "$PKI/root.pem" \
        -verify_return_error -verify_hostname dev.example </dev/null 2>s_client.log |
        openssl x509 -noout -serial
}

serves() { [ "$(served)" = "$1" ]; } # SERIAL

@test "nginx with the store's paths, reloaded by the hook, serves the new certificate to a client" {
    command -v nginx
    renew_store '{before: 30d}' '    after: kill -HUP $(cat nginx.pid)'
    BEGIN=-6480000 renew_first
    port=20000
    cat >nginx.conf <<END
pid $PWD/nginx.pid;
error_log $PWD/error.log;
events {}
http {
    access_log off;
$(for i in client_body proxy fastcgi uwsgi scgi; do echo "    ${i}_temp_path $PWD/nginx.$i;"; done)
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $PWD/store/purpose/tls/fullchain.pem;
        ssl_certificate_key $PWD/store/purpose/tls/key.pem;
    }
}
END
    for ((i = 0; i < 20; i++)); do # others may use the same one
        sed -i "s/127.0.0.1:$port/127.0.0.1:$((20000 + RANDOM % 12000))/" nginx.conf
        port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) ssl;/\1/p' nginx.conf)
        if nginx -c "$PWD/nginx.conf" -p "$PWD" -e "$PWD/error.log" 3>&-; then break; fi
    done
    old=$(openssl x509 -in tls.first -noout -serial)
    [ "$(served)" = "$old" ] || { cat s_client.log error.log && false; }
    run -0 renew
    new=$(openssl x509 -in store/purpose/tls/cert.pem -noout -serial)
    [ "$new" != "$old" ]
    # The old workers end by and by; until then they answer, too, also behind the first answer of a new one.
    await serves "$new"
}

token() {
    export SOFTHSM2_CONF=$PWD/softhsm.conf
    MODULE=$(lab_module) || return
    mkdir tokens
    printf '%s\n' "directories.tokendir = $PWD/tokens" 'objectstore.backend = file' 'log.level = ERROR' >softhsm.conf
    printf 'pin-4711' >pin # neither hexadecimal nor base64 can say so
    softhsm2-util --init-token --free --label dev --so-pin 123456 --pin pin-4711 >/dev/null || return
    TOKEN="pkcs11:token=dev?module-path=$MODULE&pin-source=file:$PWD/pin"
    KEY="pkcs11:token=dev;object={name}?module-path=$MODULE&pin-source=file:$PWD/pin"
}
token_store() { # LIMIT: the token holds certificates, too
    sed -i '/^store:/d' store.yaml
    printf 'token-limit: %d\nstore: [store, "%s"]\n' "$1" "$TOKEN" >>store.yaml
}
objects() { # TYPE: how many of this type the token holds
    pkcs11-tool --module "$MODULE" --token-label dev --login --pin pin-4711 -O --type "$1" 2>/dev/null | grep -c 'label:'
}

@test "keys are born in the token, certificates lie beside them, and deletion takes both" {
    token
    renew_store '{before: 30d}' "    key-uri: \"$KEY\"" '    subject: CN=dev' \
        'deletion: {when: [always], rules: [superseded]}'
    token_store 2
    BEGIN=-6480000 renew_first
    for i in 1 2 3; do
        run -0 renew --force tls
        [ "$(objects privkey)" -eq 1 ]
        [ "$(objects cert)" -eq 1 ]
        [ "$(ls store/cert | wc -l)" -eq 1 ]
    done
    [ ! -e store/purpose/tls/key.pem ]
    [[ $(cat store/purpose/tls/key.uri) == pkcs11:token=dev\;object=tls-* ]]
    run -1 grep -r pin-4711 store
}

@test "a token that is full: nothing is requested" {
    token
    renew_store '{before: 30d}' "    key-uri: \"$KEY\"" '    subject: CN=dev' '    enroll: "echo >>asked; issue"'
    token_store 1
    BEGIN=-6480000 renew_first
    run -0 renew
    run -1 --separate-stderr renew --force tls
    [ "$stderr" = 'cert-renew: store: the token is full (1 certificates): nothing is requested' ]
    [ "$(wc -l <asked)" -eq 1 ]
    [ "$(objects privkey)" -eq 1 ]
}

@test "a key that a killed run left in the token is used by the next one, and refusals leave none behind" {
    token
    renew_store '{before: 30d}' "    key-uri: \"$KEY\"" '    subject: CN=dev' '    enroll: exit 1'
    BEGIN=-6480000 renew_first
    # Killed when the key is in the token and its request not yet in the store.
    ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -qq -o /dev/null -P "$PWD/store/pending" -P store/pending \
        -e trace=mkdirat -e inject=mkdirat:signal=KILL:when=1 cert-renew -c store.yaml || :
    flock -w 60 store/.renew.lock true # its launcher has it for a moment longer
    [ "$(objects privkey)" -eq 1 ]
    [ -z "$(ls store/pending)" ]
    for i in 1 2 3 4; do
        run -1 renew --force tls
        [ "$(objects privkey)" -eq 1 ]
    done
    run -1 renew --force tls
    [ "$(objects privkey)" -eq 0 ]
    [ -z "$(ls store/pending)" ]
}

@test "ten years: four schedules at once, never an expired or a foreign certificate, never more than the limit" {
    export CERTLINE_CLOCK=1800000000
    renew_store '{before: 30d}' 'limit: 7' 'deletion: {when: [always], rules: [superseded], time: [before, after]}' \
        '    enroll: LIFE=7776000 issue' '    after: echo >>hooked' \
        '  - name: ipsec' '    renew: {fraction: 2/3}' '    subject: CN=ipsec' '    enroll: LIFE=15552000 issue' \
        '  - name: eap' '    renew: {monthly: 31, time: "02:30"}' '    subject: CN=eap' '    enroll: LIFE=31536000 issue' \
        '  - name: long' '    renew: {yearly: "02-29"}' '    subject: CN=long' '    enroll: LIFE=63072000 issue'
    renew_first
    local -A ends=()
    local p line to end=$((CERTLINE_CLOCK + 3652 * 86400)) runs=0
    while [ "$CERTLINE_CLOCK" -lt "$end" ]; do
        renew >out 2>err || { cat out err && false; }
        while read -r p line; do
            [[ $line == *' valid to '* ]] || continue
            to=${line##* valid to }
            ends[${p%:}]=$(date -d "$to" +%s)
        done <out
        [ "${#ends[@]}" -ge 3 ]
        CERTLINE_CLOCK=$((CERTLINE_CLOCK + 16 * 86400 + RANDOM))
        # What is in use when the next run comes has not ended meanwhile.
        for p in "${!ends[@]}"; do
            [ "${ends[$p]}" -gt "$CERTLINE_CLOCK" ] || { echo "$p expired ahead of $CERTLINE_CLOCK" && false; }
        done
        set -- store/cert/*
        [ $# -le 7 ]
        runs=$((runs + 1))
        [ $((runs % 20)) -ne 0 ] || whole tls ipsec eap long
    done
    whole tls ipsec eap long
    [ "$runs" -gt 200 ]
    [ "$(wc -l <hooked)" -ge 50 ]
}
