"""Checker of docstrings and messages: python tools/prose.py FOLDER... Exit code 1 where a rule is broken.

Docstrings are those of modules, classes and functions. At most two in a hundred may open with a word such as "What" or
"It", and the summary of each, its first paragraph, has more than three words. A message is any string that code can
raise or show: none says "'x' is no mode" for "unknown mode 'x'".
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_OPENER_SHARE = 0.02
"""Share of docstrings that may open with one of the words below."""
SHORT_WORDS = 3
"""Words of a summary that is too short to be a sentence."""
_OPENER = re.compile(r"(?:What|Who|Where|Which|How|When|Whether|The\s+same|Of|It)\b", re.IGNORECASE)
_INVERTED = re.compile(r"\b(?:is|are)\s+(?:none\s+of\b|no\s+(?!longer\b))", re.IGNORECASE)
"""Also at the end of a string, to which code may add the word; "no longer" is about time and inverts nothing."""
_OVERRIDE = ("override", "typing.override", "typing_extensions.override")
_PLACEHOLDER = "{}"
_SHOWN_CHARS = 80

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Docstring:
    """Docstring of one module, class or function."""

    path: Path
    line: int
    text: str
    is_inherited: bool
    """True where the contract is written elsewhere: a dunder method, or one that is decorated with ``@override``."""

    @property
    def summary(self) -> str:
        """Return the first paragraph on one line."""
        return " ".join(self.text.strip().split("\n\n", 1)[0].split())

    @property
    def has_opener(self) -> bool:
        """Return whether the summary opens with "What", "It" or another of those words."""
        return _OPENER.match(self.summary) is not None

    @property
    def is_short(self) -> bool:
        """Return whether the summary has three words or fewer."""
        return len(self.summary.split()) <= SHORT_WORDS


@dataclass(frozen=True, slots=True)
class Hit:
    """Place where a rule is broken."""

    path: Path
    line: int
    text: str
    rule: str

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        shown = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
        return f"{self.path}:{self.line}: {shown}: {self.rule}"


class _Messages(ast.NodeVisitor):
    """Collector of the strings of a module that are not docstrings, each with its line."""

    def __init__(self) -> None:
        self.strings: list[tuple[int, str]] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        """Skip a string that stands alone: it documents the class, function or field around it."""
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Collect a plain string, its adjacent parts joined."""
        if isinstance(node.value, str):
            self.strings.append((node.lineno, node.value))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Collect an f-string as one text, and the strings inside its replacement fields on their own."""
        parts = (part.value if isinstance(part, ast.Constant) else _PLACEHOLDER for part in node.values)
        self.strings.append((node.lineno, "".join(map(str, parts))))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)


def python_files(folder: Path) -> list[Path]:
    """Return the Python files below a folder, sorted.

    Raises:
        SystemExit: the folder has none, so that a mistyped name is not a check that passes.
    """
    paths = sorted(folder.rglob("*.py"))
    if not paths:
        raise SystemExit(f"no Python files below {str(folder)!r}: give the path of a folder that has some")
    return paths


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def docstrings(path: Path, tree: ast.Module) -> Iterator[Docstring]:
    """Yield the docstring of a module and of each class and function in it."""
    inherited = {
        method
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, _FUNCTION) and _is_inherited(method)
    }
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)) is not None:
            yield Docstring(path, node.body[0].lineno, text, node in inherited)


def messages(tree: ast.Module) -> list[tuple[int, str]]:
    """Return the line and the text of each string that is not a docstring; ``{}`` stands for what is formatted."""
    visitor = _Messages()
    visitor.visit(tree)
    return visitor.strings


def share_of_openers(documented: Sequence[Docstring]) -> float:
    """Return the share of docstrings that have an opener, from 0 to 1."""
    return sum(each.has_opener for each in documented) / len(documented) if documented else 0.0


def hits(documented: Sequence[Docstring], strings: Iterable[tuple[Path, int, str]]) -> list[Hit]:
    """Return each broken rule by file and line; openers count only where their share is too large."""
    openers = [each for each in documented if each.has_opener]
    if share_of_openers(documented) <= MAX_OPENER_SHARE:
        openers = []
    short = [each for each in documented if each.is_short and not each.is_inherited]
    inverted = [
        Hit(path, line, text, f'message with "{" ".join(match[0].split())}"')
        for path, line, text in strings
        if (match := _INVERTED.search(text)) is not None
    ]
    return sorted(
        (
            *(Hit(each.path, each.line, each.summary, "opener") for each in openers),
            *(Hit(each.path, each.line, each.summary, f"{SHORT_WORDS} words or fewer") for each in short),
            *inverted,
        ),
        key=lambda hit: (hit.path, hit.line),
    )


def _is_inherited(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    is_dunder = method.name.startswith("__") and method.name.endswith("__")
    return is_dunder or any(ast.unparse(each) in _OVERRIDE for each in method.decorator_list)


def main(folders: Sequence[str]) -> int:
    """Print each hit and a summary line. Return the exit code."""
    trees = {path: parse(path) for folder in folders for path in python_files(Path(folder))}
    documented = [each for path, tree in trees.items() for each in docstrings(path, tree)]
    strings = [(path, line, text) for path, tree in trees.items() for line, text in messages(tree)]
    broken = hits(documented, strings)
    for hit in broken:
        print(hit)
    openers = f"{sum(each.has_opener for each in documented)} of {len(documented)} docstrings have an opener"
    share = f"{share_of_openers(documented):.1%}, at most {MAX_OPENER_SHARE:.0%}"
    print(f"prose: {len(broken)} hits in {len(trees)} files; {openers} ({share})")
    return bool(broken)


if __name__ == "__main__":
    if not sys.argv[1:]:
        raise SystemExit("no folder given: python tools/prose.py FOLDER...")
    sys.exit(main(sys.argv[1:]))
