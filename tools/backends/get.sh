#!/usr/bin/env bash
# Brings the servers that tests talk to into a cache outside the checkout, each keyed by its version.
# Usage: tools/backends/get.sh [NAME...], by default all of servers/. One file there knows one server: it sets VERSION
# and defines `get FOLDER`, which puts programs into FOLDER/bin. One that cannot be had is named, and the rest goes on.
# `get.sh --there` fetches nothing: it names those that are in the cache.
set -uo pipefail
cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/specspan-backends"
there=
[ "${1:-}" != --there ] || { there=1 && shift; }
[ $# -gt 0 ] || set -- $(basename -s .sh servers/*.sh)

debian_package() { # PACKAGE FOLDER: unpacks it there, without root and without installing anything
    (cd "$2" && apt-get download -qq "$1" && dpkg -x ./*.deb . && rm -f ./*.deb)
}

missing=0
for name in "$@"; do
    [ -f "servers/$name.sh" ] || { echo "there is no servers/$name.sh"; exit 2; }
    . "servers/$name.sh"
    kept="$cache/$name-$VERSION"
    [ ! -d "$kept/bin" ] || [ -z "$there" ] || echo "$name"
    [ ! -d "$kept/bin" ] && [ -z "$there" ] || continue
    mkdir -p "$cache"
    making=$(mktemp -d "$cache/.$name-XXXXXX")
    (set -e; get "$making") >"$making.log" 2>&1 & # waited for, because a condition would have set -e ignored
    if wait $! && [ -d "$making/bin" ]; then
        mv -T "$making" "$kept" 2>/dev/null || rm -rf "$making" # another run was quicker
        rm -f "$making.log"
        echo "$name $VERSION is in $kept"
    else
        echo "$name $VERSION cannot be had here: $(tail -n 1 "$making.log")"
        rm -rf "$making" "$making.log"
        missing=1
    fi
done
exit $missing
