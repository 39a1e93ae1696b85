"""Print the summary of the enforcement table as Markdown: rows that hold, of all, by part and wire format.

``python tools/enforcement_summary.py``. A row that does not hold yet stands in ``tests/enforcement/leaks.yaml``.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"

PARTS = {
    0: "text, whole and in pieces",
    1: "malformed values",
    2: "text after a finish reason",
    3: "parts at one index",
    4: "shapes of an answer, streamed",
    5: "places that a reader may not know",
    8: "reading below a stream; text that arrives whole",
    9: "`parse` that raises",
    10: "disguised text",
    12: "facts",
}


def summary() -> str:
    """Return the table as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    rows = import_module("enforcement_table").rows()
    total = Counter((row.way.part, row.way.wire) for row in rows)
    held = Counter((row.way.part, row.way.wire) for row in rows if row.leaks is None)
    wires = sorted({row.way.wire for row in rows})
    yield f"| way | {' | '.join(f'`{wire}`' for wire in wires)} |"
    yield f"|---|{'---|' * len(wires)}"
    for part in sorted({row.way.part for row in rows}):
        cells = (f"{held[part, wire]} of {total[part, wire]}" if total[part, wire] else "–" for wire in wires)
        yield f"| {PARTS.get(part, part)} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.path.insert(0, str(SUPPORT))
    print(summary(), end="")
