"""Items in the shape of OpenAI's Responses API, as dicts or as a client's objects, both ways.

What is asked is a list of items, and so is what is answered: messages, reasoning, calls of tools and what came of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.providers._shapes import (
    Fields,
    Put,
    changed,
    fields,
    listed,
    parsed,
    put_in_list,
    put_texts,
    reference,
    unknown,
)

_MADE_OF_THE_TEXT: dict[str, Any] = {"annotations": [], "logprobs": None, "parsed": None}
"""What stands beside a text and goes with it."""
_ARGUMENTS = ("arguments", "input", "action", "operation", "code", "queries")
"""Where the kinds of tool call keep what the tool is given."""
_MEDIA = {"input_image": "image", "input_file": "file", "input_audio": "audio"}


def message_of(item: Any) -> Message:
    """What one item of a request says."""
    said = fields(item)
    return Message(_role(said), tuple([part for part, _ in _places(said)]))


def answer_of(items: Any, finish_reason: str | None) -> Message:
    """What all items of an answer say: it is one message."""
    parts = [part for item in listed(items) for part, _ in _places(fields(item))]
    return Message("assistant", tuple(parts), finish_reason=finish_reason)


def with_input(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Items of a request with the texts that ``edits`` has for them."""
    return [
        put_texts(item, _places, (edits.get(f"/input/{i}/parts/{j}") for j in count())) for i, item in enumerate(items)
    ]


def with_output(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Items of an answer with the texts that ``edits`` has for them."""
    texts = (edits.get(f"/output/0/parts/{j}") for j in count())
    return [put_texts(item, _places, texts) for item in items]


def _role(said: Fields) -> str:
    role = said.get("role")
    if role:
        return str(role)
    return "tool" if str(said.get("type")).endswith("_output") else "assistant"


def _places(said: Fields) -> Iterator[tuple[Part, Put | None]]:
    """The parts of an item, each with how to put another text in its place."""
    kind = str(said.get("type") or "message")
    if kind == "message":
        yield from _content(said, "content")
    elif kind == "reasoning":
        yield from _content(said, "summary")
        yield from _content(said, "content")
    elif kind.endswith("_output"):
        yield from _tool_answer(said, "result" if "result" in said else "output")
    elif kind.endswith("_call") or kind == "mcp_approval_request":
        yield from _tool_call(said, kind)
    else:
        yield unknown(kind), None


def _content(said: Fields, name: str) -> Iterator[tuple[Part, Put | None]]:
    content = said.get(name)
    if isinstance(content, str):
        yield Text(content), lambda item, text: changed(item, **{name: text})
    else:
        for index, piece in enumerate(listed(content)):
            yield _piece(fields(piece), name, index)


def _piece(said: Fields, name: str, index: int) -> tuple[Part, Put | None]:
    kind, text = str(said.get("type")), said.get("text")
    if isinstance(text, str):
        made = Reasoning(text) if kind in ("summary_text", "reasoning_text") else Text(text)
        return made, put_in_list(name, index, "text", **_MADE_OF_THE_TEXT)
    if kind == "refusal":
        return Refusal(said.get("refusal") or ""), put_in_list(name, index, "refusal")
    if kind in _MEDIA:
        return Media(
            _MEDIA[kind], *reference(said.get("image_url") or said.get("file_url") or said.get("file_id"))
        ), None
    return unknown(kind), None


def _tool_call(said: Fields, kind: str) -> Iterator[tuple[Part, Put | None]]:
    """A call of a tool: of the application's, or of the service's own, with what came of it in the same item."""
    given = next((said[name] for name in _ARGUMENTS if said.get(name)), None)
    arguments = parsed(given) if isinstance(given, str) else _plain(given)
    call_id = said.get("call_id") or said.get("id")
    yield ToolCall(str(said.get("name") or kind.removesuffix("_call")), arguments, call_id), None
    if kind == "mcp_call":
        yield from _tool_answer(said, "output")
    elif kind == "image_generation_call" and said.get("result"):
        yield Media("image", mime_type=f"image/{said.get('output_format') or 'png'}"), None


def _plain(given: Any) -> Any:
    """What a client made objects of, as it was."""
    if isinstance(given, list):
        return [_plain(each) for each in given]
    return given.model_dump(exclude_unset=True) if hasattr(given, "model_dump") else given


def _tool_answer(said: Fields, name: str) -> Iterator[tuple[Part, Put | None]]:
    answer = said.get(name)
    call_id = said.get("call_id") or said.get("id")
    if isinstance(answer, str):
        yield ToolCallResponse(answer, call_id), lambda item, text: changed(item, **{name: text})
    elif isinstance(answer, list):
        for index, piece in enumerate(answer):
            part, put = _piece(fields(piece), name, index)
            yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), put
    elif answer is not None:
        yield ToolCallResponse(_plain(answer), call_id), None
