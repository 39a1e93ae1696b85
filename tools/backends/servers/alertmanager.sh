# Alertmanager and amtool, as Debian packages them.
VERSION=0.25
get() {
    debian_package prometheus-alertmanager "$1"
    "$1/usr/bin/prometheus-alertmanager" --version 2>&1 | grep "version $VERSION"
    mkdir "$1/bin" && mv "$1/usr/bin/prometheus-alertmanager" "$1/bin/alertmanager" && mv "$1/usr/bin/amtool" "$1/bin"
}
