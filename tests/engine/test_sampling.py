"""Checks that look at a share of the calls."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import count

import policies
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import answered, asked, bound, pattern, says

from specspan.checks.check import Check
from specspan.decision import Action, Decision, Finding, Outcome, Override, Stage, Verdict
from specspan.engine.bound_check import NOT_SAMPLED, sampling_value
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import CheckBinding, ClausePolicy


def some(check: Check, share: float) -> CheckBinding:
    """The check, bound to run on a share of the calls."""
    return CheckBinding(check, share)


def with_chance(wanted: float) -> str:
    """An id whose decision has about this chance."""
    return next(id_ for id_ in map(str, count()) if abs(sampling_value(id_) - wanted) < 0.01)


def decided(*checks: CheckBinding, id_: str, text: str = "bad") -> Decision:
    """The decision of one call, under the id given."""
    evaluation = Engine(policies.policy(*_clauses(checks)), new_id=lambda: id_).open()
    run_sync(evaluation.output(answered(text)))
    return evaluation.decide()


def _clauses(checks: tuple[CheckBinding, ...]) -> Iterator[ClausePolicy]:
    return (bound(f"c{number}", check) for number, check in enumerate(checks))


def test_a_call_that_is_no_sample_is_unassessed() -> None:
    """The check is not asked, and the clause does not look as if it complied."""
    check = some(says(RuntimeError("it was asked")), 0.1)
    decision = decided(check, id_=with_chance(0.5))
    [finding] = decision.findings
    assert (finding.outcome, finding.reason, finding.check) == (Outcome.UNASSESSED, NOT_SAMPLED, check.check.ref)
    assert (finding.clause, finding.stage) == ("c0", Stage.OUTPUT)
    assert (decision.verdict, decision.summary.applied, decision.summary.unassessed) == (Verdict.UNASSESSED, "", 1)


def test_a_call_that_is_a_sample_is_looked_at_like_any_other() -> None:
    """The finding is the check's own."""
    decision = decided(some(pattern("bad"), 0.6), id_=with_chance(0.5))
    assert (decision.verdict, decision.summary.violated) == (Verdict.VIOLATED, ("c0",))


def test_who_was_drawn_can_be_told_from_the_record() -> None:
    """Eight bytes of the SHA-256 of the decision's id are all it takes."""
    for id_ in map(str, range(50)):
        drawn = int(sha256(id_.encode()).hexdigest()[:16], 16) / 2**64 < 0.3
        decision = decided(some(pattern("bad"), 0.3), id_=id_)
        assert (decision.id, decision.verdict is Verdict.VIOLATED) == (id_, drawn)


def test_the_share_of_calls_is_the_share_that_was_asked_for() -> None:
    """Of ten thousand ids, a tenth."""
    drawn = sum(sampling_value(f"01980000-0000-7000-8000-{number:012x}") < 0.1 for number in range(10_000))
    assert 900 < drawn < 1100


@given(id_=st.text(), shares=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5))
def test_a_smaller_share_is_part_of_a_larger_one(id_: str, shares: list[float]) -> None:
    """The checks that look at a call are those with the largest shares, and every check has one finding."""
    decision = decided(*(some(says(True), share) for share in shares), id_=id_)
    looked = [finding.outcome is Outcome.COMPLIED for finding in decision.findings]
    assert looked == [sampling_value(id_) < share for share in shares]
    assert [finding.clause for finding in decision.findings] == [f"c{number}" for number in range(len(shares))]


def test_checks_without_a_share_look_at_every_call() -> None:
    """A clause with two checks is decided by the one that looked."""
    clause = bound("c", pattern("worse"), some(pattern("bad"), 0.1))
    evaluation = Engine(policies.policy(clause), new_id=lambda: with_chance(0.5)).open()
    run_sync(evaluation.output(answered("bad")))
    decision = evaluation.decide()
    assert [finding.outcome for finding in decision.findings] == [Outcome.COMPLIED, Outcome.UNASSESSED]
    assert decision.verdict is Verdict.COMPLIED


def test_an_overridden_clause_stays_overridden() -> None:
    """Whether or not the call is a sample."""
    clause = bound("c", some(pattern("bad"), 0.5), authority="guideline")
    for wanted in (0.2, 0.8):
        evaluation = Engine(policies.policy(clause), new_id=partial(with_chance, wanted)).open(
            [Override("c", "user", "…")]
        )
        run_sync(evaluation.output(answered("bad")))
        assert [finding.outcome for finding in evaluation.decide().findings] == [Outcome.OVERRIDDEN]


@pytest.mark.parametrize(("wanted", "cut"), [(0.2, True), (0.8, False)])
def test_a_stream_is_cut_where_the_call_is_a_sample(wanted: float, *, cut: bool) -> None:
    """A check that does not look at a call does not look at it while it grows either."""
    clause = bound("c", some(pattern("bad"), 0.5), action=Action.BLOCK)
    evaluation = Engine(policies.policy(clause), new_id=lambda: with_chance(wanted)).open()
    run_sync(evaluation.input(asked(streaming=True)))
    stream = evaluation.stream()
    assert (stream is not None and stream.feed(0, "bad") is not None) is cut


def test_time_limits_hold_for_sampled_checks_too() -> None:
    """A check may have both limits."""
    check = CheckBinding(says(Finding(Outcome.UNCERTAIN)), 0.5, 5.0)
    assert decided(check, id_=with_chance(0.2)).verdict is Verdict.UNCERTAIN


def test_without_a_share_no_id_is_made_before_its_time() -> None:
    """Who samples nothing pays nothing: the id is made with the decision."""
    made: list[str] = []

    def new_id() -> str:
        made.append("id")
        return "id"

    evaluation = Engine(policies.policy(bound("c", pattern("bad"))), new_id=new_id).open()
    assert made == []
    evaluation.decide()
    assert made == ["id"]
