# A device store and a little CA of the openssl command, for the tests of renewals. Source t/pki.bash first.
#
#   renew_pki FOLDER               the CA, once a file: FOLDER/pki, and FOLDER/bin/issue
#   renew_store [RENEW [LINE...]]  in the current folder: store, store.yaml with the purpose tls, and more lines of it
#   renew [OPTION...]              cert-renew of it

HERE=$(dirname "${BASH_SOURCE[0]}")
. "$HERE/await.bash"

# Builds what the tests run, and puts it on PATH.
renew_build() {
    cd "$HERE/.." || return
    BUILD=${BUILD:-build}
    make -s BUILD="$BUILD" all || return
    BUILD=$(realpath "$BUILD")
    TOP=$PWD
    PATH=$BUILD/bin:$PATH
    export BUILD PATH TOP
}

# issue [SECONDS [OPTION OF openssl-ca...]]: a certificate for the request on stdin, and the CA's; it
# begins a minute ago, by the clock that the programs have. LIFE and BEGIN (an offset in seconds) say
# otherwise.
renew_issue() {
    cat <<END
#!/bin/bash
set -e
tmp=\$(mktemp -d "$PKI/issue.XXXXXX")
trap 'rm -rf "\$tmp"' EXIT
cat >"\$tmp/csr"
: >"\$tmp/index"
now=\${CERTLINE_CLOCK:-\$(date +%s)}
begin=\$((now + \${BEGIN:--60}))
life=\${1:-\${LIFE:-7776000}}
shift || :
sed "s,TMP,\$tmp," "$PKI/issue.cnf" >"\$tmp/cnf"
openssl ca -batch -notext -preserveDN -config "\$tmp/cnf" -startdate "\$(date -u -d @\$begin +%Y%m%d%H%M%SZ)" \\
    -enddate "\${END:-\$(date -u -d @\$((begin + life)) +%Y%m%d%H%M%SZ)}" -md sha256 \\
    -keyfile "$PKI/\${CA:-ca}.key" -cert "$PKI/\${CA:-ca}.pem" -in "\$tmp/csr" -out "\$tmp/pem" "\$@" 2>"\$tmp/log" ||
    { cat "\$tmp/log" >&2; exit 1; }
cat "\$tmp/pem" "$PKI/\${CA:-ca}.pem"
END
}

renew_pki() { # FOLDER
    pki_init "$1/pki"
    pki_ca root /CN=Root root to=99991231235959Z
    pki_ca ca "/CN=Device CA" root to=99991231235959Z
    pki_ca other "/CN=Another CA" other to=99991231235959Z
    printf '%s\n' '[ca]' default_ca=ca 'database=TMP/index' 'rand_serial=yes' 'unique_subject=no' 'policy=any' \
        'new_certs_dir=TMP' 'copy_extensions=copy' 'x509_extensions=v3' '[any]' \
        'commonName=optional' '[v3]' 'basicConstraints=CA:FALSE' >"$PKI/issue.cnf"
    mkdir -p "$1/bin"
    renew_issue >"$1/bin/issue"
    chmod +x "$1/bin/issue"
    PATH=$1/bin:$PATH
    export PATH PKI
}

# A store whose purpose tls has a certificate of the CA: CN=dev, dns:dev.example, for so many seconds.
renew_store() { # [RENEW [LINE...]]
    local when=${1:-'{before: 30d}'} line
    shift || :
    {
        echo 'store: store'
        echo "trust: $PKI/root.pem"
        echo 'wait: 2s'
        for line; do [[ $line == ' '* ]] || echo "$line"; done
        echo 'purposes:'
        echo "  - name: tls"
        echo "    renew: $when"
        printf '%s\n' "$@" | sed '/^  - name/,$d' | grep -q '^ *enroll:' || echo '    enroll: ./enroll'
        for line; do [[ $line != ' '* ]] || echo "$line"; done
    } >store.yaml
    if [ ! -e enroll ]; then
        printf '#!/bin/sh\nexec issue\n' >enroll
        chmod +x enroll
    fi
}

# Puts a certificate in; LIFE and BEGIN as for issue. The key, if there is one, is first.key.
renew_first() { # [PURPOSE [SECONDS [OPTION OF csr-make...]]]
    local purpose=${1:-tls} life=${2:-7776000}
    shift $(($# < 2 ? $# : 2))
    [ -e "$purpose.key" ] || openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$purpose.key"
    [ $# -gt 0 ] || set -- --san dns:dev.example
    csr-make --key "$purpose.key" --subject CN=dev "$@" | issue "$life" >"$purpose.first" || return
    cert-import -c store.yaml --key "$purpose.key" --purpose "$purpose" --origin factory --cert "$purpose.first" >"$purpose.name"
}

renew() { cert-renew -c store.yaml "$@"; }

# The purpose points to a whole certificate of the root with its key, valid now.
whole() { # [PURPOSE...]
    local p at=${CERTLINE_CLOCK:-$(date +%s)}
    [ $# -gt 0 ] || set -- tls
    for p; do
        openssl verify -attime "$at" -CAfile "$PKI/root.pem" -untrusted "store/purpose/$p/chain.pem" \
            "store/purpose/$p/cert.pem" >/dev/null || return
        cmp -s <(openssl x509 -in "store/purpose/$p/cert.pem" -noout -pubkey) \
            <(openssl pkey -in "store/purpose/$p/key.pem" -pubout) || return
        cat "store/purpose/$p/cert.pem" "store/purpose/$p/chain.pem" | cmp -s - "store/purpose/$p/fullchain.pem" || return
    done
}

# Everything in the store but what is remembered between runs.
tree() {
    (cd store && find cert purpose -type l -printf '%p -> %l\n' -o -type f -exec sha256sum {} + -o -printf '%p\n' | sort)
}
state() { # FIELD [PURPOSE]
    sed -n "s/^$1: //p" "store/state/${2:-tls}.yaml"
}
