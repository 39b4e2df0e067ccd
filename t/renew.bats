bats_require_minimum_version 1.5.0

# cert-renew: what is due becomes a certificate in use, and nothing that an enrolment prints can change that.

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build && renew_pki "$BATS_FILE_TMPDIR" || return
    cd "$BATS_FILE_TMPDIR" || return
    # A certificate of 90 days of which 15 are left.
    mkdir first && cd first || return
    renew_store
    BEGIN=-6480000 renew_first
}

setup() {
    . "$BATS_TEST_DIRNAME/renew.bash"
    cp -a "$BATS_FILE_TMPDIR/first/." "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return
    first=$(cat tls.name)
}

# What is in use is the certificate that came as this number, by its name: behind midnight they are counted anew.
nth() { # NUMBER
    now=$(basename "$(readlink store/purpose/tls)")
    [ "$now" = "$first-$1" ] || [[ ${now:0:14} > ${first:0:14} ]] # tls-YYYY-MM-DD
}

now_text() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }

# One run with this enrolment changes nothing, says this and ends so.
refused() { # STATUS WHAT-IT-SAYS
    tree >before
    run "-$1" --separate-stderr renew
    [ -z "$output" ] || return
    [ "$stderr" = "cert-renew: $2" ] || { echo "$stderr" && return 1; }
    tree | diff before - && whole && [ "$(readlink store/purpose/tls)" = "../cert/$first" ]
}

@test "what is due is renewed: a new key, the same subject and names; then there is nothing to do and nothing is said" {
    run -0 --separate-stderr renew
    nth 2
    [[ $output == "tls: $now is in use, valid to "* ]]
    [ -z "$stderr" ]
    whole
    [ "$(openssl x509 -in store/purpose/tls/cert.pem -noout -subject -ext subjectAltName | tr -d '\n')" = \
        'subject=CN = devX509v3 Subject Alternative Name:     DNS:dev.example' ]
    run -1 cmp -s store/purpose/tls/key.pem tls.key
    [ "$(stat -c %a store/purpose/tls/key.pem)" = 600 ]
    [ -z "$(ls store/pending)" ]
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
}

@test "what is not due is left alone, and its command is not run" {
    renew_store '{before: 10d}' '    enroll: touch asked'
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    [ ! -e asked ]
}

@test "with key: same the key stays" {
    renew_store '{before: 30d}' '    key: same'
    run -0 renew
    whole
    cmp <(openssl pkey -in store/purpose/tls/key.pem) <(openssl pkey -in tls.key)
}

@test "subject, names, usages, type of key and challengePassword are what store.yaml says, and the secret is in no argv" {
    local word=s3cret-$$-$RANDOM # what another run of this test says to grep is no argv of ours
    echo "$word" >word
    renew_store '{before: 30d}' '    subject: serialNumber=4711,O=ABC,C=JP' '    san: ["dns:a.example", "ip:192.0.2.1"]' \
        '    usages: [serverAuth, 1.3.6.1.5.5.7.3.2]' '    key-type: RSA-2048' '    challenge: word' \
        '    enroll: "cat >seen; env >env; ps axww >args; exec issue <seen"'
    run -0 --separate-stderr renew -v
    openssl req -in seen -noout -text -verify >text 2>&1
    grep -q 'verify OK' text
    grep -q "challengePassword *:$word\$" text
    grep -q '(2048 bit)' text
    grep -q 'TLS Web Server Authentication, TLS Web Client Authentication' text
    grep -q 'DNS:a.example, IP Address:192.0.2.1' text
    [ "$(openssl req -in seen -noout -subject -nameopt RFC2253)" = 'subject=serialNumber=4711,O=ABC,C=JP' ] ||
        [ "$(openssl req -in seen -noout -subject -nameopt RFC2253)" = 'subject=2.5.4.5=#130434373131,O=ABC,C=JP' ]
    [[ $output$stderr$(cat env args) != *$word* ]]
    holders() { # files of the store in which the secret stands, in base64, too
        find store -type f -exec sh -c '{ cat "$1"; sed "/^-/d" "$1" | base64 -di 2>/dev/null; } | grep -aq "$0"' "$word" {} \; -print
    }
    [ -z "$(holders)" ]
    whole
    # While it is under way, the request lies where nobody else can look.
    renew_store '{before: 30d}' '    challenge: word' '    enroll: exit 4'
    run -4 --separate-stderr renew --force tls
    [[ $stderr != *$word* ]]
    [ "$(holders)" = store/pending/tls/request.pem ]
    [ "$(stat -c %a store/pending/tls)" = 700 ]
}

@test "a challenge that is empty, or more than one line, is refused before a key is made" {
    : >word
    renew_store '{before: 30d}' '    challenge: word'
    refused 1 "word: not a challengePassword: one line of 1 to 255 octets"
    printf 'a\nb\n' >word
    run -1 renew --force tls
    [ -z "$(ls store/pending)" ]
}

@test "the command has purpose, device and transaction in its environment" {
    renew_store '{before: 30d}' 'device: dev-1' '    enroll: "env | grep ^CERTLINE_ >env; issue"'
    run -0 renew
    grep -qx CERTLINE_PURPOSE=tls env
    grep -qx CERTLINE_DEVICE=dev-1 env
    grep -qxE 'CERTLINE_TRANSACTION=[0-9a-f]{32}' env
}

@test "a purpose without a certificate is requested for the first time, when its subject is known" {
    renew_store never '    enroll: ./enroll' '  - name: ipsec' '    renew: {before: 1d}' '    enroll: ./enroll' \
        '    subject: CN=first'
    run -0 renew
    [[ $output == 'ipsec: ipsec-'*' is in use'* ]]
    whole ipsec
}

@test "a purpose that is never renewed is not requested for the first time either, but on demand" {
    renew_store never '    enroll: "touch asked; issue"' '    subject: CN=dev'
    rm store/purpose/tls
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    run -0 renew -n
    [ "$output" = 'tls: never due' ]
    [ ! -e asked ]
    run -0 renew --force tls
    whole
}

@test "a purpose without a certificate and without a subject: a hint, 1" {
    renew_store never '    enroll: ./enroll' '  - name: ipsec' '    renew: {before: 1d}' '    enroll: ./enroll'
    run -1 --separate-stderr renew
    [ "$stderr" = 'cert-renew: ipsec: there is no certificate whose subject could be asked for again
cert-renew: hint: give the purpose a "subject", or put a certificate in with cert-import' ]
}

@test "the chain is the path that was found, in its order, without the root and without what came along" {
    cat >enroll <<END
#!/bin/bash
issue >got
sed '/^-----END/q' got
cat "$PKI/other.pem" "$PKI/root.pem" "$PKI/ca.pem"
END
    run -0 renew
    diff <(openssl x509 -in store/purpose/tls/chain.pem) <(openssl x509 -in "$PKI/ca.pem")
    [ "$(grep -c ^-----BEGIN store/purpose/tls/chain.pem)" -eq 1 ]
    whole
}

# --- answers ---

@test "rubbish for an answer" {
    renew_store '{before: 30d}' '    enroll: "head -c 3000 /dev/urandom | base64"'
    refused 1 'tls: the answer: no PEM block'
    renew_store '{before: 30d}' "    enroll: 'head -c 3000 /dev/urandom | tr \"\\n\" x'"
    rm -r store/pending/* store/state/*
    refused 1 'tls: the answer: line longer than 1024 octets'
}

@test "an empty answer" {
    renew_store '{before: 30d}' '    enroll: "true"'
    refused 1 'tls: the answer: holds no certificate'
}

@test "half a certificate for an answer" {
    renew_store '{before: 30d}' '    enroll: "issue | head -n 5"'
    tree >before
    run -1 --separate-stderr renew
    [[ $stderr == 'cert-renew: tls: the answer: '* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    tree | diff before -
}

@test "the certificate that is in use for an answer" {
    renew_store '{before: 30d}' '    key: same' '    enroll: cat store/purpose/tls/cert.pem'
    refused 1 'tls: the answer: the certificate that is in use already'
}

@test "an old certificate of the same key for an answer" {
    BEGIN=-7000000 LIFE=7776000 renew_first spare
    csr-make --key tls.key --subject CN=dev --san dns:dev.example | BEGIN=-7000000 issue 7500000 >old
    renew_store '{before: 30d}' '    key: same' '    enroll: cat old'
    refused 1 "tls: the answer: an older certificate, which ends $(now_text \
        "$(date -d "$(openssl x509 -in old -noout -enddate | cut -d = -f 2)" +%s)")"
}

@test "a certificate that ends sooner than the one in use for an answer, where the end was the reason" {
    local at
    at=$(date -d '+14 days' +%s)
    export END
    END=$(date -u -d @"$at" +%Y%m%d%H%M%SZ)
    for when in '{before: 30d}' '{fraction: 1/2}'; do
        rm -rf store/state/*
        renew_store "$when"
        refused 1 "tls: the answer: it ends $(now_text "$at"), sooner than $first, which is in use
cert-renew: hint: --force tls takes it all the same"
    done
    run -0 renew --force tls
    nth 2
}

@test "a certificate that ends sooner than the one in use is taken where a date was the reason" {
    renew_store '{every: 1d}' '    enroll: issue 86400'
    run -0 renew
    [ "$(readlink store/purpose/tls)" = "../cert/$first" ]
    CERTLINE_CLOCK=$(($(date +%s) + 90000)) run -0 renew
    [ "$(readlink store/purpose/tls)" != "../cert/$first" ]
}

@test "a certificate that is in the store without a purpose for an answer" {
    csr-make --key tls.key --subject CN=dev --san dns:dev.example | issue >old
    cert-import -c store.yaml --cert old --key tls.key --name spare
    renew_store '{before: 30d}' '    key: same' '    enroll: cat old'
    refused 1 'tls: the answer: spare, which is in the store already'
}

@test "someone else's certificate for an answer" {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out their.key
    csr-make --key their.key --subject CN=dev --san dns:dev.example | issue >theirs
    renew_store '{before: 30d}' '    enroll: cat theirs'
    refused 1 'tls: the answer: no certificate for the key that was sent'
}

@test "a certificate of another subject for an answer" {
    renew_store '{before: 30d}' '    enroll: "issue 7776000 -subj /CN=thief"'
    refused 1 'tls: the answer: its subject is "CN=thief", "CN=dev" was asked for'
}

@test "a certificate without the names, or with other names, for an answer" {
    sed 's/copy_extensions=copy/copy_extensions=none/' "$PKI/issue.cnf" >none.cnf
    sed "s,$PKI/issue.cnf,$PWD/none.cnf," "$(command -v issue)" >bare
    chmod +x bare
    renew_store '{before: 30d}' '    enroll: ./bare'
    refused 1 'tls: the answer: it lacks the subject alternative names that were asked for'
    printf '[v3]\nsubjectAltName=DNS:thief.example\n' >ext
    renew_store '{before: 30d}' '    enroll: ./bare 7776000 -extfile ext -extensions v3'
    rm -r store/pending/* store/state/*
    refused 1 'tls: the answer: it lacks a subject alternative name that was asked for'
}

@test "a certificate without the usage that store.yaml asks for" {
    sed 's/copy_extensions=copy/copy_extensions=none/' "$PKI/issue.cnf" >none.cnf
    sed "s,$PKI/issue.cnf,$PWD/none.cnf," "$(command -v issue)" >bare
    chmod +x bare
    printf '[v3]\nsubjectAltName=DNS:dev.example\nextendedKeyUsage=clientAuth\n' >ext
    renew_store '{before: 30d}' '    usages: [serverAuth]' '    enroll: ./bare 7776000 -extfile ext -extensions v3'
    refused 1 'tls: the answer: it lacks an extended key usage that was asked for'
}

@test "a certificate of another CA for an answer" {
    renew_store '{before: 30d}' '    enroll: CA=other issue'
    tree >before
    run -1 --separate-stderr renew
    [[ $stderr == 'cert-renew: tls: the answer: self'?'signed certificate in certificate chain' ]]
    tree | diff before -
}

@test "a certificate without its issuer for an answer" {
    renew_store '{before: 30d}' '    enroll: "issue | sed /^-----END/q"'
    refused 1 'tls: the answer: unable to get local issuer certificate'
}

@test "an expired certificate for an answer" {
    export CERTLINE_CLOCK
    CERTLINE_CLOCK=$(date +%s)
    renew_store '{before: 30d}' '    enroll: BEGIN=-7200 issue 3600'
    tree >before
    run -1 --separate-stderr renew
    [[ $stderr == *"cert-renew: tls: the answer: expired $(now_text $((CERTLINE_CLOCK - 3600)))" ]]
    tree | diff before -
}

@test "a certificate that is not valid yet for an answer" {
    export CERTLINE_CLOCK
    CERTLINE_CLOCK=$(date +%s)
    renew_store '{before: 30d}' '    enroll: BEGIN=3600 issue'
    tree >before
    run -1 --separate-stderr renew
    [[ $stderr == *"cert-renew: tls: the answer: not valid before $(now_text $((CERTLINE_CLOCK + 3600)))" ]]
    tree | diff before -
}

@test "a CA whose clock is four minutes ahead is served, and the device's clock is not wrong for that" {
    renew_store '{before: 30d}' '    enroll: BEGIN=240 issue'
    run -0 --separate-stderr renew
    [ -z "$stderr" ]
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
}

@test "a certificate whose validity began while the command ran is taken" {
    renew_store '{before: 30d}' '    enroll: "sleep 1.1; BEGIN=0 issue"'
    run -0 --separate-stderr renew
    [ -z "$stderr" ]
}

@test "a private key in the answer: refused, and it is nowhere in the store" {
    renew_store '{before: 30d}' '    enroll: "issue; cat tls.key"'
    refused 1 'tls: the answer: holds something that is not a CERTIFICATE'
    [ -z "$(grep -rlF "$(sed -n 2p tls.key)" store | grep -v "store/cert/$first/")" ]
}

@test "a gigabyte for an answer" {
    renew_store '{before: 30d}' '    enroll: "head -c 1000000000 /dev/zero"'
    refused 1 'tls: the answer: more than 1048576 octets'
}

@test "eleven certificates for an answer" {
    renew_store '{before: 30d}' "    enroll: 'issue; for i in 1 2 3 4 5 6 7 8 9; do cat $PKI/ca.pem; done'"
    refused 1 'tls: the answer: holds more than 10 certificates'
}

@test "a command that never ends is stopped, and what it started, too: 4" {
    renew_store '{before: 30d}' '    timeout: 1s' '    enroll: "flock one sleep 600 & flock two sleep 600"'
    refused 4 'tls: no answer within 1 seconds'
    flock -w 60 one true
    flock -w 60 two true
}

@test "a process that leaves the command's group and holds its output does not hold up the renewal" {
    renew_store '{before: 30d}' "    enroll: 'setsid sh -c \"echo \\\$\\\$ >held; exec sleep 600\" 2>/dev/null &
        until test -s held; do sleep 0.05; done; issue'"
    run -0 renew
    kill "$(cat held)"
    whole
}

@test "a command that is not there: 1" {
    renew_store '{before: 30d}' '    enroll: ./no-such-command 2>/dev/null'
    refused 1 'tls: the enrolment ended with 127'
}

@test "a command that ends with 1 is a refusal; with 4 it is pending; with 255, as ssh does, it is tried again later" {
    renew_store '{before: 30d}' '    enroll: exit 1'
    refused 1 'tls: the enrolment ended with 1'
    renew_store '{before: 30d}' '    enroll: exit 4'
    rm -r store/pending/* store/state/*
    refused 4 'tls: no certificate yet: it is asked for again later'
    renew_store '{before: 30d}' '    enroll: exit 255'
    rm -r store/pending/* store/state/*
    refused 4 'tls: the enrolment ended with 255: it is tried again later'
}

@test "a line that breaks in the middle, whose last stage then ends with 5, is asked again later with the same key" {
    renew_store '{before: 30d}' '    enroll: "openssl req -noout -pubkey >>keys; exit 5"'
    refused 4 'tls: the enrolment ended with 5: it is tried again later'
    for i in 1 2 3 4 5; do run -4 renew --force tls; done
    [ "$(grep -A1 ^-----BEGIN keys | grep -v ^- | sort -u | wc -l)" -eq 1 ]
}

@test "a certificate that is printed by a command that fails is not taken" {
    renew_store '{before: 30d}' '    enroll: "issue; exit 1"'
    refused 1 'tls: the enrolment ended with 1'
}

# --- again later ---

@test "a renewal that fails backs off: a minute, doubled each time, never longer than a tenth of what is left" {
    export CERTLINE_CLOCK
    now=$(date +%s) last=0
    renew_store '{before: 30d}' '    enroll: "echo >>asked; exit 1"'
    end=$(date -d "$(openssl x509 -in tls.first -noout -enddate | cut -d = -f 2)" +%s)
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        CERTLINE_CLOCK=$now run -1 renew
        again=$(state again)
        wait=$((again - now))
        [ "$wait" -ge "$last" ] || [ "$wait" -eq $(((end - now) / 10)) ]
        [ "$wait" -le $(((end - now) / 10)) ]
        [ "$i" -gt 1 ] || [ "$wait" -eq 60 ]
        CERTLINE_CLOCK=$((again - 1)) run -0 --separate-stderr renew
        [ "$stderr" = 'cert-renew: the clock is set by CERTLINE_CLOCK' ]
        now=$again last=$wait
    done
    [ "$last" -eq 86400 ]
    [ "$(wc -l <asked)" -eq 12 ]
}

@test "what has little time left is tried often, and what has expired goes on being tried" {
    end=$(date -d "$(openssl x509 -in tls.first -noout -enddate | cut -d = -f 2)" +%s)
    renew_store '{before: 30d}' '    enroll: exit 1'
    export CERTLINE_CLOCK=$((end - 1000)) i
    for i in 1 2 3 4; do run -1 renew --force tls; done
    [ "$(($(state again) - CERTLINE_CLOCK))" -eq 100 ]
    CERTLINE_CLOCK=$((end + 86400))
    for i in 1 2 3 4 5 6 7; do run -1 renew --force tls; done
    [ "$(($(state again) - CERTLINE_CLOCK))" -eq 3600 ]
    renew_store
    CERTLINE_CLOCK=$(state again)
    run -0 renew
    whole
}

@test "after five refusals a new key and a new request are made" {
    renew_store '{before: 30d}' '    enroll: "openssl req -noout -pubkey >>keys; exit 1"'
    for i in 1 2 3 4 5; do run -1 renew --force tls; done
    [ "$(grep -c ^-----BEGIN keys)" -eq 5 ]
    [ "$(sed -n 2p keys)" = "$(sed -n 6p keys)" ]
    run -1 renew --force tls
    [ "$(grep -A1 ^-----BEGIN keys | grep -v ^- | sort -u | wc -l)" -eq 2 ]
}

@test "what is pending is asked for again with the same key and transaction, through poll, and comes into use" {
    renew_store '{before: 30d}' '    enroll: "(echo enroll $CERTLINE_TRANSACTION; openssl req -noout -pubkey) >first; exit 4"' \
        '    poll: "cat >csr; (echo enroll $CERTLINE_TRANSACTION; openssl req -in csr -noout -pubkey) >again; test -e granted || exit 4; issue <csr"'
    run -4 renew
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    export CERTLINE_CLOCK
    CERTLINE_CLOCK=$(state again)
    run -4 renew
    cmp first again
    whole
    touch granted
    CERTLINE_CLOCK=$(state again)
    run -0 renew
    cmp first again
    whole
    [ "$(readlink store/purpose/tls)" != "../cert/$first" ]
}

@test "what is pending stays so while the way to the CA is broken" {
    renew_store '{before: 30d}' '    enroll: exit 4' '    poll: "openssl req -noout -pubkey >>keys; exit $(cat ends)"'
    run -4 renew
    for end in 5 255 5 255 5 255 4; do
        echo $end >ends
        run -4 renew --force tls
    done
    [ "$(grep -c ^-----BEGIN keys)" -eq 7 ]
    [ "$(grep -A1 ^-----BEGIN keys | grep -v ^- | sort -u | wc -l)" -eq 1 ]
}

@test "a command that was never answered is not polled for but run again" {
    renew_store '{before: 30d}' '    enroll: "echo enroll >>calls; exit 255"' '    poll: "echo poll >>calls; exit 4"'
    run -4 renew
    run -4 renew --force tls
    [ "$(sort -u calls)" = enroll ]
}

@test "a poll that is refused makes the next attempt begin with enroll" {
    renew_store '{before: 30d}' '    enroll: "echo enroll >>calls; exit 4"' '    poll: "echo poll >>calls; exit 1"'
    run -4 renew
    run -1 renew --force tls
    run -4 renew --force tls
    [ "$(tr '\n' ' ' <calls)" = 'enroll poll enroll ' ]
}

@test "a certificate that is due again at once is not requested at every run" {
    # Both end together with the CA's own, as it were.
    export END
    END=$(date -u -d '+5 days' +%Y%m%d%H%M%SZ)
    rm -r store
    BEGIN=-6480000 renew_first
    first=$(cat tls.name)
    renew_store '{before: 30d}' '    enroll: "echo >>asked; BEGIN=-6000000 issue"'
    run -1 --separate-stderr renew
    nth 2
    [[ $output == "tls: $now is in use"* ]]
    [[ $stderr == "cert-renew: tls: $now is due again at once: it is renewed after "*'
cert-renew: hint: its schedule does not fit the validity that the CA gives: certline-store(5)' ]]
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    [ "$(wc -l <asked)" -eq 1 ]
    CERTLINE_CLOCK=$(($(date +%s) + 345600)) run -1 renew
    [ "$(wc -l <asked)" -eq 2 ]
}

# --- hook and restart ---

@test "the hook runs behind the switch, ahead of the deletion, with the purpose and the store in its environment" {
    renew_store '{before: 30d}' 'deletion: {when: [always], rules: [superseded]}' \
        '    after: "readlink store/purpose/$CERTLINE_PURPOSE >saw; ls store/cert >>saw; test -d $CERTLINE_STORE"'
    run -0 --separate-stderr renew
    [ -z "$stderr" ]
    nth 2
    [ "$(cat saw)" = "../cert/$now
$first
$now" ]
    [ "${lines[1]}" = "$first: deleted: superseded" ]
    [ "$(ls store/cert)" = "$now" ]
}

@test "a hook that fails is run again by the next run; until then nothing that was superseded is deleted" {
    renew_store '{before: 30d}' 'deletion: {when: [always], rules: [superseded]}' \
        '    after: "echo >>ran; test -e works"'
    run -4 --separate-stderr renew
    [ "$stderr" = 'cert-renew: tls: after: ended with 1; it is run again next time' ]
    whole
    [ "$(ls store/cert | wc -l)" -eq 2 ]
    run -4 --separate-stderr renew
    [ -z "$output" ]
    touch works
    run -0 --separate-stderr renew
    [ "$output" = "$first: deleted: superseded" ]
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    [ "$(wc -l <ran)" -eq 3 ]
}

@test "a hook that hangs is stopped and run again next time" {
    renew_store '{before: 30d}' '    after: exit 1'
    run -4 renew
    # The enrolment is over, which may take more than a second.
    renew_store '{before: 30d}' '    timeout: 1s' '    after: flock hook sleep 600'
    run -4 --separate-stderr renew
    [ "$stderr" = 'cert-renew: tls: after: not done within 1 seconds; it is run again next time' ]
    flock -w 60 hook true
}

@test "a hook that prints without end is stopped, and that is said" {
    renew_store '{before: 30d}' '    after: yes'
    run -4 --separate-stderr renew
    [ "$stderr" = 'cert-renew: tls: after: it printed more than 1048576 octets; it is run again next time' ]
    whole
}

two_purposes() { # LINE-OF-EACH...
    renew_store '{before: 30d}' "${@/#/    }" '  - name: ipsec' '    renew: {before: 30d}' '    enroll: ./enroll' \
        '    subject: CN=dev' "${@/#/    }"
}

@test "a restart that several purposes need is done once, at the end" {
    two_purposes 'restart: needed' 'after: echo hook >>order'
    sed -i '1i restart: echo restart >>order' store.yaml
    run -0 --separate-stderr setsid -w cert-renew -c store.yaml
    [ "${lines[2]}" = 'restart for tls, ipsec' ]
    [ "$(tr '\n' ' ' <order)" = 'hook hook restart ' ]
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
}

@test "a restart without a command is reported once; ask, without a terminal, is too" {
    two_purposes 'restart: needed'
    run -0 renew
    [ "${lines[2]}" = 'a restart is needed for tls, ipsec' ]
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    two_purposes 'restart: ask'
    sed -i '1i restart: touch restarted' store.yaml
    run -0 setsid -w cert-renew -c store.yaml --force tls
    [ "${lines[1]}" = 'a restart is needed for tls, ipsec' ]
    [ ! -e restarted ]
}

@test "a restart that fails, or is killed, is done by the next run; in the system's next life it is forgotten" {
    renew_store '{before: 30d}' 'restart: "echo >>tried; test -e works"' '    restart: needed'
    run -4 --separate-stderr renew
    [ "$stderr" = 'cert-renew: restart: ended with 1; it is run again next time' ]
    renew_store '{before: 30d}' 'restart: "echo >>tried; kill -9 $PPID; sleep 60"' '    restart: needed'
    run -4 renew
    [ "$(state restart)" = yes ]
    [ "$(wc -l <tried)" -eq 2 ]
    sed -i 's/^boot:.*/boot: "another-life"/' store/state/tls.yaml
    run -0 --separate-stderr renew
    [ -z "$output$stderr" ]
    [ "$(state restart)" = no ]
    [ "$(wc -l <tried)" -eq 2 ]
}

# --- places ---

@test "a store that is full refuses before it enrols, at every run" {
    renew_store '{before: 30d}' 'limit: 1' '    enroll: "touch asked; issue"'
    for i in 1 2; do
        run -1 --separate-stderr renew
        [ -z "$output" ]
        [ "$stderr" = "cert-renew: store: the store is full (1 certificates): nothing is requested for tls
cert-renew: hint: delete with cert-prune, or allow deletion \"before\": certline-store(5)" ]
    done
    [ ! -e asked ]
    [ -z "$(ls store/pending)" ]
}

@test "a store that is full makes a place ahead of each enrolment" {
    renew_first ipsec
    for i in 1 2; do
        csr-make --key ipsec.key --subject CN=x | issue | cert-import -c store.yaml --key ipsec.key --name old-$i
    done
    renew_store '{before: 30d}' 'limit: 4' 'deletion: {when: [limit], rules: [no-purpose, superseded], time: [before, after]}' \
        '    enroll: "ls store/cert | wc -l >>held; issue"' '  - name: ipsec' '    renew: {before: 100d}' \
        '    enroll: "ls store/cert | wc -l >>held; issue"'
    run -0 renew --force tls
    run -0 renew --force ipsec
    [ "$(sort -u held)" = 3 ]
    [ "$(ls store/cert | wc -l)" -le 4 ]
    whole tls ipsec
}

@test "two that are on their way do not get one place" {
    renew_store '{before: 30d}' 'limit: 2' '    enroll: exit 4' '  - name: ipsec' '    renew: {before: 1d}' \
        '    subject: CN=dev' '    enroll: touch asked'
    run -1 --separate-stderr renew
    [[ $stderr == *"the store is full (1 certificates, and 1 are on their way): nothing is requested for ipsec"* ]]
    [ ! -e asked ]
}

@test "a place that went to someone else while the command ran: refused, and the store is not over its limit" {
    renew_store '{before: 30d}' 'limit: 2' "    enroll: 'cp -r store/cert/$first store/cert/other; issue'"
    run -1 --separate-stderr renew
    [[ $stderr == *'the store is full (2 certificates): '* ]]
    [ "$(ls store/cert | wc -l)" -eq 2 ]
    # With a place for it the request that waits goes on.
    rm -r store/cert/other
    renew_store '{before: 30d}' 'limit: 2'
    run -0 renew
    whole
}

# --- options ---

@test "--dry-run says what would be done and does nothing" {
    renew_store '{before: 30d}' '    enroll: touch asked' '    after: touch hooked'
    find store -exec stat -c '%n %Y %s' {} + | sort >before
    run -0 --separate-stderr renew --dry-run
    [[ $output == "tls: $first was due "*' (30d before the end): would be renewed' ]]
    find store -exec stat -c '%n %Y %s' {} + | sort | diff before -
    [ ! -e asked ]
    renew_store '{before: 30d}' '    enroll: exit 1'
    run -1 renew
    run -0 renew -n
    [[ $output == 'tls: was due '*': not again before '*'tls: an enrolment is under way: would be asked for again' ]]
}

@test "--at says what would be due then" {
    renew_store '{before: 10d}'
    run -0 --separate-stderr renew --at "$(date -u -d '+4 days' +%F)"
    [[ $output == "tls: $first is due "* ]]
    run -0 --separate-stderr renew --at "$(date -u -d '+6 days' +%Y-%m-%dT00:00:00Z)"
    [[ $output == "tls: $first was due "*': would be renewed' ]]
    whole && [ "$(ls store/cert)" = "$first" ]
    run -2 --separate-stderr renew --at soon
    [[ $stderr == 'cert-renew: --at soon: not a date such as 2027-01-31 or 2027-01-31T02:30:00Z'* ]]
}

@test "--force renews that purpose and no other, by its name or its certificate's, though it is not due" {
    two_purposes
    run -0 renew --force ipsec
    [[ $output == 'ipsec: '*' is in use'* ]]
    [ "$(readlink store/purpose/tls)" = "../cert/$first" ]
    renew_store '{before: 1d}'
    run -0 renew --force "$first"
    [[ $output == "tls: "*" is in use"* ]]
    run -2 --separate-stderr renew --force nobody
    [ "$stderr" = 'cert-renew: nobody: no purpose of the configuration, and no certificate of one' ]
}

@test "--force of a purpose that has no enroll: 2, with a word" {
    sed -i '/enroll:/d; s/renew:.*/renew: never/' store.yaml
    run -2 --separate-stderr renew --force tls
    [ "$stderr" = 'cert-renew: tls: it has no "enroll", so nothing can be asked for' ]
}

@test "--jitter puts off by a time that is always the same on a device, and differs between devices" {
    renew_store '{before: 16d}' 'device: dev-1'
    run -0 renew -n --jitter 5d
    one=$output
    run -0 renew -n --jitter 5d
    [ "$output" = "$one" ]
    sed -i 's/dev-1/dev-2/' store.yaml
    run -0 renew -n --jitter 5d
    [ "$output" != "$one" ]
    run -2 --separate-stderr renew --jitter -1d
    [[ $stderr == 'cert-renew: --jitter -1d: not a time such as 12h'* ]]
}

@test "a second run while one is at work: one line, 4, and one enrolment" {
    mkfifo go
    renew_store '{before: 30d}' '    enroll: "echo >>asked; cat go >&2; issue"'
    renew >first.out 3>&- &
    await test -e asked
    run -4 --separate-stderr renew
    [ -z "$output" ]
    [ "$stderr" = "cert-renew: store/.renew.lock: another cert-renew is at work" ]
    let_go go
    ended 0 $!
    [ "$(wc -l <asked)" -eq 1 ]
    whole
}

@test "SIGTERM: the purpose at work is finished, the others wait" {
    two_purposes
    mkfifo go
    sed -i '0,/enroll: .*/s//enroll: "touch asked; cat go >\&2; issue"/' store.yaml
    cert-renew -c store.yaml >out 2>err 3>&- &
    await test -e asked
    kill -TERM $!
    let_go go
    ended 4 $!
    [ "$(cat err)" = 'cert-renew: stopped by a signal' ]
    whole
    [ "$(ls store/purpose)" = tls ]
}

# --- clock ---

@test "a clock that is plainly wrong: nothing is renewed or deleted by date, that is said, and the exit is 1" {
    export CERTLINE_CLOCK=$(($(date +%s) - 6480000 - 86400))
    renew_store '{before: 80d}' 'deletion: {when: [always], rules: [expired, superseded]}' '    enroll: touch asked'
    tree >before
    run -1 --separate-stderr renew
    [ -z "$output" ]
    [[ $stderr == *"cert-renew: store: the clock is before the newest certificate's notBefore: nothing is done by date" ]]
    tree | diff before -
    [ ! -e asked ]
}

@test "a clock that was years ahead and is right again: what it put off is tried at once" {
    renew_store '{before: 30d}' '    enroll: "echo >>asked; exit 1"'
    CERTLINE_CLOCK=$(($(date +%s) + 500000000)) run -1 renew
    [ "$(state again)" -gt $(($(date +%s) + 400000000)) ]
    run -0 renew -n
    [[ $output == *': would be renewed'* ]]
    renew_store
    run -0 --separate-stderr renew
    nth 2
    [[ $output == "tls: $now is in use, "* ]]
    whole
    # Days ahead: no longer than it would wait now, a tenth of what is left.
    renew_store '{before: 100d}' '    enroll: exit 1'
    CERTLINE_CLOCK=$(($(date +%s) + 1000000)) run -1 renew --force tls
    renew_store '{before: 100d}'
    run -0 renew
    nth 3
    [[ $output == "tls: $now is in use, "* ]]
}

@test "what cannot be read of an enrolment or a state is named at every run, until --force begins afresh" {
    damaged() { # DAMAGE WHAT-IS-SAID STATUS
        rm -rf store && BEGIN=-6480000 renew_first
        renew_store '{before: 30d}' '    enroll: exit 4'
        run -4 renew
        eval "$1"
        renew_store
        for i in 1 2; do
            run -1 --separate-stderr renew
            [[ $stderr == *'cert-renew: '$2$'\n''cert-renew: hint: --force tls begins afresh without it' ]] || { echo "$stderr" && false; }
        done
        run "-$3" renew --force tls # what it found once more, it says once more
        [[ ${lines[-1]} == "tls: "*" is in use, valid to "* ]]
        whole
        run -0 --separate-stderr renew
        [ -z "$output$stderr" ]
    }
    damaged 'rm store/pending/tls/key.pem' 'store/pending/tls: its key is missing' 1
    damaged 'rm store/pending/tls/request.pem' 'store/pending/tls: its request is missing' 1
    damaged ': >store/pending/tls/request.pem' 'store/pending/tls/request.pem: *' 1
    damaged 'echo rubbish >store/state/tls.yaml' 'store/state/tls.yaml:1:*' 0
}

@test "a device that has nothing yet gets its store and its first certificate when somebody says so, not by cron" {
    renew_store '{before: 30d}' '    subject: CN=dev'
    rm -r store
    run -2 --separate-stderr renew
    [ "$stderr" = "cert-renew: store: No such file or directory
cert-renew: hint: cert-import makes a store, and so does cert-renew --force PURPOSE" ]
    run -2 renew --force tls --dry-run
    [ ! -e store ]
    run -0 --separate-stderr renew --force tls
    [[ $output == "tls: "*" is in use, valid to "* ]]
    [ -z "$stderr" ]
    whole
}

@test "a certificate of an hour never ends in use, whatever the way, at the pace that cron and the timer have" {
    grep -q '^2-59/5 ' "$TOP/scripts/certline.cron"
    grep -qx 'OnCalendar=\*:00/5' "$TOP/scripts/certline-renew.timer"
    export CERTLINE_CLOCK=1800000000 LIFE=3600
    local when runs end
    for when in '{fraction: 2/3}' '{before: 30d}' '{before: 10m}' '{every: 1h}' '{monthly: 1}' '{fraction: 2/3, jitter: 12h}'; do
        rm -rf store
        renew_store "$when"
        renew_first tls 3600
        for ((runs = 0; runs < 30; runs++)); do
            end=$(date -d "$(openssl x509 -in store/purpose/tls/cert.pem -noout -enddate | cut -d= -f2)" +%s)
            [ "$CERTLINE_CLOCK" -lt "$end" ] || { echo "$when: $CERTLINE_CLOCK $end" && false; }
            run -0 renew
            CERTLINE_CLOCK=$((CERTLINE_CLOCK + 300))
        done
        [ "$(ls store/cert | wc -l)" -ge 3 ]
    done
}

@test "every lifetime works, from an hour to fifty years, and one that never ends" {
    export CERTLINE_CLOCK=$((1800000000 + RANDOM))
    for life in 3600 86400 604800 7776000 31536000 315360000 1576800000 never; do
        rm -rf store
        [ "$life" = never ] && export END=99991231235959Z life=7776000
        renew_store '{fraction: 2/3}' "    enroll: issue $life"
        renew_first tls "$life"
        end=$(date -d "$(openssl x509 -in tls.first -noout -enddate | cut -d = -f 2)" +%s)
        begin=$((CERTLINE_CLOCK - 60))
        due=$((begin + (end - begin) / 3 * 2 + (end - begin) % 3 * 2 / 3))
        was=$(readlink store/purpose/tls)
        CERTLINE_CLOCK=$((due - 1)) run -0 renew
        [ "$(readlink store/purpose/tls)" = "$was" ]
        [ -z "${END-}" ] || break
        CERTLINE_CLOCK=$due run -0 renew
        [ "$(readlink store/purpose/tls)" != "$was" ]
        CERTLINE_CLOCK=$due whole
    done
    run -0 renew -n
    [[ $output == *' is due '* ]]
}
