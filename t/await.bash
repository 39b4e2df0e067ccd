# What makes tests the same on every machine: waiting for something, and killing in the middle.

export LC_ALL=C.UTF-8 # what commands say, and how they sort

# await COMMAND...: until it succeeds; that it did not within two minutes is a failure, and no test that hangs.
await() {
    local last=$((SECONDS + 120))
    until "$@"; do
        [ "$SECONDS" -lt "$last" ] || { echo "waited in vain for: $*" && return 1; }
        sleep 0.05
    done
}
# Who opens or closes a ledger locks it for a moment.
sqlite3() { command sqlite3 -cmd '.timeout 60000' "$@"; }
holds() { grep -qs -e "$1" "$2"; }                # PATTERN FILE
whole_block() { holds '^-----END ' "$1"; }        # FILE: of PEM, the first at least
let_go() { timeout 120 sh -c ': >"$0"' "$1"; } # FIFO: who reads it comes to its end

# plainly PROGRAM...: without the power of root to pass by file modes
plainly() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --bounding-set=-dac_override,-dac_read_search \
            --inh-caps=-dac_override,-dac_read_search "$@"
    else
        "$@"
    fi
}

# ended CODE PID: a job of this shell has ended so
ended() {
    local code=0
    wait "$2" || code=$?
    [ "$code" -eq "$1" ] || { echo "ended with $code, not with $1" && return 1; }
}

# killed_at CALL[@FILE] NUMBER PROGRAM...: the program, killed by SIGKILL as it begins its system call of this name and
# number (on this file); its exit status, 137 if it came so far. LeakSanitizer cannot work beside strace.
killed_at() {
    local call=${1%%@*} only=()
    [ "$call" = "$1" ] || only=(-P "${1#*@}")
    ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -qq -o /dev/null "${only[@]}" -e trace="$call" \
        -e inject="$call:signal=KILL:when=$2" "${@:3}"
}

# kill_each CALL AFTER PROGRAM...: the program is killed at its first system call of this name, then at its second, and so
# on, until it comes to its end; the function AFTER looks at what each leaves.
kill_each() {
    local call=$1 after=$2 number=0 code=137
    shift 2
    while [ "$code" -eq 137 ]; do
        number=$((number + 1)) code=0
        killed_at "$call" "$number" "$@" >>killed.log 2>&1 || code=$?
        "$after"
    done
    echo "killed at $call $((number - 1)) times, then it ended with $code"
    [ "$code" -eq 0 ] && [ "$number" -gt 1 ]
}
