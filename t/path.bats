# Who is believed to be a unit: paths, roles, validity, revocation.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/path-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    . t/pki.bash
    pki_init "$BATS_FILE_TMPDIR/pki"
    pki_ca root "/CN=Root" root
    pki_ca ca "/CN=CA" root
    pki_ca sub "/CN=Sub CA" ca
    pki_unit a attach ca
    export PATH PKI ARC CMC_CA CMC_RA
}

setup() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    cd "$PKI"
}

# What becomes of one certificate: check NAME [STEP...]
check() {
    local name=$1
    shift
    run -0 path-test root.pem ca.pem "$@" now=1750000000 "unit=$name.pem"
}

leaf() { # NAME USAGES [as pki_issue]
    local name=$1 usages=$2
    shift 2
    pki_issue "$name" "/CN=$name" ca keyUsage=critical,digitalSignature \
        extendedKeyUsage="$usages" "$@"
}

@test "a certificate of each role is taken for that role" {
    pki_unit v verify-unit ca
    pki_unit r ra-approve ca
    pki_issue c "/CN=c" ca keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role ca-sign)"
    run -0 path-test root.pem ca.pem unit=a.pem unit=v.pem unit=r.pem unit=c.pem
    [ "${lines[0]}" = "attach a chain 2 key 256 2020-01-01T00:00:00Z 2040-01-01T00:00:00Z" ]
    [[ ${lines[1]} = "verify-unit v "* ]]
    [[ ${lines[2]} = "ra-approve r "* ]]
    [[ ${lines[3]} = "ca-sign c "* ]]
}

@test "ca-sign's message certificate may have the subject of the CA that issued it" {
    pki_issue same "/CN=CA" ca keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role ca-sign)"
    check same
    [[ $output = "ca-sign CA chain 2 "* ]]
}

@test "a message certificate in the bag does not stand in for the CA of the same name" {
    pki_issue twin "/CN=CA" ca keyUsage=critical,digitalSignature \
        extendedKeyUsage="$(pki_role ca-sign)"
    check a extra=twin.pem
    [[ $output = "attach a chain 2 "* ]]
}

@test "a certificate without a role is no unit's" {
    leaf norole clientAuth
    check norole
    [ "$output" = "certificate of norole names no role of a unit in its extended key usage" ]
}

@test "a certificate without extended key usage is no unit's" {
    pki_issue noeku /CN=noeku ca keyUsage=critical,digitalSignature
    check noeku
    [ "$output" = "certificate of noeku has no extended key usage, so it is no unit's" ]
}

@test "two roles in one certificate are refused" {
    leaf two "$ARC.1,$ARC.2"
    check two
    [ "$output" = "certificate of two names more than one role of a unit" ]
}

@test "a longer OID below a role's is not that role" {
    leaf longer "$ARC.1.1"
    check longer
    [ "$output" = "certificate of longer names no role of a unit in its extended key usage" ]
}

@test "anyExtendedKeyUsage beside a role is refused" {
    leaf any "$ARC.1,2.5.29.37.0"
    check any
    [ "$output" = "certificate of any has anyExtendedKeyUsage, a unit's must name its one role" ]
}

@test "other extended key usages are ignored" {
    leaf other "$ARC.1,clientAuth"
    check other
    [[ $output = "attach other "* ]]
}

@test "verify-unit and ra-approve must have cmcRA" {
    leaf v-bare "$ARC.2"
    check v-bare
    [ "$output" = "certificate of v-bare is for verify-unit and has no id-kp-cmcRA" ]
    leaf r-bare "$ARC.3"
    check r-bare
    [ "$output" = "certificate of r-bare is for ra-approve and has no id-kp-cmcRA" ]
}

@test "ca-sign must have cmcCA" {
    leaf c-bare "$ARC.4"
    check c-bare
    [ "$output" = "certificate of c-bare is for ca-sign and has no id-kp-cmcCA" ]
}

@test "cmcRA or cmcCA that the role does not have are refused" {
    leaf a-ra "$ARC.1,$CMC_RA"
    check a-ra
    [ "$output" = "certificate of a-ra is for attach and has also id-kp-cmcRA" ]
    leaf c-ra "$ARC.4,$CMC_CA,$CMC_RA"
    check c-ra
    [ "$output" = "certificate of c-ra is for ca-sign and has also id-kp-cmcRA" ]
    leaf v-ca "$ARC.2,$CMC_RA,$CMC_CA"
    check v-ca
    [ "$output" = "certificate of v-ca is for verify-unit and has also id-kp-cmcCA" ]
}

@test "another CA of the same name is not the unit CA" {
    pki_ca evilroot "/CN=Root" evilroot
    pki_ca evil "/CN=CA" evilroot
    pki_unit forged attach evil
    cat evil.pem evilroot.pem >evil.bag
    check forged extra=evil.bag
    [ "$output" = "certificate of forged does not lead to a root of the trust" ]
}

@test "another CA of the same name below the same root is not the unit CA" {
    pki_ca second "/CN=CA" root
    pki_unit misled attach second
    check misled extra=second.pem
    [ "$output" = "certificate of misled was not issued by the unit CA itself" ]
}

@test "a sub-CA of the unit CA can not make units" {
    pki_unit nephew attach sub
    check nephew extra=sub.pem
    [ "$output" = "certificate of nephew was not issued by the unit CA itself" ]
}

@test "the root can not make units when another CA is the unit CA" {
    pki_unit uncle attach root
    check uncle
    [ "$output" = "certificate of uncle was not issued by the unit CA itself" ]
}

@test "a unit can not make units" {
    pki_unit child attach a
    check child extra=a.pem
    [[ $output = "certificate of child "* ]]
    [[ $output != *chain* ]]
}

@test "without a unit CA the root itself issues the units" {
    pki_unit direct attach root
    run -0 path-test root.pem - unit=direct.pem extra=ca.pem unit=a.pem
    [[ ${lines[0]} = "attach direct chain 1 "* ]]
    [ "${lines[1]}" = "certificate of a was not issued by the unit CA itself" ]
}

@test "a changed certificate is refused" {
    openssl x509 -in a.pem -outform der -out a.der
    python3 -c 'd = bytearray(open("a.der", "rb").read()); d[-5] ^= 1; open("a.der", "wb").write(d)'
    openssl x509 -in a.der -inform der -out broken.pem
    check broken
    [ "$output" = "certificate of a bears a signature that its issuer did not make" ]
}

@test "an expired certificate is refused with its date" {
    pki_unit old attach ca from=20200101000000Z to=20240301120000Z
    check old
    [ "$output" = "certificate of old expired 2024-03-01T12:00:00Z" ]
}

@test "a certificate that is not valid yet is refused with its date" {
    pki_unit new attach ca from=20300101000000Z
    check new
    [ "$output" = "certificate of new is not valid before 2030-01-01T00:00:00Z" ]
}

@test "an expired CA is named" {
    pki_ca oldca "/CN=Old CA" root to=20240301120000Z
    pki_unit orphan attach oldca
    run -0 path-test root.pem oldca.pem now=1750000000 unit=orphan.pem
    [ "$output" = "certificate of orphan is below the CA CN=Old CA, whose certificate expired 2024-03-01T12:00:00Z" ]
}

@test "a certificate found good is not good any more once it has expired" {
    pki_unit brief attach ca to=20250615000000Z
    run -0 path-test root.pem ca.pem now=1749945599 unit=brief.pem now=1749945600 \
        unit=brief.pem now=1749945599 unit=brief.pem now=1500000000 unit=brief.pem
    [[ ${lines[0]} = "attach brief "* ]]
    [ "${lines[1]}" = "certificate of brief expired 2025-06-15T00:00:00Z" ]
    [[ ${lines[2]} = "attach brief "* ]]
    [[ ${lines[3]} = "certificate of brief "*"is not valid before 2020-01-01T00:00:00Z" ]]
}

@test "a certificate found good is not verified a second time" {
    # OpenSSL verifies nothing without allocating.
    run -0 path-test root.pem ca.pem same=a.pem
    [[ $output =~ ^"same "[1-9][0-9]{2,}" 0"$ ]]
}

@test "SHA-1 signatures are refused" {
    pki_unit sha1 attach ca md=sha1
    check sha1
    [ "$output" = "certificate of sha1 is signed with a digest weaker than SHA-256" ]
}

@test "an RSA key below 2048 bits is refused" {
    pki_key rsa1024 RSA -pkeyopt rsa_keygen_bits:1024
    pki_unit rsa1024 attach ca
    check rsa1024
    [ "$output" = "certificate of rsa1024 holds a key that is too short" ]
}

@test "a CA's certificate with a role is no unit's" {
    pki_issue caunit /CN=caunit ca basicConstraints=critical,CA:TRUE \
        keyUsage=critical,keyCertSign,digitalSignature extendedKeyUsage="$ARC.1"
    check caunit
    [ "$output" = "certificate of caunit is a CA's, not a unit's" ]
}

@test "keyUsage must be there and have digitalSignature" {
    pki_issue noku /CN=noku ca extendedKeyUsage="$ARC.1"
    check noku
    [ "$output" = "certificate of noku has no keyUsage" ]
    pki_issue encku /CN=encku ca keyUsage=critical,keyEncipherment extendedKeyUsage="$ARC.1"
    check encku
    [ "$output" = "certificate of encku has a keyUsage without digitalSignature" ]
    pki_issue crlku /CN=crlku ca keyUsage=critical,digitalSignature,cRLSign \
        extendedKeyUsage="$ARC.1"
    check crlku
    [ "$output" = "certificate of crlku has the keyUsage of a CA" ]
}

@test "ca-sign's keyUsage is digitalSignature and nothing else" {
    pki_issue cku /CN=cku ca keyUsage=critical,digitalSignature,keyAgreement \
        extendedKeyUsage="$(pki_role ca-sign)"
    check cku
    [ "$output" = "certificate of cku is for ca-sign and has more keyUsage than digitalSignature" ]
}

@test "a unit has one commonName, no more and no less" {
    pki_issue cn2 /CN=one/CN=two ca keyUsage=critical,digitalSignature extendedKeyUsage="$ARC.1"
    check cn2
    [[ $output = "certificate of "*" has a malformed commonName, or more than one" ]]
    pki_issue cn0 /O=nobody ca keyUsage=critical,digitalSignature extendedKeyUsage="$ARC.1"
    check cn0
    [ "$output" = "certificate of O=nobody has no commonName, which would be the unit's id" ]
}

@test "a NUL in the commonName is refused" {
    # The certificate's octets are changed after it was signed: the name is judged before the signature.
    pki_unit nul-unit attach ca
    openssl x509 -in nul-unit.pem -outform der -out nul.der
    LC_ALL=C sed 's/nul-unit/nul\x00unit/' nul.der >nul2.der
    openssl x509 -in nul2.der -inform der -out nul2.pem
    check nul2
    [[ $output = "certificate of "*" has a malformed commonName, or more than one" ]]
}

@test "a malformed certificate is refused" {
    { echo "-----BEGIN CERTIFICATE-----"; head -c 300 a.key | base64 -w 64
      echo "-----END CERTIFICATE-----"; } >rubbish.pem
    check rubbish
    [ "$output" = "the unit's certificate is malformed" ]
}

# --- CRLs

crls() { # a CRL of the root and one of the CA
    pki_crl root root.crl
    pki_crl ca ca.crl "$@"
}

@test "with CRLs a certificate that none of them names is good" {
    crls
    check a crl=root.crl crl=ca.crl
    [[ $output = "attach a "* ]]
}

@test "a revoked certificate is refused" {
    pki_unit gone attach ca
    crls -revoke gone
    check gone crl=root.crl crl=ca.crl
    [[ $output = "certificate of gone was revoked 20"*Z ]]
}

@test "a revoked unit CA is named" {
    pki_ca ca2 "/CN=CA 2" root
    pki_unit below2 attach ca2
    pki_crl root root2.crl -revoke ca2
    pki_crl ca2 ca2.crl
    run -0 path-test root.pem ca2.pem crl=root2.crl crl=ca2.crl now=1750000000 unit=below2.pem
    [[ $output = "certificate of below2 is below the CA CN=CA 2, whose certificate was revoked 20"*Z ]]
}

@test "a CRL past its nextUpdate fails closed" {
    pki_crl root root.crl
    pki_crl ca stale.crl 20200101000000Z 20240301120000Z
    check a crl=root.crl crl=stale.crl
    [ "$output" = "certificate of a cannot be checked: the CRL of CN=CA is past its nextUpdate 2024-03-01T12:00:00Z" ]
}

@test "a CRL that runs out while a unit works fails closed too" {
    pki_crl root root.crl
    pki_crl ca short.crl 20200101000000Z 20250615000000Z
    run -0 path-test root.pem ca.pem crl=root.crl crl=short.crl now=1749945599 unit=a.pem \
        now=1749945600 unit=a.pem
    [[ ${lines[0]} = "attach a "* ]]
    [[ ${lines[1]} = "certificate of a cannot be checked: the CRL of CN=CA is past its nextUpdate"* ]]
}

@test "every CA of the path needs its CRL" {
    crls
    check a crl=ca.crl
    [ "$output" = "certificate of a cannot be checked: no CRL of CN=Root is configured" ]
    check a crl=root.crl
    [ "$output" = "certificate of a cannot be checked: no CRL of CN=CA is configured" ]
}

@test "a CRL that is replaced while a unit works is seen at the next refresh" {
    pki_unit later attach ca
    pki_crl root root.crl
    pki_crl ca now.crl
    pki_crl ca next.crl -revoke later
    run -0 path-test root.pem ca.pem crl=root.crl crl=now.crl now=1750000000 unit=later.pem \
        refresh "run=mv next.crl now.crl" unit=later.pem refresh unit=later.pem refresh
    [[ ${lines[0]} = "attach later "* ]]
    [ "${lines[1]}" = "refresh 0" ]
    [[ ${lines[3]} = "attach later "* ]]
    [ "${lines[4]}" = "refresh 1" ]
    [[ ${lines[5]} = "certificate of later was revoked "* ]]
    [ "${lines[6]}" = "refresh 0" ]
}

@test "a CRL that is gone at a refresh is an error, and its successor is seen when it is there" {
    pki_unit fourth attach ca
    pki_crl root root.crl
    pki_crl ca d.crl
    pki_crl ca e.crl -revoke fourth
    run -0 --separate-stderr path-test root.pem ca.pem crl=root.crl crl=d.crl now=1750000000 \
        "run=rm d.crl" refresh "run=mv e.crl d.crl" refresh unit=fourth.pem
    [ "${lines[1]}" = "refresh -1" ]
    [ "$stderr" = "path-test: d.crl: No such file or directory" ]
    [ "${lines[3]}" = "refresh 1" ]
    [[ ${lines[4]} = "certificate of fourth was revoked "* ]]
}

# --- anchors

@test "a CRL of somebody else is a configuration error" {
    pki_ca stranger "/CN=Stranger" stranger
    pki_crl stranger stranger.crl
    run -2 path-test root.pem ca.pem crl=stranger.crl
    [ "$output" = "path-test: stranger.crl: signed neither by a root of the trust nor by the unit CA" ]
}

@test "a CRL signed by a namesake of the unit CA is a configuration error" {
    pki_ca namesake "/CN=CA" namesake
    pki_crl namesake namesake.crl
    run -2 path-test root.pem ca.pem crl=namesake.crl
    [ "$output" = "path-test: namesake.crl: signed neither by a root of the trust nor by the unit CA" ]
}

@test "a CRL signed with SHA-1 is a configuration error" {
    PKI_MD=sha1 pki_crl ca weak.crl
    run -2 path-test root.pem ca.pem crl=weak.crl
    [ "$output" = "path-test: weak.crl: signed with ecdsa-with-SHA1, SHA-256 or stronger is needed" ]
}

@test "a root that is not self-signed is a configuration error" {
    run -2 path-test ca.pem -
    [ "$output" = "path-test: ca.pem: certificate 1 is not self-signed" ]
}

@test "a self-signed certificate that is no CA's is not a root" {
    pki_issue selfleaf /CN=selfleaf selfleaf keyUsage=critical,digitalSignature
    run -2 path-test selfleaf.pem -
    [ "$output" = "path-test: selfleaf.pem: certificate 1 is not a CA's" ]
}

@test "a unit CA that leads to no root is a configuration error" {
    pki_ca lone "/CN=Lone" lone
    pki_ca lonesub "/CN=Lone sub" lone
    run -2 path-test root.pem lonesub.pem
    [[ $output = "path-test: lonesub.pem: does not lead to a root of the trust: "* ]]
}

@test "a unit CA below an intermediate brings it along in its file" {
    pki_unit deep attach sub
    cat sub.pem ca.pem >sub.chain
    run -0 path-test root.pem sub.chain unit=deep.pem
    [[ $output = "attach deep chain 3 "* ]]
    run -2 path-test root.pem sub.pem
}

@test "two roots need a unit CA" {
    pki_ca root2 "/CN=Root 2" root2
    cat root.pem root2.pem >both.pem
    run -2 path-test both.pem -
    [ "${lines[0]}" = "path-test: both.pem: holds 2 roots" ]
    [ "${lines[1]}" = "path-test: hint: unit-ca: must say which CA issues the units" ]
    run -0 path-test both.pem ca.pem unit=a.pem
    [[ $output = "attach a "* ]]
}

# --- CAs of devices

@test "the CA of a device's certificate must lead to a root" {
    pki_ca foreign "/CN=Foreign" foreign
    run -0 path-test root.pem ca.pem now=1750000000 ca=root.pem ca=ca.pem ca=sub.pem \
        ca=foreign.pem ca=a.pem
    [ "${lines[0]}" = "CA key 256" ]
    [ "${lines[1]}" = "CA key 256" ]
    [ "${lines[2]}" = "CA key 256" ]
    [ "${lines[3]}" = "certificate of CN=Foreign does not lead to a root of the trust" ]
    [ "${lines[4]}" = "certificate of CN=a is not a CA's" ]
}

@test "a unit and a CA are not taken for each other, though found good before" {
    run -0 path-test root.pem ca.pem ca=ca.pem unit=ca.pem unit=a.pem ca=a.pem
    [ "${lines[0]}" = "CA key 256" ]
    [ "${lines[1]}" = "certificate of CA was not issued by the unit CA itself" ]
    [[ ${lines[2]} = "attach a "* ]]
    [ "${lines[3]}" = "certificate of CN=a is not a CA's" ]
}
