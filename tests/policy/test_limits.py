"""Limits that a policy file sets to checks of any kind, and the mode of a clause."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from policies import says

from specspan.checks.check import Check, CheckKindModule
from specspan.decision import Mode
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.policy.policy import CheckBinding, ClausePolicy

CLAUSE = "spec: house.md\nclauses:\n  greet_people:\n    "
CHECKS = """\
def polite(call):
    return True
"""


@pytest.fixture(autouse=True)
def checks(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with a check of the user's own can be imported."""
    (house / "limits_checks.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(str(house))


def clause(text: str, kinds: Mapping[str, CheckKindModule] | None = None) -> ClausePolicy:
    """The clause of a policy in which ``text`` stands under it."""
    Path("policy.yaml").write_text(CLAUSE + text, encoding="utf-8")
    return load_policy("policy.yaml", kinds=kinds).clauses["greet_people"]


def binding(text: str) -> CheckBinding:
    """The one check that ``text`` describes, as the policy binds it."""
    [found] = clause(f"checks: [{text}]\n").checks
    return found


def refused(text: str) -> str:
    """What is told of a check that is refused, without the place."""
    with pytest.raises(PolicyError) as error:
        binding(text)
    return str(error.value).removeprefix("policy.yaml:4: clauses.greet_people.checks[0].")


@pytest.mark.parametrize("written", ["0.1", "10%"])
def test_a_check_of_any_kind_may_look_at_a_share_of_the_calls(written: str) -> None:
    """The share is the policy's affair: everything else about the check is its own."""
    words = binding(f"pattern: {{any: [hello], reason: greeting, sample: {written}}}")
    assert (words.sample, words.check.ref.name, words.timeout_s) == (0.1, "greeting", None)
    assert words.check.traits == binding("pattern: {any: [hello]}").check.traits
    assert binding(f"code: {{name: 'limits_checks:polite', sample: {written}}}").sample == 0.1


@pytest.mark.parametrize(
    ("written", "timeout_s"), [("500ms", 0.5), ("2s", 2.0), ("1m", 60.0), ("0.5s", 0.5), ("1.5ms", 0.0015)]
)
def test_a_time_limit_is_written_as_people_say_it(written: str, timeout_s: float) -> None:
    """A number and a unit; it goes before what the check itself says."""
    limited = binding(f"code: {{name: 'limits_checks:polite', timeout: {written}}}")
    assert limited.timeout_s == pytest.approx(timeout_s)


def test_a_check_without_limits_keeps_its_own() -> None:
    """It runs on every call, for as long as the check itself allows."""
    polite = binding("code: 'limits_checks:polite'")
    assert (polite.sample, polite.timeout_limit_s, polite.timeout_s) == (1.0, None, 1.0)
    words = binding("pattern: hello")
    assert words == CheckBinding(words.check)


REFUSALS = {
    "pattern: {any: [x], sample: 0}": (
        "pattern.sample: the share 0 is not above 0 and at most 1. Write a share such as 99.9% or 0.999."
    ),
    "pattern: {any: [x], sample: often}": (
        "pattern.sample: 'often' is not a share. Write a share such as 99.9% or 0.999."
    ),
    "pattern: {any: [x], timeout: 1s}": (
        "pattern.timeout: patterns are matched in linear time, on the caller's thread, and need no time limit. "
        "Remove it."
    ),
    "code: {name: 'limits_checks:polite', timeout: 500}": (
        "code.timeout: 500 is not a time limit. Write a number and ms, s or m, such as 500ms."
    ),
    "code: {name: 'limits_checks:polite', timeout: 0ms}": (
        "code.timeout: '0ms' is not a time limit. Write a number and ms, s or m, such as 500ms."
    ),
    "code: {name: 'limits_checks:polite', timeout: 1s, timeout_s: 1}": (
        "code.timeout: 'timeout' and 'timeout_s' are both given. Keep one of the two."
    ),
    "pattern: {any: [x], smaple: 0.1}": "pattern.smaple: unknown key 'smaple'. Did you mean 'sample'?",
}


@pytest.mark.parametrize("written", REFUSALS)
def test_a_limit_that_cannot_be_is_refused_where_it_stands(written: str) -> None:
    """With its line, key and remedy, like everything in a policy."""
    assert refused(written) == REFUSALS[written]


def test_a_kind_that_knows_a_limit_itself_keeps_it() -> None:
    """A plug-in's own ``sample`` reaches the plug-in, and nobody else."""
    seen: list[Any] = []
    schema = {"type": "object", "properties": {"sample": {"type": "integer"}}}
    built = says(True)

    def build(clause_id: str, configuration: Any) -> Check:
        seen.append(configuration)
        return built

    kind: Any = SimpleNamespace(KIND="fake", build=build, SCHEMA=schema)
    assert clause("checks: [{fake: {sample: 7}}]\n", {"fake": kind}).checks == (CheckBinding(built),)
    assert seen == [{"sample": 7}]


def test_a_clause_may_be_watched_while_the_rest_is_enforced() -> None:
    """``mode`` of a clause, or of the defaults and another for the clause."""
    assert clause("mode: observe\n").mode is Mode.OBSERVE
    assert clause("severity: low\n").mode is Mode.ENFORCE
    assert clause("mode: enforce\ndefaults: {mode: observe}\n").mode is Mode.ENFORCE
    assert clause("severity: low\ndefaults: {mode: observe}\n").mode is Mode.OBSERVE


def test_a_kind_whose_schema_is_none_refuses_the_policy_and_no_more() -> None:
    """What a plug-in got wrong is told at the line that called for it."""
    kind: Any = SimpleNamespace(KIND="fake", build=lambda clause_id, configuration: None, SCHEMA=None)
    with pytest.raises(PolicyError, match=r"policy\.yaml:4: .*\.fake: the kind failed with TypeError"):
        clause("checks: [{fake: {sample: 7}}]\n", {"fake": kind})


def test_a_kind_whose_check_declares_no_traits_refuses_the_policy() -> None:
    """A plug-in's mistake is told when the policy is loaded, and not when a call comes."""
    kind: Any = SimpleNamespace(KIND="fake", build=lambda clause_id, configuration: object(), SCHEMA={})
    with pytest.raises(PolicyError, match=r"policy\.yaml:4: .*\.fake: the kind failed with AttributeError"):
        clause("checks: [{fake: {sample: 10%}}]\n", {"fake": kind})
