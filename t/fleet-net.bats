# fleet-renew over ssh, each host in a network namespace of its own: an address, a port 22, and a cable that can be pulled.
#
# Whoever runs this needs no rights: the desk is a network namespace, in a user namespace where one is needed, and the
# hosts are namespaces in it. Nothing of it has a name outside, and all of it ends with the processes.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build
    renew_pki "$BATS_FILE_TMPDIR"
    PATH=$TOP/scripts:$PATH:/usr/sbin:/sbin
    mkdir "$BATS_FILE_TMPDIR/due" && cd "$BATS_FILE_TMPDIR/due"
    renew_store && BEGIN=-8640000 renew_first tls 9072000 # five days are left
}

setup() {
    . "$BATS_TEST_DIRNAME/renew.bash"
    cd "$BATS_TEST_TMPDIR" || return
    mkdir hosts tmp
    export TMPDIR=$PWD/tmp
    ssh-keygen -q -t ed25519 -N '' -f me
    # As root, sshd wants the folder that its package makes at boot.
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    cat >config <<END
Host dev*
 IdentityFile $PWD/me
 IdentitiesOnly yes
 StrictHostKeyChecking yes
 UserKnownHostsFile $PWD/known
 GlobalKnownHostsFile none
 ServerAliveInterval 1
 ServerAliveCountMax 15
END
    cat >net <<'END'
# What runs at the desk: fleet, plug, unplug, host. Ends with it.
set -u
address() { echo "10.77.0.$1"; }

# host NUMBER: its store is hosts/devNUMBER, its key key.NUMBER, both already there
host() {
    local n=$1
    printf '%s\n' "ListenAddress $(address "$n")" "HostKey $PWD/key.$n" "AuthorizedKeysFile $PWD/me.pub" 'StrictModes no' \
        'UsePAM no' 'PidFile none' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' \
        'KbdInteractiveAuthentication no' "SetEnv FLEET_HOST=$PWD/hosts/dev$n PATH=$PATH" >"sshd.$n"
    setpriv --pdeathsig KILL unshare --net bash -c "
        : >apart.$n
        until ip addr add $(address "$n")/24 dev eth0; do sleep 0.05; done 2>/dev/null
        ip link set eth0 up
        exec $(command -v sshd) -D -e -f $PWD/sshd.$n" 2>"log.$n" &
    until [ -e "apart.$n" ]; do sleep 0.05; done
    ip link add "port$n" type veth peer name eth0 netns $! || return
    ip link set "port$n" master desk up
    until grep -q 'Server listening' "log.$n"; do
        kill -0 $! || { cat "log.$n" >&2; return 1; }
        sleep 0.05
    done
}
unplug() { ip link set "port$1" down; }
plug() { ip link set "port$1" up; }

fleet() {
    fleet-renew --ssh "ssh -T -F $PWD/config -o BatchMode=yes -o ConnectTimeout=30" --command 'cd "$FLEET_HOST" &&' \
        --config store.yaml "$@" </dev/null
}

ip link set lo up
ip link add desk type bridge && ip addr add "$(address 1)/24" dev desk && ip link set desk up || exit 9
END
    namespaces=(--net)
    [ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-current-user --keep-caps)
}

# known NUMBER [KEY]: a store for the host, a key, and that it is known by that key
known() {
    local n=$1
    cp -r "$BATS_FILE_TMPDIR/due" "hosts/dev$n"
    [ -e "key.$n" ] || ssh-keygen -q -t ed25519 -N '' -f "key.$n"
    echo "10.77.0.$n $(cut -d' ' -f1,2 "${2:-key.$n}.pub")" >>known
    printf 'Host dev%d\n HostName 10.77.0.%d\n' "$n" "$n" >>config
}

desk() { # what is to be done there, on stdin
    { cat net && cat; } >todo
    timeout 400 unshare "${namespaces[@]}" setpriv --pdeathsig KILL bash ./todo 3>&-
}

result() { # FILE HOST: its result there
    jq -r --arg host "$2" 'select(.host == $host) | [.result, .status, .renewed] | @tsv' "$1" | tr '\t' '|'
}

@test "hosts that renew, one that is off, one without a cable, one that is not who it should be" {
    for n in 2 3 4 6; do known $n; done
    known 5 key.2
    run -0 desk <<'END'
for n in 2 3 4 5; do host $n || exit; done
host 6 && unplug 6
fleet --yes --json -j 3 dev2 dev3 dev4 dev5 dev6 dev7 >first
echo "first $?"
plug 6
fleet --yes --json dev2 dev3 dev4 dev6 >second
echo "second $?"
END
    [[ $output == *'first 1
second 0' ]]
    for n in 2 3 4; do
        [ "$(result first dev$n)" = 'renewed|0|1' ]
        [ "$(result second dev$n)" = 'nothing due|0|0' ]
        (cd hosts/dev$n && whole)
    done
    for n in 5 6 7; do [ "$(result first dev$n)" = 'unreachable|255|0' ]; done
    [ "$(jq -r 'select(.host == "dev5").why' first)" = 'Host key verification failed.' ]
    [ "$(readlink hosts/dev5/store/purpose/tls)" = "../cert/$(cat hosts/dev5/tls.name)" ]
    [ "$(result second dev6)" = 'renewed|0|1' ]
    # Each in its namespace: none has an address of another, and this one has none.
    run -0 ip addr show to 10.77.0.0/24
    [ -z "$output" ]
    [ -z "$(ls tmp)" ]
}

@test "a cable that is pulled in the middle of a renewal: the host finishes it by itself, and the next round finds it done" {
    known 2
    known 3
    mkfifo hosts/dev3/go
    printf '#!/bin/sh\ntouch asked\ncat go >/dev/null\nexec issue\n' >hosts/dev3/enroll
    run -0 desk <<'END'
host 2 && host 3 || exit
fleet --yes --json dev2 dev3 >first &
fleet=$!
until [ -e hosts/dev3/asked ]; do sleep 0.05; done
unplug 3
wait $fleet
echo "first $?"
: >hosts/dev3/go
until [ -z "$(ls hosts/dev3/store/pending)" ]; do sleep 0.05; done
plug 3
fleet --json dev2 dev3 >second
echo "second $?"
END
    [[ $output == *'first 1
second 0' ]]
    [ "$(result first dev2)" = 'renewed|0|1' ]
    [ "$(result first dev3)" = 'unreachable|255|0' ]
    [ "$(result second dev3)" = 'nothing due|0|0' ]
    (cd hosts/dev3 && whole)
}
