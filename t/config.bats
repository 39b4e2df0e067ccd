bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    make -s BUILD="${BUILD:-build}" "${BUILD:-build}/t/config-test"
    PATH=$(realpath "${BUILD:-build}")/t:$PATH
    export PATH
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# refused WHY [printf format]: the one line of the error, for c.yaml with this content.
refused() {
    [ $# = 1 ] || printf "$2" > c.yaml
    run -2 config-test c.yaml
    [ "${lines[0]}" = "config-test: c.yaml:$1" ] || { echo "$output"; return 1; }
}

@test "every type is read" {
    mkdir etc
    printf '%s\n' 'name: x' 'path: a/b' 'on: yes' 'mode: fast' 'count: 64' 'age: 1h' 'life: 20y' \
        'words: [a, "b c"]' 'files: [q, /abs]' 'more:' '  - a: {b: c}' '  - ~' '  - "é"' > etc/c.yaml
    run -0 config-test etc/c.yaml
    [ "$output" = 'name=x path=etc/a/b on=1 mode=1 count=64 age=3600 life=630720000
words[0]=a
words[1]=b c
files[0]=etc/q
files[1]=/abs
[{a={b=<c>}}<~><é>]' ]
}

@test "what is absent stays as it was" {
    echo 'name: x' > c.yaml
    run -0 config-test c.yaml
    [ "$output" = 'name=x path=- on=-1 mode=-1 count=-1 age=-1 life=-1' ]
}

@test "a plain scalar is text where a string is wanted" {
    for text in 12 true null 0x1F 2026-11-21 1.50; do
        echo "name: $text" > c.yaml
        run -0 config-test c.yaml
        [[ $output = "name=$text "* ]]
    done
}

@test "one string is a list of one" {
    printf 'name: x\nwords: one two\n' > c.yaml
    run -0 config-test c.yaml
    [ "${lines[1]}" = 'words[0]=one two' ]
}

@test "an unknown key is named, and the known ones with it" {
    refused '2:1: unknown key "nmae"' 'name: x\nnmae: y\n'
    [ "${lines[1]}" = 'config-test: hint: the keys here are name, path, on, mode, count, age, life, words, files, more' ]
}

@test "a repeated key is refused, at any depth" {
    refused '3:1: key "name" is repeated, it stands in line 1 already' 'name: x\non: yes\nname: x\n'
    refused '4:7: key "b" is repeated, it stands in line 3 already' 'name: x\nmore:\n  a: {b: 1,\n      b: 2}\n'
}

@test "a missing key is named" {
    refused '1:1: key "name" is missing' 'path: x\n'
}

@test "a wrong type is refused" {
    refused '1:7: "name" must be a string, not a list' 'name: [a]\n'
    refused '1:6: "name" must be a string, not empty' 'name:\n'
    refused '1:7: "name" must be a string, not empty' 'name: ""\n'
    refused '2:7: "path" must be a path, not a mapping' 'name: x\npath: {a: b}\n'
    refused '2:8: "words" must be a list of strings, not a mapping' 'name: x\nwords: {a: b}\n'
    refused '2:12: "words" must be a list of strings only, not a list' 'name: x\nwords: [a, [b]]\n'
    refused '1:1: a mapping must stand here, not a list' '[1, 2]\n'
    refused '1:1: a mapping must stand here, not a string' 'hello\n'
}

@test "a bad value is refused and the right ones are said" {
    refused '2:5: "on" must be true or false, not "maybe"' 'name: x\non: maybe\n'
    refused '2:5: "on" must be true or false without quotes, not "yes"' 'name: x\non: "yes"\n'
    refused '2:7: "mode" must be one of slow, fast, not "mid"' 'name: x\nmode: mid\n'
    for n in 0 65 -1 010 0x10 1e1 1.0 +1 99999999999999999999; do
        refused "2:8: \"count\" must be a whole number from 1 to 64, not \"$n\"" "name: x\ncount: $n\n"
    done
    refused '2:6: "age" must be a duration such as 90s, 15m, 24h, 30d, 2w or 20y, not "soon"' 'name: x\nage: soon\n'
    refused '2:6: "age" must be from 60 to 86400 seconds, not "59s"' 'name: x\nage: 59s\n'
    refused '2:6: "age" must be from 60 to 86400 seconds, not "2d"' 'name: x\nage: 2d\n'
    refused '2:7: "life" must be at least 1 seconds, not "0"' 'name: x\nlife: 0\n'
}

@test "anchors, aliases and tags are refused, and so alias bombs" {
    refused '1:7: anchors are not allowed' 'name: &a x\n'
    refused '1:7: aliases are not allowed' 'name: *a\n'
    refused '1:7: tags are not allowed' 'name: !!str x\n'
    refused '1:7: tags are not allowed' 'name: ! x\n'
    refused '1:4: anchors are not allowed' 'a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n'
    refused '1:1: unknown key "<<"' '<<: {name: x}\n'
}

@test "there is one document" {
    refused '2:1: only one document is allowed' 'name: x\n---\nname: y\n'
    refused '1:1: the file is empty' ''
    refused '1:1: the file is empty' '# nothing\n'
}

@test "depth, values and size have limits" {
    printf -v deep '%16s' ''
    echo "more: ${deep// /[}x${deep// /]}" > c.yaml
    refused '1:22: nested deeper than 16 levels'
    yes -- '- ' | head -100000 | tr -d '\n' > c.yaml
    refused '1:33: nested deeper than 16 levels'
    head -c 4000000 /dev/zero | tr '\0' '[' > c.yaml
    refused '1:17: nested deeper than 16 levels'
    yes -- '- x' | head -99999 > c.yaml
    refused '1:1: a mapping must stand here, not a list'
    yes -- '- x' | head -100000 > c.yaml
    refused '100000:3: more than 100000 values in one file'
    yes '# a line' | head -c 4194305 > c.yaml
    refused ' larger than 4194304 octets'
    run -2 config-test /dev/zero
    [ "$output" = 'config-test: /dev/zero: larger than 4194304 octets' ]
}

@test "many keys are read in no time" {
    seq -f 'k%.0f: v' 49000 > c.yaml
    run -0 bash -c 'ulimit -t 5; exec config-test -t c.yaml' # of a processor: others may use it, too
}

@test "broken UTF-8, other encodings and control characters are refused where they stand" {
    refused '2:7: invalid leading UTF-8 octet' 'name: x\nmore: \377\n'
    refused '2:9: invalid trailing UTF-8 octet' 'name: x\nmore: é\303(\n'
    refused '1:7: invalid length of a UTF-8 sequence' 'name: \300\257\n'
    refused '1:7: invalid Unicode character' 'name: \355\240\200\n'
    refused '1:7: incomplete UTF-8 octet sequence' 'name: \303'
    refused '2:8: control characters are not allowed' 'name: x\nmore: ä\001\n'
    refused '1:1: invalid leading UTF-8 octet' '\377\376n\000'
    refused '1:7: a NUL character in a string' 'name: "a\\0b"\n'
}

@test "a byte order mark is no error" {
    printf '\357\273\277name: x\n' > c.yaml
    run -0 config-test c.yaml
}

@test "what is not YAML is refused where it stops being it" {
    refused '2:6: mapping values are not allowed in this context' 'name: x\n  bad: [\n'
    refused '2:1: found unexpected end of stream while scanning a quoted scalar' 'name: "x\n'
    refused '2:1: found character that cannot start any token while scanning for the next token' 'name: x\n@a: b\n'
    refused '1:3: a key must be a string' '? [a]\n: b\n'
    refused '1:1: an empty key' '"": b\n'
}

@test "a file that cannot be read is named" {
    run -2 config-test none.yaml
    [ "$output" = 'config-test: none.yaml: No such file or directory' ]
    run -2 config-test .
    [ "$output" = 'config-test: .: not a file' ]
}

@test "what an error quotes cannot forge a line" {
    refused '1:1: unknown key "a\x0aconfig-test: b\x1b[2J"' '"a\\nconfig-test: b\\e[2J": c\n'
}
