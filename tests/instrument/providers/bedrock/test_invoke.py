"""Amazon Bedrock's InvokeModel: each maker's body is read, and the application reads it as if nobody had."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from socketserver import StreamRequestHandler, TCPServer
from threading import Thread
from typing import Any

import pytest
from bedrock_bodies import CLAUDE_ASKED, NOVA_ASKED, PLAIN, STREAMED
from bedrock_wire import Wire, client, connected, conversation, pieces
from botocore.exceptions import IncompleteReadError, ResponseStreamingError
from botocore.response import StreamingBody
from ended_spans import Spans
from replays import Facts, told

import specspan
from specspan._support import drop_counts
from specspan.instrument.providers.bedrock import text_models

pytestmark = pytest.mark.usefixtures("bedrock_instrumented")

HEADERS = {"x-amzn-bedrock-input-token-count": "3", "x-amzn-bedrock-output-token-count": "7"}


def ask(body: Any, asked: Any = None, *, model: str = "m", wire: Wire | None = None) -> Any:
    sent = asked if isinstance(asked, bytes) or hasattr(asked, "read") else json.dumps(asked or {"prompt": "hi"})
    return client(wire or Wire(body, HEADERS)).invoke_model(modelId=model, body=sent)


def stream(asked: Any, *said: dict[str, Any]) -> Any:
    found = client(Wire(b"".join(pieces(*said))))
    return found.invoke_model_with_response_stream(modelId="m", body=json.dumps(asked))["body"]


@pytest.mark.parametrize(("asked", "body", "facts"), PLAIN.values(), ids=PLAIN.keys())
def test_every_makers_answer(asked: Any, body: Any, facts: Facts, content_spans: Spans) -> None:
    """Says on the span what it says in its body, or what the service counted; nothing of it is not understood."""
    before = counted()
    ask(body, asked)
    (span,) = content_spans.all
    assert told(span) == facts
    assert counted() == before


@pytest.mark.parametrize(("asked", "said", "facts"), STREAMED.values(), ids=STREAMED.keys())
def test_every_makers_stream(asked: Any, said: Any, facts: Facts, content_spans: Spans) -> None:
    """Says the same as its answer would; cumulative counts are not added up."""
    before = counted()
    assert [json.loads(event["chunk"]["bytes"]) for event in stream(asked, *said)] == said
    (span,) = content_spans.all
    assert told(span) == facts
    assert counted() == before


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ({"prompt": "hi", "max_gen_len": 9, "top_p": 0.5}, {"max_tokens": 9, "top_p": 0.5}),
        (
            {"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 9, "stopSequences": ["|"]}},
            {"max_tokens": 9, "stop_sequences": ("|",)},
        ),
        ({"prompt": "hi", "p": 0.5, "k": 4, "num_generations": 2}, {"top_p": 0.5, "top_k": 4, "choice.count": 2}),
        ({**CLAUDE_ASKED, "stop_sequences": ["|"]}, {"max_tokens": 9, "stop_sequences": ("|",)}),
        ({**NOVA_ASKED, "inferenceConfig": {"max_new_tokens": 9, "topK": 4}}, {"max_tokens": 9, "top_k": 4}),
    ],
)
def test_parameters(asked: Any, read: dict[str, Any], spans: Spans) -> None:
    """Have the conventions' names, whatever their maker calls them."""
    ask({}, asked)
    (span,) = spans.all
    found = {
        name.removeprefix("gen_ai.request."): value
        for name, value in (span.attributes or {}).items()
        if name.startswith("gen_ai.request.")
    }
    assert found == {"model": "m", **read}


def test_what_was_said_before(content_spans: Spans) -> None:
    """Cohere's turns are messages, and what its tools answered is a tool's."""
    ask(
        {"text": "ok", "finish_reason": "COMPLETE"},
        {
            "message": "Well?",
            "preamble": "Be kind.",
            "chat_history": [{"role": "USER", "message": "hi"}, {"role": "CHATBOT", "message": "hello"}],
            "tool_results": [{"call": {"name": "search", "parameters": {}}, "outputs": [{"n": 1}]}],
        },
    )
    found = content_spans.attributes("chat m")
    assert json.loads(found["gen_ai.system_instructions"])[0]["content"] == "Be kind."
    assert [
        (each["role"], each["parts"][0].get("content", each["parts"][0].get("response")))
        for each in json.loads(found["gen_ai.input.messages"])
    ] == [
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "Well?"),
        ("tool", [{"n": 1}]),
    ]


@pytest.mark.parametrize("sent", [b'{"prompt": "hi"}', io.BytesIO(b'{"prompt": "hi"}')], ids=["bytes", "file"])
def test_a_request_body_of_any_kind_is_sent(sent: Any, content_spans: Spans) -> None:
    """One that can be read once is read for the span, and sent all the same."""
    wire = Wire({"generation": "So."})
    ask(None, sent, wire=wire)
    assert wire.requests == [{"prompt": "hi"}]
    assert "hi" in content_spans.attributes("text_completion m")["gen_ai.input.messages"]


def test_embeddings(content_spans: Spans) -> None:
    """A model with embed in its name makes them of texts."""
    ask({"embeddings": [[0.5], [1.0]]}, {"texts": ["hi", "yo"], "input_type": "search_query"}, model="cohere.embed-v3")
    found = content_spans.attributes("embeddings cohere.embed-v3")
    assert [part["content"] for part in json.loads(found["gen_ai.input.messages"])[0]["parts"]] == ["hi", "yo"]
    assert found["gen_ai.usage.input_tokens"] == 3


BODY = json.dumps({"generation": "So. " * 1000, "stop_reason": "stop"}).encode()


def by_pieces(body: Any) -> list[bytes]:
    return [body.read(100), body.read(0), body.read(), body.read(), body.read(10)]


def into_a_buffer(body: Any) -> tuple[int, bytes]:
    buffer = bytearray(64)
    return body.readinto(buffer), bytes(buffer)


def as_a_context(body: Any) -> list[bytes]:
    with body as raw:
        return list(raw.stream(100))


def closed(body: Any) -> bytes:
    read: bytes = body.read(10)
    body.close()
    return read


WAYS: list[Callable[[Any], Any]] = [
    lambda body: body.read(),
    by_pieces,
    into_a_buffer,
    as_a_context,
    closed,
    list,
    next,
    lambda body: list(body.iter_lines()),
    lambda body: list(body.iter_chunks(7)),
    lambda body: body.readlines(),
    lambda body: (body.readable(), body.read(3), body.tell()),
]


@pytest.mark.parametrize("way", WAYS)
def test_the_body_is_read_as_if_nobody_had(way: Callable[[Any], Any], spans: Spans) -> None:
    """Whole, in pieces, by lines, into a buffer: the same bytes come of it, of an object of the same class."""
    specspan.uninstrument()
    expected = way(ask(BODY)["body"])
    specspan.instrument("bedrock")
    body = ask(BODY)["body"]
    assert type(body) is StreamingBody
    assert way(body) == expected
    assert spans.attributes("text_completion m")["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_time_limit_on_reading_is_taken(spans: Spans) -> None:
    """There is nothing left to wait for."""
    body = ask(BODY)["body"]
    body.set_socket_timeout(1.0)
    assert body.read() == BODY
    assert spans.names == ["text_completion m"]


SHORT = b"content-length: 4096\r\n\r\n" + BODY[:1000]
BROKEN = b"transfer-encoding: chunked\r\n\r\n3e8\r\n" + BODY[:1000] + b"\r\n3e8\r\nOh"


class HangsUp(StreamRequestHandler):
    """Sends less than it promises."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.rfile.read(len(b'{"prompt": "hi"}'))
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + self.server.sends)  # type: ignore[attr-defined]  # set below


def read_what_breaks(sends: bytes, size: int | None) -> tuple[bytes, type[Exception] | None]:
    """What could be read of a body, and the error that reading it ended with."""
    got = b""
    with TCPServer(("127.0.0.1", 0), HangsUp) as server:
        server.sends = sends  # type: ignore[attr-defined]
        thread = Thread(target=server.handle_request, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        body = connected(url).invoke_model(modelId="m", body=b'{"prompt": "hi"}')["body"]
        thread.join()
    try:
        while piece := body.read(size):
            got += piece
    except Exception as error:
        return got, type(error)
    return got, None


@pytest.mark.parametrize("size", [None, 8, 4096])
@pytest.mark.parametrize("sends", [SHORT, BROKEN], ids=["short", "chunked"])
def test_a_connection_that_breaks_breaks_where_it_did(sends: bytes, size: int | None, spans: Spans) -> None:
    """Reading raises what it would have, after the same bytes; the call itself is none that failed."""
    specspan.uninstrument()
    expected = read_what_breaks(sends, size)
    specspan.instrument("bedrock")
    assert read_what_breaks(sends, size) == expected
    assert expected[1] in (IncompleteReadError, ResponseStreamingError)
    assert "gen_ai.response.finish_reasons" not in spans.attributes("text_completion m")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        b"[1]",
        b"null",
        b'{"generation": null}',
        b'{"generation": 7}',
        b'{"results": 7}',
        b'{"choices": [7]}',
        b'{"type": "message", "content": 7, "usage": null}',
        b'{"output": []}',
    ],
)
def test_a_body_that_is_none_of_a_models(body: bytes, spans: Spans) -> None:
    """Is handed over as it is; what was not understood is counted."""
    before = counted()
    assert ask(body)["body"].read() == body
    assert spans.ending("text_completion m") == "completed"
    assert counted() > before


@pytest.mark.parametrize("body", [b'{"results": null}', b'{"choices": [null]}', b'{"type": "message"}'])
def test_a_body_that_says_nothing(body: bytes, spans: Spans) -> None:
    """Absent counts and reasons stay absent."""
    assert ask(body)["body"].read() == body
    assert "gen_ai.response.finish_reasons" not in spans.attributes("text_completion m")


def test_a_text_in_many_blocks_is_one_text(content_spans: Spans) -> None:
    """Nova's own streams begin a block for every piece: what a clause looks for may stand in two of them."""
    asked, said, _ = STREAMED["nova"]
    list(stream(asked, *said))
    (message,) = json.loads(content_spans.attributes("chat m")["gen_ai.output.messages"])
    assert [part.get("content") for part in message["parts"]] == ["So.", None]


def test_pieces_that_are_none_of_a_models(content_spans: Spans) -> None:
    """Are counted, and handed over with the rest."""
    before = counted()
    said: Any = [{"generation": "So."}, ["?"], {"generation": 7}, {"generation": " Yes.", "stop_reason": "stop"}]
    assert [json.loads(event["chunk"]["bytes"]) for event in stream({"prompt": "hi"}, *said)] == said
    assert told(content_spans.named("text_completion m")).texts == ("So.7 Yes.",)
    assert counted() == before + 2


@pytest.mark.parametrize("body", [["So."], {"result": {"generation": "So."}}, {"hologram": "So."}])
def test_a_body_of_an_unknown_shape(body: Any, content_spans: Spans) -> None:
    """A body that cannot be read stands in the answer as an unknown part, and is counted."""
    before = counted()
    ask(body)
    (message,) = json.loads(content_spans.attributes("text_completion m")["gen_ai.output.messages"])
    assert message["parts"] == [{"type": "body"}]
    assert counted() == before + 1


def test_counts_that_cannot_be_used(content_spans: Spans) -> None:
    """Counts that are no numbers are absent where the service sends no headers, and never nought."""
    said = {"results": [{"tokenCount": "many", "outputText": "So."}], "inputTextTokenCount": "some"}
    ask(said, wire=Wire(said))
    found = content_spans.attributes("text_completion m")
    assert not [name for name in found if name.startswith("gen_ai.usage.")]


def test_tokens_that_repeat_an_edited_text() -> None:
    """The tokens of a Jurassic answer go with the text that they repeat."""
    body = {"completions": [{"data": {"text": "So.", "tokens": [{"generatedToken": {"token": "So."}}]}}]}
    (answer,) = text_models.edit_response(body, {"/output/0/parts/0": "No."})["completions"]
    assert answer["data"] == {"text": "No.", "tokens": []}


def test_a_stream_in_a_shape_that_changes(content_spans: Spans) -> None:
    """What the first piece began is gone on with; the application reads all of it."""
    said = [{"generation": "So."}, *conversation(["hm"])]
    assert len(list(stream({"prompt": "hi"}, *said))) == len(said)
    assert told(content_spans.named("text_completion m")).texts == ("So.",)


def counted() -> int:
    return drop_counts.totals().get(("content", "not_understood"), 0)
