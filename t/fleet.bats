# fleet-renew: many devices at once. Each host is a store of its own; a command of the test stands for ssh, and at the
# end it is ssh.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build
    renew_pki "$BATS_FILE_TMPDIR"
    PATH=$TOP/scripts:$PATH
    mkdir "$BATS_FILE_TMPDIR/due" && cd "$BATS_FILE_TMPDIR/due"
    renew_store && BEGIN=-8640000 renew_first tls 9072000 # five days are left
    cp -r . ../fine && cd ../fine
    renew
    cat >"$BATS_FILE_TMPDIR/bin/reach" <<'END'
#!/bin/bash
# reach HOST COMMAND, as ssh would; a host with a script "says" answers with that.
cd "hosts/$1" 2>/dev/null || { echo "ssh: connect to host $1 port 22: Connection refused" >&2; exit 255; }
echo "+ $1" >>../../log
if [ -e says ]; then bash ./says "$2"; else sh -c "$2"; fi
rc=$?
echo "- $1" >>../../log
exit $rc
END
    chmod +x "$BATS_FILE_TMPDIR/bin/reach"
}

setup() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    cd "$BATS_TEST_TMPDIR" || return
    mkdir hosts tmp
    TMPDIR=$PWD/tmp
    export TMPDIR
}

host() { # due|fine NAME...
    local name
    for name in "${@:2}"; do cp -r "$BATS_FILE_TMPDIR/$1" "hosts/$name"; done
}

says() { # NAME, and on stdin what it does for the command $1
    mkdir -p "hosts/$1"
    cat >"hosts/$1/says"
}

fleet() { fleet-renew --ssh reach --config store.yaml "$@" </dev/null; }

result() { # HOST: its result, from the JSON in $output
    jq -r --arg host "$1" 'select(.host == $host) | [.result, .status, .renewed] | @tsv' <<<"$output" | tr '\t' '|'
}

serial() { openssl x509 -in "hosts/$1/store/purpose/tls/cert.pem" -noout -serial; }

row() { # a certificate as cert-list would show it, with these fields changed: jq's filter
    jq -nc '{name: "x", state: "due", purposes: ["tls"], serial: "0A", notBefore: "2026-01-01T00:00:00Z",
        notAfter: "2027-01-01T00:00:00Z"} | '"$1"
}

@test "what is due is shown, and nothing is done, where no person can be asked" {
    host due a
    host fine b
    local before name number
    before=$(serial a)
    run -1 --separate-stderr fleet a b
    name=$(cat hosts/a/tls.name)
    number=$(cd hosts/a && cert-list -c store.yaml --json "$name" | jq -r '[.serial, .notBefore, .notAfter] | join(" +")')
    grep -qE "^a +$name +$number +due\$" <<<"$output"
    grep -qE '^a +due +1 +0$' <<<"$output"
    grep -qE '^b +nothing due +0 +0$' <<<"$output"
    [ -z "$stderr" ]
    [ "$(serial a)" = "$before" ]
}

@test "a fleet with nothing due ends with 0" {
    host fine a b
    run -0 fleet a b
    run -0 fleet --yes --json a b
    [ "$(result a)" = 'nothing due|0|0' ]
}

@test "with --yes each host renews what is due" {
    host due a b
    host fine c
    printf '# the fleet\n a \nb # second\n\nc' >fleet.txt
    local before
    before=$(serial a)
    run -0 fleet --yes --json fleet.txt
    [ "$(result a)" = 'renewed|0|1' ]
    [ "$(result b)" = 'renewed|0|1' ]
    [ "$(result c)" = 'nothing due|0|0' ]
    [ "$(jq -r .host <<<"$output" | xargs)" = 'a b c' ]
    [ "$(serial a)" != "$before" ]
    (cd hosts/a && whole)
    run -0 fleet fleet.txt
    [ -z "$(ls tmp)" ]
}

@test "a person at the terminal is asked" {
    host due a
    local before
    before=$(serial a)
    run -1 env SHELL=/bin/sh script -qec 'fleet-renew --ssh reach -c store.yaml a' /dev/null <<<n
    [[ $output == *'asked 0 of 1'* ]]
    [[ $output == *'renew there (hosts: 1)? [y/N]'* ]]
    [ "$(serial a)" = "$before" ]
    run -0 env SHELL=/bin/sh script -qec 'fleet-renew --ssh reach -c store.yaml a' /dev/null <<<y
    [ "$(serial a)" != "$before" ]
}

@test "one host that fails leaves the others alone, and ends the run with 1" {
    host due a b
    printf '#!/bin/sh\necho "no more licences" >&2\nexit 9\n' >hosts/a/enroll
    run -1 fleet --yes --json a b nowhere
    [ "$(result a)" = 'refused|1|0' ]
    [ "$(result b)" = 'renewed|0|1' ]
    [ "$(result nowhere)" = 'unreachable|255|0' ]
    run -1 fleet --yes nowhere b
    grep -qE '^nowhere +unreachable +255 +0 +ssh: connect to host nowhere port 22: Connection refused$' <<<"$output"
    # What waits after a failure is not said to be done.
    run -1 fleet --yes --json a
    [ "$(result a)" = 'not renewed|0|0' ]
}

@test "an enrolment that is pending is not said to be done" {
    host due a
    printf '#!/bin/sh\nexit 4\n' >hosts/a/enroll
    run -1 fleet --yes --json a
    [ "$(result a)" = 'not yet|4|0' ]
}

@test "a host without the programs, or without its configuration, fails" {
    says a <<<'exit 127'
    mkdir hosts/b
    run -1 fleet --yes --json a b
    [ "$(result a)" = 'failed|127|0' ]
    [ "$(result b)" = 'failed|2|0' ]
    [[ $(jq -r 'select(.host == "b").why' <<<"$output") == 'cert-list: '*store.yaml* ]]
}

@test "a host that never ends is given up after the timeout" {
    host fine b
    says a <<<'sleep 600'
    run -1 timeout 120 fleet-renew --ssh reach -c store.yaml --json -t 15s a b
    [ "$(result a)" = 'timed out|124|0' ]
    [ "$(result b)" = 'nothing due|0|0' ]
}

@test "N hosts at a time, and never more" {
    local i
    for i in 1 2 3 4 5 6; do
        # The first three can only end together.
        says "h$i" <<'END'
touch ../../here.$$
for i in {1..2400}; do
    set -- ../../here.*
    [ $# -lt 3 ] || { sleep 0.2; exit 0; }
    sleep 0.05
done
exit 3
END
    done
    run -0 fleet -j 3 h1 h2 h3 h4 h5 h6
    [ "$(awk '{ n += $1 == "+" ? 1 : -1; if (n > most) most = n } END { print most, NR }' log)" = '3 12' ]
}

@test "a name that is no host's is refused before anything is run" {
    local name
    host fine a
    for name in '-oProxyCommand=x' 'a;touch pwned' $'a\e[31m' 'a b' '$(touch pwned)' 'x@-a' "$(printf 'a%.0s' {1..256})"; do
        run -2 --separate-stderr fleet -- a "$name"
        [[ $stderr == *': not the name of a host' ]]
        [[ $stderr != *$'\e'* ]]
    done
    printf 'a\nb\tc\n' >fleet.txt
    run -2 --separate-stderr fleet fleet.txt
    [ "$stderr" = 'fleet-renew: fleet.txt:2: b?c: not the name of a host' ]
    [ ! -e log ]
    [ ! -e pwned ]
}

@test "the name of the configuration is one word on the host" {
    host due a
    run -1 fleet-renew --ssh reach --yes --json --config "it's; touch pwned \$(touch pwned)" a </dev/null
    [ "$(result a)" = 'failed|2|0' ]
    [ ! -e hosts/a/pwned ]
    run -0 fleet-renew --ssh reach --yes --json --command 'cd ../a &&' --config store.yaml a </dev/null
    [ "$(result a)" = 'renewed|0|1' ]
}

@test "what is not JSON, or not a certificate's, never reaches the terminal" {
    local i=0 filter
    says text <<<'printf "\e]0;owned\a all is well\n"'
    says half <<<'printf "%s" "{\"name\":"; exit 1'
    says deep <<<'printf "[%.0s" {1..100000}; exit 1'
    says list <<<'echo "[]"; exit 1'
    for filter in '.name = "\u001b[31m"' '.name = "../x"' '.name = "x\n"' '.serial = 10' '.serial = "0A\u0007"' \
        '.notAfter = "never"' '.state = "in use"' '.purposes = "tls"' 'del(.name)'; do
        i=$((i + 1))
        says "bad$i" <<<"echo '$(row "$filter")'; exit 1"
    done
    run -1 --separate-stderr fleet --yes text half deep list bad{1..9}
    [ "$(grep -cE ' failed .* what it printed is no list of certificates$' <<<"$output")" -eq 13 ]
    run -1 grep -q '[^[:print:]]' <<<"$output$stderr"
}

@test "an error message is shown as one line of ASCII" {
    says a <<<'printf "first\nsudo: \e[2J\xc2\x9b31m\xe2\x80\xae a password is required\r\n" >&2; exit 1'
    run -1 --separate-stderr fleet a
    grep -qE '^a +failed +1 +0 +sudo: \?\[2J\?+31m\?+ a password is required$' <<<"$output"
    says b <<<'printf "%s\n" "a \"b\" \\ c" >&2; exit 1'
    run -1 fleet --json b
    [ "$(jq -r .why <<<"$output")" = 'a "b" \ c' ]
}

@test "an answer without end is cut" {
    says a <<<'yes'
    says b <<<'yes >&2'
    run -1 fleet --json a b
    [ "$(jq -r .why <<<"$output" | sort -u)" = 'an answer of more than 2097152 octets' ]
    says c <<<"for i in {1..5001}; do echo '$(row .)'; done; exit 1"
    run -1 fleet --json c
    [ "$(result c)" = 'failed|1|0' ]
}

@test "a report that a host makes up is counted, not shown" {
    says a <<END
case \$1 in
*cert-list*) echo '$(row .)'; exit 1 ;;
*) printf 'tls: x is in use, valid to \e[31m\nrubbish\0\e[2J\n' ;;
esac
END
    run -0 --separate-stderr fleet --yes a
    grep -qE '^a +renewed +0 +1$' <<<"$output"
    run -1 grep -q '[^[:print:]]' <<<"$output$stderr"
}

@test "a signal stops what runs, and says which hosts were not served" {
    local pid
    says a <<<'exec sleep 600'
    says b <<<'exit 0'
    fleet-renew --ssh reach --json -j 1 a b </dev/null >out 3>&- &
    pid=$!
    await test -e log
    kill -TERM $pid
    ended 1 $pid
    output=$(cat out)
    [ "$(result a)" = 'stopped||0' ]
    [ "$(result b)" = 'stopped||0' ]
    [ -z "$(ls tmp)" ]
}

@test "Ctrl-C at the terminal: what was begun is ended, all of it, and nothing is left over" {
    local i
    for i in 1 2 3; do says "h$i" <<<'flock hold sleep 4713 & flock held sleep 4713'; done
    # A shell's background job, as a file of tests may be one, ignores SIGINT, and so would all that it starts.
    { # what a person types; the terminal stays until the end
        timeout 60 bash -c 'until [ -e hosts/h1/held ] && [ -e hosts/h2/held ]; do sleep 0.05; done'
        printf '\003'
        timeout 60 bash -c 'until [ -e rc ]; do sleep 0.05; done'
    } | timeout 150 env --default-signal=INT,QUIT SHELL=/bin/sh script -qec 'trap : INT; fleet-renew --ssh reach --json -j 2 h1 h2 h3 >out; echo $? >rc' /dev/null >screen
    [ "$(cat rc)" -eq 1 ]
    [ "$(jq -r .result out | sort -u)" = stopped ]
    for i in h1/hold h1/held h2/hold h2/held; do flock -w 60 "hosts/$i" true; done
    [ ! -e hosts/h3/held ]
    [ -z "$(ls tmp)" ]
}

@test "usage" {
    run -0 --separate-stderr fleet-renew -h
    [ -z "$stderr" ]
    run -0 awk 'length > 80 { exit 1 }' <<<"$output"
    local option
    for option in $(grep -oE -- '--[a-z]+' <<<"$(fleet-renew -h)" | sort -u); do
        grep -qE "^\.It .*Fl -${option#--}( |\$)" "$TOP/man/fleet-renew.1"
    done
    run -2 fleet-renew
    run -2 fleet-renew -j 0 a
    run -2 fleet-renew --timeout soon a
    run -2 fleet-renew --yes=no a
    run -2 fleet-renew ./no-such-file
    run -2 fleet-renew --ssh
    run -4 fleet-renew --ssh no-such-program a
}

# --- ssh itself ---

server() { # NUMBER: sshd at 127.0.0.NUMBER for the store hosts/devNUMBER; 1 if somebody else has the port
    local n=$1
    [ -e "key.$n" ] || ssh-keygen -q -t ed25519 -N '' -f "key.$n"
    cat >"sshd.$n" <<END
Port $port
ListenAddress 127.0.0.$n
HostKey $PWD/key.$n
AuthorizedKeysFile $PWD/me.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv FLEET_HOST=$PWD/hosts/dev$n PATH=$PATH
END
    /usr/sbin/sshd -D -e -f "$PWD/sshd.$n" 2>"log.$n" 3>&- &
    servers+=($!)
    await holds 'Server listening\|Address already in use' "log.$n" || exit
    if holds 'already in use' "log.$n"; then return 1; fi
    echo "[127.0.0.$n]:$port $(cut -d' ' -f1,2 "key.$n.pub")" >>known
}

teardown() {
    [ -z "${servers[*]-}" ] || kill "${servers[@]}"
}

@test "over ssh: hosts that renew, one that is down, one that is not who it should be" {
    local i n port
    host due dev2 dev3 dev4
    # As root, sshd wants the folder that its package makes at boot.
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f me
    for ((i = 0; i < 20; i++)); do # others may use the same port
        port=$((20000 + RANDOM % 12000)) servers=()
        : >known
        if server 2 && server 3 && server 4; then break; fi
        kill "${servers[@]}" 2>/dev/null || :
    done
    sed -i "s/^\[127.0.0.4\]\(.*\) .*/[127.0.0.4]\1 $(cut -d' ' -f2 key.2.pub | sed 's,/,\\/,g')/" known
    for n in 2 3 4 5; do printf 'Host dev%d\n HostName 127.0.0.%d\n' $n $n; done >config
    printf '%s\n' 'Host *' " Port $port" " IdentityFile $PWD/me" ' IdentitiesOnly yes' ' StrictHostKeyChecking yes' \
        " UserKnownHostsFile $PWD/known" ' GlobalKnownHostsFile none' >>config
    run -1 fleet-renew --yes --json --ssh "ssh -T -F $PWD/config -o BatchMode=yes" --command 'cd "$FLEET_HOST" &&' \
        --config store.yaml dev2 dev3 dev4 dev5 </dev/null
    [ "$(result dev2)" = 'renewed|0|1' ]
    [ "$(result dev3)" = 'renewed|0|1' ]
    [ "$(result dev4)" = 'unreachable|255|0' ]
    [ "$(result dev5)" = 'unreachable|255|0' ]
    [ "$(jq -r 'select(.host == "dev4").why' <<<"$output")" = 'Host key verification failed.' ]
    (cd hosts/dev2 && whole)
}
