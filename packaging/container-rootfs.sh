#!/usr/bin/env bash
# Makes the root file system of the container: the program, the libraries it loads, and nothing else, no shell
# among them. The Containerfile calls it, and so do the tests.
#   container-rootfs.sh BINARY DESTINATION
set -euo pipefail
export LC_ALL=C
umask 022

readonly binary=$1 root=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here user=65532

# The libraries as the loader finds them, the loader itself, and the plugin that libwebsockets loads by itself.
libraries() {
    ldd "$binary" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }'
    find /usr/lib -name 'libwebsockets-evlib_uv.so*' -path "/usr/lib/$(uname -m)-*"
}

# Debian's layout: /lib and /lib64 are links into /usr.
mkdir -p "$root"/usr/{bin,lib,lib64,share/doc/aloha} "$root"/{etc,proc,dev,tmp,run/aloha,var/lib/aloha}
ln -sfn usr/lib "$root/lib"
ln -sfn usr/lib64 "$root/lib64"
chmod 1777 "$root/tmp"

install -m 755 "$binary" "$root/usr/bin/aloha"
strip --strip-all "$root/usr/bin/aloha"

while read -r library; do
    # By the name that the loader asks for, which is a link elsewhere.
    target=$root$library
    [[ $library == /usr/* ]] || target=$root/usr$library
    install -D -m 755 "$(readlink -f "$library")" "$target"
done < <(libraries | sort -u)

printf 'aloha:x:%d:%d:aloha:/var/lib/aloha:/nonexistent\n' "$user" "$user" >"$root/etc/passwd"
printf 'aloha:x:%d:\n' "$user" >"$root/etc/group"
chmod 755 "$root/var/lib/aloha" "$root/run/aloha"
((EUID != 0)) || chown "$user:$user" "$root/var/lib/aloha" "$root/run/aloha"

# What is in here, in which versions, and under which licences.
"$here/sbom" "$binary" "$(sed -n 's/^project(aloha VERSION \([0-9.]*\).*/\1/p' "$here/../CMakeLists.txt")" \
    >"$root/usr/share/doc/aloha/aloha.cdx.json"
install -m 644 "$here/debian/copyright" "$root/usr/share/doc/aloha/copyright"
sed -n 's/.*"type": "library", "name": "\([^"]*\)".*/\1/p' "$root/usr/share/doc/aloha/aloha.cdx.json" |
    while read -r package; do
        # A link to another package's means that the licence is the same.
        install -D -m 644 "$(readlink -f "/usr/share/doc/$package/copyright")" "$root/usr/share/doc/$package/copyright"
    done

# Files have the time of the commit, as they have in the Debian package.
if [[ ${SOURCE_DATE_EPOCH-} ]]; then
    find "$root" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
fi
