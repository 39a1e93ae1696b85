"""Answers that a client cannot read: its error carries their text, and is not handed over against the policy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic, AsyncAnthropic
from enforcement_http import Service
from enforcement_policies import policy
from enforcement_runner import Outcome, call, decisions_of
from enforcement_table import BEFORE, WORD, wire_of
from http_libraries import anthropic_http, openai_http
from mistral_wire import Wire as MistralWire
from mistral_wire import ask
from openai import AsyncOpenAI, OpenAI
from openai_wire import response_events, typed_sse

import specspan
from specspan.testing import recorded

WIRES = ("anthropic", "cohere", "google", "groq", "mistral", "ollama", "openai_chat", "openai_completions",
         "openai_responses", "together")  # fmt: skip
SKIPS_EVENTS = ("cohere",)
"""Clients that leave out an event which they cannot read."""
VALIDATES = ("mistral", "ollama")
"""Clients whose models refuse values of other types."""
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
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
@pytest.mark.table
def test_the_text_of_a_refused_answer_is_not_handed_over(name: str, mode: str, shape: str) -> None:
    """The client alone raises an error with the text in it; under a policy ``Blocked`` is all that comes out."""
    sent = shape.format(WORD)
    assert WORD in _carried(_outcome(name, mode, sent, None).output.error)
    outcome = _outcome(name, mode, sent, "block")
    assert isinstance(outcome.output.error, specspan.Blocked)
    assert WORD not in _carried(outcome.output.error)
    assert (outcome.decision["verdict"], outcome.decision["action"]) == ("violated", "block")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("name", WIRES)
@pytest.mark.table
def test_a_body_in_another_encoding_is_read(name: str, encoding: str) -> None:
    """Some clients decode it, others raise an error that has it; the word is found either way."""
    wire = wire_of(name)
    body = b"".join(wire.encode(wire.answer(WORD))).decode().encode(encoding)
    for mode in wire.plain_modes:
        with recorded(policy("block", {}, {})) as record:
            output = call(wire.modes[mode], Service((body,)), {})
        assert isinstance(output.error, specspan.Blocked)
        assert [each["verdict"] for each in decisions_of(record)] == ["violated"]


@pytest.mark.parametrize("action", ["redact", "replace"])
@pytest.mark.parametrize("mode", ["plain", "stream"])
@pytest.mark.parametrize("name", ["openai_chat", "mistral"])
def test_an_error_cannot_be_edited(name: str, mode: str, action: str) -> None:
    """The clause fails: closed nothing comes out, open the error does, and neither is called complied."""
    sent = json.dumps({"choices": WORD}) if name == "mistral" else TEXTS["broken"].format(WORD)
    outcome = _outcome(name, mode, sent, action)
    assert isinstance(outcome.output.error, specspan.Blocked)
    assert WORD not in _carried(outcome.output.error)
    assert outcome.decision["verdict"] in ("error", "violated")
    assert outcome.decision["action"] == "block"
    alone, outcome = _outcome(name, mode, sent, None).output, _outcome(name, mode, sent, f"open{action}")
    assert (type(outcome.output.error), str(outcome.output.error)) == (type(alone.error), str(alone.error))
    assert outcome.decision["verdict"] in ("error", "violated")
    assert outcome.decision["action"] in ("allow", "flag")


STRICT: dict[str, tuple[Any, Any, Any, Callable[[Any], Any]]] = {
    "openai": (openai_http, OpenAI, AsyncOpenAI, lambda client: client.chat.completions.create(**ASKED)),
    "responses": (openai_http, OpenAI, AsyncOpenAI, lambda client: client.responses.create(model="m", input="hi")),
    "retrieve": (openai_http, OpenAI, AsyncOpenAI, lambda client: client.responses.retrieve("r")),
    "anthropic": (anthropic_http, Anthropic, AsyncAnthropic,
                  lambda client: client.messages.create(**ASKED, max_tokens=9)),
}  # fmt: skip
"""Clients that validate what they get where they are told to, and how they are asked."""


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", STRICT)
def test_an_answer_that_a_strict_client_refuses_is_not_handed_over(name: str, *, is_async: bool) -> None:
    """A body without the fields that the client's models require."""
    http, sync, later, ask = STRICT[name]

    def error_of(body: Any) -> BaseException:
        transport = http.MockTransport(lambda _: http.Response(200, json=body))
        over = (http.AsyncClient if is_async else http.Client)(transport=transport)
        client = (later if is_async else sync)(
            api_key="test", http_client=over, max_retries=0, _strict_response_validation=True
        )

        async def main() -> Any:
            return await ask(client)

        with pytest.raises((specspan.Blocked, openai.APIError, anthropic.APIError)) as raised:
            asyncio.run(main()) if is_async else ask(client)
        return raised.value

    body = {"content": [], "title": WORD, "id": 17}
    alone = error_of(body)
    assert (type(alone).__name__, WORD in _carried(alone)) == ("APIResponseValidationError", True)
    with recorded(policy("block", {}, {})) as record:
        error = error_of(body)
        assert isinstance(error, specspan.Blocked)
        assert WORD not in _carried(error)
        assert type(error_of({"content": [], "title": "fine", "id": 17})) is type(alone)
        assert [each["action"] for each in decisions_of(record)] == ["block", "allow"]


def test_an_answer_that_cohere_refuses_is_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its models do not fit, its error has the body; so lenient are they that the test has them be strict."""
    from cohere.core.pydantic_utilities import parse_obj_as
    from cohere.v2 import raw_client

    monkeypatch.setattr(raw_client, "construct_type", lambda *, type_, object_: parse_obj_as(type_, object_))
    alone = _outcome("cohere", "plain", f'{{"message": "{WORD}"}}', None).output.error
    assert (type(alone).__name__, WORD in _carried(alone)) == ("ParsingError", True)
    for action in ("block", "redact"):
        outcome = _outcome("cohere", "plain", f'{{"message": "{WORD}"}}', action)
        assert isinstance(outcome.output.error, specspan.Blocked)
        assert WORD not in _carried(outcome.output.error)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_event_of_mistrals_responses_that_is_refused_is_not_handed_over(*, is_async: bool) -> None:
    """The client's error has the frame; what came before it was watched."""
    begin, *rest = response_events("fine ", WORD)
    broken = [{**each, "delta": [WORD]} if each.get("delta") == WORD else each for each in rest]

    def create() -> Any:
        return ask(
            MistralWire(typed_sse([begin, *broken])), "responses.create", is_async=is_async, input="hi", stream=True
        )

    with pytest.raises(Exception, match=WORD) as raised:
        create()
    assert type(raised.value).__name__ == "ResponseValidationError"
    with recorded(policy("block", {}, {})) as record:
        with pytest.raises(specspan.Blocked) as blocked:
            create()
        assert WORD not in _carried(blocked.value)
        assert [each["action"] for each in decisions_of(record)] == ["block"]


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
