"""Figures of the house: python tools/house.py [--check] [--entered] [SRC], by default src/specspan.

The table shows how large the modules are, how they are worded and named, and how they depend on one another.
``--check`` ends with exit code 1 and one line for each bound that is exceeded. ``--entered`` adds how many files a call
enters.
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.import_circles import Import, circles, imports
    from tools.prose import MAX_OPENER_SHARE, SHORT_WORDS, Docstring, docstrings, parse, python_files, share_of_openers
else:  # a script finds its neighbours without the folder's name
    from import_circles import circles, imports
    from prose import MAX_OPENER_SHARE, SHORT_WORDS, docstrings, parse, python_files, share_of_openers

MAX_LINES = 400
"""Lines of one module."""
MAX_PARTICIPLE_SHARE = 0.06
"""Share of participles among the function names of one word."""
PLUGIN_FOLDERS = frozenset(
    (
        "bridges/dialects",
        "checks/kinds",
        "cli/commands",
        "cli/judge_commands",
        "cli/ledger_commands",
        "cli/policy_commands",
        "cli/spec_commands",
        "console/pages",
        "instrument/frameworks",
        "instrument/providers",
        "spec/readers",
        "spec/writers",
        "stores/kinds",
    )
)
"""Folders whose modules are found by their names: each bears the name of what it adds, whatever other rooms have."""

_IRREGULAR = re.compile(
    r"(?:mis|out|over|re|under|un|with)?(?:"
    r"begun|bought|broken|brought|built|caught|chosen|dealt|drawn|driven|fallen|fed|felt|forgotten|found|frozen|given|"
    r"gone|got|grown|heard|held|hidden|hung|kept|known|laid|left|lent|lost|made|meant|met|paid|proven|ridden|said|"
    r"seen|sent|shown|sold|sought|spent|spoken|stolen|stood|struck|stuck|swept|taken|taught|thrown|told|torn|won|worn|"
    r"written)"
)
"""Not the participles that are a verb or a noun as well: bound, cut, hit, put, read, run, set, split, thought."""
_NO_PARTICIPLES = frozenset(
    ("bed", "embed", "exceed", "feed", "heed", "need", "proceed", "seed", "shed", "speed", "succeed")
)
_CHECK = re.compile(r"(?:.*[._])?check")


@dataclass(frozen=True, slots=True)
class House:
    """Figures of one package."""

    files: int
    lines: int
    module_lines: Mapping[str, int]
    """Lines of each module with code, by its path."""
    docstrings: Sequence[Docstring]
    names: Sequence[str]
    """Name of each function and method."""
    stems: Mapping[str, Sequence[str]]
    """Folders of each module name that several folders have."""
    lookups: Sequence[str]
    """Places where ``getattr`` or ``hasattr`` looks up an attribute of a check."""
    circles: Sequence[Sequence[Import]]

    @property
    def participles(self) -> Counter[str]:
        """Return how often each bare participle is a name, underscores around it left out."""
        return Counter(name.strip("_") for name in self.names if is_participle(name))

    @property
    def one_word_names(self) -> int:
        """Return how many names are of one word, dunder names left out."""
        return sum("_" not in name.strip("_") and not name.startswith("__") for name in self.names)

    @property
    def participle_share(self) -> float:
        """Return the share of bare participles among the names of one word, from 0 to 1."""
        return _share(self.participles.total(), self.one_word_names)


def measure(source: Path) -> House:
    """Return the figures of the package in a folder."""
    paths = python_files(source)
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    trees = {path: parse(path) for path in paths}
    return House(
        files=len(paths),
        lines=sum(lines.values()),
        module_lines={str(path.relative_to(source)): lines[path] for path, tree in trees.items() if has_code(tree)},
        docstrings=[each for path, tree in trees.items() for each in docstrings(path, tree)],
        names=[name for tree in trees.values() for name in function_names(tree)],
        stems=shared_stems(path.relative_to(source) for path in paths),
        lookups=[f"{path.relative_to(source)}:{line}" for path, tree in trees.items() for line in check_lookups(tree)],
        circles=circles(list(imports(source, trees))),
    )


def function_names(tree: ast.Module) -> Iterator[str]:
    """Yield the name of each function and method."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


def has_code(tree: ast.Module) -> bool:
    """Return whether a module holds more than a docstring, imports and ``__all__``."""
    return not all(map(_is_header, tree.body))


def _is_header(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        return all(map(_is_header, (*statement.body, *statement.orelse)))
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [ast.unparse(target) for target in targets] == ["__all__"]
    is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_docstring or isinstance(statement, (ast.Import, ast.ImportFrom))


def is_participle(name: str) -> bool:
    """Return whether a name is a single past participle, such as ``_asked`` or ``told``."""
    word = name.strip("_")
    if name.startswith("__") or "_" in word:
        return False
    return _IRREGULAR.fullmatch(word) is not None or (word.endswith("ed") and word not in _NO_PARTICIPLES)


def check_lookups(tree: ast.Module) -> Iterator[int]:
    """Yield the line of each ``getattr`` or ``hasattr`` of what is named ``check``, such as ``slot.check``."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr")):
            continue
        if node.args and _CHECK.fullmatch(ast.unparse(node.args[0])) is not None:
            yield node.lineno


def shared_stems(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return the folders of each module name that stands in more than one, those of plug-ins left out."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if path.stem != "__init__" and PLUGIN_FOLDERS.isdisjoint(parent.as_posix() for parent in path.parents):
            folders[path.stem].append(path.parent.as_posix())
    return {stem: found for stem, found in sorted(folders.items()) if len(found) > 1}


def percentile_90(sizes: Sequence[int]) -> int:
    """Return the size that nine modules in ten do not exceed, by nearest rank; 0 without modules."""
    return sorted(sizes)[math.ceil(len(sizes) * 0.9) - 1] if sizes else 0


def rows(house: House) -> Iterator[tuple[str, str]]:
    """Yield each figure with its name; what a figure is made of follows below it, without a name."""
    sizes = list(house.module_lines.values())
    largest = max(house.module_lines, key=house.module_lines.__getitem__, default="none")
    openers = sum(each.has_opener for each in house.docstrings)
    short = sum(each.is_short and not each.is_inherited for each in house.docstrings)
    participles = house.participles
    yield "files", f"{house.files}"
    yield "modules with code", f"{len(sizes)}"
    yield "lines", f"{house.lines}"
    yield "  per module, median", f"{statistics.median(sizes) if sizes else 0:.0f}"
    yield "  per module, p90", f"{percentile_90(sizes)}"
    yield "  per module, max", f"{max(sizes, default=0)} ({largest})"
    yield "docstrings", f"{len(house.docstrings)}"
    yield "  with an opener", f"{openers} ({share_of_openers(house.docstrings):.1%})"
    yield f"  of {SHORT_WORDS} words or fewer", f"{short}"
    yield "functions and methods", f"{len(house.names)}"
    yield "  named by a participle", f"{participles.total()} ({_share(participles.total(), len(house.names)):.1%})"
    yield (
        "  of the names of one word",
        f"{participles.total()} of {house.one_word_names} ({house.participle_share:.1%})",
    )
    if participles:
        yield "", ", ".join(f"{name} {count}" for name, count in participles.most_common(8))
    yield "module names in several rooms", f"{len(house.stems)}"
    yield from (("", f"{stem}: {', '.join(folders)}") for stem, folders in house.stems.items())
    yield "getattr on checks", f"{len(house.lookups)}"
    yield from (("", place) for place in house.lookups)
    yield "import circles", f"{len(house.circles)}"
    for circle in house.circles:
        yield "", modules_of(circle)
        yield from (("", f"  {each}") for each in circle)


def exceeded_bounds(house: House) -> Iterator[str]:
    """Yield one line for each bound that the package exceeds."""
    for path, lines in house.module_lines.items():
        if lines > MAX_LINES:
            yield f"{path} has {lines} lines, more than {MAX_LINES}: make it two modules"
    if (openers := share_of_openers(house.docstrings)) > MAX_OPENER_SHARE:
        yield f"{openers:.1%} of the docstrings have an opener, more than {MAX_OPENER_SHARE:.0%}: see tools/prose.py"
    if house.participle_share > MAX_PARTICIPLE_SHARE:
        most = ", ".join(name for name, _ in house.participles.most_common(3))
        share = f"{house.participle_share:.1%} of the names of one word are participles"
        yield f"{share}, more than {MAX_PARTICIPLE_SHARE:.0%}: rename {most}"
    for stem, folders in house.stems.items():
        yield f"{stem}.py stands in {', '.join(folders)}: give each module a name of its own"
    for place in house.lookups:
        yield f"{place} looks up an attribute of a check by name: declare it in the protocol"
    for circle in house.circles:
        yield f"{modules_of(circle)} import one another in a circle: move what they share below them"


def modules_of(circle: Sequence[Import]) -> str:
    """Return the names of the modules in a circle."""
    return ", ".join(sorted({each.importer for each in circle}))


def print_entered(source: Path) -> None:
    """Print how many files a call enters, measured in a process that imports the package from ``source``."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SPECSPAN_"))}
    path = os.pathsep.join(filter(None, (str(source.resolve().parent), plain.get("PYTHONPATH"))))
    environment = {**plain, "PYTHONPATH": path, "SPECSPAN_RAISE_INTERNAL_ERRORS": "1"}
    script = Path(__file__).with_name("entered_files.py")
    subprocess.run([sys.executable, str(script)], check=True, env=environment)  # noqa: S603 - our own


def main(arguments: Sequence[str]) -> int:
    """Print the table, and what else is asked for. Return the exit code."""
    parser = argparse.ArgumentParser(description="figures of the house")
    parser.add_argument("source", metavar="SRC", nargs="?", type=Path, default=Path("src/specspan"))
    parser.add_argument("--check", action="store_true", help="exit with code 1 where a bound is exceeded")
    parser.add_argument("--entered", action="store_true", help="count the files that a call enters")
    options = parser.parse_args(arguments)
    house = measure(options.source)
    for name, figure in rows(house):
        print(f"{name:32}{figure}", flush=True)
    if options.entered:
        print_entered(options.source)
    exceeded = list(exceeded_bounds(house)) if options.check else []
    for line in exceeded:
        print(f"house: {line}")
    return bool(exceeded)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
