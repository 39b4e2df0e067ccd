bats_require_minimum_version 1.5.0

# The whole circle: a device's certificate is renewed through a line of units.

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    line_build && people_line "$BATS_FILE_TMPDIR/line"
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/people.bash"
    people_restore empty
    cd "$BATS_TEST_TMPDIR" || return
    cat >middle <<END
#!/bin/sh
e=$LINE/etc
verify-unit -c \$e/verify-unit.yaml | ra-approve -c \$e/ra-approve.yaml | ca-sign -c \$e/ca-sign.yaml |
    ra-approve -c \$e/ra-approve.yaml | verify-unit -c \$e/verify-unit.yaml
END
    chmod +x middle
}

config() { # LOT
    cat >store.yaml <<END
store: store
trust: $PKI/root.pem
purposes:
  - name: tls
    renew: {before: 30d}
    subject: serialNumber=A
    enroll: "attach -c $LINE/etc/attach.yaml --lot $1 | ./middle | attach -c $LINE/etc/attach.yaml --chain"
    poll: "attach -c $LINE/etc/attach.yaml --poll | ./middle | attach -c $LINE/etc/attach.yaml --chain"
END
    mkdir -p store/cert store/purpose store/pending store/state
}
in_use() {
    openssl verify -attime "${CERTLINE_CLOCK:-$(date +%s)}" -CAfile "$PKI/root.pem" -untrusted store/purpose/tls/chain.pem store/purpose/tls/cert.pem
    cmp <(openssl x509 -in store/purpose/tls/cert.pem -noout -pubkey) <(openssl pkey -in store/purpose/tls/key.pem -pubout)
}

@test "a line of units is the enrolment" {
    config free
    run -0 --separate-stderr cert-renew -c store.yaml
    in_use
}

@test "a person has to approve: pending, polled for in vain, granted, polled for, in use" {
    config one
    run -4 --separate-stderr cert-renew -c store.yaml
    [[ $stderr == *'cert-renew: tls: no certificate yet: it is asked for again later' ]]
    [ ! -e store/purpose/tls ]
    run -4 cert-renew -c store.yaml --force tls
    grant alice "$(ra-approve --list | cut -f 1)"
    run -0 --separate-stderr cert-renew -c store.yaml --force tls
    in_use
    [ -z "$(ls store/pending)" ]
}

@test "an approval that takes days: each night's cron asks with the same request, and the last one has it" {
    local night
    config one
    export CERTLINE_CLOCK
    CERTLINE_CLOCK=$(date +%s)
    run -4 cert-renew -c store.yaml
    cp store/pending/tls/request.pem first
    for night in 1 2 3; do
        CERTLINE_CLOCK=$((CERTLINE_CLOCK + 86400))
        run -4 cert-renew -c store.yaml
        [[ $output == *'cert-renew: tls: no certificate yet: it is asked for again later' ]]
        cmp first store/pending/tls/request.pem
    done
    [ "$(ra-approve --list | grep -c .)" -eq 1 ]
    grant alice "$(ra-approve --list | cut -f 1)"
    CERTLINE_CLOCK=$((CERTLINE_CLOCK + 86400))
    run -0 cert-renew -c store.yaml
    in_use
    cmp <(openssl req -in first -noout -pubkey) <(openssl x509 -in store/purpose/tls/cert.pem -noout -pubkey)
}

@test "the way to the CA breaks while a person decides: nothing is lost, and the answer comes by the same request" {
    config one
    run -4 cert-renew -c store.yaml
    mv middle middle.works
    printf '#!/bin/sh\nexit 255\n' >middle && chmod +x middle
    for i in 1 2 3 4 5 6; do
        run -4 cert-renew -c store.yaml --force tls
        [[ $output == *'cert-renew: tls: the enrolment ended with 5: it is tried again later' ]]
    done
    mv middle.works middle
    grant alice "$(ra-approve --list | cut -f 1)"
    run -0 cert-renew -c store.yaml --force tls
    in_use
}
