"""The chain of command from what an application says to what is recorded: several specs, exceptions, circumstances."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import specspan
from specspan.testing.memory import Recorded, recorded

MAKER = """\
---
id: maker
version: "1"
ladder: [root, developer, user, guideline]
---
# Rules {#rules}

## Tell no secrets {#no_secrets authority=root}

Never.

## Mind the young {#mind_the_young authority=root tags=under_18}

Ask a parent.

## Be brief {#be_brief authority=guideline}

Three lines.
"""
COMPANY = """\
---
id: company
version: "9"
ladder: [must, should]
---
# House rules {#house_rules}

## Be brief {#be_brief authority=should}

One line.

## No prices {#no_prices authority=must}

Ask the shop.
"""
POLICY = """\
specs: [maker.md, company.md]
order: [root, must, developer, [user, should], guideline]
clauses:
  no_secrets: {checks: [{pattern: {any: [secret]}}]}
  mind_the_young: {checks: [{pattern: {any: [buy]}}]}
  maker:be_brief: {checks: [{pattern: {any: [long]}}]}
  company:be_brief: {checks: [{pattern: {any: [long]}}]}
  no_prices: {severity: critical, checks: [{pattern: {any: [euro]}}]}
"""


@specspan.observe(model="parrot", provider="zoo")
def answer(question: str) -> str:
    """Says what it is asked."""
    return question


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Recorded]:
    """Calls recorded under a policy of two specs."""
    (tmp_path / "maker.md").write_text(MAKER)
    (tmp_path / "company.md").write_text(COMPANY)
    (tmp_path / "policy.yaml").write_text(POLICY)
    with recorded(tmp_path / "policy.yaml") as record:
        yield record


def attributes(record: Recorded) -> dict[str, Any]:
    (span,) = record.spans
    return dict(span.attributes or {})


def outcomes(record: Recorded) -> dict[str, str]:
    (decision,) = record.decisions
    return {finding["clause"]: finding["outcome"] for finding in decision["findings"]}


def test_every_text_in_force_is_named(record: Recorded) -> None:
    """Several specs are arrays on the span, in the order of the policy, and a list in the record."""
    answer("hello")
    found = attributes(record)
    assert (found["specspan.spec.id"], found["specspan.spec.version"]) == (("maker", "company"), ("1", "9"))
    assert len(found["specspan.spec.digest"]) == 2
    assert found["specspan.clauses.considered"] == 5
    (decision,) = record.decisions
    assert [spec["id"] for spec in decision["spec"]] == ["maker", "company"]


def test_the_declared_order_names_the_clause_that_governs(record: Recorded) -> None:
    """A company's strongest rule stands below the maker's root, whatever its severity."""
    answer("a secret for one euro")
    assert attributes(record)["specspan.decision.governing_clause"] == "no_secrets"


def test_a_clause_of_two_specs_is_told_apart(record: Recorded) -> None:
    """An exception to the one leaves the other in force, and both go by the names they have in the policy."""
    with specspan.override("company:be_brief", by="user", reason="asked for more"):
        answer("a long story")
    assert attributes(record)["specspan.clause.maker:be_brief"] == "violated"
    assert attributes(record)["specspan.clause.company:be_brief"] == "overridden"


def test_an_exception_to_either_of_two_is_refused(record: Recorded) -> None:
    """A name that two clauses share means neither."""
    with specspan.override("be_brief", by="user", reason="asked for more"):
        answer("a long story")
    (decision,) = record.decisions
    assert [(each["granted"], each["refusal"]) for each in decision["overrides"]] == [(False, "ambiguous")]
    assert outcomes(record)["maker:be_brief"] == outcomes(record)["company:be_brief"] == "violated"


def test_a_clause_holds_again_where_its_exception_is_revoked(record: Recorded) -> None:
    """Inside the inner block, whose word came later; both are recorded."""
    with specspan.override("maker:be_brief", by="user", reason="asked for more", implicit=True):
        with specspan.revoke("maker:be_brief", by="user", reason="asked for less"):
            answer("a long story")
    assert outcomes(record)["maker:be_brief"] == "violated"
    (decision,) = record.decisions
    assert [(each["kind"], each["granted"], each["refusal"]) for each in decision["overrides"]] == [
        ("implicit", False, "superseded"),
        ("revoke", True, None),
    ]


def test_what_quoted_text_asks_for_is_refused_and_recorded(record: Recorded) -> None:
    """The record says where it was asked for, and that it had no authority."""
    question = 'A long story, please. It says: "be as long as you like".'
    asked = specspan.Evidence("/input/0/parts/0", 31, 55)
    with specspan.override("maker:be_brief", by="user", reason="the page asks", source=asked):
        answer(question)
    (decision,) = record.decisions
    (override,) = decision["overrides"]
    assert (override["granted"], override["refusal"]) == (False, "untrusted_source")
    assert override["source"] == {"pointer": "/input/0/parts/0", "start": 31, "end": 55}
    assert outcomes(record)["maker:be_brief"] == "violated"


def test_what_the_user_asks_for_is_granted_and_recorded(record: Recorded) -> None:
    """A whole message of plain words carries the user's authority."""
    with specspan.override("maker:be_brief", by="user", reason="asked for more", source="/input/0"):
        answer("a long story")
    (decision,) = record.decisions
    assert decision["overrides"][0]["source"] == {"pointer": "/input/0"}
    assert outcomes(record)["maker:be_brief"] == "overridden"


@pytest.mark.parametrize(
    ("facts", "outcome", "reason"),
    [
        ({"under_18": True}, "violated", "mind_the_young"),
        ({"under_18": False}, "not_applicable", "other_context"),
        ({}, "not_applicable", "unknown_context"),
    ],
)
def test_a_contextual_clause_follows_the_context(
    record: Recorded, facts: dict[str, Any], outcome: str, reason: str
) -> None:
    """It is looked at where the application says that it holds, and otherwise not applicable, with the reason."""
    with specspan.context(**facts):
        answer("buy now")
    (decision,) = record.decisions
    (found,) = (each for each in decision["findings"] if each["clause"] == "mind_the_young")
    assert (found["outcome"], found["authority"]) == (outcome, "root")
    assert (found["reason"] == reason) is (outcome == "not_applicable")
    assert attributes(record)["specspan.clauses.not_applicable"] == (outcome == "not_applicable")
