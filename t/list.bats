# What cert-list shows: the table, the details, JSON, the page; its filters and what it ends with.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_build bench-run && device_pki || return
    device_cert tls from=20260101000000Z to=20270301000000Z subjectAltName=DNS:a.example,IP:192.0.2.1 \
        keyUsage=digitalSignature,keyAgreement extendedKeyUsage=serverAuth,1.2.3.4
    device_cert soon from=20260101000000Z to=20260620000000Z
    device_cert old from=20200101000000Z to=20250101000000Z
    device_cert free from=20260101000000Z to=99991231235959Z
    pki_key rsa RSA -pkeyopt rsa_keygen_bits:3072 && device_cert rsa key=rsa
    pki_key ed Ed25519 && device_cert ed key=ed
    CERTLINE_CLOCK=$(date -ud 2026-06-01 +%s)
    export CERTLINE_CLOCK
}

setup() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_copy .
    device_yaml 'limit: 20' 'purposes:' '- {name: tls, renew: {before: 30d}, enroll: "true"}' \
        'deletion: {when: limit, rules: [superseded, expired], keep: [idevid]}'
}

teardown() { small_disk_gone; }

list() {
    local rc=0
    cert-list -c store.yaml "$@" 2>err || rc=$?
    grep -v CERTLINE_CLOCK err >&2 || :
    return "$rc"
}
in_use() { device_import tls --purpose tls --purpose web >/dev/null 2>&1; }
ipsec() { # a purpose, and what it has
    sed -i 's/^purposes:/&\n- {name: ipsec, renew: {before: 30d}, enroll: "true", restart: needed}/' store.yaml
    device_import soon --purpose ipsec
}
all() { # of each state one
    in_use && ipsec && device_import old && device_import free
}

@test "a table: name, purposes, issuer, end, days left, state" {
    all
    run -1 --separate-stderr list
    [ "$output" = "name  purpose  issuer   end                   days  state
free  -        CN=Root  9999-12-31 23:59Z  2912291  no purpose
old   -        CN=Root  2025-01-01 00:00Z     -516  expired
soon  ipsec    CN=Root  2026-06-20 00:00Z       19  due
tls   tls,web  CN=Root  2027-03-01 00:00Z      273  in use" ]
    [ -z "$stderr" ]
}

@test "an empty store of which nothing is wanted: nothing is shown, 0" {
    in_use && rm -r store/cert/tls store/purpose/*
    sed -i '/^purposes:/d; /name: tls/d' store.yaml
    run -0 --separate-stderr list
    [ -z "$output$stderr" ]
}

@test "a purpose that has no certificate, or whose link leads nowhere, is named, with 1" {
    mkdir -p store/cert store/purpose store/pending store/state
    run -1 --separate-stderr list
    [ -z "$output" ]
    [ "$stderr" = "cert-list: tls: has no certificate" ]
    run -1 list --json
    in_use
    run -0 list
    rm store/purpose/tls
    run -1 --separate-stderr list
    [ "$stderr" = "cert-list: tls: has no certificate" ]
    # nothing is wanted where nothing is renewed
    sed -i 's/renew: {before: 30d}/renew: never/' store.yaml
    run -0 --separate-stderr list
    [ -z "$stderr" ]
}

@test "0 when nothing is due or expired, 1 when something is" {
    in_use && device_import free
    run -0 list
    ipsec
    run -1 list
}

@test "--due and --expired: those alone, both together, and what is asked for decides what it ends with" {
    in_use
    run -0 --separate-stderr list --due
    [ -z "$output" ]
    run -0 --separate-stderr list --expired --json
    [ -z "$output" ]
    all
    run -1 list --due
    [ "${#lines[@]}" -eq 2 ] && [[ ${lines[1]} == "soon "* ]]
    run -1 list --expired
    [ "${#lines[@]}" -eq 2 ] && [[ ${lines[1]} == "old "* ]]
    run -1 list --expired --due
    [ "${#lines[@]}" -eq 3 ]
    rm -r store/cert/old
    run -0 list --expired
}

@test "a schedule of a purpose decides what is due, the earliest of those that point to it" {
    in_use
    CERTLINE_CLOCK=$(date -ud '2027-01-29 23:59:59' +%s) run -0 list
    CERTLINE_CLOCK=$(date -ud 2027-01-30 +%s) run -1 list --due
    [[ ${lines[1]} == "tls "*"due" ]]
    CERTLINE_CLOCK=$(date -ud 2027-03-01 +%s) run -1 list
    CERTLINE_CLOCK=$(date -ud '2027-03-01 00:00:01' +%s) run -1 list
    [[ ${lines[1]} == "tls "*" -1  expired" ]]
}

@test "the details of one, by its name or its purpose" {
    all
    run -0 --separate-stderr list tls
    [ -z "$stderr" ]
    local details=$output
    run -0 list web
    [ "$output" = "$details" ]
    has() { grep -qxF -- "$1" <<<"$details" || { echo "$details" && false; }; }
    has "name           tls"
    has "state          in use"
    has "purpose        tls"
    has "               web"
    has "subject        CN=tls"
    has "issuer         CN=Root"
    has "serial         $(openssl x509 -in tls.pem -noout -serial | cut -d= -f2 | tr A-F a-f)"
    has "not before     2026-01-01T00:00:00Z"
    has "not after      2027-03-01T00:00:00Z"
    has "days left      273"
    has "due            2027-01-30T00:00:00Z"
    has "key            EC P-256, 256 bits"
    has "key in         file"
    has "key usage      digitalSignature"
    has "               keyAgreement"
    has "extended usage serverAuth"
    has "               1.2.3.4"
    has "names          dns:a.example"
    has "               ip:192.0.2.1"
    has "origin         imported"
    has "SHA-256        $(openssl x509 -in tls.pem -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | tr A-F a-f)"
    has "SHA-1          $(openssl x509 -in tls.pem -noout -fingerprint -sha1 | cut -d= -f2 | tr -d : | tr A-F a-f)"
}

@test "a serial number is shown as openssl shows it, without the octet of its sign" {
    device_cert high serial=80FF01 && cert-import -c store.yaml --cert high.pem --name high
    run -0 list high
    [[ $output == *"serial         80ff01"$'\n'* ]]
    run -0 list --json high
    [ "$(jq -r .serial <<<"$output")" = 80ff01 ]
    sed -i 's/^deletion:.*/deletion: {when: always, rules: no-purpose}/' store.yaml
    cert-prune -c store.yaml
    [ "$(jq -r .serial store/history)" = 80ff01 ]
}

@test "other keys, and none" {
    cert-import -c store.yaml --cert rsa.pem --key rsa.key --name rsa
    device_import ed && cert-import -c store.yaml --cert free.pem --name bare
    run -0 list rsa
    [[ $output == *"key            RSA, 3072 bits"$'\n'* ]]
    run -0 list ed
    [[ $output == *"key            Ed25519, 25"?" bits"$'\n'"key in         file"$'\n'* ]]
    run -0 list bare
    [[ $output == *"key in         none"$'\n'* ]]
}

@test "kinds of keys that certline does not make have their names and lengths" {
    pki_key p521 EC -pkeyopt ec_paramgen_curve:P-521 && device_cert p521 key=p521
    pki_key ed448 ED448 && device_cert ed448 key=ed448
    cert-import -c store.yaml --cert p521.pem --name p521 && cert-import -c store.yaml --cert ed448.pem --name ed448
    run -0 list p521
    [[ $output == *"key            secp521r1, 521 bits"$'\n'* ]]
    run -0 list --json ed448
    [ "$(jq -c '[.key, .keyBits]' <<<"$output")" = '["ED448",456]' ]
}

@test "one that is due ends with 1, a name that is not there with 2" {
    all
    run -1 list soon
    run -1 list old
    run -0 list free
    run -2 --separate-stderr list nothing
    [ "$stderr" = "cert-list: nothing: no certificate or purpose of this name in store" ]
    [ -z "$output" ]
    run -2 --separate-stderr list ../cert/tls
    [ "$stderr" = "cert-list: ../cert/tls: no certificate or purpose of this name in store" ]
}

@test "JSON: one object a line, which jq reads, for all or one" {
    all
    run -1 --separate-stderr list --json
    [ "$(jq -r '[.name, .state, .daysLeft, (.purposes | join("+")), .notAfter] | @tsv' <<<"$output")" = \
"free	no purpose	2912291		9999-12-31T23:59:59Z
old	expired	-516		2025-01-01T00:00:00Z
soon	due	19	ipsec	2026-06-20T00:00:00Z
tls	in use	273	tls+web	2027-03-01T00:00:00Z" ]
    [ "$(wc -l <<<"$output")" -eq 4 ]
    run -0 list --json tls
    [ "$(jq -c '[.due, .key, .keyBits, .keyIn, .keyUsage, .extendedKeyUsage, .subjectAltName, .origin]' <<<"$output")" = \
        '["2027-01-30T00:00:00Z","EC P-256",256,"file",["digitalSignature","keyAgreement"],["serverAuth","1.2.3.4"],["dns:a.example","ip:192.0.2.1"],"imported"]' ]
    run -0 list --json free
    [ "$(jq -c .due <<<"$output")" = null ]
}

@test "what cannot be read is shown as unreadable, the others as they are, and it ends with 1" {
    in_use && mkdir store/cert/bad && echo x >store/cert/bad/cert.pem
    run -1 --separate-stderr list
    [ "$stderr" = "cert-list: store/cert/bad/cert.pem: no PEM block" ]
    [[ ${lines[1]} =~ ^bad\ +-\ +-\ +-\ +-\ +unreadable$ ]]
    run -1 list --json
    [ "$(grep '^{' <<<"$output" | jq -rs '.[0] | tojson')" = '{"name":"bad","state":"unreadable","purposes":[]}' ]
    run -1 list bad
    run -1 list tls # it can be read; something else wants looking after
}

@test "a purpose that points to what cannot be read is shown with it" {
    in_use && echo x >store/cert/tls/cert.pem
    run -1 --separate-stderr list
    [[ ${lines[1]} =~ ^tls\ +tls,web\ +-\ +-\ +-\ +unreadable$ ]]
    run -1 --separate-stderr list --json
    [ "$output" = '{"name":"tls","state":"unreadable","purposes":["tls","web"]}' ]
    run -1 --separate-stderr list --html page.html
    grep -q '<dt>purpose</dt><dd>tls<br/>web</dd>' page.html
}

@test "a clock that is plainly wrong is told, with 1" {
    in_use
    CERTLINE_CLOCK=$(date -ud 2025-12-31 +%s) run -1 --separate-stderr list
    [ "$stderr" = "cert-list: the clock is before the newest certificate's notBefore: dates mean nothing" ]
}

# What it prints on a terminal of so many columns
on_terminal() { # COLUMNS [NAME=VALUE]
    local columns=$1
    shift
    env -u NO_COLOR SHELL=/bin/sh TERM=xterm "$@" script -qec "stty cols $columns; cert-list -c store.yaml 2>/dev/null" /dev/null </dev/null | tr -d '\r'
}

@test "colour on a terminal, none with NO_COLOR, with TERM=dumb, or where it is no terminal" {
    all
    run -0 on_terminal 100
    [[ $output == *$'19  \e[33mdue\e[0m'* && $output == *$'\e[31mexpired\e[0m'* && $output == *$'\e[32min use\e[0m'* ]]
    run -0 on_terminal 100 NO_COLOR=1
    [[ $output == *"19  due"* && $output != *$'\e'* ]]
    run -0 on_terminal 100 TERM=dumb
    [[ $output == *"19  due"* && $output != *$'\e'* ]]
    run -0 on_terminal 100 NO_COLOR=
    [[ $output == *$'\e[33mdue'* ]]
    run -1 list
    [[ $output != *$'\e'* ]]
}

@test "on a terminal the issuer is cut to what fits, in characters and not in octets; elsewhere it is whole" {
    local long
    long=$(printf 'Ä%.0s' {1..60})
    pki_ca wide "/CN=$long" wide && pki_issue leaf /CN=leaf wide
    device_import leaf --purpose tls
    run -0 on_terminal 80 NO_COLOR=1
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[1]} == *"CN=ÄÄ"*"Ä...  2040"* ]]
    [ "$(wc -m <<<"${lines[1]}")" -le 81 ]
    iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
    run -0 list
    [[ ${lines[1]} == *"CN=$long  2040"* ]]
}

@test "what a certificate says reaches neither terminal nor page as it is" {
    pki_issue evil "/O=<script>alert(1)<\/script>&\"'/CN=a"$'\e[31m'"b" root subjectAltName=DNS:x.example \
        to=20260620000000Z
    device_import evil --purpose tls
    run -1 list evil
    [[ $output != *$'\e'* && $output == *"[31m"* ]] || { echo "$output" && false; }
    run -1 list --json
    jq . <<<"$output"
    [[ $output != *$'\e'* ]]
    run -1 list --html page.html
    [[ $(cat page.html) != *"<script"* && $(cat page.html) != *$'\e'* ]]
    grep -q '&lt;script' page.html
    python3 -c 'import sys, xml.dom.minidom as m; m.parse("page.html")'
}

@test "the page is well-formed, self-contained, and shows every certificate with its bar, renewals and deletion" {
    all
    mkdir store/cert/bad
    run -1 --separate-stderr list --html page.html
    [ -z "$output" ]
    [ "$(stat -c %a page.html)" = 644 ]
    run -0 python3 - <<'END'
import xml.dom.minidom
page = xml.dom.minidom.parse("page.html")
outside = {"src", "href", "srcset", "data", "action", "background"}
names = []
for e in page.getElementsByTagName("*"):
    assert e.tagName not in ("script", "link", "img", "iframe", "object", "a", "form", "base"), e.tagName
    for a in e.attributes.keys():
        assert a not in outside and not a.startswith("on"), a
style = page.getElementsByTagName("style")[0].firstChild.data
assert "url(" not in style and "@import" not in style
for e in page.getElementsByTagName("article"):
    bar = [d for d in e.getElementsByTagName("div") if d.getAttribute("class") == "bar"]
    print(e.getElementsByTagName("h3")[0].firstChild.data, *(b.getElementsByTagName("i")[0].getAttribute("style") for b in bar))
END
    [ "$output" = "bad
old width:100%
soon width:88%
tls width:35%
free width:0%
ipsec
tls" ]
    grep -q '30d before the end' page.html
    grep -q 'superseded, expired' page.html
    grep -q 'name="viewport"' page.html
    grep -q "default-src 'none'" page.html
}

@test "the page replaces an older one whole, or not at all" {
    in_use && small_disk 16k
    echo old >full/page.html
    head -c 100000 /dev/zero >full/fill 2>/dev/null || :
    run -4 --separate-stderr list --html full/page.html
    [ "$stderr" = "cert-list: full/page.html: No space left on device" ]
    [ "$(cat full/page.html)" = old ]
    [ "$(ls full | tr '\n' ' ')" = "fill page.html " ]
}

@test "the page replaces a file alone: not a device, nor a link to one" {
    in_use
    ln -s /dev/null null && mkfifo fifo
    local to
    for to in null fifo .; do
        run -2 --separate-stderr list --html "$to"
        [ "$stderr" = "cert-list: $to: not a regular file, it is not replaced" ]
    done
    [ -L null ] && [ -p fifo ]
}

@test "forms that do not go together" {
    in_use
    run -2 list --due tls
    [[ $output == "cert-list: NAME is one certificate: --due and --expired choose among all"* ]]
    run -2 list --html page.html --json
    run -2 list --html page.html tls
    run -2 list tls web
    [ ! -e page.html ]
}

@test "the example is read" {
    in_use
    sed 's,^store:.*,store: store,; s,^trust:.*,trust: root.pem,' "$BATS_TEST_DIRNAME/../examples/store.yaml" >store.yaml
    run -1 --separate-stderr list
    [ "${#lines[@]}" -eq 2 ]
    [ "$stderr" = "cert-list: ieee802.1x: has no certificate" ]
    run -0 cert-prune -c store.yaml --dry-run
}

@test "the README's device runs" {
    unset CERTLINE_CLOCK
    rm -f my.*
    while read -r line; do
        run -0 --separate-stderr sh -c "${line#$ }" || [[ $line == *cert-list* ]]
        [ -z "$stderr" ]
        [[ $line != *"cert-list -c store.yaml" ]] || [[ ${lines[1]} == "first  tls "*"in use" ]]
    done < <(sed -n '/^## Life on the device/,/^## /s/^    \(\$ .*\)/\1/p' "$BATS_TEST_DIRNAME/../README.md")
    [ -s page.html ]
}

# 10,000 folders, of which one is in use
many() {
    in_use
    python3 -c 'import os
for i in range(1, 10000):
    os.mkdir(f"store/cert/c{i}")
    os.link("tls.pem", f"store/cert/c{i}/cert.pem")'
}

# bats test_tags=measure
@test "with 10,000 certificates --due reads each once, in less than 10 MiB; so do the table and the page" {
    many
    bench-run cost due cert-list -c store.yaml --due >due
    bench-run cost all cert-list -c store.yaml >all
    [ ! -s due ] && [ "$(wc -l <all)" -eq 10001 ]
    cat cost
    awk '$3 >= 10240 || $4 { exit 1 }' cost
    bench-run cost html cert-list -c store.yaml --html page.html
    tail -n 1 cost
    [ "$(grep -c '<article>' page.html)" -eq 10001 ]
    tail -n 1 cost | awk '$3 >= 10240 || $4 { exit 1 }'
    strace -o trace -e trace=read,openat,openat2 cert-list -c store.yaml --due 2>/dev/null
    [ "$(grep -c 'c[0-9]*/cert.pem"' trace)" -eq 9999 ]
    [ "$(grep -c '/meta.yaml"' trace)" -le 2 ]
}
