# Alertmanager and amtool, as Debian packages them.
VERSION=0.25
get() {
    debian_package prometheus-alertmanager "$1"
    "$1/usr/bin/prometheus-alertmanager" --version 2>&1 | grep "version $VERSION"
    mkdir "$1/bin" && mv "$1/usr/bin/amtool" "$1/bin"

    # It reads its templates from where a package is installed, a path compiled in. It is given one of equal length,
    # relative to where the templates are unpacked, so that nothing need be installed.
    local installed=/usr/share/prometheus/alertmanager unpacked
    unpacked=.$(printf '/%.0s' $(seq 2 ${#installed}))
    sed "s#$installed#$unpacked#g" "$1/usr/bin/prometheus-alertmanager" >"$1/$installed/alertmanager"
    rm "$1/usr/bin/prometheus-alertmanager"
    cat >"$1/bin/alertmanager" <<SCRIPT
#!/bin/sh
cd "\$(dirname "\$0")/..$installed" && exec ./alertmanager "\$@"
SCRIPT
    chmod +x "$1/bin/alertmanager" "$1/$installed/alertmanager"
    "$1/bin/alertmanager" --version
}
