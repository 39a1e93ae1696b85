# Prometheus and promtool, as Debian packages them.
VERSION=2.42
get() {
    debian_package prometheus "$1"
    "$1/usr/bin/prometheus" --version 2>&1 | grep "version $VERSION"
    mkdir "$1/bin" && mv "$1"/usr/bin/{prometheus,promtool} "$1/bin"
}
