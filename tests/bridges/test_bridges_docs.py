"""What `docs/bridges.md` says holds."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bridging import RULES, outcomes, process

from specspan._support import plugins
from specspan.bridges import recorded_content as side
from specspan.bridges.bridge import QUEUE_SIZE
from specspan.bridges.dialect import iter_dialects

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bridges.md").read_text(encoding="utf-8")


def own_dialect() -> Any:
    """The module on the page."""
    module: Any = ModuleType("oracle")
    code = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[-1]
    exec(compile(code, "docs/bridges.md", "exec"), module.__dict__)
    return module


def test_the_dialect_on_the_page_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered, it is spoken at once, and goes before those that are built in."""
    found = own_dialect()
    monkeypatch.setattr(
        plugins, "iter_plugins", lambda group: [("oracle", found)] if group == "specspan_dialects" else []
    )
    with process() as others:
        others.configure(RULES)
        others.span(
            {"oracle.question": "hi", "oracle.answer": "hello", "gen_ai.operation.name": "chat"}, scope="oracle"
        )
        others.span({"oracle.question": "hi"}, scope="oracle")
        told, silent = others.decisions
    assert (told["call"]["dialect"], told["call"]["provider"]) == ("delphi", "delphi")
    assert outcomes(told)["quiet"] == ("violated", "loud")
    assert outcomes(silent)["quiet"] == ("unassessed", "content_not_recorded")


def test_the_table_lists_every_dialect() -> None:
    """By the name that decisions carry."""
    table = PAGE.partition("| dialect |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == sorted(each.name for each in iter_dialects())


def test_the_table_lists_every_reason() -> None:
    """Why something is unassessed is a closed set."""
    reasons = {value for name, value in vars(side).items() if name.isupper() and str(value).startswith("content_")}
    table = PAGE.partition("| reason |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == reasons


def test_the_bounds_are_as_it_says() -> None:
    """In numbers as people write them."""
    assert f"{QUEUE_SIZE:,}" in PAGE
    assert f"{side.MAX_CHARS // 1_000_000} million characters" in PAGE
