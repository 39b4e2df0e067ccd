# The lot is the authority on names: what it says stands in the certificate, each unit looks it up in its own files,
# and a verify-unit or a ra-approve that is not honest cannot name anybody.
bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    line_build forge forge-sign && line_make "$BATS_FILE_TMPDIR/line" && forge_twins || return
    names_config || return
    export KEYS=$LINE/keys
    mkdir "$KEYS"
    local id
    for id in SN-1 SN-2 X-1; do
        line_request $id "$KEYS" >"$KEYS/$id.csr" && line_request $id "$KEYS" --public-key >"$KEYS/$id.pub" ||
            return
    done
    csr-make --key "$KEYS/SN-1.key" --subject 'serialNumber=SN-1,CN=test,O=ABC' -a dns:me.example >"$KEYS/asks.csr"
}

setup() {
    . "$BATS_TEST_DIRNAME/line.bash"
    . "$BATS_TEST_DIRNAME/forge.bash"
    cd "$BATS_TEST_TMPDIR" || return
    line_restore empty
    cp "$LINE/etc/named.kept" "$LINE/etc/named.csv"
    cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-verify.yaml"
    cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-ra.yaml"
    cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-ca.yaml"
}

# Each unit has a lots file of its own: lots-verify.yaml, lots-ra.yaml, lots-ca.yaml.
names_config() {
    local rest="profile: tls-client, verify-units: [verify-unit-1], pop: witness"
    cat >"$LINE/etc/lots.yaml" <<END
owners:
  - name: abc
    subject: O=ABC,C=JP
    san: ["dns:*.abc.example", "uri:urn:abc:*"]
    profiles: [tls-client]
  - name: other
lots:
  - name: made
    owner: abc
    pattern: SN-[0-9]+
    subject: serialNumber={serial},O=ABC,C=JP
    san: dns:{serial}.abc.example
    profile: tls-client
    verify-units: verify-unit-1
    pop: witness
  - {name: listed, owner: abc, devices: named.csv, subject: "serialNumber={serial},CN={model},O=ABC,C=JP", $rest}
  - {name: column, owner: other, devices: named.csv, $rest}
  - {name: plain, owner: other, devices: any, $rest}
  - {name: bounded, owner: abc, devices: any, $rest}
  - {name: uris, owner: other, devices: any, profile: opc-ua, verify-units: verify-unit-1, pop: witness}
  - {name: ours, owner: abc, pattern: "[A-Z]+-[0-9]", subject: "serialNumber={serial},O=ABC,C=JP", $rest}
END
    printf '%s\n' serial,model,subject 'SN-1,XR 9,"serialNumber=SN-1,O=as listed"' 'SN-2,,' >"$LINE/etc/named.kept"
    line_yaml attach hsm3 attach 'to: verify-unit-1' 'chain: {above: [verify-unit-1]}' 'lots: lots.yaml'
    line_yaml verify-unit hsm1 verify 'lots: lots-verify.yaml' 'bare-keys: yes' \
        'chain: {below: [attach-1], above: [ra-approve-1]}'
    line_yaml ra-approve hsm2 ra 'lots: lots-ra.yaml' 'bare-keys: yes' \
        'chain: {below: [verify-unit-1], above: [Device CA]}'
    line_yaml ca-sign hsm2 ca-messages 'lots: lots-ca.yaml' 'bare-keys: yes' \
        "issuer: {key: '$(line_uri hsm2 ca)', certificate: ../pki/ca.pem}" \
        'chain:' '  - {attach: attach-1, verify-unit: verify-unit-1, ra-approve: ra-approve-1,' \
        '     lots: [made, listed, column, plain, bounded, ours, uris]}'
}

# The lots file of these units, changed.
lots_of() { # "UNIT..." SED-SCRIPT
    local unit
    for unit in $1; do
        sed -i "$2" "$LINE/etc/lots-$unit.yaml"
        # or the attack is none
        run -1 cmp -s "$LINE/etc/lots-$unit.yaml" "$LINE/etc/lots.yaml"
    done
}
# The one request on stdin is served: `subject` and `san` of its certificate.
served() { # LOT
    local code=0 want=
    run --separate-stderr line "$1"
    [ "$status" -eq 0 ] || { failure; return 1; }
    subject=$(openssl x509 -noout -subject -nameopt RFC2253 <<<"$output")
    subject=${subject#subject=}
    san=$(openssl x509 -noout -ext subjectAltName <<<"$output" 2>/dev/null | sed -n '2s/^ *//p')
}
# It is refused with this sentence, and nothing is issued.
refused() { # LOT SENTENCE
    local code=1 want="attach: *: refused: $2"
    run --separate-stderr line "$1"
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq 1 ] && [ -z "$output" ] && [[ ${stderr_lines[-1]} == $want ]] || { failure; return 1; }
    nothing_issued
}
nothing_issued() {
    [ "$(sqlite3 "$LINE/var/ca-sign.db" 'select count(*) from entry where kind = 12')" = 0 ]
}

@test "the lot's templates name a device, and what it asked and did not get reaches the people at both ends" {
    local says='SN-1: @ subject CN was "test", the list says none; subjectAltName was "dns:me.example", the list says "dns:SN-1.abc.example"'
    attach --lot made <"$KEYS/asks.csr" >1.pem
    run -0 --separate-stderr verify-unit <1.pem
    [ "$stderr" = "verify-unit: ${says/ @/}" ]
    verify-unit <1.pem | ra-approve | ca-sign | ra-approve | verify-unit >6.pem
    run -0 --separate-stderr attach -v <6.pem
    [[ $stderr == *"attach: ${says/@/issued:}"* ]]
    subject=$(openssl x509 -noout -subject -nameopt RFC2253 -ext subjectAltName <<<"$output")
    [[ $subject == 'subject=serialNumber=SN-1,O=ABC,C=JP'*DNS:SN-1.abc.example ]]
}

@test "a request that asks for nothing else than the lot says passes without a word, and without a template" {
    csr-make --key "$KEYS/SN-1.key" --subject serialNumber=SN-1,O=ABC,C=JP -a dns:SN-1.abc.example >asks.csr
    attach --lot made <asks.csr >1.pem
    run -0 --separate-stderr verify-unit <1.pem
    [ -z "$stderr" ]
    printf '%s\n' "$output" >2.pem
    [[ $(forge get $CONTENT <2.pem | openssl asn1parse -inform DER) != *id-cmc-modCertTemplate* ]]
    [ "$(ra-approve <2.pem | ca-sign | grep -c ^-----BEGIN)" = 1 ]
    run -0 sqlite3 "$LINE/var/ca-sign.db" 'select device from entry where kind = 12'
    [ "$output" = SN-1 ]
}

@test "a bare key gets the lot's subject, and its subjectAltName by a template for the CRMF request" {
    served made <"$KEYS/SN-1.pub"
    [ "$subject" = serialNumber=SN-1,O=ABC,C=JP ]
    [ "$san" = DNS:SN-1.abc.example ]
    attach --lot made <"$KEYS/SN-2.pub" | verify-unit >2.pem
    # pkiDataReference {0}: a request of the same layer
    run -0 forge hex 0/2/2/0/0/0 < <(forge get $CONTENT <2.pem)
    [ "$output" = 00 ]
    ra-approve <2.pem | ca-sign >4.pem
    run -0 sqlite3 "$LINE/var/ca-sign.db" "select group_concat(device) from entry where kind = 12"
    [ "$output" = SN-1,SN-2 ]
}

@test "a list's columns make the names, and an empty one refuses its device by its line" {
    served listed <"$KEYS/SN-1.csr"
    [ "$subject" = 'serialNumber=SN-1,CN=XR 9,O=ABC,C=JP' ]
    line_restore empty
    refused listed 'verify-unit: line 3 of the device list: the column "model" is empty (failInfo *)' <"$KEYS/SN-2.csr"
}

@test "the list's own column subject stands where there is no template, and where it is empty the request's" {
    served column <"$KEYS/SN-1.csr"
    [ "$subject" = 'serialNumber=SN-1,O=as listed' ]
    served column <"$KEYS/SN-2.csr"
    [ "$subject" = serialNumber=SN-2 ]
}

@test "a device that is not of the pattern is refused, also by ra-approve alone" {
    local why='device "X-1" is not of the pattern of lot "made" (failInfo badIdentity)'
    refused made "verify-unit: $why" <"$KEYS/X-1.csr"
    line_restore empty
    lots_of verify 's/pattern: SN-.*/pattern: .*/'
    refused made "ra-approve: $why" <"$KEYS/X-1.csr"
}

@test "names of another device than the row is of are refused, whether a column or a template makes them" {
    printf '%s\n' serial,model,subject SN-1,x,serialNumber=SN-2 'SN-2,x,"CN=SN-2,O=no serial"' >"$LINE/etc/named.csv"
    local id
    for id in csr pub; do
        line_restore empty
        refused column 'verify-unit: line 2 of the device list: the subject is not of device "SN-1" (failInfo internalCAError)' \
            <"$KEYS/SN-1.$id"
    done
    served column <"$KEYS/SN-2.csr" # the profile's rule takes the CN where there is no serialNumber
    line_restore empty
    sed -i 's/subject: serialNumber={serial},/subject: serialNumber=SN-1,/' "$LINE"/etc/lots-{verify,ra}.yaml
    refused made 'verify-unit: the names that lot "made" makes are not of device "SN-2" (failInfo internalCAError)' \
        <"$KEYS/SN-2.csr"
}

@test "a bare key whose device no subject can name is refused where the lot says none" {
    local key
    sed '/^subject=/d' "$KEYS/SN-1.pub" >key.pem
    key=$(openssl pkey -pubin -in key.pem -outform DER | openssl dgst -sha256 | sed 's/.*= //')
    printf '%s\n' serial,key "urn:abc.example:1,$key" >list.csv
    attach --lot uris --list list.csv <key.pem | line_middle >6.pem
    run -1 --separate-stderr attach <6.pem
    [ "$stderr" = 'attach: urn:abc.example:1: refused: verify-unit: no subject can be made for "urn:abc.example:1": the lot must say it (failInfo badIdentity)' ]
    nothing_issued
}

@test "a list with a bad row refuses its own lot, by whoever reads it, and no other" {
    local unit
    echo SN-3 >>"$LINE/etc/named.csv"
    sed 's/named.csv/good.csv/' "$LINE/etc/lots.yaml" >"$LINE/etc/lots-verify.yaml"
    sed '$d' "$LINE/etc/named.csv" >"$LINE/etc/good.csv"
    for unit in ra-approve verify-unit; do
        refused listed "$unit: the device list of lot \"listed\" cannot be read (failInfo internalCAError)" <"$KEYS/SN-1.csr"
        [ "$(grep -c "^$unit: .*/named.csv:4: 1 field where the header names 3\$" <<<"$stderr")" = 1 ]
        { attach --lot listed <"$KEYS/SN-1.csr" && attach --lot plain <"$KEYS/SN-2.csr"; } | line_middle 2>/dev/null >6.pem
        run -1 --separate-stderr attach <6.pem
        [ "$(openssl x509 -noout -subject -nameopt RFC2253 <<<"$output")" = subject=serialNumber=SN-2 ]
        line_restore empty
        cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-verify.yaml"
    done
}

# --- a verify-unit that is not honest: it has another file ---

@test "verify-unit cannot let a device through that is not in ra-approve's list, or with another key" {
    lots_of verify 's/devices: named.csv/devices: any/; s/{model}/{serial}/'
    refused listed 'ra-approve: device "X-1" is not in the list of lot "listed" (failInfo badIdentity)' <"$KEYS/X-1.csr"
    line_restore empty
    sed -i 's/named.csv/keys.csv/' "$LINE/etc/lots-ra.yaml"
    printf '%s\n' serial,model,key,subject "SN-1,x,$(printf '00%.0s' {1..32})," >"$LINE/etc/keys.csv"
    refused column 'ra-approve: the key is not the one that the list has for SN-1 (failInfo badIdentity)' <"$KEYS/SN-1.csr"
    # and the list's own key passes, as people write it
    local key
    key=$(openssl pkey -in "$KEYS/SN-1.key" -pubout -outform DER | openssl dgst -sha256 -c | sed 's/.*= //')
    printf '%s\n' serial,model,key,subject "SN-1,x,${key^^}," >"$LINE/etc/keys.csv"
    line_restore empty
    served column <"$KEYS/SN-1.csr"
}

@test "verify-unit cannot give a request another subject than ra-approve's lot says" {
    local why='ra-approve: the subject of "SN-1" is not what the lot here says (failInfo badIdentity)'
    lots_of verify 's/O=ABC,C=JP$/O=ABC,CN=boss.abc.example,C=JP/'
    refused made "$why" <"$KEYS/SN-1.csr"
    line_restore empty
    refused made "$why" <"$KEYS/SN-1.pub"
}

@test "verify-unit cannot give a request another subjectAltName, or leave it out" {
    local why='ra-approve: the subjectAltName of "SN-1" is not what the lot here says'
    lots_of verify 's/dns:{serial}/dns:www/'
    refused made "$why (failInfo badIdentity)" <"$KEYS/SN-1.csr"
    line_restore empty
    refused made "$why (failInfo badIdentity)" <"$KEYS/SN-1.pub"
    line_restore empty
    lots_of verify '/san: dns:/d'
    refused made "$why, and verify-unit left it (failInfo badIdentity)" <"$KEYS/asks.csr"
    line_restore empty
    refused made "$why (failInfo badIdentity)" <"$KEYS/SN-1.pub"
}

@test "verify-unit cannot leave a request its own subject where the lot says another" {
    lots_of verify '/^    subject: serialNumber/d'
    refused made 'ra-approve: the subject of "SN-1" is not what the lot here says, and verify-unit left it (failInfo badIdentity)' \
        <"$KEYS/asks.csr"
}

@test "verify-unit cannot set names where ra-approve's lot says none" {
    lots_of verify 's/name: plain, owner: other,/& subject: "serialNumber={serial},CN=boss",/'
    refused plain 'ra-approve: verify-unit set a subject for "SN-1", and the lot here says none (failInfo badIdentity)' \
        <"$KEYS/SN-1.csr"
    line_restore empty
    # a bare key has a subject in any case: with its id alone
    refused plain 'ra-approve: the subject of "SN-1" is not what the lot here says (failInfo badIdentity)' \
        <"$KEYS/SN-1.pub"
    line_restore empty
    cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-verify.yaml"
    lots_of verify 's/name: plain, owner: other,/& san: "dns:www.abc.example",/'
    local id
    for id in csr pub; do
        line_restore empty
        refused plain 'ra-approve: verify-unit set a subjectAltName for "SN-1", and the lot here says none (failInfo badIdentity)' \
            <"$KEYS/SN-1.$id"
    done
    line_restore empty
    cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-verify.yaml"
    served plain <"$KEYS/SN-1.pub"
    [ "$subject" = serialNumber=SN-1 ]
}

@test "no agreement below makes a device a CA or a unit: each unit asks its own profiles" {
    local preset units unit
    cp -a "$LINE/etc" etc.kept
    sed -i '/name: plain/s/tls-client/sly/' "$LINE"/etc/lots{,-verify,-ra,-ca}.yaml
    for preset in tls-client sub-ca attach; do
        printf '%s\n' profiles: "  - {name: sly, preset: $preset}" >"$LINE/etc/$preset-sly.yaml"
    done
    for preset in sub-ca attach; do
        for units in "verify-unit ra-approve ca-sign" "ra-approve ca-sign" ca-sign; do
            for unit in attach verify-unit ra-approve ca-sign; do
                sed -i '/^profiles:/d' "$LINE/etc/$unit.yaml"
                [[ " $units " = *" $unit "* ]] && echo "profiles: $preset-sly.yaml" >>"$LINE/etc/$unit.yaml" ||
                    echo 'profiles: tls-client-sly.yaml' >>"$LINE/etc/$unit.yaml"
            done
            line_restore empty
            refused plain "${units%% *}: profile \"sly\" is for a CA or a unit and cannot be had from a line (failInfo badRequest)" \
                <"$KEYS/SN-1.csr"
        done
    done
    rm -rf "$LINE/etc"
    cp -a etc.kept "$LINE/etc"
}

# What verify-unit says, changed and signed by its twin: ra-approve refuses it with this sentence.
forgery() { # REQUESTS LOT SENTENCE EDIT...
    local sentence=$3
    line_restore empty
    attach --lot "$2" <"$1" >1.pem
    verify-unit <1.pem >2.pem 2>/dev/null
    again 2.pem verify-unit "${@:4}" | ra-approve | ca-sign >4.pem
    [[ $(openssl cms -verify -noverify -inform PEM -in 4.pem 2>/dev/null | strings -n 8) == *"ra-approve: $sentence"* ]] ||
        return
    nothing_issued
}
MOD=0/2/2/0 # pkiDataReference, certReferences, certTemplate, replace

@test "a forged template is refused: dropped, weakened, or of another name" {
    local name
    name=$(tlv 30 "$(tlv 31 "$(tlv 30 "$(oid 2.5.4.5)" "$(tlv 13 534e2d31)")")" \
        "$(tlv 31 "$(tlv 30 "$(oid 2.5.4.10)" "$(tlv 0c 4576696c)")")")
    local why='the subject of "SN-1" is not what the lot here says'
    forgery "$KEYS/SN-1.csr" ours "$why" "$MOD/2/0/0 set $name"
    forgery "$KEYS/SN-1.csr" ours "$why, and verify-unit left it" "0/2 del"
    # FALSE: only what the request does not say itself, which has a subject
    forgery "$KEYS/SN-1.csr" ours "$why, and verify-unit left it" "$MOD/2 before 010100"
    forgery "$KEYS/SN-1.pub" ours "$why" "1/0/0/1/0/0 set $name"
}

@test "a template of its own for a CRMF request is refused" {
    local mod
    mod=$(tlv 30 "$(tlv 30 "$(int 0)")" "$(tlv 30 "$(int 101)")" \
        "$(tlv 30 "$(tlv a9 "$(tlv 30 "$(oid 2.5.29.17)" "$(tlv 04 "$(tlv 30 "$(tlv 82 7777772e6162632e6578616d706c65)")")")")")")
    attach --lot plain <"$KEYS/SN-1.pub" >1.pem
    verify-unit <1.pem | forge get $CONTENT | forge get 0/2/1 >/dev/null
    forgery "$KEYS/SN-1.pub" plain 'verify-unit set a subjectAltName for "SN-1", and the lot here says none' \
        "0 add $(control 60 $CTL.31 "$mod")"
}
CTL=1.3.6.1.5.5.7.7

# --- who, and when ---

@test "a lot is for the attach that it names, by each unit's own file" {
    local unit name why='lot "plain" is not known here, or not for attach "attach-1" and verify-unit "verify-unit-1" (failInfo badRequest)'
    for unit in verify ra ca; do
        line_restore empty
        lots_of $unit 's/name: plain,/& attach: [attach-9],/'
        case $unit in verify) name=verify-unit ;; ra) name=ra-approve ;; ca) name=ca-sign ;; esac
        refused plain "$name: $why" <"$KEYS/SN-1.csr"
        sed 's/attach-9/attach-1/' "$LINE/etc/lots-$unit.yaml" >lots.yaml
        cp lots.yaml "$LINE/etc/lots-$unit.yaml"
        line_restore empty
        served plain <"$KEYS/SN-1.csr"
        cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-$unit.yaml"
    done
}

@test "a lot is for the verify-unit that it names, by each unit's own file" {
    local unit name why='lot "plain" is not known here, or not for attach "attach-1" and verify-unit "verify-unit-1" (failInfo badRequest)'
    for unit in verify ra ca; do
        line_restore empty
        lots_of $unit '/name: plain,/s/verify-unit-1/verify-unit-9/'
        case $unit in verify) name=verify-unit ;; ra) name=ra-approve ;; ca) name=ca-sign ;; esac
        refused plain "$name: $why" <"$KEYS/SN-1.csr"
        line_restore empty
        refused plain "$name: $why" <"$KEYS/SN-1.pub"
        cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-$unit.yaml"
    done
}

@test "a lot that ended, or did not begin, is refused by each unit's own file" {
    local unit name
    for unit in verify ra ca; do
        case $unit in verify) name=verify-unit ;; ra) name=ra-approve ;; ca) name=ca-sign ;; esac
        lots_of $unit 's/name: plain,/& from: 2026-01-01, until: 2026-02-01T12:00:00Z,/'
        line_restore empty
        refused plain "$name: lot \"plain\" ended 2026-02-01T12:00:00Z (failInfo badRequest)" <"$KEYS/SN-1.csr"
        sed -i 's/from: 2026-01-01, until: 2026-02-01T12:00:00Z/from: 2090-01-01/' "$LINE/etc/lots-$unit.yaml"
        line_restore empty
        refused plain "$name: lot \"plain\" begins 2090-01-01T00:00:00Z (failInfo badRequest)" <"$KEYS/SN-1.csr"
        sed -i 's/from: 2090-01-01/from: 2020-01-01, until: 2090-01-01/' "$LINE/etc/lots-$unit.yaml"
        line_restore empty
        served plain <"$KEYS/SN-1.csr"
        cp "$LINE/etc/lots.yaml" "$LINE/etc/lots-$unit.yaml"
    done
}

# --- owners ---

@test "ca-sign holds an owner's fixed fields, whatever verify-unit and ra-approve agree on" {
    lots_of "verify ra" 's/subject: serialNumber={serial},O=ABC/subject: serialNumber={serial},O=Evil/'
    refused made 'ca-sign: owner "abc": subject O is "Evil", it must be "ABC" (failInfo badIdentity)' <"$KEYS/SN-1.csr"
    line_restore empty
    sed -i 's/O=Evil/O=ABC+O=Evil/' "$LINE"/etc/lots-{verify,ra}.yaml
    refused made 'ca-sign: owner "abc": subject O is "Evil", it must be "ABC" (failInfo badIdentity)' <"$KEYS/SN-1.pub"
    line_restore empty
    sed -i 's/O=ABC+O=Evil,C=JP/O=ABC/; s/{serial}.abc.example/{serial}.evil.example/' "$LINE"/etc/lots-{verify,ra}.yaml
    refused made 'ca-sign: owner "abc": subject has no C, it must be "JP" (failInfo badIdentity)' <"$KEYS/SN-1.csr"
    line_restore empty
    sed -i 's/{serial},O=ABC$/{serial},O=ABC,C=JP/' "$LINE"/etc/lots-{verify,ra}.yaml
    refused made 'ca-sign: owner "abc": subjectAltName dns:SN-1.evil.example is not one that it may have (failInfo badIdentity)' \
        <"$KEYS/SN-1.pub"
}

@test "ca-sign holds them over what the device asks where the lot says nothing, too" {
    refused bounded 'ca-sign: owner "abc": subject has no C, it must be "JP" (failInfo badIdentity)' <"$KEYS/SN-1.csr"
    line_restore empty
    csr-make --key "$KEYS/SN-1.key" --subject serialNumber=SN-1,O=ABC,C=JP -a dns:www.evil.example |
        refused bounded 'ca-sign: owner "abc": subjectAltName dns:www.evil.example is not one that it may have (failInfo badIdentity)'
    line_restore empty
    csr-make --key "$KEYS/SN-1.key" --subject serialNumber=SN-1,O=ABC,C=JP -a dns:www.abc.example >asks.csr
    served bounded <asks.csr
    [ "$san" = DNS:www.abc.example ]
}

@test "an owner that ca-sign does not know is a wrong file" {
    sed -i 's/^  - name: other/  - name: another/' "$LINE/etc/lots-ca.yaml"
    run -2 --separate-stderr ca-sign </dev/null
    [[ $stderr == 'ca-sign: '*'/lots-ca.yaml:'*': "other" is not one of the file'"'"'s owners' ]]
}

@test "the same device id under two owners is two devices, and each gets its own answers again" {
    line_request SN-1 . >b.csr
    served ours <"$KEYS/SN-1.csr"
    local first=$output
    served plain <b.csr
    local second=$output
    [ "$(openssl x509 -noout -pubkey <<<"$second")" = "$(openssl req -noout -pubkey -in b.csr)" ]
    # a retry gives each its own
    served ours <"$KEYS/SN-1.csr"
    [ "$output" = "$first" ]
    served plain <b.csr
    [ "$output" = "$second" ]
    run -0 sqlite3 "$LINE/var/ca-sign.db" "select owner, device, count(*) from entry where kind = 12 group by owner"
    [ "$output" = $'abc|SN-1|1\nother|SN-1|1' ]
}

@test "a key that another owner has is refused, and nothing is told of whose it is" {
    served ours <"$KEYS/SN-1.csr"
    csr-make --key "$KEYS/SN-1.key" --subject serialNumber=Q-7 >q.csr
    local id want
    for id in q.csr "$KEYS/SN-1.csr"; do
        run --separate-stderr line plain <"$id"
        [ "$status" -eq 1 ] && [ -z "$output" ]
        [[ $stderr == 'attach: '*': refused: ca-sign: this key cannot be certified (failInfo noKeyReuse)' ]]
        # another device of its own owner is named
        [[ $stderr != *abc* ]]
    done
    run --separate-stderr line ours <q.csr
    [[ $stderr == *'this key already belongs to device "SN-1"'* ]]
}

@test "a duplicate of one owner does not take another owner's place" {
    served ours <"$KEYS/SN-1.csr"
    line_request SN-1 . >again.csr
    refused_more ours 'ca-sign: device "SN-1" already has a certificate for another key*' <again.csr
    served plain <again.csr
    refused_more ours '*this key cannot be certified*' <again.csr
}
refused_more() { # LOT SENTENCE: as refused, with what was issued before
    run --separate-stderr line "$1"
    # shellcheck disable=SC2053 # a pattern
    [ "$status" -eq 1 ] && [ -z "$output" ] && [[ $stderr == attach:\ *:\ refused:\ $2 ]]
}

# --- files ---

@test "a template that names a column which its list does not have is found at the start, by who looks it up" {
    local unit
    sed -i 's/serial,model/serial,Model/' "$LINE/etc/named.csv"
    for unit in verify-unit ra-approve; do
        run -2 --separate-stderr "$unit" </dev/null
        [ "$stderr" = "$unit: lot listed: template \"serialNumber={serial},CN={model},O=ABC,C=JP\": there is no column \"model\" in $LINE/etc/named.csv" ]
    done
    for unit in attach ca-sign; do
        run -5 --separate-stderr "$unit" </dev/null
    done
}
