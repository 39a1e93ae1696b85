"""Replay of calls that lie in ClickHouse, which finds what it finds in SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from collector_tables import Collector
from replayed import EVER, record_calls, write_policy

from specspan.policy.load import load_policy
from specspan.replay.report import build_report
from specspan.replay.run import Replay
from specspan.sqlite import Reader as SQLiteReader
from specspan_exporter_clickhouse import Reader


def replayed(policy: Path, reader: Any) -> tuple[Any, ...]:
    """Return what a replay of all calls finds."""
    replay = Replay(load_policy(policy), EVER)
    calls = replay.run(reader)
    report = build_report(replay.differences)
    differing = [pair for pair in replay.differences.pairs() if not pair.is_equal]
    return calls.read, calls.missing, calls.left_out, report.calls, report.equal, report.clauses, differing


def test_a_replay(url: str, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the policy that decided, and by one that finds a difference; from both forms of the Collector's tables."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    policy = write_policy(tmp_path, "observe", "redact")
    record_calls(policy, tmp_path / "calls.db")
    changed = tmp_path / "changed.yaml"
    changed.write_text(policy.read_text(encoding="utf-8").replace("wine", "Hello"), encoding="utf-8")
    with SQLiteReader(tmp_path / "calls.db") as one:
        calls = list(one.recorded_calls() or ())
        digests = {call.decision["policy"]["digest"] for call in calls}
        collector.export([*one.policies(digests), *(call.decision for call in calls)])
        for trace in {call.decision.get("trace_id") for call in calls} - {None}:
            collector.copy(one.spans(str(trace)))
        with Reader(url) as other:
            assert replayed(policy, one) == replayed(policy, other)
            found = replayed(changed, other)
            assert replayed(changed, one) == found
            assert found[-1], "the changed policy makes a difference"
