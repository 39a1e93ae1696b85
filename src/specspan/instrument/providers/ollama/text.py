"""Ollama's chat and generate: messages, or one prompt, go in, and one message comes out, whole or in pieces."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import Media, Message, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import (
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
)
from specspan.instrument.formats.generated_client import name_arguments
from specspan.instrument.formats.openai_chat import edit_messages, read_message, read_reasoning
from specspan.instrument.providers.ollama.client import INSTALL, PROVIDER, common_fields, method_paths

_COMPLETION = "text_completion"


def _read_message(said: Any) -> Message:
    """One message: its images, which are bytes or files, come after what it says."""
    message = read_message(said)
    images = tuple([Media("image") for _ in as_list(as_mapping(said).get("images"))])
    return replace(message, parts=(*message.parts, *images)) if images else message


def _build_request(invocation: Invocation) -> Request:
    given = invocation.kwargs
    return Request(
        operation="chat" if "messages" in given else _COMPLETION,
        input=tuple(map(_read_message, _request_messages(given))),
        tools=tuple([_tool_definition(each) for each in given.get("tools") or ()]),
        output_type="json" if given.get("format") else None,
        streaming=bool(given.get("stream")),
        **common_fields(invocation),
    )


def _request_messages(given: Mapping[str, Any]) -> list[Any]:
    """The messages that are sent, or stand for what is."""
    if "messages" in given:
        return list(as_list(given["messages"]))
    prompt = {"role": "user", "content": given.get("prompt"), "images": given.get("images")}
    return [{"role": "system", "content": given.get("system")}, prompt]


def _tool_definition(tool: Any) -> Mapping[str, Any]:
    """A definition; of a function, of which the client makes one, its name and what it says of itself."""
    if isinstance(tool, Mapping):
        return tool
    if callable(tool):
        name = getattr(tool, "__name__", type(tool).__name__)
        return {"type": "function", "function": {"name": name, "description": inspect.getdoc(tool)}}
    found: Mapping[str, Any] = tool.model_dump(exclude_none=True)
    return found


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    given = invocation.kwargs
    edited = edit_messages(_request_messages(given), "input", edits)
    if "messages" in given:
        return replace(invocation, kwargs={**given, "messages": edited})
    system, prompt = (each["content"] for each in edited)
    texts = {name: text for name, text in (("system", system), ("prompt", prompt)) if text is not None}
    return replace(invocation, kwargs={**given, **texts})


def _answer_message(answer: Any) -> Any:
    """The message in an answer, or in a piece of one."""
    found = as_mapping(answer)
    if "message" in found:
        return found["message"]
    return {"role": "assistant", "content": found.get("response"), "thinking": found.get("thinking")}


def _read_response(answer: Any) -> Response:
    found = as_mapping(answer)
    said = _answer_message(answer)
    reason = as_finish_reason(found.get("done_reason"), wants_tool=bool(as_list(as_mapping(said).get("tool_calls"))))
    return Response(
        model=as_str(found.get("model")),
        output=(replace(_read_message(said), finish_reason=reason),),
        finish_reasons=(reason,) if reason else (),
        usage=Usage(as_count(found.get("prompt_eval_count")), as_count(found.get("eval_count"))),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    (said,) = edit_messages([_answer_message(answer)], "output", edits)
    return _with_message(answer, said)


def _with_message(answer: Any, said: Any, **changes: Any) -> Any:
    """A copy of an answer, or of a piece of one, with another message, and nothing else that tells what it was."""
    nothing = cleared(answer, "logprobs", "context")
    if "message" in as_mapping(answer):
        return copy_with(answer, message=said, **nothing, **changes)
    return copy_with(answer, response=said["content"], thinking=said["thinking"], **nothing, **changes)


class OllamaAccumulator:
    """Folds pieces into what stands for an answer."""

    __slots__ = ("_calls", "_last", "_texts", "_thoughts", "finished")

    def __init__(self, request: Request) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[Any] = []
        self._last: Any = None
        self.finished = False

    def add(self, chunk: Any) -> None:
        said = as_mapping(_answer_message(chunk))
        self._texts.append(as_str(said.get("content")) or "")
        self._thoughts.append(as_str(read_reasoning(said)) or "")
        self._calls.extend(as_list(said.get("tool_calls")))
        self._last = chunk
        self.finished = self.finished or bool(as_mapping(chunk).get("done"))

    def result(self) -> Any:
        """The last piece, which tells everything else, with the whole message."""
        said = {"role": "assistant", "content": "".join(self._texts), "thinking": "".join(self._thoughts)}
        return {**as_mapping(self._last), "message": {**said, "tool_calls": self._calls}}


def _deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    text = as_mapping(_answer_message(chunk)).get("content")
    if text:
        yield 0, text


def _cut(chunk: Any, choice: int, text: str) -> Any:
    said = _answer_message(chunk)
    last = copy_with(said, content=text, **cleared(said, "tool_calls"))
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
    accumulator=OllamaAccumulator,
    deltas=_deltas,
    cut=_cut,
    stream_in=_find_stream,
)
GENERATE = replace(
    CHAT, operation=_COMPLETION, methods=method_paths("generate"), prepare=name_arguments("model", "prompt", "suffix")
)
