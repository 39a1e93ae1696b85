"""Which clauses a policy has checked, and which it never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.decision import CheckMechanism, Stage
from specspan.policy.coverage import Coverage, measure_coverage
from specspan.policy.load import load_policy

POLICY = """\
spec: house.md
clauses:
  lock_door:
    checks:
      - pattern: {any: [open], stage: input}
      - pattern: {any: [open]}
      - pattern: {any: [ajar]}
  greet_people:
"""


@pytest.fixture
def covered(house: Path) -> Coverage:
    """How a small policy covers the house."""
    (house / "policy.yaml").write_text(POLICY)
    return measure_coverage(load_policy("policy.yaml"))


def test_every_binding_clause_is_told(covered: Coverage) -> None:
    """Each clause that binds is checked or unassessed, in the order of the document; sections are not among them."""
    assert [clause.clause.id for clause in covered.clauses] == ["lock_door", "greet_people", "be_brief"]
    assert [clause.clause.id for clause in covered.checked] == ["lock_door"]
    assert [clause.clause.id for clause in covered.unassessed] == ["greet_people", "be_brief"]


def test_named_is_not_checked(covered: Coverage) -> None:
    """A clause that the policy names and nothing checks is unassessed like one that it does not name."""
    assert [clause.named for clause in covered.clauses] == [True, True, False]
    assert [clause.checked for clause in covered.clauses] == [True, False, False]


def test_checks_are_told_by_kind_and_stage(covered: Coverage) -> None:
    """Of a checked clause it is told what looks at it, when, and how many times."""
    pattern = CheckMechanism.PATTERN
    assert covered.clauses[0].check_counts == (((pattern, Stage.INPUT), 1), ((pattern, Stage.OUTPUT), 2))
    assert covered.by_kind_and_stage() == {(pattern, Stage.INPUT): 1, (pattern, Stage.OUTPUT): 1}


def test_levels_are_told_from_the_top(covered: Coverage) -> None:
    """Each level of the ladder has the number of its checked clauses and of all of them."""
    assert covered.by_level() == {"owner": (1, 1), "tenant": (0, 1), "guest": (0, 1)}
