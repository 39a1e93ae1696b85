"""What `docs/instrumentation.md` shows is run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from policies import bound, pattern, policy

import specspan
from specspan._support import plugins
from specspan.decision import Action, Stage
from specspan.testing.memory import recorded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "instrumentation.md"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the page's code makes, run from top to bottom as one module."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    with recorded() as record:
        for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
            exec(compile(block, str(PAGE), "exec"), module.__dict__)
    yield {**module.__dict__, "record": record}
    specspan.uninstrument()


def test_decorated_functions(page: dict[str, Any]) -> None:
    """The functions on the page are recorded as the page says."""
    model, answer, tool, _, desk, flow = page["record"].spans
    assert [span.name for span in (tool, desk, flow)] == [
        "execute_tool search_orders",
        "invoke_agent desk",
        "invoke_workflow support",
    ]
    assert desk.parent.span_id == flow.context.span_id
    assert (model.name, model.attributes["gen_ai.provider.name"]) == ("chat parrot-1", "local")
    assert answer.name == "answer"
    assert answer.attributes["gen_ai.conversation.id"] == "c-9"


def test_the_provider(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider on the page is a whole one: found, recorded, decided and enforced."""
    plugin = ModuleType("plugin")
    vars(plugin)["ADAPTERS"] = page["ADAPTERS"]
    monkeypatch.setattr(plugins, "iter_plugins", lambda group: iter([("delphi", plugin)]))
    specspan.instrument("delphi")
    rules = policy(
        bound("asked", pattern("salt", stage=Stage.INPUT, reason="white"), action=Action.REDACT),
        bound("told", pattern("well", reason="flattery"), action=Action.REDACT),
    )
    with recorded(rules) as record:
        assert page["Oracle"]().consult(question="Salt?") == "Salt? All shall be [redacted:flattery]."
        assert page["Oracle"]().consult(question="salt?").startswith("[redacted:white]?")
    assert {span.name for span in record.spans} == {"chat pythia"}
