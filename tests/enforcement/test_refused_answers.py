"""Answers that a client cannot read: its error carries their text, and is not handed over against the policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy
from enforcement_runner import Outcome, call, decisions_of
from enforcement_table import BEFORE, WORD, wire_of

import specspan
from specspan.testing import recorded

WIRES = ("anthropic", "cohere", "google", "groq", "mistral", "ollama", "openai_chat", "openai_completions",
         "openai_responses", "together")  # fmt: skip
SKIPS_EVENTS = ("cohere",)
"""Clients that leave out an event which they cannot read."""
VALIDATES = ("mistral", "ollama")
"""Clients whose models refuse values of other types."""
TEXTS = {"broken": '{{"a": "{0}"', "text": "{0}"}
VALUES = {"list": '["{0}"]', "choices": '{{"choices": "{0}", "message": "{0}"}}'}


def _cases() -> Iterator[Any]:
    for name in WIRES:
        wire = wire_of(name)
        for mode in (*wire.plain_modes, *wire.stream_modes):
            if mode in wire.stream_modes and name in SKIPS_EVENTS:
                continue
            shapes = {
                **TEXTS,
                **(VALUES if name == "mistral" else {}),
                **({"choices": VALUES["choices"]} if name in VALIDATES else {}),
            }
            yield from (pytest.param(name, mode, shape, id=f"{name}-{mode}-{key}") for key, shape in shapes.items())


def _outcome(name: str, mode: str, sent: str, action: str | None) -> Outcome:
    """Return the outcome of a call whose answer is ``sent``, or ends with it where it is a stream."""
    wire = wire_of(name)
    pieces: tuple[bytes, ...] = (sent.encode(),)
    if mode in wire.stream_modes:
        good = wire.encode(wire.stream(BEFORE, WORD))
        last = next(number for number, each in enumerate(good) if WORD.encode() in each)
        event = good[last].decode()
        pieces = (*good[:last], f"{event[: event.index('{')]}{sent}{event[event.rindex('}') + 1 :]}".encode())
    service = Service(pieces, mode in wire.stream_modes)
    if action is None:
        return Outcome(call(wire.modes[mode], service, {}))
    with recorded(policy(action, {}, {})) as record:
        output = call(wire.modes[mode], service, {})
        return Outcome(output, decisions_of(record))


def _carried(error: BaseException | None) -> str:
    """Return all text that an error and its causes carry."""
    texts: list[str] = []
    while error is not None:
        texts += [str(error), str(vars(error)), str(getattr(error, "doc", ""))]
        texts += [str(error.errors())] if hasattr(error, "errors") else []
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


@pytest.mark.parametrize(("name", "mode", "shape"), list(_cases()))
def test_the_text_of_a_refused_answer_is_not_handed_over(name: str, mode: str, shape: str) -> None:
    """The client alone raises an error with the text in it; under a policy ``Blocked`` is all that comes out."""
    sent = shape.format(WORD)
    assert WORD in _carried(_outcome(name, mode, sent, None).output.error)
    outcome = _outcome(name, mode, sent, "block")
    assert isinstance(outcome.output.error, specspan.Blocked)
    assert WORD not in _carried(outcome.output.error)
    assert (outcome.decision["verdict"], outcome.decision["action"]) == ("violated", "block")


@pytest.mark.parametrize("mode", ["plain", "stream"])
@pytest.mark.parametrize("name", ["openai_chat", "mistral"])
def test_an_error_cannot_be_edited(name: str, mode: str) -> None:
    """Where the text would have to be edited, the clause fails: closed nothing comes out, open the error does."""
    sent = json.dumps({"choices": WORD}) if name == "mistral" else TEXTS["broken"].format(WORD)
    outcome = _outcome(name, mode, sent, "redact")
    assert isinstance(outcome.output.error, specspan.Blocked)
    assert outcome.decision["action"] == "block"


@pytest.mark.parametrize("mode", ["plain", "async", "stream", "async_stream"])
@pytest.mark.parametrize("name", ["openai_chat", "mistral", "google", "ollama"])
def test_an_error_with_allowed_text_is_the_clients_own(name: str, mode: str) -> None:
    """The application gets the error as without specspan, and the record has the decision about the text."""
    sent = TEXTS["broken"].format("fine")
    alone, outcome = _outcome(name, mode, sent, None).output, _outcome(name, mode, sent, "block")
    assert type(outcome.output.error) is type(alone.error)
    assert str(outcome.output.error) == str(alone.error)
    assert outcome.decision["verdict"] in ("complied", "unassessed")
    assert outcome.decision["action"] == "allow"


def test_the_body_of_a_failed_request_is_no_answer() -> None:
    """An error page of a proxy is the client's own error, and no check reads it."""
    wire = wire_of("cohere")
    with recorded(policy("block", {}, {})) as record:
        output = call(wire.modes["plain"], Service((WORD.encode(),), status=400), {})
        assert type(output.error).__name__ == "ApiError"
        assert decisions_of(record)[0]["verdict"] == "unassessed"
