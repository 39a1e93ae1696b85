"""What `docs/checks.md` shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks import tool_calls as arguments
from specspan.checks import tool_calls as autonomy
from specspan.checks.check import CheckConfigError
from specspan.checks.kinds import scope, tools
from specspan.checks.patterns import Pattern
from specspan.checks.registry import isolated_registry, kinds

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The one block of a language in the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_every_check_it_shows_can_be_built() -> None:
    """The function it defines is registered and decides; each entry of the policy it shows is taken."""
    answer = ModelCall(Request("openai"), Response(output=(Message("assistant", (Text("Your card is 4929…"),)),)))
    with isolated_registry():
        defined: dict[str, Any] = {}
        exec(compile(block("python"), "checks.md", "exec"), defined)
        assert defined["account_numbers"](answer) is False
        for entry in yaml.safe_load(block("yaml"))["checks"]:
            ((kind, configuration),) = entry.items()
            check = kinds()[kind].build("clause", configuration)
            assert check.ref.version == "1"


@pytest.mark.parametrize("source", ["(?=a)b", r"(a)\1", "a*", "a$b", "(?:a*|b)+c", r"(?a)\bx", "a{1001}"])
def test_what_it_says_is_refused_is_refused(source: str) -> None:
    """Each sort of pattern that the page lists."""
    with pytest.raises(CheckConfigError):
        Pattern(source)


def test_every_reason_it_names_exists_and_none_is_missing() -> None:
    """The reasons of `tools` and `scope` are a closed set."""
    word = r"(?:tool|arguments?|scope|deadline|cost)_[a-z_]+"
    listed = set(re.findall(f"`({word})`", PAGE.partition("Reasons:")[2])) - {"tool_call"}
    modules = (tools, scope, arguments, autonomy)
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    assert listed == set(re.findall(f'"({word})"', source))
