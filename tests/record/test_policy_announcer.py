"""The record of a policy is with every exporter before the first decision that names it, and again in time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from generated_decisions import make_policy
from recording import CALL, COMPLETED, KIND, MemoryExporter, decision

from specspan.policy.policy import Policy
from specspan.record.call_end import Timing
from specspan.record.policy_announcer import DECISIONS_BETWEEN, SECONDS_BETWEEN, PolicyAnnouncer
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

NO_WAITING = Settings(retry_delays_s=(), digest_key=b"k")
POLICY = {"v": 2, "type": "policy", "id": "sha256:p"}


def decide(recorder: Recorder, policy: Policy, decision_id: str) -> None:
    made = decision(KIND, id=decision_id, policy_digest=policy.digest)
    made = replace(made, specs=tuple(spec.ref for spec in policy.specs))
    recorder.end_call(recorder.start_call(CALL.request, CALL.context), CALL, made, COMPLETED, Timing(1.0))


def shown(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of decisions, and digests of policies."""
    return [record["policy"]["digest"] if record["type"] == "policy" else record["id"] for record in records]


def named(*names: str) -> list[dict[str, Any]]:
    """Decisions that name policy records."""
    return [{"type": "decision", "policy": {"record": name}} for name in names]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept() -> MemoryExporter:
    return MemoryExporter()


@pytest.fixture
def announcer(kept: MemoryExporter, clock: Clock) -> PolicyAnnouncer:
    return PolicyAnnouncer(kept, {"sha256:p": POLICY}.get, clock)


def test_a_policy_reloaded_between_two_decisions_of_one_batch(kept: MemoryExporter) -> None:
    """Each decision refers to the policy it was made under, whose record stands before it; a late one to the old."""
    before, after = (make_policy([("clause_a", 1, False)], digest) for digest in ("sha256:1", "sha256:2"))
    recorder = Recorder(NO_WAITING, decision_exporters=(kept,))
    recorder.record_policy(before)
    decide(recorder, before, "a")
    recorder.record_policy(after)
    decide(recorder, after, "b")
    decide(recorder, before, "late")
    recorder.shutdown()
    assert shown(kept.records) == ["sha256:1", "a", "sha256:2", "b", "late"]
    ids = {record["policy"]["digest"]: record["id"] for record in kept.records if record["type"] == "policy"}
    decisions = [record for record in kept.records if record["type"] == "decision"]
    assert [record["policy"]["record"] for record in decisions] == [ids["sha256:1"], ids["sha256:2"], ids["sha256:1"]]


def test_a_policy_whose_batch_was_lost_is_announced_again() -> None:
    """Only what the exporter took counts as announced."""

    class Failing(MemoryExporter):
        attempts = 0

        def export(self, records: Sequence[Mapping[str, Any]]) -> None:
            self.attempts += 1
            if self.attempts == 1:
                raise OSError("disk full")
            super().export(records)

    failing, policy = Failing(), make_policy([("clause_a", 1, False)])
    recorder = Recorder(NO_WAITING, decision_exporters=(failing,))
    recorder.record_policy(policy)
    assert not recorder.force_flush(10)
    decide(recorder, policy, "a")
    decide(recorder, policy, "b")
    recorder.shutdown()
    assert shown(failing.records) == ["sha256:p", "a", "b"]


def test_a_policy_is_announced_again_after_so_many_decisions(announcer: PolicyAnnouncer, kept: MemoryExporter) -> None:
    """A backend that lost it has it again before long."""
    announcer.export(named("sha256:p"))
    announcer.export(named("sha256:p") * (DECISIONS_BETWEEN - 1))
    announcer.export(named("sha256:p"))
    assert [at for at, record in enumerate(kept.records) if record is POLICY] == [0, DECISIONS_BETWEEN + 1]


def test_a_policy_is_announced_again_after_some_time(
    announcer: PolicyAnnouncer, kept: MemoryExporter, clock: Clock
) -> None:
    """With the next decision, not by itself."""
    for clock.now_s in (0.0, SECONDS_BETWEEN - 1, SECONDS_BETWEEN):
        announcer.export(named("sha256:p"))
    assert [at for at, record in enumerate(kept.records) if record is POLICY] == [0, 3]


def test_a_policy_of_somebody_else_is_not_announced(announcer: PolicyAnnouncer, kept: MemoryExporter) -> None:
    """A decision that names no record, or an unknown one, goes as it is."""
    records: list[dict[str, Any]] = [*named("sha256:other"), {"type": "decision", "policy": {"digest": "sha256:x"}}]
    announcer.export(records)
    assert kept.records == records


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_announces_its_policy_itself(kept: MemoryExporter) -> None:
    """The child may write elsewhere, so that its first decision brings the policy's record."""
    policy = make_policy([("clause_a", 1, False)])
    recorder = Recorder(NO_WAITING, decision_exporters=(kept,))
    recorder.record_policy(policy)
    assert recorder.force_flush(10)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        kept.records.clear()
        decide(recorder, policy, "child")
        recorder.force_flush(10)
        os.write(write, " ".join(shown(kept.records)).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    told = os.read(read, 1000).decode()
    os.close(read)
    decide(recorder, policy, "parent")
    recorder.shutdown()
    assert told == "sha256:p child"
    assert shown(kept.records) == ["sha256:p", "parent"]
