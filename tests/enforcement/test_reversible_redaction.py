"""Personal data that a model never reads and its answer has all the same: a real client over a mock transport."""

from __future__ import annotations

from typing import Any

import pytest
from openai_wire import Ask, Wire, ask_async, ask_sync, completion
from policies import bound, policy
from ready_made import build
from recording import Recording

from specspan.decision import Action, Mode
from specspan.engine.engine import Engine
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.install import instrument, uninstrument
from specspan.record.settings import Content, Settings

QUESTION = "Write to joe@example.com about 4242 4242 4242 4242."
ANSWER = "I wrote to <EMAIL_1> about <CARD_1>, not to <EMAIL_2>."


def asked(ask: Ask, mode: Mode = Mode.ENFORCE) -> tuple[str, str, str]:
    """Return what the service was sent, what the application got, and what was recorded, content included."""
    check = build("pii", {"stage": "input", "redaction": "reversible"})
    wire, recording = Wire(completion(ANSWER)), Recording(Settings(content=Content.SPAN_ONLY))
    activate(Pipeline(recording.recorder, Engine(policy(bound("privacy", check, action=Action.REDACT), mode=mode))))
    instrument("openai")
    try:
        answer: Any = ask(wire, messages=[{"role": "user", "content": QUESTION}])
    finally:
        uninstrument()
        activate(None)
    return wire.requests[0]["messages"][0]["content"], answer.choices[0].message.content, str(recording.span.attributes)


@pytest.mark.parametrize("ask", [ask_sync, ask_async])
def test_the_answer_has_the_data_back_and_the_record_has_not(ask: Ask) -> None:
    """The service reads names, the application data, and neither span nor record holds any."""
    sent, got, recorded = asked(ask)
    assert sent == "Write to <EMAIL_1> about <CARD_1>."
    assert got == "I wrote to joe@example.com about 4242 4242 4242 4242, not to <EMAIL_2>."
    assert "<EMAIL_1> about <CARD_1>" in recorded
    assert "joe@" not in recorded
    assert "4242 4242" not in recorded


def test_nothing_is_changed_in_observe_mode() -> None:
    """Neither what is sent nor what comes back."""
    sent, got, _ = asked(ask_sync, Mode.OBSERVE)
    assert (sent, got) == (QUESTION, ANSWER)
