"""What a check returned becomes a finding, or is told apart as nonsense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from specspan.checks.check import InvalidResult, as_finding
from specspan.decision import Evidence, Finding, Outcome

VIOLATED = Finding(Outcome.VIOLATED, "ssn", 1.0, "because", (Evidence("/output/0/parts/0", 0, 4),))


@pytest.mark.parametrize(
    ("result", "outcome"),
    [(True, Outcome.COMPLIED), (False, Outcome.VIOLATED), (None, Outcome.NOT_APPLICABLE)],
)
def test_the_three_short_answers(result: bool | None, outcome: Outcome) -> None:
    """True complied, False violated, None is not applicable."""
    assert as_finding(result) == Finding(outcome)


def test_a_finding_is_taken_as_it_is() -> None:
    """A whole finding passes through unchanged."""
    assert as_finding(VIOLATED) is VIOLATED


@pytest.mark.parametrize("outcome", ["complied", "violated", "uncertain", "not_applicable", "pending", "error"])
def test_outcomes_a_check_may_find(outcome: str) -> None:
    """A check may also say that it cannot tell, that it is still at work, or that it failed."""
    assert as_finding(Finding(Outcome(outcome))).outcome == outcome


def test_a_list_of_evidence_is_kept_as_a_tuple() -> None:
    """Findings are immutable, whatever the function built."""
    evidence: Any = list(VIOLATED.evidence)
    assert as_finding(replace(VIOLATED, evidence=evidence)) == VIOLATED


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def but(**wrong: Any) -> Finding:
    return replace(VIOLATED, **wrong)


NONSENSE: list[Any] = [
    "violated",
    1,
    0,
    0.0,
    [],
    (True, "reason"),
    Outcome.VIOLATED,
    Finding,
    Unprintable(),
    *(Finding(outcome) for outcome in (Outcome.OVERRIDDEN, Outcome.UNASSESSED)),
    *(but(outcome=outcome) for outcome in ("violated", True, None, Unprintable())),
    *(but(score=score) for score in (float("nan"), float("inf"), 10**400, True, "1", 1j)),
    *(but(reason=reason) for reason in (7, b"ssn", Unprintable())),
    but(explanation=Unprintable()),
    *(but(evidence=evidence) for evidence in (None, "abc", 7, ["/output/0/parts/0"], [Unprintable()])),
    *(
        but(evidence=(Evidence(*place),))
        for place in (
            ("/output/0/parts/0", 4, 3),
            ("/output/0/parts/0", -1, 3),
            ("/output/0/parts/0", 0.0, 3),
            ("/output/0/parts/0", False, True),
            ("", 0, 1),
            ("output/0", 0, 1),
            (None, 0, 1),
        )
    ),
]


@pytest.mark.parametrize("result", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_told_apart(result: Any) -> None:
    """Whatever else comes back is a typed error that names what is wrong, never an answer."""
    with pytest.raises(InvalidResult) as refusal:
        as_finding(result)
    assert str(refusal.value)
