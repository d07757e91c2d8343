# shellcheck shell=bash
# Which packages aloha needs, under the names of six package managers, and how they get here.
# Sourced after common.sh, by scripts/run and scripts/test.
#
# A package is present when dpkg has it or when its probe succeeds, so whoever built a library by
# hand gets on as well. Only apt-get is driven from here; for the other managers the command line
# is printed. Several names are separated by commas; - means that nothing is to be installed there.
#   cmd:A,B   one of these commands is in PATH (a row each where all are needed)
#   pc:M      pkg-config knows the module M
#   h:F       the C compiler finds the header F
#   node:N    node is of major version N or newer
#   llvm:T    T is there in the pinned version, see llvm_tool
#   is:F      the function F says so
readonly package_table='
# group   apt                    probe                         dnf                  pacman           apk                     zypper                brew
build     build-essential        cmd:cc                        gcc,make             base-devel       build-base              gcc,make              gcc
build     cmake                  cmd:cmake                     cmake                cmake            cmake                   cmake                 cmake
build     ninja-build            cmd:ninja                     ninja-build          ninja            ninja                   ninja                 ninja
build     pkg-config             cmd:pkg-config                pkgconf-pkg-config   pkgconf          pkgconf                 pkgconf-pkg-config    pkgconf
build     libuv1-dev             pc:libuv                      libuv-devel          libuv            libuv-dev               libuv-devel           libuv
build     libwebsockets-dev      pc:libwebsockets              libwebsockets-devel  libwebsockets    libwebsockets-dev       libwebsockets-devel   libwebsockets
build     libwebsockets-evlib-uv is:has_websockets_on_uv       libwebsockets-devel  libwebsockets    libwebsockets-evlib_uv  libwebsockets-devel   libwebsockets
build     libmicrohttpd-dev      pc:libmicrohttpd              libmicrohttpd-devel  libmicrohttpd    libmicrohttpd-dev       libmicrohttpd-devel   libmicrohttpd
build     libseccomp-dev         pc:libseccomp                 libseccomp-devel     libseccomp       libseccomp-dev          libseccomp-devel      libseccomp
build     libjansson-dev         pc:jansson                    jansson-devel        jansson          jansson-dev             libjansson-devel      jansson
build     uuid-dev               pc:uuid                       libuuid-devel        util-linux-libs  util-linux-dev          libuuid-devel         util-linux
build     libssl-dev             pc:openssl                    openssl-devel        openssl          openssl-dev             libopenssl-devel      openssl@3
build     libqrencode-dev        pc:libqrencode                qrencode-devel       qrencode         libqrencode-dev         qrencode-devel        qrencode
build     zlib1g-dev             pc:zlib                       zlib-devel           zlib             zlib-dev                zlib-devel            zlib
build     libunistring-dev       h:uninorm.h                   libunistring-devel   libunistring     libunistring-dev        libunistring-devel    libunistring
build     libinih-dev            pc:inih                       inih-devel           libinih          inih-dev                inih-devel            inih
build     uthash-dev             h:uthash.h                    uthash-devel         uthash           uthash-dev              uthash-devel          uthash
build     brotli                 cmd:brotli                    brotli               brotli           brotli                  brotli                brotli
build     gzip                   cmd:gzip                      gzip                 gzip             gzip                    gzip                  gzip
clang     clang                  cmd:clang                     clang                clang            clang                   clang                 llvm
clang     libclang-rt-dev        is:has_fuzzer                 compiler-rt          compiler-rt      compiler-rt             clang                 llvm
format    clang-format-19        llvm:clang-format             clang-tools-extra    clang            clang19-extra-tools     clang19               llvm@19
tidy      clang-tidy-19          llvm:clang-tidy               clang-tools-extra    clang            clang19-extra-tools     clang19               llvm@19
cppcheck  cppcheck               cmd:cppcheck                  cppcheck             cppcheck         cppcheck                cppcheck              cppcheck
shell     shellcheck             cmd:shellcheck                ShellCheck           shellcheck       shellcheck              ShellCheck            shellcheck
valgrind  valgrind               cmd:valgrind                  valgrind             valgrind         valgrind                valgrind              -
node      nodejs                 node:18                       nodejs               nodejs           nodejs                  nodejs                node
node      bsdutils               cmd:script                    util-linux           util-linux       util-linux-misc         util-linux            -
node      openssl                cmd:openssl                   openssl              openssl          openssl                 openssl               openssl@3
node      npm                    cmd:npm                       nodejs-npm           npm              npm                     npm                   node
node      curl                   cmd:curl                      curl                 curl             curl                    curl                  curl
shells    zsh                    cmd:zsh                       zsh                  zsh              zsh                     zsh                   zsh
shells    fish                   cmd:fish                      fish                 fish             fish                    fish                  fish
shells    mandoc                 cmd:mandoc                    mandoc               mandoc           mandoc                  mandoc                mandoc
shells    man-db                 cmd:man                       man-db               man-db           man-db                  man                   man-db
proxies   nginx                  cmd:nginx                     nginx                nginx            nginx                   nginx                 nginx
proxies   caddy                  cmd:caddy                     caddy                caddy            caddy                   caddy                 caddy
proxies   haproxy                cmd:haproxy                   haproxy              haproxy          haproxy                 haproxy               haproxy
node      systemd                cmd:systemd-socket-activate   systemd              systemd          -                       systemd               -
promtool  prometheus             cmd:promtool                  golang-github-prometheus prometheus    prometheus              golang-github-prometheus-prometheus prometheus
deb       dpkg-dev               cmd:dpkg-shlibdeps            dpkg-dev             dpkg             dpkg-dev                dpkg                  -
deb       file                   cmd:file                      file                 file             file                    file                  -
packages  debootstrap            cmd:debootstrap               debootstrap          debootstrap      debootstrap             debootstrap           -
packages  lintian                cmd:lintian                   lintian              -                -                       lintian               -
packages  systemd                cmd:systemd-analyze           systemd              systemd          -                       systemd               -
packages  bubblewrap             cmd:bwrap                     bubblewrap           bubblewrap       bubblewrap              bubblewrap            -
browsers  chromium               cmd:chromium,chromium-browser chromium             chromium         chromium                chromium              chromium
browsers  firefox-esr            cmd:firefox-esr,firefox       firefox              firefox          firefox-esr             firefox-esr           firefox
browsers  fonts-liberation       is:has_fonts                  liberation-fonts     ttf-liberation   font-liberation         liberation-fonts      -
'

# The versions of clang-format and clang-tidy differ in what they say about the same file, so one is
# pinned. 19 is in Debian 12 and in Debian 13 alike.
readonly llvm_major=19

# Prints the command for a tool of LLVM in the pinned version.
llvm_tool() {
    if command -v "$1-$llvm_major"; then
        return
    fi
    if [[ $("$1" --version 2>/dev/null) == *"version $llvm_major."* ]]; then
        command -v "$1"
        return
    fi
    say "$1 of version $llvm_major is needed (the version matters: others judge differently)"
    return 1
}

compiles() {
    cc -E -x c -o /dev/null - 2>/dev/null
}

# libwebsockets joins a libuv loop by itself or through a plugin of its own beside the library.
has_websockets_on_uv() {
    compiles <<<'#include <libwebsockets.h>
#ifndef LWS_WITH_LIBUV
#error
#endif' || return
    compiles <<<'#include <libwebsockets.h>
#ifdef LWS_WITH_EVLIB_PLUGINS
#error
#endif' || compgen -G "$(pkg-config --variable=libdir libwebsockets)/libwebsockets-evlib_uv.*" >/dev/null
}

has_fuzzer() {
    clang -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null \
        <<<'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return !data && size; }'
}

has_fonts() {
    [[ $(fc-list 2>/dev/null) ]]
}

probe() {
    local kind=${1%%:*} what=${1#*:} name version
    case $kind in
    cmd)
        for name in ${what//,/ }; do
            command -v "$name" >/dev/null && return
        done
        return 1
        ;;
    pc) pkg-config --exists "$what" 2>/dev/null ;;
    h) compiles <<<"#include <$what>" ;;
    node)
        version=$(node --version 2>/dev/null) || return
        version=${version#v}
        ((${version%%.*} >= what))
        ;;
    llvm) llvm_tool "$what" >/dev/null 2>&1 ;;
    is) "$what" ;;
    esac
}

# Prints the rows of the groups whose package is absent.
missing_rows() {
    local group apt probe rest installed=''
    if command -v dpkg-query >/dev/null; then
        # It complains of names it does not know, and lists the others all the same.
        # shellcheck disable=SC2016  # a format of dpkg's, not ours
        installed=$(awk '/^[a-z]/ { print $2 }' <<<"$package_table" |
            xargs dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null || true)
    fi
    while read -r group apt probe rest; do
        [[ " $* " == *" $group "* ]] || continue
        grep -qxF "installed $apt" <<<"$installed" || probe "$probe" ||
            printf '%s %s %s %s\n' "$group" "$apt" "$probe" "$rest"
    done <<<"$package_table"
}

# Runs a command as root: by sudo where we are not. A machine nobody sits at cannot type a password.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif [[ ${CI-} ]]; then
        sudo -n "$@"
    else
        sudo "$@"
    fi
}

apt_install() {
    local log status=0
    say "Installing what is missing: $*"
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        say "That needs root, and there is no sudo. As root: apt-get install $*"
        return 1
    fi
    log=$(mktemp)
    # Tests want the programs of packages, not the services that these would start: Debian asks this file.
    local policy=/usr/sbin/policy-rc.d made=''
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
        made=yes
    fi
    {
        # Without a network the packages may still lie in apt's cache, so this alone is no failure.
        as_root apt-get update -q || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
            -o DPkg::Lock::Timeout=300 "$@"
    } >"$log" 2>&1 </dev/null || status=$?
    [[ ! $made ]] || as_root rm -f "$policy"
    if ((status != 0)); then
        tail -n 30 "$log" >&2
        say "Installing failed. By hand: apt-get update && apt-get install $*"
    fi
    rm -f "$log"
    return "$status"
}

# Makes sure that the packages of some groups are here; silent when they are.
#   need_packages GROUP...
need_packages() {
    local rows manager column install names
    rows=$(missing_rows "$@")
    [[ $rows ]] || return 0

    for manager in 'apt-get 2 install' 'dnf 4 install' 'pacman 5 -S' 'apk 6 add' 'zypper 7 install' \
        'brew 8 install' 'none 2'; do
        read -r manager column install <<<"$manager"
        ! command -v "$manager" >/dev/null || break
    done
    names=$(awk -v column="$column" '$column != "-" { gsub(",", " ", $column); print $column }' <<<"$rows" |
        tr ' ' '\n' | sort -u | tr '\n' ' ')
    names=${names% }

    if [[ $manager == apt-get ]]; then
        # shellcheck disable=SC2086  # the names are words
        apt_install $names
        return
    fi
    say "Missing here (Debian's names): $(awk '{ print $2 }' <<<"$rows" | tr '\n' ' ')"
    if [[ $manager != none ]]; then
        say "Install them with: $( ((EUID == 0)) || [[ $manager == brew ]] || echo 'sudo ')$manager $install $names"
    fi
    return 1
}

# Installs the development packages of a folder as its lock file says. The stamp tells which lock
# file the installed ones came from, so nothing asks the network when nothing changed.
#   npm_packages FOLDER
npm_packages() {
    local folder=$1 stamp=$1/node_modules/.installed-from sum log status=0
    sum=$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum)
    [[ $(cat "$stamp" 2>/dev/null) != "$sum" ]] || return 0

    say "Installing the npm packages of ${folder#"$root"/} ..."
    log=$(mktemp)
    # No scripts: the packages are libraries, and the browsers come from the distribution. Short
    # retries: where there is no network, npm would try for minutes.
    (cd "$folder" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --prefer-offline \
        --fetch-retry-mintimeout=2000 --fetch-retry-maxtimeout=5000) >"$log" 2>&1 </dev/null || status=$?
    if ((status == 0)); then
        printf '%s\n' "$sum" >"$stamp"
    else
        tail -n 30 "$log" >&2
        say "npm could not install the packages of ${folder#"$root"/}."
    fi
    rm -f "$log"
    return "$status"
}
