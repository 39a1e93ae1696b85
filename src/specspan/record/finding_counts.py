"""Counts of findings by their metric attributes, kept by object identity until somebody asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import compress, repeat
from operator import is_not
from typing import TypeAlias

from specspan.decision import Finding
from specspan.record import conventions as names
from specspan.record.attributes import Attributes

_MAX_TUPLES = 256
_MAX_DIFFERENCES = 16

MetricKey: TypeAlias = tuple[str, str, str, str, str, str]
"""Metric attributes of a finding: spec version, clause, authority, severity, outcome, kind of check."""

_NAMES = (
    names.SPEC_VERSION,
    names.FINDING_CLAUSE,
    names.FINDING_AUTHORITY,
    names.FINDING_SEVERITY,
    names.FINDING_OUTCOME,
    names.CHECK_KIND,
)


class FindingCounts:
    """Number of findings for each set of metric attributes.

    Calls share the findings of clauses that were complied with, often the whole tuple of them, so adding those of a
    call is one step. A counted tuple is held on to, so that no other object gets its ``id``.
    """

    def __init__(self) -> None:
        self._tuples: dict[tuple[str, int], tuple[tuple[Finding, ...], int]] = {}
        self._latest: tuple[Finding, ...] = ()
        """Findings that were counted last: those of the next call are mostly the same."""
        self._counts: Counter[MetricKey] = Counter()

    def add(self, findings: tuple[Finding, ...], spec_version: str) -> None:
        """Count all findings of one call."""
        key = spec_version, id(findings)
        known = self._tuples.get(key)
        if known is None and (differing := self._differences(findings)) is not None:
            for counted, finding in differing:
                self.remove(counted, spec_version)
                self._counts[metric_key(finding, spec_version)] += 1
            findings = self._latest
            key = spec_version, id(findings)
            known = self._tuples.get(key)
        self._tuples[key] = findings, 1 if known is None else known[1] + 1
        self._latest = findings
        if len(self._tuples) > _MAX_TUPLES:
            self._aggregate()

    def _differences(self, findings: tuple[Finding, ...]) -> list[tuple[Finding, Finding]] | None:
        """Return the findings of the call before that others stand in for; None where these are many."""
        if len(findings) != len(self._latest):
            return None
        differing = list(compress(zip(self._latest, findings, strict=True), map(is_not, self._latest, findings)))
        return differing if len(differing) <= _MAX_DIFFERENCES else None

    def remove(self, finding: Finding, spec_version: str) -> None:
        """Leave one finding out of the counts: it is counted elsewhere."""
        self._counts[metric_key(finding, spec_version)] -= 1

    def take(self) -> Iterator[tuple[Attributes, int]]:
        """Return every count so far, by metric attributes, and start again from nothing."""
        self._aggregate()
        counts, self._counts = self._counts, Counter()
        return ((metric_attributes(key), count) for key, count in counts.items() if count)

    def _aggregate(self) -> None:
        by_identity: Counter[tuple[str, int]] = Counter()
        finding_of: dict[int, Finding] = {}
        for (spec_version, _), (findings, times) in self._tuples.items():
            ids = [id(finding) for finding in findings]
            finding_of.update(zip(ids, findings, strict=True))
            if times == 1:
                by_identity.update(zip(repeat(spec_version), ids))
            else:
                for finding_id in ids:
                    by_identity[spec_version, finding_id] += times
        for (spec_version, finding_id), count in by_identity.items():
            self._counts[metric_key(finding_of[finding_id], spec_version)] += count
        self._tuples.clear()


def metric_key(finding: Finding, spec_version: str) -> MetricKey:
    """Return the values of a finding's metric attributes."""
    kind = "" if finding.check is None else str(finding.check.mechanism)
    severity, outcome = str(finding.severity), str(finding.outcome)
    return spec_version, finding.clause, finding.authority, severity, outcome, kind


def metric_attributes(key: MetricKey) -> Attributes:
    """Return the metric attributes of ``key``, empty ones left out."""
    return {name: value for name, value in zip(_NAMES, key, strict=True) if value}
