# An OpenTelemetry Collector of the few components that the tests need, built from collector/ (some minutes). The
# version is the newest of which the Go module proxy serves all of them. Needs Go.
VERSION=0.155.0
get() {
    cp -r servers/collector "$1/source"
    mkdir "$1/bin"
    (cd "$1/source" && go build -mod=mod -buildvcs=false -o "$1/bin/otelcol" .) # completes go.mod; go.sum is the checksum database's
    "$1/bin/otelcol" --version
    rm -rf "$1/source"
}
