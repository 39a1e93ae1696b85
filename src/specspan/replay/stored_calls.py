"""Calls of a store, in the order of time, each with its decision; and reasons for which some cannot be replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from specspan._support.caches import BoundedCache
from specspan.decision import Outcome
from specspan.replay.carried_findings import Definitions, definitions_of
from specspan.replay.recorded_call import RecordedCall, read_recorded_call, recorded_span
from specspan.replay.replayer import Outcomes, Replayed, Ruling, clause_outcomes
from specspan.sqlite.expansion import MISSING_POLICY, policy_record_of
from specspan.sqlite.model import StoredSpan
from specspan.sqlite.recorded_calls import StoredCall
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]

NEWER_VERSION = "newer_version"
"""The record is of a version that this one does not know."""
MISSING_POLICY_RECORD = "missing_policy_record"
"""The record of the decision's policy is missing, without which most findings are numbers only."""
INVALID_RECORD = "invalid_record"
"""The record lacks what every decision has."""
IN_FUTURE = "in_future"
"""The decision is dated after the end of the window: a clock was wrong."""
_VERSIONS = (1, 2)
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_shared_outcomes: BoundedCache[object, Outcomes] = BoundedCache(4096)
_SKEW_NS = 300 * 10**9


@dataclass(slots=True)
class StoredCalls:
    """Window of a store. Iterating yields each call that can be replayed; the counts are of what was read so far."""

    reader: StoreReader
    since_unix_nano: int | None
    until_unix_nano: int
    after: tuple[int, str] | None = None
    """Time and id of the last decision that is done already."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of decisions that cannot be replayed, by reason."""
    missing: Counter[str] = field(default_factory=Counter)
    """Number of calls by the reason for which not all of their content is there."""
    policies: Counter[str] = field(default_factory=Counter)
    """Number of calls by the digest of the policy that decided them."""
    specs: Counter[str] = field(default_factory=Counter)
    """Number of calls by the specs that held, each with its version and digest."""
    skewed: int = 0
    """Number of calls whose id and time are more than five minutes apart."""
    read: int = 0
    """Number of decisions, of which some are left out."""

    reviewed: Mapping[str, Record] = field(default_factory=dict)
    """By id of a decision that reviewers amended, its ruling before."""
    _definitions: dict[str, Definitions] = field(default_factory=dict)

    def __iter__(self) -> Iterator[RecordedCall]:
        since = self.since_unix_nano if self.after is None else self.after[0]
        for stored in _stored_calls(self.reader, since):
            decision = stored.decision
            place = decision.get("time_unix_nano"), decision.get("id")
            if self.after is not None and isinstance(place[0], int) and (place[0], str(place[1])) <= self.after:
                continue
            self.read += 1
            reason = self._unusable(stored)
            if reason is not None:
                self.left_out[reason] += 1
                continue
            try:
                recorded = self._read(stored)
                self._count(decision, stored.policy)
            except (TypeError, AttributeError, ValueError, KeyError):
                self.left_out[INVALID_RECORD] += 1
                continue
            if recorded.missing is not None:
                self.missing[recorded.missing] += 1
            yield recorded

    def _read(self, stored: StoredCall) -> RecordedCall:
        """Return the call. What it raises for a record of another shape is of no one type."""
        span = None
        if stored.attributes is not None:
            span = recorded_span(stored.attributes, stored.scope, stored.events, failed=stored.has_failed)
        own = self._before_review(stored.decision)
        for finding in own.get("findings") or ():
            if finding.get("outcome") not in _OUTCOMES:
                raise ValueError(f"unknown outcome {finding.get('outcome')!r}")
        return read_recorded_call(own, span, self._definitions_of(own), stored.policy)

    def _definitions_of(self, decision: Record) -> Definitions:
        digest = str((decision.get("policy") or {}).get("digest"))
        if digest not in self._definitions:
            self._definitions[digest] = definitions_of(self.reader.policies([digest]))
        return self._definitions[digest]

    def _before_review(self, decision: Record) -> Record:
        """Return a decision with the ruling of the policy, where reviewers amended it."""
        before = self.reviewed.get(str(decision["id"]))
        return decision if before is None else {**decision, "governing_clause": None, "reason": None, **before}

    def _unusable(self, stored: StoredCall) -> str | None:
        decision = stored.decision
        if decision.get("v") not in _VERSIONS:
            return NEWER_VERSION
        time_unix_nano = decision.get("time_unix_nano")
        if not isinstance(time_unix_nano, int) or not isinstance(decision.get("id"), str):
            return INVALID_RECORD
        if time_unix_nano > self.until_unix_nano:
            return IN_FUTURE
        is_missing = stored.policy is None and policy_record_of(decision) is not None
        return MISSING_POLICY_RECORD if is_missing or MISSING_POLICY in decision else None

    def _count(self, decision: Record, policy: Record | None) -> None:
        specs, digest = (
            _specs(decision if policy is None else policy),
            str((decision.get("policy") or {}).get("digest")),
        )
        self.specs[specs] += 1
        self.policies[digest] += 1
        digits = str(decision["id"]).replace("-", "")[:12]
        try:
            skew_ns = abs(int(digits, 16) * 10**6 - int(decision["time_unix_nano"]))
        except ValueError:
            return  # the id of a record that somebody else made
        self.skewed += skew_ns > _SKEW_NS


def _specs(record: Record) -> str:
    specs = record.get("spec") or ()
    return " ".join(f"{each.get('id')}@{each.get('version')} {each.get('digest')}" for each in specs)


@runtime_checkable
class BulkReader(Protocol):
    """Reader of a store that gives decisions with the spans of their calls as they are stored."""

    def recorded_calls(self, since_unix_nano: int | None = None) -> Iterator[StoredCall] | None:
        """Return every decision since a time, the earliest first; None where it cannot."""


def _stored_calls(reader: StoreReader, since_unix_nano: int | None) -> Iterator[StoredCall]:
    """Yield the decisions of a store: all at once where it can, else one at a time."""
    if isinstance(reader, BulkReader):
        calls = reader.recorded_calls(since_unix_nano)
        if calls is not None:
            yield from calls
            return
    trace_id, by_id = None, dict[str, StoredSpan]()
    for decision in reader.iter_decisions(since_unix_nano):
        if decision.get("trace_id") != trace_id:  # calls of one trace follow one another
            trace_id = decision.get("trace_id")
            by_id = {} if trace_id is None else {span.span_id: span for span in reader.spans(trace_id)}
        span = by_id.get(str(decision.get("span_id")))
        if span is None:
            yield StoredCall(decision)
        else:
            scope = str(span.scope.get("name") or "")
            yield StoredCall(decision, None, span.attributes, span.status == "ERROR", scope, tuple(span.events))


def recorded_result(recorded: RecordedCall) -> Replayed:
    """Return what was decided about a call then."""
    decision = recorded.decision
    action = str(decision.get("action"))
    governing = decision.get("governing_clause")
    ruling = Ruling(
        str(decision.get("verdict")),
        action,
        str(decision.get("would") or action),
        None if governing is None else str(governing),
    )
    return Replayed(ruling, _outcomes_of(recorded))


def _outcomes_of(recorded: RecordedCall) -> Outcomes:
    """Return the worst outcome of each clause; calls whose findings have the same outcomes share one object."""
    policy, decision = recorded.policy, recorded.decision
    if policy is None:
        return clause_outcomes_of(decision)
    own = tuple((each.get("clause"), each.get("outcome")) for each in decision.get("findings") or ())
    key = str(policy.get("id")), tuple((decision.get("outcomes") or {}).items()), own
    outcomes = _shared_outcomes.get(key)
    if outcomes is None:
        outcomes = _shared_outcomes[key] = clause_outcomes_of({"findings": recorded.findings})
    return outcomes


def clause_outcomes_of(decision: Record) -> Outcomes:
    """Return the worst outcome of each clause in a decision record with every finding in full."""
    findings = decision.get("findings")
    listed = [each for each in findings if isinstance(each, dict)] if isinstance(findings, (list, tuple)) else []
    pairs = ((str(each.get("clause")), each.get("outcome")) for each in listed)
    return clause_outcomes((clause, Outcome(outcome)) for clause, outcome in pairs if outcome in _OUTCOMES)
