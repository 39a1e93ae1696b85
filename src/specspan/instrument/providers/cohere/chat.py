"""Chats of Cohere's second API, and the adapters of the whole client."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Request, Response, ToolCallResponse
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.bodies import EditablePart, edit_parts, parts_only, replace_at, replace_block_at
from specspan.instrument.formats.fields import (
    Fields,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    count_not_understood,
    to_plain_data,
)
from specspan.instrument.formats.generated_client import method_paths
from specspan.instrument.formats.openai_chat import edit_messages, read_message
from specspan.instrument.providers.cohere import chat_v1, embeddings
from specspan.instrument.providers.cohere.client import (
    FILTERED_REASON,
    INSTALL,
    PROVIDER,
    common_fields,
    edit_answer,
    explicit_parameters,
    put_stream,
    read_usage,
    streaming_adapter,
    unwrap,
)


def _build_request(invocation: Invocation) -> Request:
    arguments = explicit_parameters(invocation)
    documents = parts_only(_document_parts(arguments))
    return Request(
        input=(
            *map(read_message, as_list(arguments.get("messages"))),
            *([Message("tool", documents)] if documents else ()),
        ),
        tools=tuple(map(to_plain_data, as_list(arguments.get("tools")))),
        **common_fields(invocation),
    )


def _document_parts(arguments: Fields) -> Iterator[EditablePart]:
    """Yield the documents of a request; like tool results, they are not the user's words."""
    for at, each in enumerate(as_list(arguments.get("documents"))):
        if isinstance(each, str):
            yield ToolCallResponse(each), replace_at("documents", at)
        else:
            document = as_mapping(each)
            put = replace_block_at("documents", at, "data")
            yield ToolCallResponse(to_plain_data(document.get("data")), as_str(document.get("id"))), put


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = explicit_parameters(invocation)
    messages = list(as_list(arguments.get("messages")))
    after = edit_parts(invocation.kwargs, _document_parts(arguments), f"/input/{len(messages)}/parts/", edits)
    return replace(invocation, kwargs={**after, "messages": edit_messages(messages, "input", edits)})


def _read_response(answer: Any) -> Response:
    body = as_mapping(unwrap(answer))
    reason = as_finish_reason(body.get("finish_reason"))
    return Response(
        id=as_str(body.get("id")),
        output=(read_message(body.get("message"), reason),),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(body.get("usage")),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(body: Any) -> Any:
        (message,) = edit_messages([as_mapping(body)["message"]], "output", edits)
        uncited = copy_with(message, **cleared(message, "citations"))  # citations quote the text
        return copy_with(body, message=uncited, **cleared(body, "logprobs"))

    return edit_answer(answer, edit)


class ChatAccumulator:
    """Accumulator that builds an answer from the events of a stream."""

    __slots__ = ("_calls", "_content", "_end", "_id", "_plan", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._plan: list[str] = []
        self._content: dict[str, list[str]] = {"thinking": [], "text": []}
        self._calls: dict[Any, dict[str, Any]] = {}
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        fields = as_mapping(event)
        kind = fields.get("type")
        if kind == "message-end":
            self._end, self.finished = as_mapping(fields.get("delta")), True
        elif kind == "message-start":
            self._id, self.finished = fields.get("id"), False
        else:
            self.finished = False
            self._append_delta(fields, _delta_message(fields))

    def _append_delta(self, fields: Fields, message: Fields) -> None:
        content = as_mapping(message.get("content"))
        if content.get("type", "text") not in self._content:
            count_not_understood()
        for name, pieces in self._content.items():
            pieces.append(as_str(content.get(name)) or "")
        self._plan.append(as_str(message.get("tool_plan")) or "")
        if call := message.get("tool_calls"):
            self._append_tool_call(fields.get("index"), as_mapping(call))

    def _append_tool_call(self, index: Any, piece: Fields) -> None:
        call = self._calls.setdefault(index, {"id": None, "name": "", "arguments": []})
        function = as_mapping(piece.get("function"))
        call["id"] = piece.get("id") or call["id"]
        call["name"] += as_str(function.get("name")) or ""
        call["arguments"].append(as_str(function.get("arguments")) or "")

    def result(self) -> dict[str, Any]:
        content = [{"type": name, name: "".join(pieces)} for name, pieces in self._content.items() if any(pieces)]
        calls = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
            for call in self._calls.values()
        ]
        message = {"role": "assistant", "tool_plan": "".join(self._plan), "content": content, "tool_calls": calls}
        return {"id": self._id, **self._end, "message": message}


def _delta_message(event: Fields) -> Fields:
    return as_mapping(as_mapping(event.get("delta")).get("message"))


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in an event, without thinking."""
    text = as_mapping(_delta_message(as_mapping(event)).get("content")).get("text")
    if isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the last text event of a cut stream."""
    return copy_with(replace_at("delta", "message", "content", "text")(event, text), **cleared(event, "logprobs"))


def closing_events(accumulator: Any, event: Any) -> Iterable[Any]:
    """Yield the service's end events of the block and of the message."""
    from cohere import ChatMessageEndEventDelta

    yield _sibling_event_type(event, "ContentEnd")(index=event.index)
    yield _sibling_event_type(event, "MessageEnd")(
        id=accumulator.result()["id"], delta=ChatMessageEndEventDelta(finish_reason=FILTERED_REASON)
    )


def _sibling_event_type(event: Any, kind: str) -> Any:
    """Return the event class of another kind, defined in the same module as that of ``event``."""
    event_type = type(event)
    return getattr(sys.modules[event_type.__module__], re.sub("^Content(Start|Delta)", kind, event_type.__name__))


_CLIENT = "cohere.v2.raw_client:RawV2Client"
_CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths(_CLIENT, names=("chat",)),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
_STREAM = streaming_adapter(
    _CHAT,
    Streaming(
        accumulator=ChatAccumulator,
        deltas=deltas,
        cut=cut,
        find_stream=unwrap,
        put_stream=put_stream,
        closing_events=closing_events,
    ),
)

ADAPTERS = (_CHAT, _STREAM, *chat_v1.ADAPTERS, embeddings.ADAPTER)
