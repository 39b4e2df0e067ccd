# What `make lint` and the completions promise: each check finds what is planted for it.
bats_require_minimum_version 1.5.0
# bats file_tags=frame

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return
    BUILD=${BUILD:-build}
    make -s BUILD="$BUILD" all
    BUILD=$(realpath "$BUILD")
    export BUILD
}

# A copy of the tree to plant faults in, with a build of its own.
setup() {
    cd "$BATS_TEST_DIRNAME/.." || return
    cp -r Makefile cmd libcommon man scripts "$BATS_TEST_TMPDIR"
    mkdir "$BATS_TEST_TMPDIR/t"
    cp -r t/fuzz t/*.c t/*.bats t/*.bash "$BATS_TEST_TMPDIR/t"
    cd "$BATS_TEST_TMPDIR" || return
}

# finds NAME-OF-LINT LINE...: it fails, and says each of these.
finds() {
    local line
    run -1 --separate-stderr "scripts/lint-$1"
    for line in "${@:2}"; do
        grep -qxF "lint-$1: $line" <<<"$stderr" || { echo "$stderr" && return 1; }
    done
}

@test "the layers, options and sizes are in order" {
    run -0 scripts/lint-layers
    run -0 scripts/lint-options
    run -0 scripts/lint-tree
}

@test "an upward include is refused" {
    echo '#include "hop.h"' >>libcommon/buf.c
    echo '# include "unit.h"' >>libcommon/cms.h
    finds layers 'libcommon/buf.c: includes hop.h, which stands above module buf' \
        'libcommon/cms.h: includes unit.h, which stands above module cms'
}

@test "a private header belongs to its module alone" {
    echo '#include "p11_priv.h"' >>libcommon/signer.c
    echo '#include "cms_priv.h"' >>cmd/attach.c
    finds layers 'libcommon/signer.c: includes p11_priv.h, which is private to module p11' \
        'cmd/attach.c: includes cms_priv.h, which is private to module cms'
}

@test "a file of no module is refused" {
    echo 'int helper;' >libcommon/helper.c
    echo '#include "helper.h"' >>libcommon/io.c
    finds layers "libcommon/helper.c: module helper is not in the Makefile's MODULES" \
        'libcommon/io.c: includes helper.h, which is no header of a module'
}

@test "an exported name starts with its module's" {
    mkdir -p b/lib
    echo 'int buf_ok; int loose(void); int loose(void) { return buf_ok; }' | gcc -xc -c -o b/lib/buf_more.o -
    BUILD=b finds layers 'b/lib/buf_more.o: exports loose, which does not start with buf'
    run -1 grep -F buf_ok <<<"$stderr"
}

@test "nothing built is no success" {
    mkdir b
    BUILD=b finds layers 'b/lib: no objects: build first'
    BUILD=b finds options 'attach: not built'
}

# A program of our own in place of hsm-keygen: what it prints for --list-options, and for -h.
fake() {
    mkdir -p b/bin
    cp "$BUILD"/bin/* b/bin
    printf '#!/bin/sh\ncase $1 in\n--list-options) printf "%s" ;;\n-h) printf "%s\\n" ;;\nesac\n' "$1" "$2" >b/bin/hsm-keygen
}

@test "an option that the manual page lacks is found" {
    fake 't\\ttype\\tTYPE\\tx\\nl\\tlist\\t\\tx\\n \\tsecret\\t\\tx\\n' usage
    BUILD=b finds options 'hsm-keygen: --secret is not in man/hsm-keygen.1'
}

@test "an option that the program lacks is found" {
    fake 't\\ttype\\tTYPE\\tx\\n' usage
    BUILD=b finds options 'hsm-keygen: man/hsm-keygen.1 has --list, which the program does not know' \
        'hsm-keygen: man/hsm-keygen.1 has -l, which the program does not know'
}

@test "usage that is too wide is found" {
    local wide
    wide=$(printf 'x%.0s' {1..81})
    fake 't\\ttype\\tTYPE\\tx\\nl\\tlist\\t\\tx\\n' "$wide"
    BUILD=b finds options "hsm-keygen: -h is wider than 80 columns: $wide"
}

@test "a program without a page is found" {
    rm man/attach.1
    finds options 'attach: man/attach.1 is missing'
}

@test "a file of more than 400 lines is found" {
    yes '/* */' | head -n 401 >libcommon/long.h
    finds tree 'libcommon/long.h: more than 400 lines'
}

@test "a function of more than 60 lines is found, one of 60 is not" {
    function_of() {
        printf 'static void f%s(void)\n{\n' "$1"
        yes '    (void)0;' | head -n $(($1 - 3))
        echo '}'
    }
    { function_of 60 && function_of 61; } >libcommon/long.c
    finds tree 'libcommon/long.c:61 f61: a function of more than 60 lines'
    run -1 grep -F f60 <<<"$stderr"
}

@test "a bare ! in a test is found" {
    printf '@test "x" {\n    %s true\n}\n' '!' >t/planted.bats
    finds tree 't/planted.bats:2: a bare "!" cannot fail here: use run -N'
}

@test "bash completes options, and files for all else" {
    scripts/completions bash "$BUILD/bin/attach" >attach.bash
    touch some-file
    run -0 bash -c '. ./attach.bash; complete -p attach
        COMP_WORDS=(attach --un); COMP_CWORD=1; _certline_attach; echo "${COMPREPLY[*]}"
        COMPREPLY=(); COMP_WORDS=(attach so); _certline_attach; echo "${#COMPREPLY[@]}"'
    [ "${lines[0]}" = 'complete -o default -F _certline_attach attach' ]
    [ "${lines[1]}" = '--unanswered' ]
    [ "${lines[2]}" = 0 ]
}

@test "zsh reads the completions of every program" {
    local p
    for p in "$BUILD"/bin/*; do
        scripts/completions zsh "$p" >_x
        run -0 zsh -n _x
        run -0 head -n 1 _x
        [ "$output" = "#compdef ${p##*/}" ]
        run -0 grep -cF -- '{-h,--help}' _x
    done
}

@test "fish completes options with their help" {
    scripts/completions fish "$BUILD/bin/csr-make" >csr-make.fish
    HOME=$PWD run -0 fish --no-config -c 'source csr-make.fish; complete -C "csr-make --publ"'
    [[ $output == --public-key$'\t'* ]]
}
