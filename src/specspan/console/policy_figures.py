"""Policies as a page shows them: each clause with what checks it, and coverage by level. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BoundClause:
    """Clause of a policy with what is bound to it."""

    id: str
    title: str | None
    authority: str | None
    mode: str | None
    is_checked: bool
    bindings: Sequence[Record]
    """Assessments of the policy's record: stage, severity, action and check."""


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """Clauses of one level of authority."""

    level: str
    checked: int
    total: int


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """Policy that services go by."""

    record: Record
    services: Sequence[str]
    since_unix_nano: int
    """Time at which it came into force, in the service where that was first."""
    clauses: Sequence[BoundClause]
    coverage: Sequence[LevelCoverage]

    @property
    def digest(self) -> str:
        """Return the policy's digest."""
        return str((self.record.get("policy") or {}).get("digest") or "")

    @property
    def checked(self) -> int:
        """Return the number of clauses that something checks."""
        return sum(clause.is_checked for clause in self.clauses)


def policies_in_force(activations: Iterable[Record]) -> list[PolicyInForce]:
    """Return the latest policy of each service, services with one policy together, the newest first.

    Args:
        activations: policy records, each at a moment at which it came into force, the earliest first.
    """
    latest: dict[str, Record] = {}
    began: dict[str, int] = {}
    for each in activations:
        service = str((each.get("service") or {}).get("name") or "unknown service")
        if latest.get(service, {}).get("id") != each.get("id"):
            began[service] = int(each.get("time_unix_nano") or 0)
        latest[service] = each
    services: defaultdict[str, list[str]] = defaultdict(list)
    for service, record in latest.items():
        services[str(record.get("id"))].append(service)
    found = []
    for names in services.values():
        record = latest[names[0]]
        clauses = list(_clauses(record))
        since = min(began[name] for name in names)
        found.append(PolicyInForce(record, sorted(names), since, clauses, _coverage(clauses)))
    return sorted(found, key=lambda each: -each.since_unix_nano)


def _clauses(record: Record) -> Iterable[BoundClause]:
    bindings: defaultdict[str, list[Record]] = defaultdict(list)
    for assessment in record.get("assessments") or ():
        if isinstance(assessment, Mapping) and assessment.get("check"):
            bindings[str(assessment.get("clause"))].append(assessment)
    for clause in record.get("clauses") or ():
        name = str(clause.get("id"))
        yield BoundClause(
            name,
            clause.get("title"),
            clause.get("authority"),
            clause.get("mode"),
            bool(clause.get("checked")),
            bindings[name],
        )


def _coverage(clauses: Iterable[BoundClause]) -> list[LevelCoverage]:
    """Return coverage by level, in the order in which the policy's record first names them."""
    totals: dict[str, list[int]] = {}
    for clause in clauses:
        counted = totals.setdefault(clause.authority or "no level", [0, 0])
        counted[0] += clause.is_checked
        counted[1] += 1
    return [LevelCoverage(level, checked, total) for level, (checked, total) in totals.items()]
