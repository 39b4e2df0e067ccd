# A line of seven programs, one of which is killed. Source t/line.bash first.

# stage N PROGRAM [OPTION...]: killed if N is $victim, at $at, a system call and its number
stage() {
    local n=$1 program=$2 code=0 way=()
    shift 2
    # shellcheck disable=SC2206 # two words
    [ "$n" != "${victim-}" ] || way=(killed_at $at)
    "${way[@]}" "$BUILD/bin/$program" -c "$LINE/etc/$program.yaml" "$@" 2>>"err.$n" || code=$?
    [ "$code" -ne 137 ] || echo "stage $n at $at" >>kills
    return "$code"
}
whole_line() { # OPTION... of the first attach
    stage 1 attach "$@" | stage 2 verify-unit | stage 3 ra-approve | stage 4 ca-sign |
        stage 5 ra-approve | stage 6 verify-unit | stage 7 attach --out certs
}
# One of its programs dies where it writes, records, waits for the disk or takes a lock: at any of MESSAGES messages.
killed_line() { # MESSAGES OPTION...
    local messages=$1 victim=$((RANDOM % 7 + 1)) at
    shift
    case $((RANDOM % 4)) in
    0) at="write $((RANDOM % messages + 1))" ;;
    1) at="pwrite64 $((RANDOM % (8 * messages + 8) + 1))" ;;
    2) at="fdatasync $((RANDOM % (messages + 6) + 1))" ;;
    3) at="fcntl $((RANDOM % (40 * messages + 40) + 1))" ;;
    esac
    whole_line "$@" >>out 2>&1 || true
}
kills() { cat kills 2>/dev/null | grep -c . || true; } # none is 0, too
