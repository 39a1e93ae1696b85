"""A replay is exact over many calls: the same policy changes nothing, and a known change changes exactly its calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.replayed_traffic import Traffic
from replayed import write_policy
from thorough import is_thorough

from specspan.bridges.dialect import RecordedSpan
from specspan.policy.load import load_policy
from specspan.replay.carried_findings import definitions_of
from specspan.replay.differences import Differences
from specspan.replay.recorded_call import read_recorded_call
from specspan.replay.replayer import Replayer
from specspan.replay.report import build_report
from specspan.replay.stored_calls import recorded_result
from specspan.sqlite.expansion import expand

PHRASES = {"123-45-6789": 0.02, "hunter2": 0.02, "red wine": 0.05, "60-16-13": 0.02}


def test_a_replay_of_many_calls_is_exact(tmp_path: Path) -> None:
    """With tool calls, scopes, facts, overrides, samples and streams: 100,000 calls when thorough, 2,000 else."""
    count = 100_000 if is_thorough() else 2_000
    policy = load_policy(write_policy(tmp_path))
    changed = load_policy(write_policy(tmp_path, number=r"\b\d\d-\d\d-\d\d\b", name="changed.yaml"))
    traffic = Traffic(policy, PHRASES, overridden="be_brief")
    definitions = definitions_of([traffic.policy_record])
    same, other = Replayer(policy), Replayer(changed)
    unchanged, differences, gained, lost = Differences(), Differences(), 0, 0
    for each in traffic.calls(count):
        span = RecordedSpan(each.attributes)
        recorded = read_recorded_call(each.record, span, definitions, traffic.policy_record)
        assert recorded.call.output == each.call.output
        before, after = recorded_result(recorded), other.replay(recorded)
        unchanged.add(recorded.id, before, same.replay(recorded))
        differences.add(recorded.id, before, after)
        text = each.call.output_text
        has_ssn, has_account = "123-45-6789" in text, "60-16-13" in text
        gained += has_account and not has_ssn
        lost += has_ssn and not has_account
    assert [pair for pair in unchanged.pairs() if not pair.is_equal] == []
    assert build_report(unchanged).equal == count
    report = build_report(differences)
    assert [each.clause for each in report.clauses if each.changes] == ["protect_privacy"]
    violated = report.clause("protect_privacy").violated
    assert (violated.compared, violated.gained, violated.lost) == (count, gained, lost)
    assert report.equal == count - gained - lost
    assert min(gained, lost) > 0


@pytest.mark.parametrize(("action", "blocked"), [("flag", False), ("block", True)])
def test_a_known_stricter_action_blocks_exactly_the_violations(tmp_path: Path, action: str, blocked: bool) -> None:
    """Put in force, a policy blocks the calls that violate a clause whose action is to block, and no other."""
    policy = load_policy(write_policy(tmp_path, action="flag"))
    enforced = load_policy(write_policy(tmp_path, "enforce", action, name="enforced.yaml"))
    traffic, after, expected, differences = Traffic(policy, {"123-45-6789": 0.1}), Replayer(enforced), 0, Differences()
    for each in traffic.calls(300):
        recorded = read_recorded_call(expand(each.record, traffic.policy_record), RecordedSpan(each.attributes))
        differences.add(recorded.id, recorded_result(recorded), after.replay(recorded))
        is_out_of_scope = each.call.context.scope is not None and any(c.name == "refund" for c in each.call.tool_calls)
        expected += is_out_of_scope or (blocked and "123-45-6789" in each.call.output_text)
    report = build_report(differences)
    assert (report.blocked.gained, report.blocked.lost, report.blocked.compared) == (expected, 0, 300)
    assert expected > 0
