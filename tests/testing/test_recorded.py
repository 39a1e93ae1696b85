"""What users' tests stand on: everything recorded, in memory, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import specspan
from specspan.instrument.gate import active
from specspan.testing import FakeClock, FakeDecisionIds, MemoryDecisions, recorded

SPEC = "# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nSay nothing rude.\n"
POLICY = """
spec: manners.md
clauses:
  be_kind:
    action: block
    checks:
      - pattern: {stage: output, any: ['shut up'], reason: rude}
"""


@specspan.observe(model="parrot-1")
def parrot(text: str) -> str:
    return text


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "manners.md").write_text(SPEC)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture(autouse=True)
def nothing_configured() -> Iterator[None]:
    specspan.shutdown()
    yield
    specspan.shutdown()


def test_spans_and_decisions_are_at_hand(policy: Path) -> None:
    """After a call, its span and its decision are there, and name one another."""
    with recorded(policy) as what:
        parrot("shut up")
        [span], [decision] = what.spans, what.decisions
    assert span.name == "chat parrot-1"
    assert span.attributes is not None
    assert span.attributes["specspan.decision.id"] == decision["id"]
    assert (decision["verdict"], decision["would"]) == ("violated", "block")


def test_the_mode_may_be_another_than_the_policys(policy: Path) -> None:
    """A policy that observes in production can be tested as it would enforce."""
    with recorded(policy, mode="enforce") as what:
        with pytest.raises(specspan.Blocked):
            parrot("shut up")
        assert [decision["action"] for decision in what.decisions] == ["block"]


def test_two_runs_record_the_same(policy: Path) -> None:
    """Ids are numbered and time stands still, so whole records can be compared, but for what was measured."""

    def once() -> tuple[object, ...]:
        with recorded(policy, clock=FakeClock()) as what:
            parrot("good morning")
            parrot("shut up")
        ids = [(span.context.trace_id, span.context.span_id) for span in what.spans if span.context]
        kept = ("id", "time_unix_nano", "trace_id", "span_id", "verdict")
        return ids, [{name: decision[name] for name in kept} for decision in what.decisions]

    first = once()
    assert first == once()
    assert first[0] == [(1, 1), (2, 2)]


def test_the_clock_moves_when_it_is_moved(policy: Path) -> None:
    """Decisions are dated by it."""
    clock = FakeClock()
    with recorded(policy, clock=clock) as what:
        parrot("good morning")
        clock.advance(90.5)
        parrot("good evening")
        first, second = what.decisions
    assert second["time_unix_nano"] - first["time_unix_nano"] == 90_500_000_000


def test_what_was_configured_before_is_back_afterwards(policy: Path) -> None:
    """A test leaves an application's own configuration as it found it, also when it fails."""
    own = MemoryDecisions()
    specspan.configure(policy, db=policy.with_name("own.db"), decision_exporters=[own])
    before = active()

    def failing() -> None:
        with recorded(policy):
            parrot("shut up")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert active() is before
    parrot("good morning")
    specspan.shutdown()
    assert [record["verdict"] for record in own.records if record["type"] == "decision"] == ["complied"]


def test_a_broken_policy_is_refused_as_configure_refuses_it(policy: Path) -> None:
    """The test says what must change, and nothing is left active."""
    policy.write_text(POLICY.replace("be_kind", "be_knid"))
    with pytest.raises(specspan.PolicyError, match="be_kind"), recorded(policy):
        pass
    assert active() is None


def test_decision_ids_have_the_form_of_real_ones() -> None:
    """Numbered, unique, and as long as a UUID version 7."""
    ids = FakeDecisionIds()
    first, second = ids(), ids()
    assert (first, second) == ("00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002")
