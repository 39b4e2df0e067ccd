# cert-renew from cron and systemd.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build
    renew_pki "$BATS_FILE_TMPDIR"
}

setup() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    cd "$BATS_TEST_TMPDIR" || return
}

@test "systemd finds nothing wrong with the units as they are installed" {
    make -s -C "$TOP" BUILD="$BUILD" install DESTDIR= PREFIX="$PWD/usr"
    run -0 grep -xF "ExecStart=$PWD/usr/bin/cert-renew" usr/lib/systemd/system/certline-renew.service
    cd usr/lib/systemd/system
    run -0 systemd-analyze verify --man=no ./certline-renew.timer ./certline-renew.service
    [ -z "$output" ]
    # Of 10: what is left is what hooks, tokens and the network need.
    run -0 systemd-analyze security --offline=yes --no-pager --threshold=35 ./certline-renew.service
    run -0 systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' certline-renew.timer)"
    cd "$BATS_TEST_TMPDIR"
    [ -x usr/bin/fleet-renew ]
    [ -e usr/share/doc/certline/examples/certline.cron ]
    make -s -C "$TOP" BUILD="$BUILD" uninstall DESTDIR= PREFIX="$PWD/usr"
    run -0 find usr -type f
    [ -z "$output" ]
}

@test "the line for cron is one that cron takes" {
    local minute rest
    read -r minute rest < <(grep -E '^[0-9]' "$TOP/scripts/certline.cron")
    [ "$minute" = 7,37 ]
    [[ $rest =~ ^'* * * * root cert-renew'(' '.*)?$ ]]
    renew_store
    renew_first
    run -0 bash -c "${rest#'* * * * root '} -c store.yaml"
    [ -z "$output" ]
}

@test "two runs do not meet: the second ends with 4 and enrols nothing" {
    local pid
    renew_store
    BEGIN=-8640000 renew_first tls 9072000 # five days are left
    mkfifo go
    printf '#!/bin/sh\necho >>asked\ncat go >&2\nexec issue\n' >enroll
    renew >first 2>&1 3>&- &
    pid=$!
    await test -e asked
    run -4 renew
    [[ $output == *"store/.renew.lock: another cert-renew is at work" ]]
    let_go go
    ended 0 $pid
    [ "$(wc -l <asked)" -eq 1 ]
    grep -q ' is in use, valid to ' first
    whole
    # And nothing of it stays locked.
    run -0 renew
}
