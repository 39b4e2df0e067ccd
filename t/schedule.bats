# When a certificate is due: the arithmetic of dates, zones, lifetimes and jitter, and the errors of a schedule.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    BUILD=${BUILD:-build}
    make -s BUILD="$BUILD" "$BUILD"/t/schedule-test || return
    BUILD=$(realpath "$BUILD")
    export BUILD PATH=$BUILD/bin:$BUILD/t:$PATH
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    unset TZ
}

LONG="2020-01-01 2040-01-01"

schedule() { echo "renew: $1" >s.yaml; }
# due SCHEDULE NOT-BEFORE NOT-AFTER SINCE WANTED
due() {
    schedule "$1"
    run -0 schedule-test s.yaml "$2" "$3" "$4"
    [ "$output" = "$5" ] || { echo "$1 $2 $3 $4: $output instead of $5" && false; }
}
# bad SCHEDULE LINE:COLUMN WHY
bad() {
    schedule "$1"
    run -2 schedule-test s.yaml
    [ "$output" = "schedule-test: s.yaml:$2: $3" ] || { echo "$output" && false; }
}

@test "never is never, whatever the life" {
    due never 2020-01-01 2021-01-01 2020-01-01 never
}

@test "a date and time is due once, and not again for a certificate that was put to use behind it" {
    due '{at: "2027-05-06T07:08:09Z"}' $LONG 2026-01-01 2027-05-06T07:08:09Z
    due '{at: "2027-05-06T07:08:09Z"}' $LONG 2027-05-06T07:08:08Z 2027-05-06T07:08:09Z
    due '{at: "2027-05-06T07:08:09Z"}' $LONG 2027-05-06T07:08:09Z 2039-12-31T00:00:00Z
    due '{at: "2027-05-06T07:08:09"}' $LONG 2026-01-01 2027-05-06T07:08:09Z
}

@test "a date and time of a zone follows the device's zone, its gaps and its doubles" {
    export TZ=Europe/Berlin
    due '{at: "2027-05-06T07:08:09", zone: local}' $LONG 2026-01-01 2027-05-06T05:08:09Z
    due '{at: "2027-03-28T02:30:00", zone: local}' $LONG 2026-01-01 2027-03-28T01:00:00Z
    due '{at: "2027-10-31T02:30:00", zone: local}' $LONG 2026-01-01 2027-10-31T00:30:00Z
    due '{at: "2027-05-06T07:08:09Z", zone: local}' $LONG 2026-01-01 2027-05-06T07:08:09Z
}

@test "a date alone is midnight of the zone" {
    export TZ=Europe/Berlin
    due '{at: 2027-05-06, zone: local}' $LONG 2026-01-01 2027-05-05T22:00:00Z
    due '{at: 2027-05-06}' $LONG 2026-01-01 2027-05-06T00:00:00Z
    bad '{at: 2027-02-30, zone: local}' 1:13 'there is no such day'
}

@test "a number without a unit is refused, whoever may have meant days" {
    bad '{before: 30}' 1:17 '"before" needs a unit: 30d, 30h'
    bad '{every: 90}' 1:16 '"every" needs a unit: 90d, 90h'
    bad '{before: 30d, jitter: 12}' 1:30 '"jitter" needs a unit: 12d, 12h'
}

@test "so long before the end of validity" {
    due '{before: 30d}' 2026-01-01 2027-01-01 2026-01-01 2026-12-02T00:00:00Z
    due '{before: 90m}' 2026-01-01 2026-01-02 2026-01-01 2026-01-01T22:30:00Z
}

@test "a certificate that lives no longer than that is due after two thirds of its life, not at once" {
    due '{before: 30d}' 2026-01-01T00:00:00Z 2026-01-01T01:00:00Z 2026-01-01 2026-01-01T00:40:00Z
    due '{before: 30d}' 2026-01-01 2026-01-31 2026-01-01 2026-01-21T00:00:00Z
    due '{before: 30d}' 2026-01-01 2026-02-01 2026-01-01 2026-01-02T00:00:00Z
}

@test "a fraction of the lifetime, from one hour to fifty years and to 99991231235959Z" {
    due '{fraction: 2/3}' 2026-01-01T00:00:00Z 2026-01-01T01:00:00Z 2026-01-01 2026-01-01T00:40:00Z
    due '{fraction: 1/2}' 2026-01-01 2076-01-01 2026-01-01 2051-01-01T00:00:00Z
    due '{fraction: 999/1000}' 2026-01-01 max 2026-01-01 9992-01-10T13:22:03Z
    due '{before: 30d}' 2026-01-01 max 2026-01-01 9999-12-01T23:59:59Z
    due '{every: 90d}' 2026-01-01 max 2026-01-01 2026-04-01T00:00:00Z
    due '{monthly: 31}' 2026-01-01 max 2026-04-05 2026-04-30T00:00:00Z
}

@test "every so long is reckoned from when it was put to use" {
    due '{every: 90d}' $LONG 2026-01-15 2026-04-15T00:00:00Z
    due '{every: 1h}' $LONG 2026-01-15T10:11:12Z 2026-01-15T11:11:12Z
}

@test "the 31st of a shorter month is its last day, in February with and without a leap day" {
    due '{monthly: 31}' $LONG 2027-01-31T00:00:00Z 2027-02-28T00:00:00Z
    due '{monthly: 31}' $LONG 2028-01-31T00:00:00Z 2028-02-29T00:00:00Z
    due '{monthly: 30}' $LONG 2027-02-01 2027-02-28T00:00:00Z
    due '{monthly: 29}' $LONG 2028-02-01 2028-02-29T00:00:00Z
    due '{monthly: 31}' $LONG 2027-03-31T00:00:00Z 2027-04-30T00:00:00Z
    due '{monthly: 31}' $LONG 2027-12-31T00:00:00Z 2028-01-31T00:00:00Z
    due '{monthly: 1, time: "23:59"}' $LONG 2027-12-01T23:58:59Z 2027-12-01T23:59:00Z
    due '{monthly: 1, time: "23:59"}' $LONG 2027-12-01T23:59:00Z 2028-01-01T23:59:00Z
}

@test "a century is no leap year, the year 2000 and 2400 are" {
    due '{monthly: 31}' 2000-01-01 max 2000-02-01 2000-02-29T00:00:00Z
    due '{monthly: 31}' 2020-01-01 max 2100-02-01 2100-02-28T00:00:00Z
    due '{monthly: 31}' 2020-01-01 max 2400-02-01 2400-02-29T00:00:00Z
}

@test "a date each year; 29 February is the 28th in a common year" {
    due '{yearly: "12-31"}' $LONG 2027-12-31T00:00:00Z 2028-12-31T00:00:00Z
    due '{yearly: "12-31"}' $LONG 2027-12-30T23:59:59Z 2027-12-31T00:00:00Z
    due '{yearly: "02-29"}' $LONG 2026-03-01 2027-02-28T00:00:00Z
    due '{yearly: "02-29"}' $LONG 2027-03-01 2028-02-29T00:00:00Z
    due '{yearly: "02-29", time: "12:30"}' $LONG 2028-02-29T12:30:00Z 2029-02-28T12:30:00Z
}

@test "without a zone it is UTC, whatever the device's zone" {
    TZ=Australia/Lord_Howe due '{monthly: 15, time: "02:30"}' $LONG 2027-01-01 2027-01-15T02:30:00Z
    TZ=Australia/Lord_Howe due '{monthly: 15, time: "02:30", zone: local}' $LONG 2027-01-01 2027-01-14T15:30:00Z
}

@test "Berlin: a time that is left out is the first instant behind the gap, one that comes twice is the first" {
    export TZ=Europe/Berlin
    due '{monthly: 28, time: "02:30", zone: local}' $LONG 2027-03-01 2027-03-28T01:00:00Z
    due '{monthly: 28, time: "01:59", zone: local}' $LONG 2027-03-01 2027-03-28T00:59:00Z
    due '{monthly: 28, time: "03:00", zone: local}' $LONG 2027-03-01 2027-03-28T01:00:00Z
    due '{monthly: 31, time: "02:30", zone: local}' $LONG 2027-10-01 2027-10-31T00:30:00Z
    due '{monthly: 31, time: "03:00", zone: local}' $LONG 2027-10-01 2027-10-31T02:00:00Z
}

@test "Berlin: after the first of two there is not a second renewal" {
    TZ=Europe/Berlin due '{monthly: 31, time: "02:30", zone: local}' $LONG 2027-10-31T00:30:00Z 2027-11-30T01:30:00Z
    TZ=Europe/Berlin due '{monthly: 31, time: "02:30", zone: local}' $LONG 2027-10-31T01:00:00Z 2027-11-30T01:30:00Z
}

@test "New York: the same" {
    export TZ=America/New_York
    due '{yearly: "03-14", time: "02:30", zone: local}' $LONG 2027-01-01 2027-03-14T07:00:00Z
    due '{yearly: "11-07", time: "01:30", zone: local}' $LONG 2027-01-01 2027-11-07T05:30:00Z
}

@test "Lord Howe, which shifts by half an hour: the same" {
    export TZ=Australia/Lord_Howe
    due '{yearly: "10-03", time: "02:15", zone: local}' $LONG 2027-01-01 2027-10-02T15:30:00Z
    due '{yearly: "04-04", time: "01:45", zone: local}' $LONG 2027-01-01 2027-04-03T14:45:00Z
}

@test "Samoa left out a whole day: its noon is the first instant of the next one" {
    TZ=Pacific/Apia due '{monthly: 30, time: "12:00", zone: local}' 2010-01-01 2020-01-01 2011-12-01 2011-12-30T10:00:00Z
}

@test "whatever the dates say, it is due a tenth of its life, at most a day, before its end" {
    due '{every: 90d}' 2026-01-01 2026-02-01 2026-01-01 2026-01-31T00:00:00Z
    due '{monthly: 31}' 2026-01-01T00:00:00Z 2026-01-01T01:00:00Z 2026-01-01T00:00:00Z 2026-01-01T00:54:00Z
    due '{yearly: "12-31"}' 2026-01-01 2026-06-01 2026-01-01 2026-05-31T00:00:00Z
    due '{at: "2050-01-01T00:00:00Z"}' 2026-01-01 2027-01-01 2026-01-01 2026-12-31T00:00:00Z
}

@test "a certificate whose end lies before its beginning is due" {
    due '{before: 30d}' 2027-01-01 2026-01-01 2026-01-01 2027-01-01T00:00:00Z
    due '{fraction: 2/3}' 2027-01-01 2026-01-01 2026-01-01 2027-01-01T00:00:00Z
}

@test "jitter is the same for a device and purpose every time, and another for another" {
    schedule '{before: 30d, jitter: 12h}'
    run -0 schedule-test s.yaml 2026-01-01 2027-01-01 2026-01-01 dev-1 tls
    local first=$output
    [[ $first > 2026-12-01T23:59:59Z && $first < 2026-12-02T12:00:00Z ]]
    run -0 schedule-test s.yaml 2026-01-01 2027-01-01 2026-06-01 dev-1 tls
    [ "$output" = "$first" ]
    run -0 schedule-test s.yaml 2026-01-01 2027-01-01 2026-01-01 dev-2 tls
    [ "$output" != "$first" ]
    run -0 schedule-test s.yaml 2026-01-01 2027-01-01 2026-01-01 dev-1 ipsec
    [ "$output" != "$first" ]
    run -0 schedule-test s.yaml 2026-01-01 2027-01-01 2026-01-01 dev-1t ls
    [ "$output" != "$first" ]
}

@test "jitter spreads 10,000 devices evenly: no tenth of it differs from its share by more than 15 in 100" {
    schedule '{before: 30d, jitter: 12h}'
    run -0 schedule-test s.yaml spread 10000 2026-01-01 2027-01-01 2026-01-01
    [ "${#lines[@]}" -eq 10 ]
    local n
    for n in "${lines[@]}"; do
        [ "$n" -gt 850 ] && [ "$n" -lt 1150 ]
    done
}

@test "where jitter is longer than what is left, the fleet is spread over what is left, not gathered at its end" {
    schedule '{before: 2h, jitter: 12h}'
    run -0 schedule-test s.yaml spread 10000 2026-01-01T00:00:00Z 2026-01-01T10:00:00Z 2026-01-01
    local n
    for n in "${lines[@]}"; do
        [ "$n" -gt 850 ] && [ "$n" -lt 1150 ]
    done
}

@test "jitter never takes more than half of what is left" {
    local i
    for i in 1 2 3 4 5 6 7 8 9; do
        schedule '{before: 2h, jitter: 100d}'
        run -0 schedule-test s.yaml 2026-01-01T00:00:00Z 2026-01-01T10:00:00Z 2026-01-01 "dev-$i" tls
        [[ $output > 2026-01-01T07:59:59Z && $output < 2026-01-01T09:00:00Z ]]
        schedule '{monthly: 31, jitter: 100d}'
        run -0 schedule-test s.yaml 2026-01-01T00:00:00Z 2026-01-01T01:00:00Z 2026-01-01 "dev-$i" tls
        [[ $output > 2026-01-01T00:53:59Z && $output < 2026-01-01T00:57:00Z ]]
    done
    due '{before: 1s, jitter: 100d}' 2026-01-01T00:00:00Z 2026-01-01T10:00:00Z 2026-01-01 2026-01-01T09:59:59Z
}

@test "a schedule is told in words" {
    schedule never && run -0 schedule-test s.yaml && [ "$output" = never ]
    schedule '{before: 30d}' && run -0 schedule-test s.yaml && [ "$output" = "30d before the end" ]
    schedule '{every: 90m}' && run -0 schedule-test s.yaml && [ "$output" = "every 90m" ]
    schedule '{fraction: 2/3}' && run -0 schedule-test s.yaml && [ "$output" = "after 2/3 of the lifetime" ]
    schedule '{monthly: 31, time: "02:30", zone: local}' && run -0 schedule-test s.yaml
    [ "$output" = "on day 31 of each month, 02:30 local time" ]
    schedule '{yearly: "12-31"}' && run -0 schedule-test s.yaml
    [ "$output" = "each year on 12-31, 00:00 UTC" ]
    schedule '{at: "2027-01-31"}' && run -0 schedule-test s.yaml && [ "$output" = "at 2027-01-31T00:00:00Z" ]
}

@test "30 February is refused" {
    bad '{yearly: "02-30"}' 1:17 "month 2 never has 30 days"
    bad '{yearly: "04-31"}' 1:17 "month 4 never has 31 days"
    bad '{at: "2027-02-30T00:00:00"}' 1:13 "there is no such day"
    bad '{at: "2027-02-29T00:00:00"}' 1:13 "there is no such day"
    bad '{at: "2027-02-30"}' 1:13 'there is no such day'
    bad '{at: "2027-02-30T00:00:00Z"}' 1:13 'not a time such as "2027-01-31T02:30:00"'
}

@test "two ways at once are refused" {
    bad '{before: 30d, every: 90d}' 1:29 'two ways at once: "before" and "every"'
    bad '{yearly: "12-31", monthly: 1}' 1:17 'two ways at once: "monthly" and "yearly"'
}

@test "a negative number and what is out of bounds are refused" {
    local s
    for s in '{before: -30d}' '{before: 0d}' '{every: -1}' '{every: 59s}' '{monthly: -1}' '{monthly: 0}' \
        '{monthly: 32}' '{before: 101y}' '{before: 30d, jitter: -1h}' '{before: 99999999999999999999d}'; do
        schedule "$s"
        run -2 schedule-test s.yaml
        [[ $output == "schedule-test: s.yaml:1:"* ]]
    done
}

@test "what is no fraction, date or time of day is refused" {
    local why='not a part of the lifetime such as "2/3"'
    bad '{fraction: 3/2}' 1:19 "$why"
    bad '{fraction: 0/2}' 1:19 "$why"
    bad '{fraction: -1/2}' 1:19 "$why"
    bad '{fraction: 1/99999999999999999999}' 1:19 "$why"
    bad '{fraction: 0.5}' 1:19 "$why"
    why='not a date such as "12-31" (month, day)'
    bad '{yearly: "13-01"}' 1:17 "$why"
    bad '{yearly: "12-00"}' 1:17 "$why"
    bad '{yearly: "1-1"}' 1:17 "$why"
    bad '{yearly: "12-31-"}' 1:17 "$why"
    why='not a time of day such as "02:30"'
    bad '{monthly: 1, time: "24:00"}' 1:27 "$why"
    bad '{monthly: 1, time: "02:60"}' 1:27 "$why"
    bad '{monthly: 1, time: "2:30"}' 1:27 "$why"
}

@test "what does not go with the way is refused" {
    bad '{before: 30d, time: "02:30"}' 1:28 '"time" goes with monthly or yearly'
    bad '{before: 30d, zone: local}' 1:28 '"zone" goes with at, monthly or yearly'
    bad '{jitter: 1h}' 1:8 'when is missing: one of at, before, fraction, every, monthly, yearly; or the word never'
    bad sometimes 1:8 'a mapping, or the word never'
    schedule '{before: 30d, often: yes}'
    run -2 schedule-test s.yaml
    [[ $output == 'schedule-test: s.yaml:1:22: unknown key "often"'* ]]
}
