# The device store: what a scan makes of what it finds, what survives a kill, what a deletion leaves.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_build store-test && device_pki && device_cert a && device_cert b
    device_yaml
}

setup() {
    . "$BATS_TEST_DIRNAME/device.bash"
    device_copy {root,a,b}.{pem,key} store.yaml
    umask 077
}

teardown() { small_disk_gone; }

two() { device_import a --purpose tls && device_import b; }
scan() { run -0 --separate-stderr store-test store scan; }
# A purpose is whole: its certificate can be read and its key belongs to it.
whole() { # PURPOSE
    cmp <(openssl x509 -in "store/purpose/$1/cert.pem" -noout -pubkey) \
        <(openssl pkey -in "store/purpose/$1/key.pem" -pubout)
}
left() { find store -name '.new-*' -o -name '.del-*' -o -name '*.tmp.*'; }
modes() { (cd store && find . -mindepth 1 ! -name .lock -printf '%M %P\n' | sort -k2); }

@test "a store has a folder a certificate and a link a purpose, with modes for servers that run as somebody else" {
    two
    [ "$(readlink store/purpose/tls)" = ../cert/a ]
    run -0 modes
    [ "$output" = "drwxr-xr-x cert
drwxr-xr-x cert/a
-rw-r--r-- cert/a/cert.pem
-rw-r--r-- cert/a/fullchain.pem
-rw------- cert/a/key.pem
-rw-r--r-- cert/a/meta.yaml
drwxr-xr-x cert/b
-rw-r--r-- cert/b/cert.pem
-rw-r--r-- cert/b/fullchain.pem
-rw------- cert/b/key.pem
-rw-r--r-- cert/b/meta.yaml
drwx------ pending
drwxr-xr-x purpose
lrwxrwxrwx purpose/tls
drwxr-xr-x state
-rw-r--r-- state/tls.yaml" ]
    chmod 755 . && as_nobody openssl x509 -in store/purpose/tls/cert.pem -noout
    run -1 as_nobody cat store/purpose/tls/key.pem
}

@test "where there is no store, its programs say who makes one" {
    local p
    for p in cert-list cert-renew cert-prune; do
        run -2 --separate-stderr "$p" -c store.yaml
        [ "$stderr" = "$p: store: No such file or directory
$p: hint: cert-import makes a store, and so does cert-renew --force PURPOSE" ]
    done
}

@test "a foreign file is named, and the rest is read" {
    two
    touch store/cert/note store/purpose/note store/pending/note store/cert/.hidden
    mkdir 'store/cert/a b' store/cert/-x
    scan
    [ "$output" = "a linked
b
tls -> a
something is bad" ]
    [ "$(sort <<<"$stderr")" = "store-test: store/cert/-x: not a folder of a certificate
store-test: store/cert/.hidden: not a folder of a certificate
store-test: store/cert/a b: not a folder of a certificate
store-test: store/cert/note: not a folder of a certificate
store-test: store/pending/note: not a folder of an enrolment
store-test: store/purpose/note: not a link of a purpose" ]
}

@test "a dangling link is named" {
    two
    ln -s ../cert/gone store/purpose/ipsec
    scan
    [ "$stderr" = "store-test: store/purpose/ipsec: points to a certificate that is not there" ]
    [[ $output == *"ipsec -> ?"*"something is bad" ]]
    run -1 --separate-stderr cert-list -c store.yaml
    [ "$stderr" = "cert-list: store/purpose/ipsec: points to a certificate that is not there" ]
}

@test "a link that points outside is named, and nothing there is read" {
    two
    mkdir -p other/cert/a && cp a.pem other/cert/a/cert.pem
    ln -s /etc store/purpose/etc
    ln -s ../../other/cert/a store/purpose/other
    ln -s ../cert/a/cert.pem store/purpose/file
    scan
    [ "$(sort <<<"$stderr")" = "store-test: store/purpose/etc: does not point to a certificate of this store
store-test: store/purpose/file: does not point to a certificate of this store
store-test: store/purpose/other: does not point to a certificate of this store" ]
}

@test "a link counts by where it leads, however it is written, and what it leads to is not deleted" {
    local to
    two
    for to in ../cert/b/ ../cert//b "$PWD/store/cert/b" ../../store/cert/b/; do
        ln -sfn "$to" store/purpose/ipsec
        scan
        [ -z "$stderr" ]
        [[ $output == *"ipsec -> b"* ]]
        run -1 --separate-stderr store-test store delete b
        [ "$stderr" = "store-test: store/cert/b: a purpose points to it: it is not deleted" ]
    done
    [ -e store/cert/b/key.pem ]
}

@test "a link to a link, or to a file in a folder, keeps that certificate from being deleted, too" {
    two
    ln -sfn ../cert/b alias && ln -s "$PWD/store/cert/b" here
    ln -sfn ../../here store/purpose/ipsec
    run -1 store-test store delete b
    [[ $output == *"store/cert/b: a purpose points to it: it is not deleted"* ]]
    ln -sfn ../cert/b/fullchain.pem store/purpose/ipsec
    run -1 store-test store delete b
    [[ $output == *"store/cert/b: a purpose points to it: it is not deleted"* ]]
}

@test "cert.pem that is no PEM, no certificate, empty, a link, a FIFO, a folder or not there is named" {
    local d
    two
    for d in text request empty link fifo folder none; do mkdir "store/cert/$d"; done
    echo hello >store/cert/text/cert.pem
    openssl req -new -key a.key -subj /CN=x -out store/cert/request/cert.pem
    : >store/cert/empty/cert.pem
    ln -s ../a/cert.pem store/cert/link/cert.pem
    mkfifo store/cert/fifo/cert.pem
    mkdir store/cert/folder/cert.pem
    run -0 --separate-stderr timeout 20 store-test store scan
    [[ $output == "a linked"$'\n'"b"$'\n'"empty bad"$'\n'"fifo bad"$'\n'"folder bad"* ]]
    run -0 sort <<<"$stderr"
    [ "${lines[0]}" = "store-test: store/cert/empty/cert.pem: no certificate in it" ]
    [ "${lines[1]}" = "store-test: store/cert/fifo/cert.pem: not a regular file" ]
    [ "${lines[2]}" = "store-test: store/cert/folder/cert.pem: not a regular file" ]
    [ "${lines[3]}" = "store-test: store/cert/link/cert.pem: a symbolic link" ]
    [ "${lines[4]}" = "store-test: store/cert/none/cert.pem: No such file or directory" ]
    [ "${lines[5]}" = "store-test: store/cert/request/cert.pem: no certificate in it" ]
    [ "${lines[6]}" = "store-test: store/cert/text/cert.pem: no PEM block" ]
    for d in text request empty link fifo folder none; do
        run -1 timeout 20 store-test store delete "$d"
        [ -d "store/cert/$d" ]
    done
}

@test "a FIFO that somebody holds open for writing keeps nobody waiting" {
    two
    mkdir store/cert/fifo && mkfifo store/cert/fifo/cert.pem
    exec 7<>store/cert/fifo/cert.pem
    run -0 timeout 20 store-test store scan
    run -1 timeout 20 cert-list -c store.yaml fifo
    exec 7>&-
    [[ $output == *"store/cert/fifo/cert.pem: not a regular file"* ]]
}

@test "a certificate in PEM that is no certificate inside is named" {
    two
    printf -- '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n' >store/cert/b/cert.pem
    scan
    [ "$stderr" = "store-test: store/cert/b/cert.pem: not a certificate (X.509 version 3 in DER)" ]
    [[ $output == *"b bad"* ]]
}

@test "a file of more than 262,144 octets is refused" {
    two
    { cat b.pem && head -c 300000 /dev/zero | tr '\0' A; } >store/cert/b/chain.pem
    run -1 --separate-stderr cert-list -c store.yaml b
    [ "$stderr" = "cert-list: store/cert/b/chain.pem: larger than 262144 octets" ]
}

@test "whoever may not read the store is told so, with 2" {
    two
    chmod 755 .
    mkdir -p bin && cp "$BUILD"/bin/cert-list bin && chmod -R a+rX bin && chmod a+r store.yaml root.pem
    chmod 700 store
    run -2 --separate-stderr as_nobody ./bin/cert-list -c store.yaml
    [ "$stderr" = "cert-list: store: Permission denied
cert-list: hint: run it as the user whose store it is" ]
    chmod 755 store && chmod 700 store/cert
    run -2 --separate-stderr as_nobody ./bin/cert-list -c store.yaml
    [ "$stderr" = "cert-list: store/cert: Permission denied
cert-list: hint: run it as the user whose store it is" ]
}

@test "a monitor without rights sees what the owner sees; it can neither change nor rehearse" {
    two
    openssl req -new -key a.key -subj /CN=x -out x.csr
    store-test store enrol ipsec x.csr a.key
    chmod 755 .
    mkdir -p bin && cp "$BUILD"/bin/cert-{list,prune} bin && chmod -R a+rX bin && chmod a+r store.yaml root.pem
    owner=$(cert-list -c store.yaml --json)
    run -0 --separate-stderr as_nobody ./bin/cert-list -c store.yaml --json
    [ -z "$stderr" ]
    # At midnight there is a day less.
    [ "$output" = "$owner" ] || [ "$output" = "$(cert-list -c store.yaml --json)" ]
    [ "$(head -n 1 <<<"$output" | jq -r .keyIn)" = file ]
    run -2 --separate-stderr as_nobody ./bin/cert-prune -c store.yaml --dry-run
    [ "$stderr" = "cert-prune: store/pending: Permission denied
cert-prune: hint: run it as the user whose store it is" ]
}

@test "a store that others could change is changed by nobody" {
    two
    chmod o+w store/purpose
    run -2 --separate-stderr device_import a --purpose ipsec
    [ "$stderr" = "cert-import: store/purpose: everybody can write there" ]
    chmod o-w store/purpose && as_root chown 65534 store
    run -2 --separate-stderr cert-prune -c store.yaml
    [ "$stderr" = "cert-prune: store: belongs to another user
cert-prune: hint: run it as the user whose store it is" ]
    run -0 cert-list -c store.yaml
    as_root chown "$(id -u)" store
}

@test "a file of the store that is a link is not followed, nor is its state, nor its lock" {
    two
    mkdir elsewhere
    cp store/cert/b/meta.yaml elsewhere && ln -sf "$PWD/elsewhere/meta.yaml" store/cert/b/meta.yaml
    run -1 --separate-stderr cert-list -c store.yaml b
    [ "$stderr" = "cert-list: store/cert/b/meta.yaml: a symbolic link" ]
    ln -sf "$PWD/elsewhere/key.pem" store/cert/b/key.pem
    rm store/cert/b/meta.yaml
    run -1 --separate-stderr cert-list -c store.yaml b
    [ "$stderr" = "cert-list: store/cert/b/key.pem: a symbolic link" ]
    echo 'set: 5' >elsewhere/state && ln -sf "$PWD/elsewhere/state" store/state/tls.yaml
    run -1 --separate-stderr store-test store state tls
    [ "$stderr" = "store-test: store/state/tls.yaml: a symbolic link" ]
    [ "$(cat elsewhere/state)" = "set: 5" ]
    ln -sf "$PWD/elsewhere/lock" store/.lock
    run -4 --separate-stderr cert-prune -c store.yaml
    [ "$stderr" = "cert-prune: store/.lock: Too many levels of symbolic links" ]
    [ ! -e elsewhere/lock ]
}

@test "a full disk: nothing comes into the store, 4, and what was there stays" {
    small_disk 64k
    sed -i 's,^store:.*,store: full/store,' store.yaml
    device_import a --purpose tls
    head -c 1000000 /dev/zero >full/fill 2>/dev/null || :
    run -4 --separate-stderr device_import b
    echo "$stderr" && [[ $stderr == *"No space left on device"* ]]
    run -0 ls -A full/store/cert
    [ "$output" = a ]
    run -0 cert-list -c store.yaml
    rm full/fill
    run -0 device_import b
}

@test "a history that could not be written keeps the certificate, and is not left with half a line" {
    small_disk 64k
    sed -i 's,^store:.*,store: full/store,' store.yaml
    device_import a --purpose tls && device_import b
    printf '%4090s\n' '{}' >full/store/history
    head -c 1000000 /dev/zero >full/fill 2>/dev/null || :
    run -4 --separate-stderr store-test full/store delete b
    [ "$stderr" = "store-test: full/store/history: No space left on device" ]
    [ "$(stat -c %s full/store/history)" -eq 4091 ]
    [ -e full/store/cert/b/key.pem ]
}

@test "half a line that a kill left in the history is ended before the next one" {
    two
    printf '{"time":"20' >store/history
    store-test store delete b
    [ "$(wc -l <store/history)" -eq 2 ]
    run -0 jq -r '.deleted + " " + .why + " " + .subject + " " + .notAfter' <(tail -n 1 store/history)
    [ "$output" = "b a test CN=b 2040-01-01T00:00:00Z" ]
}

@test "a key file is overwritten before it is removed: a hard link holds nothing but zeros" {
    two
    ln store/cert/b/key.pem copy
    local size
    size=$(stat -c %s copy)
    store-test store delete b
    [ ! -e store/cert/b ]
    cmp copy <(head -c "$size" /dev/zero)
}

@test "the key of an enrolment that ends is overwritten, too" {
    mkdir -p store
    openssl req -new -key a.key -subj /CN=x -out x.csr
    store-test store enrol tls x.csr a.key
    run -0 stat -c %a store/pending/tls store/pending/tls/key.pem
    [ "$output" = "700"$'\n'"600" ]
    ln store/pending/tls/key.pem copy
    store-test store end tls
    [ -z "$(ls -A store/pending)" ]
    cmp copy <(head -c "$(stat -c %s copy)" /dev/zero)
}

@test "a folder that holds a file which is not the store's is not deleted" {
    two
    touch store/cert/b/note
    run -1 --separate-stderr store-test store delete b
    [ "$stderr" = "store-test: store/cert/b/note: not a file of the store: nothing is deleted" ]
    rm store/cert/b/note && mkdir store/cert/b/key.uri
    run -1 --separate-stderr store-test store delete b
    [ -e store/cert/b/key.pem ]
    [ ! -e store/history ]
}

@test "no purpose can point to a certificate that is not there or has no key" {
    two
    rm store/cert/b/key.pem
    run -1 --separate-stderr store-test store set tls b
    [ "$stderr" = "store-test: store/cert/b: it has no key, so nothing can use it" ]
    run -1 --separate-stderr store-test store set tls c
    [ "$stderr" = "store-test: store/cert/c: no such certificate" ]
    [ "$(readlink store/purpose/tls)" = ../cert/a ]
}

@test "what a certificate is in use for is kept in its meta.yaml, with what stood there" {
    two
    run -0 cat store/cert/a/meta.yaml
    local added=${lines[1]}
    [ "$output" = "origin: imported"$'\n'"$added"$'\n'"purposes:"$'\n'"  - \"tls\"" ]
    store-test store set web a
    store-test store set web a
    run -0 cat store/cert/a/meta.yaml
    [ "$output" = "origin: imported"$'\n'"$added"$'\n'"purposes:"$'\n'"  - \"tls\""$'\n'"  - \"web\"" ]
    [ "$(stat -c %a store/cert/a/meta.yaml)" = 644 ]
    rm store/cert/b/meta.yaml # copied in by hand
    store-test store set web b
    run -0 cat store/cert/b/meta.yaml
    [ "$output" = "origin: unknown"$'\n'"purposes:"$'\n'"  - \"web\"" ]
    scan
    [ -z "$stderr" ]
}

@test "a second process waits, then says who is at work, with 4" {
    two
    store-test store hold 600 >held 3>&- &
    local pid=$!
    await test -s held
    run -4 --separate-stderr cert-prune -c store.yaml
    [ "$stderr" = "cert-prune: store: process $pid is at work in this store" ]
    run -0 cert-list -c store.yaml # who only reads needs no lock
    run -0 cert-prune -c store.yaml --dry-run
    kill -9 "$pid"
    ended 137 "$pid"
    run -0 cert-prune -c store.yaml # the lock went with the process
}

@test "two processes at once: each gets its turn, both certificates are whole" {
    local i
    sed -i 's/^wait:.*/wait: 30s/' store.yaml
    device_import a --purpose tls
    for i in 1 2 3 4 5 6; do
        for p in 1 2 3; do
            pki_issue "n$p$i" "/CN=n$p$i" root
        done
        for p in 1 2 3; do
            device_import "n$p$i" --purpose tls >>out 3>&- &
        done
        wait
    done
    [ "$(wc -l <out)" -eq 18 ]
    whole tls
    scan
    [ -z "$stderr" ]
    [ "$(grep -c linked <<<"$output")" -eq 1 ]
}

@test "what a killed process left is taken away by the next that changes something, by none that only reads" {
    two
    mkdir store/cert/.new-x store/cert/.del-y store/pending/.new-tls
    cp a.key store/cert/.del-y/key.pem && ln store/cert/.del-y/key.pem copy
    ln -s ../cert/b store/purpose/.new-tls
    touch store/state/.new-.file
    run -0 cert-list -c store.yaml
    [ "$(left | wc -l)" -eq 5 ]
    run -0 --separate-stderr cert-prune -c store.yaml
    [ -z "$stderr" ]
    [ -z "$(left)" ]
    cmp copy <(head -c "$(stat -c %s copy)" /dev/zero)
}

@test "what cannot be taken away is named and keeps nobody from working" {
    two
    mkdir -p store/cert/.new-x/folder
    run -0 --separate-stderr device_import a --purpose ipsec
    [ "$stderr" = "cert-import: store/cert/.new-x: Is a directory" ]
    [ "$(readlink store/purpose/ipsec)" = ../cert/a ]
}

@test "a state that makes no sense is refused with its line" {
    two
    store-test store state tls
    run -0 store-test store state tls
    [ "$output" = "set 1000 failures 1" ]
    sed -i 's/^set:.*/set: 9223372036854775807/' store/state/tls.yaml
    run -1 store-test store state tls
    [[ $output == "store-test: store/state/tls.yaml:1:6: "* ]]
}

# Runs a command again and again, each time killed at another of its system calls that can change something, from the
# first on that names the store; BEFORE is called ahead of each, AFTER behind it. strace counts each call for itself.
CALLS="openat mkdir mkdirat write pwrite64 fchmod fchmodat fsync rename renameat renameat2 unlink unlinkat symlinkat ftruncate"
each_kill() { # LEAST BEFORE AFTER COMMAND...
    local least=$1 before=$2 after=$3 call first n kills=0 rc
    shift 3
    "$before"
    ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace="${CALLS// /,}" "$@" >/dev/null 2>&1 3>&-
    first=$(grep -n '"store"' trace | head -n 1 | cut -d: -f1)
    for call in $CALLS; do
        n=$(head -n "$((first - 1))" trace | grep -c "^$call(" || :)
        while [ "$n" -lt "$(grep -c "^$call(" trace)" ]; do
            n=$((n + 1)) rc=0
            "$before"
            ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" "$@" >/dev/null 2>&1 3>&- ||
                rc=$?
            [ "$rc" -eq 137 ]
            kills=$((kills + 1))
            "$after"
        done
    done
    echo "$kills kills"
    [ "$kills" -ge "$least" ]
}
fresh() { rm -rf store && cp -r base store; }
repaired() {
    [ ! -d store/purpose ] || [ ! -L store/purpose/tls ] || whole tls
    cert-prune -c store.yaml # it holds the lock, and no rule
    [ -z "$(left)" ]
    cert-list -c store.yaml >/dev/null
}

@test "killed at any system call of an import with its switch, the purpose is whole and the next process repairs" {
    device_import a --purpose tls && mv store base
    after() {
        repaired
        [ -L store/purpose/tls ]
        case $(ls store/cert | tr '\n' ' ') in
        "a " | "a b ") ;;
        *) return 1 ;;
        esac
        # The same call again finishes it.
        cert-import -c store.yaml --cert b.pem --key b.key --name b --purpose tls >/dev/null
        [ "$(readlink store/purpose/tls)" = ../cert/b ] && whole tls
    }
    each_kill 40 fresh after cert-import -c store.yaml --cert b.pem --key b.key --name b --purpose tls
}

@test "killed at any system call of a switch, the purpose points to the old or the new, whole" {
    two && mv store base
    after() {
        repaired
        case $(readlink store/purpose/tls) in
        ../cert/a | ../cert/b) ;;
        *) return 1 ;;
        esac
    }
    each_kill 10 fresh after store-test store set tls b
}

@test "killed at any system call of a deletion, the certificate is there whole or gone, and never without its record" {
    two && mv store base
    after() {
        repaired
        if [ -e store/cert/b ]; then
            cmp <(openssl x509 -in store/cert/b/cert.pem -noout -pubkey) <(openssl pkey -in store/cert/b/key.pem -pubout)
            store-test store delete b
        else
            grep -q '"deleted":"b"' store/history
        fi
        [ "$(ls store/cert)" = a ]
    }
    each_kill 20 fresh after store-test store delete b
}

@test "killed at any system call of the making of a store, the next call makes it" {
    none() { rm -rf store; }
    again() {
        device_import a --purpose tls >/dev/null
        whole tls && [ -z "$(left)" ]
    }
    each_kill 40 none again cert-import -c store.yaml --cert a.pem --key a.key --name a --purpose tls
}
