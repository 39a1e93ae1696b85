"""Time of reading and comparing specs: twice the text must take about twice the time, however it repeats itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import Row, best_us
from specspan.errors import SpecError
from specspan.spec.read import load_spec
from specspan.spec.word_diff import word_diff

_CHARS = 1_000_000
_LIMIT = 3.0
"""Linear work doubles; quadratic work takes four times as long."""

_CLAUSE = (
    "## C{0} {{#c{0} authority=user}}\n\nNever do {0}. [?](#c0)\n\n"
    "**Example**: e\n\n~~~xml\n<user>\nhi\n</user>\n~~~\n\n"
)
_SHAPES: dict[str, Callable[[int], str]] = {
    "clauses": lambda chars: "# A {#a}\n" + "".join(_CLAUSE.format(n) for n in range(chars // len(_CLAUSE))),
    "headings, deep and shallow": lambda chars: "# A\n###### B\n" * (chars // 12),
    "open comments": lambda chars: "# A {#a}\n" + "<!--" * (chars // 4),
    "fences that are never closed": lambda chars: "# A {#a}\n" + "~~~xml\n" * (chars // 7),
    "references that are never closed": lambda chars: "# A {#a}\n" + "[?](#" * (chars // 5),
    "elements inside an element": lambda chars: (
        "# A {#a}\n**Example**: x\n~~~xml\n<user>" + "<untrusted>" * (chars // 11) + "</user>\n~~~\n"
    ),
}


def main() -> Iterator[Row]:
    """Measure each shape at 2 MB against 1 MB; then a word diff of 200 kB against one of 100 kB."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _SHAPES.items():
            small, large = (_read_us(Path(folder), text(chars)) for chars in (_CHARS, 2 * _CHARS))
            yield Row(f"2 MB of {name} (beside 1 MB)", large, small, _LIMIT)
    small, large = (_diff_us(words) for words in (20_000, 40_000))
    yield Row("words in another rhythm, 40,000 (beside 20,000)", large, small, _LIMIT)


def _read_us(folder: Path, text: str) -> float:
    path = folder / "spec.md"
    path.write_text(text, encoding="utf-8")

    def read() -> None:
        try:
            load_spec(path)
        except SpecError:  # most of these are broken, and reading on to the end is what is measured
            return

    return best_us(read)


def _diff_us(words: int) -> float:
    return best_us(lambda: word_diff("a b " * words, "a a b " * words))
