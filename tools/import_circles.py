"""Circles among the modules of one package, imports inside functions included.

A package's own ``__init__`` is a module like any other: it is imported where a statement names it or what it holds, and
not by each module below it. Imports by a string, such as those of plugins, are not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

AT_TOP, IN_FUNCTION, FOR_TYPES = "at the top", "in a function", "for types only"


@dataclass(frozen=True, slots=True)
class Import:
    """Import of one module of the package by another."""

    importer: str
    imported: str
    line: int
    place: str
    """``AT_TOP``, ``IN_FUNCTION`` or ``FOR_TYPES``: below ``if TYPE_CHECKING:``."""

    def __str__(self) -> str:
        marked = "" if self.place == AT_TOP else f" ({self.place})"
        return f"{self.importer}:{self.line} imports {self.imported}{marked}"


class _Imports(ast.NodeVisitor):
    """Collector of the imports of one module, each with the place it stands in."""

    def __init__(self, module: str, package: str, modules: Collection[str]) -> None:
        self.imports: list[Import] = []
        self._module = module
        self._package = package
        self._modules = modules
        self._place = AT_TOP

    def visit_If(self, node: ast.If) -> None:
        """Mark the imports below ``if TYPE_CHECKING:``, but not those below its ``else``."""
        if ast.unparse(node.test) not in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.generic_visit(node)
            return
        self._visit_in(FOR_TYPES, node.body)
        self._visit_in(self._place, node.orelse)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Mark the imports in a function."""
        self._visit_in(IN_FUNCTION, node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Mark the imports in a coroutine function."""
        self._visit_in(IN_FUNCTION, node.body)

    def visit_Import(self, node: ast.Import) -> None:
        """Collect the modules of ``import package.module``."""
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Collect the modules of ``from package import module`` and ``from package.module import name``."""
        base = self._absolute(node)
        below = [f"{base}.{alias.name}" for alias in node.names]
        for name in sorted({name if name in self._modules else base for name in below}):
            self._add(name, node.lineno)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parents = self._package.split(".")
        return ".".join((*parents[: len(parents) - node.level + 1], *filter(None, [node.module])))

    def _visit_in(self, place: str, body: Sequence[ast.stmt]) -> None:
        before, self._place = self._place, place
        for statement in body:
            self.visit(statement)
        self._place = before

    def _add(self, name: str, line: int) -> None:
        if name in self._modules and name != self._module:
            self.imports.append(Import(self._module, name, line, self._place))


def imports(source: Path, trees: Mapping[Path, ast.Module]) -> Iterator[Import]:
    """Yield each import between the modules of the package in the folder ``source``."""
    names = {path: _module_name(source, path) for path in trees}
    for path, tree in trees.items():
        name = names[path]
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        visitor = _Imports(name, package, frozenset(names.values()))
        visitor.visit(tree)
        yield from visitor.imports


def circles(edges: Sequence[Import]) -> list[list[Import]]:
    """Return the imports inside each circle: a set of modules from each of which imports lead to all others."""
    below: dict[str, set[str]] = {}
    for each in edges:
        below.setdefault(each.importer, set()).add(each.imported)
    reached = {module: _reachable(module, below) for module in below}
    groups = {
        frozenset(other for other in reached[module] if module in reached.get(other, ()))
        for module in reached
        if module in reached[module]
    }
    return [
        sorted(
            (each for each in edges if {each.importer, each.imported} <= group),
            key=lambda each: (each.importer, each.line),
        )
        for group in sorted(groups, key=min)
    ]


def _reachable(start: str, below: Mapping[str, Collection[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(below[start])
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting.extend(below.get(module, ()))
    return reached


def _module_name(source: Path, path: Path) -> str:
    parts = (source.resolve().name, *path.relative_to(source).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
