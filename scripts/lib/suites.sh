#!/usr/bin/env bash
# One suite of tests: suites.sh NAME, started by scripts/test, which keeps the time and the log.
# A suite writes what a person needs to understand a failure to stdout, and each of its counts as
# "passed failed skipped" to descriptor 3. It may end early with any status but 0: that counts too.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/lib/packages.sh
source "$root/scripts/lib/packages.sh"

readonly fuzz_seconds=${FUZZ_SECONDS:-20}
cores=$(nproc)
readonly cores

count() { # passed failed skipped
    printf '%d %d %d\n' "$1" "$2" "$3" >&3
}

# Runs a command as one test. Carries on when it fails, so that one run shows all there is.
check() { # name command...
    local name=$1 status=0
    shift
    "$@" || status=$?
    if ((status == 0)); then
        count 1 0 0
        printf 'ok - %s\n' "$name"
    else
        count 0 1 0
        printf 'not ok - %s (status %d)\n' "$name" "$status"
    fi
}

c_files() { # folder...
    (cd "$root" && find "$@" -name node_modules -prune -o -name '*.[ch]' -print | LC_ALL=C sort)
}

# --- what is written ------------------------------------------------------------------------------

# The I/O that core and base never see, as headers and as symbols.
readonly io_headers='^(libwebsockets|lws|uv|microhttpd|hiredis|sys/socket|sys/un|sys/epoll|sys/poll|sys/select|netinet/|net/|arpa/|netdb|poll|openssl/(ssl|bio))'
readonly io_symbols='^(lws_|uv_|MHD_|redis|SSL_|socket$|bind$|listen$|accept4?$|connect$|sendto$|sendmsg$|recv|poll$|epoll_|select$|getaddrinfo$)'

# The project's headers that a source file reaches, one line each, as the compiler sees it.
headers_reached() { # file
    # shellcheck disable=SC1003  # a backslash, no quote
    cc -MM -MG -I "$root/include" -I "$root/src" "$root/$1" | tr -s ' \\' '\n' |
        sed -n "s#^$root/##p" | grep '\.h$' || true
}

# The layer of a header is where its module lies; a header without one belongs to all.
layer_of() { # header
    local module layer
    module=$(basename "$1" .h)
    if [[ $1 == src/*/*.h ]]; then
        cut -d / -f 2 <<<"$1"
        return
    fi
    for layer in base core edge; do
        [[ ! -e $root/src/$layer/$module.c ]] || echo "$layer"
    done
}

includes_keep_layers() { # layer, layers it may use...
    local layer=$1 file header of wrong=0
    shift
    for file in $(c_files "src/$layer"); do
        for header in $(headers_reached "$file"); do
            for of in $(layer_of "$header"); do
                if [[ " $layer $* " != *" $of "* ]]; then
                    printf '%s reaches %s, which is of %s\n' "$file" "$header" "$of"
                    wrong=1
                fi
            done
        done
    done
    return "$wrong"
}

includes_no_io() { # layer...
    local file header wrong=0
    local -A seen=()
    for file in $(for layer; do c_files "src/$layer"; done); do
        for header in $file $(headers_reached "$file"); do
            [[ -z ${seen[$header]-} && -e $root/$header ]] || continue
            seen[$header]=yes
            if sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]+)[>"].*/\1/p' \
                "$root/$header" | grep -E "$io_headers"; then
                printf '^ included by %s\n' "$header"
                wrong=1
            fi
        done
    done
    ((${#seen[@]})) && return "$wrong"
}

# A declaration by hand would escape the check of headers; the object files do not lie.
objects_do_no_io() { # layer...
    local layer object wrong=0 objects
    build release "$root/build/release" aloha || return
    for layer; do
        objects=$(find "$root/build/release" -path "*/src/$layer/*.o")
        if [[ ! $objects ]]; then
            printf 'no object files of src/%s in build/release\n' "$layer"
            return 1
        fi
        for object in $objects; do
            if nm --undefined-only --format=posix "$object" | cut -d ' ' -f 1 | grep -E "$io_symbols"; then
                printf '^ used by %s\n' "${object##*/}"
                wrong=1
            fi
        done
    done
    return "$wrong"
}

suite_layers() {
    check 'base includes nothing of core or edge' includes_keep_layers base
    check 'core includes nothing of edge' includes_keep_layers core base
    check 'base and core include no header for I/O' includes_no_io base core
    check 'base and core call nothing that does I/O' objects_do_no_io base core
}

suite_format() {
    local tool
    tool=$(llvm_tool clang-format)
    cd "$root"
    mapfile -t files < <(c_files src include scripts tests)
    echo "To put files right: $tool -i FILE..."
    check "$tool of ${#files[@]} files" "$tool" --dry-run --Werror "${files[@]}"
}

suite_tidy() {
    local tool
    tool=$(llvm_tool clang-tidy)
    # The commands of the clang build, for it understands no option that only gcc has.
    configure release "$root/build/clang" -DCMAKE_C_COMPILER=clang -DALOHA_WERROR=ON -DALOHA_TESTS=ON
    cd "$root"
    mapfile -t files < <(c_files src | grep '\.c$')
    check "$tool of ${#files[@]} files" \
        xargs -P "$cores" -n 4 "$tool" --quiet --warnings-as-errors='*' -p build/clang \
        --extra-arg=-include "--extra-arg=$root/scripts/lib/lint.h" \
        < <(printf '%s\n' "${files[@]}")
}

# nullPointerRedundantCheck believes that a call cannot change what a pointer reaches; clang-tidy knows.
suite_cppcheck() {
    cd "$root"
    check 'cppcheck of src' cppcheck --quiet --std=c11 --enable=warning,performance,portability \
        --inline-suppr --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
        --suppress=nullPointerRedundantCheck --error-exitcode=1 -j "$cores" \
        -I include -I src --include=scripts/lib/lint.h src
}

suite_shell() {
    cd "$root"
    mapfile -t files < <(grep -lE '^#!.*[/ ](ba)?sh$|^# shellcheck shell=' -r scripts .ci packaging tests/packages \
        --exclude-dir=node_modules)
    check "shellcheck of ${files[*]}" shellcheck -x "${files[@]}"
}

# --- builds ---------------------------------------------------------------------------------------

suite_gcc() {
    check 'builds without a warning' build release "$root/build/gcc" all \
        -DCMAKE_C_COMPILER=gcc -DALOHA_WERROR=ON -DALOHA_TESTS=ON
}

suite_clang() {
    check 'builds without a warning' build release "$root/build/clang" all \
        -DCMAKE_C_COMPILER=clang -DALOHA_WERROR=ON -DALOHA_TESTS=ON
}

# --- C --------------------------------------------------------------------------------------------

# Counts what the test programs said in TAP through ctest -V, where each line begins with the number
# of its program. A program that says no TAP is one test; one that fails though all of its tests
# passed, or that stops short of its plan, is one failure more.
# shellcheck disable=SC2016  # awk's variables
readonly tap_of_ctest='
    match($0, /^[0-9]+: /) {
        n = substr($0, 1, RLENGTH - 2); line = substr($0, RLENGTH + 1)
        if (line ~ /^ok .*# *(SKIP|skip)/) skipped[n]++
        else if (line ~ /^ok( |$)/) passed[n]++
        else if (line ~ /^not ok( |$)/) failed[n]++
        else if (line ~ /^1\.\.[0-9]+/) { sub(/^1\.\./, "", line); plan[n] = line + 0; planned[n] = 1 }
    }
    match($0, /Test +#[0-9]+: /) {
        n = substr($0, RSTART, RLENGTH); gsub(/[^0-9]/, "", n)
        good = / Passed +[0-9.]+ sec/; said = passed[n] + failed[n] + skipped[n]
        if (/\*\*\*Skipped/) skipped[n]++
        else if (!good && !failed[n]) failed[n]++
        else if (good && planned[n] && plan[n] != said) failed[n]++
        else if (good && !said) passed[n]++
        p += passed[n]; f += failed[n]; s += skipped[n]
    }
    END { print p + 0, f + 0, s + 0 }'

suite_unit() {
    local tally status=0 log=$root/build/debug/ctest.log
    build debug "$root/build/debug" all
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:check_initialization_order=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    ctest --test-dir "$root/build/debug" --verbose --parallel "$cores" --timeout 120 --no-tests=error |
        tee "$log" || status=$?
    tally=$(awk "$tap_of_ctest" "$log")
    # shellcheck disable=SC2086  # three numbers
    count $tally
    return "$status"
}

# The corpora are read-only input; what libFuzzer finds on its way is kept in build/.
fuzz_one() { # name
    local name=$1 subject=${1#fuzz_} work=$root/build/fuzz-work/$1 program log options corpora
    log=$work/log
    mkdir -p "$work/corpus"
    options=(-max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$work/")
    [[ ! -f $root/tests/fuzz/dict/$subject.dict ]] || options+=(-dict="$root/tests/fuzz/dict/$subject.dict")
    corpora=("$work/corpus")
    [[ ! -d $root/tests/fuzz/corpus/$subject ]] || corpora+=("$root/tests/fuzz/corpus/$subject")
    program=$(find "$root/build/fuzz" -type f -name "$name" -perm -u+x | head -n 1)

    "$program" "${options[@]}" "${corpora[@]}" >"$log" 2>&1 || {
        tail -n 60 "$log"
        return 1
    }
    # Its own word that it ran: "Done 12345 runs in 21 second(s)".
    grep -E '^Done [1-9][0-9]* runs' "$log"
}

# As many at a time as there are cores: each of them keeps one busy.
suite_fuzz() {
    local source name running=0
    build fuzz "$root/build/fuzz" all
    for source in "$root"/tests/fuzz/fuzz_*.c; do
        [[ -e $source ]] || continue
        name=$(basename "$source" .c)
        if ((running == cores)); then
            wait -n
            running=$((running - 1))
        fi
        check "$name for $fuzz_seconds s" fuzz_one "$name" &
        running=$((running + 1))
    done
    wait
}

# --- JavaScript and the running program -------------------------------------------------------------

# Runs the node tests of a folder of tests/ and counts them as node itself does in its last lines; with
# test_files set, only those files.
#   node_tests FOLDER [NODE OPTION...]
node_tests() {
    local folder=$1 files tally status=0 log
    local wanted=${test_files:-.}
    shift
    log=$root/build/test-logs/$folder.tap
    # Named one by one: node 18, 20 and 22 understand a folder in three ways.
    mapfile -t files < <(find "$root/tests/$folder" -name node_modules -prune -o \
        \( -name '*.test.js' -o -name '*.test.mjs' \) -print | grep -E "$wanted" | LC_ALL=C sort)
    if ((${#files[@]} == 0)); then
        echo "There is no test in tests/$folder."
        return 1
    fi
    (cd "$root/tests" && node --test --test-reporter=tap "$@" "${files[@]}") | tee "$log" || status=$?
    tally=$(awk '/^# (pass|fail|cancelled|skipped|todo) [0-9]+$/ { n[$2] = $3 }
        END { print n["pass"] + 0, n["fail"] + n["cancelled"], n["skipped"] + n["todo"] }' "$log")
    # shellcheck disable=SC2086  # three numbers
    count $tally
    return "$status"
}

# The option that says how many files run at the same time; an old node has none, and another default.
at_once() { # number
    [[ $(node --help) != *--test-concurrency* ]] && echo --test || echo "--test-concurrency=$1"
}

suite_js() {
    local project
    while read -r project; do
        check "types of ${project#"$root"/}" \
            "$root/tests/node_modules/.bin/tsc" --noEmit --project "$project"
    done < <(find "$root/tests" "$root/public" -name node_modules -prune -o -name tsconfig.json -print)
    node_tests js
}

suite_edge() {
    build debug "$root/build/debug" all
    ALOHA_BIN=$root/build/debug/aloha node_tests edge "$(at_once 2)" # much of it waits
}

# What is said on the public port, said once more over TLS. The other files are about other things.
suite_tls() {
    local test_files='/(attacks|doors|drain|http-.*|lifecycle|limits|names|rooms|seats|slow|vectors|ws-.*)\.test\.mjs$'
    build debug "$root/build/debug" aloha
    ALOHA_TEST_TLS=1 ALOHA_BIN=$root/build/debug/aloha node_tests edge "$(at_once 2)"
}

# What a sanitizer's build hides: its own sandbox table, the hardened functions, the order of things in time.
suite_release() {
    local test_files='/(ctl|drain|lifecycle|operator.*|rooms|sandbox|sockets|systemd|tls|ws-frames)\.test\.mjs$'
    build release "$root/build/release" aloha
    ALOHA_BIN=$root/build/release/aloha node_tests edge "$(at_once 3)"
}

# What node tests have printed for a person, from its TAP into what scripts/test shows at the end.
#   keep_lines FOLDER BEGINNING
keep_lines() {
    local said=$root/build/test-logs/$1
    sed -n "s/^# \($2.*\)/\1/p" "$said.tap" >"$said.txt"
}

suite_proxies() {
    build debug "$root/build/debug" aloha
    ALOHA_BIN=$root/build/debug/aloha node_tests proxies
}

suite_conformance() {
    local status=0
    build debug "$root/build/debug" aloha
    ALOHA_BIN=$root/build/debug/aloha node_tests conformance || status=$?
    keep_lines conformance 'section '
    return "$status"
}

suite_hostile() {
    local status=0
    build debug "$root/build/debug" aloha
    ALOHA_BIN=$root/build/debug/aloha node_tests hostile || status=$?
    keep_lines hostile '| '
    return "$status"
}

# One at a time: they build, and make whole systems.
suite_packages() {
    local one_by_one=()
    check 'the package is made' "$root/scripts/package"
    [[ $(node --help) != *--test-concurrency* ]] || one_by_one=(--test-concurrency=1)
    ALOHA_BIN=$root/build/package/aloha node_tests packages "${one_by_one[@]}"
}

# One at a time: browsers that share two cores would only test each other's patience.
suite_e2e() {
    build debug "$root/build/debug" aloha
    ALOHA_BIN=$root/build/debug/aloha node_tests e2e "$(at_once 1)"
}

# Built by gcc without sanitizers, which valgrind cannot stand, and with the names of lines.
suite_life() {
    build release "$root/build/life" aloha -DCMAKE_BUILD_TYPE=RelWithDebInfo
    export ALOHA_BIN=$root/build/life/aloha
    check 'a whole life under valgrind' node "$root/scripts/lib/life.mjs"
    check 'attacks under valgrind' node "$root/tests/hostile/under-valgrind.mjs"
}

# Counted instructions are the same on a busy machine, so these numbers judge.
suite_callgrind() {
    build release "$root/build/callgrind" all -DALOHA_BENCH=ON
    check 'a relay takes no more instructions than it may' relay_cost
}

relay_cost() {
    node "$root/tests/bench/relay_cost.mjs" "$root/build/callgrind" |
        tee "$root/build/test-logs/callgrind.txt"
}

# The numbers are shown and judge nothing; that every message arrived is judged.
suite_bench() {
    check 'the benchmark loses nothing' bench_short
    node_tests bench
}

bench_short() {
    "$root/scripts/bench" --short | tee "$root/build/test-logs/bench.txt"
}

"suite_$1"
