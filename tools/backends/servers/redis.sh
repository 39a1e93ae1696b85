# Redis, for the workers of RQ and dramatiq. Its one program is the server or a tool, by the name it is called by.
VERSION=7.0
get() {
    for package in redis-tools liblzf1 libjemalloc2; do debian_package "$package" "$1"; done
    mkdir "$1/bin" && cp -L "$1/usr/bin/redis-check-rdb" "$1/usr/bin/redis-server"
    printf '#!/bin/sh\nhere=$(dirname "$(dirname "$(readlink -f "$0")")")\nLD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/bin/redis-server" "$@"\n' \
        >"$1/bin/redis-server"
    chmod 755 "$1/bin/redis-server"
    "$1/bin/redis-server" --version | grep "v=$VERSION"
}
