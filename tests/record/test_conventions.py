"""Names: one table, and the page that explains it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from specspan.record import conventions, foreign_conventions

SOURCES = Path(conventions.__file__).resolve().parents[1]
FOREIGN = re.compile(r"(gen_ai|llm|openinference|traceloop|langsmith|mlflow|logfire|event)\.[a-zA-Z_.]+")
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")


def test_every_name_of_ours_is_explained() -> None:
    """Whatever `specspan.*` name can be recorded stands in docs/telemetry.md."""
    names = {name: value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}
    ours = [value for value in names.values() if value.startswith("specspan.")]
    spelt = set(re.findall(r"specspan\.[a-z_.]*[a-z_]", PAGE))
    assert len(ours) > 50
    assert [name for name in ours if name.rstrip(".") not in spelt] == []


def test_no_name_has_two_meanings() -> None:
    """Two constants never spell one name."""
    values = [value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)]
    assert len(values) == len(set(values))


def test_names_stand_in_the_two_tables_only() -> None:
    """No other module spells a name of the conventions or of another library's dialect."""
    tables = {Path(conventions.__file__).resolve(), Path(foreign_conventions.__file__).resolve()}
    spelt = [
        f"{path.relative_to(SOURCES)}:{node.lineno} {node.value}"
        for path in sorted(set(SOURCES.rglob("*.py")) - tables)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and FOREIGN.fullmatch(node.value)
    ]
    assert len(FOREIGN.findall(" ".join(path.read_text(encoding="utf-8") for path in tables))) > 80
    assert spelt == []
