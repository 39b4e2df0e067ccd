# A line whose lots have quotas and approvers: persons with keys in a token of their own. Source t/line.bash first.

people_lots() { # [NAME=WORDS...]: lots.yaml; NAME with WORDS instead of its own, or one lot more
    local lot words name
    local -A lots=([two]='approve: 2' [one]='approve: manual' [named]='approve: 1, approvers: [alice]'
        [few]='quota: 3' [fewer]='approve: 1, quota: 2' [free]='approve: auto' [listed]='devices: devices.csv')
    for lot; do
        words=${lot#*=}
        lots[${lot%%=*}]=$words
    done
    {
        echo lots:
        for name in "${!lots[@]}"; do
            [ -z "${lots[$name]}" ] || printf '  - {name: %s, profile: tls-client, owner: acme, verify-units: [verify-unit-1], %s}\n' \
                "$name" "${lots[$name]}"
        done
    } | sed '/devices:/!s/verify-units/devices: any, verify-units/' >"$LINE/etc/lots.yaml"
}

people_line() { # FOLDER
    line_make "$1" && line_tokens people || return
    local person
    for person in alice bob carol; do
        line_unit approver people $person $person || return
    done
    people_lots
    sed -i 's/lots: \[.*\]/lots: [two, one, named, few, fewer, free, listed]/' "$LINE/etc/ca-sign.yaml"
    echo 'ask-again: 1s' >>"$LINE/etc/ra-approve.yaml"
    cp -a "$LINE/etc" "$LINE/etc.kept"
    line_keep empty
}
# Ledgers and configurations as they were kept.
people_restore() { # NAME
    line_restore "$1"
    MODULE=$(lab_module)
    rm -rf "$LINE/etc"
    cp -a "$LINE/etc.kept" "$LINE/etc"
}

# One message of A and B that waits for two people: ledgers "waiting", attach's message in 1.pem.
people_waiting() {
    cd "$BATS_FILE_TMPDIR" || return
    { line_request A && line_request B; } >two.pem
    attach --lot two <two.pem >"$LINE/1.pem"
    line_middle <"$LINE/1.pem" >"$LINE/6.pem"
    attach <"$LINE/6.pem" 2>waits || [ $? -eq 4 ]
    line_keep waiting
}

# The options that say who decides; MODULE is line_tokens's.
person() { # NAME [CERTIFICATE]
    printf '%s\n' --key "$(line_uri people "$1")" --certificate "$PKI/${2-$1}.pem"
}
# decide NAME OPTION...: with the person's key and certificate
decide() {
    local who
    mapfile -t who < <(person "$1" "${CERTIFICATE-$1}")
    ra-approve "${who[@]}" "${@:2}"
}
grant() { decide "$1" --grant "$2"; }             # NAME ID
refuse() { decide "$1" --refuse "$2" --why "$3"; } # NAME ID TEXT

# Requests of devices, through the whole line; what waits ends with 4.
asks() { # LOT ID...
    local lot=$1 id
    shift
    for id; do
        line_request "$id"
    done >requests.pem
    line "$lot" <requests.pem # one message: all of it is there to be read
}
# The ID of what waits alone, or of the last that waits.
waiting() { ra-approve --list | tail -n 1 | cut -f 1; }
# attach asks again.
polls() {
    attach --poll | line_middle | attach "$@"
}
ledger() { sqlite3 "$LINE/var/$1.db" "$2"; } # UNIT SQL
counted() { ledger ra-approve 'select count(*) from entry where kind = 14'; }

# says CODE LINE COMMAND...: nothing on stdout, one line on stderr (and a hint, perhaps), nothing recorded
says() {
    local code=$1 want="ra-approve: $2" before
    before=$(line_entries ra-approve)
    run --separate-stderr "${@:3}"
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq "$code" ] && [ -z "$output" ] && [[ ${stderr_lines[0]} == $want ]] &&
        [[ ${stderr_lines[1]-hint:} == *hint:* ]] && [ "$(line_entries ra-approve)" = "$before" ] || {
        printf '%s\n' "status $status, not $code" "$output" "$stderr" "wanted: $want"
        return 1
    }
}
state_of() { ra-approve --show "$1" | sed -n 's/^state: //p'; } # ID
# somebody NAME CN [WORD OF pki_attest...]: a certificate for the key in NAME.pub
somebody() {
    pki_attest "$1" "/CN=$2" "${ISSUER-root}" "${DAYS-3650}" keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role "${ROLE-approver}")" "${@:3}"
}
