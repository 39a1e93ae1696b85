"""What a policy says of one clause or one check, seen by an application and in what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import specspan
from specspan.testing import recorded

SPEC = """\
# Desk {#desk}

## Guard numbers {#guard_numbers authority=root}

Never.

## Stay polite {#stay_polite authority=user}

Always.
"""

POLICY = """\
spec: spec.md
mode: enforce
clauses:
  guard_numbers:
    action: block
    checks: [{pattern: {any: ['[0-9]{4}'], reason: number}}]
  stay_polite:
    mode: observe
    action: block
    checks:
      - pattern: {any: [stupid], reason: rude}
      - pattern: {any: [daft], reason: daft, sample: 0.000000001}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy that enforces one clause and watches another."""
    (tmp_path / "spec.md").write_text(SPEC)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "policy.yaml"


@specspan.observe(model="parrot")
def answer(text: str) -> str:
    return text


@specspan.observe(model="parrot")
def stream(text: str) -> Iterator[str]:
    yield from text.split(" ")


def test_an_answer_that_only_a_watched_clause_minds_is_handed_over(policy: Path) -> None:
    """The span says that it was flagged under a policy in force, and that it would have been blocked."""
    with recorded(policy) as what:
        assert answer("stupid") == "stupid"
    found = dict(what.spans[0].attributes or {})
    said = {name: found.get(f"specspan.decision.{name}") for name in ("mode", "verdict", "action", "would")}
    assert said == {"mode": "enforce", "verdict": "violated", "action": "flag", "would": "block"}
    assert found["specspan.clause.stay_polite"] == "violated"


def test_a_streamed_answer_is_handed_over_whole(policy: Path) -> None:
    """A watched clause does not cut it; the record says that it would have."""
    with recorded(policy) as what:
        assert list(stream("how stupid of me")) == ["how", "stupid", "of", "me"]
    [decision] = what.decisions
    assert (decision["action"], decision["would"]) == ("flag", "block")


def test_the_clause_that_is_enforced_still_blocks(policy: Path) -> None:
    """What another clause would have done is not said where it would have been no stricter."""
    with recorded(policy) as what, pytest.raises(specspan.Blocked):
        answer("stupid 1234")
    [decision] = what.decisions
    assert (decision["action"], decision["would"], decision["governing_clause"]) == ("block", None, "guard_numbers")


def test_a_call_that_is_no_sample_says_so(policy: Path) -> None:
    """The finding of the check that did not look is unassessed, beside the one that did."""
    with recorded(policy) as what:
        answer("daft")
    [decision] = what.decisions
    found = {finding["check"]["name"]: (finding["outcome"], finding["reason"]) for finding in decision["findings"]}
    assert found["rude"] == ("complied", None)
    assert found["daft"] == ("unassessed", "not_sampled")
    assert decision["verdict"] == "complied"


def test_a_test_can_name_the_environment(policy: Path) -> None:
    """What holds in production is tested on the desk."""
    policy.write_text(POLICY + "environments: {production: {clauses: {stay_polite: {mode: enforce}}}}\n")
    with recorded(policy, environment="production"), pytest.raises(specspan.Blocked):
        answer("stupid")
