# Messages that wait for people, and polls after them: what units make of them, and must not.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    forge_line && forge_polls || return
    # Another message of the same attach, and units that something is wrong with.
    again "$M/1.pem" attach "$TID body $OTHER" >"$M/other.1.pem"
    around "$M/2.pem" verify-unit "$M/other.1.pem" "$TID body $OTHER" >"$M/other.2.pem"
    forge_unit other.attach attach root attach-2 key=twin.attach
    forge_unit other.verify-unit verify-unit root verify-unit-2 key=twin.verify-unit
    forge_unit revoked.attach attach root attach-1 key=twin.attach
    forge_unit revoked.verify-unit verify-unit root verify-unit-1 key=twin.verify-unit
    forge_unit old.attach attach root attach-1 key=twin.attach to=20250101000000Z
    forge_unit old.verify-unit verify-unit root verify-unit-1 key=twin.verify-unit to=20250101000000Z
    pki_crl root root.crl 20200101000000Z 20400101000000Z -revoke revoked.attach revoked.verify-unit
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    state waiting
}

OTHER=01020304050607080910111213141516
A="layer 1 (attach): "
R="layer 1 (ra-approve): "
C="layer 1 (ca-sign): "
VERDICT=0/2/2/0 # ra-approve's

kinds() { sqlite3 "$LINE/var/$1.db" "select group_concat(kind) from entry where kind <> 21"; } # UNIT: without heads
leaf() { forge get $CONTENT <"$1"; } # MESSAGE

# --- a pending decision goes up ---

waits() { # WHY VERDICT...: ra-approve says so of what verify-unit sent
    local words
    words=$(control 102 "$ARC.10" "$2")
    [ $# -lt 3 ] || words+=$(control 103 "$ARC.10" "$3")
    forge get $CONTENT <"$M/3.pem" | forge edit "0 add $words" | forged twin.ra-approve >3.pem
    [ -n "$1" ] || return 0
    stops ca-sign 3 "stdin:1: $1" <3.pem
}
refusal() { # REFERENCE...
    local refs= one n path
    for one; do
        path=
        for n in $one; do path+=$(int "$n"); done
        refs+=$(tlv 30 "$path")
    done
    tlv 30 "$(int 2)" "$(tlv 30 "$refs")" "$(utf8 no)" "$(int 2)"
}
ALL=("1 1 101" "1 1 102" "1 103")

@test "what waits is answered with the same pendInfo, and nothing is issued" {
    leaf "$M/4w.pem" >leaf.der
    [ "$(forge get 0/4/2/0 <leaf.der | hex)" = "$(pending 101 102 103)" ]
    [[ $(forge hex 0/5/2/0 <leaf.der) == "$(int 2)$(tlv 30 "$(int 104)")"* ]]
    [ "$(forge hex $RECIPIENT <leaf.der)" = "$(forge get $CONTENT <"$M/1.pem" | forge hex $NONCE)" ]
    [ "$(kinds ca-sign)" = 13,11 ]
    ca-sign <"$M/3w.pem" | cmp - "$M/4w.pem"
}

@test "a pending verdict covers all that nobody refused" {
    state up
    rm -f "$LINE"/var/ca-sign.db*
    waits "" "$(pending "${ALL[@]}")"
    ca-sign <3.pem >4.pem
    waits "ra-approve: a pending verdict that leaves out request 101" "$(pending "${ALL[@]:1}")"
    waits "ra-approve: a pending verdict that leaves out request 103" "$(pending "${ALL[@]:0:2}")"
    waits "ra-approve: request 104 is pending, and refused already" "$(pending "${ALL[@]}" "1 1 104")"
    waits "ra-approve: a verdict on request 105, which is not in the message" "$(pending "${ALL[@]}" "1 1 105")"
    waits "ra-approve: two verdicts on request 101" "$(pending "${ALL[@]}" "1 1 101")"
}

@test "ra-approve may refuse some while the others wait, and none of them twice" {
    rm -f "$LINE"/var/ca-sign.db*
    waits "ra-approve: two verdicts on request 101" "$(pending "${ALL[@]}")" "$(refusal "1 1 101")"
    waits "ra-approve: two verdicts on request 101" "$(refusal "1 1 101")" "$(pending "${ALL[@]}")"
    waits "ra-approve: 2 pending verdicts, not one for all" "$(pending "${ALL[@]:0:2}")" "$(pending "${ALL[@]:2}")"
    waits "" "$(refusal "1 1 101")" "$(pending "${ALL[@]:1}")"
    ca-sign <3.pem >4.pem
    [ "$(leaf 4.pem | forge get 0/4/2/0 | forge hex 0)" = 02 ]
    [ "$(leaf 4.pem | forge get 0/5/2/0 | hex)" = "$(pending 102 103)" ]
    [ "$(kinds ca-sign)" = 13,11 ]
}

@test "a pending verdict has pendInfo in its one form, and nothing else" {
    local pend="${R}a pending status without a pendInfo of 16 octets and a time" time
    local bad="${R}*" refs
    again "$M/3w.pem" ra-approve | passes ca-sign
    state up
    rm -f "$LINE"/var/ca-sign.db*
    says() { again "$M/3w.pem" ra-approve "${@:2}" | stops ca-sign 3 "stdin:1: $1"; }
    says "$pend" "$VERDICT/2 del"
    says "$pend" "$VERDICT/2 set $(int 2)"
    says "$pend" "$VERDICT/2/0 body ${POLL_TOKEN}00"
    says "$pend" "$VERDICT/2/0 body ${POLL_TOKEN:2}"
    says "$pend" "$VERDICT/2/1 body $(printf 20300231000000Z | hex)"
    for time in 20300101000060Z 203001010000Z 20300101000000 20300101000000.5Z 20300101000000+0100; do
        says "$bad" "$VERDICT/2/1 body $(printf %s "$time" | hex)"
    done
    says "$bad" "$VERDICT/2/1 tag 17"
    says "$bad" "$VERDICT/2 add $(int 2)"
    says "${R}a failed status without failInfo and statusString" "$VERDICT/0 body 02"
    says "${R}a status that is not known, or has no place here" "$VERDICT/0 body 00"
    says "${R}a status that is not known, or has no place here" "$VERDICT/0 body 04"
}

@test "verify-unit lets nothing wait" {
    state sent
    again "$M/2.pem" verify-unit "0 add $(control 90 "$ARC.10" "$(pending "1 101" "1 102" "1 103")")" |
        stops ra-approve 3 "stdin:1: layer 1 (verify-unit): a status that is not known, or has no place here"
}

@test "a verdict on the whole transaction belongs to a poll" {
    state up
    rm -f "$LINE"/var/ca-sign.db*
    waits "ra-approve: a verdict on a poll where there is none" "$(pending "1 1 1")"
    waits "ra-approve: a verdict on a poll where there is none" "$(refusal "1 1 1")"
    state sent
    again "$M/2.pem" verify-unit "0 add $(control 90 "$ARC.10" "$(refusal "1 1")")" |
        stops ra-approve 3 "stdin:1: verify-unit: a verdict on a poll where there is none"
}

# --- and comes back ---

# The answer to message 3, where all is pending, with changes; ra-approve reads it.
leaf_says() { # WHY EDIT...
    leaf "$M/4w.pem" | forge edit "0/2/2/0 body $(leaf "$M/4.pem" | forge hex $RECIPIENT)" \
        "0/3/2/0/0/1 body $(digest "$M/3.pem")" "${@:2}" | forged twin.ca-sign type=response >4.pem
    if [ -n "$1" ]; then stops ra-approve 3 "stdin:1: $1" <4.pem; else passes ra-approve <4.pem; fi
}
PEND=0/4/2/0 # the pending status; 0/5/2/0 that of 104

@test "an answer that says pending issues nothing" {
    state up
    leaf_says ""
    leaf_says "${C}a pending status beside another, or beside what was granted" \
        "0/5/2/0/3 del" "0/5/2/0/0 body 00"
    leaf_says "${C}a pending status beside another, or beside what was granted" \
        "0/3/2/0/0/2 add $(tlv 30 "$(int 101)" "$(tlv 04 "$(digest "$M/3.pem")")")"
    leaf_says "${C}a pending status beside another, or beside what was granted" \
        "$PEND/1/2 del" "0/4 after $(control 70 $CMC.25 "$(pending 103)")"
    leaf_says "${C}the answer has a gap, or two statuses for one request (*)" "$PEND/1/0 del"
    leaf_says "${C}the answer has a gap, or two statuses for one request (104)" "$PEND/1 add $(int 104)"
    leaf_says "${C}a pending status without a pendInfo of 16 octets and a time" "$PEND/2/0 body 00"
    leaf "$M/4w.pem" | forge edit "0/2/2/0 body $(leaf "$M/4.pem" | forge hex $RECIPIENT)" \
        "0/3/2/0/0/1 body $(digest "$M/3.pem")" | forged twin.ca-sign type=response bag="$M/issued.pem" |
        stops ra-approve 3 "stdin:1: ca-sign: a certificate in the answer that is neither issued nor an issuer"
}

@test "one word on the whole transaction is no answer to a request" {
    state up
    leaf_says "an answer to 0 requests, not to the 4 that were sent" "0/5 del" "$PEND/1 set $(tlv 30 "$(int 1)")"
    leaf_says "${C}a status of the whole transaction that does not stand alone" "$PEND/1 set $(tlv 30 "$(int 1)")"
    leaf_says "${C}the answer has a gap, *" "0/5 del" "$PEND/1 set $(tlv 30 "$(int 1)" "$(int 101)")"
    leaf_says "${C}the answer has a gap, *" "0/5 del" "$PEND/1 set $(tlv 30 "$(int 2)")"
}

# --- a poll goes up ---

polls() { # WHY EDIT...: attach asks so
    forge get $CONTENT <"$M/1p.pem" | forge edit "${@:2}" | forged twin.attach >1.pem
    if [ -n "$1" ]; then stops verify-unit 3 "stdin:1: $1" <1.pem; else passes verify-unit <1.pem; fi
}

@test "a poll is passed on, the same again gives the same, and there may be many" {
    verify-unit <"$M/1p.pem" >2p.pem
    verify-unit <"$M/1p.pem" | cmp - 2p.pem
    polls "" "0/1/2/0 body $OTHER"
    verify-unit <1.pem >2.pem
    verify-unit <1.pem | cmp - 2.pem
    run -1 cmp 2.pem 2p.pem
    # What was asked first is still what it was.
    verify-unit <"$M/1.pem" | cmp - "$M/2.pem"
}

@test "a poll is written in one way" {
    local i
    polls ""
    for i in 0 1 2 4; do
        polls "${A}transactionId, a nonce or regInfo is missing beside queryPending" "0/$i del"
        polls "${A}a poll that is not in the one form of this profile" "0/$i/0 body 14"
    done
    polls "${A}0 requests, not 1 to 1000" "0/2 del" "0/2 del" # a message without requests
    polls "${A}a poll that is not in the one form of this profile" "0/3/0 body 14"
    polls "${A}a poll that is not in the one form of this profile" "0/0 swap"
    polls "${A}control * stands twice" "0/3 dup"
    polls "${A}control $ARC.10 has no place here" "0 add $(control 9 "$ARC.10" "$(pending "1 1")")"
    polls "${A}queryPending is not 16 octets" "0/3/2/0 body ${POLL_TOKEN}00"
    polls "${A}queryPending is not 16 octets" "0/3/2/0 body ${POLL_TOKEN:2}"
    polls "${A}senderNonce is not 16 to 64 octets" "0/1/2/0 body 00"
    polls "${A}recipientNonce is not 16 to 64 octets" "0/2/2/0 body 00"
    polls "${A}regInfo does not name each device once" \
        "0/4/2/0/0/5 set $(tlv 30 "$(tlv 30 "$(int 101)" "$(utf8 T1)")")"
    polls "${A}transactionId is not a positive INTEGER below 2^128" "0/0/2/0 body 00"
}

@test "a poll holds no request, no key and no message" {
    local more="${A}a request or a message inside a poll"
    forge get $CONTENT <"$M/1.pem" >1.der
    forge get 1/0 <1.der >tcr.der
    forge get 3/0 <1.der >key.der
    forge get . <"$M/1.pem" >message.der
    polls "$more" "1 add @tcr.der"
    polls "$more" "3 add @key.der"
    polls "$more" "2 add $(tlv 30 "$(int 50)" "$(hex <message.der)")"
}

@test "a message with queryPending is a poll, whatever else it holds" {
    state sent
    again "$M/1.pem" attach "0 add $(control 50 $CMC.21 "$(tlv 04 $POLL_TOKEN)")" |
        stops verify-unit 3 "stdin:1: ${A}a request or a message inside a poll"
}

@test "a poll asks after a message that the unit let through: of this attach, transaction, lot and profile" {
    local not="a poll after a message that this unit did not let through"
    polls "$not" "0/0/2/0 body $OTHER"
    polls "$not" "0/4/2/0/0/2 set $(utf8 open)"
    polls "$not" "0/4/2/0/0/3 set $(utf8 idevid)"
    polls "a message for verify-unit-2, not for verify-unit-1" "0/4/2/0/0/4 set $(utf8 verify-unit-2)"
    sed -i 's/below: \[attach-1\]/below: [attach-1, attach-2]/' "$LINE/etc/verify-unit.yaml"
    forge get $CONTENT <"$M/1p.pem" | forged other.attach >1.pem
    run -3 --separate-stderr verify-unit <1.pem
    sed -i 's/below: \[attach-1, attach-2\]/below: [attach-1]/' "$LINE/etc/verify-unit.yaml"
    [ "$stderr" = "verify-unit: stdin:1: $not" ]
    state sent
    stops verify-unit 3 "stdin:1: $not" <"$M/1p.pem"
    state polled
    again "$M/2p.pem" verify-unit "$WRAPPED set @$(der "$M/other.1p.pem")" "$TID body $OTHER" |
        stops ra-approve 3 "stdin:1: $not"
}
der() { # MESSAGE: as a file; a poll of the other transaction is made here
    [ -e "$1" ] || forge get $CONTENT <"$M/1p.pem" | forge edit "$TID body $OTHER" | forged twin.attach >"$1"
    forge get . <"$1" >"$BATS_TEST_TMPDIR/$(basename "$1").der"
    echo "$BATS_TEST_TMPDIR/$(basename "$1").der"
}

@test "a request changed under its transactionId is refused behind a poll as before it" {
    state polled
    again "$M/1.pem" attach "$NONCE body $OTHER" >1.pem
    stops verify-unit 3 "stdin:1: the transactionId belongs to another message of the attaching unit" <1.pem
    around "$M/2.pem" verify-unit 1.pem | forge get . >2.der
    again "$M/3.pem" ra-approve "$WRAPPED set @2.der" | stops ca-sign 3 \
        "stdin:1: the transactionId belongs to another message of the attaching unit"
    ra-approve <"$M/2.pem" | cmp - "$M/3.pem"
}

@test "verify-unit adds nothing to a poll" {
    local more="verify-unit: a verdict, a template or a request around a poll" one
    state polled
    forge get $CONTENT <"$M/2.pem" >2.der
    forge get 0/3 <2.der >mod.der
    forge get 0/4 <2.der >witness.der
    forge get 1/0 <2.der >crm.der
    for one in "0 add $(control 90 "$ARC.10" "$(refusal "1 1")")" "0 add @mod.der"; do
        again "$M/2p.pem" verify-unit "$one" | stops ra-approve 3 "stdin:1: $more"
    done
    again "$M/2p.pem" verify-unit "0 add @witness.der" "1 add @crm.der" | stops ra-approve 3 "stdin:1: $more"
}

# --- a poll that is not granted ---

ra_polls() { # WHY EDIT...
    again "$M/3p.pem" ra-approve "${@:2}" | stops ca-sign 3 "stdin:1: $1"
}

@test "a poll that comes too early is answered with the same pendInfo and its own nonce" {
    leaf "$M/4p.pem" >leaf.der
    [ "$(forge get 0/4/2/0 <leaf.der | hex)" = "$(pending 1)" ]
    [ "$(forge hex $RECIPIENT <leaf.der)" = $POLL_NONCE ]
    state granted
    [ "$(kinds ca-sign)" = 13,11,13,11,12,12,12,13,11 ]
    ca-sign <"$M/3p.pem" | cmp - "$M/4p.pem"
    [ "$(sqlite3 "$LINE/var/ca-sign.db" "select note from entry where kind = 13 group by note")" = \
        verify-unit-1$'\t'ra-approve-1 ]
    verify-unit <"$M/5p.pem" >6p.pem
    verify-unit <"$M/5p.pem" | cmp - 6p.pem
}

@test "ra-approve says one word on a poll, of the whole transaction" {
    local not="ra-approve: not one verdict on the whole transaction of a poll"
    state polled
    again "$M/3p.pem" ra-approve | passes ca-sign
    ra_polls "$not" "0/2 del"
    ra_polls "$not" "0/2 dup" "0/3/0 body 70"
    ra_polls "$not" "$VERDICT/1/0/2 body 65"
    ra_polls "$not" "$VERDICT/1 add $(tlv 30 "$(int 1)" "$(int 1)" "$(int 101)")"
    ra_polls "${R}a status that does not name requests of this message" "$VERDICT/1/0/0 body 02"
    # It asks after nothing that waits.
    again "$M/3p.pem" ra-approve "$VERDICT set $(refusal "1 1 1")" >3.pem
    ca-sign <3.pem >4.pem
    [[ $(leaf 4.pem | forge get 0/4/2/0 | hex) == "$(tlv 30 "$(int 2)$(tlv 30 "$(int 1)")$(utf8 'ra-approve: no')$(int 2)")" ]]
}

# --- a poll that is granted ---

issued() { sqlite3 "$LINE/var/ca-sign.db" 'select count(*) from entry where kind = 12'; }

@test "what was granted is issued and answers the poll, once" {
    [ "$(leaf "$M/4g.pem" | forge hex $RECIPIENT)" = $POLL_NONCE ]
    [ "$(leaf "$M/4g.pem" | forge hex 0/3/2/0/0/1)" = "$(digest "$M/3g.pem")" ]
    state granted
    [ "$(issued)" = 3 ]
    ca-sign <"$M/3g.pem" | cmp - "$M/4g.pem"
    verify-unit <"$M/5g.pem" >6g.pem
    verify-unit <"$M/5g.pem" | cmp - 6g.pem
}

@test "what was granted and whose answer was lost is answered again, with the same certificates" {
    state granted
    forge get $CONTENT <"$M/1p.pem" | forge edit "0/1/2/0 body $OTHER" | forged twin.attach >1.pem
    verify-unit <1.pem >2.pem
    ra_content "$M/2.pem" "" 2.pem | forged twin.ra-approve | ca-sign >4.pem
    [ "$(leaf 4.pem | forge hex $RECIPIENT)" = $OTHER ]
    [ "$(leaf 4.pem | forge get 0/3/2/0/0/2 | sha256sum)" = "$(leaf "$M/4g.pem" | forge get 0/3/2/0/0/2 | sha256sum)" ]
    [ "$(issued)" = 3 ]
}

@test "people may refuse some of what they grant" {
    state polled
    ra_content "$M/2.pem" "$(refusal "1 1 101")" "$M/2p.pem" | forged twin.ra-approve | ca-sign >4.pem
    [ "$(issued)" = 2 ]
    ra_answer 4.pem "$M/2p.pem" >5.pem
    passes verify-unit <5.pem
}

granted() { # WHY MESSAGE POLL [VERDICT]: ra-approve puts them beside each other
    ra_content "$2" "${4-}" "$3" | forged twin.ra-approve >3.pem
    if [ -n "$1" ]; then stops ca-sign 3 "stdin:1: $1" <3.pem; else passes ca-sign <3.pem; fi
}
# A poll as attach and verify-unit would have sent it: 2poll.pem
poll_of() { # ATTACH VERIFY-UNIT EDIT...
    forge get $CONTENT <"$M/1p.pem" | forge edit "${@:3}" | forged "$1.attach" >1poll.pem
    forge get . <1poll.pem >1poll.der
    forge get $CONTENT <"$M/2p.pem" | forge edit "$WRAPPED set @1poll.der" |
        forge edit "$TID body $(forge get $CONTENT <1poll.pem | forge hex $TID)" | forged "$2.verify-unit" >2poll.pem
}

@test "a poll grants the message that it asks after, and no other" {
    state polled
    poll_of twin twin
    granted "" "$M/2.pem" 2poll.pem
    granted "the poll's layer 2 (verify-unit): another transactionId than the message beside it" \
        "$M/other.2.pem" "$M/2p.pem"
    poll_of twin twin "$TID body $OTHER"
    granted "the poll's layer 2 (verify-unit): another transactionId than the message beside it" "$M/2.pem" 2poll.pem
    poll_of other twin
    granted "a poll of attach-2 beside a message of attach-1" "$M/2.pem" 2poll.pem
    poll_of twin other
    granted "a poll of verify-unit-2 beside a message of verify-unit-1" "$M/2.pem" 2poll.pem
    local not="a poll for another run, lot, profile or unit than the message beside it"
    poll_of twin twin "0/4/2/0/0/1 body $OTHER"
    granted "$not" "$M/2.pem" 2poll.pem
    poll_of twin twin "0/4/2/0/0/2 set $(utf8 open)"
    granted "$not" "$M/2.pem" 2poll.pem
    poll_of twin twin "0/4/2/0/0/3 set $(utf8 idevid)"
    granted "$not" "$M/2.pem" 2poll.pem
    poll_of twin twin "0/4/2/0/0/4 set $(utf8 verify-unit-2)"
    granted "$not" "$M/2.pem" 2poll.pem
}

@test "a poll's own two layers have the same transactionId" {
    state polled
    forge get $CONTENT <"$M/1p.pem" | forge edit "$TID body $OTHER" | forged twin.attach >1poll.pem
    around "$M/2p.pem" verify-unit 1poll.pem >2poll.pem
    granted "the poll's layer 3 (attach): another transactionId than the message beside it" "$M/2.pem" 2poll.pem
    stops ra-approve 3 "stdin:1: layer 2 (attach): another transactionId than the layer around it" <2poll.pem
}

@test "beside the stored message stands a poll, and beside a poll nothing" {
    state polled
    granted "the poll's layer 3 (attach): a request or a message inside a poll" "$M/2.pem" "$M/2.pem"
    granted "ra-approve: a poll beside a poll" "$M/2p.pem" "$M/2p.pem"
    granted "ra-approve: a poll beside a poll" "$M/2p.pem" "$M/2p.pem" "$(pending "1 1 1")"
    granted "the poll's layer 2 (verify-unit): signed by attach-1, whose role is attach, not verify-unit" \
        "$M/2.pem" "$M/1p.pem"
    granted "the poll's layer 2 (verify-unit): signed by ra-approve-1, *" "$M/2.pem" "$M/3p.pem"
    granted "the poll's layer 2 (verify-unit): a request around a response, or the other way" "$M/2.pem" "$M/5p.pem"
    poll_of twin twin
    again 2poll.pem verify-unit "0 add $(control 90 "$ARC.10" "$(refusal "1 1")")" >2more.pem
    granted "verify-unit: a verdict, a template or a request around a poll" "$M/2.pem" 2more.pem
}

@test "a grant and a pending decision exclude each other" {
    state polled
    granted "ra-approve: a pending verdict beside a poll that is granted" "$M/2.pem" "$M/2p.pem" "$(pending "${ALL[@]}")"
    granted "ra-approve: a verdict on a poll where there is none" "$M/2.pem" "$M/2p.pem" "$(pending "1 1 1")"
    granted "ra-approve: a verdict on a poll where there is none" "$M/2.pem" "$M/2p.pem" "$(refusal "1 1 1")"
    granted "${R}a status that does not name requests of this message" "$M/2.pem" "$M/2p.pem" "$(refusal "2 1 1")"
}

@test "batchRequests names both, in their order" {
    local g="$M/3g.pem"
    state polled
    says() { again "$g" ra-approve "${@:2}" | stops ca-sign 3 "stdin:1: ${R}$1"; }
    says "batchRequests is not {1,2}" "0/1/2/0/1 del"
    says "batchRequests is not {1,2}" "0/1/2/0/0 del"
    says "batchRequests is not {1,2}" "0/1/2/0/0 swap"
    says "batchRequests is not {1,2}" "0/1/2/0 add $(int 3)"
    says "batchRequests is not {1}" "2/1 del"
    says "not one message inside, or two, numbered 1 and 2" "2/0 swap"
    says "not one message inside, or two, numbered 1 and 2" "2/1/0 body 03"
    says "not one message inside, or two, numbered 1 and 2" "2/0 del"
    says "more than 4096 controls, 1000 requests or 2 messages" "2/1 dup" "2/2/0 body 03"
}

@test "verify-unit puts nothing beside a message" {
    forge get $CONTENT <"$M/2.pem" >2.der
    forge get . <"$M/1p.pem" >1p.der
    forge edit "2 add $(tlv 30 "$(int 2)" "$(hex <1p.der)")" "0/1/2/0 add $(int 2)" <2.der | forged twin.verify-unit >2.pem
    state sent
    stops ra-approve 3 "stdin:1: layer 1 (verify-unit): not exactly one message inside, numbered 1" <2.pem
    ra_content 2.pem "" | forged twin.ra-approve | stops ca-sign 3 \
        "stdin:1: layer 2 (verify-unit): not exactly one message inside, numbered 1"
    state polled
    ra_content "$M/2.pem" "" 2.pem | forged twin.ra-approve | stops ca-sign 3 \
        "stdin:1: the poll's layer 2 (verify-unit): not exactly one message inside, numbered 1"
}

@test "what was stored may be old, what carries it may not" {
    state polled
    forge get $CONTENT <"$M/1.pem" | forged twin.attach time=-4000000 >1.pem
    forge get . <1.pem >1.der
    forge get $CONTENT <"$M/2.pem" | forge edit "$WRAPPED set @1.der" | forged twin.verify-unit time=-4000000 >2.pem
    ra_content 2.pem "" "$M/2p.pem" >3.der
    rm -f "$LINE"/var/ca-sign.db*
    forged twin.ra-approve time=-90000 <3.der | stops ca-sign 3 "stdin:1: layer 1 (ra-approve): signed at *"
    forged twin.ra-approve <3.der | ca-sign >4.pem
    [ "$(issued)" = 3 ]
}

@test "who signed what was stored, or the poll, must be good today" {
    local bad=0 unit name
    state polled
    rm -f "$LINE"/var/ca-sign.db*
    cp "$PKI/root.crl" "$LINE/etc/units.crl"
    echo "crl: units.crl" >>"$LINE/etc/ca-sign.yaml"
    for name in revoked old; do
        poll_of $name twin
        granted "the poll's layer 3 (attach): certificate of attach-1 *" "$M/2.pem" 2poll.pem || bad=1
        poll_of twin $name
        granted "the poll's layer 2 (verify-unit): certificate of verify-unit-1 *" "$M/2.pem" 2poll.pem || bad=1
        forge get $CONTENT <"$M/1.pem" | forged $name.attach >1.pem
        around "$M/2.pem" verify-unit 1.pem >2.pem
        granted "layer 3 (attach): certificate of attach-1 *" 2.pem "$M/2p.pem" || bad=1
        forge get $CONTENT <"$M/2.pem" | forged $name.verify-unit >2.pem
        granted "layer 2 (verify-unit): certificate of verify-unit-1 *" 2.pem "$M/2p.pem" || bad=1
    done
    poll_of twin twin
    granted "" "$M/2.pem" 2poll.pem || bad=1
    sed -i '/^crl:/d' "$LINE/etc/ca-sign.yaml"
    [ $bad -eq 0 ]
}

# --- down again ---

@test "an answer to a poll is for all that it asks after, or one word" {
    state granted
    ra_answer "$M/4g.pem" "$M/2p.pem" | passes verify-unit
    ra_answer "$M/4p.pem" "$M/2p.pem" | passes verify-unit
    leaf "$M/4w.pem" | forge edit "0/5 del" "0/4/2/0/1/2 del" "0/4/2/0/1/1 del" | forged twin.ca-sign type=response >4.pem
    ra_answer 4.pem "$M/2p.pem" | stops verify-unit 3 "stdin:1: an answer to 1 requests, not to the 4 that were sent"
    ra_answer "$M/4p.pem" "$M/2.pem" | stops verify-unit 3 \
        "stdin:1: an answer to 0 requests, not to the 4 that were sent"
    ra_answer "$M/4p.pem" "$M/3p.pem" | stops verify-unit 3 "stdin:1: an answer to a message that this unit did not send"
}

@test "each poll is answered once" {
    state granted
    ra_answer "$M/4p.pem" "$M/2p.pem" >5.pem
    verify-unit <5.pem >6.pem
    line_keep once
    state once
    ra_answer "$M/4g.pem" "$M/2p.pem" | stops verify-unit 3 \
        "stdin:1: another answer to a message that is answered already"
    verify-unit <5.pem | cmp - 6.pem
}

# --- octets ---

flips() { # RECEIVER MESSAGE
    local step=1
    if grep -qs sanitize "$BUILD/config.mk"; then step=19; fi
    run layers-test "$1" "$PKI/root.pem" "$M/$2.pem" flip $step
    [ "$status" -eq 0 ] && [[ $output == *" tried, 0 passed" ]] || { echo "$output"; return 1; }
}

@test "a bit flipped anywhere in a poll, or in what waits, is found" {
    local one
    for one in verify-unit:1p ra-approve:2p ca-sign:3p ca-sign:3w ca-sign:3g ra-approve:4w ra-approve:4p verify-unit:5p; do
        run -0 layers-test "${one%:*}" "$PKI/root.pem" "$M/${one#*:}.pem" open
        flips "${one%:*}" "${one#*:}" || { echo "$one"; return 1; }
    done
}

@test "a poll, or what is granted, that is cut short anywhere is found" {
    local one
    for one in verify-unit:1p ca-sign:3g; do
        run -0 layers-test "${one%:*}" "$PKI/root.pem" "$M/${one#*:}.pem" cut
        [[ $output == *" tried, 0 passed" ]]
    done
}
