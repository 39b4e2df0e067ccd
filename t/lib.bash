# A line in a folder, made with certline's own programs: three SoftHSM tokens (hsm1: verify-unit; hsm2: root, CA,
# ra-approve, ca-sign; hsm3: attach), certificates, configurations. To be sourced; needs the programs in PATH.
#
#   lab_build [TOOL...]              the programs, and these of the tests (t/TOOL.c), built and in PATH
#   lab_make DIR                     makes it: DIR/etc/UNIT.yaml, DIR/pki/NAME.pem, DIR/var/UNIT.db
#   lab_use DIR                      what a test needs to use one that is there: sets LAB, SOFTHSM2_CONF
#   lab_up [OPTION...]               attach, the way up (lot "open" unless --lot is given)
#   lab_middle                       the units between the two attach
#   lab_down [OPTION...]             attach, the way down
#   lab_line [OPTION...]             all of it: requests on stdin, options for the last attach
#   lab_requests ID...               a CERTIFICATE REQUEST for each device id
#   lab_keys ID...                   a PUBLIC KEY with its subject= line for each
#   lab_fresh                        empty ledgers of the units
#
# Lots: open (any device, tls-client), listed (DIR/etc/devices.csv: A1 to A9, tls-client), bare (any device,
# pop: witness, tls-client).

. "$(dirname "${BASH_SOURCE[0]}")/await.bash"

lab_build() { # TOOL-OF-THE-TESTS...
    cd "$(dirname "${BASH_SOURCE[0]}")/.." || return
    TOP=$PWD BUILD=${BUILD:-build}
    make -s BUILD="$BUILD" all "${@/#/$BUILD/t/}" || return
    BUILD=$(realpath "$BUILD")
    PATH=$BUILD/bin:$BUILD/t:$PATH
    export BUILD PATH TOP
}

lab_module() {
    local m
    for m in "${CERTLINE_P11_MODULE-}" /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
        /usr/lib64/pkcs11/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so; do
        [ -z "$m" ] || [ ! -e "$m" ] || { echo "$m" && return; }
    done
    echo "libsofthsm2.so: not found" >&2
    return 1
}

lab_use() { # DIR
    LAB=$1
    export LAB SOFTHSM2_CONF=$LAB/softhsm.conf
    LAB_MODULE=$(lab_module)
}

lab_uri() { # TOKEN OBJECT
    echo "pkcs11:token=$1;object=$2?module-path=$LAB_MODULE&pin-source=file:$LAB/pin"
}

lab_tokens() {
    local t
    mkdir -p "$LAB"/{tokens,etc,pki,var,keys}
    printf '1234\n' >"$LAB/pin"
    printf '%s\n' "directories.tokendir = $LAB/tokens" 'objectstore.backend = file' 'log.level = ERROR' \
        >"$SOFTHSM2_CONF"
    for t in hsm1 hsm2 hsm3; do
        softhsm2-util --init-token --free --label "$t" --so-pin 12345678 --pin 1234 >/dev/null || return
    done
}

lab_ca_config() { # NAME: the CA NAME, for --self-signed and --direct
    cat >"$LAB/etc/$1.yaml" <<END
id: Lab $1
ledger: ../var/$1.db
issuer:
  key: $(lab_uri hsm2 "$1")
  certificate: ../pki/$1.pem
END
}

# lab_unit NAME TOKEN PROFILE SUBJECT [CA]: its key and its certificate with the path below the root
lab_unit() {
    local ca=${5:-ca}
    hsm-keygen "$(lab_uri "$2" "$1")" >"$LAB/pki/$1.pub" &&
        csr-make --key "$(lab_uri "$2" "$1")" --subject "$4" |
        ca-sign -c "$LAB/etc/$ca.yaml" --direct --profile "$3" >"$LAB/pki/$1.pem" || return
    [ "$ca" = root ] || cat "$LAB/pki/$ca.pem" >>"$LAB/pki/$1.pem"
}

lab_pki() {
    lab_ca_config root
    lab_ca_config ca
    hsm-keygen "$(lab_uri hsm2 root)" >/dev/null &&
        ca-sign -c "$LAB/etc/root.yaml" --self-signed --profile root --subject 'CN=Lab root' >"$LAB/pki/root.pem" &&
        lab_unit ca hsm2 sub-ca 'CN=Lab ca' root &&
        lab_unit attach-1 hsm3 attach CN=attach-1 &&
        lab_unit verify-unit-1 hsm1 verify-unit CN=verify-unit-1 &&
        lab_unit ra-approve-1 hsm2 ra-approve CN=ra-approve-1 &&
        lab_unit ca-sign-1 hsm2 ca-sign 'CN=Lab ca'
}

lab_config() { # UNIT TOKEN: what every unit says
    cat <<END
key: $(lab_uri "$2" "$1-1")
certificate: ../pki/$1-1.pem
trust: ../pki/root.pem
unit-ca: ../pki/ca.pem
ledger: ../var/$1.db
END
}

lab_lots() {
    cat <<END
lots:
  - name: open
    profile: tls-client
    owner: Lab
    devices: any
    verify-units: verify-unit-1
  - name: listed
    profile: tls-client
    owner: Lab
    devices: devices.csv
    verify-units: verify-unit-1
  - name: bare
    profile: tls-client
    owner: Lab
    devices: any
    pop: witness
    verify-units: verify-unit-1
END
}

lab_configs() {
    local etc=$LAB/etc
    {
        echo serial
        printf 'A%d\n' 1 2 3 4 5 6 7 8 9
    } >"$etc/devices.csv"
    lab_lots >"$etc/lots.yaml"
    {
        lab_config attach hsm3
        printf 'to: verify-unit-1\nlots: lots.yaml\nchain:\n  above: verify-unit-1\n'
    } >"$etc/attach.yaml"
    {
        lab_config verify-unit hsm1
        printf 'lots: lots.yaml\nbare-keys: yes\nchain:\n  below: attach-1\n  above: ra-approve-1\n'
    } >"$etc/verify-unit.yaml"
    {
        lab_config ra-approve hsm2
        printf 'lots: lots.yaml\nbare-keys: yes\nchain:\n  below: verify-unit-1\n  above: Lab ca\n'
    } >"$etc/ra-approve.yaml"
    {
        lab_config ca-sign hsm2
        printf 'lots: lots.yaml\nbare-keys: yes\nissuer:\n  key: %s\n  certificate: ../pki/ca.pem\n' \
            "$(lab_uri hsm2 ca)"
        printf 'chain:\n  - attach: attach-1\n    verify-unit: verify-unit-1\n    ra-approve: ra-approve-1\n'
        printf '    lots: [open, listed, bare]\n'
    } >"$etc/ca-sign.yaml"
}

lab_make() { # DIR
    mkdir -p "$1" && lab_use "$(cd "$1" && pwd)" && lab_tokens && lab_pki && lab_configs
}

lab_fresh() {
    rm -f "$LAB"/var/{attach,verify-unit,ra-approve,ca-sign}.db*
}

# shellcheck disable=SC2120 # tests pass options
lab_up() {
    case " $* " in
    *" --lot "*) attach -c "$LAB/etc/attach.yaml" "$@" ;;
    *) attach -c "$LAB/etc/attach.yaml" --lot open "$@" ;;
    esac
}

lab_middle() {
    verify-unit -c "$LAB/etc/verify-unit.yaml" --up | ra-approve -c "$LAB/etc/ra-approve.yaml" --up |
        ca-sign -c "$LAB/etc/ca-sign.yaml" | ra-approve -c "$LAB/etc/ra-approve.yaml" --down |
        verify-unit -c "$LAB/etc/verify-unit.yaml" --down
}

lab_down() {
    attach -c "$LAB/etc/attach.yaml" "$@"
}

lab_line() {
    # shellcheck disable=SC2119 # the options are the last attach's
    lab_up | lab_middle | lab_down "$@"
}

lab_key() { # ID: the file of its key, made where missing
    local file=$LAB/keys/$1.key
    [ -e "$file" ] || openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$file"
    echo "$file"
}

lab_requests() {
    local id
    for id; do
        csr-make --key "$(lab_key "$id")" --subject "serialNumber=$id,O=Lab"
    done
}

lab_keys() {
    local id
    for id; do
        csr-make --key "$(lab_key "$id")" --public-key --subject "serialNumber=$id,O=Lab"
    done
}
