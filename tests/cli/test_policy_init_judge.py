"""`specspan policy init --judge`: a policy that checks every clause, and what its judges cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specspan.policy.load import load_policy

SPEC = """# Desk {#desk}

## Act within the scope of autonomy {#scope_of_autonomy authority=root}

Use the tools that were agreed on.

## Be kind {#be_kind authority=user}

Be kind to everybody.
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """Spec of two clauses."""
    path = tmp_path / "desk.md"
    path.write_text(SPEC)
    return path


def test_the_policy_loads_and_checks_every_clause(
    spec: Path, specspan: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was written, and in observe mode."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    output = spec.parent / "policy.yaml"

    ran = specspan("policy", "init", spec, "--judge", "openai:gpt-5-mini", "-o", output)

    assert ran.code == 0, ran.err
    policy = load_policy(output)
    kinds = {name: [each.check.ref.name for each in bound.checks] for name, bound in policy.clauses.items()}
    assert kinds == {"scope_of_autonomy": ["scope"], "be_kind": ["openai:gpt-5-mini"]}
    assert policy.mode.value == "observe"


def test_the_cost_of_a_thousand_calls_stands_above_the_clauses(spec: Path, specspan: Callable[..., Any]) -> None:
    """More tokens a call cost more; where no price is known, it says so."""

    def note(*arguments: str) -> str:
        text = specspan("policy", "init", spec, *arguments).out
        return " ".join(line.removeprefix("# ") for line in text.split("\nclauses:")[0].splitlines()[-2:])

    def dollars(tokens: str) -> float:
        found = re.search(r"\$([0-9.]+)", note("--judge", "openai:gpt-5-mini", "--call-tokens", tokens))
        assert found is not None
        return float(found[1])

    assert "Judges of 1,000 calls: about 100 answers in 100 requests" in note("--judge", "openai:gpt-5-mini")
    assert dollars("10000") > 3 * dollars("1000")
    assert "No price is known" in note("--judge", "openai:a-model-of-nobody")


def test_a_model_without_a_provider_is_refused(spec: Path, specspan: Callable[..., Any]) -> None:
    """With what to write."""
    ran = specspan("policy", "init", spec, "--judge", "gpt-5-mini")
    assert ran.code == 2
    assert "such as openai:gpt-5-mini" in ran.err
