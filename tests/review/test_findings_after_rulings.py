"""A finding that comes after a ruling leaves what people ruled in force, and changes the rest of the verdict."""

from __future__ import annotations

from typing import Any

import pytest
from reviewed import ANA, BEN, decision, decision_id, finding, record

from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RulingKind
from specspan.sqlite import Filter
from specspan.stores.opening import open_store

REVIEWS = [{"clause": clause, "outcome": "violated", "causes": ["violated"]} for clause in ("be_kind", "privacy")]
PENDING = {"pending": {"until_unix_nano": 2**62}}


def late(position: int, found: dict[str, Any], verdict: str, governing: str | None) -> dict[str, Any]:
    """Return the record of a finding that came late, with the verdict that the checks alone lead to."""
    return {
        "v": 2,
        "type": "finding",
        "decision": decision_id(1),
        "time_unix_nano": 2 * 10**18,
        "finding": {"position": position, **found},
        "amended": {"before": {"verdict": "pending"}, "after": {"verdict": verdict, "governing_clause": governing}},
    }


def ruling_of(db: str) -> tuple[Any, Any]:
    """Return the verdict of the one decision, and the clause that governs it."""
    with open_store(db) as reader:
        found = reader.decision(decision_id(1))
        (listed,) = reader.decisions(Filter())
    assert listed["verdict"] == found["verdict"]
    return found["verdict"], found["governing_clause"]


def overruled(db: str, queue: ReviewQueue, outcome: str = "violated") -> None:
    """Record a call whose privacy is pending, and have a person rule that it was kind."""
    found = [finding("be_kind", outcome), finding("privacy", "pending", reason=None)]
    record(db, decision(1, *found, reviews=REVIEWS, **PENDING))
    task = next(each for each in queue.list().tasks if each.clause == "be_kind")
    queue.rule(task.id, ANA, RulingKind.OVERRULE, outcome="complied", reason="a quotation")


@pytest.mark.parametrize(
    ("found", "by_checks", "expected"),
    [
        ("complied", ("violated", "be_kind"), ("complied", None)),
        ("violated", ("violated", "privacy"), ("violated", "privacy")),
        ("violated", ("violated", "be_kind"), ("violated", "privacy")),
        ("uncertain", ("violated", "be_kind"), ("uncertain", "privacy")),
    ],
)
def test_a_late_finding_leaves_a_ruling_in_force(
    found: str, by_checks: tuple[str, str], expected: tuple[str, str | None], db: str, queue: ReviewQueue
) -> None:
    """A clause that people ruled on counts as they ruled; another clause counts as the judge found it."""
    overruled(db, queue)
    record(db, late(1, finding("privacy", found), *by_checks))
    assert ruling_of(db) == expected
    record(db, late(1, finding("privacy", found), *by_checks))  # sent twice
    assert ruling_of(db) == expected


def test_a_late_finding_about_the_ruled_clause_changes_nothing(db: str, queue: ReviewQueue) -> None:
    """What the judge says of it afterwards is kept among the findings, and the person's ruling decides."""
    found = [finding("be_kind", "pending", reason=None), finding("privacy", "complied")]
    record(db, decision(1, *found, verdict="pending", reviews=REVIEWS[:1], **PENDING))
    (task,) = queue.list().tasks
    queue.rule(task.id, BEN, RulingKind.OVERRULE, outcome="not_applicable", reason="nobody was spoken to")
    assert ruling_of(db) == ("complied", None)
    record(db, late(0, finding("be_kind", "violated"), "violated", "be_kind"))
    assert ruling_of(db) == ("complied", None)
    with open_store(db) as reader:
        assert reader.decision(decision_id(1))["findings"][0]["outcome"] == "violated"


def test_a_ruling_counts_findings_that_came_while_it_was_made(
    db: str, queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision is read within the ruling's transaction: what came since the reviewer's page is not lost."""
    found = [finding("be_kind", "violated"), finding("privacy", "pending", reason=None)]
    record(db, decision(1, *found, reviews=REVIEWS, **PENDING))
    task = next(each for each in queue.list().tasks if each.clause == "be_kind")
    original = queue._transactions.write

    def write_after_a_late_finding(work: Any) -> Any:
        record(db, late(1, finding("privacy", "violated"), "violated", "be_kind"))
        return original(work)

    monkeypatch.setattr(queue._transactions, "write", write_after_a_late_finding)
    queue.rule(task.id, ANA, RulingKind.OVERRULE, outcome="complied", reason="a quotation")
    assert ruling_of(db) == ("violated", "privacy")
