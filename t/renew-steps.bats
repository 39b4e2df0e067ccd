bats_require_minimum_version 1.5.0

# Killed at any system call of a renewal, with keys in files: the purpose is whole, and the next run finishes the work.

setup_file() {
    . "$BATS_TEST_DIRNAME/pki.bash"
    . "$BATS_TEST_DIRNAME/renew.bash"
    . "$BATS_TEST_DIRNAME/steps.bash"
    steps_setup_file
}

setup() {
    . "$BATS_TEST_DIRNAME/renew.bash"
    . "$BATS_TEST_DIRNAME/steps.bash"
    steps_setup
}

@test "a new key in a file" {
    steps_store
    BEGIN=-6480000 renew_first
    cd ..
    each_state
}

@test "the same key in a file" {
    steps_store '    key: same'
    BEGIN=-6480000 renew_first
    cd ..
    each_state
    cmp work/tls.key work/store/purpose/tls/key.pem
}
