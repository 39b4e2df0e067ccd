# csr-make, and what certline takes for a request.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    local build=${BUILD:-build}
    make -s BUILD="$build" "$build/t/csr-test" "$build/bin/csr-make" "$build/bin/hsm-keygen"
    PATH=$(realpath "$build")/t:$(realpath "$build")/bin:$PATH
    export PATH
    cd "$BATS_FILE_TMPDIR" || return
    csr-make --new-key P-256 --key p256.pem --subject 'serialNumber=4711,O=ABC,C=JP' >p256.csr
    openssl req -in p256.csr -outform DER -out p256.der
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    F=$BATS_FILE_TMPDIR
}

devices() { # N
    echo serial,model
    seq "$1" | awk '{ printf "SN-%05d,\"Model %d, B\"\n", $1, $1 % 3 }'
}

# hex DER: the octets of the request, hexadecimal, to be edited and handed back to `pem`.
hex() {
    od -An -v -tx1 "$1" | tr -d ' \n'
}

pem() { # HEX [LABEL]
    local label=${2:-CERTIFICATE REQUEST}
    echo "-----BEGIN $label-----"
    printf "$(sed 's/../\\x&/g' <<<"$1")" | base64 -w 64
    echo "-----END $label-----"
}

# tlv ID CONTENT: one element, in hexadecimal.
tlv() {
    local n=$((${#2} / 2))
    if ((n < 128)); then
        printf '%s%02x%s' "$1" $n "$2"
    elif ((n < 256)); then
        printf '%s81%02x%s' "$1" $n "$2"
    else
        printf '%s82%04x%s' "$1" $n "$2"
    fi
}

# peak COMMAND...: the memory it took at most, in KiB.
peak() {
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}

# request CONFIG-LINES...: a request for p256.pem with these lines as its extensions.
request() {
    printf '%s\n' '[req]' 'distinguished_name = dn' 'req_extensions = x' 'prompt = no' '[dn]' 'CN = a' \
        '[x]' "$@" >r.cnf
    openssl req -new -key "$F/p256.pem" -config r.cnf -out r.csr
}

# refused WHY < request
refused() {
    run -3 csr-test
    [ "$output" = "csr-test: $1" ] || { echo "$output"; return 1; }
}

@test "a request of every type of key is taken by openssl and gnutls" {
    for type in P-256 P-384 RSA-2048 Ed25519; do
        csr-make -n $type -k $type.pem -s 'CN=a' >$type.csr
        openssl req -in $type.csr -noout -verify 2>&1 | grep -q 'verify OK'
        certtool --crq-info <$type.csr | grep -q 'Self signature: verified'
        openssl pkey -in $type.pem -check -noout
        certtool --key-info <$type.pem >info
        run -0 csr-test <$type.csr
        [ "${lines[1]}" = "key=$type" ]
        [ "${lines[3]}" = pop=ok ]
    done
}

@test "a new key's file is read and written by its owner only, and never replaced" {
    csr-make -n P-256 -k k.pem -s CN=a >r.csr
    [ "$(stat -c %a k.pem)" = 600 ]
    cp k.pem before.pem
    run -2 --separate-stderr csr-make -n P-256 -k k.pem -s CN=a
    [ -z "$output" ]
    [ "${stderr_lines[0]}" = "csr-make: k.pem: File exists" ]
    cmp k.pem before.pem
    [ "$(ls k.pem*)" = k.pem ]
}

@test "the key that openssl made serves as well" {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out k.pem
    csr-make -k k.pem -s CN=a >r.csr
    openssl req -in r.csr -noout -verify
    cmp <(openssl req -in r.csr -noout -pubkey) <(openssl pkey -in k.pem -pubout)
}

@test "a key file gives the key that openssl reads, in each form that it may have" {
    cp "$F/p256.pem" plain.pem
    openssl pkey -in plain.pem -ec_conv_form compressed -out compressed.pem
    openssl pkey -in plain.pem -traditional -out traditional.pem
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
        -pkeyopt ec_param_enc:explicit -out explicit.pem
    sed 's/$/\r/' plain.pem >crlf.pem
    { echo 'my key' && cat plain.pem; } >text.pem
    { openssl req -x509 -key plain.pem -subj /CN=a && cat plain.pem; } >certificate.pem
    for k in *.pem; do
        cmp <(csr-make -P -k "$k") <(openssl pkey -in "$k" -pubout)
        csr-make -k "$k" -s CN=a | openssl req -noout -verify
    done
}

@test "a key file whose point is not on its curve is refused" {
    grep -v -e ----- "$F/p256.pem" | base64 -d >k.der
    local h
    h=$(hex k.der)
    pem "${h:0:146}04$(printf '%064x%064x' 5 5)" 'PRIVATE KEY' >k.pem
    run -2 csr-make -k k.pem -s CN=a
    [ "$output" = 'csr-make: k.pem: no private key in PEM: decode error' ]
}

@test "subjectAltNames of every kind reach the request" {
    csr-make -k "$F/p256.pem" -s CN=a -a dns:a.example -a ip:192.0.2.1 -a ip:2001:db8::1 \
        -a email:a@b.example -a uri:urn:x:1 -a dn:CN=b,C=JP -a hardware-module-name:1.2.3.4:SN1 >r.csr
    run -0 certtool --crq-info <r.csr
    [[ $output == *'DNSname: a.example'*'IPAddress: 192.0.2.1'*'IPAddress: 2001:db8::1'* ]]
    [[ $output == *'RFC822Name: a@b.example'*'URI: urn:x:1'*'directoryName: CN=b,C=JP'* ]]
    openssl req -in r.csr -outform DER -out r.der
    [[ $(hex r.der) == *06082b06010505070804a00c300a06032a03040403534e31* ]]
}

@test "a public key comes with the line that says whose it is" {
    run -0 csr-make --public-key -k "$F/p256.pem" -s 'CN=x,serialNumber=1\,2'
    [ "${lines[0]}" = 'subject=CN=x,serialNumber=1\,2' ]
    [ "${lines[1]}" = '-----BEGIN PUBLIC KEY-----' ]
    cmp <(printf '%s\n' "${lines[@]:1}") <(openssl pkey -in "$F/p256.pem" -pubout)
}

@test "a key in a token signs there" {
    export SOFTHSM2_CONF=$PWD/softhsm2.conf
    mkdir tokens
    echo "directories.tokendir = $PWD/tokens" >softhsm2.conf
    softhsm2-util --init-token --free --label dev --so-pin 1234 --pin 1234 >log
    printf 1234 >pin
    for n in 1 2; do
        hsm-keygen "pkcs11:token=dev;object=SN%20$n?pin-source=pin" >pub$n.pem
    done
    csr-make -k 'pkcs11:token=dev;object=SN%201?pin-source=pin' -s CN=a >r.csr
    openssl req -in r.csr -noout -verify
    cmp <(openssl req -in r.csr -noout -pubkey) pub1.pem
    printf 'serial\nSN 1\nSN 2\n' >d.csv
    csr-make --list d.csv --key 'pkcs11:token=dev;object={serial}?pin-source=pin' >all.csr
    [ "$(grep -c ^-----BEGIN all.csr)" = 2 ]
    sed -n '/^-----BEGIN/{h;d};H;/^-----END/{x;p}' all.csr | tail -n +"$(($(wc -l <all.csr) / 2 + 1))" >second.csr
    cmp <(openssl req -in second.csr -noout -pubkey) pub2.pem
}

@test "a device without a key in the token is named by its line, the others are served" {
    export SOFTHSM2_CONF=$PWD/softhsm2.conf
    mkdir tokens
    echo "directories.tokendir = $PWD/tokens" >softhsm2.conf
    softhsm2-util --init-token --free --label dev --so-pin 1234 --pin 1234 >log
    printf 1234 >pin
    for n in a c; do
        hsm-keygen "pkcs11:token=dev;object=$n?pin-source=pin" >$n.pem
    done
    printf 'serial\na\nb\nc\n' >d.csv
    run -1 --separate-stderr csr-make -l d.csv -k 'pkcs11:token=dev;object={serial}?pin-source=pin'
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 2 ]
    [[ $stderr == *'csr-make: d.csv:3: no request without its key'* ]]
}

@test "a list gives one request a row, each with a key of its own" {
    devices 600 >d.csv
    csr-make --list d.csv --keys keys -s 'serialNumber={serial},OU={model},O=ABC,C=JP' >all.csr
    [ "$(grep -c 'BEGIN CERTIFICATE REQUEST' all.csr)" = 600 ]
    [ "$(ls keys | wc -l)" = 600 ]
    [ "$(stat -c %a keys keys/SN-00001.pem | tr '\n' ' ')" = '700 600 ' ]
    run -0 csr-test <all.csr
    [ "${lines[0]}" = 'subject=serialNumber=SN-00001,OU=Model 1\, B,O=ABC,C=JP' ]
    [ "$(cat keys/* | sort -u | grep -vc -e -----)" -ge 1200 ]
    cmp <(openssl req -in all.csr -noout -pubkey) <(openssl pkey -in keys/SN-00001.pem -pubout)
}

@test "a list read again uses the keys that are in place" {
    devices 20 >d.csv
    csr-make -l d.csv -d keys >one.csr
    rm keys/SN-00007.pem
    cp -r keys before
    csr-make -l d.csv -d keys -t P-384 >two.csr
    [ "$(grep -c ^-----BEGIN two.csr)" = 20 ]
    openssl pkey -in keys/SN-00007.pem -noout -text | grep -q '384 bit'
    rm keys/SN-00007.pem
    diff -r keys before
}

@test "keys of every type are used again" {
    for type in P-256 P-384 RSA-2048 Ed25519; do
        echo "serial
$type" >d.csv
        csr-make -l d.csv -d keys -t $type >one.csr
        csr-make -l d.csv -d keys -t $type >two.csr
        csr-test <two.csr
        cmp <(openssl req -in one.csr -noout -pubkey) <(openssl req -in two.csr -noout -pubkey)
    done
}

@test "a list of public keys says whose each is" {
    devices 2 >d.csv
    run -0 csr-make -P -l d.csv -d keys -s 'CN={serial}'
    [ "$(grep -c 'BEGIN PUBLIC KEY' <<<"$output")" = 2 ]
    [ "$(grep subject= <<<"$output")" = $'subject=CN=SN-00001\nsubject=CN=SN-00002' ]
}

@test "a malformed row is named by its line, the rest goes on, and the end is 3" {
    printf 'serial,model\na,1\nb\n"c,1\n,2\nd,"x"y\n%0200d,1\ne,1\n' 7 >d.csv
    run -3 --separate-stderr csr-make -l d.csv -d keys
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 2 ]
    [ "$(ls keys)" = $'a.pem\ne.pem' ]
    for line in 3 4 5 6 7; do
        [[ $stderr == *"csr-make: d.csv:$line: "* ]]
    done
}

@test "a value that a name cannot take is named by its line" {
    printf 'serial\na_b\n' >d.csv
    run -3 csr-make -l d.csv -d keys
    [ "$output" = "csr-make: d.csv:2: serialNumber takes letters, digits, space and '()+,-./:=? only" ]
}

@test "a serial that would leave the folder stays in it" {
    printf 'serial\n../../x/y\n.hidden\n' >d.csv
    csr-make -l d.csv -d keys >all.csr
    [ "$(ls -A keys)" = $'%2E.%2F..%2Fx%2Fy.pem\n%2Ehidden.pem' ]
}

@test "a value is data, never a part of the name around it" {
    printf 'serial,cn\n1,"a,O=Evil+OU=x"\n' >d.csv
    csr-make -l d.csv -d keys -s 'CN={cn},O=ABC' >all.csr
    run -0 csr-test <all.csr
    [ "${lines[0]}" = 'subject=CN=a\,O=Evil\+OU=x,O=ABC' ]
}

@test "a column that the list does not have is a usage error" {
    devices 1 >d.csv
    run -2 --separate-stderr csr-make -l d.csv -d keys -s 'CN={nope}'
    [ -z "$output" ]
    [[ $stderr == *nope* ]]
}

@test "a folder of keys that cannot be written ends with 4" {
    devices 1 >d.csv
    echo file >keys
    run -4 --separate-stderr csr-make -l d.csv -d keys
    [ -z "$output" ]
    [ "$stderr" = 'csr-make: keys/SN-00001.pem: Not a directory' ]
}

@test "a broken key file stops only its own device" {
    devices 3 >d.csv
    csr-make -l d.csv -d keys >one.csr
    echo junk >keys/SN-00002.pem
    run -1 --separate-stderr csr-make -l d.csv -d keys
    [ "$(grep -c ^-----BEGIN <<<"$output")" = 2 ]
    [[ $stderr == *'csr-make: d.csv:3: no request without its key'* ]]
}

@test "killed at any moment, every key file is whole and every request has its key" {
    . "$BATS_TEST_DIRNAME/await.bash"
    asked() { [ "$(grep -c ^-----END out.csr)" -ge "$1" ]; }
    devices 30000 >d.csv
    for i in 1 2 3; do
        : >out.csr # what the one before has written does not count
        csr-make -l d.csv -d keys >out.csr &
        await asked $((i * 150))
        kill -9 $!
        ended 137 $!
    done
    for k in $(ls keys/*.pem | tail -n 20); do
        openssl pkey -in "$k" -noout
    done
    awk '/^-----BEGIN/ { n++ } { r[n] = r[n] $0 "\n" } /^-----END/ { whole = n }
        END { for (i = whole; i > whole - 5; i--) printf "%s", r[i] > "request." i }' out.csr
    for r in request.*; do
        k=$(openssl req -in "$r" -noout -subject -nameopt RFC2253,sep_multiline | sed -n 's/^ *serialNumber=//p')
        cmp <(openssl req -in "$r" -noout -pubkey) <(openssl pkey -in "keys/$k.pem" -pubout)
    done
    [ "$(ls request.* | wc -l)" = 5 ]
}

@test "a wrong call says what is wrong" {
    while IFS='|' read -r why args; do
        run -2 --separate-stderr csr-make $args
        [ "${stderr_lines[0]}" = "csr-make: $why" ] || { echo "$args: $stderr"; return 1; }
    done <<'TABLE'
neither --key nor --list|
a request needs --subject or --san|-k k.pem
--keys is for --list|-d keys -k k.pem
--list needs --keys DIR or --key URI|-l d.csv
--key: with --list a pkcs11: URI with a {column} in it|-l d.csv -k k.pem
--new-key is for one key; --list makes keys as --type says|-l d.csv -d keys -n P-256
--new-key makes files; hsm-keygen makes keys in a token|-n P-256 -k pkcs11:token=x -s CN=a
--type: not a type of key: "P-255"|-t P-255 -k k.pem -s CN=a
--new-key: not a type of key: "rsa"|-n rsa -k k.pem -s CN=a
--subject: '=' is missing behind "CN"|-k k.pem -s CN
--subject: unknown attribute type "XX"|-k k.pem -s XX=1
--subject: C is not a country code of two letters|-k k.pem -s C=JPN
--san: "a.example" does not begin with dns:, ip:, email:, uri:, dn:, hardware-module-name: or permanent-identifier:|-k k.pem -a a.example
--san: "dns:a..example" is malformed|-k k.pem -a dns:a..example
--san: "ip:1.2.3" is malformed|-k k.pem -a ip:1.2.3
TABLE
}

@test "names in text become DER and text again" {
    while IFS='|' read -r text again; do
        run -0 csr-test -n "$text"
        [ "${lines[1]}" = "${again:-$text}" ] || { echo "$text: $output"; return 1; }
        openssl asn1parse -inform DER -in <(printf "$(sed 's/../\\x&/g' <<<"${lines[0]}")") >log
    done <<'TABLE'
CN=a
serialNumber=4711,O=ABC,C=JP
cn = a , o = b|CN=a,O=b
CN=a\,b\+c\"d\\e\;f\<g\>h
CN=\#a
CN=\ a\ 
CN="a, b; c"|CN=a\, b\; c
CN=\C3\A9|CN=é
CN=é,2.5.4.3=b|CN=é,CN=b
UID=x+CN=y|CN=y+UID=x
DC=a,DC=example
1.2.3.4=#0c0161
emailAddress=a@b.example
TABLE
}

@test "a name's attributes stand in the order of RFC 4514, the last first" {
    run -0 csr-test -n 'CN=a,C=JP'
    [ "${lines[0]}" = 3019310b3009060355040613024a50310a300806035504030c0161 ]
}

@test "names that no certificate may have are refused with why" {
    while IFS='|' read -r text why; do
        run -3 csr-test -n "$text"
        [ "$output" = "csr-test: $why" ] || { echo "$text: $output"; return 1; }
    done <<'TABLE'
CN=|CN is empty
CN=a,|an attribute type is missing
=a|an attribute type is missing
CN=a,b|'=' is missing behind "b"
CN="a|a quote that never closes
CN="a"b|text behind a closing quote
CN=a"b|'"' must be escaped
CN=a;b|';' must be escaped
CN=\00|CN is not UTF-8, or has a control character
CN=\0A|CN is not UTF-8, or has a control character
CN=\ff|CN is not UTF-8, or has a control character
CN=\x|a backslash that escapes nothing
CN=#zz|a value behind # that is not the DER of a string
CN=#0201|a value behind # that is not the DER of a string
CN=#020105|a value behind # that is not the DER of a string
C=J1|C is not a country code of two letters
countryName=-|C is not a country code of two letters
serialNumber=é|serialNumber takes letters, digits, space and '()+,-./:=? only
emailAddress=é|emailAddress takes ASCII only
CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|CN is longer than 64 characters
3.1=a|unknown attribute type "3.1"
OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1,OU=1|more than 16 attributes
TABLE
    local long
    long=$(printf 'description=%01000d,OU=%030d' 1 1)
    run -3 csr-test -n "$long"
    [ "$output" = 'csr-test: a name longer than 1024 octets' ]
}

@test "subjectAltNames that are not what they say are refused" {
    for san in dns: dns:. dns:-a dns:a- dns:a_b 'dns:a b' 'dns:*' dns:a.*.b dns:a. ip:1.2.3.4.5 ip:::g \
        email:a email:@b email:a@ 'email:a b@c' uri: uri:x 'uri:x:' 'uri:h ttp:x' uri:1x:y dn: \
        hardware-module-name:1.2.3 hardware-module-name:x:y hardware-module-name:1.2.3: \
        dns:$(printf '%064d' 1).x; do
        run -3 csr-test -s "$san"
        [[ $output == csr-test:*malformed* ]] || { echo "$san: $output"; return 1; }
    done
}

@test "every truncation of a request and every flipped bit is refused" {
    run -0 csr-test -t <"$F/p256.csr"
    [ "$output" = 0 ]
}

@test "trailing octets, an indefinite length and a long length are refused" {
    local h
    h=$(hex "$F/p256.der")
    pem "${h}00" | refused "not a request in DER: trailing octets at octet $((${#h} / 2))"
    pem "3080${h:6}0000" | refused "not a request in DER: indefinite length at octet 0"
    pem "308200${h:4}" | refused "not a request in DER: length that is not minimal at octet 0"
}

@test "a certificate is not a request" {
    openssl req -x509 -key "$F/p256.pem" -subj /CN=a -out c.pem
    openssl x509 -in c.pem -outform DER -out c.der
    pem "$(hex c.der)" | refused 'not a PKCS #10 request of version 1'
}

@test "a signature of another key is refused" {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem
    openssl req -new -key other.pem -subj /CN=a -outform DER -out o.der
    local mine other
    # the part that is signed comes from one request, the signature from the other
    mine=$(openssl asn1parse -inform DER -in "$F/p256.der" -strparse 3 -out mine.der -noout && hex mine.der)
    openssl asn1parse -inform DER -in o.der -strparse 3 -out otherinfo.der -noout
    other=$(hex o.der)
    other=${other#*"$(hex otherinfo.der)"}
    pem "$(tlv 30 "$mine$other")" >swapped.csr
    run -1 csr-test <swapped.csr
    [[ $output == *'csr-test: the signature of the request does not match its key'* ]]
}

@test "SHA-1 and unknown algorithms are no proof" {
    openssl req -new -key "$F/p256.pem" -sha1 -subj /CN=a -out r.csr
    run -1 csr-test <r.csr
    [[ $output == *'csr-test: the request is signed with an unknown algorithm, or one weaker than SHA-256'* ]]
}

@test "weak and unknown keys are no proof" {
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.pem
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out e3.pem
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out k1.pem
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
        -pkeyopt ec_param_enc:explicit -out explicit.pem
    while IFS='|' read -r key why; do
        openssl req -new -key $key.pem -subj /CN=a -out r.csr
        run -1 csr-test <r.csr
        [[ $output == *"csr-test: the request has $why"* ]] || { echo "$key: $output"; return 1; }
    done <<'TABLE'
rsa1024|an RSA key shorter than 2048 bits
e3|an RSA exponent smaller than 65537
k1|a curve other than P-256, P-384 and P-521
explicit|a curve with parameters of its own
TABLE
}

@test "a point that is not on its curve is refused" {
    local h point
    h=$(hex "$F/p256.der")
    point=${h#*03420004}
    h=${h/"${point:0:128}"/"$(printf '%064x%064x' 5 5)"}
    pem "$h" >r.csr
    run -1 csr-test <r.csr
    [[ $output == *'csr-test: the key of the request is no valid P-256 key'* ]]
}

@test "an extension that is asked twice is refused" {
    local one two
    request 'basicConstraints = CA:FALSE'
    openssl req -in r.csr -outform DER -out r.der
    one=$(hex r.der)
    # Extensions with basicConstraints twice, in an extensionRequest of its own
    local bc ext attr info
    bc=30090603551d1304023000
    ext=$(tlv 30 "$bc$bc")
    attr=$(tlv a0 "$(tlv 30 "06092a864886f70d01090e$(tlv 31 "$ext")")")
    openssl asn1parse -inform DER -in r.der -strparse 3 -out info.der -noout
    info=$(hex info.der)
    two=${one#*"$info"}
    # the attributes are the last element of the signed part
    local old
    old=$(grep -o 'a0[0-9a-f]\{2\}30[0-9a-f]\{2\}06092a864886f70d01090e.*' <<<"$info")
    info=$(tlv 30 "$(sed "s/^30\(81\)\?..//;s/$old\$//" <<<"$info")$attr")
    pem "$(tlv 30 "$info$two")" | refused 'the requested extensions are malformed, or one is there twice'
}

@test "requests of other makers are read" {
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
    # gnutls, with a challenge password
    certtool --generate-request --load-privkey rsa.pem --template <(printf 'cn = a\nchallenge_password = x\n') \
        --outfile r.csr 2>log
    run -0 csr-test <r.csr
    [ "${lines[0]}" = subject=CN=a ]
    # a multi-valued RDN, as openssl orders it
    openssl req -new -key rsa.pem -subj '/O=x/CN=a+serialNumber=1' -multivalue-rdn -out r.csr
    run -0 csr-test <r.csr
    [ "${lines[0]}" = 'subject=CN=a+serialNumber=1,O=x' ]
}

@test "a certificate's fields are read as they are, and its issuer's signature is checked" {
    openssl req -x509 -key "$F/p256.pem" -subj '/C=JP/CN=ca' -days 3650 -set_serial 0x1234 -out ca.pem
    run -0 csr-test -c -k ca.pem <ca.pem
    [ "${lines[0]}" = serial=1234 ]
    [ "${lines[1]}" = issuer=CN=ca,C=JP ]
    [ "${lines[5]}" = signed=yes ]
    openssl req -x509 -newkey rsa:2048 -nodes -keyout k2 -subj '/C=JP/CN=ca' -out other.pem 2>log
    run -0 csr-test -c -k other.pem <ca.pem
    [ "${lines[5]}" = signed=no ]
    openssl x509 -in ca.pem -outform DER -out ca.der
    local h
    h=$(hex ca.der)
    pem "${h}00" CERTIFICATE >bad.pem
    run -3 csr-test -c <bad.pem
    [ "$output" = 'csr-test: not a certificate' ]
}

# bats test_tags=measure
@test "memory stays flat however long the list is" {
    devices 2000 >small.csv
    devices 12000 >large.csv
    local small large
    small=$(peak csr-make -l small.csv -d keys)
    large=$(peak csr-make -l large.csv -d keys)
    [ "$large" -le $((small + 2048)) ] || { echo "$small $large KiB"; return 1; }
}
