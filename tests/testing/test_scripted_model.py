"""The scripted model, asked by the real client over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import active_count
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from specspan.call import ToolCall
from specspan.testing import Prompt, Reply, Script, ScriptedModel

LOOK_UP = ToolCall("find_order", {"order": "A-7", "with_items": True})


@contextmanager
def client_of(script: Script) -> Iterator[tuple[openai.OpenAI, ScriptedModel]]:
    with ScriptedModel(script) as model, openai.OpenAI(base_url=model.base_url, api_key=model.api_key) as client:
        yield client, model


def says(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def test_a_table_answers_by_a_phrase_of_the_last_message() -> None:
    """The first phrase that the user's last message contains decides, whatever its case."""
    with client_of({"refund": "On its way.", "order": "Packed."}) as (client, model):
        answer = client.chat.completions.create(model=model.model, messages=says("Where is my REFUND for the order?"))
    assert answer.choices[0].message.content == "On its way."
    assert answer.choices[0].finish_reason == "stop"


def test_it_says_what_it_is() -> None:
    """Header, model name and fingerprint all tell a reader of a trace that no model was at work."""
    with client_of({}) as (client, model):
        raw = client.chat.completions.with_raw_response.create(model="gpt-9", messages=says("hello"))
        names = [listed.id for listed in client.models.list()]
    answer = raw.parse()
    assert raw.headers["server"] == "specspan-scripted-model"
    assert answer.model == "scripted-gpt-9"
    assert answer.system_fingerprint == "specspan-scripted-model"
    assert answer.choices[0].message.content == "I am a scripted model and have no answer to that."
    assert names == [model.model]


def test_tokens_are_words() -> None:
    """Usage counts words, of every message asked and of the answer."""
    with client_of({"hello": "one two three"}) as (client, model):
        answer = client.chat.completions.create(
            model=model.model, messages=[{"role": "system", "content": "Be kind."}, *says("hello you")]
        )
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (4, 3, 7)


def test_a_function_sees_the_prompt_and_calls_tools() -> None:
    """A script that is a function may call a tool and answer from what the tool said."""

    def script(prompt: Prompt) -> Reply | str:
        return f"It says {prompt.tool_results[-1]}." if prompt.tool_results else Reply(tool_calls=(LOOK_UP,))

    with client_of(script) as (client, model):
        first = client.chat.completions.create(model=model.model, messages=says("Where is A-7?"))
        wish = (first.choices[0].message.tool_calls or [])[0]
        assert wish.type == "function"
        second = client.chat.completions.create(
            model=model.model,
            messages=[
                *says("Where is A-7?"),
                first.choices[0].message.model_dump(exclude_none=True),  # type: ignore[list-item]  # as users write it
                {"role": "tool", "tool_call_id": wish.id, "content": "packed"},
            ],
        )
    assert first.choices[0].finish_reason == "tool_calls"
    assert (wish.function.name, json.loads(wish.function.arguments)) == (LOOK_UP.name, LOOK_UP.arguments)
    assert second.choices[0].message.content == "It says packed."


def test_a_stream_carries_the_same_answer_in_pieces() -> None:
    """Streamed text arrives word by word, joins to the whole, and ends with usage where that was asked for."""
    with client_of({"hello": "Good morning, dear  customer."}) as (client, model):
        stream = client.chat.completions.create(
            model=model.model, messages=says("hello"), stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert len(texts) == 4
    assert "".join(texts) == "Good morning, dear  customer."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4
    assert {chunk.model for chunk in chunks} == {model.model}


def test_the_script_may_cut_the_chunks_itself() -> None:
    """Chunks stand exactly where the script wants them, for tests of what spans two of them."""
    with client_of({"hello": Reply("4111 1111", chunks=("41", "11 1", "111"))}) as (client, model):
        stream = client.chat.completions.create(model=model.model, messages=says("hello"), stream=True)
        texts = [choice.delta.content for chunk in stream for choice in chunk.choices if choice.delta.content]
    assert texts == ["41", "11 1", "111"]


def test_a_streamed_tool_call_joins_to_its_arguments() -> None:
    """A tool call's arguments come in several pieces under one id."""
    with client_of(lambda _: Reply(tool_calls=(LOOK_UP,))) as (client, model):
        stream = client.chat.completions.create(model=model.model, messages=says("?"), stream=True)
        deltas = [call for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    arguments = [delta.function.arguments or "" for delta in deltas if delta.function]
    assert len(arguments) > 2
    assert json.loads("".join(arguments)) == LOOK_UP.arguments
    assert [delta.id for delta in deltas if delta.id] == ["call-scripted-1-0"]


def test_scripted_errors_reach_the_client_once() -> None:
    """An error status raises the client's own exception, and its retries leave it alone."""
    with client_of({"hello": Reply("too busy", status=503)}) as (client, model):
        with pytest.raises(openai.InternalServerError, match="too busy"):
            client.chat.completions.create(model=model.model, messages=says("hello"))
        assert len(model.requests) == 1


def test_a_failing_script_names_its_failure() -> None:
    """An exception in the script is an error of the service that quotes it."""

    def script(_: Prompt) -> str:
        raise KeyError("nobody")

    with client_of(script) as (client, model):
        with pytest.raises(openai.InternalServerError, match="KeyError\\('nobody'\\)"):
            client.chat.completions.create(model=model.model, messages=says("hello"))


def test_requests_are_kept_as_they_were_sent() -> None:
    """What really went over the wire can be asserted on."""
    with client_of({}) as (client, model):
        client.chat.completions.create(model=model.model, messages=says("hello"), temperature=0)
        assert [(sent["messages"], sent["temperature"]) for sent in model.requests] == [(says("hello"), 0)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b"[]", 400),
        ("/v1/chat/completions", b'{"model": "m"}', 400),
        ("/v1/chat/completions", b'{"model": "m", "messages": ["x"]}', 400),
        ("/v1/embeddings", b"{}", 404),
    ],
)
def test_what_is_no_chat_request_is_refused(path: str, body: bytes, status: int) -> None:
    """Nonsense gets an error of the protocol, and the server goes on."""
    with ScriptedModel({}) as model:
        connection = HTTPConnection(urlsplit(model.base_url).netloc, timeout=5)
        connection.request("POST", path, body)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        connection.close()
    assert response.status == status
    assert answer["error"]["type"] == "invalid_request_error"


def test_a_client_that_hangs_up_harms_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A stream closed half-read leaves the server silent and at work."""
    words = " ".join(str(number) for number in range(20_000))
    with client_of({"count": words, "hello": "hello"}) as (client, model):
        with client.chat.completions.create(model=model.model, messages=says("count"), stream=True) as stream:
            next(iter(stream))
        answer = client.chat.completions.create(model=model.model, messages=says("hello"))
    assert answer.choices[0].message.content == "hello"
    assert capfd.readouterr().err == ""


def test_it_stops_with_its_block() -> None:
    """After the block the port is closed and its thread is gone."""
    before = active_count()
    with ScriptedModel({}) as model:
        address = urlsplit(model.base_url).netloc
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection(address, timeout=5).connect()
    assert active_count() <= before
