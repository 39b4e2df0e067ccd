# A small PKI for tests, made with the openssl command. Everything lies in the folder that pki_init is
# given; a key NAME.key and a certificate NAME.pem belong together.

. "$(dirname "${BASH_SOURCE[0]}")/await.bash"

ARC=2.25.111044168894393523651617990952196807275
CMC_CA=1.3.6.1.5.5.7.3.27
CMC_RA=1.3.6.1.5.5.7.3.28

pki_init() { # FOLDER
    PKI=$1
    mkdir -p "$PKI"
}

pki_key() { # NAME [ALGORITHM...]
    local name=$1
    shift
    [ $# -gt 0 ] || set -- EC -pkeyopt ec_paramgen_curve:P-256
    openssl genpkey -quiet -algorithm "$@" -out "$PKI/$name.key" 2>>"$PKI/log"
}

# Extended key usage of a role, and what belongs to it.
pki_role() { # attach|verify-unit|ra-approve|ca-sign|approver
    case $1 in
    attach) echo "$ARC.1" ;;
    verify-unit) echo "$CMC_RA,$ARC.2" ;;
    ra-approve) echo "$CMC_RA,$ARC.3" ;;
    ca-sign) echo "$CMC_CA,$ARC.4" ;;
    approver) echo "$ARC.5" ;;
    esac
}

# pki_issue NAME SUBJECT ISSUER [from=YYYYMMDDHHMMSSZ] [to=...] [md=sha1] [key=NAME] [serial=HEX]
#     [EXTENSION=VALUE...]
# ISSUER NAME itself: self-signed. Extensions as x509v3_config(5) has them; the key is made when it is missing.
pki_issue() {
    local name=$1 subject=$2 issuer=$3 from=20200101000000Z to=20400101000000Z md=sha256 key=$1 serial word
    shift 3
    local dir=$PKI/ca.$issuer extensions=()
    for word; do
        case $word in
        from=*) from=${word#*=} ;;
        to=*) to=${word#*=} ;;
        md=*) md=${word#*=} ;;
        key=*) key=${word#*=} ;;
        serial=*) serial=${word#*=} ;;
        *) extensions+=("$word") ;;
        esac
    done
    mkdir -p "$dir"
    [ -e "$dir/index" ] || : >"$dir/index"
    [ -e "$PKI/$key.key" ] || pki_key "$key"
    {
        printf '[ca]\ndatabase=%s/index\nunique_subject=no\npolicy=any\n' "$dir"
        if [ "$serial" ]; then
            echo "$serial" >"$dir/serial"
            echo "serial=$dir/serial"
        else
            echo rand_serial=yes
        fi
        printf 'new_certs_dir=%s\ndefault_md=%s\n[any]\n' "$dir" "$md"
        printf 'commonName=optional\n[req]\ndistinguished_name=dn\nutf8=yes\n[dn]\n[ext]\n'
        printf '%s\n' "${extensions[@]}" subjectKeyIdentifier=hash authorityKeyIdentifier=keyid
    } >"$PKI/$name.cnf"
    openssl req -new -config "$PKI/$name.cnf" -utf8 -multivalue-rdn -key "$PKI/$key.key" \
        -subj "$subject" -out "$PKI/$name.csr" 2>>"$PKI/log" || return
    local self=(-cert "$PKI/$issuer.pem")
    [ "$issuer" != "$name" ] || self=(-selfsign)
    openssl ca -batch -notext -preserveDN -config "$PKI/$name.cnf" -name ca -extensions ext \
        -startdate "$from" -enddate "$to" -md "$md" -keyfile "$PKI/$issuer.key" "${self[@]}" \
        -in "$PKI/$name.csr" -out "$PKI/$name.pem" 2>>"$PKI/log"
}

pki_ca() { # NAME SUBJECT ISSUER [as pki_issue]
    local name=$1 subject=$2 issuer=$3
    shift 3
    pki_issue "$name" "$subject" "$issuer" basicConstraints=critical,CA:TRUE \
        keyUsage=critical,keyCertSign,cRLSign "$@"
}

pki_unit() { # NAME ROLE ISSUER [as pki_issue]
    local name=$1 role=$2 issuer=$3
    shift 3
    pki_issue "$name" "/CN=$name" "$issuer" keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role "$role")" "$@"
}

# pki_crl CA FILE [LAST NEXT] [-revoke CERTIFICATE...]: a CRL of what was revoked so far; signed with PKI_MD.
pki_crl() {
    local ca=$1 file=$2 last=20200101000000Z next=20400101000000Z
    shift 2
    local cmd=(openssl ca -config "$PKI/$ca.crl.cnf" -name ca -md "${PKI_MD:-sha256}" -keyfile "$PKI/$ca.key"
        -cert "$PKI/$ca.pem")
    mkdir -p "$PKI/ca.$ca"
    [ -e "$PKI/ca.$ca/index" ] || : >"$PKI/ca.$ca/index"
    [ -e "$PKI/ca.$ca/crlnumber" ] || echo 01 >"$PKI/ca.$ca/crlnumber"
    printf '[ca]\ndatabase=%s/index\nunique_subject=no\ncrlnumber=%s/crlnumber\n' \
        "$PKI/ca.$ca" "$PKI/ca.$ca" >"$PKI/$ca.crl.cnf"
    if [ $# -ge 2 ] && [ "$1" != -revoke ]; then
        last=$1 next=$2
        shift 2
    fi
    [ "${1-}" != -revoke ] || shift
    for cert; do
        "${cmd[@]}" -revoke "$PKI/$cert.pem" 2>>"$PKI/log" || return
    done
    "${cmd[@]}" -gencrl -crl_lastupdate "$last" -crl_nextupdate "$next" -out "$PKI/$file" \
        2>>"$PKI/log"
}

# pki_attest NAME SUBJECT ISSUER DAYS [EXTENSION=VALUE...]: a certificate from now on for the public key in
# NAME.pub, whose private key is somewhere else. PKI_SERIAL is its serial number, if it is set.
pki_attest() {
    local name=$1 subject=$2 issuer=$3 days=$4
    shift 4
    [ -e "$PKI/dummy.key" ] || pki_key dummy
    printf '%s\n' "$@" subjectKeyIdentifier=hash authorityKeyIdentifier=keyid >"$PKI/$name.ext"
    openssl req -new -utf8 -key "$PKI/dummy.key" -subj "$subject" -out "$PKI/$name.csr" \
        2>>"$PKI/log" || return
    openssl x509 -req -in "$PKI/$name.csr" -force_pubkey "$PKI/$name.pub" -CA "$PKI/$issuer.pem" \
        -CAkey "$PKI/$issuer.key" -days "$days" -sha256 -extfile "$PKI/$name.ext" \
        ${PKI_SERIAL:+-set_serial "$PKI_SERIAL"} -out "$PKI/$name.pem" 2>>"$PKI/log"
}

pki_unit_attest() { # NAME ROLE ISSUER DAYS [CN]
    pki_attest "$1" "/CN=${5-$1}" "$3" "$4" keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role "$2")"
}
