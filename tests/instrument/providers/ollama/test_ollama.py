"""Ollama through its real client: its two clients, the functions of the module, and what was recorded."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
from cassettes import Exchange, exchanges, transport
from ended_spans import Spans
from policies import bound, pattern, policy
from replays import Facts, Tally, told

import specspan
from specspan.call import Usage
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.instrument.patches import is_replaced
from specspan.testing.memory import recorded

SECRET = "123-45-6789"
COUNTS = {"done": True, "done_reason": "stop", "prompt_eval_count": 12, "eval_count": 5}


class Asked:
    """Answers every request with the same pieces, and keeps what was sent."""

    def __init__(self, *pieces: Mapping[str, Any], status: int = 200) -> None:
        self.sent: list[Any] = []
        self._status = status
        self._body = "\n".join(map(json.dumps, pieces))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        return httpx.Response(self._status, text=self._body)


def chatted(content: str | None = "Hello.", **more: Any) -> dict[str, Any]:
    return {"model": "m-2", "message": {"role": "assistant", "content": content}, **COUNTS, **more}


def call(is_async: bool, answer: Any, method: str, *args: Any, **asked: Any) -> Any:
    """The answer of a method, of a stream all its pieces; ``answer`` handles a request, or is a transport."""
    how = answer if isinstance(answer, httpx.MockTransport) else httpx.MockTransport(answer)
    if not is_async:
        found = getattr(ollama.Client(transport=how), method)(*args, **asked)
        return list(found) if inspect.isgenerator(found) else found

    async def ask() -> Any:
        found = await getattr(ollama.AsyncClient(transport=how), method)(*args, **asked)
        return [each async for each in found] if inspect.isasyncgen(found) else found

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    specspan.instrument("ollama")
    yield
    specspan.uninstrument()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


HI = [{"role": "user", "content": "hi"}]


def test_a_chat(is_async: bool, content_spans: Spans) -> None:
    """Whatever the body says is on the span, and what was asked for by name or by place."""
    answer = call(is_async, Asked(chatted()), "chat", "vendor/m", HI, options={"num_predict": 9, "stop": ["x"]})
    assert isinstance(answer, ollama.ChatResponse)
    (span,) = content_spans.all
    assert told(span) == Facts("ollama", "chat", "vendor/m", None, "m-2", ("stop",), Usage(12, 5), ("Hello.",))
    found = span.attributes or {}
    assert (found["server.port"], found["gen_ai.request.max_tokens"]) == (11434, 9)
    assert found["gen_ai.request.stop_sequences"] == ("x",)


def test_a_stream(is_async: bool, content_spans: Spans) -> None:
    """Thoughts, tool calls and text that came in pieces are put together; the application gets every piece."""
    called = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "find", "arguments": {"q": 1}}}]}
    thought = {"role": "assistant", "content": "", "thinking": "Hm."}
    pieces = [{"model": "m-2", "message": each, "done": False} for each in (thought, called)]
    read = call(is_async, Asked(*pieces, chatted("A")), "chat", model="m", messages=HI, stream=True)
    assert len(read) == 3
    (span,) = content_spans.all
    assert told(span).tool_calls == ((None, "find", {"q": 1}),)
    assert told(span).finish_reasons == ("tool_calls",), "which the service calls a stop"
    assert told(span).texts == ("A",)
    (said,) = json.loads(str((span.attributes or {})["gen_ai.output.messages"]))
    assert said["parts"][0] == {"type": "reasoning", "content": "Hm."}


def test_images_and_tools(is_async: bool, content_spans: Spans) -> None:
    """An image is a reference without bytes; of a function given as a tool there is its name."""

    def find(q: str) -> str:
        """Find it."""
        return q

    messages = [ollama.Message(role="user", content="see", images=[ollama.Image(value=b"\x89PNG-secret")])]
    call(is_async, Asked(chatted()), "chat", model="m", messages=messages, tools=[find])
    (span,) = content_spans.all
    found = span.attributes or {}
    (asked,) = json.loads(str(found["gen_ai.input.messages"]))
    assert [(part.get("modality"), part.get("content")) for part in asked["parts"]] == [(None, "see"), ("image", None)]
    assert "secret" not in str(found)
    assert '"find"' in str(found["gen_ai.tool.definitions"])


@pytest.mark.parametrize("stream", [False, True])
def test_generate(is_async: bool, content_spans: Spans, *, stream: bool) -> None:
    """A prompt and what it is completed to are messages."""
    body = {"model": "m-2", "response": "Once.", **COUNTS}
    call(is_async, Asked(body), "generate", "m", "Tell", system="Be brief.", stream=stream)
    (span,) = content_spans.all
    assert told(span) == Facts("ollama", "text_completion", "m", None, "m-2", ("stop",), Usage(12, 5), ("Once.",))
    asked = json.loads(str((span.attributes or {})["gen_ai.input.messages"]))
    assert [each["parts"][0]["content"] for each in asked] == ["Be brief.", "Tell"]


def test_embeddings(is_async: bool, content_spans: Spans) -> None:
    """Both methods are embeddings; what was not counted is absent."""
    call(is_async, Asked({"model": "m-2", "embeddings": [[1.0]], "prompt_eval_count": 3}), "embed", "m", ["a", "b"])
    call(is_async, Asked({"embedding": [1.0]}), "embeddings", "m", "a")
    assert [told(span) for span in content_spans.all] == [
        Facts("ollama", "embeddings", "m", response_model="m-2", usage=Usage(3)),
        Facts("ollama", "embeddings", "m"),
    ]


def test_the_functions_of_the_module(content_spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are met, once, and put back as they were."""
    http = httpx.Client(transport=httpx.MockTransport(Asked(chatted())), base_url="http://local:11434")
    monkeypatch.setattr(ollama.chat.__self__, "_client", http)  # type: ignore[attr-defined]  # it is a bound method
    ollama.chat("m", HI)
    (span,) = content_spans.all
    assert told(span).texts == ("Hello.",)
    specspan.uninstrument()
    assert not any(is_replaced(each) for each in (ollama.chat, vars(ollama.Client)["chat"]))
    assert inspect.ismethod(ollama.chat)


def _rule(action: Action, stage: Stage = Stage.OUTPUT) -> Any:
    return policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn"), action=action))


def test_a_blocked_input_is_never_sent(is_async: bool) -> None:
    """`Blocked` is raised before Ollama is asked."""
    asked = Asked(chatted())
    with recorded(_rule(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        call(is_async, asked, "chat", "m", [{"role": "user", "content": SECRET}])
    assert asked.sent == []


def test_redacted_inputs_are_sent_redacted(is_async: bool) -> None:
    """Of messages as dicts and as objects, of prompts and of embedded texts; the application's own are not touched."""
    own = ollama.Message(role="user", content=SECRET)
    asked = Asked(chatted(response="Fine."))
    with recorded(_rule(Action.REDACT, Stage.INPUT)):
        call(is_async, asked, "chat", "m", [own, {"role": "user", "content": SECRET}])
        call(is_async, asked, "generate", "m", SECRET)
        call(is_async, Asked({"model": "m", "embeddings": []}), "embed", "m", SECRET)
    assert SECRET not in json.dumps(asked.sent)
    assert [each["content"] for each in asked.sent[0]["messages"]] == ["[redacted:ssn]"] * 2
    assert own.content == SECRET


@pytest.mark.parametrize("stream", [False, True])
def test_edited_answers_say_it_nowhere(is_async: bool, *, stream: bool) -> None:
    """Neither in the text nor in what tells of its tokens, whole and in a stream that is cut."""
    more = {"logprobs": [{"token": SECRET, "logprob": -1.0}]}
    completed = {"model": "m", "response": f"It is {SECRET}.", "context": [7], **COUNTS, **more}
    with recorded(_rule(Action.REDACT)):
        chat = call(is_async, Asked(chatted(f"It is {SECRET}.", **more)), "chat", "m", HI, stream=stream)
        made = call(is_async, Asked(completed), "generate", "m", "hi", stream=stream)
    chat, made = (chat[-1], made[-1]) if stream else (chat, made)
    assert chat.message.content == made.response == f"It is [redacted:ssn]{'' if stream else '.'}"
    assert SECRET not in chat.model_dump_json() + made.model_dump_json()
    assert made.context is None


def test_malformed_pieces(is_async: bool, content_spans: Spans) -> None:
    """A stream without its last piece carries what is known, and no count that never came."""
    piece = {"message": {"role": "assistant", "content": None, "tool_calls": None}, "done": None}
    call(is_async, Asked(piece, piece), "chat", "m", HI, stream=True)
    (span,) = content_spans.all
    assert told(span) == Facts("ollama", "chat", "m")


def test_every_recorded_exchange(
    is_async: bool,
    recordings: Path,
    content_spans: Spans,
    tally: Tally,
) -> None:
    """Model, finish reasons, usage, text, tool calls and error of each span equal what was recorded."""
    found = exchanges(recordings / "openinference/ollama", path="/api/chat$")
    for exchange in found:
        content_spans.clear()
        with suppress(ollama.ResponseError):
            call(is_async, transport(exchange, httpx), "chat", **exchange.request)
        (span,) = content_spans.all
        assert told(span) == _recorded(exchange), exchange.name
        tally.replayed("ollama", exchange, "async" if is_async else "sync")
    assert len(found) >= 10


def _recorded(exchange: Exchange) -> Facts:
    asked = exchange.request["model"]
    if exchange.status != 200:
        return Facts("ollama", "chat", asked, error="ResponseError")
    pieces = [json.loads(line) for line in exchange.body.splitlines()]
    last = pieces[-1]
    text = "".join(each["message"]["content"] for each in pieces)
    calls = [each["function"] for piece in pieces for each in piece["message"].get("tool_calls") or ()]
    return Facts(
        "ollama",
        "chat",
        asked,
        None,
        last["model"],
        ("tool_calls" if calls and last["done_reason"] == "stop" else last["done_reason"],),
        Usage(last["prompt_eval_count"], last["eval_count"]),
        (text,) if text else (),
        tuple((None, each["name"], each["arguments"]) for each in calls),  # the client drops their ids
    )
