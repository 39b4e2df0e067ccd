bats_require_minimum_version 1.5.0

# A renewal that is killed at any of its system calls leaves each purpose at a whole certificate with its key, and
# the next run finishes the work.

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build && renew_pki "$BATS_FILE_TMPDIR" || return
    command -v strace || return
    cd "$BATS_FILE_TMPDIR" || return
    mkdir first && cd first || return
    # The answer is the same one for a key, as a CA that remembers what it issued gives it.
    cat >enroll <<'END'
#!/bin/sh
cat >csr.$$
sum=$(openssl req -in csr.$$ -noout -pubkey | sha256sum | cut -c1-16)
[ -e issued.$sum ] || { issue <csr.$$ >new.$$ && mv new.$$ issued.$sum; }
cat issued.$sum
END
    chmod +x enroll
    renew_store '{before: 30d}' 'limit: 3' '    after: echo >>hooked' \
        'deletion: {when: [always], rules: [superseded], time: [before, after]}'
    BEGIN=-6480000 renew_first
}

setup() {
    . "$BATS_TEST_DIRNAME/renew.bash"
    export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" # which ptrace does not let it do
    cd "$BATS_TEST_TMPDIR" || return
}

fresh() {
    rm -rf work
    cp -a "$BATS_FILE_TMPDIR/first" work
}

# What strace counts with when= is the calls of one name: each name has its own.
calls_of() { # EXPRESSION: "NAME COUNT" lines of a whole run
    fresh
    (cd work && strace -qq -o ../trace -e "trace=$1" cert-renew -c store.yaml >/dev/null) || return
    sed -n 's/^\([a-z0-9]*\)(.*/\1/p' trace | sort | uniq -c | awk '{ print $2, $1 }'
}

# fault NAME NUMBER HOW: a run whose call of that name and number fails, or kills; its exit status in rc
fault() {
    fresh
    rc=0
    { (cd work && exec strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:$3:when=$2" \
        cert-renew -c store.yaml >out 2>err); } 2>/dev/null || rc=$?
}

kill_at_each() { # EXPRESSION STEP
    local name count i rc tried=0 killed=0
    while read -r name count; do
        for ((i = 1; i <= count; i += $2)); do
            fault "$name" "$i" signal=KILL
            tried=$((tried + 1)) killed=$((killed + (rc == 137)))
            renew_next "$name, call $i of $count" || return
        done
    done <<<"$(calls_of "$1")"
    echo "$killed of $tried runs were killed"
    [ "$tried" -gt 10 ] && [ "$killed" -ge $((tried * 9 / 10)) ]
}

@test "killed at each call that changes names: rename, link, unlink, mkdir, rmdir" {
    kill_at_each '/^(rename|unlink|symlink|link|mkdir|rmdir)' 1
}

@test "killed at each call that puts what was written on the disk" {
    kill_at_each fsync,fdatasync,ftruncate,fchmod 1
}

@test "killed at calls that open, write and read, spread over the whole renewal" {
    kill_at_each openat,openat2,write,pwrite64 "${RENEW_KILL_STEP:-9}"
}

@test "killed while the command runs, and while the hook runs" {
    fresh
    for where in enroll after; do
        fresh
        (cd work && sed "s/^    $where: .*/    $where: \"touch there; sleep 60\"/" store.yaml >slow.yaml
            cert-renew -c slow.yaml >/dev/null 2>&1 3>&- & echo $! >pid
            await test -e there && kill -9 "$(cat pid)")
        renew_next "in $where"
    done
}

@test "no space at any call that makes something or puts it on the disk: 4, the old one in use, and the next run goes on" {
    local name count i rc tried=0 failed=0
    while read -r name count; do
        for ((i = 1; i <= count; i++)); do
            fault "$name" "$i" error=ENOSPC
            tried=$((tried + 1)) failed=$((failed + (rc == 4)))
            [ "$rc" -eq 0 ] || [ "$rc" -eq 4 ] || { echo "$name, call $i: $rc $(cat work/err)" && return 1; }
            [ "$rc" -eq 0 ] || grep -q 'No space left on device' work/err || return
            # What backed off goes on when its time has come.
            [ "$rc" -eq 0 ] || sed -i 's/^again: .*/again: 0/' work/store/state/tls.yaml 2>/dev/null || :
            renew_next "no space at $name, call $i of $count: $rc $(cat work/err)" || return
        done
    done <<<"$(calls_of mkdirat,symlinkat,renameat,renameat2,rename,fsync)"
    [ "$failed" -gt 20 ] || { echo "$failed of $tried failed" && return 1; }
}
