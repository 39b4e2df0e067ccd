bats_require_minimum_version 1.5.0
# bats file_tags=frame

# Programs that take certificates from the store's paths, each in a network of its own (nginx: t/renew-use.bats).

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build && renew_pki "$BATS_FILE_TMPDIR"
    PATH=$PATH:/usr/sbin
}

setup() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    cd "$BATS_TEST_TMPDIR" || return
}

# alone SCRIPT: in its own network, with its own /run
alone() {
    cat >script
    unshare -nm bash -c 'mount -t tmpfs tmpfs /run && ip link set lo up && . "$1/await.bash" && . "$0"' \
        "$PWD/script" "$BATS_TEST_DIRNAME" 3>&- 4>&-
}

@test "wpa_supplicant's EAP-TLS: the first certificate and the renewed one open the network" {
    renew_store '{before: 30d}'
    BEGIN=-6480000 renew_first
    pki_issue radius /CN=radius ca extendedKeyUsage=serverAuth
    cat "$PKI/radius.pem" "$PKI/ca.pem" >radius.pem
    echo '* TLS' >users
    echo '127.0.0.1/32 secret' >clients
    printf '%s\n' driver=none interface=none0 eap_server=1 "eap_user_file=$PWD/users" "ca_cert=$PKI/root.pem" \
        "server_cert=$PWD/radius.pem" "private_key=$PKI/radius.key" "radius_server_clients=$PWD/clients" \
        radius_server_auth_port=1812 >hostapd.conf
    cat >wpa.conf <<CONF
network={
    key_mgmt=IEEE8021X
    eap=TLS
    identity="dev"
    ca_cert="$PKI/root.pem"
    client_cert="$PWD/store/purpose/tls/fullchain.pem"
    private_key="$PWD/store/purpose/tls/key.pem"
}
CONF
    run -0 alone <<'SCRIPT'
hostapd hostapd.conf >hostapd.log 2>&1 &
await holds AP-ENABLED hostapd.log
asks() { eapol_test -c wpa.conf -a 127.0.0.1 -p 1812 -s secret -t 60 >"$1" && tail -n 1 "$1"; }
asks first.log
sed -i '/-----END/q' store/purpose/tls/fullchain.pem # without its issuer it is turned away
asks half.log || echo refused
cert-renew -c store.yaml
asks second.log
kill %1
SCRIPT
    [[ $output == $'SUCCESS\nrefused\ntls: '*' is in use, valid to '*$'\nSUCCESS' ]] || { echo "$output" && false; }
}

@test "strongSwan takes certificate, chain and key, and after a renewal the new ones by the hook" {
    mkdir -p swan/{private,x509,x509ca}
    ln -s "$PWD/store/purpose/tls/cert.pem" swan/x509/device.pem
    ln -s "$PWD/store/purpose/tls/chain.pem" swan/x509ca/device-ca.pem
    ln -s "$PWD/store/purpose/tls/key.pem" swan/private/device.pem
    cp "$PKI/root.pem" swan/x509ca
    : >swan/swanctl.conf
    renew_store '{before: 30d}' "    after: swanctl --load-creds --clear --noprompt --uri unix://$PWD/vici >loaded 2>&1"
    BEGIN=-6480000 renew_first
    printf '%s\n' 'charon {' 'load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey socket-default kernel-netlink vici' \
        'port = 0' 'port_nat_t = 0' "plugins { vici { socket = unix://$PWD/vici } }" '}' \
        'swanctl { load = pem pkcs1 pkcs8 x509 openssl random }' >strongswan.conf
    run -0 alone <<'SCRIPT'
export STRONGSWAN_CONF=$PWD/strongswan.conf SWANCTL_DIR=$PWD/swan
/usr/lib/ipsec/charon >charon.log 2>&1 &
await swanctl --stats --uri "unix://$PWD/vici" >stats 2>&1
# the serial number of the certificate that it has the key of, and where it leads
has() {
    swanctl --list-certs --type x509 --flag none --uri "unix://$PWD/vici" >"$1"
    grep -q 'has private key' "$1" && sed -n 's/ *serial: *//p' "$1" | tr -d :
    swanctl --list-certs --type x509 --flag ca --uri "unix://$PWD/vici" | grep -c 'subject: '
}
swanctl --load-creds --noprompt --uri "unix://$PWD/vici" >first.log 2>&1
has first
cert-renew -c store.yaml >renewed
has second
kill %1
SCRIPT
    hex() { openssl x509 -in "$1" -noout -serial | cut -d= -f2 | tr 'A-F' 'a-f'; }
    [ "$output" = "$(hex tls.first)
2
$(hex store/purpose/tls/cert.pem)
2" ] || { echo "$output"; cat first.log loaded charon.log; false; }
}
