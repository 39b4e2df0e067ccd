# Certificates that are there already: cert-import, and the store in a token.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_build store-test && device_lab || return
    device_pki && pki_ca sub /CN=Sub root && pki_issue a /CN=a sub && device_cert b && pki_issue self /CN=self self
    pki_key rsa RSA -pkeyopt rsa_keygen_bits:2048 && device_cert rsa key=rsa
}

setup() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_copy . && device_lab_use
    device_yaml
}

import() { cert-import -c store.yaml "$@"; }
refused() { # CODE WHY OPTION...: and nothing is in the store
    local code=$1 why=$2
    shift 2
    run "-$code" --separate-stderr import "$@"
    [ -z "$output" ]
    [ "${stderr%%$'\n'*}" = "cert-import: $why" ] || { echo "$stderr" && false; }
    [ ! -e store/cert ] || [ -z "$(ls -A store/cert)" ]
}
token() { echo "pkcs11:token=hsm1?module-path=$LAB_MODULE&pin-source=file:$LAB/pin"; }
with_token() { # [LINE...]
    printf '%s\n' "store: [store, \"$(token)\"]" 'trust: root.pem' "$@" >store.yaml
}
objects() { pkcs11-tool --module "$LAB_MODULE" --token-label hsm1 --login --pin 1234 -O --type "$1" 2>/dev/null; }
certificates() { objects cert | grep -c '^Certificate Object' || :; }
keys() { objects privkey | grep -c '^Private Key Object' || :; }
# A key in the token and NAME.pem for it
token_cert() { # NAME
    hsm-keygen "$(lab_uri hsm1 "$1")" >"$1.pub" && pki_attest "$1" "/CN=$1" root 90
}

@test "certificate, chain and key come into the store, and it says under which name" {
    cat a.pem sub.pem >all.pem
    run -0 --separate-stderr import --cert all.pem --key a.key --purpose tls
    [[ $output =~ ^tls-[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]]
    [ -z "$stderr" ]
    cmp store/purpose/tls/cert.pem a.pem
    cmp store/purpose/tls/chain.pem sub.pem
    cmp store/purpose/tls/fullchain.pem all.pem
    cmp store/purpose/tls/key.pem a.key
    openssl verify -CAfile root.pem -untrusted store/purpose/tls/chain.pem store/purpose/tls/cert.pem
    grep -qx 'origin: imported' store/purpose/tls/meta.yaml
}

@test "the certificate can come on standard input, its issuers from another file" {
    run -0 import --chain sub.pem --key a.key --name a <a.pem
    [ "$output" = a ]
    cmp store/cert/a/chain.pem sub.pem
    [ ! -e store/purpose/tls ]
}

@test "a chain that does not belong is refused: another CA, out of order, a name that is the same" {
    pki_ca other "/CN=Sub" root && pki_ca strange "/CN=Strange" strange
    local wrong
    cat a.pem sub.pem strange.pem >more.pem
    cat a.pem root.pem sub.pem >order.pem
    cat a.pem other.pem >name.pem
    for wrong in more:$(($(wc -l <a.pem) + $(wc -l <sub.pem) + 1)) order:$(($(wc -l <a.pem) + 1)) name:$(($(wc -l <a.pem) + 1)); do
        run -1 --separate-stderr import --cert "${wrong%:*}.pem" --key a.key --purpose tls
        [ -z "$output" ]
        [ "$stderr" = "cert-import: ${wrong/:/.pem:}: not the issuer of the certificate before it
cert-import: hint: the chain begins with the issuer of the certificate and leads upwards" ]
    done
    run -1 import --cert a.pem --chain strange.pem
    [[ $output == "cert-import: strange.pem:1: not the issuer"* ]]
    [ -z "$(ls store/cert)" ]
    # also with the root at its end, as some CAs give it; what stands behind the certificate is not looked at beside --chain
    cat a.pem sub.pem root.pem >whole.pem
    run -0 import --cert whole.pem --name whole
    run -0 import --cert more.pem --chain sub.pem --key a.key --name whole
}

@test "what is imported for a purpose takes the place of the enrolment that was under way for it" {
    openssl req -new -key b.key -subj /CN=x -out x.csr
    import --cert a.pem --key a.key --name a
    store-test store enrol tls x.csr b.key
    [ -e store/pending/tls ]
    run -0 --separate-stderr import --cert a.pem --chain sub.pem --key a.key --name a --purpose tls
    [ "$stderr" = "cert-import: tls: the enrolment that was under way is given up" ]
    [ -z "$(ls store/pending)" ]
    [ "$(readlink store/purpose/tls)" = ../cert/a ]
}

@test "a purpose that the configuration does not know is taken, and named" {
    device_yaml 'purposes:' '- {name: tls, renew: {before: 30d}, enroll: "true"}'
    run -0 --separate-stderr import --cert a.pem --key a.key --name a --purpose tsl --purpose tls
    [ "$stderr" = "cert-import: tsl: no purpose of the configuration: nothing renews it" ]
    [ "$(readlink store/purpose/tsl)" = ../cert/a ]
}

@test "names of a day count on" {
    local i day=2026-12-31
    CERTLINE_CLOCK=$(date -ud "$day 23:59:59" +%s)
    export CERTLINE_CLOCK
    for i in a b self; do import --cert $i.pem --key $i.key; done >out
    [ "$(cat out)" = "imported-$day
imported-$day-2
imported-$day-3" ]
}

@test "the origin is self-signed where it is, imported otherwise, or what is said" {
    import --cert self.pem --name self && import --cert b.pem --name b --origin factory
    grep -qx 'origin: self-signed' store/cert/self/meta.yaml
    grep -qx 'origin: factory' store/cert/b/meta.yaml
    run -2 import --cert a.pem --origin moon
    [[ $output == *"--origin moon: one of factory, issued, self-signed, imported"* ]]
}

@test "a key that belongs to another certificate is refused, of the same kind and of another" {
    refused 1 "x: the key does not belong to the certificate" --cert a.pem --key b.key --name x --purpose tls
    refused 1 "x: the key does not belong to the certificate" --cert a.pem --key rsa.key --name x --purpose tls
    [ ! -e store/purpose/tls ]
}

@test "a key file that is none, is empty, or is not there is refused" {
    echo rubbish >bad.key
    run -1 import --cert a.pem --key bad.key --name x
    [ -z "$(ls -A store/cert)" ]
    : >empty.key
    run -1 import --cert a.pem --key empty.key --name x
    [ -z "$(ls -A store/cert)" ]
    refused 2 "no.key: No such file or directory" --cert a.pem --key no.key
}

@test "what is no certificate is refused with 3 and its line" {
    echo hello >x.pem
    refused 3 "x.pem:1: no PEM block" --cert x.pem
    refused 3 "a.key:1: not a CERTIFICATE" --cert a.key
    printf -- '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n' >x.pem
    refused 3 "x.pem:1: a malformed certificate" --cert x.pem
    head -c 300 a.pem >x.pem
    run -3 import --cert x.pem
    for _ in 1 2 3 4 5 6 7 8 9 10 11; do cat root.pem; done >x.pem
    run -3 import --cert x.pem
    [[ $output == *"more than 10 certificates" ]]
    refused 2 "no.pem: No such file or directory" --cert no.pem
    run -5 import </dev/null
    [ "$output" = "cert-import: stdin: no certificate" ]
}

@test "a name that is taken, and one that cannot be a name, are refused" {
    import --cert a.pem --name x >/dev/null
    run -1 --separate-stderr import --cert b.pem --name x
    [ "$stderr" = "cert-import: x: there is a certificate of this name already" ]
    local name
    for name in ../x .x -x 'a b' a/b '' "$(printf 'x%.0s' {1..65})"; do
        run -2 import --cert b.pem "--name=$name"
        [[ $output == *"--name"*"not 1 to 64 letters, digits, dots, underscores, hyphens"* ]]
        run -2 import --cert b.pem --key b.key "--purpose=$name"
    done
    [ "$(ls store/cert)" = x ]
    import --cert b.pem --name "$(printf 'x%.0s' {1..64})"
}

@test "a purpose needs a key" {
    run -2 --separate-stderr import --cert a.pem --purpose tls
    [ "${stderr%%$'\n'*}" = "cert-import: --purpose needs --key: nothing can use a certificate without its key" ]
}

@test "a store that has reached its limit takes nothing" {
    device_yaml 'limit: 2'
    import --cert a.pem --name a && import --cert b.pem --name b
    run -1 --separate-stderr import --cert self.pem
    [ "$stderr" = "cert-import: store: the store is full (2 certificates)
cert-import: hint: cert-prune deletes what the rules name" ]
    [ "$(ls store/cert | wc -l)" -eq 2 ]
}

@test "what the store holds already is not stored again: its purposes are pointed to it" {
    import --cert a.pem --key a.key --name a
    run -0 --separate-stderr import --cert a.pem --key a.key --purpose tls --purpose web
    [ "$output" = a ]
    [ "$(ls store/cert)" = a ]
    [ "$(readlink store/purpose/web)" = ../cert/a ]
    run -1 --separate-stderr import --cert a.pem --key a.key --name other
    [ "$stderr" = "cert-import: other: the store holds this certificate already, as a" ]
}

@test "what the store holds already is pointed to with its own key alone" {
    import --cert a.pem --key a.key --name a
    run -1 --separate-stderr import --cert a.pem --key b.key --purpose tls
    [ "$stderr" = "cert-import: a: the key does not belong to the certificate" ]
    [ ! -e store/purpose/tls ]
}

@test "a purpose that is pointed to it begins its schedule anew" {
    device_yaml 'purposes: [{name: tls, renew: {every: 90d}, enroll: "true"}]'
    import --cert b.pem --key b.key --name b --purpose tls
    import --cert a.pem --key a.key --name a
    printf 'set: %d\nfailures: 3\nagain: 9999999999\n' $(($(date +%s) - 100 * 86400)) >store/state/tls.yaml
    run -1 cert-list -c store.yaml --due
    import --cert a.pem --key a.key --purpose tls
    run -0 cert-list -c store.yaml --due
    [ -z "$output" ]
    grep -qx 'failures: 0' store/state/tls.yaml && grep -qx 'again: 0' store/state/tls.yaml
}

@test "a key in a token stays there: the store holds its URI" {
    token_cert t
    run -0 import --cert t.pem --key "$(lab_uri hsm1 t)" --name t --purpose tls
    [ "$(cat store/purpose/tls/key.uri)" = "$(lab_uri hsm1 t)" ]
    [ ! -e store/purpose/tls/key.pem ]
    [ "$(certificates)" -eq 0 ] # no token is named under store:
}

@test "a token key of another certificate, and one that is not there, are refused" {
    token_cert t
    refused 1 "x: the key does not belong to the certificate" --cert a.pem --key "$(lab_uri hsm1 t)" --name x
    run -1 import --cert a.pem --key "$(lab_uri hsm1 nothing)" --name x
    [ -z "$(ls -A store/cert)" ]
    run -1 import --cert a.pem --key "$(lab_uri hsm9 nothing)" --name x
    [ -z "$(ls -A store/cert)" ]
}

@test "where store: names a token, a certificate with its key there is put there, too, and one with a key file is not" {
    with_token
    token_cert t
    run -0 import --cert t.pem --key "$(lab_uri hsm1 t)" --name t --purpose tls
    [ "$(certificates)" -eq 1 ]
    pkcs11-tool --module "$LAB_MODULE" --token-label hsm1 --read-object --type cert --label t >der 2>/dev/null
    cmp der <(openssl x509 -in t.pem -outform DER)
    import --cert a.pem --key a.key --name a
    [ "$(certificates)" -eq 1 ]
}

@test "a certificate whose key is in the token, with the URI of another one: nothing is put there" {
    with_token
    token_cert t && token_cert u
    refused 1 "x: the key does not belong to the certificate" --cert t.pem --key "$(lab_uri hsm1 u)" --name x
    [ "$(certificates)" -eq 0 ]
}

@test "token-limit: a token that is full takes nothing, and the store neither; what it holds already needs no place" {
    with_token 'token-limit: 1'
    token_cert t && token_cert u
    import --cert t.pem --key "$(lab_uri hsm1 t)" --name t
    run -1 --separate-stderr import --cert u.pem --key "$(lab_uri hsm1 u)" --name u
    [ "$stderr" = "cert-import: store: the token is full (1 certificates)" ]
    [ "$(ls store/cert)" = t ]
    [ "$(certificates)" -eq 1 ]
    rm -rf store
    run -0 import --cert t.pem --key "$(lab_uri hsm1 t)" --name again
    [ "$(certificates)" -eq 1 ]
}

@test "a certificate whose key is not in the token that store: names is refused" {
    with_token
    hsm-keygen "$(lab_uri hsm2 v)" >v.pub && pki_attest v /CN=v root 90
    run -1 import --cert v.pem --key "$(lab_uri hsm2 v)" --name v
    [ -z "$(ls -A store/cert)" ]
}

@test "a token that is away: 4, and the store as it was" {
    with_token
    token_cert t
    mv lab/tokens lab/elsewhere && mkdir lab/tokens
    run -4 import --cert t.pem --key "$(lab_uri hsm1 t)" --name t
    [ -z "$(ls -A store/cert)" ]
}

@test "a deletion destroys key and certificate in the token" {
    with_token
    token_cert t && token_cert u
    import --cert t.pem --key "$(lab_uri hsm1 t)" --name t --purpose tls
    import --cert u.pem --key "$(lab_uri hsm1 u)" --name u
    [ "$(keys) $(certificates)" = "2 2" ]
    store-test store delete u
    [ "$(keys) $(certificates)" = "1 1" ]
    objects privkey | grep -q 'label: *t$'
}

@test "a token key that another certificate uses stays, even where that one cannot be read" {
    with_token
    token_cert t && cp t.pem first.pem
    import --cert first.pem --key "$(lab_uri hsm1 t)" --name first
    pki_attest t /CN=second root 91
    import --cert t.pem --key "$(lab_uri hsm1 t)" --name second --purpose tls
    cp -r store whole
    store-test store delete first
    [ ! -e store/cert/first ]
    [ "$(keys)" -eq 1 ]
    run -0 import --cert t.pem --key "$(lab_uri hsm1 t)" --purpose ipsec # it works still
    rm -rf store && mv whole store && echo rubbish >store/cert/second/cert.pem
    store-test store delete first
    [ "$(keys)" -eq 1 ]
}

@test "a token key that an enrolment under way uses stays" {
    token_cert t
    import --cert t.pem --key "$(lab_uri hsm1 t)" --name t
    csr-make --key "$(lab_uri hsm1 t)" --subject CN=t >t.request
    store-test store enrol tls t.request "$(lab_uri hsm1 t)"
    run -0 store-test store scan
    [ "$output" = "t pending" ]
    store-test store delete t
    [ "$(keys)" -eq 1 ]
    store-test store end tls # it was never certified: it goes
    [ "$(keys)" -eq 0 ]
}

@test "the end of an enrolment leaves a token key that a certificate has" {
    token_cert t
    import --cert t.pem --key "$(lab_uri hsm1 t)" --name t
    csr-make --key "$(lab_uri hsm1 t)" --subject CN=t >t.request
    store-test store enrol tls t.request "$(lab_uri hsm1 t)"
    store-test store end tls
    [ "$(keys)" -eq 1 ]
}

@test "a token that is away when its key is to go: 4, the certificate stays, and the history says that it was kept" {
    token_cert t
    import --cert t.pem --key "$(lab_uri hsm1 t)" --name t
    mv lab/tokens lab/elsewhere && mkdir lab/tokens
    run -4 store-test store delete t
    [ -e store/cert/t/key.uri ]
    [ "$(jq -r 'keys[] | select(. == "deleted" or . == "kept")' store/history | tr '\n' ' ')" = "deleted kept " ]
    rm -r lab/tokens && mv lab/elsewhere lab/tokens
    store-test store delete t
    [ "$(keys)" -eq 0 ]
}

@test "store: takes one folder and one token, and no more" {
    local why
    while IFS='|' read -r value why; do
        printf '%s\n' "store: $value" 'trust: root.pem' >store.yaml
        run -2 --separate-stderr cert-list -c store.yaml
        [ "$stderr" = "cert-list: store.yaml:1:$why" ] || { echo "$stderr" && false; }
    done <<'END'
[a, b]|8: two folders: one folder and one token may stand here
["pkcs11:token=a", "pkcs11:token=b"]|8: two tokens: one folder and one token may stand here
[]|8: a folder or a pkcs11: URI is missing
END
    device_yaml 'token-limit: 3'
    run -2 cert-list -c store.yaml
    [ "$output" = 'cert-list: store.yaml:5:14: goes with a token in "store"' ]
}
