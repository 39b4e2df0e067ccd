# A device store for tests: a root, certificates of it, a store.yaml. To be sourced behind pki.bash, with the programs
# in PATH; all in the present folder.
#
#   device_pki                     root.pem
#   device_cert NAME [as pki_issue, without NAME and ISSUER...]
#   device_yaml [LINE...]          store.yaml: store, trust, device, and these lines
#   device_import NAME [OPTION...] NAME.pem and NAME.key come into the store as NAME

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
