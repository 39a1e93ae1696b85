"""Coverage of specs by a policy: the clauses that are checked, how and when, and the clauses that never are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from specspan.decision import CheckMechanism, Stage
from specspan.policy.policy import Policy
from specspan.spec.spec import Clause

KindAndStage = tuple[CheckMechanism, Stage]
"""Kind of a check, and the stage at which it runs."""


@dataclass(frozen=True, slots=True)
class ClauseCoverage:
    """Coverage of one binding clause."""

    clause: Clause
    named: bool
    """True where the policy names the clause; then severity and action are decided for it, checked or not."""
    check_counts: tuple[tuple[KindAndStage, int], ...] = ()
    """Number of checks of each kind and stage. Without any, the clause is unassessed on every call, never complied."""

    @property
    def checked(self) -> bool:
        """Return whether the clause has a check."""
        return bool(self.check_counts)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of all specs of a policy."""

    policy: Policy
    clauses: tuple[ClauseCoverage, ...]
    """Every binding clause, in the order of the specs and of their documents."""

    @property
    def checked(self) -> tuple[ClauseCoverage, ...]:
        """Return the clauses that have a check."""
        return tuple(clause for clause in self.clauses if clause.checked)

    @property
    def unassessed(self) -> tuple[ClauseCoverage, ...]:
        """Return the clauses that have none."""
        return tuple(clause for clause in self.clauses if not clause.checked)

    def by_level(self) -> dict[str, tuple[int, int]]:
        """Return the number of checked clauses and of all clauses for each level of the ladder."""
        total = Counter(clause.clause.authority for clause in self.clauses)
        checked = Counter(clause.clause.authority for clause in self.checked)
        return {level: (checked[level], total[level]) for level in self.policy.authority.ladder}

    def by_kind_and_stage(self) -> dict[KindAndStage, int]:
        """Return the number of clauses with a check of each kind and stage."""
        return dict(Counter(look for clause in self.clauses for look, _ in clause.check_counts))


def measure_coverage(policy: Policy) -> Coverage:
    """Return how ``policy`` covers its specs."""
    return Coverage(policy, tuple(_clause(policy, clause) for clause in policy.authority.binding))


def _clause(policy: Policy, clause: Clause) -> ClauseCoverage:
    bound = policy.clauses.get(clause.id)
    if bound is None:
        return ClauseCoverage(clause, named=False)
    check_counts = Counter((binding.check.ref.mechanism, binding.check.traits.stage) for binding in bound.checks)
    return ClauseCoverage(clause, named=True, check_counts=tuple(check_counts.items()))
