"""The chain of command as the Model Spec describes it: the cases of `chain_cases`, and what holds of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from random import Random

import policies
import pytest
from chain_cases import (
    ABSENT,
    ASSISTANT,
    CIRCUMSTANCES,
    CONVERSATION,
    DEVELOPER,
    DISAGREEMENTS,
    FLAG,
    LEVELS,
    OVERRIDDEN,
    REDACT,
    REVOKE,
    SAID,
    TOOL,
    USER,
    VIOLATED,
    Circumstance,
    Disagreement,
    Said,
)
from hypothesis import given
from hypothesis import strategies as st
from policies import bound, pattern

from specspan.call import CallContext, Message, ModelCall, Request, Response, Text
from specspan.decision import Action, Decision, Finding, Outcome, Override, OverrideKind, Severity, Verdict
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy, condition_from_tags
from specspan.spec.catalogue import find_edition

EVERY: list[Said | Disagreement | Circumstance] = [*SAID, *DISAGREEMENTS, *CIRCUMSTANCES]
TODAY_NS = 1_795_435_200_000_000_000  # 2026-11-23


@lru_cache
def engine(*broken: tuple[str, Severity, Action]) -> Engine:
    """An engine that finds every clause violated, or just some; one of them holds for users under 18 alone."""
    wanted = broken or tuple((clause, Severity.MEDIUM, FLAG) for clause in LEVELS)
    clauses = [
        bound(id_, pattern("answer", reason="word"), authority=LEVELS[id_], severity=severity, action=action)
        for id_, severity, action in wanted
    ]
    policy = policies.policy(*map(tagged_as_published, clauses))
    return Engine(policy, now_ns=lambda: TODAY_NS, new_id=str)


def tagged_as_published(clause: ClausePolicy) -> ClausePolicy:
    return (
        replace(clause, when=condition_from_tags(("under_18",)))
        if clause.clause.id == "prioritize_teen_safety"
        else clause
    )


def decided(engine: Engine, overrides: Sequence[Override] = (), facts: Mapping[str, bool] | None = None) -> Decision:
    """What becomes of one call that is answered with the word that every clause forbids."""
    answer = Response(output=(Message("assistant", (Text("an answer"),)),))
    call = ModelCall(Request("test", input=CONVERSATION), answer, CallContext(attributes=facts or {}))
    evaluation = engine.open(overrides, call)
    run_sync(evaluation.output(call))
    decision = evaluation.decide()
    return replace(decision, findings=tuple(replace(finding, duration_ns=0) for finding in decision.findings))


def finding(decision: Decision, clause: str) -> Finding:
    (found,) = (found for found in decision.findings if found.clause == clause)
    return found


@pytest.mark.parametrize("case", SAID, ids=lambda case: case.sentence)
def test_what_is_said_about_a_clause_counts_as_the_chain_of_command_has_it(case: Said) -> None:
    """Who says it, how plainly, where, and what else is said decide; every refusal is recorded with its reason."""
    decision = decided(engine(), [replace(each, clause=case.clause) for each in case.says])
    assert finding(decision, case.clause).outcome is case.becomes
    assert tuple(ruling.refusal for ruling in decision.overrides) == case.refused
    assert tuple(ruling.granted for ruling in decision.overrides) == tuple(each is None for each in case.refused)
    others = [found for found in decision.findings if found.clause not in (case.clause, "prioritize_teen_safety")]
    assert {found.outcome for found in others} == {VIOLATED}


@pytest.mark.parametrize("case", DISAGREEMENTS, ids=lambda case: case.sentence)
def test_where_clauses_disagree_the_chain_of_command_names_the_one_that_counts(case: Disagreement) -> None:
    """The clause that governs is the chain's to name; what is done is the strictest that any clause asks for."""
    decision = decided(engine(*case.broken))
    assert (decision.governing_clause, decision.action) == (case.governs, case.action)


@pytest.mark.parametrize("case", CIRCUMSTANCES, ids=lambda case: case.sentence)
def test_a_contextual_clause_holds_where_the_context_says_so(case: Circumstance) -> None:
    """Otherwise its checks are not run, and the record tells a context that is another from one that nobody gave."""
    found = finding(decided(engine(), facts=case.facts), "prioritize_teen_safety")
    assert (found.outcome, found.reason) == (case.becomes, case.reason)
    assert (found.check is None) is (case.becomes is ABSENT)


def test_the_cases_are_about_the_published_clauses() -> None:
    """At least 60 cases, no sentence twice, each naming a section of the edition, at the levels published there."""
    edition = find_edition("openai-model-spec@2025-12-18-rev2")
    assert edition is not None
    assert len(EVERY) >= 60
    assert [sentence for sentence, times in Counter(case.sentence for case in EVERY).items() if times > 1] == []
    assert {case.sentence.partition(":")[0] for case in EVERY} <= set(edition.clauses)
    assert {clause: edition.clauses[clause][0] for clause in LEVELS} == LEVELS


def test_of_several_exceptions_the_strongest_gives_its_reason() -> None:
    """Whichever was declared first: a weaker one adds nothing to the decision."""
    strong, weak = Override("formatting", "developer", "strong"), Override("formatting", "user", "weak")
    for says in ([strong, weak], [weak, strong]):
        assert finding(decided(engine(), says), "formatting").explanation == "strong"


def test_a_clause_without_a_bearing_has_nothing_to_set_aside() -> None:
    """An exception to it is granted, and it is not applicable all the same."""
    policy = policies.policy(replace(bound("c", pattern("answer")), when=condition_from_tags(("under_18",))))
    decision = decided(Engine(policy), [Override("c", "user", "a reason")])
    assert (decision.overrides[0].granted, finding(decision, "c").outcome) == (True, ABSENT)


def test_findings_stand_in_the_order_of_the_document() -> None:
    """Clauses that were set aside stand where they stand, not behind those that were looked at."""
    decision = decided(engine(), [Override("comply_with_laws", "system", "a reason")])
    assert [found.clause for found in decision.findings] == list(LEVELS)


# What holds of all cases there could be.

speakers = st.sampled_from([*policies.LADDER, "tool", "operator"])
sources = st.none() | st.sampled_from(["/input/0", DEVELOPER, USER, ASSISTANT, TOOL, "/input/10", "/input/99", "x"])
instructions = st.builds(
    Override,
    st.sampled_from(list(LEVELS)),
    speakers,
    st.sampled_from(["one reason", "another"]),
    st.none() | st.just(date(2026, 11, 22)),
    st.sampled_from(OverrideKind),
    sources,
)
conversations = st.lists(instructions, max_size=6)


def outcomes(decision: Decision) -> dict[str, Outcome]:
    return {found.clause: found.outcome for found in decision.findings}


@given(conversations)
def test_a_root_clause_is_never_overridden(says: list[Override]) -> None:
    """Whatever is said, by whomever, however often and wherever."""
    found = outcomes(decided(engine(), says))
    assert all(found[clause] is not OVERRIDDEN for clause, level in LEVELS.items() if level == "root")


@given(conversations, instructions)
def test_a_weaker_override_never_changes_a_decision(says: list[Override], one_more: Override) -> None:
    """An instruction of a level below the clause's, or below all that was granted about it, counts for nothing."""
    before = decided(engine(), says)
    ranks = {level: rank for rank, level in enumerate(policies.LADDER)}
    rank = ranks.get(one_more.by, len(ranks))
    granted = [ruling.override for ruling in before.overrides if ruling.granted]
    about = [ranks[each.by] for each in granted if each.clause == one_more.clause and each.source is None]
    too_weak = one_more.kind is not REVOKE and rank > ranks[LEVELS[one_more.clause]]
    if too_weak or (about and rank > min(about)):
        after = decided(engine(), [*says, one_more])
        assert replace(after, overrides=()) == replace(before, overrides=())


@given(conversations, st.randoms())
def test_levels_that_differ_are_heard_in_any_order(says: list[Override], random: Random) -> None:
    """Only among instructions of one level does it matter which came first."""
    distinct = list({(each.clause, each.by): replace(each, source=None) for each in says}.values())
    shuffled = random.sample(distinct, len(distinct))
    assert outcomes(decided(engine(), shuffled)) == outcomes(decided(engine(), distinct))


@given(conversations, st.sampled_from(list(LEVELS)), st.sampled_from(Action))
def test_adding_a_violation_never_softens(says: list[Override], clause: str, action: Action) -> None:
    """Under whatever exceptions: one more violated clause leaves a violation a violation, and the action no milder."""
    rest = tuple((id_, Severity.MEDIUM, REDACT) for id_ in LEVELS if id_ != clause)
    before, after = decided(engine(*rest), says), decided(engine(*rest, (clause, Severity.LOW, action)), says)
    assert after.action.rank >= before.action.rank
    assert before.verdict is not Verdict.VIOLATED or after.verdict is Verdict.VIOLATED


@given(conversations)
def test_whatever_is_said_is_ruled_on_and_recorded(says: list[Override]) -> None:
    """As many rulings as instructions, in their order, and a reason exactly where one is refused."""
    rulings = decided(engine(), says).overrides
    assert [ruling.override for ruling in rulings] == says
    assert all(ruling.granted is (ruling.refusal is None) for ruling in rulings)
