"""Which clauses of its specs a policy has checked, by what and when, and which it never does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from specspan.decision import CheckMechanism, Stage
from specspan.policy.policy import Policy
from specspan.spec.spec import Clause

KindAndStage = tuple[CheckMechanism, Stage]
"""One way of looking: a mechanism of checks at a stage."""


@dataclass(frozen=True, slots=True)
class ClauseCoverage:
    """How one binding clause is looked at."""

    clause: Clause
    named: bool
    """Whether the policy names it; then severity and action are decided for it, checked or not."""
    check_counts: tuple[tuple[KindAndStage, int], ...] = ()
    """Each kind and stage, and how many checks look so. Empty: it is unassessed on every call, never complied."""

    @property
    def checked(self) -> bool:
        """Whether any check check_counts at all."""
        return bool(self.check_counts)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a policy covers its specs."""

    policy: Policy
    clauses: tuple[ClauseCoverage, ...]
    """Every clause that binds, in the order of the specs and of their documents."""

    @property
    def checked(self) -> tuple[ClauseCoverage, ...]:
        """The clauses that a check check_counts at."""
        return tuple(clause for clause in self.clauses if clause.checked)

    @property
    def unassessed(self) -> tuple[ClauseCoverage, ...]:
        """The clauses that none check_counts at."""
        return tuple(clause for clause in self.clauses if not clause.checked)

    def by_level(self) -> dict[str, tuple[int, int]]:
        """For each level of the ladder, how many clauses are checked and how many there are."""
        total = Counter(clause.clause.authority for clause in self.clauses)
        checked = Counter(clause.clause.authority for clause in self.checked)
        return {level: (checked[level], total[level]) for level in self.policy.authority.ladder}

    def by_kind_and_stage(self) -> dict[KindAndStage, int]:
        """For each kind and stage, how many clauses are looked at so."""
        return dict(Counter(look for clause in self.clauses for look, _ in clause.check_counts))


def measure_coverage(policy: Policy) -> Coverage:
    """How ``policy`` covers its specs."""
    return Coverage(policy, tuple(_clause(policy, clause) for clause in policy.authority.binding))


def _clause(policy: Policy, clause: Clause) -> ClauseCoverage:
    bound = policy.clauses.get(clause.id)
    if bound is None:
        return ClauseCoverage(clause, named=False)
    check_counts = Counter((binding.check.ref.mechanism, binding.check.traits.stage) for binding in bound.checks)
    return ClauseCoverage(clause, named=True, check_counts=tuple(check_counts.items()))
