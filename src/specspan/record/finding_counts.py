"""Counting what complied without naming it each time: by identity first, by metric attributes when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import repeat
from typing import TypeAlias

from specspan.decision import Finding
from specspan.record import conventions as names
from specspan.record.attributes import Attributes

_MAX_HELD = 256

MetricKey: TypeAlias = tuple[str, str, str, str, str, str]
"""What tells findings apart in metrics: spec version, clause, authority, severity, outcome, kind of check."""

_NAMES = (
    names.SPEC_VERSION,
    names.FINDING_CLAUSE,
    names.FINDING_AUTHORITY,
    names.FINDING_SEVERITY,
    names.FINDING_OUTCOME,
    names.CHECK_KIND,
)


class FindingCounts:
    """Findings counted by their metric attributes.

    Findings of clauses nothing was found about are shared by all calls, often the whole tuple of them, so adding
    those of a call is one step. What is held is held on to, so that an ``id`` stays that object's.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], tuple[tuple[Finding, ...], int]] = {}
        self._counts: Counter[MetricKey] = Counter()

    def add(self, found: tuple[Finding, ...], spec_version: str) -> None:
        """Count all findings of one call."""
        key = spec_version, id(found)
        _, times = self._held.get(key, (found, 0))
        self._held[key] = found, times + 1
        if len(self._held) > _MAX_HELD:
            self._let_go()

    def remove(self, finding: Finding, spec_version: str) -> None:
        """Leave one finding out of the count: it is counted elsewhere."""
        self._counts[metric_key(finding, spec_version)] -= 1

    def take(self) -> Iterator[tuple[Attributes, int]]:
        """Everything counted so far, by metric attributes; the tally starts again from nothing."""
        self._let_go()
        counts, self._counts = self._counts, Counter()
        return ((metric_attributes(key), count) for key, count in counts.items() if count)

    def _let_go(self) -> None:
        by_identity: Counter[tuple[str, int]] = Counter()
        finding_of: dict[int, Finding] = {}
        for (spec_version, _), (found, times) in self._held.items():
            ids = [id(finding) for finding in found]
            finding_of.update(zip(ids, found, strict=True))
            if times == 1:
                by_identity.update(zip(repeat(spec_version), ids))
            else:
                for finding_id in ids:
                    by_identity[spec_version, finding_id] += times
        for (spec_version, finding_id), count in by_identity.items():
            self._counts[metric_key(finding_of[finding_id], spec_version)] += count
        self._held.clear()


def metric_key(finding: Finding, spec_version: str) -> MetricKey:
    """What metrics tell of a finding."""
    kind = "" if finding.check is None else str(finding.check.mechanism)
    severity, outcome = str(finding.severity), str(finding.outcome)
    return spec_version, finding.clause, finding.authority, severity, outcome, kind


def metric_attributes(key: MetricKey) -> Attributes:
    """The same as attributes; what is empty is left out."""
    return {name: value for name, value in zip(_NAMES, key, strict=True) if value}
