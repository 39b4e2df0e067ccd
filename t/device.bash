# A device store for tests: a root, certificates of it, a store.yaml; all in the present folder.
#
#   device_build [TOOL...]         the programs, and these of the tests, in PATH; the file's own folder is the present one
#   device_copy FILE...            what the file made, and a test may change, in the test's own folder, the present one
#   device_lab                     three tokens, in lab (t/lib.bash); device_lab_use: the test's copy of them
#   device_pki                     root.pem
#   device_cert NAME [as pki_issue, without NAME and ISSUER...]
#   device_yaml [LINE...]          store.yaml: store, trust, device, and these lines
#   device_import NAME [OPTION...] NAME.pem and NAME.key come into the store as NAME
#   small_disk SIZE                a disk of its own, in the folder full; teardown: small_disk_gone

. "$(dirname "${BASH_SOURCE[0]}")/pki.bash"
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

device_build() { # TOOL-OF-THE-TESTS...
    lab_build "$@" && cd "$BATS_FILE_TMPDIR" || return
}

device_copy() { # FILE...
    (cd "$BATS_FILE_TMPDIR" && cp -r "$@" "$BATS_TEST_TMPDIR") && cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD
}

device_lab() { mkdir lab && lab_use "$PWD/lab" && lab_tokens; }
device_lab_use() {
    lab_use "$PWD/lab"
    sed -i "s,^directories.tokendir.*,directories.tokendir = $LAB/tokens," "$SOFTHSM2_CONF"
}

device_pki() {
    pki_init "$PWD" && pki_ca root /CN=Root root
}

device_cert() { # NAME [WORD...]
    local name=$1
    shift
    pki_issue "$name" "/CN=$name" root "$@"
}

device_yaml() {
    printf '%s\n' 'store: store' 'trust: root.pem' 'device: dev-1' 'wait: 1s' "$@" >store.yaml
}

device_import() { # NAME [OPTION...]
    local name=$1
    shift
    cert-import -c store.yaml --cert "$name.pem" --key "$name.key" --name "$name" "$@"
}

# What only root may do: an ordinary user does it by sudo, as scripts/setup.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
as_nobody() { as_root setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
small_disk() { # SIZE
    mkdir full && as_root mount -t tmpfs -o "size=$1,mode=755,uid=$(id -u),gid=$(id -g)" tmpfs full
}
small_disk_gone() {
    [ ! -d full ] || as_root umount full
}
