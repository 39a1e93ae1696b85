"""One engine for all calls: what it remembers, what it survives."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone

import policies
import pytest
from policies import Code, answered, bound, pattern, says

from specspan._support import drop_counts
from specspan.call import CallContext, Message, ModelCall, Request, Text
from specspan.checks.check import TextAt
from specspan.checks.patterns import MultiPattern
from specspan.decision import Action, Outcome, Override, Stage, Verdict
from specspan.engine import matcher, stage_run
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import OnError, condition_from_tags


@pytest.fixture
def in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Internal failures are counted and swallowed, as they are in an application."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")


def verdict(engine: Engine, overrides: Sequence[Override] = (), text: str = "an answer") -> Verdict:
    evaluation = engine.open(overrides)
    run_sync(evaluation.output(answered(text)))
    return evaluation.decide().verdict


def test_an_override_of_one_call_holds_for_that_call_only() -> None:
    """What one call sets aside is decided again on the next."""
    engine = Engine(policies.policy(bound("c", pattern("answer"), authority="guideline")))
    override = Override("c", by="user", reason="…")
    assert verdict(engine, [override]) is Verdict.UNASSESSED
    assert verdict(engine) is Verdict.VIOLATED


def test_an_override_ends_with_its_last_day() -> None:
    """Overrides are ruled on again when the day changes (UTC), while the program runs."""
    now = datetime(2027, 1, 1, 23, 59, 59, tzinfo=timezone.utc)
    override = Override("c", by="user", reason="…", until=date(2027, 1, 1))
    clause = bound("c", pattern("answer"), authority="guideline")
    now_ns = int(now.timestamp()) * 1_000_000_000
    engine = Engine(policies.policy(clause, overrides=[override]), now_ns=lambda: now_ns)
    assert verdict(engine) is Verdict.UNASSESSED
    now_ns += 1_000_000_000
    assert verdict(engine) is Verdict.VIOLATED


def test_time_and_id_of_a_decision_are_the_engines() -> None:
    """A test can say what time it is and what ids there are."""
    engine = Engine(policies.policy(), now_ns=lambda: 7, new_id=lambda: "id")
    decision = engine.open().decide()
    assert (decision.id, decision.time_unix_nano) == ("id", 7)


def test_a_decision_names_the_texts_in_force() -> None:
    """Spec and policy are identified by digest."""
    policy = policies.policy()
    decision = Engine(policy).open().decide()
    assert (decision.specs, decision.policy_digest) == ((policy.spec.ref,), policy.digest)


def test_what_is_remembered_of_calls_is_bounded() -> None:
    """Roles and overrides come with calls: no number of them fills the memory."""
    engine = Engine(policies.policy(bound("c", pattern("x", stage=Stage.INPUT), authority="guideline")))
    for number in range(1000):
        evaluation = engine.open([Override("c", by="user", reason=str(number))] if number % 2 else [])
        message = Message(f"role {number}", (Text("text"),))
        run_sync(evaluation.input(ModelCall(Request("test", input=(message,)))))
        evaluation.decide()
    stage = engine._plan.stages[Stage.INPUT]
    assert max(len(engine._plans), len(stage._by_sources), len(engine._plan._baselines)) <= 64


def test_a_policy_without_conditions_asks_nothing_of_the_context() -> None:
    """Plans are made once for all calls, whatever their facts, and once for each set of clauses with a bearing."""
    plain = Engine(policies.policy(bound("c", pattern("x"))))
    conditional = Engine(policies.policy(replace(bound("c", pattern("x")), when=condition_from_tags(("even",)))))
    for number in range(20):
        context = CallContext(attributes={"even": number % 2 == 0, "number": number})
        for engine in (plain, conditional):
            engine.open((), ModelCall(Request("test", model=str(number)), context=context))
    assert (len(plain._plans), len(conditional._plans)) == (1, 2)


def test_a_check_reads_only_the_roles_it_wants() -> None:
    """A check gets the texts of its roles; what stands in others is no violation."""
    seen: list[str] = []

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        seen.extend(text.text for text in texts)
        return True

    messages = (Message("system", (Text("be kind"),)), Message("user", (Text("hello"),)))
    code = Code(decide, Stage.INPUT, roles=frozenset(("user",)))
    words = pattern("kind", stage=Stage.INPUT)  # of users and tools, unless a policy says otherwise
    evaluation = Engine(policies.policy(bound("code", code), bound("words", words))).open()
    run_sync(evaluation.input(ModelCall(Request("test", input=messages))))
    assert (seen, evaluation.decide().verdict) == (["hello"], Verdict.COMPLIED)


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize(("on_error", "action"), [(OnError.OPEN, Action.ALLOW), (OnError.CLOSED, Action.BLOCK)])
def test_a_failure_of_our_own_is_an_error_of_every_clause(
    monkeypatch: pytest.MonkeyPatch, on_error: OnError, action: Action
) -> None:
    """When specspan itself fails, nothing looks as if it had been checked, and ``on_error`` is obeyed."""

    def fail(call: ModelCall, stage: Stage) -> tuple[TextAt, ...]:
        raise RuntimeError("our own")

    monkeypatch.setattr(stage_run, "texts", fail)
    before = drop_counts.totals().get(("internal", "engine.look"), 0)
    evaluation = Engine(policies.policy(bound("c", pattern("never"), on_error=on_error))).open()
    assert run_sync(evaluation.output(answered("text"))).action is action
    decision = evaluation.decide()
    assert [(finding.outcome, finding.reason) for finding in decision.findings] == [(Outcome.ERROR, "internal")]
    assert drop_counts.totals()["internal", "engine.look"] == before + 1


@pytest.mark.usefixtures("in_production")
def test_when_the_one_pass_fails_every_check_looks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure to look for all patterns at once hides no violation."""

    def fail(self: MultiPattern, text: str | TextAt) -> list[int]:
        raise MemoryError

    monkeypatch.setattr(MultiPattern, "hits", fail)
    evaluation = Engine(policies.policy(bound("bad", pattern("bad")), bound("good", pattern("good")))).open()
    run_sync(evaluation.output(answered("bad")))
    assert evaluation.decide().summary.violated == ("bad",)


def test_threads_share_one_engine() -> None:
    """Calls on several threads at once are decided each for itself."""
    engine = Engine(policies.policy(bound("c", pattern("bad")), bound("timed", says(True, timeout_s=60))))
    found: list[tuple[str, Verdict]] = []

    def decide(text: str) -> None:
        found.extend((text, verdict(engine, text=text)) for _ in range(50))

    threads = [threading.Thread(target=decide, args=(text,)) for text in ("bad", "good") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {("bad", Verdict.VIOLATED), ("good", Verdict.COMPLIED)}
    assert len(found) == 200


def test_clauses_without_checks_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand clauses that nothing checks are a number in the decision; patterns are looked for in one pass."""
    passes: list[int] = []

    class Counted(MultiPattern):
        def hits(self, text: str | TextAt) -> list[int]:
            passes.append(1)
            return list(super().hits(text))

    monkeypatch.setattr(matcher, "MultiPattern", Counted)
    clauses = [bound(f"c{number}", pattern(f"word{number}")) for number in range(20)]
    evaluation = Engine(policies.policy(*clauses, silent=10_000)).open()
    run_sync(evaluation.output(answered("text")))
    decision = evaluation.decide()
    assert (decision.summary.considered, decision.summary.unassessed, len(passes)) == (10_020, 10_000, 1)
    assert len(decision.findings) == 20
