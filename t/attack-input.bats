# What is no message at all, and what the system around the programs does to them.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_line
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    state sent
}

UNITS="verify-unit ra-approve ca-sign attach"
# Each of the units stops at what is on stdin.
all_stop() { # WHY
    local unit
    cat >input
    for unit in $UNITS; do
        stops "$unit" 3 "$1" <input || { echo "$unit"; return 1; }
    done
}
# The message that each unit takes next.
next() { # UNIT
    case $1 in
    verify-unit) echo "$M/1.pem" ;; ra-approve) echo "$M/2.pem" ;; ca-sign) echo "$M/3.pem" ;;
    attach) echo "$M/6.pem" ;;
    esac
}

@test "each unit takes what is next: what follows fails for its own reason" {
    local unit
    for unit in verify-unit ra-approve ca-sign; do
        passes $unit <"$(next $unit)"
    done
    run -1 --separate-stderr attach <"$M/6.pem"
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 3 ]
}

@test "truncated PEM is found, and what was whole before it stays" {
    head -n 5 "$M/1.pem" >cut.pem
    stops verify-unit 3 "stdin:1: truncated*" <cut.pem
    again "$M/1.pem" attach "$TID body 01" >other.pem
    run -3 --separate-stderr verify-unit < <(cat other.pem cut.pem)
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [[ ${stderr_lines[-1]} == "verify-unit: stdin:$(($(wc -l <other.pem) + 1)): truncated"* ]]
    line_restore sent
    sed -i '$d' cut.pem
    stops ra-approve 3 "stdin:1: truncated*" <cut.pem
}

@test "a block of another label is named" {
    local label
    for label in "PKCS7" "CERTIFICATE" "X509 CRL"; do
        forge get . <"$M/1.pem" | forge pem "$label" >label.pem
        for unit in verify-unit ra-approve ca-sign; do
            stops $unit 3 "stdin:1: a block \"$label\" where CMS is read" <label.pem
        done
        stops attach 3 "stdin:1: a block \"$label\" is neither request nor answer" <label.pem
    done
}

@test "binary rubbish, and text without a block, are no message" {
    head -c 100000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null | all_stop "stdin:*"
    echo "hello" | all_stop "stdin*"
    printf '\0' | all_stop "stdin*"
    printf -- '-----BEGIN CMS-----' | all_stop "stdin:1: *"
    printf -- '-----BEGIN CMS-----\n-----END CMS-----\n' | all_stop "stdin:1: *"
    printf -- '-----BEGIN CMS-----\n!!!!\n-----END CMS-----\n' | all_stop "stdin:*"
    printf -- '-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n' | all_stop "stdin:1: *"
}

@test "base64 has one form: pad bits, line length, text between blocks" {
    local why=stdin:*
    forge get . <"$M/1.pem" >1.der
    # The last character of the last line carries bits that are not data; signatures differ in length.
    until [ $(($(wc -c <1.der) % 3)) -ne 0 ]; do
        again "$M/1.pem" attach "$TID body 01" >1.pem || return
        forge get . <1.pem >1.der
    done
    forge pem CMS <1.der >good.pem
    passes verify-unit <good.pem
    python3 - good.pem >pad.pem <<'END'
import sys
lines = open(sys.argv[1]).read().splitlines()
last, n = lines[-2].rstrip("="), lines[-2].count("=")
abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
lines[-2] = last[:-1] + abc[abc.index(last[-1]) | 1] + "=" * n
print("\n".join(lines))
END
    stops verify-unit 3 "$why" <pad.pem
    openssl base64 -A -in 1.der | fold -w 60 >short.b64
    { echo "-----BEGIN CMS-----"; cat short.b64; echo; echo "-----END CMS-----"; } >short.pem
    stops verify-unit 3 "$why" <short.pem
    { echo "some text"; cat good.pem; } | stops verify-unit 3 "$why"
    sed '3s/$/ /' good.pem | stops verify-unit 3 "$why"
    sed '1a Proc-Type: 4,CLEAR' good.pem | stops verify-unit 3 "$why"
    sed '3s/./-/' good.pem | stops verify-unit 3 "$why"
    sed 's/END CMS/END CMZ/' good.pem | stops verify-unit 3 "$why"
}

@test "a line of 1 GiB is read in flat memory and refused" {
    local unit
    for unit in verify-unit attach; do
        (
            ulimit -v "$(grep -qs sanitize "$BUILD/config.mk" && echo unlimited || echo 300000)"
            head -c 1G /dev/zero | tr '\0' A | stops $unit 3 "stdin*"
        )
    done
    { echo "-----BEGIN CMS-----"; head -c 100M /dev/zero | tr '\0' A; } | stops ra-approve 3 "stdin:*"
}

@test "a message over the limit is refused by its size" {
    { echo "-----BEGIN CMS-----"; head -c 4200000 /dev/zero | openssl base64; echo "-----END CMS-----"; } |
        all_stop "stdin:*4194304*"
}

@test "octets behind the DER, and nesting 1,000 deep, are found" {
    { forge get . <"$M/1.pem"; printf 'x'; } | forge pem CMS | all_stop "stdin:1: not DER: *"
    forge nest 1000 </dev/null | forge pem CMS | all_stop "stdin:1: not DER: *deep*"
    forge nest 1000 </dev/null >deep.der
    again "$M/1.pem" attach "3 add @deep.der" | stops verify-unit 3 "stdin:1: layer 1 (attach): not DER: *deep*"
    again "$M/1.pem" attach "$REGINFO/5 add @deep.der" | stops verify-unit 3 "stdin:1: layer 1 (attach): *"
    touched "$M/1.pem" "$SIGNER add @deep.der" | stops verify-unit 3 "stdin:1: not DER: *deep*"
}

@test "empty stdin ends every program with 5" {
    local unit
    for unit in $UNITS; do
        run -5 --separate-stderr $unit </dev/null
        [ -z "$output" ]
        [ "${stderr_lines[0]}" = "$unit: stdin was empty" ]
    done
    run -5 --separate-stderr attach --lot open </dev/null
    run -5 --separate-stderr ca-sign --direct --profile tls-client </dev/null
    [ "${stderr_lines[0]}" = "ca-sign: stdin was empty" ]
}

@test "a terminal on stdin gives usage and 2" {
    local unit
    for unit in $UNITS; do
        echo "exec $BUILD/bin/$unit -c $LINE/etc/$unit.yaml 2>$PWD/err >$PWD/out" >terminal
        run -2 script -qec "sh terminal" /dev/null </dev/null
        [ ! -s out ]
        grep -qi "usage: $unit" err
    done
}

@test "--up and --down take nothing else, and a stream does not mix" {
    state up
    run -3 --separate-stderr verify-unit --down <"$M/1.pem"
    [ "$stderr" = "verify-unit: stdin:1: a request where responses are read" ]
    run -3 --separate-stderr ra-approve --up <"$M/4.pem"
    [ "$stderr" = "ra-approve: stdin:1: a response where requests are read" ]
    run -3 --separate-stderr ra-approve < <(cat "$M/2.pem" "$M/4.pem")
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    [ "$stderr" = "ra-approve: stdin:$(($(wc -l <"$M/2.pem") + 1)): a response where requests are read" ]
    line_restore up
    run -3 --separate-stderr ra-approve < <(cat "$M/4.pem" "$M/2.pem")
    [ "$(grep -c ^-----BEGIN <<<"$output")" -eq 1 ]
    line_restore up
    run -3 --separate-stderr attach --lot open < <(cat "$LINE/requests.pem" "$M/6.pem")
    run -3 --separate-stderr attach < <(cat "$M/6.pem" "$LINE/requests.pem")
}

@test "a reader that went away is 4, and the message is there for the next" {
    local unit before code
    for unit in verify-unit ra-approve ca-sign; do
        exec 7> >(true)
        wait $!
        code=0
        $unit <"$(next $unit)" 2>$unit.err >&7 || code=$?
        exec 7>&-
        [ $code -eq 4 ]
        [ "$(grep -v ': subject CN was ' $unit.err)" = "$unit: stdout: Broken pipe" ]
        before=$(line_entries $unit)
        run -0 $unit <"$(next $unit)"
        [[ $output == -----BEGIN* ]]
        [ "$(line_entries $unit)" = "$before" ]
    done
}

@test "a full disk behind stdout is 4, and the message is there for the next" {
    local unit before
    for unit in verify-unit ra-approve ca-sign attach; do
        run -4 --separate-stderr full $unit "$(next $unit)"
        [ "${stderr_lines[-1]}" = "$unit: stdout: No space left on device" ]
        before=$(line_entries $unit)
        run $unit <"$(next $unit)"
        [[ $output == *-----BEGIN* ]]
        # stdout is where attach delivers to: three certificates had not been.
        [ $unit != attach ] || before=$((before + 3))
        [ "$(line_entries $unit)" = "$before" ]
    done
}
full() { # UNIT MESSAGE
    "$1" <"$2" >/dev/full
}

@test "a full disk below the ledger is 4, nothing is written, and then it goes on" {
    local unit
    for unit in verify-unit ra-approve ca-sign attach; do
        run -4 --separate-stderr no_room $unit "$(next $unit)"
        [ -z "$output" ]
        [[ $stderr == "$unit: "* ]]
        run $unit <"$(next $unit)"
        [[ $output == *-----BEGIN* ]]
    done
}
no_room() { # UNIT MESSAGE
    trap '' XFSZ # the signal; the write fails all the same
    ulimit -f 4
    "$1" <"$2"
}

@test "a ledger that belongs to another unit, or is none, is a configuration error" {
    cp "$LINE/var/attach.db" "$LINE/var/verify-unit.db"
    run -2 --separate-stderr verify-unit <"$M/1.pem"
    [ -z "$output" ]
    head -c 8192 /dev/urandom >"$LINE/var/verify-unit.db"
    run --separate-stderr verify-unit <"$M/1.pem"
    [ "$status" -eq 2 ] || [ "$status" -eq 4 ]
    [ -z "$output" ]
}

@test "a clock behind the ledger's newest entry is 4" {
    CERTLINE_CLOCK=$(date -d '+1 hour' +%s) run -0 --separate-stderr verify-unit <"$M/1.pem"
    again "$M/1.pem" attach "$TID body 01" | stops verify-unit 4 "*clock*"
}

@test "a PIN that is wrong is tried once and ends with 2 or 4, with nothing written" {
    printf 9999 >"$LINE/etc/wrong-pin"
    sed 's/etc\/pin"*$/etc\/wrong-pin/' "$LINE/etc/verify-unit.yaml" >"$LINE/etc/wrong.yaml"
    VERIFY_YAML=wrong run --separate-stderr verify-unit <"$M/1.pem"
    [ "$status" -eq 2 ] || [ "$status" -eq 4 ]
    [ -z "$output" ]
    passes verify-unit <"$M/1.pem"
}

@test "the same message twice in one stream gives the same twice" {
    run -0 --separate-stderr ca-sign < <(cat "$M/3.pem" "$M/3.pem")
    echo "$output" >twice.pem
    cmp <(head -n $(($(wc -l <twice.pem) / 2)) twice.pem) <(tail -n $(($(wc -l <twice.pem) / 2)) twice.pem)
    [ "$(sqlite3 "$LINE/var/ca-sign.db" 'select count(*) from entry where kind = 12')" -eq 3 ]
}

@test "four at a time with the same message issue once, and say the same" {
    local i pids=()
    for i in 1 2 3 4; do
        ca-sign <"$M/3.pem" >at-once.$i &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        ended 0 "$i"
    done
    for i in 2 3 4; do
        cmp at-once.1 at-once.$i
    done
    [ "$(sqlite3 "$LINE/var/ca-sign.db" 'select count(*) from entry where kind = 12')" -eq 3 ]
}

@test "SIGTERM ends a unit that waits with 4, after what it had" {
    mkfifo fifo
    bash -c 'exec "$0" -c "$1"' "$BUILD/bin/verify-unit" "$LINE/etc/verify-unit.yaml" <fifo >out.pem 2>err &
    local pid=$!
    exec 8>fifo
    cat "$M/1.pem" >&8
    await whole_block out.pem
    kill -TERM $pid
    ended 4 $pid
    exec 8>&-
    [ "$(grep -v ': subject CN was ' err)" = "verify-unit: stopped by a signal" ]
    [ "$(grep -c ^-----BEGIN out.pem)" -eq 1 ]
}
