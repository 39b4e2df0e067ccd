# What an attacker can do who has the keys of a unit, or sits between two. Source t/line.bash first.

# Where things stand: in a message
CONTENT=1/0/2/1/0/0 # PKIData or PKIResponse
BAG=1/0/3
SIGNER=1/0/4/0
ATTRIBUTES=$SIGNER/3
# in attach's PKIData
TID=0/0/2/0
NONCE=0/1/2/0
REGINFO=0/2/2/0/0 # version, run, lot, profile, to, devices
# in what wraps a message
WRAPPED=2/0/1  # upward
RWRAPPED=1/0/1 # downward
# in ca-sign's PKIResponse
RECIPIENT=0/2/2/0
RESPONSEINFO=0/3/2/0/0 # version, request, issued

# DER in hex, by its parts
tlv() { # IDENTIFIER [HEX...]
    local id=$1 body n
    shift
    printf -v body %s "$@"
    n=$((${#body} / 2))
    if [ $n -lt 128 ]; then
        printf '%s%02x%s' "$id" $n "$body"
    elif [ $n -lt 256 ]; then
        printf '%s81%02x%s' "$id" $n "$body"
    else
        printf '%s82%04x%s' "$id" $n "$body"
    fi
}
oid() { # DOTTED
    openssl asn1parse -genstr "OID:$1" -noout -out /dev/stdout | od -An -v -tx1 | tr -d ' \n'
}
int() { tlv 02 "$(printf %02x "$1")"; }      # 0..127
utf8() { tlv 0c "$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')"; }
control() { tlv 30 "$(int "$1")" "$(oid "$2")" "$(tlv 31 "$3")"; } # ID OID VALUE

# A twin of each unit: the same name, the same role, from the same CA, but with a key in a file.
forge_twins() {
    local unit cn
    for unit in attach verify-unit ra-approve ca-sign; do
        cn=$unit-1
        [ $unit != ca-sign ] || cn="Device CA"
        forge_unit twin.$unit $unit root "$cn"
    done
}
forge_unit() { # NAME ROLE ISSUER CN [WORD OF pki_issue...]
    pki_issue "$1" "/CN=$4" "$3" keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role "$2")" "${@:5}"
}

# Signs the content on stdin.
forged() { # NAME [WORD OF forge-sign...]
    local key=$PKI/$1.key
    [ -e "$key" ] || key=$PKI/twin.${1#*.}.key
    forge-sign "$key" "$PKI/$1.pem" "${@:2}"
}
# The content of a message, changed and signed by the twin of a unit.
again() { # MESSAGE UNIT [EDIT...]
    local words=()
    ! answer "$1" || words=(type=response)
    [ "$2" != ca-sign ] || words+=(bag="$M/issued.pem")
    forge get $CONTENT <"$1" | forge edit "${@:3}" | forged "twin.$2" "${words[@]}"
}
answer() { # MESSAGE: whether it is one
    [[ $(forge hex 1/0/2/0 <"$1") == *0c03 ]]
}
# A message in place of the one that MESSAGE wraps, signed by the twin of a unit.
around() { # MESSAGE UNIT INNER [EDIT...]
    local where=$WRAPPED
    ! answer "$1" || where=$RWRAPPED
    forge get . <"$3" >"$BATS_TEST_TMPDIR/inner.der"
    again "$1" "$2" "$where set @$BATS_TEST_TMPDIR/inner.der" "${@:4}"
}
wrapped_in() { # MESSAGE: what it wraps
    forge get $CONTENT <"$1" | forge get "${2:-$WRAPPED}" | forge pem CMS
}
# The message itself, with changes that no signature covers.
touched() { forge edit "${@:2}" <"$1"; } # MESSAGE EDIT...
# The signed attributes of a twin's message changed, and signed.
resigned() { # MESSAGE UNIT EDIT...
    again "$1" "$2" | forge edit "${@:3}" | forge resign "$PKI/twin.$2.key"
}

# The certificates of an answer, but for ca-sign's own.
bag() { # MESSAGE
    openssl cms -verify -noverify -in "$1" -inform PEM -out /dev/null -certsout "$1.bag" 2>/dev/null
    awk '/^-----BEGIN/ { n++ } { c[n] = c[n] $0 "\n" }
        END { while ((getline l <own) > 0) o = o l "\n"; for (i = 1; i <= n; i++) if (c[i] != o) printf "%s", c[i] }' \
        own="$PKI/ca-messages.pem" <(grep -vE '^((subject|issuer)=|$)' "$1.bag")
}

# The requests on stdin, saved as messages after each hop. Kept are the ledgers: `sent` before anybody else saw
# it, `up` when the answer is made, `answered` when ra-approve has seen it, `passed` when only attach has not.
forge_messages() { # FOLDER LOT [PREFIX OF THE NAMES]
    local m=$1 p=${3-}
    mkdir -p "$m"
    attach --lot "$2" >"$m/1.pem" && line_keep "${p}sent" &&
        verify-unit <"$m/1.pem" >"$m/2.pem" && ra-approve <"$m/2.pem" >"$m/3.pem" &&
        ca-sign <"$m/3.pem" >"$m/4.pem" && line_keep "${p}up" && bag "$m/4.pem" >"$m/issued.pem" &&
        ra-approve <"$m/4.pem" >"$m/5.pem" && line_keep "${p}answered" &&
        verify-unit <"$m/5.pem" >"$m/6.pem" && line_keep "${p}passed"
}
# One small lot: a request, one whose subject the list says, a public key, and one that is refused.
forge_line() {
    line_build forge forge-sign layers-test && line_make "$BATS_FILE_TMPDIR/line" && forge_twins || return
    export M=$LINE/messages
    mkdir "$LINE/keys"
    {
        line_request T1 "$LINE/keys" &&
            line_request N1 "$LINE/keys" --subject "serialNumber=N1,CN=as it asked" &&
            line_request K1 "$LINE/keys" --public-key && line_request R1 "$LINE/keys"
    } >"$LINE/requests.pem" || return
    forge_messages "$M" L7 <"$LINE/requests.pem"
}

# --- what waits for people ---

POLL_TOKEN=a1a2a3a4a5a6a7a8a9aaabacadaeafb0
POLL_NONCE=b1b2b3b4b5b6b7b8b9babbbcbdbebfc0
LEAF_NONCE=c1c2c3c4c5c6c7c8c9cacbcccdcecfd0
CMC=1.3.6.1.5.5.7.7
hex() { od -An -v -tx1 | tr -d ' \n'; }
unhex() { sed 's/../\\x&/g' | xargs -0 printf '%b'; }
pend_info() { tlv 30 "$(tlv 04 "${1:-$POLL_TOKEN}")" "$(tlv 18 "$(printf %s "${2:-20300101000000Z}" | hex)")"; } # [TOKEN [TIME]]
# CMCStatusInfoV2 of requests, each a list of numbers: a path upward, alone downward.
pending() { # REFERENCE...
    local refs= one n path
    for one; do
        path=
        for n in $one; do path+=$(int "$n"); done
        [[ $one != *' '* ]] || path=$(tlv 30 "$path")
        refs+=$path
    done
    tlv 30 "$(int 3)" "$(tlv 30 "$refs")" "$(pend_info)"
}
# Attach's PKIData that asks again after what it sent in message 1.
poll_content() {
    local tid info
    forge get $CONTENT <"$M/1.pem" >poll.content
    tid=$(forge get $TID <poll.content | hex)
    info=$(forge get "${REGINFO}" <poll.content | forge edit "5 set 3000" | hex)
    tlv 30 "$(tlv 30 "$(control 1 $CMC.5 "$tid")" "$(control 2 $CMC.6 "$(tlv 04 $POLL_NONCE)")" \
        "$(control 3 $CMC.7 "$(tlv 04 $LEAF_NONCE)")" "$(control 4 $CMC.21 "$(tlv 04 $POLL_TOKEN)")" \
        "$(control 5 $CMC.18 "$(tlv 04 "$info")")")" 3000 3000 3000 | unhex
}
# What ra-approve makes of verify-unit's MESSAGE: VERDICT (none if empty), and POLL beside it.
ra_content() { # MESSAGE VERDICT [POLL]
    local verdict= beside= list
    list=$(int 1)
    [ -z "$2" ] || verdict=$(control 102 "$ARC.10" "$2")
    if [ $# -gt 2 ]; then
        list+=$(int 2)
        beside=$(tlv 30 "$(int 2)" "$(forge get . <"$3" | hex)")
    fi
    tlv 30 "$(tlv 30 "$(control 100 $CMC.5 "$(forge get $CONTENT <"$1" | forge get $TID | hex)")" \
        "$(control 101 $CMC.28 "$(tlv 30 "$list")")" "$verdict")" 3000 \
        "$(tlv 30 "$(tlv 30 "$(int 1)" "$(forge get . <"$1" | hex)")" "$beside")" 3000 | unhex
}
digest() { forge get . <"$1" | sha256sum | cut -c1-64; } # MESSAGE
# ra-approve's layer around ca-sign's LEAF, in answer to verify-unit's MESSAGE.
ra_answer() { # LEAF MESSAGE [EDIT...]
    local message=$2
    forge get . <"$1" >leaf.der
    forge get $CONTENT <"$M/5.pem" | forge edit "$RWRAPPED set @leaf.der" \
        "0/2/2/0/0/1 body $(digest "$message")" "${@:3}" | forged twin.ra-approve type=response
}
# Behind forge_line: the same message held back for people (3w, ca-sign's answer 4w), a poll that comes too
# early (1p to 4p, and 5p down to verify-unit), and one that is granted (3g, 4g, 5g). Kept are `waiting` (nobody
# has seen the poll), `polled` (verify-unit has), `granted` (ca-sign has issued).
forge_polls() {
    cd "$M" || return
    line_restore up && rm -f "$LINE"/var/ca-sign.db*
    ra_content 2.pem "$(pending "1 1 101" "1 1 102" "1 103")" | forged twin.ra-approve >3w.pem
    ca-sign <3w.pem >4w.pem && line_keep waiting &&
        poll_content | forged twin.attach >1p.pem && verify-unit <1p.pem >2p.pem && line_keep polled || return
    ra_content 2p.pem "$(pending "1 1 1")" | forged twin.ra-approve >3p.pem
    ra_content 2.pem "" 2p.pem | forged twin.ra-approve >3g.pem
    ca-sign <3p.pem >4p.pem && ca-sign <3g.pem >4g.pem && line_keep granted || return
    ra_answer 4p.pem 2p.pem >5p.pem
    ra_answer 4g.pem 2p.pem >5g.pem
}

# --- what must come of it ---

failure() {
    printf '%s\n' "status $status, not $code" "stdout: ${output:0:200}" "stderr: $stderr" "wanted: $want"
    return 1
}
# The message on stdin ends UNIT with CODE and one line that is like WHY; nothing is written, nothing recorded.
stops() { # UNIT CODE WHY
    local unit=$1 code=$2 want="$1: $3" before
    before=$(line_entries "$unit")
    run --separate-stderr "$unit"
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq "$code" ] && [ -z "$output" ] && [[ $stderr == $want ]] || { failure; return 1; }
    [ "$(line_entries "$unit")" = "$before" ] || { echo "the ledger has grown"; return 1; }
}
# The message on stdin is taken, with no word but what verify-unit tells of the list.
passes() { # UNIT
    local unit=$1 code=0 before
    local want='verify-unit: N1: subject CN was "as it asked", the list says "as the list says"'
    before=$(line_entries "$unit")
    run --separate-stderr "$unit"
    [ "$status" -eq 0 ] && [[ $output == -----BEGIN* ]] && [ "${stderr:-$want}" = "$want" ] || { failure; return 1; }
    [ "$(line_entries "$unit")" != "$before" ] || { echo "nothing was recorded"; return 1; }
    line_restore "$STATE"
}
state() { # NAME: the ledgers for each of the calls that follow
    STATE=$1
    line_restore "$1"
}
