"""A replay through the policy that decided finds no difference, whatever was recorded of the calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from replayed import EVER, record_calls, write_policy

from specspan.policy.load import load_policy
from specspan.replay.report import build_report
from specspan.replay.run import Replay
from specspan.sqlite import Reader


@pytest.mark.parametrize(("mode", "action"), [("observe", "redact"), ("enforce", "block"), ("enforce", "redact")])
@pytest.mark.parametrize("content", ["SPAN_ONLY", "NO_CONTENT"])
def test_same_policy_gives_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, action: str, content: str
) -> None:
    """Blocked, redacted, streamed, closed, failed and sampled calls, with overrides, contexts and scopes."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", content)
    policy = write_policy(tmp_path, mode, action)
    count = record_calls(policy, tmp_path / "calls.db")
    replay = Replay(load_policy(policy), EVER)
    with Reader(tmp_path / "calls.db") as reader:
        calls = replay.run(reader)
    report = build_report(replay.differences)
    assert [pair for pair in replay.differences.pairs() if not pair.is_equal] == []
    assert (calls.read, report.calls, report.equal) == (count, count, count)
    without = {"observe": {}, "enforce": {"content_redacted": 2 if action == "block" else 3}}[mode]
    assert calls.missing == (without if content == "SPAN_ONLY" else {"content_not_recorded": count})
    if content == "SPAN_ONLY" and mode == "observe":  # nothing is unknown
        assert {(each.compared, sum(each.unknown.values())) for each in report.clauses} == {(count, 0)}
