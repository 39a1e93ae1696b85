"""Metrics: exact whether or not a span was sampled. Every attribute is from a closed set.

An instrument call costs the SDK 5 to 8 µs, and a call with 100 clauses would make 110 of them. So calls are queued and
measured on a lane's thread, what complied by one `add` for many calls; whoever collects metrics drains the queue first,
so that what is collected is whole. Violations are added one by one in the context of their span, and so carry
exemplars.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TypeAlias

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from specspan import losses
from specspan.decision import CheckRef, Decision, Finding, Outcome, OverrideRuling
from specspan.record import conventions as names
from specspan.record import findings
from specspan.record.attributes import Attributes
from specspan.record.gen_ai_metrics import GenAiMetrics
from specspan.record.lane import Lane
from specspan.record.model import Ended
from specspan.record.providers import Liveness
from specspan.record.settings import Settings
from specspan.version import __version__

_Alike: TypeAlias = tuple[str, str, str, str, str, str]
"""What tells findings apart in metrics: spec version, clause, authority, severity, outcome, kind of check."""

_lanes: weakref.WeakSet[Lane[Ended]] = weakref.WeakSet()


class Metrics:
    """The instruments, and the lane on which they are fed."""

    def __init__(
        self, provider: MeterProvider | None, settings: Settings, pending: Callable[[], int] | None = None
    ) -> None:
        meter = metrics.get_meter(names.INSTRUMENTATION_NAME, __version__, provider, names.SCHEMA_URL)
        self._gen_ai = GenAiMetrics(meter, settings.generation)
        self._decisions = meter.create_counter(names.METRIC_DECISIONS, "{decision}", "Decisions made.")
        self._findings = meter.create_counter(names.METRIC_FINDINGS, "{finding}", "Findings of all decisions.")
        self._overrides = meter.create_counter(names.METRIC_OVERRIDES, "{override}", "Overrides granted or refused.")
        self._check_duration = meter.create_histogram(
            names.METRIC_CHECK_DURATION,
            "s",
            "Time one check took, where it ran on its own.",
            explicit_bucket_boundaries_advisory=names.OWN_BUCKETS_S,
        )
        self._overhead = meter.create_histogram(
            names.METRIC_OVERHEAD_DURATION,
            "s",
            "What specspan itself cost one call.",
            explicit_bucket_boundaries_advisory=names.OWN_BUCKETS_S,
        )
        meter.create_observable_counter(
            names.METRIC_DROPPED, [_dropped], "{item}", "What specspan dropped, and its failures inside."
        )
        if pending is not None:
            meter.create_observable_gauge(
                names.METRIC_PENDING,
                [lambda _options: [Observation(pending())]],
                "{finding}",
                "Findings of background checks still waited for.",
            )
        self.lane: Lane[Ended] = Lane(
            "measurement",
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
        )
        """Where to put calls that are over."""
        self.live = Liveness(provider, metrics.get_meter_provider)
        _lanes.add(self.lane)

    def _write(self, batch: Sequence[Ended]) -> None:
        tally = _Tally()
        for ended in batch:
            context = ended.context
            self._gen_ai.record(ended, context)
            for stage, taken_ns in ended.timing.overhead_ns.items():
                self._overhead.record(taken_ns / 1e9, {names.STAGE: str(stage)}, context)
            if ended.decision is not None:
                self._write_decision(ended, ended.decision, context, tally)
        for found, count in tally.totals():
            self._findings.add(count, found)

    def _write_decision(self, ended: Ended, decision: Decision, context: Context, tally: _Tally) -> None:
        self._decisions.add(1, _of_decision(ended, decision), context)
        for ruling in decision.overrides:
            self._overrides.add(1, _of_override(ruling), context)
        versions = _versions(decision)
        tally.add(decision.findings, versions)
        summary = decision.summary
        if summary.violated or summary.uncertain or summary.errored:
            for finding in findings.faults(decision):
                tally.remove(finding, versions)
                self._findings.add(1, _as_attributes(_alike(finding, versions)), context)
        for finding in decision.findings:
            if finding.duration_ns and finding.check is not None:
                self._check_duration.record(finding.duration_ns / 1e9, _of_check(finding, finding.check), context)


class _Tally:
    """Findings of one batch, counted by identity: those of clauses nothing was found about are shared by all calls."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._known: dict[int, Finding] = {}

    def add(self, found: Sequence[Finding], spec_version: str) -> None:
        ids = [id(finding) for finding in found]
        self._known.update(zip(ids, found, strict=True))  # kept, so that an id stays that finding's
        self._counts.update(zip(repeat(spec_version), ids))

    def remove(self, finding: Finding, spec_version: str) -> None:
        self._counts[spec_version, id(finding)] -= 1

    def totals(self) -> Iterator[tuple[Attributes, int]]:
        """Metric attributes and how many findings have them."""
        alike: Counter[_Alike] = Counter()
        for (spec_version, finding_id), count in self._counts.items():
            alike[_alike(self._known[finding_id], spec_version)] += count
        return ((_as_attributes(key), count) for key, count in alike.items() if count)


def _alike(finding: Finding, spec_version: str) -> _Alike:
    kind = "" if finding.check is None else finding.check.kind.value
    return spec_version, finding.clause, finding.authority, finding.severity.value, finding.outcome.value, kind


def _as_attributes(key: _Alike) -> Attributes:
    names_of_key = (
        names.SPEC_VERSION,
        names.FINDING_CLAUSE,
        names.FINDING_AUTHORITY,
        names.FINDING_SEVERITY,
        names.FINDING_OUTCOME,
        names.CHECK_KIND,
    )
    return {name: value for name, value in zip(names_of_key, key, strict=True) if value}


def _of_decision(ended: Ended, decision: Decision) -> Attributes:
    return {
        names.SPEC_ID: " ".join(spec.id for spec in decision.specs),
        names.SPEC_VERSION: _versions(decision),
        names.DECISION_VERDICT: decision.verdict.value,
        names.DECISION_ACTION: decision.action.value,
        names.DECISION_MODE: decision.mode.value,
        names.PROVIDER_NAME: ended.call.request.provider,
        names.OPERATION_NAME: ended.call.request.operation,
    }


def _of_check(finding: Finding, check: CheckRef) -> Attributes:
    return {
        names.CHECK_NAME: check.name,
        names.CHECK_KIND: check.kind.value,
        names.CHECK_FAILED: finding.outcome is Outcome.ERROR,
    }


def _of_override(ruling: OverrideRuling) -> Attributes:
    return {
        names.OVERRIDE_CLAUSE: ruling.override.clause,
        names.OVERRIDE_LEVEL: ruling.override.by,
        names.OVERRIDE_RULING: "granted" if ruling.granted else "refused",
    }


def _versions(decision: Decision) -> str:
    return " ".join(spec.version or "" for spec in decision.specs)


def _dropped(_options: CallbackOptions) -> list[Observation]:
    """Every loss of this process. Asked at each collection, so what waits to be measured is measured first."""
    for lane in tuple(_lanes):
        lane.drain()
    return [
        Observation(count, {names.DROPPED_WHAT: what, names.DROPPED_REASON: reason})
        for (what, reason), count in losses.totals().items()
    ]
