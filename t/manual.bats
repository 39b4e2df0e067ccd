# The manual as a whole: what it refers to is there.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup() {
    cd "$BATS_TEST_DIRNAME/.." || return
}

@test "every page that a page refers to exists" {
    local name section
    while read -r name section; do
        [ -e "man/$name.$section" ] || [[ $name.$section =~ ^(cp|iconv|regex|cron|crontab|openssl|rename|sh|sqlite3|ssh|systemd)\.[12578]$ ]] ||
            { echo "$name($section) is missing" && return 1; }
    done < <(sed -n 's/.*Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' man/*)
}

@test "certline(7) names every program and every file format" {
    local page
    for page in cmd/*.c man/*.5; do
        page=${page##*/}
        run -0 grep -qE "^\.(It )?Xr ${page%.*} " man/certline.7
    done
}

@test "every page of a program tells its exit status, examples, standards and what to see" {
    local page section
    for page in man/*.1; do
        for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO' STANDARDS; do
            grep -qx "\.Sh $section" "$page" || { echo "$page: $section" && return 1; }
        done
    done
}

@test "the README names every program" {
    local program
    for program in cmd/*.c; do
        program=${program##*/}
        run -0 grep -qF "\`${program%.c}\`" README.md
    done
}
