bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/launch-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    export PATH
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# Nobody holds this file's lock: what held it is dead, or dies.
released() {
    flock -w 60 "$1" true
}

@test "a result says how the command ended" {
    run -0 launch-test -j 1 'echo hello' 'exit 3' 'kill -9 $$' 'exec /nonexistent 2> /dev/null'
    [ "$output" = 'pending 4
1: status 0, 6 octets: hello

2: status 3, 0 octets: 
3: status 137, 0 octets: 
4: status 127, 0 octets: 
pending 0, last 0' ]
}

@test "a command gets its own environment beside the program's" {
    KEPT=yes run -0 launch-test 'echo "$JOB,$EMPTY,$KEPT"'
    [ "${lines[1]}" = '1: status 0, 11 octets: job 1,,yes' ]
}

@test "a command has three descriptors and a process group" {
    run -0 launch-test -j 1 'for fd in 0 1 2 3 4 5 6 7 8 9 10 11; do test -e /proc/$$/fd/$fd && printf "$fd,"; done; true' \
        'test "$(ps -o pgid= -p $$)" -eq $$ && echo own'
    [ "${lines[1]}" = '1: status 0, 6 octets: 0,1,2,' ]
    [ "${lines[2]}" = '2: status 0, 4 octets: own' ]
}

@test "signals are as a shell expects them" {
    run -0 launch-test 'grep -c "^Sig\(Blk\|Ign\):.0*$" /proc/self/status'
    [ "${lines[1]}" = '1: status 0, 2 octets: 2' ]
}

@test "large inputs and outputs pass whole, many at a time, without a deadlock" {
    run -0 timeout 120 launch-test -j 3 -i 3000000 -m 3000000 -r 4 cat 'cat > /dev/null' : 'wc -c'
    [ "$(grep -c 'status 0, 3000000 octets: xxxx' <<< "$output")" = 4 ]
    [ "$(grep -c 'status 0, 0 octets' <<< "$output")" = 8 ]
    [ "$(grep -c 'octets: 3000000$' <<< "$output")" = 4 ]
    [ "${lines[-1]}" = 'pending 0, last 0' ]
}

@test "no more than the agreed number run at a time" {
    # The first two can only end together; where a third may join them, it has the time to.
    count='echo + >> log; until [ "$(grep -c + log)" -ge 2 ]; do sleep 0.02; done; sleep 0.2; echo - >> log'
    run -0 launch-test -j 2 -s 120 "$count" "$count" "$count"
    [ "$(awk '{ n += $1 == "+" ? 1 : -1; if (n > most) most = n } END { print most, NR }' log)" = '2 6' ]
}

@test "output up to the limit passes, one octet more kills the command" {
    run -0 launch-test -j 1 -m 1000 'head -c 1000 /dev/zero' 'head -c 1001 /dev/zero; sleep 100' 'yes'
    [ "${lines[1]}" = '1: status 0, 1000 octets: ' ]
    [ "${lines[2]}" = '2: status 137, too long, 0 octets: ' ]
    [ "${lines[3]}" = '3: status 137, too long, 0 octets: ' ]
}

@test "when its time is over a command and its children end" {
    run -0 launch-test -s 1 'flock lock sleep 100 & flock lock2 sleep 100'
    [ "${lines[1]}" = '1: status 143, timed out, 0 octets: ' ]
    released lock
    released lock2
}

@test "a command may tidy up when its time is over, but not for ever" {
    run -0 launch-test -j 1 -s 3 'trap "echo bye; exit 7" TERM; sleep 100 & wait' \
        'trap "" TERM; flock lock sleep 100'
    [ "${lines[1]}" = '1: status 7, timed out, 4 octets: bye' ]
    [ "${lines[2]}" = '2: status 137, timed out, 0 octets: ' ]
    released lock
}

@test "what a command leaves behind ends with it" {
    run -0 timeout 90 launch-test -s 60 'flock lock sleep 100 & while flock -n lock true; do :; done; echo left'
    [ "${lines[1]}" = '1: status 0, 5 octets: left' ]
    released lock
}

@test "when the program is killed its commands are too" {
    run -137 launch-test -d 'flock lock sleep 100' 'flock lock2 sh -c "sleep 100; sleep 100" & wait'
    released lock
    released lock2
}

@test "a launcher that is gone is noticed" {
    run -0 timeout 90 launch-test -j 1 -s 120 'kill -9 $PPID; exec sleep 100'
    [ "${lines[1]}" = 'pending 1, last -1' ]
    run -4 timeout 90 launch-test -j 1 -s 120 'kill -9 $PPID; exec sleep 100' 'echo hello'
    [ "$output" = 'launch-test: the launcher is gone' ]
}
