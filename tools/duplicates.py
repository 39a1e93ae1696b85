"""Finder of duplicated code: python tools/duplicates.py FOLDER... Exit code 1 where code stands twice.

Line-by-line finders miss the commonest copy, a function beside its async twin: every line that awaits differs. So code
is compared as it reads without ``async`` and ``await``, within one module and between modules, its docstrings, comments
and layout left out. What only declares (imports, fields, signatures) is not compared.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

MIN_LINES = 7
"""Least number of shared lines, as `ast.unparse` lays code out: fewer are an idiom, as a ``try`` around two calls."""
MIN_LINES_OF_TWINS = 14
"""Least number for a function and its async twin: fewer may be the thin driver that has to exist twice."""
_ASYNC = re.compile(r"(?<![a-z])a(?=enter__|exit__|iter__|next__)|(?<=[a-z])_async\b|\bAsync(?=[A-Z])|\bSync(?=[A-Z])")
_NAMES = {"arun": "run", "asend": "send", "athrow": "throw", "aclose": "close", "StopAsyncIteration": "StopIteration"}


@dataclass(frozen=True, slots=True)
class Body:
    """Body of one function, without what makes it async."""

    place: str
    is_async: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Run of lines that two bodies share."""

    first: str
    second: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        shared = "\n".join(f"    {line}" for line in self.lines)
        return f"{self.first} and {self.second} share {len(self.lines)} lines:\n{shared}"


class _SyncTransformer(ast.NodeTransformer):
    """Transformer of async code to the code of its synchronous twin."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.generic_visit(node).value  # type: ignore[attr-defined,no-any-return]  # it is the same node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return ast.For(**dict(ast.iter_fields(self.generic_visit(node))))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return ast.With(**dict(ast.iter_fields(self.generic_visit(node))))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return ast.FunctionDef(**dict(ast.iter_fields(self.generic_visit(node))))


def bodies(source: str, name: str) -> Iterator[Body]:
    """Yield the body of each function in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield Body(f"{name}:{node.lineno} {node.name}", isinstance(node, ast.AsyncFunctionDef), tuple(_lines(node)))


def duplicates(functions: Sequence[Body]) -> list[Duplicate]:
    """Return each run of lines that stands in two places and is long enough to be a copy."""
    places = defaultdict(list)
    for number, body in enumerate(functions):
        for start in range(len(body.lines) - MIN_LINES + 1):
            places[body.lines[start : start + MIN_LINES]].append((number, start))
    starts = {(a, b) for same in places.values() for a in same for b in same if a[0] < b[0]}
    return [
        shared
        for (one, i), (other, j) in sorted(starts)
        if ((one, i - 1), (other, j - 1)) not in starts  # runs that go on are one
        if (shared := _shared_lines(functions[one], i, functions[other], j)) is not None
    ]


def _shared_lines(one: Body, i: int, other: Body, j: int) -> Duplicate | None:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one.lines[i:], other.lines[j:], strict=False))
    lines = tuple(line for line, _ in pairs)
    min_lines = MIN_LINES if one.is_async == other.is_async else MIN_LINES_OF_TWINS
    return Duplicate(one.place, other.place, lines) if len(lines) >= min_lines else None


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue  # has its own turn
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield from _with_sync_names(
                ast.unparse(ast.fix_missing_locations(_SyncTransformer().visit(statement)))
            ).splitlines()


def _with_sync_names(code: str) -> str:
    code = _ASYNC.sub("", code)
    return re.sub(rf"\b({'|'.join(_NAMES)})\b", lambda match: _NAMES[match[1]], code)


def _sources(folders: Iterable[str]) -> Iterator[Body]:
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.py")):
            yield from bodies(path.read_text(encoding="utf-8"), str(path))


if __name__ == "__main__":
    copies = duplicates(list(_sources(sys.argv[1:])))
    print(*copies, sep="\n\n", end="\n" if copies else "")
    print(f"code that stands twice: {len(copies)} pieces")
    sys.exit(bool(copies))
