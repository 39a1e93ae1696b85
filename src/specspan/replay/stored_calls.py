"""Calls of a store, in the order of time, each with its decision; and reasons for which some cannot be replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from specspan.decision import Outcome
from specspan.replay.carried_findings import Definitions, definitions_of
from specspan.replay.recorded_call import RecordedCall, read_recorded_call, recorded_span
from specspan.replay.replayer import Outcomes, Replayed, Ruling, clause_outcomes
from specspan.sqlite.expansion import MISSING_POLICY
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
        spans = _Spans(self.reader)
        for decision in self.reader.iter_decisions(since):
            place = decision.get("time_unix_nano"), decision.get("id")
            if self.after is not None and isinstance(place[0], int) and (place[0], str(place[1])) <= self.after:
                continue
            self.read += 1
            reason = self._unusable(decision)
            if reason is not None:
                self.left_out[reason] += 1
                continue
            self._count(decision)
            own = self._before_review(decision)
            recorded = read_recorded_call(own, spans.of(own), self._definitions_of(own))
            if recorded.missing is not None:
                self.missing[recorded.missing] += 1
            yield recorded

    def _definitions_of(self, decision: Record) -> Definitions:
        digest = str((decision.get("policy") or {}).get("digest"))
        if digest not in self._definitions:
            self._definitions[digest] = definitions_of(self.reader.policies([digest]))
        return self._definitions[digest]

    def _before_review(self, decision: Record) -> Record:
        """Return a decision with the ruling of the policy, where reviewers amended it."""
        before = self.reviewed.get(str(decision["id"]))
        return decision if before is None else {**decision, "governing_clause": None, "reason": None, **before}

    def _unusable(self, decision: Record) -> str | None:
        if decision.get("v") not in _VERSIONS:
            return NEWER_VERSION
        time_unix_nano = decision.get("time_unix_nano")
        if not isinstance(time_unix_nano, int) or not isinstance(decision.get("id"), str):
            return INVALID_RECORD
        if time_unix_nano > self.until_unix_nano:
            return IN_FUTURE
        return MISSING_POLICY_RECORD if MISSING_POLICY in decision else None

    def _count(self, decision: Record) -> None:
        self.policies[str((decision.get("policy") or {}).get("digest"))] += 1
        specs = decision.get("spec") or ()
        self.specs[" ".join(f"{each.get('id')}@{each.get('version')} {each.get('digest')}" for each in specs)] += 1
        digits = str(decision["id"]).replace("-", "")[:12]
        try:
            skew_ns = abs(int(digits, 16) * 10**6 - int(decision["time_unix_nano"]))
        except ValueError:
            return
        self.skewed += skew_ns > _SKEW_NS


class _Spans:
    """Spans of calls, with those of the last trace at hand: calls of one trace follow one another."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._trace_id: str | None = None
        self._by_id: dict[str, Any] = {}

    def of(self, decision: Record) -> Any:
        """Return the span of a call; None where the store has none."""
        trace_id = decision.get("trace_id")
        if trace_id is None:
            return None
        if trace_id != self._trace_id:
            self._by_id = {span.span_id: span for span in self._reader.spans(trace_id)}
            self._trace_id = trace_id
        span = self._by_id.get(str(decision.get("span_id")))
        if span is None:
            return None
        scope = str(span.scope.get("name") or "")
        return recorded_span(span.attributes, scope, span.events, failed=span.status == "ERROR")


def recorded_result(recorded: RecordedCall) -> Replayed:
    """Return what was decided about a call then."""
    decision = recorded.decision
    action = str(decision.get("action"))
    ruling = Ruling(
        str(decision.get("verdict")), action, str(decision.get("would") or action), decision.get("governing_clause")
    )
    return Replayed(ruling, clause_outcomes_of(decision))


def clause_outcomes_of(decision: Record) -> Outcomes:
    """Return the worst outcome of each clause in a decision record."""
    pairs = ((str(each.get("clause")), each.get("outcome")) for each in decision.get("findings") or ())
    return clause_outcomes((clause, Outcome(outcome)) for clause, outcome in pairs)
