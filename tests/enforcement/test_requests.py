"""Requests reach the service as the application made them, and wrapped functions stay what they were (part 7)."""

from __future__ import annotations

import asyncio
import copy
import importlib
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy_file
from enforcement_runner import Leak, call
from enforcement_table import BEFORE, WireFormat, cases, wire_of

import specspan
from specspan.testing import recorded

USER: dict[str, Any] = {"role": "user", "content": "hi"}
FUNCTION: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "search", "arguments": "{}"}}
CHAT_TOOL: dict[str, Any] = {"type": "function", "function": {"name": "search", "parameters": {}}}
TEXT: dict[str, Any] = {"type": "text", "text": "hi"}
INPUT_TEXT: dict[str, Any] = {"type": "input_text", "text": "hi"}


def each(*items: Any) -> Iterator[Any]:
    """Return a generator over items, which can be read once."""
    return (item for item in items)


def _chat_requests() -> dict[str, Callable[[], dict[str, Any]]]:
    return {
        "messages": lambda: {"messages": each(USER, USER)},
        "messages_map": lambda: {"messages": map(dict, [USER])},
        "messages_zip": lambda: {"messages": (message for message, _ in zip([USER], [1], strict=True))},
        "content": lambda: {"messages": [{"role": "user", "content": each(TEXT, TEXT)}]},
        "content_map": lambda: {"messages": [{"role": "user", "content": map(dict, [TEXT])}]},
        "system_content": lambda: {"messages": [{"role": "system", "content": each(TEXT)}, USER]},
        "tool_calls": lambda: {
            "messages": [USER, {"role": "assistant", "tool_calls": each(FUNCTION)},
                         {"role": "tool", "tool_call_id": "c", "content": "x"}],
        },
        "tool_content": lambda: {
            "messages": [USER, {"role": "assistant", "tool_calls": [FUNCTION]},
                         {"role": "tool", "tool_call_id": "c", "content": each(TEXT)}],
        },
        "tools": lambda: {"tools": each(CHAT_TOOL)},
        "everything": lambda: {"messages": each({"role": "user", "content": each(TEXT)}), "tools": each(CHAT_TOOL)},
    }  # fmt: skip


def _responses_requests() -> dict[str, Callable[[], dict[str, Any]]]:
    result = {"type": "function_call_output", "call_id": "c"}
    return {
        "content": lambda: {"input": [{"role": "user", "content": each(INPUT_TEXT)}]},
        "content_map": lambda: {"input": [{"role": "user", "content": map(dict, [INPUT_TEXT])}]},
        "tool_output": lambda: {"input": [result | {"output": each(INPUT_TEXT)}]},
        "tools": lambda: {"tools": each({"type": "function", "name": "search", "parameters": {}, "strict": False})},
    }


def _anthropic_requests() -> dict[str, Callable[[], dict[str, Any]]]:
    use = {"type": "tool_use", "id": "t", "name": "search", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t"}
    return {
        "messages": lambda: {"messages": each(USER)},
        "content": lambda: {"messages": [{"role": "user", "content": each(TEXT, TEXT)}]},
        "content_map": lambda: {"messages": [{"role": "user", "content": map(dict, [TEXT])}]},
        "system": lambda: {"system": each(TEXT)},
        "tools": lambda: {"tools": each({"name": "search", "input_schema": {"type": "object"}})},
        "assistant": lambda: {"messages": [USER, {"role": "assistant", "content": each(use)}]},
        "tool_result": lambda: {
            "messages": [USER, {"role": "assistant", "content": [use]},
                         {"role": "user", "content": [result | {"content": each(TEXT)}]}],
        },
        "nested": lambda: {"messages": each({"role": "user", "content": each(result | {"content": each(TEXT)})})},
    }  # fmt: skip


def _converse_requests() -> dict[str, Callable[[], dict[str, Any]]]:
    return {"plain": lambda: {"system": [{"text": "hi"}]}}


REQUESTS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    f"{wire}-{name}": (wire, make)
    for wire, requests in {
        "openai_chat": _chat_requests(),
        "groq": _chat_requests(),
        "together": _chat_requests(),
        "mistral": {"content_list": lambda: {"messages": [{"role": "user", "content": [TEXT]}]}},
        "openai_responses": _responses_requests(),
        "anthropic": _anthropic_requests(),
        "bedrock_converse": _converse_requests(),
    }.items()
    for name, make in requests.items()
}


def _sent(wire: WireFormat, mode: str, make: Callable[[], dict[str, Any]], asked: dict[str, Any]) -> Any:
    """Return the body that reaches the service, or the type of the error that the client raises."""
    service = Service(wire.encode(wire.answer(BEFORE)))
    given, asked_before = make(), dict(asked)
    overlapping = {name: asked.pop(name) for name in given if name in asked}
    try:
        output = call(wire.modes[mode], service, given)
    finally:
        asked.clear()
        asked.update(asked_before)
    del overlapping
    return [json.loads(body) for body in service.requests] or type(output.error).__name__


@pytest.mark.parametrize("mode", ["plain", "async"])
@pytest.mark.parametrize("name", cases("requests", REQUESTS, Leak))
@pytest.mark.table
def test_iterators_in_a_request_arrive_whole(name: str, mode: str) -> None:
    """The service gets the same body under a policy that reads the input as without specspan."""
    wire_name, make = REQUESTS[name]
    wire = wire_of(wire_name)
    if mode not in wire.modes:
        mode = "plain"
    asked = importlib.import_module(f"enforcement_wire_{wire_name}").ASKED
    alone = _sent(wire, mode, make, asked)
    with recorded(policy_file("block", {"checks": [{"pattern": {"stage": "input", "any": ["FORBIDDEN"]}}]}, {})):
        watched = _sent(wire, mode, make, asked)
    if watched != alone:
        raise Leak(f"the service got {watched!r:.300}, not {alone!r:.300}")


@specspan.observe
def observed(text: str) -> str:
    return text


@specspan.observe(model="parrot")
def model_function(text: str) -> str:
    return text


@specspan.observe(model="parrot")
async def model_coroutine(text: str) -> str:
    return text


def _methods() -> dict[str, Callable[[], Any]]:
    paths = {
        "openai_chat": ("openai.resources.chat.completions", "Completions.create"),
        "openai_async_chat": ("openai.resources.chat.completions", "AsyncCompletions.create"),
        "openai_responses": ("openai.resources.responses", "Responses.create"),
        "anthropic": ("anthropic.resources.messages", "Messages.create"),
        "google": ("google.genai.models", "Models.embed_content"),
        "groq": ("groq.resources.chat.completions", "Completions.create"),
        "together": ("together.resources.chat.completions", "CompletionsResource.create"),
        "mistral": ("mistralai.client.chat", "Chat.complete"),
        "ollama": ("ollama", "chat"),
        "ollama_client": ("ollama", "Client.chat"),
    }

    def found(module: str, path: str) -> Any:
        value: Any = importlib.import_module(module)
        for name in path.split("."):
            value = getattr(value, name)
        return value

    return {name: partial(found, *path) for name, path in paths.items()}


FUNCTIONS: dict[str, Callable[[], Any]] = {
    "observed": lambda: observed,
    "model_function": lambda: model_function,
    "model_coroutine": lambda: model_coroutine,
    **_methods(),
}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of this module can be found by their names, as those of an imported module can."""
    module = type(sys)(__name__)
    vars(module).update(globals())
    monkeypatch.setitem(sys.modules, __name__, module)


@pytest.mark.parametrize("operation", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))],
                         ids=["copy", "deepcopy", "pickle"])  # fmt: skip
@pytest.mark.parametrize("name", cases("functions", FUNCTIONS, Leak))
def test_wrapped_functions_copy_and_pickle(name: str, operation: Callable[[Any], Any]) -> None:
    """A function that is wrapped copies, deep-copies and pickles as a function does."""
    if name.endswith("ollama") and operation is not copy.copy:
        pytest.skip("the method of a client that holds a lock, which does neither without specspan")
    function = FUNCTIONS[name]()
    try:
        made = operation(function)
    except Exception as error:
        raise Leak(f"{error!r:.200}") from error
    if not callable(made):
        raise Leak(f"{made!r} is not callable")


@pytest.mark.parametrize("name", cases("bound", ["openai", "anthropic"], Leak))
def test_clients_copy_with_their_wrapped_methods(name: str) -> None:
    """A client in a structure that is copied deeply keeps a method that asks the service."""
    wire = wire_of({"openai": "openai_chat", "anthropic": "anthropic"}[name])
    service = Service(wire.encode(wire.answer(BEFORE)))
    resource = importlib.import_module(f"enforcement_wire_{wire.provider if name != 'openai' else 'openai_chat'}")
    bound = resource.RESOURCE.sync(service).create
    try:
        copied = copy.copy(bound)
    except Exception as error:
        raise Leak(f"{error!r:.200}") from error
    with recorded(policy_file("block", {}, {})) as record:
        copied(**resource.ASKED)
        if len(record.decisions) != 1:
            raise Leak(f"{len(record.decisions)} decisions")


@pytest.mark.parametrize("name", cases("imported", ["afresh"], Leak))
def test_a_client_module_imported_afresh_is_met(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test suite that drops a client from `sys.modules` and imports it again is watched all the same."""
    for module in [each for each in sys.modules if each.partition(".")[0] == "ollama"]:
        monkeypatch.delitem(sys.modules, module)
    fresh = importlib.import_module("ollama")
    wire = wire_of("ollama")
    service = Service(wire.encode(wire.answer(BEFORE)))
    httpx = importlib.import_module("httpx")
    current = importlib.import_module("enforcement_http").Current()
    current.service = service
    client = fresh.Client(transport=current.transport(httpx))
    with recorded(policy_file("block", {}, {})) as record:
        client.chat(model="m", messages=[USER])
        found = len(record.decisions)
    for module in [each for each in sys.modules if each.partition(".")[0] == "ollama"]:
        monkeypatch.delitem(sys.modules, module)
    if found != 1:
        raise Leak(f"{found} decisions")


@pytest.mark.parametrize("name", cases("surrogates", ["tool_name", "arguments", "text"], Leak))
def test_a_lone_surrogate_loses_nothing(name: str) -> None:
    """An answer with half a character is handed over, decided and recorded."""
    chat = importlib.import_module("enforcement_wire_openai_chat")
    function = FUNCTION["function"] | {"name": "sear\ud800ch" if name == "tool_name" else "search",
                                       "arguments": '{"q": "\ud800"}' if name == "arguments" else "{}"}  # fmt: skip
    sends = chat.message("\ud800" if name == "text" else "x", tool_calls=[FUNCTION | {"function": function}])
    service = Service(chat.encode(sends))
    alone = call(chat.WIRE.modes["plain"], service, {})
    with recorded(policy_file("block", {}, {})) as record:
        output = call(chat.WIRE.modes["plain"], service, {})
        found = [(each["verdict"], each["action"]) for each in record.decisions]
        spans = len(record.spans)
    if output.chunks != alone.chunks or found != [("complied", "allow")] or spans != 1:
        raise Leak(f"{spans} spans, {found}, {output.error!r:.200}")


def test_an_observed_coroutine_still_runs() -> None:
    """A decorated coroutine gives its result when nothing is forbidden."""
    with recorded(policy_file("block", {}, {})):
        assert asyncio.run(model_coroutine("x")) == "x"
