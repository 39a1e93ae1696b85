"""Cohere through its real clients, of both its APIs: what of a call is understood, and what a policy makes of it."""

from __future__ import annotations

import json
from typing import Any

import cohere
import httpx
import pytest
from cohere.raw_base_client import RawBaseCohere
from cohere.v2.raw_client import RawV2Client
from cohere_wire import (
    BEGIN,
    USAGE,
    Wire,
    answer,
    ask,
    client,
    end,
    event,
    events,
    first,
    first_events,
    lines,
    said,
    sse,
)
from ended_spans import Spans
from policies import Code, bound, pattern, policy
from replays import Facts, told

import specspan
from specspan._support import drop_counts
from specspan.call import Usage
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.instrument.adapter import Invocation
from specspan.instrument.patches import find_method, is_replaced
from specspan.instrument.providers.cohere import chat as adapters
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("cohere_instrumented")

SECRET = "123-45-6789"


def fact(**changes: Any) -> Facts:
    known: dict[str, Any] = {
        "response_id": "c-1",
        "finish_reasons": ("stop",),
        "usage": Usage(12, 5),
        "texts": ("hello",),
    }
    return Facts("cohere", "chat", "vendor/m", **(known | changes))


def messages(content_spans: Spans, side: str) -> Any:
    (span,) = content_spans.all
    return json.loads(str((span.attributes or {})[f"gen_ai.{side}.messages"]))


def lost() -> int:
    return drop_counts.totals().get(("content", "not_understood"), 0)


def test_a_chat(is_async: bool, content_spans: Spans) -> None:
    """Whatever the body says is on the span, and what was asked; what was left out is absent."""
    found = ask(Wire(answer()), is_async=is_async, p=0.5, k=3, stop_sequences=["x"], max_tokens=9)
    assert isinstance(found, cohere.V2ChatResponse)
    (span,) = content_spans.all
    assert told(span) == fact()
    attributes = span.attributes or {}
    asked = {name[len("gen_ai.request.") :] for name in attributes if name.startswith("gen_ai.request.")}
    assert asked == {"model", "top_p", "top_k", "stop_sequences", "max_tokens"}
    assert (attributes["server.address"], attributes["server.port"]) == ("api.cohere.com", 443)


def test_a_stream(is_async: bool, content_spans: Spans) -> None:
    """Text, usage and the finish reason are put together; the application gets every event."""
    read = ask(Wire(sse(*events("hel", "lo"))), "chat_stream", is_async=is_async)
    assert [each.type for each in read] == [each["type"] for each in events("hel", "lo")]
    (span,) = content_spans.all
    assert told(span) == fact()
    assert (span.attributes or {})["gen_ai.response.time_to_first_chunk"]


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_plans_and_tool_calls(is_async: bool, content_spans: Spans, *, stream: bool) -> None:
    """Thoughts and plans are reasoning; arguments that came in pieces are put together."""
    calls = [{"id": id_, "type": "function", "function": {"name": id_ * 2, "arguments": '{"q": 1}'}} for id_ in "ab"]
    thinking = {"type": "thinking", "thinking": "Hm."}
    if stream:
        started = [
            event("tool-call-start", i, tool_calls={**call, "function": {"name": call["id"] * 2, "arguments": ""}})  # type: ignore[operator]  # it is a text
            for i, call in enumerate(calls)
        ]
        pieces = [
            event("tool-call-delta", i, tool_calls={"function": {"arguments": piece}})
            for piece in ('{"q"', ": 1}")
            for i in (0, 1)
        ]
        thought = [event("content-start", 0, content=thinking), event("content-start", 1, content={"type": "text"})]
        plan = event("tool-plan-delta", tool_plan="Look.")
        ask(
            Wire(sse(BEGIN, *thought, said("A"), plan, *started, *pieces, end("TOOL_CALL"))),
            "chat_stream",
            is_async=is_async,
        )
    else:
        ask(Wire(answer(thinking, "A", tool_plan="Look.", tool_calls=calls, reason="TOOL_CALL")), is_async=is_async)
    (span,) = content_spans.all
    assert told(span).tool_calls == (("a", "aa", {"q": 1}), ("b", "bb", {"q": 1}))
    assert told(span).finish_reasons == ("tool_calls",)
    assert told(span).texts == ("A",)
    (message,) = messages(content_spans, "output")
    assert [part["content"] for part in message["parts"] if part["type"] == "reasoning"] == ["Look.", "Hm."]


def test_what_a_model_reads(is_async: bool, content_spans: Spans) -> None:
    """Objects and dicts alike: media by reference, and what tools and documents say is no user's word."""
    asked = [
        cohere.UserChatMessageV2(
            content=[
                cohere.TextContent(text="see"),
                cohere.ImageUrlContent(image_url=cohere.ImageUrl(url="https://example.com/a.png")),
            ]
        ),
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,c2VjcmV0"}}]},
        {
            "role": "tool",
            "tool_call_id": "a",
            "content": [{"type": "document", "document": {"data": {"n": "1"}, "id": "d"}}],
        },
    ]
    before = lost()
    documents: Any = ["one", cohere.Document(data={"text": "two"}, id="d-2")]
    ask(Wire(answer()), is_async=is_async, messages=asked, documents=documents)
    found = messages(content_spans, "input")
    assert [each["role"] for each in found] == ["user", "user", "tool", "tool"]
    assert [part.get("uri") for part in found[0]["parts"]] == [None, "https://example.com/a.png"]
    assert found[1]["parts"] == [{"type": "uri", "modality": "image", "mime_type": "image/png"}]
    assert found[2]["parts"] == [{"type": "tool_call_response", "id": "a", "response": {"n": "1"}}]
    assert [part["response"] for part in found[3]["parts"]] == ["one", {"text": "two"}]
    assert lost() == before


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_api(is_async: bool, content_spans: Spans, *, stream: bool) -> None:
    """A message, and beside it what was said before, what tools answered, and what it is to be answered with."""
    asked: dict[str, Any] = {
        "preamble": "Be kind.",
        "chat_history": [
            {"role": "USER", "message": "before"},
            cohere.ChatbotMessage(message="", tool_calls=[cohere.ToolCall(name="find", parameters={"q": 1})]),
        ],
        "tool_results": [{"call": {"name": "find", "parameters": {}}, "outputs": [{"n": 1}]}],
        "documents": [{"text": "one"}],
        "conversation_id": "c-9",
    }
    wire = Wire(lines(*first_events("hel", "lo"))) if stream else Wire(first())
    ask(wire, "chat_stream" if stream else "chat", is_async=is_async, version=1, **asked)
    (span,) = content_spans.all
    assert told(span) == fact(response_id="g-1")
    found = messages(content_spans, "input")
    assert [each["role"] for each in found] == ["user", "assistant", "user", "tool", "tool"]
    assert found[1]["parts"] == [{"type": "tool_call", "name": "find", "arguments": {"q": 1}}]
    attributes = span.attributes or {}
    assert "Be kind." in str(attributes["gen_ai.system_instructions"])
    assert attributes["gen_ai.conversation.id"] == "c-9"


def test_tool_calls_of_the_first_api(is_async: bool, content_spans: Spans) -> None:
    """Where it wants tools called it says only that it is complete."""
    calls = [{"name": "find", "parameters": {"q": 1}}]
    ask(Wire(first("", tool_calls=calls)), is_async=is_async, version=1)
    begin, *_, last = first_events()
    generated = {"event_type": "tool-calls-generation", "tool_calls": calls, "is_finished": False}
    ask(Wire(lines(begin, generated, last)), "chat_stream", is_async=is_async, version=1)
    for span in content_spans.all:
        assert told(span) == fact(
            response_id="g-1", texts=(), finish_reasons=("tool_calls",), tool_calls=((None, "find", {"q": 1}),)
        )


EMBEDDED = {
    "id": "e-1",
    "embeddings": {"float": [[0.5]]},
    "texts": ["a"],
    "meta": {"billed_units": {"input_tokens": 3}},
    "response_type": "embeddings_by_type",
}


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")  # the client's own, where it joins batches
@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince211")
@pytest.mark.parametrize("version", [1, 2])
def test_embeddings(is_async: bool, content_spans: Spans, version: int) -> None:
    """Texts and pictures go in; what was billed is what is known of tokens."""
    asked = {"input_type": "search_document", "embedding_types": ["float"]}
    ask(Wire(EMBEDDED), "embed", is_async=is_async, version=version, texts=["a", "b"], **asked)
    (span,) = content_spans.all
    assert told(span) == Facts("cohere", "embeddings", "vendor/m", usage=Usage(3))
    assert [each["parts"][0]["content"] for each in messages(content_spans, "input")] == ["a", "b"]


def test_embeddings_of_pictures_beside_texts(is_async: bool, content_spans: Spans) -> None:
    """What has one embedding is one message."""
    mixed = {
        "content": [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}},
        ]
    }
    ask(Wire(EMBEDDED), "embed", is_async=is_async, input_type="x", embedding_types=["float"], inputs=[mixed])
    assert messages(content_spans, "input") == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "a"},
                {"type": "uri", "modality": "image", "mime_type": "image/png"},
            ],
        }
    ]


def test_clients_made_before_are_met(is_async: bool, spans: Spans) -> None:
    """Though they keep their own methods as they were then."""
    specspan.uninstrument()
    made = client(httpx.MockTransport(Wire(answer())), is_async=is_async)
    specspan.instrument("cohere")
    ask(None, made=made, is_async=is_async)
    assert spans.names == ["chat vendor/m"]


def test_raw_responses(spans: Spans) -> None:
    """They are calls like any other, streamed ones once their block is entered."""
    made = client(httpx.MockTransport(Wire(sse(*events("hello")))))
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    block = made.with_raw_response.chat_stream(**asked)
    assert spans.names == []
    with block as raw:
        assert isinstance(raw, cohere.core.http_response.HttpResponse)
        list(raw.data)
    assert spans.names == ["chat m"]


def _rule(action: Action, stage: Stage = Stage.OUTPUT) -> Any:
    return policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn"), action=action))


@pytest.mark.parametrize("way", ["chat", "chat_stream"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_blocked_input_is_never_sent(is_async: bool, version: int, way: str) -> None:
    """`Blocked` is raised before the service is asked."""
    wire = Wire(answer())
    asked: Any = {"message": SECRET} if version == 1 else {"messages": [{"role": "user", "content": SECRET}]}
    with recorded(_rule(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        ask(wire, way, is_async=is_async, version=version, **asked)
    assert wire.requests == []


@pytest.mark.parametrize("way", ["chat", "chat_stream"])
def test_redacted_inputs_are_sent_redacted(is_async: bool, way: str) -> None:
    """Wherever it stands; the application's own objects are not touched."""
    body: Any = {1: lines(*first_events("ok")), 2: sse(*events("ok"))} if way != "chat" else {1: first(), 2: answer()}
    own = cohere.UserChatMessageV2(content=[cohere.TextContent(text=SECRET)])
    document = {
        "role": "tool",
        "tool_call_id": "a",
        "content": [{"type": "document", "document": {"data": {"n": SECRET}}}],
    }
    second, old = Wire(body[2]), Wire(body[1])
    with recorded(_rule(Action.REDACT, Stage.INPUT)):
        asked: Any = [own, {"role": "user", "content": SECRET}, document]
        ask(second, way, is_async=is_async, messages=asked, documents=[SECRET, {"data": {"text": SECRET}}])
        ask(
            old,
            way,
            is_async=is_async,
            version=1,
            message=SECRET,
            chat_history=[{"role": "USER", "message": SECRET}],
            tool_results=[{"call": {"name": "f", "parameters": {}}, "outputs": [{"n": SECRET}]}],
            documents=[{"text": SECRET}],
        )
    assert SECRET not in json.dumps([second.requests, old.requests])
    assert json.dumps(second.requests).count("[redacted:ssn]") == 5
    assert json.dumps(old.requests).count("[redacted:ssn]") == 4
    assert SECRET in str(own)
    assert SECRET in str(document)


def test_edited_instructions() -> None:
    """The preamble of the first API is what its system is told."""
    invocation = Invocation(None, (), {"message": "hi", "preamble": "Be kind."})
    (chat, *_) = [each for each in adapters.ADAPTERS if "raw_base_client:RawBaseCohere.chat" in str(each.methods)]
    after = chat.edit_request(invocation, {"/system_instructions/0": "Be brief."})
    assert after.kwargs == {"message": "hi", "preamble": "Be brief."}


def test_redacted_inputs_of_embeddings(is_async: bool) -> None:
    """Texts, and those that stand beside pictures."""
    wire = Wire(EMBEDDED)
    mixed = {"content": [{"type": "text", "text": SECRET}]}
    with recorded(_rule(Action.REDACT, Stage.INPUT)):
        for given in ({"texts": ["a", SECRET]}, {"inputs": [mixed]}):
            ask(wire, "embed", is_async=is_async, input_type="x", embedding_types=["float"], **given)
    assert wire.requests[0]["texts"] == ["a", "[redacted:ssn]"]
    assert wire.requests[1]["inputs"] == [{"content": [{"type": "text", "text": "[redacted:ssn]"}]}]


def test_an_edited_answer_says_it_nowhere(is_async: bool) -> None:
    """Neither in what quotes it, nor in the bytes of a raw response."""
    text = f"It is {SECRET}."
    cited = [{"start": 0, "end": len(text), "text": text, "sources": []}]
    with recorded(_rule(Action.REDACT)):
        found = ask(
            Wire(answer(text, citations=cited, logprobs=[{"text": SECRET, "token_ids": [1]}])), is_async=is_async
        )
        history = [{"role": "CHATBOT", "message": text}]
        old = ask(Wire(first(text, chat_history=history)), is_async=is_async, version=1)
    assert isinstance(found, cohere.V2ChatResponse)
    assert found.message.content[0].text == old.text == "It is [redacted:ssn]."  # type: ignore[index,union-attr,unused-ignore]  # it is a text
    assert SECRET not in found.model_dump_json() + old.model_dump_json()
    assert (found.id, old.generation_id) == ("c-1", "g-1")


@pytest.mark.parametrize("version", [1, 2])
def test_a_redacted_citation(is_async: bool, version: int) -> None:
    """A citation that violates a clause is redacted, and the text beside it stays."""
    quoted = {"start": 0, "end": 2, "text": SECRET}
    body = (
        first("It is so.", citations=[quoted | {"document_ids": []}])
        if version == 1
        else answer("It is so.", citations=[quoted | {"sources": []}])
    )
    with recorded(_rule(Action.REDACT)):
        found = ask(Wire(body), is_async=is_async, version=version)
    assert SECRET not in found.model_dump_json()
    message = found if version == 1 else found.message
    assert [each.text for each in message.citations] == ["[redacted:ssn]"]
    assert "It is so." in found.model_dump_json()


@pytest.mark.parametrize("version", [1, 2])
def test_a_stream_cut_at_a_citation(is_async: bool, version: int) -> None:
    """A citation that violates a clause is withheld, and its redacted text stands in its place."""
    quoted = {"start": 0, "end": 2, "text": SECRET}
    if version == 1:
        said = first_events("It is so.")
        old = {"event_type": "citation-generation", "citations": [quoted | {"document_ids": []}], "is_finished": False}
        said.insert(2, old)
    else:
        said = list(events("It is so."))
        said.insert(3, event("citation-start", 0, citations=quoted | {"sources": []}))
    with recorded(_rule(Action.REDACT)):
        found = ask(
            Wire(lines(*said) if version == 1 else sse(*said)), "chat_stream", is_async=is_async, version=version
        )
    assert SECRET not in repr(found)
    assert "[redacted:ssn]" in repr(found)
    assert "It is so." in repr(found)


def test_an_edited_raw_response_says_it_nowhere() -> None:
    """Its body is edited like its object."""
    made = client(httpx.MockTransport(Wire(answer(f"It is {SECRET}."))))
    with recorded(_rule(Action.REDACT)):
        raw = made.with_raw_response.chat(model="m", messages=[{"role": "user", "content": "hi"}])
    body = raw._response.text  # its public name is younger than it
    assert SECRET not in body
    assert "[redacted:ssn]" in body


@pytest.mark.parametrize("version", [1, 2])
def test_a_cut_stream_ends_as_the_service_ends_one(is_async: bool, version: int) -> None:
    """With the redacted text, the events after it, and Cohere's own word for an answer that was not to be given."""
    texts = ("It is ", SECRET, " for sure")
    body = lines(*first_events(*texts)) if version == 1 else sse(*events(*texts))
    with recorded(_rule(Action.REDACT)) as record:
        read = ask(Wire(body), "chat_stream", is_async=is_async, version=version)
    assert SECRET not in "".join(each.model_dump_json() for each in read)
    if version == 2:
        assert [each.type for each in read[-3:]] == ["content-delta", "content-end", "message-end"]
        assert read[-1].delta.finish_reason == "ERROR_TOXIC"
    else:
        assert [each.event_type for each in read[-2:]] == ["text-generation", "stream-end"]
        assert read[-1].response.text == "It is [redacted:ssn]"
    (span,) = record.spans
    found = span.attributes or {}
    assert found["gen_ai.response.finish_reasons"] == ("content_filter",)
    assert found["specspan.stream.released_chars"] == len("It is ")


def test_tool_calls_are_decided_at_the_end_of_the_message(is_async: bool) -> None:
    """The event that says the model stopped is not handed over."""

    def allowed(each: Any, texts: Any) -> bool:
        return not each.tool_calls

    call = {"id": "a", "type": "function", "function": {"name": "refund", "arguments": "{}"}}
    rule = policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))
    wire = Wire(sse(BEGIN, event("tool-call-start", 0, tool_calls=call), end("TOOL_CALL")))
    with recorded(rule), pytest.raises(Blocked):
        ask(wire, "chat_stream", is_async=is_async)


MALFORMED: dict[str, tuple[dict[str, Any], int]] = {
    "no usage": ({"usage": None}, 0),
    "no message": ({"message": None, "usage": None}, 0),
    "null where a list was": ({"message": {"role": "assistant", "content": None}, "usage": None}, 0),
    "an unknown block": ({"message": {"role": "assistant", "content": [{"type": "hologram"}]}, "usage": None}, 1),
    "a number that is none": ({"usage": {"tokens": {"input_tokens": "many"}}}, 1),
}


@pytest.mark.parametrize(("changes", "unread"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_answers(is_async: bool, content_spans: Spans, changes: Any, unread: int) -> None:
    """The span says what is known, and nothing of what never came; what was not understood is counted."""
    before = lost()
    ask(Wire(answer(**changes)), is_async=is_async)
    (span,) = content_spans.all
    assert lost() == before + unread
    assert (told(span).response_id, told(span).usage) == ("c-1", Usage())


STREAMED: dict[str, tuple[list[dict[str, Any]], int]] = {
    "truncated": ([BEGIN, said("hello")], 0),
    "without a beginning": ([said("hello"), end(usage=None)], 0),
    "an unknown block": ([BEGIN, event("content-start", 0, content={"type": "hologram"}), said("hello")], 1),
    "pieces out of order": (
        [BEGIN, event("tool-call-delta", 0, tool_calls={"function": {"arguments": "{}"}}), said("hello")],
        0,
    ),
    "an empty delta": ([BEGIN, {"type": "content-delta", "index": 0, "delta": None}, said("hello")], 0),
}


@pytest.mark.parametrize(("found", "unread"), STREAMED.values(), ids=STREAMED)
def test_malformed_streams(is_async: bool, content_spans: Spans, found: Any, unread: int) -> None:
    """The same of streams."""
    before = lost()
    ask(Wire(sse(*found)), "chat_stream", is_async=is_async)
    (span,) = content_spans.all
    assert lost() == before + unread
    assert told(span).texts == ("hello",)
    assert told(span).usage == Usage()


@pytest.mark.parametrize("way", ["chat", "chat_stream"])
def test_refused_requests(is_async: bool, spans: Spans, way: str) -> None:
    """What the client makes of a refusal is named."""
    with pytest.raises(cohere.BadRequestError):
        ask(Wire({"message": "no"}, status=400), way, is_async=is_async)
    (span,) = spans.all
    assert told(span).error == "BadRequestError"


def test_cached_tokens(content_spans: Spans) -> None:
    """They are part of what was read."""
    ask(Wire(answer(usage=USAGE | {"cached_tokens": 4.0})))
    (span,) = content_spans.all
    assert told(span).usage == Usage(12, 5, cache_read_input_tokens=4)


def test_clients_for_other_clouds(spans: Spans) -> None:
    """They turn requests to somewhere else, and may count -1: where they go and what was read is not known."""
    from cohere.aws_client import map_token_counts

    def turned(request: Any) -> None: ...

    turned.__module__ = map_token_counts.__module__  # the real one needs the cloud's own package
    usage = map_token_counts(httpx.Response(200)).model_dump()
    how = httpx.MockTransport(Wire(first(meta=usage)))
    sends = httpx.Client(transport=how, event_hooks={"request": [turned]})
    ask(None, made=cohere.Client(api_key="k", httpx_client=sends), version=1)
    (span,) = spans.all
    assert not {"server.address", "server.port"} & set(span.attributes or {})
    assert told(span).usage == Usage()


def test_methods_are_put_back() -> None:
    """The very same functions; and no name of a method stands for nothing, with this version of the client."""
    owners = [(RawV2Client, "chat"), (RawV2Client, "chat_stream"), (RawBaseCohere, "chat"), (RawBaseCohere, "embed")]
    assert all(is_replaced(vars(owner)[name]) for owner, name in owners)
    assert all(find_method(each)[0] is not None for found in adapters.ADAPTERS for each in found.methods)
    specspan.uninstrument()
    before = [vars(owner)[name] for owner, name in owners]
    assert not any(is_replaced(each) for each in before)
    specspan.instrument("cohere")
    specspan.uninstrument()
    assert all(vars(owner)[name] is was for (owner, name), was in zip(owners, before, strict=True))
