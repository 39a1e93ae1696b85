"""JSON of a replay's report, in the form of docs/replay.md. Pure; equal replays give equal documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from specspan.calibration.paired import PairedDifference
from specspan.policy.policy import Policy
from specspan.replay.report import Change, ClauseReport, Report, RulingReport
from specspan.replay.run import Replay
from specspan.replay.stored_calls import StoredCalls

Document = dict[str, Any]


def report_json(replay: Replay, calls: StoredCalls, report: Report) -> Document:
    """Return the document of a replay."""
    return {
        "v": 1,
        "type": "replay",
        "since_unix_nano": replay.window.since_unix_nano,
        "until_unix_nano": replay.window.until_unix_nano,
        "policy": policy_json(replay.policy),
        "baseline": None if replay.baseline is None else policy_json(replay.baseline),
        "recorded_policies": _counts(calls.policies),
        "recorded_specs": _counts(calls.specs),
        "decisions": {
            "read": calls.read,
            "replayed": report.calls,
            "equal": report.equal,
            "with_unknown": report.with_unknown,
            "left_out": _counts(calls.left_out),
            "not_whole": _counts(calls.missing),
            "clock_skewed": calls.skewed,
        },
        "blocked": paired_json(report.blocked),
        "would_block": paired_json(report.would_block),
        **{f"{each.name}s": _ruling_json(each) for each in report.rulings},
        "clauses": [_clause_json(each) for each in report.clauses],
    }


def policy_json(policy: Policy) -> Document:
    """Return what names a policy, and the texts that it is about."""
    return {
        "source": policy.source,
        "digest": policy.digest,
        "mode": policy.mode.value,
        "environment": policy.environment,
        "spec": [{"id": spec.id, "version": spec.version, "digest": spec.digest} for spec in policy.specs],
    }


def paired_json(paired: PairedDifference) -> Document:
    """Return a difference with its denominator, interval and test."""
    return {
        "compared": paired.compared,
        "gained": paired.gained,
        "lost": paired.lost,
        "difference": paired.difference,
        "interval": [paired.interval.low, paired.interval.high],
        "p_value": paired.p_value,
    }


def _clause_json(report: ClauseReport) -> Document:
    return {
        "clause": report.clause,
        "compared": report.compared,
        "unknown": _counts(report.unknown),
        "newly_violated": report.newly_violated,
        "newly_complied": report.newly_complied,
        "newly_unassessed": report.newly_unassessed,
        "violated": paired_json(report.violated),
        "changes": _changes(report.changes),
    }


def _ruling_json(report: RulingReport) -> Document:
    return {"compared": report.compared, "unknown": report.unknown, "changes": _changes(report.changes)}


def _changes(changes: Sequence[Change]) -> list[Document]:
    return [
        {"before": each.before, "after": each.after, "calls": each.calls, "examples": list(each.examples)}
        for each in changes
    ]


def _counts(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
