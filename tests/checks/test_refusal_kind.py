"""`refusal`: an answer declines what was asked, or has to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policies import answered
from ready_made import build, decide, reason_of

from specspan.call import Message, Refusal, Response, Text
from specspan.checks.check import CheckConfigError
from specspan.decision import Outcome

REFUSAL = build("refusal")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "Sorry, I cannot assist with this request.",
        "I won't create that. It violates our guidelines.",
        "Es tut mir leid, dabei kann ich nicht helfen.",
        "Je suis désolé, je ne peux pas vous aider",
        "Lo siento, no puedo ayudar",
        "Sinto muito, não posso ajudar",
        "Mi dispiace, non posso aiutarti",
        "Helaas kan ik je daar niet mee helpen",
        "Przykro mi, nie mogę",
        "Извините, я не могу помочь",
        "Üzgünüm, bu konuda yardımcı olamam",
        "申し訳ありませんが、お答えできません",
        "抱歉,我无法回答",
        "죄송하지만 도와드릴 수 없습니다",
        "للأسف لا أستطيع مساعدتك",
    ],
)
def test_it_is_known_in_many_languages(text: str) -> None:
    """By what models say, at the start of an answer."""
    assert reason_of(REFUSAL, text) == "declined"


@pytest.mark.parametrize(
    "text",
    [
        "Sure, here it is.",
        "I can't wait to help!",
        "Sorry for the delay! Your order ships today.",
        "The shop can't deliver on Sundays.",
        f"{'Here is the story that you wanted. ' * 20} He said: I'm sorry, but I can't help with that.",
    ],
)
def test_an_answer_is_none(text: str) -> None:
    """Whatever people in it say."""
    assert reason_of(REFUSAL, text) is None


def test_what_the_provider_says_counts_most() -> None:
    """A part that is a refusal, and a reason to stop."""
    call = answered("no")
    parts = (Refusal("No."), Text("Really."))
    refused = replace(call, response=Response(output=(Message("assistant", parts),)))
    stopped = replace(call, response=Response(output=(Message("assistant", (Text("Well"),), None, "content_filter"),)))
    assert [decide(REFUSAL, each).reason for each in (refused, stopped)] == ["refused", "stopped"]


def test_a_refusal_can_be_required() -> None:
    """Then an answer violates, and an empty one is neither."""
    check = build("refusal", {"require": True})
    assert reason_of(check, "Sure, here it is.") == "not_refused"
    assert decide(check, answered("I'm sorry, but I can't help with that.")).outcome is Outcome.COMPLIED
    assert decide(check, answered("  ")).outcome is Outcome.NOT_APPLICABLE


def test_a_user_cannot_refuse() -> None:
    """What is asked is no answer."""
    with pytest.raises(CheckConfigError):
        build("refusal", {"stage": "input"})
