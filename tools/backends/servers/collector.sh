# An OpenTelemetry Collector of a few components, built from collector/ (some minutes). The version is the newest of which
# all of them were to be had as modules. Needs Go.
VERSION=0.155.0
get() {
    cp -r servers/collector "$1/source"
    mkdir "$1/bin"
    (cd "$1/source" && go build -mod=mod -buildvcs=false -o "$1/bin/otelcol" .) # completes go.mod; go.sum is the checksum database's
    "$1/bin/otelcol" --version
    rm -rf "$1/source"
}
