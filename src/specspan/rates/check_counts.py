"""Counts of the findings of each check, from decision records in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from specspan.calibration.sample_counts import SampleCounts
from specspan.decision import CheckMechanism, Outcome
from specspan.engine.bound_check import NOTHING_TO_READ

Record: TypeAlias = Mapping[str, Any]

GROUPS = ("clause", "service", "spec_version")
"""Names of what rates can be grouped by; by clause, all calls are one group."""
_DECIDED = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.NOT_APPLICABLE)
_FALLIBLE = (CheckMechanism.JUDGE, CheckMechanism.CLASSIFIER)


@dataclass(frozen=True, slots=True)
class CheckOfClause:
    """Check of a clause, in one group of calls."""

    group: str | None
    """Service, or version of the spec; None where all calls are one group."""
    clause: str
    name: str
    kind: str
    version: str

    @property
    def is_fallible(self) -> bool:
        """Return whether the check reads meaning and errs, so that what it finds needs a correction.

        A pattern or a function finds what it is written to find: that is what it means by a violation.
        """
        return self.kind in _FALLIBLE


@dataclass(slots=True)
class CheckCounts:
    """Counts of the findings of one check about one clause."""

    check: CheckOfClause
    outcomes: Counter[str] = field(default_factory=Counter)
    """Number of findings by outcome."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Number of unassessed findings by reason."""
    _decided: Counter[float] = field(default_factory=Counter)
    _violated: Counter[float] = field(default_factory=Counter)

    @property
    def sample(self) -> SampleCounts:
        """Return the calls that the check decided, by the probability with which they were chosen for it."""
        return SampleCounts(self._decided, self._violated)

    def add(self, finding: Record) -> None:
        """Add one finding to the counts of its outcome."""
        outcome = str(finding.get("outcome"))
        self.outcomes[outcome] += 1
        if outcome == Outcome.UNASSESSED:
            self.reasons[str(finding.get("reason") or "unknown")] += 1
        elif outcome in _DECIDED and finding.get("reason") != NOTHING_TO_READ:
            probability = _probability(finding.get("sampled"))
            self._decided[probability] += 1
            self._violated[probability] += outcome == Outcome.VIOLATED


def count_by_check(decisions: Iterable[Record], by: str = "clause") -> list[CheckCounts]:
    """Return the counts of every check, in the order of groups, clauses and checks.

    Args:
        decisions: decision records with every finding in full, those that came late in place of the pending ones.
        by: one of `GROUPS`.
    """
    counts: dict[CheckOfClause, CheckCounts] = {}
    for decision in decisions:
        group = _group(decision, by)
        for finding in decision.get("findings") or ():
            if (check := _check_of(finding, group)) is not None:
                counts.setdefault(check, CheckCounts(check)).add(finding)
    return sorted(counts.values(), key=_place)


def _check_of(finding: Any, group: str | None) -> CheckOfClause | None:
    check = finding.get("check") if isinstance(finding, Mapping) else None
    if not isinstance(check, Mapping):
        return None  # no check looked, or an override set the clause aside
    name, kind, version = (str(check.get(key) or "") for key in ("name", "kind", "version"))
    return CheckOfClause(group, str(finding.get("clause")), name, kind, version)


def _group(decision: Record, by: str) -> str | None:
    if by == "service":
        service = decision.get("service")
        return str(service["name"]) if isinstance(service, Mapping) and service.get("name") else None
    if by == "spec_version":
        specs = (spec for spec in decision.get("spec") or () if isinstance(spec, Mapping))
        return ", ".join(f"{spec.get('id')} {spec.get('version') or str(spec.get('digest'))[:19]}" for spec in specs)
    return None


def _probability(sampled: Any) -> float:
    if isinstance(sampled, bool) or not isinstance(sampled, (int, float)) or not 0 < sampled <= 1:
        return 1.0
    return float(sampled)


def _place(counts: CheckCounts) -> tuple[str, str, str, str]:
    check = counts.check
    return check.group or "", check.clause, check.name, check.version
