"""A streamed answer is cut at the chunk that completes a violation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import policies
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from policies import Code, answered, asked, bound, pattern, says

from specspan.call import ModelCall, ToolCall
from specspan.checks.check import PartialFindings, TextAt
from specspan.checks.patterns import Pattern
from specspan.decision import (
    Action,
    Decision,
    Evidence,
    Finding,
    Mode,
    Outcome,
    Override,
    Stage,
    Verdict,
)
from specspan.engine.engine import Engine
from specspan.engine.evaluation import Evaluation
from specspan.engine.rewriting import Cut, Ruling
from specspan.engine.stream_check import StreamCheck
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy, OnError

SSN = r"\d{3}-\d{2}-\d{4}"


def opened(*clauses: ClausePolicy, mode: Mode = Mode.ENFORCE) -> Evaluation:
    """An evaluation whose question was sent."""
    evaluation = Engine(policies.policy(*clauses, mode=mode)).open()
    run_sync(evaluation.input(asked(streaming=True)))
    return evaluation


def streaming(evaluation: Evaluation) -> StreamCheck:
    check = evaluation.stream()
    assert check is not None
    return check


def handed_over(check: StreamCheck, chunks: Iterable[str]) -> tuple[list[str], Cut | None]:
    """What the consumer of one choice gets, and how it was cut."""
    over: list[str] = []
    for chunk in chunks:
        cut = check.feed(0, chunk)
        if cut is not None:
            return [*over, *([cut.text] if cut.text is not None else [])], cut
        over.append(chunk)
    return over, None


def decided(evaluation: Evaluation, text: str, released_chars: int) -> tuple[Ruling, Decision]:
    ruling = run_sync(evaluation.output(answered(text, streaming=True), released_chars=released_chars))
    return ruling, evaluation.decide()


@pytest.mark.parametrize(
    ("action", "last"),
    [
        (Action.BLOCK, []),
        (Action.ESCALATE, []),
        (Action.REDACT, ["[redacted:ssn]"]),
        (Action.REPLACE, ["Sorry."]),
    ],
)
def test_an_answer_is_cut_at_the_chunk_that_completes_a_violation(action: Action, last: list[str]) -> None:
    """The chunk is withheld; what stands in its place depends on the action."""
    evaluation = opened(bound("c", pattern(SSN, reason="ssn"), action=action, replacement="Sorry."))
    chunks = ["it is ", "123-45", "-6789", " and more"]
    over, cut = handed_over(streaming(evaluation), chunks)
    assert cut is not None
    assert cut.action is action
    assert over == [*chunks[:2], *last]
    _, decision = decided(evaluation, "".join(chunks[:3]), 12)
    assert (decision.action, decision.verdict, decision.released_chars) == (action, Verdict.VIOLATED, 12)
    assert decision.redacted == (("/output/0/parts/0",) if last else ())


def test_redaction_hands_over_what_comes_before_the_violation_in_its_chunk() -> None:
    """Nothing after the first violation is handed over, not even more of its chunk."""
    evaluation = opened(bound("c", pattern(SSN, reason="ssn"), action=Action.REDACT))
    over, _ = handed_over(streaming(evaluation), ["so ", "it is 123-45-6789, or 987-65-4321"])
    assert over == ["so ", "it is [redacted:ssn]"]


def test_after_a_cut_nothing_more_of_any_choice_is_handed_over() -> None:
    """Every later chunk, of whatever choice, is cut as well."""
    check = streaming(opened(bound("c", pattern("bad"), action=Action.REDACT)))
    assert check.feed(0, "bad") == Cut(Action.REDACT, "[redacted:pattern]")
    assert check.feed(1, "fine") == Cut(Action.REDACT)


def test_choices_are_texts_of_their_own() -> None:
    """Chunks of two choices never make a violation together."""
    check = streaming(opened(bound("c", pattern("bad"), action=Action.BLOCK)))
    assert [check.feed(choice, text) for choice, text in ((0, "b"), (1, "a"), (0, "a"), (1, "d"))] == [None] * 4
    assert check.feed(0, "d") == Cut(Action.BLOCK)


def test_parts_that_a_stream_writes_in_turns_are_texts_of_their_own() -> None:
    """Each part of a choice is read by itself, and all of them in the order of arrival."""
    turns = [(0, "b", 0), (0, "x", 1), (0, "a", 0), (0, "y", 1)]
    check = streaming(opened(bound("c", pattern("bad"), action=Action.REDACT)))
    assert [check.feed(*each) for each in turns] == [None] * 4
    assert check.feed(0, "so d it is", 0) is None
    check = streaming(opened(bound("c", pattern("bad"), action=Action.REDACT)))
    assert [check.feed(*each) for each in turns] == [None] * 4
    assert check.feed(0, "d it is", 0) == Cut(Action.REDACT, "[redacted:pattern]")
    check = streaming(opened(bound("c", pattern("bad"), action=Action.BLOCK)))
    assert [check.feed(*each) for each in ((0, "b", 0), (0, "a", 1))] == [None] * 2
    assert check.feed(0, "d", 2) == Cut(Action.BLOCK)
    assert check.released_chars == 2


def test_a_part_reads_from_its_own_start() -> None:
    """Where a part begins, a text begins: also under a name that was used, and under none."""
    for part in (0, 1, None):
        check = streaming(opened(bound("c", pattern(r"\bbad"), action=Action.BLOCK)))
        assert check.feed(0, "x", 0) is None
        assert check.feed(0, "", 1 if part is None else part) is None
        assert check.feed(0, "ba", part) is None
        assert check.feed(0, "d", part) == Cut(Action.BLOCK)
    check = streaming(opened(bound("c", pattern(r"\bbad"), action=Action.BLOCK)))
    assert [check.feed(0, each) for each in ("x", "", "bad")] == [None] * 3


def test_code_reads_each_part() -> None:
    """A check that is code on a growing text is asked about a part and about the whole."""
    lengths = list[int]()

    def measure(call: ModelCall) -> bool:
        lengths.append(len(call.output_text))
        return True

    check = streaming(opened(bound("c", Code(lambda call, _: measure(call), Stage.STREAM), action=Action.BLOCK)))
    assert [check.feed(0, "x" * 200, part) for part in (0, 1, 0)] == [None] * 3
    assert lengths == [400, 400]
    assert check.feed(0, "x" * 200, 1) is None
    assert lengths == [400, 400, 800, 400]


def test_the_strictest_action_cuts() -> None:
    """A chunk that violates two clauses gets the stricter of their actions."""
    evaluation = opened(
        bound("redacts", pattern("bad"), action=Action.REDACT, authority="root"),
        bound("blocks", pattern("bad"), action=Action.BLOCK),
    )
    assert streaming(evaluation).feed(0, "bad") == Cut(Action.BLOCK)


@pytest.mark.parametrize(
    ("clause", "mode"),
    [
        (bound("c", pattern("x"), action=Action.BLOCK), Mode.OBSERVE),
        (bound("c", pattern("x"), action=Action.FLAG), Mode.ENFORCE),
        (bound("c", pattern("x", stage=Stage.INPUT), action=Action.BLOCK), Mode.ENFORCE),
        (bound("c", says(False), action=Action.BLOCK), Mode.ENFORCE),
        (bound("c", says(False, Stage.STREAM, timeout_s=1), action=Action.BLOCK), Mode.ENFORCE),
    ],
    ids=["observe mode", "only flags", "of the question", "code of the whole answer", "with a time limit"],
)
def test_without_anything_that_could_cut_nothing_looks(clause: ClausePolicy, mode: Mode) -> None:
    """A stream that nothing can cut costs nothing."""
    assert opened(clause, mode=mode).stream() is None


def test_observe_mode_says_that_the_stream_would_have_been_cut() -> None:
    """What enforce mode would have cut does not count as released; what only the end shows does."""
    patterns = bound("patterns", pattern("bad"), action=Action.BLOCK)
    code = bound("code", says(False), action=Action.BLOCK)
    for clause, would in ((patterns, Action.BLOCK), (code, Action.FLAG)):
        evaluation = opened(clause, mode=Mode.OBSERVE)
        _, decision = decided(evaluation, "bad", 3)
        assert (decision.action, decision.would, decision.released_chars) == (Action.FLAG, would, None)


def test_an_overridden_clause_cuts_nothing() -> None:
    """An override holds while the answer grows, too."""
    clauses = [
        bound("overridden", pattern("bad"), action=Action.BLOCK, authority="guideline"),
        bound("other", pattern("worse"), action=Action.BLOCK),
    ]
    override = Override("overridden", by="user", reason="…")
    evaluation = Engine(policies.policy(*clauses)).open([override])
    check = streaming(evaluation)
    assert check.feed(0, "bad") is None
    assert check.feed(0, " worse") == Cut(Action.BLOCK)


def test_a_tool_call_can_be_stopped_after_its_text_was_released() -> None:
    """The last chunk is withheld until the whole answer was looked at."""
    evaluation = opened(
        bound("text", pattern("never"), action=Action.BLOCK),
        bound("tool", pattern("evil", stage=Stage.TOOL_CALL), action=Action.BLOCK),
    )
    assert handed_over(streaming(evaluation), ["some text"])[1] is None
    call = answered("some text", tools=[ToolCall("search", "evil")], streaming=True)
    assert run_sync(evaluation.output(call, released_chars=9)) == Ruling(Action.BLOCK)
    decision = evaluation.decide()
    assert (decision.action, decision.released_chars) == (Action.BLOCK, None)


def test_a_text_of_which_nothing_was_released_is_stopped_where_it_cannot_be_rewritten() -> None:
    """Chunks that are all withheld cannot be rewritten, so what should be redacted is stopped."""
    evaluation = opened(bound("c", says(False), action=Action.REDACT))
    assert run_sync(evaluation.output(answered("bad", streaming=True), released_chars=0)) == Ruling(Action.BLOCK)


def growing(answer: Any, *, seen: list[int], **policy: Any) -> ClausePolicy:
    """A clause with a check of the stage ``stream`` that says ``answer`` of a text with a ``!``."""

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> Any:
        (text,) = texts
        assert call.output_text == text.text
        seen.append(len(text.text))
        if "!" not in text.text:
            return True
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return bound("c", Code(decide, Stage.STREAM), **policy)


def test_code_is_asked_now_and_then_and_at_the_end() -> None:
    """Checks of the stage ``stream`` are asked of the text so far, ever less often, and of the whole answer."""
    seen: list[int] = []
    evaluation = opened(growing(False, seen=seen, action=Action.BLOCK))
    assert handed_over(streaming(evaluation), ["x" * 100] * 100)[1] is None
    assert seen[0] == 300
    assert all(300 <= after - before <= 300 + before // 8 for after, before in zip(seen[1:], seen, strict=False))
    decided(evaluation, "x" * 10_000, 10_000)
    assert seen[-1] == 10_000
    assert len(seen) < 30


def test_code_cuts_a_stream() -> None:
    """The chunk after which the check says violated is withheld."""
    evaluation = opened(growing(False, seen=[], action=Action.REDACT))
    over, cut = handed_over(streaming(evaluation), ["x" * 255, "!", "more"])
    assert over == ["x" * 255, "[redacted:code]"]
    assert cut is not None


@pytest.mark.parametrize(
    ("on_error", "cut", "action"),
    [(OnError.OPEN, None, Action.ALLOW), (OnError.CLOSED, Cut(Action.BLOCK), Action.BLOCK)],
)
def test_a_check_that_fails_while_the_answer_grows(on_error: OnError, cut: Cut | None, action: Action) -> None:
    """``on_error`` holds while the answer grows; a check that failed is not asked again before the end."""
    seen: list[int] = []
    clause = growing(ValueError(), seen=seen, action=Action.BLOCK, on_error=on_error)
    evaluation = opened(clause)
    assert handed_over(streaming(evaluation), ["!" * 300, "!" * 300])[1] == cut
    assert len(seen) == 1
    decision = evaluation.decide()
    assert (decision.verdict, decision.action) == (Verdict.ERROR, action)


def test_what_cut_the_stream_is_on_the_decision_even_if_the_whole_answer_was_never_looked_at() -> None:
    """A consumer that goes away right after the cut loses no finding."""
    evaluation = opened(bound("c", pattern("bad", reason="word"), action=Action.REDACT))
    handed_over(streaming(evaluation), ["so bad"])
    decision = evaluation.decide()
    assert (decision.verdict, decision.action, decision.governing_clause) == (Verdict.VIOLATED, Action.REDACT, "c")
    assert (decision.released_chars, decision.redacted) == (0, ("/output/0/parts/0",))


@pytest.mark.parametrize("then", [True, None, Finding(Outcome.UNCERTAIN)])
def test_a_check_that_changes_its_mind_does_not_take_back_what_cut_the_stream(then: Any) -> None:
    """What was found while the answer grew stands beside what is found in the whole."""
    answers = iter([Finding(Outcome.VIOLATED, "first"), then])
    clause = bound("c", Code(lambda call, texts: next(answers), Stage.STREAM), action=Action.BLOCK)
    evaluation = opened(clause)
    handed_over(streaming(evaluation), ["x" * 256])
    _, decision = decided(evaluation, "x" * 256, 0)
    assert (decision.verdict, decision.reason, decision.action) == (Verdict.VIOLATED, "first", Action.BLOCK)


PATTERNS = [
    "cat",
    r"\bcat",
    r"cat\b",
    r"\bc[a-z]{1,3}t\b",
    r"(?i)CAT",
    r"a{3}",
    r"c\Ba",
    r"(?m)^cat",
    r"(?m)cat$",
    "é+c",
]


@given(
    sources=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True),
    chunks=st.lists(st.text(alphabet="cat \né", max_size=4), max_size=12),
    padding=st.sampled_from(["", "a " * 30, "tac" * 40, "é" * 50, " \n" * 20]),
)
@example(sources=[r"\bcat"], chunks=["con", "c", "at", " cat"], padding="x" * 40)
@example(sources=[r"\bcat|t[ca]{5}"], chunks=["catcaca", "c"], padding="x" * 20)
@example(sources=[r"cat\B"], chunks=["cat", "s"], padding="")
def test_the_cut_is_where_the_whole_text_so_far_says_so(sources: list[str], chunks: list[str], padding: str) -> None:
    """However a text is split, it is cut at the first chunk with which a pattern stands in all of it so far."""
    patterns = [Pattern(source) for source in sources]

    def violates(text: str) -> bool:
        return any(pattern.find(text) for pattern in patterns)

    chunks = chunks if violates(padding) else [padding, *chunks]
    so_far = list(itertools.accumulate(chunks))
    expected = next((number for number, text in enumerate(so_far) if violates(text)), None)
    check = streaming(opened(bound("c", pattern(*sources), action=Action.BLOCK)))
    cuts = [check.feed(0, chunk) is not None for chunk in chunks]
    assert (cuts.index(True) if True in cuts else None) == expected


def test_a_chunk_costs_the_same_however_long_the_answer_is() -> None:
    """A pattern check is asked about the end of the text only, even where a word seems to begin at its cut."""
    lengths: list[int] = []
    words = Pattern(r"\bcat")

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> Any:
        (text,) = texts
        lengths.append(len(text.text))
        evidence = tuple(Evidence(text.pointer, *span) for span in words.find(text))
        return Finding(Outcome.VIOLATED, evidence=evidence) if evidence else True

    check = Code(decide, prefilter=(words.source,), finds_in_part=PartialFindings.MATCHES)
    stream = streaming(opened(bound("c", check, action=Action.BLOCK)))
    assert all(stream.feed(0, chunk) is None for chunk in ("concaten", "at", "e") * 500)
    assert lengths
    assert max(lengths) <= 20
    assert stream.feed(0, " cat") == Cut(Action.BLOCK)


@pytest.mark.parametrize(
    ("source", "chunks", "cut_at"),
    [
        ("bad$", ["so bad", " it is"], None),
        ("^bad", ["so ", "bad"], None),
        ("^bad", ["ba", "d"], 1),
        ("a.*z", ["a", "b" * 8000, "z"], 2),
        ("a.*z", ["a", "b" * 8200, "z"], None),
        (r"(?m)^bad", ["so\n", "bad"], 1),
    ],
)
def test_what_needs_more_than_the_end_of_the_text(source: str, chunks: list[str], cut_at: int | None) -> None:
    """A text's end is known at the end only; of matches without limit 8,192 characters are looked at."""
    check = streaming(
        opened(bound("c", pattern(source), action=Action.BLOCK), bound("d", pattern("x"), action=Action.BLOCK))
    )
    cuts = [check.feed(0, chunk) is not None for chunk in chunks]
    assert (cuts.index(True) if True in cuts else None) == cut_at


def test_what_only_the_end_decides_is_found_there() -> None:
    """A pattern that asks for the end of the text is flagged when the answer has ended."""
    evaluation = opened(bound("c", pattern("bad$"), action=Action.BLOCK))
    assert evaluation.stream() is None
    ruling, decision = decided(evaluation, "so bad", 6)
    assert (ruling.action, decision.action, decision.verdict) == (Action.FLAG, Action.FLAG, Verdict.VIOLATED)


def test_a_kind_of_ones_own_that_finds_matches_in_a_part_is_cut_at_the_chunk() -> None:
    """The declared trait decides, and not the mechanism: such a check runs on the end of the text after each chunk."""
    words = Pattern("bad word")

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> Any:
        evidence = tuple(Evidence(text.pointer, *span) for text in texts for span in words.find(text))
        return Finding(Outcome.VIOLATED, "own", evidence=evidence) if evidence else True

    own = Code(decide, prefilter=(words.source,), finds_in_part=PartialFindings.MATCHES)
    stream = streaming(opened(bound("c", own, action=Action.REDACT)))
    assert [stream.feed(0, chunk) for chunk in ("so ", "bad", " wo")] == [None] * 3
    assert stream.feed(0, "rds") == Cut(Action.REDACT, "[redacted:own]")


def test_a_check_that_finds_violations_in_a_part_cuts_a_growing_answer() -> None:
    """It runs on the text so far, now and then; one that needs the whole answer runs at the end only."""

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return sum(len(text.text) for text in texts) < 500

    length = Code(decide, finds_in_part=PartialFindings.VIOLATIONS)
    stream = streaming(opened(bound("c", length, action=Action.BLOCK)))
    cuts = [stream.feed(0, "x" * 50) for _ in range(12)]
    assert next(number for number, cut in enumerate(cuts) if cut is not None) * 50 < 600
    assert opened(bound("c", Code(decide), action=Action.BLOCK)).stream() is None
