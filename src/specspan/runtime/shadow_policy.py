"""Candidate policy in production: it decides calls beside the policy in force, is recorded apart, and never acts.

A thread of its own decides, after the call is over, what the call's own checks saw. The caller pays for an append to a
bounded queue; calls that find it full are counted as lost (``shadow_decision``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from specspan._support import drop_counts
from specspan._support.guard import contain
from specspan._support.process import process_identity
from specspan.call import ModelCall
from specspan.decision import Decision, Override
from specspan.policy.policy import Policy
from specspan.record.batching import BatchWorker
from specspan.record.export import DecisionExporter
from specspan.replay.differences import Differences, Pair
from specspan.replay.recorded_call import REDACTED, RecordedCall, with_gaps
from specspan.replay.replayer import Replayed, Replayer, Ruling, clause_outcomes

KIND = "shadow_decision"
"""Kind of a lost call in loss counts."""
_QUEUE_SIZE = 4096
_INTERVAL_S = 2.0


class _TakenCall(NamedTuple):
    call: ModelCall
    decision: Decision
    overrides: tuple[Override, ...]
    is_cut_short: bool


@dataclass(slots=True)
class _Total:
    """Sums of one batch, as they are recorded."""

    calls: int = 0
    changed: int = 0
    unknown: int = 0
    cost_ns: int = 0
    """Processor time that deciding took."""


class ShadowPolicy:
    """Candidate of one policy in force."""

    def __init__(self, in_force: Policy, candidate: Policy, open_exporter: Callable[[], DecisionExporter]) -> None:
        """Compile the candidate's plan, and start no thread yet.

        Args:
            in_force: the policy that acts.
            candidate: the policy that is only watched.
            open_exporter: opens the store for the records, when the first batch is written.
        """
        self._own_overrides = len(in_force.overrides)
        self._names = {"policy": {"digest": in_force.digest}, "candidate": {"digest": candidate.digest}}
        self._replayer = Replayer(candidate)
        self._open_exporter = open_exporter
        self._exporter: DecisionExporter | None = None
        self._worker: BatchWorker[_TakenCall] = BatchWorker(
            KIND, self._decide_all, queue_size=_QUEUE_SIZE, interval_s=_INTERVAL_S, on_close=self._close
        )

    def take(self, call: ModelCall, decision: Decision, *, is_cut_short: bool) -> None:
        """Queue a call with its decision."""
        declared = tuple(ruling.override for ruling in decision.overrides[self._own_overrides :])
        self._worker.put(_TakenCall(call, decision, declared, is_cut_short))

    def flush(self, timeout_s: float) -> bool:
        """Decide and record everything taken so far."""
        return self._worker.flush().wait(timeout_s)

    def shutdown(self, timeout_s: float) -> None:
        """Flush, and give the store back."""
        self._worker.shutdown(timeout_s)

    def _close(self) -> None:
        if self._exporter is not None:
            self._exporter.shutdown()

    def _decide_all(self, items: Sequence[_TakenCall]) -> None:
        total, records, started_ns = _Total(), list[dict[str, Any]](), time.thread_time_ns()
        for item in items:
            try:
                records += self._decide(item, total)
            except Exception as error:
                contain("runtime.shadow", error)
                drop_counts.count(KIND, "failed")
        total.cost_ns = time.thread_time_ns() - started_ns
        records.append(
            {
                "v": 2,
                "type": "shadow_total",
                "time_unix_nano": time.time_ns(),
                "process": process_identity(),
                **self._names,
                **asdict(total),
            }
        )
        try:
            if self._exporter is None:
                self._exporter = self._open_exporter()
            self._exporter.export(records)
        except Exception as error:
            contain("runtime.shadow.export", error)
            drop_counts.count(KIND, "export_failed", len(items))

    def _decide(self, item: _TakenCall, total: _Total) -> list[dict[str, Any]]:
        """Return the record of a call that the candidate decides otherwise; none where it decides the same."""
        before, recorded = _result(item.decision), _recorded_call(item)
        after = self._replayer.replay(recorded)
        differences = Differences()
        differences.add(recorded.id, before, after)
        (pair,) = differences.pairs()
        total.calls += 1
        total.unknown += bool(pair.unknown)
        if pair.is_equal:
            return []
        total.changed += 1
        return [self._record(item.decision, pair)]

    def _record(self, decision: Decision, pair: Pair) -> dict[str, Any]:
        clauses = {name: [pair.before.get(name), pair.after.get(name)] for name in pair.changed_clauses()}
        return {
            "v": 2,
            "type": "shadow",
            "time_unix_nano": decision.time_unix_nano,
            "decision": decision.id,
            **self._names,
            "before": asdict(pair.ruling_before),
            "after": asdict(pair.ruling_after),
            "clauses": clauses,
        }


def _result(decision: Decision) -> Replayed:
    would = decision.action if decision.would is None else decision.would
    ruling = Ruling(decision.verdict.value, decision.action.value, would.value, decision.governing_clause)
    return Replayed(ruling, clause_outcomes((finding.clause, finding.outcome) for finding in decision.findings))


def _recorded_call(item: _TakenCall) -> RecordedCall:
    """Return a call as a replay takes it. A request that was changed before it was sent is not known as it was."""
    decision = item.decision
    record: Mapping[str, Any] = {
        "id": decision.id,
        "time_unix_nano": decision.time_unix_nano,
        "action": decision.action.value,
        "redacted": decision.redacted,
        "stream": {"released_chars": decision.released_chars},
        "findings": [
            {
                "clause": finding.clause,
                "stage": finding.stage.value,
                "outcome": finding.outcome.value,
                "reason": finding.reason,
                "score": finding.score,
                "check": {
                    "name": finding.check.name,
                    "kind": finding.check.mechanism.value,
                    "version": finding.check.version,
                },
            }
            for finding in decision.findings
            if finding.check is not None and finding.judgement is not None
        ],
    }
    missing = REDACTED if any(pointer.startswith("/input") for pointer in decision.redacted) else None
    call = item.call if missing is None else with_gaps(item.call, missing)
    return RecordedCall(record, call, missing, item.overrides, is_cut_short=item.is_cut_short)


def store_exporter(db: str | os.PathLike[str] | None) -> DecisionExporter:
    """Return the exporter of the store that ``db`` names, by default ``SPECSPAN_DB``."""
    from specspan.runtime.otel_providers import DECISIONS, create_exporter
    from specspan.stores.opening import kind_name, store_address

    exporter: DecisionExporter = create_exporter(DECISIONS, kind_name(store_address(db)), db=db)
    return exporter
