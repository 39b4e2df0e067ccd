# A whole line for tests: three tokens, a root whose key lies in a file (so that a test can be the upper-level
# CA and issue what it likes), the four units, lots. Source t/pki.bash first.

HERE=$(dirname "${BASH_SOURCE[0]}")
. "$HERE/pki.bash"
. "$HERE/lib.bash"

line_build() { lab_build "$@"; } # TOOL-OF-THE-TESTS...

line_tokens() { # LABEL...
    export SOFTHSM2_CONF=$LINE/softhsm2.conf
    MODULE=$(lab_module) || return
    mkdir -p "$LINE/tokens" "$LINE/etc" "$LINE/var"
    printf '%s\n' "directories.tokendir = $LINE/tokens" 'objectstore.backend = file' \
        'log.level = ERROR' >"$SOFTHSM2_CONF"
    printf 4711 >"$LINE/etc/pin"
    local label
    for label; do
        softhsm2-util --init-token --free --label "$label" --so-pin 123456 --pin 4711 >>"$PKI/log" || return
    done
}

line_uri() { # TOKEN OBJECT
    echo "pkcs11:token=$1;object=$2?module-path=$MODULE&pin-source=$LINE/etc/pin"
}

# A key in a token, and its unit's certificate.
line_unit() { # ROLE TOKEN OBJECT CN
    hsm-keygen "$(line_uri "$2" "$3")" >"$PKI/$3.pub" || return
    pki_unit_attest "$3" "$1" root 3650 "$4"
}

# unit_yaml NAME TOKEN OBJECT LINE...
line_yaml() {
    local name=$1 token=$2 object=$3
    shift 3
    printf '%s\n' "key: $(line_uri "$token" "$object")" "certificate: ../pki/$object.pem" \
        "trust: ../pki/root.pem" "ledger: ../var/$name.db" "$@" >"$LINE/etc/$name.yaml"
}

line_config() {
    local lot='{profile: tls-client, owner: acme, verify-units: [verify-unit-1]'
    cat >"$LINE/etc/lots.yaml" <<END
lots:
  - {name: L7, profile: tls-client, owner: acme, devices: devices.csv, verify-units: [verify-unit-1], pop: witness}
  - $lot, name: open, devices: any}
  - $lot, name: strict, devices: devices.csv}
  - {name: idev, profile: idevid, owner: acme, devices: any, verify-units: [verify-unit-1]}
  - {name: units, profile: attach, owner: acme, devices: any, verify-units: [verify-unit-1]}
  - {name: cas, profile: sub-ca, owner: acme, devices: any, verify-units: [verify-unit-1]}
  - {name: others, profile: tls-client, owner: acme, devices: any, verify-units: [verify-unit-9]}
  - {name: unchained, profile: tls-client, owner: acme, devices: any, verify-units: [verify-unit-1]}
END
    line_yaml attach hsm3 attach 'to: verify-unit-1' 'chain: {above: [verify-unit-1]}' 'lots: lots.yaml'
    line_yaml verify-unit hsm1 verify 'lots: lots.yaml' 'bare-keys: yes' \
        'chain: {below: [attach-1], above: [ra-approve-1]}'
    line_yaml ra-approve hsm2 ra 'lots: lots.yaml' 'bare-keys: yes' \
        'chain: {below: [verify-unit-1], above: [Device CA]}'
    line_yaml ca-sign hsm2 ca-messages 'lots: lots.yaml' 'bare-keys: yes' \
        "issuer: {key: '$(line_uri hsm2 ca)', certificate: ../pki/ca.pem}" \
        'chain:' '  - {attach: attach-1, verify-unit: verify-unit-1, ra-approve: ra-approve-1,' \
        '     lots: [L7, open, strict, idev, units, cas, others]}'
}

# The line itself, in the folder LINE.
line_make() { # FOLDER
    export LINE=$1 PKI=$1/pki ARC CMC_RA CMC_CA
    pki_init "$PKI"
    line_tokens hsm1 hsm2 hsm3 || return
    pki_ca root "/CN=Root" root
    line_unit attach hsm3 attach attach-1 || return
    # the octet of its sign is nothing that people see
    PKI_SERIAL=0x80c0ffee line_unit verify-unit hsm1 verify verify-unit-1 || return
    line_unit ra-approve hsm2 ra ra-approve-1 || return
    line_unit ca-sign hsm2 ca-messages "Device CA" || return
    hsm-keygen "$(line_uri hsm2 ca)" >"$PKI/ca.pub" || return
    pki_attest ca "/CN=Device CA" root 3650 basicConstraints=critical,CA:TRUE,pathlen:0 \
        keyUsage=critical,keyCertSign,cRLSign
    line_config
    {
        echo serial,subject
        seq -f 'T%.0f,' 1 9
        echo 'N1,"serialNumber=N1,CN=as the list says"'
        seq -f 'K%.0f,' 1 9
    } >"$LINE/etc/devices.csv"
    line_keep empty
}

# --- units ---

attach() { command attach -c "$LINE/etc/attach.yaml" "$@"; }
verify-unit() { command verify-unit -c "$LINE/etc/${VERIFY_YAML:-verify-unit}.yaml" "$@"; }
ra-approve() { command ra-approve -c "$LINE/etc/${RA_YAML:-ra-approve}.yaml" "$@"; }
ca-sign() { command ca-sign -c "$LINE/etc/${CA_YAML:-ca-sign}.yaml" "$@"; }

# What stands between the two attach.
line_middle() { verify-unit | ra-approve | ca-sign | ra-approve | verify-unit; }
# requests on stdin, certificates on stdout
line() { # LOT [OPTION OF THE LAST ATTACH...]
    local lot=$1
    shift
    attach --lot "$lot" | line_middle | attach "$@"
}

# A request, or a public key, of a device; its key stays in FOLDER/ID.key
line_request() { # ID [FOLDER [OPTION OF csr-make...]]
    local id=$1 dir=${2:-.}
    shift $(($# < 2 ? $# : 2))
    if [ -e "$dir/$id.key" ]; then
        csr-make --key "$dir/$id.key" --subject "serialNumber=$id" "$@"
    else
        csr-make --key "$dir/$id.key" --new-key P-256 --subject "serialNumber=$id" "$@"
    fi
}

# --- ledgers ---

line_keep() { # NAME: the ledgers as they are now
    rm -rf "$LINE/kept/$1"
    mkdir -p "$LINE/kept/$1"
    cp -a "$LINE/var/." "$LINE/kept/$1/"
}
line_restore() { # NAME
    rm -rf "$LINE/var"
    cp -a "$LINE/kept/$1" "$LINE/var"
}
line_entries() { # UNIT: without the signed heads
    [ -e "$LINE/var/$1.db" ] || { echo 0; return; }
    sqlite3 "$LINE/var/$1.db" 'select count(*) from entry where kind <> 21'
}
