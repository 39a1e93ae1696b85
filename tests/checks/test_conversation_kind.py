"""`conversation`: repeated pressure, promises made before, contradictions and drift."""

from __future__ import annotations

from typing import Any

import pytest

from specspan.call import Gaps, Message, ModelCall, Request, Response, Text
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.conversations.turns import MAX_ITEMS
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Finding, Outcome


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def model(text: str) -> Message:
    return Message("assistant", (Text(text),))


def decided(
    configuration: object,
    sent: list[Message],
    answer: str | None = None,
    gaps: Gaps | None = None,
    conversation: str | None = None,
) -> Finding:
    """What a check says of an answer after some turns."""
    response = None if answer is None else Response(output=(model(answer),))
    request = Request("openai", input=tuple(sent), conversation=conversation)
    call = ModelCall(request, response, gaps=gaps or Gaps())
    check = kinds()["conversation"].build("clause", configuration)
    return as_finding(check.decide(call, texts(call, check.traits.stage)))


def said(*given: Any, **more: Any) -> tuple[Outcome, str | None]:
    finding = decided(*given, **more)
    return finding.outcome, finding.reason


COMPLIED = (Outcome.COMPLIED, None)
PRESSURE = {"pressure": {"any": ["just do it", "come on"], "turns": 3}}
PROMISE = {"promises": [{"made": "will not share", "broken_by": r"\d+ \w+ street"}]}
DATES = {"consistent": [r"arrives on \w+day"]}
ON_TOPIC = {"drift": {"any": ["order", "parcel"], "turns": 3}}


def test_pressure_is_the_third_message_that_presses() -> None:
    """Other messages in between do not end it; a newest one that does not press does. It has the evidence."""
    pressing = [user("Come on."), model("No."), user("COME ON!"), model("No."), user("thanks, and?"), model("No.")]
    assert said(PRESSURE, pressing) == COMPLIED
    finding = decided(PRESSURE, [*pressing, user("Please just do it")])
    assert (finding.outcome, finding.reason) == (Outcome.VIOLATED, "repeated_pressure")
    assert [(each.pointer, each.start, each.end) for each in finding.evidence] == [("/input/6/parts/0", 7, 17)]
    assert said(PRESSURE, [*pressing, user("just do it"), model("No."), user("All right.")]) == COMPLIED


def test_pressure_without_patterns_is_the_same_request_again() -> None:
    """Nearly the same words count, in any writing; another request does not."""
    same = {"pressure": {"turns": 3}}
    again = [user("Tell me his address now"), model("No."), user("tell me HIS address now")]
    assert said(same, [*again, model("No."), user("Tell  me his address now")]) == (
        Outcome.VIOLATED,
        "repeated_pressure",
    )
    assert said(same, [*again, model("No."), user("What is the weather like?")]) == COMPLIED


def test_a_promise_holds_for_later_answers() -> None:
    """What was promised in an earlier answer, and only there, is held against this one; the words are the evidence."""
    promised = [user("Hi"), model("I will not share your address."), user("Where do I live?")]
    finding = decided(PROMISE, promised, "At 12 Long Street.")
    assert (finding.outcome, finding.reason) == (Outcome.VIOLATED, "promise_broken")
    assert [(each.start, each.end) for each in finding.evidence] == [(3, 17)]
    assert said(PROMISE, promised, "I cannot say.") == COMPLIED
    assert said(PROMISE, [user("I will not share it"), user("Where?")], "At 12 Long Street.") == COMPLIED


def test_a_statement_that_changes_is_a_contradiction() -> None:
    """It is compared with the latest answer that made it, in any case and spacing."""
    told = [user("When?"), model("It arrives on Monday."), user("Really?"), model("Yes."), user("When?")]
    assert said(DATES, told, "It ARRIVES on monday.") == COMPLIED
    finding = decided(DATES, told, "It arrives on Friday.")
    assert (finding.outcome, finding.reason) == (Outcome.VIOLATED, "contradiction")
    assert [(each.start, each.end) for each in finding.evidence] == [(3, 20)]
    corrected = [*told, model("Sorry: it arrives on Friday."), user("When?")]
    assert said(DATES, corrected, "It arrives on Friday.") == COMPLIED


def test_drift_is_several_answers_off_the_topic() -> None:
    """Two earlier answers and this one match nothing; before there are three answers, nothing is decided."""
    strayed = [
        model("Your order is here."),
        user("?"),
        model("Cats are fine."),
        user("?"),
        model("Dogs, too."),
        user("?"),
    ]
    assert said(ON_TOPIC, strayed, "Birds sing.") == (Outcome.VIOLATED, "drifted")
    assert said(ON_TOPIC, strayed, "The parcel is here.") == COMPLIED
    assert said(ON_TOPIC, strayed[:4], "Birds sing.") == COMPLIED
    assert said(ON_TOPIC, [user("?")], "Birds sing.")[0] is Outcome.NOT_APPLICABLE


def test_turns_that_are_not_sent_are_uncertain() -> None:
    """A conversation that the provider keeps, one that is cut, and one that others recorded without its messages."""
    assert said(PROMISE, [user("Where?")], "At 12 Long Street.", conversation="c") == (
        Outcome.UNCERTAIN,
        "conversation_not_known",
    )
    long = [model("I will not share it."), *(user(str(i)) for i in range(MAX_ITEMS))]
    assert said(PROMISE, long, "At 12 Long Street.") == (Outcome.UNCERTAIN, "history_cut")
    assert said(PRESSURE, long) == COMPLIED
    unseen = decided(PROMISE, [], "At 12 Long Street.", Gaps(input="content_not_recorded"))
    assert unseen.outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("configuration", "key"),
    [
        ({}, None),
        ({**PRESSURE, **DATES}, None),
        ({"consistent": ["a", "(?=b)"]}, "consistent.1"),
        ({"promises": [{"made": "a*", "broken_by": "b"}]}, "promises.0"),
        ({"drift": {"any": [r"(a)\1"]}}, "drift.any.0"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(configuration: object, key: str | None) -> None:
    """One thing for each check, by patterns that run in linear time."""
    with pytest.raises(CheckConfigError) as caught:
        kinds()["conversation"].build("clause", configuration)
    assert caught.value.key == key
