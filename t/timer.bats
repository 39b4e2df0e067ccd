# cert-renew from cron and systemd.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    renew_build
    renew_pki "$BATS_FILE_TMPDIR"
    PATH=$PATH:/usr/sbin
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

# cron with an /etc of the test's own, in namespaces that end with it; its clock begins ahead of the minute and runs ten
# times as fast. Who is not root is root there, without the right to setgroups(2).
run_cron() { # UNTIL: a command
    local how=(--mount --pid --fork --kill-child)
    [ "$(id -u)" -eq 0 ] || how+=(--user --map-root-user)
    cat >in <<END
set -e
mount -t tmpfs run /run
mount -t tmpfs spool /var/spool/cron
mkdir /var/spool/cron/crontabs
mount --bind etc /etc
mount --bind "$BUILD/bin" /usr/local/bin
export LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1) FAKETIME_DONT_RESET=1 FAKETIME='@2026-11-22 12:06:00 x10'
exec strace -qq -f -o /dev/null -e trace=setgroups -e inject=setgroups:retval=0 cron -f -L 15
END
    unshare "${how[@]}" bash ./in 3>&- &
    cron=$!
    timeout 90 bash -c "until $1; do sleep 0.1; done"
}

teardown() {
    [ -z "${cron-}" ] || { kill -KILL "$cron"; wait "$cron"; } 2>/dev/null || :
}

@test "cron reads the file as it is and renews what is due at the minute that stands there" {
    renew_store '{before: 30d}' "    enroll: $BATS_FILE_TMPDIR/bin/issue"
    BEGIN=-6480000 renew_first
    mkdir etc
    cp -a /etc/. etc 2>/dev/null || : # what only root can read is not needed
    rm -rf etc/crontab etc/cron.d/* etc/certline
    install -m 644 "$TOP/scripts/certline.cron" etc/cron.d/certline
    mkdir etc/certline
    sed "s,^store: store,store: $PWD/store," store.yaml >etc/certline/store.yaml
    printf '%s required pam_permit.so\n' account session >etc/pam.d/cron
    sed -i 's,^root:.*,root:x:0:0:root:/:/bin/sh,' etc/passwd
    run -0 grep '^2-59/5 ' etc/cron.d/certline
    run_cron '[ "$(ls store/cert | wc -l)" -eq 2 ] && [ -z "$(ls store/pending)" ]'
    whole
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
