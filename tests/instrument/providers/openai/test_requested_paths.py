"""Calls by the client's own ``post``, ``get`` and ``request``: by their path they are the calls of its methods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ended_spans import Spans
from http_libraries import openai_http
from openai import Stream
from openai._legacy_response import HttpxBinaryResponseContent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai_wire import Wire, chunks, completion, response, sse
from policies import bound, pattern, policy

from specspan._support import drop_counts
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")
CHAT = "/chat/completions"
AS_IT_CAME: tuple[Any, ...] = (openai_http.Response, HttpxBinaryResponseContent, bytes)
"""What a client can be told to make of an answer that holds the body as it came."""
ASKED: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}


def quiet(action: Action = Action.BLOCK, stage: Stage = Stage.OUTPUT) -> Any:
    """Return a policy about the word ``secret``."""
    return policy(bound("quiet", pattern("secret", stage=stage, reason="word"), action=action))


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    """Nothing of the package failed."""
    before = {key: n for key, n in drop_counts.totals().items() if key[0] == "internal"}
    yield
    assert {key: n for key, n in drop_counts.totals().items() if key[0] == "internal"} == before


def posted(wire: Wire, cast_to: Any = ChatCompletion, path: str = CHAT, **more: Any) -> Any:
    """Return the answer to a post of the application's own."""
    return wire.sync_client().post(path, cast_to=cast_to, body=ASKED, **more)


def test_a_post_is_the_call_of_the_method(spans: Spans) -> None:
    """The span of a post says what that of ``create`` says, and there is one."""
    posted(Wire(completion("hello")))
    wire = Wire(completion("hello"))
    wire.sync_client().chat.completions.create(**ASKED)
    one, other = spans.all
    assert one.name == other.name
    assert dict(one.attributes or {}) == dict(other.attributes or {})


@pytest.mark.parametrize("cast_to", [ChatCompletion, object, dict[str, object], *AS_IT_CAME])
@pytest.mark.parametrize(
    "path",
    [
        CHAT,
        "chat/completions",
        "https://example.org/v1/chat/completions?x=1",
        "/chat/comple%74ions",
        "/Chat/Completions//",
        "/chat//completions",
        "/chat/completions;v=1",
        "/chat;a=b/completions",
        "/chat/completions%20",
        "/chat/%2e/x/%2e%2e/completions",
        "/chat/comple%2574ions",
        "/chat%2Fcompletions",
        "/chat/completions.json?stream=false#x",
        "https://example.org/openai/deployments/d/chat/completions/",
    ],
)
def test_a_posted_answer_is_blocked(cast_to: Any, path: str) -> None:
    """Whatever the client is to make of it, and wherever it is sent."""
    with recorded(quiet()) as record, pytest.raises(Blocked):
        posted(Wire(completion("a secret")), cast_to, path)
    assert [each["verdict"] for each in record.decisions] == ["violated"]


@pytest.mark.parametrize("cast_to", [ChatCompletion, object, *AS_IT_CAME])
def test_a_posted_answer_is_redacted(cast_to: Any) -> None:
    """The text is replaced in what the client made, and in the bytes of a response."""
    with recorded(quiet(Action.REDACT)):
        answer = posted(Wire(completion("a secret")), cast_to)
    if cast_to in AS_IT_CAME:
        content = answer if isinstance(answer, bytes) else answer.content
        assert b"secret" not in content
        answer = json.loads(content)
    if isinstance(answer, dict):
        assert answer["choices"][0]["message"]["content"] == "a [redacted:word]"
    else:
        assert answer.choices[0].message.content == "a [redacted:word]"


def test_a_body_that_is_no_json_is_read_as_a_text() -> None:
    """So is a stream that the application asked to have as one body."""
    with recorded(quiet()) as record, pytest.raises(Blocked):
        posted(Wire(sse(chunks("a secret"))), bytes)
    assert [each["verdict"] for each in record.decisions] == ["violated"]


def test_what_is_posted_is_redacted() -> None:
    """Clauses on what is sent act on a post, too."""
    wire = Wire(completion("hello"))
    with recorded(quiet(Action.REDACT, Stage.INPUT)):
        body = {**ASKED, "messages": [{"role": "user", "content": "my secret"}]}
        wire.sync_client().post(CHAT, cast_to=ChatCompletion, body=body)
    assert wire.requests == [{**ASKED, "messages": [{"role": "user", "content": "my [redacted:word]"}]}]


def test_a_posted_stream_is_cut() -> None:
    """A stream that the application asks for by path is watched."""
    wire = Wire(sse(chunks("a ", "sec", "ret")))
    seen: list[Any] = []
    with recorded(quiet()):
        stream = posted(wire, stream=True, stream_cls=Stream[ChatCompletionChunk])
        with pytest.raises(Blocked):
            seen.extend(stream)
    assert "ret" not in str(seen)


def test_a_get_of_an_answer_is_decided() -> None:
    """So is a post that is awaited."""
    with recorded(quiet()) as record:
        with pytest.raises(Blocked):
            Wire(response("a secret")).sync_client().get("/responses/resp_1", cast_to=object)
        client = Wire(completion("a secret")).async_client()
        with pytest.raises(Blocked):
            asyncio.run(client.post(CHAT, cast_to=object, body=ASKED))
    assert [each["verdict"] for each in record.decisions] == ["violated", "violated"]


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_answer_to_another_method_of_http_is_decided(method: str) -> None:
    """A service may answer them as it answers a post."""
    with recorded(quiet()) as record, pytest.raises(Blocked):
        getattr(Wire(completion("a secret")).sync_client(), method)(CHAT, cast_to=object, body=ASKED)
    assert [each["verdict"] for each in record.decisions] == ["violated"]


def test_a_request_of_a_method_is_part_of_its_call(spans: Spans) -> None:
    """A call makes one span and one decision, though its request goes through the same function."""
    with recorded(quiet()) as record:
        Wire(completion("hello")).sync_client().chat.completions.create(**ASKED)
        Wire(completion("hello")).sync_client().models.list()
    assert (len(record.decisions), len(record.spans)) == (1, 1)
