bats_require_minimum_version 1.5.0

# SoftHSM2 stands for the HSM, t/p11-shim.c between it and us where the HSM has to fail, pkcs11-tool and the
# openssl command for other people's eyes.

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}"/{bin/hsm-keygen,t/signer-test,t/p11-shim.so}
    BUILD=$(realpath "${BUILD:-build}")
    export PATH=$BUILD/bin:$BUILD/t:$PATH
    for m in /usr/lib/softhsm /usr/lib/*/softhsm /usr/lib64/pkcs11 /usr/local/lib/softhsm; do
        [ ! -e "$m/libsofthsm2.so" ] || SOFTHSM=$m/libsofthsm2.so
    done
    export SOFTHSM SHIM=$BUILD/t/p11-shim.so CERTLINE_P11_MODULE=$SOFTHSM P11_SHIM_MODULE=$SOFTHSM
    cd "$BATS_FILE_TMPDIR" || return
    export HOME=$PWD SOFTHSM2_CONF=$PWD/softhsm.conf
    mkdir tokens
    printf '%s\n' "directories.tokendir = $PWD/tokens" 'objectstore.backend = file' 'log.level = ERROR' \
        > softhsm.conf
    for t in unit device scratch; do
        softhsm2-util --init-token --free --label $t --so-pin 12345678 --pin 1234
    done
    printf '1234\n' > pin
    printf '9999\n' > wrong
    for type in P-256 P-384 RSA-2048 Ed25519; do
        hsm-keygen --type $type "$(uri unit $type)" > $type.pub
    done
    hsm-keygen "$(uri device P-256)" > device.pub
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key
    openssl req -new -x509 -key ca.key -subj /CN=ca -days 30 -out ca.pem
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
    export P11_SHIM_LOG=$BATS_TEST_TMPDIR/log
    : > "$P11_SHIM_LOG"
}

# uri TOKEN OBJECT [PIN-FILE]
uri() { echo "pkcs11:token=$1;object=$2?pin-source=file:$BATS_FILE_TMPDIR/${3:-pin}"; }

tool() { pkcs11-tool --module "$SOFTHSM" --token-label "$1" --login --pin 1234 "${@:2}"; }

# shim VAR=VALUE... COMMAND...: through the module that fails as it is told
shim() { env CERTLINE_P11_MODULE="$SHIM" "$@"; }

logged() { grep -c "^$1\$" "$P11_SHIM_LOG" || true; }

# said LINE: this is one of the lines of the output
said() { grep -qxF -- "$1" <<< "$output" || { echo "$output"; return 1; }; }

# terminal ANSWER COMMAND: on a terminal of its own, with the answer typed behind the first prompt
terminal() {
    coproc script -qec "$2" /dev/null
    local from=${COPROC[0]} to=${COPROC[1]} pid=$COPROC_PID
    IFS= read -r -d: -t 120 prompt <&"$from"
    echo "$1" >&"$to"
    output=$(cat <&"$from")
    wait "$pid"
}

# a certificate for a public key: cert NAME PUB
cert() { openssl x509 -new -subj "/CN=$1" -force_pubkey "$2" -CA ca.pem -CAkey ca.key -days 9 -out "$1.pem"; }

@test "a new key is sensitive, was never extractable and is local, as another program reads it" {
    run -0 --separate-stderr tool unit --list-objects --type privkey
    [ "$(grep -cx '  Access:     sensitive, always sensitive, never extractable, local' <<< "$output")" = 4 ]
    [ "$(grep -cx '  Usage:      sign' <<< "$output")" = 4 ]
}

@test "the PUBLIC KEY that hsm-keygen prints is the one in the token" {
    for type in P-256:65 P-384:97; do
        run -0 tool unit --list-objects --type pubkey
        point=$(openssl pkey -pubin -outform DER -in "${type%:*}.pub" | tail -c "${type#*:}" | xxd -p -c 200)
        [[ $output == *"$point"* ]]
    done
    tool unit --read-object --type pubkey --label RSA-2048 > "$BATS_TEST_TMPDIR/der"
    [ "$(openssl pkey -pubin -inform DER -in "$BATS_TEST_TMPDIR/der")" = "$(cat RSA-2048.pub)" ]
}

@test "hsm-keygen --list shows label, id, type and whether the key can leave" {
    run -0 hsm-keygen "pkcs11:token=scratch;object=listed;id=%01%02?pin-source=pin" --type rsa-3072
    run -0 --separate-stderr hsm-keygen --list "$(uri scratch listed)"
    [ "$output" = "listed	0102	RSA-3072	not-extractable" ]
    run -0 --separate-stderr hsm-keygen --list "pkcs11:token=unit?pin-source=pin"
    [ "${#lines[@]}" = 4 ]
}

@test "a label that is taken is refused and the old key stays" {
    run -2 --separate-stderr hsm-keygen "$(uri unit P-256)"
    [ -z "$output" ]
    [ "${stderr_lines[0]}" = 'hsm-keygen: pkcs11:token=unit;object=P-256: an object of this label is in token "unit" already' ]
    [[ ${stderr_lines[1]} == "hsm-keygen: hint: "* ]]
    run -0 signer-test -m spki "$(uri unit P-256)"
    [ "$output" = "$(cat P-256.pub)" ]
}

@test "an id that is taken is refused" {
    hsm-keygen "pkcs11:token=scratch;object=id-one;id=%aa%bb?pin-source=pin"
    run -2 hsm-keygen "pkcs11:token=scratch;object=id-two;id=%aa%bb?pin-source=pin"
    said 'hsm-keygen: pkcs11:token=scratch;object=id-two;id=%aa%bb: an object of this id is in token "scratch" already'
}

@test "a key without a name is refused" {
    run -2 hsm-keygen "pkcs11:token=scratch?pin-source=pin"
    said 'hsm-keygen: pkcs11:token=scratch: the key to be made has no name'
}

@test "a type that is no type is a usage error" {
    run -2 hsm-keygen --type P-255 "$(uri scratch x)"
    said 'hsm-keygen: --type: not a type of key: "P-255"'
}

@test "a URI that is missing is a usage error" {
    run -2 hsm-keygen
    said 'hsm-keygen: no pkcs11: URI'
}

@test "the openssl command verifies what each type of key signs" {
    # SoftHSM's own leak is to be known by its name (t/lsan.supp).
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0
    printf certline > "$BATS_TEST_TMPDIR/in"
    for type in P-256:sha256 P-384:sha384 RSA-2048:sha256; do
        signer-test "$(uri unit "${type%:*}")" | xxd -r -p > "$BATS_TEST_TMPDIR/sig"
        openssl dgst "-${type#*:}" -verify "${type%:*}.pub" -signature "$BATS_TEST_TMPDIR/sig" "$BATS_TEST_TMPDIR/in"
    done
    signer-test "$(uri unit Ed25519)" | xxd -r -p > "$BATS_TEST_TMPDIR/sig"
    openssl pkeyutl -verify -pubin -inkey Ed25519.pub -rawin -in "$BATS_TEST_TMPDIR/in" -sigfile "$BATS_TEST_TMPDIR/sig"
}

@test "OpenSSL's own calls sign with the EVP_PKEY of each type of key" {
    # SoftHSM's own leak is to be known by its name (t/lsan.supp).
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0
    for type in P-256 P-384 RSA-2048 Ed25519; do
        signer-test -m evp "$(uri unit $type)" > "$BATS_TEST_TMPDIR/req"
        run -0 openssl req -verify -noout -in "$BATS_TEST_TMPDIR/req"
        said "Certificate request self-signature verify OK"
    done
}

@test "RSA PSS is verified by the openssl command" {
    signer-test -m pss "$(uri unit RSA-2048)" > "$BATS_TEST_TMPDIR/sig"
    printf certline > "$BATS_TEST_TMPDIR/in"
    openssl dgst -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify RSA-2048.pub \
        -signature "$BATS_TEST_TMPDIR/sig" "$BATS_TEST_TMPDIR/in"
}

@test "the private half of an EVP_PKEY cannot be exported" {
    for type in P-256 RSA-2048 Ed25519; do
        run -0 signer-test -m export "$(uri unit $type)"
    done
}

@test "a CMS message is decrypted by RSA, by OAEP that the token does not know, and by ECDH" {
    tool scratch --keypairgen --key-type rsa:2048 --label dec-rsa --id 71 --usage-decrypt
    tool scratch --keypairgen --key-type EC:prime256v1 --label dec-ec --id 72 --usage-derive
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_FILE_TMPDIR"/ca.{pem,key} .
    echo hello > plain
    for k in dec-rsa dec-ec; do
        signer-test -m spki "$(uri scratch $k)" > $k.pub
        cert $k $k.pub
        openssl cms -encrypt -aes256 -in plain -outform DER -out m -recip $k.pem
        run -0 signer-test -m decrypt "$(uri scratch $k)" < m
        [ "${output%$'\r'}" = hello ]
    done
    for md in sha1 sha256; do
        openssl cms -encrypt -aes256 -in plain -outform DER -out m -recip dec-rsa.pem \
            -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:$md
        run -0 signer-test -m decrypt "$(uri scratch dec-rsa)" < m
        [ "${output%$'\r'}" = hello ]
    done
}

@test "two keys of one token need one login and one session" {
    run -0 shim signer-test -n 3 "$(uri unit P-256)" "$(uri unit P-384)"
    [ "$(logged C_Login)" = 1 ]
    [ "$(logged C_OpenSession)" = 1 ]
    [ "$(logged C_Finalize)" = 1 ]
}

@test "keys in two tokens and a key file are open at the same time" {
    openssl pkey -in ca.key -out "$BATS_TEST_TMPDIR/key.pem"
    run -0 signer-test -n 3 "$(uri unit P-256)" "$(uri device P-256)" "$BATS_TEST_TMPDIR/key.pem"
}

@test "keys of two modules are open at the same time" {
    run -0 signer-test -n 3 "$(uri unit P-256)" "$(uri device P-256)&module-path=$SHIM"
    [ "$(logged C_Login)" = 1 ]
}

@test "eight processes that start at the same moment all sign" {
    for round in 1 2 3 4 5; do
        pids=()
        for i in 1 2 3 4 5 6 7 8; do
            signer-test "$(uri unit P-256)" > /dev/null &
            pids+=($!)
        done
        for p in "${pids[@]}"; do wait "$p"; done
    done
}

@test "processes that collide with a program which takes no lock start again, and all sign" {
    for round in 1 2 3; do
        pids=()
        for i in 1 2 3 4; do
            pkcs11-tool --module "$SOFTHSM" --token-label unit --login --pin 1234 -O > /dev/null 2>&1 3>&- &
            signer-test "$(uri unit P-256)" > /dev/null &
            pids+=($!)
        done
        for p in "${pids[@]}"; do wait "$p"; done
        wait
    done
}

@test "all users of a token folder meet, whatever their environment" {
    local held=$BATS_TEST_TMPDIR/held
    mkfifo "$BATS_TEST_TMPDIR/go"
    flock -x "$BATS_FILE_TMPDIR/tokens" sh -c "touch $held; read -r _ < $BATS_TEST_TMPDIR/go" 3>&- &
    until [ -e "$held" ]; do sleep 0.02; done
    env XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR" TMPDIR="$BATS_TEST_TMPDIR" P11_SHIM_LOG="$BATS_TEST_TMPDIR/log" \
        CERTLINE_P11_MODULE="$SHIM" signer-test "$(uri unit P-256)" > "$BATS_TEST_TMPDIR/out" 3>&- &
    local pid=$!
    # It waits at the lock of this folder, having called nothing yet.
    . "$BATS_TEST_DIRNAME/await.bash"
    at_lock() { [ "$(find "/proc/$pid/fd" -lname "$BATS_FILE_TMPDIR/tokens" 2>/dev/null | wc -l)" -eq 1 ]; }
    await at_lock
    [ ! -s "$BATS_TEST_TMPDIR/log" ]
    echo > "$BATS_TEST_TMPDIR/go"
    wait "$pid"
    [ -s "$BATS_TEST_TMPDIR/out" ] && grep -q C_Login "$BATS_TEST_TMPDIR/log"
}

# Where no token folder is known, the lock is a file of the user's.
nobody() { # UID COMMAND...
    local uid=$1
    shift
    cp "$BUILD/t/signer-test" "$BATS_TEST_TMPDIR" && chmod -R a+rX "$BATS_TEST_TMPDIR"
    env -u XDG_RUNTIME_DIR SOFTHSM2_CONF=/nowhere HOME=/nowhere setpriv --reuid "$uid" --regid "$uid" --clear-groups \
        "$BATS_TEST_TMPDIR/signer-test" "$@"
}

@test "a lock folder that others can write, or that is a link, is refused" {
    local uid=$((70000 + $$)) dir
    dir=/tmp/certline-$uid
    mkdir "$dir" && chown "$uid" "$dir" && chmod 0777 "$dir"
    run -2 nobody "$uid" "$(uri unit P-256)"
    rmdir "$dir"
    [[ ${lines[0]} == *"$dir: not a folder of this user alone, no lock can be there" ]]
    mkdir "$BATS_TEST_TMPDIR/elsewhere" && chown "$uid" "$BATS_TEST_TMPDIR/elsewhere"
    ln -s "$BATS_TEST_TMPDIR/elsewhere" "$dir" && chown -h "$uid" "$dir"
    run -2 nobody "$uid" "$(uri unit P-256)"
    rm "$dir"
    [[ ${lines[0]} == *"$dir: not a folder of this user alone, no lock can be there" ]]
    [ -z "$(ls "$BATS_TEST_TMPDIR/elsewhere")" ]
}

@test "a wrong PIN is tried exactly once" {
    run -2 shim signer-test "$(uri unit P-256 wrong)"
    said 'signer-test: token "unit": C_Login: CKR_PIN_INCORRECT'
    [ "$(logged C_Login)" = 1 ]
}

@test "a wrong PIN is tried once for two keys of the token" {
    run -2 shim signer-test "$(uri unit P-256 wrong)" "$(uri unit P-384 wrong)"
    [ "$(logged C_Login)" = 1 ]
}

@test "no login is tried where one more wrong PIN would lock the token" {
    run -2 shim P11_SHIM_FLAGS=20000 signer-test "$(uri unit P-256)"
    said 'signer-test: token "unit": one more wrong PIN would lock the token, no login is tried'
    [ "$(logged C_Login)" = 0 ]
}

@test "no login is tried on a locked PIN" {
    run -2 shim P11_SHIM_FLAGS=40000 signer-test "$(uri unit P-256)"
    said 'signer-test: token "unit": the user PIN is locked'
    [ "$(logged C_Login)" = 0 ]
}

@test "a PIN that is refused after the token came back is not tried again" {
    run -4 shim P11_SHIM_FAULT=C_Sign:2:30,C_Login:2:a0 signer-test -n 5 "$(uri unit P-256)"
    said 'signer-test: token "unit": the PIN is refused since the token came back'
    [ "$(logged C_Login)" = 2 ]
}

@test "a lost session in mid-stream is opened again without a login" {
    run -0 shim P11_SHIM_FAULT=C_Sign:3:b3 signer-test -n 5 "$(uri unit P-256)"
    [ "$(logged C_Login)" = 1 ]
    [ "$(logged C_OpenSession)" = 2 ]
}

@test "a lost login in mid-stream is made again" {
    run -0 shim P11_SHIM_LOSE=3 signer-test -n 5 "$(uri unit P-256)"
    said 'signer-test: token "unit": CKR_SESSION_HANDLE_INVALID: logging in again'
    [ "$(logged C_Login)" = 2 ]
}

@test "a device error in mid-stream starts the module again" {
    run -0 shim P11_SHIM_FAULT=C_Sign:3:30 signer-test -n 5 "$(uri unit P-256)"
    said 'signer-test: token "unit": CKR_DEVICE_ERROR: logging in again'
    [ "$(logged C_Initialize)" = 2 ]
}

@test "a device error and then a lost session are both climbed" {
    run -0 shim P11_SHIM_FAULT=C_Sign:3:30,C_Sign:4:b3 signer-test -n 5 "$(uri unit P-256)"
}

@test "a module that forgot C_Initialize is started again" {
    run -0 shim P11_SHIM_FAULT=C_SignInit:3:190 signer-test -n 5 "$(uri unit P-256)" "$(uri device P-256)"
}

@test "a vendor's error code is worth starting again" {
    run -0 shim P11_SHIM_FAULT=C_Sign:3:80000902 signer-test -n 5 "$(uri unit P-256)"
}

@test "a token that stays away ends with 4 after three tries" {
    run -4 shim P11_SHIM_FAULT=C_Sign:3:30:99 signer-test -n 5 "$(uri unit P-256)"
    said 'signer-test: token "unit": C_Sign: CKR_DEVICE_ERROR'
    [ "$(logged C_Login)" = 4 ]
}

@test "a configuration error is not tried again" {
    run -2 shim P11_SHIM_FAULT=C_Sign:3:70 signer-test -n 5 "$(uri unit P-256)"
    said 'signer-test: token "unit": C_Sign: CKR_MECHANISM_INVALID'
    [ "$(logged C_Login)" = 1 ]
}

@test "a collision at start-up is started again" {
    run -0 shim P11_SHIM_FAULT=C_OpenSession:1:e0,C_Login:1:5 signer-test "$(uri unit P-256)"
    [ "$(logged C_Initialize)" = 3 ]
}

@test "all sessions taken at start-up ends with 4 and says so" {
    run -4 shim P11_SHIM_FAULT=C_OpenSession:1:b1:99 signer-test "$(uri unit P-256)"
    said 'signer-test: unit: C_OpenSession: CKR_SESSION_COUNT'
    said 'signer-test: hint: all sessions of the token are taken: end programs that use it'
}

@test "a module that cannot lock is used by one thread" {
    run -0 shim P11_SHIM_FAULT=C_Initialize:1:a signer-test "$(uri unit P-256)"
}

@test "a module that cannot copy objects signs with the object itself" {
    run -0 shim P11_SHIM_FAULT=C_CopyObject:1:54:99 signer-test -n 3 "$(uri unit P-256)"
    run -0 shim signer-test -n 3 "$(uri unit P-256)"
    [ "$(logged C_CopyObject)" = 1 ]
}

@test "a key that wants the PIN for each signature gets it" {
    run -0 shim P11_SHIM_ASK=1 signer-test -n 3 "$(uri unit P-256)"
    [ "$(logged 'C_Login again')" = 3 ]
    [ "$(logged C_Login)" = 1 ]
}

@test "the PIN is read from a descriptor, one line a token" {
    run -0 signer-test "pkcs11:token=unit;object=P-256?pin-source=fd:7" \
        "pkcs11:token=device;object=P-256?pin-source=fd:7" 7< <(printf '1234\n1234\n')
}

@test "a PIN from a descriptor is not kept for another login" {
    run -4 shim P11_SHIM_FAULT=C_Sign:2:30 signer-test -n 3 "pkcs11:token=unit;object=P-256?pin-source=fd:7" 7< pin
    said 'signer-test: token "unit": has to log in again, and the PIN is not kept'
}

@test "the PIN is read from a systemd credential" {
    CREDENTIALS_DIRECTORY=$PWD run -0 signer-test "pkcs11:token=unit;object=P-256?pin-source=credential:pin"
}

@test "a credential that would leave its folder is refused" {
    CREDENTIALS_DIRECTORY=$PWD run -2 signer-test "pkcs11:token=unit;object=P-256?pin-source=credential:../pin"
    said 'signer-test: pin-source: not the name of a credential: "../pin"'
}

@test "the PIN is asked for on the terminal, with the echo off" {
    terminal 1234 "signer-test 'pkcs11:token=unit;object=P-256'"
    [ "$prompt" = 'PIN of token "unit"' ]
    [[ $output == *30[0-9a-f]* && $output != *' 1234'* ]]
}

@test "without a PIN and a terminal it says where a PIN may come from" {
    run -2 setsid -w signer-test "pkcs11:token=unit;object=P-256"
    said 'signer-test: PIN of token "unit": there is no terminal to ask on'
    said 'signer-test: hint: name a file that holds it: ?pin-source=file:/path'
}

@test "an empty PIN file is refused without a login" {
    : > "$BATS_TEST_TMPDIR/empty"
    run -2 shim signer-test "pkcs11:token=unit;object=P-256?pin-source=$BATS_TEST_TMPDIR/empty"
    said "signer-test: PIN of token \"unit\": $BATS_TEST_TMPDIR/empty: empty"
    [ "$(logged C_Login)" = 0 ]
}

@test "pin-value is refused and not repeated in the message" {
    for u in "pkcs11:token=unit;object=P-256?pin-value=8765" "pkcs11:token=unit;pin-value=8765;object=P-256"; do
        run -2 signer-test "$u"
        said 'signer-test: key URI: pin-value is refused'
        [[ $output != *8765* ]]
    done
}

@test "a command as pin-source is refused" {
    run -2 signer-test "pkcs11:token=unit;object=P-256?pin-source=%7Ccat%20pin"
    said 'signer-test: pin-source: a command is refused'
}

@test "an attribute that is misspelt is named" {
    run -2 signer-test "pkcs11:tokn=unit;object=P-256"
    said 'signer-test: key URI: unknown attribute "tokn"'
}

@test "a token that is not there is named, with those that are" {
    run -2 signer-test "$(uri nosuch P-256)"
    said "signer-test: pkcs11:token=nosuch;object=P-256: no token \"nosuch\" (module $SOFTHSM)"
    [[ $output == *'hint: tokens there: '*'"unit"'* ]]
}

@test "a module without any token ends with 4" {
    mkdir "$BATS_TEST_TMPDIR/none"
    echo "directories.tokendir = $BATS_TEST_TMPDIR/none" > "$BATS_TEST_TMPDIR/conf"
    SOFTHSM2_CONF=$BATS_TEST_TMPDIR/conf run -4 signer-test "$(uri unit P-256)"
    [[ ${lines[0]} == *': no token is there, "unit" is wanted (module '* ]]
}

@test "two tokens of one name have to be told apart" {
    mkdir "$BATS_TEST_TMPDIR/two"
    export SOFTHSM2_CONF=$BATS_TEST_TMPDIR/conf
    echo "directories.tokendir = $BATS_TEST_TMPDIR/two" > "$SOFTHSM2_CONF"
    for i in 1 2; do softhsm2-util --init-token --free --label unit --so-pin 12345678 --pin 1234; done
    run -2 signer-test "$(uri unit P-256)"
    said 'signer-test: pkcs11:token=unit;object=P-256: 2 tokens are called so: "unit", "unit"'
}

@test "a key that is not there is named, with those that are" {
    run -2 signer-test "$(uri device nosuch)"
    said 'signer-test: pkcs11:token=device;object=nosuch: no such private key in the token'
    said 'signer-test: hint: private keys in token "device": "P-256"'
}

@test "a URI that names several keys is refused" {
    run -2 signer-test "pkcs11:token=unit?pin-source=pin"
    said 'signer-test: pkcs11:token=unit: several private keys are called so'
}

@test "a module that is not there, or is none, is a usage error" {
    run -2 signer-test "$(uri unit P-256)&module-path=/nonexistent/p11.so"
    [[ ${lines[0]} == *"PKCS#11 module: /nonexistent/p11.so: "* ]]
    run -2 signer-test "$(uri unit P-256)&module-path=$BATS_FILE_TMPDIR/pin"
    [[ ${lines[0]} == *"PKCS#11 module: "* ]]
}

@test "an empty module-path is as good as none" {
    run -0 signer-test -u "$(uri unit P-256)&module-path="
}

@test "a unit takes a key that hsm-keygen made" {
    run -0 signer-test -u "$(uri unit P-256)" "$(uri unit RSA-2048)"
}

@test "a unit refuses an extractable key" {
    tool scratch --keypairgen --key-type EC:prime256v1 --label loose --id 61 --extractable
    run -2 signer-test -u "$(uri scratch loose)"
    said 'signer-test: pkcs11:token=scratch;object=loose: a unit cannot use this key: it can be taken out of the token (CKA_EXTRACTABLE)'
    [[ ${lines[1]} == *"hint: make a new one with hsm-keygen"* ]]
    run -0 signer-test "$(uri scratch loose)"
    run -0 --separate-stderr hsm-keygen --list "$(uri scratch loose)"
    [ "$output" = "loose	61	P-256	extractable" ]
}

@test "a unit refuses an imported key" {
    softhsm2-util --import <(openssl pkcs8 -topk8 -nocrypt -in ca.key) --token scratch --label imported --id 62 --pin 1234
    run -2 signer-test -u "$(uri scratch imported)"
    said 'signer-test: pkcs11:token=scratch;object=imported: a unit cannot use this key: it was not born in the token (not CKA_LOCAL)'
    run -0 signer-test "$(uri scratch imported)"
}

@test "a unit refuses an Ed25519 key, and a key in a file" {
    run -2 signer-test -u "$(uri unit Ed25519)"
    said 'signer-test: pkcs11:token=unit;object=Ed25519: a unit cannot use an Ed25519 key: it cannot sign CMS messages'
    run -2 signer-test -u ca.key
    said 'signer-test: ca.key: a unit cannot use a key in a file'
}

@test "key files of each type sign" {
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$BATS_TEST_TMPDIR/rsa"
    openssl genpkey -algorithm ED25519 -out "$BATS_TEST_TMPDIR/ed"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$BATS_TEST_TMPDIR/p384"
    run -0 signer-test -n 3 ca.key "$BATS_TEST_TMPDIR"/{rsa,ed,p384}
}

@test "a key file of another type is refused" {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out "$BATS_TEST_TMPDIR/k1"
    run -2 signer-test "$BATS_TEST_TMPDIR/k1"
    said "signer-test: $BATS_TEST_TMPDIR/k1: not a supported key (EC, 256 bits)"
}

@test "an encrypted key file asks for its passphrase on the terminal" {
    openssl pkey -in ca.key -aes256 -passout pass:open-sesame -out "$BATS_TEST_TMPDIR/enc"
    terminal open-sesame "signer-test '$BATS_TEST_TMPDIR/enc'"
    [ "$prompt" = "passphrase of $BATS_TEST_TMPDIR/enc" ]
    [[ $output != *open-sesame* ]]
    run -2 setsid -w signer-test "$BATS_TEST_TMPDIR/enc"
    said "signer-test: $BATS_TEST_TMPDIR/enc: passphrase: there is no terminal to ask on"
}

@test "a certificate is put beside its key and replaces the older one only afterwards" {
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_FILE_TMPDIR"/ca.{pem,key} .
    hsm-keygen "$(uri scratch cert-key)" > pub
    cert one pub
    cert two pub
    for c in one two two; do
        run -0 shim signer-test -m put "pkcs11:token=scratch?pin-source=$BATS_FILE_TMPDIR/pin" < $c.pem
        tool scratch --read-object --type cert --label cert-key | openssl x509 -inform DER > got
        cmp got $c.pem
    done
    [ "$(tool scratch --list-objects --type cert | grep -c 'label: *cert-key')" = 1 ]
    [ "$(grep -E 'C_(Create|Destroy)Object' "$P11_SHIM_LOG" | tr '\n' ' ')" = 'C_CreateObject C_CreateObject C_DestroyObject ' ]
    id=$(hsm-keygen --list "$(uri scratch cert-key)" | cut -f2)
    tool scratch --read-object --type cert --id "$id" | openssl x509 -inform DER | cmp - two.pem
}

@test "the older certificate stays when the new one cannot be written" {
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_FILE_TMPDIR"/ca.{pem,key} .
    hsm-keygen "$(uri scratch keeps)" > pub
    cert one pub
    cert two pub
    signer-test -m put "$(uri scratch keeps)" < one.pem
    run -4 shim P11_SHIM_FAULT=C_CreateObject:1:31 signer-test -m put "$(uri scratch keeps)" < two.pem
    said 'signer-test: token "scratch": writing the certificate: CKR_DEVICE_MEMORY'
    tool scratch --read-object --type cert --label keeps | openssl x509 -inform DER | cmp - one.pem
}

@test "a certificate is put into a token that is open for signing, with the same login" {
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_FILE_TMPDIR"/ca.{pem,key} .
    hsm-keygen "$(uri scratch both)" > pub
    cert both pub
    run -0 shim signer-test -m put "$(uri scratch both)" "$(uri scratch both)" < both.pem
    [ "$(logged C_Login)" = 1 ]
}

@test "a certificate for a key that is not in the token is refused" {
    run -1 signer-test -m put "pkcs11:token=device?pin-source=pin" < ca.pem
    said 'signer-test: pkcs11:token=device: no key in token "device" is the one in the certificate'
}

@test "a token that cannot make the type of key says so" {
    run -2 shim P11_SHIM_LACKS=1055 hsm-keygen --type Ed25519 "$(uri scratch lacks)"
    said 'hsm-keygen: token "scratch" cannot make Ed25519 keys'
}

@test "a token whose file a killed login left empty is there again" {
    run -0 signer-test -m spki "$(uri unit P-256)"
    local file
    for file in tokens/*/token.object; do
        [ "$(stat -c %s "$file")" = "$(stat -c %s "$file.kept")" ]
        : > "$file"
    done
    run -0 hsm-keygen --list "$(uri unit P-256)"
    for file in tokens/*/token.object; do
        [ -s "$file" ]
    done
}

@test "the page of hsm-keygen is clean" {
    # Whether other pages are installed is not this page's business.
    run -0 awk '!/referenced manual not found/' <(mandoc -Tlint "$BATS_TEST_DIRNAME/../man/hsm-keygen.1" 2>&1)
    [ -z "$output" ]
}
