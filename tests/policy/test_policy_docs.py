"""What `docs/policy.md` shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from specspan.decision import Action, Severity
from specspan.errors import PolicyError
from specspan.policy.load import DEFAULT_REPLACEMENT, load_policy

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
SPEC = """\
# Support {#support}

## Protect account numbers {#protect_account_numbers authority=root}

## Stay polite {#stay_polite authority=user}

## Be concise {#be_concise authority=developer}
"""


def block(language: str) -> str:
    """The one block of a language in the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture(autouse=True)
def support(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with the spec that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("support.md").write_text(SPEC)


def test_the_example_loads() -> None:
    """Every key in it means what the table says."""
    Path("policy.yaml").write_text(block("yaml"))
    policy = load_policy("policy.yaml")
    numbers, polite, concise = policy.clauses.values()
    assert (numbers.severity, numbers.action, len(numbers.checks)) == (Severity.CRITICAL, Action.REPLACE, 1)
    assert (polite.severity, polite.action, polite.checks) == (Severity.LOW, Action.FLAG, ())
    assert concise.replacement == DEFAULT_REPLACEMENT
    assert f"`{DEFAULT_REPLACEMENT}`" in PAGE


def test_the_refusal_is_what_is_printed() -> None:
    """The two mistakes the page shows are told in just these words."""
    broken = (
        block("yaml").replace("protect_account_numbers", "protect_account_number").replace("by: developer", "by: user")
    )
    Path("policy.yaml").write_text(broken)
    with pytest.raises(PolicyError) as refused:
        load_policy("policy.yaml")
    assert f"{refused.value}\n" == block("text")
