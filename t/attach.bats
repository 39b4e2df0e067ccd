# shellcheck disable=SC2016 # commands of --get and --put expand their own variables
bats_require_minimum_version 1.5.0

# attach between a line that is real (t/lib.bash) and one that lies (t/answer-test.c).

setup_file() {
    . "$BATS_TEST_DIRNAME/liars.bash"
    liars_line
    lab_keys D1 D2 >"$LAB/keys.pem"
}

setup() {
    . "$BATS_TEST_DIRNAME/liars.bash"
    liars_use
}

# said LINE: this is one of the lines on stderr (run --separate-stderr) or of the output
said() { grep -qxF -- "attach: $1" <<<"${stderr-}
$output" || { printf '%s\n' "$output" "${stderr-}" && return 1; }; }

blocks() { grep -c "^-----BEGIN $1-----\$" "$2" || true; }

sql() { sqlite3 "$LAB/var/attach.db" "$1"; }

# answered WORD...: three requests go up, and come back as answer-test makes it of them
answered() {
    lab_up <"$LAB/three.pem" >up.pem && answer-test "$LAB/liars" "$@" <up.pem >down.pem
}

# --- the way up ---

@test "a message is CMS that openssl opens, with all requests in it and attach as its signer" {
    lab_up <"$LAB/three.pem" >up.pem
    [ "$(blocks CMS up.pem)" -eq 1 ]
    openssl cms -verify -inform PEM -in up.pem -CAfile "$LAB/pki/root.pem" -purpose any -binary \
        -signer signer.pem -out content.der
    run -0 openssl x509 -in signer.pem -noout -subject -nameopt RFC2253
    [ "$output" = subject=CN=attach-1 ]
    openssl req -in "$LAB/three.pem" -outform DER -out first.der
    run -0 python3 -c 'import sys; sys.exit(open("first.der","rb").read() not in open("content.der","rb").read())'
    run -0 openssl asn1parse -inform DER -in content.der
    [[ $output = *":verify-unit-1"* || $output = *id-cmc-regInfo* ]]
}

@test "requests are gathered up to the batch, one message for each" {
    sed 's/^to:/batch: 2\nto:/' "$LAB/etc/attach.yaml" >"$LAB/etc/batch.yaml"
    attach -c "$LAB/etc/batch.yaml" --lot open <"$LAB/three.pem" >up.pem
    [ "$(blocks CMS up.pem)" -eq 2 ]
    [ "$(sql 'select group_concat(part) from entry where kind = 3')" = 2,1 ]
}

@test "a message is sent as soon as nothing more is there to read" {
    mkfifo in
    lab_up <in >up.pem &
    exec 7>in
    lab_requests D1 >&7
    await whole_block up.pem
    [ "$(blocks CMS up.pem)" -eq 1 ]
    lab_requests D2 >&7
    exec 7>&-
    wait $!
    [ "$(blocks CMS up.pem)" -eq 2 ]
}

@test "the run is in the ledger: opened, sent, asked, closed" {
    lab_up <"$LAB/three.pem" >up.pem
    [ "$(sql 'select group_concat(kind) from entry')" = 1,3,4,4,4,2,21 ]
    [ "$(sql 'select group_concat(device) from entry where kind = 4')" = D1,D2,D3 ]
    [ "$(sql 'select part, status from entry where kind = 2')" = '3|0' ]
}

@test "a block that cannot be read is named with its line, and the rest goes on" {
    {
        cat "$LAB/three.pem"
        printf -- '-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n'
        lab_requests D4
    } >in.pem
    line=$(($(wc -l <"$LAB/three.pem") + 1))
    run --separate-stderr -3 lab_up <in.pem
    [[ $stderr = "attach: stdin:$line: "* ]]
    [ "$(sql 'select group_concat(device) from entry where kind = 4')" = D1,D2,D3,D4 ]
    [ "$(sql 'select part, status from entry where kind = 2')" = '5|1' ]
}

@test "a certificate among requests is unreadable, not the end" {
    cat "$LAB/pki/root.pem" "$LAB/three.pem" >in.pem
    run --separate-stderr -3 lab_up <in.pem
    said 'stdin:1: a block "CERTIFICATE", which is no request and no public key'
    [ "$(sql 'select count(*) from entry where kind = 4')" -eq 3 ]
}

@test "a request with an octet behind it is not DER" {
    {
        openssl req -in "$LAB/three.pem" -outform DER
        printf '\0'
    } >trailing.der
    printf -- '-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n' \
        "$(base64 trailing.der)" >in.pem
    run --separate-stderr -3 lab_up <in.pem
    [[ $stderr = "attach: stdin:1: not a request in DER: "* ]]
    [ -z "$output" ]
}

@test "a request larger than the limit is unreadable" {
    printf -- '-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n' \
        "$(head -c 70000 /dev/zero | base64)" >in.pem
    run --separate-stderr -3 lab_up <in.pem
    said 'stdin:1: larger than 65536 octets'
}

@test "text, rubbish and a line without end are no requests" {
    run --separate-stderr -3 lab_up <<<'hello'
    said 'stdin:1: no PEM block'
    head -c 3000000 /dev/zero | tr '\0' x >long
    run --separate-stderr -3 lab_up <long
    said 'stdin:1: line longer than 1024 octets'
}

@test "empty input ends with 5 in both directions" {
    run --separate-stderr -5 lab_up </dev/null
    said 'stdin was empty'
    run --separate-stderr -5 lab_down </dev/null
    said 'stdin was empty'
}

@test "requests and messages do not mix" {
    lab_up <"$LAB/three.pem" >up.pem
    cat "$LAB/three.pem" up.pem "$LAB/three.pem" >in.pem
    run --separate-stderr -3 lab_up <in.pem
    [[ $stderr = *": a message of a unit among requests"* ]]
    [ "$(sql 'select count(*) from entry where kind = 4')" -eq 6 ]
    run --separate-stderr -3 lab_up --up <up.pem
    said 'stdin:1: a block "CMS" where requests are read'
    run --separate-stderr -3 lab_down --down <"$LAB/three.pem"
    said 'stdin:1: a block "CERTIFICATE REQUEST" where answers are read'
}

@test "what is wrong inside a request is for the units above: it comes back as an answer" {
    csr-make --key "$(lab_key D1)" --subject 'O=Nobody' >in.pem
    openssl req -in "$LAB/three.pem" -outform DER -out good.der
    python3 -c 'd = bytearray(open("good.der", "rb").read()); d[-1] ^= 1; open("bad.der", "wb").write(d)'
    openssl req -inform DER -in bad.der >>in.pem
    sed -n '/^-----BEGIN/,/^-----END/p' in.pem >two.pem
    run --separate-stderr -1 lab_line <two.pem
    [ -z "$output" ]
    [[ $stderr = *"attach: request-in-line-1: refused: "*"(failInfo badIdentity)"* ]]
    [[ $stderr = *"attach: D1: refused: "*"(failInfo popFailed)"* ]]
}

@test "a lot must be named, and known" {
    run -2 attach -c "$LAB/etc/attach.yaml" <"$LAB/three.pem"
    [ "${lines[0]}" = "attach: --lot is missing: requests are read" ]
    run -2 lab_up --lot none <"$LAB/three.pem"
    [ "$output" = "attach: there is no lot \"none\" in $LAB/etc/lots.yaml" ]
    run -2 lab_up --profile none <"$LAB/three.pem"
    [ "${lines[0]}" = 'attach: there is no profile "none" in the presets' ]
}

@test "options that do not go together are a wrong call" {
    run -2 lab_up --get true
    [ "${lines[0]}" = "attach: --get needs --list" ]
    run -2 lab_down --read-back true
    run -2 lab_down --up --out x
    run -2 lab_down --check --resend
    run -2 lab_down --out '{lot}.pem'
    [ "$output" = "attach: --out: without {device} or {serial} all certificates go to one file" ]
    run -2 lab_down --out '{device}.{what}'
    run -2 lab_down --out "$LAB/etc/attach.yaml"
}

@test "SIGTERM finishes the batch and leaves the run open" {
    mkfifo in
    attach -c "$LAB/etc/attach.yaml" --lot open <in >up.pem 2>err &
    exec 7>in
    lab_requests D1 >&7
    await whole_block up.pem
    kill -TERM $!
    ended 4 $!
    exec 7>&-
    grep -qx 'attach: stopped by a signal' err
    [ "$(sql 'select count(*) from entry where kind = 2')" -eq 0 ]
}

@test "a reader that goes away ends attach with 4" {
    mkfifo out
    exec 8<>out 7>out 8<&- # and gone it is
    run -4 bash -c '. "$1"; lab_use "$2"; lab_up <"$2/three.pem" >&7' - "$BATS_TEST_DIRNAME/lib.bash" "$LAB"
    exec 7>&-
}

# --- public keys ---

@test "a public key belongs to whom its subject= line names, in each way that openssl writes it" {
    local key
    key=$(sed -n '/^-----BEGIN/,/^-----END/p' "$LAB/keys.pem" | sed '/^-----END/q')
    for name in 'serialNumber=K1,O=Lab' 'O = Lab, serialNumber = K1' ' /O=Lab/serialNumber=K1'; do
        lab_fresh
        printf 'subject=%s\n%s\n' "$name" "$key" >in.pem
        lab_up --lot bare <in.pem >up.pem
        [ "$(sql 'select device from entry where kind = 4')" = K1 ]
    done
}

@test "a public key belongs to the row of the list that has its hash" {
    sed '/^subject=/d' "$LAB/keys.pem" >bare.pem
    run --separate-stderr -3 lab_up --lot bare <bare.pem
    said 'stdin:1: whose public key it is is not said: no line "subject=..." ahead of it'
    hash=$(openssl pkey -pubin -in bare.pem -outform DER | sha256sum | cut -c1-64)
    printf 'serial,key\nX1,%064d\nX2,%s\n' 1 "$hash" >list.csv
    lab_fresh
    run --separate-stderr -3 lab_up --lot bare --list list.csv <bare.pem
    [ "$(sql 'select device from entry where kind = 4')" = X2 ]
    printf 'serial,key\nX1,%s\nX2,%s\n' "$hash" "${hash%?}" >list.csv
    run --separate-stderr -2 lab_up --lot bare --list list.csv <bare.pem
    said 'list.csv:3: key: not a SHA-256 in hexadecimal digits'
}

@test "a list that changes while it is in use says no more whose a key is" {
    for id in D1 D2; do
        openssl pkey -in "$LAB/keys/$id.key" -pubout >$id.pub
        printf '%s,%s\n' SN-$id "$(openssl pkey -in "$LAB/keys/$id.key" -pubout -outform DER | sha256sum | cut -c1-64)"
    done >rows
    { echo serial,key && cat rows; } >list.csv
    mkfifo in
    lab_up --lot bare --list list.csv <in >up.pem 2>said &
    exec 7>in
    cat D1.pub >&7
    await whole_block up.pem
    # moved by an octet, what is read as the row of D2 would be of device "N-D2"
    { echo serial,ke && cat rows; } >list.csv
    cat D2.pub >&7
    exec 7>&-
    code=0
    wait $! || code=$?
    [ $code -eq 3 ]
    grep -qx 'attach: stdin:[0-9]*: the list changed while it was in use' said
    [ "$(sql 'select group_concat(device) from entry where kind = 4')" = SN-D1 ]
}

@test "a list of nothing but bad rows gives twenty warnings" {
    { echo serial,key && seq 100; } >list.csv
    run --separate-stderr -2 lab_up --lot bare --list list.csv <"$LAB/keys.pem"
    [ "${#stderr_lines[@]}" = 21 ]
    said 'list.csv: and so on'
}

@test "a device that gives only its public key is served" {
    lab_up --lot bare <"$LAB/keys.pem" | lab_middle | lab_down >certs.pem
    [ "$(blocks CERTIFICATE certs.pem)" -eq 2 ]
    openssl x509 -in certs.pem -noout -pubkey | cmp - <(openssl pkey -in "$LAB/keys/D1.key" -pubout)
}

# --- commands ---

@test "--get reads each device of the list, --put writes to it" {
    printf 'serial,port\nD1,1\nD2,2\nD3,3\n' >list.csv
    for d in D1 D2 D3; do lab_requests $d >req.$d; done
    attach -c "$LAB/etc/attach.yaml" --lot open --list list.csv --jobs 2 \
        --get 'test -n "$CERTLINE_PORT" && cat req.$CERTLINE_DEVICE' |
        lab_middle |
        lab_down --jobs 2 --put 'cat >got.$CERTLINE_DEVICE' --read-back 'cat got.$CERTLINE_DEVICE' >out.pem
    [ ! -s out.pem ]
    for d in D1 D2 D3; do
        openssl x509 -in got.$d -noout -subject | grep -q "serialNumber = $d"
    done
    [ "$(sql 'select count(*) from entry where kind = 7')" -eq 3 ]
}

@test "a device that cannot be read is named and counted, the others go on" {
    printf 'serial\nD1\nD2\nD3\nD4\n' >list.csv
    lab_requests D1 >req.D1
    echo rubbish >req.D2
    run --separate-stderr -3 attach -c "$LAB/etc/attach.yaml" --lot open --list list.csv --timeout 10 \
        --get 'test $CERTLINE_DEVICE != D3 || exec sleep 99; cat req.$CERTLINE_DEVICE 2>/dev/null'
    said 'D2: no PEM block'
    said 'D3: the command of --get took too long'
    said 'D4: the command of --get failed with status 1'
    [ "$(sql 'select part, status from entry where kind = 2')" = '4|3' ]
}

@test "a device that --put fails for has no answer yet, and is served by sending again" {
    lab_up <"$LAB/three.pem" | lab_middle >down.pem
    run --separate-stderr -4 lab_down --put 'test $CERTLINE_DEVICE != D2 || exit 7; cat >got.$CERTLINE_DEVICE' <down.pem
    said 'D2: the command of --put failed with status 7'
    said 'D2: has no answer yet'
    [ -s got.D1 ] && [ -s got.D3 ]
    run -1 lab_down --unanswered
    [ "$(cut -f 3 <<<"$output")" = D2 ]
    rm got.*
    lab_down --resend | lab_middle | lab_down --put 'cat >got.$CERTLINE_DEVICE'
    [ "$(echo got.*)" = got.D2 ]
    run -0 lab_down --unanswered
    [ -z "$output" ]
}

@test "what reads back otherwise is not delivered" {
    lab_up <"$LAB/three.pem" | lab_middle >down.pem
    run --separate-stderr -4 lab_down --jobs 1 --put 'cat >got.$CERTLINE_DEVICE' --read-back 'cat got.D1' <down.pem
    said 'D2: what the device holds is not the certificate that was put there'
    [ "$(sql 'select group_concat(device) from entry where kind = 7')" = D1 ]
}

# --- the way down ---

@test "certificates go into a folder, one a device, and nothing to stdout" {
    lab_line --out certs/new <"$LAB/three.pem" >out.pem
    [ ! -s out.pem ]
    [ "$(echo certs/new/*)" = "certs/new/D1.pem certs/new/D2.pem certs/new/D3.pem" ]
    openssl verify -CAfile "$LAB/pki/root.pem" -untrusted "$LAB/pki/ca.pem" certs/new/*.pem
}

@test "a template names files, --chain adds the issuers, --print prints all the same" {
    lab_line --out 'by/{lot}/{profile}-{device}.crt' --chain --print <"$LAB/three.pem" >out.pem
    [ "$(blocks CERTIFICATE by/open/tls-client-D1.crt)" -eq 2 ]
    [ "$(blocks CERTIFICATE out.pem)" -eq 6 ]
    openssl verify -CAfile "$LAB/pki/root.pem" -untrusted by/open/tls-client-D1.crt by/open/tls-client-D1.crt
}

@test "an id cannot leave the folder" {
    lab_requests ../evil a/b >in.pem 2>err || true
    csr-make --key "$(lab_key e1)" --subject 'CN=../evil' >in.pem
    csr-make --key "$(lab_key e2)" --subject 'CN=a/b' >>in.pem
    lab_line --out certs <in.pem
    [ "$(ls -A certs)" = $'%2E.%2Fevil.pem\na%2Fb.pem' ]
    [ ! -e evil.pem ]
}

@test "a folder that cannot be written to leaves the devices without an answer" {
    lab_up <"$LAB/three.pem" | lab_middle >down.pem
    echo >file
    run --separate-stderr -4 lab_down --out 'file/{device}' <down.pem
    said 'D1: file/D1: Not a directory'
    [ "$(sql 'select count(*) from entry where kind = 6')" -eq 3 ]
    [ "$(sql 'select count(*) from entry where kind = 7')" -eq 0 ]
}

@test "a certificate goes into the token of its key" {
    uri="$(lab_uri hsm3 device-1)"
    hsm-keygen "$uri" >/dev/null
    csr-make --key "$uri" --subject serialNumber=device-1 >in.pem
    lab_line --token "$(lab_uri hsm3 '{device}')" <in.pem
    pkcs11-tool --module "$LAB_MODULE" --token-label hsm3 --read-object --type cert --label device-1 -o cert.der
    openssl x509 -inform DER -in cert.der -noout -subject | grep -q device-1
    run --separate-stderr -4 lab_line --token "$(lab_uri hsm3 '{device}')" <"$LAB/three.pem"
    said 'D1: --token: its certificate is not in the token'
}

@test "a refusal is told with its reason, the others are served, and the exit is 1" {
    lab_requests A1 B1 A2 >in.pem
    run --separate-stderr -1 bash -c '. "$1"; lab_use "$2"; lab_up --lot listed <in.pem | lab_middle | lab_down' - \
        "$BATS_TEST_DIRNAME/lib.bash" "$LAB"
    said 'B1: refused: verify-unit: device "B1" is not in the list of lot "listed" (failInfo badIdentity)'
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
}

@test "a block that the first attach could not read makes the last one end with 3" {
    { cat "$LAB/three.pem" && echo '-----BEGIN PUBLIC KEY-----'; } >in.pem
    lab_up <in.pem 2>/dev/null | lab_middle >down.pem || true
    run --separate-stderr -3 lab_down <down.pem
    said '1 of 4 blocks of the run could not be read'
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 3 ]
}

@test "a run that was not closed makes the last attach end with 4" {
    lab_up <"$LAB/three.pem" >up.pem
    lab_middle <up.pem >down.pem
    sql 'drop trigger if exists entry_delete; delete from entry where kind = 2'
    run --separate-stderr -4 lab_down <down.pem
    [[ $stderr = *"is not closed: the attach that sent it did not come to its end"* ]]
}

@test "an answer that is missing makes the last attach end with 4 and name the devices" {
    sed 's/^to:/batch: 1\nto:/' "$LAB/etc/attach.yaml" >"$LAB/etc/batch.yaml"
    attach -c "$LAB/etc/batch.yaml" --lot open <"$LAB/three.pem" >up.pem
    lab_middle <up.pem >down.pem
    sed '/^-----END/q' down.pem >first.pem
    run --separate-stderr -4 lab_down <first.pem
    said 'D2: has no answer yet'
    said 'D3: has no answer yet'
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    lab_fresh
}

@test "input that ends within a message is cut short: 4 if devices wait for it, else 3" {
    sed 's/^to:/batch: 1\nto:/' "$LAB/etc/attach.yaml" >"$LAB/etc/batch.yaml"
    attach -c "$LAB/etc/batch.yaml" --lot open <"$LAB/three.pem" >up.pem
    lab_middle <up.pem >down.pem
    run --separate-stderr -3 lab_down <<<"$(head -n 5 down.pem)"
    said 'stdin:1: truncated: no END line'
    head -n "$(($(wc -l <down.pem) - 3))" down.pem >cut.pem
    run --separate-stderr -4 lab_down <cut.pem
    said 'D3: has no answer yet'
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 2 ]
}

@test "the same answer again gives the same certificates, and puts nothing twice" {
    lab_up <"$LAB/three.pem" | lab_middle >down.pem
    lab_down <down.pem >one.pem
    lab_down <down.pem >two.pem
    cmp one.pem two.pem
    [ "$(sql 'select count(*) from entry where kind in (5, 6, 7)')" -eq 7 ]
    lab_down --put 'touch again' <down.pem
    [ ! -e again ]
}

@test "a message that is sent again is the same, octet for octet" {
    lab_up <"$LAB/three.pem" >up.pem
    lab_down --resend >again.pem
    cmp up.pem again.pem
    CERTLINE_CLOCK=$(($(date +%s) + 90000)) run --separate-stderr -1 lab_down --resend
    [ -z "$output" ]
    said '1 messages are older than max-age: no unit would take them'
}

# The attach that reads requests is killed behind its first message: its run stays open.
kill_reader() {
    rm -f in up.pem
    mkfifo in
    attach -c "$LAB/etc/attach.yaml" --lot open <in >up.pem 2>err &
    exec 7>in
    lab_requests D1 >&7
    await whole_block up.pem
    "$@"
    kill -KILL $!
    ended 137 $!
    exec 7>&-
}

@test "a line that lost its first attach ends with 4, and sending again ends it well" {
    kill_reader
    lab_middle <up.pem >down.pem
    run --separate-stderr -4 lab_down --out certs <down.pem
    [[ $stderr = *' is not closed: the attach that sent it did not come to its end'* ]]
    rm -r certs
    lab_fresh
    kill_reader
    lab_down --resend | lab_middle >down.pem
    run --separate-stderr -0 lab_down --out certs <down.pem
    [ -s certs/D1.pem ]
}

@test "sending again leaves the run of an attach that is still reading open" {
    resend() {
        lab_down --resend >again.pem
    }
    kill_reader resend
    [ "$(sql 'select count(*) from entry where kind = 2')" -eq 0 ]
}

@test "a certificate that could not be printed has no answer yet" {
    lab_up <"$LAB/three.pem" | lab_middle >down.pem
    run --separate-stderr -4 bash -c '. "$1"; lab_use "$2"; lab_down <down.pem >/dev/full' - \
        "$BATS_TEST_DIRNAME/lib.bash" "$LAB"
    run -1 lab_down --unanswered
    [ "${#lines[@]}" -eq 3 ]
    lab_down --resend | lab_middle | lab_down >certs.pem
    [ "$(blocks CERTIFICATE certs.pem)" -eq 3 ]
    run -0 lab_down --unanswered
}

# --- answers that lie ---

@test "an answer of another line with the same certificates is taken for what it is" {
    answered
    run --separate-stderr -0 lab_down <down.pem
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 3 ]
}

# refuses WHY WORD...: nothing reaches a device
refuses() {
    local why=$1
    shift
    answered "$@"
    run --separate-stderr -3 lab_down --out certs <down.pem
    said "stdin:1: $why"
    [ ! -e certs ]
    [ "$(sql 'select count(*) from entry where kind > 4 and kind <> 21')" -eq 0 ]
}

@test "a certificate for another key is refused with its whole message" {
    refuses 'D2: its certificate is for another key than the one sent' key=1
}

@test "an answer that leaves out a device is refused" {
    refuses 'ca-sign: 2 answers to 3 requests' short
}

@test "an answer to another message is refused" {
    refuses 'an answer to a message that this unit did not send' request
}

@test "an answer with another transactionId is refused" {
    refuses 'an answer to a message that this unit did not send' tid
}

@test "an answer with another nonce is refused" {
    refuses 'ca-sign: recipientNonce is not the one that was sent' nonce
}

@test "a certificate that its issuer did not sign is refused" {
    refuses 'D1: its certificate bears a signature that its issuer did not make' forged
}

@test "a certificate without its issuer is refused" {
    refuses 'ca-sign: the issuer of a certificate is not in the answer' no-issuer
}

@test "a certificate of a CA that is not trusted is refused" {
    refuses 'ca-sign: an issuer in the answer: certificate of CN=File ca does not lead to a root of the trust' foreign
}

@test "a certificate that is expired or not yet valid is refused" {
    answered expired
    run --separate-stderr -3 lab_down <down.pem
    [[ $stderr = *"stdin:1: D1: its certificate expired "* ]]
    answered early
    run --separate-stderr -3 lab_down <down.pem
    [[ $stderr = *"stdin:1: D1: its certificate is not valid before "* ]]
}

@test "another answer to a message that is answered already is refused" {
    answered
    lab_down <down.pem >/dev/null
    answer-test "$LAB/liars" refuse=0 <up.pem >other.pem
    run --separate-stderr -3 lab_down <other.pem
    said 'stdin:1: another answer to a message that is answered already'
    [ -z "$output" ]
}

@test "an answer of a unit that is not a neighbour is refused" {
    answered
    sed 's/verify-unit-1/verify-unit-2/' "$LAB/etc/attach.yaml" >"$LAB/etc/other.yaml"
    run --separate-stderr -3 attach -c "$LAB/etc/other.yaml" <down.pem
    said 'stdin:1: signed by verify-unit-1, from which this unit takes no answers'
}

@test "a request where answers are read is refused" {
    lab_up <"$LAB/three.pem" >up.pem
    run --separate-stderr -3 lab_down <up.pem
    said 'stdin:1: a request, which attach does not take'
}

@test "what is wrong with one message leaves what was delivered before" {
    answered
    cp down.pem good.pem
    answered key=0
    cat good.pem down.pem >both.pem
    run --separate-stderr -3 lab_down --out certs <both.pem
    [ "$(echo certs/*)" = "certs/D1.pem certs/D2.pem certs/D3.pem" ]
}

@test "--check tests configuration, key, certificate and ledger" {
    run -0 lab_down --check
    [[ $output = *"id: attach-1"* ]]
    run -2 attach -c /nonexistent.yaml --check
}
