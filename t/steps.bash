# Every state in which SIGKILL at any system call of a renewal can leave the device. Source t/pki.bash and t/renew.bash
# first.
#
#   steps_setup_file, steps_setup    for setup_file and setup; the latter leaves the test in work, with ./enroll
#   steps_store [LINE...]            store.yaml, as renew_store; whoever was superseded is deleted
#   each_state [CHECK [N]]           a renewal of work, and each state in which it could have ended; of those that differ
#                                    from the one before in the token's files alone, every Nth

steps_setup_file() {
    renew_build && make -s -C "$TOP" BUILD="$BUILD" "$BUILD/t/steps" && renew_pki "$BATS_FILE_TMPDIR" || return
    PATH=$BUILD/t:$PATH
}

steps_setup() {
    export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" # which ptrace does not let it do
    cd "$BATS_TEST_TMPDIR" || return
    mkdir work snaps ca && cd work || return
    # The answer is the same one for a key, as a CA that remembers what it issued gives it.
    cat >enroll <<'ENROLL'
#!/bin/bash
cd ../ca && cat >csr || exit 4
sum=$(openssl req -in csr -noout -pubkey | sha256sum | cut -c1-16)
[ -e $sum ] || {
    openssl x509 -req -in csr -CA "$PKI/ca.pem" -CAkey "$PKI/ca.key" -set_serial "0x1$sum" -days 90 -copy_extensions copyall \
        -out new 2>log && cat "$PKI/ca.pem" >>new && mv new $sum
} || { cat log >&2; exit 4; }
cat $sum
ENROLL
    chmod +x enroll
}

steps_store() { # [LINE...]
    renew_store '{before: 30d}' 'limit: 3' '    after: echo >>hooked' \
        'deletion: {when: [always], rules: [superseded], time: [before, after]}' "$@"
}

# The states in snaps that are looked at.
chosen() { # N
    local state before= same=0
    for state in snaps/*; do
        if [ -n "$before" ] && diff -rq -x tokens "$before" "$state" >/dev/null; then
            same=$((same + 1))
        else
            same=0
        fi
        [ $((same % $1)) -ne 0 ] || echo "$state"
        before=$state
    done
}

# A renewal from what is in work, and what becomes of the states that it went through.
each_state() { # [CHECK [N]]
    local state calls copies seen=0
    (cd work && steps "$PWD" ../snaps cert-renew -c store.yaml) >said 2>&1 || { cat said && return 1; }
    read -r calls _ copies _ <<<"$(tail -n 1 said)"
    for state in $(chosen "${2-1}"); do
        rm -rf work
        mv "$state" work
        renew_next "state ${state#snaps/} of $copies" && "${1-true}" || { echo "state ${state#snaps/} of $copies" && return 1; }
        seen=$((seen + 1))
    done
    echo "$calls calls, $copies states, $seen of them looked at"
    [ "$calls" -gt 300 ] && [ "$seen" -gt 30 ]
}
