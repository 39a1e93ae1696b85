"""What `docs/checks.md` shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from policies import answered, bound, policy

from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks import tool_calls
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.conversations import tool_rules
from specspan.checks.kinds import scope, tools
from specspan.checks.patterns import Pattern
from specspan.checks.registry import isolated_registry, kinds
from specspan.checks.texts import texts
from specspan.decision import Action, Stage
from specspan.engine.engine import Engine
from specspan.engine.rewriting import Cut

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
            assert check.ref.version == ("" if kind == "judge" else "1")  # a judge's is a digest, of its clause, too


def test_rules_for_conversations_can_be_built() -> None:
    """Each entry that the page shows for whole conversations is taken."""
    for entry in (*yaml.safe_load(block("yaml tools")), *yaml.safe_load(block("yaml conversation"))):
        ((kind, configuration),) = entry.items()
        assert kinds()[kind].build("clause", configuration).ref.version == "1"


def test_the_kind_it_shows_cuts_a_stream() -> None:
    """An answer that grows too long is cut before its end, by the traits that the page declares."""
    kind: dict[str, Any] = {}
    exec(compile(block("python kind"), "checks.md", "exec"), kind)
    check = kind["build"]("be_brief", 500)
    assert as_finding(check.decide(answered("short"), texts(answered("short"), Stage.OUTPUT))).outcome == "complied"
    stream = Engine(policy(bound("be_brief", check, action=Action.BLOCK))).open().stream()
    assert stream is not None
    assert any(stream.feed(0, "x" * 50) == Cut(Action.BLOCK) for _ in range(12))


@pytest.mark.parametrize("source", ["(?=a)b", r"(a)\1", "a*", "a$b", "(?:a*|b)+c", r"(?a)\bx", "a{1001}"])
def test_what_it_says_is_refused_is_refused(source: str) -> None:
    """Each sort of pattern that the page lists."""
    with pytest.raises(CheckConfigError):
        Pattern(source)


def test_every_reason_it_names_exists_and_none_is_missing() -> None:
    """The reasons of `tools` and `scope` are a closed set."""
    word = r"(?:tool|arguments?|scope|deadline|cost)_[a-z_]+"
    listed = set(re.findall(f"`({word})`", PAGE.partition("Reasons:")[2])) - {"tool_call"}
    modules = (tools, scope, tool_calls, tool_rules)
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    assert listed == set(re.findall(f'"({word})"', source))
