"""Requests reach the service as the application made them, and wrapped functions stay what they were."""

from __future__ import annotations

import copy
import importlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.resources.messages import Messages
from anthropic.types import message_create_params
from anthropic_wire import Wire as AnthropicWire
from anthropic_wire import message
from http_libraries import openai_http
from openai import OpenAI
from openai.resources.chat.completions import Completions
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from openai_wire import Wire, ask_sync, completion, response
from typed_requests import requests_with_generators

import specspan
from specspan.call import Message, ModelCall, Text
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.buffered_arguments import buffer_iterators
from specspan.instrument.patches import is_replaced
from specspan.testing import recorded


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    """Every client is instrumented."""
    specspan.instrument()
    yield
    specspan.uninstrument()


def chat(**parameters: Any) -> list[dict[str, Any]]:
    """Return the bodies that reach OpenAI's chat completions."""
    wire = Wire(completion())
    with wire.sync_client() as client:
        client.chat.completions.create(**parameters)
    return wire.requests


def respond(**parameters: Any) -> list[dict[str, Any]]:
    """Return the bodies that reach OpenAI's responses."""
    wire = Wire(response("hello"))
    with wire.sync_client() as client:
        client.responses.create(**parameters)
    return wire.requests


def messages(**parameters: Any) -> list[dict[str, Any]]:
    """Return the bodies that reach Anthropic's messages."""
    wire = AnthropicWire(message("hello"))
    with wire.sync_client() as client:
        client.messages.create(**parameters)
    return wire.requests


@pytest.mark.parametrize(
    ("parameters", "send", "at_least"),
    [
        (completion_create_params.CompletionCreateParamsNonStreaming, chat, 10),
        (response_create_params.ResponseCreateParamsNonStreaming, respond, 10),
        (message_create_params.MessageCreateParamsNonStreaming, messages, 10),
    ],
    ids=["openai_chat", "openai_responses", "anthropic"],
)
def test_a_generator_arrives_whole_wherever_the_hints_allow_one(
    parameters: type, send: Callable[..., list[dict[str, Any]]], at_least: int
) -> None:
    """The service gets the same body with specspan as without it, for every place in the client's own type hints."""
    compared, changed = 0, []
    for place, make in requests_with_generators(parameters):
        try:
            alone = send(**make())
        except TypeError:  # what the client itself cannot send
            continue
        with recorded():
            watched = send(**make())
        compared += 1
        if watched != alone:
            changed.append((place, alone, watched))
    assert changed == []
    assert compared >= at_least


def test_an_iterator_is_read_by_specspan_and_by_the_client() -> None:
    """The record has what the service got."""
    calls: list[ModelCall] = []
    given = [{"role": "user", "content": map(dict, [{"type": "text", "text": "hi"}])}]
    with recorded(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("specspan.record.recorder.Recorder.end_call", lambda self, span, call, *rest: calls.append(call))
        sent = chat(model="m", messages=iter(given))
    assert sent[0]["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert calls[0].request.input == (Message("user", (Text("hi"),)),)


def test_what_the_application_owns_is_not_changed() -> None:
    """What holds an iterator is copied; everything else is handed on as it is."""
    plain = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": ({"parameters": iter("a")},)}
    untouched = Invocation(None, (1, [2]), plain)
    assert buffer_iterators(untouched) is untouched
    content = iter([{"type": "text"}])
    message = {"role": "user", "content": content}
    buffered = buffer_iterators(Invocation(None, ((content for _ in "a"),), {"messages": [message, plain]}))
    assert message["content"] is content
    assert buffered.kwargs == {"messages": [{"role": "user", "content": []}, plain]}
    assert buffered.args == ([[{"type": "text"}]],)


def test_a_file_is_left_to_the_client() -> None:
    """A file gives its lines to whoever reads it, and is no list of them."""
    file = io.BytesIO(b"one\ntwo\n")
    assert buffer_iterators(Invocation(None, (), {"body": file})).kwargs["body"] is file


def test_an_iterator_in_a_clients_object_is_copied() -> None:
    """An answer that is sent back may hold what its client reads once."""
    turn = anthropic.types.Message.model_construct(role="assistant", content=iter([{"type": "text", "text": "x"}]))
    buffered = buffer_iterators(Invocation(None, (), {"messages": [turn]})).kwargs["messages"][0]
    assert (type(buffered), buffered.content) == (type(turn), [{"type": "text", "text": "x"}])
    assert hasattr(turn.content, "__next__")


@pytest.mark.parametrize("operation", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Completions, "create"),
        (Messages, "create"),
        (importlib.import_module("ollama").Client, "chat"),
    ],
)
def test_a_wrapped_method_copies_and_pickles(owner: Any, name: str, operation: Callable[[Any], Any]) -> None:
    """The copy is what stands in the client, and is watched as long as that is."""
    made = operation(getattr(owner, name))
    assert made.__wrapped__ == getattr(owner, name).__wrapped__


def test_a_method_of_a_client_that_is_copied_is_watched() -> None:
    """A structure that holds a client's method can be copied."""
    client = OpenAI(api_key="test", http_client=Wire(completion()).sync_client()._client)
    method = copy.copy({"ask": client.chat.completions.create})["ask"]
    assert copy.copy(method) == method
    with recorded() as what:
        method(model="m", messages=[{"role": "user", "content": "hi"}])
        assert len(what.spans) == 1


def answer_chat(request: httpx.Request) -> httpx.Response:
    """Return an answer of Ollama's."""
    said = {"role": "assistant", "content": "hello"}
    return httpx.Response(200, json={"model": "m", "message": said, "done": True, "done_reason": "stop"})


def purge(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Drop a package from what is imported."""
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("names", [(), ("ollama",)], ids=["every_client", "by_name"])
def test_a_client_imported_afresh_is_met_again(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its calls and its streams are watched, and those of the client before it are still."""
    specspan.uninstrument()
    specspan.instrument(*names)
    before = importlib.import_module("ollama")
    clients = [before]
    for _ in range(2):
        purge(monkeypatch, "ollama")
        clients.append(importlib.import_module("ollama"))
    assert len({client.Client for client in clients}) == 3
    with recorded() as what:
        for client in clients:
            client.Client(transport=httpx.MockTransport(answer_chat)).chat(model="m", messages=[])
        assert len(what.spans) == 3
    methods = [vars(client.Client)["chat"] for client in clients]
    specspan.uninstrument()
    assert [vars(client.Client)["chat"] for client in clients] == [method.__wrapped__ for method in methods]
    purge(monkeypatch, "ollama")
    assert not is_replaced(vars(importlib.import_module("ollama").Client)["chat"])


STREAM_OF_A_FRESH_CLIENT = """
import sys
import openai, specspan
from openai_wire import Wire, chunks, sse
from specspan.testing import recorded

specspan.instrument("openai")
wire = Wire(sse(chunks("hel", "lo")))
with wire.sync_client() as client, recorded() as what:
    list(client.chat.completions.create(model="m", messages=[], stream=True))
    assert len(what.spans) == 1
for name in [each for each in sys.modules if each.partition(".")[0] == "openai"]:
    del sys.modules[name]
import openai

client = openai.OpenAI(api_key="test", http_client=Wire.sync_client(wire)._client)
with recorded() as what:
    stream = client.chat.completions.create(model="m", messages=[], stream=True)
    assert len(list(stream)) == 5
    assert "specspan.stream.end" not in what.spans[0].attributes
    assert what.spans[0].attributes["gen_ai.response.id"] == "chatcmpl-1"
"""


def test_streams_of_a_client_imported_afresh_are_watched() -> None:
    """They are of another class than those of the client before it."""
    support = str(Path(__file__).parents[1] / "support")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((support, *sys.path))}
    subprocess.run([sys.executable, "-c", STREAM_OF_A_FRESH_CLIENT], check=True, env=environment)


class EscapingWire(Wire):
    """Service that escapes whatever is not ASCII."""

    def __call__(self, request: openai_http.Request) -> openai_http.Response:
        return openai_http.Response(200, content=json.dumps(self.body), headers={"content-type": "application/json"})


@pytest.mark.parametrize("place", ["name", "arguments", "text"])
def test_half_a_character_loses_nothing(place: str) -> None:
    """An answer with a lone surrogate is handed over and recorded as any other."""
    lone = "sear\ud800ch"
    tool = ("search" if place != "name" else lone, f'{{"q": "{lone}"}}' if place == "arguments" else "{}")
    wire = EscapingWire(completion(lone if place == "text" else "x", tools=[tool]))
    with recorded() as what:
        answer = ask_sync(wire)
        assert len(what.spans) == 1
    assert answer.choices[0].message.tool_calls[0].function.name == tool[0]
