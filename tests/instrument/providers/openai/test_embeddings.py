"""OpenAI embeddings through the real client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ended_spans import Spans
from openai_wire import Wire
from policies import bound, pattern, policy

from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "embeddings embed-test"
SECRET = "123-45-6789"
Embed = Callable[..., Any]


def body(**changes: Any) -> dict[str, Any]:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
    usage = {"prompt_tokens": 6, "total_tokens": 6}
    return {"object": "list", "model": "embed-test-2", "data": [vector], "usage": usage} | changes


def embed_sync(wire: Wire, given: Any, **parameters: Any) -> Any:
    with wire.sync_client() as client:
        return client.embeddings.create(model="embed-test", input=given, **parameters)


def embed_async(wire: Wire, given: Any, **parameters: Any) -> Any:
    async def embed() -> Any:
        async with wire.async_client() as client:
            return await client.embeddings.create(model="embed-test", input=given, **parameters)

    return asyncio.run(embed())


@pytest.fixture(params=[embed_sync, embed_async], ids=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Embed:
    found: Embed = request.param
    return found


def test_an_embedding(embed: Embed, spans: Spans) -> None:
    """One span says what was asked for, and what it cost."""
    answer = embed(Wire(body()), "hello", encoding_format="float")
    assert answer.data[0].embedding == [0.5, 0.25]
    assert dict(spans.attributes(SPAN)) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "embed-test",
        "gen_ai.request.encoding_formats": ("float",),
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.model": "embed-test-2",
        "gen_ai.usage.input_tokens": 6,
    }


@pytest.mark.parametrize(
    ("given", "texts"),
    [("one", 1), (["one", "two"], 2), (iter(["one", "two"]), 2), ([1, 2, 3], 0), ([[1], [2]], 0), ((), 0)],
)
def test_whatever_form_the_texts_have(content_spans: Spans, given: Any, texts: int) -> None:
    """Each text is a message; tokens are told from texts."""
    embed_sync(Wire(body()), given)
    found = str(content_spans.attributes(SPAN).get("gen_ai.input.messages"))
    assert found.count('"text"') == texts
    assert content_spans.attributes(SPAN)["gen_ai.response.model"] == "embed-test-2"


def test_answers_without_usage(embed: Embed, spans: Spans) -> None:
    """What the service did not count is not on the span."""
    embed(Wire(body(usage=None)), "hello")
    assert "gen_ai.usage.input_tokens" not in spans.attributes(SPAN)


def test_a_policy_holds_for_what_is_embedded(embed: Embed) -> None:
    """A text is redacted before it is sent, or not sent."""
    wire = Wire(body())
    check = pattern(r"\d{3}-\d{2}-\d{4}", stage=Stage.INPUT, reason="ssn")
    with recorded(policy(bound("privacy", check, action=Action.REDACT))):
        embed(wire, f"mine is {SECRET}")
        embed(wire, ["fine", SECRET])
    assert [request["input"] for request in wire.requests] == ["mine is [redacted:ssn]", ["fine", "[redacted:ssn]"]]
    with recorded(policy(bound("privacy", check, action=Action.BLOCK))), pytest.raises(Blocked):
        embed(wire, SECRET)
    assert len(wire.requests) == 2
