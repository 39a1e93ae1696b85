# Grafana's grammars of TraceQL and LogQL, and a program that says where queries do not fit them. Needs npm and node.
VERSION=1
get() {
    npm install --silent --no-fund --no-audit --prefix "$1" @grafana/lezer-traceql@1.0.0 @grafana/lezer-logql@0.4.2 \
        @lezer/lr@1.4.10
    cat >"$1/errors.mjs" <<'EOF'
import { readFileSync } from 'node:fs';
import { parser as traceql } from '@grafana/lezer-traceql';
import { parser as logql } from '@grafana/lezer-logql';
const parsers = { traceql, logql };
const places = ([language, query]) => {
    const found = [];
    parsers[language].parse(query).iterate({ enter: (node) => { if (node.type.isError) found.push(node.from); } });
    return found;
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(places)));
EOF
    mkdir "$1/bin"
    printf '#!/bin/sh\nexec node "$(dirname "$0")/../errors.mjs"\n' >"$1/bin/query-errors"
    chmod +x "$1/bin/query-errors"
    echo '[["traceql", "{ span.x = }"]]' | "$1/bin/query-errors" | grep -F '[[11]]'
}
