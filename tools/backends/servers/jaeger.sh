# Jaeger v2, built from its module (some minutes): it has replace directives, which `go install` refuses. The module holds
# no UI; the files of one, compressed, are in a module of their own. Needs Go.
VERSION=2.13.0
JAEGER=github.com/jaegertracing/jaeger@v1.76.0 # the module's number for that version
JAEGER_UI=github.com/tonistiigi/jaeger-ui-rest@v0.0.0-20250408171107-3dd17559e117
go_module() { # MODULE@VERSION FOLDER: its files, writable
    local kept
    kept=$(cd / && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [ -d "$kept" ] && cp -r "$kept" "$2" && chmod -R u+w "$2"
}
get() {
    go_module "$JAEGER" "$1/source" && go_module "$JAEGER_UI" "$1/ui-source"
    mkdir "$1/built"
    (cd "$1/source" && go build -o "$1/built/jaeger" ./cmd/jaeger)
    "$1/built/jaeger" version >/dev/null
    mv "$1/ui-source/public" "$1/ui"
    (cd "$1/ui" && for file in $(find . -type f); do gunzip -c "$file" >"$file.plain" && mv "$file.plain" "$file"; done)
    rm -rf "$1/source" "$1/ui-source"
    mv "$1/built" "$1/bin"
}
