"""A policy in force over the real client: what is sent, what is handed over, and what the record says of it."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion
from openai_wire import Ask, Wire, chunk, chunks, completion, sse, usage
from opentelemetry.sdk.trace import ReadableSpan
from policies import Code, bound, pattern, policy
from pydantic import BaseModel

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Action, Mode, Stage
from specspan.errors import Blocked
from specspan.policy.policy import Policy
from specspan.testing import ScriptedModel
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SECRET = "123-45-6789"


def rule(action: Action, stage: Stage = Stage.OUTPUT, mode: Mode = Mode.ENFORCE) -> Policy:
    check = pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn")
    return policy(bound("privacy", check, action=action, replacement="(withheld)"), mode=mode)


def refuses_tool(name: str) -> Policy:
    """A policy under which the tool called ``name`` may not be called."""

    def allowed(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return all(each.name != name for each in call.tool_calls)

    return policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))


def said(read: list[Any]) -> str:
    return "".join(each.choices[0].delta.content or "" for each in read if each.choices)


def attributes(spans: Sequence[ReadableSpan]) -> Mapping[str, Any]:
    (span,) = spans
    return span.attributes or {}


def test_a_blocked_input_is_never_sent(ask: Ask) -> None:
    """`Blocked` is raised before the service is asked."""
    wire = Wire(completion())
    with recorded(rule(Action.BLOCK, Stage.INPUT)) as record, pytest.raises(Blocked):
        ask(wire, messages=[{"role": "user", "content": f"mine is {SECRET}"}])
    assert wire.requests == []
    assert attributes(record.spans)["error.type"] == "specspan.blocked"


def test_a_redacted_input_is_sent_redacted(ask: Ask) -> None:
    """What goes over the wire is redacted; the application's own messages are not touched."""
    wire = Wire(completion())
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": f"mine is {SECRET}"}]},
    ]
    before = json.dumps(messages)
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        ask(wire, messages=messages, temperature=0.5)
    assert json.dumps(messages) == before
    assert wire.requests[0]["messages"] == [
        messages[0],
        {"role": "user", "content": [{"type": "text", "text": "mine is [redacted:ssn]"}]},
    ]
    assert wire.requests[0]["temperature"] == 0.5


@pytest.mark.parametrize("raw", [False, True])
def test_a_blocked_answer(ask: Ask, *, raw: bool) -> None:
    """`Blocked` is raised in place of the answer; what it cost is on the span all the same."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked):
        ask(Wire(completion(f"It is {SECRET}.")), raw=raw)
    found = attributes(record.spans)
    assert (found["error.type"], found["gen_ai.usage.output_tokens"]) == ("specspan.blocked", 5)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, "It is [redacted:ssn]."), (Action.REPLACE, "(withheld)")]
)
def test_an_edited_answer(ask: Ask, action: Action, handed_over: str, *, raw: bool) -> None:
    """The answer is the client's own object with another text, in every choice and without its log probabilities."""
    clean = {"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}
    told = {
        "index": 1,
        "message": {"role": "assistant", "content": f"It is {SECRET}."},
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": SECRET, "logprob": -1, "top_logprobs": []}], "refusal": None},
    }
    with recorded(rule(action)) as record:
        answer = ask(Wire(completion(choices=[clean, told])), raw=raw, n=2)
    assert isinstance(answer, ChatCompletion)
    assert [choice.message.content for choice in answer.choices] == ["Fine.", handed_over]
    assert SECRET not in answer.to_json()
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 12
    assert attributes(record.spans)["specspan.redactions"] == (
        "/output/0/parts/unlisted/0/0",  # the log probabilities
        "/output/1/parts/0",
    )


def test_an_edited_raw_response_is_edited_in_its_bytes() -> None:
    """What was taken out of a raw response is in no form of it."""
    with ScriptedModel({"": f"It is {SECRET}."}) as model, recorded(rule(Action.REDACT)):
        with OpenAI(base_url=model.base_url, api_key=model.api_key) as client:
            raw = client.chat.completions.with_raw_response.create(
                model="m", messages=[{"role": "user", "content": "hi"}]
            )
    assert SECRET not in raw.text
    assert json.loads(raw.content)["choices"][0]["message"]["content"] == "It is [redacted:ssn]."
    assert raw.headers["content-length"] == str(len(raw.content))
    assert (raw.status_code, raw.http_request.method) == (200, "POST")
    assert raw.elapsed.total_seconds() > 0
    assert raw.parse() is raw.parse()


def test_an_edited_answer_that_was_parsed() -> None:
    """What the client had made of the text goes with it."""

    class Number(BaseModel):
        number: str

    with recorded(rule(Action.REDACT)), Wire(completion(json.dumps({"number": SECRET}))).sync_client() as client:
        answer = client.chat.completions.parse(
            model="m", messages=[{"role": "user", "content": "hi"}], response_format=Number
        )
    message = answer.choices[0].message
    assert (message.content, message.parsed) == ('{"number": "[redacted:ssn]"}', None)


def test_content_is_recorded_as_it_was_handed_over(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where content is recorded, it is the redacted content, of requests, answers and cut streams."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    both = policy(
        bound("asked", pattern(r"\d{3}-\d{2}-\d{4}", stage=Stage.INPUT, reason="ssn"), action=Action.REDACT),
        bound("told", pattern(r"\d{3}-\d{2}-\d{4}", reason="ssn"), action=Action.REDACT),
    )
    messages = [{"role": "user", "content": f"mine is {SECRET}"}]
    with recorded(both) as record:
        ask(Wire(completion(f"It is {SECRET}.")), messages=messages)
        ask(Wire(sse(chunks("It is 12", "3-45-6789", "."))), messages=messages, stream=True)
    plain, streamed = (span.attributes or {} for span in record.spans)
    for found in (plain, streamed):
        assert "mine is [redacted:ssn]" in str(found["gen_ai.input.messages"])
        assert SECRET not in repr(found)
    assert "It is [redacted:ssn]." in str(plain["gen_ai.output.messages"])
    assert "It is 12[redacted:ssn]" in str(streamed["gen_ai.output.messages"])


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, "It is 123-[redacted:ssn]"), (Action.REPLACE, "It is 123-(withheld)")]
)
def test_a_cut_stream(ask: Ask, action: Action, handed_over: str, *, raw: bool) -> None:
    """A last chunk with what stands in place of the violation, and a reason that clients know; then the end."""
    with recorded(rule(action)) as record:
        read = ask(Wire(sse(chunks("It is 123-", "45-6789", " and so on"))), raw=raw, stream=True)
    assert said(read) == handed_over
    assert read[-1].choices[0].finish_reason == "content_filter"
    found = attributes(record.spans)
    assert (found["specspan.stream.released_chars"], found["specspan.decision.action"]) == (10, action.value)
    assert "specspan.stream.end" not in found


def test_a_cut_stream_closes_the_connection() -> None:
    """Nothing more is read of a stream that was cut; the consumer can still close it."""
    with recorded(rule(Action.BLOCK)), Wire(sse(chunks("It is ", SECRET, "."))).sync_client() as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        read = [next(stream), next(stream)]
        with pytest.raises(Blocked) as caught:
            next(stream)
        assert stream.response.is_closed
        assert list(stream) == []
        stream.close()
    assert said(read) == "It is "
    assert caught.value.decision.released_chars == 6


def test_a_cut_stream_closes_the_connection_async() -> None:
    """The same of the async client."""

    async def main() -> None:
        async with Wire(sse(chunks("It is ", SECRET, "."))).async_client() as client:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            read = [await anext(stream), await anext(stream)]
            with pytest.raises(Blocked):
                await anext(stream)
            assert stream.response.is_closed
            assert [each async for each in stream] == []
            await stream.close()
        assert said(read) == "It is "

    with recorded(rule(Action.BLOCK)):
        asyncio.run(main())


def test_a_violation_of_one_choice_cuts_all(ask: Ask) -> None:
    """The stream of several choices ends at the first that violates."""
    body = sse(
        [chunk({"content": "fine "}), chunk({"content": "12"}, index=1), chunk({"content": "3-45-6789"}, index=1)]
    )
    with recorded(rule(Action.REDACT)):
        read = ask(Wire(body), stream=True, n=2)
    last = read[-1].choices
    assert [(each.index, each.delta.content) for each in last] == [(1, "[redacted:ssn]")]


def test_a_last_chunk_has_nothing_else_in_it(ask: Ask) -> None:
    """A tool call or a refusal in the chunk that completes a violation is not handed over with what takes its place."""
    call = {"index": 0, "id": "a", "function": {"name": "refund", "arguments": "{}"}}
    with recorded(rule(Action.REDACT)):
        read = ask(Wire(sse([chunk({"content": SECRET, "refusal": "no", "tool_calls": [call]})])), stream=True)
    delta = read[-1].choices[0].delta
    assert (delta.content, delta.refusal, delta.tool_calls) == ("[redacted:ssn]", None, None)


CALLS = [
    chunk({"role": "assistant", "content": "One moment."}),
    chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "refund", "arguments": '{"am'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": 'ount": 9}'}}]}),
    chunk({}, "tool_calls"),
    {**chunk(), "choices": [], "usage": usage()},
]


def test_a_tool_call_is_decided_before_the_tool_can_run(ask: Ask) -> None:
    """The chunk that says the model wants the tool is not handed over; nor is a plain answer with the call in it."""
    with recorded(refuses_tool("refund")) as record:
        with pytest.raises(Blocked) as caught:
            ask(Wire(sse(CALLS)), stream=True)
        with pytest.raises(Blocked):
            ask(Wire(completion(None, tools=[("refund", '{"amount": 9}')])))
        assert ask(Wire(completion(None, tools=[("search", "{}")]))).choices[0].message.tool_calls
    assert caught.value.decision.governing_clause == "autonomy"
    assert [decision["action"] for decision in record.decisions] == ["block", "block", "allow"]


def test_the_chunk_that_ends_the_answer_waits_for_the_decision() -> None:
    """All that came before was handed over; in place of the chunk with the last finish reason, `Blocked` is raised."""
    with recorded(refuses_tool("refund")), Wire(sse(CALLS)).sync_client() as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        read = [next(stream), next(stream), next(stream)]
        with pytest.raises(Blocked):
            next(stream)
    assert [each.choices[0].finish_reason for each in read] == [None] * 3


def test_the_answer_ends_when_every_choice_did(ask: Ask) -> None:
    """One choice that says twice why it stopped does not speak for another."""
    asked = []

    def look(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        asked.append(call.output_text)
        return True

    pieces = [chunk({"content": "a"}, "stop"), chunk({}, "stop"), chunk({"content": "b"}, "stop", index=1)]
    with recorded(policy(bound("looked_at", Code(look)))):
        ask(Wire(sse(pieces)), stream=True, n=2)
    assert asked == ["a\n\nb"]


def test_a_stream_that_never_says_why_it_stopped_is_decided_at_its_end(ask: Ask) -> None:
    """A tool call in a truncated stream is decided before the end is told."""
    with recorded(refuses_tool("refund")), pytest.raises(Blocked):
        ask(Wire(sse(CALLS[:3])), stream=True)


def test_the_whole_answer_of_a_stream_is_decided_once(ask: Ask) -> None:
    """Usage that comes after the last word is still on the span of a decided stream."""
    asked = []

    def look(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        asked.append(call.output_text)
        return True

    with recorded(policy(bound("looked_at", Code(look)))) as record:
        ask(Wire(sse(chunks("hel", "lo"))), stream=True)
    assert asked == ["hello"]
    found = attributes(record.spans)
    assert (found["specspan.decision.verdict"], found["gen_ai.usage.input_tokens"]) == ("complied", 12)


def test_a_stream_that_is_closed_is_decided_as_far_as_it_was_read() -> None:
    """What was handed over of a stream that is closed early is looked at, and its clause did not comply by that."""
    read: list[str] = []

    def look(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        read.append(call.output_text)
        return True

    with recorded(policy(bound("looked_at", Code(look)))) as record:
        for leave in ("close", "drop"):
            with Wire(sse(chunks("hel", "lo"))).sync_client() as client:
                stream = client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "hi"}], stream=True
                )
                next(stream), next(stream)
                if leave == "close":
                    stream.close()
                del stream
                gc.collect()  # the client's stream is in a circle of its own
    assert read == ["hel", "hel"]
    verdicts = [(decision["verdict"], decision["reason"]) for decision in record.decisions]
    assert verdicts == [("unassessed", "incomplete_answer")] * 2


def test_a_dropped_stream_waits_for_nothing() -> None:
    """Collection of a stream does not wait for a check that takes its time: the clause is unassessed."""
    never = threading.Event()
    rules = policy(bound("slow", Code(lambda call, texts: never.wait(2), timeout_s=0.2)))
    with recorded(rules) as record, Wire(sse(chunks("hel", "lo"))).sync_client() as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        assert said([next(stream), next(stream)]) == "hel"
        del stream
        gc.collect()  # the client's stream is in a circle of its own
    (decision,) = record.decisions
    never.set()
    (finding,) = decision["findings"]
    assert (decision["verdict"], finding["outcome"]) == ("unassessed", "unassessed")
    assert attributes(record.spans)["specspan.stream.end"] == "abandoned"


async def test_a_stream_whose_closing_is_cancelled() -> None:
    """Cancellation while what was read of a closed stream is decided passes on, and the span ends there and then."""
    looking, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def look(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        loop.call_soon_threadsafe(looking.set)
        return release.wait(5)

    async with Wire(sse(chunks("hel", "lo"))).async_client() as client:
        with recorded(policy(bound("slow", Code(look, timeout_s=5.0)))) as record:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            assert said([await anext(stream), await anext(stream)]) == "hel"
            task = asyncio.create_task(stream.close())
            await looking.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert attributes(record.spans)["specspan.stream.end"] == "closed"
            release.set()


@pytest.mark.parametrize("stage", [Stage.INPUT, Stage.OUTPUT])
@pytest.mark.parametrize("stream", [False, True])
def test_observe_mode_changes_nothing(ask: Ask, stage: Stage, *, stream: bool) -> None:
    """Everything is sent and handed over, and the record says what would have been done."""
    text = f"It is {SECRET}."
    wire = Wire(sse(chunks("It is 123-", "45-6789", ".")) if stream else completion(text))
    with recorded(rule(Action.BLOCK, stage, Mode.OBSERVE)) as record:
        read = ask(wire, stream=stream, messages=[{"role": "user", "content": text}])
    assert (said(read) if stream else read.choices[0].message.content) == text
    assert wire.requests[0]["messages"][0]["content"] == text
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"], decision["would"]) == ("violated", "flag", "block")
    assert "error.type" not in attributes(record.spans)
