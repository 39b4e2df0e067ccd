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

# The public key of the private key in this folder, which signs.
renew_pubkey() { # FOLDER
    if [ -e "$1/key.uri" ]; then
        csr-make --key "$(cat "$1/key.uri")" --subject CN=x | openssl req -verify -noout -pubkey 2>/dev/null
    else
        openssl pkey -in "$1/key.pem" -pubout
    fi
}

# The purpose points to a whole certificate of the root with its key, valid now.
whole() { # [PURPOSE...]
    local p at=${CERTLINE_CLOCK:-$(date +%s)}
    [ $# -gt 0 ] || set -- tls
    for p; do
        openssl verify -attime "$at" -CAfile "$PKI/root.pem" -untrusted "store/purpose/$p/chain.pem" \
            "store/purpose/$p/cert.pem" >/dev/null || return
        cmp -s <(openssl x509 -in "store/purpose/$p/cert.pem" -noout -pubkey) <(renew_pubkey "store/purpose/$p") || return
        cat "store/purpose/$p/cert.pem" "store/purpose/$p/chain.pem" | cmp -s - "store/purpose/$p/fullchain.pem" || return
    done
}

# What a run that was killed left in work, and what the next one makes of it: the work is done, and nothing is left
# over. The first certificate was the only one, its deletion is allowed.
renew_next() { # WHERE
    (cd work && whole) || { echo "$1: the purpose is not whole" && return 1; }
    local rc=0 i
    for ((i = 0; i < 300; i++)); do # the launcher of the dead one may hold its lock for a moment
        rc=0
        (cd work && renew >out 2>err) || rc=$?
        [ "$rc" -eq 4 ] && grep -q 'another cert-renew' work/err || break
        sleep 0.1
    done
    [ "$rc" -eq 0 ] || { echo "$1: the next run ended with $rc: $(cat work/err)" && return 1; }
    (cd work && whole) || { echo "$1: the purpose is not whole after the next run" && return 1; }
    cmp -s work/tls.first work/store/purpose/tls/fullchain.pem && echo "$1: the old one is in use" && return 1
    [ "$(ls work/store/cert | wc -l)" -eq 1 ] || { echo "$1: $(ls work/store/cert)" && return 1; }
    [ -z "$(ls work/store/pending)" ] || { echo "$1: the enrolment is still there" && return 1; }
    [ -e work/hooked ] || { echo "$1: the hook has not run" && return 1; }
    [ -z "$(find work/store -name '.new-*' -o -name '.del-*' -o -name '*.tmp.*')" ] ||
        { echo "$1: something is left over" && return 1; }
}

# Everything in the store but what is remembered between runs.
tree() {
    (cd store && find cert purpose -type l -printf '%p -> %l\n' -o -type f -exec sha256sum {} + -o -printf '%p\n' | sort)
}
state() { # FIELD [PURPOSE]
    sed -n "s/^$1: //p" "store/state/${2:-tls}.yaml"
}
