"""Table of every ``SPECSPAN_*`` variable, written by ``python tools/variables.py``; ``--check`` refuses an old one.

The code says which variables there are and where each is read; this module says what they mean.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "production" / "variables.md"
_VARIABLE = re.compile(r"SPECSPAN_[A-Z_]*[A-Z]")
HEAD = """# Variables

Every variable that specspan reads, besides OpenTelemetry's own `OTEL_*`. One that is empty counts as unset, and
where `configure()` has an argument for it, the argument holds. Written by `python tools/variables.py`.

| variable | values | what it does | read in |
|---|---|---|---|
"""
MEANINGS = {
    "SPECSPAN_POLICY": ("path", "the policy file; without one, calls are recorded and nothing is decided"),
    "SPECSPAN_MODE": ("`observe`, `enforce`", "in place of the mode that the policy says"),
    "SPECSPAN_ENV": ("name", "which of the policy's `environments` holds"),
    "SPECSPAN_POLICY_RELOAD": ("`5s`, `true` (2 s), `off`", "how often the policy's files are looked at for changes"),
    "SPECSPAN_MITIGATIONS": ("path", "the file of signed mitigations, which is watched"),
    "SPECSPAN_MITIGATION_KEYS": ("keys or path", "public keys that may sign mitigations"),
    "SPECSPAN_INCIDENT_SECRET": ("secret", "what senders of alerts to `specspan incident serve` must know"),
    "SPECSPAN_REVIEWER": ("name", "who reviews, approves, mitigates and keeps incidents; the user of the machine"),
    "SPECSPAN_DB": ("path or URL; `specspan.db`", "the store of spans and decisions; commands read it, too"),
    "SPECSPAN_DECISION_EXPORTER": ("names, `none`; that of the store", "where decision records go"),
    "SPECSPAN_WHEN_SUPPRESSED": ("`enforce`, `leave`", "whether a policy is enforced where nothing is recorded"),
    "SPECSPAN_BRIDGES": ("`true`, `false`", "also decide the calls that other instrumentations trace"),
    "SPECSPAN_SAMPLING_RATIO": ("0 to 1", "share of traces to keep"),
    "SPECSPAN_SAMPLING_KEEP": ("reasons", "which traces are kept besides"),
    "SPECSPAN_SEMCONV": ("`current`, `next`, `both`", "generation of the GenAI conventions"),
    "SPECSPAN_FINDING_EVENTS": ("`none`, `violations`, `all`", "which findings are events and log records"),
    "SPECSPAN_VIOLATIONS_ARE_ERRORS": ("`true`", "a flagged violation sets the span's status to ERROR"),
    "SPECSPAN_QUEUE_SIZE": ("number; 16384", "calls that may wait for one exporter before further ones are dropped"),
    "SPECSPAN_DIGEST_KEY": ("secret", "key of the digests in decision records"),
    "SPECSPAN_LEDGER": ("path", "the folder of the ledger; without one, there is none"),
    "SPECSPAN_LEDGER_MODE": ("`durable`, `async`, `off`; `async`", "how safe a decision is when its call returns"),
    "SPECSPAN_CALIBRATION": ("path", "the calibration of judges that `specspan rates` corrects by"),
    "SPECSPAN_LEDGER_CAP": ("size; `8GiB`", "size of the ledger at which further decisions are dropped and counted"),
    "SPECSPAN_LEDGER_CONTENT": ("`none`, `encrypted`; `none`", "whether content is kept beside the ledger"),
    "SPECSPAN_LEDGER_KEEP": ("age; `180d`", "age at which segments of the ledger are removed that every backend has"),
    "SPECSPAN_LEDGER_PINNED": (
        "path",
        "file outside of the ledger that gets checkpoints, for `verify` to compare with",
    ),
    "SPECSPAN_LEDGER_KEY": ("secret", "key that the ledger signs with; by default one is made in its folder"),
    "SPECSPAN_LEDGER_KEY_FILE": ("path", "the file of that key"),
    "SPECSPAN_LEDGER_KEY_COMMAND": ("command", "prints that key, such as a client of a key store"),
    "SPECSPAN_SCOPE_KEY": ("secret", "key that scopes of autonomy are signed with between services"),
    "SPECSPAN_SPECS": ("paths", "folders in which editions of published specs are looked for"),
    "SPECSPAN_CATALOGUE_URL": ("URL", "where `specspan spec pull` downloads from"),
    "SPECSPAN_CONSOLE_OIDC_SECRET": ("secret", "secret of `specspan console` at its OpenID Connect provider"),
    "SPECSPAN_TRACE_URL": ("URL with `{trace_id}`", "link of a terminal from a trace to its page in a backend"),
    "SPECSPAN_ALERTMANAGER_URL": ("URL", "the Alertmanager of the exporter `alertmanager`"),
    "SPECSPAN_WEBHOOK_URL": ("URL", "where the exporter `webhook` sends"),
    "SPECSPAN_WEBHOOK_SECRET": ("secret", "what the exporter `webhook` signs with"),
    "SPECSPAN_CONSOLE_URL": ("URL", "the console that alerts lead to"),
    "SPECSPAN_RAISE_INTERNAL_ERRORS": ("`1`", "raise failures of specspan's own, for its tests alone"),
}


def variables() -> dict[str, list[str]]:
    """Return every variable that the code reads, with the modules that name it."""
    found: dict[str, set[str]] = {}
    for folder in (ROOT / "src", *sorted((ROOT / "exporters").glob("*/src"))):
        for path in sorted(folder.rglob("*.py")):
            module = path.relative_to(folder).as_posix().removeprefix("specspan/")
            for name in _names(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(name, set()).add(module)
    return {name: sorted(modules) for name, modules in sorted(found.items())}


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield the constants that are the name of a variable and nothing else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _VARIABLE.fullmatch(node.value):
            yield node.value


def page() -> str:
    """Return the text of the page.

    Raises:
        SystemExit: a variable has no meaning here, or a meaning no variable.
    """
    found = variables()
    differing = sorted(found.keys() ^ MEANINGS.keys())
    if differing:
        sys.exit(f"tools/variables.py and the code do not name the same variables: {', '.join(differing)}")
    rows = []
    for name, (values, meaning) in MEANINGS.items():
        modules = ", ".join(f"`{module}`" for module in found[name])
        rows.append(f"| `{name}` | {values} | {meaning} | {modules} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != page():
            sys.exit(f"{PAGE.relative_to(ROOT)} is not what the code says; run: python tools/variables.py")
    else:
        PAGE.write_text(page(), encoding="utf-8")
