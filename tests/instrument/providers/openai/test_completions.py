"""Text completions: a span says what the body says, and a policy holds what is sent and handed over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
import together
from ended_spans import Spans
from http_libraries import openai_http
from openai import AzureOpenAI
from openai_wire import Wire, sse
from policies import bound, pattern, policy

import specspan
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SECRET = "123-45-6789"
SPAN = "text_completion gpt-test"


def body(*texts: Any, finish: str | None = "stop", **changes: Any) -> dict[str, Any]:
    """Return a body, or one chunk, with one choice a text."""
    choices = [
        {"index": index, "text": text, "logprobs": None, "finish_reason": finish} for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 3.0, "completion_tokens": 5, "total_tokens": 8}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-test-2026"}
    return {**head, "choices": choices, "usage": usage, **changes}


def stream(*pieces: str) -> str:
    """Return the events of a streamed answer."""
    return sse([*(body(piece, finish=None, usage=None) for piece in pieces), body("")])


Complete = Callable[..., Any]


def complete_sync(wire: Wire, **parameters: Any) -> Any:
    with wire.sync_client() as client:
        answer = client.completions.create(**{"model": "gpt-test", "prompt": "hi", **parameters})
        return list(answer) if parameters.get("stream") else answer


def complete_async(wire: Wire, **parameters: Any) -> Any:
    async def complete() -> Any:
        async with wire.async_client() as client:
            answer = await client.completions.create(**{"model": "gpt-test", "prompt": "hi", **parameters})
            return [each async for each in answer] if parameters.get("stream") else answer

    return asyncio.run(complete())


def complete_raw(wire: Wire, **parameters: Any) -> Any:
    with wire.sync_client() as client:
        raw = client.completions.with_raw_response.create(**{"model": "gpt-test", "prompt": "hi", **parameters})
        answer: Any = raw.parse()
        return list(answer) if parameters.get("stream") else answer


@pytest.fixture(params=[complete_sync, complete_async, complete_raw], ids=["sync", "async", "raw"])
def complete(request: pytest.FixtureRequest) -> Complete:
    complete: Complete = request.param
    return complete


def rule(action: Action, stage: Stage = Stage.OUTPUT) -> Policy:
    check = pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn")
    return policy(bound("privacy", check, action=action, replacement="(withheld)"))


def text_of(answer: Any) -> str:
    """Return the text of an answer, or of all chunks of one."""
    return "".join(
        choice.text for each in (answer if isinstance(answer, list) else [answer]) for choice in each.choices
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_span_says_what_the_body_says(complete: Complete, content_spans: Spans, *, streamed: bool) -> None:
    """Operation, model, id, finish reason, tokens and text; a count written as a float is a count."""
    wire = Wire(stream("Hel", "lo") if streamed else body("Hello"))
    answer = complete(wire, max_tokens=9, suffix="!", stream=streamed)
    assert text_of(answer) == "Hello"
    found = content_spans.attributes(SPAN)
    expected: Mapping[str, Any] = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.id": "cmpl-1",
        "gen_ai.response.model": "gpt-test-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
    }
    assert {name: found.get(name) for name in expected} == expected
    said = [part["content"] for each in json.loads(str(found["gen_ai.output.messages"])) for part in each["parts"]]
    asked = [part["content"] for each in json.loads(str(found["gen_ai.input.messages"])) for part in each["parts"]]
    assert (asked, said) == (["hi", "!"], ["Hello"])


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_blocked_answer(complete: Complete, *, streamed: bool) -> None:
    """Nothing of the forbidden text is handed over."""
    wire = Wire(stream("It is 123-4", "5-6789.") if streamed else body(f"It is {SECRET}."))
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked):
        complete(wire, stream=streamed)
    (decision,) = record.decisions
    assert decision["action"] == "block"


@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, "It is [redacted:ssn]."), (Action.REPLACE, "(withheld)")]
)
def test_an_edited_answer(complete: Complete, action: Action, handed_over: str) -> None:
    """Of several choices, the one that violates the clause is edited."""
    with recorded(rule(action)):
        answer = complete(Wire(body("Fine.", f"It is {SECRET}.")), n=2)
    assert [choice.text for choice in answer.choices] == ["Fine.", handed_over]


def test_a_cut_stream(complete: Complete) -> None:
    """The stream ends at the chunk that completes the match, with a finish reason."""
    with recorded(rule(Action.REDACT)):
        chunks = complete(Wire(stream("It is ", f"{SECRET}.", " More.")), stream=True)
    assert text_of(chunks) == "It is [redacted:ssn]"
    assert chunks[-1].choices[0].finish_reason == "content_filter"


def test_an_edited_request(complete: Complete) -> None:
    """Prompts and suffix are edited; a prompt that the caller tokenised stays."""
    wire = Wire(body("Fine."))
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        complete(wire, prompt=[f"mine is {SECRET}", "hi"], suffix=SECRET)
    with recorded(rule(Action.REDACT)):
        complete(wire, prompt=[1, 2])
    first, second = wire.requests
    assert (first["prompt"], first["suffix"]) == (["mine is [redacted:ssn]", "hi"], "[redacted:ssn]")
    assert second["prompt"] == [1, 2]


@pytest.mark.parametrize("text", [{"text": SECRET}, [SECRET]], ids=["dict", "list"])
def test_a_text_of_another_shape(complete: Complete, text: Any) -> None:
    """It is read where it holds a text."""
    with recorded(rule(Action.BLOCK)), pytest.raises(Blocked):
        complete(Wire(body(text)))


def test_azure(spans: Spans) -> None:
    """The client of Azure is met, and named."""
    wire = Wire(body("Hello"))
    http = openai_http.Client(transport=openai_http.MockTransport(wire))
    with AzureOpenAI(
        api_key="test", azure_endpoint="https://azure.test", api_version="2024-10-21", http_client=http, max_retries=0
    ) as client:
        assert client.completions.create(model="gpt-test", prompt="hi").choices[0].text == "Hello"
    assert spans.attributes(SPAN)["gen_ai.provider.name"] == "azure.ai.openai"


def test_together(spans: Spans) -> None:
    """Together's own client has text completions as well."""
    specspan.instrument("together")
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body("Hello"))))
    with together.Together(api_key="test", http_client=http, max_retries=0) as client:
        answer = client.completions.create(model="gpt-test", prompt="hi")
    assert answer.choices[0].text == "Hello"
    found = spans.attributes(SPAN)
    assert (found["gen_ai.provider.name"], found["gen_ai.response.id"]) == ("together", "cmpl-1")
