"""A call whose texts take too much work to search is decided as one whose checks failed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from policies import answered, asked, bound, pattern, policy

from specspan.call import ModelCall
from specspan.checks.check import Check
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Decision, Finding, Outcome, Stage, Verdict
from specspan.engine.engine import Engine
from specspan.engine.evaluation import Evaluation
from specspan.engine.rewriting import Cut
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy, OnError

HUGE = "é" * 6_000_000
SSN = r"\d{3}-\d{2}-\d{4}"


def decided(call: ModelCall, *clauses: ClausePolicy) -> tuple[Decision, Action, Sequence[str]]:
    """Return the decision on an answer, the action on it, and the texts in place of its own."""
    evaluation = Engine(policy(*clauses)).open((), call)
    ruling = run_sync(evaluation.output(call))
    return evaluation.decide(), ruling.action, list(ruling.edits.values())


def only(decision: Decision) -> Finding:
    (finding,) = decision.findings
    return finding


@pytest.mark.parametrize("on_error", OnError)
@pytest.mark.parametrize(
    "check",
    [pattern(SSN), build("rule", {"require": ["never"]}), pattern("a.*b", "[ab]{3}.*c")],
    ids=["any", "all", "gap"],
)
def test_a_text_over_the_limit_is_an_error(check: Check, on_error: OnError) -> None:
    """It never passes as if it complied, and ``on_error`` rules over it."""
    decision, action, _ = decided(answered(HUGE), bound("rule", check, action=Action.BLOCK, on_error=on_error))
    assert (only(decision).outcome, only(decision).reason) == (Outcome.ERROR, "work_limit")
    assert decision.verdict is Verdict.ERROR
    expected = {OnError.OPEN: Action.ALLOW, OnError.CLOSED: Action.BLOCK, OnError.ESCALATE: Action.ESCALATE}
    assert action is expected[on_error]


def test_the_request_is_limited_too() -> None:
    """A user's text is no different from a model's."""
    call = asked(HUGE)
    clause = bound("rule", pattern(SSN, stage=Stage.INPUT), action=Action.BLOCK, on_error=OnError.CLOSED)
    assert run_sync(Engine(policy(clause)).open((), call).input(call)).action is Action.BLOCK


@pytest.mark.parametrize("texts", [(HUGE, "it is 123-45-6789"), ("it is 123-45-6789", HUGE)], ids=["after", "before"])
def test_a_long_text_hides_no_violation_in_a_short_one(texts: Sequence[str]) -> None:
    """The short ones are searched first; a redaction takes the one that was not searched as a whole."""
    clauses = bound("rule", pattern(SSN, reason="ssn"), action=Action.REDACT), bound("other", pattern("word"))
    decision, action, edits = decided(answered(*texts), *clauses)
    assert {each.clause: each.outcome for each in decision.findings} == {
        "rule": Outcome.VIOLATED,
        "other": Outcome.ERROR,
    }
    assert action is Action.REDACT
    assert edits == ["[redacted:ssn]"] * 2


def test_a_long_text_below_the_limit_is_searched_exactly() -> None:
    """A megabyte is no reason to refuse."""
    text = "é 123-45-6789 " + "naïve " * 200_000 + "987-65-4321"
    decision, _, edits = decided(answered(text), bound("rule", pattern(SSN, reason="ssn"), action=Action.REDACT))
    assert only(decision).outcome is Outcome.VIOLATED
    assert edits == [text.replace("123-45-6789", "[redacted:ssn]").replace("987-65-4321", "[redacted:ssn]")]


def streamed(on_error: OnError, chunks: Sequence[str]) -> tuple[Evaluation, list[Cut | None]]:
    clause = bound("rule", pattern(SSN, "a.*b"), action=Action.BLOCK, on_error=on_error)
    evaluation = Engine(policy(clause)).open((), answered(streaming=True))
    stream = evaluation.stream()
    assert stream is not None
    return evaluation, [stream.feed(0, chunk) for chunk in chunks]


def test_a_stream_is_cut_at_the_chunk_that_exceeds_the_limit() -> None:
    """With ``closed`` nothing is handed over that nobody searched."""
    part = "é" * 1_000_000
    evaluation, cuts = streamed(OnError.CLOSED, [part] * 5)
    assert cuts == [None, None, None, None, Cut(Action.BLOCK)]
    run_sync(evaluation.output(answered(part * 4, streaming=True), released_chars=4_000_000))
    decision = evaluation.decide()
    assert (only(decision).reason, decision.action) == ("work_limit", Action.BLOCK)


def test_a_stream_over_the_limit_goes_on_where_errors_are_let_pass() -> None:
    """With ``open`` every chunk is handed over, and the decision says that nobody searched all of them."""
    chunks = ["é" * 1_000_000] * 6
    evaluation, cuts = streamed(OnError.OPEN, chunks)
    assert not any(cuts)
    run_sync(evaluation.output(answered("".join(chunks), streaming=True), released_chars=6_000_000))
    decision = evaluation.decide()
    assert (only(decision).reason, decision.verdict) == ("work_limit", Verdict.ERROR)
