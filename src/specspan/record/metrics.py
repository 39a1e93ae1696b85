"""Metrics, exact whether or not a span was sampled. Every attribute is from a closed set.

An instrument call costs the SDK 5 to 8 µs, and a call with 100 clauses would make 110 of them. So calls are queued and
measured on a worker's thread, which only counts what complied. Whoever collects metrics drains the queue and adds the
counts first, so that the collection is whole. What did not comply is added with each batch in the context of the latest
span that it was found on, and so carries exemplars.

`GenAiMetrics` are the GenAI conventions' own client metrics, in the generation that the settings name.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias, TypeVar

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from specspan._support import drop_counts
from specspan._support.caches import IdentityCache
from specspan.decision import CheckRef, Decision, Finding, Outcome, OverrideRuling, Severity, Verdict
from specspan.policy.overrides import UNKNOWN_CLAUSE, UNKNOWN_LEVEL
from specspan.policy.policy import Policy
from specspan.record import attributes
from specspan.record import conventions as names
from specspan.record.attributes import Attributes
from specspan.record.batching import BatchWorker
from specspan.record.call_end import CallRecord
from specspan.record.conventions import Generation
from specspan.record.finding_counts import FindingCounts, MetricKey, metric_attributes, metric_key
from specspan.record.judge_metrics import JudgeMetrics
from specspan.record.late_finding import JudgeRequest, LateFinding
from specspan.record.liveness import Liveness
from specspan.record.pacing import Pacer
from specspan.record.settings import Settings
from specspan.version import __version__

_TOKEN_TYPES = {names.USAGE_INPUT_TOKENS: "input", names.USAGE_OUTPUT_TOKENS: "output"}


class GenAiMetrics:
    """Instruments for duration, tokens and time to the first chunk of model calls."""

    def __init__(self, meter: Meter, generation: Generation) -> None:
        self._generation = generation
        self._operation = _seconds(meter, names.METRIC_OPERATION_DURATION, "GenAI operation duration.")
        self._operation_first_chunk = _seconds(
            meter, names.METRIC_OPERATION_TIME_TO_FIRST_CHUNK, "Time to receive the first chunk of a stream."
        )
        self._inference = _seconds(meter, names.METRIC_INFERENCE_DURATION, "GenAI client inference duration.")
        self._inference_first_chunk = _seconds(
            meter, names.METRIC_INFERENCE_TIME_TO_FIRST_CHUNK, "Time to receive the first chunk of a stream."
        )
        self._tokens = meter.create_histogram(
            names.METRIC_TOKEN_USAGE,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=names.TOKEN_BUCKETS,
        )
        self._usage = {
            name: meter.create_counter(
                names.METRIC_INFERENCE_USAGE_PREFIX + name.removeprefix(names.USAGE_PREFIX),
                "{token}",
                "Number of tokens used.",
            )
            for name in names.USAGE
        }

    def record(self, record: CallRecord, context: Context) -> None:
        """Measure what no other instrumentation measures of the call."""
        shared_with = record.shared_with
        if shared_with.duration and shared_with.tokens:
            return
        values = _call_attributes(record)
        if not shared_with.duration:
            self._record_duration(record, values, context)
        if not shared_with.tokens:
            self._record_usage(record, values, context)

    def _record_duration(self, record: CallRecord, values: Attributes, context: Context) -> None:
        inference = record.call.request.operation in names.INFERENCE_OPERATIONS
        timed = values if record.error_type is None else values | {names.ERROR_TYPE: record.error_type}
        first_chunk_s = record.timing.time_to_first_chunk_s
        if self._generation.current or not inference:
            self._operation.record(record.timing.duration_s, timed, context)
            if first_chunk_s is not None:
                self._operation_first_chunk.record(first_chunk_s, values, context)
        if self._generation.next and inference:
            self._inference.record(record.timing.duration_s, timed, context)
            if first_chunk_s is not None:
                self._inference_first_chunk.record(first_chunk_s, values, context)

    def _record_usage(self, record: CallRecord, values: Attributes, context: Context) -> None:
        if record.call.response is None:
            return
        for name, count in attributes.usage(record.call.response).items():
            if self._generation.current and name in _TOKEN_TYPES:
                self._tokens.record(count, values | {names.TOKEN_TYPE: _TOKEN_TYPES[name]}, context)
            if self._generation.next:
                self._usage[name].add(count, values, context)


def _call_attributes(record: CallRecord) -> Attributes:
    request, response = record.call.request, record.call.response
    values: Attributes = {names.OPERATION_NAME: request.operation, names.PROVIDER_NAME: request.provider}
    if request.model is not None:
        values[names.REQUEST_MODEL] = attributes.safe_text(request.model)
    if response is not None and response.model is not None:
        values[names.RESPONSE_MODEL] = attributes.safe_text(response.model)
    if request.server_address is not None:
        values[names.SERVER_ADDRESS] = request.server_address
        if request.server_port is not None:
            values[names.SERVER_PORT] = request.server_port
    return values


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS_S)


_DecisionKey: TypeAlias = tuple[str, str, str, str, str, str, str]
_Key = TypeVar("_Key")
_Unsound: TypeAlias = "dict[_DecisionKey, tuple[int, CallRecord]]"
"""By attributes, the number of decisions of a batch that did not comply, and the latest of them."""
_Faults: TypeAlias = "dict[MetricKey, tuple[int, CallRecord]]"
"""By attributes, the number of findings of a batch that did not comply, and the call of the latest."""
_DECISION_NAMES = (
    names.SPEC_ID,
    names.SPEC_VERSION,
    names.DECISION_VERDICT,
    names.DECISION_ACTION,
    names.DECISION_MODE,
    names.PROVIDER_NAME,
    names.OPERATION_NAME,
)
_REFUSALS_WITHOUT_LEVEL = (UNKNOWN_CLAUSE, UNKNOWN_LEVEL)
"""Refusals of overrides whose level may be any text that an application writes."""

_MAX_ZEROS = 500
"""Largest number of counters that start at zero, far below the 2,000 sets of attributes that the SDK keeps."""

_MAX_UNTIMED = 256

_instances: weakref.WeakSet[Metrics] = weakref.WeakSet()


class Metrics:
    """Instruments, and the queue of calls they measure."""

    def __init__(self, provider: MeterProvider | None, settings: Settings) -> None:
        meter = metrics.get_meter(names.INSTRUMENTATION_NAME, __version__, provider, names.SCHEMA_URL)
        self._gen_ai = GenAiMetrics(meter, settings.generation)
        self._decisions = meter.create_counter(names.METRIC_DECISIONS, "{decision}", "Decisions made.")
        self._findings = meter.create_counter(names.METRIC_FINDINGS, "{finding}", "Findings of all decisions.")
        self._overrides = meter.create_counter(names.METRIC_OVERRIDES, "{override}", "Overrides granted or refused.")
        self._scopes = meter.create_counter(names.METRIC_SCOPES, "{call}", "Calls under a scope of autonomy.")
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
        self._judges = JudgeMetrics(meter)
        self.worker: BatchWorker[CallRecord | LateFinding] = BatchWorker(
            "measurement",
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
            on_close=self.measure_all,
            on_fork=self._forget,
        )
        """Queue of calls that are over."""
        self.live = Liveness(provider, metrics.get_meter_provider)
        self._decision_counts: Counter[_DecisionKey] = Counter()
        self._finding_counts = FindingCounts()
        self._untimed: IdentityCache[tuple[Finding, ...], tuple[Finding, ...]] = IdentityCache(_MAX_UNTIMED)
        """Findings of which none took notable time, which many calls share."""
        _instances.add(self)

    def measure_all(self) -> None:
        """Bring the instruments up to date with every call that record so far."""
        with self.worker.drain():
            decisions, self._decision_counts = self._decision_counts, Counter()
            for key, count in decisions.items():
                self._decisions.add(count, _decision_attributes(key))
            for values, count in self._finding_counts.take():
                self._findings.add(count, values)

    def record_judge_request(self, request: JudgeRequest) -> None:
        """Measure a judge's own call, which is none of the application's."""
        if self.live:
            self._judges.record_request(request)

    def start_at_zero(self, policy: Policy) -> None:
        """Add 0 to the counters of the violations that alerts wait for, before there is one.

        Where a counter's first value is 1, Prometheus sees no increase.
        """
        spec_version = _join(spec.version for spec in policy.specs)
        for finding in islice(_alerting_violations(policy), _MAX_ZEROS):
            self._findings.add(0, metric_attributes(metric_key(finding, spec_version)))

    def _forget(self) -> None:
        """Start counting anew in a forked child: the parent adds its counts itself."""
        self._decision_counts = Counter()
        self._finding_counts = FindingCounts()

    def _write(self, batch: Sequence[CallRecord | LateFinding]) -> None:
        pacer = Pacer()
        unsound: _Unsound = {}
        faults: _Faults = {}
        try:
            for record in batch:
                pacer.pause_if_due()
                if isinstance(record, LateFinding):
                    self._write_late_finding(record)
                else:
                    self._write_call(record, unsound, faults)
        finally:
            for decision_key, (count, latest) in unsound.items():
                _add_with_exemplar(self._decisions, count, _decision_attributes(decision_key), latest)
            for finding_key, (count, latest) in faults.items():
                _add_with_exemplar(self._findings, count, metric_attributes(finding_key), latest)

    def _write_call(self, record: CallRecord, unsound: _Unsound, faults: _Faults) -> None:
        context = record.context
        if record.call.request.executes is None:
            self._gen_ai.record(record, context)
        for stage, taken_ns in record.timing.overhead_ns.items():
            self._overhead.record(taken_ns / 1e9, {names.STAGE: str(stage)}, context)
        standing = record.call.context.standing
        if standing is not None:
            self._scopes.add(1, {names.SCOPE_TRUST: standing.trust.value}, context)
        decision = record.decision
        if decision is None:
            return
        key = _decision_key(record, decision)
        if decision.verdict is Verdict.COMPLIED:
            self._decision_counts[key] += 1
        else:
            _note(unsound, key, record)
        for ruling in decision.overrides:
            self._overrides.add(1, _override_attributes(ruling), context)
        self._write_findings(record, decision, faults)

    def _write_late_finding(self, late: LateFinding) -> None:
        spec_version = _join(spec.version for spec in late.after.specs)
        self._findings.add(1, metric_attributes(metric_key(late.finding, spec_version)), late.context)
        if late.finding.duration_ns and late.finding.check is not None:
            values = _check_attributes(late.finding, late.finding.check)
            self._check_duration.record(late.finding.duration_ns / 1e9, values, late.context)
        if late.is_amended:
            self._judges.record_amendment(late)

    def _write_findings(self, record: CallRecord, decision: Decision, faults: _Faults) -> None:
        spec_version = _join(spec.version for spec in decision.specs)
        self._finding_counts.add(decision.findings, spec_version)
        summary = decision.summary
        if summary.violated or summary.uncertain or summary.errored:
            for finding in attributes.faulty_findings(decision):
                self._finding_counts.remove(finding, spec_version)
                _note(faults, metric_key(finding, spec_version), record)
        if self._untimed.get(decision.findings) is not None:
            return
        timed = [finding for finding in decision.findings if finding.duration_ns and finding.check is not None]
        for finding in timed:
            if finding.check is not None:
                values = _check_attributes(finding, finding.check)
                self._check_duration.record(finding.duration_ns / 1e9, values, record.context)
        if not (timed or decision.deviating):  # a tuple with findings that are a call's own will not be seen again
            self._untimed.put(decision.findings, decision.findings)


def _note(noted: dict[_Key, tuple[int, CallRecord]], key: _Key, record: CallRecord) -> None:
    """Count one more of what did not comply, and keep the latest call of it, a sampled one where there is one."""
    count, latest = noted.get(key, (0, record))
    is_sampled = record.span_context.trace_flags.sampled or not latest.span_context.trace_flags.sampled
    noted[key] = count + 1, record if is_sampled else latest


def _add_with_exemplar(counter: metrics.Counter, count: int, values: Attributes, latest: CallRecord) -> None:
    """Add a count of which one, that of the latest call, may become an exemplar."""
    if count > 1:
        counter.add(count - 1, values, Context())
    counter.add(1, values, latest.context)


def _alerting_violations(policy: Policy) -> Iterator[Finding]:
    """Yield a violation of each clause that is critical or has an objective, for each kind of check."""
    for name, bound in policy.clauses.items():
        if bound.objective is not None or bound.severity is Severity.CRITICAL:
            for ref in {each.check.ref.mechanism: each.check.ref for each in bound.checks}.values():
                authority = bound.clause.authority or ""
                yield Finding(Outcome.VIOLATED, clause=name, authority=authority, severity=bound.severity, check=ref)


def _decision_key(record: CallRecord, decision: Decision) -> _DecisionKey:
    return (
        _join(spec.id for spec in decision.specs),
        _join(spec.version for spec in decision.specs),
        str(decision.verdict),
        str(decision.action),
        str(decision.mode),
        record.call.request.provider,
        record.call.request.operation,
    )


def _decision_attributes(key: _DecisionKey) -> Attributes:
    return dict(zip(_DECISION_NAMES, key, strict=True))


def _join(texts: Iterable[str | None]) -> str:
    return " ".join(text or "" for text in texts)


def _check_attributes(finding: Finding, check: CheckRef) -> Attributes:
    return {
        names.CHECK_NAME: check.name,
        names.CHECK_KIND: check.mechanism.value,
        names.CHECK_FAILED: finding.outcome is Outcome.ERROR,
    }


def _override_attributes(ruling: OverrideRuling) -> Attributes:
    return {
        names.OVERRIDE_CLAUSE: names.OTHER if ruling.refusal == UNKNOWN_CLAUSE else ruling.override.clause,
        names.OVERRIDE_LEVEL: names.OTHER if ruling.refusal in _REFUSALS_WITHOUT_LEVEL else ruling.override.by,
        names.OVERRIDE_RULING: "granted" if ruling.granted else "refused",
        **({} if ruling.refusal is None else {names.OVERRIDE_REFUSAL: ruling.refusal}),
    }


def _dropped(_options: CallbackOptions) -> list[Observation]:
    """Return every loss of this process; called at each collection, so queued calls are measured first."""
    for each in tuple(_instances):
        each.measure_all()
    return [
        Observation(count, {names.DROPPED_WHAT: what, names.DROPPED_REASON: reason})
        for (what, reason), count in drop_counts.totals().items()
    ]
