# shellcheck shell=bash
# What scripts/run and scripts/test share: where the tree is, how to speak, how to build.
# Sourced, never run. Everything goes to stderr: stdout belongs to the program that is started.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "${0##*/}: $*"
    exit 1
}

# Configures a preset of CMakePresets.json into its directory. Silent unless it fails.
#   configure PRESET DIRECTORY [CMAKE OPTION...]
configure() {
    local preset=$1 dir=$2 fresh=()
    shift 2

    mkdir -p "$dir" || return
    # CMake refuses a cache that came along with a moved or copied tree; start that one afresh.
    if [[ -f $dir/CMakeCache.txt ]] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
        fresh=(--fresh)
    fi
    if ! cmake "${fresh[@]}" -S "$root" --preset "$preset" -B "$dir" "$@" >"$dir/configure.log" 2>&1; then
        cat "$dir/configure.log" >&2
        return 1
    fi
}

# Configures and builds. Silent when there is nothing to do.
#   build PRESET DIRECTORY TARGET [CMAKE OPTION...]
build() {
    local preset=$1 dir=$2 target=$3
    shift 3

    mkdir -p "$dir" || return
    (
        # Two builds in one directory would overwrite each other's files: the second waits.
        if command -v flock >/dev/null; then
            flock 9
        fi
        configure "$preset" "$dir" "$@" || exit
        # Without the lines that ninja writes even when there is nothing to do.
        ninja -C "$dir" "$target" |
            sed -u '/^ninja: Entering directory/d; /Re-checking globbed dir/d; /^ninja: no work to do/d' >&2
    ) 9>"$dir/.lock"
}
