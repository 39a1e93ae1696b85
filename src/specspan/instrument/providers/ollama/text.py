"""Ollama's chat and generate methods: messages or a prompt go in, and one message comes out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Media, Message, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.fields import (
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    read_text,
)
from specspan.instrument.formats.generated_client import name_arguments
from specspan.instrument.formats.known_ollama import GENERATED
from specspan.instrument.formats.openai_chat import edit_messages, read_answer, read_message
from specspan.instrument.formats.openai_chat_stream import StreamedReasoning
from specspan.instrument.providers.ollama.client import INSTALL, PROVIDER, common_fields, method_paths

_COMPLETION = "text_completion"


def _read_message(value: Any) -> Message:
    """Read one message; its images, which are bytes or files, follow its text."""
    return _with_images(read_message(value), value)


def _with_images(message: Message, value: Any) -> Message:
    images = tuple([Media("image") for _ in as_list(as_mapping(value).get("images"))])
    return replace(message, parts=(*message.parts, *images)) if images else message


def _build_request(invocation: Invocation) -> Request:
    arguments = invocation.kwargs
    return Request(
        operation="chat" if "messages" in arguments else _COMPLETION,
        input=tuple(map(_read_message, _request_messages(arguments))),
        tools=tuple([_tool_definition(each) for each in arguments.get("tools") or ()]),
        output_type="json" if arguments.get("format") else None,
        streaming=bool(arguments.get("stream")),
        **common_fields(invocation),
    )


def _request_messages(arguments: Mapping[str, Any]) -> list[Any]:
    """Return the messages of a request, or messages that stand for its prompt and system text."""
    if "messages" in arguments:
        return list(as_list(arguments["messages"]))
    prompt = {"role": "user", "content": arguments.get("prompt"), "images": arguments.get("images")}
    return [{"role": "system", "content": arguments.get("system")}, prompt]


def _tool_definition(tool: Any) -> Mapping[str, Any]:
    """Return the definition of a tool; of a Python function, its name and docstring."""
    if isinstance(tool, Mapping):
        return tool
    if callable(tool):
        name = getattr(tool, "__name__", type(tool).__name__)
        return {"type": "function", "function": {"name": name, "description": inspect.getdoc(tool)}}
    definition: Mapping[str, Any] = tool.model_dump(exclude_none=True)
    return definition


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = invocation.kwargs
    edited = edit_messages(_request_messages(arguments), "input", edits)
    if "messages" in arguments:
        return replace(invocation, kwargs={**arguments, "messages": edited})
    system, prompt = (each["content"] for each in edited)
    texts = {name: text for name, text in (("system", system), ("prompt", prompt)) if text is not None}
    return replace(invocation, kwargs={**arguments, **texts})


def _answer_message(answer: Any) -> Any:
    """Return the message in an answer or in a chunk."""
    fields = as_mapping(answer)
    if "message" in fields:
        return fields["message"]
    return {"role": "assistant", "content": fields.get("response"), "thinking": fields.get("thinking")}


def _read_response(answer: Any) -> Response:
    fields = as_mapping(answer)
    message = _answer_message(answer)
    reason = as_finish_reason(
        fields.get("done_reason"), wants_tool=bool(as_list(as_mapping(message).get("tool_calls")))
    )
    return Response(
        model=as_str(fields.get("model")),
        output=(_with_images(read_answer(message, reason), message),),
        finish_reasons=(reason,) if reason else (),
        usage=Usage(as_count(fields.get("prompt_eval_count")), as_count(fields.get("eval_count"))),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    (message,) = edit_messages([_answer_message(answer)], "output", edits)
    return _with_message(answer, message)


def _with_message(answer: Any, message: Any, **changes: Any) -> Any:
    """Return a copy of an answer or a chunk with another message, without fields that repeat the text."""
    emptied = cleared(answer, "logprobs", "context")
    if "message" in as_mapping(answer):
        return copy_with(answer, message=message, **emptied, **changes)
    return copy_with(answer, response=message["content"], thinking=message["thinking"], **emptied, **changes)


class OllamaAccumulator:
    """Accumulator that builds an answer from the chunks of a stream."""

    __slots__ = ("_calls", "_last", "_texts", "_thoughts", "finished")

    def __init__(self, request: Request) -> None:
        self._texts = TextPieces()
        self._thoughts = StreamedReasoning()
        self._calls: list[Any] = []
        self._last: Any = None
        self.finished = False

    def add(self, chunk: Any) -> None:
        message = as_mapping(_answer_message(chunk))
        text, has_thoughts = read_text(message.get("content")) or "", self._thoughts.add(message)
        calls = as_list(message.get("tool_calls"))
        self._texts.write(text)
        self._calls.extend(calls)
        self._last = chunk
        if as_mapping(chunk).get("done"):
            self.finished = True
        elif text or has_thoughts or calls:
            self.finished = False

    def result(self) -> Any:
        """Return the last chunk, which has all other fields, with the whole message."""
        message = {"role": "assistant", "content": self._texts.getvalue(), **self._thoughts.to_fields()}
        return {**as_mapping(self._last), "message": {**message, "tool_calls": self._calls}}


def _deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    text = read_text(as_mapping(_answer_message(chunk)).get("content"))
    if text:
        yield 0, text


def _cut(chunk: Any, choice: int, text: str) -> Any:
    message = _answer_message(chunk)
    last = copy_with(message, content=text, **cleared(message, "tool_calls"))
    return _with_message(chunk, last, done=True, done_reason="content_filter")


def _find_stream(answer: Any) -> Any | None:
    return answer if inspect.isgenerator(answer) or inspect.isasyncgen(answer) else None


CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths("chat"),
    prepare=name_arguments("model", "messages"),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    fields=GENERATED,
    streaming=Streaming(
        fields=GENERATED,
        accumulator=OllamaAccumulator,
        deltas=_deltas,
        cut=_cut,
        find_stream=_find_stream,
    ),
)
GENERATE = replace(
    CHAT, operation=_COMPLETION, methods=method_paths("generate"), prepare=name_arguments("model", "prompt", "suffix")
)
