"""Ollama's chat and generate: messages, or one prompt, go in, and one message comes out, whole or in pieces."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import Media, Message, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import changed, count, emptied, fields, finish_reason, listed, word
from specspan.instrument.formats.generated_client import by_name
from specspan.instrument.formats.openai_chat import message_of, reasoning_of, with_texts
from specspan.instrument.providers.ollama.client import INSTALL, PROVIDER, common, methods

_COMPLETION = "text_completion"


def _message(said: Any) -> Message:
    """One message: its images, which are bytes or files, come after what it says."""
    message = message_of(said)
    images = tuple([Media("image") for _ in listed(fields(said).get("images"))])
    return replace(message, parts=(*message.parts, *images)) if images else message


def _request(invocation: Invocation) -> Request:
    given = invocation.kwargs
    return Request(
        operation="chat" if "messages" in given else _COMPLETION,
        input=tuple(map(_message, _asked(given))),
        tools=tuple([_tool(each) for each in given.get("tools") or ()]),
        output_type="json" if given.get("format") else None,
        streaming=bool(given.get("stream")),
        **common(invocation),
    )


def _asked(given: Mapping[str, Any]) -> list[Any]:
    """The messages that are sent, or stand for what is."""
    if "messages" in given:
        return list(listed(given["messages"]))
    prompt = {"role": "user", "content": given.get("prompt"), "images": given.get("images")}
    return [{"role": "system", "content": given.get("system")}, prompt]


def _tool(tool: Any) -> Mapping[str, Any]:
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
    edited = with_texts(_asked(given), "input", edits)
    if "messages" in given:
        return replace(invocation, kwargs={**given, "messages": edited})
    system, prompt = (each["content"] for each in edited)
    texts = {name: text for name, text in (("system", system), ("prompt", prompt)) if text is not None}
    return replace(invocation, kwargs={**given, **texts})


def _said(answer: Any) -> Any:
    """The message in an answer, or in a piece of one."""
    found = fields(answer)
    if "message" in found:
        return found["message"]
    return {"role": "assistant", "content": found.get("response"), "thinking": found.get("thinking")}


def _response(answer: Any) -> Response:
    found = fields(answer)
    said = _said(answer)
    reason = finish_reason(found.get("done_reason"), wants_tool=bool(listed(fields(said).get("tool_calls"))))
    return Response(
        model=word(found.get("model")),
        output=(replace(_message(said), finish_reason=reason),),
        finish_reasons=(reason,) if reason else (),
        usage=Usage(count(found.get("prompt_eval_count")), count(found.get("eval_count"))),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    (said,) = with_texts([_said(answer)], "output", edits)
    return _saying(answer, said)


def _saying(answer: Any, said: Any, **changes: Any) -> Any:
    """A copy of an answer, or of a piece of one, with another message, and nothing else that tells what it was."""
    nothing = emptied(answer, "logprobs", "context")
    if "message" in fields(answer):
        return changed(answer, message=said, **nothing, **changes)
    return changed(answer, response=said["content"], thinking=said["thinking"], **nothing, **changes)


class _Accumulator:
    """Folds pieces into what stands for an answer."""

    __slots__ = ("_calls", "_last", "_texts", "_thoughts", "finished")

    def __init__(self, request: Request) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[Any] = []
        self._last: Any = None
        self.finished = False

    def add(self, chunk: Any) -> None:
        said = fields(_said(chunk))
        self._texts.append(word(said.get("content")) or "")
        self._thoughts.append(word(reasoning_of(said)) or "")
        self._calls.extend(listed(said.get("tool_calls")))
        self._last = chunk
        self.finished = self.finished or bool(fields(chunk).get("done"))

    def result(self) -> Any:
        """The last piece, which tells everything else, with the whole message."""
        said = {"role": "assistant", "content": "".join(self._texts), "thinking": "".join(self._thoughts)}
        return {**fields(self._last), "message": {**said, "tool_calls": self._calls}}


def _deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    text = fields(_said(chunk)).get("content")
    if text:
        yield 0, text


def _cut(chunk: Any, choice: int, text: str) -> Any:
    said = _said(chunk)
    last = changed(said, content=text, **emptied(said, "tool_calls"))
    return _saying(chunk, last, done=True, done_reason="content_filter")


def _stream_in(answer: Any) -> Any | None:
    return answer if inspect.isgenerator(answer) or inspect.isasyncgen(answer) else None


CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=methods("chat"),
    prepare=by_name("model", "messages"),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    accumulator=_Accumulator,
    deltas=_deltas,
    cut=_cut,
    stream_in=_stream_in,
)
GENERATE = replace(
    CHAT, operation=_COMPLETION, methods=methods("generate"), prepare=by_name("model", "prompt", "suffix")
)
