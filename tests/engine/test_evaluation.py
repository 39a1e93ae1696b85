"""What becomes of a call: outcomes, verdicts, actions."""

from __future__ import annotations

from typing import Any

import policies
import pytest
from policies import answered, asked, bound, pattern, says

from specspan.call import ModelCall, ToolCall
from specspan.decision import Action, Decision, Evidence, Finding, Mode, Outcome, Override, Stage, Verdict
from specspan.engine.engine import Engine
from specspan.engine.rewriting import PROCEED, Ruling
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy, OnError

SSN = r"\d{3}-\d{2}-\d{4}"


def decided(*clauses: ClausePolicy, call: ModelCall | None = None, **policy: Any) -> Decision:
    """The decision about a whole call."""
    evaluation = Engine(policies.policy(*clauses, **policy)).open()
    call = call or answered("an answer")
    run_sync(evaluation.input(call))
    run_sync(evaluation.output(call))
    return evaluation.decide()


def ruled(*clauses: ClausePolicy, call: ModelCall | None = None, **policy: Any) -> Ruling:
    """What is to be done about a whole answer."""
    return run_sync(Engine(policies.policy(*clauses, **policy)).open().output(call or answered("an answer")))


@pytest.mark.parametrize(
    ("answer", "outcome", "verdict"),
    [
        (True, Outcome.COMPLIED, Verdict.COMPLIED),
        (Finding(Outcome.COMPLIED, score=0.1), Outcome.COMPLIED, Verdict.COMPLIED),
        (False, Outcome.VIOLATED, Verdict.VIOLATED),
        (Finding(Outcome.UNCERTAIN), Outcome.UNCERTAIN, Verdict.UNCERTAIN),
        (None, Outcome.NOT_APPLICABLE, Verdict.UNASSESSED),
        (Finding(Outcome.PENDING), Outcome.PENDING, Verdict.UNASSESSED),
        (RuntimeError("broken"), Outcome.ERROR, Verdict.ERROR),
        ("nonsense", Outcome.ERROR, Verdict.ERROR),
        (Finding(Outcome.OVERRIDDEN), Outcome.ERROR, Verdict.ERROR),
    ],
)
def test_what_a_check_answers_is_the_outcome_of_its_clause(answer: Any, outcome: Outcome, verdict: Verdict) -> None:
    """Each answer of a check has an outcome and a verdict of its own."""
    decision = decided(bound("clause", says(answer)))
    assert [finding.outcome for finding in decision.findings] == [outcome]
    assert decision.verdict is verdict


def test_a_check_without_anything_to_read_is_not_applicable_and_not_run() -> None:
    """An answer without text leaves a check of texts nothing to look at."""
    call = answered(tools=[ToolCall("search", {})])
    decision = decided(bound("clause", says(AssertionError("it was run"))), call=call)
    (finding,) = decision.findings
    assert (finding.outcome, finding.reason) == (Outcome.NOT_APPLICABLE, "nothing_to_read")
    assert (decision.verdict, decision.reason) == (Verdict.UNASSESSED, "nothing_applied")


def test_a_clause_whose_stage_was_never_reached_is_unassessed() -> None:
    """A call that fails before its answer leaves the checks of answers unassessed."""
    evaluation = Engine(policies.policy(bound("clause", pattern("x")), silent=2)).open()
    run_sync(evaluation.input(asked()))
    decision = evaluation.decide()
    assert [(finding.outcome, finding.reason) for finding in decision.findings] == [
        (Outcome.UNASSESSED, "not_reached"),
    ]
    assert (decision.summary.considered, decision.summary.unassessed) == (3, 3)


def test_an_overridden_clause_is_not_checked() -> None:
    """A granted override sets a clause aside, and is on the decision with who declared it."""
    override = Override("clause", by="developer", reason="long-form mode")
    decision = decided(bound("clause", says(False), authority="guideline"), overrides=[override])
    assert [finding.outcome for finding in decision.findings] == [Outcome.OVERRIDDEN]
    assert decision.summary.overridden == ("clause",)
    assert [(ruling.override, ruling.granted) for ruling in decision.overrides] == [(override, True)]
    assert decision.verdict is Verdict.UNASSESSED


def test_a_refused_override_changes_nothing_but_is_recorded() -> None:
    """A clause at the top of the ladder is decided whatever override is declared."""
    override = Override("clause", by="root", reason="I want to")
    decision = decided(bound("clause", says(False), authority="root"), overrides=[override])
    assert decision.verdict is Verdict.VIOLATED
    assert [ruling.refusal for ruling in decision.overrides] == ["top_level"]


def test_a_clause_is_as_bad_as_the_worst_of_its_findings() -> None:
    """Every finding of a clause is kept, and a check that complied does not outweigh one that did not."""
    decision = decided(bound("clause", says(True), says(False), says(None)))
    assert [finding.outcome for finding in decision.findings] == [
        Outcome.COMPLIED,
        Outcome.VIOLATED,
        Outcome.NOT_APPLICABLE,
    ]
    assert decision.summary.violated == ("clause",)
    assert decision.summary.not_applicable == 0


def test_every_clause_is_counted_once() -> None:
    """Applied, errored, pending, overridden, not applicable and unassessed clauses add up to those considered."""
    decision = decided(
        bound("complied", pattern("never")),
        bound("violated", pattern("answer")),
        bound("uncertain", says(Finding(Outcome.UNCERTAIN))),
        bound("failed", says(ValueError())),
        bound("waiting", says(Finding(Outcome.PENDING))),
        bound("irrelevant", says(None)),
        bound("overridden", says(False), authority="guideline"),
        bound("unchecked"),
        silent=3,
        overrides=[Override("overridden", by="user", reason="…")],
    )
    summary = decision.summary
    assert summary.applied == "complied violated uncertain"
    assert (summary.violated, summary.uncertain) == (("violated",), ("uncertain",))
    assert (summary.errored, summary.pending, summary.overridden) == (("failed",), ("waiting",), ("overridden",))
    assert (summary.considered, summary.not_applicable, summary.unassessed) == (11, 1, 4)


def test_observe_mode_changes_nothing_and_says_what_would_have_been_done() -> None:
    """In observe mode the ruling asks for nothing; the decision has the action of enforce mode beside a flag."""
    evaluation = Engine(policies.policy(bound("c", pattern("answer"), action=Action.BLOCK), mode=Mode.OBSERVE)).open()
    assert run_sync(evaluation.output(answered("an answer"))) is PROCEED
    decision = evaluation.decide()
    assert (decision.verdict, decision.action, decision.would) == (Verdict.VIOLATED, Action.FLAG, Action.BLOCK)


def test_enforce_mode_stops_the_call() -> None:
    """In enforce mode a blocking clause stops the answer, and the decision says so."""
    evaluation = Engine(policies.policy(bound("c", pattern("answer", reason="word"), action=Action.BLOCK))).open()
    assert run_sync(evaluation.output(answered("an answer"))).action.stops
    decision = evaluation.decide()
    assert (decision.action, decision.would) == (Action.BLOCK, None)
    assert (decision.governing_clause, decision.reason) == ("c", "word")


@pytest.mark.parametrize(
    ("on_error", "action"),
    [(OnError.OPEN, Action.ALLOW), (OnError.CLOSED, Action.BLOCK), (OnError.ESCALATE, Action.ESCALATE)],
)
def test_a_failing_check_is_treated_as_the_policy_says(on_error: OnError, action: Action) -> None:
    """``on_error`` decides what a check that raised means, and its clause governs when nothing was violated."""
    decision = decided(bound("clause", says(ValueError("x")), on_error=on_error))
    assert (decision.verdict, decision.action) == (Verdict.ERROR, action)
    assert (decision.governing_clause, decision.reason) == ("clause", "raised")
    assert decision.findings[0].explanation == "ValueError: x"


def test_the_stricter_action_stands_whichever_clause_governs() -> None:
    """A second violation never softens what another asks for; the higher authority is still the one that governs."""
    decision = decided(
        bound("weak", pattern("answer"), authority="guideline", action=Action.BLOCK),
        bound("strong", pattern("answer"), authority="root", action=Action.FLAG),
    )
    assert (decision.governing_clause, decision.action) == ("strong", Action.BLOCK)


def test_redaction_takes_out_what_the_evidence_points_at() -> None:
    """Each place found is replaced by a marker with the reason, and the decision names the part."""
    evaluation = Engine(policies.policy(bound("c", pattern(SSN, reason="ssn"), action=Action.REDACT))).open()
    ruling = run_sync(evaluation.output(answered("clean", "it is 123-45-6789 or 987-65-4321.")))
    assert ruling.edits == {"/output/0/parts/1": "it is [redacted:ssn] or [redacted:ssn]."}
    assert evaluation.decide().redacted == ("/output/0/parts/1",)


def test_redaction_works_before_sending() -> None:
    """What a user wrote is redacted before the model sees it."""
    clause = bound("c", pattern(SSN, reason="ssn", stage=Stage.INPUT), action=Action.REDACT)
    evaluation = Engine(policies.policy(clause)).open()
    ruling = run_sync(evaluation.input(asked("my ssn is 123-45-6789")))
    assert ruling.edits == {"/input/0/parts/0": "my ssn is [redacted:ssn]"}


def test_replacement_wins_over_redaction_on_the_same_text() -> None:
    """A text that one clause redacts and another replaces is replaced; other texts are still redacted."""
    ruling = ruled(
        bound("redacts", pattern(SSN, reason="ssn"), action=Action.REDACT),
        bound("replaces", pattern("secret"), action=Action.REPLACE, replacement="Sorry."),
        call=answered("123-45-6789 is secret", "123-45-6789"),
    )
    assert ruling.action is Action.REPLACE
    assert ruling.edits == {"/output/0/parts/0": "Sorry.", "/output/0/parts/1": "[redacted:ssn]"}


def test_a_stopped_call_is_not_edited() -> None:
    """Nothing is rewritten in what nobody will see."""
    ruling = ruled(
        bound("redacts", pattern("an"), action=Action.REDACT), bound("blocks", pattern("answer"), action=Action.BLOCK)
    )
    assert ruling == Ruling(Action.BLOCK)


@pytest.mark.parametrize("action", [Action.REDACT, Action.REPLACE])
def test_a_tool_call_is_never_rewritten_but_blocked(action: Action) -> None:
    """Changed arguments would run a tool as neither the model nor the application meant."""
    clause = bound("c", pattern("evil", stage=Stage.TOOL_CALL), action=action)
    assert ruled(clause, call=answered(tools=[ToolCall("search", {"q": "evil"})])) == Ruling(Action.BLOCK)


def test_evidence_in_a_tool_call_blocks_even_from_a_check_of_the_answers_text() -> None:
    """Redacting the text would let the tool call through that the evidence points at."""
    finding = Finding(Outcome.VIOLATED, "x", evidence=(Evidence("/output/0/parts/1", 0, 1),))
    call = answered("text", tools=[ToolCall("search", {})])
    assert ruled(bound("c", says(finding), action=Action.REDACT), call=call) == Ruling(Action.BLOCK)


def test_a_released_text_can_only_be_flagged_but_a_tool_call_still_blocked() -> None:
    """Once the consumer has seen a text nothing can be done about it; a tool call has not been handed over yet."""
    text = bound("text", pattern("answer"), action=Action.BLOCK)
    tool = bound("tool", pattern("evil", stage=Stage.TOOL_CALL), action=Action.BLOCK)
    for call, action in (
        (answered("an answer", streaming=True), Action.FLAG),
        (answered("an answer", tools=[ToolCall("search", "evil")], streaming=True), Action.BLOCK),
    ):
        evaluation = Engine(policies.policy(text, tool)).open()
        assert run_sync(evaluation.output(call, released_chars=9)).action is action
        assert evaluation.decide().action is action


def test_checks_of_streams_look_at_streamed_answers_only() -> None:
    """A check of the stage ``stream`` is unassessed on a call that does not stream."""
    clause = bound("c", pattern("answer", stage=Stage.STREAM))
    assert decided(clause).verdict is Verdict.UNASSESSED
    assert decided(clause, call=answered("an answer", streaming=True)).verdict is Verdict.VIOLATED


def test_deciding_twice_gives_the_same_decision() -> None:
    """An evaluation is closed once."""
    evaluation = Engine(policies.policy()).open()
    assert evaluation.decide() is evaluation.decide()


def test_a_thousand_violated_clauses_leave_a_whole_summary() -> None:
    """However many clauses are violated, all of them are named, in the order of the document."""
    clauses = [bound(f"clause_{number}", pattern("answer")) for number in range(1000)]
    decision = decided(*clauses)
    names = tuple(f"clause_{number}" for number in range(1000))
    assert decision.summary.violated == names
    assert decision.summary.applied == " ".join(names)
    assert len(decision.findings) == 1000


def test_the_program_can_be_ended_while_a_check_runs() -> None:
    """KeyboardInterrupt is no answer of a check."""
    evaluation = Engine(policies.policy(bound("c", says(KeyboardInterrupt())))).open()
    with pytest.raises(KeyboardInterrupt):
        run_sync(evaluation.output(answered("x")))


def test_overhead_is_told_by_stage() -> None:
    """Each stage that has checks says what it cost."""
    evaluation = Engine(policies.policy(bound("c", pattern("x")))).open()
    run_sync(evaluation.input(asked()))
    run_sync(evaluation.output(answered("x")))
    assert list(evaluation.overhead_ns) == [Stage.OUTPUT]
    assert evaluation.overhead_ns[Stage.OUTPUT] > 0


def test_redaction_leaves_nothing_however_many_places_there_are() -> None:
    """A finding points at some places; redaction takes out all of them."""
    numbers = " ".join(f"{n:03}-{n % 100:02}-{n:04}" for n in range(100))
    clause = bound("c", pattern(SSN, reason="ssn"), action=Action.REDACT)
    ruling = ruled(clause, call=answered(f"{numbers} end"))
    assert ruling.edits == {"/output/0/parts/0": "[redacted:ssn] " * 100 + "end"}


def test_a_text_with_more_places_than_can_be_told_apart_is_redacted_as_a_whole() -> None:
    """Beyond some number of places nothing of the text is left."""
    ruling = ruled(bound("c", pattern("[0-9]"), action=Action.REDACT), call=answered("7 and " * 5000, "fine"))
    assert ruling.edits == {"/output/0/parts/0": "[redacted:pattern]"}


def test_a_reason_that_the_pattern_itself_finds_is_no_reason_to_redact_more() -> None:
    """The marker is not looked at again."""
    clause = bound("c", pattern("secret", reason="secret"), action=Action.REDACT)
    ruling = ruled(clause, call=answered("a secret and a secret."))
    assert list(ruling.edits.values()) == ["a [redacted:secret] and a [redacted:secret]."]
